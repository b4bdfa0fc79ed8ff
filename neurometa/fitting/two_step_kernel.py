"""Compiled loops over two-step trials: the log-likelihood, its gradient, and the best weights at given learning rates.

The equations are those of `neurometa.models.two_step`, compiled as they stand. This module loads numba, which
takes half a second; others import it where they first need it.
"""

import math

import numba
import numpy as np

from neurometa.fitting.kept import unchanged
from neurometa.models import two_step

EQUATIONS = (two_step.plan, two_step.first_logit, two_step.second_logit, two_step.errors, two_step.learn)
DIGEST = "53523090cfb1"  # of these equations: see `neurometa.fitting.kept`
compiled = numba.njit(error_model="numpy", nogil=True, cache=unchanged(DIGEST, *EQUATIONS))
plan, first_logit, second_logit, errors, learn = (compiled(each) for each in EQUATIONS)
START = two_step.START
STEPS = 30  # of Newton's method for the weights; some six are the rule
ENOUGH = 1e-3  # nats that another step must promise: starting points need no more


@compiled
def scored(logit, option):
    """Log-probability of the option, and its derivative by the logit."""
    signed = logit if option == 1 else -logit
    small = math.exp(-abs(signed))
    other = (small if signed > 0 else 1.0) / (1 + small)  # probability of the other option
    return min(signed, 0.0) - math.log1p(small), other if option == 1 else -other


@compiled
def value(general, choice, second_state, second_choice, left_option, reward, played, branched):
    """Log-likelihood (point,) at parameters of the general learner (point, parameter)."""
    total = np.zeros(len(general))
    two = 1.0 if branched else 0.0
    for i in range(len(general)):
        slope_1, slope_2, rate_1, rate_2, eligibility, weight, stickiness, response, p_common = general[i]
        for m in range(len(choice)):
            state = START
            for t in range(choice.shape[1]):
                if not played[m, t]:
                    continue
                a, s, b, left = choice[m, t], second_state[m, t], second_choice[m, t], left_option[m, t]
                planned = plan(state, two, p_common)
                logit = first_logit(state, planned, left, slope_1, weight, stickiness, response)
                total[i] += scored(logit, a)[0]
                if branched:
                    total[i] += scored(second_logit(state, s, slope_2), b)[0]
                onset, outcome = errors(state, a, s, b, reward[m, t])
                state = learn(state, a, s, b, left, onset, outcome, rate_1, rate_2, eligibility)
    return total


@compiled
def by_plan(state, by_rate, two, p_common):
    """Derivatives of the planned advantage of option 1 by the second learning rate and by p_common."""
    _, _, v00, v01, v10, v11, _, _, tally = state
    known = (tally > 0) * 1.0 - (tally < 0) * 1.0
    high_0, high_1 = two * (1 + np.sign(v01 - v00)) / 2, two * (1 + np.sign(v11 - v10)) / 2  # is option 1 better?
    best = v00 + high_0 * (v01 - v00) - v10 - high_1 * (v11 - v10)
    moved = (1 - high_0) * by_rate[0] + high_0 * by_rate[1] - (1 - high_1) * by_rate[2] - high_1 * by_rate[3]
    return (1 - 2 * p_common) * known * moved, -2 * known * best


@compiled
def add_first(up, at, state, planned, left, first, second, two, by_logit):
    """Add to the gradient `up` what a first choice says, `by_logit` being the derivative of its log-probability."""
    slope_1, _, _, _, _, weight, stickiness, response, p_common = at
    by_rate, by_common = by_plan(state, second, two, p_common)
    ahead, side = planned[1] - planned[0], state[7] * (2 * left - 1)
    net = weight * ahead + (1 - weight) * (state[1] - state[0])
    cached, share = slope_1 * (1 - weight) * by_logit, slope_1 * weight * by_logit
    up[0] += by_logit * (net + stickiness * state[6] + response * side)
    up[2] += cached * (first[0, 1] - first[0, 0])
    up[3] += cached * (first[1, 1] - first[1, 0]) + share * by_rate
    up[4] += cached * (first[2, 1] - first[2, 0])
    up[5] += slope_1 * by_logit * (ahead - (state[1] - state[0]))
    up[6] += slope_1 * by_logit * state[6]
    up[7] += slope_1 * by_logit * side
    up[8] += share * by_common


