"""Tasks: distributions of episodes, as frozen settings and a pure step."""

from neurometa.tasks.bandit import DependentBandit, IndependentBandit, InformativeBandit, ScarceBandit
from neurometa.tasks.base import State, Task
from neurometa.tasks.fixation import Fixation
from neurometa.tasks.foraging import Foraging
from neurometa.tasks.gridworld import Gridworld
from neurometa.tasks.gymnasium_task import GymnasiumTask, from_gymnasium, to_gymnasium
from neurometa.tasks.half_circle import HalfCircle
from neurometa.tasks.harlow import Harlow
from neurometa.tasks.harlow_pixels import HarlowPixels
from neurometa.tasks.harlow_screen import HarlowScreen
from neurometa.tasks.imaze import IMaze
from neurometa.tasks.maze import Maze
from neurometa.tasks.mdp import TabularMDP
from neurometa.tasks.point_navigation import PointNavigation
from neurometa.tasks.recorded import RecordedBandit
from neurometa.tasks.restless import RestlessBandit
from neurometa.tasks.reversal import Reversal
from neurometa.tasks.risky_safe import RiskySafe
from neurometa.tasks.timed import TimedTask
from neurometa.tasks.two_step import DawTwoStep, TwoStep
from neurometa.tasks.volatility import Volatility

__all__ = [
    "DawTwoStep",
    "DependentBandit",
    "Fixation",
    "Foraging",
    "Gridworld",
    "GymnasiumTask",
    "HalfCircle",
    "Harlow",
    "HarlowPixels",
    "HarlowScreen",
    "IMaze",
    "IndependentBandit",
    "InformativeBandit",
    "Maze",
    "PointNavigation",
    "RecordedBandit",
    "RestlessBandit",
    "Reversal",
    "RiskySafe",
    "ScarceBandit",
    "State",
    "TabularMDP",
    "Task",
    "TimedTask",
    "TwoStep",
    "Volatility",
    "from_gymnasium",
    "to_gymnasium",
]
