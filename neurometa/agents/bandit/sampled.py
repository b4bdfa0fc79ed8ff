"""Thompson sampling by draws, for many arms and pulls, where the exact policy of a vote takes too long."""

# ruff: noqa: NPY002 - in compiled code these are numba's own generator, which each episode seeds for itself

import numba
import numpy as np
import torch
from torch import Tensor

from neurometa.agents.bandit.counting import check_arms, counted
from neurometa.agents.base import Agent, Output, State, greedy
from neurometa.errors import InputError


class SampledThompson(Agent):
    """Draw from the posterior so many times, and take the arm that most draws favour; ties at random.

    The choices of `Thompson` (one draw) and `OptimisticThompson`, drawn instead of computed: 20 draws of 50 arms take
    a tenth of a millisecond. They come from ``luck``, a whole number for each episode among its states, so that its
    policy is that of the draws it made. Its value is the reward expected of its choice.

    Parameters
    ----------
    n_arms : int
        Number of arms.
    n_samples : int
        Draws from the posterior, at least 1.

    Raises
    ------
    InputError
        There are fewer than 2 arms, or no draws.
    """

    start: Tensor

    def __init__(self, n_arms: int = 2, *, n_samples: int = 1) -> None:
        super().__init__()
        if n_samples < 1:
            raise InputError(f"n_samples is {n_samples}; it must be at least 1.")
        self.n_samples = n_samples
        self.register_buffer("start", torch.zeros(check_arms(n_arms)), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Wins and losses of each arm, (episode, arm), and ``luck``, which who plays the agent may fill in."""
        none = self.start.expand(n_episodes, -1)
        return {"wins": none, "losses": none, "luck": torch.arange(n_episodes)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        wins, losses = counted(state, action, reward)
        trial = (wins + losses).sum(-1).long()
        seed = (state["luck"] ^ ((trial + 1) * 2654435761)) & (2**31 - 1)
        votes = torch.from_numpy(_votes(wins.numpy(), losses.numpy(), seed.numpy(), self.n_samples))
        logits = greedy(votes)
        value = (torch.softmax(logits, -1) * (wins + 1) / (wins + losses + 2)).sum(-1)
        return Output(logits, value, state | {"wins": wins, "losses": losses}, {})


@numba.njit(error_model="numpy", nogil=True, cache=True)
def _votes(wins, losses, seed, n_samples):
    """How many draws from the posterior favour each arm, (episode, arm)."""
    votes = np.zeros(wins.shape, np.float32)
    for i in range(len(wins)):
        np.random.seed(seed[i])
        for _ in range(n_samples):
            best, most = 0, -1.0
            for arm in range(wins.shape[1]):
                drawn = np.random.beta(wins[i, arm] + 1, losses[i, arm] + 1)
                if drawn > most:
                    best, most = arm, drawn
            votes[i, best] += 1
    return votes
