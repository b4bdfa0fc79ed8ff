"""Baselines of bandits whose arms keep still, and of the arm that tells."""

from collections.abc import Callable

from neurometa import agents, exact
from neurometa.baselines.base import baselines, exact_regret
from neurometa.exact.bandit import DIFFICULTIES
from neurometa.exact.gittins import LONGEST
from neurometa.tasks import DependentBandit, IndependentBandit, InformativeBandit

PYMABANDITS, UCB1, TUNED = 0.5**0.5, 2.0**0.5, 0.5 * 0.5**0.5  # bonus of UCB; the last with a prior
EPSILON = 0.05
DISCOUNT, LONG_DISCOUNT = 0.99, 0.995  # the second beyond LONGEST trials
# Of more than two arms. Duan et al. 2016 tuned theirs by task, and so were these, on 4,000, 2,000 and 400 episodes of
# 10, 100 and 500 trials with 5, 10 and 50 arms, of a seed that is reported nowhere. Of c from .02 to .6, .1 does best
# in 10 trials and .4 in more, but for 5 arms in 500 trials, where .5 earns .05 % more. Of epsilon from .01 to .1, .02
# is within .5 % of the best everywhere.
MANY_C, MANY_C_SHORT, SHORT = 0.4, 0.1, 30
MANY_EPSILON = 0.02
MOST_PLANNED = 100  # trials of two arms that are planned in full: a table of 0.1 GiB


@baselines.register
def _(task: InformativeBandit) -> dict[str, agents.Agent]:
    return {
        "Bayes-optimal" if task.n_trials > 1 else "asking first": agents.AskThenExploit(),
        "Thompson": agents.ThompsonTarget(),
        "UCB": agents.UCB(task.n_actions),
        "random": agents.RandomChoice(task.n_actions),
    }


@exact_regret.register
def _(task: InformativeBandit) -> dict[str, float]:
    n_trials = task.n_trials
    by_chance = n_trials * (5 + 9 + 0.55) / 11
    earned = {"Thompson": exact.bandit.informative_thompson(n_trials), "random": by_chance}
    if n_trials > 1:
        earned["Bayes-optimal"] = exact.bandit.informative_optimal(n_trials)
    if n_trials <= task.n_actions:  # UCB has just tried each arm once by then
        earned["UCB"] = by_chance
    return {name: 5 * n_trials - value for name, value in earned.items()}


@baselines.register
def _(task: IndependentBandit | DependentBandit) -> dict[str, agents.Agent]:
    n_arms, n_trials = task.n_arms, task.n_trials
    learners: dict[str, agents.Agent] = {}
    if n_arms == 2 and isinstance(task, DependentBandit):
        learners["Bayes-optimal"] = agents.MajorityRule()
    elif n_arms == 2 and n_trials <= MOST_PLANNED:
        policy, _ = exact.bandit.bayes_optimal(exact.bandit.independent(), n_trials)
        learners["Bayes-optimal"] = agents.TablePolicy(policy)
    if n_trials <= LONGEST:
        learners["Gittins"] = agents.Gittins(n_arms, n_trials=n_trials)
    for discount in (DISCOUNT,) if n_trials <= LONGEST else (DISCOUNT, LONG_DISCOUNT):
        learners[f"Gittins {discount}"] = agents.Gittins(n_arms, n_trials=n_trials, discount=discount)
    if n_arms > 2:
        best = None if n_trials <= LONGEST else LONG_DISCOUNT
        index = agents.Gittins(n_arms, n_trials=n_trials, discount=best, ties="first")
        learners["Gittins, first of ties"] = index
    return (
        learners
        | (_of_two() if n_arms == 2 else _of_many(n_arms, n_trials))
        | {
            "UCB": agents.UCB(n_arms, bonus=PYMABANDITS),
            "UCB1": agents.UCB(n_arms, bonus=UCB1),
            "random": agents.RandomChoice(n_arms),
        }
    )


def _of_two() -> dict[str, agents.Agent]:
    """Heuristics for two arms, whose regret is known exactly."""
    return {
        "UCB, tuned": agents.UCB(bonus=TUNED, prior=1.0),
        "optimistic Thompson": agents.OptimisticThompson(),
        "greedy": agents.Greedy(),
        "epsilon-greedy": agents.EpsilonGreedy(epsilon=EPSILON),
        "Thompson": agents.Thompson(),
    }


def _of_many(n_arms: int, n_trials: int) -> dict[str, agents.Agent]:
    """The same for more arms, as Duan et al. 2016, Table 1: votes are drawn, and ties go either way."""
    bonus = (MANY_C_SHORT if n_trials <= SHORT else MANY_C) * 0.5**0.5
    return {
        "UCB, tuned": agents.UCB(n_arms, bonus=bonus, prior=1.0),
        "optimistic Thompson": agents.SampledThompson(n_arms, n_samples=20),
        "greedy": agents.Greedy(n_arms),
        "epsilon-greedy": agents.EpsilonGreedy(n_arms, epsilon=MANY_EPSILON),
        "greedy, first of ties": agents.Greedy(n_arms, ties="first"),
        "epsilon-greedy, first of ties": agents.EpsilonGreedy(n_arms, epsilon=MANY_EPSILON, ties="first"),
        "Thompson": agents.SampledThompson(n_arms),
    }


@exact_regret.register
def _(task: IndependentBandit | DependentBandit) -> dict[str, float]:
    if task.n_arms > 2 or task.n_trials > MOST_PLANNED:
        return {}
    known = exact.bandit.independent()
    if isinstance(task, DependentBandit):
        known = exact.bandit.anticorrelated(DIFFICULTIES[task.difficulty])
    lost = {
        name: float(exact.bandit.evaluate(make(), known)[-1]) for name, make in _policies(task.n_trials, known).items()
    }
    return lost | {"random": task.n_trials * (known.best - 0.5)}


def _policies(n_trials: int, known: exact.bandit.Prior) -> dict[str, Callable[[], exact.bandit.Policy]]:
    """The learners of two arms that keep still, as policies, made one by one for they are large."""
    uniform = exact.bandit.independent()
    return {
        "Bayes-optimal": lambda: exact.bandit.bayes_optimal(known, n_trials)[0],
        "Gittins": lambda: exact.bandit.gittins_index(n_trials),
        f"Gittins {DISCOUNT}": lambda: exact.bandit.gittins_index(n_trials, discount=DISCOUNT),
        "UCB, tuned": lambda: exact.bandit.ucb(n_trials, bonus=TUNED, prior=1.0),
        "optimistic Thompson": lambda: exact.bandit.optimistic_thompson(n_trials),
        "greedy": lambda: exact.bandit.greedy(uniform, n_trials),
        "epsilon-greedy": lambda: exact.bandit.lapsing(exact.bandit.greedy(uniform, n_trials), EPSILON),
        "Thompson": lambda: exact.bandit.thompson(n_trials),
        "UCB": lambda: exact.bandit.ucb(n_trials, bonus=PYMABANDITS),
        "UCB1": lambda: exact.bandit.ucb(n_trials, bonus=UCB1),
    }
