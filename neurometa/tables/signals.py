"""Continuous signals, such as photometry, cut around events: from long or wide tables, or from NWB files."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurometa.errors import InputError, nearest
from neurometa.tables import cells, nwb
from neurometa.tables.cutting import Recording, cut
from neurometa.tables.files import HDF5, open_table
from neurometa.tables.roles import NAMES, plain

TIMES = ("time", "times", "seconds", "sec", "timestamp", "timestamps", "t")
OURS = {"time": "event_time", "trial": "trial_number", "signal": "signal_in_table"}  # columns whose names are ours
FIBER = "FiberPhotometryResponseSeries"
Window = tuple[float, float]


def read_signals(
    table: str | os.PathLike | pd.DataFrame | Sequence[str | os.PathLike],
    *,
    signal: str | None = None,
    event: str | None = None,
    window: Window | None = None,
    rate: float | None = None,
    start: float = 0.0,
    time: str | None = None,
    subject: str | None = None,
    session: str | None = None,
    trial: str | None = None,
    baseline: Window | None = None,
) -> xr.Dataset:
    """Read a signal and cut it around events, a row for each.

    Three kinds of tables are told apart by their columns.

    - Wide, one row per trial: numbered columns ``photometry.1`` ... ``photometry.125`` are the samples. Without `event`
      rows are taken as they are, the first sample at `start`; with it they are cut around the time in that column.
    - Long, one row per sample, with a column of times: `event` is a column that is 1 (or true) at the samples where it
      happens, or ``COLUMN=ENTRY``. An event that lasts counts once, where it begins. What else is in that row belongs
      to it. Without `event`, samples of the same trial are a row, and times count from its event.
    - NWB: `signal` is a TimeSeries, such as a FiberPhotometryResponseSeries (extra ``nwb``), and `event` a column of
      times in the table of trials, whose other columns go along.

    Parameters
    ----------
    table : path, DataFrame or sequence of paths
        CSV, TSV (or gzipped), Parquet or NWB; or a DataFrame.
    signal : str, optional
        Column of the signal, what its numbered columns begin with, or the name of a TimeSeries (``NAME:k`` for its
        channel k, from 0); guessed where only one could be.
    event : str, optional
        What to cut around; see above.
    window : (float, float), optional
        Seconds before (negative) and after the event; needed where `event` is given.
    rate : float, optional
        Samples per second. Of a wide table it must be said, else time counts samples. Else the signal is brought to it
        by linear interpolation; by default to that at which it was recorded.
    start : float
        Time of the first sample of a row of a wide table, in s.
    time, subject, session, trial : str, optional
        Columns, guessed by common names; ``""`` says that the table has none.
    baseline : (float, float), optional
        Interval (s) around the event whose mean is subtracted from each row.

    Returns
    -------
    Dataset
        ``signal`` over ``trial`` and ``time`` (s from the event), and all further columns over ``trial``: numbers as
        variables, texts and the coordinates ``subject`` and ``session``. In the attrs how many events were left out:
        ``n_outside`` the recording, ``n_missing`` (no event, or no sample in it), and ``rate``.

    Raises
    ------
    InputError
        A column is absent or could be several, no event lies in its recording, sampling rates differ, or an option is
        outside its range.
    """
    _check(event, window, rate, baseline)
    paths = [table] if isinstance(table, str | os.PathLike) else [] if isinstance(table, pd.DataFrame) else list(table)
    if paths and all(_is_nwb(Path(path)) for path in paths):
        recordings = [_from_nwb(Path(path), signal, event) for path in paths]
        return _finished(*_around(recordings, event, window, rate), baseline, ", ".join(map(str, paths)))
    opened = open_table(table)
    frame = pd.DataFrame({name: cells.values(opened.frame[name]) for name in opened.frame})
    who = {"subject": (subject, NAMES["subject"].split()), "session": (session, NAMES["episode"].split())}
    who |= {"trial": (trial, NAMES["trial"].split()), "time": (time, list(TIMES))}
    named = {role: _column(frame, opened.source, role, *given) for role, given in who.items()}
    columns = {role: name for role, name in named.items() if name}
    frame = frame.rename(columns={columns[role]: role for role in ("subject", "session") if role in columns})
    columns |= {role: role for role in ("subject", "session") if role in columns}
    samples = _numbered(frame, signal)
    if samples:
        return _finished(*_wide(frame, samples, event, window, rate, start), baseline, opened.source)
    if "time" not in columns:
        raise InputError(
            f"{opened.source} holds no signal that can be found: neither numbered columns (photometry.1, photometry.2, "
            f"...) nor a column of times beside the signal; name them with signal=... and time=... (--signal, --time)."
        )
    name = _one_signal(frame, signal, opened.source, set(columns.values()))
    if event is None:
        return _finished(*_by_trial(frame, name, columns, rate), baseline, opened.source)
    recordings = _long(frame, name, columns, event, opened.source)
    return _finished(*_around(recordings, event, window, rate), baseline, opened.source)


def _check(event: str | None, window: Window | None, rate: float | None, baseline: Window | None) -> None:
    for name, pair in (("window", window), ("baseline", baseline)):
        if pair is not None and not (len(pair) == 2 and np.isfinite(pair).all() and pair[0] < pair[1]):
            raise InputError(f"{name} is {pair!r}; give two times in s, the first the smaller, e.g. (-1, 3).")
    if event is not None and window is None:
        raise InputError(f"event is {event!r}, but there is no window around it; give window=(before, after) in s.")
    if event is None and window is not None:
        raise InputError("window is given, but no event to count it from; name one with event=... (--event).")
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise InputError(f"rate is {rate}; it must be above 0, in samples per second.")


def _is_nwb(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(HDF5)) == HDF5


def _column(frame: pd.DataFrame, source: str, role: str, named: str | None, known: list[str]) -> str | None:
    if named == "":
        return None
    if named is not None:
        if named not in frame:
            raise InputError(f"{source} has no column {named!r} for {role}.{nearest(named, list(frame.columns))}")
        return named
    alike = [str(name) for name in frame.columns if plain(str(name)) in known]
    if len(alike) > 1 and role in alike:
        return role
    if len(alike) > 1:
        raise InputError(f"{source} has several columns that could be {role}: {alike}; name one with {role}=...")
    return alike[0] if alike else None


def _numbered(frame: pd.DataFrame, signal: str | None) -> list[str]:
    """Columns that are a name and a number, in order of the numbers; none if there are too few to be a signal."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in frame.columns:
        match = re.fullmatch(r"(.*?)[._\s-]?(\d+)", str(name))
        if match and frame[name].dtype.kind in "iufb":
            found.setdefault(match[1], []).append((int(match[2]), str(name)))
    series = {stem: [name for _, name in sorted(each)] for stem, each in found.items()}
    if signal is not None:
        return series.get(signal.rstrip("._- "), []) if signal not in frame else []
    series = {stem: each for stem, each in series.items() if len(each) >= 5}
    if len(series) > 1:
        raise InputError(
            f"Several signals have numbered columns: {sorted(series)}; name one with signal=... (--signal)."
        )
    return next(iter(series.values()), [])


