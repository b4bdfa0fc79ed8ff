"""The highest likelihood within bounds, wherever it is: scan the rates, climb from every promising node.

The likelihood is concave in the weights, so that `climb` finds their best at any rates of the scan. A rate is
written as an angle there, ``(1 - cos(pi * angle)) / 2`` of the way from its lowest to its highest value: the scan is
finest near the bounds, where small changes matter most. From its nodes all parameters climb together by Newton's
method with exact derivatives.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from neurometa.fitting.likelihood import Choices, climb, gaps, score
from neurometa.fitting.newton import WITHIN, Summit, ascend, explore
from neurometa.fitting.sensitivity import Surface
from neurometa.fitting.ties import EQUAL, ROUNDING, alike, replaced
from neurometa.models import Softmax
from neurometa.models.priors import Prior, Uniform

ANGLES = {1: np.linspace(0, 1, 17), 2: np.linspace(0, 1, 6) ** 1.5}  # scanned, by the number of free rates
FEWEST_ANGLES = np.linspace(0, 1, 5) ** 1.5  # with more rates
HELD_ANGLES = {1: ANGLES[1], 2: np.geomspace(0.025, 1, 6)}  # a weight on a bound goes with what is learned slowly
FEWEST_HELD_ANGLES = np.linspace(0, 1, 5) ** 2
ASIDE = 0.1  # of the scale: how far from a kink to climb again
COARSE = 2  # every so many angles are scanned first, to lend the others their weights
FLAT = 1e-6  # nats: nodes that differ by less are a plateau
LOW = 6.0  # nats below the best node: from what lies lower, and a neighbour tops, nobody climbs
APART = 0.02  # of the way between the bounds: climbers that end so far from each other are on different tops
CHUNK = 400_000  # elements of the learned features that are held at once
INITIAL, FINAL = 0.1, 1e-10  # nats to which the weights are found in the scan, and all parameters in the end


class Problem(NamedTuple):
    """A model, the choices it is to explain, and the bounds of its rates and then its weights (parameter, column).

    A parameter whose bounds are equal is held there. With priors, one for each parameter, the posterior density is
    looked at in the place of the likelihood.
    """

    model: type[Softmax]
    choices: Choices
    lower: np.ndarray
    upper: np.ndarray
    priors: Sequence[Prior] = ()

    def take(self, columns: np.ndarray | slice) -> "Problem":
        """Only some of the columns, in any order and number."""
        return self._replace(
            choices=self.choices.take(columns), lower=self.lower[:, columns], upper=self.upper[:, columns]
        )

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

    def log_prior(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-density of the free parameters' priors at places (parameter, point), its slope and its curvature."""
        value, slope, bend = np.zeros(place.shape[1]), np.zeros(place.shape), np.zeros(place.shape)
        for k, prior in enumerate(self.priors):
            if not isinstance(prior, Uniform) and np.any(self.upper[k] > self.lower[k]):
                x = place[k].tolist()
                value += [prior.log_density(each) for each in x]
                slope[k], bend[k] = [prior.slope(each) for each in x], [prior.bend(each) for each in x]
        return value, slope, bend


class Optimum(NamedTuple):
    """Where the likelihood, or posterior density, is highest.

    Attributes
    ----------
    parameters : float array (parameter, column)
        Rates first.
    value : float array (column,)
        In nats.
    gradient : float array (parameter, column)
        There.
    hessian : float array (parameter, parameter, column)
        There.
    rival : float array (column,)
        The highest that a climber reached elsewhere, in nats; infinite where one is stuck at a kink.
    """

    parameters: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    rival: np.ndarray

    def take(self, columns: np.ndarray) -> "Optimum":
        """Only some of the columns, in any order and number."""
        return Optimum(*(each[..., columns] for each in self))


class Nodes(NamedTuple):
    """Where to climb from: `place` (parameter, node), rates first, and whose `column` (node,)."""

    place: np.ndarray
    column: np.ndarray


Parts = TypeVar("Parts", Nodes, Summit)


