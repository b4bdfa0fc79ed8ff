"""Newton's method within bounds, for many columns at once: safe where a function is not concave."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RADIUS = 0.3  # of the first steps, in units of the scale
SMALLEST = 1e-6  # a radius below which nothing is to be gained: a kink
N_STEPS = 200
STEEP = 1e-4  # nats promised by a slope that is no rounding
N_TRIES = 40  # of small steps along each parameter, where there is a kink
CLOSE = 0.05  # in units of the scale: a climber so near to a better one is on its way to the same top
WITHIN = 1e-12  # of the way between the bounds: nearer to one is on it, as no step from there could tell
NEAR = 0.3  # nats that a climber may be expected to gain beyond what its curvature promises

Evaluate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


class Summit(NamedTuple):
    """Where each climber stands.

    Attributes
    ----------
    place : float array (parameter, climber)
        Within the bounds, on them exactly where they hold it back.
    value : float array (climber,)
        Of the function, in nats; that of climbers that gave up is where they did.
    gradient : float array (parameter, climber)
        There.
    hessian : float array (parameter, parameter, climber)
        There.
    stuck : bool array (climber,)
        Whether no step climbs although the slope is not 0, as at a kink.
    """

    place: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    stuck: np.ndarray


def ascend(
    evaluate: Evaluate,
    place: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    scale: Callable[[np.ndarray, np.ndarray], np.ndarray],
    tolerance: float,
    rival: np.ndarray | None = None,
) -> Summit:
    """Climb from every place to the maximum nearby.

    A step goes to the top of the local parabola, along whose axes that are not concave it goes uphill; it is
    cut to a radius, and to the bounds, and is taken only if it climbs.

    Parameters
    ----------
    evaluate : callable
        From places (parameter, climber) and the numbers of their climbers to value, gradient and Hessian.
    place : float array (parameter, climber)
        Where to begin.
    bounds : two float arrays (parameter, climber)
        Lowest and highest places.
    scale : callable
        From places and the numbers of their climbers to the sizes at which a change of each parameter matters.
    tolerance : float
        Stop where the next step promises fewer nats.
    rival : int array (climber,), optional
        Climbers of one number climb for the same column: who can no longer win gives up.

    Returns
    -------
    Summit
        Of every climber.
    """
    lower, upper = bounds
    n_climbers = place.shape[1]
    all_ = np.arange(n_climbers)
    value, gradient, hessian = evaluate(place, all_)
    best = Summit(place.copy(), value.copy(), gradient.copy(), hessian.copy(), np.zeros(n_climbers, bool))
    active, radius = all_, np.full(n_climbers, RADIUS)
    for _ in range(N_STEPS):
        here = best.place[:, active]
        size = scale(here, active)
        step, promise, length = _step(
            here, best.gradient[:, active], best.hessian[..., active], size, lower[:, active], upper[:, active], radius
        )
        best.stuck[active] = (promise > STEEP) & (radius <= SMALLEST)
        going = (promise > tolerance) & (radius > SMALLEST)
        if rival is not None:
            going &= _may_win(best, rival, active, promise, length <= radius, size)
        if not going.any():
            break
        active, radius, step, length, here = active[going], radius[going], step[:, going], length[going], here[:, going]
        tried = _clipped(here + step, lower[:, active], upper[:, active])
        found = evaluate(tried, active)
        up = found[0] >= best.value[active]
        radius = np.where(up, np.where(length > radius, 2 * radius, radius), np.minimum(radius, length) / 4)
        won = active[up]
        best.place[:, won], best.value[won] = tried[:, up], found[0][up]
        best.gradient[:, won], best.hessian[..., won] = found[1][:, up], found[2][..., up]
    return best


def explore(
    evaluate: Evaluate,
    found: Summit,
    bounds: tuple[np.ndarray, np.ndarray],
    scale: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Summit:
    """Climb on from where climbers are stuck by trying small steps along each parameter.

    Parameters
    ----------
    evaluate, bounds, scale
        As for `ascend`.
    found : Summit
        Of `ascend`; it is changed.
    """
    lower, upper = bounds
    stalled = np.flatnonzero(found.stuck)
    n, step = len(lower), np.full(stalled.size, RADIUS)
    for _ in range(N_TRIES if stalled.size else 0):
        moves = np.concatenate([np.eye(n), -np.eye(n)], axis=1)[:, :, None] * step  # (parameter, move, climber)
        here = found.place[:, stalled]
        tried = here[:, None] + moves * scale(here, stalled)[:, None]
        tried = _clipped(tried, lower[:, None, stalled], upper[:, None, stalled])
        values = [each.reshape(*each.shape[:-1], 2 * n, -1) for each in evaluate(*_flat(tried, stalled))]
        best, each = values[0].argmax(0), np.arange(stalled.size)
        up = values[0][best, each] > found.value[stalled]
        won, at = stalled[up], (best[up], each[up])
        found.place[:, won], found.value[won] = tried[:, *at], values[0][at]
        found.gradient[:, won], found.hessian[..., won] = values[1][:, *at], values[2][:, :, *at]
        step = np.where(up, step, step / 2)
    return found


def _clipped(place: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Places within the bounds, on them where they are next to them."""
    next_to = WITHIN * (upper - lower)
    return np.where(place < lower + next_to, lower, np.where(place > upper - next_to, upper, place))


def _flat(tried: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places (parameter, move, climber) and their climbers, one after the other."""
    return tried.reshape(len(tried), -1), np.tile(who, tried.shape[1])


def _may_win(
    best: Summit, rival: np.ndarray, active: np.ndarray, promise: np.ndarray, whole: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Which climbers may still reach more than the best of their column: not those that follow close behind it."""
    order = np.lexsort((-best.value, rival))
    known, first = np.unique(rival[order], return_index=True)
    leader = order[first][np.searchsorted(known, rival[active])]
    apart = np.sqrt((((best.place[:, active] - best.place[:, leader]) / size) ** 2).sum(0))
    behind = whole & (leader != active)
    hopeless = best.value[active] + 3 * promise + NEAR < best.value[leader]
    return ~(behind & (hopeless | (apart < CLOSE)))


def _step(
    place: np.ndarray,
    gradient: np.ndarray,
    hessian: np.ndarray,
    size: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    radius: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The step of each climber, what it promises in nats if it is taken whole, and how long the whole one is."""
    stuck = ((place <= lower) & (gradient <= 0)) | ((place >= upper) & (gradient >= 0)) | (lower == upper)
    slope = np.where(stuck, 0.0, gradient * size).T
    bend = (hessian * size[:, None] * size).transpose(2, 0, 1)
    loose = ~stuck.T
    bend = np.where(loose[:, :, None] & loose[:, None], -bend, np.eye(len(place)))
    root, axes = np.linalg.eigh(bend)
    along = np.einsum("cij,ci->cj", axes, slope)
    root = np.maximum(np.abs(root), 1e-10 * (1 + np.abs(root[:, -1:])))
    step = np.einsum("cij,cj->ic", axes, along / root)
    promise = 0.5 * (along**2 / root).sum(1)
    length = np.sqrt((step**2).sum(0))
    step = step * np.minimum(1.0, radius / np.maximum(length, 1e-300)) * size
    return step, promise, length
