"""Log-likelihood of two-step choices, compiled: one pass over the trials for each set of parameters.

The equations are those of `neurometa.models.two_step`, compiled as they stand.
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
    general = np.empty((len(points), 9))
    for k, each in enumerate(model(*points.T).general()):
        general[:, k] = each
    return _compiled()(general, two_step.START, *sequences)


@functools.cache
def _compiled() -> Callable:
    """Compile the loop with the model's own equations, when it is first needed."""
    import numba  # takes half a second to load, and most who load this module fit no two-step model

    compiled = numba.njit(error_model="numpy", nogil=True)
    plan, first_logit, second_logit = (
        compiled(each) for each in (two_step.plan, two_step.first_logit, two_step.second_logit)
    )
    errors, learn = compiled(two_step.errors), compiled(two_step.learn)

    @compiled
    def log_prob(logit, option):
        signed = logit if option == 1 else -logit
        return -math.log1p(math.exp(-signed)) if signed > 0 else signed - math.log1p(math.exp(signed))

    @compiled
    def run(general, start, choice, second_state, second_choice, left_option, reward, played, branched):
        total = np.zeros(len(general))
        two = 1.0 if branched else 0.0
        for i in range(len(general)):
            slope_1, slope_2, rate_1, rate_2, eligibility, weight, stickiness, response, p_common = general[i]
            for m in range(len(choice)):
                state = start
                for t in range(choice.shape[1]):
                    if not played[m, t]:
                        continue
                    a, s, b, left = choice[m, t], second_state[m, t], second_choice[m, t], left_option[m, t]
                    planned = plan(state, two, p_common)
                    logit = first_logit(state, planned, left, slope_1, weight, stickiness, response)
                    total[i] += log_prob(logit, a)
                    if branched:
                        total[i] += log_prob(second_logit(state, s, slope_2), b)
                    onset, outcome = errors(state, a, s, b, reward[m, t])
                    state = learn(state, a, s, b, left, onset, outcome, rate_1, rate_2, eligibility)
        return total

    return run
