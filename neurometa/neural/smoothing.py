"""Penalised splines: a smooth curve through points at even distances, as one matrix (Eilers and Marx 1996)."""

import numpy as np

PENALTIES = np.logspace(-6, 8, 57)
AS_IT_IS = 6  # points below which nothing is smoothed


def smoother(y: np.ndarray, n_splines: int | None = None) -> tuple[np.ndarray, float]:
    """Return the matrix that smooths a curve, and its degrees of freedom, chosen by generalised cross-validation.

    Parameters
    ----------
    y : float array (time,)
        The curve.
    n_splines : int, optional
        Cubic B-splines, at least 4; by default half as many as points, at least 8. Second differences of their weights
        are penalised, so that what is left without end of penalty is a straight line.
    """
    n = len(y)
    if n < AS_IT_IS:
        return np.eye(n), float(n)
    count = n_splines or max(8, n // 2)
    basis = _basis(n, min(count, n))
    rough = np.diff(np.eye(basis.shape[1]), 2, axis=0)
    # one decomposition for all penalties: (B'B)^-1/2 D'D (B'B)^-1/2 = U diag(s) U'
    root = np.linalg.cholesky(basis.T @ basis + 1e-10 * np.eye(basis.shape[1]))
    inner = np.linalg.solve(root, np.linalg.solve(root, rough.T @ rough).T)
    size, axes = np.linalg.eigh((inner + inner.T) / 2)
    axes = np.linalg.solve(root, basis.T).T @ axes  # orthonormal columns over time
    shrunk = 1 / (1 + PENALTIES[:, None] * np.maximum(size, 0))
    score = axes.T @ y
    error = ((y[:, None] - axes @ (shrunk * score).T) ** 2).sum(0)
    freedom = shrunk.sum(1)
    best = int((error / (n - np.minimum(freedom, n - 1e-9)) ** 2).argmin())
    return (axes * shrunk[best]) @ axes.T, float(freedom[best])


def _basis(n: int, n_splines: int) -> np.ndarray:
    """Cubic B-splines with evenly spaced knots at `n` points, (point, spline)."""
    from scipy.interpolate import BSpline

    step = (n - 1) / (n_splines - 3)
    knots = step * np.arange(-3, n_splines + 1)
    at = np.clip(np.arange(n, dtype=float), 0, np.nextafter(n - 1, 0))
    return BSpline.design_matrix(at, knots, 3).toarray()
