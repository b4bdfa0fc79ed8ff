"""Sessions in Neurodata Without Borders files: their table of trials, and what was recorded beside it.

pynwb, the extra ``nwb``, is imported when a file is opened. NWB: Rübel et al. (2022), eLife 11:e78362.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError, nearest
from neurometa.tables import cells, clocks

INSTALL = "pynwb is not installed; install it with: pip install 'neurometa[nwb]'"
UNITS = "units"  # the name that NWB gives the table of sorted units


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open an NWB file, and close it whatever happens.

    Raises
    ------
    InputError
        pynwb is not installed, the file is absent, or no NWB.
    """
    try:
        import pynwb
    except ImportError as error:
        raise InputError(f"{path} is an NWB file, and {INSTALL}") from error
    if path.suffix == ".nc":
        raise InputError(f"{path} is a dataset already, not a table; every command that takes a run takes it as it is.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(pynwb.NWBHDF5IO(str(path), "r")).read()
        except Exception as error:  # hdmf raises what it meets: KeyError, TypeError, OSError, its own
            raise InputError(f"{path} cannot be read as NWB: {' '.join(str(error).split())}") from error
        yield file


def trials_table(path: Path) -> cells.Table:
    """Take the trials table of an NWB file, with its subject and session where no column says them.

    Columns with several numbers per trial become ``name_0``, ``name_1``, ...; lists of differing
    length and references into the file are left out, and named in `nested`.

    Raises
    ------
    InputError
        The file cannot be read, or has no trials.
    """
    with opened(path) as file:
        if file.trials is None or not len(file.trials):
            there = sorted(file.intervals or [])
            raise InputError(f"{path} has no table of trials; its tables of intervals are {there}.")
        columns: dict[str, np.ndarray] = {}
        nested: list[str] = []
        for name in file.trials.colnames:
            cell = file.trials[name]
            if not _plain(cell):
                nested.append(str(name))
                continue
            values = np.asarray(cell[:])
            flat = values.reshape(len(values), -1)
            columns |= {name if values.ndim == 1 else f"{name}_{k}": flat[:, k] for k in range(flat.shape[1])}
        frame = pd.DataFrame(columns)
        who = getattr(file.subject, "subject_id", None)
        for column, known in (("subject", who), ("session", file.session_id)):
            if known and column not in frame.columns:
                frame[column] = str(known)
    return cells.Table(frame, str(path), "row", np.arange(len(frame)), 0, tuple(nested))


def _plain(column: Any) -> bool:
    """Whether every cell of a column holds the same number of numbers or texts."""
    from hdmf.common import DynamicTableRegion, VectorIndex
    from pynwb.base import TimeSeriesReferenceVectorData

    return not isinstance(column, VectorIndex | DynamicTableRegion | TimeSeriesReferenceVectorData)


def read_activity(
    path: str | os.PathLike,
    trials: xr.Dataset,
    name: str = UNITS,
    *,
    align: str | None = None,
    window: tuple[float, float] | None = None,
    n_bins: int = 1,
    time_scale: float = 1.0,
) -> xr.DataArray:
    """Bin what was recorded in an NWB file by trial, as an agent's hidden state is logged.

    ``trials["activity"] = read_activity(...)`` puts it beside the choices, where
    `neurometa.neural` decodes it like a network's: ``neural.hidden_state(trials, "activity")``.

    Parameters
    ----------
    path : path
        The NWB file.
    trials : Dataset
        What `read_trials` made of this file: ``start_time`` and ``stop_time`` (s, on the
        file's clock) over ``episode`` and ``trial``.
    name : str
        ``"units"``: sorted units, as rates in spikes/s. Else the name of a TimeSeries (or of a
        kind of it, such as RoiResponseSeries), as means in its own unit.
    align : str, optional
        Variable of `trials` that holds a time (s), e.g. ``"go_cue_time"``; ``window`` is
        counted from it. By default ``start_time``.
    window : (float, float), optional
        Seconds before (negative) and after; by default each trial from start to stop.
    n_bins : int
        How many equal parts it is cut into; each becomes a ``step``.
    time_scale : float
        Seconds that one unit of the recording's times lasts, > 0: 0.001 if they are in milliseconds.

    Returns
    -------
    DataArray
        float32 over ``episode``, ``trial``, ``step`` (named by its seconds, or its part of the
        trial) and ``unit`` (the file's ids of units, else counted from 0). NaN on padding,
        where `align` is empty, where a bin holds no sample, and outside a unit's observed
        intervals. The coordinate ``step_time`` (episode, trial, step) is the middle of each bin.
        A spike or sample on the border of two bins belongs to the later.

    Raises
    ------
    InputError
        The file cannot be read, nothing in it or several things have the name, the trials hold
        no such times, times count from the start of each trial, or the window is empty.

    Warns
    -----
    UserWarning
        Recording and trials do not meet in time, or their spans differ by about 1,000.
    """
    if not (np.isfinite(time_scale) and time_scale > 0):
        raise InputError(f"time_scale is {time_scale}; it must be above 0: 0.001 for milliseconds.")
    edges, steps = _edges(trials, align, window, n_bins)
    with opened(Path(path)) as file:
        if name == UNITS and _sorted_units(file):
            rates, unit, units = _rates(file.units, edges, time_scale), list(file.units.id[:]), "spikes/s"
        else:
            series = series_named(file, name, Path(path))
            rates, units = _means(series, edges, time_scale), str(series.unit)
            unit = list(range(rates.shape[-1]))
    grain = ("episode", "trial", "step")
    middle = (edges[..., :-1] + edges[..., 1:]) / 2
    return xr.DataArray(
        rates.astype(np.float32),
        {
            "step": np.array(steps, dtype=object),
            "unit": unit,
            "step_time": (grain, middle, {"long_name": "middle of the bin", "units": "s"}),
        },
        (*grain, "unit"),
        name="activity",
        attrs={"long_name": dataset.VARIABLES["activity"].long_name, "units": units, "source": name},
    )


def _edges(
    trials: xr.Dataset, align: str | None, window: tuple[float, float] | None, n_bins: int
) -> tuple[np.ndarray, list[str]]:
    """Borders of the bins in seconds, (episode, trial, bin + 1), and the name of each bin."""
    if isinstance(n_bins, bool) or n_bins < 1:
        raise InputError(f"n_bins is {n_bins}; it must be at least 1.")
    if align is not None and window is None:
        raise InputError(f"align is {align!r}, but there is no window around it; give window=(before, after) in s.")
    if window is not None and not (len(window) == 2 and np.isfinite(window).all() and window[0] < window[1]):
        raise InputError(f"window is {window!r}; give the seconds before (negative) and after, the first the smaller.")
    first = align or "start_time"
    needed = (first,) if window is not None else (first, "stop_time")
    dataset.require(trials, **dict.fromkeys(needed, ("episode", "trial")))
    times = []
    for name in needed:
        time = trials[name].transpose("episode", "trial")
        if time.dtype.kind not in "iuf":
            raise InputError(f"{name!r} holds {time.dtype}, not times in seconds.")
        times.append(time.values.astype(float))
    played = trials.valid.transpose("episode", "trial").values if "valid" in trials else True
    start = np.where(played, times[0], np.nan)
    clocks.refuse_relative(trials, first, start)
    part = np.arange(n_bins + 1) / n_bins
    if window is None:
        names = [f"part {k + 1} of {n_bins}" for k in range(n_bins)] if n_bins > 1 else ["trial"]
        if (times[1] < start).any():
            raise InputError("Some trials stop before they start; give align and window instead.")
        return start[..., None] + part * (times[1] - start)[..., None], names
    borders = window[0] + part * (window[1] - window[0])
    return start[..., None] + borders, [
        f"{a:g} to {b:g} s" for a, b in zip(borders.round(9)[:-1], borders.round(9)[1:], strict=True)
    ]


def _sorted_units(file: Any) -> bool:
    return file.units is not None and "spike_times" in file.units.colnames


def _rates(units: Any, edges: np.ndarray, scale: float) -> np.ndarray:
    """Spikes per second of each unit in each bin, (..., bin, unit); bins without width have none."""
    ends, n_spikes, n_inside = [np.inf, -np.inf], 0, 0
    before, after = edges[..., :-1], edges[..., 1:]
    width = np.where(after > before, after - before, np.nan)
    rates = np.full((*before.shape, len(units)), np.nan)
    for k in range(len(units)):
        spikes = scale * np.sort(np.asarray(units["spike_times"][k], dtype=float))
        number = np.diff(np.searchsorted(spikes, edges), axis=-1)
        counted = number / width
        if spikes.size:
            ends = [min(ends[0], spikes[0]), max(ends[1], spikes[-1])]
            n_spikes, n_inside = n_spikes + spikes.size, n_inside + int(number[np.isfinite(width)].sum())
        if "obs_intervals" in units.colnames:
            seen = np.zeros(before.shape, bool)
            for start, stop in scale * np.asarray(units["obs_intervals"][k], dtype=float).reshape(-1, 2):
                seen |= (start <= before) & (after <= stop)
            counted = np.where(seen, counted, np.nan)
        rates[..., k] = counted
    if n_spikes:
        clocks.question(UNITS, ends[0], ends[1], n_inside / n_spikes, edges)
    return rates


def series_named(file: Any, name: str, path: Path) -> Any:
    """Find the one TimeSeries of that name, wherever in the file it stands.

    Raises
    ------
    InputError
        There is none, or there are several.
    """
    from pynwb import TimeSeries

    there = [each for each in file.objects.values() if isinstance(each, TimeSeries)]
    found = [each for each in there if each.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        places = [str(getattr(each.parent, "name", "")) for each in found]
        raise InputError(f"{path} has several TimeSeries {name!r}, in {places}; rename all but one.")
    names = sorted({each.name for each in there} | ({UNITS} if _sorted_units(file) else set()))
    raise InputError(f"{path} has no TimeSeries or units {name!r}; it has {names}.{nearest(name, names)}")


def clock(series: Any) -> np.ndarray:
    """Return when each sample of a TimeSeries was taken, in the unit of its timestamps."""
    if series.timestamps is not None:
        return np.asarray(series.timestamps[:], dtype=float)
    return series.starting_time + np.arange(len(series.data)) / series.rate


def _means(series: Any, edges: np.ndarray, scale: float) -> np.ndarray:
    """Mean of the samples in each bin, (..., bin, unit); NaN where there is none."""
    data, time = series.data, clock(series)
    if (np.diff(time) < 0).any():
        raise InputError(f"The timestamps of {series.name!r} do not ascend, so its samples cannot be binned.")
    time = scale * time
    n_units = int(np.prod(data.shape[1:], dtype=int))
    before, after = (np.searchsorted(time, each).reshape(-1) for each in (edges[..., :-1], edges[..., 1:]))
    known = np.isfinite(edges[..., :-1] + edges[..., 1:]).reshape(-1)
    if len(time):
        share = float((after - before)[known].clip(0).sum()) / len(time)
        clocks.question(series.name, float(time[0]), float(time[-1]), share, edges)
    means = np.full((len(before), n_units), np.nan)
    for k in np.flatnonzero((after > before) & known):
        means[k] = np.asarray(data[before[k] : after[k]], dtype=float).reshape(-1, n_units).mean(0)
    means = means * series.conversion + series.offset
    return means.reshape(*edges.shape[:-1], edges.shape[-1] - 1, n_units)
