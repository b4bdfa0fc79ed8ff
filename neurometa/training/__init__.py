"""Training: one file per algorithm, and the pure functions they share."""

from neurometa.training import a2c
from neurometa.training.schedules import Linear

__all__ = ["Linear", "a2c"]
