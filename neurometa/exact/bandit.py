"""Exact answers for small bandits: the Bayes-optimal policy, and the regret of any policy without sampling.

For two Bernoulli arms the pulls and wins of each arm say all there is to know, so that a
policy is a table over these counts and its regret a sum over them. An oracle, for tests
and for the curves that agents are held against (Wang et al. 2016, Fig 2).

A policy is a list over trials of arrays (n, w0, w1): the probability of choosing arm 0
after `n` pulls of arm 0 (the others were pulls of arm 1) that won `w0` and `w1` times.
Cells that cannot occur are not read.
"""

from collections.abc import Callable
from functools import cache
from math import comb
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import betaln, expit, logit

from neurometa.errors import InputError

# p of the better of two anti-correlated arms; None draws it uniformly (Wang et al. 2016, section 3.1.2)
DIFFICULTIES = {"uniform": None, "easy": 0.9, "medium": 0.75, "hard": 0.6}
Policy = list[np.ndarray]


class Counts(NamedTuple):
    """Wins and losses of both arms, in every cell that can occur, or as arrays that broadcast to (n, w0, w1)."""

    wins0: np.ndarray
    losses0: np.ndarray
    wins1: np.ndarray
    losses1: np.ndarray


class Prior(NamedTuple):
    """What is known of two arms before the first trial.

    Attributes
    ----------
    predict : callable
        `Counts` -> expected reward probability of arm 0 and of arm 1 in the next trial.
    best : float
        Expected reward probability of the better arm.
    """

    predict: Callable[[Counts], tuple[np.ndarray, np.ndarray]]
    best: float