def maximise(problem: Problem, surface: Surface | None = None, *, every_top: bool = False) -> Optimum:
    """Find the global maximum of every column.

    Climbers begin at every local maximum of the scan, at its best node of every slice, and at the local
    maxima of scans with a weight on a bound: such a maximum can hide beside a lower one on the same ridge.

    Parameters
    ----------
    problem : Problem
        Of which the maximum is wanted.
    surface : Surface, optional
        Of its choices, if there is one already.
    every_top : bool
        Let the climbers that cannot win climb on, so that `rival` is a maximum.

    Returns
    -------
    Optimum
        A parameter on a bound is on it exactly. Of equal maxima, that of the lowest rates
        is taken; a weight that makes no difference there is 0, or the bound nearest to it.
    """
    surface = Surface(problem.model, problem.choices, problem.free) if surface is None else surface
    found = [promising(problem), *(_with_a_weight_on_a_bound(problem) if problem.free.sum() > 1 else [])]
    if problem.priors:  # which draw weights towards them
        halved = [
            Nodes(np.concatenate([x.place[: problem.n_rates], x.place[problem.n_rates :] / 2]), x.column) for x in found
        ]
        found += halved
    nodes = _joined(found)
    summit = polish(problem, nodes, surface, every_top=every_top)
    more = _second_look(problem, nodes.column, summit, _highest(problem, nodes.column, summit))
    if more:
        nodes = _joined([nodes, *more])
        summit = _joined([summit, polish(problem, _joined(more), surface, every_top=every_top)])
    best = _highest(problem, nodes.column, summit)
    rival = _rival(problem, nodes.column, summit, summit.place[:, best])
    return settle(problem, Optimum(*[*(each[..., best] for each in summit[:4]), rival]))


def _joined(several: Sequence[Parts]) -> Parts:
    """Climbers one after the other."""
    return type(several[0])(*(np.concatenate(each, axis=-1) for each in zip(*several, strict=True)))


def _with_a_weight_on_a_bound(problem: Problem) -> list[Nodes]:
    """Promising nodes of scans with one weight held on a bound that is not 0."""
    return [
        promising(problem.hold(k, bound), held=True)
        for k in range(problem.n_rates, len(problem.lower))
        for bound in (problem.lower[k], problem.upper[k])
        if bound.any() and (problem.lower[k] < problem.upper[k]).any()
    ]


def _second_look(problem: Problem, column: np.ndarray, summit: Summit, best: np.ndarray) -> list[Nodes]:
    """Where to climb again: around a kink that is the best so far, or from weights on bounds if the best are 0.

    With weights of 0 nothing that is learned makes a difference, so that all rates are equal; yet rates too low for
    the scan may explain a little with a large weight.
    """
    kinks, found = best[summit.stuck[best]], []
    if kinks.size:
        place = summit.place[:, kinks]
        corners = np.array(list(itertools.product((-ASIDE, ASIDE), repeat=len(place)))).T[:, :, None]
        around = place[:, None] + corners * size(problem, place, column[kinks])[:, None]
        found.append(Nodes(around.reshape(len(place), -1), np.tile(column[kinks], corners.shape[1])))
    nothing = np.flatnonzero((summit.place[problem.n_rates :, best] == 0).all(0))
    if nothing.size and problem.free.sum() == 1:
        held = _with_a_weight_on_a_bound(problem.take(nothing))
        found += [each._replace(column=nothing[each.column]) for each in held]
    return found


def _highest(problem: Problem, column: np.ndarray, summit: Summit) -> np.ndarray:
    """The best climber of every column, of equal ones that of the lowest rates."""
    low, order = np.full(problem.lower.shape[1], -np.inf), np.arange(column.size)
    np.maximum.at(low, column, summit.value)
    good = summit.value >= low[column] - EQUAL
    n = problem.n_rates
    order = np.lexsort((order, *np.round(summit.place[:n][::-1], 6), ~good, column))
    return order[np.unique(column[order], return_index=True)[1]]


