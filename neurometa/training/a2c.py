"""Advantage actor-critic on whole episodes (Mnih et al. 2016; Wang et al. 2016, section 3; 2018, Methods)."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa.agents import Agent, LSTMAgent, SeparateActorCritic
from neurometa.errors import InputError
from neurometa.rollout import unroll
from neurometa.training import curve, optimizers
from neurometa.training.checkpoint import CHECKPOINT, load_state, save_state
from neurometa.training.config import Training, build
from neurometa.training.fused import FusedLSTM, FusedSeparate
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.replay import replay
from neurometa.training.returns import GAE, Disturbance, NStep, disturbed
from neurometa.training.schedules import Scheduled, at, check_range

__all__ = ["Config", "DivergedError", "build", "loss", "quick", "train"]

SECONDS_BETWEEN_CHECKPOINTS = 5.0

Player = FusedLSTM | FusedSeparate


class DivergedError(InputError):
    """The weights went out of bounds; other settings may not."""


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """All that fixes a training run; ``(config, seed)`` gives the same bits on one machine and thread count.

    Parameters
    ----------
    task, network, n_updates, batch_size, seed
        As of every algorithm: see `training.config.Training`.
    optimizer : Adam or RMSProp
        Which optimiser steps the weights, and how far.
    returns : NStep or GAE
        From which rewards an action is judged.
    disturbance : Disturbance
        Of the prediction errors by which weights are changed.
    value_weight, entropy_weight : float or Linear
        Beta_v, on half the squared error of the value; beta_e, on the policy's entropy.

    Raises
    ------
    InputError
        A setting is outside its range, or the network does not fit the task.
    """

    optimizer: Adam | RMSProp = Adam()
    returns: NStep | GAE = NStep()
    disturbance: Disturbance = Disturbance()
    value_weight: Scheduled = 0.05
    entropy_weight: Scheduled = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("value_weight", "entropy_weight"):
            check_range(name, getattr(self, name))
        if self.disturbance.delay >= self.n_steps:
            raise InputError(f"delay is {self.disturbance.delay}; it must be below the episode's {self.n_steps} steps.")

    @property
    def last_discount(self) -> float:
        """Gamma with which training ends, in [0, 1]."""
        return at(self.returns.discount, 1.0)


def train(
    config: Config,
    run: Path | None = None,
    *,
    device: str = "cpu",
    progress: Callable[[dict[str, float]], None] | None = None,
) -> Agent:
    """Train an agent, and go on where an interrupted training in the same folder stopped.

    Parameters
    ----------
    config : Config
        All that fixes the result.
    run : Path, optional
        Folder for the checkpoint and the learning curve (`curve.jsonl`); by default nothing is
        written. A checkpoint found there is resumed, and ends in the same bits.
    device : {"cpu", "cuda"}
        Where to train.
    progress : callable, optional
        Called after each update with the row of the learning curve.

    Returns
    -------
    Agent
        The trained agent.

    Raises
    ------
    InputError
        Training diverged, or the folder cannot be written.
    """
    agent = build(config, device)
    optimizer = config.optimizer.make(agent.parameters())
    rng = torch.Generator(device).manual_seed(config.seed)
    player = quick(agent, config.batch_size) if device == "cpu" else None
    done = 0
    if run is not None and (run / CHECKPOINT).exists():
        done = load_state(run / CHECKPOINT, agent, optimizer, rng)
    with curve.writer(run, done) as write:
        saved = time.monotonic()
        for update in range(done, config.n_updates):
            row = _update(config, agent, player, optimizer, rng, update)
            write(row)
            if progress is not None:
                progress(row)
            if run is not None and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                save_state(run / CHECKPOINT, agent, optimizer, rng, update + 1)
                saved = time.monotonic()
    return agent


def quick(agent: Agent, n_episodes: int) -> Player | None:
    """Return the agent's quick path for batches of `n_episodes`, on a CPU; None where it has none."""
    if isinstance(agent, LSTMAgent) and agent.recurrent:
        return FusedLSTM(agent, n_episodes)
    if isinstance(agent, SeparateActorCritic) and agent.actor.recurrent:
        return FusedSeparate(agent, n_episodes)
    return None


def _update(
    config: Config,
    agent: Agent,
    player: Player | None,
    optimizer: Optimizer,
    rng: torch.Generator,
    update: int,
) -> dict[str, float]:
    """Play a batch, step the weights, and return the row of the learning curve."""
    share = update / config.n_updates
    played = unroll(config.task, player or agent, config.batch_size, rng)
    logits, value = player.replay() if player else replay(agent, played)
    action, reward = played["action"].flatten(0, 1), played["reward"].flatten(0, 1)
    total, terms = loss(logits, value, action, reward, config, share, rng)
    norm = optimizers.step(config.optimizer, optimizer, total, share)
    per_trial = reward.mean() * len(config.task.steps)
    numbers = torch.stack([per_trial, *terms.values(), norm]).tolist()  # the one synchronisation of an update
    if not math.isfinite(numbers[-1]):
        raise DivergedError(
            f"Training diverged at update {update + 1}: the gradient is not finite. Lower step_size or max_grad_norm."
        )
    names = ("reward", *terms, "gradient_norm")
    count = {"update": update + 1, "steps": (update + 1) * config.batch_size * config.n_steps}
    return count | dict(zip(names, numbers, strict=True))


def loss(
    logits: Tensor,
    value: Tensor,
    action: Tensor,
    reward: Tensor,
    config: Config,
    share: float,
    rng: torch.Generator | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Policy, value and entropy terms, averaged over episodes and time.

    .. math:: L = -\overline{A \log\pi(a)} + \tfrac{\beta_v}{2}\overline{(R - V)^2} - \beta_e \overline{H(\pi)}

    (Wang et al. 2018, Methods; the papers do not say whether they sum or average.)

    Parameters
    ----------
    logits : Tensor (time, episode, option)
    value, action, reward : Tensor (time, episode)
    config : Config
    share : float
        Fraction of the updates done, which places the schedules.
    rng : torch.Generator, optional
        Of the noise on the prediction errors A; nothing is drawn where `config` asks for none.

    Returns
    -------
    loss : Tensor
        The number to minimise.
    terms : dict of Tensor
        ``policy_loss``, ``value_loss`` and ``entropy`` (nats), without their weights.
    """
    known, disturbance = value.detach(), config.disturbance
    advantage = config.returns.advantage(reward, known, share)
    advantage = disturbed(
        advantage, gain=disturbance.gain, delay=disturbance.delay, noise_sd=disturbance.noise_sd, rng=rng
    )
    log_policy = torch.log_softmax(logits.movedim(-1, 0).contiguous(), 0)  # three times as quick as over the last axis
    policy_loss = -(advantage * log_policy.gather(0, action[None])[0]).mean()
    value_loss = 0.5 * (advantage + known - value).square().mean()
    entropy = -(log_policy.exp() * log_policy).sum(0).mean()
    total = policy_loss + at(config.value_weight, share) * value_loss - at(config.entropy_weight, share) * entropy
    terms = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
    return total, {name: x.detach() for name, x in terms.items()}
