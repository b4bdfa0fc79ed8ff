"""Who a trained agent is set beside: learners and ideal observers for each task."""

from neurometa import agents
from neurometa.errors import InputError
from neurometa.models import RescorlaWagner, SingleValue
from neurometa.tasks import RestlessBandit, Task

# Inverse temperature of least regret on the restless bandit's training distribution: 4,000 episodes of
# each of two seeds that are reported nowhere. Above these the regret is flat.
SEPARATE = {0.2: 20.0, 0.8: 30.0}
SINGLE = {0.2: 50.0}


def baselines(task: Task) -> dict[str, agents.Agent]:
    """Return the baselines of Wang et al. 2016, Fig 4b, the ideal observer, and chance.

    Parameters
    ----------
    task : Task
        The restless bandit that the agent was trained on: its reading of the volatility, and
        its training range as the ideal observer's prior.

    Raises
    ------
    InputError
        The task has no baselines yet.
    """
    if not isinstance(task, RestlessBandit):
        raise InputError(f"There are no baselines for {type(task).__name__} yet; there are for RestlessBandit.")
    length = sum(high - low for low, high in task.volatility_ranges)
    middle = sum(high**2 - low**2 for low, high in task.volatility_ranges) / 2 / length
    separate = {f"R-W {rate}": RescorlaWagner(rate, slope) for rate, slope in SEPARATE.items()}
    single = {f"R-W {rate}, one value": SingleValue(rate, slope) for rate, slope in SINGLE.items()}
    return {
        "ideal observer": agents.ideal_observer(task.volatility_ranges, drift=task.drift),
        "UCB": agents.UCB(2),
        "Thompson": agents.ThompsonWalk([middle], drift=task.drift),
        **{name: agents.LearningModelAgent(model, 2) for name, model in (separate | single).items()},
        "random": agents.RandomChoice(2),
    }
