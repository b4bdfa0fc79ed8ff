"""Trials, and what was logged at each step, as a Neurodata Without Borders file.

The trials table holds what `to_frame` gives; each variable logged per step (value, policy, hidden
state) is a TimeSeries, so that pynapple, or whatever reads NWB, sees an agent as it sees an animal.
"""

import datetime
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurometa import dataset
from neurometa._version import __version__
from neurometa.errors import InputError
from neurometa.storage import UNTOUCHED, replacing
from neurometa.tables.frame import to_frame
from neurometa.tables.nwb import INSTALL

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)  # where the date is not known; NWB asks for one
RECORDED = ("start_time", "stop_time")


def write_nwb(trials: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write the trials of one subject, or one agent, as an NWB file, whole or not at all.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` over ``episode`` and ``trial``, of one subject; choose one
        with ``trials.sel(episode=trials.subject == "m1")``, and one agent with ``isel(agent=0)``.
    path : path
        Ends in .nwb.

    Returns
    -------
    Path
        The file written. In it:

        - ``trials``: a row per played trial with the columns of `to_frame` but for those
          per step, and ``epochs``: a row per episode;
        - processing module ``steps``: a TimeSeries for each variable logged per step, over
          (time, option | unit | feature), of played trials only;
        - the subject (``species`` "in silico" for an agent), and in ``notes`` the attributes of
          the trials (task, config, seed, commit) as JSON.

        Times are those of the trials (``start_time``, ``stop_time``) if they never run
        backwards, and what has a ``step_time`` stands there. Otherwise a step lasts 1 s, its
        variables stand at its end, and 1 s lies between trials. The session starts when the
        run was created if it says so, else in 1970, as NWB must have a date.

    Raises
    ------
    InputError
        There are several subjects or further dims, pynwb is not installed, or the folder cannot be written.
    """
    path = Path(path)
    if path.suffix != ".nwb":
        raise InputError(f"{path} ends in {path.suffix or 'nothing'}; an NWB file ends in .nwb.")
    try:
        import h5py
        import pynwb
    except ImportError as error:
        raise InputError(f"To write NWB, {INSTALL}") from error
    trials = _one(trials)
    frame, clock = _timed(trials)
    file = pynwb.NWBFile(
        session_description=f"{trials.attrs.get('task', 'trials')}, written by neurometa {__version__}. {clock}",
        identifier=hashlib.sha256(frame.to_csv(index=False).encode()).hexdigest(),
        session_start_time=_created(trials),
        session_id=_only(trials, "session"),
        subject=_subject(trials),
        notes=json.dumps(trials.attrs, default=str),
    )
    file.trials = _intervals("trials", "a row per trial that was played", frame, _about(trials, frame))
    spans = [name for name in ("subject", "session", "episode") if name in frame]
    first = frame.groupby("__episode", sort=True)
    epochs = first[spans].first().assign(start_time=first.start_time.min(), stop_time=first.stop_time.max())
    file.epochs = _intervals("epochs", "a row per episode", epochs.reset_index(drop=True), {})
    _add_steps(file, trials, frame)
    with replacing(path) as temporary:
        try:
            with h5py.File(temporary, "w") as hdf5, pynwb.NWBHDF5IO(file=hdf5, mode="w") as io:
                io.write(file)
        except (TypeError, ValueError) as error:
            told = " ".join(str(error).split())
            raise InputError(f"Could not write {path}, as NWB cannot hold this: {told}. {UNTOUCHED}") from error
    return path


def _one(trials: xr.Dataset) -> xr.Dataset:
    """Trials over (episode, trial) alone, of one subject."""
    dataset.require(trials, choice=("trial",), reward=("trial",))
    for dim in (str(dim) for dim in trials.choice.dims if dim not in ("episode", "trial")):
        if trials.sizes[dim] > 1:
            raise InputError(
                f"The trials span {trials.sizes[dim]} values of {dim!r}, and an NWB file holds one; choose it with "
                f"trials.isel({dim}=0)."
            )
        trials = trials.isel({dim: 0})
    if "episode" not in trials.choice.dims:
        trials = trials.expand_dims("episode")
    if "subject" in trials.coords:
        found = np.unique(trials.subject.values.astype(str))
        if len(found) > 1:
            raise InputError(
                f"The trials are of {len(found)} subjects, and an NWB file holds one; choose it with "
                f"trials.sel(episode=trials.subject == {str(found[0])!r})."
            )
    return trials


def _timed(trials: xr.Dataset) -> tuple[pd.DataFrame, str]:
    """Rows with ``start_time`` and ``stop_time`` in s, and a sentence that says whose clock it is."""
    per_step = [name for name, x in trials.variables.items() if "step" in x.dims and name != "step"]
    frame = to_frame(trials.drop_vars(per_step))
    played = np.ones((trials.sizes["episode"], trials.sizes["trial"]), bool)
    if "valid" in trials:
        played = trials.valid.transpose("episode", "trial").values.astype(bool)
    frame["__episode"], frame["__trial"] = np.nonzero(played)
    if set(RECORDED) <= set(frame) and all(frame[name].dtype.kind in "if" for name in RECORDED):
        times = frame[list(RECORDED)].to_numpy(float)
        if np.isfinite(times).all() and (np.diff(times[:, 0]) >= 0).all() and (times[:, 1] >= times[:, 0]).all():
            return frame, "Times are those of the recording."
    n_steps = trials.sizes.get("step", 1)
    frame = frame.rename(columns={name: f"{name}_in_table" for name in RECORDED if name in frame})
    frame["start_time"] = np.arange(len(frame)) * (n_steps + 1.0)
    frame["stop_time"] = frame.start_time + n_steps
    return frame, f"Times are not real: each of the {n_steps} steps of a trial lasts 1 s, and 1 s lies between trials."


def _intervals(name: str, description: str, frame: pd.DataFrame, about: dict[str, str]) -> Any:
    from hdmf.common import VectorData
    from pynwb.epoch import TimeIntervals

    rest = [column for column in map(str, frame) if column not in RECORDED and not column.startswith("__")]
    said = {"start_time": "start of the interval, in s", "stop_time": "end of the interval, in s"} | about
    columns = [
        VectorData(name=column, description=said.get(column, column), data=_cells(frame[column]))
        for column in (*RECORDED, *rest)
    ]
    return TimeIntervals(name=name, description=description, columns=columns)


def _cells(column: pd.Series) -> Any:
    if column.dtype.kind in "biuf":
        return column.to_numpy()
    return ["" if cell is None or cell != cell else str(cell) for cell in column]


def _about(trials: xr.Dataset, frame: pd.DataFrame) -> dict[str, str]:
    """What each column is, from the labels of its variable."""
    names = sorted(map(str, trials.variables), key=len, reverse=True)
    said = {}
    for column in map(str, frame):
        name = next((each for each in names if column == each or column.startswith(f"{each}_")), None)
        attrs = trials[name].attrs if name else {}
        label, units = attrs.get("long_name", column), attrs.get("units")
        said[column] = f"{label} ({units})" if units else str(label)
    options = trials.choice.attrs.get("options")
    if options is not None:
        said["choice"] += ": " + ", ".join(f"{k} = {label}" for k, label in enumerate(np.atleast_1d(options)))
    said["n_options"] = "options that a choice had, counted from 0"
    return said


def _add_steps(file: Any, trials: xr.Dataset, frame: pd.DataFrame) -> None:
    """Add what was logged per step as TimeSeries, each row of data being a step of a played trial."""
    from pynwb import TimeSeries

    steps = {str(name): x for name, x in trials.data_vars.items() if {"trial", "step"} <= set(x.dims)}
    if not steps:
        return
    names = [str(each) for each in trials.step.values] if "step" in trials.coords else []
    module = file.create_processing_module("steps", f"logged at each step of a trial: {', '.join(names)}")
    episode, trial = frame["__episode"].to_numpy(), frame["__trial"].to_numpy()
    share = (1 + np.arange(trials.sizes["step"])) / trials.sizes["step"]
    length = (frame.stop_time - frame.start_time).to_numpy()
    ends = frame.start_time.to_numpy()[:, None] + length[:, None] * share
    for name, x in steps.items():
        x = x.broadcast_like(trials.choice) if "episode" not in x.dims else x
        inner = [dim for dim in x.dims if dim not in ("episode", "trial", "step")]
        values = x.transpose("episode", "trial", "step", *inner).values[episode, trial]
        time = ends
        if "step_time" in x.coords:
            time = x.step_time.transpose("episode", "trial", "step").values[episode, trial]
        order = np.argsort(time.reshape(-1), kind="stable")
        order = order[np.isfinite(time.reshape(-1)[order])]
        data = values.reshape(-1, *values.shape[2:])[order]
        module.add(
            TimeSeries(
                name=name,
                description=f"{x.attrs.get('long_name', name)}; a row per step ({', '.join(names)})",
                data=data.astype(np.int8) if data.dtype == bool else data,
                timestamps=time.reshape(-1)[order],
                unit=str(x.attrs.get("units", "a.u.")),
            )
        )


def _created(trials: xr.Dataset) -> datetime.datetime:
    try:
        created = datetime.datetime.fromisoformat(str(trials.attrs["created"]))
    except (KeyError, ValueError):
        return EPOCH
    return created if created.tzinfo else created.replace(tzinfo=datetime.UTC)


def _only(trials: xr.Dataset, name: str) -> str | None:
    """The session, where there is a single one."""
    found = {str(each) for each in trials[name].values.flat} if name in trials.coords else set()
    return found.pop() if len(found) == 1 else None


def _subject(trials: xr.Dataset) -> Any:
    from pynwb.file import Subject

    if "subject" in trials.coords:
        return Subject(subject_id=str(trials.subject.values.flat[0]), description=trials.attrs.get("task", "animal"))
    seed, agent = trials.attrs.get("seed"), trials.attrs.get("agent", "agent")
    name = f"agent-{seed}" if seed is not None else "agent"
    return Subject(subject_id=name, species="in silico", description=str(agent))
