"""Logistic regression of many groups at once, that knows where no finite maximum exists.

Everything here is plain arrays: a *group* (an episode, an animal, an agent) has its own
coefficients, rows are trials, and a row of weight 0 is padding. Newton's method runs on all
groups together. Where choices are separated by the regressors (Albert & Anderson 1984,
Biometrika 71:1-10) the likelihood has no maximum; a linear program says so.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import expit

N_STEPS = 40  # of Newton; a finite maximum takes fewer than 15, separation never ends
STILL = 1e-8  # log odds by which the last step may still move any trial
SINGULAR = 1e-10  # smallest over largest eigenvalue of the correlations between regressors
CELLS = 400_000  # entries of the regressors of the groups that are fitted at a time: they stay in the cache

UNCHOSEN = "no trial could be predicted: no choice had enough choices before it"
ONE_OPTION = "only one option was ever chosen"
COLLINEAR = "a regressor never varies, or is a combination of the others"
SEPARATED = "the regressors tell some of the choices for sure (separation), so that the likelihood has no maximum"
UNFINISHED = "the iterations did not come to an end"


class Fits(NamedTuple):
    """Coefficients of every group, NaN where there is none.

    Attributes
    ----------
    coef : float array (group, regressor)
        In log odds per unit of the regressor.
    covariance : float array (group, regressor, regressor)
        Inverse of the information (of the penalised one under a ridge) at `coef`.
    log_likelihood : float array (group,)
        In nats, summed, without the penalty.
    converged, separated : bool array (group,)
        Whether `coef` is the maximum; whether the likelihood without a penalty has none
        because the regressors separate the choices.
    reason : object array (group,)
        Why there is no maximum without a penalty; empty where there is.
    """

    coef: np.ndarray
    covariance: np.ndarray
    log_likelihood: np.ndarray
    converged: np.ndarray
    separated: np.ndarray
    reason: np.ndarray


def fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray, *, penalty: str | None, ridge: np.ndarray) -> Fits:
    """Maximise the likelihood of every group, or its penalised form.

    Parameters
    ----------
    x : float array (group, row, regressor)
        Regressors, with a column of ones for the bias.
    y : float array (group, row)
        0 or 1.
    weight : float array (group, row)
        0 on padding, else 1.
    penalty : {None, "ridge", "firth"}
        None gives NaN wherever there is no finite maximum. A ridge takes half the sum of
        `ridge` times the squared coefficients off the log-likelihood, which is a normal prior of
        variance 1 / `ridge`. Firth's adds half the log determinant of the information,
        which is Jeffreys' prior and takes away the bias of first order (Firth 1993,
        Biometrika 80:27-38; Heinze & Schemper 2002, Stat. Med. 21:2409-2419).
    ridge : float array (regressor,)
        Strength of the ridge on each coefficient; not read otherwise.
    """
    n, n_rows, k = x.shape
    step = max(1, CELLS // max(1, n_rows * k))
    parts = [_fit(x[i : i + step], y[i : i + step], weight[i : i + step], penalty, ridge) for i in range(0, n, step)]
    if not parts:
        parts = [_fit(x, y, weight, penalty, ridge)]
    return Fits(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _fit(x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: str | None, ridge: np.ndarray) -> Fits:
    n, _, k = x.shape
    plain, none = np.zeros((k,)), np.full(n, "", dtype=object)
    reason, separated = none.copy(), np.zeros(n, bool)
    total = weight.sum(1)
    ones = (weight * y).sum(1)
    reason[total == 0] = UNCHOSEN
    alone = (total > 0) & ((ones == 0) | (ones == total))
    reason[alone], separated[alone] = ONE_OPTION, True
    regular = (total > 0) & ~_collinear(x, weight)
    reason[(reason == "") & ~regular] = COLLINEAR
    sound = np.flatnonzero(reason == "")

    coef, converged = np.full((n, k), np.nan), np.zeros(n, bool)
    coef[sound], converged[sound] = climb(x[sound], y[sound], weight[sound], None, plain)
    for group in np.flatnonzero(~converged & (total > 0) & ~alone):
        rows = weight[group] > 0
        separated[group] = is_separated(x[group, rows], y[group, rows])
        if reason[group] == "":
            reason[group] = SEPARATED if separated[group] else UNFINISHED
    coef[~converged] = np.nan
    if penalty is not None:
        # for Firth's the determinant of the information must not be 0
        able = np.flatnonzero(regular if penalty == "firth" else total > 0)
        coef[:], converged[:] = np.nan, False
        coef[able], converged[able] = climb(
            x[able], y[able], weight[able], penalty, ridge if penalty == "ridge" else plain
        )
        coef[~converged] = np.nan
    log_odds = (x @ np.where(converged[:, None], coef, 0.0)[..., None])[..., 0]
    log_likelihood = (weight * (y * log_odds - np.logaddexp(0, log_odds))).sum(1)
    log_likelihood[~converged] = np.nan
    information = _information(x, weight, log_odds) + (np.diag(ridge) if penalty == "ridge" else 0.0)
    covariance = np.full((n, k, k), np.nan)
    covariance[converged] = np.linalg.inv(information[converged])
    return Fits(coef, covariance, log_likelihood, converged, separated, reason)


def _information(x: np.ndarray, weight: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    chance = expit(log_odds)
    return (x * (weight * chance * (1 - chance))[..., None]).swapaxes(1, 2) @ x


def _collinear(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Which groups have regressors that span fewer dimensions than they are."""
    seen = x * weight[..., None]
    length = np.sqrt((seen**2).sum(1))
    unit = seen / np.where(length > 0, length, 1.0)[:, None]
    eigenvalue = np.linalg.eigvalsh(unit.swapaxes(1, 2) @ unit)
    return (length == 0).any(1) | (eigenvalue[:, 0] < SINGULAR * eigenvalue[:, -1])


