"""Log-likelihood of two-step choices and its gradient, compiled: one pass over the trials for each set of parameters.

The equations are those of `neurometa.models.two_step`, compiled as they stand; their derivatives are
carried along from trial to trial, which costs about as much again, where differences would cost
two passes for each parameter.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from neurometa.models import TwoStepModel, two_step


class Sequences(NamedTuple):
    """Two-step trials that one set of parameters is to explain.

    Attributes
    ----------
    choice, second_state, second_choice, left_option : int array (member, trial)
        0 or 1 where the trial was played; 0 elsewhere, and where the task has no such thing.
    reward : float array (member, trial)
        In [0, 1].
    played : bool array (member, trial)
        Whether the trial scores and teaches.
    branched : bool
        Whether there is a second choice to score.
    """

    choice: np.ndarray
    second_state: np.ndarray
    second_choice: np.ndarray
    left_option: np.ndarray
    reward: np.ndarray
    played: np.ndarray
    branched: bool


def score(model: type[TwoStepModel], sequences: Sequences, points: np.ndarray) -> np.ndarray:
    """Log-likelihood at each point.

    Parameters
    ----------
    model : TwoStepModel class
        Says what its parameters are to the general learner.
    sequences : Sequences
        The choices.
    points : float array (point, parameter)
        In the order of the model's parameters.

    Returns
    -------
    float array (point,)
        In nats, summed over trials, stages and members.
    """
    general = np.empty((len(points), len(two_step.GENERAL)))
    for k, each in enumerate(model(*points.T).general()):
        general[:, k] = each
    return _compiled()(general, two_step.START, *sequences)[0]


class Ties(NamedTuple):
    """How a model's own parameters make those of the general learner: ``matrix @ own + fixed``.

    Attributes
    ----------
    matrix : float array (general, own)
        1 where one stands for the other, else 0.
    fixed : float array (general,)
        What the model holds.
    """

    matrix: np.ndarray
    fixed: np.ndarray


def ties(model: type[TwoStepModel]) -> Ties:
    """Return how a model's parameters make the general learner's."""
    n = len(model.parameters())
    fixed = np.array(model(*[0.0] * n).general(), float)
    return Ties(np.stack([model(*each).general() - fixed for each in np.eye(n)], axis=1), fixed)


def slope(tied: Ties, sequences: Sequences, point: np.ndarray) -> tuple[float, np.ndarray]:
    """Log-likelihood at one point (parameter,), in nats, and its gradient by the model's parameters."""
    general = tied.matrix @ point + tied.fixed
    value, gradient = _compiled()(general[None], two_step.START, *sequences)
    return float(value[0]), gradient[0] @ tied.matrix


@functools.cache
def _compiled() -> Callable:
    """Compile the loop with the model's own equations, when it is first needed."""
    import numba  # half a second to load, of which other fits have no need

    compiled = numba.njit(error_model="numpy", nogil=True)
    plan, first_logit, second_logit = (
        compiled(each) for each in (two_step.plan, two_step.first_logit, two_step.second_logit)
    )
    errors, learn = compiled(two_step.errors), compiled(two_step.learn)

    @compiled
    def scored(logit, option):
        """Log-probability of the option, and its derivative by the logit."""
        signed = logit if option == 1 else -logit
        small = math.exp(-abs(signed))
        other = (small if signed > 0 else 1.0) / (1 + small)  # probability of the other option
        return min(signed, 0.0) - math.log1p(small), other if option == 1 else -other

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
    def run(general, start, choice, second_state, second_choice, left_option, reward, played, branched):
        total, gradient = np.zeros(len(general)), np.zeros(general.shape)
        two = 1.0 if branched else 0.0
        first = np.empty((3, 2))  # derivatives of both first-stage values by both learning rates and the eligibility
        second = np.empty(4)  # of the second-stage values by their learning rate
        for i in range(len(general)):
            slope_1, slope_2, rate_1, rate_2, eligibility, weight, stickiness, response, p_common = general[i]
            up = gradient[i]
            for m in range(len(choice)):
                state = start
                first[:], second[:] = 0.0, 0.0
                for t in range(choice.shape[1]):
                    if not played[m, t]:
                        continue
                    a, s, b, left = choice[m, t], second_state[m, t], second_choice[m, t], left_option[m, t]
                    at = 2 * s + b
                    planned = plan(state, two, p_common)
                    logit = first_logit(state, planned, left, slope_1, weight, stickiness, response)
                    value, by_logit = scored(logit, a)
                    total[i] += value
                    by_rate, by_common = by_plan(state, second, two, p_common)
                    cached, share = slope_1 * (1 - weight) * by_logit, slope_1 * weight * by_logit
                    ahead = planned[1] - planned[0]
                    net = weight * ahead + (1 - weight) * (state[1] - state[0])
                    side = state[7] * (2 * left - 1)
                    up[0] += by_logit * (net + stickiness * state[6] + response * side)
                    up[2] += cached * (first[0, 1] - first[0, 0])
                    up[3] += cached * (first[1, 1] - first[1, 0]) + share * by_rate
                    up[4] += cached * (first[2, 1] - first[2, 0])
                    up[5] += slope_1 * by_logit * (ahead - (state[1] - state[0]))
                    up[6] += slope_1 * by_logit * state[6]
                    up[7] += slope_1 * by_logit * side
                    up[8] += share * by_common
                    if branched:
                        value, by_logit = scored(second_logit(state, s, slope_2), b)
                        total[i] += value
                        up[1] += by_logit * second_logit(state, s, 1.0)
                        up[3] += by_logit * slope_2 * (second[2 * s + 1] - second[2 * s])
                    onset, outcome = errors(state, a, s, b, reward[m, t])
                    state = learn(state, a, s, b, left, onset, outcome, rate_1, rate_2, eligibility)
                    first[0, a] += onset + eligibility * outcome - rate_1 * first[0, a]
                    first[1, a] += rate_1 * ((1 - eligibility) * second[at] - first[1, a])
                    first[2, a] += rate_1 * (outcome - first[2, a])
                    second[at] += outcome - rate_2 * second[at]
        return total, gradient

    return run
