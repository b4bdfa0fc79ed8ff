"""What planners compute, compiled: counts of what was seen, and one plan from them for each episode.

`counts` are the next states seen, (episode, state, action, next state), `visits` and `earned` the times that an action
was taken and its rewards, (episode, state, action); `worth` is filled, (episode, step, state, action). A prior is
(mean, precision, concentration): see `neurometa.agents.mdp.planner.MDPPrior`.
"""

# ruff: noqa: NPY002 - in compiled code these are numba's own generator, which each episode seeds for itself

import numba
import numpy as np

from neurometa.exact.mdp import back_up

_compile = numba.njit(error_model="numpy", nogil=True, cache=True)


@_compile
def learn(counts, visits, earned, seen, taken, paid, n_steps):
    """Add the steps of a trial: where each was taken, (episode, step), which action (-1: none), and what it paid.

    The state after the last of `n_steps` is not seen, so that this one counts as a payment only.
    """
    for i in range(len(seen)):
        for t in range(n_steps[i]):
            s, a = seen[i, t], taken[i, t]
            if a >= 0:
                visits[i, s, a] += 1
                earned[i, s, a] += paid[i, t]
                if t + 1 < n_steps[i]:
                    counts[i, s, a, seen[i, t + 1]] += 1


@_compile
def _expected(counts, visits, earned, prior, prob, reward):
    """Fill the posterior mean of one process; where nothing is known of the next state all are equally likely."""
    mean, precision, concentration = prior
    n_states, n_actions, _ = prob.shape
    for s in range(n_states):
        for a in range(n_actions):
            reward[s, a] = (precision * mean + earned[s, a]) / (precision + visits[s, a])
            total = n_states * concentration
            for k in range(n_states):
                total += counts[s, a, k]
            for k in range(n_states):
                prob[s, a, k] = (concentration + counts[s, a, k]) / total if total > 0 else 1 / n_states


@_compile
def plan_mean(counts, visits, earned, prior, scale, worth):
    """Plan with the posterior mean and the bonuses of BEB, for steps to come `scale` over the transitions seen."""
    n_states, n_actions = visits.shape[1:]
    prob, reward = np.empty((n_states, n_actions, n_states)), np.empty((n_states, n_actions))
    bonus = np.zeros((n_states, n_actions))
    for i in range(len(visits)):
        _expected(counts[i], visits[i], earned[i], prior, prob, reward)
        if scale > 0:
            for s in range(n_states):
                for a in range(n_actions):
                    reward[s, a] += 1 / (1 + prior[1] + visits[i, s, a])
                    bonus[s, a] = scale / (1 + n_states * prior[2] + counts[i, s, a].sum())
        back_up(prob, reward, bonus, worth[i])


@_compile
def plan_samples(counts, visits, earned, prior, n_samples, seed, worth):
    """Plan with processes drawn from the posterior, and keep the most that any of them promises."""
    mean, precision, concentration = prior
    n_states, n_actions = visits.shape[1:]
    prob, reward = np.empty((n_states, n_actions, n_states)), np.empty((n_states, n_actions))
    none, one = np.zeros((n_states, n_actions)), np.empty(worth.shape[1:])
    for i in range(len(visits)):
        np.random.seed(seed[i])
        worth[i] = -np.inf
        for _ in range(n_samples):
            for s in range(n_states):
                for a in range(n_actions):
                    known = precision + visits[i, s, a]
                    reward[s, a] = (precision * mean + earned[i, s, a]) / known + np.random.normal() / np.sqrt(known)
                    total = 0.0
                    for k in range(n_states):
                        weight = concentration + counts[i, s, a, k]
                        drawn = -np.log(1 - np.random.random()) if weight == 1 else np.random.gamma(weight, 1.0)
                        prob[s, a, k] = drawn
                        total += drawn
                    prob[s, a] /= total
            back_up(prob, reward, none, one)
            worth[i] = np.maximum(worth[i], one)


@_compile
def plan_optimistic(counts, visits, earned, prior, log_term, scaling, overwrite, worth):
    """Plan with the best process of those in UCRL2's confidence sets, by extended value iteration.

    `log_term` (episode,) is log(2 S A (t + 1) / delta).
    """
    n_states, n_actions = visits.shape[1:]
    horizon, concentration = worth.shape[1], prior[2]
    prob, reward = np.empty((n_states, n_actions, n_states)), np.empty((n_states, n_actions))
    slack, moved = np.empty((n_states, n_actions)), np.empty(n_states)
    order, best, after = np.empty(n_states, np.int64), np.empty(n_states), np.empty(n_states)
    for i in range(len(visits)):
        _expected(counts[i], visits[i], earned[i], prior, prob, reward)
        for s in range(n_states):
            for a in range(n_actions):
                reward[s, a] += scaling * np.sqrt(4 * log_term[i] / max(visits[i, s, a], 1.0))
                seen = (n_states - 1) * concentration + counts[i, s, a].sum()
                slack[s, a] = scaling * np.sqrt(4 * n_states * log_term[i] / max(seen, 1.0))
        after[:] = 0
        for left in range(horizon):
            _sort(after, order)
            for s in range(n_states):
                best[s] = -np.inf
                for a in range(n_actions):
                    for k in range(n_states):
                        moved[k] = prob[s, a, k]
                    whole = _favour(moved, slack[s, a] / 2, order)
                    if overwrite and not whole:
                        for k in range(n_states):
                            prob[s, a, k] = moved[k]
                    q = reward[s, a] + (moved * after).sum()
                    worth[i, horizon - 1 - left, s, a] = q
                    best[s] = max(best[s], q)
            for s in range(n_states):
                after[s] = best[s]


@_compile
def _sort(x, order):
    """Fill the order of x from its least, what is equal staying as it stood."""
    for j in range(len(x)):
        k = j
        while k > 0 and x[order[k - 1]] > x[j]:
            order[k] = order[k - 1]
            k -= 1
        order[k] = j


@_compile
def _favour(prob, gained, order):
    """Move up to so much probability to the last state of an order, from its first; say whether it got all there is."""
    last = order[-1]
    if prob[last] + gained > 1:
        prob[:] = 0
        prob[last] = 1
        return True
    prob[last] += gained
    surplus = prob.sum() - 1
    for k in order[:-1]:
        if surplus <= 0:
            break
        given = min(prob[k], surplus)
        prob[k] -= given
        surplus -= given
    return False
