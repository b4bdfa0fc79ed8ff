"""What claims are about: of a file of one agent the value of each episode, or one value. One short function each.

Each takes the file's dataset first; its other arguments are those of a record. A value over ``episode`` carries its own
sampling error, so that an interval can be over agents and episodes; a single value can only differ between agents.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from neurometa import behaviour, dataset
from neurometa.behaviour.sessions import arrange
from neurometa.behaviour.stay import CONTRASTS, OUTCOMES, TRANSITIONS, count
from neurometa.errors import InputError
from neurometa.neural import geometry

Labels = Mapping[str, Any]  # a label, or several, of each of some dims


def regret(result: xr.Dataset, *, trials: Sequence[int] | None = None, learner: str | None = None) -> xr.DataArray:
    """Regret of an episode, summed over some trials (first and last, from 1); of a learner of ``regret.nc``."""
    return _within(_lost(result, learner), trials).sum("trial")


def regret_per_trial(result: xr.Dataset, *, trials: Sequence[int] | None = None) -> xr.DataArray:
    """Regret of an episode, as a mean over some trials."""
    return _within(_lost(result, None), trials).mean("trial")


def regret_end(result: xr.Dataset, *, end: Literal["lower", "upper"], trials: Sequence[int]) -> xr.DataArray:
    """One end of the 95 % interval, over the agent's episodes, of the regret summed over some trials."""
    return behaviour.mean_interval(regret(result, trials=trials))[end]


def suboptimal(result: xr.Dataset, *, trials: Sequence[int] | None = None) -> xr.DataArray:
    """Share of some trials on which not the best arm was taken."""
    lost = _lost(result, None)
    return _within((lost > 1e-9).where(lost.notnull()), trials).mean("trial")


def reward(result: xr.Dataset) -> xr.DataArray:
    """Reward of an episode."""
    return result.reward.astype(float).sum("trial")


def reward_per_trial(result: xr.Dataset, *, trials: Sequence[int] | None = None) -> xr.DataArray:
    """Reward of an episode, as a mean over some trials."""
    return _within(result.reward.astype(float), trials).mean("trial")


def right(result: xr.Dataset, *, trials: Sequence[int], answered: bool = False) -> xr.DataArray:
    """Share of some trials on which the rewarded stimulus was taken; not to answer is wrong, or is left out."""
    found = (result.choice == result.side).astype(float)
    return _within(found.where(dataset.played(result)) if answered else found, trials).mean("trial")


def takes(result: xr.Dataset, *, option: int | str, trials: Sequence[int]) -> xr.DataArray:
    """Share of some trials on which an option was taken: a number, or the one that a variable names."""
    wanted = result[option] if isinstance(option, str) else option
    return _within((result.choice == wanted).astype(float), trials).mean("trial")


def risky(result: xr.Dataset, *, risky_prob: float) -> xr.DataArray:
    """Share of free choices that took the risky arm, where it paid with some probability."""
    free = dataset.played(result) & ~result.forced.astype(bool) & (result.risky_prob == risky_prob)
    return result.risky.astype(float).where(free).mean("trial")


def stay(result: xr.Dataset, *, of: str = "stay_probability", at: Labels | None = None) -> xr.DataArray:
    """A stay probability, or a contrast of all four, as of `behaviour.stay_probability`, in each episode's share of it.

    A probability is a ratio of sums over episodes, n stays of N pairs; to first order an episode adds to it
    R + (n - R N) / mean(N), whose mean is R and whose spread over episodes gives its standard error.
    """
    n_pairs, n_stays = (each[0].astype(float) for each in count(arrange(result, by=None, transitions=True)))
    with np.errstate(invalid="ignore"):
        whole = n_stays.sum(0) / n_pairs.sum(0)
        each = whole + (n_stays - whole * n_pairs) / n_pairs.mean(0)
    if of in CONTRASTS:
        return xr.DataArray((each * CONTRASTS[of]).sum((-1, -2)), dims="episode")
    coords = {"previous_outcome": list(OUTCOMES), "previous_transition": list(TRANSITIONS)}
    return xr.DataArray(each, coords, ("episode", *coords)).sel(at)


def end_point_order(result: xr.Dataset) -> xr.DataArray:
    """Absolute Spearman correlation of the last hidden state's first principal component with arm 0's probability."""
    dataset.require(result, hidden=("episode", "trial", "step", "unit"), reward_prob=("episode", "trial", "arm"))
    first = geometry.principal_components(result.hidden.isel(trial=-1, step=-1), n_components=1).score[0]
    return abs(geometry.rank_order(first, result.reward_prob.isel(trial=-1, arm=0)))


