"""Where a network's state goes: principal components, trajectories in them, and what orders their end points."""

import numpy as np
import xarray as xr

from neurometa.dataset import require
from neurometa.errors import InputError


def principal_components(activity: xr.DataArray, *, n_components: int = 2) -> xr.Dataset:
    """Project activity on the directions in which it varies most.

    Parameters
    ----------
    activity : DataArray
        E.g. ``hidden``, over ``unit`` and any other dims, over which it is centred and its covariance taken
        together. One network's: units of two networks are no common axes.
    n_components : int
        How many directions, 1 to the number of units.

    Returns
    -------
    Dataset
        ``score`` (``component`` and the other dims), in the units of the activity; ``loading`` (``component``,
        ``unit``), of length 1, its largest entry positive; ``variance_explained`` (``component``), a share in
        [0, 1]; ``centre`` (``unit``), that `project` subtracts too. ``component`` counts from 1.

    Raises
    ------
    InputError
        There is no dim ``unit`` or too many components are asked for; a value is NaN or infinite, or none varies.

    References
    ----------
    Wang, Kurth-Nelson et al. 2018, Fig 1e,f.
    """
    require(activity.to_dataset(name="activity"), activity=("unit",))
    if "agent" in activity.dims:
        raise InputError(
            "The activity is of several agents, whose units are no common axes; choose one, e.g. isel(agent=0)."
        )
    n_units = activity.sizes["unit"]
    if not 1 <= n_components <= n_units:
        raise InputError(f"n_components is {n_components}; it must lie between 1 and {n_units}, the number of units.")
    states = activity.transpose(..., "unit").values.reshape(-1, n_units).astype(float)
    if not np.isfinite(states).all():
        raise InputError("The activity holds NaN or infinite values; leave padded trials out.")
    centre = states.mean(0)
    variance, direction = np.linalg.eigh((states - centre).T @ (states - centre) / len(states))
    if variance.sum() <= 0:
        raise InputError("The activity does not vary, so that it has no principal component.")
    loading = direction.T[::-1][:n_components]
    largest = np.take_along_axis(loading, np.abs(loading).argmax(1)[:, None], 1)
    basis = xr.Dataset(
        {
            "loading": (("component", "unit"), loading * np.sign(largest)),
            "variance_explained": ("component", variance[::-1][:n_components].clip(0) / variance.sum()),
            "centre": ("unit", centre),
        },
        coords={"component": np.arange(1, n_components + 1)},
    )
    return basis.assign(score=project(activity, basis))


def project(activity: xr.DataArray, basis: xr.Dataset) -> xr.DataArray:
    """Project further activity of the same network on components that are known.

    Parameters
    ----------
    activity : DataArray
        Over ``unit`` and any other dims.
    basis : Dataset
        What `principal_components` returned.

    Returns
    -------
    DataArray
        ``score`` over ``component`` and the other dims.

    Raises
    ------
    InputError
        The activity has another number of units.
    """
    if activity.sizes.get("unit") != basis.sizes["unit"]:
        raise InputError(f"The activity spans {dict(activity.sizes)}, the components {basis.sizes['unit']} units.")
    activity = activity.drop_vars("unit", errors="ignore")
    score = xr.dot(basis.loading, activity, dim="unit") - xr.dot(basis.loading, basis.centre, dim="unit")
    return score.rename("score").assign_attrs(long_name="score on a principal component")


def rank_order(position: xr.DataArray, parameter: xr.DataArray) -> xr.DataArray:
    """Spearman correlation of positions with a parameter of the world, over all episodes.

    Parameters
    ----------
    position, parameter : DataArray
        One value per ``episode``, e.g. the first score at the last trial, and the probability of arm 0.

    Returns
    -------
    DataArray
        The coefficient, in [-1, 1]; NaN where one of the two does not vary.

    Raises
    ------
    InputError
        One of the two spans another dim than ``episode``.
    """
    for name, x in (("position", position), ("parameter", parameter)):
        if x.dims != ("episode",):
            raise InputError(f"{name} spans {x.dims}; it must span ('episode',) alone.")
    if (position == position[0]).all() or (parameter == parameter[0]).all():
        return xr.DataArray(np.nan)
    from scipy.stats import spearmanr

    return xr.DataArray(spearmanr(position.values, parameter.values).statistic)
