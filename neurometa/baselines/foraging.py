"""Baselines of foraging: an observer that looks one trial ahead, and chance."""

from neurometa import agents
from neurometa.baselines.base import baselines
from neurometa.errors import InputError
from neurometa.tasks import Foraging


@baselines.register
def _(task: Foraging) -> dict[str, agents.Agent]:
    if task.fixation:
        raise InputError("There are no baselines for foraging with a fixation; there are with fixation=false.")
    return {
        "Bayes filter, myopic": agents.ForagingObserver(task.test_base_prob_ranges),
        "random": agents.RandomChoice(2),
    }
