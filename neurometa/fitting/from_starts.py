"""Fits by many starts, by maximum likelihood or with priors: what each column of trials says of a model."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits

from neurometa.errors import InputError, nearest
from neurometa.fitting import latent_state, latents, likelihood, scan, two_step, two_step_score
from neurometa.fitting.multistart import (
    Peak,
    Propose,
    Score,
    Slope,
    Target,
    climb,
    open_parameters,
    peaks,
    standard_errors,
)
from neurometa.models import Equations, LatentState, Softmax, TwoStepModel
from neurometa.models.priors import Prior, Uniform

N_ANGLES = {1: 17, 2: 9, 3: 5}  # of each rate that are scanned for where to begin, by how many are free


class Column(NamedTuple):
    """Trials that share one set of parameters: how they score it, and how many there are.

    `chance` is the log-likelihood of choices at random. `note` says what is unusual of them, empty if nothing, and
    `mute` that they tell of no parameter by themselves. Their `slope` is None where it is to be found by differences,
    and `propose` where nothing is known of where to begin; the parameters named in `log_odds` are climbed in these.
    """

    score: Score
    n_trials: int
    chance: float
    note: str = ""
    mute: bool = False
    slope: Slope | None = None
    propose: Propose | None = None
    log_odds: tuple[str, ...] = ()


def fit_from_starts(
    model: type[Equations],
    trials: xr.Dataset,
    pool: Sequence[str],
    lower: Mapping[str, float],
    upper: Mapping[str, float],
    priors: Mapping[str, Prior] | None,
    n_starts: int,
    seed: int,
) -> xr.Dataset:
    """Fit every column of trials, as told by `neurometa.behaviour.fit`; its dims are those that are not pooled.

    Raises
    ------
    InputError
        As `fit`.
    """
    if isinstance(n_starts, bool) or n_starts < 1:
        raise InputError(f"n_starts is {n_starts}; it must be 1 or more.")
    names = model.parameters()
    given = check_priors(model, priors)
    low, high = (np.array([each[name] for name in names], float) for each in (lower, upper))
    columns, like, absent = columns_of(model, trials, pool, lower, upper)
    held = np.array([name in absent for name in names])
    low, high = np.where(held, np.clip(1.0, low, high), low), np.where(held, np.clip(1.0, low, high), high)
    rows, densities = [], [given.get(name, Uniform()) for name in names]
    with threadpool_limits(
        1
    ):  # the climber's matrices are tiny, and threads that wait for work cost 100 times the work
        for column in columns:
            curved = np.array([name in column.log_odds for name in names]) if column.log_odds else None
            target = Target(column.score, low, high, densities, column.slope, column.propose, curved)
            rng = np.random.default_rng(seed)  # the same for all: nobody's fit depends on who else there is
            rows.append(_fit_column(target, column, names, absent, given, n_starts, rng))
    result = xr.Dataset(
        {name: (like.dims, np.reshape([row[name] for row in rows], like.shape)) for name in rows[0]} if rows else {}
    )
    result["reason"] = result.reason.astype(object)
    free = (low < high) & ~held
    return _describe(model, result, low, high, given if priors is not None else None).assign_attrs(
        n_parameters=int(free.sum()), n_starts=n_starts, seed=seed, method="MAP" if priors else "maximum likelihood"
    )


def columns_of(
    model: type[Equations],
    trials: xr.Dataset,
    pool: Sequence[str],
    lower: Mapping[str, float],
    upper: Mapping[str, float],
) -> tuple[list[Column], xr.DataArray, tuple[str, ...]]:
    """Every column of trials, ready to be scored.

    Parameters
    ----------
    model, trials, pool
        As for `fit`.
    lower, upper : mapping of str to float
        Bounds of each parameter.

    Returns
    -------
    columns : list of Column
        In the order of the elements of `like`.
    like : DataArray
        Over the dims that are left.
    absent : tuple of str
        Parameters that such trials do not have.

    Raises
    ------
    InputError
        The trials break the contract, or the model does not allow them.
    """
    if issubclass(model, TwoStepModel):
        response, names = "response_stickiness", model.parameters()
        sided = response in names and (lower[response], upper[response]) != (0, 0)
        played = two_step.playable(model, trials, sided=sided)
        columns, like = _two_step_columns(model, played, pool)
        second = "inverse_temperature_second"  # without a second choice nothing tells its slope
        return columns, like, (second,) if second in names and not played.attrs["branched"] else ()
    if issubclass(model, Softmax):
        return *_arm_columns(model, latents.playable(model, trials)[0], pool), ()
    raise InputError(f"There is no fit of {model.__name__}.")


def _fit_column(
    target: Target,
    column: Column,
    names: tuple[str, ...],
    absent: tuple[str, ...],
    given: Mapping[str, Prior],
    n_starts: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Numbers of one column by name; NaN with a ``reason`` where its trials cannot tell."""
    n = len(names)
    estimate, errors = np.full(n, np.nan), np.full(n, np.nan)
    reason, peak, at_bound = "no trial was played", None, False
    if column.n_trials:
        peak = climb(target, n_starts, rng)
        flat = open_parameters(target, peak)
        prior = np.array([name in given and not isinstance(given[name], Uniform) for name in names])
        bound = target.free & ((peak.parameters == target.lower) | (peak.parameters == target.upper))
        errors, confounded = standard_errors(target, peak, target.free & ~bound & ~(flat & ~prior))
        lost = (flat & ~prior) | confounded | (column.mute and not given)
        estimate = np.where(lost, np.nan, peak.parameters)
        errors = np.where(lost, np.nan, errors)
        at_bound = bool((bound & ~lost).any())
        note = f"{column.note}: the priors decide" if column.note and given else column.note
        left = "" if column.mute and not given else _why(names, flat, prior, confounded)
        reason = "; ".join(filter(None, (note, left)))
    estimate = np.where([name in absent for name in names], np.nan, estimate)
    row: dict[str, Any] = {}
    for k, name in enumerate(names):
        row |= {name: estimate[k], f"{name}_se": errors[k]}
    found = Peak(estimate, np.nan, np.nan, 0) if peak is None else peak
    expected = np.array([name not in absent for name in names])
    return row | {
        "log_likelihood": found.log_likelihood,
        "log_posterior": found.log_likelihood + found.log_prior,
        "n_trials": column.n_trials,
        "n_reached": found.reached,
        "converged": column.n_trials > 0 and not np.isnan(estimate[expected]).any(),
        "at_bound": at_bound,
        "reason": reason,
    }


