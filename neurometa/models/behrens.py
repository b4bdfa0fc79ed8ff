"""Choices of a Bayesian learner who infers how fast its world changes (Behrens et al. 2007)."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array, Observer


@dataclasses.dataclass(frozen=True)
class Behrens(Observer):
    r"""Softmax on what two arms are worth to a Bayesian learner of probability and volatility (Behrens et al. 2007).

    Arm 0 pays with r, arm 1 with 1 - r. The learner's belief over r, its volatility v and the
    volatility's own rate k (see `neurometa.behaviour.latents`) gives :math:`p_0 = E[r]` before a
    trial, :math:`p_1 = 1 - p_0`. With the magnitudes m that both arms show,

    .. math::

       g_a = F(p_a)\, m_a,\quad F(p) = \min(\max(\gamma (p - \tfrac12) + \tfrac12,\, 0),\, 1),\quad
       P(a) \propto \exp \beta g_a

    and m is 1 where none are shown. There only the product of gamma and beta matters, so that a fit holds
    gamma at 1.

    Parameters
    ----------
    risk_preference : float or array
        How much the probability counts beside the magnitude (gamma), >= 0: 1 is neutral to risk, and 0
        regards magnitudes alone.
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward, >= 0.
    """

    risk_preference: Array
    inverse_temperature: Array

    bounds: ClassVar = {"risk_preference": (0.0, 10.0), "inverse_temperature": (0.0, 30.0)}
    n_options: ClassVar = 2
    unshown: ClassVar = {"risk_preference": 1.0}

    @staticmethod
    def weigh(prob, magnitude, risk_preference):
        """Return the value of an arm: its magnitude times its stretched probability, cut at 0 and 1."""
        stretched = risk_preference * (prob - 0.5) + 0.5
        inside = (stretched > 0) & (stretched < 1)
        return ((stretched * inside + (stretched >= 1)) * magnitude,)
