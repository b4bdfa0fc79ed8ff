"""Which model made these choices, and could we have told: information criteria, parameter and model recovery."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.fitting.fit import fit
from neurometa.fitting.simulation import simulate
from neurometa.models import Equations
from neurometa.models.priors import Prior


def aic(fitted: xr.Dataset) -> xr.DataArray:
    """Akaike's information criterion of a fit; the lower, the better the model predicts.

    Parameters
    ----------
    fitted : Dataset
        What `fit` returned.

    Returns
    -------
    DataArray
        ``2 k - 2 log_likelihood`` in nats, k being the number of parameters that were not
        held fixed; NaN where no trial was scored.

    Raises
    ------
    InputError
        `fitted` is no result of `fit`.
    """
    value = 2 * _n_parameters(fitted) - 2 * fitted.log_likelihood
    return value.rename("aic").assign_attrs(long_name="Akaike information criterion", units="nats")


def bic(fitted: xr.Dataset) -> xr.DataArray:
    """Bayesian information criterion of a fit; the lower, the more probable the model.

    Parameters
    ----------
    fitted : Dataset
        What `fit` returned.

    Returns
    -------
    DataArray
        ``k log(n_trials) - 2 log_likelihood`` in nats, k being the number of parameters that
        were not held fixed; NaN where no trial was scored.

    Raises
    ------
    InputError
        `fitted` is no result of `fit`.
    """
    n_parameters = _n_parameters(fitted)
    value = n_parameters * np.log(fitted.n_trials.where(fitted.n_trials > 0)) - 2 * fitted.log_likelihood
    return value.rename("bic").assign_attrs(long_name="Bayesian information criterion", units="nats")


def recover(
    model: Equations,
    reward_prob: xr.DataArray,
    rng: np.random.Generator,
    *,
    dim: str | Sequence[str] = "episode",
    bounds: Mapping[str, tuple[float, float]] | None = None,
    priors: Mapping[str, Prior] | None = None,
) -> xr.Dataset:
    """Simulate a model, fit it to its own choices, and compare: what such data can tell of its parameters.

    Parameters
    ----------
    model : Model
        With its true parameters: numbers, or DataArrays for a grid, over dims of any names but
        those of the parameters, e.g. ``rate`` and ``slope``.
    reward_prob : DataArray
        In [0, 1], as for `simulate`.
    rng : Generator
        Makes the choices and rewards.
    dim : str or sequence of str
        What to average the errors over, e.g. the episodes of each cell of the grid.
    bounds, priors : mapping, optional
        As for `fit`.

    Returns
    -------
    Dataset
        Over ``parameter``: ``truth`` and ``estimate``, over all dims of the simulation; their
        difference's mean ``bias`` with standard error ``bias_se``, and root mean square
        ``rmse``, over the dims but `dim`; ``r``, the correlation over everything (NaN where the
        truth does not vary); ``n``, how many estimates are no NaN, for `bias`.

    Raises
    ------
    InputError
        As `simulate` and `fit`; or there is no dim `dim`.
    """
    dims = [dim] if isinstance(dim, str) else list(dim)
    trials = simulate(model, reward_prob, rng)
    fitted = fit(type(model), trials, bounds=bounds, priors=priors)
    for each in dims:
        if each not in fitted.dims:
            raise InputError(f"There is no dim {each!r} to average over; the simulation has {tuple(fitted.dims)}.")
    names = xr.DataArray(np.array(model.parameters(), dtype=object), dims="parameter", name="parameter")
    bare = fitted.drop_vars(list(fitted.coords))
    like = bare.log_likelihood
    estimate = xr.concat([bare[name] for name in model.parameters()], dim=names, combine_attrs="drop")
    given = (xr.DataArray(getattr(model, name)) for name in model.parameters())
    truth = xr.concat([xr.broadcast(each.drop_vars(list(each.coords)), like)[0] for each in given], dim=names)
    error = estimate - truth
    n = error.notnull().sum(dims)
    everything = [each for each in error.dims if each != "parameter"]
    known = truth.where(error.notnull())
    varies = known.max(everything) > known.min(everything)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = xr.corr(known, estimate, dim=everything).where(varies)
    result = xr.Dataset(
        {
            "truth": truth,
            "estimate": estimate,
            "bias": error.mean(dims),
            "bias_se": (error.var(dims, ddof=0) / (n - 1).where(n > 1)) ** 0.5,
            "rmse": (error**2).mean(dims) ** 0.5,
            "r": r,
            "n": n,
        },
        attrs={"model": type(model).__name__},
    )
    coords = fitted.coords.to_dataset().drop_vars([name for name in fitted.coords if name not in fitted.indexes])
    return result.assign_coords(coords.coords)


def model_recovery(
    models: Sequence[Equations],
    reward_prob: xr.DataArray,
    rng: np.random.Generator,
    *,
    criterion: Literal["aic", "bic"] = "bic",
) -> xr.DataArray:
    """Simulate every model, fit all to each, and count which looks best: the confusion matrix.

    Rows that are not near 1 on the diagonal say that the task or the number of trials cannot
    tell these models apart at these parameters (Wilson & Collins 2019, box 5).

    Parameters
    ----------
    models : sequence of Model
        Of different classes, with the parameters to simulate: numbers, or DataArrays over
        dims of `reward_prob`.
    reward_prob : DataArray
        In [0, 1], as for `simulate`.
    rng : Generator
        Makes the choices and rewards.
    criterion : {"bic", "aic"}
        What decides.

    Returns
    -------
    DataArray
        Proportion in [0, 1] of the episodes of the ``simulated`` model for which the ``fitted``
        one is best, summing to 1 over ``fitted``; equal models share. The coordinate ``n`` is
        the number of episodes of each; those that a model cannot be fitted to (in which one option
        alone was chosen, say) are left out.

    Raises
    ------
    InputError
        Two models are of the same class, or the criterion is unknown; and as `simulate`.
    """
    measure = {"aic": aic, "bic": bic}.get(criterion)
    if measure is None:
        raise InputError(f"criterion is {criterion!r}; allowed are 'aic' and 'bic'.")
    kinds = [type(model) for model in models]
    if len(set(kinds)) < len(kinds) or not kinds:
        raise InputError(f"models are {[kind.__name__ for kind in kinds]}; give one or more, each of its own class.")
    rows, n = [], []
    for model in models:
        trials = simulate(model, reward_prob, rng)
        every = np.stack([measure(fit(kind, trials)).values.reshape(-1) for kind in kinds])
        value = every[:, np.isfinite(every).all(0)]
        best = np.abs(value - value.min(0)) < 1e-6
        n.append(value.shape[1])
        rows.append((best / best.sum(0)).mean(1) if n[-1] else np.full(len(kinds), np.nan))
    names = np.array([kind.__name__ for kind in kinds], dtype=object)
    coords = {"simulated": names, "fitted": names, "n": ("simulated", n)}
    attrs = {"long_name": "proportion of episodes won", "criterion": criterion}
    return xr.DataArray(rows, coords, ("simulated", "fitted"), "proportion", attrs)


def _n_parameters(fitted: xr.Dataset) -> int:
    if "n_parameters" not in fitted.attrs or "log_likelihood" not in fitted or "n_trials" not in fitted:
        raise InputError(
            "This is no result of fit: 'log_likelihood', 'n_trials' or the attribute 'n_parameters' is absent."
        )
    return int(fitted.attrs["n_parameters"])
