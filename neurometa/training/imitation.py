r"""Imitation of a teacher that plays the same task: a planner, an index, an ideal observer.

The agent is trained to answer with the teacher's policy on the histories that are played,

.. math:: L = \beta_\pi \mathrm{KL}(\pi_\text{teacher} \,\|\, \pi) + \tfrac{\beta_v}{2} (R - V)^2
              - \beta_c \sum_a \pi(a) g(a)

where g, 0 or below, is what each action loses by the teacher's own account, if it gives one (Ross & Bagnell 2014,
AggreVaTe): a network that does not know which of two actions the teacher would take is drawn to both by the first term,
and by the last to what costs less.

Whose histories these are is a setting: the teacher's (behavioural cloning, as Duan et al. 2016, section 3.1, imitated
Gittins indices), the agent's own, on which it needs to know what to do, or a mixture (DAgger: Ross, Gordon & Bagnell
2011). The critic learns what the agent itself would earn, so that reinforcement can go on from there: see `start` of
any algorithm.
"""

import dataclasses
import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa.agents import Agent, Output, Segment, State
from neurometa.baselines import baselines
from neurometa.errors import InputError, nearest
from neurometa.rollout import segments
from neurometa.streams import Streams
from neurometa.training import loop, optimizers
from neurometa.training.config import Training, begin, build
from neurometa.training.curve import Row
from neurometa.training.losses import mean
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.returns import GAE, advantages
from neurometa.training.schedules import Scheduled, at, check_range
from neurometa.training.together import Together, fits

__all__ = ["Config", "Mixture", "build", "loss", "teacher_of", "train"]

COST = "action_loss"  # record of teachers who know what actions lose


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """All that fixes a training run; ``(config, seed)`` gives the same bits on one machine and thread count.

    Parameters
    ----------
    task, network, n_updates, batch_size, seed, start
        As of every algorithm: see `training.config.Training`.
    teacher : str
        Who is imitated: one of the task's `baselines`, by name.
    teacher_share : float or Linear
        Probability that an action is the teacher's, in [0, 1]: 1 for cloning, 0 for the agent's own play,
        ``Linear(1, 0)`` for what lies between.
    optimizer : Adam or RMSProp
        Which optimiser steps the weights, and how far.
    returns : GAE
        What the critic learns to expect.
    value_weight : float or Linear
        Beta_v, on half the squared error of the value.
    kl_weight, cost_weight : float or Linear
        Beta_pi and beta_c. Of planners alone is it known what actions lose.
    told : str
        What the network is told beside the policy, and learns to read out: a record of the teacher's; none if empty.
        Of a planner ``"planned_loss"``, by what it would do in every other state.
    told_weight : float or Linear
        Beta_k, on half the squared error of what it reads out.

    Raises
    ------
    InputError
        A setting is outside its range, or the network does not fit the task.
    """

    teacher: str = "Gittins"
    teacher_share: Scheduled = 0.0
    optimizer: Adam | RMSProp = Adam()
    returns: GAE = GAE()
    value_weight: Scheduled = 0.05
    kl_weight: Scheduled = 1.0
    cost_weight: Scheduled = 0.0
    told: str = ""
    told_weight: Scheduled = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("teacher_share", self.teacher_share, 1)
        for name in ("value_weight", "told_weight", "kl_weight", "cost_weight"):
            check_range(name, getattr(self, name))
        if self.returns.of != "reward":
            raise InputError(f"of is {self.returns.of!r}; a teacher is imitated, and the critic learns of reward.")

    def check(self) -> None:
        """Raise unless training can begin, which the teacher says too."""
        super().check()
        teacher_of(self)
        _ = self.n_readouts

    @property
    def records(self) -> tuple[str, ...]:
        """What is asked of the teacher's record."""
        return tuple(name for name in (self.told, COST if self.cost_weight else "") if name)

    @property
    def n_readouts(self) -> int:
        """How many numbers are told."""
        known = _answer(self, teacher_of(self)).record if self.records else {}
        for name, why in ((self.told, f"told is {self.told!r}"), (COST, f"cost_weight is {self.cost_weight}")):
            if name in self.records and name not in known:
                there = ", ".join(known) or "nothing"
                raise InputError(f"{why}, but the teacher does not record {name!r}; it records {there}.")
        return known[self.told][0].numel() if self.told else 0

    @property
    def last_discount(self) -> float:
        """Gamma with which training ends, in [0, 1]."""
        return at(self.returns.discount, 1.0)


