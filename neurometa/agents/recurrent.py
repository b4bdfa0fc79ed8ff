"""Recurrent actor-critic networks: the meta-RL agents themselves."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from neurometa.agents.base import Agent, Output, Segment, State
from neurometa.agents.encoders import Encoder, Frozen
from neurometa.agents.rectified import RectifiedGRUCell
from neurometa.errors import InputError, nearest

INPUTS = ("observation", "action", "reward", "time")
INITIAL = ("uniform", "normal", "xavier")
CELLS: dict[str, type[nn.LSTMCell | nn.GRUCell]] = {
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
    "rectified-gru": RectifiedGRUCell,
}


class RecurrentAgent(Agent):
    """An encoder, a recurrent core of one or more layers, and a head from which a softmax policy and a value are read.

    The core's equations are those of `nn.LSTM` and `nn.GRU`; an LSTM is the standard one without peepholes (Wang et
    al. 2018, Methods). Its input is what the task shows, encoded where there is an encoder, the previous action
    one-hot, the previous reward, and how much of the episode has passed (Wang et al. 2016, Table 1).

    Parameters
    ----------
    observation_shape : int or tuple of int
        Length of an observation, or its shape.
    n_actions, n_steps : int
        Number of actions, and steps in an episode.
    core : {"lstm", "gru", "rectified-gru"}
        What the layers are made of.
    reward_levels : tuple of float
        The rewards that can occur, if the previous reward is to be given one-hot.
    n_units, n_layers : int
        Units of each layer, and layers, of which each reads the one below it.
    top_units : int, optional
        Units of the last layer, if they are not as many.
    inputs : tuple of {"observation", "action", "reward", "time"}
        What the network is given; leaving out ``"reward"`` is the no-reward ablation.
    learned_start : bool
        Learn the state in which an episode begins (Wang et al. 2018), instead of zero.
    recurrent : bool
        False puts the state back to its start before every step: the feed-forward control.
    encoder : Encoder, optional
        What reads observations; by default the core is given them as they are.
    n_axes : int
        Axes of a continuous action: the head gives the mean of each, and the SD is learned, the same in all states.
    n_readouts : int
        Numbers that the head reads out beside policy and value, which training tells what to be: the record
        ``readout``.
    initial : {"uniform", "normal", "xavier"}
        How the core's weights are drawn: see `initialise`.
    longest_memory : float
        Steps over which the slowest units keep what they hold before training, from 1: see `remember`.
    value_unit : float
        Rewards for which 1 of the head's output stands as a value.
    """

    reward_levels: Tensor

    def __init__(
        self,
        observation_shape: int | tuple[int, ...],
        n_actions: int,
        n_steps: int,
        *,
        core: str = "lstm",
        reward_levels: tuple[float, ...] = (),
        n_units: int = 48,
        n_layers: int = 1,
        top_units: int | None = None,
        inputs: tuple[str, ...] = INPUTS,
        learned_start: bool = False,
        recurrent: bool = True,
        encoder: Encoder | None = None,
        n_axes: int = 0,
        n_readouts: int = 0,
        initial: str = "uniform",
        longest_memory: float = 1.0,
        value_unit: float = 1.0,
    ) -> None:
        super().__init__()
        self.value_unit = value_unit
        shape = (observation_shape,) if isinstance(observation_shape, int) else observation_shape
        n_features = math.prod(shape)
        check_inputs(inputs, n_features)
        self.recurrent, self.kind = recurrent, core
        self.n_actions, self.n_steps, self.inputs = n_actions, n_steps, tuple(inputs)
        self.n_units, self.sizes = n_units, [*[n_units] * (n_layers - 1), top_units or n_units]
        self.encoder = encoder.build(shape) if encoder else None
        self.kept = ("inputs",) if isinstance(encoder, Frozen) else ()
        n_features = encoder.n_features if encoder else n_features
        widths = {
            "observation": n_features,
            "action": n_axes or n_actions,
            "reward": len(reward_levels) or 1,
            "time": 1,
        }
        self.n_inputs = sum(widths[name] for name in self.inputs)
        self.core = CELLS[core](self.n_inputs, self.sizes[0])
        self.above = nn.ModuleList(CELLS[core](n_units, size) for size in self.sizes[1:])
        for cell in (self.core, *self.above):
            initialise(cell, initial)
            remember(cell, longest_memory)
            if isinstance(cell, RectifiedGRUCell):
                cell.normalise()
        self.n_policy, self.n_readouts = n_axes or n_actions, n_readouts
        # rows of policy, value and readouts
        self.head = nn.Linear(self.sizes[-1], self.n_policy + 1 + n_readouts)
        self.log_sd = nn.Parameter(torch.zeros(n_axes)) if n_axes else None
        with torch.no_grad():  # near-uniform choice and values near zero to begin with
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()
        self.carried = ("hidden", "cell") if core == "lstm" else ("hidden",)
        self.start = nn.Parameter(torch.zeros(len(self.carried), sum(self.sizes)), requires_grad=learned_start)
        self.records = dict.fromkeys(self.carried, ("unit",)) | ({"readout": ("readout",)} if n_readouts else {})
        self.register_buffer("reward_levels", torch.tensor(reward_levels), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """State at the start of an episode: of the core (episode, unit), first layer first; and steps passed."""
        start = self.start[:, None].expand(-1, n_episodes, -1)
        return dict(zip(self.carried, start, strict=True)) | {"time": start.new_zeros(n_episodes)}

    def encode(self, observation: Tensor, action: Tensor, reward: Tensor, time: Tensor) -> Tensor:
        """Put the inputs of steps side by side, (..., n_inputs); `time` (...) counts the steps before each."""
        given = {"observation": observation, "action": action, "time": time[..., None] / self.n_steps}
        if self.encoder is not None and "observation" in self.inputs:
            given["observation"] = self.encoder(observation)
        return torch.cat([self._reward(reward, action) if x == "reward" else given[x] for x in self.inputs], -1)

    def _reward(self, reward: Tensor, action: Tensor) -> Tensor:
        if not self.reward_levels.numel():
            return reward[..., None]
        level = (reward[..., None] - self.reward_levels).abs().argmin(-1)
        acted = action.sum(-1, keepdim=True)  # no reward has been seen before the first action
        return one_hot(level, len(self.reward_levels)).to(action.dtype) * acted

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` holds ``hidden`` and, of an LSTM, ``cell``, in the shape of the state."""
        inputs = self.encode(observation, action, reward, state["time"])
        after = self._step(inputs, state if self.recurrent else self.begin(len(reward)))
        out = self.head(self._top(after["hidden"]))
        record = after | ({"inputs": inputs} if self.kept else {}) | self._readout(out)
        return Output(self._policy(out), self._value(out), after | {"time": state["time"] + 1}, record)

    def _policy(self, out: Tensor) -> Tensor:
        """The parameters of the policy that the head has given, (..., option) or (..., 2 * axis)."""
        if self.log_sd is None:
            return out[..., : self.n_policy]
        mean = out[..., : self.n_policy]
        return torch.cat([mean, self.log_sd.expand_as(mean)], -1)

    def _readout(self, out: Tensor) -> dict[str, Tensor]:
        """What is read out beside policy and value, if anything is."""
        return {"readout": out[..., self.n_policy + 1 :]} if self.n_readouts else {}

    def _value(self, out: Tensor) -> Tensor:
        """Value, in units of reward, of what the head gave."""
        value = out[..., self.n_policy]
        return value if self.value_unit == 1 else self.value_unit * value

    def _step(self, inputs: Tensor, state: State) -> State:
        """The core's state after a step."""
        if not self.above:
            return self._of(self.core(inputs, self._into([state[name] for name in self.carried])))
        before, layers = self._by_layer(state), []
        for cell, parts in zip((self.core, *self.above), before, strict=True):
            layers.append(self._of(cell(inputs, self._into(parts))))
            inputs = layers[-1]["hidden"]
        return {name: torch.cat([layer[name] for layer in layers], -1) for name in self.carried}

    def _by_layer(self, state: State) -> list[list[Tensor]]:
        """What is carried, layer by layer."""
        parts = [state[name].split(self.sizes, -1) for name in self.carried]
        return [list(layer) for layer in zip(*parts, strict=True)]

    def _into(self, parts: list[Tensor]) -> tuple[Tensor, ...] | Tensor:
        return tuple(parts) if self.kind == "lstm" else parts[0]

    def _of(self, after: tuple[Tensor, ...] | Tensor) -> State:
        return dict(zip(self.carried, after if isinstance(after, tuple) else (after,), strict=True))

    def _top(self, hidden: Tensor) -> Tensor:
        """The hidden state that the head reads, (..., unit)."""
        return hidden[..., -self.sizes[-1] :]

    def sequence(self, segment: Segment, state: State, log: tuple[str, ...] = ()) -> Output:
        """Answer a segment in one call of torch's own LSTM or GRU; see `Agent.sequence`.

        What is to be recorded beyond the hidden state is not among what torch returns, and takes the loop.
        """
        if set(log) - {"hidden", "readout"}:
            return super().sequence(segment, state, log)
        n_steps, n_episodes = segment.reward.shape
        passed = torch.arange(n_steps, device=segment.reward.device, dtype=segment.reward.dtype)
        time = passed[:, None] + state["time"]
        inputs = segment.record.get("inputs")
        if inputs is None:
            inputs = self.encode(segment.observation, segment.previous_action, segment.previous_reward, time)
        if self.recurrent:
            hidden, after = self._run(inputs, state)
        else:  # every step is the first of its episode
            each = self._step(inputs.flatten(0, 1), self.begin(n_steps * n_episodes))
            steps = {name: x.unflatten(0, (n_steps, n_episodes)) for name, x in each.items()}
            hidden, after = steps["hidden"], {name: x[-1] for name, x in steps.items()}
        out = self.head(self._top(hidden))
        after["time"] = state["time"] + n_steps
        known = {"hidden": hidden} | self._readout(out)
        return Output(self._policy(out), self._value(out), after, {name: known[name] for name in log})

    def _run(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """The hidden state after every step, and the core's state after the last."""
        hidden, last = [], []
        for cell, parts in zip((self.core, *self.above), self._by_layer(state), strict=True):
            if isinstance(cell, RectifiedGRUCell):  # for which torch has no quicker way
                inputs = cell.sequence(inputs, parts[0])
                hidden.append(inputs)
                last.append([inputs[-1]])
                continue
            weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
            how = (weights, True, 1, 0.0, self.training, False, False)
            before = [x[None].contiguous() for x in parts]
            if self.kind == "lstm":
                inputs, *after = torch.lstm(inputs, before, *how)
            else:
                inputs, *after = torch.gru(inputs, before[0], *how)
            hidden.append(inputs)
            last.append([x[0] for x in after])
        joined = [torch.cat(parts, -1) for parts in zip(*last, strict=True)]
        return torch.cat(hidden, -1), dict(zip(self.carried, joined, strict=True))


class LSTMAgent(RecurrentAgent):
    """A `RecurrentAgent` of LSTM units, as it is by default."""


def initialise(cell: nn.LSTMCell | nn.GRUCell, initial: str) -> None:
    """Draw the weights of an untrained layer.

    ``"uniform"`` leaves them as torch draws them, uniform between plus and minus the root of 1 / units. The other two
    have orthogonal weights from the hidden state, gate by gate, and no biases: ``"xavier"`` draws those from the input
    uniform after Glorot & Bengio (2010), gate by gate, as Duan et al. (2016, section 3.1) did; ``"normal"`` from
    N(0, 1), with which a single outcome moves a unit as far as it can go.
    """
    if initial == "uniform":
        return
    n_units = cell.hidden_size
    with torch.no_grad():
        for of_input, of_hidden in zip(cell.weight_ih.split(n_units), cell.weight_hh.split(n_units), strict=True):
            nn.init.orthogonal_(of_hidden)
            nn.init.xavier_uniform_(of_input) if initial == "xavier" else of_input.normal_()
        cell.bias_ih.zero_()
        cell.bias_hh.zero_()


def remember(cell: nn.LSTMCell | nn.GRUCell, longest_memory: float) -> None:
    r"""Draw the biases of the gates that keep an untrained layer's state, so that its units forget at many speeds.

    .. math:: b_\text{keep} = \log u, \quad u \sim U(1, T)

    of a GRU's update gate, and of an LSTM's forget gate, whose input gate gets the opposite (Tallec & Ollivier 2018,
    Can recurrent neural networks warp time?, section 2.2). 1 for T leaves the biases as they are.
    """
    if longest_memory == 1:
        return
    n_units = cell.hidden_size
    with torch.no_grad():
        kept = torch.empty(n_units).uniform_(1, longest_memory).log()
        for bias in (cell.bias_ih, cell.bias_hh):
            bias[n_units : 2 * n_units] = 0  # torch's second gate is the one that keeps
        cell.bias_ih[n_units : 2 * n_units] = kept
        if isinstance(cell, nn.LSTMCell):
            cell.bias_hh[:n_units] = 0
            cell.bias_ih[:n_units] = -kept


def check_inputs(inputs: tuple[str, ...], n_features: int = 1) -> None:
    """Raise unless `inputs` names inputs of the network, each once, and they tell it something."""
    for name in inputs:
        if name not in INPUTS:
            raise InputError(f"inputs holds {name!r}; allowed are {list(INPUTS)}.{nearest(str(name), list(INPUTS))}")
    if len(set(inputs)) < len(inputs):
        raise InputError(f"inputs is {tuple(inputs)}; each input can be named once.")
    if not inputs:
        raise InputError(f"inputs is empty; name at least one of {list(INPUTS)}.")
    if tuple(inputs) == ("observation",) and not n_features:
        raise InputError(f"inputs is {tuple(inputs)}, but the task shows nothing; name another of {list(INPUTS)}.")
