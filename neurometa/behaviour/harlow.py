"""Learning to learn: how soon a new problem is solved, after one trial or many (Harlow 1949)."""

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import special

from neurometa.dataset import played, require
from neurometa.errors import InputError


def learning_set_curve(trials: xr.Dataset, *, by: str | Sequence[int] | None = None, level: float = 0.95) -> xr.Dataset:
    """Share of right choices on each trial of a problem, over all problems or by groups of them.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``side`` (of the rewarded stimulus) over ``episode`` and ``trial``, an episode
        being a problem; any other dims, e.g. ``agent`` or ``subject``. Missed trials (choice -1), and those
        where ``valid`` is False, are left out.
    by : str or sequence of int, optional
        How problems are grouped: the name of a coordinate or variable over ``episode``; or the last problem of each
        block in the order they were met, counted from 1 and rising: ``(8, 16)`` makes the blocks 1-8 and 9-16.
    level : float
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Dataset
        ``accuracy``, in [0, 1], ``lower``, ``upper`` (Wilson's interval, problems being independent) and ``n``
        (problems) over ``trial``, whose coordinate counts from 1, the other dims, and the dim that `by`
        makes: its own name, or ``block``. NaN where n is 0.

    Raises
    ------
    InputError
        A variable, a dim or the grouping is absent, the blocks do not fit, or the level is outside its range.

    References
    ----------
    Harlow 1949; Wang et al. 2016, Fig 6f; Wang et al. 2018, Fig 6b, c. The interval: Wilson 1927.
    """
    right = _right(trials)
    right = right.assign_coords(trial=np.arange(1, right.sizes["trial"] + 1))
    if by is None:
        return _share(right, ("episode",), level)
    found = []
    label, groups = _groups(trials, by)
    for group in groups.values():
        found.append(_share(right.isel(episode=group), ("episode",), level))
    return xr.concat(found, label).assign_coords({label: _labels(list(groups))})


def win_stay_lose_shift(trials: xr.Dataset, *, level: float = 0.95) -> xr.Dataset:
    """How often the second trial goes back to the stimulus that just paid, and leaves the one that did not.

    Both are of the stimulus, not of its side. An agent that has learned that one of the two is
    rewarded does both alike; one that merely repeats what paid is better after a win.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``side`` over ``episode`` and ``trial``, of which there are two at least; both stimuli kept.
    level : float
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Dataset
        ``win_stay`` and ``lose_shift``, in [0, 1], each with ``_lower``, ``_upper`` (Wilson) and ``_n`` (problems
        in which trials 1 and 2 were both answered), and ``difference``, their difference, with ``_lower`` and
        ``_upper`` (Newcombe 1998, method 10); over the dims other than ``episode`` and ``trial``.

    Raises
    ------
    InputError
        A variable or dim is absent, there is no second trial, or the level is outside its range.
    """
    right = _right(trials)
    if right.sizes["trial"] < 2:
        raise InputError("An episode has one trial; to stay or to shift there must be a second.")
    first, second = right.isel(trial=0, drop=True), right.isel(trial=1, drop=True)
    found = xr.Dataset(attrs={"level": level})
    # of two stimuli, to take the rewarded one again is to stay, and to take it after the other is to shift
    for name, before in (("win_stay", 1.0), ("lose_shift", 0.0)):
        share = _share(second.where(first == before), ("episode",), level)
        names = {"accuracy": name} | {part: f"{name}_{part}" for part in ("lower", "upper", "n")}
        found = found.merge(share.rename(names))
        found[name].attrs = {"long_name": name.replace("_", "-") + " at trial 2"}
    a, b = found.win_stay, found.lose_shift
    found["difference"] = a - b
    found["difference_lower"] = a - b - np.hypot(a - found.win_stay_lower, found.lose_shift_upper - b)
    found["difference_upper"] = a - b + np.hypot(found.win_stay_upper - a, b - found.lose_shift_lower)
    return found


def _right(trials: xr.Dataset) -> xr.DataArray:
    """1 where the rewarded side was chosen, 0 where the other, NaN where none."""
    require(trials, choice=("episode", "trial"), side=("episode", "trial"))
    if odd := sorted(set(np.unique(trials.side.values).tolist()) - {0, 1}):
        raise InputError(f"'side' holds {odd[0]}; the sides are 0 and 1.")
    return (trials.choice == trials.side).astype(float).where(played(trials))


def _share(right: xr.DataArray, dims: tuple[str, ...], level: float) -> xr.Dataset:
    """Share of ones with Wilson's interval."""
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    counted = right.notnull().sum(dims)
    n = counted.where(counted > 0).astype(float)
    share, z = right.sum(dims) / n, special.ndtri((1 + level) / 2)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    share.attrs = {"long_name": "share of right choices"}
    # rounding must not leave the share of all or of none outside its interval
    return xr.Dataset(
        {
            "accuracy": share,
            "lower": np.minimum(middle - reach, share).clip(0),
            "upper": np.maximum(middle + reach, share).clip(max=1),
            "n": counted,
        },
        attrs={"level": level},
    )


def _groups(trials: xr.Dataset, by: str | Sequence[int]) -> tuple[str, dict[object, np.ndarray]]:
    """Name of the grouping, and the places of each group's problems."""
    n = trials.sizes["episode"]
    if isinstance(by, str):
        if by not in trials.variables or trials[by].dims != ("episode",):
            one_dim = [str(name) for name in trials.variables if trials[name].dims == ("episode",)]
            raise InputError(f"There is no {by!r} over 'episode' alone to group problems by; there are {one_dim}.")
        label, values = by, trials[by].values
        if label == "episode":
            raise InputError("Every problem has its own 'episode'; group by another coordinate, or by blocks.")
        return label, {value: np.flatnonzero(values == value) for value in dict.fromkeys(values.tolist())}
    ends = [int(end) for end in by]
    if not ends or ends[0] < 1 or any(b <= a for a, b in itertools.pairwise(ends)) or ends[-1] > n:
        raise InputError(f"by is {tuple(by)}; the last problems of blocks must rise from 1 or more to at most {n}.")
    starts = [0, *ends[:-1]]
    return "block", {f"{a + 1}-{b}": np.arange(a, b) for a, b in zip(starts, ends, strict=True)}


def _labels(names: list[object]) -> np.ndarray:
    """Texts as objects, numbers as numbers."""
    return np.array(names, dtype=object if any(isinstance(name, str) for name in names) else None)
