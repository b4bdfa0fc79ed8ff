"""Baselines where volatility changes: the ideal observer, learners of fixed rates, and chance."""

from neurometa import agents
from neurometa.baselines.base import baselines
from neurometa.tasks import Volatility

FIXED = {0.1: 20.0, 0.3: 10.0}  # inverse temperature by learning rate: about those that fit the ideal observer's blocks


@baselines.register
def _(task: Volatility) -> dict[str, agents.Agent]:
    fixed = {f"R-W {rate}": agents.MagnitudeLearner(rate, slope) for rate, slope in FIXED.items()}
    return {"ideal observer": agents.VolatilityObserver(), **fixed, "random": agents.RandomChoice(2)}
