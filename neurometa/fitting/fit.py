"""One door to all fits: the parameters of a learning model that make an agent's or animal's choices most probable."""

import math
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Literal

import numpy as np
import xarray as xr
from scipy import special

from neurometa import evidence
from neurometa.errors import InputError, nearest
from neurometa.fitting.from_starts import fit_from_starts
from neurometa.fitting.hierarchical import fit_group
from neurometa.fitting.initial import started
from neurometa.fitting.latents import playable, with_coords
from neurometa.fitting.likelihood import Choices
from neurometa.fitting.members import by_member
from neurometa.fitting.profile import interval, standard_errors, unidentified
from neurometa.fitting.scan import Problem, maximise
from neurometa.models import Equations, Model, Observer, Softmax, TwoStepModel
from neurometa.models.priors import Prior

LEVEL = 0.95  # of the intervals, if no other is asked for


def fit(
    model: type[Equations],
    trials: xr.Dataset,
    *,
    pool: str | Sequence[str] = (),
    window: int | None = None,
    start: float | Sequence[float] | Literal["fitted"] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    intervals: bool | float = False,
    priors: Mapping[str, Prior] | None = None,
    group: str | None = None,
    n_draws: int = 0,
    n_starts: int = 10,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Fit a learning model to choices by maximum likelihood, with priors, or as members of a group.

    A single local optimiser can miss the optimum, in up to a third of episodes, as learning rate 0 and
    inverse temperature 0 are stationary. For models of few rates the rates are scanned, every
    local maximum is refined, and the weights are the best ones at each: the result is the
    global optimum. With priors, and for the models of `models.FITTED_FROM_STARTS`, a climber
    begins at many points, and ``n_reached`` says how many led to the best. With `group`, the spread
    of the parameters over its members is estimated with them (empirical Bayes). The same call fits
    agents, animals and people.

    Parameters
    ----------
    model : Model, Observer or TwoStepModel class
        E.g. ``models.RescorlaWagner``; its ``start`` are the values before the first trial.
    trials : Dataset
        ``choice`` (int, -1 where none was made) and ``reward`` over ``trial`` and any other
        dims; for a two-step model also ``second_state``, and ``second_choice`` and
        ``left_option`` if the task has them; for `models.Behrens` ``magnitude`` if arms show what they
        pay. A missed trial neither scores nor teaches, nor does
        one at which ``valid``, if there is one, is False.
    pool : str or sequence of str
        Dims whose members share one set of parameters; values start anew in each. By
        default every episode has its own.
    window : int, optional
        Count only this many consecutive trials, and slide on by one: values still evolve from
        trial 1 (Behrens et al. 2007; Wang et al. 2018, simulation 2).
    start : float, sequence of float, or "fitted", optional
        What every arm is worth before the first trial (for a model without values: its first feature), in
        units of reward: one number, one for each arm, or a parameter more, ``initial_value``, within
        [0, 1] or the range of the rewards. By default the model's own, which is .5 for values, or 0
        with a warning where rewards leave [0, 1].
    bounds : mapping of str to (float, float), optional
        Lowest and highest value of a parameter, instead of the model's own; equal ones hold
        it fixed.
    intervals : bool or float
        Add profile-likelihood intervals at level .95, or at the level given in (0, 1). Where a
        profile has several peaks the interval reaches over all that count. Not with starts.
    priors : mapping of str to Prior, optional
        Of any of the parameters, e.g. ``models.priors.KOOL``, the others being uniform; the
        result is then the maximum of the posterior density.
    group : str, optional
        A dim whose members share a group distribution, e.g. ``"subject"``; or a coordinate of
        a dim, such as the subject of every session: its sessions then share its parameters. Each
        member's estimate is drawn towards the others', the more so the less its trials say;
        see `neurometa.fitting.hierarchical.fit_group` for the result.
    n_draws : int
        With `group`, also return so many draws of each member's posterior.
    n_starts : int
        How many points the climber begins at, each the best of 5 draws.
    seed : int
        Fixes the draws.
    progress : callable, optional
        With `group`, is told how much of the search is done, and of how much.

    Returns
    -------
    Dataset
        With `group`, see `neurometa.fitting.hierarchical.fit_group`. Else over the dims that are
        left (and ``trial``, the last of each window):

        - each parameter, within its bounds; NaN where the likelihood does not depend on it,
          as on the learning rate if the best inverse temperature is 0;
        - ``<parameter>_se``, its standard error from the observed information, in the same
          units; NaN where the parameter is on a bound, fixed or NaN, or the information is
          singular. The others' are then those with that parameter held;
        - ``<parameter>_interval`` over ``bound`` (lower, upper), if asked for;
        - ``log_likelihood`` (nats, summed over trials) and ``n_trials`` (how many it sums);
        - ``converged``: whether there is one best set of parameters; False where any is NaN,
          and where no trial was scored, in which case ``log_likelihood`` is NaN too;
        - ``at_bound``: whether any free parameter is on its bound;
        - ``reason``: what the trials leave open (parameters that are NaN, or that only their prior
          tells); an empty text if nothing;
        - with starts also ``log_posterior`` (nats: log-likelihood plus the log-densities of the
          priors) and ``n_reached`` (how many starts ended within .001 nats of the best). Standard
          errors are then those of the posterior.

    Raises
    ------
    InputError
        The trials break the contract or the model does not allow them, or an argument is
        wrong.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> from neurometa.models import RescorlaWagner
    >>> fitted = fit(RescorlaWagner, example(n_episodes=20))
    >>> fitted.learning_rate.dims
    ('episode',)
    """
    if not (isinstance(model, type) and issubclass(model, Equations)):
        raise InputError(f"model is {model!r}; give a class of neurometa.models, e.g. RescorlaWagner.")
    evidence.question(trials)
    _tell_short_form(model, trials)
    model, begins = started(model, trials, start)
    unshown = model.unshown if issubclass(model, Observer) and "magnitude" not in trials else {}
    lowest, highest = check_bounds(model, {name: (x, x) for name, x in unshown.items()} | begins | dict(bounds or {}))
    if group is not None:
        if priors is not None or window is not None:
            what = "priors" if priors is not None else "window"
            raise InputError(
                f"{what} is not for fits of a group, whose prior is the group itself; leave out one of them."
            )
        members, pool = by_member(model, trials, group, (pool,) if isinstance(pool, str) else tuple(pool))
        pool = check_pool(members.choice, pool)
        return fit_group(
            model,
            members,
            group,
            pool,
            lowest,
            highest,
            level=_level(intervals) or LEVEL,
            n_draws=n_draws,
            seed=seed,
            progress=progress,
        )
    if n_draws:
        raise InputError("n_draws is only for fits of a group; give group, e.g. group='subject'.")
    if priors or not (issubclass(model, Softmax) and model.scanned):
        if window is not None or intervals:
            what = "window" if window is not None else "intervals"
            raise InputError(f"{what} is only for models without priors that are scanned, of models.MODELS.")
        allowed = trials.choice if "choice" in trials else xr.DataArray(0)
        fitted = fit_from_starts(model, trials, check_pool(allowed, pool), lowest, highest, priors, n_starts, seed)
        fitted.attrs |= {"start": model.written_start()} if issubclass(model, Model) else {}
        return with_coords(fitted, trials.drop_dims("trial"))
    ordered = (*model.rates(), *model.weights)
    low, high = (np.array([each[name] for name in ordered], float) for each in (lowest, highest))
    played, _ = playable(model, trials)
    pool, level = check_pool(played.choice, pool), _level(intervals)
    n_trials = played.sizes["trial"]
    if window is not None and (isinstance(window, bool) or not 1 <= window <= n_trials):
        raise InputError(f"window is {window}; allowed are 1 ... {n_trials}, the trials of an episode.")
    dims = [dim for dim in played.choice.dims if dim not in ("trial", *pool)]
    arrays = [played[name].transpose("trial", *dims, *pool).values for name in ("choice", "reward")]
    if clash := sorted({"bound", "arm", *model.parameters()} & set(dims)):
        raise InputError(f"The choices span a dim {clash[0]!r}, a name that the result needs; rename that dim.")
    sizes, n_members = [played.sizes[dim] for dim in dims], math.prod(played.sizes[dim] for dim in pool)
    choice, reward = (each.reshape(n_trials, math.prod(sizes), n_members) for each in arrays)
    n_options = played.choice.attrs["n_options"]
    shown = [played[name].transpose("arm", "trial", *dims, *pool).values for name in model.told]
    told = [each.reshape(n_options, n_trials, math.prod(sizes), n_members) for each in shown]

    stops = [n_trials] if window is None else range(window, n_trials + 1)
    fits = []
    for stop in stops:
        first = 0 if window is None else stop - window
        choices = Choices(choice[:stop], reward[:stop], n_options, first, tuple(each[:, :stop] for each in told))
        fits.append(_fit_columns(model, choices, low, high, level))
    shape = [*sizes, len(stops)]
    stacked = {name: np.stack([each[name] for each in fits], axis=-1) for name in fits[0]}
    grain = [*dims, "trial"]
    result = xr.Dataset(
        {
            name: (["bound", *grain], each.reshape(2, *shape)) if each.ndim == 3 else (grain, each.reshape(shape))
            for name, each in stacked.items()
        }
    )
    if window is None:
        result = result.isel(trial=0)
    else:
        result = result.assign_coords(trial=np.arange(window - 1, n_trials))
        if "trial" in trials.indexes:
            result = result.assign_coords(trial=trials.trial.values[window - 1 :])
    result = with_coords(result, trials.drop_dims("trial")).transpose(..., "bound", missing_dims="ignore")
    return _describe(model, result, low, high, level, pool, window)


def _tell_short_form(model: type[Equations], trials: xr.Dataset) -> None:
    """Warn where a two-step model will see the first choices alone, though second ones seem to be there."""
    unread = evidence.unread_second_choice(trials) if issubclass(model, TwoStepModel) else None
    if unread is not None:
        warnings.warn(
            f"The trials have no variable 'second_choice', so the fit is of first-stage choices alone; {unread!r} may "
            "hold the second ones: import it with second_choice=... (--second-choice), or assign it as "
            "'second_choice', 0 or 1 and -1 for none.",
            stacklevel=3,
        )


def _fit_columns(
    model: type[Softmax], choices: Choices, low: np.ndarray, high: np.ndarray, level: float | None
) -> dict[str, np.ndarray]:
    """Fit every column that scores a trial; arrays (column,) by name, and (bound, column) for intervals."""
    names, n_scored = (*model.rates(), *model.weights), choices.n_scored
    some = np.flatnonzero(n_scored > 0)
    n_columns, n = len(n_scored), len(names)
    lower, upper = (np.repeat(bound[:, None], some.size, axis=1) for bound in (low, high))
    parameters, errors = np.full((n, n_columns), np.nan), np.full((n, n_columns), np.nan)
    ends, value = np.full((n, 2, n_columns), np.nan), np.full(n_columns, np.nan)
    on_bound = np.zeros((n, n_columns), bool)
    if some.size:
        problem = Problem(model, choices.take(some), lower, upper)
        best = maximise(problem)
        flat, held = unidentified(problem, best), lower == upper
        bound = ((best.parameters == lower) | (best.parameters == upper)) & ~held & ~flat
        parameters[:, some], value[some] = np.where(flat, np.nan, best.parameters), best.value
        errors[:, some], on_bound[:, some] = standard_errors(best, ~(bound | held | flat)), bound
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
    unknown = np.isnan(parameters)
    converged = ~unknown.any(0)
    reasons = [_why(names, choices.choice[choices.first :, i], unknown[:, i]) for i in range(n_columns)]
    return result | {
        "log_likelihood": value,
        "n_trials": n_scored,
        "converged": converged,
        "at_bound": on_bound.any(0),
        "reason": np.array(reasons, dtype=object),
    }


def _why(names: Sequence[str], choice: np.ndarray, unknown: np.ndarray) -> str:
    """One line on what the choices that score leave open, empty if nothing."""
    chosen = np.unique(choice[choice >= 0])
    if not chosen.size:
        return "no trial was scored"
    parts = ["only one option was ever chosen"] if chosen.size == 1 else []
    if unknown.any():
        which = ", ".join(name for name, one in zip(names, unknown, strict=True) if one)
        parts.append(f"the likelihood does not depend on {which}")
    return "; ".join(parts)


def _describe(
    model: type[Softmax],
    result: xr.Dataset,
    low: np.ndarray,
    high: np.ndarray,
    level: float | None,
    pool: Sequence[Hashable],
    window: int | None,
) -> xr.Dataset:
    """Say what every variable is, and how the fit was made."""
    learned = dict(zip(model.weights, model.features, strict=False))  # the features after these only teach
    for name, lowest, highest in zip((*model.rates(), *model.weights), low, high, strict=True):
        text = name.replace("_", " ")
        units = {"units": "1/reward"} if learned.get(name) == "value" else {}
        result[name].attrs = {"long_name": text, **units, "lowest": float(lowest), "highest": float(highest)}
        result[f"{name}_se"].attrs = {"long_name": f"standard error of the {text}", **units}
        if level is not None:
            kind = "profile-likelihood interval"
            result[f"{name}_interval"].attrs = {"long_name": f"{kind} of the {text}", **units, "level": level}
    if level is not None:
        result = result.assign_coords(bound=np.array(["lower", "upper"], dtype=object))
    result.log_likelihood.attrs = {"long_name": "log-likelihood", "units": "nats"}
    result.n_trials.attrs = {"long_name": "scored trials"}
    result.converged.attrs = {"long_name": "one best set of parameters was found"}
    result.at_bound.attrs = {"long_name": "a parameter is on its bound"}
    result.reason.attrs = {"long_name": "what the trials leave open"}
    result.attrs = {
        "model": model.__name__,
        "n_parameters": int((low < high).sum()),
    }
    result.attrs |= {"start": model.written_start()} if issubclass(model, Model) else {}
    result.attrs |= ({"pool": ", ".join(map(str, pool))} if pool else {}) | ({"window": window} if window else {})
    return result


def check_bounds(
    model: type[Equations], given: Mapping[str, tuple[float, float]]
) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest value of each parameter by name."""
    allowed = model.parameters()
    for name, pair in given.items():
        if name not in allowed:
            close = nearest(str(name), list(allowed))
            raise InputError(f"bounds names {name!r}; {model.__name__} has {', '.join(allowed)}.{close}")
        if np.shape(pair) != (2,) or not np.isfinite(pair).all() or pair[0] > pair[1]:
            raise InputError(f"The bounds of {name} are {pair!r}; give the lowest and the highest value, both finite.")
    both = {**model.bounds, **given}
    return {name: float(pair[0]) for name, pair in both.items()}, {name: float(pair[1]) for name, pair in both.items()}


def check_pool(choice: xr.DataArray, pool: str | Sequence[str]) -> tuple[str, ...]:
    """Dims to pool over, all of which the choices must have."""
    pool = (pool,) if isinstance(pool, str) else tuple(pool)
    allowed = [str(dim) for dim in choice.dims if dim != "trial"]
    for dim in pool:
        if dim not in allowed:
            raise InputError(f"pool names the dim {dim!r}; the choices can be pooled over {allowed}.")
    return pool


def _level(intervals: bool | float) -> float | None:
    if isinstance(intervals, bool):
        return LEVEL if intervals else None
    if not 0 < intervals < 1:
        raise InputError(f"intervals is {intervals}; give True, or a level between 0 and 1, e.g. 0.95.")
    return float(intervals)
