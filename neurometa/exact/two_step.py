"""What the ideal agent earns and repeats in the two-step task, without sampling.

An outcome tells as much about which second-stage state is the better whatever was chosen,
so that the ideal agent's belief is a random walk of its log-odds: up or down by logit(p)
with each outcome, pulled towards 0 by the chance of a swap. Its distribution is carried
forward on a grid of which logit(p) is a multiple; without swaps it stays on the grid, and
what follows is exact. An oracle for tests and a ceiling for agents (Wang et al. 2016,
experiment 5; 2018, simulation 4).
"""

import numpy as np
import xarray as xr
from scipy.special import expit, logit

from neurometa.errors import InputError

FINENESS = 2000  # grid points per logit(p) where states swap; at half of it stay probabilities are the same to 1e-4


def ideal_reward(
    n_trials: int = 100, p_common: float = 0.8, p_reversal: float = 0.025, p_reward: float = 0.9
) -> xr.DataArray:
    """Reward that the ideal agent expects of each trial, the most that any agent can.

    Parameters
    ----------
    n_trials : int
        Trials in an episode.
    p_common, p_reversal, p_reward : float
        Probability of the common transition [.5, 1], of a swap before a trial [0, .5], and of a
        reward in the better state, above .5 and below 1.

    Returns
    -------
    DataArray
        Expected reward over ``trial``, in [.5, 1].

    Raises
    ------
    InputError
        A setting is outside its range.

    Examples
    --------
    >>> ideal_reward(10, p_common=0.75, p_reversal=0).sum().round(3).item()
    6.688
    """
    belief, mass, _ = _beliefs(n_trials, p_common, p_reversal, p_reward)
    gain = (2 * p_common - 1) * (2 * p_reward - 1)
    return xr.DataArray(0.5 + gain * mass @ np.abs(belief - 0.5), dims="trial", name="reward")


def ideal_stay(
    n_trials: int = 100, p_common: float = 0.8, p_reversal: float = 0.025, p_reward: float = 0.9
) -> xr.DataArray:
    """Probability that the ideal agent repeats its choice, by what the last trial brought.

    All pairs of trials of an episode count alike; where both actions are as good, each is
    taken equally often.

    Parameters
    ----------
    n_trials, p_common, p_reversal, p_reward
        As for `ideal_reward`; two trials or more.

    Returns
    -------
    DataArray
        Probability over ``previous_outcome`` (rewarded, unrewarded) and ``previous_transition``
        (common, rare). NaN where a cell cannot occur.

    Raises
    ------
    InputError
        A setting is outside its range.

    Examples
    --------
    >>> ideal_stay().sel(previous_outcome="rewarded", previous_transition="common").round(4).item()
    1.0
    """
    if n_trials < 2:
        raise InputError(f"n_trials is {n_trials}; there is nothing to repeat below 2.")
    belief, mass, moved = _beliefs(n_trials, p_common, p_reversal, p_reward)
    before = mass[:-1].sum(0)  # which trial it was does not matter
    now = _prefers_first(belief)
    stayed, occurred = np.zeros((2, 2)), np.zeros((2, 2))  # over (outcome, transition)
    for first in (True, False):  # the choice: action 0 or action 1
        chosen = before * (now if first else 1 - now)
        for transition, p_transition in enumerate((p_common, 1 - p_common)):
            in_first = first == (transition == 0)  # state 0 was reached
            worth = belief * p_reward + (1 - belief) * (1 - p_reward)
            paid = worth if in_first else 1 - worth
            for outcome, p_outcome in enumerate((paid, 1 - paid)):
                after = moved[0 if in_first == (outcome == 0) else 1]  # up by a win in state 0 or a loss in state 1
                again = _prefers_first(expit(after)) if first else 1 - _prefers_first(expit(after))
                cell = chosen * p_transition * p_outcome
                stayed[outcome, transition] += (cell * again).sum()
                occurred[outcome, transition] += cell.sum()
    with np.errstate(invalid="ignore"):
        stay = stayed / occurred
    coords = {"previous_outcome": ["rewarded", "unrewarded"], "previous_transition": ["common", "rare"]}
    return xr.DataArray(stay, coords, dims=list(coords), name="stay_probability")


def _prefers_first(belief: np.ndarray) -> np.ndarray:
    """Probability that action 0 is taken: all or nothing, but half at a tie."""
    gap = belief - 0.5
    return np.where(np.abs(gap) < 1e-9, 0.5, gap > 0)


def _beliefs(
    n_trials: int, p_common: float, p_reversal: float, p_reward: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Beliefs that state 0 is the better, on a grid, the mass of each on each trial, and where each outcome leads.

    Shapes: (grid,), (trial, grid), (2, grid); the last holds log-odds, for an outcome that speaks for
    state 0, and for one that speaks against it.
    """
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; it must be at least 1.")
    if not 0.5 <= p_common <= 1:
        raise InputError(f"p_common is {p_common}; it must lie between 0.5 and 1.")
    if not 0 <= p_reversal <= 0.5:
        raise InputError(f"p_reversal is {p_reversal}; it must lie between 0 and 0.5.")
    if not 0.5 < p_reward < 1:
        raise InputError(f"p_reward is {p_reward}; it must lie between 0.5 and 1, without them.")
    step = logit(p_reward)
    if p_reversal:
        spacing = step / FINENESS
        reach = int(np.ceil(logit(1 - p_reversal) / spacing)) + 1  # no belief is surer than the chance of a swap allows
    else:
        spacing, reach = step, n_trials
    odds = np.arange(-reach, reach + 1) * spacing
    belief = expit(odds)
    moved = np.stack([_swapped(odds + step, p_reversal), _swapped(odds - step, p_reversal)])
    up = belief * p_reward + (1 - belief) * (1 - p_reward)
    mass = np.zeros((n_trials, len(odds)))
    mass[0, reach] = 1
    for trial in range(1, n_trials):
        for after, p in zip(moved, (up, 1 - up), strict=True):
            place = np.clip(after / spacing + reach, 0, len(odds) - 1)
            below = np.minimum(np.floor(place + 1e-9).astype(int), len(odds) - 2)
            share = place - below
            arriving = mass[trial - 1] * p
            # split between two neighbours so that the mean stays
            mass[trial] += np.bincount(below, arriving * (1 - share), len(odds))
            mass[trial] += np.bincount(below + 1, arriving * share, len(odds))
    return belief, mass, moved


def _swapped(odds: np.ndarray, p_reversal: float) -> np.ndarray:
    """Log-odds after the states may have swapped."""
    belief = expit(odds)
    return logit(belief * (1 - p_reversal) + (1 - belief) * p_reversal) if p_reversal else odds
