"""Thompson sampling, by one draw or by majority vote of several, its policy computed rather than drawn."""

import math

import numpy as np
import torch
from torch import Tensor

from neurometa.agents.bandit.counting import check_arms, counted
from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError


class Thompson(Agent):
    r"""Choose each arm as often as it is the best under the posterior (Thompson 1933).

    Arms are independent with a uniform prior, rewards 0 or 1. Instead of drawing from the
    posterior, its policy is the very probability that such a draw favours each arm,

    .. math:: P(a) = \int f_a(p) \prod_{b \ne a} F_b(p)\, dp

    with the Beta density and distribution of each arm: polynomials, which Gauss-Legendre
    quadrature integrates to 1e-6 for 500 pulls of an arm. Its value is the reward expected under the policy.

    Parameters
    ----------
    n_arms : int
        Number of arms.

    Raises
    ------
    InputError
        There are fewer than 2 arms.
    """

    start: Tensor
    log_likelihood: Tensor
    log_prior: Tensor
    integral: Tensor

    def __init__(self, n_arms: int = 2) -> None:
        super().__init__()
        self.register_buffer("start", torch.zeros(check_arms(n_arms)), persistent=False)
        node, weight, integral = _quadrature(128)
        log_likelihood = np.stack([np.log(node), np.log1p(-node)])  # of a win and of a loss
        for name, x in (("log_likelihood", log_likelihood), ("log_prior", np.log(weight)), ("integral", integral)):
            self.register_buffer(name, torch.from_numpy(x), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Wins and losses of each arm, (episode, arm)."""
        none = self.start.expand(n_episodes, -1)
        return {"wins": none, "losses": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        wins, losses = counted(state, action, reward)
        prob = self.choice_prob(wins, losses)
        value = (prob * (wins + 1) / (wins + losses + 2)).sum(-1)
        return Output(prob.log(), value, {"wins": wins, "losses": losses}, {})

    def choice_prob(self, wins: Tensor, losses: Tensor) -> Tensor:
        """Probability that each arm is the best, given its wins and losses, all (..., arm)."""
        counts = torch.stack([wins, losses], -1).to(self.log_prior.dtype)
        mass = torch.softmax(counts @ self.log_likelihood + self.log_prior, -1)  # (..., arm, node)
        log_below = (mass @ self.integral).clamp(min=1e-300).log()
        others_below = (log_below.sum(-2, keepdim=True) - log_below).exp()
        prob = (mass * others_below).sum(-1).clamp(min=0)
        return (prob / prob.sum(-1, keepdim=True)).to(wins.dtype)


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


def _quadrature(n_nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [0, 1], and the matrix that sums mass at the nodes up to each of them."""
    x, weight = np.polynomial.legendre.leggauss(n_nodes)
    legendre = np.polynomial.legendre.legvander(x, n_nodes)  # P_0 ... P_n at the nodes
    rise = legendre[:, 2:] - legendre[:, :-2]  # (2k + 1) times the integral of P_k from -1, k = 1 ... n - 1
    integral = 0.5 * (legendre[:, 1:-1] @ rise.T + (x + 1))
    return (x + 1) / 2, weight / 2, integral
