"""Bayes for two states of the world: which arm is the better one, when that reverses now and then."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array, Model

FAINTEST = 1e-300  # of a belief: without it, one that became 0 could never come back where nothing swaps


@dataclasses.dataclass(frozen=True)
class LatentState(Model):
    r"""Two-state hidden Markov model of which of two arms is better, and a softmax on its belief.

    The better arm pays 1 with probability :math:`p`, the other with :math:`1 - p`, and they swap
    between two trials with probability :math:`h`. The belief :math:`b_a` that arm a is the
    better one takes in the outcome by Bayes' rule and then allows for a swap (Wang et al. 2018,
    simulations 3 and 4; the filter is exact):

    .. math::

       \tilde b_a = \frac{b_a L_a}{b_a L_a + (1 - b_a)(1 - L_a)},\quad
       b_a \leftarrow (1 - h)\, \tilde b_a + h\, (1 - \tilde b_a)

    where :math:`L_a = p` if arm a was chosen and paid, or the other was chosen and did not, else
    :math:`1 - p`.

    Parameters
    ----------
    hazard_rate : float or array
        Probability (h) of a swap per trial, in [0, .5].
    better_prob : float or array
        Reward probability (p) of the better arm, in [.5, 1).
    inverse_temperature : float or array
        Softmax slope on the belief, >= 0.
    """

    hazard_rate: Array
    better_prob: Array
    inverse_temperature: Array

    bounds: ClassVar = {
        "hazard_rate": (0.0, 0.5),
        "better_prob": (0.5, 0.999),
        "inverse_temperature": (0.0, 30.0),
    }
    features: ClassVar = ("belief", "doubt")  # both, as neither is 1 minus the other where that is below 1e-16
    start: ClassVar = (0.5, 0.5)
    n_options: ClassVar = 2
    mirrored: ClassVar = True
    rewards: ClassVar = (0.0, 1.0)
    scanned: ClassVar = False

    @classmethod
    def rest(cls, first, arm, *rates):
        """The doubt is what the belief leaves."""
        return (1 - first,)

    @staticmethod
    def learn(features, chosen, reward, hazard_rate, better_prob):
        """Take in the outcome, then allow for a swap."""
        belief, doubt = features
        outcome = chosen * reward + (1 - chosen) * (1 - reward)
        likelihood = outcome * better_prob + (1 - outcome) * (1 - better_prob)
        joint, other = belief * likelihood + FAINTEST, doubt * (1 - likelihood) + FAINTEST
        belief, doubt = joint / (joint + other), other / (joint + other)
        return belief + hazard_rate * (doubt - belief), doubt + hazard_rate * (belief - doubt)

    def expected(self, features):
        """Reward expected of each arm: its probability under the belief."""
        belief, doubt = features
        return belief * self.better_prob + doubt * (1 - self.better_prob)
