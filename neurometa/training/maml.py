r"""Model-agnostic meta-learning of policies (MAML: Finn, Abbeel & Levine 2017), which learn by gradients within a task.

For each task :math:`i` of a batch, trials :math:`D_i` are played with :math:`\theta`, an inner step (or several) makes
:math:`\theta_i'` of them (`neurometa.agents.plastic`), and fresh trials are played with that. What is maximised is
the return of the latter, as a function of :math:`\theta`. Its gradient is, with :math:`U(\theta; D)` for the inner step
and :math:`J_i` for the expected return,

.. math:: \nabla_\theta\, E_{D_i \sim \theta}\, J_i(U(\theta; D_i))
   = E\Big[ \frac{\partial U}{\partial\theta}^{\!\top} \nabla J_i(\theta_i')
   + J_i(\theta_i')\, \nabla_\theta \log P_\theta(D_i) \Big].

- Second order (MAML) is the first term, with :math:`\partial U / \partial\theta = I + \alpha \nabla^2 \ldots`
- First order (FOMAML) puts :math:`I` for that.
- The second term credits the trials before the step with what is learned from them: E-MAML (Stadie et al. 2018).

:math:`\nabla J_i` is that of proximal policy optimisation (Schulman et al. 2017), for some epochs on the same trials,
as in ProMP (Rothfuss et al. 2019), or one step within a trust region (TRPO), as in the paper. Without an inner step
(``n_inner_steps=0``) what is trained is one policy for all tasks, the control that is called pretrained.

Reptile (Nichol et al. 2018) has no such gradient: :math:`\theta` moves to the mean of the :math:`\theta_i'`.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa import policies
from neurometa.agents import Agent
from neurometa.agents.plastic import Lived, Plastic, PlasticAgent, Weights
from neurometa.errors import InputError
from neurometa.rollout import segments
from neurometa.training import loop, optimizers
from neurometa.training.again import Again, Grouped
from neurometa.training.config import Training, build
from neurometa.training.curve import Row
from neurometa.training.losses import mean
from neurometa.training.natural import fisher, natural_step
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.schedules import Scheduled, at, check_range

__all__ = ["Config", "build", "objective", "train"]

N_PRODUCTS, N_HALVINGS = 10, 10  # of TRPO: conjugate gradients as in the paper, whose 15 steps back are of .8 each


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """All that fixes a training run; ``(config, seed)`` gives the same bits on one machine and thread count.

    Parameters
    ----------
    task, network, n_updates, batch_size, seed
        As of every algorithm: see `training.config.Training`. The network is `agents.Plastic`, which says how it learns
        in an episode; an update draws `batch_size` tasks, each of which would be an episode.
    optimizer : Adam or RMSProp
        Which optimiser steps the weights, and how far.
    order : {1, 2}
        Of the gradients through the inner step.
    sampling : bool
        Add the term by which the trials before an inner step are credited with what it brings (E-MAML).
    n_inner_steps : int
        Inner steps while training; 0 for the control that is not to adapt. At test there are the network's.
    n_trials : int or None
        Trials of each task before each inner step and after the last, which are played side by side; None for the
        network's ``adapt_after``.
    clip : float or Linear
        Epsilon of proximal policy optimisation.
    n_epochs : int
        How often a batch is learned from.
    n_minibatches : int
        Parts of the batch, of tasks drawn anew in each epoch, that are learned from one after another.
    kl_bound : float or Linear or None
        Mean KL (nats) between the policies after the inner steps that one outer step of TRPO may make (.01 in the
        paper), in place of the optimiser, `clip`, `n_epochs` and `n_minibatches`; None for PPO. Through its Fisher
        matrix, too, go gradients of the `order`.
    reptile : bool
        Move to where the inner steps lead, and learn nothing from the trials after them; two steps at least, as one is
        the control that is pretrained.

    Raises
    ------
    InputError
        A setting is outside its range, trials of the task do not repeat, or an episode is too short to adapt in.
    """

    continuous = True

    optimizer: Adam | RMSProp = Adam(1e-3)
    order: int = 2
    sampling: bool = False
    n_inner_steps: int = 1
    n_trials: int | None = None
    clip: Scheduled = 0.2
    n_epochs: int = 5
    n_minibatches: int = 1
    kl_bound: Scheduled | None = None
    reptile: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in (1, 2):
            raise InputError(f"order is {self.order}; gradients through the inner step are of order 1 or 2.")
        check_range("clip", self.clip)
        if self.kl_bound is not None:
            check_range("kl_bound", self.kl_bound)
        if self.reptile and (self.n_inner_steps < 2 or self.kl_bound is not None or self.sampling):
            raise InputError("reptile is true; it takes at least 2 n_inner_steps, no kl_bound and no sampling.")
        for name, least in (("n_inner_steps", 0), ("n_epochs", 1), ("n_trials", 1), ("n_minibatches", 1)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if self.n_minibatches > self.batch_size:
            raise InputError(
                f"n_minibatches is {self.n_minibatches}; there are no more than the batch's {self.batch_size} tasks."
            )
        if not isinstance(self.network, Plastic):
            raise InputError(f"network is {type(self.network).__name__}; MAML trains agents.Plastic.")
        task, network = self.task, self.plastic
        if not task.repeats:
            raise InputError(
                f"Trials of {type(task).__name__} do not repeat: each hangs on those before it in its episode, so that "
                "there are no independent trials of one world to adapt to."
            )
        if len(task.steps) != network.trial_steps:
            raise InputError(
                f"trial_steps is {network.trial_steps}; a trial of {type(task).__name__} has {len(task.steps)}."
            )
        lived = network.n_adaptations * network.adapt_after
        if lived >= task.n_trials:
            raise InputError(
                f"An episode of {task.n_trials} trials is too short to adapt in: {network.n_adaptations} inner steps "
                f"take {network.adapt_after} trials each, and one more to show what was learned."
            )

    @property
    def plastic(self) -> Plastic:
        """The network, as what it must be."""
        assert isinstance(self.network, Plastic)
        return self.network

    @property
    def last_discount(self) -> float:
        """Gamma of the returns, which is the inner step's."""
        return self.plastic.discount

    @property
    def n_side_by_side(self) -> int:
        """Trials of each task before each inner step and after the last."""
        return self.n_trials or self.plastic.adapt_after

    @property
    def n_steps(self) -> int:
        """Environment steps that are lived in each task in an update."""
        return (self.n_inner_steps + 1) * self.n_side_by_side * len(self.task.steps)


