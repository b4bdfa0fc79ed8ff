"""Logistic regression for every fold, its penalty chosen between the other folds."""

import itertools
from collections.abc import Callable

import numpy as np

PENALTIES = np.logspace(-5, 0, 4)  # per sample, on units scaled to variance 1

Classifier = Callable[[np.ndarray], np.ndarray]  # activity (sample, unit) -> probability (sample, class)


def fit(activity: np.ndarray, label: np.ndarray, n_classes: int, penalty: float) -> Classifier:
    """Fit the probability of each class to standardised units; a unit that does not vary is left out.

    A class that never occurs has probability 0.

    Parameters
    ----------
    activity : float array (sample, unit)
        One row per sample.
    label : int array (sample,)
        0 ... `n_classes` - 1.
    n_classes : int
        How many classes there are in all data.
    penalty : float
        Per sample: scikit-learn's ``C`` is 1 over this times the number of samples.
    """
    from sklearn.linear_model import LogisticRegression

    seen = np.unique(label)
    mean, spread = activity.mean(0), activity.std(0)
    scale = np.where(spread > 1e-6 * np.sqrt((activity**2).mean(0)), 1 / np.maximum(spread, 1e-300), 0)
    line = None
    if len(seen) > 1:
        line = LogisticRegression(C=1 / (penalty * len(label)), solver="newton-cholesky", max_iter=200, tol=1e-6)
        line.fit((activity - mean) * scale, label)

    def classify(other: np.ndarray) -> np.ndarray:
        probability = np.zeros((len(other), n_classes))
        if not len(other):
            return probability
        probability[:, seen] = 1.0 if line is None else line.predict_proba((other - mean) * scale)
        return probability

    return classify


def fit_folds(
    activity: np.ndarray, label: np.ndarray, fold: np.ndarray, n_classes: int
) -> tuple[list[Classifier], np.ndarray]:
    """Fit one classifier without each fold.

    The penalty is that of the highest likelihood in cross-validation between the other folds.

    Returns
    -------
    classifiers : list of callable
        One per fold.
    penalty : float array (fold,)
        Per sample.
    """
    n_folds = fold.max() + 1
    score = np.zeros((n_folds, len(PENALTIES)))
    for a, b in itertools.combinations(range(n_folds), 2):
        train = (fold != a) & (fold != b)
        for i, penalty in enumerate(PENALTIES):
            classify = fit(activity[train], label[train], n_classes, penalty)
            for outer, inner in ((a, b), (b, a)):
                these = fold == inner
                right = classify(activity[these])[np.arange(these.sum()), label[these]]
                score[outer, i] += np.log(np.maximum(right, 1e-12)).sum()
    best = PENALTIES[len(PENALTIES) - 1 - score[:, ::-1].argmax(1)]  # of equal ones, the strongest
    return [
        fit(activity[fold != held_out], label[fold != held_out], n_classes, best[held_out])
        for held_out in range(n_folds)
    ], best


def predict(classifiers: list[Classifier], activity: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Probability of each class by the classifier that was fitted without the sample's fold, (sample, class)."""
    probability = [classify(activity[fold == held_out]) for held_out, classify in enumerate(classifiers)]
    joined = np.empty((len(activity), probability[0].shape[1]))
    for held_out, each in enumerate(probability):
        joined[fold == held_out] = each
    return joined
