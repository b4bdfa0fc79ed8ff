"""Stay while it is good enough: one value, of the option in hand, compared with a threshold."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array, Model


@dataclasses.dataclass(frozen=True)
class CompareToThreshold(Model):
    r"""Forager that leaves an option once its value has fallen below a threshold (Laurie et al. 2024, bioRxiv).

    The equations are those of ``ForagerCompareThreshold`` in aind-dynamic-foraging-models, without its side bias.
    Only the option in hand, the one chosen last, has a value :math:`V`. It is chosen again with probability

    .. math:: P(\text{stay}) = \frac{1}{1 + \exp(-\beta (V - \rho))}

    and what is new in hand begins at the threshold :math:`\rho`:

    .. math::

       V \leftarrow V + \alpha (r - V) \text{ after a stay},\quad
       V \leftarrow \rho + \alpha (r - \rho) \text{ after a switch and the first trial}

    It is carried as the ``advantage`` :math:`V - \rho` of the option in hand, 0 for the other, so that a softmax on
    it is the rule above.

    Parameters
    ----------
    learning_rate : float or array
        Step size (alpha) on the reward prediction error, in [0, 1].
    threshold : float or array
        What the option in hand is compared with (rho), in units of reward. Fits look in [0, 1] unless given other
        ``bounds``.
    inverse_temperature : float or array
        Slope (beta) of staying per unit of reward, >= 0.
    """

    learning_rate: Array
    threshold: Array
    inverse_temperature: Array

    bounds: ClassVar = {"learning_rate": (0.0, 1.0), "threshold": (0.0, 1.0), "inverse_temperature": (0.0, 30.0)}
    features: ClassVar = ("advantage",)
    start: ClassVar = (0.0,)
    n_options: ClassVar = 2

    @staticmethod
    def learn(features, chosen, reward, learning_rate, threshold):
        """Move the advantage of the option in hand towards the reward's; an option that is left keeps none."""
        (advantage,) = features
        return (chosen * (advantage + learning_rate * (reward - threshold - advantage)),)

    def expected(self, features):
        """Reward expected of each arm: of the one in hand its value, of the other the threshold."""
        return features[0] + self.threshold
