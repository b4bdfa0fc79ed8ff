"""Held-out prediction of choices from those before: a logistic regression whose lags are chosen between inner folds."""

import itertools
from functools import partial

import numpy as np
import xarray as xr
from scipy.special import expit

from neurometa import dataset
from neurometa.behaviour import logistic
from neurometa.behaviour.encodings import encode
from neurometa.errors import InputError
from neurometa.fitting.held_out import Predicted, play

LAGS = (1, 2, 5, 10)  # choices back, of which the best is chosen without the fold that is predicted
RIDGE = 1.0  # a normal prior of SD 1 on each weight keeps separated choices finite


def of_history(held: xr.Dataset, *, n_lags: tuple[int, ...] = LAGS) -> Predicted:
    """Predict each fold by a logistic regression on past choices and rewards that was fitted to the others.

    The regressors are those of Lau & Glimcher (2005), signed by the choice, zero where an episode has no choice so far
    back, so that every choice is predicted. How many lags there are is chosen for each subject and fold by
    cross-validation between the other folds.

    Parameters
    ----------
    held : Dataset
        What `neurometa.fitting.folds.split` returned, of choices between two.
    n_lags : tuple of int
        How many choices back, to choose from.

    Returns
    -------
    Predicted
        The attribute ``n_lags`` of ``prob`` lists what was chosen.

    Raises
    ------
    InputError
        There are not two options, or fewer than three folds.
    """
    if held.choice.attrs["n_options"] != 2:
        raise InputError(f"The choices have {held.choice.attrs['n_options']} options; this regression is of two.")
    if held.attrs["n_folds"] < 3:
        raise InputError("n_folds is 2; a regression whose lags are chosen between the other folds needs 3.")
    x, y, place = _design(held, max(n_lags))
    fold = held.fold.values[place[0]]
    names = np.full(held.sizes["episode"], "all") if held.attrs["unseen"] else held.subject.values
    who = names[place[0]]
    prob, chosen = np.empty(len(y)), []
    weights = np.zeros((held.sizes["episode"], x.shape[1]))
    for subject in np.unique(who):
        own = np.flatnonzero(who == subject)
        prob[own], used = _nested(x[own], y[own], fold[own], n_lags)
        for out, coef in used.items():
            chosen.append(len(coef) // 2)
            weights[(names == subject) & (held.fold.values == out), : len(coef)] = coef
    first = np.full(held.choice.shape, 0.5)
    first[place] = prob
    both = np.stack([1 - first, first], -1)
    found = xr.DataArray(both, dims=("episode", "trial", "arm"), attrs={"n_lags": chosen})
    return Predicted(found, partial(_play, weights))


def _play(weights: np.ndarray, reward_prob: xr.DataArray, rng: np.random.Generator) -> xr.Dataset:
    """Choose by the regression of each episode (episode, weight), its own choices and rewards being the past."""
    n_lags = weights.shape[1] // 2

    def policy(t: int, choice: np.ndarray, reward: np.ndarray) -> np.ndarray:
        past = slice(max(0, t - n_lags), t)
        single, _ = encode("lau-glimcher", choice[:, past].astype(int), reward[:, past], None)
        nearest_first = single[:, ::-1].reshape(len(choice), -1)
        log_odds = weights[:, 0] + (nearest_first * weights[:, 1 : 1 + nearest_first.shape[1]]).sum(1)
        return np.stack([expit(-log_odds), expit(log_odds)], -1)

    return play(policy, reward_prob, rng)


def _design(held: xr.Dataset, n_lags: int) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Regressors (choice, 1 + lag x 2, the nearest lag first), choices, and the episode and trial of each."""
    made = dataset.played(held).values
    order = np.argsort(~made, axis=1, kind="stable")  # the choices first, in order: lags count them alone
    choice = np.take_along_axis(np.maximum(held.choice.values, 0), order, 1).astype(int)
    reward = np.take_along_axis(np.where(made, held.reward.values, 0.0), order, 1)
    single, _ = encode("lau-glimcher", choice, reward, None)
    packed = np.take_along_axis(made, order, 1)
    single = np.where(packed[..., None], single, 0.0)
    parts = [np.ones((*choice.shape, 1))]
    for lag in range(1, n_lags + 1):
        parts.append(np.concatenate([np.zeros_like(single[:, :lag]), single[:, :-lag]], 1)[:, : choice.shape[1]])
    episode, column = np.nonzero(packed)
    return np.concatenate(parts, -1)[packed], choice[packed].astype(float), (episode, order[episode, column])


def _nested(
    x: np.ndarray, y: np.ndarray, fold: np.ndarray, n_lags: tuple[int, ...]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Probability of option 1 by the regression of the other folds, with the lags that predict best among these.

    Also the weights that each fold was predicted with.
    """
    folds = np.unique(fold)
    inner = dict.fromkeys(itertools.product(folds, n_lags), 0.0)
    for a, b in itertools.combinations(folds, 2):
        for n in n_lags if len(folds) > 2 else ():
            coef = _fit(x, y, (fold != a) & (fold != b), n)
            for outer, other in ((a, b), (b, a)):
                these = fold == other
                inner[outer, n] += _log_likelihood(x[these, : len(coef)] @ coef, y[these])
    prob, used = np.empty(len(y)), {}
    for out in folds:
        best = max(n_lags, key=lambda n: inner[out, n])
        coef = _fit(x, y, fold != out, best)
        prob[fold == out] = expit(x[fold == out, : len(coef)] @ coef)
        used[int(out)] = coef
    return prob, used


def _fit(x: np.ndarray, y: np.ndarray, these: np.ndarray, n_lags: int) -> np.ndarray:
    few = x[these, : 1 + 2 * n_lags]
    ridge = np.full(few.shape[1], RIDGE)
    ridge[0] = 1e-3  # the bias is all but free, and finite where one option alone was chosen
    return logistic.climb(few[None], y[None, these], np.ones((1, len(few))), "ridge", ridge)[0][0]


def _log_likelihood(log_odds: np.ndarray, y: np.ndarray) -> float:
    return float((y * log_odds - np.logaddexp(0, log_odds)).sum())
