"""How alike two populations are over the same conditions: linear maps, rotations, kernels and distances."""

import numpy as np

PENALTIES = np.logspace(-6, 3, 19)  # of ridge maps, times the mean variance of a unit


def cka(x: np.ndarray, y: np.ndarray, *, debiased: bool = False) -> float:
    """Linear centred kernel alignment of x (condition, unit) and y (condition, unit), at most 1.

    Parameters
    ----------
    x, y : float array (condition, unit)
        Responses to the same conditions, of any numbers of units.
    debiased : bool
        Estimate it from inner products of different conditions only, so that noise in single units does not count as
        likeness; it may then be below 0. It takes four conditions.

    References
    ----------
    Kornblith et al. 2019, ICML. Song et al. 2012, J Mach Learn Res 13, equation 5 (without bias).
    """
    if not debiased:
        x, y = x - x.mean(0), y - y.mean(0)
        across = np.linalg.norm(x.T @ y) ** 2
        return float(across / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)))
    k, m = _between(x), _between(y)
    own = _unbiased(k, k) * _unbiased(m, m)
    return float(_unbiased(k, m) / np.sqrt(own)) if own > 0 else np.nan


def _between(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(0)
    kernel = x @ x.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _unbiased(k: np.ndarray, m: np.ndarray) -> float:
    n = len(k)
    sums = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * k.sum(0) @ m.sum(0) / (n - 2)
    return float(((k * m).sum() + sums) / (n * (n - 3)))


def procrustes(x: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance of y that x explains once rotated, reflected and scaled as a whole, in [0, 1].

    Units are centred; the population of fewer units is taken as one of more that are silent. One minus it is the
    squared Procrustes distance of both at unit size (Schönemann 1966).
    """
    x, y = x - x.mean(0), y - y.mean(0)
    triangle = np.asarray(np.linalg.qr(y.T, mode="r"))
    nuclear = np.linalg.svd(x.T @ triangle.T, compute_uv=False).sum()
    return float(nuclear**2 / ((x**2).sum() * (y**2).sum()))


def rotation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Map (unit of x, unit of y), a rotation and a scale, that takes x nearest to y; both are centred first."""
    x, y = x - x.mean(0), y - y.mean(0)
    axes, within = np.linalg.qr(y.T)  # there are fewer conditions than units
    left, size, right = np.linalg.svd(x.T @ within.T, full_matrices=False)
    return (left @ right) @ axes.T * size.sum() / (x**2).sum()


def linear(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ridge map (unit of x, unit of y) between centred populations, its penalty by leaving out each condition."""
    x, y = x - x.mean(0), y - y.mean(0)
    value, axes = np.linalg.eigh(x @ x.T)
    value, scale = np.maximum(value, 0), max((x**2).sum() / len(x), 1e-300)
    turned, best = axes.T @ y, (np.inf, PENALTIES[0])
    for penalty in PENALTIES:
        shrunk = value / (value + penalty * scale)
        hat = (axes**2 @ shrunk) + 1 / len(x)  # the mean is fitted, too
        left = (y - axes @ (shrunk[:, None] * turned)) / np.maximum(1 - hat, 1e-9)[:, None]
        error = float((left**2).sum())
        best = min(best, (error, penalty))
    return x.T @ (axes / (value + best[1] * scale)) @ turned


def distances(x: np.ndarray) -> np.ndarray:
    """Euclidean distances of all pairs of conditions."""
    gram = x @ x.T
    size = np.diagonal(gram)
    first, second = np.triu_indices(len(x), 1)
    return np.sqrt(np.maximum(size[first] + size[second] - 2 * gram[first, second], 0))


def rsa(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation of the distances between conditions in both (Kriegeskorte et al. 2008)."""
    first, second = (_ranks(distances(each)) for each in (x, y))
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(x: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(x)


def explained(predicted: np.ndarray, y: np.ndarray) -> float:
    """Share of the variance of y over conditions that is predicted, at most 1; both are centred first."""
    predicted, y = predicted - predicted.mean(0), y - y.mean(0)
    return float(1 - ((y - predicted) ** 2).sum() / (y**2).sum())
