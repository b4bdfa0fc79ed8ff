"""Who a trained agent is set beside: learners and ideal observers for each task, at play and exactly."""

from neurometa.baselines import (  # noqa: F401
    bandit,
    fixation,
    foraging,
    gridworld,
    harlow,
    mdp,
    restless,
    reversal,
    risky_safe,
    two_step,
    volatility,
)
from neurometa.baselines.base import baselines, exact_regret, play

__all__ = ["baselines", "exact_regret", "play"]
