"""The log-likelihood with its exact first and second derivatives by every parameter, in one pass through the trials."""

import copy
from typing import Any

import numpy as np

from neurometa.fitting import compiled
from neurometa.fitting.jets import Jet
from neurometa.fitting.likelihood import OVERFLOW, Choices
from neurometa.models import Model, Softmax

WIDTH = 4096  # points times members that go through a trial together: what they need stays in the cache


class Surface:
    """The log-likelihood of every column of choices as a function of the parameters.

    A loop that numba compiles answers if there is one already or if it pays; arrays do otherwise. The two agree to
    rounding.

    Parameters
    ----------
    model : Model or Observer class
        Whose equations.
    choices : Choices
        What was chosen and earned.
    free : bool array (rate,)
        Which rates to take derivatives by; those by the others are 0.
    """

    def __init__(self, model: type[Softmax], choices: Choices, free: np.ndarray) -> None:
        self.choices, self.free = choices, free
        self.model: Any = model  # has `learn` or `weigh`, as its kind asks
        self.columns: np.ndarray | None = None
        self.quick = compiled.quick(model, choices.choice)
        self.arrays: tuple[np.ndarray, ...] = ()
        self.loop: compiled.Loop | None = None

    def of(self, columns: np.ndarray) -> "Surface":
        """The surface of columns that are some of these, in any order and number."""
        other = copy.copy(self)
        other.columns = columns if self.columns is None else self.columns[columns]
        return other

    def at(self, parameters: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-likelihood, gradient and Hessian at some points.

        Parameters
        ----------
        parameters : float array (parameter, point)
            The rates and then the weights.
        column : int array (point,)
            Whose choices each point is to explain.

        Returns
        -------
        value : float array (point,)
            In nats.
        gradient : float array (parameter, point)
            By the parameters.
        hessian : float array (parameter, parameter, point)
            By pairs of them.
        """
        column = column if self.columns is None else self.columns[column]
        n, n_points = parameters.shape
        value, gradient, hessian = np.zeros(n_points), np.zeros((n, n_points)), np.zeros((n, n, n_points))
        n_trials, _, n_members = self.choices.choice.shape
        if self.loop is None and not self.quick:
            self.loop = compiled.loop_of(self.model, self.free.tolist(), n_trials, n_points * n_members)
            self.arrays = () if self.loop is None else self.choices.arrays()
        if self.loop is not None:
            begin = self.loop.begin(self.model, parameters, self.choices.n_options)
            column = np.ascontiguousarray(column, dtype=np.int64)
            self.loop.run(*self.arrays, column, begin, np.ascontiguousarray(parameters), value, gradient, hessian)
            return value, gradient, hessian
        width = max(1, WIDTH // max(1, self.choices.choice.shape[2]))
        for first in range(0, n_points, width):
            part = slice(first, first + width)
            found = _derivatives(self.model, self.choices.take(column[part]), parameters[:, part], self.free)
            value[part], gradient[:, part], hessian[..., part] = found
        return value, gradient, hessian


def _derivatives(model: Any, choices: Choices, parameters: np.ndarray, free: np.ndarray) -> tuple:
    """As `Surface.at`, one column for each point, all at once."""
    n_rates, at = len(model.rates()), parameters[..., None]  # of all members
    rates = tuple(Jet.parameter(each, k) if free[k] else each for k, each in enumerate(at[:n_rates]))
    total = _Total(at[n_rates:], n_rates, choices)
    arms = np.arange(choices.n_options).reshape(-1, 1, 1)
    shape, learns = (choices.n_options, *choices.choice.shape[1:]), issubclass(model, Model)
    features = tuple(_spread(each, shape) for each in model.first(arms, *rates)) if learns else ()
    scores = choices.scores
    for trial in range(int(choices.window[1].max(initial=0))):
        told, choice = tuple(each[:, trial] for each in choices.told), choices.choice[trial]
        chosen, played = (choice == arms).astype(float), choice >= 0
        if scores[trial].any():
            seen = model.weighed(features, *told) if learns else model.weigh(*told, *rates)
            total.add(seen, chosen, scores[trial])
        if learns:
            learned = model.learn(features, chosen, choices.reward[trial], *rates)
            features = learned if played.all() else tuple(map(_kept, learned, features, [played] * len(features)))
    return total.summed()


class _Total:
    """Log-likelihood and derivatives, added up over trials, of every point and member."""

    def __init__(self, weights: np.ndarray, n_rates: int, choices: Choices) -> None:
        self.weights, self.n_rates = weights, n_rates
        self.n = n_rates + len(weights)
        self.value = np.zeros(choices.choice.shape[1:])
        self.gradient: dict[int, np.ndarray] = {}
        self.hessian: dict[tuple[int, int], np.ndarray] = {}
        arm = np.arange(1, choices.n_options).reshape(-1, 1, 1)
        self.absent = None if choices.arms is None else np.where(arm < choices.arms, 0.0, -np.inf)

    def add(self, seen: tuple, chosen: np.ndarray, scores: np.ndarray) -> None:
        """Add a trial: what is seen of each arm (jets or arrays), which was chosen, and where that scores."""
        gap = [each[1:] - each[0] for each in seen[: len(self.weights)]]
        gap = [each if isinstance(each, Jet) else Jet(each) for each in gap]
        logit = sum(weight * each.value for weight, each in zip(self.weights, gap, strict=True))
        made = chosen[1:]
        reached = _over(made * logit)
        logit = logit if self.absent is None else logit + self.absent
        highest = logit[0] if len(logit) == 1 else logit.max(0)
        shift = np.maximum(highest - OVERFLOW, 0.0) if highest.max() > OVERFLOW else 0.0
        prob = np.exp(logit - shift if np.ndim(shift) else logit)
        whole = _over(prob) + (np.exp(-shift) if np.ndim(shift) else 1.0)
        prob /= whole
        reached, away = reached - np.log(whole) - shift, made - prob
        if not scores.all():
            counts = scores.astype(float)
            reached, away, prob = reached * counts, away * counts, prob * counts
        self.value += reached
        self._add_derivatives(gap, away, prob)

    def _add_derivatives(self, gap: list[Jet], away: np.ndarray, prob: np.ndarray) -> None:
        """Add a trial, given by how much each arm beyond the first was chosen more than expected, and expected."""
        moved = {self.n_rates + k: each.value for k, each in enumerate(gap)}
        second = {}
        for k, (weight, each) in enumerate(zip(self.weights, gap, strict=True)):
            for i, slope in each.slope.items():
                moved[i] = moved[i] + weight * slope if i in moved else weight * slope
                second[i, self.n_rates + k] = slope
            for pair, bend in each.bend.items():
                second[pair] = second[pair] + weight * bend if pair in second else weight * bend
        one, spread = len(prob) == 1, {}
        variance = prob * (1 - prob) if one else prob
        for i, each in moved.items():
            _gather(self.gradient, i, _over(away * each))
            spread[i] = variance * each
        mean = {} if one else {i: each.sum(0) for i, each in spread.items()}
        order = sorted(moved)
        for a, i in enumerate(order):
            for j in order[a:]:
                both = -_over(spread[i] * moved[j]) if one else mean[i] * mean[j] - (spread[i] * moved[j]).sum(0)
                if (i, j) in second:
                    both += _over(away * second[i, j])
                _gather(self.hessian, (i, j), both)

    def summed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Value (point,), gradient (parameter, point) and Hessian (parameter, parameter, point), over members."""
        gradient, hessian = np.zeros((self.n, len(self.value))), np.zeros((self.n, self.n, len(self.value)))
        for i, each in self.gradient.items():
            gradient[i] = each.sum(-1)
        for (i, j), each in self.hessian.items():
            hessian[i, j] = hessian[j, i] = each.sum(-1)
        return self.value.sum(-1), gradient, hessian


def _over(x: np.ndarray) -> np.ndarray:
    """The sum over arms beyond the first."""
    return x[0] if len(x) == 1 else x.sum(0)


def _gather(parts: dict, key: object, more: np.ndarray) -> None:
    """Add to a total, in place where there is one."""
    if key in parts:
        parts[key] += more
    else:
        parts[key] = more.copy()


def _spread(first: object, shape: tuple[int, ...]) -> object:
    """What every arm, point and member begins with."""
    if isinstance(first, Jet):
        return Jet(np.broadcast_to(first.value, shape), first.slope, first.bend)
    return np.broadcast_to(np.asarray(first, float), shape)


def _kept(new: Any, old: Any, played: np.ndarray) -> Any:
    """What was learned where a trial was played, else what was known."""
    if not isinstance(new, Jet):
        return np.where(played, new, old)
    old = old if isinstance(old, Jet) else Jet(old)
    slope = {i: np.where(played, new.slope.get(i, 0.0), old.slope.get(i, 0.0)) for i in new.slope | old.slope}
    bend = {ij: np.where(played, new.bend.get(ij, 0.0), old.bend.get(ij, 0.0)) for ij in new.bend | old.bend}
    return Jet(np.where(played, new.value, old.value), slope, bend)
