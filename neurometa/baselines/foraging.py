"""Baselines of foraging: an observer that looks one trial ahead, and chance."""

from neurometa import agents
from neurometa.baselines.base import baselines
from neurometa.tasks import Foraging


@baselines.register
def _(task: Foraging) -> dict[str, agents.Agent]:
    return {
        "Bayes filter, myopic": agents.ForagingObserver(task.test_base_prob_ranges),
        "random": agents.RandomChoice(2),
    }
