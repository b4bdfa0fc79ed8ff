"""How the coefficients of a functional mixed model vary together over time, and the bands that follow.

Within an animal, trials share random effects and a trial's residuals are alike at neighbouring times. Both covariances
between any two times are estimated without bias from the products of residuals (method of moments), and carried through
the generalised least squares of each time (Cui et al. 2022, section 3.2; Loewinger et al. 2025, appendix).
"""

import numpy as np

from neurometa.neural.mixed import Mixed, Products

LIKE_NORMAL = 60.0  # degrees of freedom from which on t is taken for a normal


def coefficient_covariance(of: Products, fitted: Mixed) -> np.ndarray:
    """Covariance of each coefficient's estimates between times, (regressor, time, time), of standard errors as fitted.

    Parameters
    ----------
    of : Products
        Of the signal at each time, as outcomes.
    fitted : Mixed
        What `mixed.fit` made of it.
    """
    between, within = _moments(of)
    own = fitted.factor @ fitted.factor.transpose(0, 2, 1) * fitted.residual_variance[:, None, None]
    every = np.arange(len(of.yy))
    between[every, every] = own  # at one time the likelihood tells more
    within[every, every] = fitted.residual_variance
    between, within = _positive(between), _positive(within[:, :, None, None])[:, :, 0, 0]
    n_times, n_regressors, n_random = len(of.yy), len(of.scale), len(of.random)
    spread = fitted.factor.transpose(0, 2, 1)[:, None]
    zx = of.xx[:, of.random]  # (group, random, regressor)
    zz = zx[:, :, of.random]
    kernel = fitted.factor[:, None] @ np.linalg.inv(np.eye(n_random) + spread @ zz @ fitted.factor[:, None]) @ spread
    tilted = kernel @ zx  # V^-1 = 1 - Z kernel Z'; (time, group, random, regressor)
    zx_v = zx - zz @ tilted
    once = (zx.transpose(0, 2, 1) @ tilted).sum(1)  # X' Z kernel Z' X
    total = of.xx.sum(0)
    shape = (n_times, n_regressors, n_times, n_regressors)
    alone = (
        total[:, None] - once[:, :, None] - once.transpose(1, 0, 2)[None] + _summed(tilted, zz @ tilted).reshape(shape)
    )
    inner = alone * within[:, None, :, None]
    for a, b in np.ndindex(n_random, n_random):
        inner += _summed(zx_v[:, :, [a]], zx_v[:, :, [b]]).reshape(shape) * between[:, None, :, None, a, b]
    bread = total - once
    inverse = np.linalg.inv(bread)
    carried = np.einsum("spa,satb,tqb->sptq", inverse, inner, inverse, optimize=True)
    found = []
    for k in range(n_regressors):
        cov = carried[:, k, :, k] / of.scale[k] ** 2
        size = np.sqrt(fitted.coef_cov[:, k, k] / np.diagonal(cov))
        found.append((cov + cov.T) / 2 * np.outer(size, size))
    return np.array(found)


def _summed(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Products of all times and regressors, summed over groups and random effects: (time, group, random, regressor)."""
    flat = (x.transpose(0, 3, 1, 2).reshape(x.shape[0] * x.shape[3], -1) for x in (left, right))
    return next(flat) @ next(flat).T


def _moments(of: Products) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of random effects (time, time, random, random) and of residuals (time, time), unbiased.

    Products of the residuals of ordinary least squares, summed within groups, have expectations linear in both.
    """
    total = np.linalg.inv(of.xx.sum(0))
    zx = of.xx[:, of.random]
    zz = zx[:, :, of.random]
    coef = of.xy.sum(1) @ total
    left = of.xy[:, :, of.random] - np.einsum("gar,or->oga", zx, coef)  # Z' residuals, (time, group, random)
    squares = of.cross - coef @ of.xy.sum(1).T
    n_groups, n_random = len(of.xx), len(of.random)
    through = -np.einsum("gar,rs,hbs->gahb", zx, total, zx)  # Z_g' P Z_h, P projecting on the residuals
    through[np.arange(n_groups), :, np.arange(n_groups)] += zz
    own = np.einsum("gagb->ab", through)
    system = np.empty((n_random**2 + 1, n_random**2 + 1))
    system[:-1, :-1] = np.einsum("gahb,gchd->acbd", through, through, optimize=True).reshape(n_random**2, -1)
    system[:-1, -1] = system[-1, :-1] = own.ravel()
    system[-1, -1] = of.n - len(of.scale)
    of_random = np.einsum("sga,tgb->stab", left, left, optimize=True).reshape(*squares.shape, -1)
    solved = np.concatenate([of_random, squares[..., None]], -1) @ np.linalg.pinv(system).T
    return solved[..., :-1].reshape(*squares.shape, n_random, n_random), solved[..., -1]


def _positive(cov: np.ndarray) -> np.ndarray:
    """Nearest covariance without negative variances, (time, time, effect, effect)."""
    n_times, n_effects = cov.shape[1:3]
    whole = cov.transpose(0, 2, 1, 3).reshape(n_times * n_effects, -1)
    value, axis = np.linalg.eigh((whole + whole.T) / 2)
    whole = (axis * np.maximum(value, 0)) @ axis.T
    return whole.reshape(n_times, n_effects, n_times, n_effects).transpose(0, 2, 1, 3)


def joint_quantile(cov: np.ndarray, freedom: float, level: float, n_draws: int, rng: np.random.Generator) -> float:
    """Return the multiple of pointwise half-widths within which the whole curve lies with probability `level`.

    Curves are drawn, and with each the standard errors that go with it: means of squares of as many further curves as
    there are degrees of freedom, so that errors which are too small at some times only are allowed for.

    Parameters
    ----------
    cov : float array (time, time)
        Covariance of the curve.
    freedom : float
        Degrees of freedom of its t; from `LIKE_NORMAL` on, standard errors count as known.
    level : float
        In (0, 1).
    n_draws : int
        Curves that are drawn.
    rng : Generator
    """
    from scipy import special

    size = np.sqrt(np.maximum(np.diagonal(cov), 1e-300))
    value, axis = np.linalg.eigh(cov / np.outer(size, size))
    kept = value > 1e-5 * value[-1]
    root = (axis[:, kept] * np.sqrt(value[kept])).T
    root /= np.sqrt((root**2).sum(0))
    draws = np.abs(rng.standard_normal((n_draws, len(root))) @ root)
    if freedom < LIKE_NORMAL:
        count = max(1, round(freedom))
        squares = np.zeros_like(draws)
        for _ in range(count):
            squares += (rng.standard_normal((n_draws, len(root))) @ root) ** 2
        draws /= np.sqrt(squares / count)
    reach = special.stdtrit(freedom, (1 + level) / 2)
    return max(1.0, float(np.quantile(draws.max(1), level) / reach))
