"""The data contract: the names, dims and units of one run, and the wall between the two halves.

What trains and plays writes such a dataset; what analyses reads one and knows nothing of
how it was made, so a lab's trials that keep the contract pass through the same functions.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa.contract import BEYOND_PROBABILITY as BEYOND_PROBABILITY
from neurometa.contract import VARIABLES as VARIABLES
from neurometa.contract import Variable as Variable
from neurometa.contract import describe as describe
from neurometa.errors import InputError
from neurometa.netcdf import BEHAVIOUR as BEHAVIOUR
from neurometa.netcdf import CONTRACT as CONTRACT
from neurometa.netcdf import CONTRACT_IN_TIME as CONTRACT_IN_TIME
from neurometa.netcdf import opened as opened
from neurometa.netcdf import read as read
from neurometa.netcdf import save_run as save_run
from neurometa.settings import modern

OF_FRAMES = ("channel", "height", "width", "axis", "row", "column")
LAST = ("arm", "state", "option", "unit", "latent", "query", "feature", *OF_FRAMES)  # dims after the step


def require(trials: xr.Dataset, **variables: tuple[str, ...]) -> None:
    """Raise unless `trials` holds every named variable over at least the dims given.

    Raises
    ------
    InputError
        A variable or one of its dims is absent; the message says what is there.
    """
    for name, dims in variables.items():
        if name not in trials:
            if name in ("choice", "logits") and "axis" in getattr(trials.get("action"), "dims", ()):
                raise InputError(f"The trials have no {name!r}: their action is continuous, over 'axis'.")
            raise InputError(f"The trials have no variable {name!r}; they hold {sorted(map(str, trials.data_vars))}.")
        missing = [dim for dim in dims if dim not in trials[name].dims]
        if missing:
            raise InputError(f"{name!r} spans {trials[name].dims} but must also span {tuple(missing)}.")


def n_options(trials: xr.Dataset) -> int:
    """Return how many options a choice had.

    Its attribute ``n_options``, else the size of ``arm``, else the largest chosen + 1 (at least 2).
    """
    stated = trials.choice.attrs.get("n_options")
    if stated is not None:
        return int(stated)
    if "arm" in trials.sizes:
        return trials.sizes["arm"]
    return max(2, int(trials.choice.values.max(initial=-1)) + 1)


def valid(trials: xr.Dataset, like: str = "choice") -> xr.DataArray:
    """Say which trials were played and are no padding, whether or not a choice was made.

    Parameters
    ----------
    trials : Dataset
        With ``valid`` (bool, over ``trial``, any other dims, and ``step`` where steps end early); without it all are.
    like : str
        The variable whose dims the answer has.

    Raises
    ------
    InputError
        ``valid`` is no bool, or lacks ``trial``.
    """
    return _spread(trials, like, None)


def played(trials: xr.Dataset) -> xr.DataArray:
    """Say which trials count: those that are no padding and on which a choice was made.

    Parameters
    ----------
    trials : Dataset
        ``choice`` over ``trial`` and any other dims, -1 where none was made; ``valid`` as of `valid`. Where that spans
        ``step``, the step that the attribute ``choice_step`` names must have been played, else any.

    Raises
    ------
    InputError
        As `valid`; or there is no ``choice``.
    """
    require(trials, choice=("trial",))
    return ((trials.choice >= 0) & _spread(trials, "choice", trials.attrs.get("choice_step"))).drop_attrs()


def task_settings(trials: xr.Dataset) -> dict[str, Any]:
    """Return the settings of the task that a run played, of one with a fixation those of the task that follows it.

    Returns
    -------
    dict
        As saved, ``type`` being e.g. ``"tasks.TwoStep"``; empty where the trials do not say, as those of a table.
    """
    text = str(trials.attrs.get("task", ""))
    task = modern(json.loads(text)) if text[:1] == "{" else {}
    return task["task"] if task.get("type") == "tasks.Fixation" else task


def _spread(trials: xr.Dataset, like: str, step: str | None) -> xr.DataArray:
    """``valid`` of a step, or of any, over the dims of a variable but ``step``."""
    every = xr.ones_like(trials[like].drop_attrs(), dtype=bool)
    every = every.isel(step=0, drop=True) if "step" in every.dims else every
    if "valid" not in trials:
        return every
    require(trials, valid=("trial",))
    told = trials.valid.drop_attrs()
    if told.dtype != bool:
        raise InputError(f"'valid' is {told.dtype}; it must be true where a trial was played, else false.")
    if "step" in told.dims:
        named = step is not None and "step" in told.coords and step in told.step
        told = told.sel(step=step, drop=True) if named else told.any("step")
    return every & told


def check(trials: xr.Dataset) -> None:
    """Raise unless the variables of the contract that are present keep it.

    Raises
    ------
    InputError
        A variable lacks a dim, a choice is no option, or a played trial has no reward.
    """
    present = [str(name) for name in trials.data_vars if name in VARIABLES]
    require(trials, **{name: _needed(trials, name) for name in present})
    if "choice" not in trials:
        return
    choice = trials.choice
    if not np.issubdtype(choice.dtype, np.integer):
        raise InputError(f"'choice' is {choice.dtype}; it must be integers, with -1 where no choice was made.")
    n = n_options(trials)
    wrong = (choice < -1) | (choice >= n)
    if wrong.any():
        lowest = int(choice.where(choice >= 0, n).min())
        how = f"; it looks coded 1 to {n}: subtract 1" if lowest > 0 and int(choice.max()) == n else ""
        raise InputError(
            f"'choice' is {_first(choice, wrong)}; allowed are 0 ... {n - 1}, or -1 where none was made{how}."
        )
    if "reward" in trials:
        if trials.reward.dtype.kind not in "biuf":
            raise InputError(f"'reward' is {trials.reward.dtype}; it must be numbers.")
        made, reward = xr.broadcast(choice >= 0, trials.reward)
        wrong = made & ~np.isfinite(reward)
        if wrong.any():
            raise InputError(f"'reward' is {_first(reward, wrong)}, where a choice was made; it must be finite.")


def _needed(trials: xr.Dataset, name: str) -> tuple[str, ...]:
    """Dims that a variable of the contract must span here: ``time`` for ``trial`` and ``step`` where it spans that."""
    dims = VARIABLES[name].dims
    in_time = "time" in trials[name].dims and "step" in dims
    return ("time", *(dim for dim in dims if dim not in ("trial", "step"))) if in_time else dims


def _first(variable: xr.DataArray, wrong: xr.DataArray) -> str:
    where = {dim: int(index[0]) for dim, index in zip(wrong.dims, np.nonzero(wrong.values), strict=True)}
    place = ", ".join(f"{dim} {variable[dim].values[i] if dim in variable.coords else i}" for dim, i in where.items())
    return f"{variable.isel(where).item()} at {place}"


def follows(trials: xr.Dataset) -> xr.DataArray:
    """Say of each trial whether it comes right after the one before it, so that the two may be paired.

    Parameters
    ----------
    trials : Dataset
        Over ``trial``; ``trial_number``, if there is one, is the number that the table gave each trial.

    Returns
    -------
    DataArray
        bool over the dims of ``trial_number``, else over ``trial`` alone. False on the first trial, and where numbers
        are absent between the two; padding follows. Numbers of which fewer than half step by 1, such as those that
        count the screens of an experiment, order trials but do not count them, and show no gaps.
    """
    n = trials.sizes["trial"]
    if "trial_number" not in trials:
        return xr.DataArray(np.arange(n) > 0, dims="trial")
    number = trials.trial_number.transpose(..., "trial")
    step = np.diff(number.values.astype(float), axis=-1)
    right = np.zeros(number.shape, bool)
    right[..., 1:] = ~(step > 1) if count_trials(step) else True
    return xr.DataArray(right, dims=number.dims)


def count_trials(step: np.ndarray) -> bool:
    """Whether numbers with these differences (NaN beside padding) count trials: at least half of them step by 1."""
    known = np.isfinite(step)
    return bool(2 * (step == 1).sum() >= known.sum())


def open_run(path: str | os.PathLike) -> xr.Dataset:
    """Read a run's trials, or any file that keeps the contract, into memory.

    Parameters
    ----------
    path : path
        A run folder or a ``.nc`` file.

    Returns
    -------
    Dataset
        Loaded and closed, so that the file can be replaced while it is in use.

    Raises
    ------
    InputError
        The file is absent, damaged, half-written, of another contract, or breaks it.
    """
    trials = read(path)
    try:
        check(trials)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return trials


def concat(runs: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put runs of several seeds side by side over a new dim ``agent``, with their seeds as its coordinate ``seed``.

    Parameters
    ----------
    runs : sequence of Dataset
        Runs of the same task, sizes and variables, each with ``seed`` in its attrs.

    Raises
    ------
    InputError
        There is no run, one has no seed, or their sizes, coordinates or variables differ.
    """
    if not runs:
        raise InputError("There is no run to put together.")
    for i, run in enumerate(runs):
        if "seed" not in run.attrs:
            raise InputError(f"Run {i} of 0 ... {len(runs) - 1} has no 'seed' in its attrs to tell it apart.")
        if odd := sorted(map(str, run.data_vars.keys() ^ runs[0].data_vars.keys())):
            raise InputError(f"Runs 0 and {i} must hold the same variables, but only one of them has {odd}.")
    try:
        together = xr.concat(runs, dim="agent", join="exact", combine_attrs="drop_conflicts")
    except ValueError as error:
        sizes = [dict(run.sizes) for run in runs]
        raise InputError(f"The runs differ in size or coordinates: {sizes}.") from error
    return together.assign_coords(seed=("agent", [int(run.attrs["seed"]) for run in runs]))


def example(name: str = "restless", *, n_episodes: int = 40, seed: int = 0) -> xr.Dataset:
    """Make a small run for docs, doctests and fixtures: a Rescorla-Wagner learner at a known rate.

    Parameters
    ----------
    name : {"restless"}
        Two arms paying with p and 1 - p, p a reflected random walk over 150 trials whose
        SD differs between episodes (Wang et al. 2016, experiment 4).
    n_episodes : int
        How many episodes.
    seed : int
        Fixes every number.

    Returns
    -------
    Dataset
        ``choice``, ``reward``, ``reward_prob`` and ``drift_sd``; the learner's true
        ``learning_rate`` and ``inverse_temperature`` are coordinates over ``episode``.

    Examples
    --------
    >>> example("restless", n_episodes=3).choice.sizes
    Frozen({'episode': 3, 'trial': 150})
    """
    from neurometa.models.example import restless

    if name != "restless":
        raise InputError(f"There is no example {name!r}; allowed is 'restless'.")
    found = restless(n_episodes, np.random.default_rng(seed))
    return describe(found.assign_attrs(contract=CONTRACT, task="example: restless", seed=seed))
