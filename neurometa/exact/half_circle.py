"""The sparse half-circle in numbers: what a known goal is worth, and what posterior sampling earns.

A point starts at the origin, and a goal lies somewhere on the half of the unit circle above it. A trial of 20 steps
moves the point by at most .1 along each axis, and pays 1 minus the distance to the goal within a radius around it, and
nothing elsewhere (Rakelly et al. 2019, section 6.3; katerakelly/oyster, ``SparsePointEnv``).
"""

import numpy as np
import xarray as xr

from neurometa.errors import InputError

HORIZON, STEP_SIZE, RADIUS = 20, 0.1, 0.2
N_GOALS = 300  # places of the goal by which its angle is approximated
CELL, LEFT, LOWEST = 0.2, -1.4, -0.4  # side and origin of cells, into which places are put where they must be counted
N_COLUMNS, N_ROWS = 14, 9
N_CELLS = N_COLUMNS * N_ROWS + 1  # the last is everywhere else


def runs(angle: np.ndarray) -> np.ndarray:
    """Places after each step of a straight run from the origin to a point on the circle, where one stays.

    Parameters
    ----------
    angle : array (...)
        Where on the circle, in radians.

    Returns
    -------
    array (step, ..., 2)
    """
    target = np.stack([np.cos(angle), np.sin(angle)], -1)
    longest = np.abs(target).max(-1, keepdims=True)  # the axis that takes longest sets the pace of both
    return np.stack([target * np.minimum(STEP_SIZE * step / longest, 1) for step in range(1, HORIZON + 1)])


def paid(place: np.ndarray, angle: np.ndarray, radius: float = RADIUS) -> np.ndarray:
    """Reward at a place, (..., 2), with the goal at an angle, (...)."""
    away = np.linalg.norm(place - np.stack([np.cos(angle), np.sin(angle)], -1), axis=-1)
    return np.where(away < radius, 1 - away, 0.0)


def straight_run(angle: np.ndarray, radius: float = RADIUS) -> np.ndarray:
    """Return of a trial, (...), to who runs straight to the goal at an angle, (...), and stays there."""
    return paid(runs(angle), angle, radius).sum(0)


def known_goal(radius: float = RADIUS) -> float:
    """Return of a trial to who runs straight to the goal and stays there, as a mean over goals."""
    return float(straight_run((np.arange(N_GOALS) + 0.5) / N_GOALS * np.pi, radius).mean())


def posterior_sampling(
    n_trials: int = 12, *, radius: float = RADIUS, n_lifetimes: int = 10_000, seed: int = 0
) -> xr.Dataset:
    """Return of each trial to posterior sampling, by simulation.

    Before a trial one of the goals that are still possible is drawn, and the agent runs there. A reward tells where the
    goal is from the next trial on; without one, all goals are excluded that the run would have found.

    Parameters
    ----------
    n_trials : int
        Trials with the same goal.
    radius : float
        Within which the goal pays, above 0.
    n_lifetimes : int
        Simulated agents.
    seed : int
        Fixes every draw.

    Returns
    -------
    Dataset
        ``mean``, its standard error ``se``, and ``found``, the share that knows the goal after the trial, over
        ``trial``.

    Raises
    ------
    InputError
        There are no trials, or the radius is not above 0.
    """
    if n_trials < 1:
        raise InputError(f"n_trials is {n_trials}; it must be at least 1.")
    check_radius(radius)
    rng, every = np.random.default_rng(seed), np.arange(n_lifetimes)
    angle = (np.arange(N_GOALS) + 0.5) / N_GOALS * np.pi
    reward = paid(runs(angle)[:, :, None], angle, radius)  # (step, run to, goal)
    worth = reward.sum(0)
    meets = np.asarray((reward > 0).any(0))
    goal = rng.integers(N_GOALS, size=n_lifetimes)
    possible, found = np.ones((n_lifetimes, N_GOALS), bool), np.zeros(n_lifetimes, bool)
    rows = []
    for _ in range(n_trials):
        reached = possible.cumsum(1)
        target = (reached > (rng.random(n_lifetimes) * reached[:, -1])[:, None]).argmax(1)
        target = np.where(found, goal, target)
        possible &= ~meets[target]
        found |= meets[target, goal]
        possible[every, goal] = True  # of who found it, which is not drawn from any more
        earned = worth[target, goal]
        rows.append((earned.mean(), earned.std(ddof=1) / n_lifetimes**0.5, found.mean()))
    trial = {"trial": np.arange(1, n_trials + 1)}
    columns = zip(("mean", "se", "found"), np.array(rows).T, strict=True)
    return xr.Dataset({name: ("trial", x) for name, x in columns}, trial, {"n": n_lifetimes})


def check_radius(radius: float) -> None:
    """Raise unless a radius is above 0, and finite."""
    if not 0 < radius < float("inf"):
        raise InputError(f"radius is {radius}; it must be above 0, and finite.")
