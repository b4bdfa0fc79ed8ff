"""The two-step family: model-free, model-based and hybrid learners of Daw et al. (2011) and Kool et al. (2016).

A trial is a first choice, a second-stage state, a second choice (absent in the short form of
the task) and a reward in [0, 1]. The equations are those of one general learner of nine
parameters; each model names those that it leaves open and fixes or ties the others
(`TwoStepModel.general`). They are arithmetic on single numbers, so that the same lines serve
arrays and a compiled loop.
"""

import dataclasses
from typing import Any, ClassVar

from neurometa.models.base import Array, Equations

State = tuple[Array, ...]
START = (0.0,) * 9  # before the first trial
STATE = (
    *("first_0", "first_1"),  # model-free values of the first-stage options
    *("second_00", "second_01", "second_10", "second_11"),  # values of (state, option) at the second stage
    *("last_choice", "last_side"),  # 1 for option 1 or the left side, -1 for the other, 0 before the first trial
    "tally",  # transitions seen from option 0 to state 0 or 1 to 1, minus the others
)


def plan(state: State, branched: Array, p_common: Array) -> tuple[Array, Array]:
    """Model-based values of both first-stage options: what the better option of each state is worth, by transitions.

    The transitions that were more frequent so far are held to be the common ones; before
    that is known, both are as likely. `branched` is 1 if states have two options, else 0.
    """
    _, _, v00, v01, v10, v11, _, _, tally = state
    best_0 = v00 + branched * (v01 - v00 + abs(v01 - v00)) / 2
    best_1 = v10 + branched * (v11 - v10 + abs(v11 - v10)) / 2
    straight = 0.5 + (p_common - 0.5) * ((tally > 0) * 1.0 - (tally < 0) * 1.0)  # P(state 0 | option 0)
    return straight * best_0 + (1 - straight) * best_1, (1 - straight) * best_0 + straight * best_1


def first_logit(
    state: State,
    planned: tuple[Array, Array],
    left_option: Array,
    inverse_temperature: Array,
    model_based_weight: Array,
    stickiness: Array,
    response_stickiness: Array,
) -> Array:
    """Log-odds of option 1 over 0 at the first stage; `left_option` is the one shown on the left."""
    cached = state[1] - state[0]
    net = model_based_weight * (planned[1] - planned[0]) + (1 - model_based_weight) * cached
    habit = stickiness * state[6] + response_stickiness * state[7] * (2 * left_option - 1)
    return inverse_temperature * (net + habit)


def second_logit(state: State, second_state: Array, inverse_temperature: Array) -> Array:
    """Log-odds of option 1 over 0 at the second stage."""
    return inverse_temperature * ((1 - second_state) * (state[3] - state[2]) + second_state * (state[5] - state[4]))


def errors(
    state: State, choice: Array, second_state: Array, second_choice: Array, reward: Array
) -> tuple[Array, Array]:
    """Model-free reward prediction errors at the second stage's onset and at the outcome."""
    q0, q1, v00, v01, v10, v11, _, _, _ = state
    first = q0 + choice * (q1 - q0)
    left, right = v00 + second_choice * (v01 - v00), v10 + second_choice * (v11 - v10)
    second = left + second_state * (right - left)
    return second - first, reward - second


def learn(
    state: State,
    choice: Array,
    second_state: Array,
    second_choice: Array,
    left_option: Array,
    onset_rpe: Array,
    outcome_rpe: Array,
    learning_rate_first: Array,
    learning_rate_second: Array,
    eligibility: Array,
) -> State:
    """Return the state after a trial whose prediction errors are given by `errors`."""
    q0, q1, v00, v01, v10, v11, _, _, tally = state
    first = learning_rate_first * (onset_rpe + eligibility * outcome_rpe)
    second = learning_rate_second * outcome_rpe
    in_0, in_1 = second * (1 - second_state), second * second_state
    signed = 2 * choice - 1.0
    return (
        q0 + (1 - choice) * first,
        q1 + choice * first,
        v00 + (1 - second_choice) * in_0,
        v01 + second_choice * in_0,
        v10 + (1 - second_choice) * in_1,
        v11 + second_choice * in_1,
        signed,
        signed * (2 * left_option - 1),
        tally + signed * (2 * second_state - 1),
    )


@dataclasses.dataclass(frozen=True)
class TwoStepModel(Equations):
    """A learner of the two-step task; its parameters are those of the general learner, or fix or tie them.

    Attributes
    ----------
    planning : bool
        Whether transitions matter, so that ``second_state`` predicts the next choice.
    """

    def general(self) -> tuple[Any, ...]:
        """Return the parameters of the general learner.

        Returns
        -------
        tuple
            ``inverse_temperature_first``, ``inverse_temperature_second``, ``learning_rate_first``,
            ``learning_rate_second``, ``eligibility``, ``model_based_weight``, ``stickiness``,
            ``response_stickiness`` and ``p_common``.
        """
        raise NotImplementedError


RATE, SLOPE, HABIT = (0.0, 1.0), (0.0, 20.0), (-20.0, 20.0)
COMMON = (0.7, 0.7)  # Daw et al. 2011: known to the learner, so that it is held


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
    p_common: Array = COMMON[0]

    bounds: ClassVar = {
        "inverse_temperature_first": SLOPE,
        "inverse_temperature_second": SLOPE,
        "learning_rate_first": RATE,
        "learning_rate_second": RATE,
        "eligibility": RATE,
        "model_based_weight": RATE,
        "stickiness": HABIT,
        "p_common": COMMON,
    }

    def general(self):
        """All but the response stickiness, which is 0."""
        return (
            *(self.inverse_temperature_first, self.inverse_temperature_second),
            *(self.learning_rate_first, self.learning_rate_second, self.eligibility, self.model_based_weight),
            *(self.stickiness, 0.0, self.p_common),
        )


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

    bounds: ClassVar = {
        "inverse_temperature_first": SLOPE,
        "inverse_temperature_second": SLOPE,
        "learning_rate_first": RATE,
        "learning_rate_second": RATE,
        "eligibility": RATE,
        "stickiness": HABIT,
    }

    def general(self):
        """Without planning."""
        return (
            *(self.inverse_temperature_first, self.inverse_temperature_second),
            *(self.learning_rate_first, self.learning_rate_second, self.eligibility, 0.0),
            *(self.stickiness, 0.0, COMMON[0]),
        )


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
    p_common: Array = COMMON[0]

    bounds: ClassVar = {
        "inverse_temperature_first": SLOPE,
        "inverse_temperature_second": SLOPE,
        "learning_rate": RATE,
        "stickiness": HABIT,
        "p_common": COMMON,
    }

    def general(self):
        """Without a model-free part."""
        return (
            *(self.inverse_temperature_first, self.inverse_temperature_second, 0.0, self.learning_rate, 0.0, 1.0),
            *(self.stickiness, 0.0, self.p_common),
        )


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
    p_common: Array = COMMON[0]

    bounds: ClassVar = {
        "inverse_temperature": SLOPE,
        "learning_rate": RATE,
        "eligibility": RATE,
        "model_based_weight": RATE,
        "stickiness": HABIT,
        "response_stickiness": HABIT,
        "p_common": COMMON,
    }

    def general(self):
        """Both stages alike."""
        return (
            *(self.inverse_temperature, self.inverse_temperature, self.learning_rate, self.learning_rate),
            *(self.eligibility, self.model_based_weight),
            *(self.stickiness, self.response_stickiness, self.p_common),
        )


TWO_STEP_MODELS: tuple[type[TwoStepModel], ...] = (
    Hybrid,
    ModelFree,
    ModelBased,
    KoolHybrid,
)
