r"""VariBAD (Zintgraf et al. 2020), and PEARL's posterior sampling (Rakelly et al. 2019), by clipped PPO.

An encoder turns what has happened into a belief q over a latent variable m, a decoder predicts rewards from m, and a
policy acts on the belief, or on one draw of m per trial. Encoder and decoder are trained to raise

.. math:: \sum_t \big[ E_{q_t} \sum_{s \in S_t} \log p(r_s \mid m, x_s) - w\, KL(q_t \,\|\, q_{t-1}) \big], \qquad
          q_{-1} = N(0, I)

(eqs 7 to 9), where x_s is what the reward hangs on, and S_t all steps of the episode, those before t, or the last. With
all of them, and the belief before as the prior, this is VariBAD's objective; its optimum is more certain than the
posterior is. A policy on a draw of m, with a product encoder, explores as PEARL does; there the encoder learns from the
critic of an off-policy algorithm, and here from the rewards.
"""

import dataclasses
import functools
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa.agents import Belief, Output, Segment
from neurometa.agents.belief import BeliefAgent
from neurometa.errors import InputError, nearest
from neurometa.streams import normal
from neurometa.tasks.base import declared
from neurometa.training import loop, ppo
from neurometa.training.config import begin, build
from neurometa.training.curve import Row
from neurometa.training.losses import mean
from neurometa.training.schedules import Scheduled, at, check_range

__all__ = ["Config", "build", "complexity", "decoded", "gaussian_kl", "negative_elbo", "train"]

IMPOSSIBLE = -100.0  # nats: finite, so that what cannot be gives no gradient that is not a number
DECODES, PRIORS = ("all", "past", "newest"), ("previous", "prior")


@dataclasses.dataclass(frozen=True)
class Config(ppo.Config):
    """All that fixes a training run; ``(config, seed)`` gives the same bits on one machine and thread count.

    Parameters
    ----------
    task, network, n_updates, batch_size, seed, optimizer, returns, clip, n_epochs, n_minibatches, value_weight, \
    entropy_weight
        As of `training.ppo.Config`; the network is `agents.Belief`, and whole episodes are learned from.
    query : str
        What a reward hangs on: ``"action"``, or a latent of the task at every step that counts from 0, such as
        ``"reached_cell"``. The network's `n_queries` says how many there are.
    learns_from : str
        What the policy and its values are learned from: ``"reward"``, or a latent of the task at every step that the
        agent is not shown, such as the ``"dense_reward"`` of a task whose rewards are rare. Beliefs are of rewards.
    decode : {"all", "past", "newest"}
        Whose rewards a belief is to predict: those of all steps of the episode, of those before it, or of the last.
    kl_to : {"previous", "prior"}
        What a belief is held close to: the one before, or N(0, I).
    kl_detached : bool
        No gradient flows into the belief before.
    kl_weight : float or Linear
        w, of the divergence (nats, summed over latent dims).
    elbo_weight : float or Linear
        Of the objective above, as a mean over steps and episodes, beside the policy's.

    Raises
    ------
    InputError
        A setting is outside its range, or the network does not fit the task.
    """

    query: str = "action"
    learns_from: str = "reward"
    decode: str = "all"
    kl_to: str = "previous"
    kl_detached: bool = False
    kl_weight: Scheduled = 0.1
    elbo_weight: Scheduled = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.network, Belief):
            raise InputError(f"network is {type(self.network).__name__}; a belief is held by agents.Belief.")
        if self.segment_length is not None:
            raise InputError(f"segment_length is {self.segment_length}; beliefs are learned from whole episodes: null.")
        for name, known in (("decode", list(DECODES)), ("kl_to", list(PRIORS))):
            if (given := getattr(self, name)) not in known:
                raise InputError(f"{name} is {given!r}; allowed are {known}.{nearest(str(given), known)}")
        for name in ("kl_weight", "elbo_weight"):
            check_range(name, getattr(self, name))
        per_step = [name for name, latent in declared(self.task).items() if latent.dims == ("step",)]
        if self.query not in (allowed := ["action", *per_step]):
            raise InputError(f"query is {self.query!r}; allowed for {type(self.task).__name__} are {allowed}.")
        if self.learns_from not in (allowed := ["reward", *per_step]):
            raise InputError(
                f"learns_from is {self.learns_from!r}; allowed for {type(self.task).__name__} are {allowed}."
            )
        if self.query == "action" and self.task.n_axes:
            raise InputError(
                f"query is 'action', and {type(self.task).__name__} asks for continuous ones; allowed are {per_step}."
            )
        if self.query == "action" and self.network.n_queries not in (None, self.task.n_actions):
            raise InputError(f"n_queries is {self.network.n_queries}, but the task has {self.task.n_actions} actions.")
        if self.query != "action" and self.network.n_queries is None:
            raise InputError(f"n_queries is null; say how many values {self.query!r} has.")
        if self.network.sample_every not in (None, len(self.task.steps)):
            raise InputError(
                f"sample_every is {self.network.sample_every}; a draw is kept for a trial, here "
                f"{len(self.task.steps)} steps."
            )


def train(
    config: Config, run: Path | None = None, *, device: str = "cpu", progress: loop.Progress | None = None
) -> BeliefAgent:
    """Train an agent, and go on where an interrupted training in the same folder stopped.

    Arguments and errors are those of `ppo.train`.
    """
    agent = begin(config, device)
    assert isinstance(agent, BeliefAgent)
    optimizer = config.optimizer.make(agent.parameters())
    update = functools.partial(_update, config, agent, optimizer)
    loop.train(config, agent, optimizer, update, run, device=device, progress=progress)
    return agent


