r"""Exact answers for baited arms whose base probabilities are known: what foraging can earn at most.

Arm a pays with :math:`1 - (1 - p_0(a))^{n(a)+1}`, n trials after the trial that followed its last
choice, and :math:`p_0` of the two arms sums to 0.5 (Wang et al. 2018, simulation 1). Rewards
change nothing that is not known, so that the best policy is a cycle: the rich arm
`run_length` times, then the lean one once. An agent that must infer :math:`p_0` cannot earn
more than one that knows it.
"""

from collections.abc import Sequence

import numpy as np

from neurometa.errors import InputError

TOTAL = 0.5  # base probabilities of the two arms sum to this
LONGEST = 2000  # neglect of the lean arm that is looked at: by then all but base probabilities below .004 pay surely


def cycle_reward(base_prob: float, run_length: int) -> float:
    """Return the reward per trial, in the long run, of the rich arm `run_length` times and then the lean one once.

    Parameters
    ----------
    base_prob : float
        Of the rich arm, in [.25, .5].
    run_length : int
        At least 1; 1 is strict alternation.

    Raises
    ------
    InputError
        A parameter is outside its range.
    """
    _check(base_prob)
    if run_length < 1:
        raise InputError(f"run_length is {run_length}; it must be at least 1.")
    return float(_cycles(base_prob, np.array([run_length]))[0])


def run_length(base_prob: float) -> int:
    """Return how often to take the rich arm between two choices of the lean one, to earn the most in the long run.

    Parameters
    ----------
    base_prob : float
        Of the rich arm, in [.25, .5].

    Returns
    -------
    int
        The smallest of the best; `LONGEST` where the lean arm is hardly ever worth a visit, as at .5.

    Raises
    ------
    InputError
        The base probability is outside its range.
    """
    _check(base_prob)
    if base_prob == TOTAL:
        return LONGEST
    earned = _cycles(base_prob, np.arange(1, LONGEST + 1))
    return int(np.argmax(earned >= earned.max() - 1e-12)) + 1


def optimum(base_prob: float) -> float:
    """Return the most that can be earned per trial in the long run.

    Parameters
    ----------
    base_prob : float
        Of the rich arm, in [.25, .5].

    Examples
    --------
    >>> [round(optimum(p), 4) for p in (0.5, 0.4, 0.3, 0.25)]
    [0.5, 0.4517, 0.435, 0.4375]
    """
    return max(cycle_reward(base_prob, run_length(base_prob)), base_prob)


def episode_optimum(base_prob: float, n_trials: int) -> float:
    """Return the most that an episode can earn per trial, by backward induction over how long each arm was neglected.

    It may be a little below `optimum`, since neither arm has been neglected when an episode begins.

    Parameters
    ----------
    base_prob : float
        Of either arm, in [0, .5].
    n_trials : int
        Trials in the episode, at least 1.

    Raises
    ------
    InputError
        A parameter is outside its range.
    """
    if not 0 <= base_prob <= TOTAL:
        raise InputError(f"base_prob is {base_prob}; it must lie between 0 and 0.5.")
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; it must be at least 1.")
    longer = np.arange(1, n_trials + 2)
    held = [1 - (1 - p) ** longer for p in (base_prob, TOTAL - base_prob)]  # by arm, after n = 0, 1, ...
    # to come, by how long the other arm was neglected, when arm 0 and when arm 1 was chosen last
    after0 = after1 = np.zeros(n_trials + 2)
    for _ in range(n_trials - 1):
        stay0, stay1 = held[0][0] + after0[1:], held[1][0] + after1[1:]
        leave0, leave1 = held[1] + after1[1], held[0] + after0[1]
        after0 = np.append(np.maximum(stay0, leave0), np.nan)  # longer neglect than an episode can hold is not read
        after1 = np.append(np.maximum(stay1, leave1), np.nan)
    first = max(held[0][0] + after0[1], held[1][0] + after1[1]) if n_trials > 1 else max(held[0][0], held[1][0])
    return float(first / n_trials)


def mean_optimum(base_prob_ranges: Sequence[tuple[float, float]], n_trials: int, *, n_bins: int = 200) -> float:
    """Return the mean of `episode_optimum` over base probabilities that are uniform on some ranges.

    Parameters
    ----------
    base_prob_ranges : sequence of (low, high)
        Disjoint ranges of one arm's base probability, within [0, .5].
    n_trials : int
        Trials in an episode.
    n_bins : int
        Midpoints of each range at which it is computed.
    """
    place = (np.arange(n_bins) + 0.5) / n_bins
    lengths = np.array([high - low for low, high in base_prob_ranges])
    means = [
        np.mean([episode_optimum(low + (high - low) * x, n_trials) for x in place]) for low, high in base_prob_ranges
    ]
    return float(lengths @ means / lengths.sum())


def _cycles(base_prob: float, run: np.ndarray) -> np.ndarray:
    """Reward per trial of each length of run: the first rich choice finds one trial of neglect, the lean one a run."""
    lean = TOTAL - base_prob
    earned = 1 - (1 - base_prob) ** 2 + (run - 1) * base_prob + 1 - (1 - lean) ** (run + 1)
    return earned / (run + 1)


def _check(base_prob: float) -> None:
    if not TOTAL / 2 <= base_prob <= TOTAL:
        raise InputError(f"base_prob is {base_prob}; that of the rich arm lies between 0.25 and 0.5.")
