"""The exact likelihood of every member of a group on a grid, wherever its posterior lies.

A model of two or three parameters needs its likelihood at some hundreds of points, no more;
the posterior of each member, the marginal likelihood and the best group are then sums. The
grid of a member spans its own posterior, evenly in parameters without bounds: the sum over such
a grid of a smooth density that vanishes at its ends errs less than any power of its spacing.
"""

from collections.abc import Sequence

import numpy as np

from neurometa.fitting.likelihood import Choices, Gaps, gaps, score
from neurometa.fitting.marginal import FINE, LOWEST_SD, WIDE, Group, Nodes, best_group, moved
from neurometa.fitting.transforms import Link
from neurometa.models import Model

N_NODES = {1: 81, 2: 33, 3: 17}  # along each axis at least, by the number of free parameters
SPACING = 0.15  # of nodes that would tell the least SD of a group, and is had if few enough members allow it
BUDGET = 1_200_000  # nodes of all members together
NEGLIGIBLE = 18.0  # nats below the highest density of a member, beyond which its grid need not reach
NARROWEST = 0.2  # SD of a group that grids are made for, at least
MANY = 12  # rounds of making grids anew
STILL = 0.01  # a group that moves by less of its SD, on new grids, is found
CHUNK = 400_000  # elements of the learned features that are held at once


def grid_group(
    model: type[Model], choices: Choices, links: dict[str, Link], held: dict[str, float]
) -> tuple[Nodes, Group, bool]:
    """Find the best group of a model of up to three free parameters, with the likelihood of each member on a grid.

    Parameters
    ----------
    model : Model class
        What is fitted.
    choices : Choices
        A column per member, each with a choice at least.
    links : dict of str to Link
        Of the free parameters, in order.
    held : dict of str to float
        The others.

    Returns
    -------
    nodes : Nodes
        Each member's grid.
    group : Group
        The best.
    settled : bool
        Whether new grids no longer moved it.
    """
    n, n_members, count = len(links), choices.choice.shape[1], N_NODES[len(links)]
    limits = np.array([link.limits for link in links.values()])
    most = max(count, int((BUDGET / n_members) ** (1 / n)))
    edges = np.repeat(limits[:, :, None], n_members, axis=2)
    nodes = wide = make_grid(model, choices, links, held, edges, count)
    group = Group(*np.array([link.centre for link in links.values()]).T)
    group = best_group(nodes, group, limits)
    wider, settled = np.exp(WIDE / np.sqrt(2 * n_members)), False
    for _ in range(MANY):
        broad = Group(group.mean, np.maximum(group.sd * wider, NARROWEST))
        last, edges = edges, boxes(nodes, broad, count, limits)
        finest = int(np.ceil((edges[:, 1] - edges[:, 0]).max() / SPACING)) + 1
        count = min(max(N_NODES[n], finest), most)
        shrunk = ((last[:, 1] - last[:, 0]) / (edges[:, 1] - edges[:, 0])).max()
        nodes = make_grid(model, choices, links, held, edges, count)
        old, group = group, best_group(nodes, group, limits)
        settled = bool(shrunk < 1.5 and moved(old, group, np.full(n, NARROWEST)) < STILL)
        if settled:
            break
    return nodes._replace(wide=wide), group, settled


def make_grid(
    model: type[Model],
    choices: Choices,
    links: dict[str, Link],
    held: dict[str, float],
    edges: np.ndarray,
    count: int,
) -> Nodes:
    """Likelihood of each member on a grid of its own.

    Parameters
    ----------
    model, choices, links, held
        As for `grid_group`.
    edges : float array (parameter, bound, member)
        Where each grid begins and ends, without bounds.
    count : int
        Nodes along each axis.
    """
    n, n_members = len(links), edges.shape[2]
    share = np.linspace(0, 1, count)
    axes = edges[:, 0, None] + (edges[:, 1] - edges[:, 0])[:, None] * share[:, None]  # (parameter, node, member)
    names = list(links)
    value = {name: link.natural(axes[k]) for k, (name, link) in enumerate(links.items())}
    value |= {name: np.full((1, n_members), x) for name, x in held.items()}
    rates, weights = ([value[name] for name in group] for group in (model.rates(), model.weights))
    likelihood = on_product(model, choices, rates, weights)
    order = [name for name in (*model.rates(), *model.weights) if name in links]
    shape = [count] * n
    likelihood = likelihood.reshape(*shape, n_members)
    likelihood = likelihood.transpose(*(order.index(name) for name in names), n)
    spacing = (edges[:, 1] - edges[:, 0]) / (count - 1)
    log_weight = likelihood.reshape(-1, n_members) + np.log(spacing).sum(0)
    z = np.stack([each.reshape(-1, n_members) for each in _product(axes)])
    return Nodes(z, log_weight, spacing, np.maximum(LOWEST_SD, FINE * spacing.max(1)))


