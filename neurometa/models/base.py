"""What a learning model is: named parameters, a learning rule and a softmax.

Every equation of a `Model` is elementwise arithmetic on one feature of one arm, so the same line
serves a float, a numpy array, a torch tensor, a whole grid of parameters, and a compiled
loop. A model learns by `update` and chooses by a softmax over ``weights @ features``: the
parameters named in `weights` multiply the learned features, so that the likelihood is
concave in them whatever the others are; the fitter relies on it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

Array = Any  # float, numpy array or torch tensor: only arithmetic is used below


@dataclasses.dataclass(frozen=True)
class Equations:
    """Equations that can be fitted to choices; the fields of a subclass are its parameters.

    Attributes
    ----------
    bounds : dict
        Lowest and highest value of each parameter, in the order of the fields; one whose two
        are equal is held there unless a fit is given others.
    """

    bounds: ClassVar[dict[str, tuple[float, float]]]

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Names of all parameters, in order."""
        return tuple(field.name for field in dataclasses.fields(cls))

    @classmethod
    def of(cls, fitted: Mapping[str, Any]) -> Self:
        """Return the model with its parameters taken by name, e.g. from the result of a fit."""
        return cls(*(fitted[name] for name in cls.parameters()))


@dataclasses.dataclass(frozen=True)
class Softmax(Equations):
    """Equations of a choice among arms by a softmax over what is known of each arm.

    Attributes
    ----------
    weights : tuple of str
        The parameters that multiply the features in the softmax, one per feature.
    features : tuple of str
        What is known about each arm: first what the `weights` multiply, in their order, then
        what only the learning rule uses. A ``value`` is in units of reward.
    told : tuple of str
        What a fit has to tell the model about each arm before a trial, beside choices and rewards.
    n_options : int or None
        How many arms the equations allow; None for any number.
    scanned : bool
        Whether a fit scans the rates for every local maximum, which suits up to two of them that
        are not all but interchangeable; else it climbs from many starts.
    """

    weights: ClassVar[tuple[str, ...]] = ("inverse_temperature",)
    features: ClassVar[tuple[str, ...]] = ("value",)
    told: ClassVar[tuple[str, ...]] = ()
    n_options: ClassVar[int | None] = None
    scanned: ClassVar[bool] = True

    @classmethod
    def rates(cls) -> tuple[str, ...]:
        """Names of the parameters that make the features: those that are not `weights`."""
        return tuple(name for name in cls.parameters() if name not in cls.weights)

    def logits(self, features: tuple) -> Array:
        """Policy before the softmax, (..., arm)."""
        weighed = features[: len(self.weights)]
        return sum(getattr(self, weight) * feature for weight, feature in zip(self.weights, weighed, strict=True))


@dataclasses.dataclass(frozen=True)
class Observer(Softmax):
    """A choice among arms that pay what they show, with probabilities that an ideal observer infers.

    Inference has no parameters, so that it is run once for all of them.

    Attributes
    ----------
    unshown : dict
        The parameters that mean nothing where all arms pay alike, and what they are held at there.
    """

    told: ClassVar[tuple[str, ...]] = ("prob", "magnitude")
    unshown: ClassVar[dict[str, float]] = {}

    @staticmethod
    def weigh(prob: Array, magnitude: Array, *rates: Array) -> tuple:
        """Return each feature of an arm before a trial.

        Parameters
        ----------
        prob : array
            Inferred probability that the arm pays, in [0, 1].
        magnitude : array
            What it pays then, in units of reward.
        *rates : array
            The parameters that are not `weights`, in the order of the fields.
        """
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Model(Softmax):
    """Equations of a choice among arms, each of which learns by the same rule.

    Attributes
    ----------
    start : tuple of float
        Each feature before the first trial (the same for every arm).
    rewards : tuple of float or None
        The only rewards that the equations allow; None for any.
    """

    start: ClassVar[tuple[float, ...]] = (0.5,)
    rewards: ClassVar[tuple[float, ...] | None] = None

    @staticmethod
    def learn(features: tuple, chosen: Array, reward: Array, *rates: Array) -> tuple:
        """Return each feature of an arm after a trial.

        Parameters
        ----------
        features : tuple of array
            The arm's features before the trial.
        chosen : array
            1 if this arm was chosen, else 0.
        reward : array
            Reward of the trial, in the task's units.
        *rates : array
            The parameters that are not `weights`, in the order of the fields.
        """
        raise NotImplementedError

    def begin(self, like: Array) -> tuple:
        """Features of each arm before the first trial, each shaped as `like` (..., arm)."""
        return tuple(0.0 * like + start for start in self.start)

    def expected(self, features: tuple) -> Array | None:
        """Reward expected of each arm, in the task's units; None for a model that expects none."""
        return features[self.features.index("value")] if "value" in self.features else None

    def update(self, features: tuple, chosen: Array, reward: Array) -> tuple:
        """Features after a trial; `chosen` is one-hot (..., arm), `reward` is (..., 1).

        An all-zero row of `chosen` is a missed trial, which the caller must not pass on:
        some rules learn from what was not chosen.
        """
        return self.learn(features, chosen, reward, *(getattr(self, name) for name in self.rates()))
