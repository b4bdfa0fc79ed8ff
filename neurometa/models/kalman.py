"""Kalman filters: values learned with a known uncertainty, which choices seek, avoid, or are blurred by."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array, Model

FAINTEST = 1e-24  # of a variance: keeps 0/0 away where an arm is known exactly


def _sd(variance: Array) -> Array:
    """Its root, also a hair below 0, where a climber at a bound takes differences."""
    return (abs(variance) + FAINTEST) ** 0.5


@dataclasses.dataclass(frozen=True)
class KalmanSoftmax(Model):
    r"""Kalman filter of every arm, and a softmax on its value and its uncertainty (Daw et al. 2006).

    The filter is exact for an arm whose rewards are normal about a mean that drifts as a random walk:

    .. math::

       k = \frac{S_a}{S_a + \sigma^2},\quad Q_a \leftarrow Q_a + k (r - Q_a),\quad S_a \leftarrow (1 - k) S_a

    for the arm chosen, and then :math:`S_b \leftarrow S_b + \sigma_\xi^2` for every arm. Arm a is chosen with a
    probability proportional to :math:`\exp(\beta Q_a + \phi \sqrt{S_a})`, an upper confidence bound.

    Q and k depend on the three variances by their ratios alone, and the uncertainty by their scale, which a weight
    makes up for. The variance of observations is therefore held, at 1 unless a fit is given other ``bounds``.

    Parameters
    ----------
    prior_variance : float or array
        Variance (S) of every arm before the first trial, in reward squared, >= 0.
    observation_variance : float or array
        Variance (sigma^2) of rewards about the mean of their arm, in reward squared, >= 0.
    innovation_variance : float or array
        Variance (sigma_xi^2) by which means drift between two trials, in reward squared, >= 0; held at 0 unless a
        fit is given other ``bounds``. Nothing drifts over a missed trial.
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    uncertainty_weight : float or array
        Softmax slope (phi) on the posterior SD, per unit of reward; negative for avoidance.
    """

    prior_variance: Array
    observation_variance: Array
    innovation_variance: Array
    inverse_temperature: Array
    uncertainty_weight: Array

    bounds: ClassVar = {
        "prior_variance": (0.0, 100.0),
        "observation_variance": (1.0, 1.0),
        "innovation_variance": (0.0, 0.0),
        "inverse_temperature": (0.0, 30.0),
        "uncertainty_weight": (-30.0, 30.0),
    }
    weights: ClassVar = ("inverse_temperature", "uncertainty_weight")
    features: ClassVar = ("value", "variance")
    start: ClassVar = (0.5, 1.0)  # the variance begins at a parameter, as `rest` says
    scanned: ClassVar = False

    @classmethod
    def rest(cls, first, arm, *rates):
        """The variance begins at that of the prior."""
        return (rates[0],)

    @staticmethod
    def learn(features, chosen, reward, prior_variance, observation_variance, innovation_variance):
        """Update the chosen arm by its gain, and let all of them drift."""
        value, variance = features
        gain = chosen * variance / (variance + observation_variance + FAINTEST)
        return value + gain * (reward - value), variance * (1 - gain) + innovation_variance

    @staticmethod
    def weighed(features, *told):
        """Value and SD."""
        value, variance = features
        return value, _sd(variance)

    def latents(self, features):
        """Posterior mean and SD of each arm."""
        return {"value": features[0], "value_sd": features[1] ** 0.5}


@dataclasses.dataclass(frozen=True)
class KalmanFilter(Model):
    r"""Kalman filter of two arms, and a probit of value, relative and total uncertainty (Gershman 2018; 2019).

    The filter is that of `KalmanSoftmax`. With :math:`V = Q_0 - Q_1`, relative uncertainty
    :math:`RU = \sqrt{S_0} - \sqrt{S_1}` and total uncertainty :math:`TU = \sqrt{S_0 + S_1}`, arm 0 is chosen with
    probability

    .. math:: P(a = 0) = \Phi(w_1 V + w_2 RU + w_3 V / TU)

    An upper confidence bound has :math:`w_1, w_2 > 0` and :math:`w_3 = 0`; Thompson sampling is
    :math:`w_1 = w_2 = 0, w_3 = 1` (Gershman 2018, "Deconstructing the human algorithms for exploration", Cognition
    173, 34-42). Variances and their scale are as told there; with variances c times as large,
    :math:`w_2 / \sqrt{c}` and :math:`w_3 \sqrt{c}` give the same choices.

    Parameters
    ----------
    prior_variance, observation_variance, innovation_variance : float or array
        As in `KalmanSoftmax`.
    value_weight : float or array
        Weight (w1) of the difference in value, per unit of reward.
    directed_exploration : float or array
        Weight (w2) of the relative uncertainty, per unit of reward; negative for avoidance.
    random_exploration : float or array
        Weight (w3) of the difference in value over the total uncertainty.
    """

    prior_variance: Array
    observation_variance: Array
    innovation_variance: Array
    value_weight: Array
    directed_exploration: Array
    random_exploration: Array

    bounds: ClassVar = {
        **{name: KalmanSoftmax.bounds[name] for name in KalmanSoftmax.rates()},
        "value_weight": (-30.0, 30.0),
        "directed_exploration": (-30.0, 30.0),
        "random_exploration": (-30.0, 30.0),
    }
    weights: ClassVar = ("value_weight", "directed_exploration", "random_exploration")
    features: ClassVar = ("value", "variance", "rival_variance")  # the last is the other arm's
    start: ClassVar = (0.5, 1.0, 1.0)
    n_options: ClassVar = 2
    choice_rule: ClassVar = "probit"
    scanned: ClassVar = False

    @classmethod
    def rest(cls, first, arm, *rates):
        """Both variances begin at that of the prior."""
        return rates[0], rates[0]

    @staticmethod
    def learn(features, chosen, reward, *rates):
        """Update the arm, and the variance of the other one."""
        value, variance, rival = features
        moved, variance = KalmanSoftmax.learn((value, variance), chosen, reward, *rates)
        return moved, variance, KalmanSoftmax.learn((value, rival), 1 - chosen, reward, *rates)[1]

    @staticmethod
    def weighed(features, *told):
        """Value, SD, and value over the total uncertainty."""
        value, variance, rival = features
        return value, _sd(variance), value / _sd(variance + rival)

    def latents(self, features):
        """Posterior mean and SD of each arm; relative and total uncertainty of both."""
        value, variance, rival = features
        sd, other = variance[..., 0] ** 0.5, rival[..., 0] ** 0.5
        return {
            "value": value,
            "value_sd": variance**0.5,
            "relative_uncertainty": sd - other,
            "total_uncertainty": (variance[..., 0] + rival[..., 0]) ** 0.5,
        }
