"""Compiled loops over trials for `models.LatentState`: its likelihood, and its best slope at given rates.

The filter is the model's own `learn`, compiled as it stands. This module loads numba, which takes half a second;
others import it where they first need it.
"""

import math

import numba
import numpy as np

from neurometa.fitting.kept import unchanged
from neurometa.models import LatentState

EQUATIONS = (LatentState.learn,)
DIGEST = "23f4410db11d"  # of these equations: see `neurometa.fitting.kept`
compiled = numba.njit(error_model="numpy", nogil=True, cache=unchanged(DIGEST, *EQUATIONS))
(learn,) = (compiled(each) for each in EQUATIONS)
STEPS = 60  # of Newton's method for the slope; some five are the rule
STILL = 1e-9  # nats that another step must promise


@compiled
def leads(fresh, chosen, reward, hazard_rate, better_prob, first, lead):
    """Fill `lead` (trial,) with the belief in the chosen arm minus that in the other, before each trial.

    Option 1 is believed to be the better one with probability `first` before the first trial.
    """
    state = (first, 1 - first)
    for t in range(len(lead)):
        if fresh[t]:
            state = (first, 1 - first)
        sign = 2 * chosen[t] - 1
        lead[t] = sign * (state[0] - state[1])
        state = learn(state, chosen[t], reward[t], hazard_rate, better_prob)


@compiled
def scored(lead, slope):
    """Log-likelihood at a slope, its derivative, and minus its second derivative."""
    total, gradient, bend = 0.0, 0.0, 0.0
    for x in lead:
        signed = slope * x
        small = math.exp(-abs(signed))
        other = (small if signed > 0 else 1.0) / (1 + small)
        total += min(signed, 0.0) - math.log1p(small)
        gradient += other * x
        bend += other * (1 - other) * x * x
    return total, gradient, bend


@compiled
def best_slope(lead, slope, lower, upper):
    """Best slope within its bounds, and the log-likelihood there, which is concave in it."""
    value, gradient, bend = scored(lead, slope)
    for _ in range(STEPS):
        if (slope <= lower and gradient <= 0) or (slope >= upper and gradient >= 0):
            break
        step = gradient / max(bend, 1e-12)
        if 0.5 * gradient * step < STILL:
            break
        for _ in range(40):
            tried = min(max(slope + step, lower), upper)
            reached, new_gradient, new_bend = scored(lead, tried)
            if reached >= value or tried == slope:
                break
            step /= 3
        if reached <= value:
            break
        slope, value, gradient, bend = tried, reached, new_gradient, new_bend
    return slope, value


@compiled
def value(points, fresh, chosen, reward):
    """Log-likelihood (point,) at hazard rates, better probabilities, slopes and first beliefs (point, 4)."""
    total, lead = np.empty(len(points)), np.empty(len(chosen))
    for i in range(len(points)):
        leads(fresh, chosen, reward, points[i, 0], points[i, 1], points[i, 3], lead)
        total[i] = scored(lead, points[i, 2])[0]
    return total


@compiled
def scan(points, lower, upper, fresh, chosen, reward):
    """Best slopes (point,) and log-likelihoods there, at `points` as for `value`.

    The search for a slope begins at that of the point before, a neighbour of the grid, and at the first one's own.
    """
    best, total, lead = np.empty(len(points)), np.empty(len(points)), np.empty(len(chosen))
    for i in range(len(points)):
        leads(fresh, chosen, reward, points[i, 0], points[i, 1], points[i, 3], lead)
        near = points[i, 2] if i == 0 else best[i - 1]
        best[i], total[i] = best_slope(lead, near, lower, upper)
    return best, total