def _one_signal(frame: pd.DataFrame, signal: str | None, source: str, taken: set[str]) -> str:
    numbers = [str(name) for name in frame.columns if frame[name].dtype.kind in "f" and name not in taken]
    if signal is not None:
        if signal not in frame:
            raise InputError(f"{source} has no column {signal!r} for signal.{nearest(signal, list(map(str, frame)))}")
        if frame[signal].dtype.kind not in "iufb":
            raise InputError(f"{source}: the column {signal!r} holds text somewhere; a signal must be numbers.")
        return signal
    known = [name for name in numbers if plain(name) in ("signal", "photometry", "dff", "df", "fluorescence", "zscore")]
    if len(known) != 1:
        raise InputError(
            f"{source} has the columns {numbers} that could be the signal; name one with signal=... (--signal)."
        )
    return known[0]


def _wide(
    frame: pd.DataFrame, samples: list[str], event: str | None, window: Window | None, rate: float | None, start: float
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, dict[str, Any]]:
    """Signal (trial, time), time, what is known of each trial, and what to tell."""
    values, rest = frame[samples].to_numpy(float), frame.drop(columns=samples)
    if event is None:
        about = {"rate": rate or np.nan, "n_outside": 0, "time_units": "s" if rate else "sample"}
        return values, start + np.arange(values.shape[1]) / (rate or 1.0), rest, about
    if rate is None:
        raise InputError(
            "rate is not given; to cut the rows of a wide table, say how many samples a second has (--rate)."
        )
    if event not in rest or rest[event].dtype.kind not in "iuf":
        there = [str(name) for name in rest.columns if rest[name].dtype.kind in "iuf"]
        raise InputError(
            f"event is {event!r}; it must be a column of times in s, one of {there}.{nearest(event, there)}"
        )
    clock = start + np.arange(values.shape[1]) / rate
    recordings = [
        Recording("the table", clock, row, np.array([at]), rest.iloc[[k]])
        for k, (row, at) in enumerate(zip(values, rest[event].to_numpy(float), strict=True))
    ]
    return _around(recordings, event, window, rate)