def climb(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: str | None, ridge: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method from 0, its steps halved until they climb.

    Returns
    -------
    coef : float array (group, regressor)
        Where it ended.
    converged : bool array (group,)
        Whether the last step moved no trial's log odds by more than 1e-8. Without a finite maximum it
        moves some by about 1 each time.
    """
    n, _, k = x.shape
    best, done = np.zeros((n, k)), np.zeros(n, bool)
    at, coef = np.arange(n), np.zeros((n, k))
    objective = _firth if penalty == "firth" else _likelihood
    value, gradient, information = objective(x, y, weight, coef, ridge)
    for _ in range(N_STEPS):
        if not at.size:
            break
        safe, finite = _solvable(information)
        move = np.linalg.solve(safe, gradient[..., None])[..., 0]
        move[~finite] = 0.0
        reach = (np.abs((x @ move[..., None])[..., 0]) * (weight > 0)).max(1, initial=0.0)
        if penalty == "firth":  # its objective is not concave far away
            move *= (5.0 / np.maximum(reach, 5.0))[:, None]
        scale, new = np.ones(len(at)), coef + move
        new_value, new_gradient, new_information = objective(x, y, weight, new, ridge)
        for _ in range(20):
            worse = ~(new_value >= value - 1e-12 * (1 + np.abs(value))) & (reach > STILL)
            if not worse.any():
                break
            scale[worse] /= 2
            new[worse] = (coef + scale[:, None] * move)[worse]
            again = objective(x[worse], y[worse], weight[worse], new[worse], ridge)
            new_value[worse], new_gradient[worse], new_information[worse] = again
        coef, value, gradient, information = new, new_value, new_gradient, new_information
        ended = finite & (reach <= STILL)
        stuck = ~finite
        best[at] = coef
        done[at[ended]] = True
        keep = ~(ended | stuck)
        if not keep.all():
            at, coef, x, y, weight = at[keep], coef[keep], x[keep], y[keep], weight[keep]
            value, gradient, information = value[keep], gradient[keep], information[keep]
    return best, done


def _solvable(information: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrices that can be inverted, and which they are."""
    scale = np.sqrt(np.maximum(np.einsum("gkk->gk", information), 1e-300))
    unit = information / scale[:, :, None] / scale[:, None]
    finite = np.isfinite(unit).all((1, 2))
    smallest = np.linalg.eigvalsh(np.where(finite[:, None, None], unit, np.eye(unit.shape[1])))[:, 0]
    finite &= smallest > 1e-14
    return np.where(finite[:, None, None], information, np.eye(unit.shape[1])), finite


Objective = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]


def _likelihood(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, coef: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    log_odds = (x @ coef[..., None])[..., 0]
    value = (weight * (y * log_odds - np.logaddexp(0, log_odds))).sum(1) - 0.5 * (ridge * coef**2).sum(1)
    gradient = ((weight * (y - expit(log_odds)))[:, None] @ x)[:, 0] - ridge * coef
    return value, gradient, _information(x, weight, log_odds) + np.diag(ridge)


def _firth(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, coef: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Firth's modified score: each trial counts half more on either side, by its leverage."""
    log_odds = (x @ coef[..., None])[..., 0]
    chance = expit(log_odds)
    variance = weight * chance * (1 - chance)
    information = (x * variance[..., None]).swapaxes(1, 2) @ x
    safe, finite = _solvable(information)
    leverage = variance * ((x @ np.linalg.inv(safe)) * x).sum(-1)
    value = (weight * (y * log_odds - np.logaddexp(0, log_odds))).sum(1) + 0.5 * np.linalg.slogdet(safe)[1]
    gradient = ((weight * (y - chance) + leverage * (0.5 - chance))[:, None] @ x)[:, 0]
    return np.where(finite, value, -np.inf), gradient, information


def is_separated(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether some combination of regressors is never on the wrong side, and somewhere on the right one.

    The linear program of Konis (2007, thesis, Oxford), solved over the rows that differ.

    Parameters
    ----------
    x : float array (row, regressor)
        With a column of ones.
    y : array (row,)
        0 or 1.
    """
    from scipy.optimize import linprog

    side = np.unique(x * (2 * np.asarray(y) - 1)[:, None], axis=0)
    found = linprog(-side.sum(0), A_ub=-side, b_ub=np.zeros(len(side)), bounds=(-1, 1), method="highs")
    return bool(found.status == 0 and -found.fun > 1e-7)
