"""Harlow's task with images to look at: two side by side, one of them rewarded for a whole episode."""

import dataclasses
import math

import torch
from torch import Tensor

from neurometa.contract import Variable
from neurometa.errors import InputError
from neurometa.memory import check_memory
from neurometa.render import screen
from neurometa.render.images import N_PAINTED, paint, pictures
from neurometa.streams import Rng, integers
from neurometa.tasks.base import Task


@dataclasses.dataclass(frozen=True)
class Pair(Task):
    """What Harlow's tasks on a screen have in common: two images of an episode, and frames.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    images : str
        Folder of pictures of one shape, half of them to train with; empty for painted ones (`render.images`).
    n_images : int
        How many different images there are to train with; as many others to test with.
    image_size : int
        Height and width of an image, in pixels.
    frame : tuple of int
        Height and width of what is seen, in pixels.
    held_out : bool
        Draw from the images that are kept for tests.

    Raises
    ------
    InputError
        A setting is outside its range, the images do not fit the frame, or the folder is not what it should be.
    """

    n_trials: int = 10
    images: str = ""
    n_images: int = N_PAINTED
    image_size: int = 16
    frame: tuple[int, int] = (20, 40)
    held_out: bool = False

    def __post_init__(self) -> None:
        for name, least in (("n_trials", 1), ("n_images", 2), ("image_size", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        height, width = self.frame
        if height < self.image_size or width < 2 * self.image_size:
            raise InputError(
                f"frame is {height} x {width} and image_size {self.image_size}; the frame must be at least as high as "
                "an image and as wide as two."
            )
        check_memory(f"frame is {height} x {width}: an episode of {self.n_steps} steps", self.n_steps * self.n_features)
        if self.images:
            pictures(self.images, self.image_size)

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Red, green and blue of every pixel."""
        return (3, *self.frame)

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Numbers in a frame."""
        return math.prod(self.observation_shape)

    def for_test(self):
        """Return the task with images that are never trained with."""
        return dataclasses.replace(self, held_out=True)

    @property
    def n_drawn(self) -> int:
        """How many images there are to draw from."""
        there = len(pictures(self.images, self.image_size)) // 2 if self.images else N_PAINTED
        return min(self.n_images, there)

    @property
    def first(self) -> int:
        """Number of the first of them: those of the test come after all that one may train with."""
        there = len(pictures(self.images, self.image_size)) // 2 if self.images else N_PAINTED
        return there * self.held_out

    def draw_pair(self, rng: Rng, n_episodes: int) -> Tensor:
        """Draw the numbers of two different images for each episode, (episode, 2), the rewarded one first."""
        number = self.first + integers(rng, self.n_drawn, n_episodes)
        return torch.stack([number, self.draw_others(rng, number)], -1)

    def draw_others(self, rng: Rng, number: Tensor) -> Tensor:
        """Draw for each image (episode, ...) another; every other is equally likely, so that none is favoured."""
        other = self.first + integers(rng, self.n_drawn - 1, *number.shape)
        return other + (other >= number).long()

    def look_up(self, number: Tensor) -> Tensor:
        """Return the images of some numbers, (..., 3, image_size, image_size), uint8."""
        if not self.images:
            return paint(number, self.image_size)
        return pictures(self.images, self.image_size).to(number.device)[number]


@dataclasses.dataclass(frozen=True)
class HarlowPixels(Pair):
    """Two images that were never seen before, side by side; one is rewarded for the whole episode.

    As `Harlow`, with images for stimuli, and without the fixation: at the ``choice`` the two are left and right, on
    sides drawn anew in each trial; the side of the rewarded one pays 1, the other -1. At the ``outcome`` the image
    taken is alone in the middle and nothing is asked. Parameters are those of `Pair`.

    Wang et al. 2016, experiment 6, reduced to one decision a trial.
    """

    steps = ("choice", "outcome")
    latents = {
        "side": (),
        "expected_reward": ("arm",),
        "image": Variable(("arm",), "number of the image on each side"),
    }

    def begin(self, n_episodes, rng):
        """Draw the two images and the sides of the first trial."""
        number = self.draw_pair(rng, n_episodes)
        begun = {"number": number, "stimuli": self.look_up(number)}
        begun["taken"] = torch.zeros(n_episodes, dtype=torch.int64, device=rng.device)
        return begun | self._sides(number, rng)

    def _sides(self, number, rng):
        side = integers(rng, 2, len(number)).to(torch.int8)
        right = side.float()
        worth = torch.stack([1 - 2 * right, 2 * right - 1], -1)
        return {"next_side": side, "next_reward": worth}

    def observe(self, state, step):
        """Show both images, or the one taken in the middle."""
        stimuli, taken = _by_side(state["stimuli"], state["next_side"]), state["taken"]
        offset = self.frame[1] // 4
        both = torch.full_like(state["next_side"], screen.LEFT + screen.RIGHT, dtype=torch.uint8)
        if step == "choice":
            return screen.draw(both, stimuli, torch.zeros_like(taken), self.frame, offset, self.frame[1])
        one = torch.where(taken == 0, screen.LEFT, screen.RIGHT).to(torch.uint8)
        return screen.draw(one, stimuli, (2 * taken - 1) * offset, self.frame, offset, self.frame[1])

    def step(self, state, action, step, rng):
        """Pay 1 or -1 at the choice; draw the next trial's sides at the outcome."""
        if step == "outcome":
            now = {"side": state["next_side"], "expected_reward": state["next_reward"]}
            now["image"] = _by_side(state["number"], state["next_side"])
            return torch.zeros_like(state["next_reward"][:, 0]), state | now | self._sides(state["number"], rng)
        won = (action == state["next_side"]).float() - (action == 1 - state["next_side"]).float()
        return won, state | {"taken": action.clamp(min=0)}


def _by_side(pair: Tensor, side: Tensor) -> Tensor:
    """Something of each image, the rewarded one first, (episode, 2, ...), as left and right."""
    on_right = (side == 1).reshape(-1, *[1] * (pair.ndim - 1))
    return torch.where(on_right, pair.flip(1), pair)
