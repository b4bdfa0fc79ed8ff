"""Numbers under the fitter: learned features, the likelihood of choices, and its maximum over the weights.

Everything here is plain arrays. A *point* is one set of rates tried on one column of
choices; all points go through one trial together, so that numpy's vectorised exp and log
do the work (a compiled scalar loop was measured at 2.5 times the time per trial).
"""

from typing import NamedTuple

import numpy as np

from neurometa.fitting import compiled
from neurometa.fitting.choice_rule import probit
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
    first : int or int array (column,)
        The trials before this one teach but do not score.
    told : tuple of float array (arm, trial, column, member)
        What a model is told before each trial.
    stop : int array (column,) or None
        The trials from this one on are not looked at; as many score in every column.
    arms : int array (column, member) or None
        How many of the arms there are, where not all are everywhere.
    """

    choice: np.ndarray
    reward: np.ndarray
    n_options: int
    first: int | np.ndarray = 0
    told: tuple[np.ndarray, ...] = ()
    stop: np.ndarray | None = None
    arms: np.ndarray | None = None

    def take(self, columns: np.ndarray | slice) -> "Choices":
        """Only some of the columns, in any order and number."""
        return self._replace(
            choice=self.choice[:, columns],
            reward=self.reward[:, columns],
            first=self.first[columns] if isinstance(self.first, np.ndarray) else self.first,
            told=tuple(each[:, :, columns] for each in self.told),
            stop=None if self.stop is None else self.stop[columns],
            arms=None if self.arms is None else self.arms[columns],
        )

    @property
    def window(self) -> np.ndarray:
        """First and last trial + 1 that score, (2, column)."""
        n_trials, n_columns = self.choice.shape[:2]
        stop = np.full(n_columns, n_trials) if self.stop is None else self.stop
        return np.stack([np.broadcast_to(self.first, stop.shape), stop])

    @property
    def scores(self) -> np.ndarray:
        """Which choices score, bool (trial, column, member)."""
        first, stop = self.window[..., None]
        trial = np.arange(len(self.choice))[:, None, None]
        return (self.choice >= 0) & (trial >= first) & (trial < stop)

    @property
    def n_scored(self) -> np.ndarray:
        """Number of choices that score, per column."""
        return self.scores.sum((0, 2))

    @property
    def chance(self) -> np.ndarray:
        """Log-likelihood of choices at random among the arms that are there, in nats (column,)."""
        arms = self.n_options if self.arms is None else self.arms
        return -(self.scores.sum(0) * np.log(arms)).sum(-1)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """What a compiled loop reads: choices, rewards (column, member, trial), what is told, arms, and the window."""
        choice, reward = (np.moveaxis(each, 0, -1) for each in (self.choice, self.reward))
        told = [np.moveaxis(each, 1, -1) for each in self.told]
        arms = np.full(choice.shape[:2], self.n_options) if self.arms is None else self.arms
        return (
            np.ascontiguousarray(choice, dtype=np.int64),
            np.ascontiguousarray(reward, dtype=float),
            np.ascontiguousarray(told, dtype=float) if told else np.zeros((0, 1, 1, 1, 1)),
            *(np.ascontiguousarray(each, dtype=np.int64) for each in (arms, *self.window)),
        )

    @property
    def n_rows(self) -> int:
        """Number of trials of a column that may score."""
        first, stop = self.window
        return int((stop - first)[:1].sum()) * self.choice.shape[2]

    def n_elements(self, model: type[Softmax]) -> int:
        """Size of the `Gaps` at one point."""
        return self.n_rows * (self.n_options - 1) * len(model.weights)


class Gaps(NamedTuple):
    """What the choice rule sees at given rates.

    For a softmax the log-likelihood is ``w @ chosen - sum(log(1 + sum(exp(w @ gap))))``, for a probit
    ``sum(log(Phi(w @ gap)))``.

    Attributes
    ----------
    gap : float array (feature, other, trial, point, member)
        Each weighed feature of arms 1, 2, ... minus that of arm 0, before each trial that may
        score; 0 where it does not. For a probit that of the chosen arm minus that of the other one.
    chosen : float array (feature, point)
        The gaps of the chosen arms, summed; not for a probit.
    empty : float array (point,)
        What the trials that may score but do not add to that sum of logarithms, in nats.
    absent : float array (other, 1, point, member) or None
        Minus infinity for arms that are not there, else 0.
    probit : bool
        Whether the choice rule is a probit.
    """

    gap: np.ndarray
    chosen: np.ndarray
    empty: np.ndarray
    absent: np.ndarray | None = None
    probit: bool = False

    def take(self, points: np.ndarray) -> "Gaps":
        """Only some of the points."""
        absent = None if self.absent is None else self.absent[:, :, points]
        return Gaps(self.gap[:, :, :, points], self.chosen[:, points], self.empty[points], absent, self.probit)


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
    first, stop = choices.window
    gap = np.zeros(
        (
            len(model.weights),
            choices.n_rows // choices.choice.shape[2],
            choices.n_options - 1,
            *_points(choices, n_tries),
        )
    )
    filled = _filled(model, choices, rates[..., 0], gap)
    for start in () if filled else np.unique(first):  # a window is a block of columns
        columns = np.flatnonzero(first == start)
        few = slice(columns[0], columns[-1] + 1)
        here = choices.take(few)._replace(first=int(start), stop=None)
        here = here._replace(choice=here.choice[: stop[few][0]])
        fill = _learned if issubclass(model, Model) else _weighed
        fill(model, here, rates[:, :, few], gap[..., few, :])
    arms = np.arange(1, choices.n_options).reshape(-1, 1, 1)
    scored = choices.choice if choices.stop is None else _windowed(choices)
    chosen = (scored[choices.first if choices.stop is None else 0 :, None] == arms).astype(float)
    is_probit = model.choice_rule == "probit"
    if is_probit:
        gap *= 2 * chosen[:, :, None] - 1
    total = np.einsum("ktjscm,tjcm->ksc", gap, chosen)
    points = gap.reshape(*gap.shape[:3], -1, gap.shape[-1]).swapaxes(1, 2)
    return Gaps(
        points, total.reshape(len(gap), -1), np.tile(_empty(choices), n_tries), _absent(choices, n_tries), is_probit
    )


def _filled(model: type[Softmax], choices: Choices, rates: np.ndarray, gap: np.ndarray) -> bool:
    """Fill in the gaps of few columns of many trials by a compiled loop, if there can be one."""
    n_tries, n_columns = rates.shape[1:]
    quick = not issubclass(model, Model) or compiled.quick(model, choices.choice)
    n_trials, _, n_members = choices.choice.shape
    n_points, held = n_tries * n_columns * n_members, (False,) * len(rates)
    loop = None if quick else compiled.loop_of(model, held, n_trials, n_points, fills=True)
    if loop is None:
        return False
    parameters = np.ascontiguousarray(rates.reshape(len(rates), -1))
    begin = loop.begin(model, parameters, choices.n_options)
    points = gap.reshape(*gap.shape[:3], n_tries * n_columns, gap.shape[-1])
    loop.run(*choices.arrays(), np.tile(np.arange(n_columns), n_tries), begin, parameters, points)
    return True


def _points(choices: Choices, n_tries: int) -> tuple[int, int, int]:
    return n_tries, choices.choice.shape[1], choices.choice.shape[2]


def _windowed(choices: Choices) -> np.ndarray:
    """The choices of each column's own window (trial, column, member)."""
    first, stop = choices.window
    rows = np.arange((stop - first)[:1].sum())[:, None] + first
    return choices.choice[rows, np.arange(len(first))]