def _update(config: Config, agent: BeliefAgent, optimizer: Optimizer, rng: torch.Generator, share: float) -> Row:
    """Play a batch, and learn the policy and the belief from it."""

    def beside(answered: Output, here: Segment) -> tuple[Tensor, dict[str, Tensor]]:
        objective, terms = negative_elbo(config, agent, answered.record, here, rng, share)
        return at(config.elbo_weight, share) * objective, terms

    log = ("sample",) if agent.sample_every else ()
    return ppo.learn(
        config,
        agent,
        optimizer,
        rng,
        share,
        log=log,
        answers=("latent_mean", "latent_logvar"),
        beside=beside,
        learns_from=config.learns_from,
    )


def negative_elbo(
    config: Config, agent: BeliefAgent, belief: dict[str, Tensor], played: Segment, rng: torch.Generator, share: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """What encoder and decoder minimise, as a mean over beliefs, and its terms: ``misfit`` and ``belief_kl`` (nats).

    Beliefs are those before each step or, where the policy reads draws, those that are drawn from.

    Parameters
    ----------
    config : Config
    agent : BeliefAgent
    belief : dict of Tensor (time, episode, latent)
        ``latent_mean`` and ``latent_logvar`` before each step.
    played : Segment
        Whole episodes.
    rng : torch.Generator
        Of one draw of each belief.
    share : float
        Fraction of the updates done.
    """
    every = agent.sample_every or 1
    mu, logvar, valid = (x[::every] for x in (belief["latent_mean"], belief["latent_logvar"], played.valid))
    draw = mu + (logvar / 2).exp() * normal(rng, *mu.shape, axis=1)
    rewarded, unrewarded = agent.decode(draw)
    asked = played.action if config.query == "action" else played.latents[config.query].long()
    if int(asked.max()) >= rewarded.shape[-1]:
        raise InputError(f"n_queries is {rewarded.shape[-1]}, but {config.query!r} reached {int(asked.max())}.")
    counted = decoded(config.decode, len(mu)).to(mu)
    n_paid, n_asked = (
        torch.einsum("ts,seq->teq", counted, count(asked, x, rewarded.shape[-1], every))
        for x in (played.valid & (played.reward > 0), played.valid)
    )
    if agent.one_rewarded:
        log_prob = one_pays(rewarded, n_paid, n_asked)
    else:  # of all rewards of a query at once
        log_prob = (n_paid * rewarded + (n_asked - n_paid) * unrewarded).sum(-1)
    misfit = mean(-log_prob, valid)
    kl = mean(complexity(mu, logvar, to=config.kl_to, detached=config.kl_detached), valid)
    terms = {"misfit": misfit.detach(), "belief_kl": kl.detach()}
    return misfit + at(config.kl_weight, share) * kl, terms


def one_pays(log_prob: Tensor, n_paid: Tensor, n_asked: Tensor) -> Tensor:
    """Log probability of all rewards at once where one query pays, and always: that it is one of those that fit them.

    Once a query has paid, that alone fits; before, all that have not been asked do. However often a query is asked, it
    tells no more than once, so that the belief is not drawn to what is visited often.

    Parameters
    ----------
    log_prob : Tensor (..., query)
        Of each query, that it is the one that pays.
    n_paid, n_asked : Tensor (..., query)
        How often each has paid, and was asked.

    Returns
    -------
    Tensor (...)
        In nats.
    """
    fits = torch.where((n_paid > 0).any(-1, keepdim=True), n_paid > 0, n_asked == 0)
    return torch.where(fits, log_prob, IMPOSSIBLE).logsumexp(-1)


def count(asked: Tensor, which: Tensor, n_queries: int, every: int) -> Tensor:
    """How often each query is asked in so many steps, (steps // every, episode, query), of (step, episode) counted."""
    asked, which = (x.unflatten(0, (-1, every)).movedim(1, -1) for x in (asked, which))
    none = torch.zeros(*asked.shape[:2], n_queries, device=asked.device)
    return none.scatter_add(-1, asked, which.to(none))


def decoded(decode: str, n_beliefs: int) -> Tensor:
    """Which steps a belief is to predict, (belief, step) bool: belief t comes after steps 0 to t - 1."""
    belief, step = torch.arange(n_beliefs)[:, None], torch.arange(n_beliefs)
    if decode == "newest":
        return step == belief - 1
    return (step < belief) if decode == "past" else torch.ones(n_beliefs, n_beliefs, dtype=torch.bool)


def complexity(mu: Tensor, logvar: Tensor, *, to: str = "previous", detached: bool = False) -> Tensor:
    """KL divergence of each belief from the one before, or from N(0, I), (time, ...), in nats.

    Parameters
    ----------
    mu, logvar : Tensor (time, ..., latent)
        Beliefs; N(0, I) comes before the first.
    to : {"previous", "prior"}
    detached : bool
        No gradient flows into the belief before.
    """
    start = torch.zeros_like(mu[:1])
    if to == "prior":
        return gaussian_kl(mu, logvar, torch.zeros_like(mu), torch.zeros_like(mu))
    before = [torch.cat([start, x[:-1]]) for x in (mu, logvar)]
    if detached:
        before = [x.detach() for x in before]
    return gaussian_kl(mu, logvar, *before)


def gaussian_kl(mu: Tensor, logvar: Tensor, to_mu: Tensor, to_logvar: Tensor) -> Tensor:
    r"""Divergence of one Gaussian from another, independent over dims, which are summed, in nats.

    .. math:: \tfrac12 \sum_d \Big[ \log\frac{v'_d}{v_d} + \frac{v_d + (\mu_d - \mu'_d)^2}{v'_d} - 1 \Big]
    """
    off = (logvar.exp() + (mu - to_mu).square()) * (-to_logvar).exp()
    return 0.5 * (to_logvar - logvar + off - 1).sum(-1)