def _around(
    recordings: list[Recording], event: str | None, window: Window | None, rate: float | None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, dict[str, Any]]:
    assert event is not None and window is not None, "checked at the door"
    return cut(recordings, event, window, rate)


def _long(frame: pd.DataFrame, signal: str, columns: dict[str, str], event: str, source: str) -> list[Recording]:
    """A recording for every session of every animal, with its events."""
    column, equals, entry = event.partition("=")
    there = [str(name) for name in frame.columns if name not in (signal, columns["time"])]
    if column not in frame:
        raise InputError(f"event is {event!r}; {source} has no column {column!r}, but {there}.{nearest(column, there)}")
    marks = frame[column]
    if equals:
        happens = marks.astype(str).to_numpy() == entry
        if not happens.any():
            raise InputError(
                f"event is {event!r}; {column!r} holds {sorted(map(str, marks.unique()))[:10]}, never {entry!r}."
            )
    else:
        if marks.dtype.kind not in "biuf" or not set(np.unique(marks.dropna())) <= {0, 1}:
            raise InputError(
                f"event is {event!r}, a column that is not 0 or 1 at every sample; mark the samples at which it "
                f"happens, or say which entry is meant, as {column}=ENTRY."
            )
        happens = marks.fillna(0).to_numpy(float) == 1
    owners = [columns[role] for role in ("subject", "session") if role in columns]
    parts = frame.groupby(owners, sort=False, dropna=False).indices if owners else {"": np.arange(len(frame))}
    found = []
    for name, part in parts.items():
        time = frame[columns["time"]].to_numpy(float)[part]
        if not (np.diff(time) > 0).all():
            told = f" of {owners} {name}" if owners else ""
            raise InputError(
                f"{source}: the times{told} do not ascend; they must within a recording, so name the columns that tell "
                "recordings apart (--subject, --session), or give no event where times count from the event of a trial."
            )
        here = happens[part]
        first = np.flatnonzero(here & ~np.r_[False, here[:-1]])
        rows = pd.DataFrame(frame.iloc[part[first]]).drop(columns=[signal])
        found.append(Recording(str(name), time, frame[signal].to_numpy(float)[part], time[first], rows))
    return found


def _by_trial(
    frame: pd.DataFrame, signal: str, columns: dict[str, str], rate: float | None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, dict[str, Any]]:
    """Samples that say of which trial they are: a row for each, over the times that all share."""
    if "trial" not in columns:
        raise InputError(
            "There is neither an event to cut around nor a column of trials; name one (--event or --trial)."
        )
    owners = [columns[role] for role in ("subject", "session", "trial") if role in columns]
    grouped = frame.groupby(owners, sort=False)
    clocks = {tuple(part[columns["time"]].to_numpy(float).round(9)) for _, part in grouped}
    lengths = {len(clock) for clock in clocks}
    if len(clocks) > 1:
        raise InputError(
            f"Trials have {len(clocks)} different sets of times ({min(lengths)} to {max(lengths)} samples); times must "
            "count from the event of each trial and be the same for all, or give the event to cut around (--event)."
        )
    time = np.array(clocks.pop())
    order = np.concatenate([np.asarray(part.index) for _, part in grouped])
    values = frame[signal].to_numpy(float)[order].reshape(len(grouped), len(time))
    constant = [name for name in frame.columns if name not in (signal, columns["time"])]
    rows = frame.loc[order[:: len(time)], constant]
    interval = float(np.median(np.diff(time))) if len(time) > 1 else np.nan
    if rate is not None:
        grid = time[0] + np.arange(int(np.floor((time[-1] - time[0]) * rate + 1e-9)) + 1) / rate
        values, time = np.array([np.interp(grid, time, row) for row in values]), grid
    return values, time, rows, {"rate": rate or 1 / interval, "n_outside": 0}


