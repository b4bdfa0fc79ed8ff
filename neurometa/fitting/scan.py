"""The highest likelihood within bounds, wherever it is: scan the rates, refine every local maximum.

The weights are no part of the search: the likelihood is concave in them, so that `climb`
finds their best at any rates. A rate is written as an angle, ``(1 - cos(pi * angle)) / 2``
of the way from its lowest to its highest value: the scan is then finest near the bounds,
where small changes matter most, and a maximum on a bound is as smooth as any other.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neurometa.fitting.likelihood import Choices, climb, gaps, score
from neurometa.models import Softmax

ANGLES = {1: np.linspace(0, 1, 33), 2: np.linspace(0, 1, 25) ** 1.5}  # scanned, by the number of free rates
FEWEST_ANGLES = np.linspace(0, 1, 11) ** 1.5  # with more rates
COARSE = 4  # every so many angles are scanned first, to lend the others their weights
FLAT = 1e-6  # nats: nodes that differ by less are a plateau
CHUNK = 400_000  # elements of the learned features that are held at once
INITIAL, LOCAL, FINAL = 1e-2, 1e-8, 1e-11  # nats to which the weights are found: in the scan, refinement, result


class Problem(NamedTuple):
    """A model, the choices it is to explain, and the bounds of its rates and then its weights (parameter, column).

    A parameter whose bounds are equal is held there.
    """

    model: type[Softmax]
    choices: Choices
    lower: np.ndarray
    upper: np.ndarray

    def take(self, columns: np.ndarray | slice) -> "Problem":
        """Only some of the columns, in any order and number."""
        return Problem(self.model, self.choices.take(columns), self.lower[:, columns], self.upper[:, columns])

    def hold(self, parameter: int, value: np.ndarray) -> "Problem":
        """Hold one parameter at `value` (column,)."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[parameter] = upper[parameter] = value
        return self._replace(lower=lower, upper=upper)

    @property
    def n_rates(self) -> int:
        """Number of rates."""
        return len(self.model.rates())

    @property
    def free(self) -> np.ndarray:
        """Which rates are not held in every column."""
        return np.any(self.upper > self.lower, axis=1)[: self.n_rates]

    def rates(self, angle: np.ndarray) -> np.ndarray:
        """Rates (rate, ..., column) at angles of the same shape."""
        shape = (self.n_rates, *(1,) * (angle.ndim - 2), -1)
        low, high = self.lower[: self.n_rates].reshape(shape), self.upper[: self.n_rates].reshape(shape)
        return low + (high - low) * (1 - np.cos(np.pi * angle)) / 2

    def chunks(self, n_tries: int) -> Iterator[tuple[slice, slice]]:
        """Slices of tries and of columns that fit in memory together."""
        n_columns, n_points = self.lower.shape[1], max(1, CHUNK // max(1, self.choices.n_elements(self.model)))
        width = max(1, n_points // n_tries)
        height = n_tries if width > 1 else min(n_tries, n_points)
        for column in range(0, n_columns, width):
            for first in range(0, n_tries, height):
                yield slice(first, first + height), slice(column, column + width)


class Optimum(NamedTuple):
    """Where the likelihood is highest: `parameters` (parameter, column), rates first, and `value` (column,) in nats."""

    parameters: np.ndarray
    value: np.ndarray


class Nodes(NamedTuple):
    """Where to refine: `angle` and `step` (rate, column), best `weights` (feature, column), and whose `column`."""

    angle: np.ndarray
    step: np.ndarray
    weights: np.ndarray
    column: np.ndarray


def maximise(problem: Problem) -> Optimum:
    """Find the global maximum of the likelihood of every column.

    With several rates, a maximum with a weight on its bound can hide beside a lower one on
    the same ridge; such maxima are therefore searched for on their own.

    Returns
    -------
    Optimum
        A parameter on a bound is on it exactly. Of equal maxima, that of the lowest rates
        is taken; a weight that makes no difference there is 0, or the bound nearest to it.
    """
    best = search(problem)
    if problem.free.sum() > 1:
        for k in range(problem.n_rates, len(problem.lower)):
            for bound in (problem.lower[k], problem.upper[k]):
                if bound.any() and (problem.lower[k] < problem.upper[k]).any():
                    other = search(problem.hold(k, bound))
                    better = other.value > best.value + FLAT
                    best = Optimum(*(np.where(better, new, old) for new, old in zip(other, best, strict=True)))
    return best


def search(problem: Problem) -> Optimum:
    """Refine every local maximum of the scan, and keep the highest of each column."""
    nodes = local_maxima(problem)
    here = problem.take(nodes.column)
    angle, weights = refine(here, nodes) if problem.free.any() else (nodes.angle, nodes.weights)
    rates = here.rates(angle)
    weights, value = best_weights(here, rates[:, None], weights[:, None], FINAL)
    order = np.lexsort((-value[0], nodes.column))  # stable: the first of equal maxima
    best = order[np.unique(nodes.column[order], return_index=True)[1]]
    return settle(problem, rates[:, best], weights[:, 0, best], value[0, best])


def local_maxima(problem: Problem) -> Nodes:
    """Scan the rates for nodes that no neighbour tops."""
    angles = ANGLES.get(int(problem.free.sum()), FEWEST_ANGLES)
    axes = [angles if free else angles[:1] for free in problem.free]
    index = np.array(list(itertools.product(*(range(len(axis)) for axis in axes)))).reshape(-1, problem.n_rates)
    grid = angles[index.T]
    last = np.array([(len(axis) - 1) // COARSE for axis in axes])
    lender = np.minimum((index + COARSE // 2) // COARSE, last) * COARSE
    coarse = (index == lender).all(1)
    from_coarse = (lender[:, None] == index[coarse]).all(-1).argmax(1)

    n_columns = problem.lower.shape[1]
    rates = problem.rates(np.repeat(grid[..., None], n_columns, axis=-1))
    start = np.clip(0.0, problem.lower, problem.upper)[problem.n_rates :, None]
    lent, _ = best_weights(problem, rates[:, coarse], start, 10 * INITIAL)
    weights, value = best_weights(problem, rates, lent[:, from_coarse], INITIAL)

    value = value.reshape(*map(len, axes), n_columns)
    padded = np.pad(value, [(1, 1)] * problem.n_rates + [(0, 0)], constant_values=-np.inf)
    highest = np.ones(value.shape, bool)
    for offset in itertools.product((-1, 0, 1), repeat=problem.n_rates):
        if any(offset):
            neighbour = padded[tuple(slice(1 + o, 1 + o + len(axis)) for o, axis in zip(offset, axes, strict=True))]
            margin = FLAT if offset < (0,) * problem.n_rates else -FLAT  # a plateau has its maximum at its first node
            highest &= value > neighbour + margin
    node, column = np.nonzero(highest.reshape(-1, n_columns))
    between = np.diff(angles, prepend=-1.0, append=2.0)
    step = np.minimum(between[1:], between[:-1])[index.T] * problem.free[:, None]
    return Nodes(grid[:, node], step[:, node], weights[:, node, column], column)


def refine(problem: Problem, nodes: Nodes) -> tuple[np.ndarray, np.ndarray]:
    """Climb from each node to the local maximum nearby; return its angle (rate, column) and weights (feature, column).

    Tries a small stencil around the best so far. If its middle is the best, goes to the
    vertex of the parabola through it and shrinks; if not, goes to the best and grows.
    """
    free = np.flatnonzero(problem.free)
    offsets = np.array(list(itertools.product(*((-1, 0, 1) if each else (0,) for each in problem.free)))).T
    middle = offsets.shape[1] // 2
    best_angle, best, top = nodes.angle.copy(), nodes.weights.copy(), np.full(nodes.column.shape, -np.inf)
    columns, angle, step = np.arange(nodes.column.size), nodes.angle, nodes.step
    while columns.size:
        tried = 1 - np.abs(1 - np.abs(angle[:, None] + offsets[..., None] * step[:, None]))  # mirrored at the bounds
        here = problem.take(columns)
        found, value = best_weights(here, here.rates(tried), best[:, None, columns], LOCAL)
        highest, each = np.where(value[middle] >= value.max(0), middle, value.argmax(0)), np.arange(columns.size)
        reached = value[highest, each]
        better, fell = reached > top[columns], reached < top[columns]
        best_angle[:, columns[better]] = tried[:, highest, each][:, better]
        best[:, columns[better]] = found[:, highest, each][:, better]
        top[columns] = np.maximum(reached, top[columns])

        inside = (highest == middle) & ~fell
        vertex, gain = parabola(*quadratic(offsets[free], value))
        angle = np.where(fell, best_angle[:, columns], tried[:, highest, each])
        angle[np.ix_(free, inside)] += step[np.ix_(free, inside)] * vertex[:, inside]
        angle = np.clip(angle, 0.0, 1.0)
        size = step.max(0)
        done = inside & (gain < LOCAL) & (size < 2e-3) | (size < 1e-7)
        best_angle[:, columns[done]] = angle[:, done]
        step = np.where(inside | fell, step / 5, 2 * step)
        angle, step, columns = angle[:, ~done], step[:, ~done], columns[~done]
    near = 2e-4  # of an angle: 1e-7 of the way between the bounds
    return np.where(best_angle < near, 0.0, np.where(best_angle > 1 - near, 1.0, best_angle)), best


def quadratic(offsets: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit ``c + slope @ x + x @ curvature @ x / 2`` to `value` (try, column) at `offsets` (axis, try) of -1, 0, 1.

    Returns
    -------
    slope : float array (column, axis)
        At the middle.
    curvature : float array (column, axis, axis)
        Symmetric.
    """
    n = len(offsets)
    pairs = list(itertools.combinations_with_replacement(range(n), 2))
    design = np.stack([np.ones(offsets.shape[1]), *offsets, *(offsets[i] * offsets[j] for i, j in pairs)], axis=1)
    coefficients = np.linalg.pinv(design) @ (value - value[offsets.shape[1] // 2])
    curvature = np.empty((value.shape[1], n, n))
    for (i, j), coefficient in zip(pairs, coefficients[1 + n :], strict=True):
        curvature[:, i, j] = curvature[:, j, i] = coefficient * (2 if i == j else 1)
    return coefficients[1 : 1 + n].T, curvature


def parabola(slope: np.ndarray, curvature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find where a quadratic is highest, or climb it where it is not concave.

    Returns
    -------
    vertex : float array (axis, column)
        Within one step of the middle.
    gain : float array (column,)
        How much higher it is there than in the middle, in nats.
    """
    bend, axes = np.linalg.eigh(curvature)
    bend = np.maximum(np.abs(bend), 1e-300)
    along = np.einsum("cij,ci->cj", axes, slope)
    with np.errstate(over="ignore"):
        vertex = np.einsum("cij,cj->ci", axes, np.clip(along / bend, -2.0, 2.0))
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
    for tries, columns in problem.chunks(n_tries):
        here = problem.take(columns)
        seen = gaps(problem.model, here.choices, rates[:, tries, columns])
        n = len(value[tries])
        first = np.broadcast_to(start, weights.shape)[:, tries, columns].reshape(len(start), -1)
        low, high = (np.tile(bound[problem.n_rates :], n) for bound in (here.lower, here.upper))
        found, reached = climb(seen, np.clip(first, low, high), low, high, tolerance)
        weights[:, tries, columns] = found.reshape(len(start), n, -1)
        value[tries, columns] = reached.reshape(n, -1)
    return weights, value


def settle(problem: Problem, rates: np.ndarray, weights: np.ndarray, value: np.ndarray) -> Optimum:
    """Put a weight on its bound where that is better still, and at 0 where it makes no difference."""
    weights, value = weights.copy(), value.copy()
    for _, columns in problem.chunks(1):
        here = problem.take(columns)
        seen = gaps(problem.model, here.choices, rates[:, None, columns])
        best, top = weights[:, columns], value[columns]  # views: what is written into them stays
        information = score(seen, best)[2]
        for k in range(len(weights)):
            bounds = here.lower[problem.n_rates + k], here.upper[problem.n_rates + k]
            best[k] = np.where(information[k, k] > 0, best[k], np.clip(0.0, *bounds))
            for bound in bounds:
                moved = best.copy()
                moved[k] = bound
                reached = score(seen, moved)[0]
                better = reached > top
                best[k], top[:] = np.where(better, bound, best[k]), np.where(better, reached, top)
    return Optimum(np.concatenate([rates, weights]), value)
