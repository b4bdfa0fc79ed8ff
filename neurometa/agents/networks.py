"""Settings of networks: what an algorithm trains, before it is made for a task."""

import abc
import dataclasses
import math

from neurometa.agents.base import Agent
from neurometa.agents.belief import BeliefAgent
from neurometa.agents.encoders import Conv, Frozen
from neurometa.agents.recurrent import INITIAL, INPUTS, LSTMAgent, RecurrentAgent, check_inputs
from neurometa.agents.separate import SeparateActorCritic
from neurometa.errors import InputError, nearest
from neurometa.memory import check_memory

ENCODERS = ("gru", "product")


@dataclasses.dataclass(frozen=True)
class Network(abc.ABC):
    """Settings from which an untrained network is made for a task."""

    @property
    def continuous(self) -> bool:
        """Whether it can answer with a continuous action, of which `build` is told ``n_axes``; by default not."""
        return False

    @abc.abstractmethod
    def check(self, observation_shape: tuple[int, ...]) -> None:
        """Raise unless the network fits a task with observations of this shape."""

    @abc.abstractmethod
    def build(
        self,
        observation_shape: tuple[int, ...],
        n_actions: int,
        n_steps: int,
        *,
        reward_levels: tuple[float, ...] = (),
        discount: float,
    ) -> Agent:
        """Make the untrained agent; its initial weights are drawn from torch's own random numbers.

        Parameters
        ----------
        observation_shape, n_actions, n_steps, reward_levels
            Of the task: shape of an observation, number of actions, steps in an episode, rewards that can occur.
        discount : float
            Gamma with which training ends, for networks that hold a prediction error.
        """


