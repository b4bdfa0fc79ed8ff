"""The gridworld of Zintgraf et al. (2020) in numbers: what each goal is worth, and what can be known of it.

A grid of five by five cells, numbered row by row, with the start in a corner, cell 0. A step costs .1 and pays 1 on the
goal instead; a trial of 15 steps begins at the start. The goal is one of the 21 cells that lie further than a king's
move from the start.
"""

import functools

import numpy as np
import xarray as xr

from neurometa.errors import InputError

SIZE, HORIZON = 5, 15
N_CELLS = SIZE * SIZE
STEP_REWARD, GOAL_REWARD = -0.1, 1.0
MOVES = ((0, 0), (-1, 0), (0, 1), (1, 0), (0, -1))  # stay, up, right, down, left, as (row, column)


def _to(cell: int, move: tuple[int, int]) -> int:
    """The cell that a move leads to; a wall leaves one where one is."""
    row, column = (min(max(x + by, 0), SIZE - 1) for x, by in zip(divmod(cell, SIZE), move, strict=True))
    return row * SIZE + column


AFTER = np.array([[_to(cell, move) for move in MOVES] for cell in range(N_CELLS)])  # (cell, action) to the cell reached
DISTANCE = np.add(*np.divmod(np.arange(N_CELLS), SIZE))  # steps from the start
NEAR = np.array([cell for cell in range(1, N_CELLS) if max(divmod(cell, SIZE)) == 1])  # never a goal in training
FAR = np.array([cell for cell in range(N_CELLS) if max(divmod(cell, SIZE)) > 1])  # the goals, all equally likely


def known_goal(distance: int | None = None) -> float:
    """Return of a trial to who knows the goal: the mean over goals, or of a goal so many steps from the start.

    Raises
    ------
    InputError
        No goal is at this distance.
    """
    if distance is None:
        return float(np.mean([known_goal(int(d)) for d in DISTANCE[FAR]]))
    if distance not in DISTANCE[FAR]:
        raise InputError(f"distance is {distance}; goals lie 2 to {2 * SIZE - 2} steps from the start.")
    return float(_met_on(distance))


def random_walk() -> float:
    """Return of a trial, as a mean over goals, to who takes each of the five actions equally often."""
    here, earned = np.eye(N_CELLS)[0], 0.0
    for _ in range(HORIZON):
        here = np.bincount(AFTER.ravel(), np.repeat(here, AFTER.shape[1]), N_CELLS) / AFTER.shape[1]
        earned += STEP_REWARD + (GOAL_REWARD - STEP_REWARD) * here[FAR].mean()
    return float(earned)


def _met_on(step):
    """Return of a trial in which the goal is first met on a step, from 1 on; one beyond the last is never."""
    return GOAL_REWARD * (HORIZON + 1 - step) + STEP_REWARD * (step - 1)


