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
as in ProMP (Rothfuss et al. 2019); the paper has TRPO. Without an inner step (``n_inner_steps=0``) what is trained is
one policy for all tasks, the control that is called pretrained.
"""

import dataclasses
import functools
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa import policies
from neurometa.agents import Agent, Output
from neurometa.agents.base import State
from neurometa.agents.plastic import Lived, Plastic, PlasticAgent, Weights
from neurometa.errors import InputError
from neurometa.rollout import segments
from neurometa.tasks import Task
from neurometa.training import loop, optimizers
from neurometa.training.config import Training, build
from neurometa.training.curve import Row
from neurometa.training.losses import mean
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.schedules import Scheduled, at, check_range

__all__ = ["Config", "build", "objective", "train"]


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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in (1, 2):
            raise InputError(f"order is {self.order}; gradients through the inner step are of order 1 or 2.")
        check_range("clip", self.clip)
        for name, least in (("n_inner_steps", 0), ("n_epochs", 1), ("n_trials", 1)):
            if getattr(self, name) is not None and getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
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
    found = []
    for _ in range(config.n_epochs):
        loss, terms = objective(config, agent, lived, before, reward[-1], share)
        norm = optimizers.step(config.optimizer, optimizer, loss, share)
        found.append(torch.stack([*terms.values(), norm]))
    rewards = [float(x.mean()) for x in reward]
    names = ("policy_loss", "entropy", "kl", "gradient_norm")
    row = {"reward": rewards[-1], "reward_before": rewards[0]}
    return row | dict(zip(names, torch.stack(found).mean(0).tolist(), strict=True))


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
        (played,) = segments(task, _Grouped(agent, weights), n_tasks * n, rng)
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
    last, clip, n_axes = lived[-1], at(config.clip, share), config.task.n_axes
    weights = _stepped(agent, lived, config.order)
    now, _ = agent.policy(weights[-1], last.observation)
    ratio = (policies.log_prob(now, last.action) - policies.log_prob(before, last.action)).exp()
    gain = torch.minimum(ratio * last.advantage, ratio.clamp(1 - clip, 1 + clip) * last.advantage).mean()
    loss = -gain
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


class _Grouped(Agent):
    """A plastic agent whose weights stay as they are, those of each task for all its trials side by side."""

    def __init__(self, agent: PlasticAgent, weights: Weights) -> None:
        super().__init__()
        self.agent, self.weights = agent, weights
        self.n_tasks = len(next(iter(weights.values())))

    def begin(self, n_episodes: int) -> State:
        """Nothing is carried."""
        return {}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step of all tasks."""
        policy, _ = self.agent.policy(self.weights, observation.unflatten(0, (self.n_tasks, -1)))
        return Output(policy.flatten(0, 1), reward, state, {})


@dataclasses.dataclass(frozen=True, eq=False)
class Again(Task):
    """Trials of worlds that were drawn before, side by side, each as if it were the first of its episode.

    Parameters
    ----------
    n_trials : int
        Trials one after another.
    task : Task
        Whose trials repeat.
    worlds : dict of Tensor (world, ...)
        States in which its episodes begin; the first so many episodes are of the first world, and so on.
    """

    n_trials: int
    task: Task
    worlds: State

    choice_step = None
    latents = {}

    @property
    def steps(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the task."""
        return self.task.steps

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """That of the task."""
        return self.task.n_features

    @property
    def n_axes(self) -> int:
        """That of the task."""
        return self.task.n_axes

    @property
    def n_actions(self) -> int:
        """That of the task."""
        return self.task.n_actions

    def begin(self, n_episodes, rng):
        """Begin equally many episodes in each world."""
        n_each = n_episodes // len(next(iter(self.worlds.values())))
        return {name: x.repeat_interleave(n_each, 0) for name, x in self.worlds.items()}

    def observe(self, state, step):
        """Show what the task shows."""
        return self.task.observe(state, step)

    def step(self, state, action, step, rng):
        """Do what the task does."""
        return self.task.step(state, action, step, rng)
