"""Trial-by-trial learning models: one set of equations to simulate, score and explain.

Every equation below is elementwise arithmetic on one feature of one arm, so the same line
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
class Model:
    """Equations fitted to choices; the fields of a subclass are its parameters.

    Attributes
    ----------
    bounds : dict
        Lowest and highest value of each parameter, in the order of the fields.
    weights : tuple of str
        The parameters that multiply the features in the softmax, one per feature.
    features : tuple of str
        What is learned about each arm, in the order of `weights`; a ``value`` is in units of reward.
    start : tuple of float
        Each feature before the first trial (the same for every arm).
    n_options : int or None
        How many arms the equations allow; None for any number.
    rewards : tuple of float or None
        The only rewards that the equations allow; None for any.
    """

    bounds: ClassVar[dict[str, tuple[float, float]]]
    weights: ClassVar[tuple[str, ...]] = ("inverse_temperature",)
    features: ClassVar[tuple[str, ...]] = ("value",)
    start: ClassVar[tuple[float, ...]] = (0.5,)
    n_options: ClassVar[int | None] = None
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

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Names of all parameters, in order."""
        return tuple(field.name for field in dataclasses.fields(cls))

    @classmethod
    def rates(cls) -> tuple[str, ...]:
        """Names of the parameters of the learning rule: those that are not `weights`."""
        return tuple(name for name in cls.parameters() if name not in cls.weights)

    @classmethod
    def of(cls, fitted: Mapping[str, Any]) -> Self:
        """Return the model with its parameters taken by name, e.g. from the result of a fit."""
        return cls(*(fitted[name] for name in cls.parameters()))

    def begin(self, like: Array) -> tuple:
        """Features of each arm before the first trial, each shaped as `like` (..., arm)."""
        return tuple(0.0 * like + start for start in self.start)

    def logits(self, features: tuple) -> Array:
        """Policy before the softmax, (..., arm)."""
        return sum(getattr(self, weight) * feature for weight, feature in zip(self.weights, features, strict=True))

    def update(self, features: tuple, chosen: Array, reward: Array) -> tuple:
        """Features after a trial; `chosen` is one-hot (..., arm), `reward` is (..., 1).

        An all-zero row of `chosen` is a missed trial, which the caller must not pass on:
        some rules learn from what was not chosen.
        """
        return self.learn(features, chosen, reward, *(getattr(self, name) for name in self.rates()))


@dataclasses.dataclass(frozen=True)
class RescorlaWagner(Model):
    r"""Delta rule on the value of the chosen arm, softmax choice (Rescorla & Wagner 1972).

    .. math:: V_a \leftarrow V_a + \alpha (r - V_a)

    Parameters
    ----------
    learning_rate : float or array
        Step size (alpha) on the reward prediction error, in [0, 1].
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    """

    learning_rate: Array
    inverse_temperature: Array

    bounds: ClassVar = {"learning_rate": (0.0, 1.0), "inverse_temperature": (0.0, 30.0)}

    @staticmethod
    def learn(features, chosen, reward, learning_rate):
        """Move the value of the chosen arm towards the reward."""
        (value,) = features
        return (value + learning_rate * chosen * (reward - value),)


@dataclasses.dataclass(frozen=True)
class SingleValue(Model):
    r"""Delta rule on one estimate of p for two arms that pay with p and 1 - p.

    What the arm not chosen would have paid is known to be 1 - r, so both values move:

    .. math:: V \leftarrow V + \alpha (x - V),\quad x = r \text{ if arm 0 was chosen, else } 1 - r

    and arm 1 is worth 1 - V. Rewards must be 0 or 1 (Wang et al. 2016, restless bandit).

    Parameters
    ----------
    learning_rate : float or array
        Step size (alpha) on the prediction error, in [0, 1].
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    """

    learning_rate: Array
    inverse_temperature: Array

    bounds: ClassVar = {"learning_rate": (0.0, 1.0), "inverse_temperature": (0.0, 30.0)}
    n_options: ClassVar = 2
    rewards: ClassVar = (0.0, 1.0)

    @staticmethod
    def learn(features, chosen, reward, learning_rate):
        """Move both values towards what their arm paid, or would have paid."""
        (value,) = features
        outcome = chosen * reward + (1 - chosen) * (1 - reward)
        return (value + learning_rate * (outcome - value),)


