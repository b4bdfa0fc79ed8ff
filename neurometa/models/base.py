"""What a learning model is: named parameters, a learning rule and a choice rule.

Every equation of a `Model` is elementwise arithmetic on one feature of one arm, so the same line
serves a float, a numpy array, a torch tensor, a whole grid of parameters, and a compiled
loop. A model learns by `update` and chooses by a softmax (or probit) over ``weights @ features``: the
parameters named in `weights` multiply the learned features, so that the likelihood is
concave in them whatever the others are; the fitter relies on it.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np

from neurometa.errors import InputError

Array = Any  # float, numpy array or torch tensor: only arithmetic is used below
FITTED = "fitted"  # of a start that is a parameter


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
    choice_rule : {"softmax", "probit"}
        How the weighed features make a choice. A probit, of two arms, is the normal distribution
        function of their difference; a fit with it climbs from many starts.
    """

    weights: ClassVar[tuple[str, ...]] = ("inverse_temperature",)
    features: ClassVar[tuple[str, ...]] = ("value",)
    told: ClassVar[tuple[str, ...]] = ()
    n_options: ClassVar[int | None] = None
    scanned: ClassVar[bool] = True
    choice_rule: ClassVar[Literal["softmax", "probit"]] = "softmax"

    @classmethod
    def rates(cls) -> tuple[str, ...]:
        """Names of the parameters that make the features: those that are not `weights`."""
        return tuple(name for name in cls.parameters() if name not in cls.weights)

    @staticmethod
    def weighed(features: tuple, *told: Array) -> tuple:
        """Return what the `weights` multiply, of an arm before a trial, from its features and what is `told`."""
        return features

    def logits(self, features: tuple) -> Array:
        """Policy before the choice rule, (..., arm)."""
        weighed = self.weighed(features)[: len(self.weights)]
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
    start : tuple
        Each feature before the first trial: a number for all arms, or a tuple of one per arm.
        `starting` gives the model with another.
    rewards : tuple of float or None
        The only rewards that the equations allow; None for any.
    mirrored : bool
        Whether the first feature of arm 1 is always 1 minus that of arm 0, so that `starting` means arm 0.
    initial : str or None
        The parameter at which the first feature begins, if it is one.
    stated : bool
        Whether somebody said where it begins, by `starting`.
    """

    start: ClassVar[tuple[Any, ...]] = (0.5,)
    rewards: ClassVar[tuple[float, ...] | None] = None
    mirrored: ClassVar[bool] = False
    initial: ClassVar[str | None] = None
    stated: ClassVar[bool] = False

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

    @classmethod
    def starting(cls, start: Any) -> type[Self]:
        """Return the model whose first feature (the value, where there is one) begins elsewhere.

        Parameters
        ----------
        start : float, sequence of float, or "fitted"
            For all arms, or one for each; or a parameter of its own, ``initial_<feature>``, the same
            for all arms and, unless a fit is given other bounds, in [0, 1].

        Raises
        ------
        InputError
            It is none of these.

        Examples
        --------
        >>> from neurometa.models import RescorlaWagner
        >>> RescorlaWagner.starting((0.15, 0.85)).start
        ((0.15, 0.85),)
        >>> RescorlaWagner.starting("fitted").parameters()
        ('learning_rate', 'inverse_temperature', 'initial_value')
        """
        if isinstance(start, str) and start == FITTED:
            return cls if cls.initial else cast(type[Self], _start_fitted(cast(Any, cls)))
        try:
            first = tuple(map(float, start)) if np.ndim(start) else float(start)
        except (TypeError, ValueError):
            first = ()
        if not np.size(first) or not np.isfinite(first).all():
            raise InputError(f"start is {start!r}; give a finite number, one for each arm, or {FITTED!r}.")
        if cls.mirrored:
            first = first if isinstance(first, tuple) else (first, 1 - first)
            if len(first) != 2 or abs(sum(first) - 1) > 1e-9:
                raise InputError(f"start is {start!r}; the two arms of {cls.__name__} must sum to 1.")
        return cast(type[Self], _start_at(cls.__mro__[1] if cls.initial else cls, first))

    @classmethod
    def first(cls, arm: Array, *rates: Array) -> tuple:
        """Each feature of the arms of these indices before the first trial, at given rates."""
        first = _of_arm(cls.start[0], arm)
        return (first, *cls.rest(first, arm, *rates))

    @classmethod
    def rest(cls, first: Array, arm: Array, *rates: Array) -> tuple:
        """Every other feature of the arms before the first trial, beside a first one of that value."""
        return tuple(_of_arm(each, arm) for each in cls.start[1:])

    @classmethod
    def of(cls, fitted: Mapping[str, Any]) -> Self:
        """Return the model with its parameters, and where it starts, taken from the result of a fit."""
        told = getattr(fitted, "attrs", {}).get("start")
        kind = cls if told is None else cls.starting(read_start(told, len(cls.start)))
        return kind(*(fitted[name] for name in kind.parameters()))

    @classmethod
    def written_start(cls) -> str | list[float]:
        """`start` as an attribute of a file: "fitted", or the numbers of one feature after the other."""
        if cls.initial:
            return FITTED
        return [float(x) for each in cls.start for x in (each if isinstance(each, tuple) else (each,))]

    def begin(self, like: Array) -> tuple:
        """Features of each arm before the first trial, each shaped as `like` (..., arm)."""
        arm = (0.0 * like + 1.0).cumsum(-1) - 1.0
        first = self.first(arm, *(getattr(self, name) for name in self.rates()))
        return tuple(0.0 * like + start for start in first)

    def latents(self, features: tuple) -> dict[str, Array]:
        """What the model holds in mind before a trial, by name: features, (..., arm), or without that axis."""
        return dict(zip(self.features, features, strict=True))

    def expected(self, features: tuple) -> Array | None:
        """Reward expected of each arm, in the task's units; None for a model that expects none."""
        return features[self.features.index("value")] if "value" in self.features else None

    def update(self, features: tuple, chosen: Array, reward: Array) -> tuple:
        """Features after a trial; `chosen` is one-hot (..., arm), `reward` is (..., 1).

        An all-zero row of `chosen` is a missed trial, which the caller must not pass on:
        some rules learn from what was not chosen.
        """
        return self.learn(features, chosen, reward, *(getattr(self, name) for name in self.rates()))


