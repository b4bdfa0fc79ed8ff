"""Thompson sampling by majority vote of several draws, its policy computed rather than drawn."""

import math

import numpy as np
import torch
from torch import Tensor

from neurometa.agents.bandits import Thompson, counted
from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError


class OptimisticThompson(Agent):
    r"""Draw from the posterior N times, and take the arm that most draws favour (Duan et al. 2016, section 3.1).

    Each draw favours arm a with the probability p_a of `Thompson`. Instead of drawing, its
    policy is the very probability that arm a wins the vote, ties being broken at random,

    .. math:: P(a) = \int_0^1 \frac{N!}{N^N e^{-N}} [z^N] \sum_m t_{a,m}(z)
              \prod_{b \ne a} \Bigl(\sum_{c<m} t_{b,c}(z) + u\, t_{b,m}(z)\Bigr)\, du,
              \quad t_{b,c}(z) = e^{-N p_b} (N p_b z)^c / c!

    where m are the votes of the winner and u shares the prize among those who tie; the
    coefficient of z^N is found on the unit circle. Time grows with the number of arms times
    N^2: a trial of 1,000 episodes of 10 arms takes about a second. Its value is the reward
    expected under the policy.

    Parameters
    ----------
    n_arms : int
        Number of arms.
    n_samples : int
        Draws from the posterior, N, 1 to 500; 20 gives the scores of Duan et al., Table 1. 1 is
        Thompson sampling.

    Raises
    ------
    InputError
        There are fewer than 2 arms, or `n_samples` is outside its range.
    """

    def __init__(self, n_arms: int = 2, *, n_samples: int = 20) -> None:
        super().__init__()
        if not 1 <= n_samples <= 500:
            raise InputError(f"n_samples is {n_samples}; it must be 1 to 500.")
        self.n_samples = n_samples
        self.thompson = Thompson(n_arms)

    def begin(self, n_episodes: int) -> State:
        """Wins and losses of each arm, (episode, arm)."""
        return self.thompson.begin(n_episodes)

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        wins, losses = counted(state, action, reward)
        prob = vote(self.thompson.choice_prob(wins, losses), self.n_samples)
        value = (prob * (wins + 1) / (wins + losses + 2)).sum(-1)
        return Output(prob.log(), value, {"wins": wins, "losses": losses}, {})


def vote(prob: Tensor, n_votes: int) -> Tensor:
    """Probability that each option wins a vote, where each of `n_votes` favours it with its `prob`.

    Parameters
    ----------
    prob : Tensor (..., option)
        Probability that a vote goes to each option; the sum is 1.
    n_votes : int
        Number of votes, 1 to 500.

    Returns
    -------
    Tensor (..., option)
        Those who tie for the most votes are equally likely to win. Right to 1e-9.
    """
    n_points = 2 * n_votes + 18  # of the circle: more powers of z than matter, so that none is taken for another
    angle = torch.arange(n_points // 2 + 1, device=prob.device).double() * (2 * math.pi / n_points)
    z = torch.polar(torch.ones_like(angle), angle)[:, None]
    rate = n_votes * prob.double()[..., None, :]  # votes as if each option had a Poisson number, of n_votes in all
    exactly = torch.exp(-rate) * torch.ones_like(z)  # this many votes (..., point, option), by powers of z
    fewer = torch.zeros_like(exactly)
    won = torch.zeros_like(exactly)
    for m in range(1, n_votes + 1):
        fewer, exactly = fewer + exactly, exactly * rate * z / m
        most_tied = min(prob.shape[-1], n_votes // m) - 1
        for u, weight in zip(*_gauss(most_tied // 2 + 1), strict=True):
            won = won + weight * exactly * _others(fewer + u * exactly)
    twice = torch.ones_like(angle)  # the half of the circle that is left out mirrors this one
    twice[1:-1] = 2
    poisson = math.exp(n_votes * math.log(n_votes) - n_votes - math.lgamma(n_votes + 1))  # that n_votes come in all
    mean = (won * z**-n_votes).real * twice[:, None] / n_points / poisson
    won_prob = mean.sum(-2).clamp(min=0)
    return (won_prob / won_prob.sum(-1, keepdim=True)).to(prob.dtype)


def _others(factor: Tensor) -> Tensor:
    """Product over all other options, (..., option), without dividing."""
    one = torch.ones_like(factor[..., :1])
    before = torch.cat([one, factor[..., :-1]], -1).cumprod(-1)
    after = torch.cat([factor[..., 1:], one], -1).flip(-1).cumprod(-1).flip(-1)
    return before * after


def _gauss(n_nodes: int) -> tuple[list[float], list[float]]:
    x, weight = np.polynomial.legendre.leggauss(n_nodes)
    return ((x + 1) / 2).tolist(), (weight / 2).tolist()
