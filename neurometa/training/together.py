"""Many LSTM or GRU agents of one shape that play and learn side by side on a CPU, each by itself to the last bit."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurometa.agents import GRU, LSTM, RecurrentAgent, Segment, SeparateActorCritic
from neurometa.errors import InputError
from neurometa.streams import Streams, uniform
from neurometa.tasks import Task
from neurometa.training import kernels
from neurometa.training.config import Training
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.schedules import at

COMPILED = 64  # episodes per network up to which products are called from compiled code; above it torch's are quicker
ROWS_AT_ONCE = 2048  # of the product for the weights' gradient: fewer waste its start, more leave the cache
ALIGNED = 16  # floats in a cache line, at whose borders networks begin: products may round otherwise off them

NO_LUCK, NO_ACTION = np.empty(0, np.float32), np.empty(0, np.int64)

Network = RecurrentAgent | SeparateActorCritic


def fits(config: Training) -> bool:
    """Whether settings are of a network, and a task, that `Together` can play."""
    network = config.network
    plain = isinstance(network, LSTM | GRU) and network.recurrent and network.n_layers == 1 and network.encoder is None
    return plain and "valid" not in config.task.latents


class Together:
    """Networks that play the same task in one batch, and learn from it each for itself.

    The episodes of network 0 come first, as in `Streams`. Nothing that a network does depends on which others there
    are: tasks are played by elementwise arithmetic, and all else is a loop over networks.

    Parameters
    ----------
    agents : sequence of RecurrentAgent or SeparateActorCritic
        Of one kind and shape, recurrent, float32. Their weights are copied, and given back by `unload`.
    n_each : int
        Episodes of each in a batch.
    optimizer : type
        Of the settings of the optimiser that steps the weights: `Adam` or `RMSProp`.
    """

    def __init__(self, agents: Sequence[Network], n_each: int, optimizer: type[Adam | RMSProp]) -> None:
        self.agents, self.n_each = list(agents), n_each
        parts: list[list[RecurrentAgent]] = [[agent for agent in agents if not isinstance(agent, SeparateActorCritic)]]
        apart = [agent for agent in agents if isinstance(agent, SeparateActorCritic)]
        if apart:
            parts = [[agent.critic for agent in apart], [agent.actor for agent in apart]]
        n_moments = 1 if optimizer is RMSProp else 2
        self.parts = [Part(part, n_each, n_moments) for part in parts]  # the actor comes last
        self.optimizer, self.value_unit = optimizer, 1.0 if apart else parts[0][0].value_unit
        n_idle = Streams.rounded(len(agents) * n_each) - len(agents) * n_each
        discounts = [agent.discount for agent in apart] or len(agents) * [0.0]
        self.discount = np.array([x for x in discounts for _ in range(n_each)] + n_idle * [0.0], np.float32)

    def play(self, task: Task, rng: Streams, who: np.ndarray, *, gaps: bool = False) -> "Played":
        """Play a batch with the networks `who`; see `Played`.

        Episodes of other networks, and idle ones, are played without them and mean nothing.
        """
        n_steps, n_episodes = self.parts[0].n_steps, rng.n_episodes
        actions = torch.zeros(n_steps, n_episodes, dtype=torch.int64)
        taken, chosen = actions.numpy(), actions.unbind()
        rewards = np.zeros((n_steps + 1, n_episodes), np.float32)  # of the step before
        for part in self.parts:
            part.begin(who)
        seen = torch.zeros(n_steps, n_episodes, task.n_features)
        lost = torch.zeros(n_steps, n_episodes, task.n_actions) if gaps else None
        with torch.inference_mode():  # quicker than without gradients
            self._play(task, rng, who, taken, chosen, rewards, seen, lost)
        return Played(actions, torch.from_numpy(rewards[1:]), seen, lost)

    def _play(
        self,
        task: Task,
        rng: Streams,
        who: np.ndarray,
        taken: np.ndarray,
        chosen: Sequence[Tensor],
        rewards: np.ndarray,
        seen: Tensor,
        lost: Tensor | None,
    ) -> None:
        """Fill actions `taken`, of which `chosen` are views, `rewards`, each of the step before, and the rest."""
        critic, actor = self.parts[0], self.parts[-1]
        told = np.zeros_like(rewards) if critic is not actor else rewards  # to the actor
        n_episodes, t = rng.n_episodes, 0
        state = task.begin(n_episodes, rng)
        for _ in range(task.n_trials):
            for step in task.steps:
                if task.n_features:
                    seen[t] = task.observe(state, step)
                if lost is not None:
                    lost[t] = task.gaps(state, step)
                shown = seen[t].numpy()
                luck = uniform(rng, n_episodes).numpy()
                if critic is not actor:
                    critic.answer(who, t, shown, taken[t - 1], rewards[t])
                    if t > 0:  # the prediction error of the step before, as `SeparateActorCritic.rpe` has it
                        value = critic.answers[-1]
                        told[t] = rewards[t] + self.discount * value[t] - value[t - 1]
                actor.answer(who, t, shown, taken[t - 1], told[t], luck, taken[t])
                reward, state = task.step(state, chosen[t], step, rng)
                t += 1
                rewards[t] = reward.numpy()

    def answers(self) -> tuple[Tensor, Tensor]:
        """Logits (time, network * episode, option) and values of the batch played, whose gradient `learn` takes."""
        for part in self.parts:
            part.leaf = part.outputs.detach().requires_grad_()
        value = self.parts[0].leaf[-1]
        return self.parts[-1].leaf[:-1].movedim(0, -1), value if self.value_unit == 1 else self.value_unit * value

    def learn(
        self, who: np.ndarray, optimizers: Sequence[Adam | RMSProp], done: np.ndarray, share: np.ndarray
    ) -> np.ndarray:
        """Step the weights of the networks `who` by the gradient that `answers` got; one that is not finite is left.

        Parameters
        ----------
        who : array of int
            Networks.
        optimizers : sequence of Adam or RMSProp
            Settings of each network's optimiser, of the kind that was said.
        done : array (network,), int
            Updates before this one.
        share : array (network,)
            Which fraction of all updates these are.

        Returns
        -------
        array (network,)
            Norm of the gradient before it was cut.
        """
        settings = {
            x.name: np.array([at(getattr(o, x.name), s) for o, s in zip(optimizers, share.tolist(), strict=True)])
            for x in dataclasses.fields(self.optimizer)
        }
        total = np.zeros(len(self.agents), np.float32)
        for part in self.parts:
            part.differentiate(who)
            kernels.squares(who, part.gradient, part.n_trained, total)
        norm = np.sqrt(total)
        who = who[np.isfinite(norm[who])]
        scale = np.minimum(settings["max_grad_norm"] / (norm + np.float32(1e-6)), 1).astype(np.float32)
        size, least = settings["step_size"], settings["epsilon"].astype(np.float32)
        for part in self.parts:
            place = (who, part.parameters, part.gradient, part.n_trained, scale)
            if self.optimizer is RMSProp:
                size, decay = size.astype(np.float32), settings["decay"].astype(np.float32)
                kernels.rmsprop(*place, size, decay, least, *part.moments)
            else:
                biased = 1 - 0.9 ** (done + 1), 1 - 0.999 ** (done + 1)
                step = ((size / biased[0]).astype(np.float32), (1 / np.sqrt(biased[1])).astype(np.float32), least)
                kernels.adam(*place, *step, *part.moments)
        return norm

    def unload(self, n: int) -> tuple[Network, dict[str, Tensor]]:
        """Network `n` with its weights as they are now, and the optimiser's moments."""
        agent = self.agents[n]
        own = [agent.critic, agent.actor] if isinstance(agent, SeparateActorCritic) else [agent]
        for part, network in zip(self.parts, own, strict=True):
            part.put(n, network)
        return agent, self._moments(n)

    def load(self, n: int, moments: dict[str, Tensor], path: Path) -> None:
        """Take up the weights that agent `n` has by now, and the moments of its optimiser, of the checkpoint `path`."""
        own_moments = self._moments(n)
        if {k: x.shape for k, x in moments.items()} != {k: x.shape for k, x in own_moments.items()}:
            raise InputError(
                f"{path} is no checkpoint of this training (its optimiser was another); remove it to start anew."
            )
        agent = self.agents[n]
        own = [agent.critic, agent.actor] if isinstance(agent, SeparateActorCritic) else [agent]
        for part, network in zip(self.parts, own, strict=True):
            part.take(n, network)
        for name, moment in own_moments.items():
            moment.copy_(moments[name])

    def _moments(self, n: int) -> dict[str, Tensor]:
        return {
            f"{i}/{k}": torch.from_numpy(moment[n])
            for i, part in enumerate(self.parts)
            for k, moment in enumerate(part.moments)
        }


