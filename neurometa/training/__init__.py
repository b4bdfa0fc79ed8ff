"""Training: one file per algorithm, and the pure functions they share."""

from neurometa.training import a2c, imitation, ppo, varibad
from neurometa.training.config import Training, algorithm, build
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.returns import GAE, Disturbance, NStep
from neurometa.training.schedules import Linear

__all__ = [
    "GAE",
    "Adam",
    "Disturbance",
    "Linear",
    "NStep",
    "RMSProp",
    "Training",
    "a2c",
    "algorithm",
    "build",
    "imitation",
    "ppo",
    "varibad",
]
