"""Advantage actor-critic on whole episodes (Mnih et al. 2016; Wang et al. 2016, section 3; 2018, Methods)."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa.agents import Agent
from neurometa.errors import InputError
from neurometa.rollout import check_batch, segments
from neurometa.streams import Rng, Streams
from neurometa.training import curve, kernels, loop, optimizers
from neurometa.training.config import Training, begin, build, check_signal
from neurometa.training.loop import DivergedError
from neurometa.training.losses import Weights, actor_critic, mean
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.returns import GAE, Disturbance, NStep, judged_by
from neurometa.training.schedules import Scheduled, at, check_range
from neurometa.training.together import Together, fits

__all__ = ["Config", "DivergedError", "build", "companies", "company", "loss", "train", "train_together"]

# Of networks trained side by side: more leave the second cache, and with more episodes little is gained by company.
MOST_NETWORKS, MOST_EPISODES = 32, 256
CURVE = ("reward", "policy_loss", "value_loss", "entropy")


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
        check_signal(self)
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
    progress: loop.Progress | None = None,
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
    if device != "cpu" or company(config) is None:
        return _train_plainly(config, run, device, progress)
    tell = (lambda rows: progress(rows[0])) if progress else None
    (trained,) = train_together([config], [run], progress=tell)
    if isinstance(trained, DivergedError):
        raise trained
    return trained


def company(config: Config) -> tuple[object, ...] | None:
    """What networks must have in common to be trained together; None for one that must be trained by itself.

    They may differ in their seed and in all that is a number along a scale: step size, discount and the like.
    """
    if not fits(config):
        return None
    parts = (config.network, config.optimizer, config.returns, config.disturbance)
    shape = [(type(part), *(getattr(part, x.name) for x in _unscaled(part))) for part in parts]
    return config.task, config.n_updates, config.batch_size, *shape, config.disturbance.noise_sd > 0


def _unscaled(part: Any) -> list[dataclasses.Field[Any]]:
    """Fields of settings that are no numbers along a scale."""
    return [x for x in dataclasses.fields(part) if x.type not in (Scheduled, float)]


def companies(configs: Sequence[Training], *, at_least: int = 1) -> list[list[int]]:
    """Sort settings into groups that are best trained together, given by their numbers.

    Parameters
    ----------
    configs : sequence of Training
        Of any shapes and algorithms; those of another algorithm are trained one by one.
    at_least : int
        Groups wanted of each shape, if there are so many settings, e.g. one per core.
    """
    groups: list[list[int]] = []
    shapes = [company(config) if isinstance(config, Config) else None for config in configs]
    for i, shape in enumerate(shapes):
        if shape is None:
            groups.append([i])
        elif shape not in shapes[:i]:
            alike = [k for k, other in enumerate(shapes) if other == shape]
            most = max(1, min(MOST_NETWORKS, MOST_EPISODES // configs[i].batch_size))
            n_groups = min(len(alike), at_least * math.ceil(len(alike) / (at_least * most)))
            groups += [part.tolist() for part in np.array_split(alike, n_groups)]
    return groups


def train_together(
    configs: Sequence[Config],
    runs: Sequence[Path | None],
    *,
    progress: Callable[[dict[int, dict[str, float]]], None] | None = None,
) -> list[Agent | DivergedError]:
    """Train several agents side by side on one core, each to the same bits as if it were alone.

    At small batches this is many times quicker than one after another, because one step of all of them costs hardly
    more than that of one.

    Parameters
    ----------
    configs : sequence of Config
        Of agents that may be trained together: those of which `company` says the same.
    runs : sequence of Path or None
        The folder of each, as for `train`; those that were interrupted go on where they stopped.
    progress : callable, optional
        Called after each update with the new rows of the learning curves, by the number of the agent.

    Returns
    -------
    list of Agent or DivergedError
        The trained agents, and why those that diverged are none.

    Raises
    ------
    InputError
        They cannot be trained together, or a folder cannot be written.
    """
    if not configs or any(company(config) != company(configs[0]) for config in configs) or company(configs[0]) is None:
        raise InputError(
            "These settings are not of one shape, so that they cannot be trained together: they may differ in their "
            "seed and in numbers such as step_size or discount, and must be recurrent."
        )
    first = configs[0]
    what = f"A batch of {first.batch_size} episodes"
    check_batch(what, first.task, first.batch_size * len(configs), lower="batch_size")
    agents: Any = [begin(config) for config in configs]
    together = Together(agents, first.batch_size, type(first.optimizer))
    streams = Streams([torch.Generator().manual_seed(config.seed) for config in configs], first.batch_size)
    update = functools.partial(_update_together, configs, together, streams)
    return loop.train_together(configs, together, streams, update, runs, progress=progress)


def _update_together(
    configs: Sequence[Config], together: Together, streams: Streams, who: np.ndarray, done: np.ndarray
) -> dict[int, dict[str, float]]:
    """Play a batch with the networks `who`, step their weights, and return their rows of the learning curve."""
    first, share = configs[0], done / configs[0].n_updates
    streams.start()
    played = together.play(first.task, streams, who, gaps=first.returns.of != "reward")
    logits, value = together.answers()
    weights = [loss_weights(config, at_) for config, at_ in zip(configs, share.tolist(), strict=True)]
    of = first.returns.of
    reward = judged_by(of, played.action, played.reward, played.gaps)
    gaps = played.gaps if of == "gaps" else None
    loss, terms = actor_critic(
        logits, value, played.action, reward, _side_by_side(weights, streams), streams, gaps=gaps
    )
    loss.backward(torch.full_like(loss, 1 / (first.batch_size * first.n_steps)))  # of the mean
    norm = together.learn(who, [config.optimizer for config in configs], done, share)
    means = np.empty((len(CURVE), len(configs)))
    kernels.means(torch.stack([played.reward, *terms.values()]).numpy(), first.batch_size, means)
    means[0] *= len(first.task.steps)
    return {
        n: dict(zip((*CURVE, "gradient_norm"), [*means[:, n].tolist(), float(norm[n])], strict=True))
        for n in who.tolist()
    }


def _side_by_side(weights: list[Weights], streams: Streams) -> Weights:
    """The weights of all networks, each number as one per episode; idle episodes take those of the last network."""

    def rows(name: str) -> Tensor:
        numbers = torch.tensor([getattr(x, name) for x in weights], dtype=torch.float32)
        each = numbers.repeat_interleave(streams.n_each)
        return torch.cat([each, each[-1:].expand(streams.n_episodes - len(each))])

    alike = {"gae_lambda", "rpe_noise"} if weights[0].gae_lambda is None else {"rpe_noise"}
    if weights[0].rpe_noise > 0:
        alike -= {"rpe_noise"}
    names = {"discount", "value", "entropy", "gae_lambda", "rpe_gain", "rpe_noise"} - alike
    return Weights(**(weights[0]._asdict() | {name: rows(name) for name in names}))


def _train_plainly(config: Config, run: Path | None, device: str, progress: loop.Progress | None) -> Agent:
    """Train one agent by autograd, whatever it is made of and on any device."""
    check_batch(f"A batch of {config.batch_size} episodes", config.task, config.batch_size, lower="batch_size")
    agent = begin(config, device)
    optimizer = config.optimizer.make(agent.parameters())
    update = functools.partial(_update, config, agent, optimizer)
    return loop.train(config, agent, optimizer, update, run, device=device, progress=progress)


def _update(config: Config, agent: Agent, optimizer: Optimizer, rng: torch.Generator, share: float) -> curve.Row:
    """Play a batch, step the weights, and return what there is for the learning curve."""
    of = config.returns.of
    (played,) = segments(config.task_at(share), agent, config.batch_size, rng, log=agent.kept, gaps=of != "reward")
    answered = agent.sequence(played, agent.begin(config.batch_size))
    valid = played.valid if "valid" in config.task.latents else None
    reward = judged_by(of, played.action, played.reward, played.gaps)
    gaps = played.gaps if of == "gaps" else None
    judged = answered.logits, answered.value, played.action, reward
    total, terms = loss(*judged, config, share, rng, valid=valid, gaps=gaps)
    norm = optimizers.step(config.optimizer, optimizer, total, share)
    per_trial = played.reward.mean() * len(config.task.steps)
    numbers = torch.stack([per_trial, *terms.values(), norm]).tolist()  # the one synchronisation of an update
    return dict(zip((*CURVE, "gradient_norm"), numbers, strict=True))


def loss(
    logits: Tensor,
    value: Tensor,
    action: Tensor,
    reward: Tensor,
    config: Config,
    share: float,
    rng: Rng | None = None,
    *,
    valid: Tensor | None = None,
    gaps: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean of `losses.actor_critic` and of its terms when the fraction `share` of the updates is done, without padding.

    Arguments are those of `losses.actor_critic`.
    """
    each, terms = actor_critic(logits, value, action, reward, loss_weights(config, share), rng, valid, gaps)
    return mean(each, valid), {name: mean(x, valid) for name, x in terms.items()}


def loss_weights(config: Config, share: float) -> Weights:
    """What `config` weighs how much when the fraction `share` of the updates is done."""
    returns, disturbance = config.returns, config.disturbance
    return Weights(
        discount=at(returns.discount, share),
        value=at(config.value_weight, share),
        entropy=at(config.entropy_weight, share),
        gae_lambda=at(returns.gae_lambda, share) if isinstance(returns, GAE) else None,
        horizon=returns.horizon if isinstance(returns, NStep) else None,
        rpe_gain=disturbance.gain,
        rpe_delay=disturbance.delay,
        rpe_noise=disturbance.noise_sd,
    )
