"""Rewards that may not be those of their own trials: a row too late, averaged over several, or one for a session."""

import numpy as np

from neurometa import evidence
from neurometa.tables.grid import Grid

SURE = 4.0  # standard errors between what the reward of a row and that of the row before say of staying
ALIKE = 1.1  # rewards of an average move hardly further where another option was chosen than where the same was
SMOOTH, SLOW = 0.5, 0.9  # correlation of neighbouring rewards above which they may be averages, of whatever
LEVELS = 4
EARLY = 50  # trials of a session in which a mean of all so far still shows what each paid


def doubts(reward: np.ndarray, grid: Grid, choice: np.ndarray, state: np.ndarray | None = None) -> list[str]:
    """Warn of rewards that choices and neighbouring rewards show to be of other trials.

    Parameters
    ----------
    reward : array (row,)
        As read.
    grid : Grid
        Which trial of which episode each row is.
    choice : array (row,)
        The choice that was paid, in a task of two stages the second; -1 where none was made.
    state : array (row,), optional
        Where choices were made: those of two states are not compared.
    """
    order = np.lexsort((grid.position, grid.episode))
    paid, chosen, episode = reward[order], choice[order], grid.episode[order]
    paired = (episode[1:] == episode[:-1]) & (chosen[1:] >= 0) & (chosen[:-1] >= 0)
    if state is not None:
        paired &= state[order][1:] == state[order][:-1]
    stay = (chosen[1:] == chosen[:-1])[paired]
    before, here = paid[:-1][paired], paid[1:][paired]
    if stay.size < evidence.ENOUGH or stay.all() or not stay.any() or np.ptp(before) == 0 or np.ptp(here) == 0:
        return []
    number = grid.position[order][1:][paired] + 1
    if of_session := _by_session(paid[chosen >= 0], episode[chosen >= 0]):
        return of_session
    return _averaged(stay, before, here, number) or _late(stay, before, here)


def _late(stay: np.ndarray, before: np.ndarray, here: np.ndarray) -> list[str]:
    """Warn where choices are repeated by the reward in their own row, and not by that of the row before.

    Without learning a series of choices and rewards reads alike in both directions of time, so that both say as much;
    whoever learns makes the row before say more.
    """
    rewards = np.stack([np.ones_like(here), before - before.mean(), here - here.mean()], axis=1)
    rewards[:, 1:] /= here.std()
    gram = np.linalg.pinv(rewards.T @ rewards)
    weight = gram @ (rewards.T @ stay)
    scatter = rewards * (stay - rewards @ weight)[:, None]
    spread = gram @ (scatter.T @ scatter) @ gram  # errors of staying differ between trials
    error = np.sqrt(spread[1, 1] + spread[2, 2] - 2 * spread[1, 2])
    late = weight[2] - weight[1] > SURE * error and weight[2] > 2 * abs(weight[1])
    if not late:
        return []
    return [
        "choices are repeated by the reward in their own row, not by that of the row before, as if every reward stood "
        "a row too late; if so, move the column up by one within each session."
    ]


def _averaged(stay: np.ndarray, before: np.ndarray, here: np.ndarray, number: np.ndarray) -> list[str]:
    """Warn of rewards that follow from those of the row before, as averages over trials do.

    A mean over the last trials changes by the same few steps, one over all trials so far by ever smaller ones, a leaky
    one by a fixed share of the way to either outcome; a slow one of any rewards does not care for what was chosen.
    """
    rise, size = here - before, np.ptp(here)
    if here.size < 2 * evidence.ENOUGH or np.unique(here).size < LEVELS or np.corrcoef(before, here)[0, 1] < SMOOTH:
        return []
    early, lean = number <= EARLY, np.unique(here).size >= 3 * LEVELS
    so_far = (number * rise + before)[early] / size
    few = _few(np.round(rise / size, 3)) or (lean and so_far.size >= evidence.ENOUGH and _few(np.round(so_far, 1)))
    late = number > evidence.ENOUGH  # the first ones may be weighted otherwise
    leaky = lean and all(_on_a_line(before[way & late], here[way & late]) for way in (rise > 0, rise < 0))
    step = np.abs(rise)
    slow = min(stay.sum(), (~stay).sum()) >= evidence.ENOUGH and step[~stay].mean() < ALIKE * step[stay].mean()
    slow &= np.corrcoef(before, here)[0, 1] > SLOW
    if not (few or leaky or slow):
        return []
    return [
        "rewards follow from those of the row before, as averages over several trials do; if they are such, name the "
        "column of what each trial paid with reward=... (--reward COLUMN)."
    ]


def _few(x: np.ndarray) -> bool:
    """Whether three values are nearly all."""
    n = np.sort(np.unique(x, return_counts=True)[1])
    return bool(n[-3:].sum() > 0.95 * x.size)


def _on_a_line(before: np.ndarray, here: np.ndarray) -> bool:
    if before.size < evidence.ENOUGH or np.unique(before).size < LEVELS:
        return False
    return bool(np.corrcoef(before, here)[0, 1] ** 2 > 0.99)


def _by_session(reward: np.ndarray, episode: np.ndarray) -> list[str]:
    """Warn of rewards that differ between sessions, and never within one."""
    first = np.flatnonzero(np.r_[True, np.diff(episode) != 0])
    within = np.diff(reward)[np.diff(episode) == 0]
    if len(first) < 2 or (within != 0).any():
        return []
    return [
        "the reward differs between sessions and never within one, as an average or a total of the session does; name "
        "the column of what each trial paid with reward=... (--reward COLUMN)."
    ]
