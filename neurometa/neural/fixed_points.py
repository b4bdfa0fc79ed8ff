"""Where a network's state would stay: fixed and slow points under each input, and how fast it comes and goes there."""

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.neural.exported import Exported

FIXED, SLOW = 1e-10, 1e-4  # largest speed (half the squared step) of a fixed point, and of a slow one
APART = 1e-3  # share of the spread of states below which two points are one
N_STEPS = 200  # of Levenberg and Marquardt


def fixed_points(exported: Exported, states: np.ndarray, *, n_steps: int = N_STEPS) -> xr.Dataset:
    r"""Find fixed and slow points of a network under every input it is given (Sussillo & Barak 2013).

    From each of many states the speed :math:`q(x) = \tfrac{1}{2} |F(x, u) - x|^2` is made as small as can be, all in
    one batch, by damped Newton steps with the network's exact Jacobian. F is a whole trial, of one step or of several.

    Parameters
    ----------
    exported : Exported
        As of `neurometa.neural.exported`.
    states : array (start, state)
        Where to begin, e.g. states that it was in; the more there are, the more is found.
    n_steps : int
        Steps at most.

    Returns
    -------
    Dataset
        Over ``point``: ``input`` (a name), ``state`` (over ``unit``), ``speed``, ``kind`` (``fixed`` below 1e-10,
        ``slow`` below 1e-4), ``readout`` there, as `Exported.reads` says (log odds of option 1, or values of cues),
        ``eigenvalue_real`` and ``eigenvalue_imag`` over ``mode`` (the slowest first), ``time_constant`` (trials, of the
        slowest mode: -1 / log of its size; infinite at 1),
        ``stable`` (no eigenvalue of size 1 or more), and ``n_starts`` (how many ended there). ``n_lost`` over
        ``given`` counts the starts that ended at no such point, or at one that no unit can come to.

    Raises
    ------
    InputError
        The states are of another size than the network's.
    """
    states = np.atleast_2d(np.asarray(states, float))
    if states.shape[1] != exported.cell.n_states:
        raise InputError(
            f"states has {states.shape[1]} numbers each; the network's state has {exported.cell.n_states}."
        )
    rows, lost = [], []
    for name, steps in exported.inputs.items():
        ends, speed = _descend(exported, steps, states, n_steps)
        kept = np.flatnonzero((speed < SLOW) & exported.cell.reachable(ends))
        lost.append(len(states) - len(kept))
        spread = max(float(np.sqrt(states.var(0).sum())), float(np.sqrt(ends.var(0).sum())), 1e-6)
        for place, n in _distinct(ends[kept], speed[kept], APART * spread):
            rows.append((name, ends[kept[place]], speed[kept[place]], n))
    return _described(exported, rows, lost)


def _descend(exported: Exported, steps: np.ndarray, states: np.ndarray, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each start ends, and its speed there."""
    at = states.copy()
    damping = np.full(len(at), 1e-2)
    gap = exported.trial(at, steps) - at
    speed = 0.5 * (gap**2).sum(1)
    one = np.eye(at.shape[1])
    active = np.arange(len(at))
    for _ in range(n_steps):
        if not len(active):
            break
        slope = exported.trial_jacobian(at[active], steps) - one
        turned = slope.swapaxes(1, 2)
        matrix = turned @ slope + damping[active, None, None] * one
        new = at[active] - np.linalg.solve(matrix, turned @ gap[active][..., None])[..., 0]
        new_gap = exported.trial(new, steps) - new
        new_speed = 0.5 * (new_gap**2).sum(1)
        better = new_speed < speed[active]
        moved = active[better]
        still = np.zeros(len(active), bool)
        still[better] = (speed[moved] - new_speed[better]) < 1e-12 * speed[moved]
        at[moved], gap[moved], speed[moved] = new[better], new_gap[better], new_speed[better]
        damping[active] = np.clip(np.where(better, damping[active] / 5, damping[active] * 4), 1e-12, 1e8)
        active = active[~(still | (speed[active] < 1e-28) | (damping[active] >= 1e8))]
    return at, speed


def _distinct(ends: np.ndarray, speed: np.ndarray, apart: float) -> list[tuple[int, int]]:
    """Place of one of each group of ends that lie together, the slowest, and how many they are."""
    found, left = [], list(np.argsort(speed))
    while left:
        first = left[0]
        near = np.sqrt(((ends[left] - ends[first]) ** 2).sum(1)) < apart
        found.append((int(first), int(near.sum())))
        left = [each for each, close in zip(left, near, strict=True) if not close]
    return found


def _described(exported: Exported, rows: list, lost: list[int]) -> xr.Dataset:
    n = exported.cell.n_states
    state = np.array([row[1] for row in rows]).reshape(len(rows), n)
    eigen = np.zeros((len(rows), n), complex)
    for i, (name, at, *_) in enumerate(rows):
        values = np.linalg.eigvals(exported.trial_jacobian(at[None], exported.inputs[name])[0])
        eigen[i] = values[np.argsort(-np.abs(values))]
    size = np.abs(eigen[:, 0]) if rows else np.zeros(0)
    with np.errstate(divide="ignore"):
        constant = np.where(size < 1, -1 / np.log(np.clip(size, 1e-300, None)), np.inf)
    speed = np.array([row[2] for row in rows])
    result = xr.Dataset(
        {
            "input": ("point", np.array([row[0] for row in rows], dtype=object)),
            "state": (("point", "unit"), state),
            "speed": ("point", speed),
            "kind": ("point", np.where(speed < FIXED, "fixed", "slow").astype(object)),
            "readout": ("point", exported.readout(state)),
            "eigenvalue_real": (("point", "mode"), eigen.real),
            "eigenvalue_imag": (("point", "mode"), eigen.imag),
            "time_constant": ("point", constant),
            "stable": ("point", size < 1),
            "n_starts": ("point", np.array([row[3] for row in rows], int)),
            "n_lost": ("given", lost),
        },
        coords={"given": np.array(list(exported.inputs), dtype=object)},
    )
    name, units = exported.reads
    result.readout.attrs = {"long_name": name, "units": units}
    result.time_constant.attrs = {"long_name": "time constant of the slowest mode", "units": "trial"}
    result.speed.attrs = {"long_name": "half the squared step"}
    return result