def _why(names: tuple[str, ...], flat: np.ndarray, prior: np.ndarray, confounded: np.ndarray) -> str:
    """One line on what the likelihood leaves open, empty if nothing."""
    parts = []
    if (flat & ~prior).any():
        parts.append(f"the likelihood does not depend on {_list(names, flat & ~prior)}")
    if (flat & prior).any():
        parts.append(f"only its prior tells {_list(names, flat & prior)}")
    if confounded.any():
        parts.append(f"{_list(names, confounded)} cannot be told apart")
    return "; ".join(parts)


def _list(names: tuple[str, ...], which: np.ndarray) -> str:
    return ", ".join(name for name, one in zip(names, which, strict=True) if one)


def check_priors(model: type[Equations], priors: Mapping[str, Prior] | None) -> dict[str, Prior]:
    """Return the priors of the model's parameters.

    Raises
    ------
    InputError
        One is of no parameter, or is no prior.
    """
    for name, prior in (priors or {}).items():
        if name not in model.parameters():
            close = nearest(str(name), list(model.parameters()))
            raise InputError(f"priors names {name!r}; {model.__name__} has {', '.join(model.parameters())}.{close}")
        if not isinstance(prior, Prior):
            raise InputError(
                f"The prior of {name} is {prior!r}; give a Normal, Gamma, Beta or Uniform of models.priors."
            )
    return dict(priors or {})


def _two_step_columns(
    model: type[TwoStepModel], played: xr.Dataset, pool: Sequence[str]
) -> tuple[list[Column], xr.DataArray]:
    """Columns of two-step trials, and an array over the dims that are left."""
    dims, arrays, like = _columns(played, pool, ("choice", "second_state", "second_choice", "left_option", "reward"))
    made = played.played.transpose(*dims, *pool, "trial").values.reshape(arrays["choice"].shape)
    columns: list[Column] = []
    tied = two_step_score.ties(model)
    for i in range(like.size):
        coded = [np.ascontiguousarray(arrays[name][i], dtype=np.int64) for name in two_step.CODED]
        one = two_step_score.Sequences(
            coded[0],
            coded[1],
            coded[2],
            coded[3],
            np.ascontiguousarray(arrays["reward"][i]),
            made[i].copy(),
            played.branched,
        )
        chosen = np.unique(one.choice[one.played])
        mute = chosen.size == 1
        note = "only one first-stage option was ever chosen" if mute else ""
        n_trials = int(one.played.sum())
        chance = -n_trials * (1 + played.branched) * math.log(2)
        score = functools.partial(two_step_score.score, model, one)
        slope = functools.partial(two_step_score.slope, tied, one)
        propose = functools.partial(two_step_score.starts, tied, one)
        columns.append(Column(score, n_trials, chance, note, mute, slope, propose))
    return columns, like