def readout(
    result: xr.Dataset, *, target: str, of: str, trials: Sequence[int], unless: str, played: Callable[[], xr.Dataset]
) -> xr.DataArray:
    """Share of some trials on which a decoder of 0 and 1 is right about a variable, save where another one is true."""
    told, rollout = result.prediction.sel(target=target).round(), played()
    known = (told == rollout[of]).where(told.notnull() & ~rollout[unless].astype(bool))
    return _within(known, trials).mean("trial")


def rate_with_volatility(
    result: xr.Dataset, *, trials: Sequence[int], played: Callable[[], xr.Dataset], given: str | None = None
) -> xr.DataArray:
    """Within each episode, correlation of the effective learning rate with the ideal observer's volatility.

    With `given`, what a polynomial of degree 4 of that variable explains over all trials is taken out of both first.
    """
    rate, believed = (_within(x, trials) for x in (result.learning_rate, behaviour.walk_volatility(played())))
    rate, believed = xr.broadcast(rate, believed.transpose(*rate.dims))
    known = rate.notnull() & believed.notnull()
    both = [np.where(known, each.values, np.nan) for each in (rate, believed)]
    if given is not None:
        at = _within(result[given], trials).transpose(*rate.dims).values[known.values]
        powers = np.vander((at - at.mean()) / at.std(), 5)
        for each in both:
            own = each[known.values]
            each[known.values] = own - powers @ np.linalg.lstsq(powers, own, rcond=None)[0]
    first, second = (xr.DataArray(each, dims=rate.dims) for each in both)
    return xr.corr(first, second, "trial")


def rate_with_drift(result: xr.Dataset, *, trials: Sequence[int], played: Callable[[], xr.Dataset]) -> xr.DataArray:
    """Rank correlation, over episodes, of the mean effective learning rate of some trials with the drift's SD."""
    mean = _within(result.learning_rate, trials).mean("trial")
    return geometry.rank_order(mean, played().drift_sd.isel(trial=0))


def attractor(result: xr.Dataset, *, inputs: Sequence[str]) -> xr.DataArray:
    """Readout where the state stays under some inputs: the mean of the stable points."""
    there = result.stable.astype(bool) & result.input.isin(list(inputs))
    return result.readout.where(there).mean("point")


def value(result: xr.Dataset, *, of: str, at: Labels | None = None) -> xr.DataArray:
    """One number of a result, at labels of its dims; the mean where several remain."""
    return result[of].sel(at).astype(float).mean()


def least(result: xr.Dataset, *, of: str, at: Labels | None = None) -> xr.DataArray:
    """The least of several numbers of a result; NaN if one of them is."""
    return result[of].sel(at).astype(float).min(skipna=False)


def most(result: xr.Dataset, *, of: str, at: Labels | None = None) -> xr.DataArray:
    """The largest of several numbers of a result; NaN if one of them is."""
    return result[of].sel(at).astype(float).max(skipna=False)


def coding(result: xr.Dataset, *, factor: str) -> xr.DataArray:
    """How strongly units code a factor: the mean size of their partial rank correlations."""
    return abs(result.spearman.sel(factor=factor)).mean()


def coded(result: xr.Dataset, *, factor: str, beyond: float) -> xr.DataArray:
    """Share of units whose partial rank correlation with a factor is of some size."""
    found = result.spearman.sel(factor=factor)
    return (abs(found) > beyond).where(found.notnull()).mean()


MEASURES: dict[str, Callable[..., xr.DataArray]] = {
    each.__name__: each
    for each in (
        *(regret, regret_per_trial, regret_end, suboptimal, reward, reward_per_trial, right, takes, risky, stay),
        *(end_point_order, readout, value, least, most, coding, coded),
        *(rate_with_volatility, rate_with_drift, attractor),
    )
}
SHARES = ("suboptimal", "right", "takes", "risky", "stay", "readout", "coded")


def _lost(result: xr.Dataset, learner: str | None) -> xr.DataArray:
    return behaviour.regret(result) if learner is None else result.regret.sel(learner=learner)


def _within(x: xr.DataArray, trials: Sequence[int] | None) -> xr.DataArray:
    """Trials from the first to the last named, counted from 1; or all."""
    if trials is None:
        return x
    first, last = trials
    if last > x.sizes["trial"]:
        raise InputError(f"an episode has {x.sizes['trial']} trials, and {last} are asked for")
    return x.isel(trial=slice(first - 1, last))
