"""Baselines of tabular Markov decision processes: the planners of Duan et al. 2016, Table 2, with two priors.

The task draws mean rewards around 1. The package that the paper took its planners from begins with a mean of 0, and for
greedy and epsilon-greedy with next to no prior: those named so have its settings, and the paper's scores. Its scalings
of BEB and UCRL2 and its epsilon, which it does not state, are those that match its scores best.
"""

from neurometa import agents
from neurometa.baselines.base import baselines
from neurometa.tasks import TabularMDP

ZERO, NONE = agents.MDPPrior(mean=0.0), agents.MDPPrior(mean=0.0, precision=1e-4, concentration=1e-4)
EPSILON, BEB_SCALING, UCRL2_SCALING = 0.1, 1e-3, 0.4  # of the paper, by its scores


@baselines.register
def _(task: TabularMDP) -> dict[str, agents.Agent]:
    size, horizon = (task.n_states, task.n_actions), task.horizon
    return {
        "BEB": agents.BEB(*size, horizon=horizon),
        "greedy": agents.GreedyPlanner(*size, horizon=horizon),
        "greedy, MAP": agents.GreedyPlanner(*size, horizon=horizon, prior=agents.MDPPrior(concentration=0.0)),
        "OPSRL": agents.OPSRL(*size, horizon=horizon),
        "PSRL": agents.PSRL(*size, horizon=horizon),
        "UCRL2": agents.UCRL2(*size, horizon=horizon, scaling=UCRL2_SCALING),
        "BEB, prior mean 0": agents.BEB(*size, horizon=horizon, prior=ZERO, scaling=BEB_SCALING),
        "UCRL2, overwritten": agents.UCRL2(*size, horizon=horizon, scaling=UCRL2_SCALING, overwrite=True),
        "OPSRL, prior mean 0": agents.OPSRL(*size, horizon=horizon, prior=ZERO),
        "PSRL, prior mean 0": agents.PSRL(*size, horizon=horizon, prior=ZERO),
        "epsilon-greedy, no prior": agents.GreedyPlanner(*size, horizon=horizon, prior=NONE, epsilon=EPSILON),
        "greedy, no prior": agents.GreedyPlanner(*size, horizon=horizon, prior=NONE),
        "random": agents.RandomChoice(task.n_actions),
    }
