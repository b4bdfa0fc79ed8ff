r"""Proximal policy optimisation (Schulman et al. 2017) of agents that remember, on whole sequences.

A batch of episodes is played once and learned from several times, in minibatches of episodes. What is
learned is bounded by how far the policy of an action may move from the policy that took it:

.. math:: L = -\min(\rho A,\ \mathrm{clip}(\rho, 1 - \epsilon, 1 + \epsilon) A), \qquad
          \rho = \pi(a) / \pi_\text{played}(a)
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa import policies
from neurometa.agents import Agent, Output, Segment
from neurometa.errors import InputError
from neurometa.rollout import check_batch, segments
from neurometa.training import loop, optimizers
from neurometa.training.config import Training, begin, build, check_signal
from neurometa.training.curve import Row
from neurometa.training.losses import mean, normalised
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.returns import GAE, advantages, judged_by
from neurometa.training.schedules import Scheduled, at, check_range

__all__ = ["Config", "build", "loss", "train"]

Beside = Callable[[Output, Segment], tuple[Tensor, dict[str, Tensor]]]
TERMS = ("policy_loss", "value_loss", "entropy", "kl", "clipped")


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """All that fixes a training run; ``(config, seed)`` gives the same bits on one machine and thread count.

    Parameters
    ----------
    task, network, n_updates, batch_size, seed
        As of every algorithm: see `training.config.Training`; an update learns from one batch.
    optimizer : Adam or RMSProp
        Which optimiser steps the weights, and how far.
    returns : GAE
        From which rewards an action is judged; its advantages are normalised over the batch.
    clip : float or Linear
        Epsilon: how far the ratio of the policies may leave 1 before nothing more is gained by it.
    n_epochs : int
        How often a batch is learned from.
    n_minibatches : int
        Parts of the batch, of whole episodes drawn anew in each epoch, that are learned from one after another.
    segment_length : int or None
        Steps through which gradients flow back; the state is carried on to the next segment of the same episodes.
        None for the whole episode.
    value_weight, entropy_weight : float or Linear
        Of half the squared error of the value, and of the policy's entropy.

    Raises
    ------
    InputError
        A setting is outside its range, or the network does not fit the task.
    """

    continuous = True

    optimizer: Adam | RMSProp = Adam(3e-3)
    returns: GAE = GAE()
    clip: Scheduled = 0.2
    n_epochs: int = 4
    n_minibatches: int = 4
    segment_length: int | None = None
    value_weight: Scheduled = 0.5
    entropy_weight: Scheduled = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_signal(self)
        if self.returns.of == "gaps":
            raise InputError("of is 'gaps', which a ratio of policies cannot use; 'reward' or 'regret' is left.")
        for name in ("clip", "value_weight", "entropy_weight"):
            check_range(name, getattr(self, name))
        for name in ("n_epochs", "n_minibatches", "segment_length"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.segment_length is not None and self.segment_length > self.n_steps:
            raise InputError(
                f"segment_length is {self.segment_length}; an episode has no more than {self.n_steps} steps: give "
                "that, or null for whole episodes."
            )
        if self.n_minibatches > self.batch_size:
            raise InputError(
                f"n_minibatches is {self.n_minibatches}; there are no more than the batch's {self.batch_size} episodes."
            )

    @property
    def last_discount(self) -> float:
        """Gamma with which training ends, in [0, 1]."""
        return at(self.returns.discount, 1.0)


def train(
    config: Config, run: Path | None = None, *, device: str = "cpu", progress: loop.Progress | None = None
) -> Agent:
    """Train an agent, and go on where an interrupted training in the same folder stopped.

    Arguments and errors are those of `neurometa.training.a2c.train`; what an update plays must fit in memory too.
    """
    what = f"batch_size is {config.batch_size}: what is played for an update"
    check_batch(what, config.task, config.batch_size, lower="batch_size")
    agent = begin(config, device)
    optimizer = config.optimizer.make(agent.parameters())
    update = functools.partial(learn, config, agent, optimizer)
    return loop.train(config, agent, optimizer, update, run, device=device, progress=progress)


def learn(
    config: Config,
    agent: Agent,
    optimizer: Optimizer,
    rng: torch.Generator,
    share: float,
    *,
    log: tuple[str, ...] = (),
    answers: tuple[str, ...] = (),
    beside: Beside | None = None,
    learns_from: str = "reward",
) -> Row:
    """Play a batch, learn from it for some epochs, and return what there is for the learning curve.

    Parameters
    ----------
    config, agent, optimizer, rng, share
        As of `loop.Update`.
    log, answers : tuple of str
        What of the agent's record is kept of what is played, and what it is to answer again.
    beside : callable, optional
        Another loss of each minibatch, which is added, and its terms.
    learns_from : str
        ``"reward"``, or the latent of the task at every step by which actions are judged in its place.
    """
    told, length, log = config.returns.of != "reward", config.segment_length, (*log, *agent.kept)
    played = list(segments(config.task_at(share), agent, config.batch_size, rng, length, log=log, gaps=told))
    advantage, to_come = _judged(config, played, share, learns_from)
    found, names = [], list(TERMS)
    for _ in range(config.n_epochs):
        order = torch.randperm(config.batch_size, generator=rng, device=rng.device)
        for some in order.chunk(config.n_minibatches):
            state = agent.begin(len(some))
            for part, playing, judged, target in zip(played, _playing(played), advantage, to_come, strict=True):
                if not (on := playing[some]).all():  # the others have ended, and nothing is to be learned of padding
                    some, state = some[on], {name: x[on] for name, x in state.items()}
                    if not len(some):
                        break
                here = part.of(some)
                answered = agent.sequence(here, state, answers)
                total, terms = loss(
                    answered.logits, answered.value, here, judged[:, some], target[:, some], config, share
                )
                if beside is not None:
                    more, own = beside(answered, here)
                    total, terms = total + more, terms | own
                    names = list(terms)
                norm = optimizers.step(config.optimizer, optimizer, total, share)
                found.append(torch.stack([*terms.values(), norm]))
                state = {name: x.detach() for name, x in answered.state.items()}
    reward = torch.cat([part.reward for part in played]).mean() * len(config.task.steps)
    numbers = [reward, *torch.stack(found).mean(0)]
    return dict(zip(("reward", *names, "gradient_norm"), torch.stack(numbers).tolist(), strict=True))


def _playing(played: Sequence[Segment]) -> list[Tensor]:
    """Which episodes have steps in each segment or after it, (episode,) bool."""
    here = torch.stack([part.valid.any(0) for part in played])
    return list(here.flip(0).cummax(0).values.flip(0))


def _judged(
    config: Config, played: Sequence[Segment], share: float, learns_from: str
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Normalised advantages of what was played, and the returns that values should be, by segment."""
    value, valid = (torch.cat([getattr(part, name) for part in played]) for name in ("value", "valid"))
    paid = [part.reward if learns_from == "reward" else part.latents[learns_from] for part in played]
    reward = torch.cat(
        [judged_by(config.returns.of, part.action, x, part.gaps) for part, x in zip(played, paid, strict=True)]
    )
    reward, value = torch.where(valid, reward, 0.0), torch.where(valid, value, 0.0)
    returns = config.returns
    advantage = advantages(reward, value, at(returns.discount, share), at(returns.gae_lambda, share))
    lengths = [len(part.action) for part in played]
    return normalised(advantage, valid).split(lengths), (advantage + value).split(lengths)


