"""Fits of models whose rates are scanned: from trials to columns of choices, and from their maxima to a result."""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import xarray as xr
from scipy import special

from neurometa.errors import InputError
from neurometa.fitting.from_starts import check_priors
from neurometa.fitting.latents import check_pool, playable, with_coords
from neurometa.fitting.likelihood import Choices
from neurometa.fitting.profile import interval, standard_errors, unidentified
from neurometa.fitting.scan import Problem, maximise
from neurometa.models import Model, Softmax
from neurometa.models.priors import Prior, Uniform

MOST = 20_000_000  # choices of windows that are held at once


def fit_scanned(
    model: type[Softmax],
    trials: xr.Dataset,
    pool: str | Sequence[str],
    bounds: tuple[Mapping[str, float], Mapping[str, float]],
    *,
    level: float | None,
    window: int | None,
    priors: Mapping[str, Prior] | None,
) -> xr.Dataset:
    """Fit every column of trials, as told by `neurometa.behaviour.fit`.

    Raises
    ------
    InputError
        As `fit`.
    """
    names = (*model.rates(), *model.weights)
    low, high = (np.array([each[name] for name in names], float) for each in bounds)
    given = check_priors(model, priors)
    played, _ = playable(model, trials)
    pool = check_pool(played.choice, pool)
    n_trials = played.sizes["trial"]
    if window is not None and (isinstance(window, bool) or not 1 <= window <= n_trials):
        raise InputError(f"window is {window}; allowed are 1 ... {n_trials}, the trials of an episode.")
    dims = [dim for dim in played.choice.dims if dim not in ("trial", *pool)]
    if clash := sorted({"bound", "arm", *model.parameters()} & set(dims)):
        raise InputError(f"The choices span a dim {clash[0]!r}, a name that the result needs; rename that dim.")
    choices, sizes = columns(model, played, dims, pool), [played.sizes[dim] for dim in dims]
    densities = [given.get(name, Uniform()) for name in names] if given else []
    parts = [
        _fit_columns(model, each, low, high, level, densities)
        for each in ([choices] if window is None else slid(choices, window))
    ]
    n_stops = 1 if window is None else n_trials - window + 1
    found = {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}
    grain, shape = ["trial", *dims], [n_stops, *sizes]
    result = xr.Dataset(
        {
            name: (["bound", *grain], each.reshape(2, *shape)) if each.ndim == 2 else (grain, each.reshape(shape))
            for name, each in found.items()
        }
    )
    if window is None:
        result = result.isel(trial=0)
    else:
        labels = trials.trial.values if "trial" in trials.indexes else np.arange(n_trials)
        result = result.assign_coords(trial=labels[window - 1 :])
    result = with_coords(result, trials.drop_dims("trial"))
    result = result.transpose(*dims, "trial", "bound", missing_dims="ignore")
    return _describe(model, result, (low, high), level, pool, window, priors)


def columns(model: type[Softmax], played: xr.Dataset, dims: Sequence[Hashable], pool: Sequence[str]) -> Choices:
    """Choices with a column for each element of `dims`, whose members are those of `pool`."""
    n_trials, n_options = played.sizes["trial"], played.choice.attrs["n_options"]
    n_columns, n_members = (math.prod(played.sizes[dim] for dim in each) for each in (dims, pool))
    shape = (n_trials, n_columns, n_members)
    order = ("trial", *dims, *pool)
    choice, reward = (played[name].transpose(*order).values.reshape(shape) for name in ("choice", "reward"))
    shown = [played[name].transpose("arm", *order).values for name in model.told]
    arms = None
    if "arms" in played:
        like = played.choice.isel(trial=0, drop=True)
        arms = played.arms.broadcast_like(like).transpose(*dims, *pool).values.reshape(n_columns, n_members)
    return Choices(choice, reward, n_options, told=tuple(each.reshape(n_options, *shape) for each in shown), arms=arms)