@compiled
def carry(first, second, a, at_state, onset, outcome, rate_1, rate_2, eligibility):
    """Carry the derivatives of the values over a trial, in place.

    `first` holds those of both first-stage values by both learning rates and the eligibility, `second` those of the
    second-stage values by their learning rate.
    """
    first[0, a] += onset + eligibility * outcome - rate_1 * first[0, a]
    first[1, a] += rate_1 * ((1 - eligibility) * second[at_state] - first[1, a])
    first[2, a] += rate_1 * (outcome - first[2, a])
    second[at_state] += outcome - rate_2 * second[at_state]


@compiled
def slope(general, choice, second_state, second_choice, left_option, reward, played, branched):
    """Log-likelihood at one set of parameters of the general learner (parameter,), and its gradient."""
    total, up, two = 0.0, np.zeros(len(general)), 1.0 if branched else 0.0
    slope_1, slope_2, rate_1, rate_2, eligibility, weight, stickiness, response, p_common = general
    at = (slope_1, slope_2, rate_1, rate_2, eligibility, weight, stickiness, response, p_common)
    first, second = np.zeros((3, 2)), np.zeros(4)
    for m in range(len(choice)):
        state = START
        first[:], second[:] = 0.0, 0.0
        for t in range(choice.shape[1]):
            if not played[m, t]:
                continue
            a, s, b, left = choice[m, t], second_state[m, t], second_choice[m, t], left_option[m, t]
            planned = plan(state, two, p_common)
            logit = first_logit(state, planned, left, slope_1, weight, stickiness, response)
            gained, by_logit = scored(logit, a)
            total += gained
            add_first(up, at, state, planned, left, first, second, two, by_logit)
            if branched:
                gained, by_logit = scored(second_logit(state, s, slope_2), b)
                total += gained
                up[1] += by_logit * second_logit(state, s, 1.0)
                up[3] += by_logit * slope_2 * (second[2 * s + 1] - second[2 * s])
            onset, outcome = errors(state, a, s, b, reward[m, t])
            state = learn(state, a, s, b, left, onset, outcome, rate_1, rate_2, eligibility)
            carry(first, second, a, 2 * s + b, onset, outcome, rate_1, rate_2, eligibility)
    return total, up


@compiled
def design(
    rate_1, rate_2, p_common, tied, choice, second_state, second_choice, left_option, reward, played, branched, rows
):
    """Fill `rows` with what each choice was made on, signed by the choice; return how many were filled.

    At given learning rates the log-odds of every choice are linear in six weights: of the model-based values, of
    model-free values with eligibility 0 and 1 (others are mixtures of these two), of both habits, and of the
    second stage (`tied` to the sum of the first three where both stages share one slope).
    """
    n, two = 0, 1.0 if branched else 0.0
    for m in range(len(choice)):
        state, traced = START, (0.0, 0.0)  # `state` learns with eligibility 0, `traced` is its first stage with 1
        for t in range(choice.shape[1]):
            if not played[m, t]:
                continue
            a, s, b, left = choice[m, t], second_state[m, t], second_choice[m, t], left_option[m, t]
            planned, sign = plan(state, two, p_common), 2.0 * a - 1
            rows[n, 0] = sign * (planned[1] - planned[0])
            rows[n, 1] = sign * (state[1] - state[0])
            rows[n, 2] = sign * (traced[1] - traced[0])
            rows[n, 3] = sign * state[6]
            rows[n, 4] = sign * state[7] * (2 * left - 1)
            rows[n, 5] = 0.0
            n += 1
            if branched:
                ahead = (2.0 * b - 1) * second_logit(state, s, 1.0)
                rows[n, :3] = ahead if tied else 0.0
                rows[n, 3], rows[n, 4] = 0.0, 0.0
                rows[n, 5] = 0.0 if tied else ahead
                n += 1
            onset, outcome = errors(state, a, s, b, reward[m, t])
            moved = rate_1 * (reward[m, t] - traced[a])
            traced = (traced[0] + moved, traced[1]) if a == 0 else (traced[0], traced[1] + moved)
            state = learn(state, a, s, b, left, onset, outcome, rate_1, rate_2, 0.0)
    return n


