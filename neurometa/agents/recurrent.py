"""Recurrent actor-critic networks: the meta-RL agents themselves."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError, nearest

INPUTS = ("observation", "action", "reward", "time")


class LSTMAgent(Agent):
    """One LSTM layer from which a softmax policy and a linear value are read.

    The equations are the standard ones without peepholes (Wang et al. 2018, Methods); the
    input is what the task shows, the previous action one-hot, the previous reward, and how
    much of the episode has passed (Wang et al. 2016, Table 1).

    Parameters
    ----------
    n_features, n_actions, n_steps : int
        Length of an observation, number of actions, and steps in an episode.
    reward_levels : tuple of float
        The rewards that can occur, if the previous reward is to be given one-hot.
    n_units : int
        LSTM units.
    inputs : tuple of {"observation", "action", "reward", "time"}
        What the network is given; leaving out ``"reward"`` is the no-reward ablation.
    learned_start : bool
        Learn the state in which an episode begins (Wang et al. 2018), instead of zero.
    recurrent : bool
        False puts the state back to its start before every step: the feed-forward control.
    """

    reward_levels: Tensor

    def __init__(
        self,
        n_features: int,
        n_actions: int,
        n_steps: int,
        *,
        reward_levels: tuple[float, ...] = (),
        n_units: int = 48,
        inputs: tuple[str, ...] = INPUTS,
        learned_start: bool = False,
        recurrent: bool = True,
    ) -> None:
        super().__init__()
        check_inputs(inputs, n_features)
        self.recurrent = recurrent
        self.n_actions, self.n_steps, self.n_units, self.inputs = n_actions, n_steps, n_units, tuple(inputs)
        widths = {"observation": n_features, "action": n_actions, "reward": len(reward_levels) or 1, "time": 1}
        self.n_inputs = sum(widths[name] for name in self.inputs)
        self.core = nn.LSTMCell(self.n_inputs, n_units)
        self.head = nn.Linear(n_units, n_actions + 1)  # the policy's rows, then the value's
        with torch.no_grad():  # near-uniform choice and values near zero to begin with
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()
        self.start = nn.Parameter(torch.zeros(2, n_units), requires_grad=learned_start)
        self.register_buffer("reward_levels", torch.tensor(reward_levels), persistent=False)

    def begin(self, n_episodes: int) -> State:
        """Hidden and cell state at the start of an episode, and the step counter."""
        hidden, cell = self.start[:, None].expand(-1, n_episodes, -1)
        return {"hidden": hidden, "cell": cell, "time": hidden.new_zeros(n_episodes)}

    def encode(self, observation: Tensor, action: Tensor, reward: Tensor, time: Tensor) -> Tensor:
        """Put the inputs of a step side by side, (episode, n_inputs); `time` (episode,) counts the steps before it."""
        given = {"observation": observation, "action": action, "time": time[:, None] / self.n_steps}
        return torch.cat([self._reward(reward, action) if x == "reward" else given[x] for x in self.inputs], -1)

    def _reward(self, reward: Tensor, action: Tensor) -> Tensor:
        if not self.reward_levels.numel():
            return reward[:, None]
        level = (reward[:, None] - self.reward_levels).abs().argmin(-1)
        acted = action.sum(-1, keepdim=True)  # no reward has been seen before the first action
        return one_hot(level, len(self.reward_levels)).to(action.dtype) * acted

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; ``record`` holds ``hidden`` and ``cell``, both (episode, unit)."""
        inputs = self.encode(observation, action, reward, state["time"])
        before = state if self.recurrent else self.begin(len(reward))
        hidden, cell = self.core(inputs, (before["hidden"], before["cell"]))
        out = self.head(hidden)
        state = {"hidden": hidden, "cell": cell, "time": state["time"] + 1}
        return Output(out[:, :-1], out[:, -1], state, {"hidden": hidden, "cell": cell})


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
