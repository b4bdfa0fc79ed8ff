"""Regressions of many units on the same factors at once, and the partial correlations in them."""

from typing import NamedTuple

import numpy as np
from scipy import special


class Fitted(NamedTuple):
    """`coef`, `se` and `p_value`, each (factor, unit)."""

    coef: np.ndarray
    se: np.ndarray
    p_value: np.ndarray


def why_not(factor: np.ndarray, cluster: np.ndarray | None) -> str:
    """Say why units cannot be regressed on factors (sample, factor), or nothing."""
    n, n_factors = factor.shape
    if not n:
        return "no sample has both activity and factors"
    if (np.ptp(factor, axis=0) == 0).any():
        return "a factor does not vary"
    if n < n_factors + 3:
        return "there are too few samples for the factors"
    scaled = (factor - factor.mean(0)) / factor.std(0)
    if np.linalg.matrix_rank(scaled.T @ scaled / n, tol=1e-10) < n_factors:
        return "a factor follows from the others"
    if cluster is not None and len(np.unique(cluster)) <= n_factors + 1:
        return "there are not more episodes than coefficients"
    return ""


def correlation(unit: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Partial correlation of units (sample, unit) with each factor (sample, factor), the others fixed.

    Returns
    -------
    float array (factor, unit)
        In [-1, 1]; NaN for a unit that does not vary, or that the other factors explain whole.
    """
    x, y = factor - factor.mean(0), unit - unit.mean(0)
    x, y = x / x.std(0), y / np.maximum(y.std(0), 1e-300)
    inverse = np.linalg.inv(x.T @ x)
    coef = inverse @ (x.T @ y)
    left = np.maximum((y * y).sum(0) - (coef * (x.T @ y)).sum(0), 0.0)  # residual sum of squares on all factors
    own = coef**2 / np.diagonal(inverse)[:, None]  # how much more is left without the factor
    whole = own + left
    rest = np.where(whole > 1e-12 * (y * y).sum(0), whole, np.nan)
    return np.sign(coef) * np.sqrt(own / rest)


def regression(unit: np.ndarray, factor: np.ndarray, cluster: np.ndarray | None) -> Fitted:
    """Least squares of units (sample, unit) on all factors (sample, factor) and an intercept.

    With `cluster` (sample,), which is sorted, standard errors are robust to dependence within clusters, corrected by
    G / (G - 1) (n - 1) / (n - k), and p is of Student's t with G - 1 degrees of freedom; else classical, n - k.
    """
    n, n_factors = factor.shape
    size = factor.std(0)
    x = np.concatenate([np.ones((n, 1)), (factor - factor.mean(0)) / size], 1)
    inverse = np.linalg.inv(x.T @ x)
    coef = inverse @ (x.T @ unit)
    left = unit - x @ coef
    freedom = n - n_factors - 1
    if cluster is None:
        variance = np.diagonal(inverse)[:, None] * (left**2).sum(0) / freedom
    else:
        starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
        count = len(starts)
        variance = np.zeros_like(coef)
        for i, row in enumerate(inverse):
            lever = (x @ row)[:, None] * left  # each sample's part in the error of the coefficient
            variance[i] = (np.add.reduceat(lever, starts) ** 2).sum(0)
        variance *= count / (count - 1) * (n - 1) / freedom
        freedom = count - 1
    se = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * special.stdtr(freedom, -np.abs(coef) / se)
    return Fitted(coef[1:] / size[:, None], se[1:] / size[:, None], p_value[1:])


def ranks(x: np.ndarray) -> np.ndarray:
    """Ranks from 1 along the first axis, ties sharing their mean."""
    from scipy.stats import rankdata  # half a second to load, of which most who import this package have no need

    return rankdata(x, axis=0)
