"""A normal group and what its members' trials say of it: the marginal likelihood, its maximum, and intervals.

The likelihood of each member is known at nodes, of a grid or drawn; the marginal likelihood
of a group is then a weighted sum over them, whatever its mean and SD. Parameters are
independent in the group, and without bounds (`neurometa.fitting.transforms`).
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize

LOWEST_SD = 0.02  # of a group: below it members are alike; nodes that lie too far apart for it say so
FINE = 0.6  # spacings of a grid: an SD below that many falls between its nodes (at .6 the sum errs by .2 %)
HIGHEST_SD = 20.0
WIDE = 3.0  # standard errors of an SD by which nodes are made for a wider group, for the sake of its profile
STEP = 1e-3  # in units of the SD (mean) or of a neper (SD), for second differences
NEAR = 0.02  # nats to which the end of an interval is found
FAR = 40  # attempts to find where the profile has dropped


class Nodes(NamedTuple):
    """Points at which the likelihood of each member of a group is known.

    Attributes
    ----------
    z : float array (parameter, node, member)
        Parameters without bounds.
    log_weight : float array (node, member)
        Log-likelihood there plus the logarithm of what the node stands for: the volume
        of its cell, or the inverse density of its draw.
    spacing : float array (parameter, member)
        Distance of neighbours on a grid; 0 for draws.
    least : float array (parameter,)
        SD of a group below which these nodes lie too far apart, or too few of them near each other.
    """

    z: np.ndarray
    log_weight: np.ndarray
    spacing: np.ndarray
    least: np.ndarray


class Group(NamedTuple):
    """Mean and SD (parameter,) of a normal group, without bounds."""

    mean: np.ndarray
    sd: np.ndarray


def evidence(nodes: Nodes, group: Group) -> tuple[np.ndarray, np.ndarray]:
    """Log marginal likelihood of each member (member,), in nats, and posterior share of each node (node, member)."""
    density = nodes.log_weight - (np.log(group.sd) + 0.5 * np.log(2 * np.pi)).sum()
    scratch = np.empty_like(density)
    for z, mean, sd in zip(nodes.z, group.mean, group.sd, strict=True):
        np.subtract(z, mean, out=scratch)
        scratch *= np.sqrt(0.5) / sd
        scratch *= scratch
        density -= scratch
    top = density.max(0)
    density -= top
    np.exp(density, out=density)
    total = density.sum(0)
    density /= total
    return top + np.log(total), density


def moments(nodes: Nodes, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean and variance (parameter, member) without bounds."""
    mean = np.einsum("pkm,km->pm", nodes.z, share)
    return mean, np.maximum(np.einsum("pkm,pkm,km->pm", nodes.z, nodes.z, share) - mean**2, 0.0)


def step(nodes: Nodes, group: Group) -> Group:
    """One step of expectation-maximisation: the moments of the members' posteriors."""
    mean, variance = moments(nodes, evidence(nodes, group)[1])
    centre = mean.mean(1)
    spread = np.sqrt((variance + (mean - centre[:, None]) ** 2).mean(1))
    return Group(centre, np.clip(spread, nodes.least, HIGHEST_SD))


def moved(old: Group, new: Group, least: np.ndarray) -> float:
    """How far a group went, in SDs and nepers of SDs, of which those below `least` (parameter,) count as that."""
    before, after = np.maximum(old.sd, least), np.maximum(new.sd, least)
    return float((np.abs(new.mean - old.mean) / after + np.abs(np.log(after / before))).max())


def slope(nodes: Nodes, theta: np.ndarray) -> tuple[float, np.ndarray]:
    """Log marginal likelihood of all members at ``theta`` (means, then logarithms of SDs), and its gradient.

    By Fisher's identity the gradient is the posterior mean of that of the group's density.
    """
    n = len(nodes.z)
    group = Group(theta[:n], np.exp(theta[n:]))
    value, share = evidence(nodes, group)
    mean, variance = moments(nodes, share)
    away = mean - group.mean[:, None]
    by_mean = away.sum(1) / group.sd**2
    by_sd = ((variance + away**2) / group.sd[:, None] ** 2 - 1).sum(1)
    return float(value.sum()), np.concatenate([by_mean, by_sd])


def best_group(nodes: Nodes, start: Group, limits: np.ndarray) -> Group:
    """Find the group under which all members' choices are most probable.

    Parameters
    ----------
    nodes : Nodes
        What the members' choices say.
    start : Group
        Where to begin.
    limits : float array (parameter, bound)
        Between which a mean lies.
    """
    for _ in range(5):  # cheap, and never downhill
        start = step(nodes, start)
    n = len(start.mean)
    scale = np.concatenate([start.sd, np.ones(n)])
    theta = np.concatenate([start.mean, np.log(start.sd)])
    ends = _ends(nodes, limits)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = slope(nodes, theta + x * scale)
        return -value, -gradient * scale

    bounds = (ends - theta[:, None]) / scale[:, None]
    found = optimize.minimize(
        loss, np.zeros(2 * n), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-5}
    )
    best = theta + found.x * scale
    return Group(best[:n], np.exp(best[n:]))


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


