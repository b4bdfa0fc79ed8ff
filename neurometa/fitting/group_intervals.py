"""Intervals of a group's means and SDs, where the profile of its marginal likelihood has dropped far enough.

How far is what holds exactly in groups of any size were the members' parameters known: Student's t for a mean and
chi-square for an SD, written as drops of the profile. (Half a chi-square quantile, which holds in large groups, covers
too rarely in small ones.) Where the marginal likelihood is a flat ridge, members' nodes lie about one part of it
only; what the others say is found on nodes that reach over the whole range.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from neurometa.fitting.marginal import Group, Nodes, bounds_of, slope

STEP = 1e-3  # in units of the SD (mean) or of a neper (SD), for second differences
NEAR = 0.02  # nats to which a profile is found
MOST_STEPS = 6  # of Newton's method
TINY = 1e-3  # of a standard error, over which the course of the maximum is straight
MOST_TRIES = 20  # of false positions of an end, of which some four are the rule
GROWS = 1.6  # a step outwards to the next
OUTWARDS = 0.15  # without bounds, beyond the end of an interval: the first step on nodes over the whole range
STEPS = {"ftol": 1e-7, "gtol": 1e-3, "maxiter": 60}  # of the climb to the highest point at a given mean or SD


def drops(n_members: int, level: float) -> np.ndarray:
    r"""How many nats the profile drops to each end (kind, bound) of an interval, kinds being mean and SD.

    Were the n members' parameters known, the profile of the mean drops by :math:`n/2 \log(1 + t^2 / (n - 1))` and
    that of the SD by :math:`n/2 (r - 1 - \log r)` with :math:`r = \chi^2 / n`, t and chi-square having n - 1
    degrees of freedom.

    Parameters
    ----------
    n_members : int
        Of the group, 2 or more.
    level : float
        In (0, 1).
    """
    n, tail = n_members, (1 - level) / 2
    mean = n / 2 * math.log1p(float(special.stdtrit(n - 1, 1 - tail)) ** 2 / (n - 1))
    ratio = special.chdtri(n - 1, np.array([tail, 1 - tail])) / n  # of the SD's lower and upper end
    return np.stack([np.full(2, mean), n / 2 * (ratio - 1 - np.log(ratio))])


def information(nodes: Nodes, group: Group) -> np.ndarray:
    """Minus the second derivatives of the log marginal likelihood by means and log-SDs, made positive definite."""
    n = len(group.mean)
    theta, scale = np.concatenate([group.mean, np.log(group.sd)]), np.concatenate([group.sd, np.ones(n)])
    rows = []
    for k in range(2 * n):
        shift = np.zeros(2 * n)
        shift[k] = STEP * scale[k]
        rows.append((slope(nodes, theta - shift)[1] - slope(nodes, theta + shift)[1]) / (2 * STEP * scale[k]))
    found = np.array(rows) * scale[:, None] * scale  # without units
    bend, axes = np.linalg.eigh((found + found.T) / 2)
    positive = (axes * np.maximum(bend, 1e-3 * max(bend.max(), 1e-3))) @ axes.T
    return positive / scale[:, None] / scale


def intervals(
    nodes: Nodes, group: Group, limits: np.ndarray, drop: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Profile-likelihood intervals of the means and the SDs.

    Parameters
    ----------
    nodes, group, limits
        As given to and by `neurometa.fitting.marginal.best_group`.
    drop : float or float array (kind, bound)
        How many nats below its maximum the profile of the log marginal likelihood ends, e.g. from `drops`.

    Returns
    -------
    mean : float array (parameter, bound)
        At a limit where the profile has not dropped before it.
    sd : float array (parameter, bound)
        From 0 where the profile has not dropped at the least SD that the nodes can tell of.
    """
    n = len(group.mean)
    drop, ends = np.broadcast_to(drop, (2, 2)), bounds_of(nodes, limits)
    best = np.concatenate([group.mean, np.log(group.sd)])
    top, curve = slope(nodes, best)[0], information(nodes, group)
    found = np.empty((2 * n, 2))
    for k in range(2 * n):
        course = _course(best, curve, k, ends)
        for side in (0, 1):
            found[k, side] = _end(nodes, best, course, side, ends, top, drop[int(k >= n), side])
    if nodes.wide is not None:
        for k in range(2 * n):
            for side in (0, 1) if k < n else (1,):  # of small SDs the members' own nodes tell more
                floor = top - drop[int(k >= n), side]
                found[k, side] = _beyond(nodes.wide, best, k, side, found[k, side], limits, floor)
    sd = np.exp(found[n:])
    sd[:, 0] = np.where(found[n:, 0] <= ends[n:, 0] + 1e-9, 0.0, sd[:, 0])
    return found[:n], sd


class Course(NamedTuple):
    """How the best `others` move with the mean or log-SD `k`, as the information at the maximum has it.

    `tilt` (other,) is how far they go for a unit of it, `lent` (other, other) the inverse of their own information, and
    `reach` the standard error of k. Where an SD is `pinned` to its lowest, information says nothing of where it goes.
    """

    k: int
    others: np.ndarray
    tilt: np.ndarray
    lent: np.ndarray
    reach: float
    pinned: bool


def _course(best: np.ndarray, curve: np.ndarray, k: int, ends: np.ndarray) -> Course:
    n = len(best) // 2
    lowest = best <= ends[:, 0] + 1e-3
    others = np.array([j for j in range(2 * n) if j != k and (j < n or not lowest[j])], dtype=int)
    lent = np.linalg.inv(curve[np.ix_(others, others)])
    tilt = -lent @ curve[others, k]
    reach = 1 / np.sqrt(max(curve[k, k] + curve[k, others] @ tilt, 1e-12))
    return Course(k, others, tilt, lent, reach, bool(lowest[n:].any()))


