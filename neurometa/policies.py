r"""What actions are drawn from: a softmax over options, or a normal distribution along each axis of an action.

An agent answers with the parameters of its policy, in one tensor: logits (..., option), or, where a task asks for a
continuous action over `n_axes` axes, the mean of each axis and then the log of its SD, (..., 2 * n_axes). Actions are
whole numbers (...), or numbers (..., axis); what they are says which of the two a policy is.
"""

import math

import torch
from torch import Tensor

from neurometa.streams import Rng, normal, uniform


def draw(policy: Tensor, rng: Rng, n_axes: int = 0) -> Tensor:
    """Draw an action for each episode: (episode,) int64 by inverting the softmax, or (episode, axis).

    Parameters
    ----------
    policy : Tensor (episode, option) or (episode, 2 * n_axes)
    rng : torch.Generator or Streams
        One number is drawn per episode, or one per axis.
    n_axes : int
        Axes of a continuous action; 0 for a choice.
    """
    if n_axes:
        mean, log_sd = policy.split(n_axes, -1)
        return mean + log_sd.exp() * normal(rng, *mean.shape)
    luck = uniform(rng, len(policy))
    if policy.shape[-1] == 2:  # the commonest case, three times as quick
        return (luck < torch.sigmoid(policy[:, 1] - policy[:, 0])).long()
    reached = torch.softmax(policy, -1).cumsum(-1)
    reached = reached / reached[:, -1:]  # rounding leaves the sum off 1, and -inf at the end would be drawn
    return (reached[:, :-1] <= luck[:, None]).sum(-1)


def log_prob(policy: Tensor, action: Tensor) -> Tensor:
    """Log-probability of actions in nats, or log-density of continuous ones, without their last axis."""
    if not action.is_floating_point():
        return torch.log_softmax(policy, -1).gather(-1, action[..., None])[..., 0]
    mean, log_sd = policy.split(action.shape[-1], -1)
    return (-0.5 * ((action - mean) / log_sd.exp()).square() - log_sd - 0.5 * math.log(2 * math.pi)).sum(-1)


def entropy(policy: Tensor, n_axes: int = 0) -> Tensor:
    """Entropy of a policy in nats, of a continuous action the differential one; (...)."""
    if n_axes:
        return (policy[..., n_axes:] + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)
    log_policy = torch.log_softmax(policy, -1)
    return -(log_policy.exp() * log_policy).sum(-1)


def divergence(before: Tensor, now: Tensor, n_axes: int = 0) -> Tensor:
    """Kullback-Leibler divergence, the mean of log (before / now) under `before`, in nats; (...)."""
    if n_axes:
        mean, log_sd = before.split(n_axes, -1)
        other, other_log_sd = now.split(n_axes, -1)
        scaled = ((2 * log_sd).exp() + (mean - other).square()) / (2 * (2 * other_log_sd).exp())
        return (other_log_sd - log_sd + scaled - 0.5).sum(-1)
    known, new = torch.log_softmax(before, -1), torch.log_softmax(now, -1)
    return (known.exp() * (known - new)).sum(-1)
