"""What an actor-critic minimises, term by term: pure functions of what was played, time first."""

from typing import NamedTuple

import torch
from torch import Tensor

from neurometa.streams import Rng
from neurometa.training.returns import advantages, disturbed, n_step_returns

Number = float | Tensor  # the same for all episodes, or (episode,)


class Weights(NamedTuple):
    """What weighs how much in the loss at one moment of training.

    Attributes
    ----------
    discount : float or Tensor (episode,)
        Gamma, in [0, 1].
    value, entropy : float or Tensor (episode,)
        Beta_v and beta_e.
    gae_lambda : float or Tensor (episode,) or None
        Lambda of the generalised advantage estimate; None for n-step returns.
    horizon : int or None
        Cap on n of the n-step returns.
    rpe_gain, rpe_delay, rpe_noise : float or Tensor (episode,), int, float or Tensor (episode,)
        Of `returns.disturbed`.
    """

    discount: Number
    value: Number
    entropy: Number
    gae_lambda: Number | None = None
    horizon: int | None = None
    rpe_gain: Number = 1.0
    rpe_delay: int = 0
    rpe_noise: Number = 0.0


def actor_critic(
    logits: Tensor,
    value: Tensor,
    action: Tensor,
    reward: Tensor,
    weights: Weights,
    rng: Rng | None = None,
    valid: Tensor | None = None,
    gaps: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    r"""Policy, value and entropy terms of every step.

    .. math:: L = -A \log\pi(a) + \tfrac{\beta_v}{2} (R - V)^2 - \beta_e H(\pi)

    (Wang et al. 2018, Methods; the papers do not say whether they sum or average.)

    Where it is known what every action loses at once, g, that part of the policy term is exact:

    .. math:: -\sum_b g_b \pi(b) - \Bigl(A - g_a + \sum_b g_b \pi(b)\Bigr) \log\pi(a)

    with no gradient through the brackets.

    Parameters
    ----------
    logits : Tensor (time, episode, option)
    value, action, reward : Tensor (time, episode)
    weights : Weights
    rng : torch.Generator or Streams, optional
        Of the noise on the prediction errors A; nothing is drawn where there is none.
    valid : Tensor (time, episode), bool, optional
        False on padding, which pays nothing, is worth nothing, and gives a loss and terms of 0; see `mean`.
    gaps : Tensor (time, episode, option), optional
        g, of which `reward` holds those of the actions taken.

    Returns
    -------
    loss : Tensor (time, episode)
        What to minimise the mean of.
    terms : dict of Tensor (time, episode)
        ``policy_loss``, ``value_loss`` and ``entropy`` (nats), without their weights.
    """
    if valid is not None:
        value, reward = torch.where(valid, value, 0.0), torch.where(valid, reward, 0.0)
    known = value.detach()
    if weights.gae_lambda is None:
        advantage = n_step_returns(reward, known, weights.discount, weights.horizon) - known
    else:
        advantage = advantages(reward, known, weights.discount, weights.gae_lambda)
    gain, noise_sd = weights.rpe_gain, weights.rpe_noise
    advantage = disturbed(advantage, gain=gain, delay=weights.rpe_delay, noise_sd=noise_sd, rng=rng)
    log_policy = torch.log_softmax(logits.movedim(-1, 0).contiguous(), 0)  # three times as quick as over the last axis
    if gaps is None:
        policy_loss = -advantage * log_policy.gather(0, action[None])[0]
    else:
        at_once = (log_policy.exp() * gaps.movedim(-1, 0)).sum(0)
        policy_loss = -at_once - (advantage - reward + at_once.detach()) * log_policy.gather(0, action[None])[0]
    value_loss = 0.5 * (advantage + known - value).square()
    entropy = -(log_policy.exp() * log_policy).sum(0)
    loss = policy_loss + weights.value * value_loss - weights.entropy * entropy
    terms = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
    if valid is not None:
        loss, terms = torch.where(valid, loss, 0.0), {name: torch.where(valid, x, 0.0) for name, x in terms.items()}
    return loss, {name: x.detach() for name, x in terms.items()}


def mean(x: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean over steps and episodes, (time, episode), into which no padding enters."""
    return x.mean() if valid is None else torch.where(valid, x, 0.0).sum() / valid.sum().clamp(min=1)


def normalised(advantage: Tensor, valid: Tensor | None = None) -> Tensor:
    """Advantages with a mean of 0 and an SD of 1 over what is no padding, which stays 0; (time, episode)."""
    centred = advantage - mean(advantage, valid)
    scaled = centred / (mean(centred.square(), valid).sqrt() + 1e-8)
    return scaled if valid is None else torch.where(valid, scaled, 0.0)
