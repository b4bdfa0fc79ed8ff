r"""Tabular Markov decision processes of a known length, solved by going back from the last step.

With the transition probabilities p and mean rewards r of states s and actions a, and h steps left after this one,

.. math:: q_h(s, a) = r_{sa} + b_{sa} h + \sum_{s'} p_{sas'} v_{h-1}(s'), \quad v_h(s) = \max_a q_h(s, a),
          \quad v_{-1} = 0,

where b is a bonus for what follows, 0 unless a planner adds one.
"""

import numba
import numpy as np

from neurometa.errors import InputError

_compile = numba.njit(error_model="numpy", nogil=True, cache=True)


def plan(transition_prob: np.ndarray, mean_reward: np.ndarray, horizon: int) -> np.ndarray:
    """Solve processes that are known.

    Parameters
    ----------
    transition_prob : ndarray (process, state, action, next state)
        Probability of each next state.
    mean_reward : ndarray (process, state, action)
        In units of reward.
    horizon : int
        Steps of a visit, at least 1.

    Returns
    -------
    ndarray (process, step, state, action), float32
        What the steps that are left earn in expectation, if this action is taken now and the best ones from then on.

    Raises
    ------
    InputError
        The horizon is below 1, or the shapes do not fit together.
    """
    if horizon < 1:
        raise InputError(f"horizon is {horizon}; it must be at least 1.")
    n, n_states, n_actions = np.shape(mean_reward)
    if np.shape(transition_prob) != (n, n_states, n_actions, n_states):
        raise InputError(
            f"transition_prob is {np.shape(transition_prob)} and mean_reward {np.shape(mean_reward)}; they must be "
            "(process, state, action, next state) and (process, state, action)."
        )
    worth = np.empty((n, horizon, n_states, n_actions), np.float32)
    prob, reward = (np.ascontiguousarray(x, np.float64) for x in (transition_prob, mean_reward))
    _plan_each(prob, reward, worth)
    return worth


def oracle_reward(transition_prob: np.ndarray, mean_reward: np.ndarray, horizon: int) -> np.ndarray:
    """Return what the best policy earns of a visit that begins in state 0, (process,); arguments as of `plan`."""
    return plan(transition_prob, mean_reward, horizon)[:, 0, 0].max(-1)


@_compile
def back_up(prob, reward, bonus, worth):
    """Fill `worth` (step, state, action) of one process."""
    horizon, n_states, n_actions = worth.shape
    best, after = np.zeros(n_states), np.zeros(n_states)
    for left in range(horizon):
        for s in range(n_states):
            best[s] = -np.inf
            for a in range(n_actions):
                q = reward[s, a] + bonus[s, a] * left
                for k in range(n_states):
                    q += prob[s, a, k] * after[k]
                worth[horizon - 1 - left, s, a] = q
                best[s] = max(best[s], q)
        for s in range(n_states):
            after[s] = best[s]


@_compile
def _plan_each(prob, reward, worth):
    none = np.zeros(reward.shape[1:])
    for i in range(len(prob)):
        back_up(prob[i], reward[i], none, worth[i])
