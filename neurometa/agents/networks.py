"""Settings of networks: what an algorithm trains, before it is made for a task."""

import abc
import dataclasses

from neurometa.agents.base import Agent
from neurometa.agents.recurrent import INPUTS, LSTMAgent, check_inputs
from neurometa.agents.separate import SeparateActorCritic
from neurometa.errors import InputError
from neurometa.memory import check_memory


@dataclasses.dataclass(frozen=True)
class Network(abc.ABC):
    """Settings from which an untrained network is made for a task."""

    @abc.abstractmethod
    def build(
        self, n_features: int, n_actions: int, n_steps: int, *, reward_levels: tuple[float, ...] = (), discount: float
    ) -> Agent:
        """Make the untrained agent; its initial weights are drawn from torch's own random numbers.

        Parameters
        ----------
        n_features, n_actions, n_steps, reward_levels
            Of the task: length of an observation, number of actions, steps in an episode, rewards that can occur.
        discount : float
            Gamma with which training ends, for networks that hold a prediction error.
        """

    @abc.abstractmethod
    def check(self, n_features: int) -> None:
        """Raise unless the network fits a task with observations of this length."""


@dataclasses.dataclass(frozen=True)
class LSTM(Network):
    """A recurrent actor-critic network of LSTM units.

    Parameters
    ----------
    n_units : int
        LSTM units.
    inputs : tuple of {"observation", "action", "reward", "time"}
        What the network is given; leave out ``"reward"`` for the ablation.
    learned_start : bool
        Learn the state in which an episode begins.
    recurrent : bool
        False cuts the state before every step: the feed-forward control.
    separate : bool
        Actor and critic are two LSTMs of `n_units` each, and the actor gets the critic's prediction
        error where it would get the reward (Wang et al. 2018, simulation 6). Its discount is that
        with which training ends.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_units: int = 48
    inputs: tuple[str, ...] = INPUTS
    learned_start: bool = False
    recurrent: bool = True
    separate: bool = False

    def __post_init__(self) -> None:
        if self.n_units < 1:
            raise InputError(f"n_units is {self.n_units}; it must be at least 1.")
        check_inputs(self.inputs)

    def check(self, n_features: int) -> None:
        """Raise unless the network is told something by a task with observations of this length."""
        check_inputs(self.inputs, n_features)

    def build(
        self, n_features: int, n_actions: int, n_steps: int, *, reward_levels: tuple[float, ...] = (), discount: float
    ) -> Agent:
        """Make the untrained agent; see `Network.build`."""
        check_memory(f"n_units is {self.n_units}: the network", 16 * self.n_units**2)  # its recurrent weights
        kind = SeparateActorCritic if self.separate else LSTMAgent
        own = {"discount": discount} if self.separate else {}
        return kind(
            n_features,
            n_actions,
            n_steps,
            reward_levels=reward_levels,
            n_units=self.n_units,
            inputs=self.inputs,
            learned_start=self.learned_start,
            recurrent=self.recurrent,
            **own,
        )
