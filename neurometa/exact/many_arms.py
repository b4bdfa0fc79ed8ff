"""What can be earned with any number of Bernoulli arms, each uniform on [0, 1]: the optimum, and bounds on it.

Arms of the same wins and losses are alike, so that a multiset of counts says all there is to know.
"""

from functools import cache

import numba
import numpy as np

from neurometa.errors import InputError

MOST_TRIALS = 14  # of the optimum: 30,000 multisets after 10 trials, and three times as many with every two more
LONGEST = 500  # trials of a bound: a table of 20 MB, worked through some hundred times in half a minute
N_KNOTS, N_STEPS = 12, 200  # of the prices that bound it: what is left to gain is below 0.1 %

_compile = numba.njit(error_model="numpy", nogil=True, cache=True)


def optimal_reward(n_trials: int, n_arms: int) -> float:
    """Return the reward that the Bayes-optimal policy earns in an episode, by dynamic programming over multisets.

    Parameters
    ----------
    n_trials : int
        Trials in an episode, 1 to 14.
    n_arms : int
        Number of arms, at least 2; more than there are trials change nothing.

    Raises
    ------
    InputError
        A size is outside its range.

    Examples
    --------
    >>> round(optimal_reward(10, 5), 5)
    6.65999
    """
    _check(n_trials, n_arms, MOST_TRIALS, "for longer episodes there is upper_bound")

    @cache
    def worth(pulled: tuple[tuple[int, int], ...], left: int) -> float:
        if left == 0:
            return 0.0
        best = 0.0
        for arm in {*pulled, *([(0, 0)] if len(pulled) < n_arms else [])}:
            wins, losses = arm
            others = list(pulled)
            if wins + losses:
                others.remove(arm)
            won = worth(tuple(sorted([*others, (wins + 1, losses)])), left - 1)
            lost = worth(tuple(sorted([*others, (wins, losses + 1)])), left - 1)
            mean = (wins + 1) / (wins + losses + 2)
            best = max(best, mean * (1 + won) + (1 - mean) * lost)
        return best

    return worth((), n_trials)


def upper_bound(n_trials: int, n_arms: int) -> float:
    r"""Return what no policy can earn in an episode on average, for any number of trials.

    The least of two bounds. An oracle that knows all arms earns :math:`N K / (K + 1)`. And if one arm need only be
    pulled in each trial on average, the arms come apart: with a price :math:`\lambda_t` on a pull in trial t,

    .. math:: \sum_t \lambda_t + K \max_\pi E_\pi \Bigl[\sum_t a_t (r_t - \lambda_t)\Bigr]

    bounds the reward for any prices, the maximum being that of a single arm (Lagrangian relaxation: Whittle 1988). The
    prices go in lines between 12 of them, which subgradient steps make better.

    Parameters
    ----------
    n_trials : int
        Trials in an episode, 1 to 500.
    n_arms : int
        Number of arms, at least 2.

    Raises
    ------
    InputError
        A size is outside its range.
    """
    _check(n_trials, n_arms, LONGEST, "no bound has been worked out beyond")
    knot = 1 - (1 - np.linspace(0, 1, N_KNOTS)) ** 1.5  # closest at the end, where prices fall
    line = np.stack([np.interp(np.linspace(0, 1, n_trials), knot, one) for one in np.eye(N_KNOTS)], -1)
    price, least = np.linspace(0.85, 0.6, N_KNOTS), n_trials * n_arms / (n_arms + 1)
    mean, square = np.zeros(N_KNOTS), np.zeros(N_KNOTS)  # of the subgradients so far, weighted towards the last
    for i in range(N_STEPS):
        value, pulled = priced_arm(line @ price)
        least = min(least, float((line @ price).sum() + n_arms * value))
        slope = line.T @ (1 - n_arms * pulled)
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        scaled = mean / (1 - 0.9 ** (i + 1)) / (np.sqrt(square / (1 - 0.99 ** (i + 1))) + 1e-9)
        price = price - 0.03 * (1 - i / N_STEPS) * scaled
    return least


def priced_arm(price: np.ndarray) -> tuple[float, np.ndarray]:
    """Return what one arm earns at best, where a pull in a trial has a price, and how often it is then pulled.

    Parameters
    ----------
    price : ndarray (trial,)
        Of a pull, in units of reward.

    Returns
    -------
    value : float
        Expected reward less prices of the whole episode.
    pulled : ndarray (trial,)
        Probability of a pull in each trial.
    """
    return _priced_arm(np.ascontiguousarray(price, np.float64))


def _check(n_trials: int, n_arms: int, most: int, else_: str) -> None:
    if n_arms < 2:
        raise InputError(f"n_arms is {n_arms}; there is nothing to choose below 2.")
    if not 1 <= n_trials <= most:
        raise InputError(f"n_trials is {n_trials}; it must be 1 to {most}: {else_}.")


@_compile
def _priced_arm(price):
    """Backward induction over (trial, pulls, wins), then the probability of each forward."""
    n = len(price)
    pull = np.zeros((n, n * (n + 1) // 2), np.bool_)  # by trial and place of (pulls, wins)
    worth = np.zeros((n + 1, n + 1))
    for t in range(n - 1, -1, -1):
        for pulls in range(t + 1):  # in this order what follows a pull is still of the next trial
            for wins in range(pulls + 1):
                mean = (wins + 1) / (pulls + 2)
                go = mean * (1 + worth[pulls + 1, wins + 1]) + (1 - mean) * worth[pulls + 1, wins] - price[t]
                if go > worth[pulls, wins]:
                    worth[pulls, wins] = go
                    pull[t, pulls * (pulls + 1) // 2 + wins] = True
    prob, pulled = np.zeros((n + 1, n + 1)), np.zeros(n)
    prob[0, 0] = 1
    for t in range(n):
        for pulls in range(t, -1, -1):  # and here what a pull leads to is not yet looked at
            for wins in range(pulls + 1):
                here = prob[pulls, wins]
                if here > 0 and pull[t, pulls * (pulls + 1) // 2 + wins]:
                    mean = (wins + 1) / (pulls + 2)
                    pulled[t] += here
                    prob[pulls, wins] = 0
                    prob[pulls + 1, wins + 1] += here * mean
                    prob[pulls + 1, wins] += here * (1 - mean)
    return worth[0, 0], pulled
