"""Harlow's task: a new pair of stimuli in every episode, of which one is rewarded throughout.

Harlow 1949; Wang et al. 2016, experiment 6; Wang et al. 2018, simulation 5.
"""

import dataclasses

import torch

from neurometa.errors import InputError, nearest
from neurometa.streams import integers, normal
from neurometa.tasks.base import CENTRE, Task, check_sizes

PARTNERS = ("kept", "new")


@dataclasses.dataclass(frozen=True)
class Harlow(Task):
    r"""One of two stimuli never seen before is rewarded, wherever it appears, for a whole episode.

    A trial has three steps. At the ``fixation`` the centre (action 2) pays `fixation_reward`,
    anything else nothing. At the ``choice`` the two stimuli are side by side, on sides drawn
    anew in each trial: the side of the rewarded one pays 1, the other -1; the centre takes
    neither, pays nothing and is no choice. At the ``outcome`` the stimulus taken is alone in the
    centre and nothing is asked, as in the papers, where an image is taken by turning to it until it
    is in the centre of the view. Which stimulus is rewarded is seen by chance on trial 1 and
    known from then on.

    A stimulus is a vector of `n_stimulus_features` independent standard normal numbers, drawn
    for its episode and never again, so that what is learned cannot be about single stimuli.

    Parameters
    ----------
    n_trials : int
        Trials in an episode: 6 in the paper of 2018, 10 in that of 2016.
    n_stimulus_features : int
        Numbers that make a stimulus.
    partner : {"kept", "new"}
        Keep both stimuli, or only one, rewarded or not by a throw of a coin, beside a new one in each trial.
    fixation_reward : float
        What holding still at the fixation pays, in units of reward.
    """

    n_trials: int = 6
    n_stimulus_features: int = 8
    partner: str = "kept"
    fixation_reward: float = 0.2

    steps = ("fixation", "choice", "outcome")
    latents = {"side": (), "expected_reward": ("arm",)}

    def __post_init__(self) -> None:
        if self.n_stimulus_features < 1:
            raise InputError(f"n_stimulus_features is {self.n_stimulus_features}; it must be at least 1.")
        check_sizes(self.n_trials, n_stimulus_features=self.n_stimulus_features)
        if self.partner not in PARTNERS:
            hint = nearest(str(self.partner), list(PARTNERS))
            raise InputError(f"partner is {self.partner!r}; allowed are {list(PARTNERS)}.{hint}")
        if not abs(self.fixation_reward) < float("inf"):
            raise InputError(f"fixation_reward is {self.fixation_reward}; it must be finite.")

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Whether this is the fixation, or the outcome; then the stimuli left, right and in the centre."""
        return 2 + 3 * self.n_stimulus_features

    @property
    def n_actions(self) -> int:
        """Left, right and the centre."""
        return 3

    @property
    def n_options(self) -> int:
        """Left and right: the centre is no choice."""
        return 2

    def begin(self, n_episodes, rng):
        """Draw the stimuli, (episode, rewarded or not, feature), and which of them is kept if the other is not."""
        stimuli = normal(rng, n_episodes, 2, self.n_stimulus_features)
        kept = integers(rng, 2, n_episodes)
        side = torch.zeros(n_episodes, dtype=torch.int8, device=rng.device)
        worth = torch.zeros(n_episodes, 2, device=rng.device)
        now = {"side": side, "expected_reward": worth, "taken": torch.zeros_like(stimuli[:, 0])}
        return now | {"stimuli": stimuli, "kept": kept, "begun": side > 0}

    def observe(self, state, step):
        """Show the fixation, or the stimuli on their sides, or the one taken; the other entries are 0."""
        taken = state["taken"]
        flags = torch.eye(2, device=taken.device)[["fixation", "outcome"].index(step)] if step != "choice" else 0.0
        sides = self._sides(state).flatten(1)
        parts = [taken.new_zeros(len(taken), 2) + flags, sides * (step == "choice"), taken * (step == "outcome")]
        return torch.cat(parts, -1)

    def _sides(self, state):
        """The stimuli, left then right, (episode, side, feature); the rewarded one comes first in the state."""
        on_right = (state["side"] == 1)[:, None, None]
        return torch.where(on_right, state["stimuli"].flip(1), state["stimuli"])

    def step(self, state, action, step, rng):
        """Draw the sides, and a new partner, at the fixation; pay 1 or -1 at the choice."""
        if step == "outcome":
            return torch.zeros_like(state["expected_reward"][:, 0]), state
        if step == "choice":
            won = (action == state["side"]).float() - (action == 1 - state["side"]).float()
            chosen = torch.arange(2, device=action.device) == action[:, None]
            return won, state | {"taken": (self._sides(state) * chosen[..., None]).sum(1)}
        side = integers(rng, 2, len(action)).to(torch.int8)
        right = side.float()
        worth = torch.stack([1 - 2 * right, 2 * right - 1], -1)
        stimuli = state["stimuli"]
        if self.partner == "new":
            fresh = normal(rng, *stimuli.shape)
            kept = (torch.arange(2, device=rng.device) == state["kept"][:, None]) | ~state["begun"][:, None]
            stimuli = torch.where(kept[..., None], stimuli, fresh)
        after = {"side": side, "expected_reward": worth, "stimuli": stimuli, "begun": torch.ones_like(state["begun"])}
        return self.fixation_reward * (action == CENTRE).float(), state | after
