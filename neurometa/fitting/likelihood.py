"""Numbers under the fitter: learned features, the softmax likelihood, and its maximum over the weights.

Everything here is plain arrays. A *point* is one set of rates tried on one column of
choices; all points go through one trial together, so that numpy's vectorised exp and log
do the work (a compiled scalar loop was measured at 2.5 times the time per trial).
"""

from typing import NamedTuple

import numpy as np

from neurometa.models import Model, Observer, Softmax

BLOCK = 1 << 15  # elements of a temporary array; a few of them fit the cache of one core
OVERFLOW = 700.0  # exp is finite below


class Choices(NamedTuple):
    """Choices to be explained; each column is one likelihood, summed over its members.

    Attributes
    ----------
    choice : int array (trial, column, member)
        -1 where nothing was chosen: such a trial neither scores nor teaches.
    reward : float array (trial, column, member)
        Finite everywhere.
    n_options : int
        Number of arms.
    first : int
        The trials before this one teach but do not score.
    told : tuple of float array (arm, trial, column, member)
        What an `Observer` is told before each trial.
    """

    choice: np.ndarray
    reward: np.ndarray
    n_options: int
    first: int = 0
    told: tuple[np.ndarray, ...] = ()

    def take(self, columns: np.ndarray | slice) -> "Choices":
        """Only some of the columns, in any order and number."""
        told = tuple(each[:, :, columns] for each in self.told)
        return self._replace(choice=self.choice[:, columns], reward=self.reward[:, columns], told=told)

    @property
    def n_scored(self) -> np.ndarray:
        """Number of choices that score, per column."""
        return (self.choice[self.first :] >= 0).sum((0, 2))

    @property
    def n_rows(self) -> int:
        """Number of trials of a column that may score."""
        return (len(self.choice) - self.first) * self.choice.shape[2]

    def n_elements(self, model: type[Softmax]) -> int:
        """Size of the `Gaps` at one point."""
        return self.n_rows * (self.n_options - 1) * len(model.weights)


class Gaps(NamedTuple):
    """What the softmax sees at given rates: the log-likelihood is ``w @ chosen - sum(log(1 + sum(exp(w @ gap))))``.

    Attributes
    ----------
    gap : float array (feature, other, trial, point, member)
        Each weighed feature of arms 1, 2, ... minus that of arm 0, before each trial that may
        score; 0 where it does not.
    chosen : float array (feature, point)
        The gaps of the chosen arms, summed.
    n_empty : int array (point,)
        How many of the trials that may score do not.
    """

    gap: np.ndarray
    chosen: np.ndarray
    n_empty: np.ndarray

    def take(self, points: np.ndarray) -> "Gaps":
        """Only some of the points."""
        return Gaps(self.gap[:, :, :, points], self.chosen[:, points], self.n_empty[points])


def gaps(model: type[Softmax], choices: Choices, rates: np.ndarray) -> Gaps:
    """Learn from every trial, or weigh what the model is told, at several points per column.

    Parameters
    ----------
    model : Model or Observer class
        Gives `learn` and the features before the first trial, or `weigh`.
    choices : Choices
        What was chosen and earned.
    rates : float array (rate, try, column)
        The parameters that are not weights.

    Returns
    -------
    Gaps
        Its points are (try, column), flattened.
    """
    n_tries, rates = rates.shape[1], rates[..., None]  # of all members
    gap = _learned(model, choices, rates) if issubclass(model, Model) else _weighed(model, choices, rates)
    arms = np.arange(1, choices.n_options).reshape(-1, 1, 1)
    chosen = (choices.choice[choices.first :, None] == arms).astype(float)
    total = np.einsum("ktjscm,tjcm->ksc", gap, chosen)
    points = gap.reshape(*gap.shape[:3], -1, gap.shape[-1]).swapaxes(1, 2)
    n_empty = np.tile(choices.n_rows - choices.n_scored, n_tries)
    return Gaps(points, total.reshape(len(gap), -1), n_empty)


def _weighed(model: type[Softmax], choices: Choices, rates: np.ndarray) -> np.ndarray:
    """Gaps (feature, trial, other, try, column, member) of an observer, which was told all that it knows."""
    assert issubclass(model, Observer)
    told = (each[:, choices.first :, None] for each in choices.told)
    features = np.stack(model.weigh(*told, *rates))  # (feature, arm, trial, try, column, member)
    return (features[:, 1:] - features[:, :1]).swapaxes(1, 2) * (choices.choice[choices.first :, None, None] >= 0)


def _learned(model: type[Model], choices: Choices, rates: np.ndarray) -> np.ndarray:
    """Gaps (feature, trial, other, try, column, member) of a model that learns, trial by trial."""
    n_trials, n_columns, n_members = choices.choice.shape
    n_tries = rates.shape[1]
    arms, played = np.arange(choices.n_options).reshape(-1, 1, 1), choices.choice >= 0
    chosen, complete = (choices.choice[:, None] == arms).astype(float), np.all(played, axis=(1, 2))
    shape = (choices.n_options, n_tries, n_columns, n_members)
    features = tuple(np.broadcast_to(first, shape) for first in model.first(arms[..., None], *rates))
    n_weighed = len(model.weights)  # the features after these only teach
    gap = np.empty((n_weighed, n_trials - choices.first, choices.n_options - 1, n_tries, n_columns, n_members))
    for trial in range(n_trials):
        if trial >= choices.first:
            now = gap[:, trial - choices.first]
            for k, feature in enumerate(features[:n_weighed]):
                np.subtract(feature[1:], feature[0], out=now[k])
            if not complete[trial]:
                now *= played[trial]
        learned = model.learn(features, chosen[trial, :, None], choices.reward[trial], *rates)
        if not complete[trial]:
            learned = tuple(np.where(played[trial], new, old) for new, old in zip(learned, features, strict=True))
        features = learned
    return gap