@dataclasses.dataclass(frozen=True)
class TwoLearningRates(Model):
    r"""Delta rule with its own rate for good and bad news (Daw et al. 2002; Frank et al. 2007).

    .. math:: V_a \leftarrow V_a + \alpha_{\pm} (r - V_a),\quad \alpha_+ \text{ if } r > V_a \text{, else } \alpha_-

    Parameters
    ----------
    learning_rate_positive, learning_rate_negative : float or array
        Step sizes on prediction errors above and below zero, in [0, 1].
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    """

    learning_rate_positive: Array
    learning_rate_negative: Array
    inverse_temperature: Array

    bounds: ClassVar = {
        "learning_rate_positive": (0.0, 1.0),
        "learning_rate_negative": (0.0, 1.0),
        "inverse_temperature": (0.0, 30.0),
    }

    @staticmethod
    def learn(features, chosen, reward, learning_rate_positive, learning_rate_negative):
        """Move the value of the chosen arm towards the reward, at the rate of the error's sign."""
        (value,) = features
        rpe = reward - value
        learning_rate = learning_rate_negative + (learning_rate_positive - learning_rate_negative) * (rpe > 0)
        return (value + learning_rate * chosen * rpe,)


@dataclasses.dataclass(frozen=True)
class Forgetting(Model):
    r"""Delta rule whose unchosen values decay to zero (Ito & Doya 2009).

    .. math:: V_a \leftarrow V_a + \alpha (r - V_a) \text{ (chosen)},\quad V_b \leftarrow (1 - \phi) V_b \text{ (else)}

    Parameters
    ----------
    learning_rate : float or array
        Step size (alpha) on the reward prediction error, in [0, 1].
    forgetting_rate : float or array
        Decay (phi) of every value that was not chosen, per trial, in [0, 1].
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    """

    learning_rate: Array
    forgetting_rate: Array
    inverse_temperature: Array

    bounds: ClassVar = {
        "learning_rate": (0.0, 1.0),
        "forgetting_rate": (0.0, 1.0),
        "inverse_temperature": (0.0, 30.0),
    }

    @staticmethod
    def learn(features, chosen, reward, learning_rate, forgetting_rate):
        """Move the value of the chosen arm towards the reward, and the others towards zero."""
        (value,) = features
        return (value + learning_rate * chosen * (reward - value) - forgetting_rate * (1 - chosen) * value,)


@dataclasses.dataclass(frozen=True)
class ChoiceKernel(Model):
    r"""Habit without reward: repeat what was chosen lately (Wilson & Collins 2019, model 4).

    .. math:: K_a \leftarrow K_a + \alpha_c (\mathbb{1}[a \text{ chosen}] - K_a)

    Parameters
    ----------
    kernel_rate : float or array
        Step size (alpha_c) of the choice kernel, in [0, 1].
    kernel_weight : float or array
        Softmax slope on the kernel; negative for alternation.
    """

    kernel_rate: Array
    kernel_weight: Array

    bounds: ClassVar = {"kernel_rate": (0.0, 1.0), "kernel_weight": (-30.0, 30.0)}
    weights: ClassVar = ("kernel_weight",)
    features: ClassVar = ("kernel",)
    start: ClassVar = (0.0,)

    @staticmethod
    def learn(features, chosen, reward, kernel_rate):
        """Move the kernel towards 1 for the chosen arm, and towards 0 for the others."""
        (kernel,) = features
        return (kernel + kernel_rate * (chosen - kernel),)


@dataclasses.dataclass(frozen=True)
class RescorlaWagnerChoiceKernel(Model):
    r"""Delta rule and choice kernel together (Wilson & Collins 2019, model 5).

    Parameters
    ----------
    learning_rate : float or array
        Step size (alpha) on the reward prediction error, in [0, 1].
    kernel_rate : float or array
        Step size (alpha_c) of the choice kernel, in [0, 1].
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    kernel_weight : float or array
        Softmax slope on the kernel; negative for alternation.
    """

    learning_rate: Array
    kernel_rate: Array
    inverse_temperature: Array
    kernel_weight: Array

    bounds: ClassVar = {
        "learning_rate": (0.0, 1.0),
        "kernel_rate": (0.0, 1.0),
        "inverse_temperature": (0.0, 30.0),
        "kernel_weight": (-30.0, 30.0),
    }
    weights: ClassVar = ("inverse_temperature", "kernel_weight")
    features: ClassVar = ("value", "kernel")
    start: ClassVar = (0.5, 0.0)

    @staticmethod
    def learn(features, chosen, reward, learning_rate, kernel_rate):
        """Move the value of the chosen arm, and the kernel of every arm."""
        value, kernel = features
        return value + learning_rate * chosen * (reward - value), kernel + kernel_rate * (chosen - kernel)


MODELS: tuple[type[Model], ...] = (
    RescorlaWagner,
    SingleValue,
    TwoLearningRates,
    Forgetting,
    ChoiceKernel,
    RescorlaWagnerChoiceKernel,
)
