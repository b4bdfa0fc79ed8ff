"""Do a recording and its trials keep one clock? Spans that differ by a factor, or do not meet, say that they do not."""

import warnings

import numpy as np
import xarray as xr

from neurometa.errors import InputError

UNITS = {1e-3: "milliseconds", 1e-6: "microseconds"}
NEAR = 4.0  # a ratio of spans is near a factor if it is within this factor of it
FEW = 0.02  # of what was recorded lies within the span of the trials


def refuse_relative(trials: xr.Dataset, align: str, time: np.ndarray) -> None:
    """Raise if the times to align to run within each trial, not on the clock on which trials start.

    Parameters
    ----------
    trials : Dataset
        ``start_time`` (s) over ``episode`` and ``trial``, if it is known.
    align : str
        The variable of these times.
    time : float array (episode, trial)
        In s; NaN where there is none.

    Raises
    ------
    InputError
        They do, with what to add.
    """
    if align in ("start_time", "stop_time") or "start_time" not in trials or trials.start_time.ndim != 2:
        return
    start = trials.start_time.transpose("episode", "trial").values.astype(float)
    both = np.isfinite(time) & np.isfinite(start)
    if both.sum() < 3:
        return
    longest = np.diff(np.sort(start[both])).max(initial=0.0)
    if "stop_time" in trials and trials.stop_time.ndim == 2:
        stop = trials.stop_time.transpose("episode", "trial").values.astype(float)
        longest = max(longest, float(np.nanmax(stop - start, initial=0.0)))
    late = time[both] < start[both]
    if late.mean() > 0.5 and time[both].max() <= longest and np.ptp(start[both]) > 3 * longest:
        low, high = time[both].min(), time[both].max()
        raise InputError(
            f"{align!r} runs from {low:g} to {high:g} s, while trials start from {start[both].min():g} to "
            f"{start[both].max():g} s, so it counts from the start of its trial; add the start, "
            f"trials[{align!r}] = trials.start_time + trials[{align!r}], or align to start_time (--align start_time)."
        )


def question(name: str, first: float, last: float, share: float, edges: np.ndarray) -> None:
    """Warn if what was recorded lies elsewhere in time than the windows of the trials.

    Parameters
    ----------
    name : str
        What was recorded.
    first, last : float
        When it was recorded (s).
    share : float
        Of its spikes or samples, those that fall in some window.
    edges : float array
        Borders of the windows (s), NaN where there is none.

    Warns
    -----
    UserWarning
        With the time scale to give, if spans differ by about a factor.
    """
    if not np.isfinite([first, last]).all() or not np.isfinite(edges).any():
        return
    low, high = np.nanmin(edges), np.nanmax(edges)
    overlap = max(0.0, min(last, high) - max(first, low))
    recorded, windows = f"from {first:.6g} to {last:.6g} s", f"from {low:.6g} to {high:.6g} s"
    spans = f"{name!r} was recorded {recorded}, and the trials' windows run {windows}"
    ratio = (last - first) / (high - low) if high > low else np.nan
    for scale, unit in UNITS.items():
        if 1 / NEAR < ratio * scale < NEAR and share < FEW:
            warnings.warn(
                f"{spans}: {1 / scale:,.0f} times as long, so the recording's times seem to be in {unit}; type "
                f"time_scale={scale:g} (--time-scale {scale:g}). As they are, {share:.1%} falls in a window.",
                stacklevel=4,
            )
            return
        if 1 / NEAR < ratio / scale < NEAR and overlap < 0.02 * (high - low):
            warnings.warn(
                f"{spans}: the trials' times seem to be in {unit}; divide them by {1 / scale:,.0f} in the table.",
                stacklevel=4,
            )
            return
    if overlap <= 0:
        warnings.warn(
            f"{spans}: they do not meet, as where two clocks were not brought together; shift the times of one.",
            stacklevel=4,
        )
    elif share == 0:
        warnings.warn(
            f"{spans}, yet nothing of it falls in any window; look at the times and the window.", stacklevel=4
        )