def _empty(choices: Choices) -> np.ndarray:
    """What trials of the window that do not score add to the sum of logarithms (column,)."""
    if choices.arms is None:
        return (choices.n_rows - choices.n_scored) * np.log(choices.n_options)
    n_empty = choices.n_rows // choices.choice.shape[2] - choices.scores.sum(0)
    return (n_empty * np.log(choices.arms)).sum(-1)


def _absent(choices: Choices, n_tries: int) -> np.ndarray | None:
    """Minus infinity for the arms that are not there (other, 1, point, member)."""
    if choices.arms is None:
        return None
    arm = np.arange(1, choices.n_options)[:, None, None]
    return np.tile(np.where(arm < choices.arms, 0.0, -np.inf), (1, n_tries, 1))[:, None]


def _weighed(model: type[Softmax], choices: Choices, rates: np.ndarray, gap: np.ndarray) -> None:
    """Fill in the gaps (feature, trial, other, try, column, member) of an observer, which was told all it knows."""
    assert issubclass(model, Observer)
    told = (each[:, choices.first : len(choices.choice), None] for each in choices.told)
    features = np.stack(model.weigh(*told, *rates))  # (feature, arm, trial, try, column, member)
    gap[:] = (features[:, 1:] - features[:, :1]).swapaxes(1, 2) * (choices.choice[choices.first :, None, None] >= 0)


