"""Linear mixed models by exact restricted maximum likelihood, for many outcomes of the same trials at once.

The likelihood is profiled over fixed effects and residual variance, so that only the relative covariance factor is
searched for (Bates et al. 2015, J Stat Softw 67, section 3). All of it follows from sums of products within each group,
which are taken once; all outcomes, such as the time points of a signal, are then fitted side by side.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

STARTS = (0.1, 0.6, 3.0)  # relative standard deviations that a search begins at
N_STEPS = 100  # Newton steps at most; most searches need ten
SINGULAR = 1e-4  # a relative standard deviation below it is none
GAIN = 1e-9  # of the deviance: a search that can gain less has ended


class Products(NamedTuple):
    """Sums of products of regressors (scaled to mean square 1) and outcomes, by group.

    ``xx`` (group, regressor, regressor), ``xy`` (outcome, group, regressor), ``yy`` (outcome,), ``cross`` (outcome,
    outcome) of outcomes with each other, the ``scale`` of each regressor, the places of those with a ``random`` effect,
    and how many samples ``n`` there are.
    """

    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray
    cross: np.ndarray
    scale: np.ndarray
    random: np.ndarray
    n: int


class Mixed(NamedTuple):
    """Fitted models, an outcome each, in the units of regressors and outcome.

    Attributes
    ----------
    coef : (outcome, regressor)
        Fixed effects.
    coef_cov : (outcome, regressor, regressor)
        Their covariance.
    random_cov : (outcome, random, random)
        Covariance of the random effects between groups.
    random_effect : (outcome, group, random)
        Of each group, as best predicted (BLUP): its departure from the fixed effects.
    residual_variance : (outcome,)
        Within groups.
    deviance : (outcome,)
        -2 log-likelihood, restricted or not.
    singular : (outcome,), bool
        The covariance of the random effects has no full rank: some variance is 0 or some correlation ±1.
    converged : (outcome,), bool
        The search ended because nothing was to be gained.
    factor : (outcome, random, random)
        Relative covariance factor, of scaled regressors: ``random_cov = variance * factor @ factor.T``, unscaled.
    freedom : (outcome, regressor)
        Degrees of freedom of each coefficient's t by Satterthwaite's approximation.
    """

    coef: np.ndarray
    coef_cov: np.ndarray
    random_cov: np.ndarray
    random_effect: np.ndarray
    residual_variance: np.ndarray
    deviance: np.ndarray
    singular: np.ndarray
    converged: np.ndarray
    factor: np.ndarray
    freedom: np.ndarray


def products(y: np.ndarray, x: np.ndarray, group: np.ndarray, random: np.ndarray) -> Products:
    """Sum products within groups, numbered from 0: y (sample, outcome), x (sample, regressor), random (random,)."""
    scale = np.sqrt((x**2).mean(0))
    x = x / scale
    n_groups, order = int(group.max()) + 1, np.argsort(group, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(group, minlength=n_groups))[:-1])
    xx = np.array([x[part].T @ x[part] for part in parts])
    xy = np.array([y[part].T @ x[part] for part in parts]).transpose(1, 0, 2)
    cross = y.T @ y
    return Products(xx, xy, np.diagonal(cross), cross, scale, random, len(y))


def fit(of: Products, *, restricted: bool = True) -> Mixed:
    """Fit every outcome at its maximum of the likelihood, restricted or not, the best of searches from `STARTS`."""
    n_outcomes, size = len(of.yy), len(of.random)
    below = np.tril_indices(size)
    best, factor = np.full(n_outcomes, np.inf), np.zeros((n_outcomes, size, size))
    converged = np.zeros(n_outcomes, bool)
    for start in STARTS:
        begin = np.broadcast_to((start * np.eye(size))[below], (n_outcomes, len(below[0])))
        place, deviance, ended = _search(of, begin, below, restricted)
        better = deviance < best - 1e-8
        factor[better] = _lower(place, below)[better]
        converged[better] = ended[better]
        best = np.where(better, deviance, best)
    return _told(of, factor, converged, restricted)


class _Solved(NamedTuple):
    """What follows from a relative covariance factor; matrices are of scaled regressors, relative to the residuals."""

    deviance: np.ndarray  # (outcome,)
    gradient: np.ndarray  # (outcome, random, random), with respect to the factor
    coef: np.ndarray  # (outcome, regressor)
    coef_cov: np.ndarray  # (outcome, regressor, regressor)
    variance: np.ndarray  # (outcome,), of the residuals
    score: np.ndarray  # (outcome, group, random): Z' V^-1 (y - X coef)


def _solve(of: Products, factor: np.ndarray, restricted: bool) -> _Solved:
    size, n_regressors = len(of.random), len(of.scale)
    freedom = of.n - n_regressors if restricted else of.n
    zx = of.xx[:, of.random]  # (group, random, regressor)
    zz = zx[:, :, of.random]
    zy = of.xy[:, :, of.random]
    turned = factor.transpose(0, 2, 1)[:, None]  # (outcome, 1, random, random)
    inner = np.eye(size) + turned @ zz @ factor[:, None]
    kernel = factor[:, None] @ np.linalg.inv(inner) @ turned  # V^-1 = 1 - Z kernel Z'
    zz_v = zz - zz @ kernel @ zz
    zx_v = zx - zz @ kernel @ zx
    zy_v = zy - np.einsum("gab,ogbc,ogc->oga", zz, kernel, zy)
    xx_v = of.xx.sum(0) - (zx.transpose(0, 2, 1) @ kernel @ zx).sum(1)
    xy_v = of.xy.sum(1) - np.einsum("gar,ogab,ogb->or", zx, kernel, zy)
    yy_v = of.yy - np.einsum("oga,ogab,ogb->o", zy, kernel, zy)
    coef_cov = np.linalg.inv(xx_v)
    coef = np.einsum("ors,os->or", coef_cov, xy_v)
    variance = np.maximum(yy_v - (coef * xy_v).sum(-1), 1e-300) / freedom
    score = zy_v - np.einsum("ogar,or->oga", zx_v, coef)
    deviance = np.linalg.slogdet(inner)[1].sum(1) + freedom * (1 + np.log(2 * np.pi * variance))
    of_cov = zz_v.sum(1) - np.einsum("oga,ogb->oab", score, score) / variance[:, None, None]
    if restricted:
        deviance += np.linalg.slogdet(xx_v)[1] + 2 * np.log(of.scale).sum()
        of_cov -= np.einsum("ogar,ors,ogbs->oab", zx_v, coef_cov, zx_v, optimize=True)
    return _Solved(deviance, 2 * of_cov @ factor, coef, coef_cov, variance, score)


def _lower(place: np.ndarray, below: tuple[np.ndarray, ...]) -> np.ndarray:
    size = int(below[0][-1]) + 1
    factor = np.zeros((len(place), size, size))
    factor[:, below[0], below[1]] = place
    return factor


def _search(
    of: Products, start: np.ndarray, below: tuple[np.ndarray, ...], restricted: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Newton's method on the entries of the factor, for all outcomes that have not ended.

    The sign of a column of the factor is free, so that a variance of 0 lies inside the search and not at its edge.
    """

    def at(place: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        solved = _solve(of._replace(xy=of.xy[which], yy=of.yy[which]), _lower(place, below), restricted)
        return solved.deviance, solved.gradient[:, below[0], below[1]]

    place, ended = start.copy(), np.zeros(len(start), bool)
    deviance = np.full(len(start), np.inf)
    for _ in range(N_STEPS):
        left = np.flatnonzero(~ended)
        if not left.size:
            break
        deviance[left], gradient = at(place[left], left)
        step, gain = _newton(place[left], gradient, partial(at, which=left))
        ended[left[gain < GAIN]] = True
        going = gain >= GAIN
        size = np.ones(len(left))
        for _ in range(30):  # halve the steps that lead up
            if not going.any():
                break
            tried = place[left[going]] + size[going, None] * step[going]
            lower = at(tried, left[going])[0] < deviance[left[going]]
            place[left[going][lower]] = tried[lower]
            going[np.flatnonzero(going)[lower]] = False
            size[going] /= 2
        ended[left[going]] = True  # no step of any size leads down, to the digits that a float has
    return place, at(place, np.arange(len(place)))[0], ended


def _newton(
    place: np.ndarray, gradient: np.ndarray, at: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> tuple[np.ndarray, np.ndarray]:
    """Step of Newton's method with a curvature that is made positive, and what it should gain."""
    n = place.shape[1]
    curvature = np.empty((len(place), n, n))
    for k in range(n):
        small = np.zeros(n)
        small[k] = 1e-5
        curvature[:, k] = (at(place + small)[1] - at(place - small)[1]) / 2e-5
    value, axis = np.linalg.eigh((curvature + curvature.transpose(0, 2, 1)) / 2)
    value = np.maximum(np.abs(value), 1e-3 + 1e-6 * np.abs(value).max(-1, keepdims=True))
    along = np.einsum("oab,oa->ob", axis, gradient)
    step = -np.einsum("oab,ob->oa", axis, along / value)
    most = 2 * (1 + np.linalg.norm(place, axis=1))
    step *= np.minimum(1, most / np.maximum(np.linalg.norm(step, axis=1), 1e-300))[:, None]
    return step, (along**2 / value).sum(-1) / 2


def _told(of: Products, factor: np.ndarray, converged: np.ndarray, restricted: bool) -> Mixed:
    solved = _solve(of, factor, restricted)
    unscale = 1 / of.scale
    freedom = _satterthwaite(of, factor, solved, restricted)
    of_random = unscale[of.random]
    cov = factor @ factor.transpose(0, 2, 1)
    variance = solved.variance[:, None, None]
    return Mixed(
        coef=solved.coef * unscale,
        coef_cov=variance * solved.coef_cov * np.outer(unscale, unscale),
        random_cov=variance * cov * np.outer(of_random, of_random),
        random_effect=np.einsum("oab,ogb->oga", cov, solved.score) * of_random,
        residual_variance=solved.variance,
        deviance=solved.deviance,
        singular=np.linalg.svd(factor, compute_uv=False)[:, -1] < SINGULAR,
        converged=converged,
        factor=factor,
        freedom=freedom,
    )


def _satterthwaite(of: Products, factor: np.ndarray, solved: _Solved, restricted: bool) -> np.ndarray:
    """Degrees of freedom of each coefficient: 2 v^2 / var(v) for its squared standard error v.

    var(v) follows from the curvature of the deviance in the factor and the logarithm of the residual variance
    (Kuznetsova et al. 2017, J Stat Softw 82, section 2). Where the fit is singular, so is the curvature, and what has
    none adds nothing.
    """
    size, n = len(of.random), of.n - len(of.scale) * restricted
    below = np.tril_indices(size)
    place, n_places = factor[:, below[0], below[1]], len(below[0])
    curvature = np.empty((len(place), n_places + 1, n_places + 1))
    slope = np.empty((len(place), n_places + 1, len(of.scale)))  # of the logarithm of v
    for k in range(n_places):
        small = np.zeros(n_places)
        small[k] = 1e-5
        above, under = (_solve(of, _lower(place + way, below), restricted) for way in (small, -small))
        curvature[:, :-1, k] = (above.gradient - under.gradient)[:, below[0], below[1]] / 2e-5
        logs = (np.log(np.einsum("orr->or", each.coef_cov)) for each in (above, under))
        slope[:, k] = (next(logs) - next(logs)) / 2e-5
    slope[:, -1] = 1
    fit_slope = 2 * np.einsum("oga,ogb->oab", solved.score, solved.score) @ factor  # minus that of the squared errors
    across = fit_slope[:, below[0], below[1]] / solved.variance[:, None]
    curvature[:, :-1, :-1] += np.einsum("oa,ob->oab", across, across) / n  # of the profile to that of both
    curvature[:, :-1, -1] = curvature[:, -1, :-1] = across
    curvature[:, -1, -1] = n
    spread = 2 * np.linalg.pinv((curvature + curvature.transpose(0, 2, 1)) / 2, rcond=1e-9, hermitian=True)
    return np.maximum(2 / np.einsum("oar,oab,obr->or", slope, spread, slope), 1.0)
