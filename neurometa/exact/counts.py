"""Compiled loops over all counts of two arms: the pulls of the first, its wins, and the wins of the second.

Of the cube (n, w0, w1) of a trial only a sixth of the cells can occur, and only those are visited.
"""

from typing import Any

import numba
import numpy as np

TIE = 1e-12  # choices whose worth differs by less are worth the same but for rounding

_number = numba.float64
_cube = _number[:, :, ::1]
_list = _number[::1]


def _compile(signature: Any) -> Any:
    return numba.njit(signature, error_model="numpy", nogil=True, cache=True)


@_compile(numba.int64[:, ::1](numba.int64))
def occurring(trial: int) -> np.ndarray:
    """Return wins and losses of arm 0, then of arm 1, in every cell that can occur before a trial, counted from 0."""
    cells = np.empty((4, (trial + 1) * (trial + 2) * (trial + 3) // 6), np.int64)
    at = 0
    for n in range(trial + 1):
        for w0 in range(n + 1):
            for w1 in range(trial - n + 1):
                cells[0, at], cells[1, at], cells[2, at], cells[3, at] = w0, n - w0, w1, trial - n - w1
                at += 1
    return cells


@_compile(numba.types.Tuple((_cube, _number))(_cube, _cube, _list, _list))
def forward(prob: np.ndarray, choose0: np.ndarray, mean0: np.ndarray, mean1: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the probability of every count after a trial, and the reward that is expected in it.

    Parameters
    ----------
    prob : array (n, w0, w1)
        Of every count before the trial.
    choose0 : array (n, w0, w1)
        Probability of taking arm 0.
    mean0, mean1 : array (cell,)
        Expected reward of either arm, in the cells that can occur.
    """
    size = prob.shape[0]
    later, earned, at = np.zeros((size + 1, size + 1, size + 1)), 0.0, 0
    for n in range(size):
        for w0 in range(n + 1):
            for w1 in range(size - n):
                first = prob[n, w0, w1] * choose0[n, w0, w1]
                second = prob[n, w0, w1] - first
                won0, won1 = first * mean0[at], second * mean1[at]
                later[n + 1, w0 + 1, w1] += won0
                later[n + 1, w0, w1] += first - won0
                later[n, w0, w1 + 1] += won1
                later[n, w0, w1] += second - won1
                earned += won0 + won1
                at += 1
    return later, earned


@_compile(numba.types.Tuple((numba.float32[:, :, ::1], _cube))(_cube, _list, _list))
def backward(worth: np.ndarray, mean0: np.ndarray, mean1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which arm is better before a trial, and what is then still to be earned.

    Parameters
    ----------
    worth : array (n, w0, w1)
        What is still to be earned after the trial, by the counts after it.
    mean0, mean1 : array (cell,)
        Expected reward of either arm, in the cells that can occur.

    Returns
    -------
    choose0 : array (n, w0, w1)
        1 where arm 0 is better, 0 where arm 1 is, a half where they are worth the same, and where counts cannot occur.
    worth : array (n, w0, w1)
        What is still to be earned before the trial.
    """
    size = worth.shape[0] - 1
    choose0, before, at = np.full((size, size, size), np.float32(0.5)), np.zeros((size, size, size)), 0
    for n in range(size):
        for w0 in range(n + 1):
            for w1 in range(size - n):
                p0, p1 = mean0[at], mean1[at]
                of0 = p0 * (1 + worth[n + 1, w0 + 1, w1]) + (1 - p0) * worth[n + 1, w0, w1]
                of1 = p1 * (1 + worth[n, w0, w1 + 1]) + (1 - p1) * worth[n, w0, w1]
                if abs(of0 - of1) > TIE:
                    choose0[n, w0, w1] = 1.0 if of0 > of1 else 0.0
                before[n, w0, w1] = max(of0, of1)
                at += 1
    return choose0, before