def _learned(model: type[Softmax], choices: Choices, rates: np.ndarray, gap: np.ndarray) -> None:
    """Fill in the gaps (feature, trial, other, try, column, member) of a model that learns, trial by trial."""
    assert issubclass(model, Model)
    n_tries = rates.shape[1]
    arms, played = np.arange(choices.n_options).reshape(-1, 1, 1), choices.choice >= 0
    chosen, complete = (choices.choice[:, None] == arms).astype(float), np.all(played, axis=(1, 2))
    shape = (choices.n_options, *_points(choices, n_tries))
    features = tuple(np.broadcast_to(each, shape) for each in model.first(arms[..., None], *rates))
    for trial in range(len(choices.choice)):
        if trial >= choices.first:
            now = gap[:, trial - choices.first]
            told = (each[:, trial, None] for each in choices.told)
            for k, seen in enumerate(model.weighed(features, *told)[: len(gap)]):
                np.subtract(seen[1:], seen[0], out=now[k])
            if not complete[trial]:
                now *= played[trial]
        learned = model.learn(features, chosen[trial, :, None], choices.reward[trial], *rates)
        if not complete[trial]:
            learned = tuple(np.where(played[trial], new, old) for new, old in zip(learned, features, strict=True))
        features = learned


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
    if seen.probit:
        return _probit_score(seen, weights)
    n_features, n_others, n_trials, n_points, n_members = seen.gap.shape
    value = (weights * seen.chosen).sum(0) + seen.empty
    gradient, information = seen.chosen.copy(), np.zeros((n_features, n_features, n_points))
    height = max(1, BLOCK // (n_others * n_points * n_members))
    for start in range(0, n_trials, height):
        gap = seen.gap[:, :, start : start + height]
        prob = gap[0] * weights[0, :, None]  # logits, until it is overwritten
        for k in range(1, n_features):
            prob += gap[k] * weights[k, :, None]
        if seen.absent is not None:
            prob += seen.absent
        shift = np.maximum(prob.max(0) - OVERFLOW, 0.0) if prob.max() > OVERFLOW else 0.0
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


def _probit_score(seen: Gaps, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `score`, for a probit."""
    gap = seen.gap[:, 0]  # (feature, trial, point, member): there are two arms
    value, slope, bend = probit(np.einsum("kp,ktpm->tpm", weights, gap))
    gradient = np.einsum("tpm,ktpm->kp", slope, gap)
    information = np.array([np.einsum("tpm,ktpm->kp", bend * each, gap) for each in gap])
    return value.sum((0, -1)) + seen.empty, gradient, information


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
    left = np.ones(len(points), bool)
    value, gradient, information = score(seen, weights)
    while True:
        step = np.clip(weights + scale * newton(weights, gradient, information, lower, upper), lower, upper) - weights
        gain = (gradient * step).sum(0) - 0.5 * np.einsum("kp,kmp,mp->p", step, information, step)
        done = left & (gain <= tolerance)  # who has arrived stays there, however long others take
        best[:, points[done]], top[points[done]] = weights[:, done] + step[:, done], value[done] + gain[done]
        left = left & ~done
        if not left.any():
            return best, top
        if left.mean() < 0.75:
            keep = left
            points, scale, seen, left = points[keep], scale[keep], seen.take(keep), left[keep]
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
