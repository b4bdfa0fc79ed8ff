"""One decoder, fitted without each fold and scored on it; again for every permutation of its targets."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import special

from neurometa.neural import logistic, ridge

AT_ONCE = 8_000_000  # targets, permuted ones among them, that are held in memory together


class Samples(NamedTuple):
    """`activity` (episode, pooled, unit) and `target` (episode, pooled), NaN where there is none.

    A target is a number, or the place of a category among the classes. `complete` and `given` say where activity and
    target are finite, `used` where both are.
    """

    activity: np.ndarray
    target: np.ndarray
    complete: np.ndarray
    given: np.ndarray
    used: np.ndarray

    @classmethod
    def of(cls, activity: np.ndarray, target: np.ndarray) -> "Samples":
        """Find what is missing."""
        complete, given = np.isfinite(activity).all(-1), np.isfinite(target)
        return cls(activity, target, complete, given, complete & given)


class Tested(NamedTuple):
    """How well held-out targets were predicted: a score is 1 - sum of `loss` / sum of `scale`.

    For numbers these are squared errors and squared deviations from the mean of the fold, for categories
    errors and samples, both (order, episode). `prediction` (episode, pooled) or (episode, pooled, class) is of the
    true order, NaN where a sample is left out.
    """

    loss: np.ndarray
    scale: np.ndarray
    prediction: np.ndarray


def why_not(samples: Samples, fold: np.ndarray) -> str:
    """Say why there is nothing to fit or to score, or nothing."""
    used = samples.used
    values = samples.target[used]
    if not used.any():
        return "no sample has both activity and target"
    if np.bincount(fold, used.any(1)).min() == 0:
        return "a fold holds no sample"
    return "the target does not vary" if (values == values[0]).all() else ""


def among_used(orders: np.ndarray, samples: Samples) -> np.ndarray:
    """Let permutations (order, episode) exchange only the episodes that hold a sample."""
    present = np.flatnonzero(samples.used.any(1))
    kept = np.tile(np.arange(orders.shape[1]), (len(orders), 1))
    kept[:, present] = orders[np.isin(orders, present)].reshape(len(orders), -1)
    return kept


def read_numbers(
    train: Samples, tests: list[Samples], fold: np.ndarray, orders: np.ndarray
) -> tuple[list[Tested], np.ndarray]:
    """Fit by ridge regression; `fold` (episode,), `orders` (order, episode), of which the first is the true one.

    Returns
    -------
    tested : list of Tested
        One per test.
    penalty : float array (fold,)
        Of the true order.
    """
    n_folds = int(fold.max()) + 1
    parts: list[list[Tested]] = [[] for _ in tests]
    penalties = []
    for batch in _batches([train, *tests], orders):
        if not _fills(train, batch[0], fold):
            _unscored(parts, fold)
            continue
        activity, target, of_sample = _flat(train, batch, fold)
        centre, spread, mean = activity.mean(0), activity.std(0), target.mean(0)
        size = np.where(spread > 1e-9 * np.abs(activity).max(0), spread, np.inf)
        line, penalty = ridge.fit_folds(ridge.moments((activity - centre) / size, target - mean, of_sample, n_folds))
        penalties.append(penalty)
        for test, part in zip(tests, parts, strict=True):
            activity, target, of_sample = _flat(test, batch, fold)
            predicted = ridge.predict(line, (activity - centre) / size, of_sample) + mean
            part.append(_numbers_tested(test, batch, target, predicted, of_sample))
    return [_joined(part) for part in parts], penalties[0][:, 0]


def _numbers_tested(
    test: Samples, batch: np.ndarray, target: np.ndarray, predicted: np.ndarray, fold: np.ndarray
) -> Tested:
    used = test.complete & test.given[batch[0]]
    own = np.zeros_like(target)
    for each in np.unique(fold):
        own[fold == each] = target[fold == each].mean(0)
    squares = np.zeros((2, *used.shape, target.shape[1]))
    squares[0, used], squares[1, used] = (target - predicted) ** 2, (target - own) ** 2
    loss, scale = squares.sum(2)
    prediction = np.full(used.shape, np.nan)
    prediction[used] = predicted[:, 0]
    return Tested(loss.T, scale.T, prediction)


def read_categories(
    train: Samples, tests: list[Samples], fold: np.ndarray, orders: np.ndarray, n_classes: int
) -> tuple[list[Tested], np.ndarray]:
    """Fit by logistic regression, and choose the most probable class; otherwise as `read_numbers`."""
    parts: list[list[Tested]] = [[] for _ in tests]
    penalties = []
    for order in orders:
        if not _fills(train, order, fold):
            _unscored(parts, fold)
            continue
        activity, target, of_sample = _flat(train, order[None], fold)
        classifiers, penalty = logistic.fit_folds(activity, target[:, 0].astype(int), of_sample, n_classes)
        penalties.append(penalty)
        for test, part in zip(tests, parts, strict=True):
            activity, target, of_sample = _flat(test, order[None], fold)
            used = test.complete & test.given[order]
            probability = np.full((*used.shape, n_classes), np.nan)
            probability[used] = logistic.predict(classifiers, activity, of_sample)
            wrong = np.zeros(used.shape)
            wrong[used] = probability[used].argmax(-1) != target[:, 0]
            part.append(Tested(wrong.sum(1)[None], used.sum(1).astype(float)[None], probability))
    return [_joined(part) for part in parts], penalties[0]


def _fills(train: Samples, order: np.ndarray, fold: np.ndarray) -> bool:
    """Whether every fold holds a sample; where targets are missing, a permutation may leave one empty."""
    return bool(np.bincount(fold, (train.complete & train.given[order]).any(1)).min() > 0)


def _unscored(parts: list[list[Tested]], fold: np.ndarray) -> None:
    nothing = np.full((1, len(fold)), np.nan)
    for part in parts:
        part.append(Tested(nothing, nothing, nothing))


def _batches(all_samples: list[Samples], orders: np.ndarray) -> Iterator[np.ndarray]:
    """Orders that can be fitted together: all, where no episode lacks a target that another has."""
    present = all_samples[0].used.any(1)
    given = [samples.given[present] for samples in all_samples]
    alike = all((each == each[:1]).all() for each in given)
    size = max(1, AT_ONCE // all_samples[0].target.size) if alike else 1
    for first in range(0, len(orders), size):
        yield orders[first : first + size]


def _flat(samples: Samples, batch: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Activity (sample, unit), targets (sample, order) and fold (sample,) of the samples that miss nothing."""
    used = samples.complete & samples.given[batch[0]]
    target = np.stack([samples.target[order][used] for order in batch], 1)
    return samples.activity[used].astype(float), target, np.broadcast_to(fold[:, None], used.shape)[used]