def _from_nwb(path: Path, signal: str | None, event: str | None) -> Recording:
    if event is None:
        raise InputError(
            f"{path}: which times to cut around is not said; name a column of its trials with event=... (--event)."
        )
    trials = nwb.trials_table(path)
    rows = pd.DataFrame({name: cells.values(trials.frame[name]) for name in trials.frame})
    if event not in rows or rows[event].dtype.kind not in "iuf":
        there = [str(name) for name in rows.columns if rows[name].dtype.kind in "iuf"]
        raise InputError(f"event is {event!r}; the trials of {path} have the times {there}.{nearest(event, there)}")
    with nwb.opened(path) as file:
        name, _, channel = (signal or _only_series(file, path)).partition(":")
        series = nwb.series_named(file, name, path)
        time = nwb.clock(series)
        data = np.asarray(series.data[:], dtype=float).reshape(len(time), -1) * series.conversion + series.offset
    if not channel and data.shape[1] > 1:
        raise InputError(
            f"{name!r} has {data.shape[1]} channels; say which with signal={name + ':0'!r} (--signal {name}:0)."
        )
    if channel and not (channel.isdigit() and int(channel) < data.shape[1]):
        raise InputError(f"signal is {signal!r}; the channels of {name!r} are 0 to {data.shape[1] - 1}.")
    if not (np.diff(time) > 0).all():
        raise InputError(f"The timestamps of {name!r} do not ascend, so it cannot be cut around events.")
    return Recording(str(path), time, data[:, int(channel or 0)], rows[event].to_numpy(float), rows)


def _only_series(file: Any, path: Path) -> str:
    from pynwb import TimeSeries

    there = [each for each in file.objects.values() if isinstance(each, TimeSeries)]
    fibers = [each for each in there if type(each).__name__ == FIBER]
    found = fibers or there
    if len(found) != 1:
        raise InputError(f"{path} holds the signals {sorted(each.name for each in found)}; name one (--signal).")
    return str(found[0].name)


def _finished(
    values: np.ndarray,
    time: np.ndarray,
    rows: pd.DataFrame,
    about: dict[str, Any],
    baseline: Window | None,
    source: str,
) -> xr.Dataset:
    """Subtract the baseline, leave out what has no sample somewhere, and name everything."""
    if baseline is not None:
        inside = (time >= baseline[0] - 1e-9) & (time <= baseline[1] + 1e-9)
        if not inside.any():
            raise InputError(f"baseline is {baseline!r}; it must overlap the times cut, {time[0]:g} to {time[-1]:g} s.")
        values = values - values[:, inside].mean(1, keepdims=True)
    whole = np.isfinite(values).all(1)
    if not whole.any():
        raise InputError(f"{source}: every one of {len(values)} trials misses samples, so that nothing is left.")
    rows = rows.loc[whole].reset_index(drop=True)
    found = xr.Dataset(
        {"signal": (("trial", "time"), values[whole], {"long_name": "signal"})},
        coords={"time": ("time", time, {"long_name": "time from the event", "units": about.pop("time_units", "s")})},
    )
    for name in map(str, rows.columns):
        found[OURS.get(name, name)] = ("trial", rows[name].to_numpy())
    found = found.set_coords([name for name in ("subject", "session") if name in found])
    n_missing = int((~whole).sum()) + about.pop("n_absent", 0)
    return found.assign_attrs(about | {"n_missing": n_missing, "source": source})
