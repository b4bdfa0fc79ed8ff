"""The hybrid learner of Kool, Cushman and Gershman (2016)."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array
from neurometa.models.two_step.base import COMMON, TwoStepModel, limits


@dataclasses.dataclass(frozen=True)
class KoolHybrid(TwoStepModel):
    """Hybrid of six parameters: one slope and one rate for both stages, and two habits (Kool et al. 2016).

    Their other models hold some of these with ``bounds``: the weight at 1 (model-based) or 0
    (model-free), either stickiness at 0.

    Parameters
    ----------
    inverse_temperature : float or array
        Softmax slope (beta) per unit of reward at both stages, >= 0.
    learning_rate : float or array
        Step size (alpha) at both stages, in [0, 1].
    eligibility : float or array
        Share (lambda) of the outcome's error that reaches the first stage, in [0, 1].
    model_based_weight : float or array
        Weight (w) of the model-based values, in [0, 1].
    stickiness : float or array
        Value (pi) of the first-stage option chosen last, in units of reward.
    response_stickiness : float or array
        Value (rho) of the side (left or right) chosen last, in units of reward.
    p_common : float or array
        Probability of a common transition, in [.5, 1]; held at .7 unless bounds say otherwise.
    """

    inverse_temperature: Array
    learning_rate: Array
    eligibility: Array
    model_based_weight: Array
    stickiness: Array
    response_stickiness: Array
    p_common: Array = COMMON

    bounds: ClassVar = limits(
        "inverse_temperature",
        "learning_rate",
        "eligibility",
        "model_based_weight",
        "stickiness",
        "response_stickiness",
        "p_common",
    )
    tied: ClassVar = {
        "inverse_temperature_first": "inverse_temperature",
        "inverse_temperature_second": "inverse_temperature",
        "learning_rate_first": "learning_rate",
        "learning_rate_second": "learning_rate",
    }
