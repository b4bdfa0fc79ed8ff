r"""Trust region policy optimisation (Schulman et al. 2015) with a recurrent critic, as Duan et al. (2016) trained RL².

A step goes along the natural gradient of the policy, as far as the mean KL between the policy that played and the new
one allows: `training.natural`.
"""

import dataclasses
import functools
from pathlib import Path

import torch
from torch import Tensor
from torch.optim import Optimizer

from neurometa import policies
from neurometa.agents import Apart, Segment
from neurometa.agents.apart import ApartAgent
from neurometa.errors import InputError
from neurometa.rollout import segments
from neurometa.training import loop, optimizers
from neurometa.training.config import Training, begin, build, check_signal
from neurometa.training.curve import Row
from neurometa.training.losses import mean, normalised
from neurometa.training.natural import fisher, natural_step
from neurometa.training.optimizers import Adam, RMSProp
from neurometa.training.returns import GAE, advantages, judged_by
from neurometa.training.schedules import Scheduled, at, check_range

__all__ = ["Config", "build", "train"]


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
    actor = agent.actor
    weights = [weight for weight in actor.parameters() if weight.requires_grad]
    n_episodes = played.action.shape[1]
    some = torch.arange(max(1, round(config.fisher_share * n_episodes)), device=played.action.device)

    def tried() -> tuple[Tensor, Tensor]:
        logits = actor.sequence(played, actor.begin(n_episodes)).logits
        return _gain(logits, played, advantage), mean(policies.divergence(played.logits, logits), played.valid)

    with torch.backends.cudnn.flags(enabled=False):  # whose recurrent layers can be differentiated only once
        logits = actor.sequence(played, actor.begin(n_episodes)).logits
        curved = played.of(some)
        row = natural_step(
            weights,
            _gain(logits, played, advantage),
            fisher(actor.sequence(curved, actor.begin(len(some))).logits, weights, curved.valid),
            tried,
            bound=at(config.kl_bound, share),
            n_products=config.n_products,
            n_halvings=config.n_halvings,
        )
    return {"entropy": float(mean(policies.entropy(logits), played.valid).detach())} | row


def _gain(logits: Tensor, played: Segment, advantage: Tensor) -> Tensor:
    """By how much a policy betters the one that played, as far as what was played tells: the mean of ratio x A."""
    log_ratio = torch.log_softmax(logits, -1) - torch.log_softmax(played.logits, -1)
    ratio = log_ratio.gather(-1, played.action[..., None])[..., 0].exp()
    return mean((ratio - 1) * advantage, played.valid)