def intervals(nodes: Nodes, group: Group, limits: np.ndarray, drop: float) -> tuple[np.ndarray, np.ndarray]:
    """Profile-likelihood intervals of the means and the SDs.

    Parameters
    ----------
    nodes, group, limits
        As given to and by `best_group`.
    drop : float
        How many nats below its maximum the profile of the log marginal likelihood ends.

    Returns
    -------
    mean : float array (parameter, bound)
        At a limit where the profile has not dropped before it.
    sd : float array (parameter, bound)
        From 0 where the profile has not dropped at the least SD that the nodes can tell of.
    """
    n = len(group.mean)
    theta = np.concatenate([group.mean, np.log(group.sd)])
    ends = _ends(nodes, limits)
    top, curve = slope(nodes, theta)[0], information(nodes, group)
    found = np.empty((2 * n, 2))
    for k in range(2 * n):
        # an SD at its lowest stays there: nothing is to be learned from its slope
        others = np.array([j for j in range(2 * n) if j != k and (j < n or theta[j] > ends[j, 0] + 1e-3)])
        lent = np.linalg.inv(curve[np.ix_(others, others)]) if len(others) else np.zeros((0, 0))
        tilt = -lent @ curve[others, k] if len(others) else np.zeros(0)
        reach = 1 / np.sqrt(max(curve[k, k] + (curve[k, others] @ tilt if len(others) else 0.0), 1e-12))
        for side, sign in enumerate((-1.0, 1.0)):

            def below(distance: float, k=k, sign=sign, others=others, lent=lent, tilt=tilt) -> float:
                point = theta.copy()
                point[k] += sign * distance
                point[others] += sign * distance * tilt
                return top - _highest(nodes, point, others, lent, ends)

            room = abs(ends[k, side] - theta[k])
            distance = _crossing(below, reach, room, drop)
            found[k, side] = ends[k, side] if distance is None else theta[k] + sign * distance
    sd = np.exp(found[n:])
    sd[:, 0] = np.where(found[n:, 0] <= ends[n:, 0] + 1e-9, 0.0, sd[:, 0])
    return found[:n], sd


def _ends(nodes: Nodes, limits: np.ndarray) -> np.ndarray:
    """Bounds (2 parameters, bound) of means and log-SDs."""
    highest = np.full(len(limits), HIGHEST_SD)
    return np.concatenate([limits, np.log(np.stack([nodes.least, highest], axis=1))])


def _highest(nodes: Nodes, point: np.ndarray, others: np.ndarray, lent: np.ndarray, ends: np.ndarray) -> float:
    """Log marginal likelihood at its highest over `others`, by Newton's steps with the information of the maximum."""
    value, gradient = slope(nodes, point)
    for _ in range(20):
        push = lent @ gradient[others]
        gain = 0.5 * gradient[others] @ push
        if gain < NEAR / 10:
            break
        for _ in range(6):
            tried = point.copy()
            tried[others] = np.clip(point[others] + push, ends[others, 0], ends[others, 1])
            reached, at = slope(nodes, tried)
            if reached >= value:
                break
            push = push / 3
        else:
            return value
        done = reached - value < NEAR / 20
        point, value, gradient = tried, reached, at
        if done:
            break
    return value


def _crossing(below, reach: float, room: float, drop: float) -> float | None:
    """How far a profile drops by so many nats; None if it has not within its room."""
    inside, outside, low, high = 0.0, np.inf, -np.sqrt(drop), np.inf
    distance = min(reach * np.sqrt(2 * drop), room)
    for _ in range(FAR):
        if distance <= 0:
            return None
        fallen = below(distance)
        if abs(fallen - drop) < NEAR:
            return distance
        now = np.sqrt(max(fallen, 0.0)) - np.sqrt(drop)  # nearly linear, being the root of a near parabola
        if now < 0:
            if distance >= room:
                return None
            inside, low = distance, now
        else:
            outside, high = distance, now
        if np.isinf(outside):
            distance = min(room, distance * (2 if fallen < 0.05 else min(2.5, 1.05 * np.sqrt(drop / fallen))))
        else:
            distance = inside - low * (outside - inside) / (high - low)
            distance = min(max(distance, inside + 0.05 * (outside - inside)), outside - 0.05 * (outside - inside))
    return distance
