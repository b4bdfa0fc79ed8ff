"""Observers of the restless bandit, who know how it drifts: what no network can beat, and near misses.

For arms that pay with p and 1 - p each choice tells as much as the other, so that taking
the arm more likely to pay is optimal and nothing is gained by exploring. The filter over
p and its volatility is shared by the ideal observer of the restless bandit and by those
that hold one volatility to be true (Wang et al. 2016, experiment 4 and Fig 4b).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from neurometa.agents.base import NEGLIGIBLE, Agent, Output, State, greedy
from neurometa.errors import InputError


class WalkFilter(nn.Module):
    """Exact Bayes, on a grid, for two arms that pay with p and 1 - p while p drifts.

    p is uniform at first; before each payment it takes a Gaussian step, reflected at 0
    and 1. Each volatility nu of the grid keeps its own transition matrix.

    Parameters
    ----------
    volatility : sequence of float
        The values nu may have, equally likely at first; in 1/trial.
    drift : {"sd", "variance"}
        How nu is read: the SD of a step is nu, or sqrt(nu).
    n_bins : int
        Bins of p on [0, 1]; even, so that p = .5 falls between two.

    Raises
    ------
    InputError
        A volatility is negative, there is none, or another setting is not allowed.
    """

    volatility: Tensor
    prob: Tensor
    transition: Tensor

    def __init__(self, volatility: Sequence[float], *, drift: str = "sd", n_bins: int = 50) -> None:
        super().__init__()
        if not len(volatility) or not min(volatility) >= 0:
            raise InputError(f"volatility is {tuple(volatility)}; give at least one value, each 0 or more.")
        if drift not in ("sd", "variance"):
            raise InputError(f"drift is {drift!r}; allowed are 'sd' and 'variance'.")
        if n_bins < 2 or n_bins % 2:
            raise InputError(f"n_bins is {n_bins}; it must be even.")
        nu = torch.tensor(volatility, dtype=torch.float64)
        transition = reflected_steps(nu if drift == "sd" else nu.sqrt(), n_bins)
        for name, x in (("volatility", nu), ("prob", midpoints(n_bins)), ("transition", transition)):
            self.register_buffer(name, x.float(), persistent=False)

    def begin(self, n_episodes: int) -> Tensor:
        """Belief before the first payment: uniform over (episode, volatility, p), summing to 1."""
        belief = self.prob.new_ones(n_episodes, len(self.volatility), len(self.prob))
        return belief / belief[0].numel()

    def update(self, belief: Tensor, action: Tensor, reward: Tensor) -> Tensor:
        """Belief about the coming payment after the last one; the same where no action was taken."""
        paid = torch.where(action[:, 0] > 0, reward, 1 - reward)[:, None]  # what arm 0 paid, or would have paid
        likelihood = paid * self.prob + (1 - paid) * (1 - self.prob)
        after = belief * likelihood[:, None]
        after = (after / after.sum((1, 2), keepdim=True)).clamp(min=NEGLIGIBLE)
        moved = torch.bmm(after.transpose(0, 1), self.transition).transpose(0, 1)
        return torch.where(action.sum(-1)[:, None, None] > 0, moved, belief)

    def mean(self, belief: Tensor) -> Tensor:
        """Arm 0's reward probability in the coming trial, as expected; (episode,)."""
        return belief.sum(1) @ self.prob

    def answer(self, belief: Tensor, logits: Tensor) -> Output:
        """Put a policy beside what the belief expects.

        ``record`` holds its means, both (episode,): ``posterior_prob`` of arm 0's reward
        probability in the coming trial, and ``posterior_volatility`` of nu, in 1/trial.
        """
        mean = self.mean(belief)
        value = (torch.softmax(logits, -1) * torch.stack([mean, 1 - mean], -1)).sum(-1)
        record = {"posterior_prob": mean, "posterior_volatility": belief.sum(2) @ self.volatility}
        return Output(logits, value, {"belief": belief}, record)


