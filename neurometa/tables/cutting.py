"""Windows around events, cut from recordings that need not share clocks, but must share a sampling rate."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neurometa.errors import InputError

JITTER = 0.01  # of the sampling interval: intervals that differ by less are one


class Recording(NamedTuple):
    """One stretch of samples (time ascending, s), and the times of events in it with what is known of each."""

    name: str
    time: np.ndarray
    signal: np.ndarray
    events: np.ndarray
    rows: pd.DataFrame


def cut(
    recordings: list[Recording], event: str, window: tuple[float, float], rate: float | None
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, dict[str, Any]]:
    """Cut windows around the events that lie in their recordings, at one rate.

    Returns
    -------
    signal : float array (event, time)
        NaN where samples are missing.
    time : float array (time,)
        From the event, s.
    rows : DataFrame
        What is known of each event.
    about : dict
        ``rate``, ``n_outside`` and ``n_absent``: how many events were left out, as they lie outside or have no time.

    Raises
    ------
    InputError
        Rates differ and none is asked for, one is asked for that some recording lacks, or no event lies inside.
    """
    own = {each.name: _rate_of(each) for each in recordings if len(each.time) > 1}
    known = [each for each in own.values() if np.isfinite(each)]
    if rate is None:
        if not known:
            raise InputError("No recording has two samples, so that there is nothing to cut.")
        if max(known) > (1 + JITTER) * min(known):
            slow, fast = (next(name for name, each in own.items() if each == edge(known)) for edge in (min, max))
            raise InputError(
                f"Sampling rates differ: {min(known):g} Hz in {slow}, {max(known):g} Hz in {fast}; say to which one to "
                f"bring all (--rate {min(known):g})."
            )
        rate = round(float(np.median(known)), 6)
    elif known and rate > (1 + JITTER) * min(known):
        raise InputError(
            f"rate is {rate:g} Hz, but a recording has only {min(known):g} Hz; give that or less (--rate)."
        )
    first, last = round(window[0] * rate), round(window[1] * rate)
    around = np.arange(first, last + 1) / rate
    parts, rows, n_outside, n_absent = [], [], 0, 0
    for each in recordings:
        n_absent += int((~np.isfinite(each.events)).sum())
        slack = 0.5 / rate
        inside = (each.events + around[0] >= each.time[0] - slack) & (each.events + around[-1] <= each.time[-1] + slack)
        n_outside += int((np.isfinite(each.events) & ~inside).sum())
        wide = 1.5 * np.median(np.diff(each.time)) if len(each.time) > 1 else np.inf
        for k in np.flatnonzero(inside):
            at = each.events[k] + around
            values = np.interp(at, each.time, each.signal)
            after = np.clip(np.searchsorted(each.time, at), 1, len(each.time) - 1)
            gap = each.time[after] - each.time[after - 1] > max(wide, 1.5 / rate)
            parts.append(np.where(gap & ~np.isin(at, each.time), np.nan, values))
            rows.append(each.rows.iloc[[int(k)]])
    n_events = sum(len(each.events) for each in recordings)
    if not parts:
        spans = f"{min(each.time[0] for each in recordings):g} to {max(each.time[-1] for each in recordings):g} s"
        raise InputError(
            f"None of {n_events} events {event!r} lies in its recording with the window {window[0]:g} to "
            f"{window[1]:g} s around it: recordings run from {spans}, {n_outside} events lie outside, {n_absent} have "
            "no time."
            if n_events
            else f"The event {event!r} never happens in the recordings."
        )
    return np.array(parts), around, pd.concat(rows), {"rate": rate, "n_outside": n_outside, "n_absent": n_absent}


def _rate_of(recording: Recording) -> float:
    """Samples per second, of the usual interval."""
    return float(1 / np.median(np.diff(recording.time)))
