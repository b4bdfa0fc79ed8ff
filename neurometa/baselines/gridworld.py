"""Baselines of the gridworld: the Bayes-optimal agent, posterior sampling, and chance."""

from neurometa import agents
from neurometa.baselines.base import baselines
from neurometa.tasks import Gridworld
from neurometa.tasks.gridworld import GOALS


@baselines.register
def _(task: Gridworld) -> dict[str, agents.Agent]:
    best = {"Bayes-optimal": agents.SweepingGridworld()} if task.goals == "far" else {}
    sampling = agents.GridworldSampling(GOALS[task.goals])
    return best | {"posterior sampling": sampling, "random": agents.RandomChoice(task.n_actions)}
