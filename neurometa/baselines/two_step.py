"""Baselines of the two-step task: the ideal observer, its softmax, a model-free learner, and chance."""

from neurometa import agents, exact
from neurometa.baselines.base import baselines, exact_regret
from neurometa.tasks import TwoStep


@baselines.register
def _(task: TwoStep) -> dict[str, agents.Agent]:
    world = (task.p_common, task.p_reversal, task.p_reward)
    return {
        "Bayes-optimal": agents.TwoStepObserver(*world),
        "softmax Bayes": agents.TwoStepObserver(*world, inverse_temperature=10.0),
        "model-free": agents.ModelFreeTwoStep(),
        "random": agents.TwoStepObserver(*world, inverse_temperature=0.0),
    }


@exact_regret.register
def _(task: TwoStep) -> dict[str, float]:
    n_trials = task.n_trials
    best = 0.5 + (task.p_common - 0.5) * (2 * task.p_reward - 1)
    lost = {"random": n_trials * (best - 0.5)}
    if 0.5 < task.p_reward < 1 and task.p_reversal <= 0.5:
        ideal = exact.two_step.ideal_reward(n_trials, task.p_common, task.p_reversal, task.p_reward)
        lost["Bayes-optimal"] = n_trials * best - float(ideal.sum())
    return lost
