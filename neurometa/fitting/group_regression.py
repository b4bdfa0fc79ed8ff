r"""Members of a group whose means follow a design: groups apart, covariates, and several factors at once.

Parameters without bounds are normal over members about a mean of their own,

.. math:: z_{ik} \sim N\Big(\sum_j x_{ij} b_{jk},\ \sigma_k^2\Big), \qquad \text{choices}_i \sim p(\cdot \mid z_i)

and the coefficients :math:`b` and SDs :math:`\sigma` are those that make all choices most probable. A design
of ones alone is the group of `neurometa.fitting.marginal`.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize

from neurometa.fitting.marginal import HIGHEST_SD, Group, Nodes, evidence, moments

STEP = 1e-3  # of a second difference, in units of a coefficient's scale


class Regression(NamedTuple):
    r"""What the members' choices say of a design.

    Attributes
    ----------
    coef : float array (parameter, term)
        Without bounds.
    sd : float array (parameter,)
        Of members about their means, corrected for the terms as a residual SD is: by :math:`\sqrt{n / (n - p)}`.
    covariance : float array (parameter, term, term)
        Of a parameter's coefficients, with the same correction.
    log_marginal_likelihood : float
        Of all choices, in nats.
    """

    coef: np.ndarray
    sd: np.ndarray
    covariance: np.ndarray
    log_marginal_likelihood: float


def regress(nodes: Nodes, design: np.ndarray, start: Group, limits: np.ndarray) -> Regression:
    """Find the coefficients under which all members' choices are most probable, and how far they are known.

    Parameters
    ----------
    nodes : Nodes
        What the members' choices say, e.g. on the grids of `neurometa.fitting.quadrature.grid_group`.
    design : float array (member, term)
        Of full column rank, with more members than terms.
    start : Group
        The group without a design, where the search begins.
    limits : float array (parameter, bound)
        Between which parameters lie.

    Returns
    -------
    Regression
        Errors are those of the observed information. Were every member's parameters known exactly, all would be
        ordinary least squares.
    """
    n, (n_members, n_terms) = len(start.mean), design.shape
    level = np.linalg.lstsq(design, np.ones(n_members), rcond=None)[0]  # the coefficients of a mean that all share
    size = np.abs(design).max(0)
    scale = np.concatenate([(start.sd[:, None] / size).ravel(), np.ones(n)])
    theta = np.concatenate([(start.mean[:, None] * level).ravel(), np.log(start.sd)])
    reach = np.repeat((limits[:, 1] - limits[:, 0])[:, None], n_terms, axis=1) / size
    low = np.concatenate([-reach.ravel(), np.log(nodes.least)])
    high = np.concatenate([reach.ravel(), np.full(n, np.log(HIGHEST_SD))])
    theta = np.clip(theta, low, high)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = slope(nodes, design, theta + x * scale)
        return -value, -gradient * scale

    bounds = np.stack([(low - theta) / scale, (high - theta) / scale], axis=1)
    how = {"ftol": 1e-13, "gtol": 1e-5, "maxiter": 500}
    found = optimize.minimize(loss, np.zeros(len(theta)), jac=True, method="L-BFGS-B", bounds=bounds, options=how)
    best = theta + found.x * scale
    inverse = np.linalg.pinv(_information(nodes, design, best, scale), hermitian=True) * scale[:, None] * scale
    own = inverse[: n * n_terms, : n * n_terms].reshape(n, n_terms, n, n_terms)
    inflated = n_members / (n_members - n_terms)
    covariance = np.stack([own[k, :, k] for k in range(n)]) * inflated
    coef, sd = best[: n * n_terms].reshape(n, n_terms), np.exp(best[n * n_terms :])
    return Regression(coef, sd * np.sqrt(inflated), covariance, -float(found.fun))


def slope(nodes: Nodes, design: np.ndarray, theta: np.ndarray) -> tuple[float, np.ndarray]:
    """Log marginal likelihood at ``theta`` (coefficients by parameter, then logarithms of SDs), and its gradient.

    By Fisher's identity, as in `neurometa.fitting.marginal.slope`.
    """
    n, n_terms = len(nodes.z), design.shape[1]
    coef, sd = theta[: n * n_terms].reshape(n, n_terms), np.exp(theta[n * n_terms :])
    centre = coef @ design.T  # (parameter, member)
    value, share = evidence(nodes, Group(centre, sd))
    mean, variance = moments(nodes, share)
    away = mean - centre
    by_coef = (away / sd[:, None] ** 2) @ design
    by_sd = ((variance + away**2) / sd[:, None] ** 2 - 1).sum(1)
    return float(value.sum()), np.concatenate([by_coef.ravel(), by_sd])


def _information(nodes: Nodes, design: np.ndarray, theta: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Minus the second derivatives of the log marginal likelihood in units of `scale`, positive semidefinite."""
    rows = []
    for k in range(len(theta)):
        shift = np.zeros(len(theta))
        shift[k] = STEP * scale[k]
        rows.append((slope(nodes, design, theta - shift)[1] - slope(nodes, design, theta + shift)[1]) / (2 * STEP))
    found = np.array(rows) * scale
    bend, axes = np.linalg.eigh((found + found.T) / 2)
    return (axes * np.maximum(bend, 0.0)) @ axes.T