def _arm_columns(model: type[Softmax], played: xr.Dataset, pool: Sequence[str]) -> tuple[list[Column], xr.DataArray]:
    """Columns of choices among arms, and an array over the dims that are left."""
    _, arrays, like = _columns(played, pool, ("choice", "reward"))
    n_options = played.choice.attrs["n_options"]
    shown = [[_columns(played.isel(arm=arm), pool, [name])[1][name] for arm in range(n_options)] for name in model.told]
    arms = _columns(played, pool, ("arms",))[1]["arms"][..., 0] if "arms" in played else None
    place = {name: k for k, name in enumerate(model.parameters())}
    rates, weights = ([place[name] for name in group] for group in (model.rates(), model.weights))
    columns = []
    for i in range(like.size):
        last = int((arrays["choice"][i] >= 0).any(0).nonzero()[0].max(initial=-1)) + 1  # what only pads says nothing
        choice, reward = (arrays[name][i].T[:last, None] for name in ("choice", "reward"))
        chosen, n_trials = np.unique(choice[choice >= 0]), int((choice >= 0).sum())
        there = None if arms is None else arms[i][None]
        chance = float(likelihood.Choices(choice, reward, n_options, arms=there).chance[0])
        note = "only one option was ever chosen" if chosen.size == 1 else ""
        if issubclass(model, LatentState):
            seen = latent_state.sequence(arrays["choice"][i], arrays["reward"][i])
            score, propose = (functools.partial(f, model, seen) for f in (latent_state.score, latent_state.starts))
            columns.append(Column(score, n_trials, chance, note, propose=propose, log_odds=latent_state.RATES))
            continue
        told = tuple(np.stack([arm[i].T[:last, None] for arm in arms]) for arms in shown)
        one = likelihood.Choices(choice, reward, n_options, told=told, arms=there)

        def of_arms(points: np.ndarray, one: likelihood.Choices = one) -> np.ndarray:
            seen = likelihood.gaps(model, one, points.T[rates][..., None])
            return likelihood.score(seen, points.T[weights])[0]

        columns.append(Column(of_arms, n_trials, chance, note, propose=functools.partial(_scanned_starts, model, one)))
    return columns, like


def _scanned_starts(
    model: type[Softmax], choices: likelihood.Choices, lower: np.ndarray, upper: np.ndarray, most: int
) -> np.ndarray:
    """Points to climb from (point, parameter): a coarse scan of the rates with the best weights at each."""
    ordered = (*model.rates(), *model.weights)
    place = [model.parameters().index(name) for name in ordered]
    problem = scan.Problem(model, choices, lower[place][:, None], upper[place][:, None])
    axes = [
        np.linspace(0, 1, N_ANGLES.get(int(problem.free.sum()), 3)) if free else np.zeros(1) for free in problem.free
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(len(axes), -1) if axes else np.zeros((0, 1))
    rates = problem.rates(grid[..., None])
    begun = np.clip(0.0, problem.lower, problem.upper)[len(rates) :, None]
    weights, value = scan.best_weights(problem, rates, begun, scan.INITIAL)
    top = peaks(value[:, 0].reshape([len(axis) for axis in axes]))[:most]
    found = np.concatenate([rates[:, top, 0], weights[:, top, 0]])
    return found[np.argsort(place)].T


def _columns(
    played: xr.Dataset, pool: Sequence[str], names: Sequence[str]
) -> tuple[list, dict[str, np.ndarray], xr.DataArray]:
    """Dims that are left, arrays (column, member, trial), and an array over the dims that are left."""
    dims = [dim for dim in played.choice.dims if dim not in ("trial", *pool)]
    like = xr.zeros_like(played.choice.isel(trial=0, **dict.fromkeys(pool, 0), drop=True)).transpose(*dims)
    n_trials = played.sizes["trial"]
    whole = {name: played[name].broadcast_like(played.choice).transpose(*dims, *pool, "trial") for name in names}
    arrays = {name: each.values.reshape(like.size, -1, n_trials) for name, each in whole.items()}
    return dims, arrays, like


def _describe(
    model: type[Equations], result: xr.Dataset, low: np.ndarray, high: np.ndarray, priors: Mapping[str, Prior] | None
) -> xr.Dataset:
    """Say what every variable is."""
    for name, lowest, highest in zip(model.parameters(), low, high, strict=True):
        text = name.replace("_", " ")
        result[name].attrs = {"long_name": text, "lowest": float(lowest), "highest": float(highest)}
        result[f"{name}_se"].attrs = {"long_name": f"standard error of the {text}"}
        if priors is not None:
            result[name].attrs["prior"] = repr(priors.get(name, Uniform()))
    result.log_likelihood.attrs = {"long_name": "log-likelihood", "units": "nats"}
    result.log_posterior.attrs = {"long_name": "log-likelihood plus log-prior", "units": "nats"}
    result.n_trials.attrs = {"long_name": "scored trials"}
    result.n_reached.attrs = {"long_name": "starts that reached the best"}
    result.converged.attrs = {"long_name": "one best set of parameters was found"}
    result.at_bound.attrs = {"long_name": "a parameter is on its bound"}
    result.reason.attrs = {"long_name": "what the trials leave open"}
    return result.assign_attrs(model=model.__name__)
