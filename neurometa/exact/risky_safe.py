"""Exact answers for a safe and a risky arm: the Bayes-optimal policy, and what it earns without sampling.

The safe arm always pays 1. The risky one pays 4 with one of two probabilities, drawn once per
episode with equal chances, and has been pulled 5 times before choices are free. Its pulls and
wins say all there is to know, so that a policy is a table over them (Wang et al. 2018, simulation 6).
"""

import numpy as np
import xarray as xr

from neurometa.errors import InputError

RISKY_PROBS = (0.125, 0.5)  # the safe arm is better, the risky arm is better
SAFE_REWARD, RISKY_REWARD, WRONG = 1.0, 4.0, -1.0  # the last of a response that was not allowed

Policy = list[np.ndarray]  # of each free trial, whether to take the risk (free risky pulls, wins), bool


def posterior(pulls: np.ndarray | int, wins: np.ndarray | int) -> np.ndarray:
    """Probability that the risky arm is the better one, which pays with .5, given its pulls and wins.

    Parameters
    ----------
    pulls, wins : int, or array of int
        Pulls of the risky arm, and how many of them were rewarded.

    Returns
    -------
    ndarray
        In [0, 1].
    """
    pulls, wins = np.asarray(pulls), np.asarray(wins)
    low, high = (p**wins * (1 - p) ** (pulls - wins) for p in RISKY_PROBS)
    return high / (low + high)


def win_prob(pulls: np.ndarray | int, wins: np.ndarray | int) -> np.ndarray:
    """Probability that the next risky pull is rewarded, given those so far."""
    better = posterior(pulls, wins)
    return RISKY_PROBS[0] * (1 - better) + RISKY_PROBS[1] * better


def bayes_optimal(n_free: int = 20, n_before: int = 5) -> tuple[Policy, float]:
    """Plan free trials by dynamic programming over the pulls and wins of the risky arm.

    Parameters
    ----------
    n_free : int
        Free trials.
    n_before : int
        Forced risky pulls before them.

    Returns
    -------
    policy : list of ndarray
        Of each free trial whether to take the risky arm, (free risky pulls, wins), the wins counting
        forced pulls too. Cells that cannot occur are not read.
    value : float
        Expected reward of the free trials, summed, before the forced ones.

    Raises
    ------
    InputError
        There are fewer than 1 free trial, or fewer than 0 forced pulls.
    """
    _check(n_free, n_before)
    policy: Policy = []
    ahead = np.zeros((n_free + 1, n_before + n_free + 1))  # value of the trials left
    for trial in reversed(range(n_free)):
        pulled, wins = np.meshgrid(np.arange(trial + 1), np.arange(n_before + trial + 1), indexing="ij")
        p = win_prob(n_before + pulled, np.minimum(wins, n_before + pulled))
        after_win, after_loss = ahead[1 : trial + 2, 1 : wins.shape[1] + 1], ahead[1 : trial + 2, : wins.shape[1]]
        risky = p * (RISKY_REWARD + after_win) + (1 - p) * after_loss
        safe = SAFE_REWARD + ahead[: trial + 1, : wins.shape[1]]
        policy.insert(0, risky > safe)
        ahead = np.maximum(risky, safe)
    start = _wins(n_before, np.array(RISKY_PROBS)).mean(0)
    return policy, float(start @ ahead[0])


def evaluate(policy: Policy, risky_prob: float, n_before: int = 5) -> xr.Dataset:
    """Work out what a policy does and earns where the risky arm pays with a probability, without sampling.

    Parameters
    ----------
    policy : list of ndarray
        As `bayes_optimal` returns it.
    risky_prob : float
        Reward probability of the risky arm, in [0, 1].
    n_before : int
        Forced risky pulls before the free trials.

    Returns
    -------
    Dataset
        ``risky``, the probability of a risky choice, and the expected ``reward``, over free ``trial``.

    Raises
    ------
    InputError
        The probability is outside its range, or the policy is empty.
    """
    if not 0 <= risky_prob <= 1:
        raise InputError(f"risky_prob is {risky_prob}; it must lie between 0 and 1.")
    _check(len(policy), n_before)
    here = np.zeros((len(policy) + 1, n_before + len(policy) + 1))  # probability of (free risky pulls, wins)
    here[0, : n_before + 1] = _wins(n_before, np.array([risky_prob]))[0]
    share = np.empty(len(policy))
    for trial, take in enumerate(policy):
        risked = np.zeros_like(here)
        risked[: take.shape[0], : take.shape[1]] = here[: take.shape[0], : take.shape[1]] * take
        share[trial] = risked.sum()
        here = here - risked
        here[1:, 1:] += risky_prob * risked[:-1, :-1]
        here[1:] += (1 - risky_prob) * risked[:-1]
    reward = SAFE_REWARD * (1 - share) + RISKY_REWARD * risky_prob * share
    return xr.Dataset(
        {
            "risky": ("trial", share, {"long_name": "probability of a risky choice"}),
            "reward": ("trial", reward, {"long_name": "expected reward", "units": "reward"}),
        }
    )


def _wins(n: int, p: np.ndarray) -> np.ndarray:
    """Binomial probabilities of 0 ... n wins for each p, (p, wins)."""
    from scipy.stats import binom

    return binom.pmf(np.arange(n + 1), n, p[:, None])


def _check(n_free: int, n_before: int) -> None:
    if n_free < 1:
        raise InputError(f"There are {n_free} free trials; there must be at least 1.")
    if n_before < 0:
        raise InputError(f"n_before is {n_before}; it must be at least 0.")
