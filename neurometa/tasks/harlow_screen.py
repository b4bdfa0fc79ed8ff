"""Harlow's task on a screen that is looked at by turning: experiment 6 of Wang et al. 2016, simulation 5 of 2018."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numba
import numpy as np
import torch
from torch import Tensor

from neurometa.contract import Variable
from neurometa.errors import InputError, nearest
from neurometa.render import screen
from neurometa.streams import integers
from neurometa.tasks.base import State
from neurometa.tasks.harlow import PARTNERS
from neurometa.tasks.harlow_pixels import Pair
from neurometa.tasks.timed import EVENT, TIMED, TimedTask

_compile: Callable[..., Any] = numba.njit(error_model="numpy", nogil=True, cache=True)
WIDTH = 65.0  # of the screen, and of what is seen of it, in degrees
PLACE, CHOSEN, FIXATED = WIDTH / 4, 7.0, 3.5  # where images are, and how near one must look at them, or at the cross
KEEP = 0.5  # what is left of the turn of the last primitive step
REPEAT, HOLD, PAUSE = 4, 4, 10  # primitive steps of an action, of a fixation, and between trials
FIXATION, CHOICE, AFTER = range(3)  # phases of a trial
CHANGES = "gaze", "turn", "phase", "held", "trial_index", "valid"  # by an action
NOTHING, FIXATES, TAKES_LEFT, TAKES_RIGHT = range(4)  # events


@dataclasses.dataclass(frozen=True)
class HarlowScreen(Pair, TimedTask):
    """Two images on a screen, of which one is chosen by turning until it is in the middle of the view.

    A trial begins with a cross: holding it within 3.5 degrees of the middle for 4 primitive steps pays
    `fixation_reward`, and two images appear, left and right. The one that comes within 7 degrees of the middle is
    chosen: it pays 1 or -1, and 10 primitive steps later the next trial begins. Actions are to turn left (0), to turn
    right (1) and to do nothing (2); each is repeated for 4 primitive steps. The episode ends after `n_trials` trials or
    `n_steps` actions.

    The papers say that a turn is about 4.4 degrees with slight momentum, and that the screen spans 65. Here 4.4 degrees
    are of an action, so that a choice takes three; what is seen spans 65 degrees too, and images are in the middle of
    either half. While the reward is told the image that was chosen is still seen.

    Parameters
    ----------
    n_trials, images, n_images, image_size, frame, held_out
        As of `Pair`; the papers have frames of 84 x 84 and images of 34 x 34.
    n_steps : int
        Actions of an episode at most.
    test_steps : int
        The same at test; 900 are the papers' 3,600 primitive steps.
    turn : float
        How far an action turns that is repeated for ever, in degrees.
    partner : {"kept", "new"}
        Keep both images for the episode, or only one, rewarded or not by a throw of a coin, beside a new one each time.
    fixation_reward : float
        What a fixation pays.
    fixation : bool
        False for choices alone, with which to begin a training: a trial begins with the images and the gaze between
        them, and the next one follows the action at which the image chosen is seen.

    Raises
    ------
    InputError
        As of `Pair`.
    """

    image_size: int = 11
    frame: tuple[int, int] = (28, 28)
    n_steps: int = 900
    test_steps: int = 900
    turn: float = 4.4
    partner: str = "kept"
    fixation_reward: float = 0.2
    fixation: bool = True

    latents = {
        **TIMED,
        "side": ("trial",),
        "expected_reward": ("trial", "arm"),
        "image": Variable(("trial", "arm"), "number of the image on each side"),
        "gaze": Variable(("time",), "where the middle of the view is on the screen", "degrees"),
        "shown": Variable(("time",), "what is on the screen (1: cross, 2: left image, 4: right image, or their sum)"),
    }
    events = ("nothing", "fixation", "left", "right")
    ends = choices = ("left", "right")
    n_actions: ClassVar[int] = 3

    def __post_init__(self) -> None:
        for name in ("n_steps", "test_steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.partner not in PARTNERS:
            hint = nearest(str(self.partner), list(PARTNERS))
            raise InputError(f"partner is {self.partner!r}; allowed are {list(PARTNERS)}.{hint}")
        if not 0 < self.turn <= 45:
            raise InputError(f"turn is {self.turn}; it must be above 0 and at most 45 degrees.")
        if not abs(self.fixation_reward) < float("inf"):
            raise InputError(f"fixation_reward is {self.fixation_reward}; it must be finite.")
        super().__post_init__()

    def for_test(self):
        """Return the task with images that are never trained with, and as much time as the papers give."""
        return dataclasses.replace(self, held_out=True, n_steps=self.test_steps)

    def begin(self, n_episodes, rng):
        """Draw the images and sides of all trials; the gaze is at the cross."""
        number = self.draw_pair(rng, n_episodes)[:, None].expand(-1, self.n_trials, -1)
        if self.partner == "new":
            stays = integers(rng, 2, n_episodes)[:, None, None] == torch.arange(2, device=rng.device)
            partner = self.draw_others(rng, number[..., 0])[..., None]
            number = torch.where(stays, number[..., :1], partner)
        side = integers(rng, 2, n_episodes, self.n_trials)
        right = side.float()
        none = torch.zeros(n_episodes, dtype=torch.int64, device=rng.device)
        still = none.float()
        shown, phase = (screen.CROSS, FIXATION) if self.fixation else (screen.LEFT + screen.RIGHT, CHOICE)
        state = {
            "side": side.to(torch.int8),
            "expected_reward": torch.stack([1 - 2 * right, 2 * right - 1], -1),
            "image": torch.where((side == 1)[..., None], number.flip(-1), number).contiguous(),
            "gaze": still,
            "turn": still,
            "shown": torch.full_like(none, shown, dtype=torch.uint8),
            "phase": torch.full_like(none, phase),
            "held": none,  # primitive steps: of the fixation, or since the choice
            "step": none,
            "valid": none == 0,
            "trial_index": none,
            EVENT: none,
        }
        return state | {"stimuli": self._stimuli(state["image"])}

    def _stimuli(self, number: Tensor) -> Tensor:
        """The images of all trials, (episode, trial, 2, 3, size, size)."""
        if self.partner == "new":
            return self.look_up(number)
        pair = self.look_up(number[:, :1])  # each is painted once
        return torch.where((number == number[:, :1])[..., None, None, None], pair, pair.flip(2))

    def observe(self, state, step):
        """Show the part of the screen that is looked at."""
        stimuli = state["stimuli"] if "stimuli" in state else self._stimuli(state["image"])
        episode = torch.arange(len(stimuli), device=stimuli.device)
        now = stimuli[episode, state["trial_index"]].contiguous()
        gaze = torch.round(state["gaze"] * (self.frame[1] / WIDTH)).long()
        return screen.draw(state["shown"], now, gaze, self.frame, self.frame[1] // 4, self.frame[1] // 2)

    def step(self, state, action, step, rng):
        """Repeat an action for four primitive steps; what is on the screen may change at any of them.

        On CUDA what changes is fetched, and returned: the steps are compiled for the CPU.
        """
        push = ((action == 1).float() - (action == 0).float()) * (self.turn / REPEAT)
        changed = {name: state[name].cpu().numpy().copy() for name in CHANGES}
        given = (state["side"].cpu().numpy(), push.cpu().numpy(), self.fixation, self.fixation_reward)
        paid, event = _repeated(*changed.values(), *given)
        reward, now = torch.from_numpy(paid).to(push.device), dict(state)
        now[EVENT] = torch.from_numpy(event).to(push.device)
        now |= {name: torch.from_numpy(x).to(push.device) for name, x in changed.items()}
        now["step"] = state["step"] + 1
        now["valid"] = now["valid"] & (now["step"] < self.n_steps)
        now["shown"] = self._on_screen(now)
        return reward, now

    def _on_screen(self, now: State) -> Tensor:
        """What is seen after an action: the image chosen stays for the action at whose end the choice was made."""
        chosen = now[EVENT] >= TAKES_LEFT
        one = torch.where(now[EVENT] == TAKES_LEFT, screen.LEFT, screen.RIGHT)
        by_phase = torch.tensor([screen.CROSS, screen.LEFT + screen.RIGHT, 0], device=chosen.device)[now["phase"]]
        return torch.where(chosen, one, by_phase).to(torch.uint8)


@_compile
def _repeated(gaze, turn, phase, held, trial_index, valid, side, push, fixation, fixation_reward):
    """Repeat the push of an action in every episode that goes on, change its state, and return rewards and events."""
    reward, event = np.zeros(len(gaze), np.float32), np.zeros(len(gaze), np.int64)
    for e in np.flatnonzero(valid):
        seen = not fixation and phase[e] == AFTER
        for _ in range(REPEAT):
            turn[e] = KEEP * turn[e] + (1 - KEEP) * push[e]
            gaze[e] = (gaze[e] + turn[e] + 180) % 360 - 180  # all round
            if phase[e] == FIXATION:
                held[e] = held[e] + 1 if abs(gaze[e]) <= FIXATED else 0
                if held[e] >= HOLD:
                    reward[e] += fixation_reward
                    phase[e], held[e], event[e] = CHOICE, 0, FIXATES
            elif phase[e] == CHOICE and PLACE - abs(gaze[e]) <= CHOSEN:
                right = gaze[e] > 0
                reward[e] += 1 if right == side[e, trial_index[e]] else -1
                phase[e], held[e], event[e] = AFTER, 0, TAKES_RIGHT if right else TAKES_LEFT
            elif phase[e] == AFTER:
                held[e] += 1
                if held[e] >= PAUSE:
                    phase[e], held[e] = FIXATION, 0
                    trial_index[e] += 1
                    if trial_index[e] == side.shape[1]:
                        break
        if seen:
            phase[e], held[e], gaze[e], turn[e] = CHOICE, 0, 0, 0
            trial_index[e] += 1
        if trial_index[e] == side.shape[1]:
            trial_index[e] -= 1
            valid[e] = False
    return reward, event
