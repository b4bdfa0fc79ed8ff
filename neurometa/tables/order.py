"""In which order trials were played, and whether sessions run into each other: what times, dates and labels say."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.grid import Grid
from neurometa.tables.roles import plain
from neurometa.tables.rows import words

STARTS = frozenset(["starttime", "trialstart", "trialstarttime", "trialonset", "trialonsettime", "timeelapsed"])
NAMED_CLOCKS = "time times onset onsets timestamp datetime clock start began begin"  # words of a name
CLOCKS = frozenset(NAMED_CLOCKS.split())
LATENCIES = frozenset(["reaction", "response", "rt", "latency", "duration", "delay", "wait", "waiting", "iti", "limit"])
DAYS = frozenset(["day", "days", "date", "dates", "datestr", "visit", "week", "sitting", "wave"])
RUNS = frozenset(["run", "runs", "game", "games"])  # through which trials may be numbered on, as through blocks
EVEN = 0.2  # of the median step between neighbours in time, of all but 5 %: trials follow on each other, delays do not


def clock(table: cells.Table, columns: dict[str, str], named: Mapping[str, str | None]) -> str | None:
    """Column of the times that trials began, where these and not the rows, or their numbers, tell the order of trials.

    Raises
    ------
    InputError
        Times fall back to their beginning, as where a session ends, and no column tells sessions apart.
    """
    names = [name for name in table.frame.columns if plain(name) in STARTS and name not in columns.values()]
    if not names or named.get("trial") is not None:
        return None
    time, group = cells.times(table.frame[names[0]]), _groups(table, columns)
    if time is None:
        return None
    if "trial" in columns:
        number, odd = cells.numbers(table.frame[columns["trial"]])
        if odd.any() or _repeats(group, number) or _repeats(group, time):
            return None  # trials that count anew are sessions, whatever the time
        by_number = np.lexsort((number, group))
        return names[0] if _falls(time[by_number], group[by_number]).any() else None
    rows = np.argsort(group, kind="stable")
    back = _falls(time[rows], group[rows])
    if not back.any():
        return None
    if "episode" not in columns and named.get("episode") is None and _restarts(time[rows], group[rows], back):
        at = rows[np.flatnonzero(back)[0] + 1]
        raise InputError(
            f"{table.place(at, names[0])}: the time falls back to the beginning ({_times(back)} in all), as "
            "where another session begins, and no column tells sessions apart; name one with episode=... (--episode), "
            f"or say that there is one session only: {lines.column('episode', '')}."
        )
    return None if _repeats(group, time) else names[0]  # else it is the time within a trial


def doubts(table: cells.Table, columns: dict[str, str], named: Mapping[str, str | None], grid: Grid) -> list[str]:
    """Warn where the rows, in the order in which they are read, are not one session after the other."""
    if len(table.frame) < evidence.ENOUGH:
        return []
    rows = np.lexsort((grid.position, grid.episode))
    told = _days(table, columns, named, grid, rows)
    if "trial" not in columns:
        told += _times_told(table, columns, named, grid, rows) + _again(table, columns, named)
    return told


def repeated(grid: Grid, choice: np.ndarray, reward: np.ndarray) -> list[str]:
    """Warn of sessions that repeat another one's choices and rewards, all of them."""
    rows = np.lexsort((grid.position, grid.episode))
    ends = np.cumsum(grid.n_trials)
    first: dict[bytes, int] = {}
    twins = []
    for e, (start, end) in enumerate(zip(ends - grid.n_trials, ends, strict=True)):
        mine = rows[start:end]
        made = choice[mine]
        if (made >= 0).sum() < evidence.ENOUGH or len(np.unique(made)) * len(np.unique(reward[mine])) < 4:
            continue
        if (other := first.setdefault(made.tobytes() + reward[mine].tobytes(), e)) != e:
            twins.append((other, e))
    if not twins:
        return []
    one, two = (f"session {grid.session[e]} of {grid.subject[e]}" for e in twins[0])
    more = f" ({len(twins):,} such pairs)" if len(twins) > 1 else ""
    return [f"{two} has the same choices and rewards as {one}, all {grid.n_trials[twins[0][0]]:,}{more}; if it is a "
            "copy, leave it out."]  # fmt: skip


def _times(at: np.ndarray) -> str:
    """How often something happens, in words."""
    n = int(at.sum())
    return "once" if n == 1 else f"{n:,} times"


