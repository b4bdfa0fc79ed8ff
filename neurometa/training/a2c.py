"""Advantage actor-critic on whole episodes (Mnih et al. 2016; Wang et al. 2016, section 3; 2018, Methods)."""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from neurometa.agents import LSTMAgent, SeparateActorCritic
from neurometa.agents.recurrent import INPUTS, check_inputs
from neurometa.errors import InputError, nearest
from neurometa.rollout import unroll
from neurometa.streams import Rng, Streams
from neurometa.tasks import Task
from neurometa.training import curve, kernels
from neurometa.training.checkpoint import CHECKPOINT, load_state, save_state
from neurometa.training.losses import Weights, actor_critic
from neurometa.training.replay import replay
from neurometa.training.schedules import Linear, Scheduled, at
from neurometa.training.together import Network, Together

SECONDS_BETWEEN_CHECKPOINTS = 5.0
SHARE_OF_CHECKPOINTS = 0.05  # of the time; those of many networks take seconds
# Of networks trained side by side: more leave the second cache, and with more episodes little is gained by company.
MOST_NETWORKS, MOST_EPISODES = 32, 256
CURVE = ("reward", "policy_loss", "value_loss", "entropy")


class DivergedError(InputError):
    """The weights went out of bounds; other settings may not."""


@dataclasses.dataclass(frozen=True)
class Config:
    """All that fixes a training run; ``(config, seed)`` gives the same bits on one machine and thread count.

    Parameters
    ----------
    task : Task
        What is learned; tested on ``task.for_test()``.
    n_units : int
        LSTM units.
    inputs : tuple of {"observation", "action", "reward", "time"}
        What the network is given; leave out ``"reward"`` for the ablation.
    learned_start : bool
        Learn the state in which an episode begins.
    n_updates, batch_size : int
        Updates, and fresh episodes in each.
    optimizer : {"adam", "rmsprop"}
        Which optimiser steps the weights.
    optimizer_decay : float
        RMSProp's decay of the squared gradient; Adam keeps .9 and .999.
    optimizer_epsilon : float
        Added to the root of the squared gradient.
    step_size : float or Linear
        Of the optimiser; `learning_rate` always means the behavioural one.
    discount : float or Linear
        Gamma, in [0, 1].
    gae_lambda : float or Linear
        Lambda of the generalised advantage estimate; 1 gives n-step returns.
    horizon : int or None
        Cap on n of the n-step returns (t_max); None for the rest of the episode.
    value_weight, entropy_weight : float or Linear
        Beta_v, on half the squared error of the value; beta_e, on the policy's entropy.
    max_grad_norm : float
        The gradient's norm is cut to this.
    recurrent : bool
        False cuts the state before every step: the feed-forward control.
    separate : bool
        Actor and critic are two LSTMs of `n_units` each, and the actor gets the critic's prediction
        error where it would get the reward (Wang et al. 2018, simulation 6). Its discount is that
        with which training ends.
    rpe_gain, rpe_delay, rpe_noise : float, int, float
        Disturb the prediction errors by which weights are changed (and no others): multiply them by
        the gain, let each teach the step so many steps later, and add normal noise of this SD, in
        units of reward (Wang et al. 2018, predictions). 1, 0 and 0 leave them alone.
    seed : int
        Fixes initial weights, tasks and choices.
    """

    task: Task
    n_units: int = 48
    inputs: tuple[str, ...] = INPUTS
    learned_start: bool = False
    n_updates: int = 1000
    batch_size: int = 256
    optimizer: str = "adam"
    optimizer_decay: float = 0.99
    optimizer_epsilon: float = 1e-8
    step_size: Scheduled = 5e-3
    discount: Scheduled = 0.9
    gae_lambda: Scheduled = 1.0
    horizon: int | None = None
    value_weight: Scheduled = 0.05
    entropy_weight: Scheduled = 0.05
    max_grad_norm: float = 50.0
    recurrent: bool = True
    separate: bool = False
    rpe_gain: float = 1.0
    rpe_delay: int = 0
    rpe_noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_inputs(self.inputs, self.task.n_features)
        if self.optimizer not in ("adam", "rmsprop"):
            hint = nearest(self.optimizer, ["adam", "rmsprop"])
            raise InputError(f"optimizer is {self.optimizer!r}; allowed are 'adam' and 'rmsprop'.{hint}")
        for name in ("n_units", "n_updates", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.horizon is not None and (self.horizon < 1 or self.gae_lambda != 1.0):
            raise InputError(f"horizon is {self.horizon}; it must be at least 1, and gae_lambda 1, or null.")
        for name in ("discount", "gae_lambda", "optimizer_decay"):
            _check_range(name, getattr(self, name), 1)
        for name in ("step_size", "optimizer_epsilon", "value_weight", "entropy_weight"):
            _check_range(name, getattr(self, name))
        if not self.max_grad_norm > 0:
            raise InputError(f"max_grad_norm is {self.max_grad_norm}; it must be above 0.")
        for name in ("rpe_gain", "rpe_noise"):
            _check_range(name, getattr(self, name))
        if not 0 <= self.rpe_delay < self.n_steps:
            raise InputError(
                f"rpe_delay is {self.rpe_delay}; it must be at least 0 and below the episode's {self.n_steps} steps."
            )
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed is {self.seed}; it must be a whole number from 0 to 2**63 - 1.")

    @property
    def n_steps(self) -> int:
        """Steps in an episode."""
        return self.task.n_trials * len(self.task.steps)

    @property
    def budget(self) -> int:
        """Environment steps of the whole training."""
        return self.n_updates * self.batch_size * self.n_steps


def _check_range(name: str, setting: Scheduled, top: float = math.inf) -> None:
    for value in (setting.start, setting.end) if isinstance(setting, Linear) else (setting,):
        if not (0 <= value <= top and math.isfinite(value)):
            raise InputError(
                f"{name} is {value}; it must be at least 0 and {f'at most {top}' if top == 1 else 'finite'}."
            )


def build(config: Config, device: str = "cpu") -> Network:
    """Make the untrained agent that `config` describes."""
    task = config.task
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers go on as if nothing had been drawn
        torch.manual_seed(config.seed)
        make = partial(SeparateActorCritic, discount=at(config.discount, 1.0)) if config.separate else LSTMAgent
        agent = make(
            task.n_features,
            task.n_actions,
            config.n_steps,
            reward_levels=task.reward_levels,
            n_units=config.n_units,
            inputs=config.inputs,
            learned_start=config.learned_start,
            recurrent=config.recurrent,
        )
    return agent.to(device)


def train(
    config: Config,
    run: Path | None = None,
    *,
    device: str = "cpu",
    progress: Callable[[dict[str, float]], None] | None = None,
) -> Network:
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
    LSTMAgent or SeparateActorCritic
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
    if not config.recurrent:
        return None
    free = {"seed"} | {x.name for x in dataclasses.fields(config) if x.type in (Scheduled, float)}
    same = [getattr(config, x.name) for x in dataclasses.fields(config) if x.name not in free]
    return *same, config.gae_lambda == 1, config.rpe_noise > 0


def companies(configs: Sequence[Config], *, at_least: int = 1) -> list[list[int]]:
    """Sort settings into groups that are best trained together, given by their numbers.

    Parameters
    ----------
    configs : sequence of Config
        Of any shapes.
    at_least : int
        Groups wanted of each shape, if there are so many settings, e.g. one per core.
    """
    groups: list[list[int]] = []
    shapes = [company(config) for config in configs]
    for i, shape in enumerate(shapes):
        if shape is None:
            groups.append([i])
        elif shape not in shapes[:i]:
            alike = [k for k, other in enumerate(shapes) if other == shape]
            most = max(1, min(MOST_NETWORKS, MOST_EPISODES // configs[i].batch_size))
            n_groups = min(len(alike), at_least * math.ceil(len(alike) / (at_least * most)))
            groups += [part.tolist() for part in np.array_split(alike, n_groups)]
    return groups


def train_all(
    configs: Sequence[Config],
    runs: Sequence[Path | None],
    *,
    progress: Callable[[dict[int, dict[str, float]]], None] | None = None,
) -> list[Network | DivergedError]:
    """Train agents of one shape by `train_together`, and one that must be trained by itself by `train`."""
    if len(configs) != 1:
        return train_together(configs, runs, progress=progress) if configs else []
    try:
        return [train(configs[0], runs[0], progress=(lambda row: progress({0: row})) if progress else None)]
    except DivergedError as diverged:
        return [diverged]


def train_together(
    configs: Sequence[Config],
    runs: Sequence[Path | None],
    *,
    progress: Callable[[dict[int, dict[str, float]]], None] | None = None,
) -> list[Network | DivergedError]:
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
    list of LSTMAgent, SeparateActorCritic or DivergedError
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
    agents = [build(config) for config in configs]
    together = Together(agents, first.batch_size, first.optimizer)
    streams = Streams([torch.Generator().manual_seed(config.seed) for config in configs], first.batch_size)
    done = np.zeros(len(configs), dtype=int)
    for n, run in enumerate(runs):
        if run is not None and (run / CHECKPOINT).exists():
            moments, done[n] = load_state(run / CHECKPOINT, agents[n], streams.generators[n])
            together.load(n, moments, run / CHECKPOINT)
    failed: dict[int, DivergedError] = {}
    with contextlib.ExitStack() as files:
        board = len(configs) == 1  # streams of many would cost more than their training
        curves = [
            files.enter_context(curve.writer(run, int(d), board=board)) for run, d in zip(runs, done, strict=True)
        ]
        saved, pause = time.monotonic(), SECONDS_BETWEEN_CHECKPOINTS
        while len(who := np.array([n for n in range(len(configs)) if done[n] < first.n_updates and n not in failed])):
            rows = _update_together(configs, together, streams, who, done)
            done[who] += 1
            for n, row in rows.items():
                if math.isfinite(row["gradient_norm"]):
                    curves[n].write(row)
                else:
                    failed[n] = _diverged(int(row["update"]))
            if progress is not None and (told := {n: row for n, row in rows.items() if n not in failed}):
                progress(told)
            if time.monotonic() - saved > pause:
                saved = time.monotonic()
                for n in who:
                    if runs[n] is not None and n not in failed:
                        curves[n].flush()
                        save_state(runs[n] / CHECKPOINT, *together.unload(n), streams.generators[n], int(done[n]))
                took, saved = time.monotonic() - saved, time.monotonic()
                pause = max(SECONDS_BETWEEN_CHECKPOINTS, took / SHARE_OF_CHECKPOINTS)
    return [failed.get(n) or together.unload(n)[0] for n in range(len(configs))]


def _update_together(
    configs: Sequence[Config], together: Together, streams: Streams, who: np.ndarray, done: np.ndarray
) -> dict[int, dict[str, float]]:
    """Play a batch with the networks `who`, step their weights, and return their rows of the learning curve."""
    first, share = configs[0], done / configs[0].n_updates
    streams.start()
    action, reward = together.play(first.task, streams, who)
    logits, value = together.answers()
    weights = [loss_weights(config, at_) for config, at_ in zip(configs, share.tolist(), strict=True)]
    loss, terms = actor_critic(logits, value, action, reward, _side_by_side(weights, streams), streams)
    loss.backward(torch.full_like(loss, 1 / (first.batch_size * first.n_steps)))  # of the mean
    settings = {
        "step_size": np.array([at(config.step_size, s) for config, s in zip(configs, share.tolist(), strict=True)]),
        "max_grad_norm": np.array([config.max_grad_norm for config in configs]),
        "decay": np.array([config.optimizer_decay for config in configs]),
        "epsilon": np.array([config.optimizer_epsilon for config in configs]),
    }
    norm = together.learn(who, settings, done)
    means = np.empty((len(CURVE), len(configs)))
    kernels.means(torch.stack([reward, *terms.values()]).numpy(), first.batch_size, means)
    means[0] *= len(first.task.steps)
    per_update, rows = first.batch_size * first.n_steps, {}
    for n, numbers, size in zip(who.tolist(), means.T[who].tolist(), norm[who].tolist(), strict=True):
        update = int(done[n]) + 1
        numbers = dict(zip(CURVE, numbers, strict=True))
        rows[n] = {"update": update, "steps": update * per_update, **numbers, "gradient_norm": size}
    return rows


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
    return weights[0]._replace(**{name: rows(name) for name in names})


def _train_plainly(
    config: Config, run: Path | None, device: str, progress: Callable[[dict[str, float]], None] | None
) -> Network:
    """Train one agent by autograd, whatever it is made of and on any device."""
    agent = build(config, device)
    optimizer = _optimizer(config, agent)
    rng = torch.Generator(device).manual_seed(config.seed)
    done = 0
    if run is not None and (run / CHECKPOINT).exists():
        moments, done = load_state(run / CHECKPOINT, agent, rng)
        _put_moments(optimizer, moments)
    with curve.writer(run, done) as rows:
        saved = time.monotonic()
        for update in range(done, config.n_updates):
            row = _update(config, agent, optimizer, rng, update)
            rows.write(row)
            if progress is not None:
                progress(row)
            if run is not None and time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                rows.flush()
                save_state(run / CHECKPOINT, agent, _moments(optimizer), rng, update + 1)
                saved = time.monotonic()
    return agent


def _update(config: Config, agent: Network, optimizer: Optimizer, rng: Rng, update: int) -> dict[str, float]:
    """Play a batch, step the weights, and return the row of the learning curve."""
    share = update / config.n_updates
    played = unroll(config.task, agent, config.batch_size, rng)
    logits, value = replay(agent, played)
    action, reward = played["action"].flatten(0, 1), played["reward"].flatten(0, 1)
    total, terms = loss(logits, value, action, reward, config, share, rng)
    for group in optimizer.param_groups:
        group["lr"] = at(config.step_size, share)
    optimizer.zero_grad()
    total.backward()
    norm = nn.utils.clip_grad_norm_(agent.parameters(), config.max_grad_norm)
    optimizer.step()
    per_trial = reward.mean() * len(config.task.steps)
    numbers = torch.stack([per_trial, *terms.values(), norm]).tolist()  # the one synchronisation of an update
    if not math.isfinite(numbers[-1]):
        raise _diverged(update + 1)
    count = {"update": update + 1, "steps": (update + 1) * config.batch_size * config.n_steps}
    return count | dict(zip((*CURVE, "gradient_norm"), numbers, strict=True))


def _diverged(update: int) -> DivergedError:
    return DivergedError(
        f"Training diverged at update {update}: the gradient is not finite. Lower step_size or max_grad_norm."
    )


def loss(
    logits: Tensor,
    value: Tensor,
    action: Tensor,
    reward: Tensor,
    config: Config,
    share: float,
    rng: Rng | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean of `losses.actor_critic` and of its terms when the fraction `share` of the updates is done."""
    each, terms = actor_critic(logits, value, action, reward, loss_weights(config, share), rng)
    return each.mean(), {name: x.mean() for name, x in terms.items()}


def loss_weights(config: Config, share: float) -> Weights:
    """What `config` weighs how much when the fraction `share` of the updates is done."""
    return Weights(
        discount=at(config.discount, share),
        value=at(config.value_weight, share),
        entropy=at(config.entropy_weight, share),
        gae_lambda=None if config.gae_lambda == 1 else at(config.gae_lambda, share),
        horizon=config.horizon,
        rpe_gain=config.rpe_gain,
        rpe_delay=config.rpe_delay,
        rpe_noise=config.rpe_noise,
    )


def _optimizer(config: Config, agent: nn.Module) -> Optimizer:
    weights, step_size = list(agent.parameters()), at(config.step_size, 0.0)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(weights, step_size, alpha=config.optimizer_decay, eps=config.optimizer_epsilon)
    return torch.optim.Adam(weights, step_size, eps=config.optimizer_epsilon)


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    return {f"{i}/{k}": x for i, own in optimizer.state_dict()["state"].items() for k, x in own.items()}


def _put_moments(optimizer: Optimizer, moments: dict[str, Tensor]) -> None:
    whole = optimizer.state_dict()
    for name, x in moments.items():
        i, k = name.split("/")
        whole["state"].setdefault(int(i), {})[k] = x
    optimizer.load_state_dict(whole)
