"""Discounted returns and advantages: pure functions of rewards and values, time first, and their settings."""

import dataclasses

import torch
from torch import Tensor

from neurometa.errors import InputError, nearest
from neurometa.streams import Rng, normal
from neurometa.training import kernels
from neurometa.training.schedules import Scheduled, check_range

SIGNALS = ("reward", "regret", "gaps")


@dataclasses.dataclass(frozen=True)
class NStep:
    """Returns of the next n steps (Mnih et al. 2016, section 4).

    Parameters
    ----------
    discount : float or Linear
        Gamma, in [0, 1].
    horizon : int or None
        Largest n (t_max); None for the rest of the episode.
    of : {"reward", "regret", "gaps"}
        What is summed: see `check_of`.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    discount: Scheduled = 0.9
    horizon: int | None = None
    of: str = "reward"

    def __post_init__(self) -> None:
        check_of(self.of)
        check_range("discount", self.discount, 1)
        if self.horizon is not None and self.horizon < 1:
            raise InputError(f"horizon is {self.horizon}; it must be at least 1, or null.")


@dataclasses.dataclass(frozen=True)
class GAE:
    """The generalised advantage estimate (Schulman et al. 2016).

    Parameters
    ----------
    discount : float or Linear
        Gamma, in [0, 1].
    gae_lambda : float or Linear
        Lambda, in [0, 1]; 1 gives what `NStep` gives over the rest of the episode.
    of : {"reward", "regret", "gaps"}
        What is summed: see `check_of`.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    discount: Scheduled = 0.9
    gae_lambda: Scheduled = 0.95
    of: str = "reward"

    def __post_init__(self) -> None:
        check_of(self.of)
        for name in ("discount", "gae_lambda"):
            check_range(name, getattr(self, name), 1)


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


def check_of(of: str) -> None:
    """Raise unless `of` names what an action can be judged from.

    ``"reward"`` is what was paid. The others are told by the simulator (`Task.gaps`), and no animal could learn from
    them: ``"regret"`` is by how much the action was worth less than the best, and ``"gaps"`` that of every action, so
    that what an action itself loses need not be sampled, only what follows from it. With a discount of 1 the objective
    is that of reward, with much less noise; with less it is another. A critic then learns expected regret, which is
    negative.

    Raises
    ------
    InputError
        It is none of these.
    """
    if of not in SIGNALS:
        raise InputError(f"of is {of!r}; allowed are {list(SIGNALS)}.{nearest(str(of), list(SIGNALS))}")


def judged_by(of: str, action: Tensor, reward: Tensor, gaps: Tensor | None) -> Tensor:
    """From what actions are judged: `reward`, or their own gaps where `of` is not ``"reward"``; (time, episode)."""
    if of == "reward":
        return reward
    assert gaps is not None
    return gaps.gather(-1, action[..., None])[..., 0]


def n_step_returns(reward: Tensor, value: Tensor, discount: float | Tensor, horizon: int | None = None) -> Tensor:
    r"""Rewards of the next k steps, and the value of the state they lead to.

    .. math:: R_t = \sum_{i<k} \gamma^i r_{t+i} + \gamma^k V_{t+k}

    with k the steps left in the episode, capped at `horizon`; nothing is worth anything after
    the last step (Wang et al. 2018, Methods; Mnih et al. 2016, section 4).

    Parameters
    ----------
    reward, value : Tensor (time, episode)
        Reward of each step, and the value predicted before it.
    discount : float or Tensor (episode,)
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


def advantages(reward: Tensor, value: Tensor, discount: float | Tensor, gae_lambda: float | Tensor) -> Tensor:
    r"""Sum of coming prediction errors, each worth gamma lambda of the one before (Schulman et al. 2016, eq. 16).

    .. math:: A_t = \sum_i (\gamma\lambda)^i \delta_{t+i},\quad \delta_t = r_t + \gamma V_{t+1} - V_t

    Parameters
    ----------
    reward, value : Tensor (time, episode)
        Reward of each step, and the value predicted before it; V is 0 after the last step.
    discount, gae_lambda : float or Tensor (episode,)
        Gamma and lambda, in [0, 1].

    Returns
    -------
    Tensor (time, episode)
    """
    rpe = reward - value
    rpe[:-1] += discount * value[1:]
    return discounted_sum(rpe, discount * gae_lambda)


def discounted_sum(x: Tensor, discount: float | Tensor) -> Tensor:
    """Sum x_t + discount x_{t+1} + ... over the first axis."""
    total = x.clone()
    if x.device.type == "cpu" and x.dtype == torch.float32 and x.ndim == 2:  # a step of the loop takes 10 us
        worth = discount if torch.is_tensor(discount) else torch.tensor(discount, dtype=torch.float32)
        kernels.discounted(total.numpy(), worth.expand(x.shape[1:]).contiguous().numpy())
    elif torch.is_tensor(discount) or discount:
        for t in range(len(x) - 2, -1, -1):
            total[t] += discount * total[t + 1]
    return total


def disturbed(
    rpe: Tensor,
    *,
    gain: float | Tensor = 1.0,
    delay: int = 0,
    noise_sd: float | Tensor = 0.0,
    rng: Rng | None = None,
) -> Tensor:
    r"""Weaken, delay or corrupt the prediction errors that change weights (Wang et al. 2018, predictions).

    .. math:: \delta'_t = g\,\delta_{t-d} + \sigma z_t, \qquad z_t \sim N(0, 1)

    with 0 for the first d steps.

    Parameters
    ----------
    rpe : Tensor (time, episode)
        Prediction errors, or advantages, in units of reward.
    gain : float or Tensor (episode,)
        g; 0 leaves nothing but noise.
    delay : int
        d, in steps.
    noise_sd : float or Tensor (episode,)
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
    if torch.is_tensor(gain) or gain != 1:
        rpe = gain * rpe
    if torch.is_tensor(noise_sd) or noise_sd:
        assert rng is not None
        rpe = rpe + noise_sd * normal(rng, *rpe.shape, axis=1)
    return rpe
