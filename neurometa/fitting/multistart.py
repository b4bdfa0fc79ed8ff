"""The most probable parameters by climbing from many starts: for models of too many rates to scan.

Each start is the best of some random draws, so that the starts lie in different basins;
bounded quasi-Newton climbs from each, and how many reached the best says how far to trust it.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize

from neurometa.models.priors import Prior, Uniform

DRAWS = 5  # per start: more would all lie in the widest basin
STEP = 1e-5  # of a first difference, in units of the parameter's scale
CURVE = 1e-3  # of a second difference
REACHED = 1e-3  # nats: a start that ends within this of the best has reached it
SINGULAR = 1e-6  # of the largest eigenvalue of the scaled information
WORST = -1e10  # stands for minus infinity

Score = Callable[[np.ndarray], np.ndarray]  # points (point, parameter) -> log-likelihood (point,), in nats
Slope = Callable[[np.ndarray], tuple[float, np.ndarray]]  # point (parameter,) -> log-likelihood and its gradient


class Target(NamedTuple):
    """What to climb: a likelihood, bounds (parameter,), priors, and the slope of the likelihood where that is known.

    A parameter whose bounds are equal is held there.
    """

    score: Score
    lower: np.ndarray
    upper: np.ndarray
    priors: Sequence[Prior]
    slope: Slope | None = None

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
    points = draw(target, n_starts * DRAWS, rng)
    value = target.density(points).reshape(n_starts, DRAWS)
    starts = points.reshape(n_starts, DRAWS, n)[np.arange(n_starts), value.argmax(1)]
    if not free.any():
        point = target.lower[None]
        return Peak(point[0], float(target.score(point)[0]), 0.0, n_starts)
    which = np.flatnonzero(free)
    width = np.minimum(1e-9, 1e-6 * (target.upper - target.lower))
    edge = np.array([not np.isfinite(target.priors[k].log_density(float(target.lower[k]))) for k in range(n)])
    end = np.array([not np.isfinite(target.priors[k].log_density(float(target.upper[k]))) for k in range(n)])
    low, high = target.lower + edge * width, target.upper - end * width  # where the density is finite
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
        for start in np.clip(starts, low, high)
    ]
    values = -np.array([each.fun for each in found])
    best = target.lower.copy()
    best[which] = found[values.argmax()].x
    best = np.where(edge & (best <= low), target.lower, np.where(end & (best >= high), target.upper, best))
    point = best[None]
    reached = int((values > values.max() - REACHED).sum())
    return Peak(best, float(target.score(point)[0]), float(target.log_prior(point)[0]), reached)


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
    which, scale = np.flatnonzero(target.free), _scale(target)
    offset = np.zeros((2 * len(which) + 1, len(target.lower)))
    for row, k in enumerate(which):
        offset[1 + 2 * row, k], offset[2 + 2 * row, k] = STEP * scale[k], -STEP * scale[k]
    limited = np.flatnonzero((low > target.lower) | (high < target.upper))
    up = 1 + 2 * np.arange(len(which))

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        point = target.lower.copy()
        point[which] = x
        tried = point + offset
        tried[1:, limited] = np.minimum(np.maximum(tried[1:, limited], low[limited]), high[limited])
        value = target.density(tried)
        apart = tried[up, which] - tried[up + 1, which]
        return -value[0], -(value[1::2] - value[2::2]) / apart

    return loss


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
    n = len(which)
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    signs = np.array([(1, 1), (1, -1), (-1, 1), (-1, -1)])
    tried = np.repeat(peak.parameters[None], 4 * len(pairs), axis=0)
    for row, (i, j) in enumerate(pairs):
        for k, (first, second) in enumerate(signs):
            tried[4 * row + k, which[i]] += first * step[i]
            tried[4 * row + k, which[j]] += second * step[j]
    value = target.density(tried).reshape(-1, 4)
    second = (value[:, 0] - value[:, 1] - value[:, 2] + value[:, 3]) / 4
    information = np.zeros((n, n))
    for (i, j), each in zip(pairs, second, strict=True):
        information[i, j] = information[j, i] = -each / step[i] / step[j]
    scale = np.sqrt(np.maximum(np.diag(information), 1e-300))
    root, direction = np.linalg.eigh(information / scale[:, None] / scale)
    if (np.diag(information) > 0).all() and root[0] > SINGULAR * root[-1]:
        errors[which] = np.sqrt(np.diag(np.linalg.inv(information)))
    elif (np.diag(information) > 0).all():
        confounded[which] = np.abs(direction[:, 0]) > 0.1
    return errors, confounded


def _scale(target: Target) -> np.ndarray:
    """Size at which a change of a parameter matters: 1, or its range if that is narrower."""
    return np.minimum(1.0, np.where(target.free, target.upper - target.lower, 1.0))