def _groups(table: cells.Table, columns: dict[str, str]) -> np.ndarray:
    """Number of the subject and session of each row."""
    keys = [cells.labels(table.frame[columns[each]])[0] for each in ("subject", "episode") if each in columns]
    return pd.factorize(pd.MultiIndex.from_arrays(keys))[0] if keys else np.zeros(len(table.frame), np.int64)


def _repeats(group: np.ndarray, value: np.ndarray) -> bool:
    return bool(pd.DataFrame({"group": group, "value": value}).duplicated().any())


def _falls(time: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Between which neighbours of one group the time falls."""
    return (np.diff(time) < 0) & (group[1:] == group[:-1])


def _restarts(time: np.ndarray, group: np.ndarray, back: np.ndarray) -> bool:
    """Whether every fall leads to where times begin, and long stretches rise in between."""
    at = np.flatnonzero(back)
    if len(at) > len(time) / 5:
        return False
    low, high = time.min(), time.max()
    return bool((time[at + 1] < low + 0.2 * (high - low)).all() and (time[at] > low + 0.3 * (high - low)).all())


def _times_told(
    table: cells.Table, columns: dict[str, str], named: Mapping[str, str | None], grid: Grid, rows: np.ndarray
) -> list[str]:
    """Warn of a clock that falls back, as where sessions run into each other or rows are not in order."""
    for name in table.frame.columns:
        said = words(name)
        if name in columns.values() or plain(name) in STARTS or said & LATENCIES or not said & CLOCKS:
            continue
        time = cells.times(table.frame[name])
        if time is None:
            continue
        group = grid.episode[rows]
        back = _falls(time[rows], group)
        if not back.any():
            continue
        shown = f"{name!r} falls back {_times(back)} within sessions, in the order of the rows"
        if _restarts(time[rows], group, back):
            if named.get("episode") is None:
                return [f"{shown}, to where it began, as where another session begins; if so, name the column that "
                        "tells sessions with episode=... (--episode COLUMN)."]  # fmt: skip
        elif _even(time, grid):
            return [f"{shown}; if it is the time of trials, sort them by it: {lines.column('trial', name)}."]
    return []


def _even(time: np.ndarray, grid: Grid) -> bool:
    """Whether times of a session follow on each other as trials do, none at once, unlike latencies."""
    order = np.lexsort((time, grid.episode))
    step = np.diff(time[order])[np.diff(grid.episode[order]) == 0]
    return step.size >= evidence.ENOUGH and bool(np.quantile(step, 0.05) > EVEN * np.median(step))


def _days(
    table: cells.Table, columns: dict[str, str], named: Mapping[str, str | None], grid: Grid, rows: np.ndarray
) -> list[str]:
    """Warn of a date, day or run that changes within a session, so that values run on into the next one."""
    if "episode" in columns or named.get("episode") is not None:
        return []
    known = DAYS if "trial" in columns else DAYS | RUNS
    for name in table.frame.columns:
        said = words(name)
        if name in columns.values() or not said & known or said & CLOCKS:
            continue
        codes, texts = cells.labels(table.frame[name])
        day, group = codes[rows], grid.episode[rows]
        change = (np.diff(day) != 0) & (np.diff(group) == 0)
        n = int(change.sum())
        whole = n + len(grid.n_trials) == len(np.unique(np.stack([group, day]), axis=1).T)  # none comes back
        if n and whole and n < len(rows) / 10 and all(texts):
            return [f"{name!r} changes {_times(change)} within what is read as one session, and values run on; if it "
                    f"tells sessions, type {lines.column('episode', name)}."]  # fmt: skip
    return []


def _again(table: cells.Table, columns: dict[str, str], named: Mapping[str, str | None]) -> list[str]:
    """Warn of a session that stops, and comes again after others."""
    if "episode" not in columns or ("subject" in columns or named.get("subject") is not None):
        return []
    codes, texts = cells.labels(table.frame[columns["episode"]])
    starts = np.flatnonzero(np.r_[True, np.diff(codes) != 0])
    if len(starts) <= len(texts) or len(codes) / len(starts) < evidence.ENOUGH / 2:
        return []
    again = next(int(codes[row]) for k, row in enumerate(starts) if codes[row] in codes[starts[:k]])
    return [f"{columns['episode']!r} is {texts[again]} on several stretches of rows with others in between, which are "
            "read as one session; if they are of different subjects, name the column that says so with subject=... "
            "(--subject COLUMN)."]  # fmt: skip
