"""The most that one update of a policy can bring on a bandit: choose evenly for a while, then the best arm for good.

An agent that learns by one inner step, as MAML does, has one policy before it and one after. Before it nothing is known
of the arms, so that no policy explores better than the even one; after it none earns more than the arm of the highest
posterior mean. This is its exact reward with arms that pay with independent probabilities, uniform on [0, 1].
"""

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from neurometa.errors import InputError


def uniform_then_commit(n_explored: int, *, n_trials: int = 100, n_arms: int = 2) -> float:
    """Expected reward of an episode to who first chooses at random, then the arm of the best posterior mean.

    Parameters
    ----------
    n_explored : int
        Trials before the update.
    n_trials : int
        Trials in an episode.
    n_arms : int
        Number of arms.

    Raises
    ------
    InputError
        There are fewer than two arms, or the update does not come before the end.
    """
    if n_arms < 2:
        raise InputError(f"n_arms is {n_arms}; there is nothing to choose below 2.")
    if not 0 <= n_explored <= n_trials:
        raise InputError(f"n_explored is {n_explored}; the episode has {n_trials} trials.")
    means = np.array([(wins + 1) / (n + 2) for n in range(n_explored + 1) for wins in range(n + 1)])
    values = np.unique(means.round(12))
    # every number of wins is equally likely under the uniform prior: P(posterior mean <= value) after n pulls
    below = np.array(
        [
            np.searchsorted((np.arange(1, n + 2) / (n + 2)).round(12), values, side="right") / (n + 1)
            for n in range(n_explored + 1)
        ]
    )
    best = 0.0
    for pulls in _partitions(n_explored, n_arms, n_explored):
        whole = (*pulls, *[0] * (n_arms - len(pulls)))
        ways = math.factorial(n_explored) / math.prod(map(math.factorial, whole))
        ways *= math.factorial(n_arms) / math.prod(map(math.factorial, Counter(whole).values()))
        of_best = np.diff(below[list(whole)].prod(0), prepend=0)
        best += ways / n_arms**n_explored * float(of_best @ values)
    return n_explored / 2 + (n_trials - n_explored) * best


def one_update_regret(n_explored: int, *, n_trials: int = 100, n_arms: int = 2) -> float:
    """What `uniform_then_commit` gives up against the best arm, whose expected probability is K / (K + 1)."""
    return n_trials * n_arms / (n_arms + 1) - uniform_then_commit(n_explored, n_trials=n_trials, n_arms=n_arms)


def _partitions(total: int, n_parts: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Ways to write a number as a sum of at most so many parts, none larger than `largest` or than the one before."""
    if total == 0:
        yield ()
        return
    if n_parts:
        for first in range(min(total, largest), 0, -1):
            for rest in _partitions(total - first, n_parts - 1, first):
                yield (first, *rest)