def score(seen: Gaps, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-likelihood at given weights, its gradient and its information (minus the Hessian).

    Parameters
    ----------
    seen : Gaps
        What the softmax sees.
    weights : float array (feature, point)
        What it multiplies the features by.

    Returns
    -------
    value : float array (point,)
        Log-likelihood, in nats.
    gradient : float array (feature, point)
        By the weights.
    information : float array (feature, feature, point)
        Positive semidefinite: the log-likelihood is concave in the weights.
    """
    n_features, n_others, n_trials, n_points, n_members = seen.gap.shape
    value = (weights * seen.chosen).sum(0) + seen.n_empty * np.log(n_others + 1)
    gradient, information = seen.chosen.copy(), np.zeros((n_features, n_features, n_points))
    height = max(1, BLOCK // (n_others * n_points * n_members))
    for start in range(0, n_trials, height):
        gap = seen.gap[:, :, start : start + height]
        prob = gap[0] * weights[0, :, None]  # logits, until it is overwritten
        for k in range(1, n_features):
            prob += gap[k] * weights[k, :, None]
        shift = np.maximum(prob.max(0), 0.0) if prob.max() > OVERFLOW else 0.0
        np.exp(prob - shift if np.ndim(shift) else prob, out=prob)
        total = prob.sum(0) + np.exp(-shift)
        prob /= total
        value -= (np.log(total, out=total) + shift).sum((0, -1))
        weighted = [prob * gap[k] for k in range(n_features)]
        mean = [each.sum(0) for each in weighted]
        for k in range(n_features):
            gradient[k] -= mean[k].sum((0, -1))
            for m in range(k + 1):
                second = np.einsum("jtpm,jtpm->p", weighted[k], gap[m]) - np.einsum("tpm,tpm->p", mean[k], mean[m])
                information[k, m] += second
                if m < k:
                    information[m, k] += second
    return value, gradient, information


def climb(
    seen: Gaps, weights: np.ndarray, lower: np.ndarray, upper: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Maximise over the weights within their bounds, by Newton steps that are halved until they climb.

    The log-likelihood is concave in the weights, so that the maximum found is the only one.

    Parameters
    ----------
    seen : Gaps
        What the softmax sees.
    weights, lower, upper : float array (feature, point)
        Where to begin, and the bounds.
    tolerance : float
        Stop where the next step promises fewer nats.

    Returns
    -------
    weights : float array (feature, point)
        At the maximum.
    value : float array (point,)
        Log-likelihood there, in nats; below the truth by less than `tolerance`.
    """
    best, top = weights.copy(), np.empty(weights.shape[1])
    points, scale = np.arange(weights.shape[1]), np.ones(weights.shape[1])
    value, gradient, information = score(seen, weights)
    while True:
        step = np.clip(weights + scale * newton(weights, gradient, information, lower, upper), lower, upper) - weights
        gain = (gradient * step).sum(0) - 0.5 * np.einsum("kp,kmp,mp->p", step, information, step)
        done = gain <= tolerance
        best[:, points[done]], top[points[done]] = weights[:, done] + step[:, done], value[done] + gain[done]
        if done.all():
            return best, top
        if done.mean() > 0.25:
            keep = ~done
            points, scale, seen = points[keep], scale[keep], seen.take(keep)
            weights, lower, upper, step = weights[:, keep], lower[:, keep], upper[:, keep], step[:, keep]
            value, gradient, information = value[keep], gradient[:, keep], information[..., keep]
        new_value, new_gradient, new_information = score(seen, weights + step)
        up = new_value >= value
        weights = np.where(up, weights + step, weights)
        value, gradient = np.where(up, new_value, value), np.where(up, new_gradient, gradient)
        information = np.where(up, new_information, information)
        scale = np.where(up, 1.0, scale / 2)


def newton(
    weights: np.ndarray, gradient: np.ndarray, information: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> np.ndarray:
    """Newton's step from `weights` (feature, point), for the weights that no bound holds back."""
    held = ((weights <= lower) & (gradient < 0)) | ((weights >= upper) & (gradient > 0))
    free = np.where(held, 0.0, gradient)
    ridge = 1e-12 * np.einsum("kkp->p", information) + 1e-12
    if len(weights) == 1:
        return free / (information[0] + ridge)
    n = len(weights)
    matrix = np.where(held[:, None] | held, 0.0, information)
    matrix[range(n), range(n)] += np.where(held, 1.0, ridge)
    return np.linalg.solve(matrix.transpose(2, 0, 1), free.T[..., None])[..., 0].T