def _rival(problem: Problem, column: np.ndarray, summit: Summit, best: np.ndarray) -> np.ndarray:
    """The highest value that climbers of a column reached away from its best place; infinite where one is stuck."""
    reach = APART * (problem.upper - problem.lower)[:, column]
    away = (np.abs(summit.place - best[:, column]) > reach).any(0)
    rival = np.full(best.shape[1], -np.inf)
    np.maximum.at(rival, column, np.where(summit.stuck, np.inf, np.where(away, summit.value, -np.inf)))
    return rival


def polish(problem: Problem, nodes: Nodes, surface: Surface, *, every_top: bool = False) -> Summit:
    """Climb from each node to the maximum nearby; who cannot win for its column gives up, unless it is `every_top`."""
    low, high = problem.lower[:, nodes.column], problem.upper[:, nodes.column]
    n = problem.n_rates
    shy = WITHIN * (high - low)[:n]  # a kink on a bound is seen from within
    inside = np.zeros(low.shape)
    if problem.priors:  # where their densities are finite
        for k, prior in enumerate(problem.priors):
            inside[k] = 0.0 if isinstance(prior, Uniform) else np.minimum(1e-9, 1e-6 * (high - low)[k])
    low, high = low + inside * _endless(problem, low), high - inside * _endless(problem, high)

    def evaluate(place: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        seen = place.copy()
        seen[:n] = np.clip(place[:n], low[:n, who] + shy[:, who], high[:n, who] - shy[:, who])
        value, gradient, hessian = surface.at(seen, nodes.column[who])
        if problem.priors:
            more = problem.log_prior(place)
            value, gradient = value + more[0], gradient + more[1]
            hessian[range(len(place)), range(len(place))] += more[2]
        return value, gradient, hessian

    def scale(place: np.ndarray, who: np.ndarray) -> np.ndarray:
        return size(problem, place, nodes.column[who])

    found = ascend(
        evaluate, np.clip(nodes.place, low, high), (low, high), scale, FINAL, None if every_top else nodes.column
    )
    return explore(evaluate, found, (low, high), scale)


def size(problem: Problem, place: np.ndarray, column: np.ndarray) -> np.ndarray:
    """At what size a change of each parameter matters at places (parameter, node): a rate's angle, a weight's own."""
    n = problem.n_rates
    low, high = problem.lower[:n, column], problem.upper[:n, column]
    width = np.where(high > low, high - low, 1.0)
    share = np.clip((place[:n] - low) / width, 0.0, 1.0)
    angle = np.pi * np.sqrt(share * (1 - share) + 1e-3)
    return np.concatenate([angle * width, np.maximum(np.abs(place[n:]), 1.0)])


def _endless(problem: Problem, bound: np.ndarray) -> np.ndarray:
    """Where the log-density of a prior has no end at a bound (parameter, node)."""
    if not problem.priors:
        return np.zeros(bound.shape)
    rows = bound.tolist()
    ends = [
        [not np.isfinite(prior.log_density(x)) for x in row] for prior, row in zip(problem.priors, rows, strict=True)
    ]
    return np.array(ends)


def promising(problem: Problem, *, held: bool = False) -> Nodes:
    """Scan the rates, with the best weights at each, for nodes that no neighbour tops, or that are best of a slice.

    Or best among those with a weight on one side of 0: what is sought and what is avoided are explained by other rates.
    With a weight `held` on its bound the scan is finer among low rates.
    """
    known, fewest = (HELD_ANGLES, FEWEST_HELD_ANGLES) if held else (ANGLES, FEWEST_ANGLES)
    angles = known.get(int(problem.free.sum()), fewest)
    axes = [angles if free else angles[:1] for free in problem.free]
    index = np.array(list(itertools.product(*(range(len(axis)) for axis in axes)))).reshape(-1, problem.n_rates)
    n_columns = problem.lower.shape[1]
    rates = problem.rates(np.repeat(angles[index.T][..., None], n_columns, axis=-1))
    weights, value = _scanned(problem, rates, index, [len(axis) for axis in axes])
    value = value.reshape(*map(len, axes), n_columns)
    chosen = _tops(value)
    if problem.free.sum() > 1:
        high = value > value.reshape(-1, n_columns).max(0) - LOW
        for axis in range(problem.n_rates):
            along = np.moveaxis(value, axis, 0).reshape(value.shape[axis], -1, n_columns)
            firsts = _firsts(along).reshape(np.moveaxis(value, axis, 0).shape)
            chosen |= high & np.moveaxis(firsts, 0, axis)
        for against in weights < 0:
            for side in (against, ~against):
                only = np.where(side, value.reshape(-1, n_columns), -np.inf).reshape(value.shape)
                chosen |= high & (only > -np.inf) & _firsts(only.reshape(1, -1, n_columns)).reshape(value.shape)
    node, column = np.nonzero(chosen.reshape(-1, n_columns))
    return Nodes(np.concatenate([rates[:, node, column], weights[:, node, column]]), column)


def _scanned(
    problem: Problem, rates: np.ndarray, index: np.ndarray, lengths: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Best weights (feature, node, column) and value (node, column): first at some nodes, who lend to the others."""
    last = np.array([(length - 1) // COARSE for length in lengths])
    lender = np.minimum((index + COARSE // 2) // COARSE, last) * COARSE
    coarse = (index == lender).all(1)
    from_coarse = (lender[:, None] == index[coarse]).all(-1).argmax(1)
    start = np.clip(0.0, problem.lower, problem.upper)[problem.n_rates :, None]
    lent, _ = best_weights(problem, rates[:, coarse], start, 10 * INITIAL)
    return best_weights(problem, rates, lent[:, from_coarse], INITIAL)


def _tops(value: np.ndarray) -> np.ndarray:
    """Which nodes (rate, ..., column) no neighbour tops; a plateau has its maximum at its first node."""
    n, lengths = value.ndim - 1, value.shape[:-1]
    padded = np.pad(value, [(1, 1)] * n + [(0, 0)], constant_values=-np.inf)
    highest = np.ones(value.shape, bool)
    for offset in itertools.product((-1, 0, 1), repeat=n):
        if any(offset):
            neighbour = padded[tuple(slice(1 + o, 1 + o + length) for o, length in zip(offset, lengths, strict=True))]
            highest &= value > neighbour + (FLAT if offset < (0,) * n else -FLAT)
    return highest


def _firsts(along: np.ndarray) -> np.ndarray:
    """Which node of every slice (slice, node, column) is its best."""
    best = np.zeros(along.shape, bool)
    first = (along > along.max(1, keepdims=True) - FLAT).argmax(1)  # of equal ones, whatever their rounding
    np.put_along_axis(best, first[:, None], True, axis=1)
    return best


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


def settle(problem: Problem, found: Optimum) -> Optimum:
    """Put a weight on its bound where that is no worse, and at 0 where it makes no difference, but for rounding."""
    n, parameters, value = problem.n_rates, found.parameters.copy(), found.value.copy()
    for _, columns in problem.chunks(1):
        here = problem.take(columns)
        seen = gaps(problem.model, here.choices, parameters[:n, None, columns])
        best, top = parameters[n:, columns], value[columns]  # views: what is written into them stays
        for k in range(len(best)):
            places = edges(here, n + k)
            reached = [score(seen, replaced(best, k, place))[0] for place in places]
            told = bool(problem.priors) and not isinstance(problem.priors[n + k], Uniform)
            open_ = np.all([alike(each, top) for each in reached], axis=0) & (not told)
            best[k], top[:] = np.where(open_, places[0], best[k]), np.where(open_, reached[0], top)
            for place, there in () if problem.priors else zip(places[1:], reached[1:], strict=True):
                better = ~open_ & (there >= top - ROUNDING * (1 + np.abs(top)))
                best[k], top[:] = np.where(better, place, best[k]), np.where(better, there, top)
    return found._replace(parameters=parameters, value=value)


def edges(problem: Problem, parameter: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """0, or what is nearest to it, and the bounds of a parameter, each (column,)."""
    low, high = problem.lower[parameter], problem.upper[parameter]
    return np.clip(0.0, low, high), low, high