@functools.cache
def sweep() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Walks of the Bayes-optimal agent while the goal is unknown: through a trial, and then to what is left.

    No walk of 15 steps meets more than 14 cells that may be the goal, as its first step leads to one that is none,
    and who meets the k-th of them on step k + 1 earns the most that a trial can be expected to bring. Of the walks that
    do so, this is the first found after which the 7 cells left lie on one shortest path, so that from the second trial
    on every goal is met as soon as if it were known. Hence no policy does better in any trial.

    Returns
    -------
    first, second : tuple of int
        Cells after each step of the first trial (15), and of the second up to the last cell left (8).
    """
    far = frozenset(FAR.tolist())

    def onward(walk: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        if len(walk) == HORIZON:
            second = _shortest_path(far - set(walk))
            return (walk, second) if second else None
        here = walk[-1] if walk else 0
        for cell in map(int, AFTER[here, 1:]):
            if (cell in far and cell not in walk) if walk else cell not in (0, *far):
                found = onward((*walk, cell))
                if found:
                    return found
        return None

    found = onward(())
    assert found is not None
    return found


def _shortest_path(cells: frozenset[int]) -> tuple[int, ...]:
    """Cells of a shortest path from the start through all of `cells`; none if there is no such path."""
    here, walk = (0, 0), []
    for cell in sorted(cells, key=lambda cell: DISTANCE[cell]):
        row, column = divmod(cell, SIZE)
        if row < here[0] or column < here[1]:
            return ()
        down, right = row - here[0], column - here[1]
        steps = [(here[0] + i, here[1]) for i in range(1, down + 1)]
        steps += [(row, here[1] + j) for j in range(1, right + 1)]
        walk += [r * SIZE + c for r, c in steps]
        here = (row, column)
    return tuple(walk)


def bayes_optimal(n_trials: int = 4) -> xr.DataArray:
    """Expected return of each trial to the Bayes-optimal agent, which is optimal from the second trial on.

    Parameters
    ----------
    n_trials : int
        Trials with the same goal.

    Returns
    -------
    DataArray
        ``return`` over ``trial``: the mean over goals, each found where the walks of `sweep` meet it.

    Raises
    ------
    InputError
        There are no trials.
    """
    _check_trials(n_trials)
    first, second = sweep()
    met = [first.index(goal) + 1 if goal in first else HORIZON + 1 for goal in FAR.tolist()]  # step of the first trial
    again = [DISTANCE[goal] if goal in first else second.index(goal) + 1 for goal in FAR.tolist()]
    earned = [float(np.mean([_met_on(s) for s in step])) for step in (met, again)]
    return _by_trial([earned[min(trial, 1)] for trial in range(n_trials)])


def posterior_sampling(n_trials: int = 8, *, n_lifetimes: int = 20_000, seed: int = 0) -> xr.Dataset:
    """Return of each trial to posterior sampling, by simulation.

    At the beginning of a trial one of the cells that may be the goal is drawn; the agent walks there by a shortest path
    (where two directions lead on, a coin is thrown), and stays where it first meets the goal.

    Parameters
    ----------
    n_trials : int
        Trials with the same goal.
    n_lifetimes : int
        Simulated agents.
    seed : int
        Fixes every draw.

    Returns
    -------
    Dataset
        ``mean`` and its standard error ``se`` over ``trial``.

    Raises
    ------
    InputError
        There are no trials.
    """
    _check_trials(n_trials)
    rng = np.random.default_rng(seed)
    every = np.arange(n_lifetimes)
    goal = rng.choice(FAR, n_lifetimes)
    possible = np.zeros((n_lifetimes, N_CELLS))
    possible[:, FAR] = 1
    found = np.zeros(n_lifetimes, bool)
    earned = np.empty((n_trials, n_lifetimes))
    for trial in range(n_trials):
        target = (possible.cumsum(1) / possible.sum(1, keepdims=True) > rng.random((n_lifetimes, 1))).argmax(1)
        cell = np.zeros(n_lifetimes, int)
        for _ in range(2 * SIZE - 2):
            down, right = target // SIZE - cell // SIZE, target % SIZE - cell % SIZE
            goes_down = (down > 0) & ((right == 0) | (rng.random(n_lifetimes) < 0.5))
            cell = cell + np.where(goes_down, SIZE, right > 0)
            possible[every, cell] *= found | (cell == goal)
            met = ~found & (cell == goal)
            found |= met
            possible[met] = np.eye(N_CELLS)[goal[met]]
            target = np.where(met, goal, target)
        earned[trial] = _met_on(np.where(found, DISTANCE[goal], HORIZON + 1))
    se = earned.std(1, ddof=1) / n_lifetimes**0.5
    return xr.Dataset({"mean": _by_trial(earned.mean(1)), "se": _by_trial(se)}, attrs={"n": n_lifetimes})


def posterior(position: np.ndarray, reward: np.ndarray, goals: np.ndarray = FAR) -> np.ndarray:
    """Probability of each cell to be the goal, after each step.

    A step that was not paid excludes the cell that it led to; one that was paid leaves no other.

    Parameters
    ----------
    position : array (..., time), int
        Cell that each step led to, of all trials in a row.
    reward : array (..., time)
        Reward of each step.
    goals : array of int
        Cells that may be the goal, equally likely at first.

    Returns
    -------
    array (..., time, cell)

    Raises
    ------
    InputError
        The rewards fit no goal.
    """
    here = position[..., None] == np.arange(N_CELLS)
    paid = (np.asarray(reward) > 0)[..., None]
    fits = np.logical_and.accumulate(here == paid, axis=-2) & np.isin(np.arange(N_CELLS), goals)
    n_left = fits.sum(-1, keepdims=True)
    if (n_left == 0).any():
        raise InputError(
            "The rewards fit no goal: two cells were paid, or one was paid and then not, or it is no goal."
        )
    return fits / n_left


def _by_trial(values: np.ndarray | list[float]) -> xr.DataArray:
    trial = np.arange(1, len(values) + 1)
    return xr.DataArray(values, {"trial": trial}, "trial", "return", {"long_name": "return", "units": "reward"})


def _check_trials(n_trials: int) -> None:
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; it must be at least 1.")
