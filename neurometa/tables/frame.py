"""Trials as a long table again, one row per trial, for any program that reads tables."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.storage import UNTOUCHED, replacing
from neurometa.tables import formulas

FORMATS = (".csv", ".tsv", ".parquet")


def to_frame(trials: xr.Dataset) -> pd.DataFrame:
    """Lay trials out as a table with one row for each that was played.

    ``read_trials(to_frame(trials))`` gives the trials of a table again, number by number: the
    column ``n_options`` says that choices count from 0, and up to where.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` over ``trial`` and any other dims; everything else that spans
        some of these dims, and whatever further ones, comes along.

    Returns
    -------
    DataFrame
        - ``subject`` and ``session``, where episodes have these coordinates, else ``episode``
          (counted from 0, or its coordinate); a column for any other dim, such as ``agent``;
        - ``trial``: the table's own ``trial_number`` if there is one, else counted from 0;
        - ``choice`` (-1 where none was made), ``n_options`` and ``reward``;
        - a column for every other variable and coordinate. One with further dims has a column for
          each entry: ``reward_prob_0`` of the first arm, ``value_outcome`` at that step,
          ``hidden_outcome_3`` of the fourth unit then. A step that is the only one is not named.

        Rows where ``valid`` is False are left out, and so are coordinates of further dims.

    Raises
    ------
    InputError
        There are no choices or rewards, or two columns would have the same name.
    """
    dataset.require(trials, choice=("trial",), reward=("trial",))
    outer = sorted((str(dim) for dim in trials.choice.dims if dim != "trial"), key=lambda dim: (dim == "episode", dim))
    grain = (*outer, "trial")
    if odd := [dim for dim in trials.reward.dims if dim not in grain]:
        raise InputError(f"'reward' spans {odd}, which 'choice' does not, so that a trial has no single reward.")
    size = tuple(trials.sizes[dim] for dim in grain)
    rows = np.ones(size, bool)
    if "valid" in trials:
        rows = _spread(trials.valid, grain, size)[..., 0].astype(bool)

    columns: dict[str, np.ndarray] = {}

    def add(name: str, values: np.ndarray) -> None:
        if name in columns:
            raise InputError(f"Two columns of the table would be called {name!r}; rename a variable of the trials.")
        columns[name] = values

    known = {"subject", "session"} & {str(name) for name in trials.coords}
    place = np.indices(size)
    for k, dim in enumerate(outer):
        if dim not in known and not (dim == "episode" and known == {"subject", "session"}):
            labels = trials[dim].values if dim in trials.indexes else np.arange(trials.sizes[dim])
            add(dim, labels[place[k][rows]])
    for name in sorted(known, reverse=True):  # subject first
        add(name, _spread(trials[name], grain, size)[rows][:, 0])
    add("trial", _numbers(trials, grain, size)[rows])
    add("choice", _spread(trials.choice, grain, size)[rows][:, 0])
    by_session = "n_options" in trials.coords  # where sessions differ
    n_options = trials.n_options if by_session else xr.DataArray(dataset.n_options(trials))
    add("n_options", _spread(n_options, grain, size)[rows][:, 0])
    add("reward", _spread(trials.reward, grain, size)[rows][:, 0])
    done = {"choice", "reward", "valid", "trial_number", *known, *grain} | ({"n_options"} if by_session else set())
    for name, variable in ((str(name), x) for name, x in trials.variables.items()):
        if name in done or not set(variable.dims) & set(grain):
            continue
        inner = sorted((str(dim) for dim in variable.dims if dim not in grain), key=lambda dim: (dim != "step", dim))
        values = _spread(trials[name], grain, size, inner)[rows]
        for k, label in enumerate(_labels(trials, inner)):
            add(f"{name}{label}", values[:, k])
    return pd.DataFrame(columns)


def _spread(variable: xr.DataArray, grain: tuple[str, ...], size: tuple[int, ...], inner: list[str] | None = None):
    """Values at every trial, (*grain, entries of the further dims)."""
    inner = inner or []
    lacking = [dim for dim in grain if dim not in variable.dims]
    there = variable.transpose(*(dim for dim in grain if dim in variable.dims), *inner)
    values = np.expand_dims(there.values, tuple(grain.index(dim) for dim in lacking))
    return np.broadcast_to(values, (*size, *values.shape[len(size) :])).reshape(*size, -1)


def _numbers(trials: xr.Dataset, grain: tuple[str, ...], size: tuple[int, ...]) -> np.ndarray:
    """Number of each trial, whole where all are."""
    source = next((name for name in ("trial_number", "trial") if name in trials.variables), None)
    if source is None:
        return np.broadcast_to(np.arange(size[-1]), size)
    number = _spread(trials[source], grain, size)[..., 0]
    if number.dtype.kind == "f" and (np.isnan(number) | (number == np.round(number))).all():
        number = np.where(np.isnan(number), -1, number).astype(np.int64)
    return number


def _labels(trials: xr.Dataset, inner: list[str]) -> list[str]:
    """Endings of the columns of a variable, one for each entry of its further dims."""
    labels = [""]
    for dim in inner:
        if dim == "step" and trials.sizes[dim] == 1:
            continue
        names = trials[dim].values if dim in trials.indexes else range(trials.sizes[dim])
        labels = [f"{label}_{str(name).replace(' ', '_')}" for label in labels for name in names]
    return labels


def write_table(trials: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write trials as a long table (see `to_frame`), whole or not at all.

    Parameters
    ----------
    trials : Dataset
        As for `to_frame`.
    path : path
        Ends in .csv, .tsv or .parquet, which says how it is written. Text is UTF-8, with numbers
        to their last bit and empty cells where there is none; text that a spreadsheet would run as a formula has an
        apostrophe before it, which `read_trials` takes away again.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        The ending is another, the folder cannot be written, or pyarrow is not installed.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise InputError(f"{path} ends in {path.suffix or 'nothing'}; a table ends in {', '.join(FORMATS)}.")
    frame = to_frame(trials)
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            try:
                import pyarrow
            except ImportError as error:
                raise InputError(
                    "To write Parquet, pyarrow is needed; install it with: pip install 'neurometa[parquet]'"
                ) from error
            try:
                frame.to_parquet(temporary, engine="pyarrow", index=False)
            except pyarrow.ArrowException as error:
                told = " ".join(str(error).split())
                raise InputError(f"Could not write {path}, as Parquet cannot hold this: {told}. {UNTOUCHED}") from error
        else:
            formulas.marked(frame).to_csv(temporary, sep="\t" if path.suffix == ".tsv" else ",", index=False)
    return path
