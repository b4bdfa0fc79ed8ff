"""Does the learning rate follow the volatility of the world? The regression of Wang et al. 2016, Fig 4c."""

import itertools
from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy import special

from neurometa.dataset import require, task_settings
from neurometa.errors import InputError
from neurometa.exact.restless import BANDS


def follow_volatility(fitted: xr.Dataset, trials: xr.Dataset) -> xr.Dataset:
    """Regress the learning rates fitted to a run's episodes on the volatility that each had.

    Parameters
    ----------
    fitted : Dataset
        ``learning_rate`` over ``episode``, of `fit`.
    trials : Dataset
        The run: ``drift_sd`` over ``episode`` and ``trial``; whether its task means by volatility the drift's SD or
        its variance is read from ``attrs["task"]``, SD where it does not say.

    Returns
    -------
    Dataset
        As of `volatility_regression`, and ``volatility`` over ``episode``, in 1/trial.

    Raises
    ------
    InputError
        A variable is absent.
    """
    require(trials, drift_sd=("episode", "trial"))
    require(fitted, learning_rate=("episode",))
    drift = trials.drift_sd.isel(trial=0).astype(float).reset_coords(drop=True)
    reading = task_settings(trials).get("drift", "sd")
    volatility = (drift if reading == "sd" else drift**2).rename("volatility")
    volatility.attrs = {"long_name": "volatility of the episode", "units": "1/trial"}
    return volatility_regression(fitted.learning_rate, volatility).assign(volatility=volatility)


def volatility_regression(
    estimate: xr.DataArray, volatility: xr.DataArray, *, bands: Mapping[str, tuple[float, float]] = BANDS
) -> xr.Dataset:
    """Regress fitted learning rates on volatility, and compare their means between bands of it.

    An agent that infers how fast its world changes learns faster where it changes faster,
    also at volatilities it never met in training (Wang et al. 2016, experiment 4).

    Parameters
    ----------
    estimate : DataArray
        Fitted learning rates over ``episode`` and any other dims; NaN is left out and counted.
    volatility : DataArray
        Volatility of each ``episode``.
    bands : mapping of str to (float, float)
        Lowest and highest volatility of each band, from low to high; both ends belong to
        it, and an episode on an end that two bands share belongs to the outer one of them, or
        the lower of two outer ones.

    Returns
    -------
    Dataset
        Over the other dims of `estimate`:

        - ordinary least squares: ``slope`` and ``slope_se`` (estimate per volatility),
          ``intercept``, ``r_squared``, ``p_value`` (two-sided) and ``n``; ``n_dropped`` NaNs;
        - over ``band``: ``band_mean``, ``band_se``, ``band_n``, and ``band_r_squared`` and
          ``band_p_value`` of the regression within the band;
        - over ``comparison``, of each band with the next one up: ``difference`` of their means,
          Welch's ``t`` and its two-sided ``difference_p_value``.

        NaN where there are too few episodes (3 for a line, 2 for a mean's error) or where
        volatility does not vary.

    Raises
    ------
    InputError
        A dim ``episode`` is missing, sizes differ, volatility is not finite, or a band is
        upside down.
    """
    for name, each in (("estimate", estimate), ("volatility", volatility)):
        if "episode" not in each.dims:
            raise InputError(f"{name} spans {each.dims}; it must span 'episode'.")
    if estimate.sizes["episode"] != volatility.sizes["episode"]:
        sizes = estimate.sizes["episode"], volatility.sizes["episode"]
        raise InputError(f"estimate has {sizes[0]} episodes and volatility {sizes[1]}; they must be the same.")
    if not np.isfinite(volatility).all():
        raise InputError("volatility must be finite for every episode.")
    for name, (low, high) in bands.items():
        if not low < high:
            raise InputError(f"The band {name!r} is {(low, high)}; its lowest volatility must come first.")
    estimate, volatility = (each.reset_coords(drop=True).drop_vars(each.indexes) for each in (estimate, volatility))
    line = _line(estimate, volatility)
    members = _members(volatility, bands)
    within = _line(estimate.where(members), volatility)
    mean, n = estimate.where(members).mean("episode"), within.n
    squares = ((estimate.where(members) - mean) ** 2).sum("episode")
    variance = squares / (n - 1).where(n > 1) / n.where(n > 0)  # of the mean
    banded = {"mean": mean, "se": variance**0.5, "n": n, "r_squared": within.r_squared, "p_value": within.p_value}
    result = line.assign({f"band_{name}": each for name, each in banded.items()})
    result = result.merge(_welch(mean, variance, n, list(bands)))
    result["n_dropped"] = estimate.isnull().sum("episode")
    result.band_mean.attrs = {"long_name": "mean learning rate"}
    result.slope.attrs = {"long_name": "learning rate per volatility"}
    return result


