"""What an ideal learner of two-armed bandits must remember of its own choices and rewards, and what it concludes."""

from typing import Literal

import numpy as np
import xarray as xr
from scipy.special import betainc, betaln, logit

from neurometa import exact
from neurometa.dataset import n_options, played, require
from neurometa.errors import InputError

When = Literal["before", "after"]
World = Literal["independent", "anticorrelated"]


def counts(trials: xr.Dataset, *, when: When = "before") -> xr.Dataset:
    """Count each arm's wins and losses so far.

    They are all that the past says of arms that keep their reward probabilities.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` (0 or 1) over ``trial`` and any other dims. A trial that was missed (choice -1) or is
        not ``valid`` adds nothing.
    when : {"before", "after"}
        Count up to the choice of each trial, which is all that the state logged at that trial can hold (an agent is
        given the choice and reward of trial t - 1 as the input of trial t, and chooses then), or count that trial
        too.

    Returns
    -------
    Dataset
        ``wins`` and ``losses``, integers >= 0 over ``trial``, ``arm`` and the other dims.

    Raises
    ------
    InputError
        A reward of a choice is neither 0 nor 1, a variable is missing, or `when` is unknown.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> counts(example(n_episodes=3)).wins.isel(trial=0).values.max()
    np.int64(0)
    """
    require(trials, choice=("trial",), reward=("trial",))
    if when not in ("before", "after"):
        raise InputError(f"when is {when!r}; it must be 'before' or 'after' the choice of the trial.")
    made = played(trials)
    odd = made & (trials.reward != 0) & (trials.reward != 1)
    if odd.any():
        came = trials.reward.where(odd).values
        raise InputError(f"A reward is {came[np.isfinite(came)][:1]}; wins and losses need rewards of 0 and 1.")
    arm = xr.DataArray(np.arange(n_options(trials)), dims="arm")
    chosen = made & (trials.choice == arm)
    found = {}
    for name, each in (("wins", chosen & (trials.reward == 1)), ("losses", chosen & (trials.reward == 0))):
        total = each.cumsum("trial")
        found[name] = (total if when == "after" else total - each).transpose(..., "trial", "arm")
        found[name].attrs = {"long_name": f"{name} {'so far' if when == 'before' else 'with this trial'}"}
    return xr.Dataset(found)


def posterior_mean(
    trials: xr.Dataset, *, world: World = "independent", prob: float | None = None, when: When = "before"
) -> xr.DataArray:
    """Compute the reward probability of each arm that an ideal learner expects.

    Parameters
    ----------
    trials : Dataset
        As for `counts`.
    world : {"independent", "anticorrelated"}
        Any number of arms, each with a uniform prior: (wins + 1) / (pulls + 2); or two arms that pay with p and 1 - p.
    prob : float, optional
        For anti-correlated arms, p is `prob` or 1 - `prob` with equal chances; by default uniform on [0, 1].
    when : {"before", "after"}
        As for `counts`.

    Returns
    -------
    DataArray
        In [0, 1], over ``trial``, ``arm`` and the other dims.

    Raises
    ------
    InputError
        As of `counts`; the world is unknown, or has not as many arms as the trials.

    References
    ----------
    Wang et al. 2016, section 3.1: the priors D_i, D_u, D_e, D_m and D_h; see `neurometa.exact`.
    """
    _check_world(world, prob, n_options(trials))
    counted = counts(trials, when=when)
    if world == "independent":
        mean = (counted.wins + 1) / (counted.wins + counted.losses + 2)
    else:
        mean0, mean1 = exact.bandit.anticorrelated(prob).predict(_two(counted))
        mean = counted.wins.astype(float).copy(data=np.stack([mean0, mean1], -1))
    return mean.rename("posterior_mean").assign_attrs(long_name="expected reward probability")


def log_odds(
    trials: xr.Dataset, *, world: World = "independent", prob: float | None = None, when: When = "before"
) -> xr.DataArray:
    r"""Compute the log odds that arm 0 of two is the better one.

    For independent arms with uniform priors P(p1 > p0) is a finite sum of positive terms over the wins of arm 1,
    so that the odds are exact however small:

    .. math:: \sum_{i=0}^{w_1} \frac{B(w_0 + 1 + i, l_0 + l_1 + 2)}{(l_1 + 1 + i)\, B(1 + i, l_1 + 1)\,
        B(w_0 + 1, l_0 + 1)}

    Parameters
    ----------
    trials, world, prob, when
        As for `posterior_mean`, with two arms.

    Returns
    -------
    DataArray
        In nats, over ``trial`` and the other dims.

    Raises
    ------
    InputError
        As of `posterior_mean`; there are not two arms.

    References
    ----------
    Thompson 1933, Biometrika 25, section 3 (the sum).
    """
    if n_options(trials) != 2:
        raise InputError(f"There are {n_options(trials)} arms; the log odds of arm 0 need two.")
    _check_world(world, prob, 2)
    counted = counts(trials, when=when)
    wins0, losses0, wins1, losses1 = two = _two(counted)
    if world == "independent":
        states, place = np.unique(np.stack([x.ravel() for x in two]), axis=1, return_inverse=True)
        w0, l0, w1, l1 = states
        odds = (_log_better(w0, l0, w1, l1) - _log_better(w1, l1, w0, l0))[place.ravel()].reshape(wins0.shape)
    else:
        first, second = wins0 + losses1, wins1 + losses0
        if prob is None:
            odds = np.log(betainc(second + 1, first + 1, 0.5)) - np.log(betainc(first + 1, second + 1, 0.5))
        else:
            odds = abs(logit(prob)) * (first - second)
    result = counted.wins.isel(arm=0, drop=True).astype(float).copy(data=odds)
    return result.rename("log_odds").assign_attrs(long_name="log odds that arm 0 is better", units="nats")


def _log_better(wins0: np.ndarray, losses0: np.ndarray, wins1: np.ndarray, losses1: np.ndarray) -> np.ndarray:
    """Log of P(p0 > p1), of Beta posteriors from uniform priors; arrays (state,)."""
    a0, b0, a1, b1 = wins0 + 1, losses0 + 1, wins1 + 1, losses1 + 1
    total = np.full(wins0.shape, -np.inf)
    for i in range(int(a0.max(initial=0))):
        term = betaln(a1 + i, b0 + b1) - np.log(b0 + i) - betaln(1 + i, b0) - betaln(a1, b1)
        total = np.where(i < a0, np.logaddexp(total, term), total)
    return total


def _two(counted: xr.Dataset) -> exact.bandit.Counts:
    by_arm = (counted[name].isel(arm=arm).values for arm in (0, 1) for name in ("wins", "losses"))
    return exact.bandit.Counts(*by_arm)


def _check_world(world: str, prob: float | None, n_arms: int) -> None:
    if world not in ("independent", "anticorrelated"):
        raise InputError(f"world is {world!r}; it must be 'independent' or 'anticorrelated'.")
    if world == "independent" and prob is not None:
        raise InputError(f"prob is {prob}, but independent arms have a uniform prior; leave it out.")
    if world == "anticorrelated" and n_arms != 2:
        raise InputError(f"There are {n_arms} arms; the anti-correlated prior is for two.")
    if prob is not None and (not 0 < prob < 1 or prob == 0.5):
        raise InputError(f"prob is {prob}; it must lie between 0 and 1, without them and without 0.5.")