@dataclasses.dataclass(frozen=True)
class Recurrent(Network):
    """What recurrent actor-critic networks have in common.

    Parameters
    ----------
    n_units : int
        Units of each layer.
    inputs : tuple of {"observation", "action", "reward", "time"}
        What the network is given; leave out ``"reward"`` for the ablation.
    learned_start : bool
        Learn the state in which an episode begins.
    recurrent : bool
        False cuts the state before every step: the feed-forward control.
    separate : bool
        Actor and critic are two networks of `n_units` each, and the actor gets the critic's prediction
        error where it would get the reward (Wang et al. 2018, simulation 6). Its discount is that
        with which training ends.
    n_layers : int
        Layers of the core, of which each reads the one below it.
    top_units : int or None
        Units of the last layer, which the head reads; None for `n_units`.
    encoder : Conv or Frozen or None
        What reads observations before the core, for frames; None gives them to the core as they are.
    initial : {"uniform", "normal", "xavier"}
        How the core's weights are drawn: see `recurrent.initialise`.
    longest_memory : float
        Steps over which the slowest units keep what they hold before training, at least 1, which leaves all biases as
        they are drawn: see `recurrent.remember`.
    value_unit : float
        Rewards for which 1 of the head's output stands as a value. Where returns are large, a unit near them spares
        the critic the long way there.

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
    n_layers: int = 1
    top_units: int | None = None
    encoder: Conv | Frozen | None = None
    initial: str = "uniform"
    longest_memory: float = 1.0
    value_unit: float = 1.0

    @property
    @abc.abstractmethod
    def core(self) -> str:
        """What the layers are made of, as `RecurrentAgent` has it."""

    def __post_init__(self) -> None:
        for name in ("n_units", "n_layers", "top_units"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.top_units is not None and self.n_layers == 1:
            raise InputError(f"top_units is {self.top_units} and n_layers 1; give the one layer's size as n_units.")
        if self.initial not in INITIAL:
            hint = nearest(str(self.initial), list(INITIAL))
            raise InputError(f"initial is {self.initial!r}; allowed are {list(INITIAL)}.{hint}")
        if not 1 <= self.longest_memory < math.inf:
            raise InputError(f"longest_memory is {self.longest_memory}; it must be at least 1 and finite.")
        if not 0 < self.value_unit < math.inf:
            raise InputError(f"value_unit is {self.value_unit}; it must be above 0 and finite.")
        if self.separate and self.value_unit != 1:
            raise InputError(
                f"value_unit is {self.value_unit} and separate is true; its prediction errors are in units of reward."
            )
        check_inputs(self.inputs)

    @property
    def continuous(self) -> bool:
        """One network of actor and critic can answer with a continuous action, two that are apart cannot."""
        return not self.separate

    def check(self, observation_shape: tuple[int, ...]) -> None:
        """Raise unless the network can read observations of this shape, and is told something."""
        if self.encoder is not None:
            self.encoder.check(observation_shape)
        elif len(observation_shape) != 1:
            raise InputError(
                f"The task shows observations of shape {observation_shape}, and the network reads vectors; "
                "give it an encoder: encoder=Conv."
            )
        check_inputs(self.inputs, math.prod(observation_shape))

    def build(
        self,
        observation_shape: tuple[int, ...],
        n_actions: int,
        n_steps: int,
        *,
        reward_levels: tuple[float, ...] = (),
        discount: float,
        n_axes: int = 0,
        n_readouts: int = 0,
    ) -> Agent:
        """Make the untrained agent; see `Network.build`.

        It gives the means of `n_axes` axes, if there are any, and `n_readouts` numbers beside policy and value.
        """
        check_memory(f"n_units is {self.n_units}: the network", 4 * self.n_weights(observation_shape, n_actions))
        kind: type[Agent] = LSTMAgent if self.core == "lstm" else RecurrentAgent
        own: dict[str, float] = {}
        if self.separate:
            kind, own = SeparateActorCritic, {"discount": discount}
        else:
            own = {"value_unit": self.value_unit, "n_axes": n_axes, "n_readouts": n_readouts}
        return kind(
            observation_shape,
            n_actions,
            n_steps,
            core=self.core,
            reward_levels=reward_levels,
            n_units=self.n_units,
            n_layers=self.n_layers,
            top_units=self.top_units,
            inputs=self.inputs,
            learned_start=self.learned_start,
            recurrent=self.recurrent,
            encoder=self.encoder,
            initial=self.initial,
            longest_memory=self.longest_memory,
            **own,
        )

    def n_weights(self, observation_shape: tuple[int, ...], n_actions: int) -> int:
        """How many numbers the core holds at least."""
        gates = 4 if self.core == "lstm" else 3
        shown = self.encoder.n_features if self.encoder else math.prod(observation_shape)
        shown *= "observation" in self.inputs
        layer = gates * self.n_units * self.n_units * self.n_layers + gates * self.n_units * (shown + n_actions)
        return layer * (2 if self.separate else 1)


@dataclasses.dataclass(frozen=True)
class LSTM(Recurrent):
    """A recurrent actor-critic network of LSTM units; settings as of `Recurrent`."""

    @property
    def core(self) -> str:
        """Long short-term memory."""
        return "lstm"


@dataclasses.dataclass(frozen=True)
class GRU(Recurrent):
    """A recurrent actor-critic network of gated recurrent units (Cho et al. 2014); settings as of `Recurrent`."""

    @property
    def core(self) -> str:
        """Gated recurrent units, which have no cell state."""
        return "gru"


@dataclasses.dataclass(frozen=True)
class RectifiedGRU(Recurrent):
    """Gated recurrent units with rectified candidates and normalised weights, as of Duan et al. (2016, section 3.1).

    Settings as of `Recurrent`; equations as of `rectified.RectifiedGRUCell`. It is trained by plain autograd, an order
    of magnitude slower than `GRU`.
    """

    @property
    def core(self) -> str:
        """Gated recurrent units whose candidate is rectified."""
        return "rectified-gru"


@dataclasses.dataclass(frozen=True)
class Belief(Network):
    """A belief over a latent variable, and a policy that reads it; see `BeliefAgent`.

    Parameters
    ----------
    n_latent : int
        Dims of the latent variable.
    encoder : {"gru", "product"}
        The belief hangs on the order of what happened (VariBAD), or does not (PEARL).
    n_units, n_policy_units, n_decoder_units : int
        Units of the encoder, of each of two layers of the policy, and of the decoder.
    n_queries : int or None
        Of how many things the decoder can be asked what they pay; None for as many as there are actions.
    one_rewarded : bool
        One query and no other is ever rewarded, as one cell of a grid is, so that their probabilities sum to 1.
    sample_every : int or None
        The policy reads a draw of the latent, which is kept for so many steps: those of a trial. None for a policy that
        reads the whole belief.
    detached : bool
        The encoder learns from the decoder alone, and not from the policy's loss too.
    initial_sd : float
        SD of each axis of a continuous action before training, in units of the action, above 0.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_latent: int = 5
    encoder: str = "gru"
    n_units: int = 64
    n_policy_units: int = 64
    n_decoder_units: int = 32
    n_queries: int | None = None
    one_rewarded: bool = False
    sample_every: int | None = None
    detached: bool = False
    initial_sd: float = 1.0

    def __post_init__(self) -> None:
        if not (self.initial_sd > 0 and math.isfinite(self.initial_sd)):
            raise InputError(f"initial_sd is {self.initial_sd}; it must be above 0 and finite.")
        sizes = ("n_latent", "n_units", "n_policy_units", "n_decoder_units", "n_queries", "sample_every")
        for name in sizes:
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.encoder not in ENCODERS:
            hint = nearest(str(self.encoder), list(ENCODERS))
            raise InputError(f"encoder is {self.encoder!r}; allowed are {list(ENCODERS)}.{hint}")

    @property
    def continuous(self) -> bool:
        """It can answer with a continuous action."""
        return True

    def check(self, observation_shape: tuple[int, ...]) -> None:
        """Raise unless observations are vectors."""
        if len(observation_shape) != 1:
            raise InputError(
                f"The task shows observations of shape {observation_shape}; agents.Belief reads vectors alone."
            )

    def build(
        self,
        observation_shape: tuple[int, ...],
        n_actions: int,
        n_steps: int,
        *,
        reward_levels: tuple[float, ...] = (),
        discount: float,
        n_axes: int = 0,
    ) -> Agent:
        """Make the untrained agent; see `Network.build`. It gives the means of `n_axes` axes, if there are any."""
        return BeliefAgent(
            math.prod(observation_shape),
            n_actions,
            self.n_queries or n_actions,
            n_axes=n_axes,
            product=self.encoder == "product",
            n_latent=self.n_latent,
            n_units=self.n_units,
            n_policy_units=self.n_policy_units,
            n_decoder_units=self.n_decoder_units,
            one_rewarded=self.one_rewarded,
            sample_every=self.sample_every,
            detached=self.detached,
            initial_sd=self.initial_sd,
        )
