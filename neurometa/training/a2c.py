"""Advantage actor-critic on whole episodes (Mnih et al. 2016; Wang et al. 2016, section 3; 2018, Methods)."""

import dataclasses
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from neurometa.agents import LSTMAgent, SeparateActorCritic
from neurometa.agents.recurrent import INPUTS, check_inputs
from neurometa.errors import InputError, nearest
from neurometa.rollout import unroll
from neurometa.tasks import Task
from neurometa.training import curve
from neurometa.training.checkpoint import CHECKPOINT, load_state, save_state
from neurometa.training.fused import FusedLSTM, FusedSeparate
from neurometa.training.replay import replay
from neurometa.training.returns import advantages, disturbed, n_step_returns
from neurometa.training.schedules import Linear, Scheduled, at

SECONDS_BETWEEN_CHECKPOINTS = 5.0

Network = LSTMAgent | SeparateActorCritic
Player = FusedLSTM | FusedSeparate


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
                f"rpe_delay is {self.rpe_delay}; it must be at least 0 and below the {self.n_steps} steps of an episode."
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
    agent = build(config, device)
    optimizer = _optimizer(config, agent)
    rng = torch.Generator(device).manual_seed(config.seed)
    player = quick(agent, config.batch_size) if device == "cpu" and config.recurrent else None
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


def quick(agent: Network, n_episodes: int) -> Player:
    """Return the agent's quick path for batches of `n_episodes`, on a CPU."""
    return FusedLSTM(agent, n_episodes) if isinstance(agent, LSTMAgent) else FusedSeparate(agent, n_episodes)


def _update(
    config: Config,
    agent: Network,
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
    for group in optimizer.param_groups:
        group["lr"] = at(config.step_size, share)
    optimizer.zero_grad()
    total.backward()
    norm = nn.utils.clip_grad_norm_(agent.parameters(), config.max_grad_norm)
    optimizer.step()
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
    known, discount = value.detach(), at(config.discount, share)
    if isinstance(config.gae_lambda, Linear) or config.gae_lambda < 1:
        advantage = advantages(reward, known, discount, at(config.gae_lambda, share))
    else:
        advantage = n_step_returns(reward, known, discount, config.horizon) - known
    advantage = disturbed(
        advantage, gain=config.rpe_gain, delay=config.rpe_delay, noise_sd=config.rpe_noise, rng=rng
    )
    log_policy = torch.log_softmax(logits.movedim(-1, 0).contiguous(), 0)  # three times as quick as over the last axis
    policy_loss = -(advantage * log_policy.gather(0, action[None])[0]).mean()
    value_loss = 0.5 * (advantage + known - value).square().mean()
    entropy = -(log_policy.exp() * log_policy).sum(0).mean()
    total = policy_loss + at(config.value_weight, share) * value_loss - at(config.entropy_weight, share) * entropy
    terms = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
    return total, {name: x.detach() for name, x in terms.items()}


def _optimizer(config: Config, agent: nn.Module) -> Optimizer:
    weights, step_size = list(agent.parameters()), at(config.step_size, 0.0)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(weights, step_size, alpha=config.optimizer_decay, eps=config.optimizer_epsilon)
    return torch.optim.Adam(weights, step_size, eps=config.optimizer_epsilon)
