r"""Trust region policy optimisation (Schulman et al. 2015) with a recurrent critic, as Duan et al. (2016) trained RL².

A step goes along the natural gradient, as far as the mean KL between the policy that played and the new one allows:

.. math:: \theta' = \theta + \beta s, \qquad F s = g, \qquad \beta = \sqrt{2 \delta / s^\top F s}

with the policy gradient g, the Fisher matrix F of the policy and the bound :math:`\delta`. F is never made: s is from
conjugate gradients, which ask for products with F alone. Then the step is halved until the policy is better by what
was played and within the bound; where it never is, the policy stays.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import Optimizer

from neurometa.agents import Apart, Segment
from neurometa.agents.apart import ApartAgent
from neurometa.errors import InputError
from neurometa.rollout import segments
from neurometa.training import loop, optimizers
from neurometa.training.config import Training, begin, build, check_signal
from neurometa.training.curve import Row
from neurometa.training.losses import mean, normalised
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.returns import GAE, advantages, judged_by
from neurometa.training.schedules import Scheduled, at, check_range

__all__ = ["Config", "build", "conjugate_gradient", "fisher", "train"]

DAMPING = 1e-3  # of F, in whose null directions conjugate gradients would go too far


@dataclasses.dataclass(frozen=True)
class Config(Training):
    """All that fixes a training run; ``(config, seed)`` gives the same bits on one machine and thread count.

    Parameters
    ----------
    task, n_updates, batch_size, seed, start
        As of every algorithm: see `training.config.Training`; an update is one step of the policy.
    network : Apart
        Actor and critic, which is fitted by itself and must be recurrent as the actor is.
    returns : GAE
        From which rewards an action is judged; its advantages are normalised over the batch.
    kl_bound : float or Linear
        Delta: mean KL between the policy that played and the new one, at most, in nats.
    n_products : int
        Steps of conjugate gradients, of one product with the Fisher matrix each.
    fisher_share : float
        Share of the batch's episodes from which these products are made, in (0, 1].
    n_halvings : int
        How often a step is halved before it is given up.
    critic_optimizer : Adam or RMSProp
        Which optimiser fits the critic.
    n_critic_epochs : int
        How often the critic learns from a batch, in minibatches of a quarter of its episodes.

    Raises
    ------
    InputError
        A setting is outside its range, or the network does not fit the task or the algorithm.
    """

    network: Apart = Apart()
    returns: GAE = GAE(0.99, 0.3)
    kl_bound: Scheduled = 0.01
    n_products: int = 10
    fisher_share: float = 1.0
    n_halvings: int = 10
    critic_optimizer: Adam | RMSProp = Adam(3e-3)
    n_critic_epochs: int = 4

    def __post_init__(self) -> None:
        if not isinstance(self.network, Apart):
            raise InputError(
                f"network is {type(self.network).__name__}; TRPO fits its critic apart from the actor: network=Apart."
            )
        if self.network.actor.recurrent and not self.network.critic.recurrent:
            raise InputError("The critic's recurrent is false; it must remember what the actor does.")
        super().__post_init__()
        check_signal(self)
        if self.returns.of == "gaps":
            raise InputError("of is 'gaps', which a ratio of policies cannot use; 'reward' or 'regret' is left.")
        check_range("kl_bound", self.kl_bound)
        for name in ("n_products", "n_halvings", "n_critic_epochs"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if not 0 < self.fisher_share <= 1:
            raise InputError(f"fisher_share is {self.fisher_share}; it must be above 0 and at most 1.")

    @property
    def last_discount(self) -> float:
        """Gamma with which training ends, in [0, 1]."""
        return at(self.returns.discount, 1.0)


def train(
    config: Config, run: Path | None = None, *, device: str = "cpu", progress: loop.Progress | None = None
) -> ApartAgent:
    """Train an agent, and go on where an interrupted training in the same folder stopped.

    Arguments and errors are those of `neurometa.training.a2c.train`. The learning curve has ``kl`` of the step taken
    (nats), ``gain``, by how much it bettered what was played, and ``no_step``, 1 where none was found.
    """
    agent = begin(config, device)
    assert isinstance(agent, ApartAgent)
    optimizer = config.critic_optimizer.make(agent.critic.parameters())
    update = functools.partial(_update, config, agent, optimizer)
    loop.train(config, agent, optimizer, update, run, device=device, progress=progress)
    return agent


def _update(config: Config, agent: ApartAgent, optimizer: Optimizer, rng: torch.Generator, share: float) -> Row:
    """Play a batch, step the policy, fit the critic, and return what there is for the learning curve."""
    (played,) = segments(config.task, agent, config.batch_size, rng, gaps=config.returns.of != "reward")
    returns, value = config.returns, torch.where(played.valid, played.value, 0.0)
    reward = torch.where(played.valid, judged_by(returns.of, played.action, played.reward, played.gaps), 0.0)
    advantage = advantages(reward, value, at(returns.discount, share), at(returns.gae_lambda, share))
    row = _step(config, agent, played, normalised(advantage, played.valid), share)
    losses = []
    for _ in range(config.n_critic_epochs):
        order = torch.randperm(config.batch_size, generator=rng, device=rng.device)
        for some in order.chunk(4):
            here = played.of(some)
            found = agent.critic.sequence(here, agent.critic.begin(len(some))).value
            error = mean(0.5 * ((advantage + value)[:, some] - found).square(), here.valid)
            optimizers.step(config.critic_optimizer, optimizer, error, share)
            losses.append(error.detach())
    per_trial = float(played.reward.mean()) * len(config.task.steps)
    return {"reward": per_trial, "value_loss": float(torch.stack(losses).mean())} | row


def _step(config: Config, agent: ApartAgent, played: Segment, advantage: Tensor, share: float) -> Row:
    """Step the policy by the natural gradient, if that betters it within the bound; what there is for the curve."""
    actor, bound = agent.actor, at(config.kl_bound, share)
    weights = [weight for weight in actor.parameters() if weight.requires_grad]
    before = parameters_to_vector(weights).detach()
    n_episodes = played.action.shape[1]
    some = torch.arange(max(1, round(config.fisher_share * n_episodes)), device=played.action.device)
    with torch.backends.cudnn.flags(enabled=False):  # whose recurrent layers can be differentiated only once
        logits = actor.sequence(played, actor.begin(n_episodes)).logits
        gradient = _flat(torch.autograd.grad(_gain(logits, played, advantage), weights))
        curved = played.of(some)
        product = fisher(actor.sequence(curved, actor.begin(len(some))).logits, weights, curved.valid)
        direction = conjugate_gradient(lambda x: product(x) + DAMPING * x, gradient, config.n_products)
        curvature = direction @ product(direction) + DAMPING * direction @ direction
    entropy = mean(-(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1), played.valid).detach()
    row = {"entropy": float(entropy), "gradient_norm": float(gradient.norm())}
    step = (2 * bound / curvature.clamp(min=1e-20)).sqrt() * direction
    with torch.no_grad():
        for _ in range(config.n_halvings + 1):
            vector_to_parameters(before + step, weights)
            logits = actor.sequence(played, actor.begin(n_episodes)).logits
            gain, kl = float(_gain(logits, played, advantage)), float(divergence(played.logits, logits, played.valid))
            if gain > 0 and kl <= bound:
                return row | {"gain": gain, "kl": kl, "no_step": 0.0}
            step = step / 2
        vector_to_parameters(before, weights)
    return row | {"gain": 0.0, "kl": 0.0, "no_step": 1.0}


def _gain(logits: Tensor, played: Segment, advantage: Tensor) -> Tensor:
    """By how much a policy betters the one that played, as far as what was played tells: the mean of ratio x A."""
    log_ratio = torch.log_softmax(logits, -1) - torch.log_softmax(played.logits, -1)
    ratio = log_ratio.gather(-1, played.action[..., None])[..., 0].exp()
    return mean((ratio - 1) * advantage, played.valid)


def divergence(before: Tensor, after: Tensor, valid: Tensor) -> Tensor:
    """Mean KL from one policy to another, of logits (time, episode, option), in nats."""
    log_before, log_after = torch.log_softmax(before, -1), torch.log_softmax(after, -1)
    return mean((log_before.exp() * (log_before - log_after)).sum(-1), valid)


def fisher(logits: Tensor, weights: Sequence[nn.Parameter], valid: Tensor) -> Callable[[Tensor], Tensor]:
    r"""Return what multiplies vectors by the Fisher matrix of a policy, the curvature of the mean KL at KL = 0.

    .. math:: F = \overline{J^\top (\mathrm{diag}(\pi) - \pi \pi^\top) J}

    with J the Jacobian of a step's logits. :math:`J v` is the gradient of :math:`(J^\top u) \cdot v` by u, whose value
    does not matter (reverse mode twice).

    Parameters
    ----------
    logits : Tensor (time, episode, option)
        With their graph, which is kept.
    weights : sequence of Parameter
        All on which they depend.
    valid : Tensor (time, episode), bool
        False on padding.
    """
    u = torch.zeros_like(logits, requires_grad=True)
    backward = _flat(torch.autograd.grad(logits, weights, u, create_graph=True))
    policy, share = torch.softmax(logits, -1).detach(), (valid / valid.sum().clamp(min=1))[..., None]

    def product(vector: Tensor) -> Tensor:
        (along,) = torch.autograd.grad(backward @ vector, u, retain_graph=True)
        along = share * policy * (along - (policy * along).sum(-1, keepdim=True))
        return _flat(torch.autograd.grad(logits, weights, along, retain_graph=True)).detach()

    return product


def conjugate_gradient(product: Callable[[Tensor], Tensor], target: Tensor, n_steps: int) -> Tensor:
    """Solve F x = target for x in `n_steps` steps at most, given products with a positive definite F."""
    x, residual = torch.zeros_like(target), target.clone()
    direction, size = residual, residual @ residual
    for _ in range(n_steps):
        if size <= 1e-12 * (target @ target):
            break
        along = product(direction)
        far = size / (direction @ along)
        x, residual = x + far * direction, residual - far * along
        last, size = size, residual @ residual
        direction = residual + size / last * direction
    return x


def _flat(gradients: Sequence[Tensor]) -> Tensor:
    return torch.cat([x.flatten() for x in gradients])
