"""How far a maximum can be trusted: what it leaves open, standard errors, profile-likelihood intervals."""

import numpy as np

from neurometa.fitting.likelihood import gaps, score
from neurometa.fitting.scan import Optimum, Problem, edges, maximise
from neurometa.fitting.sensitivity import Surface
from neurometa.fitting.ties import alike, replaced
from neurometa.fitting.walk import walked

NODES = np.linspace(0, 1, 9) ** 2  # of the way from the estimate to the bound, where the profile is scanned
N_SECANTS = 12  # to find where it crosses the line, between two nodes


def unidentified(problem: Problem, optimum: Optimum) -> np.ndarray:
    """Which parameters make no difference to the likelihood with the others at their best (parameter, column)."""
    n = problem.n_rates
    low, high, best = problem.lower[:n], problem.upper[:n], optimum.parameters[:n]
    tried = np.repeat(best[:, None], 1 + 3 * n, axis=1)
    for rate in range(n):
        tried[rate, 1 + 3 * rate : 4 + 3 * rate] = low[rate], (low[rate] + high[rate]) / 2, high[rate]
    weights = optimum.parameters[n:]
    value = scores(problem, tried, weights)[0]
    same = alike(value, value[0])
    flat = [same[1 + 3 * rate : 4 + 3 * rate].all(0) for rate in range(n)]
    for k in range(len(weights)):
        moved = [scores(problem, tried, replaced(weights, k, edge))[0] for edge in edges(problem, n + k)]
        flat.append(np.all([alike(each, value) for each in moved], axis=(0, 1)))  # at whatever rates
    return np.array(flat) & (problem.lower < problem.upper)


def standard_errors(optimum: Optimum, estimated: np.ndarray) -> np.ndarray:
    """Square root of the diagonal of the inverse observed information (parameter, column).

    Parameters
    ----------
    optimum : Optimum
        As given by `maximise`.
    estimated : bool array (parameter, column)
        The parameters to treat as free, the others being held; NaN for the others, and for
        all where the information has no positive inverse.
    """
    free, full = estimated.T, -optimum.hessian.transpose(2, 0, 1)
    full = np.where(free[:, :, None] & free[:, None], full, np.eye(free.shape[1]))
    scale = np.sqrt(np.maximum(np.einsum("cii->ci", full), 1e-300))
    full = full / scale[:, :, None] / scale[:, None]
    sound = (np.einsum("cii->ci", full) > 0).all(1) & (np.linalg.eigvalsh(full)[:, 0] > 1e-8)
    inverse = np.linalg.inv(np.where(sound[:, None, None], full, np.eye(free.shape[1])))
    errors = np.sqrt(np.einsum("cii->ci", inverse)) / scale
    return np.where(free & sound[:, None], errors, np.nan).T


def interval(problem: Problem, optimum: Optimum, parameter: int, drop: float) -> np.ndarray:
    """Lowest and highest value of a parameter at which the profile likelihood is within `drop` nats of its maximum.

    The other parameters are at their best at every value tried. Where the profile has
    several peaks, the interval reaches over all those that count.

    A peak of the profile is a local maximum of the likelihood, so that there is one above the line if no climber's
    top elsewhere is: then a walk outwards finds the ends. Otherwise, or where the walk fails, all of the way
    to the bounds is scanned.

    Returns
    -------
    float array (bound, column)
        A bound of the parameter where the profile has not dropped before it.
    """
    surface = Surface(problem.model, problem.choices, problem.free)
    ends, one_peak = np.full((2, optimum.value.size), np.nan), optimum.rival < optimum.value - drop
    for find in (walked, _scanned):
        columns = np.flatnonzero(one_peak if find is walked else np.isnan(ends).any(0))
        if columns.size:
            part = problem.take(columns), optimum.take(columns)
            ends[:, columns] = find(*part, parameter, drop, surface.of(columns))
    return ends


def _scanned(problem: Problem, optimum: Optimum, parameter: int, drop: float, surface: Surface) -> np.ndarray:
    """As `interval`, by scans of the others at nodes all the way to the bounds."""
    both = np.tile(np.arange(optimum.value.size), 2)
    start, bound = optimum.parameters[parameter, both], np.concatenate([problem.lower, problem.upper], 1)[parameter]
    reach = bound - start

    def excess(fraction: np.ndarray) -> np.ndarray:
        """How far below the line the profile is (end, ...); nearly linear, being a root of a near parabola."""
        columns = np.tile(both, fraction.size // both.size)
        held = problem.take(columns).hold(parameter, (start + fraction * reach).ravel())
        below = np.maximum(optimum.value[columns] - maximise(held, surface.of(columns)).value, 0.0)
        return (np.sqrt(below) - np.sqrt(drop)).reshape(fraction.shape)

    scanned = np.repeat(NODES[:, None], both.size, axis=1)
    found = np.concatenate([np.full((1, both.size), -np.sqrt(drop)), excess(scanned[1:])])
    last = len(NODES) - 1 - (found <= 0)[::-1].argmax(0)  # the outermost node within
    following, each = np.minimum(last + 1, len(NODES) - 1), np.arange(both.size)
    inside, outside, low, high = NODES[last], NODES[following], found[last, each], found[following, each]
    fraction = inside
    for _ in range(N_SECANTS):  # with the far side halved, lest it stay for ever
        fraction = np.where(
            high > low, inside - low * (outside - inside) / np.where(high > low, high - low, 1.0), inside
        )
        now = excess(fraction)
        within = now <= 0
        inside, outside = np.where(within, fraction, inside), np.where(within, outside, fraction)
        low, high = np.where(within, now, low / 2), np.where(within, high / 2, now)
    ends = np.where(last == following, bound, start + fraction * reach)
    return ends.reshape(2, -1)


def scores(problem: Problem, rates: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`score` at rates (rate, try, column) and weights (feature, column); its results end in (try, column)."""
    shape, n = rates.shape[1:], len(weights)
    value, gradient, information = np.empty(shape), np.empty((n, *shape)), np.empty((n, n, *shape))
    for tries, columns in problem.chunks(shape[0]):
        seen = gaps(problem.model, problem.choices.take(columns), rates[:, tries, columns])
        n_tries = len(value[tries])
        found = score(seen, np.tile(weights[:, columns], n_tries))
        for whole, part in zip((value, gradient, information), found, strict=True):
            whole[..., tries, columns] = part.reshape(*part.shape[:-1], n_tries, -1)
    return value, gradient, information
