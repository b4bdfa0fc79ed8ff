"""What the general two-step learner of nine parameters does on a trial.

The equations are arithmetic on single numbers, so that the same lines serve arrays and a
compiled loop.
"""

from neurometa.models.base import Array

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
