"""Classical players of Bernoulli bandits, the baselines that a trained network is held against."""

import numpy as np
import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError


def greedy(worth: Tensor) -> Tensor:
    """Logits that take the best option, and each of the best equally often where they tie.

    Parameters
    ----------
    worth : Tensor (..., option)
        What each option is worth; within 1e-6 of the best counts as a tie.

    Returns
    -------
    Tensor (..., option)
        0 for the best, ``-inf`` for the others.
    """
    best = worth >= worth.amax(-1, keepdim=True) - 1e-6
    return torch.where(best, 0.0, -torch.inf)


class RandomChoice(Agent):
    """Choose every arm equally often, and learn nothing: chance level.

    Its value is NaN, for it expects nothing.

    Parameters
    ----------
    n_arms : int
        Number of arms.
    """

    logits: Tensor

    def __init__(self, n_arms: int = 2) -> None:
        super().__init__()
        self.register_buffer("logits", torch.zeros(_checked(n_arms)), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Nothing to carry."""
        return {}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        return Output(self.logits.expand_as(action), torch.full_like(reward, torch.nan), state, {})


class UCB(Agent):
    r"""Take the arm with the highest upper confidence bound, each arm once first.

    .. math:: \bar r_i + \chi \sqrt{\log n / n_i}

    with the mean reward and the number of pulls of arm i, and n the pulls of all arms so
    far. Bonus 1 is Wang et al. 2016, Fig 4b; 1/sqrt(2) is the form of pymaBandits that
    their Fig 2 shows; sqrt(2) is UCB1 (Auer et al. 2002). Its value is the highest mean.

    Parameters
    ----------
    n_arms : int
        Number of arms.
    bonus : float
        Chi, in units of reward, >= 0.

    Raises
    ------
    InputError
        There are fewer than 2 arms, or the bonus is negative.
    """

    start: Tensor

    def __init__(self, n_arms: int = 2, *, bonus: float = 1.0) -> None:
        super().__init__()
        if not bonus >= 0:
            raise InputError(f"bonus is {bonus}; it must be 0 or more.")
        self.bonus = bonus
        self.register_buffer("start", torch.zeros(_checked(n_arms)), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """No pulls and no reward of any arm yet, (episode, arm)."""
        none = self.start.expand(n_episodes, -1)
        return {"pulls": none, "earned": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        pulls, earned = state["pulls"] + action, state["earned"] + action * reward[:, None]
        mean = earned / pulls.clamp(min=1)
        log_n = pulls.sum(-1, keepdim=True).clamp(min=1).log()
        bound = mean + self.bonus * (log_n / pulls.clamp(min=1)).sqrt()
        logits = greedy(torch.where(pulls > 0, bound, torch.inf))
        return Output(logits, mean.amax(-1), {"pulls": pulls, "earned": earned}, {})


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
        self.register_buffer("start", torch.zeros(_checked(n_arms)), persistent=False)
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
        wins = state["wins"] + action * reward[:, None]
        losses = state["losses"] + action * (1 - reward[:, None])
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


class MajorityRule(Agent):
    """The best any agent can do with two arms that pay with p and 1 - p, p fixed but unknown.

    A win of one arm tells as much as a loss of the other, so that it takes the arm with the
    larger sum of its own wins and the other's losses; this is Bayes-optimal for every
    symmetric prior over p. Its value is the reward expected where p is uniform.
    """

    start: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("start", torch.zeros(2), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Outcomes that speak for each arm, (episode, arm)."""
        return {"support": self.start.expand(n_episodes, -1)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        paid = reward[:, None]
        support = state["support"] + action * paid + action.flip(-1) * (1 - paid)
        value = (support.amax(-1) + 1) / (support.sum(-1) + 2)
        return Output(greedy(support), value, {"support": support}, {})


def _quadrature(n_nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on [0, 1], and the matrix that sums mass at the nodes up to each of them."""
    x, weight = np.polynomial.legendre.leggauss(n_nodes)
    legendre = np.polynomial.legendre.legvander(x, n_nodes)  # P_0 ... P_n at the nodes
    rise = legendre[:, 2:] - legendre[:, :-2]  # (2k + 1) times the integral of P_k from -1, k = 1 ... n - 1
    integral = 0.5 * (legendre[:, 1:-1] @ rise.T + (x + 1))
    return (x + 1) / 2, weight / 2, integral


def _checked(n_arms: int) -> int:
    if n_arms < 2:
        raise InputError(f"n_arms is {n_arms}; there is nothing to choose below 2.")
    return n_arms