def slid(choices: Choices, window: int) -> list[Choices]:
    """Choices of which only a window scores, some windows at once: the columns are (window, column)."""
    n_trials, n_columns = choices.choice.shape[:2]
    first = np.arange(n_trials - window + 1)
    at_once = max(1, MOST // max(1, choices.choice.size))
    found = []
    for some in np.array_split(first, math.ceil(len(first) / at_once)):
        many = choices.take(np.tile(np.arange(n_columns), len(some)))
        start = np.repeat(some, n_columns)
        found.append(many._replace(first=start, stop=start + window))
    return found


def _fit_columns(
    model: type[Softmax],
    choices: Choices,
    low: np.ndarray,
    high: np.ndarray,
    level: float | None,
    priors: Sequence[Prior],
) -> dict[str, np.ndarray]:
    """Fit every column that scores a trial; arrays (column,) by name, and (bound, column) for intervals."""
    names, n_scored = (*model.rates(), *model.weights), choices.n_scored
    some = np.flatnonzero(n_scored > 0)
    n_columns, n = len(n_scored), len(names)
    lower, upper = (np.repeat(bound[:, None], some.size, axis=1) for bound in (low, high))
    parameters, errors = np.full((n, n_columns), np.nan), np.full((n, n_columns), np.nan)
    ends, value, density = np.full((n, 2, n_columns), np.nan), *np.full((2, n_columns), np.nan)
    on_bound, flat = np.zeros((n, n_columns), bool), np.zeros((n, n_columns), bool)
    told = np.array([not isinstance(prior, Uniform) for prior in priors] or [False] * n)[:, None]
    if some.size:
        problem = Problem(model, choices.take(some), lower, upper, priors)
        best = maximise(problem, every_top=level is not None)
        open_ = unidentified(problem, best)
        flat[:, some], held = open_, lower == upper
        lost = open_ & ~told
        bound = ((best.parameters == lower) | (best.parameters == upper)) & ~held & ~lost
        parameters[:, some], density[some] = np.where(lost, np.nan, best.parameters), best.value
        value[some] = best.value - problem.log_prior(best.parameters)[0]
        error = standard_errors(best, ~(bound | held | lost))
        errors[:, some] = np.where(error <= upper - lower, error, np.nan)  # a wider one says nothing but rounding
        on_bound[:, some] = bound
        if level is not None:
            drop = special.gammaincinv(0.5, level)  # half the quantile of chi-squared with 1 degree of freedom
            for k in range(n):
                ends[k][:, some] = interval(problem, best, k, drop)
    result: dict[str, np.ndarray] = {}
    for name in model.parameters():
        k = names.index(name)
        result |= {name: parameters[k], f"{name}_se": errors[k]}
        if level is not None:
            result[f"{name}_interval"] = ends[k]
    result |= {"log_likelihood": value} | ({"log_posterior": density} if priors else {})
    unknown, scored = np.isnan(parameters), np.where(choices.scores, choices.choice, -1)
    reasons = [_why(names, scored[:, i], unknown[:, i], (flat & told)[:, i], bool(priors)) for i in range(n_columns)]
    return result | {
        "n_trials": n_scored,
        "converged": ~unknown.any(0),
        "at_bound": on_bound.any(0),
        "reason": np.array(reasons, dtype=object),
    }


def _why(names: Sequence[str], choice: np.ndarray, unknown: np.ndarray, decided: np.ndarray, priors: bool) -> str:
    """One line on what the choices that score leave open, empty if nothing."""
    chosen = np.unique(choice[choice >= 0])
    if not chosen.size:
        return "no trial was scored"
    parts = []
    if chosen.size == 1:
        parts.append("only one option was ever chosen" + (": the priors decide" if priors else ""))
    for which, text in ((unknown, "the likelihood does not depend on"), (decided, "only its prior tells")):
        if which.any():
            parts.append(f"{text} {', '.join(name for name, one in zip(names, which, strict=True) if one)}")
    return "; ".join(parts)


def _describe(
    model: type[Softmax],
    result: xr.Dataset,
    bounds: tuple[np.ndarray, np.ndarray],
    level: float | None,
    pool: Sequence[Hashable],
    window: int | None,
    priors: Mapping[str, Prior] | None,
) -> xr.Dataset:
    """Say what every variable is, and how the fit was made."""
    learned = dict(zip(model.weights, model.features, strict=False))  # the features after these only teach
    for name, lowest, highest in zip((*model.rates(), *model.weights), *bounds, strict=True):
        text = name.replace("_", " ")
        units = {"units": "1/reward"} if learned.get(name) == "value" else {}
        result[name].attrs = {"long_name": text, **units, "lowest": float(lowest), "highest": float(highest)}
        result[name].attrs |= {"prior": repr(priors.get(name, Uniform()))} if priors else {}
        result[f"{name}_se"].attrs = {"long_name": f"standard error of the {text}", **units}
        if level is not None:
            kind = "profile-likelihood interval"
            result[f"{name}_interval"].attrs = {"long_name": f"{kind} of the {text}", **units, "level": level}
    if level is not None:
        result = result.assign_coords(bound=np.array(["lower", "upper"], dtype=object))
    if priors:
        result.log_posterior.attrs = {"long_name": "log-likelihood plus log-prior", "units": "nats"}
    result.log_likelihood.attrs = {"long_name": "log-likelihood", "units": "nats"}
    result.n_trials.attrs = {"long_name": "scored trials"}
    result.converged.attrs = {"long_name": "one best set of parameters was found"}
    result.at_bound.attrs = {"long_name": "a parameter is on its bound"}
    result.reason.attrs = {"long_name": "what the trials leave open"}
    result.attrs = {"model": model.__name__, "n_parameters": int((bounds[0] < bounds[1]).sum())}
    result.attrs |= {"method": "MAP" if priors else "maximum likelihood"}
    result.attrs |= {"start": model.written_start()} if issubclass(model, Model) else {}
    return result.assign_attrs(
        ({"pool": ", ".join(map(str, pool))} if pool else {}) | ({"window": window} if window else {})
    )
