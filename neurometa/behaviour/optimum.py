"""The highest likelihood within bounds, wherever it is: scan the rates, refine every local maximum.

The weights are no part of the search: the likelihood is concave in them, so that `climb`
finds their best at any rates. A rate is written as an angle, ``(1 - cos(pi * angle)) / 2``
of the way from its lowest to its highest value: the scan is then finest near the bounds,
where small changes matter most, and a maximum on a bound is as smooth as any other.
"""

import itertools
from typing import NamedTuple

import numpy as np

from neurometa.behaviour.likelihood import Choices, climb, gaps, score
from neurometa.models import Model

ANGLES = {1: np.linspace(0, 1, 33), 2: np.linspace(0, 1, 25) ** 1.5}  # scanned, by the number of free rates
FEWEST_ANGLES = np.linspace(0, 1, 13) ** 1.5  # with more rates
COARSE = 4  # every so many nodes are scanned first
FLAT = 1e-6  # nats: nodes that differ by less are a plateau
CHUNK = 400_000  # elements of the learned features that are held at once


class Problem(NamedTuple):
    """A model, the choices it is to explain, and the bounds of its rates and then its weights (parameter, column)."""

    model: type[Model]
    choices: Choices
    lower: np.ndarray
    upper: np.ndarray

    def take(self, columns: np.ndarray | slice) -> "Problem":
        """Only some of the columns, in any order and number."""
        return self._replace(
            choices=self.choices.take(columns), lower=self.lower[:, columns], upper=self.upper[:, columns]
        )

    @property
    def n_rates(self) -> int:
        """Number of rates."""
        return len(self.model.rates())

    @property
    def free(self) -> np.ndarray:
        """Which rates are not held at one value in every column."""
        return (self.upper > self.lower)[: self.n_rates].any(1)

    @property
    def nodes(self) -> list[np.ndarray]:
        """Angles of each rate that are scanned."""
        angles = ANGLES.get(int(self.free.sum()), FEWEST_ANGLES)
        return [angles if free else np.zeros(1) for free in self.free]

    def rates(self, angle: np.ndarray) -> np.ndarray:
        """Rates (rate, ..., column) at angles of the same shape."""
        shape = (self.n_rates, *(1,) * (angle.ndim - 2), -1)
        low, high = self.lower[: self.n_rates].reshape(shape), self.upper[: self.n_rates].reshape(shape)
        return low + (high - low) * (1 - np.cos(np.pi * angle)) / 2


class Optimum(NamedTuple):
    """Where the likelihood is highest: `parameters` (parameter, column), rates first, and `value` (column,) in nats."""

    parameters: np.ndarray
    value: np.ndarray


def maximise(problem: Problem) -> Optimum:
    """Find the global maximum of the likelihood of every column.

    A parameter on a bound is on it exactly. Of equal maxima, that of the lowest rates is
    taken; a weight that makes no difference there is 0, or the bound nearest to it.
    """
    angle, step, weights, column = local_maxima(problem)
    here = problem.take(column)
    if problem.free.any():
        angle, weights = refine(here, angle, step, weights)
    rates = here.rates(angle)
    weights, value = best_weights(here, rates[:, None], weights[:, None], tolerance=1e-11)
    order = np.lexsort((-value[0], column))  # stable: the first of equal maxima
    best = order[np.unique(column[order], return_index=True)[1]]
    rates, weights = rates[:, best], weights[:, 0, best]
    weights, value = settle(problem, rates, weights, value[0, best])
    return Optimum(np.concatenate([rates, weights]), value)


