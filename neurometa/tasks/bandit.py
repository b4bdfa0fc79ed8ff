"""Bernoulli bandits whose arms keep their probabilities for an episode, and the arm that tells.

Do networks learn to explore as much as a problem needs, and to use what its arms have in
common? (Wang et al. 2016, experiments 1-3; Wang et al. 2018, Fig 1; Duan et al. 2016.)
"""

import dataclasses

import torch
from torch import Tensor

from neurometa.dataset import Variable
from neurometa.errors import InputError, nearest
from neurometa.exact.bandit import DIFFICULTIES
from neurometa.streams import Rng, integers, uniform
from neurometa.tasks.base import Task, check_sizes


def _pay(prob: Tensor, action: Tensor, rng: Rng) -> Tensor:
    """Pay 1 with the chosen arm's probability, else 0; (episode,)."""
    luck = uniform(rng, len(action))
    won = luck < prob.gather(1, action.clamp(min=0)[:, None])[:, 0]
    return (won & (action >= 0)).float()


@dataclasses.dataclass(frozen=True)
class _SteadyBandit(Task):
    """Arms that keep their reward probabilities for an episode; how they are drawn is the tasks' own."""

    n_trials: int = 100
    n_arms: int = 2

    latents = {"reward_prob": ("arm",)}
    repeats = True

    def __post_init__(self) -> None:
        check_sizes(self.n_trials, self.n_arms)

    @property
    def n_actions(self) -> int:
        """Number of arms."""
        return self.n_arms

    def step(self, state, action, step, rng):
        """Pay 1 with the chosen arm's probability; nothing moves."""
        return _pay(state["reward_prob"], action, rng), state

    def gaps(self, state, step):
        """Reward probabilities less the best arm's."""
        return state["reward_prob"] - state["reward_prob"].amax(1, keepdim=True)


@dataclasses.dataclass(frozen=True)
class IndependentBandit(_SteadyBandit):
    """Arms whose reward probabilities are drawn independently, uniform on [0, 1].

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    n_arms : int
        Number of arms.
    """

    def begin(self, n_episodes, rng):
        """Draw each arm's reward probability."""
        return {"reward_prob": uniform(rng, n_episodes, self.n_arms)}


@dataclasses.dataclass(frozen=True)
class ScarceBandit(_SteadyBandit):
    """Arms as those of `IndependentBandit`, but that pay seldom: a test of what was learned where they pay more.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    n_arms : int
        Number of arms.
    highest_prob : float
        Reward probabilities are uniform on [0, `highest_prob`].

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    highest_prob: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.highest_prob <= 1:
            raise InputError(f"highest_prob is {self.highest_prob}; it must be above 0 and at most 1.")

    def begin(self, n_episodes, rng):
        """Draw each arm's reward probability."""
        return {"reward_prob": self.highest_prob * uniform(rng, n_episodes, self.n_arms)}


@dataclasses.dataclass(frozen=True)
class DependentBandit(_SteadyBandit):
    """One arm, drawn at random, pays with probability p; every other pays with 1 - p.

    With two arms these are the anti-correlated bandits of Wang et al. 2016, p1 = 1 - p2.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    n_arms : int
        Number of arms. The papers use 2; for more, all but one pay alike (our choice).
    difficulty : {"uniform", "easy", "medium", "hard"}
        p ~ U(0, 1), or p = .9, .75, .6.
    """

    difficulty: str = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.difficulty not in DIFFICULTIES:
            allowed = list(DIFFICULTIES)
            raise InputError(
                f"difficulty is {self.difficulty!r}; allowed are {allowed}.{nearest(str(self.difficulty), allowed)}"
            )

    def begin(self, n_episodes, rng):
        """Draw the odd arm and p."""
        odd = integers(rng, self.n_arms, n_episodes, 1)
        p = DIFFICULTIES[self.difficulty]
        drawn = uniform(rng, n_episodes, 1) if p is None else torch.full((n_episodes, 1), p, device=rng.device)
        prob = (1 - drawn).expand(-1, self.n_arms).clone()
        return {"reward_prob": prob.scatter_(1, odd, drawn)}


@dataclasses.dataclass(frozen=True)
class InformativeBandit(Task):
    """Eleven arms, one of which tells which of the others pays best (Wang et al. 2016, experiment 3).

    One of arms 0-9 is the target and pays 5; the other nine pay 1. Arm 10 pays a tenth of
    the target's number, counted from 1: 0.1 ... 1.0. Payment is certain, and an agent gets
    it one-hot.
    """

    n_trials: int = 5

    latents = {"target": Variable((), "arm that pays most"), "expected_reward": ("arm",)}
    reward_levels = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 5.0)

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)

    @property
    def n_actions(self) -> int:
        """Ten arms that may be the target, and the one that tells."""
        return 11

    def begin(self, n_episodes, rng):
        """Draw the target."""
        target = integers(rng, 10, n_episodes, 1)
        pays = torch.ones((n_episodes, 11), device=rng.device).scatter_(1, target, 5.0)
        pays[:, 10] = (target[:, 0] + 1) / 10
        return {"target": target[:, 0], "expected_reward": pays}

    def step(self, state, action, step, rng):
        """Pay what the chosen arm pays."""
        paid = state["expected_reward"].gather(1, action.clamp(min=0)[:, None])[:, 0]
        return paid * (action >= 0), state