def independent() -> Prior:
    """Two arms whose probabilities are independent and uniform on [0, 1]: D_i of Wang et al. 2016."""

    def predict(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        wins0, losses0, wins1, losses1 = counts
        return (wins0 + 1) / (wins0 + losses0 + 2), (wins1 + 1) / (wins1 + losses1 + 2)

    return Prior(predict, best=2 / 3)


def anticorrelated(prob: float | None = None) -> Prior:
    """Arms that pay with p and 1 - p.

    Parameters
    ----------
    prob : float, optional
        p is `prob` or 1 - `prob` with equal chances: .9, .75 and .6 are D_e, D_m and D_h of
        Wang et al. 2016. By default p is uniform on [0, 1]: D_u.

    Raises
    ------
    InputError
        `prob` is outside (0, 1).
    """
    if prob is not None and not 0 < prob < 1:
        raise InputError(f"prob is {prob}; it must lie between 0 and 1, without them.")

    def predict(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        wins0, losses0, wins1, losses1 = counts
        first, second = wins0 + losses1, wins1 + losses0  # outcomes that speak for each arm
        if prob is None:
            mean = (first + 1) / (first + second + 2)
        else:
            posterior = expit(logit(prob) * (first - second))  # of p = prob
            mean = posterior * prob + (1 - posterior) * (1 - prob)
        return mean, 1 - mean

    return Prior(predict, best=0.75 if prob is None else max(prob, 1 - prob))


def bayes_optimal(prior: Prior, n_trials: int) -> tuple[Policy, float]:
    """Plan the policy that earns most under a prior, by backward induction over all counts.

    Parameters
    ----------
    prior : Prior
        What is known of the arms.
    n_trials : int
        Trials in an episode; the policy takes about `n_trials` ** 4 bytes, 0.1 GiB at 100.

    Returns
    -------
    policy : list of ndarray
        One array (n, w0, w1) per trial; arms of equal worth are chosen equally often.
    value : float
        Expected reward of the whole episode.
    """
    from neurometa.exact.counts import backward, occurring  # numba: half a second to load, of which fits have no need

    worth = np.zeros((n_trials + 1,) * 3)  # of what is to come, after the last trial
    policy = []
    for trial in reversed(range(n_trials)):
        choose0, worth = backward(worth, *prior.predict(Counts(*occurring(trial))))
        policy.append(choose0)
    return policy[::-1], float(worth.item())


def thompson(n_trials: int) -> Policy:
    """Thompson sampling with a uniform prior on each arm: the exact probability that arm 0 is the better.

    P(p0 > p1) for two Beta posteriors changes with each outcome by a term in closed form.
    """
    prob = np.full((1, 1, 1), 0.5)
    policy = []
    for trial in range(n_trials):
        policy.append(prob.astype(np.float32))
        a0, b0, a1, b1 = (x + 1 for x in _counts(trial))
        both = a0 + a1
        log_tie = betaln(both, np.maximum(trial + 4 - both, 1)) - betaln(a0, b0) - betaln(a1, b1)
        tie = np.exp(np.minimum(log_tie, 50))  # density of p0 = p1; far above 50 only where counts cannot occur
        prob_next = np.zeros((trial + 2,) * 3)
        prob_next[1:, 1:, :-1] = prob + tie / a0
        prob_next[1:, 0, :-1] = (prob - tie / b0)[:, 0]
        prob_next[0, 0, 1:] = (prob - tie / a1)[0, 0]
        prob_next[0, 0, 0] = (prob + tie / b1)[0, 0, 0]
        prob = np.clip(prob_next, 0, 1)
    return policy


def optimistic_thompson(n_trials: int, *, n_samples: int = 20) -> Policy:
    """Take the arm that most of `n_samples` draws from the posterior favour, as `neurometa.agents.OptimisticThompson`.

    Raises
    ------
    InputError
        `n_samples` is below 1.
    """
    if n_samples < 1:
        raise InputError(f"n_samples is {n_samples}; it must be at least 1.")
    need = (n_samples + 1) // 2  # an even number of votes, of which a tie goes either way, decides like one vote less
    return [_first_to(need, prob.astype(float)).astype(np.float32) for prob in thompson(n_trials)]


def _first_to(need: int, prob: np.ndarray) -> np.ndarray:
    """Probability of `need` successes before as many failures, each with `prob`: a sum over the failures until then."""
    failed = 1 - prob
    total = np.zeros_like(prob)
    for failures in reversed(range(need)):
        total *= failed
        total += comb(need - 1 + failures, failures)
    return prob**need * total


def ucb(n_trials: int, *, bonus: float = 1.0, prior: float = 0.0) -> Policy:
    r"""Upper confidence bound: :math:`\bar r_i + \chi\sqrt{\log n / n_i}`, chi the `bonus`.

    As `neurometa.agents.UCB`: n is the number of pulls so far; 1/sqrt(2) is the form of
    pymaBandits, sqrt(2) that of Auer et al. 2002. Each arm is taken once first, or else
    begins with `prior` wins and as many losses, and n counts the coming pull too.
    """

    def bound(wins: np.ndarray, losses: np.ndarray, log_n: float) -> np.ndarray:
        pulls = wins + losses + 2 * prior
        often = np.where(pulls > 0, pulls, 1)
        return np.where(pulls > 0, (wins + prior) / often + bonus * np.sqrt(log_n / often), np.inf)

    policy = []
    for trial in range(n_trials):
        wins0, losses0, wins1, losses1 = _counts(trial)
        log_n = np.log(trial + 1 if prior else max(trial, 1))
        policy.append(_prefer(bound(wins0, losses0, log_n), bound(wins1, losses1, log_n)))
    return policy


def gittins_index(n_trials: int, *, discount: float | None = None) -> Policy:
    """Take the arm of the higher Gittins index, of uniform priors.

    The index is that of the trials left, or with a `discount` in (0, 1) that of an endless
    episode; see `neurometa.exact.gittins`, whose table is kept in the user's cache folder.
    """
    from neurometa.exact import gittins  # numba: half a second to load, of which fits have no need

    index = gittins.finite_horizon(n_trials) if discount is None else gittins.discounted(n_trials, discount)
    policy = []
    for trial in range(n_trials):
        now = index[n_trials - trial - 1] if discount is None else index
        wins0, losses0, wins1, losses1 = _counts(trial)
        policy.append(_prefer(now[wins0, losses0], now[wins1, losses1], tie=1e-6))
    return policy


def greedy(prior: Prior, n_trials: int) -> Policy:
    """Take the arm more likely to pay under a prior, and never explore.

    Under `anticorrelated` this is the majority rule, and Bayes-optimal.
    """
    return [_prefer(*prior.predict(_counts(trial))) for trial in range(n_trials)]


def lapsing(policy: Policy, epsilon: float) -> Policy:
    """Let a policy choose at random on a share `epsilon` of its trials, in [0, 1].

    Raises
    ------
    InputError
        `epsilon` is outside [0, 1].
    """
    if not 0 <= epsilon <= 1:
        raise InputError(f"epsilon is {epsilon}; it must lie between 0 and 1.")
    return [(1 - epsilon) * choose0 + epsilon / 2 for choose0 in policy]


def evaluate(policy: Policy, prior: Prior) -> xr.DataArray:
    """Compute the expected regret of a policy, by following the probability of every count forward.

    Parameters
    ----------
    policy : list of ndarray
        One array (n, w0, w1) per trial, in [0, 1].
    prior : Prior
        The distribution the arms are drawn from; it need not be the one the policy assumes.

    Returns
    -------
    DataArray
        ``regret`` over ``trial``: the best arm's probability minus the chosen one's, expected
        and summed up to and including each trial.

    Raises
    ------
    InputError
        An array of the policy has another shape.
    """
    from neurometa.exact.counts import forward, occurring  # numba, as above

    prob, regret = np.ones((1, 1, 1)), []
    for trial, choose0 in enumerate(policy):
        check_shape(trial, choose0)
        means = prior.predict(Counts(*occurring(trial)))
        prob, earned = forward(prob, np.ascontiguousarray(choose0, dtype=float), *means)
        regret.append(prior.best - earned)
    attrs = {"long_name": "cumulative regret", "units": "reward"}
    return xr.DataArray(np.cumsum(regret), dims="trial", name="regret", attrs=attrs)


def check_shape(trial: int, choose0: np.ndarray) -> None:
    """Raise unless `choose0` can be a policy's array for `trial`, counted from 0."""
    if np.shape(choose0) != (trial + 1,) * 3:
        raise InputError(f"policy[{trial}] is {np.shape(choose0)}; it must be {(trial + 1,) * 3}, (n, w0, w1).")


def informative_optimal(n_trials: int = 5) -> float:
    """Return the Bayes-optimal expected reward of the informative bandit, by trying every choice after every history.

    One of arms 1-10 is the target and pays 5, the other nine pay 1, and arm 11 pays a tenth
    of the target's number (Wang et al. 2016, experiment 3).
    """

    @cache
    def worth(possible: frozenset[int], left: int) -> float:
        if left == 0:
            return 0.0
        n = len(possible)
        found = 5.0 * left  # the target, once known, is taken to the end
        ask = sum(possible) / n / 10 + 5.0 * (left - 1)
        search = [
            found / n + (1 - 1 / n) * (1 + worth(possible - {arm}, left - 1)) if n > 1 else found for arm in possible
        ]
        return max(ask, *search, 1 + worth(possible, left - 1) if n < 10 else 0.0)  # or an arm known to pay 1

    return worth(frozenset(range(1, 11)), n_trials)


def informative_thompson(n_trials: int = 5) -> float:
    """Return the expected reward of Thompson sampling in the informative bandit, with the true prior.

    Each draw names one of the targets still possible, so that it searches without
    replacement and stays with the target once found.
    """

    def worth(n_possible: int, left: int) -> float:
        if left == 0 or n_possible == 1:
            return 5.0 * left
        return (5.0 * left + (n_possible - 1) * (1 + worth(n_possible - 1, left - 1))) / n_possible

    return worth(10, n_trials)


def _counts(trial: int) -> Counts:
    """Return the counts of the cells (n, w0, w1) before a trial; losses are cut at 0 where a cell cannot occur."""
    n, wins0, wins1 = np.ogrid[: trial + 1, : trial + 1, : trial + 1]
    return Counts(wins0, np.maximum(n - wins0, 0), wins1, np.maximum(trial - n - wins1, 0))


def _prefer(worth0: np.ndarray, worth1: np.ndarray, tie: float = 1e-12) -> np.ndarray:
    """Probability of choosing arm 0 by worth, a half where the two are equal but for rounding."""
    above = (worth0 > worth1 + tie).astype(np.float32)
    return 0.5 * (above + (worth0 >= worth1 - tie))