def train(
    config: Config, run: Path | None = None, *, device: str = "cpu", progress: loop.Progress | None = None
) -> Agent:
    """Train an agent, and go on where an interrupted training in the same folder stopped.

    Parameters
    ----------
    config : Config
        All that fixes the result.
    run, device, progress
        As of `loop.train`.

    Returns
    -------
    Agent
        The trained agent.

    Raises
    ------
    InputError
        Training diverged, an inner step made weights that are not finite, or the folder cannot be written.
    """
    agent = build(config, device)
    assert isinstance(agent, PlasticAgent)
    optimizer = config.optimizer.make([x for x in agent.parameters() if x.requires_grad])
    update = functools.partial(_update, config, agent, optimizer)
    return loop.train(config, agent, optimizer, update, run, device=device, progress=progress)


def _update(config: Config, agent: PlasticAgent, optimizer: Optimizer, rng: torch.Generator, share: float) -> Row:
    """Live in a batch of tasks, learn from it for some epochs, and return what there is for the learning curve."""
    lived, reward = live(config, agent, rng)
    with torch.no_grad():
        weights = _stepped(agent, lived, 1)[-1]
        before, _ = agent.policy(weights, lived[-1].observation)
    rewards = {"reward": float(reward[-1].mean()), "reward_before": float(reward[0].mean())}
    if config.kl_bound is not None:
        return rewards | _trusted(config, agent, lived, before, reward[-1], at(config.kl_bound, share))
    found = []
    for some in _parts(config, rng):
        here = [Lived(*(x[some] for x in each)) for each in lived]
        loss, terms = objective(config, agent, here, before[some], reward[-1][some], share)
        norm = optimizers.step(config.optimizer, optimizer, loss, share)
        found.append(torch.stack([*terms.values(), norm]))
    names = ("policy_loss", "entropy", "kl", "gradient_norm")
    return rewards | dict(zip(names, torch.stack(found).mean(0).tolist(), strict=True))


def _trusted(
    config: Config, agent: PlasticAgent, lived: list[Lived], before: Tensor, reward: Tensor, bound: float
) -> Row:
    """Take one outer step of TRPO; what there is for the learning curve."""
    trained = [x for x in agent.parameters() if x.requires_grad]
    loss, terms = objective(config, agent, lived, before, reward)
    now, _ = agent.policy(_stepped(agent, lived, config.order)[-1], lived[-1].observation)
    valid = torch.ones(now.shape[:-1], dtype=torch.bool, device=now.device)
    start = loss.detach()

    def tried() -> tuple[Tensor, Tensor]:
        found, of = objective(config, agent, lived, before, reward)
        return start - found, of["kl"]

    step = natural_step(
        trained,
        -loss,
        fisher(now, trained, valid, config.task.n_axes),
        tried,
        bound=bound,
        n_products=N_PRODUCTS,
        n_halvings=N_HALVINGS,
    )
    return {name: float(terms[name]) for name in ("policy_loss", "entropy")} | step


