"""Attention to what surprises: a learning rate that follows the size of recent errors."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array, Model


@dataclasses.dataclass(frozen=True)
class PearceHall(Model):
    r"""Delta rule whose rate follows the arm's associability (Pearce & Hall 1980; Li et al. 2011).

    .. math::

       V_a \leftarrow V_a + \kappa A_a (r - V_a),\quad
       A_a \leftarrow (1 - \eta) A_a + \eta\, |r - V_a|

    for the arm chosen, with the error before the value moved. :math:`A_a` begins at
    :math:`A_0`. It is carried as ``associability`` :math:`= A_0` ``trace`` + ``novelty``, of which
    ``trace`` begins at 1 and ``novelty`` at 0, so that :math:`A_0` is a parameter like any other.

    Parameters
    ----------
    learning_rate : float or array
        Step size (kappa) on the prediction error at an associability of 1, in [0, 1].
    associability_rate : float or array
        Step size (eta) of the associability towards the absolute error, in [0, 1].
    initial_associability : float or array
        Associability (A_0) of every arm before the first trial, in [0, 1]. Where eta is 0 only
        its product with kappa matters; hold one of them then.
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    """

    learning_rate: Array
    associability_rate: Array
    initial_associability: Array
    inverse_temperature: Array

    bounds: ClassVar = {
        "learning_rate": (0.0, 1.0),
        "associability_rate": (0.0, 1.0),
        "initial_associability": (0.0, 1.0),
        "inverse_temperature": (0.0, 30.0),
    }
    features: ClassVar = ("value", "trace", "novelty")
    start: ClassVar = (0.5, 1.0, 0.0)
    scanned: ClassVar = False

    @staticmethod
    def learn(features, chosen, reward, learning_rate, associability_rate, initial_associability):
        """Move the value of the chosen arm at the rate of its associability, and that towards the error."""
        value, trace, novelty = features
        rpe, kept = reward - value, 1 - associability_rate * chosen
        associability = initial_associability * trace + novelty
        moved = value + learning_rate * associability * chosen * rpe
        return moved, trace * kept, novelty * kept + associability_rate * chosen * abs(rpe)