def _members(volatility: xr.DataArray, bands: Mapping[str, tuple[float, float]]) -> xr.DataArray:
    """Which episodes belong to which band, each to one at most: outer bands take the shared ends."""
    order = sorted(range(len(bands)), key=lambda i: (min(i, len(bands) - 1 - i), i))
    taken, members = xr.zeros_like(volatility, bool), {}
    names = list(bands)
    for i in order:
        low, high = bands[names[i]]
        members[i] = (volatility >= low) & (volatility <= high) & ~taken
        taken = taken | members[i]
    label = xr.DataArray(np.array(names, dtype=object), dims="band", name="band")
    return xr.concat([members[i] for i in range(len(names))], dim=label)


def _line(y: xr.DataArray, x: xr.DataArray) -> xr.Dataset:
    """Ordinary least squares of `y` on `x` over ``episode``, without the NaN of `y`."""
    x = x.where(y.notnull())
    n = y.notnull().sum("episode")
    from_x, from_y = x - x.mean("episode"), y - y.mean("episode")
    xx, xy, yy = ((a * b).sum("episode") for a, b in ((from_x, from_x), (from_x, from_y), (from_y, from_y)))
    enough = (n >= 3) & (x.max("episode") > x.min("episode"))
    slope = (xy / xx.where(enough)).where(enough)
    residual = (yy - slope * xy).clip(min=0)
    slope_se = (residual / (n - 2).where(enough) / xx.where(enough)) ** 0.5
    t = slope / slope_se.where(slope_se > 0)
    p_value = xr.where(slope_se > 0, _two_sided(t, n - 2), xr.where(slope == 0, 1.0, 0.0)).where(enough)
    r_squared = (slope * xy / yy.where(yy > 0)).where(enough)
    intercept = y.mean("episode") - slope * x.mean("episode")
    parts = {"slope": slope, "slope_se": slope_se, "intercept": intercept, "r_squared": r_squared, "p_value": p_value}
    return xr.Dataset(parts | {"n": n})


def _welch(mean: xr.DataArray, variance: xr.DataArray, n: xr.DataArray, names: list[str]) -> xr.Dataset:
    """Welch's t-test of every band against the one below it."""
    lower, upper = slice(None, -1), slice(1, None)
    label = np.array([f"{b} - {a}" for a, b in itertools.pairwise(names)], dtype=object)

    def side(x: xr.DataArray, which: slice) -> xr.DataArray:
        return x.isel(band=which).drop_vars("band").rename(band="comparison").assign_coords(comparison=label)

    difference = side(mean, upper) - side(mean, lower)
    a, b = side(variance, upper), side(variance, lower)
    freedom = (a + b) ** 2 / (a**2 / (side(n, upper) - 1) + b**2 / (side(n, lower) - 1)).where(a + b > 0)
    t = difference / (a + b).where(a + b > 0) ** 0.5
    return xr.Dataset({"difference": difference, "t": t, "difference_p_value": _two_sided(t, freedom)})


def _two_sided(t: xr.DataArray, freedom: xr.DataArray) -> xr.DataArray:
    return xr.apply_ufunc(lambda t, freedom: 2 * special.stdtr(np.maximum(freedom, 1e-9), -np.abs(t)), t, freedom)
