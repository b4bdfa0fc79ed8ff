"""Two-step tasks, which tell planning from repeating what paid.

Wang et al. 2016, experiment 5; Wang et al. 2018, simulation 4; Daw et al. 2011.
"""

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor

from neurometa.dataset import Variable
from neurometa.errors import InputError, nearest
from neurometa.streams import integers, normal, uniform
from neurometa.tasks.base import Task, check_sizes

STEPS = {"choice": ("choice",), "stages": ("choice", "second_stage")}  # of a trial, by form


@dataclasses.dataclass(frozen=True)
class TwoStep(Task):
    r"""A first choice leads to one of two states, of which one pays well; now and then they swap.

    First-stage action a leads to second-stage state a with probability `p_common`, else to
    the other state. The better state pays 1 with probability `p_reward`, the other with
    1 - `p_reward`. Which one is better is drawn for the episode, and swaps before each trial
    with probability `p_reversal`. The defaults are those of Wang et al. 2018, simulation 4;
    ``TwoStep(10, .75, 0., .9, "stages")`` is experiment 5 of Wang et al. 2016.

    A trial comes in two forms. ``"choice"`` has one step: the agent chooses, is paid, and
    sees at its next choice, one-hot, which state it had reached. ``"stages"`` has two: it
    chooses, sees the state, and is paid whatever it does there: actions 0 and 1 are equally right.
    The paper of 2018 has a fixation before: that is ``Fixation(TwoStep(form="stages"))``. Where no
    response is made at the choice no state is reached, and the trial pays nothing.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    p_common : float
        Probability of the common transition, in [.5, 1].
    p_reversal : float
        Probability of a swap before a trial, in [0, 1].
    p_reward : float
        Reward probability of the better state, in [.5, 1].
    form : {"choice", "stages"}
        One or two steps per trial.
    """

    n_trials: int = 100
    p_common: float = 0.8
    p_reversal: float = 0.025
    p_reward: float = 0.9
    form: str = "choice"

    latents = {
        "better_state": Variable((), "second-stage state that pays more"),
        "common": (),
        "second_state": (),
        "state_reward_prob": ("state",),
        "expected_reward": ("arm",),
    }
    FORMS: ClassVar = tuple(STEPS)

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        if self.form not in STEPS:
            hint = nearest(str(self.form), list(STEPS))
            raise InputError(f"form is {self.form!r}; allowed are {list(STEPS)}.{hint}")
        for name, low in (("p_common", 0.5), ("p_reversal", 0), ("p_reward", 0.5)):
            if not low <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must lie between {low} and 1.")

    @property
    def steps(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the steps in a trial, by form."""
        return STEPS[self.form]

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """States that can be shown: the two of the second stage, after those in which something is asked."""
        return {"choice": 2, "stages": 3}[self.form]

    def begin(self, n_episodes, rng):
        """Draw which state is the better; none has been reached (-1)."""
        better = integers(rng, 2, n_episodes)
        return self._world(better) | {
            "common": torch.zeros(n_episodes, dtype=torch.bool, device=rng.device),
            "second_state": torch.full((n_episodes,), -1, dtype=torch.int8, device=rng.device),
        }

    def observe(self, state, step):
        """Show where the agent is, one-hot; in one step, the state last reached, all zero before the first."""
        seen = torch.zeros(len(state["common"]), self.n_features, device=state["common"].device)
        if step == "second_stage" or self.form == "choice":
            seen[:, -2:] = shown(state["second_state"])
        else:
            seen[:, self.steps.index(step)] = 1
        return seen

    def step(self, state, action, step, rng):
        """Swap the states, perhaps, before a choice, and move; pay at the last step."""
        luck = uniform(rng, 3, len(action), axis=1)
        if step == "choice":
            better = state["better_state"] ^ (luck[0] < self.p_reversal)
            state = self._world(better) | travel(action, luck[1] < self.p_common)
        paid = torch.zeros_like(luck[0])
        if step == self.steps[-1]:
            in_better = state["second_state"] == state["better_state"]
            won = luck[2] < torch.where(in_better, self.p_reward, 1 - self.p_reward)
            paid = (won & (state["second_state"] >= 0) & (action >= 0)).float()
        return paid, state

    def wait(self, state, rng):
        """Use up the random numbers of a step, as trials with a fixation always have: a seed gives the same choices."""
        uniform(rng, 3, len(state["common"]), axis=1)
        return state

    def _world(self, better: Tensor) -> dict[str, Tensor]:
        """Which state is the better (int8), what each pays, and what each first-stage action is worth."""
        second = (1 - self.p_reward) + (2 * self.p_reward - 1) * better.float()
        prob = torch.stack([1 - second, second], -1)  # both add up to 1, whichever is the better
        worth = (1 - self.p_common) + (2 * self.p_common - 1) * prob
        return {"better_state": better.to(torch.int8), "state_reward_prob": prob, "expected_reward": worth}


@dataclasses.dataclass(frozen=True)
class DawTwoStep(Task):
    r"""Two choices per trial: the first leads to a state, the second takes one of its two options.

    First-stage action a leads to state a with probability `p_common`, else to the other.
    Each of the four options pays 1 with a probability of its own, which starts uniform on
    [`low`, `high`] and takes a Gaussian step of SD `drift_sd` before each trial, reflected
    there (Daw et al. 2011; how the walks start is our choice, and so is the order of the
    steps: no deadline, no fixation).

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    p_common : float
        Probability of the common transition, in [.5, 1].
    drift_sd : float
        SD of a step of each reward probability, in 1/trial.
    low, high : float
        Where the reward probabilities are reflected, 0 <= low < high <= 1.
    """

    n_trials: int = 201
    p_common: float = 0.7
    drift_sd: float = 0.025
    low: float = 0.25
    high: float = 0.75

    steps = ("choice", "second_stage")
    latents = {"common": (), "second_state": (), "second_choice": (), "state_reward_prob": ("state", "option")}
    n_features = 3

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        if not 0.5 <= self.p_common <= 1:
            raise InputError(f"p_common is {self.p_common}; it must lie between 0.5 and 1.")
        if not 0 <= self.drift_sd < float("inf"):
            raise InputError(f"drift_sd is {self.drift_sd}; it must be 0 or more, and finite.")
        if not 0 <= self.low < self.high <= 1:
            raise InputError(f"low and high are {self.low} and {self.high}; they must be 0 <= low < high <= 1.")

    def begin(self, n_episodes, rng):
        """Draw where each option's reward probability starts; no state has been reached (-1)."""
        start = uniform(rng, n_episodes, 2, 2)
        none = torch.full((n_episodes,), -1, dtype=torch.int8, device=rng.device)
        prob = self.low + (self.high - self.low) * start
        return {"state_reward_prob": prob, "common": none > 0, "second_state": none, "second_choice": none}

    def observe(self, state, step):
        """Show where the agent is, one-hot: first stage, state 0, state 1."""
        reached = shown(state["second_state"]) * (step == "second_stage")
        return torch.cat([1 - reached.sum(-1, keepdim=True), reached], -1)

    def step(self, state, action, step, rng):
        """Let the probabilities drift and move, or pay with the probability of the option taken."""
        if step == "choice":
            move = normal(rng, *state["state_reward_prob"].shape)
            width = self.high - self.low
            place = (state["state_reward_prob"] - self.low + self.drift_sd * move).abs().remainder(2 * width)
            prob = self.low + torch.minimum(place, 2 * width - place)
            luck = uniform(rng, len(action))
            after = {"state_reward_prob": prob, "second_choice": torch.full_like(state["second_choice"], -1)}
            return torch.zeros_like(luck), after | travel(action, luck < self.p_common)
        luck = uniform(rng, len(action))
        here = torch.arange(len(action), device=rng.device)
        taken = torch.where(state["second_state"] < 0, -1, action)  # none, where no state was reached
        prob = state["state_reward_prob"][here, state["second_state"].clamp(min=0).long(), taken.clamp(min=0)]
        return ((luck < prob) & (taken >= 0)).float(), state | {"second_choice": taken.to(torch.int8)}


def shown(second_state: Tensor) -> Tensor:
    """Return the state reached one-hot, (episode, 2); all zero where none was (-1)."""
    return torch.stack([second_state == 0, second_state == 1], -1).float()


def travel(action: Tensor, common: Tensor) -> dict[str, Tensor]:
    """Whether the transition was the common one of the action chosen, and the state reached; False, -1 by no choice."""
    made = action >= 0
    reached = torch.where(made, action ^ ~common, -1)
    return {"common": common & made, "second_state": reached.to(torch.int8)}
