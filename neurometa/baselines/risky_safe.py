"""Baselines of a safe arm against a risky one: the optimum, a learner of values, and chance.

The values of the learner are what Wang et al. 2018 would have to tell from a network's activity (simulation 6).
"""

from neurometa import agents, exact
from neurometa.baselines.base import baselines, exact_regret
from neurometa.tasks import RiskySafe


@baselines.register
def _(task: RiskySafe) -> dict[str, agents.Agent]:
    n_free = task.n_trials - task.n_forced
    learners: dict[str, agents.Agent] = {}
    if n_free and task.n_forced:
        learners["Bayes-optimal"] = agents.RiskySafeObserver(n_free, n_forced=task.n_forced)
    return learners | {
        "Q-learner": agents.RiskyLearner(),
        "random": agents.RiskyLearner(inverse_temperature=0.0),  # does what it is forced to
    }


@exact_regret.register
def _(task: RiskySafe) -> dict[str, float]:
    n_free = task.n_trials - task.n_forced
    worth = [exact.risky_safe.RISKY_REWARD * p for p in exact.risky_safe.RISKY_PROBS]
    best = sum(max(x, exact.risky_safe.SAFE_REWARD) for x in worth) / 2
    by_chance = sum(x + exact.risky_safe.SAFE_REWARD for x in worth) / 4
    lost = {"random": n_free * (best - by_chance)}
    if n_free and task.n_forced:
        lost["Bayes-optimal"] = n_free * best - exact.risky_safe.bayes_optimal(n_free, task.n_forced // 2)[1]
    return lost