class Played(NamedTuple):
    """What networks played side by side, (time, network * episode, ...).

    Attributes
    ----------
    action, reward : Tensor (time, network * episode)
    observation : Tensor (time, network * episode, feature)
    gaps : Tensor (time, network * episode, option) or None
        As of `Task.gaps`, if they were asked for.
    """

    action: Tensor
    reward: Tensor
    observation: Tensor
    gaps: Tensor | None

    def segment(self, logits: Tensor, value: Tensor) -> Segment:
        """Return the whole episodes as a segment, given what was answered, for agents that did not play."""
        none = self.reward[0] * 0
        return Segment(
            **{name: getattr(self, name) for name in ("observation", "action", "reward", "gaps")},
            valid=torch.ones_like(self.action, dtype=torch.bool),
            logits=logits.detach(),
            value=value.detach(),
            record={},
            latents={},
            state={},
            action_before=none[:, None].expand(-1, logits.shape[-1]),
            reward_before=none,
        )


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
        self.units, self.n_rows, self.n_outputs = units, units + first.n_inputs + 2, first.n_actions + 1
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
            kernels.step(who, t, self.n_each, *self.arrays, self.answers, luck, action, given)
            return
        for n in who:
            sizes = (self.units, self.n_outputs - 1, self.n_steps)
            kernels.give(n, t, self.n_each, self.arrays[0], *sizes, *given)
            torch.mm(self.x[n, t], self.weight[n], out=self.gates[n, t])
            kernels.answer(n, t, self.n_each, *self.arrays, self.answers, luck, action)

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