class GreedyWalk(Agent):
    """Infer p while it drifts, and take the arm more likely to pay.

    Parameters
    ----------
    volatility : sequence of float
        The values nu may have, equally likely at first; one value if it is held to be known.
    drift, n_bins
        As for `WalkFilter`.
    """

    def __init__(self, volatility: Sequence[float], *, drift: str = "sd", n_bins: int = 50) -> None:
        super().__init__()
        self.filter = WalkFilter(volatility, drift=drift, n_bins=n_bins)

    def begin(self, n_episodes: int) -> State:
        """Belief over (episode, volatility, p)."""
        return {"belief": self.filter.begin(n_episodes)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` as in `WalkFilter.answer`."""
        belief = self.filter.update(state["belief"], action, reward)
        mean = self.filter.mean(belief)
        return self.filter.answer(belief, greedy(torch.stack([mean, 1 - mean], -1)))


class ThompsonWalk(Agent):
    """Infer p while it drifts, and choose each arm as often as it is likely to be the better one.

    Parameters
    ----------
    volatility : sequence of float
        The values nu may have, equally likely at first; one value if it is held to be known.
    drift, n_bins
        As for `WalkFilter`.
    """

    def __init__(self, volatility: Sequence[float], *, drift: str = "sd", n_bins: int = 50) -> None:
        super().__init__()
        self.filter = WalkFilter(volatility, drift=drift, n_bins=n_bins)

    def begin(self, n_episodes: int) -> State:
        """Belief over (episode, volatility, p)."""
        return {"belief": self.filter.begin(n_episodes)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` as in `WalkFilter.answer`."""
        belief = self.filter.update(state["belief"], action, reward)
        better = (belief.sum(1) @ (self.filter.prob > 0.5).to(belief.dtype)).clamp(max=1)
        return self.filter.answer(belief, torch.stack([better, 1 - better], -1).log())


def ideal_observer(
    volatility_ranges: Sequence[tuple[float, float]], *, drift: str = "sd", n_volatilities: int = 20, n_bins: int = 50
) -> GreedyWalk:
    """Return the best any agent can be at the restless bandit: it infers p and its volatility together.

    Parameters
    ----------
    volatility_ranges : sequence of (low, high)
        Disjoint ranges over which nu is uniform in the task it was made for, in 1/trial.
    drift : {"sd", "variance"}
        How nu is read: the SD of a step is nu, or sqrt(nu).
    n_volatilities, n_bins : int
        Size of the grid over nu (midpoints of equal parts of the ranges), and over p on [0, 1].

    Raises
    ------
    InputError
        There is no range, one is empty, or another setting is not allowed.
    """
    if not len(volatility_ranges) or any(high <= low for low, high in volatility_ranges):
        raise InputError(
            f"volatility_ranges is {tuple(volatility_ranges)}; give at least one (low, high) with low < high."
        )
    low, high = np.asarray(volatility_ranges, float).T
    passed = np.concatenate([[0.0], np.cumsum(high - low)])
    place = (np.arange(n_volatilities) + 0.5) / n_volatilities * passed[-1]
    within = np.searchsorted(passed[1:], place)
    return GreedyWalk((low[within] + place - passed[within]).tolist(), drift=drift, n_bins=n_bins)


def midpoints(n_bins: int) -> Tensor:
    """Middles of equal parts of [0, 1], (p,)."""
    return (torch.arange(n_bins, dtype=torch.float64) + 0.5) / n_bins


def reflected_steps(drift_sd: Tensor, n_bins: int) -> Tensor:
    """Transition matrices (volatility, p, next p) of a Gaussian step reflected at 0 and 1, by its images."""
    p = midpoints(n_bins)
    turns = 2 * torch.arange(-8, 9, dtype=torch.float64)[:, None, None]  # covers steps up to 16 wide
    distance = torch.cat([p - p[:, None] + turns, p + p[:, None] + turns])  # (image, p, next p)
    narrow = drift_sd.clamp(min=1e-6)[:, None, None, None]  # stands still
    density = torch.logsumexp(-0.5 * (distance / narrow) ** 2, 1)
    step = torch.softmax(density, -1)
    return torch.where(step > NEGLIGIBLE, step, 0.0)
