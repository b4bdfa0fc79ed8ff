"""The matching law: are options chosen in proportion to the rewards they gave? (Herrnstein 1961; Baum 1974)."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurometa.behaviour.restless import _line
from neurometa.dataset import n_options, played, require, valid
from neurometa.errors import InputError

HELD_OUT = ((0.1, 0.2), (0.3, 0.4))  # base probabilities of Wang et al. 2018 that training left out


def matching(trials: xr.Dataset, *, held_out: Sequence[tuple[float, float]] = HELD_OUT) -> xr.Dataset:
    r"""Regress log ratios of choices on log ratios of rewards, one point per episode.

    .. math:: \log_2 \frac{C_1}{C_0} = s \log_2 \frac{R_1}{R_0} + b

    A slope of 1 is matching, below it undermatching; b is a bias for arm 1. Choices and
    rewards are counted over the last two thirds of the trials of an episode, as in Wang et al.
    2018, Fig 2; a reward below 0, such as the price of an invalid response, counts as none.

    Parameters
    ----------
    trials : Dataset
        ``choice`` between two options and ``reward`` over ``episode`` and ``trial``; where
        ``base_prob`` (episode, trial, arm) is present, episodes are also grouped by it.
    held_out : sequence of (low, high)
        Ranges of arm 0's base probability that make an episode ``"held-out"``, ends included.

    Returns
    -------
    Dataset
        Over ``group`` (``"all"``; with base probabilities also ``"trained"`` and ``"held-out"``)
        and the other dims: ``slope`` and ``slope_se``, ``intercept``, ``r_squared``,
        ``p_value`` (two-sided) and ``n`` episodes of ordinary least squares; ``n_dropped``
        episodes in which a count was 0, so that they have no ratio. The points, over
        ``episode``: ``log_choice_ratio`` and ``log_reward_ratio``, NaN where dropped, and the
        counts ``n_chosen`` and ``earned`` also over ``arm``, and ``member`` over ``group``: which
        episodes it holds. NaN below 3 episodes.

    Raises
    ------
    InputError
        A variable is absent, or there are not two options.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> matching(example()).slope.sizes
    Frozen({'group': 1})
    """
    require(trials, choice=("episode", "trial"), reward=("episode", "trial"))
    if n_options(trials) != 2:
        raise InputError(f"'choice' has {n_options(trials)} options; matching is between 2.")
    shown = valid(trials)
    late = shown & (3 * (shown.cumsum("trial") - 1) >= shown.sum("trial"))
    arm = xr.DataArray([0, 1], dims="arm")
    chosen = (trials.choice == arm) & late & played(trials)
    n_chosen = chosen.sum("trial")
    earned = trials.reward.clip(min=0).where(chosen, 0.0).sum("trial")
    kept = (n_chosen > 0).all("arm") & (earned > 0).all("arm")
    choice_ratio, reward_ratio = (
        np.log2(x.isel(arm=1).where(kept) / x.isel(arm=0).where(kept)) for x in (n_chosen, earned)
    )
    members = _groups(trials, held_out)
    result = _line(choice_ratio.where(members), reward_ratio)
    result["n_dropped"] = (members & ~kept).sum("episode")
    result["log_choice_ratio"] = choice_ratio.assign_attrs(long_name="log2 ratio of choices, arm 1 : arm 0")
    result["log_reward_ratio"] = reward_ratio.assign_attrs(long_name="log2 ratio of rewards, arm 1 : arm 0")
    result["n_chosen"] = n_chosen.assign_attrs(long_name="choices")
    result["earned"] = earned.assign_attrs(long_name="rewards collected", units="reward")
    result["member"] = members.assign_attrs(long_name="episode belongs to the group")
    result.slope.attrs = {"long_name": "matching slope"}
    return result


def _groups(trials: xr.Dataset, held_out: Sequence[tuple[float, float]]) -> xr.DataArray:
    """Which episodes belong to which group, (group, episode, ...)."""
    if "base_prob" not in trials:
        every = xr.ones_like(trials.choice.isel(trial=0), bool).reset_coords(drop=True)
        return every.expand_dims(group=np.array(["all"], dtype=object))
    require(trials, base_prob=("episode", "trial", "arm"))
    base = trials.base_prob.isel(trial=0, arm=0).reset_coords(drop=True)
    unseen = xr.zeros_like(base, bool)
    for low, high in held_out:
        unseen = unseen | ((base >= low) & (base <= high))
    label = xr.DataArray(np.array(["all", "trained", "held-out"], dtype=object), dims="group", name="group")
    return xr.concat([xr.ones_like(unseen), ~unseen, unseen], dim=label)
