"""Logistic regression for every fold, its penalty chosen between the other folds."""

import itertools
from collections.abc import Callable

import numpy as np
from scipy import special

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
    return _path(activity, label, slice(None), n_classes)(penalty)


def _path(
    activity: np.ndarray, label: np.ndarray, train: np.ndarray | slice, n_classes: int
) -> Callable[[float], Classifier]:
    """Return `fit` to some samples as a function of the penalty, which begins where the last one ended."""
    from sklearn.linear_model import LogisticRegression

    seen, own = np.unique(label[train]), activity[train]
    mean, spread = own.mean(0), own.std(0)
    scale = np.where(spread > 1e-6 * np.sqrt((own**2).mean(0)), 1 / np.maximum(spread, 1e-300), 0)
    n = len(own)
    del own  # there are many paths, and activity may be large
    line = LogisticRegression(solver="newton-cholesky", max_iter=200, tol=1e-6, warm_start=True)

    def fitted(penalty: float) -> Classifier:
        weight, bias = np.zeros((1, len(mean))), np.zeros(1)
        if len(seen) > 1:
            line.set_params(C=1 / (penalty * n)).fit((activity[train] - mean) * scale, label[train])
            weight, bias = line.coef_.copy(), line.intercept_.copy()

        def classify(other: np.ndarray) -> np.ndarray:
            probability = np.zeros((len(other), n_classes))
            odds = (other - mean) * scale @ weight.T + bias
            if len(seen) == 2:
                probability[:, seen] = special.expit(np.concatenate([-odds, odds], 1))
            else:
                probability[:, seen] = special.softmax(odds, axis=1)
            return probability

        return classify

    return fitted


def fit_folds(
    activity: np.ndarray, label: np.ndarray, fold: np.ndarray, n_classes: int
) -> tuple[list[Classifier], np.ndarray]:
    """Fit one classifier without each fold.

    The penalty is that of the highest likelihood in cross-validation between the other folds. Penalties are tried from
    the strongest on, until a weaker one helps no fold: the weakest cost the most steps, and seldom help.

    Returns
    -------
    classifiers : list of callable
        One per fold.
    penalty : float array (fold,)
        Per sample.
    """
    n_folds = fold.max() + 1
    pairs = list(itertools.combinations(range(n_folds), 2))
    paths = [_path(activity, label, (fold != a) & (fold != b), n_classes) for a, b in pairs]
    best, highest = np.full(n_folds, np.nan), np.full(n_folds, -np.inf)
    for penalty in PENALTIES[::-1]:
        score = np.zeros(n_folds)
        for (a, b), path in zip(pairs, paths, strict=True):
            classify = path(penalty)
            for outer, inner in ((a, b), (b, a)):
                these = fold == inner
                right = classify(activity[these])[np.arange(these.sum()), label[these]]
                score[outer] += np.log(np.maximum(right, 1e-12)).sum()
        better = score > highest
        if not better.any():
            break
        best[better], highest[better] = penalty, score[better]
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
