"""Baselines of a task with a fixation: those of the task, who take the centre at the fixation."""

from neurometa import agents
from neurometa.baselines.base import baselines, exact_regret
from neurometa.tasks import Fixation


@baselines.register
def _(task: Fixation) -> dict[str, agents.Agent]:
    return {name: agents.Fixating(learner) for name, learner in baselines(task.task).items()}


@exact_regret.register
def _(task: Fixation) -> dict[str, float]:
    return exact_regret(task.task)
