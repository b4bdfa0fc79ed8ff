"""Finding a goal, and finding it again: how long each trial in a maze takes, and what is expected of it."""

import numpy as np
import xarray as xr

from neurometa.behaviour.performance import mean_interval
from neurometa.dataset import require
from neurometa.errors import InputError

AROUND = (-30, 5)  # steps around the moment at which the goal comes into view


def latencies(trials: xr.Dataset, *, level: float = 0.95, n_bootstrap: int = 1000, seed: int = 0) -> xr.Dataset:
    r"""Return how long each trial takes, and how many reach the goal; trials that were broken off are no successes.

    A trial that is broken off would have taken longer than it did. The mean latency is therefore the area under the
    estimated share S of trials that are still going on after t steps (Kaplan & Meier 1958), up to the longest trial:

    .. math:: \bar\ell = \sum_{t < \tau} S(t), \qquad S(t) = \prod_{s \le t} (1 - d_s / n_s)

    with d of n trials ending at a step. Where nothing is broken off before tau, it is the plain mean. A mean over the
    trials that reached the goal would leave out the longest searches.

    Parameters
    ----------
    trials : Dataset
        ``latency``, ``censored`` and ``valid`` over ``episode`` and ``trial``, of which there are two at least.
    level : float
        Coverage of the intervals, in (0, 1).
    n_bootstrap : int
        Samples of whole episodes.
    seed : int
        Fixes them.

    Returns
    -------
    Dataset
        ``latency`` (steps) over ``trial`` from 1, of the trials begun; ``success``, the share of them that reach the
        goal; ``later``, the latency of all trials from the second on, ``ratio``, by which that is of the first, and
        ``improved``, the share of episodes whose second trial reaches the goal in no more steps than the first took.
        Each with its ``_interval`` over ``bound``. ``n`` trials begun, over ``trial``; ``n_episodes``.

    Raises
    ------
    InputError
        A variable or dim is absent, there is no second trial, or the level is outside its range.
    """
    grain = ("episode", "trial")
    require(trials, latency=grain, censored=grain, valid=grain)
    if trials.sizes["trial"] < 2:
        raise InputError("The episodes have one trial each; how latency changes needs a second.")
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must be above 0 and below 1.")
    latency, censored, began = (trials[name].transpose(*grain).values for name in ("latency", "censored", "valid"))
    n_episodes = len(latency)
    drawn = np.random.default_rng(seed).multinomial(n_episodes, np.full(n_episodes, 1 / n_episodes), n_bootstrap)
    weight = np.concatenate([np.ones((1, n_episodes)), drawn])  # the episodes themselves, then the samples of them
    longest = int(latency.max())
    by_trial = [
        _mean_latency(latency[:, [k]], ~censored[:, [k]], began[:, [k]], weight, longest)
        for k in range(latency.shape[1])
    ]
    later = _mean_latency(latency[:, 1:], ~censored[:, 1:], began[:, 1:], weight, longest)
    with np.errstate(invalid="ignore", divide="ignore"):
        success = (weight @ (began & ~censored)) / (weight @ began)
    better = began[:, 1] & ~censored[:, 1] & (latency[:, 1] <= latency[:, 0])
    found = {
        "latency": (("trial",), np.stack(by_trial, 1), "mean latency", "steps"),
        "success": (("trial",), success, "share of trials that reach the goal", ""),
        "later": ((), later, "mean latency from the second trial on", "steps"),
        "ratio": ((), later / by_trial[0], "latency of later trials over that of the first", ""),
        "improved": ((), weight @ better / n_episodes, "share of episodes with no longer second trial", ""),
    }
    result = xr.Dataset(coords={"trial": np.arange(1, latency.shape[1] + 1), "bound": ["lower", "upper"]})
    ends = [(1 - level) / 2, (1 + level) / 2]
    for name, (dims, x, label, units) in found.items():
        about = {"long_name": label} | ({"units": units} if units else {})
        result[name] = (dims, x[0], about)
        known = np.isfinite(x[0])
        between = np.full((*x.shape[1:], 2), np.nan)
        between[known] = np.moveaxis(np.nanquantile(x[1:][:, known] if x.ndim > 1 else x[1:], ends, axis=0), 0, -1)
        result[f"{name}_interval"] = ((*dims, "bound"), between, about)
    result["n"] = ("trial", began.sum(0))
    return result.assign_attrs(n_episodes=n_episodes, level=level, longest=longest)