def loss(
    logits: Tensor, value: Tensor, played: Segment, advantage: Tensor, to_come: Tensor, config: Config, share: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what to minimise, and its terms, as means over what is no padding.

    Parameters
    ----------
    logits : Tensor (time, episode, option)
        Policy as it is now, before the softmax.
    value : Tensor (time, episode)
        What the agent expects now.
    played : Segment
        What was played, and by which policy.
    advantage, to_come : Tensor (time, episode)
        By how much each action was better than expected; the return that the value should be.
    config : Config
    share : float
        Fraction of the updates done.

    Returns
    -------
    loss : Tensor
    terms : dict of Tensor
        ``policy_loss``, ``value_loss`` and ``entropy`` (nats) without their weights; ``kl`` (nats), how far the policy
        is from the one that played, and ``clipped``, the share of actions whose policy has left the bounds.
    """
    valid, clip = played.valid, at(config.clip, share)
    n_axes, before = config.task.n_axes, played.logits
    ratio = (policies.log_prob(logits, played.action) - policies.log_prob(before, played.action)).exp()
    policy_loss = -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
    terms = {
        "policy_loss": policy_loss,
        "value_loss": 0.5 * (to_come - value).square(),
        "entropy": policies.entropy(logits, n_axes),
        "kl": policies.divergence(before, logits, n_axes),
        "clipped": ((ratio - 1).abs() > clip).float(),
    }
    terms = {name: mean(x, valid) for name, x in terms.items()}
    weights = at(config.value_weight, share), at(config.entropy_weight, share)
    total = terms["policy_loss"] + weights[0] * terms["value_loss"] - weights[1] * terms["entropy"]
    return total, {name: x.detach() for name, x in terms.items()}
