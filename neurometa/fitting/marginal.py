"""A normal group and what its members' trials say of it: the marginal likelihood and its maximum.

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
MANY = 1_000_000  # numbers in the nodes, beyond which a compiled pass over them is worth the wait for the compiler
WIDE = 3.0  # standard errors of an SD by which nodes are made for a wider group, for the sake of its profile


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
    wide : Nodes, optional
        Others that lie over the whole range of every parameter, farther apart.
    """

    z: np.ndarray
    log_weight: np.ndarray
    spacing: np.ndarray
    least: np.ndarray
    wide: "Nodes | None" = None


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


def posterior(nodes: Nodes, group: Group) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log marginal likelihood of each member (member,), and its posterior mean and variance (parameter, member)."""
    if nodes.z.size > MANY:
        from neurometa.fitting import marginal_kernel  # loads numba, of which small groups have no need

        return marginal_kernel.posterior(nodes.z, nodes.log_weight, group.mean, group.sd)
    value, share = evidence(nodes, group)
    return value, *moments(nodes, share)


def step(nodes: Nodes, group: Group) -> Group:
    """One step of expectation-maximisation: the moments of the members' posteriors."""
    _, mean, variance = posterior(nodes, group)
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
    value, mean, variance = posterior(nodes, group)
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
    ends = bounds_of(nodes, limits)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = slope(nodes, theta + x * scale)
        return -value, -gradient * scale

    bounds = (ends - theta[:, None]) / scale[:, None]
    found = optimize.minimize(
        loss, np.zeros(2 * n), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-5}
    )
    best = theta + found.x * scale
    return Group(best[:n], np.exp(best[n:]))


def bounds_of(nodes: Nodes, limits: np.ndarray) -> np.ndarray:
    """Bounds (2 parameters, bound) of means and log-SDs."""
    highest = np.full(len(limits), HIGHEST_SD)
    return np.concatenate([limits, np.log(np.stack([nodes.least, highest], axis=1))])
