"""Gittins indices of a Bernoulli arm with a uniform prior, by calibration, computed once and kept.

The index of an arm is the sure payment per trial at which one would as soon leave it for
good as pull it at least once more. With discounted rewards and arms that keep still, pulling the arm of
the highest index is optimal (Gittins 1979); with a finite horizon it nearly is.
"""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

import numba
import numpy as np

from neurometa.errors import InputError
from neurometa.storage import replacing

VERSION = 1  # of the computation: a table of another version is not read
LONGEST = 200  # trials of a finite horizon: a table of 32 MB, in seconds
N_SURE = 2000  # sure payments tried; between two of them the gain of pulling on is taken to be a line
FORGOTTEN = 1e-4  # weight of the rewards beyond which an arm counts as known
AT_ONCE = 50  # sure payments between two times that progress is told

_progress: ContextVar[Callable[[int, int], None] | None] = ContextVar("_progress", default=None)
_compile = numba.njit(error_model="numpy", nogil=True, cache=True)


def finite_horizon(n_trials: int) -> np.ndarray:
    """Return the index of an arm when so many trials are left, all rewards counting alike.

    Parameters
    ----------
    n_trials : int
        Trials in an episode, 1 to 200.

    Returns
    -------
    ndarray (left, wins, losses)
        Index in (0, 1] before the last trial, the last but one, ...: ``[left - 1, wins, losses]``,
        right to 1e-4. NaN where `left` trials and so many pulls do not fit into an episode.

    Raises
    ------
    InputError
        `n_trials` is outside its range.
    """
    if not 1 <= n_trials <= LONGEST:
        raise InputError(
            f"n_trials is {n_trials}; a finite-horizon Gittins table takes 1 to {LONGEST}. "
            "For longer episodes give a discount, e.g. 0.995."
        )
    shape = (n_trials,) * 3
    return _kept(f"finite-{n_trials}", shape, lambda: _calibrated(_finite_horizon, shape, n_trials))


def discounted(n_trials: int, discount: float) -> np.ndarray:
    """Return the index of an arm when each reward counts `discount` times the one before.

    Parameters
    ----------
    n_trials : int
        Trials in an episode, >= 1; the table goes to one pull less.
    discount : float
        In (0, 1), at most 0.999.

    Returns
    -------
    ndarray (wins, losses)
        Index in (0, 1), right to 1e-4; NaN for `n_trials` pulls or more.

    Raises
    ------
    InputError
        `n_trials` or `discount` is outside its range.
    """
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; it must be at least 1.")
    if not 0 < discount <= 0.999:
        raise InputError(f"discount is {discount}; it must lie above 0 and be at most 0.999.")
    depth = n_trials + int(np.ceil(np.log(FORGOTTEN) / np.log(discount)))
    shape = (n_trials,) * 2
    return _kept(
        f"discount-{discount!r}-{n_trials}",
        shape,
        lambda: _calibrated(_discounted, shape, n_trials, depth, discount),
    )


@contextlib.contextmanager
def watched(progress: Callable[[int, int], None]) -> Iterator[None]:
    """Tell how far the computation of a table is, for as long as this lasts; nothing of one that is there already.

    Parameters
    ----------
    progress : callable
        Called with the sure payments tried so far, and how many there are.
    """
    before = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(before)


def cache_folder() -> Path:
    """Return where tables are kept: ``$XDG_CACHE_HOME/neurometa``, by default ``~/.cache/neurometa``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "neurometa"


def _kept(name: str, shape: tuple[int, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Read a table from the cache, or compute it and leave it there if that can be written."""
    path = cache_folder() / f"gittins-v{VERSION}-{name}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            table = archive["index"]  # its checksum is compared here
        if table.shape == shape and table.dtype == np.float32:
            return table
        damage = f"it holds {table.dtype} {table.shape}"
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        damage = ""
    except Exception as error:  # a damaged archive can fail in any way
        damage = str(error) or type(error).__name__
    if damage:
        warnings.warn(f"The cached Gittins table {path} is damaged ({damage}); it is computed anew.", stacklevel=4)
    table = compute().astype(np.float32)
    with contextlib.suppress(InputError), replacing(path) as temporary, temporary.open("wb") as new:
        np.savez_compressed(new, index=table)  # a cache that cannot be written costs time, no more
    return table


def _calibrated(compute: Callable[..., None], shape: tuple[int, ...], *settings: float) -> np.ndarray:
    """Fill a table by trying one sure payment after another; what `compute` keeps between two is the last gain."""
    index, before, sure, progress = np.full(shape, np.nan), np.zeros(shape), _sure(), _progress.get()
    for first in range(0, len(sure), AT_ONCE):
        compute(*settings, sure, first, min(first + AT_ONCE, len(sure)), index, before)
        if progress is not None:
            progress(min(first + AT_ONCE, len(sure)), len(sure))
    return index


def _sure() -> np.ndarray:
    """Sure payments per trial, closest near 0 and 1, where the indices of well-known arms crowd."""
    return (1 - np.cos(np.pi * np.linspace(0, 1, N_SURE + 1))) / 2


@_compile
def _crossing(before, gain, low, high):
    """Where the gain of pulling on falls to 0 on the line from (low, before) to (high, gain)."""
    return low + (high - low) * before / (before - gain)


@_compile
def _finite_horizon(n_trials, sure, first, last, index, before):
    """Backward induction for each sure payment: pull on, or take it for the `left` trials there are.

    `before` is the gain at the payment before, (left, pulls, wins).
    """
    for i in range(first, last):
        worth = np.zeros((n_trials + 1, n_trials + 1))  # (pulls, wins), nothing being left
        for left in range(1, n_trials + 1):
            leave = left * sure[i]
            for pulls in range(n_trials - left + 1):
                for wins in range(pulls + 1):
                    mean = (wins + 1) / (pulls + 2)
                    stay = mean * (1 + worth[pulls + 1, wins + 1]) + (1 - mean) * worth[pulls + 1, wins]
                    worth[pulls, wins] = max(stay, leave)
                    gain = stay - leave
                    if gain <= 0 < before[left - 1, pulls, wins]:
                        place = _crossing(before[left - 1, pulls, wins], gain, sure[i - 1], sure[i])
                        index[left - 1, wins, pulls - wins] = place
                    before[left - 1, pulls, wins] = gain


@_compile
def _discounted(n_trials, depth, discount, sure, first, last, index, before):
    """Backward induction for each sure payment from `depth` pulls, where the arm pays its mean for ever.

    `before` is the gain at the payment before, (pulls, wins).
    """
    worth = np.empty(depth + 1)  # by wins, after the pulls considered
    for i in range(first, last):
        leave = sure[i] / (1 - discount)
        for wins in range(depth + 1):
            worth[wins] = max((wins + 1) / (depth + 2) / (1 - discount), leave)
        for pulls in range(depth - 1, -1, -1):
            for wins in range(pulls + 1):
                mean = (wins + 1) / (pulls + 2)
                stay = mean * (1 + discount * worth[wins + 1]) + (1 - mean) * discount * worth[wins]
                worth[wins] = max(stay, leave)
                if pulls < n_trials:
                    gain = stay - leave
                    if gain <= 0 < before[pulls, wins]:
                        index[wins, pulls - wins] = _crossing(before[pulls, wins], gain, sure[i - 1], sure[i])
                    before[pulls, wins] = gain
