"""Tasks: distributions of episodes, as frozen settings and a pure step."""

from neurometa.tasks.bandit import DependentBandit, IndependentBandit, InformativeBandit
from neurometa.tasks.base import State, Task
from neurometa.tasks.gymnasium_task import GymnasiumTask, from_gymnasium, to_gymnasium
from neurometa.tasks.recorded import RecordedBandit
from neurometa.tasks.restless import RestlessBandit

__all__ = [
    "DependentBandit",
    "GymnasiumTask",
    "IndependentBandit",
    "InformativeBandit",
    "RecordedBandit",
    "RestlessBandit",
    "State",
    "Task",
    "from_gymnasium",
    "to_gymnasium",
]
