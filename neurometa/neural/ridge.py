"""Ridge regression for every fold and penalty at once, from the second moments of each fold.

The moments of a training set are sums of those of its folds, so that nested
cross-validation reads the data twice, however many folds and penalties there are; and
targets that share the activity, such as permuted ones, share its decompositions.
"""

import itertools
from typing import NamedTuple

import numpy as np

PENALTIES = np.logspace(-8, 2, 11)  # per sample, on units scaled to variance 1


class Moments(NamedTuple):
    """Sums over samples: of 1, x, y and their products; over (..., unit and target)."""

    n: np.ndarray
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    def without(self, *folds: int) -> "Moments":
        """Sums over all folds but these."""
        kept = [fold for fold in range(len(self.n)) if fold not in folds]
        return Moments(*(x[kept].sum(0) for x in self))

    def fold(self, fold: int) -> "Moments":
        """Sums over one fold."""
        return Moments(*(x[fold] for x in self))


class Line(NamedTuple):
    """`weight` (penalty, unit, target) and `intercept` (penalty, target), in the units of the activity."""

    weight: np.ndarray
    intercept: np.ndarray


def moments(activity: np.ndarray, target: np.ndarray, fold: np.ndarray, n_folds: int) -> Moments:
    """Sum over the samples of each fold; activity (sample, unit), target (sample, target), fold (sample,)."""
    parts = []
    for each in range(n_folds):
        x, y = activity[fold == each], target[fold == each]
        parts.append((float(len(x)), x.sum(0), y.sum(0), x.T @ x, x.T @ y, (y * y).sum(0)))
    return Moments(*(np.array(part) for part in zip(*parts, strict=True)))


def fit(of: Moments, penalties: np.ndarray = PENALTIES) -> Line:
    """Fit ridge lines to standardised units; a unit that does not vary gets weight 0."""
    mean, variance = of.x / of.n, np.diagonal(of.xx) / of.n - (of.x / of.n) ** 2
    varies = variance > 1e-12 * (np.diagonal(of.xx) / of.n + 1e-300)
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1)), 0)
    correlation = scale[:, None] * (of.xx / of.n - np.outer(mean, mean)) * scale
    covariance = scale[:, None] * (of.xy / of.n - np.outer(mean, of.y / of.n))
    size, axes = np.linalg.eigh(correlation)
    shrunk = (axes.T @ covariance) / (np.maximum(size, 0)[:, None] + penalties[:, None, None])
    weight = scale[:, None] * (axes @ shrunk)
    return Line(weight, of.y / of.n - mean @ weight)


def squared_error(line: Line, of: Moments) -> np.ndarray:
    """Sum of squared errors on the samples behind the moments, (penalty, target)."""
    weight, intercept = line
    predicted = (weight * (of.xx @ weight)).sum(1) + 2 * intercept * (of.x @ weight) + of.n * intercept**2
    return of.yy - 2 * ((weight * of.xy).sum(1) + intercept * of.y) + predicted


def fit_folds(of: Moments) -> tuple[Line, np.ndarray]:
    """Fit a line without each fold, its penalty chosen by cross-validation between the other folds.

    Returns
    -------
    line : Line
        `weight` (fold, unit, target) and `intercept` (fold, target).
    penalty : float array (fold, target)
        Per sample: scikit-learn's ``alpha`` is this times the number of training samples.
    """
    n_folds, n_targets = of.y.shape
    error = np.zeros((n_folds, len(PENALTIES), n_targets))
    for a, b in itertools.combinations(range(n_folds), 2):
        line = fit(of.without(a, b))
        error[a] += squared_error(line, of.fold(b))
        error[b] += squared_error(line, of.fold(a))
    best = len(PENALTIES) - 1 - error[:, ::-1].argmin(1)  # of equal ones, the strongest
    weight, intercept, each = [], [], np.arange(n_targets)
    for held_out in range(n_folds):
        line = fit(of.without(held_out))
        weight.append(line.weight[best[held_out], :, each].T)
        intercept.append(line.intercept[best[held_out], each])
    return Line(np.array(weight), np.array(intercept)), PENALTIES[best]


def predict(line: Line, activity: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predict each sample by the line that was fitted without its fold, (sample, target)."""
    predicted = np.empty((len(activity), line.intercept.shape[-1]))
    for held_out, (weight, intercept) in enumerate(zip(line.weight, line.intercept, strict=True)):
        these = fold == held_out
        predicted[these] = activity[these] @ weight + intercept
    return predicted