def _end(nodes: Nodes, best: np.ndarray, course: Course, side: int, ends: np.ndarray, top: float, drop: float) -> float:
    """Where the profile of one mean or log-SD has dropped on one side, or the bound where it does not."""
    k, others, sign = course.k, course.others, (-1, 1)[side]
    bound = ends[k, side]
    room = abs(bound - best[k])
    tiny = TINY * course.reach
    path = {0.0: best[others], tiny: best[others] + sign * tiny * course.tilt}  # the best others by distance

    def left(distance: float) -> float:
        """How much of the drop is left, in roots of nats, of which a parabola loses the same everywhere."""
        point = best.copy()
        point[k] += sign * distance
        one, two = sorted(path, key=lambda known: abs(known - distance))[:2]
        point[others] = path[one] + (path[two] - path[one]) * (distance - one) / (two - one)
        value, path[distance] = _highest(nodes, np.clip(point, *ends.T), course, ends)
        return np.sqrt(drop) - np.sqrt(max(top - value, 0.0))

    inside, before, step = 0.0, np.sqrt(drop), course.reach * np.sqrt(2 * drop)
    while inside < room:
        outside = min(inside + step, room)
        after = left(outside)
        if after < 0:
            return float(best[k] + sign * _crossing(left, inside, before, outside, after, drop))
        inside, before, step = outside, after, GROWS * step
    return float(bound)


def _crossing(
    left: Callable[[float], float], low: float, before: float, high: float, after: float, drop: float
) -> float:
    """Where `left` is zero between two places where it is above and below, by false position (Illinois)."""
    close = NEAR / 4 / (2 * np.sqrt(drop))  # in roots of nats
    last = 0.0
    for _ in range(MOST_TRIES):
        middle = low + (high - low) * before / (before - after)
        value = left(middle)
        if abs(value) < close:
            return middle
        same = value * last > 0  # on the same side again: the other end counts half, lest it stay for ever
        if value > 0:
            low, before, after = middle, value, after / (1 + same)
        else:
            high, before, after = middle, before / (1 + same), value
        last = value
    return middle


def _highest(nodes: Nodes, point: np.ndarray, course: Course, ends: np.ndarray) -> tuple[float, np.ndarray]:
    """Log marginal likelihood at its highest over the others, and where these are.

    It is found by Newton's steps with the information of the maximum. Where these fail, because the ridge bends, it is
    climbed to.
    """
    others = course.others
    if course.pinned:
        value, point = profile(nodes, point, course.k, point[course.k], ends)
        return value, point[others]
    value, gradient = slope(nodes, point)
    for _ in range(MOST_STEPS):
        push = course.lent @ gradient[others]
        if 0.5 * gradient[others] @ push < NEAR / 40:
            return value, point[others]
        tried = point.copy()
        tried[others] = np.clip(point[others] + push, ends[others, 0], ends[others, 1])
        reached, at = slope(nodes, tried)
        if reached < value:
            break
        point, value, gradient = tried, reached, at
    climbed, found = profile(nodes, point, course.k, point[course.k], ends)
    return (climbed, found[others]) if climbed > value else (value, point[others])


def profile(nodes: Nodes, start: np.ndarray, k: int, x: float, ends: np.ndarray) -> tuple[float, np.ndarray]:
    """Highest log marginal likelihood where the mean or log-SD `k` is `x`, climbed to from `start`, and where."""
    n = len(nodes.z)
    others = np.array([j for j in range(2 * n) if j != k], dtype=int)
    point = np.clip(start, ends[:, 0], ends[:, 1])
    point[k] = x
    scale = np.concatenate([np.exp(point[n:]), np.ones(n)])[others]

    def loss(u: np.ndarray) -> tuple[float, np.ndarray]:
        tried = point.copy()
        tried[others] = base + u * scale
        value, gradient = slope(nodes, tried)
        return -value, -gradient[others] * scale

    base = point[others].copy()
    bounds = (ends[others] - base[:, None]) / scale[:, None]
    found = optimize.minimize(loss, np.zeros(len(others)), jac=True, method="L-BFGS-B", bounds=bounds, options=STEPS)
    point[others] = base + found.x * scale
    return -float(found.fun), point


def _beyond(wide: Nodes, best: np.ndarray, k: int, side: int, end: float, limits: np.ndarray, floor: float) -> float:
    """The end of an interval, or one farther out where nodes over the whole range find the profile still above `floor`.

    They lie far apart, so that only wider groups can be told of, and what they find is no higher than the profile.
    """
    n, sign = len(wide.z), (-1, 1)[side]
    ends = bounds_of(wide, limits)
    span = limits[k] if k < n else ends[k]
    low = np.concatenate([limits[:, 0] + 1.0, np.zeros(n)])

    def above(x: float) -> float:
        return max(profile(wide, start, k, x, ends)[0] for start in (best, low)) - floor

    inside, step, bound = end, OUTWARDS, span[side]
    while (bound - inside) * sign > 0:
        outside = inside + sign * min(step, abs(bound - inside))
        if above(outside) < 0:
            return inside if inside == end else float(optimize.brentq(above, inside, outside, xtol=OUTWARDS / 4))
        inside, step = outside, GROWS * step
    return float(inside)