def _parts(config: Config, rng: torch.Generator) -> Iterator[slice | Tensor]:
    """Which tasks of a batch are learned from, one part of each epoch after another."""
    for _ in range(config.n_epochs):
        if config.n_minibatches == 1:
            yield slice(None)
        else:
            order = torch.randperm(config.batch_size, generator=rng, device=rng.device)
            yield from order.chunk(config.n_minibatches)


def live(config: Config, agent: PlasticAgent, rng: torch.Generator) -> tuple[list[Lived], list[Tensor]]:
    """Draw tasks, and live in each before every inner step and after the last.

    Returns
    -------
    lived : list of Lived
        Before the first inner step, the second, ..., after the last.
    reward : list of Tensor (task,)
        Mean reward of a trial in each.
    """
    n_tasks, n = config.batch_size, config.n_side_by_side
    task = Again(1, config.task, config.task.begin(n_tasks, rng))
    lived: list[Lived] = []
    reward: list[Tensor] = []
    weights = {name: x.detach() for name, x in agent.fresh(n_tasks).items()}
    for step in range(config.n_inner_steps + 1):
        (played,) = segments(task, Grouped(agent, weights), n_tasks * n, rng)
        parts = (x.unflatten(1, (n_tasks, n)) for x in (played.observation, played.action, played.reward))
        lived.append(agent.judged(*parts))
        reward.append(played.reward.sum(0).unflatten(0, (n_tasks, n)).mean(1))
        if step < config.n_inner_steps:
            weights = {name: x.detach() for name, x in agent.adapted(weights, lived[-1], step).items()}
    return lived, reward


def _stepped(agent: PlasticAgent, lived: list[Lived], order: int) -> list[Weights]:
    """The weights before each inner step, and after the last, as functions of those trained."""
    weights = [agent.fresh(len(lived[0].action))]
    for step, each in enumerate(lived[:-1]):
        weights.append(agent.adapted(weights[-1], each, step, order=order))
    return weights


def objective(
    config: Config, agent: PlasticAgent, lived: list[Lived], before: Tensor, reward: Tensor, share: float = 0.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what to minimise, whose gradient is that of the module's equation, and its terms.

    Parameters
    ----------
    config : Config
    agent : PlasticAgent
    lived : list of Lived
        As of `live`.
    before : Tensor (task, step, option)
        Policy that took the last of it.
    reward : Tensor (task,)
        Mean reward of a trial in the last of it.
    share : float
        Fraction of the updates done.

    Returns
    -------
    loss : Tensor
    terms : dict of Tensor
        ``policy_loss``; ``entropy`` (nats), and ``kl`` (nats), how far the policy after the inner steps is from the one
        that played.
    """
    last, n_axes = lived[-1], config.task.n_axes
    clip = math.inf if config.kl_bound is not None else at(config.clip, share)  # which the bound does instead
    weights = _stepped(agent, lived, config.order)
    now, _ = agent.policy(weights[-1], last.observation)
    ratio = (policies.log_prob(now, last.action) - policies.log_prob(before, last.action)).exp()
    gain = torch.minimum(ratio * last.advantage, ratio.clamp(1 - clip, 1 + clip) * last.advantage).mean()
    loss = -gain
    if config.reptile:  # whose gradient is the mean way back from where the steps lead
        moved = [((weights[-1][name] - x).detach() * x).sum() for name, x in weights[0].items()]
        loss = -torch.stack(moved).sum() / len(last.action)
    if config.sampling:
        credit = reward - reward.mean()
        if agent.settings.baseline == "linear":  # whose advantages are standardised, too
            credit = credit / (credit.square().mean().sqrt() + 1e-8)
        for theta, each in zip(weights[:-1], lived[:-1], strict=True):
            chosen, _ = agent.policy(theta, each.observation)
            loss = loss - (credit * policies.log_prob(chosen, each.action).sum(1)).mean()
    terms = {
        "policy_loss": -gain,
        "entropy": mean(policies.entropy(now, n_axes)),
        "kl": mean(policies.divergence(before, now, n_axes)),
    }
    return loss, {name: x.detach() for name, x in terms.items()}