def local_maxima(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scan the rates and return angles (rate, maximum), weights (feature, maximum) and column of every local maximum."""
    nodes = problem.nodes
    index = np.array(list(itertools.product(*(range(len(each)) for each in nodes)))).reshape(-1, problem.n_rates)
    last = np.array([(len(each) - 1) // COARSE for each in nodes])
    near = np.minimum((index + COARSE // 2) // COARSE, last) * COARSE  # the coarse node that lends its weights
    coarse = (index == near).all(1)
    lender = np.nonzero((near[:, None] == index[coarse]).all(-1))[1]
    grid = np.array([each[i] for each, i in zip(nodes, index.T, strict=True)]).reshape(-1, len(index))
    step = np.array([spacing(each)[i] for each, i in zip(nodes, index.T, strict=True)]).reshape(-1, len(index))
    n_columns = problem.lower.shape[1]
    rates = problem.rates(np.repeat(grid[..., None], n_columns, axis=-1))
    start = np.clip(0.0, problem.lower, problem.upper)[problem.n_rates :, None]
    lent, _ = best_weights(problem, rates[:, coarse], start, tolerance=1e-1)
    weights, value = best_weights(problem, rates, lent[:, lender], tolerance=1e-2)

    value = value.reshape(*map(len, nodes), n_columns)
    padded = np.pad(value, [(1, 1)] * problem.n_rates + [(0, 0)], constant_values=-np.inf)
    highest = np.ones(value.shape, bool)
    for offset in itertools.product((-1, 0, 1), repeat=problem.n_rates):
        shifted = padded[tuple(slice(1 + o, 1 + o + len(n)) for o, n in zip(offset, nodes, strict=True))]
        if any(offset):  # a plateau has its maximum at its first node
            highest &= value > shifted + FLAT if offset < (0,) * problem.n_rates else value >= shifted - FLAT
    node, column = np.nonzero(highest.reshape(-1, n_columns))
    return grid[:, node], step[:, node], weights[:, node, column], column


def spacing(nodes):
    gaps = np.diff(nodes, prepend=-np.inf, append=np.inf)
    return np.minimum(gaps[1:], gaps[:-1]) if len(nodes) > 1 else np.zeros(1)


def refine(problem: Problem, angle: np.ndarray, step, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Climb from each column's angles to the local maximum nearby.

    Tries a small stencil around the best so far, goes to the vertex of the parabola
    through it, and shrinks; where no parabola fits, as at a kink, it only shrinks.
    """
    free = np.flatnonzero(problem.free)
    offsets = np.array(list(itertools.product(*((-1, 0, 1) if each else (0,) for each in problem.free)))).T
    middle = offsets.shape[1] // 2
    best_angle, best, top = angle.copy(), weights.copy(), np.full(angle.shape[1], -np.inf)
    columns = np.arange(angle.shape[1])
    while columns.size:
        tried = 1 - np.abs(1 - np.abs(angle[:, None] + offsets[..., None] * step[:, None]))  # mirrored at the bounds
        here = problem.take(columns)
        found, value = best_weights(here, here.rates(tried), best[:, None, columns], tolerance=1e-8)
        highest, each = np.where(value[middle] >= value.max(0), middle, value.argmax(0)), np.arange(columns.size)
        reached = value[highest, each]
        better = reached > top[columns]
        best_angle[:, columns[better]] = tried[:, highest, each][:, better]
        best[:, columns[better]] = found[:, highest, each][:, better]
        fell, top[columns] = reached < top[columns], np.maximum(reached, top[columns])

        vertex, gain = parabola(offsets[free], value)
        inside = (highest == middle) & ~fell
        angle = np.where(fell, best_angle[:, columns], tried[:, highest, each])
        angle[np.ix_(free, inside)] += step[np.ix_(free, inside)] * vertex[:, inside]
        angle = np.clip(angle, 0.0, 1.0)
        size = step.max(0)
        done = inside & (gain < 1e-8) & (size < 2e-3) | (size < 1e-7)
        best_angle[:, columns[done]] = angle[:, done]
        step = np.where(inside | fell, step / 5, 2 * step)
        angle, step, columns = angle[:, ~done], step[:, ~done], columns[~done]
    near = 2e-4  # of an angle: 1e-7 of the way between the bounds
    return np.where(best_angle < near, 0.0, np.where(best_angle > 1 - near, 1.0, best_angle)), best


def parabola(offsets: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a quadratic to `value` (try, column) at `offsets` (axis, try) in -1, 0, 1.

    Returns
    -------
    vertex : float array (axis, column)
        Where it is highest, within one step; along an axis on which it is not concave, one
        that climbs.
    gain : float array (column,)
        How much higher than at the middle, in nats.
    """
    n = len(offsets)
    pairs = list(itertools.combinations_with_replacement(range(n), 2))
    design = np.stack([np.ones(offsets.shape[1]), *offsets, *(offsets[i] * offsets[j] for i, j in pairs)], axis=1)
    coefficients = np.linalg.pinv(design) @ value
    slope, curvature = coefficients[1 : 1 + n].T, np.empty((value.shape[1], n, n))
    for (i, j), coefficient in zip(pairs, coefficients[1 + n :], strict=True):
        curvature[:, i, j] = curvature[:, j, i] = coefficient * (2 if i == j else 1)
    bend, axes = np.linalg.eigh(curvature)
    bend = np.maximum(np.abs(bend), 1e-300)
    along = np.einsum("cij,ci->cj", axes, slope)
    vertex = np.einsum("cij,cj->ci", axes, along / bend)
    return np.clip(vertex, -1.0, 1.0).T, 0.5 * (along**2 / bend).sum(1)


def best_weights(
    problem: Problem, rates: np.ndarray, start: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Maximise over the weights at given rates.

    Parameters
    ----------
    problem : Problem
        One column per likelihood.
    rates : float array (rate, try, column)
        Where to do so.
    start : float array (feature, try or 1, column)
        Weights to begin from.
    tolerance : float
        In nats.

    Returns
    -------
    weights : float array (feature, try, column)
        The best weights.
    value : float array (try, column)
        Log-likelihood, in nats.
    """
    n_tries, n_columns = rates.shape[1:]
    weights, value = np.empty((len(start), n_tries, n_columns)), np.empty((n_tries, n_columns))
    for tries, columns in chunks(problem, n_tries):
        here = problem.take(columns)
        seen = gaps(problem.model, here.choices, rates[:, tries, columns])
        n = len(value[tries])
        first = np.broadcast_to(start, weights.shape)[:, tries, columns].reshape(len(start), -1)
        low, high = (np.tile(bound[here.n_rates :], n) for bound in (here.lower, here.upper))
        found, reached = climb(seen, first, low, high, tolerance)
        weights[:, tries, columns] = found.reshape(len(start), n, -1)
        value[tries, columns] = reached.reshape(n, -1)
    return weights, value


def chunks(problem: Problem, n_tries: int):
    """Yield slices of tries and columns that fit in memory together."""
    n_columns, n_points = problem.lower.shape[1], max(1, CHUNK // problem.choices.n_elements(problem.model))
    width = max(1, n_points // n_tries)
    height = n_tries if width > 1 else min(n_tries, n_points)
    for column in range(0, n_columns, width):
        for first in range(0, n_tries, height):
            yield slice(first, first + height), slice(column, column + width)


def settle(problem: Problem, rates: np.ndarray, weights: np.ndarray, value: np.ndarray):
    """Move weights onto a bound that is better still, and those that make no difference to 0."""
    for columns in (c for _, c in chunks(problem, 1)):
        seen = gaps(problem.model, problem.choices.take(columns), rates[:, None, columns])
        _, _, information = score(seen, weights[:, columns])
        for k in range(len(weights)):
            low, high = (bound[problem.n_rates + k, columns] for bound in (problem.lower, problem.upper))
            weights[k, columns] = np.where(information[k, k] == 0, np.clip(0.0, low, high), weights[k, columns])
            for bound in (low, high):
                moved = weights[:, columns].copy()
                moved[k] = bound
                reached = score(seen, moved)[0]
                better = reached > value[columns]
                weights[k, columns] = np.where(better, bound, weights[k, columns])
                value[columns] = np.where(better, reached, value[columns])
    return weights, value
