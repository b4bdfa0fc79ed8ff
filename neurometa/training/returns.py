"""Discounted returns and advantages: pure functions of rewards and values, time first, and their settings."""

import dataclasses

import torch
from torch import Tensor

from neurometa.errors import InputError
from neurometa.streams import Rng, normal
from neurometa.training.schedules import Scheduled, at, check_range


@dataclasses.dataclass(frozen=True)
class NStep:
    """Returns of the next n steps (Mnih et al. 2016, section 4).

    Parameters
    ----------
    discount : float or Linear
        Gamma, in [0, 1].
    horizon : int or None
        Largest n (t_max); None for the rest of the episode.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    discount: Scheduled = 0.9
    horizon: int | None = None

    def __post_init__(self) -> None:
        check_range("discount", self.discount, 1)
        if self.horizon is not None and self.horizon < 1:
            raise InputError(f"horizon is {self.horizon}; it must be at least 1, or null.")

    def advantage(self, reward: Tensor, value: Tensor, share: float) -> Tensor:
        """What came beyond what was expected (time, episode), when the fraction `share` of the updates is done."""
        return n_step_returns(reward, value, at(self.discount, share), self.horizon) - value


@dataclasses.dataclass(frozen=True)
class GAE:
    """The generalised advantage estimate (Schulman et al. 2016).

    Parameters
    ----------
    discount : float or Linear
        Gamma, in [0, 1].
    gae_lambda : float or Linear
        Lambda, in [0, 1]; 1 gives what `NStep` gives over the rest of the episode.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    discount: Scheduled = 0.9
    gae_lambda: Scheduled = 0.95

    def __post_init__(self) -> None:
        for name in ("discount", "gae_lambda"):
            check_range(name, getattr(self, name), 1)

    def advantage(self, reward: Tensor, value: Tensor, share: float) -> Tensor:
        """What came beyond what was expected (time, episode), when the fraction `share` of the updates is done."""
        return advantages(reward, value, at(self.discount, share), at(self.gae_lambda, share))


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """What is done to the prediction errors by which weights are changed, and to no others (Wang et al. 2018).

    1, 0 and 0 leave them alone.

    Parameters
    ----------
    gain : float
        They are multiplied by this.
    delay : int
        Each teaches the step so many steps later.
    noise_sd : float
        SD of the normal noise that is added, in units of reward.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    gain: float = 1.0
    delay: int = 0
    noise_sd: float = 0.0

    def __post_init__(self) -> None:
        for name in ("gain", "noise_sd"):
            check_range(name, getattr(self, name))
        if self.delay < 0:
            raise InputError(f"delay is {self.delay}; it must be at least 0.")


def n_step_returns(reward: Tensor, value: Tensor, discount: float, horizon: int | None = None) -> Tensor:
    r"""Rewards of the next k steps, and the value of the state they lead to.

    .. math:: R_t = \sum_{i<k} \gamma^i r_{t+i} + \gamma^k V_{t+k}

    with k the steps left in the episode, capped at `horizon`; nothing is worth anything after
    the last step (Wang et al. 2018, Methods; Mnih et al. 2016, section 4).

    Parameters
    ----------
    reward, value : Tensor (time, episode)
        Reward of each step, and the value predicted before it.
    discount : float
        Gamma, in [0, 1].
    horizon : int, optional
        Largest k; by default all steps that are left.

    Returns
    -------
    Tensor (time, episode)
    """
    if horizon is None or horizon >= len(reward):
        return discounted_sum(reward, discount)
    after = torch.cat([value, value.new_zeros(1, *value.shape[1:])])  # V is 0 from the end on
    last = torch.arange(len(reward), device=reward.device)
    returns = discount**horizon * after[(last + horizon).clamp(max=len(reward))]
    for i in range(horizon):
        returns[: len(reward) - i] += discount**i * reward[i:]
    return returns


def advantages(reward: Tensor, value: Tensor, discount: float, gae_lambda: float) -> Tensor:
    r"""Sum of coming prediction errors, each worth gamma lambda of the one before (Schulman et al. 2016, eq. 16).

    .. math:: A_t = \sum_i (\gamma\lambda)^i \delta_{t+i},\quad \delta_t = r_t + \gamma V_{t+1} - V_t

    Parameters
    ----------
    reward, value : Tensor (time, episode)
        Reward of each step, and the value predicted before it; V is 0 after the last step.
    discount, gae_lambda : float
        Gamma and lambda, in [0, 1].

    Returns
    -------
    Tensor (time, episode)
    """
    rpe = reward - value
    rpe[:-1] += discount * value[1:]
    return discounted_sum(rpe, discount * gae_lambda)


def discounted_sum(x: Tensor, discount: float) -> Tensor:
    """Sum x_t + discount x_{t+1} + ... over the first axis."""
    total = x.clone()
    if discount:
        for t in range(len(x) - 2, -1, -1):
            total[t] += discount * total[t + 1]
    return total


def disturbed(
    rpe: Tensor, *, gain: float = 1.0, delay: int = 0, noise_sd: float = 0.0, rng: Rng | None = None
) -> Tensor:
    r"""Weaken, delay or corrupt the prediction errors that change weights (Wang et al. 2018, predictions).

    .. math:: \delta'_t = g\,\delta_{t-d} + \sigma z_t, \qquad z_t \sim N(0, 1)

    with 0 for the first d steps.

    Parameters
    ----------
    rpe : Tensor (time, episode)
        Prediction errors, or advantages, in units of reward.
    gain : float
        g; 0 leaves nothing but noise.
    delay : int
        d, in steps.
    noise_sd : float
        SD of the noise, in units of reward.
    rng : torch.Generator or Streams, optional
        Of the noise; needed where there is any, and not drawn from otherwise.

    Returns
    -------
    Tensor (time, episode)
        `rpe` itself where nothing is asked for.
    """
    if delay:
        rpe = torch.cat([torch.zeros_like(rpe[:delay]), rpe[:-delay]])
    if gain != 1:
        rpe = gain * rpe
    if noise_sd:
        rpe = rpe + noise_sd * normal(rng, *rpe.shape, axis=1)
    return rpe