def boxes(nodes: Nodes, group: Group, count: int, limits: np.ndarray) -> np.ndarray:
    """Edges (parameter, bound, member) of what a group leaves probable of each member, and a node beyond."""
    n, n_members = len(nodes.z), nodes.log_weight.shape[1]
    density = nodes.log_weight - sum(0.5 * ((nodes.z[k] - group.mean[k]) / group.sd[k]) ** 2 for k in range(n))
    probable = (density > density.max(0) - NEGLIGIBLE).reshape(*[count] * n, n_members)
    edges = np.empty((n, 2, n_members))
    for k in range(n):
        axis = np.moveaxis(nodes.z[k].reshape(*[count] * n, n_members), k, 0).reshape(count, -1, n_members)[:, 0]
        along = np.moveaxis(probable, k, 0).reshape(count, -1, n_members).any(1)
        first, last = along.argmax(0), count - 1 - along[::-1].argmax(0)
        # mass at the very edge of a grid says that there is more beyond it
        beyond = np.where(first == 0, 3, 1), np.where(last == count - 1, 3, 1)
        each = np.arange(n_members)
        edges[k, 0] = np.clip(axis[first, each] - beyond[0] * nodes.spacing[k], *limits[k])
        edges[k, 1] = np.clip(axis[last, each] + beyond[1] * nodes.spacing[k], *limits[k])
    return edges


def on_product(
    model: type[Model], choices: Choices, rates: Sequence[np.ndarray], weights: Sequence[np.ndarray]
) -> np.ndarray:
    """Log-likelihood at every combination of values of the parameters.

    Parameters
    ----------
    model, choices
        Of which equations, and choices by column.
    rates, weights : sequence of float array (value, column)
        Values of each.

    Returns
    -------
    float array (rate, ..., weight, ..., column)
        In nats.
    """
    n_columns = choices.choice.shape[1]
    tried = (
        np.stack([each.reshape(-1, n_columns) for each in _product(rates)]) if rates else np.zeros((0, 1, n_columns))
    )
    slopes = np.stack([each.reshape(-1, n_columns) for each in _product(weights)])
    result = np.empty((tried.shape[1], slopes.shape[1], n_columns))
    n_points = max(1, CHUNK // max(1, choices.n_elements(model)))
    width = min(n_columns, n_points)
    height = max(1, n_points // width)
    for column in range(0, n_columns, width):
        columns = slice(column, column + width)
        here = choices.take(columns)
        for first in range(0, tried.shape[1], height):
            seen = gaps(model, here, tried[:, first : first + height, columns])
            n_tries = len(tried[0, first : first + height])
            for k in range(slopes.shape[1]):
                weight = np.tile(slopes[:, k, columns], n_tries)
                result[first : first + height, k, columns] = log_likelihood(seen, weight).reshape(n_tries, -1)
    return result.reshape(*(len(each) for each in (*rates, *weights)), n_columns)


def log_likelihood(seen: Gaps, weights: np.ndarray) -> np.ndarray:
    """Value of `neurometa.fitting.likelihood.score` alone (point,): many trials share one logarithm."""
    if seen.probit:
        return score(seen, weights)[0]
    logit = seen.gap[0] * weights[0, :, None]
    for k in range(1, len(weights)):
        logit += seen.gap[k] * weights[k, :, None]
    n_others, n_trials = logit.shape[:2]
    steepest = max(logit.max(), -logit.min()) + np.log(n_others + 1)
    if steepest > 300 or seen.absent is not None:
        return score(seen, weights)[0]
    np.exp(logit, out=logit)
    total = logit[0] if n_others == 1 else logit.sum(0)
    total += 1.0
    several = max(1, int(600 / steepest)) if steepest > 1 else 600  # whose product does not overflow
    together = np.multiply.reduceat(total, np.arange(0, n_trials, several), axis=0)
    value = (weights * seen.chosen).sum(0) + seen.empty
    return value - np.log(together).sum((0, -1))


def _product(axes: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
    """Broadcast arrays (value, column) against each other, to (value, ..., column)."""
    n = len(axes)
    spread = [axis.reshape(*(-1 if j == k else 1 for j in range(n)), axis.shape[-1]) for k, axis in enumerate(axes)]
    return list(np.broadcast_arrays(*spread))
