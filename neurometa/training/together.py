"""Many LSTM or GRU agents of one shape that play and learn side by side on a CPU, each by itself to the last bit."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neurometa.agents import GRU, LSTM, Agent, RecurrentAgent, Segment, SeparateActorCritic
from neurometa.errors import InputError
from neurometa.rollout import draw
from neurometa.streams import Streams, uniform
from neurometa.tasks import Task
from neurometa.training import kernels
from neurometa.training.config import Training
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.part import Part
from neurometa.training.schedules import at

Network = RecurrentAgent | SeparateActorCritic


def fits(config: Training) -> bool:
    """Whether settings are of a network, and a task, that `Together` can play."""
    network = config.network
    plain = isinstance(network, LSTM | GRU) and network.recurrent and network.n_layers == 1 and network.encoder is None
    return plain and config.curriculum is None and "valid" not in config.task.latents


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

    def play(
        self,
        task: Task,
        rng: Streams,
        who: np.ndarray,
        *,
        gaps: bool = False,
        teacher: Agent | None = None,
        teacher_share: float = 0.0,
    ) -> "Played":
        """Play a batch with the networks `who`; see `Played`.

        Episodes of other networks, and idle ones, are played without them and mean nothing.

        Parameters
        ----------
        task, rng, who
            What is played, from which random numbers, by which networks.
        gaps : bool
            Keep by how much each action is worth less than the best: see `Task.gaps`.
        teacher : Agent, optional
            Who is asked, before every step, what it would do.
        teacher_share : float
            Probability with which that is done.
        """
        shape = self.parts[0].n_steps, rng.n_episodes
        rewards = np.zeros((shape[0] + 1, shape[1]), np.float32)  # of the step before
        lost, taught = (torch.zeros(*shape, task.n_actions) if asked else None for asked in (gaps, teacher))
        action, seen = torch.zeros(shape, dtype=torch.int64), torch.zeros(*shape, task.n_features)
        played = Played(action, torch.from_numpy(rewards[1:]), seen, lost, taught)
        for part in self.parts:
            part.begin(who)
        with torch.inference_mode():  # quicker than without gradients
            self._play(task, rng, who, played, rewards, teacher, teacher_share)
        return played

    def _play(
        self,
        task: Task,
        rng: Streams,
        who: np.ndarray,
        played: "Played",
        rewards: np.ndarray,
        teacher: Agent | None,
        teacher_share: float,
    ) -> None:
        """Fill what is `played`, and `rewards`, each of the step before."""
        taken, chosen, seen = played.action.numpy(), played.action.unbind(), played.observation.unbind()
        critic, actor = self.parts[0], self.parts[-1]
        told = np.zeros_like(rewards) if critic is not actor else rewards  # to the actor
        n_episodes, t = rng.n_episodes, 0
        state = task.begin(n_episodes, rng)
        memory = {} if teacher is None else teacher.begin(n_episodes)
        before, one_hot = torch.zeros(n_episodes, task.n_actions), torch.eye(task.n_actions)
        for _ in range(task.n_trials):
            for step in task.steps:
                if task.n_features:
                    seen[t].copy_(task.observe(state, step))
                if played.gaps is not None:
                    played.gaps[t] = task.gaps(state, step)
                shown, luck = seen[t].numpy(), uniform(rng, n_episodes).numpy()
                if critic is not actor:
                    critic.answer(who, t, shown, taken[t - 1], rewards[t])
                    if t > 0:  # the prediction error of the step before, as `SeparateActorCritic.rpe` has it
                        value = critic.answers[critic.n_actions]
                        told[t] = rewards[t] + self.discount * value[t] - value[t - 1]
                actor.answer(who, t, shown, taken[t - 1], told[t], luck, taken[t])
                if teacher is not None and played.taught is not None:
                    taught, _, memory, _ = teacher(seen[t], before, torch.from_numpy(rewards[t]), memory)
                    played.taught[t] = taught
                    if teacher_share > 0:
                        swap = uniform(rng, n_episodes) < teacher_share
                        chosen[t].copy_(torch.where(swap, draw(taught, rng), chosen[t]))
                    before = one_hot[chosen[t]]
                reward, state = task.step(state, chosen[t], step, rng)
                t += 1
                rewards[t] = reward.numpy()

    def answers(self) -> tuple[Tensor, Tensor]:
        """Logits (time, network * episode, option) and values of the batch played, whose gradient `learn` takes."""
        for part in self.parts:
            part.leaf = part.outputs.detach().requires_grad_()
        n_actions = self.parts[0].n_actions
        logits, value = self.parts[-1].leaf[:n_actions].movedim(0, -1), self.parts[0].leaf[n_actions]
        return logits, value if self.value_unit == 1 else self.value_unit * value

    def readouts(self) -> Tensor:
        """What else was read out of the batch played, (time, network * episode, readout); see `answers`."""
        actor = self.parts[-1]
        return actor.leaf[actor.n_actions + 1 :].movedim(0, -1)

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
    taught : Tensor (time, network * episode, option) or None
        Policy of the teacher before the softmax, if there was one.
    """

    action: Tensor
    reward: Tensor
    observation: Tensor
    gaps: Tensor | None
    taught: Tensor | None

    def segment(self, who: Agent, n_actions: int) -> Segment:
        """Return it as a segment that somebody else can answer from the beginning of an episode."""
        zero = torch.zeros_like(self.reward)
        return Segment(
            observation=self.observation,
            action=self.action,
            reward=self.reward,
            valid=torch.ones_like(zero, dtype=torch.bool),
            logits=zero[..., None],
            value=zero,
            record={},
            latents={},
            state=who.begin(len(zero.T)),
            action_before=zero.new_zeros(len(zero.T), n_actions),
            reward_before=zero[0],
        )
