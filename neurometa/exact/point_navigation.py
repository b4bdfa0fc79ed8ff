"""What navigation of a point in the plane brings without learning: standing still, and walking straight to the goal.

A trial of 100 steps begins at the origin; each step moves the point by at most .1 along each axis, and costs the
distance to the goal that is left (Finn et al. 2017, section 5.3; cbfinn/maml_rl, ``PointEnvRandGoal``).
"""

import numpy as np

HORIZON, STEP_SIZE, REACHED = 100, 0.1, 0.01


def standing_still(goal: np.ndarray) -> np.ndarray:
    """Return of a trial to who never leaves the origin.

    Parameters
    ----------
    goal : array (..., 2)
        Where the goals are.

    Returns
    -------
    array (...)
    """
    away = np.linalg.norm(goal, axis=-1)
    return -np.where((np.abs(goal) < REACHED).all(-1), away, HORIZON * away)


def straight_walk(goal: np.ndarray) -> np.ndarray:
    """Return of a trial to who knows the goal and makes each axis right as soon as can be, without noise.

    No other walk is closer along any axis at any step, so that none earns more. Parameters and return are those of
    `standing_still`.
    """
    steps = np.arange(1, HORIZON + 1)[:, None]
    left = np.maximum(np.abs(goal)[..., None, :] - STEP_SIZE * steps, 0)  # (..., step, axis)
    return -np.linalg.norm(left, axis=-1).sum(-1)
