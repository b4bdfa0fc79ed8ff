"""Hybrid, model-free and model-based learners of the two-step task (Daw et al. 2011)."""

import dataclasses
from typing import ClassVar

from neurometa.models.base import Array
from neurometa.models.two_step.base import COMMON, TwoStepModel, limits


@dataclasses.dataclass(frozen=True)
class Hybrid(TwoStepModel):
    r"""Mixture of SARSA(lambda) and a model-based learner, seven parameters (Daw et al. 2011).

    At the first stage, :math:`P(a) \propto \exp \beta_1 [w Q_{MB}(a) + (1 - w) Q_{MF}(a) + p\,
    \mathrm{rep}(a)]`, at the second :math:`P(a) \propto \exp \beta_2 Q_2(s, a)`, with

    .. math::

       Q_{MB}(a) = \sum_s P(s \mid a) \max_{a'} Q_2(s, a'),\quad
       \delta_1 = Q_2(s, a_2) - Q_{MF}(a_1),\quad \delta_2 = r - Q_2(s, a_2)

       Q_{MF}(a_1) \leftarrow Q_{MF}(a_1) + \alpha_1 (\delta_1 + \lambda \delta_2),\quad
       Q_2(s, a_2) \leftarrow Q_2(s, a_2) + \alpha_2 \delta_2

    and all values 0 before the first trial.

    Parameters
    ----------
    inverse_temperature_first, inverse_temperature_second : float or array
        Softmax slopes (beta_1, beta_2) per unit of reward at either stage, >= 0.
    learning_rate_first, learning_rate_second : float or array
        Step sizes (alpha_1, alpha_2) at either stage, in [0, 1].
    eligibility : float or array
        Share (lambda) of the outcome's error that reaches the first stage, in [0, 1].
    model_based_weight : float or array
        Weight (w) of the model-based values, in [0, 1].
    stickiness : float or array
        Value (p) of repeating the first choice, in units of reward; negative for alternation.
    p_common : float or array
        Probability of a common transition, in [.5, 1]; held at .7 unless bounds say otherwise.
    """

    inverse_temperature_first: Array
    inverse_temperature_second: Array
    learning_rate_first: Array
    learning_rate_second: Array
    eligibility: Array
    model_based_weight: Array
    stickiness: Array
    p_common: Array = COMMON

    bounds: ClassVar = limits(
        "inverse_temperature_first",
        "inverse_temperature_second",
        "learning_rate_first",
        "learning_rate_second",
        "eligibility",
        "model_based_weight",
        "stickiness",
        "p_common",
    )
    tied: ClassVar = {"response_stickiness": 0.0}


@dataclasses.dataclass(frozen=True)
class ModelFree(TwoStepModel):
    """SARSA(lambda): `Hybrid` with a model-based weight of 0 (Daw et al. 2011, "TD only").

    Parameters
    ----------
    inverse_temperature_first, inverse_temperature_second : float or array
        Softmax slopes (beta_1, beta_2) per unit of reward at either stage, >= 0.
    learning_rate_first, learning_rate_second : float or array
        Step sizes (alpha_1, alpha_2) at either stage, in [0, 1].
    eligibility : float or array
        Share (lambda) of the outcome's error that reaches the first stage, in [0, 1].
    stickiness : float or array
        Value (p) of repeating the first choice, in units of reward.
    """

    inverse_temperature_first: Array
    inverse_temperature_second: Array
    learning_rate_first: Array
    learning_rate_second: Array
    eligibility: Array
    stickiness: Array

    bounds: ClassVar = limits(
        "inverse_temperature_first",
        "inverse_temperature_second",
        "learning_rate_first",
        "learning_rate_second",
        "eligibility",
        "stickiness",
    )
    tied: ClassVar = {"model_based_weight": 0.0, "response_stickiness": 0.0, "p_common": COMMON}


@dataclasses.dataclass(frozen=True)
class ModelBased(TwoStepModel):
    """Planning alone: `Hybrid` with a model-based weight of 1 (Daw et al. 2011).

    Parameters
    ----------
    inverse_temperature_first, inverse_temperature_second : float or array
        Softmax slopes (beta_1, beta_2) per unit of reward at either stage, >= 0.
    learning_rate : float or array
        Step size of the second-stage values (alpha_2), in [0, 1].
    stickiness : float or array
        Value (p) of repeating the first choice, in units of reward.
    p_common : float or array
        Probability of a common transition, in [.5, 1]; held at .7 unless bounds say otherwise.
    """

    inverse_temperature_first: Array
    inverse_temperature_second: Array
    learning_rate: Array
    stickiness: Array
    p_common: Array = COMMON

    bounds: ClassVar = limits(
        "inverse_temperature_first",
        "inverse_temperature_second",
        "learning_rate",
        "stickiness",
        "p_common",
    )
    tied: ClassVar = {
        "learning_rate_first": 0.0,
        "learning_rate_second": "learning_rate",
        "eligibility": 0.0,
        "model_based_weight": 1.0,
        "response_stickiness": 0.0,
    }
