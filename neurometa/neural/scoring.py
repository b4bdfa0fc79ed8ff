"""How well a decoder did: every measure with its interval and n, or why there is none."""

from typing import Any

import numpy as np

from neurometa.neural import partial
from neurometa.neural.held_out import (
    Samples,
    Tested,
    among_used,
    interval,
    read_categories,
    read_numbers,
    scores,
    why_not,
)

LEVEL = 0.95  # coverage of the intervals


def decoder(
    train: Samples, tests: list[Samples], fold: np.ndarray, orders: np.ndarray, classes: list[Any] | None
) -> list[dict[str, Any]]:
    """Fit one decoder, and say of every test how well it did."""
    used = train.used
    varies = np.ptp(train.activity[used], axis=0) > 0 if used.any() else np.zeros(train.activity.shape[-1], bool)
    about = {"n_constant_units": int((~varies).sum()), "penalty": np.full(fold.max() + 1, np.nan)}
    note = why_not(train, fold)
    if note:
        return [about | _absent_scores(test, fold, orders, classes, note) for test in tests]
    orders = among_used(orders, train)
    if classes is None:
        tested, about["penalty"] = read_numbers(train, tests, fold, orders)
    else:
        tested, about["penalty"] = read_categories(train, tests, fold, orders, len(classes))
    told = []
    for test, each in zip(tests, tested, strict=True):
        note = why_not(test, fold)
        one = _absent_scores(test, fold, orders, classes, note) if note else _scores(test, each, fold, classes)
        told.append(about | one)
    return told


def measures(classes: list[Any] | None) -> tuple[str, ...]:
    """The main measure, and the others."""
    if classes is None:
        return "r_squared", "correlation"
    return ("accuracy", "balanced_accuracy", "auc") if len(classes) == 2 else ("accuracy", "balanced_accuracy")


def _counted(test: Samples) -> dict[str, int]:
    used = test.used
    return {"n": int(used.sum()), "n_episodes": int(used.any(1).sum()), "n_left_out": int((~used).sum())}


def _absent_scores(
    test: Samples, fold: np.ndarray, orders: np.ndarray, classes: list[Any] | None, note: str
) -> dict[str, Any]:
    main, *_ = measures(classes)
    shape = test.target.shape if classes is None else (*test.target.shape, len(classes))
    many = {f"{main}_fold": np.full(fold.max() + 1, np.nan), "null": np.full(len(orders) - 1, np.nan)}
    one = dict.fromkeys((*measures(classes), "lower", "upper", "chance", "p_value"), np.nan)
    return one | many | _counted(test) | {"note": note, "prediction": np.full(shape, np.nan)}


def _scores(test: Samples, tested: Tested, fold: np.ndarray, classes: list[Any] | None) -> dict[str, Any]:
    """Every measure of one test, by the name it has in the result."""
    main, *_ = measures(classes)
    score, *null = scores(tested.loss, tested.scale)
    loss, scale = tested.loss[0], tested.scale[0]
    by_fold = [scores(loss[fold == each], scale[fold == each]) for each in range(fold.max() + 1)]
    lower, upper = interval(loss, scale, LEVEL, share=classes is not None)
    told = {main: score, "lower": lower, "upper": upper, f"{main}_fold": np.array(by_fold), "null": np.array(null)}
    finite = told["null"][np.isfinite(told["null"])]
    told["chance"] = finite.mean() if finite.size else np.nan
    told["p_value"] = (1 + (finite >= score).sum()) / (1 + finite.size) if finite.size else np.nan
    further = _correlation(test, tested, fold) if classes is None else _by_class(test, tested, fold, len(classes))
    return told | further | _counted(test) | {"note": "", "prediction": tested.prediction}


def _correlation(test: Samples, tested: Tested, fold: np.ndarray) -> dict[str, float]:
    found = []
    for each in range(fold.max() + 1):
        used = test.used & (fold == each)[:, None]
        pair = test.target[used], tested.prediction[used]
        if all(np.ptp(x) > 0 for x in pair):
            found.append(np.corrcoef(*pair)[0, 1])
    return {"correlation": float(np.mean(found)) if found else np.nan}


def _by_class(test: Samples, tested: Tested, fold: np.ndarray, n_classes: int) -> dict[str, float]:
    used = test.used
    label, probability = test.target[used], tested.prediction[used]
    right = probability.argmax(-1) == label
    told = {"balanced_accuracy": float(np.mean([right[label == each].mean() for each in np.unique(label)]))}
    if n_classes == 2:
        of_sample = np.broadcast_to(fold[:, None], used.shape)[used]
        areas = [_auc(label[of_sample == each], probability[of_sample == each, 1]) for each in np.unique(of_sample)]
        areas = [area for area in areas if np.isfinite(area)]
        told["auc"] = float(np.mean(areas)) if areas else np.nan
    return told


def _auc(label: np.ndarray, score: np.ndarray) -> float:
    """Chance that a sample of class 1 scores above one of class 0, ties counted half; NaN without both."""
    n1 = label.sum()
    n0 = len(label) - n1
    total = partial.ranks(score)[label == 1].sum()
    return (total - n1 * (n1 + 1) / 2) / (n0 * n1) if n0 and n1 else np.nan
