"""Baselines of Harlow's task: win-stay, lose-shift on identity, and chance, which keeps to the fixation."""

from neurometa import agents
from neurometa.baselines.base import baselines, exact_regret
from neurometa.tasks import Harlow


@baselines.register
def _(task: Harlow) -> dict[str, agents.Agent]:
    paid = task.fixation_reward
    return {
        "Bayes-optimal": agents.HarlowObserver(fixation_reward=paid),
        "random": agents.HarlowObserver(inverse_temperature=0.0, fixation_reward=paid),
    }


@exact_regret.register
def _(task: Harlow) -> dict[str, float]:
    return {"Bayes-optimal": 1.0, "random": float(task.n_trials)}  # each wrong choice gives up 2
