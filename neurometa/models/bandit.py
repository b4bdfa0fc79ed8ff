"""Rescorla-Wagner and its kin: values of arms learned by a delta rule, and habits."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array, Model


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
    mirrored: ClassVar = True

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


@dataclasses.dataclass(frozen=True)
class ForgettingChoiceKernel(Model):
    r"""Delta rule whose unchosen values decay to zero (`Forgetting`), and a choice kernel (`ChoiceKernel`).

    Parameters
    ----------
    learning_rate : float or array
        Step size (alpha) on the reward prediction error, in [0, 1].
    forgetting_rate : float or array
        Decay (phi) of every value that was not chosen, per trial, in [0, 1].
    kernel_rate : float or array
        Step size (alpha_c) of the choice kernel, in [0, 1].
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    kernel_weight : float or array
        Softmax slope on the kernel; negative for alternation.
    """

    learning_rate: Array
    forgetting_rate: Array
    kernel_rate: Array
    inverse_temperature: Array
    kernel_weight: Array

    bounds: ClassVar = {
        "learning_rate": (0.0, 1.0),
        "forgetting_rate": (0.0, 1.0),
        "kernel_rate": (0.0, 1.0),
        "inverse_temperature": (0.0, 30.0),
        "kernel_weight": (-30.0, 30.0),
    }
    weights: ClassVar = ("inverse_temperature", "kernel_weight")
    features: ClassVar = ("value", "kernel")
    start: ClassVar = (0.5, 0.0)

    @staticmethod
    def learn(features, chosen, reward, learning_rate, forgetting_rate, kernel_rate):
        """Move the value of the chosen arm towards the reward, the others towards zero, and every kernel."""
        value, kernel = features
        moved = value + learning_rate * chosen * (reward - value) - forgetting_rate * (1 - chosen) * value
        return moved, kernel + kernel_rate * (chosen - kernel)