def check_model(model: type[Model]) -> type[Model]:
    """Return a model of one's own if its parts fit together.

    Raises
    ------
    InputError
        They do not; says which, and what to write.
    """
    name, parameters = model.__name__, model.parameters()
    if not parameters or "__dataclass_params__" not in vars(model):
        raise InputError(f"{name} has no parameters; write @dataclasses.dataclass(frozen=True) above it, and fields.")
    bounds = getattr(model, "bounds", {})
    if tuple(bounds) != parameters:
        raise InputError(
            f"bounds of {name} names {', '.join(bounds) or 'nothing'}; name {', '.join(parameters)}, in order."
        )
    if absent := [each for each in model.weights if each not in parameters]:
        raise InputError(
            f"weights of {name} names {absent[0]!r}, which is no parameter; it has {', '.join(parameters)}."
        )
    if not len(model.start) == len(model.features) >= len(model.weights):
        raise InputError(
            f"{name} has {len(model.features)} features, {len(model.start)} starts and {len(model.weights)} weights; "
            "give a start for each feature, and a feature for each weight."
        )
    if model.choice_rule not in ("softmax", "probit") or (model.choice_rule == "probit" and model.n_options != 2):
        raise InputError(
            f"choice_rule of {name} is {model.choice_rule!r}; write 'softmax', or 'probit' and n_options = 2."
        )
    middle = {each: (low + high) / 2 for each, (low, high) in bounds.items()}
    features = tuple(np.full((2, 1), np.ravel(each)[0], float) for each in model.start)
    try:
        learned = model.learn(
            features, np.array([[1.0], [0.0]]), np.ones((2, 1)), *(middle[each] for each in model.rates())
        )
    except Exception as error:
        raise InputError(f"learn of {name} fails: {type(error).__name__}: {error}.") from error
    if not isinstance(learned, tuple) or len(learned) != len(features):
        n = len(learned) if isinstance(learned, tuple) else "no tuple"
        raise InputError(f"learn of {name} returns {n}; return a tuple of its {len(features)} features.")
    if any(np.shape(each) not in ((2, 1), ()) or not np.isfinite(each).all() for each in learned):
        raise InputError(
            f"learn of {name} returns something else than a finite number for every arm; use arithmetic alone."
        )
    return model


def read_start(told: Any, n_features: int) -> Any:
    """What `Model.starting` takes, from what `Model.written_start` wrote."""
    if isinstance(told, str):
        return told
    numbers = [float(x) for x in told] if hasattr(told, "__len__") else [float(told)]
    n_first = len(numbers) - n_features + 1
    return numbers[0] if n_first == 1 else tuple(numbers[:n_first])


@functools.cache
def _start_at(plain: type[Model], first: Any) -> type[Model]:
    """Return `plain` with another start of its first feature."""
    return type(plain.__name__, (plain,), _same_names(plain) | {"start": (first, *plain.start[1:]), "stated": True})


@functools.cache
def _start_fitted(plain: type[Model]) -> type[Model]:
    """Return `plain` with one more parameter, its first feature before the first trial."""
    name = f"initial_{plain.features[0]}"

    def learn(features: tuple, chosen: Array, reward: Array, *rates: Array) -> tuple:
        return plain.learn(features, chosen, reward, *rates[:-1])

    def first(cls: type[Model], arm: Array, *rates: Array) -> tuple:
        start = rates[-1] + (1 - 2 * rates[-1]) * (arm == 1) if plain.mirrored else rates[-1]
        return (start, *plain.rest(start, arm, *rates[:-1]))

    own = {"bounds": {**plain.bounds, name: (0.0, 1.0)}, "initial": name, "stated": True}
    own |= {"learn": staticmethod(learn), "first": classmethod(first)}
    return dataclasses.make_dataclass(
        plain.__name__, [(name, Array)], bases=(plain,), namespace=_same_names(plain) | own, frozen=True
    )


def _same_names(plain: type) -> dict[str, Any]:
    return {name: getattr(plain, name) for name in ("__module__", "__qualname__", "__doc__")}


def _of_arm(start: float | tuple[float, ...], arm: Array) -> Array:
    """The start of each arm: the same for all, or one for each."""
    return sum(each * (arm == k) for k, each in enumerate(start)) if isinstance(start, tuple) else start
