"""The LSTM agent's quick path on a CPU: play once, keep the gates, and run the backward pass by hand."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurometa.agents import Agent, LSTMAgent, Output, SeparateActorCritic, State
from neurometa.training import kernels

ROWS_AT_ONCE = 2048  # of the product for the weights' gradient: fewer waste its start, more leave the cache


class FusedLSTM(Agent):
    """Plays as `agent` does, and gives what it played a gradient without a second forward pass.

    The columns of a step's input are the previous hidden state, what the network is given,
    and a one for the bias, so that a step is one matrix product, and so is its gradient.

    Parameters
    ----------
    agent : LSTMAgent
        Whose weights are used; they are shared, not copied. On a CPU, float32.
    n_episodes : int
        Episodes in a batch; buffers are made once for all batches.
    """

    def __init__(self, agent: LSTMAgent, n_episodes: int) -> None:
        super().__init__()
        self.agent = agent
        units, n_steps = agent.n_units, agent.n_steps
        self.inputs = torch.ones(n_steps + 1, n_episodes, units + agent.n_inputs + 1)
        self.inputs[-1, :, units:-1] = 0  # no input follows the last step
        self.cells = torch.empty(n_steps + 1, n_episodes, units)
        self.squashed = torch.empty(n_steps, n_episodes, units)
        self.outputs = torch.empty(n_steps, n_episodes, agent.n_actions + 1)
        self.gates: list[Any] = [None] * n_steps
        self.times = [torch.full((n_episodes,), float(t)) for t in range(n_steps)]
        # views of every step, made once: at small batches making them would take longer than the arithmetic
        self.input_at, self.given_at = self.inputs.unbind(), self.inputs[:, :, units:-1].unbind()
        self.hidden_at, self.output_at = self.inputs[:, :, :units].unbind(), self.outputs.unbind()
        self.cell_arrays, self.squashed_arrays = list(self.cells.numpy()), list(self.squashed.numpy())
        self.hidden_arrays = [hidden.numpy() for hidden in self.hidden_at]

    def begin(self, n_episodes: int) -> State:
        """Start a batch: lay out the weights as they are now."""
        core, head, units = self.agent.core, self.agent.head, self.agent.n_units
        with torch.no_grad():
            bias = core.bias_ih + core.bias_hh
            self.weight = torch.cat([core.weight_hh, core.weight_ih, bias[:, None]], 1).T.contiguous()
            # the way back: from a step's gates, and from the outputs of the step before, to the hidden state between
            self.back = torch.cat([core.weight_hh, head.weight])
            self.head_weight, self.head_bias = head.weight.T, head.bias
            self.inputs[0, :, :units], self.cells[0] = self.agent.start
        self.now = 0
        return {}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step, as `LSTMAgent.forward` does, and keep what the backward pass needs."""
        t, cells = self.now, self.cell_arrays
        self.given_at[t].copy_(self.agent.encode(observation, action, reward, self.times[t]))
        gates = self.gates[t] = product(self.input_at[t], self.weight).numpy()
        kernels.cell_forward(gates, cells[t], cells[t + 1], self.squashed_arrays[t], self.hidden_arrays[t + 1])
        out = self.output_at[t]
        torch.addmm(self.head_bias, self.hidden_at[t + 1], self.head_weight, out=out)
        self.now = t + 1
        return Output(out[:, :-1], out[:, -1], {}, {})

    def replay(self) -> tuple[Tensor, Tensor]:
        """Return the batch's logits (time, episode, option) and values (time, episode), with a gradient."""
        core, head = self.agent.core, self.agent.head
        weights = (core.weight_ih, core.weight_hh, core.bias_ih, core.bias_hh, head.weight, head.bias, self.agent.start)
        out = _Played.apply(self, *weights)
        return out[..., :-1], out[..., -1]

    def gradient(self, d_out: Tensor) -> tuple[Tensor, ...]:
        """Return the gradient of every weight, in the order `replay` names them.

        Parameters
        ----------
        d_out : Tensor (time, episode, option + 1)
            Gradient of the loss with respect to the outputs.
        """
        units, n_steps, n_gates = self.agent.n_units, len(d_out), 4 * self.agent.n_units
        group = max(1, ROWS_AT_ONCE // d_out.shape[1])
        d_back = d_out.new_zeros(group, d_out.shape[1], len(self.back))  # the gates' columns, then the outputs'
        d_cell, d_hidden = np.zeros_like(self.cell_arrays[0]), torch.empty(0)
        d_weight = d_out.new_zeros(self.inputs.shape[2], len(self.back))
        for t in range(n_steps, -1, -1):
            # hidden state t was read by the gates of step t and by the outputs of step t - 1
            here = d_back[t % group]
            if t < n_steps:
                kept = (self.gates[t], self.cell_arrays[t], self.squashed_arrays[t])
                kernels.cell_backward(d_hidden.numpy(), d_cell, *kept, here.numpy())
            here[:, n_gates:] = d_out[t - 1] if t else 0
            d_hidden = product(here, self.back)
            if t % group == 0:
                some = self.inputs[t : t + group]
                d_weight += product(some.flatten(0, 1).T, d_back[: len(some)].flatten(0, 1))
        d_hh, d_ih, d_bias = d_weight.tensor_split([units, len(d_weight) - 1])
        d_start = torch.stack([d_hidden.sum(0), torch.from_numpy(d_cell).sum(0)])
        d_core_bias, d_head_bias = d_bias[0, :n_gates], d_bias[0, n_gates:]
        d_head = d_hh[:, n_gates:].T
        return d_ih[:, :n_gates].T, d_hh[:, :n_gates].T, d_core_bias, d_core_bias, d_head, d_head_bias, d_start


class FusedSeparate(Agent):
    """The same of actor and critic apart, which share no weight and no gradient.

    Parameters
    ----------
    agent : SeparateActorCritic
        Whose weights are used; they are shared, not copied. On a CPU, float32.
    n_episodes : int
        Episodes in a batch.
    """

    def __init__(self, agent: SeparateActorCritic, n_episodes: int) -> None:
        super().__init__()
        self.agent = agent
        self.actor, self.critic = FusedLSTM(agent.actor, n_episodes), FusedLSTM(agent.critic, n_episodes)

    def begin(self, n_episodes: int) -> State:
        """Start a batch of both, with nothing to have been mistaken about."""
        self.actor.begin(n_episodes)
        self.critic.begin(n_episodes)
        none = self.agent.actor.start.new_zeros(n_episodes)
        return {"value": none, "started": none, "perturbation": none}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step, as `SeparateActorCritic.forward` does, and keep what the backward pass needs."""
        value = self.critic(observation, action, reward, {}).value
        logits = self.actor(observation, action, self.agent.rpe(value, reward, state), {}).logits
        after = {"value": value, "started": torch.ones_like(reward), "perturbation": torch.zeros_like(reward)}
        return Output(logits, value, after, {})

    def replay(self) -> tuple[Tensor, Tensor]:
        """Return the batch's logits (time, episode, option) and values (time, episode), with a gradient."""
        return self.actor.replay()[0], self.critic.replay()[1]


class _Played(torch.autograd.Function):
    """Outputs that were computed while playing, whose backward pass is `FusedLSTM.gradient`."""

    @staticmethod
    def forward(ctx: Any, player: FusedLSTM, *weights: Tensor) -> Tensor:
        ctx.player = player
        return player.outputs.clone()

    @staticmethod
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        return None, *ctx.player.gradient(d_out)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product by oneDNN, which at these sizes is twice as fast as what torch uses by itself."""
    if torch.backends.mkldnn.is_available():
        return torch.ops.mkldnn._linear_pointwise(a, b.T, None, "none", [], "")
    return a @ b
