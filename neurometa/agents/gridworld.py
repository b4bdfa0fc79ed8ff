"""Agents that keep the exact posterior over the goals of the gridworld: the best one, and one that samples."""

import abc

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State, greedy
from neurometa.exact.gridworld import AFTER, FAR, GOAL_REWARD, HORIZON, N_CELLS, SIZE, STEP_REWARD, sweep


class GridworldObserver(Agent):
    """Keeps the exact posterior over the goals, and goes to the goal by a shortest path once it is known.

    It records ``belief``, the probability of each cell to be the goal before the step. Its value is the reward expected
    of the step that its policy takes.

    Parameters
    ----------
    goals : array of int
        Cells that may be the goal, equally likely.
    """

    records = {"belief": ("cell",)}
    prior: Tensor
    after: Tensor

    def __init__(self, goals=FAR) -> None:
        super().__init__()
        prior = torch.zeros(N_CELLS)
        prior[torch.as_tensor(goals)] = 1 / len(goals)
        self.register_buffer("prior", prior, persistent=False)
        self.register_buffer("after", torch.from_numpy(AFTER), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """The prior over cells, the cell that one is in, and the steps passed."""
        none = torch.zeros(n_episodes, dtype=torch.long, device=self.prior.device)
        return {"belief": self.prior.expand(n_episodes, -1), "position": none, "time": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Learn from the last step, then take the next."""
        moved, belief = action.sum(-1) > 0, state["belief"]
        reached = self.after[state["position"], action.argmax(-1)]
        there = torch.arange(N_CELLS, device=reached.device) == reached[:, None]
        likely = belief * (there == (reward > 0)[:, None])
        belief = torch.where(moved[:, None], likely / likely.sum(-1, keepdim=True).clamp(min=1e-9), belief)
        step = state["time"] % HORIZON
        here = torch.where(step == 0, 0, reached)
        state = state | {"belief": belief, "position": here, "time": state["time"] + 1}
        target, state = self.target(belief, step, state)
        away = (target[:, None] // SIZE - self.after[here] // SIZE).abs()
        away = away + (target[:, None] % SIZE - self.after[here] % SIZE).abs()
        logits = greedy(-away.to(reward.dtype))
        of_goal = belief.gather(1, self.after[here])  # by action
        value = STEP_REWARD + (GOAL_REWARD - STEP_REWARD) * (torch.softmax(logits, -1) * of_goal).sum(-1)
        return Output(logits, value, state, {"belief": belief})

    @abc.abstractmethod
    def target(self, belief: Tensor, step: Tensor, state: State) -> tuple[Tensor, State]:
        """Say which cell to go to at a step (from 0) of the trial, (episode,), and what is kept of that."""


class SweepingGridworld(GridworldObserver):
    """The Bayes-optimal agent: walks past as many goals as can be, so that the second trial costs no more search.

    See `exact.gridworld.sweep`, which says why no agent does better.
    """

    walks: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, second = sweep()
        walks = torch.zeros(2, HORIZON, dtype=torch.long)
        walks[0], walks[1, : len(second)] = torch.tensor(first), torch.tensor(second)
        self.register_buffer("walks", walks, persistent=False)

    def target(self, belief: Tensor, step: Tensor, state: State) -> tuple[Tensor, State]:
        """The next cell of the walk while the goal is unknown."""
        trial = ((state["time"] - 1) // HORIZON).clamp(max=1)
        return torch.where(belief.amax(-1) > 1 - 1e-6, belief.argmax(-1), self.walks[trial, step]), state


class GridworldSampling(GridworldObserver):
    """Posterior sampling (Thompson 1933; Strens 2000): draw a goal at the beginning of a trial, and go there."""

    def begin(self, n_episodes: int) -> State:
        """As of every observer; what is drawn, and the luck to draw it by."""
        state = super().begin(n_episodes)
        return state | {"drawn": state["time"], "noise": self.prior.new_zeros(n_episodes, 1)}

    def target(self, belief: Tensor, step: Tensor, state: State) -> tuple[Tensor, State]:
        """The cell that was drawn, or the goal if it is known."""
        luck = torch.special.ndtr(state["noise"].double())
        reached = belief.double().cumsum(-1)
        drawn = (reached / reached[:, -1:] <= luck).sum(-1)
        drawn = torch.where(step == 0, drawn, state["drawn"])
        target = torch.where(belief.amax(-1) > 1 - 1e-6, belief.argmax(-1), drawn)
        return target, state | {"drawn": drawn}