def _answer(config: Config, teacher: Agent) -> Output:
    """What the teacher answers at the first step of an episode."""
    task = config.task
    state = task.begin(1, torch.Generator().manual_seed(0))
    return teacher(task.observe(state, task.steps[0]), torch.zeros(1, task.n_actions), torch.zeros(1), teacher.begin(1))


def teacher_of(config: Config) -> Agent:
    """Make the teacher.

    Raises
    ------
    InputError
        It does not play the task.
    """
    known = baselines(config.task)
    if config.teacher not in known:
        raise InputError(
            f"teacher is {config.teacher!r}, who does not play {type(config.task).__name__} as it is set."
            f"{nearest(config.teacher, list(known))} Those who do: {', '.join(known)}."
        )
    return known[config.teacher]


def train(
    config: Config, run: Path | None = None, *, device: str = "cpu", progress: loop.Progress | None = None
) -> Agent:
    """Train an agent, and go on where an interrupted training in the same folder stopped.

    Arguments and errors are those of `neurometa.training.a2c.train`; the teacher must play the task too.
    """
    return imitate(config, teacher_of(config), run, device=device, progress=progress)


def imitate(
    config: Config,
    teacher: Agent,
    run: Path | None = None,
    *,
    device: str = "cpu",
    progress: loop.Progress | None = None,
) -> Agent:
    """Train an agent to play as any other agent does, whatever name `config` has for it; see `train`."""
    agent = begin(config, device)
    if device == "cpu" and fits(config):
        together = Together([agent], config.batch_size, type(config.optimizer))  # type: ignore[list-item]
        streams = Streams([torch.Generator().manual_seed(config.seed)], config.batch_size)
        quick = functools.partial(_update_quickly, config, teacher, together, streams)
        tell = (lambda rows: progress(rows[0])) if progress else None
        (trained,) = loop.train_together([config], together, streams, quick, [run], progress=tell)
        if isinstance(trained, loop.DivergedError):
            raise trained
        return trained
    optimizer = config.optimizer.make(agent.parameters())
    update = functools.partial(_update, config, agent, teacher.to(device), optimizer)
    return loop.train(config, agent, optimizer, update, run, device=device, progress=progress)


def _update(
    config: Config, agent: Agent, teacher: Agent, optimizer: Optimizer, rng: torch.Generator, share: float
) -> Row:
    """Play a batch, learn what the teacher would do, and return what there is for the learning curve."""
    teacher_share = at(config.teacher_share, share)
    player = {0.0: agent, 1.0: teacher}.get(teacher_share) or Mixture(agent, teacher, teacher_share)
    (played,) = segments(config.task, player, config.batch_size, rng)
    log = ("readout",) if config.told else ()
    answered = agent.sequence(played, agent.begin(config.batch_size), log)
    valid = played.valid if "valid" in config.task.latents else None
    taught = _taught(config, teacher, played)
    total, terms = loss(answered.logits, answered.value, played.reward, taught.logits, config, share, valid)
    total = total + _beside(config, share, answered.logits, answered.record.get("readout"), taught, terms, valid)
    norm = optimizers.step(config.optimizer, optimizer, total, share)
    return _row(config, played.reward, terms, norm)


def _update_quickly(
    config: Config, teacher: Agent, together: Together, streams: Streams, who: np.ndarray, done: np.ndarray
) -> dict[int, Row]:
    """The same by compiled arithmetic, the teacher at hand while the agent plays."""
    share = done / config.n_updates
    streams.start()
    teacher_share, n = at(config.teacher_share, float(share[0])), config.batch_size
    beside = teacher if teacher_share > 0 else None  # or the teacher is asked when all is played, which may be quicker
    played = together.play(config.task, streams, who, teacher=beside, teacher_share=teacher_share)
    if played.taught is None or config.records:
        taught = _taught(config, teacher, played.segment(teacher, config.task.n_actions))
    else:
        taught = Taught(played.taught)
    answered = (*together.answers(), played.reward)
    logits, value, reward = (x[:, :n] for x in answered)  # without idle episodes
    taught = Taught(taught.logits[:, :n], *(None if x is None else x[:, :n] for x in taught[1:]))
    total, terms = loss(logits, value, reward, taught.logits, config, float(share[0]))
    total = total + _beside(config, float(share[0]), logits, together.readouts()[:, :n], taught, terms)
    total.backward()
    (norm,) = together.learn(who, [config.optimizer], done, share)
    return {0: _row(config, reward, terms, torch.tensor(norm))}


