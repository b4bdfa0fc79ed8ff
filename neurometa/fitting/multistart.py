"""The most probable parameters by climbing from many starts: for models of too many rates to scan.

Half of the starts are what a scan of the model proposes, where it has one. Each of the others is the best of some
random draws, the same for all trials, so that the starts lie in different basins; bounded quasi-Newton climbs from
each, and how many reached the best says how far to trust it.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from neurometa.models.priors import Prior, Uniform

DRAWS = 5  # per start: more would all lie in the widest basin
STEP = 1e-5  # of a first difference, in units of the parameter's scale
CURVE = 1e-3  # of a second difference
REACHED = 1e-3  # nats: a start that ends within this of the best has reached it
SINGULAR = 1e-6  # of the largest eigenvalue of the scaled information
WORST = -1e10  # stands for minus infinity
BEYOND = 690.0  # of log-odds to either side, which stand for 0 and 1

Score = Callable[[np.ndarray], np.ndarray]  # points (point, parameter) -> log-likelihood (point,), in nats
Slope = Callable[[np.ndarray], tuple[float, np.ndarray]]  # point (parameter,) -> log-likelihood and its gradient
Propose = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # bounds, how many at most -> points (point, parameter)


class Target(NamedTuple):
    """What to climb: a likelihood, bounds (parameter,) and priors, and what is known of how to climb it.

    A parameter whose bounds are equal is held there. `slope` is that of the likelihood; `propose` says where to begin;
    parameters in `log_odds` (parameter,) are climbed in these, as they matter as much near 0 and 1 as between.
    """

    score: Score
    lower: np.ndarray
    upper: np.ndarray
    priors: Sequence[Prior]
    slope: Slope | None = None
    propose: Propose | None = None
    log_odds: np.ndarray | None = None

    @property
    def free(self) -> np.ndarray:
        """Which parameters are not held."""
        return self.upper > self.lower

    def log_prior(self, points: np.ndarray) -> np.ndarray:
        """Summed log-densities of the free parameters' priors at points (point, parameter)."""
        total = np.zeros(len(points))
        for k, prior in enumerate(self.priors):
            if self.free[k] and not isinstance(prior, Uniform):
                column = points[:, k].tolist()  # of differences, in which a parameter has three values
                known = {x: prior.log_density(x) for x in set(column)}
                total += [known[x] for x in column]
        return total

    def density(self, points: np.ndarray) -> np.ndarray:
        """Log-likelihood plus log-prior, finite everywhere."""
        value = self.score(points) + self.log_prior(points)
        return np.where(np.isfinite(value), value, WORST)


class Peak(NamedTuple):
    """The best point found: `parameters`, its `log_likelihood` and `log_prior`, and how many starts `reached` it."""

    parameters: np.ndarray
    log_likelihood: float
    log_prior: float
    reached: int


def climb(target: Target, n_starts: int, rng: np.random.Generator) -> Peak:
    """Find the highest posterior density (with uniform priors: likelihood) within the bounds."""
    free, n = target.free, len(target.lower)
    if not free.any():
        point = target.lower[None]
        return Peak(point[0], float(target.score(point)[0]), 0.0, n_starts)
    which = np.flatnonzero(free)
    width = np.minimum(1e-9, 1e-6 * (target.upper - target.lower))
    edge = np.array([not np.isfinite(target.priors[k].log_density(float(target.lower[k]))) for k in range(n)])
    end = np.array([not np.isfinite(target.priors[k].log_density(float(target.upper[k]))) for k in range(n)])
    low, high = target.lower + edge * width, target.upper - end * width  # where the density is finite
    begun = np.clip(starts(target, n_starts, rng), low, high)
    low, high, begun = _inward(target, low), _inward(target, high), _inward(target, begun)
    loss = _by_differences(target, low, high) if target.slope is None else _by_slope(target, target.slope)
    found = [
        optimize.minimize(
            loss,
            start[which],
            jac=True,
            method="L-BFGS-B",
            bounds=np.stack([low[which], high[which]], 1),
            options={"ftol": 1e-13, "gtol": 1e-6, "maxiter": 500},
        )
        for start in begun
    ]
    values = -np.array([each.fun for each in found])
    best = _inward(target, target.lower)
    best[which] = found[values.argmax()].x
    natural = np.clip(_outward(target, best[None])[0], target.lower, target.upper)
    best = np.where(best <= low, target.lower, np.where(best >= high, target.upper, natural))
    point = best[None]
    reached = int((values > values.max() - REACHED).sum())
    return Peak(best, float(target.score(point)[0]), float(target.log_prior(point)[0]), reached)