def _joined(parts: list[Tested]) -> Tested:
    loss, scale = (np.concatenate([getattr(part, name) for part in parts]) for name in ("loss", "scale"))
    return Tested(loss, scale, parts[0].prediction)


def scores(loss: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """1 - sum of losses / sum of scales over the last axis; NaN where there is no scale."""
    whole = scale.sum(-1)
    return 1 - loss.sum(-1) / np.where(whole > 0, whole, np.nan)


def interval(loss: np.ndarray, scale: np.ndarray, level: float, *, share: bool = False) -> tuple[float, float]:
    """Interval of one score, by the delta method for a ratio of sums over episodes (episode,).

    That of a `share` is found in log-odds, so that it stays within [0, 1]; of all or none it is Wilson's over samples.
    """
    n = int((scale > 0).sum())
    if n < 2:
        return np.nan, np.nan
    score = scores(loss, scale)
    residual = loss - (1 - score) * scale
    error = np.sqrt(n / (n - 1) * (residual**2).sum()) / scale.sum()
    reach = error * special.stdtrit(n - 1, (1 + level) / 2)
    if share and 0 < score < 1:
        middle, steep = special.logit(score), score * (1 - score)
        return special.expit(middle - reach / steep), special.expit(middle + reach / steep)
    if share:
        from statsmodels.stats.proportion import proportion_confint  # a second to load, and seldom needed

        lower, upper = proportion_confint(score * scale.sum(), scale.sum(), alpha=1 - level, method="wilson")
        return max(lower, 0.0), min(upper, 1.0)
    return score - reach, score + reach
