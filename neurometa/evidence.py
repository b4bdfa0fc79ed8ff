"""What choices, rewards and transitions say of their own coding: evidence that tables and datasets are asked for.

A code for a missed trial is rare, or always has one and the same outcome, where the outcomes of options vary. So codes
can be weighed: what remains open is refused or warned of by who asks, with the line that settles it.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError

ENOUGH = 20  # trials below which nothing can be told from counts
SMALL = 0.25  # rewards that are all below this are litres or seconds: not in the units in which values begin
RARE = 0.25  # of the trials: fewer look like missed ones
UNLIKELY = 0.01  # below this chance an outcome that never varies is no accident
SECOND = """secondchoice choice2 stage2choice choicestage2 secondstagechoice level2choice step2choice response2 ch2
    secondresponse stage2response secondstageresponse choicetwo resp2 action2 secondaction"""
SECOND_CHOICES = frozenset(SECOND.split())
Counts = Mapping[int, np.ndarray]  # of every code the rewards that it had, NaN where empty


def varies(reward: np.ndarray) -> bool:
    """Whether at least two different outcomes came at least twice each, as they do of an option."""
    _, n = np.unique(reward[np.isfinite(reward)], return_counts=True)
    return int((n >= 2).sum()) >= 2


def chance_of_one_outcome(mine: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """How probable it is that a code has the same outcome throughout, were it an option like the least paid other one.

    A bad option is rarely chosen, so that the average of the others would take it for none too easily.

    Parameters
    ----------
    mine : float array
        Rewards of the code's trials, NaN where empty.
    others : sequence of float array
        Those of every other code.

    Returns
    -------
    float
        In [0, 1]; 1 where its outcomes differ, or no other code's do.
    """
    same = mine[0]
    if not np.array_equal(mine, np.full(mine.shape, same), equal_nan=True) or not any(map(varies, others)):
        return 1.0
    shares = [np.isnan(each).mean() if np.isnan(same) else (each == same).mean() for each in others]
    return float(max(shares) ** len(mine))


def lonely(codes: Mapping[int, object] | set[int], start: int) -> bool:
    """Whether codes, counted from `start`, leave more of their numbers out than they use."""
    return max(codes) - start + 1 > 2 * len(codes)


def by_code(code: np.ndarray, reward: np.ndarray) -> Counts:
    """Rewards of every code, the codes in order."""
    return {int(each): reward[code == each] for each in np.unique(code)}


def mostly_rare(common: np.ndarray) -> bool:
    """Whether "common" stands, beyond chance (3 standard errors), on less than half of these trials."""
    n = common.size
    return n >= ENOUGH and common.mean() + 1.5 / np.sqrt(n) < 0.5


def question(trials: xr.Dataset) -> None:
    """Ask of a dataset of one's own whether its choices could be coded otherwise than the contract says.

    A dataset that says how many options there were, by ``choice.attrs["n_options"]`` or its dim ``arm``, is believed.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and perhaps ``reward`` over ``trial``.

    Raises
    ------
    InputError
        Choices count from 1, leave out more numbers than they use, -1 is an option, or 0 stands for a missed trial.

    Warns
    -----
    UserWarning
        The last option may stand for a missed trial, or the coordinate ``trial`` falls.
    """
    _question_order(trials)
    if "choice" not in trials:
        return
    choice = trials.choice
    stated = "n_options" in choice.attrs or "arm" in trials.sizes
    if stated or choice.dtype.kind not in "iu" or "trial" not in choice.dims:
        return
    valid = dataset.valid(trials)
    paid = trials.reward if "reward" in trials and trials.reward.dtype.kind in "biuf" else xr.full_like(choice, 0.0)
    code, reward, there = (each.values.ravel() for each in xr.broadcast(choice, paid.astype(float), valid))
    found = by_code(code[there], reward[there])
    options = {k: each for k, each in found.items() if k >= 0}
    if not options or there.sum() < ENOUGH:
        return
    low, high, n = min(options), max(options), sum(map(len, options.values()))
    shown = ", ".join(map(str, options))
    state = "trials.choice.attrs['n_options'] = "
    if lonely(options, 0) and high > 2:
        raise InputError(
            f"'choice' is {shown}: as options, counted from 0, these would be {high + 1}, most of them never "
            "chosen; write missed trials as -1 and code the options 0 ... K-1, or say that they are so many: "
            f"{state}{high + 1}."
        )
    if low >= 1 and high >= 2:
        raise InputError(
            f"'choice' is {shown} and never 0 on {n:,} trials, as if options were counted from 1; take 1 off, "
            "trials['choice'] = trials.choice.where(trials.choice < 1, trials.choice - 1), or, if option 0 was merely "
            f"never chosen, say how many there were: {state}{high + 1}."
        )
    if set(found) == {-1, 1} and varies(found[-1]) and varies(found[1]):
        raise InputError(
            "'choice' is -1 and 1, and the rewards of both vary, as if these were the two options; code them 0 and 1, "
            f"trials['choice'] = (trials.choice + 1) // 2, or, if -1 is a missed trial, say so: {state}2."
        )
    signed = -1 in found and options.keys() <= {0, 1} and high == 1 and varies(found[-1])
    if signed and len(found[-1]) >= 0.1 * there.sum():
        none = 0 in found and not varies(found[0])
        cure = "xr.where(trials.choice == 0, -1, (trials.choice + 1) // 2)" if none else "trials.choice + 1"
        how = "two options, 0 being a missed trial" if none else "three options"
        raise InputError(
            f"'choice' is {', '.join(map(str, found))}, and the rewards of -1 vary, as those of an option do; if these "
            f"are {how}, write trials['choice'] = {cure}; if -1 is a missed trial, say so: {state}2."
        )
    last = options[high]
    others = [each for k, each in options.items() if k != high]
    alike = len(options) > 2 and len(last) < 0.5 * n and chance_of_one_outcome(last, others) < UNLIKELY
    if alike and not last[0] > np.nanmin(np.concatenate(others)):
        warnings.warn(
            f"'choice' is {high} on {len(last):,} of {n:,} trials, always with the same reward; it is taken for an "
            "option, but if it stands for a missed trial, write -1: trials['choice'] = trials.choice.where("
            f"trials.choice < {high}, -1); if it is an option, say how many there are: {state}{high + 1}.",
            stacklevel=3,
        )
    others = [each for k, each in options.items() if k]
    if low == 0 and {1, 2} <= options.keys() and chance_of_one_outcome(options[0], others) < UNLIKELY:
        raise InputError(
            f"'choice' is 0 on {len(options[0]):,} of {n:,} trials, always with the same reward, as if 0 were a missed "
            "trial and options counted from 1; take 1 off, trials['choice'] = trials.choice - 1, or, if 0 is an "
            f"option, say how many there are: {state}{high + 1}."
        )


def _question_order(trials: xr.Dataset) -> None:
    """Warn where numbers of trials fall, as in trials that were put together or out of order."""
    number = trials.indexes.get("trial")
    if number is None or number.dtype.kind not in "iuf" or len(number) < 2:
        return
    falls = np.flatnonzero(np.diff(number) <= 0)
    if falls.size:
        at = int(falls[0])
        warnings.warn(
            f"The coordinate trial goes from {number[at]} to {number[at + 1]}, and trials are taken in the order in "
            "which they stand; if they are out of order, sort them: trials.sortby('trial'); if these are several "
            "sessions, give each an episode of its own.",
            stacklevel=4,
        )


def unread_second_choice(trials: xr.Dataset) -> str | None:
    """Name of a variable that looks like the second-stage choice, where the trials have none that is read as such."""
    if "second_choice" in trials:
        return None
    plain = {"".join(c for c in str(name).casefold() if c.isalnum()): str(name) for name in trials.data_vars}
    return next((name for short, name in plain.items() if short in SECOND_CHOICES), None)