def starts(target: Target, n_starts: int, rng: np.random.Generator) -> np.ndarray:
    """Points (start, parameter) to climb from: those proposed, at most half, and the best of some draws each."""
    proposed = np.empty((0, len(target.lower)))
    if target.propose is not None:
        proposed = target.propose(target.lower, target.upper, (n_starts + 1) // 2)
    n_drawn = n_starts - len(proposed)
    if not n_drawn:
        return proposed
    points = draw(target, n_drawn * DRAWS, rng)
    best = target.density(points).reshape(n_drawn, DRAWS).argmax(1)
    drawn = points.reshape(n_drawn, DRAWS, len(target.lower))[np.arange(n_drawn), best]
    return np.concatenate([proposed, drawn])


def _inward(target: Target, points: np.ndarray) -> np.ndarray:
    """Parameters (..., parameter) as they are climbed in: some in log-odds."""
    if target.log_odds is None:
        return points.astype(float)
    return np.where(target.log_odds, np.clip(special.logit(np.clip(points, 0, 1)), -BEYOND, BEYOND), points)


def _outward(target: Target, points: np.ndarray) -> np.ndarray:
    """The inverse of `_inward`."""
    return points if target.log_odds is None else np.where(target.log_odds, special.expit(points), points)


def _by_slope(target: Target, slope: Slope) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Minus the density of the free parameters, and its gradient, as told."""
    which, point = np.flatnonzero(target.free), target.lower.copy()
    known = [(place, target.priors[int(k)]) for place, k in enumerate(which)]
    known = [each for each in known if not isinstance(each[1], Uniform)]

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        point[which] = x
        value, gradient = slope(point)
        gradient = gradient[which]
        for place, prior in known:
            at = float(x[place])
            value += prior.log_density(at)
            gradient[place] += prior.slope(at)
        return -value if math.isfinite(value) else -WORST, -gradient

    return loss


def _by_differences(
    target: Target, low: np.ndarray, high: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Minus the density of the free parameters, and its gradient by differences within `low` and `high`."""
    which, scale = np.flatnonzero(target.free), np.minimum(1.0, np.where(target.free, high - low, 1.0))
    offset = np.zeros((2 * len(which) + 1, len(target.lower)))
    for row, k in enumerate(which):
        offset[1 + 2 * row, k], offset[2 + 2 * row, k] = STEP * scale[k], -STEP * scale[k]
    narrowed = (_outward(target, low) > target.lower) | (_outward(target, high) < target.upper)
    limited = np.flatnonzero(narrowed if target.log_odds is None else narrowed | target.log_odds)
    up, held = 1 + 2 * np.arange(len(which)), _inward(target, target.lower)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        point = held.copy()
        point[which] = x
        tried = point + offset
        tried[1:, limited] = np.minimum(np.maximum(tried[1:, limited], low[limited]), high[limited])
        value = target.density(_outward(target, tried))
        apart = tried[up, which] - tried[up + 1, which]
        return -value[0], -(value[1::2] - value[2::2]) / apart

    return loss


def peaks(value: np.ndarray) -> np.ndarray:
    """Places of the nodes of a grid that no neighbour tops, the highest first."""
    around = np.pad(value, 1, constant_values=-np.inf)
    neighbours = np.lib.stride_tricks.sliding_window_view(around, (3,) * value.ndim)
    highest = (value >= neighbours.max(tuple(range(value.ndim, 2 * value.ndim)))).ravel()
    peaks = np.flatnonzero(highest)
    return peaks[np.argsort(-value.ravel()[peaks], kind="stable")]


def draw(target: Target, n_points: int, rng: np.random.Generator) -> np.ndarray:
    """Random points (point, parameter) within the bounds: denser near both, or near 0 of a range wider than 1."""
    low, high, share = target.lower, target.upper, rng.random((n_points, len(target.lower)))
    signed, angle = 2 * share - 1, (1 - np.cos(np.pi * share)) / 2
    around = np.where(signed > 0, high, -low) * signed**3
    return np.where((low < 0) & (high > 0), around, low + (high - low) * np.where(high - low > 1, share**2, angle))


def open_parameters(target: Target, peak: Peak) -> np.ndarray:
    """Which free parameters make no difference to the likelihood, the others being at their best (parameter,)."""
    flat = np.zeros(len(target.lower), bool)
    for k in np.flatnonzero(target.free):
        tried = np.repeat(peak.parameters[None], 3, axis=0)
        tried[:, k] = target.lower[k], (target.lower[k] + target.upper[k]) / 2, target.upper[k]
        flat[k] = (np.abs(target.score(tried) - peak.log_likelihood) < 1e-9 * (1 + abs(peak.log_likelihood))).all()
    return flat


def standard_errors(target: Target, peak: Peak, estimated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Root of the diagonal of the inverse information of the posterior, and which parameters it confounds.

    Parameters
    ----------
    target, peak : Target, Peak
        As given to and by `climb`.
    estimated : bool array (parameter,)
        The parameters to treat as free, the others being held.

    Returns
    -------
    errors : float array (parameter,)
        NaN for the others, and for all where the information has no positive inverse.
    confounded : bool array (parameter,)
        Those that can move together without a change of the density.
    """
    errors, confounded = np.full(len(estimated), np.nan), np.zeros(len(estimated), bool)
    which = np.flatnonzero(estimated)
    if not which.size:
        return errors, confounded
    room = np.minimum(peak.parameters - target.lower, target.upper - peak.parameters)[which]
    step = np.maximum(np.minimum(CURVE * _scale(target)[which], room / 2), 1e-7)
    information = -second_differences(target.density, peak.parameters, which, step)
    scale = np.sqrt(np.maximum(np.diag(information), 0.0))
    if not (scale > 0).all():
        return errors, confounded
    root, direction = np.linalg.eigh(information / scale[:, None] / scale)
    if root[0] > SINGULAR * root[-1]:
        errors[which] = np.sqrt(np.diag(np.linalg.inv(information)))
    else:
        confounded[which] = np.abs(direction[:, 0]) > 0.1
    return errors, confounded


def second_differences(score: Score, point: np.ndarray, which: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Second derivatives of a score at a point (parameter,) by those parameters, from differences of these steps."""
    n = len(which)
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    signs = ((1, 1), (1, -1), (-1, 1), (-1, -1))
    tried = np.repeat(point[None], 4 * len(pairs), axis=0)
    for row, (i, j) in enumerate(pairs):
        for k, (first, second) in enumerate(signs):
            tried[4 * row + k, which[i]] += first * step[i]
            tried[4 * row + k, which[j]] += second * step[j]
    value, found = score(tried).reshape(-1, 4), np.zeros((n, n))
    for (i, j), (a, b, c, d) in zip(pairs, value, strict=True):
        found[i, j] = found[j, i] = (a - b - c + d) / (4 * step[i] * step[j])
    return found


def _scale(target: Target) -> np.ndarray:
    """Size at which a change of a parameter matters: 1, or its range if that is narrower."""
    return np.minimum(1.0, np.where(target.free, target.upper - target.lower, 1.0))
