"""Baselines of the restless bandit: those of Wang et al. 2016, Fig 4b, the ideal observer, and chance."""

from neurometa import agents
from neurometa.baselines.base import baselines
from neurometa.models import RescorlaWagner, SingleValue
from neurometa.tasks import RestlessBandit

# Inverse temperature of least regret on the restless bandit's training distribution, of 5 to 60, over 4,000 episodes of
# each of two seeds that are reported nowhere: for a rate of .2 it is 20 (11.40); for .8 the regret is flat from 30 on
# (11.05, and 11.01 at 40), and so it is for a single value from 50 on (9.01).
SEPARATE = {0.2: 20.0, 0.8: 30.0}
SINGLE = {0.2: 50.0}


@baselines.register
def _(task: RestlessBandit) -> dict[str, agents.Agent]:
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