def _mean_latency(
    latency: np.ndarray, ended: np.ndarray, began: np.ndarray, weight: np.ndarray, longest: int
) -> np.ndarray:
    """Mean of trials (episode, trial) in each sample, by the product-limit estimate; NaN where none began."""
    step = np.arange(1, longest + 1)
    at = np.where(began, latency, 0)[..., None] == step
    ends = (at & ended[..., None]).sum(1).astype(np.float32)  # (episode, step)
    going = at[..., ::-1].cumsum(-1)[..., ::-1].sum(1).astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        hazard = np.nan_to_num((weight @ ends) / (weight @ going))
    staying = np.cumprod(1 - hazard, axis=-1)
    mean = 1 + staying[:, :-1].sum(-1)
    return np.where(weight @ began.any(1) > 0, mean, np.nan)


def value_before_goal(trials: xr.Dataset) -> xr.Dataset:
    """Return what is expected around the step at which the goal first comes into view in a trial.

    Parameters
    ----------
    trials : Dataset
        ``value``, ``goal_seen``, ``trial_index`` and ``valid_time`` over ``episode`` and ``time``.

    Returns
    -------
    Dataset
        ``value``, its mean over trials in which it is known, with ``n``, over ``lag`` (steps from -30 to 5, from the
        first in view) and ``visit`` (``first``, ``later``); ``rise``, the mean over trials of the value at lag -1 minus
        that at lag -15, with ``rise_interval``, the mean of an episode's trials counting once; ``rise_n`` episodes.

    Raises
    ------
    InputError
        A variable or dim is absent.
    """
    grain = ("episode", "time")
    require(trials, value=grain, goal_seen=grain, trial_index=grain, valid_time=grain)
    names = ("value", "goal_seen", "trial_index", "valid_time")
    value, seen, index, valid = (trials[name].transpose(*grain).values for name in names)
    lag = np.arange(AROUND[0], AROUND[1] + 1)
    n_trials = int(index.max()) + 1
    around = np.full((len(value), n_trials, len(lag)), np.nan)
    for episode in range(len(value)):
        for trial in range(n_trials):
            steps = np.flatnonzero((index[episode] == trial) & valid[episode])
            there = np.flatnonzero(seen[episode, steps])
            if len(there):
                at = there[0] + lag
                inside = (at >= 0) & (at < len(steps))
                around[episode, trial, inside] = value[episode, steps[at[inside]]]
    every = xr.DataArray(
        around, {"lag": lag}, ("episode", "trial", "lag"), attrs={"long_name": "value", "units": "reward"}
    )
    found = []
    for part in (slice(0, 1), slice(1, None)):
        own = every.isel(trial=part)
        change = (own.sel(lag=-1) - own.sel(lag=-15)).mean("trial")
        rise = mean_interval(change)
        one = xr.Dataset(
            {"value": own.mean(("episode", "trial"), keep_attrs=True), "n": own.notnull().sum(("episode", "trial"))}
        )
        one["rise"] = rise["mean"].assign_attrs(
            long_name="rise of the value before the goal is in view", units="reward"
        )
        one["rise_interval"] = xr.concat(
            [rise.lower, rise.upper], xr.DataArray(["lower", "upper"], dims="bound", name="bound")
        )
        one["rise_n"] = change.notnull().sum()
        found.append(one)
    together = xr.concat(found, xr.DataArray(["first", "later"], dims="visit", name="visit"))
    together.lag.attrs = {"long_name": "steps from when the goal is in view"}
    return together
