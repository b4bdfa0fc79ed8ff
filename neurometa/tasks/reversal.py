"""The reversal task, in which the outcome of one cue tells of the other (Wang et al. 2018, simulation 3)."""

import dataclasses

import torch

from neurometa.errors import InputError
from neurometa.exact.reversal import N_FEATURES, STEPS
from neurometa.streams import integers, uniform
from neurometa.tasks.base import CENTRE, Task, check_sizes


@dataclasses.dataclass(frozen=True)
class Reversal(Task):
    r"""Of two cues one is rewarded and the other is not; now and then they swap their roles.

    A trial has four steps. At the ``fixation`` nothing is shown but itself; at the ``cue`` one
    of two cues appears, each equally often; both ask for the centre (action 2). At the
    ``response`` the cue is still there and dictates the side: cue 0 left (action 0), cue 1
    right. At the ``outcome`` nothing is asked, and 1 is paid if the cue is the one that is
    rewarded, else 0. Any other response costs 1, and after a wrong one at ``response`` the
    trial pays nothing more. There is thus nothing to choose: what is to be learned is what
    each cue is worth, and a critic's values show it.

    An episode is a chain of trials over which an agent keeps its memory. Which cue is
    rewarded is drawn for the chain, and may change before a trial: with probability
    `p_reversal` before any but the first, or, in the published form, with `p_switch` at the
    start of each block of `block_length` trials, which the paper calls an episode.

    Parameters
    ----------
    n_trials : int
        Trials in a chain; 50 make the paper's window of 200 steps.
    p_reversal : float
        Probability of a reversal before a trial, in [0, 1]; unused where there are blocks.
    block_length : int or None
        Trials in a block; None for reversals that come at any time.
    p_switch : float
        Probability of a reversal at the start of a block, in [0, 1].
    """

    n_trials: int = 50
    p_reversal: float = 0.1
    block_length: int | None = None
    p_switch: float = 0.5

    steps = STEPS
    choice_step = "response"
    latents = {"cue": (), "rewarded_cue": (), "reversed": (), "expected_reward": ("arm",)}
    n_features = N_FEATURES

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        for name in ("p_reversal", "p_switch"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        if self.block_length is not None and self.block_length < 1:
            raise InputError(f"block_length is {self.block_length}; it must be at least 1, or null.")

    @property
    def n_actions(self) -> int:
        """Left, right and the centre."""
        return 3

    @property
    def n_options(self) -> int:
        """Left and right: the centre is no choice."""
        return 2

    def begin(self, n_episodes, rng):
        """Draw which cue is rewarded at first; no cue has been shown."""
        rewarded = integers(rng, 2, n_episodes)
        none = torch.zeros_like(rewarded)
        return {
            "trial": none - 1,
            "cue": none.to(torch.int8),
            "rewarded_cue": rewarded.to(torch.int8),
            "reversed": none > 0,
            "answered": none > 0,
            "expected_reward": torch.zeros(n_episodes, 2, device=rng.device),
        }

    def observe(self, state, step):
        """Show the state of the task, one-hot: fixation, the cue, the same cue at the response, outcome."""
        place = {"fixation": 0, "cue": 1, "response": 3, "outcome": 5}[step]
        place = place + state["cue"].long() * (step in ("cue", "response"))
        return (torch.arange(self.n_features, device=place.device) == place[..., None]).float()

    def step(self, state, action, step, rng):
        """Reverse, perhaps, and draw a cue at the fixation; pay at the outcome what the cue is worth."""
        luck = uniform(rng, 2, len(action), axis=1)
        if step == "fixation":
            state = state | self._next(state["trial"] + 1, state["rewarded_cue"], luck[0], luck[1])
        if step in ("fixation", "cue"):
            return -(action != CENTRE).float(), state
        if step == "response":
            answered = action == state["cue"]
            return -(~answered).float(), state | {"answered": answered}
        return (state["answered"] & (state["cue"] == state["rewarded_cue"])).float(), state

    def _next(self, trial, rewarded, luck, which):
        """The world of the coming trial: roles, cue, and what a response to each side is worth."""
        if self.block_length is None:
            swaps = luck < self.p_reversal
        else:
            swaps = (luck < self.p_switch) & (trial % self.block_length == 0)
        swaps = swaps & (trial > 0)
        rewarded, cue = rewarded ^ swaps, (which < 0.5).to(torch.int8)
        sides = torch.arange(2, device=cue.device) == cue[:, None]
        worth = torch.where(sides, (cue == rewarded).float()[:, None], -1.0)
        return {"trial": trial, "cue": cue, "rewarded_cue": rewarded, "reversed": swaps, "expected_reward": worth}
