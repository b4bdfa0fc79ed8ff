"""Observers of the informative bandit: one asks the arm that tells, one searches (Wang et al. 2016, Fig 3)."""

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State


class AskThenExploit(Agent):
    """Bayes-optimal in the informative bandit of two trials or more: ask the arm that tells, then take the target.

    Its value is the reward expected of its choice, given the targets still possible.
    """

    start: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("start", torch.ones(10), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """1 for each arm that may be the target, else 0, (episode, 10)."""
        return {"possible": self.start.expand(n_episodes, -1)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        possible = _still_possible(state["possible"], action, reward)
        known = possible.sum(-1, keepdim=True) == 1
        logits = torch.cat([possible * known, (~known).to(possible.dtype)], -1).log()
        tenths = torch.arange(1, 11, device=possible.device) / 10
        told = (possible * tenths).sum(-1) / possible.sum(-1)
        return Output(logits, torch.where(known[:, 0], 5.0, told), {"possible": possible}, {})


class ThompsonTarget(Agent):
    """Thompson sampling in the informative bandit with the true prior: search, and stay with the target once found.

    A draw from the posterior names one target, whose arm then pays most, so that the arm
    that tells is never asked (Wang et al. 2016, experiment 3).
    Its value is the reward expected of its choice.
    """

    start: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("start", torch.ones(10), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """1 for each arm that may be the target, else 0, (episode, 10)."""
        return {"possible": self.start.expand(n_episodes, -1)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        possible = _still_possible(state["possible"], action, reward)
        logits = torch.cat([possible, torch.zeros_like(possible[:, :1])], -1).log()
        return Output(logits, 1 + 4 / possible.sum(-1), {"possible": possible}, {})


def _still_possible(possible: Tensor, action: Tensor, reward: Tensor) -> Tensor:
    """Strike out the targets that the last payment rules out; none after an all-zero row of `action`."""
    searched, asked = action[:, :10], action[:, 10:] > 0
    found = searched.sum(-1, keepdim=True) * reward[:, None] > 1
    told = (reward[:, None] * 10).round() == torch.arange(1, 11, device=reward.device)
    agrees = torch.where(found, searched > 0, searched == 0)
    return possible * torch.where(asked, told, agrees)
