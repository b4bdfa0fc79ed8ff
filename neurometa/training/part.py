"""One LSTM or GRU of each of many networks, with its weights side by side and the gradient by hand."""

import numpy as np
import torch
from torch import Tensor

from neurometa.agents import RecurrentAgent
from neurometa.streams import Streams
from neurometa.training import kernels

COMPILED = 64  # episodes per network up to which products are called from compiled code; above it torch's are quicker
ROWS_AT_ONCE = 2048  # of the product for the weights' gradient: fewer waste its start, more leave the cache
ALIGNED = 16  # floats in a cache line, at whose borders networks begin: products may round otherwise off them

NO_LUCK, NO_ACTION = np.empty(0, np.float32), np.empty(0, np.int64)


class Part:
    """One LSTM or GRU of each network: what it answered in a batch, and the gradient by hand.

    The columns of a step's input are the hidden state before, what the network is given, and two ones for the biases,
    so that a step is one matrix product, and so is the gradient of its weights.

    Parameters
    ----------
    agents : list of RecurrentAgent
        Of one shape.
    n_each : int
        Episodes of each in a batch.
    n_moments : int
        Numbers that the optimiser keeps of each weight.
    """

    def __init__(self, agents: list[RecurrentAgent], n_each: int, n_moments: int) -> None:
        first, n = agents[0], len(agents)
        self.n_each, self.n_steps, units = n_each, first.n_steps, first.n_units
        self.n_actions, self.n_readouts = first.n_actions, first.n_readouts
        self.n_outputs = self.n_actions + 1 + self.n_readouts
        self.units, self.n_rows = units, units + first.n_inputs + 2
        self.n_weights = self.n_rows * 4 * units
        self.n_trained = self.n_weights + self.n_outputs * (units + 1)
        self.has_cell = first.kind == "lstm"
        n_parameters = self.n_trained + first.start.numel()
        self.parameters = np.zeros((n, -(-n_parameters // ALIGNED) * ALIGNED), np.float32)
        self.gradient, *self.moments = (np.zeros_like(self.parameters) for _ in range(1 + n_moments))
        if first.start.requires_grad:
            self.n_trained = n_parameters
        n_played = -(-(self.n_steps + 1) // ALIGNED) * ALIGNED
        self.x = torch.ones(n, n_played, n_each, self.n_rows)
        self.x[:, :, :, units:-2] = 0  # where no action was taken, and after the last step
        with_cell = n_each if self.has_cell else 0
        self.cells = np.empty((n, self.n_steps + 1, with_cell, units), np.float32)
        self.squashed = np.empty((n, self.n_steps, with_cell, units), np.float32)
        self.gates = torch.empty(n, n_played, n_each, 4 * units)
        self.outputs = torch.zeros(self.n_outputs, self.n_steps, Streams.rounded(n * n_each))
        self.leaf, self.answers = self.outputs, self.outputs.numpy()
        at_once = n_played if n_each <= COMPILED else max(1, ROWS_AT_ONCE // n_each)
        self.d_gates = torch.zeros(n if n_each <= COMPILED else 1, at_once, n_each, 4 * units)
        self.d_hidden, self.d_cell = (np.zeros((n_each, units), np.float32) for _ in range(2))
        self.places, self.levels = _places(first), first.reward_levels.numpy()
        self.arrays = (self.x.numpy(), self.cells, self.squashed, self.gates.numpy(), self.parameters)
        weight, d_weight = (torch.from_numpy(x[:, : self.n_weights]) for x in (self.parameters, self.gradient))
        self.weight, self.d_weight = (x.unflatten(1, (self.n_rows, 4 * units)).unbind() for x in (weight, d_weight))
        d_head = torch.from_numpy(self.gradient[:, self.n_weights : self.n_weights + self.n_outputs * units])
        self.d_head = d_head.unflatten(1, (self.n_outputs, units)).unbind()
        first_bias = self.n_weights + self.n_outputs * units
        self.d_bias = torch.from_numpy(self.gradient[:, first_bias : first_bias + self.n_outputs]).unbind()
        for i, agent in enumerate(agents):
            self.take(i, agent)

    def begin(self, who: np.ndarray) -> None:
        """Put the networks `who` into the state in which an episode begins."""
        first = self.n_weights + self.n_outputs * (self.units + 1)
        start = self.parameters[who, None, first : first + 2 * self.units]
        self.arrays[0][who, 0, :, : self.units] = start[..., : self.units]
        if self.has_cell:
            self.cells[who, 0] = start[..., self.units :]

    def answer(
        self,
        who: np.ndarray,
        t: int,
        seen: np.ndarray,
        before: np.ndarray,
        reward: np.ndarray,
        luck: np.ndarray = NO_LUCK,
        action: np.ndarray = NO_ACTION,
    ) -> None:
        """Answer step `t`, and draw actions where there is luck; see `kernels.give` and `kernels.answer`."""
        given = (self.places, self.levels, seen, before, reward)
        if self.n_each <= COMPILED:
            kernels.step(who, t, self.n_each, self.n_actions, *self.arrays, self.answers, luck, action, given)
            return
        for n in who:
            sizes = (self.units, self.n_actions, self.n_steps)
            kernels.give(n, t, self.n_each, self.arrays[0], *sizes, *given)
            torch.mm(self.x[n, t], self.weight[n], out=self.gates[n, t])
            kernels.answer(n, t, self.n_each, self.n_actions, *self.arrays, self.answers, luck, action)

    def differentiate(self, who: np.ndarray) -> None:
        """Fill the gradient of every parameter of the networks `who` from that of their outputs."""
        assert self.leaf.grad is not None
        d_outputs = self.leaf.grad.numpy()
        if self.n_each > COMPILED:
            for n in who:
                self._differentiate(n, d_outputs)
                self._differentiate_head(n)
            return
        d_gates, state = self.d_gates.numpy(), (self.d_hidden, self.d_cell)
        kernels.back(who, self.n_each, *self.arrays, d_outputs, *state, d_gates, self.gradient)
        for n in who:
            x, d = self.x[n, : self.n_steps].flatten(0, 1), self.d_gates[n, : self.n_steps].flatten(0, 1)
            torch.mm(x.T, d, out=self.d_weight[n])
            self._keep_zeros(n)
            self._differentiate_head(n)

    def _differentiate_head(self, n: int) -> None:
        """Fill the gradient of the weights from the hidden state to the outputs."""
        assert self.leaf.grad is not None
        d_outputs = self.leaf.grad[:, :, n * self.n_each : (n + 1) * self.n_each].flatten(1)
        hidden = self.x[n, 1 : self.n_steps + 1].flatten(0, 1)[:, : self.units]
        torch.mm(d_outputs, hidden, out=self.d_head[n])
        torch.sum(d_outputs, 1, out=self.d_bias[n])

    def _differentiate(self, n: int, d_outputs: np.ndarray) -> None:
        """The same of one network with many episodes, a group of steps at a time."""
        group, d_hidden = self.d_gates.shape[1], torch.from_numpy(self.d_hidden)
        recurrent = self.weight[n][: self.units].T
        self.gradient[n] = self.d_hidden[:] = self.d_cell[:] = 0
        for t in range(self.n_steps - 1, -1, -1):
            here = self.d_gates[0, t % group]
            state = (self.d_hidden, self.d_cell, here.numpy())
            kernels.step_back(n, t, self.n_each, *self.arrays, d_outputs, *state)
            torch.mm(here, recurrent, out=d_hidden)
            if t % group == 0:
                x = self.x[n, t : min(t + group, self.n_steps)].flatten(0, 1)
                self.d_weight[n].addmm_(x.T, self.d_gates[0].flatten(0, 1)[: len(x)])
        self._keep_zeros(n)
        sizes = (self.n_outputs, self.n_rows, self.has_cell)
        kernels.start_back(n, *sizes, self.d_hidden, self.d_cell, self.gradient)

    def _keep_zeros(self, n: int) -> None:
        """Take the gradient from weights that a GRU does not have: see `_side_by_side`."""
        if not self.has_cell:
            hidden, given = self.d_weight[n].split([self.units, self.n_rows - self.units])
            hidden[:, : self.units] = given[:-1, 3 * self.units :] = given[-1, : self.units] = 0

    def take(self, n: int, agent: RecurrentAgent) -> None:
        """Copy the weights of an agent to network `n`."""
        core, head = agent.core, agent.head
        rows = [core.weight_hh.T, core.weight_ih.T, core.bias_ih[None], core.bias_hh[None]]
        if not self.has_cell:
            rows = _side_by_side(rows)
        whole = [torch.cat(rows), head.weight, head.bias, agent.start]
        flat = torch.cat([x.detach().flatten() for x in whole])
        self.parameters[n, : len(flat)] = flat.numpy()

    @torch.no_grad()
    def put(self, n: int, agent: RecurrentAgent) -> None:
        """Copy the weights of network `n` to an agent."""
        core, head, row = agent.core, agent.head, torch.from_numpy(self.parameters[n])
        sizes = [self.n_weights, head.weight.numel(), head.bias.numel(), agent.start.numel()]
        weight, *rest = row[: sum(sizes)].split(sizes)
        rows = list(weight.view(self.n_rows, -1).split([self.units, agent.n_inputs, 1, 1]))
        if not self.has_cell:
            rows = _one_by_one(rows)
        core.weight_hh.copy_(rows[0].T)
        core.weight_ih.copy_(rows[1].T)
        core.bias_ih.copy_(rows[2][0])
        core.bias_hh.copy_(rows[3][0])
        for parameter, x in zip((head.weight, head.bias, agent.start), rest, strict=True):
            parameter.copy_(x.view_as(parameter))


def _side_by_side(rows: list[Tensor]) -> list[Tensor]:
    """Weights of a GRU from hidden state and input and their biases, with torch's columns, in those of `cells`.

    The reset gate multiplies what the candidate gets from the hidden state, so that it cannot be added to what it gets
    from the input: each has columns of its own, in which the other's weights are zero.
    """
    found = []
    for of_hidden, x in zip((True, False, False, True), rows, strict=True):
        reset, update, candidate = x.chunk(3, -1)
        none = torch.zeros_like(candidate)
        found.append(torch.cat([none if of_hidden else candidate, reset, update, candidate if of_hidden else none], -1))
    return found


def _one_by_one(rows: list[Tensor]) -> list[Tensor]:
    """The inverse of `_side_by_side`."""
    found = []
    for of_hidden, x in zip((True, False, False, True), rows, strict=True):
        from_input, reset, update, from_hidden = x.chunk(4, -1)
        found.append(torch.cat([reset, update, from_hidden if of_hidden else from_input], -1))
    return found


def _places(agent: RecurrentAgent) -> np.ndarray:
    """Where among the inputs observation, action, reward and time begin; -1 where they are not given."""
    n_levels = len(agent.reward_levels) or 1
    widths = {"action": agent.n_actions, "reward": n_levels, "time": 1}
    widths["observation"] = agent.n_inputs - sum(widths[name] for name in agent.inputs if name in widths)
    places, at = dict.fromkeys(("observation", "action", "reward", "time"), -1), 0
    for name in agent.inputs:
        places[name] = at
        at += widths[name]
    return np.array(list(places.values()))
