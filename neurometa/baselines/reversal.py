"""Baselines of the reversal task: the ideal observer, a learner of each cue by itself, and chance."""

from neurometa import agents
from neurometa.baselines.base import baselines, exact_regret
from neurometa.tasks import Reversal


@baselines.register
def _(task: Reversal) -> dict[str, agents.Agent]:
    return {
        "ideal observer": agents.ReversalObserver(
            task.p_reversal, block_length=task.block_length, p_switch=task.p_switch, n_trials=task.n_trials
        ),
        "cue learner": agents.CueLearner(n_trials=task.n_trials),
        "random": agents.RandomChoice(task.n_actions),
    }


@exact_regret.register
def _(task: Reversal) -> dict[str, float]:
    return {"ideal observer": 0.0, "cue learner": 0.0}  # what a cue asks for is known; only its worth is not
