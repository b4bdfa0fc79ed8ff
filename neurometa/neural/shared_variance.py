"""How much of one variable two others explain, alone and beyond each other, from sums over clusters.

Everything is a function of the sums of products within each cluster, so that a bootstrap
over clusters only adds them up anew.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

N_BOOTSTRAP, LEVEL = 1000, 0.95


class Shares(NamedTuple):
    """Of y, x1 and x2: see `shares`."""

    r_squared: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    r_squared_between: float
    coef: np.ndarray
    se: np.ndarray
    p_value: np.ndarray
    n: int
    n_episodes: int
    n_left_out: int
    note: str


def shares(samples: np.ndarray, rng: np.random.Generator) -> Shares:
    """Squared correlations of y with x1, x2, x2 without x1, x1 without x2; and the regression of y on both.

    Parameters
    ----------
    samples : float array (cluster, sample, 3)
        y, x1 and x2; a sample that is NaN in one of them is left out.
    rng : Generator
        Draws the bootstrap samples of clusters.

    Returns
    -------
    Shares
        `r_squared`, `lower` and `upper` (4,), in [0, 1]; `coef`, `se` and `p_value` (intercept, x1, x2). Standard
        errors are robust to dependence within clusters (Liang and Zeger 1986), with the correction
        G / (G - 1) (n - 1) / (n - 3) for G clusters, and p is of Student's t with G - 1 degrees of freedom.
    """
    used = np.isfinite(samples).all(-1)
    kept = np.where(used[..., None], samples, 0.0)
    centre = kept.sum((0, 1)) / max(used.sum(), 1)  # so that sums of products lose no digits
    z = np.concatenate([np.ones_like(kept[..., :1]), kept - centre], -1) * used[..., None]
    sums = np.einsum("gsi,gsj->gij", z, z)[used.any(1)]
    n, n_clusters = int(used.sum()), len(sums)
    count = {"n": n, "n_episodes": n_clusters, "n_left_out": int((~used).sum())}
    note = _why_not(samples[used], n_clusters)
    if note:
        nothing, three = np.full(4, np.nan), np.full(3, np.nan)
        return Shares(nothing, nothing, nothing, np.nan, three, three, three, **count, note=note)
    explained, between = _explained(sums.sum(0))
    weight = rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=N_BOOTSTRAP)
    drawn, _ = _explained((weight @ sums.reshape(n_clusters, -1)).reshape(-1, 4, 4))
    lower, upper = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    whole = sums.sum(0)
    at = np.array([0, 2, 3])
    inverse = np.linalg.inv(whole[np.ix_(at, at)])
    coef = inverse @ whole[at, 1]
    score = sums[:, at, 1] - np.einsum("gij,j->gi", sums[:, at][:, :, at], coef)
    correction = n_clusters / (n_clusters - 1) * (n - 1) / (n - 3)
    shift = np.array([[1, -centre[1], -centre[2]], [0, 1, 0], [0, 0, 1]])  # the intercept where x1 = x2 = 0
    variance = shift @ (correction * inverse @ (score.T @ score) @ inverse) @ shift.T
    coef = shift @ coef + np.array([centre[0], 0, 0])
    se = np.sqrt(np.diag(variance))
    p_value = 2 * special.stdtr(n_clusters - 1, -np.abs(coef) / se)
    return Shares(explained, lower, upper, float(between), coef, se, p_value, **count, note="")


def _explained(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared correlations (..., 4), and that of x1 with x2, from sums of products (..., 4, 4) with 1 first."""
    n, total = sums[..., 0, 0], sums[..., 0, 1:]
    c = sums[..., 1:, 1:] / n[..., None, None] - total[..., :, None] * total[..., None, :] / n[..., None, None] ** 2
    with np.errstate(divide="ignore", invalid="ignore"):

        def beyond(i: int, j: int) -> np.ndarray:
            """Squared correlation of y with what is left of x_i after regression on x_j."""
            slope = c[..., i, j] / c[..., j, j]
            left = c[..., i, i] - slope * c[..., i, j]
            return (c[..., 0, i] - slope * c[..., 0, j]) ** 2 / (c[..., 0, 0] * left)

        alone = [c[..., 0, i] ** 2 / (c[..., 0, 0] * c[..., i, i]) for i in (1, 2)]
        between = c[..., 1, 2] ** 2 / (c[..., 1, 1] * c[..., 2, 2])
        return np.stack([*alone, beyond(2, 1), beyond(1, 2)], -1), between


def _why_not(samples: np.ndarray, n_clusters: int) -> str:
    if n_clusters < 2:
        return "fewer than two episodes hold a prediction error of agent and references"
    if len(samples) < 4:
        return "there are fewer than four prediction errors"
    if (np.ptp(samples, axis=0) == 0).any():
        return "the prediction errors of agent or reference do not vary"
    if np.linalg.matrix_rank(np.corrcoef(samples[:, 1:].T), tol=1e-10) < 2:
        return "the references are the same"
    return ""