def _row(config: Config, reward: Tensor, terms: dict[str, Tensor], norm: Tensor) -> Row:
    numbers = [reward.mean() * len(config.task.steps), *terms.values(), norm]
    return dict(zip(("reward", *terms, "gradient_norm"), torch.stack(numbers).tolist(), strict=True))


class Taught(NamedTuple):
    """What a teacher says of steps that were played: its policy before the softmax, and what else is asked of it."""

    logits: Tensor  # (time, episode, option)
    told: Tensor | None = None  # (time, episode, readout)
    cost: Tensor | None = None  # (time, episode, option), 0 or below


@torch.no_grad()
def _taught(config: Config, teacher: Agent, played: Segment) -> Taught:
    """Ask a teacher of all that was played."""
    logits, _, _, record = teacher.sequence(played, teacher.begin(played.action.shape[1]), config.records)
    return Taught(logits, record[config.told].flatten(2) if config.told else None, record.get(COST))


def _beside(
    config: Config,
    share: float,
    logits: Tensor,
    readout: Tensor | None,
    taught: Taught,
    terms: dict[str, Tensor],
    valid: Tensor | None = None,
) -> Tensor:
    """What to add to `loss` for what is told, and for what the policy costs; both are put among the terms."""
    total = torch.zeros(())
    if taught.told is not None and readout is not None:
        error = mean(0.5 * (readout - taught.told).square().mean(-1), valid)
        terms["told_loss"] = error.detach()
        total = total + at(config.told_weight, share) * error
    if taught.cost is not None:
        cost = mean(-(torch.softmax(logits, -1) * taught.cost).sum(-1), valid)
        terms["cost"] = cost.detach()
        total = total + at(config.cost_weight, share) * cost
    return total


def loss(
    logits: Tensor,
    value: Tensor,
    reward: Tensor,
    taught: Tensor,
    config: Config,
    share: float,
    valid: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what to minimise, and its terms, as means over what is no padding.

    Parameters
    ----------
    logits : Tensor (time, episode, option)
        The agent's policy before the softmax.
    value, reward : Tensor (time, episode)
        What it expects, and what was paid.
    taught : Tensor (time, episode, option)
        The teacher's policy before the softmax; ``-inf`` for what it never does.
    config : Config
    share : float
        Fraction of the updates done.
    valid : Tensor (time, episode), bool, optional
        False on padding.

    Returns
    -------
    loss : Tensor
    terms : dict of Tensor
        ``kl`` (nats), and ``value_loss`` without its weight.
    """
    target, log_policy = torch.softmax(taught, -1), torch.log_softmax(logits, -1)
    kl = (torch.xlogy(target, target) - target * log_policy).sum(-1)
    known = value.detach()
    if valid is not None:
        known, reward = torch.where(valid, known, 0.0), torch.where(valid, reward, 0.0)
    ahead = advantages(reward, known, at(config.returns.discount, share), at(config.returns.gae_lambda, share))
    terms = {"kl": kl, "value_loss": 0.5 * (ahead + known - value).square()}
    terms = {name: mean(x, valid) for name, x in terms.items()}
    total = at(config.kl_weight, share) * terms["kl"] + at(config.value_weight, share) * terms["value_loss"]
    return total, {name: x.detach() for name, x in terms.items()}


class Mixture(Agent):
    """Two agents who take turns at random, step by step; its value is the first's.

    Parameters
    ----------
    first, second : Agent
        Who play.
    p_second : float
        Probability that an action is the second's, in [0, 1].
    """

    def __init__(self, first: Agent, second: Agent, p_second: float) -> None:
        super().__init__()
        self.first, self.second, self.p_second = first, second, p_second

    def begin(self, n_episodes: int) -> State:
        """States of both."""
        return _both(self.first.begin(n_episodes), self.second.begin(n_episodes))

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer with the mixture of both policies; nothing to record."""
        of_first, of_second = (
            {name.removeprefix(who): x for name, x in state.items() if name.startswith(who)} for who in WHO
        )
        first = self.first(observation, action, reward, of_first)
        second = self.second(observation, action, reward, of_second)
        policy = torch.lerp(torch.softmax(first.logits, -1), torch.softmax(second.logits, -1), self.p_second)
        return Output(policy.log(), first.value, _both(first.state, second.state), {})


WHO = ("first ", "second ")


def _both(first: State, second: State) -> State:
    return {f"{who}{name}": x for who, state in zip(WHO, (first, second), strict=True) for name, x in state.items()}