@compiled
def logistic(rows, weights):
    """Log-likelihood of signed rows (row, weight), its gradient and its information."""
    n = len(weights)
    total, gradient, information = 0.0, np.zeros(n), np.zeros((n, n))
    for row in rows:
        logit = 0.0
        for k in range(n):
            logit += row[k] * weights[k]
        gained, by_logit = scored(logit, 1)
        total += gained
        bend = by_logit * (1 - by_logit)
        for k in range(n):
            gradient[k] += by_logit * row[k]
            for j in range(k + 1):
                information[k, j] += bend * row[k] * row[j]
    for k in range(n):
        for j in range(k):
            information[j, k] = information[k, j]
    return total, gradient, information


@compiled
def solved(matrix, x):
    """Solve equations of a symmetric positive definite matrix, which is lost, by its Cholesky factor; `x` is filled.

    In loops, as numba takes seconds to compile the door to LAPACK.
    """
    n = len(x)
    for j in range(n):
        for k in range(j):
            for i in range(j, n):
                matrix[i, j] -= matrix[i, k] * matrix[j, k]
        pivot = math.sqrt(matrix[j, j])
        for i in range(j, n):
            matrix[i, j] /= pivot
        for k in range(j):
            x[j] -= matrix[j, k] * x[k]
        x[j] /= pivot
    for j in range(n - 1, -1, -1):
        for i in range(j + 1, n):
            x[j] -= matrix[i, j] * x[i]
        x[j] /= matrix[j, j]
    return x


@compiled
def best_weights(rows, weights, lower, upper):
    """Climb to the best weights within bounds by projected Newton steps, in place; return the log-likelihood.

    It is concave in the weights, so that there is one maximum.
    """
    value, gradient, information = logistic(rows, weights)
    n = len(weights)
    for _ in range(STEPS):
        matrix, push = information.copy(), gradient.copy()
        for k in range(n):
            held = (weights[k] <= lower[k] and gradient[k] <= 0) or (weights[k] >= upper[k] and gradient[k] >= 0)
            if held:
                matrix[k, :], matrix[:, k], push[k] = 0.0, 0.0, 0.0
                matrix[k, k] = 1.0
            matrix[k, k] += 1e-6 * information[k, k] + 1e-9
        step = solved(matrix, push)
        if gradient @ step < 2 * ENOUGH:
            break
        for _ in range(20):
            tried = np.minimum(np.maximum(weights + step, lower), upper)
            reached, new_gradient, new_information = logistic(rows, tried)
            if reached >= value:
                break
            step /= 3
        else:
            break
        done = reached - value < ENOUGH
        value, gradient, information = reached, new_gradient, new_information
        for k in range(len(weights)):
            weights[k] = tried[k]
        if done:
            break
    return value


@compiled
def scan(
    pairs, p_common, tied, lower, upper, choice, second_state, second_choice, left_option, reward, played, branched
):
    """Best weights (pair, weight) and log-likelihood (pair,) at pairs of learning rates."""
    found, reached = np.empty((len(pairs), len(lower))), np.empty(len(pairs))
    rows = np.empty((2 * choice.size, len(lower)))
    weights = np.minimum(np.maximum(np.array([1.0, 1.0, 1.0, 0.0, 0.0, 2.0]), lower), upper)
    for i in range(len(pairs)):
        n = design(
            pairs[i, 0],
            pairs[i, 1],
            p_common,
            tied,
            choice,
            second_state,
            second_choice,
            left_option,
            reward,
            played,
            branched,
            rows,
        )
        reached[i] = best_weights(rows[:n], weights, lower, upper)  # from those of the last pair, which is near
        found[i] = weights
    return found, reached
