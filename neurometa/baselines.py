"""Who a trained agent is set beside: learners and ideal observers for each task."""

from neurometa import agents
from neurometa.errors import InputError
from neurometa.models import RescorlaWagner, SingleValue
from neurometa.tasks import RestlessBandit, Task

# The inverse temperature that gives each learner least regret on 20,000 episodes of the
# restless bandit's test distribution, seed 5 (docs: restless bandit); never tuned on reported episodes.
BEST_TEMPERATURE = {("separate", 0.2): 8.0, ("separate", 0.8): 8.0, ("single", 0.2): 30.0}


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
    middle = [sum(high**2 - low**2 for low, high in task.volatility_ranges) / 2 / _length(task)]
    separate = {
        f"R-W {rate}": RescorlaWagner(rate, temperature)
        for (kind, rate), temperature in BEST_TEMPERATURE.items()
        if kind == "separate"
    }
    single = {
        f"R-W {rate}, one value": SingleValue(rate, temperature)
        for (kind, rate), temperature in BEST_TEMPERATURE.items()
        if kind == "single"
    }
    return {
        "ideal observer": agents.ideal_observer(task.volatility_ranges, drift=task.drift),
        "UCB": agents.UCB(2),
        "Thompson": agents.ThompsonWalk(middle, drift=task.drift),
        **{name: agents.LearningModelAgent(model, 2) for name, model in (separate | single).items()},
        "random": agents.RandomChoice(2),
    }


def _length(task: RestlessBandit) -> float:
    return sum(high - low for low, high in task.volatility_ranges)
