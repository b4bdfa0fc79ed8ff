"""Heuristics for Bernoulli bandits: chance, upper confidence bounds, greed, and the majority of outcomes."""

import torch
from torch import Tensor

from neurometa.agents.bandit.counting import check_arms, counted
from neurometa.agents.base import Agent, Output, State, check_ties, greedy
from neurometa.errors import InputError


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
        self.register_buffer("logits", torch.zeros(check_arms(n_arms)), persistent=False)

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

    With a `prior` no arm need be taken first, and n counts the coming pull too; prior 1 is
    the form of Duan et al. 2016, section 3.1, whose c is sqrt(2) times the bonus.

    Parameters
    ----------
    n_arms : int
        Number of arms.
    bonus : float
        Chi, in units of reward, >= 0.
    prior : float
        Wins that each arm begins with, and as many losses, >= 0.

    Raises
    ------
    InputError
        There are fewer than 2 arms, or the bonus or the prior is negative.
    """

    start: Tensor

    def __init__(self, n_arms: int = 2, *, bonus: float = 1.0, prior: float = 0.0) -> None:
        super().__init__()
        for name, x in (("bonus", bonus), ("prior", prior)):
            if not x >= 0:
                raise InputError(f"{name} is {x}; it must be 0 or more.")
        self.bonus, self.prior = bonus, prior
        self.register_buffer("start", torch.zeros(check_arms(n_arms)), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """No pulls and no reward of any arm yet, (episode, arm)."""
        none = self.start.expand(n_episodes, -1)
        return {"pulls": none, "earned": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        pulls, earned = state["pulls"] + action, state["earned"] + action * reward[:, None]
        known = pulls + 2 * self.prior
        often = torch.where(known > 0, known, 1.0)
        mean = (earned + self.prior) / often
        n = pulls.sum(-1, keepdim=True) + (1 if self.prior else 0)
        bound = mean + self.bonus * (n.clamp(min=1).log() / often).sqrt()
        logits = greedy(torch.where(known > 0, bound, torch.inf))
        return Output(logits, mean.amax(-1), {"pulls": pulls, "earned": earned}, {})


class EpsilonGreedy(Agent):
    """Take the arm of the highest mean under a uniform prior, but choose at random now and then.

    The mean of an arm is (wins + 1) / (pulls + 2). Its value is the reward expected under the policy.

    Parameters
    ----------
    n_arms : int
        Number of arms.
    epsilon : float
        Share of the trials on which it chooses at random, in [0, 1].
    ties : {"random", "first"}
        Which of arms of equal mean it takes: any of them, or the first, as those of Duan et al. 2016, Table 1, do by
        their scores, which are 1 to 3 % below those of ties at random.

    Raises
    ------
    InputError
        There are fewer than 2 arms, or a setting is outside its range.
    """

    start: Tensor

    def __init__(self, n_arms: int = 2, *, epsilon: float = 0.1, ties: str = "random") -> None:
        super().__init__()
        if not 0 <= epsilon <= 1:
            raise InputError(f"epsilon is {epsilon}; it must lie between 0 and 1.")
        self.epsilon, self.ties = epsilon, check_ties(ties)
        self.register_buffer("start", torch.zeros(check_arms(n_arms)), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Wins and losses of each arm, (episode, arm)."""
        none = self.start.expand(n_episodes, -1)
        return {"wins": none, "losses": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        wins, losses = counted(state, action, reward)
        mean = (wins + 1) / (wins + losses + 2)
        best = torch.softmax(greedy(mean, self.ties), -1)
        prob = (1 - self.epsilon) * best + self.epsilon / mean.shape[-1]
        return Output(prob.log(), (prob * mean).sum(-1), {"wins": wins, "losses": losses}, {})


class Greedy(EpsilonGreedy):
    """Take the arm of the highest mean under a uniform prior, and never explore.

    Parameters
    ----------
    n_arms, ties
        As of `EpsilonGreedy`.
    """

    def __init__(self, n_arms: int = 2, *, ties: str = "random") -> None:
        super().__init__(n_arms, epsilon=0.0, ties=ties)


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
