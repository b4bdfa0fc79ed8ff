"""Log-likelihood of two-step choices and its gradient, and where to begin to climb it.

The derivatives are carried along from trial to trial, which costs about as much again as the likelihood, where
differences would cost two passes for each parameter.
"""

from typing import NamedTuple

import numpy as np

from neurometa.fitting.multistart import peaks
from neurometa.models import TwoStepModel, two_step

ANGLES = np.pi * np.linspace(0, 1, 16) ** 1.5  # at which learning rates are scanned, finest near 0
STEEPEST, HABIT = 20.0, 40.0  # bounds of weights in the scan


class Sequences(NamedTuple):
    """Two-step trials that one set of parameters is to explain.

    Attributes
    ----------
    choice, second_state, second_choice, left_option : int array (member, trial)
        0 or 1 where the trial was played; 0 elsewhere, and where the task has no such thing.
    reward : float array (member, trial)
        In [0, 1].
    played : bool array (member, trial)
        Whether the trial scores and teaches.
    branched : bool
        Whether there is a second choice to score.
    """

    choice: np.ndarray
    second_state: np.ndarray
    second_choice: np.ndarray
    left_option: np.ndarray
    reward: np.ndarray
    played: np.ndarray
    branched: bool


def score(model: type[TwoStepModel], sequences: Sequences, points: np.ndarray) -> np.ndarray:
    """Log-likelihood at each point.

    Parameters
    ----------
    model : TwoStepModel class
        Says what its parameters are to the general learner.
    sequences : Sequences
        The choices.
    points : float array (point, parameter)
        In the order of the model's parameters.

    Returns
    -------
    float array (point,)
        In nats, summed over trials, stages and members.
    """
    general = np.empty((len(points), len(two_step.GENERAL)))
    for k, each in enumerate(model(*points.T).general()):
        general[:, k] = each
    from neurometa.fitting import two_step_kernel  # loads numba, of which other fits have no need

    return two_step_kernel.value(general, *sequences)


class Ties(NamedTuple):
    """How a model's own parameters make those of the general learner: ``matrix @ own + fixed``.

    Attributes
    ----------
    matrix : float array (general, own)
        1 where one stands for the other, else 0.
    fixed : float array (general,)
        What the model holds.
    """

    matrix: np.ndarray
    fixed: np.ndarray


def ties(model: type[TwoStepModel]) -> Ties:
    """Return how a model's parameters make the general learner's."""
    n = len(model.parameters())
    fixed = np.array(model(*[0.0] * n).general(), float)
    return Ties(np.stack([model(*each).general() - fixed for each in np.eye(n)], axis=1), fixed)


def slope(tied: Ties, sequences: Sequences, point: np.ndarray) -> tuple[float, np.ndarray]:
    """Log-likelihood at one point (parameter,), in nats, and its gradient by the model's parameters."""
    general = tied.matrix @ point + tied.fixed
    from neurometa.fitting import two_step_kernel

    value, gradient = two_step_kernel.slope(general, *sequences)
    return float(value), gradient @ tied.matrix


def starts(tied: Ties, sequences: Sequences, lower: np.ndarray, upper: np.ndarray, most: int) -> np.ndarray:
    """Points to begin a climb at: the best weights at those pairs of learning rates that no neighbour tops.

    At given learning rates the choices are a logistic regression on what both learners expect, which is concave, so
    that its weights are found by Newton's method wherever it begins. Only the learning rates are scanned.

    Parameters
    ----------
    tied : Ties
        What the model's parameters are to the general learner.
    sequences : Sequences
        The choices.
    lower, upper : float array (parameter,)
        Bounds of the model's parameters.
    most : int
        How many points at most.

    Returns
    -------
    float array (point, parameter)
        Within the bounds, the most probable first.
    """
    from neurometa.fitting import two_step_kernel

    low, high = (tied.matrix @ bound + tied.fixed for bound in (lower, upper))
    share = (1 - np.cos(ANGLES)) / 2
    one, two = (np.unique(low[k] + (high[k] - low[k]) * share) for k in (2, 3))
    together = bool((tied.matrix[2] * tied.matrix[3]).any())  # one rate for both stages
    grid = (len(two),) if together else (len(one), len(two))
    pairs = np.stack([two, two], 1) if together else np.stack(np.meshgrid(one, two, indexing="ij"), -1).reshape(-1, 2)
    same_slope = bool((tied.matrix[0] * tied.matrix[1]).any())
    floor, ceiling = _weight_bounds(low, high)
    found, reached = two_step_kernel.scan(pairs, high[8], same_slope, floor, ceiling, *sequences)
    top = peaks(reached.reshape(grid))[:most]
    general = _natural(pairs[top], found[top], high[8])
    own = general @ tied.matrix / np.maximum(tied.matrix.sum(0), 1)
    if same_slope:
        own = np.where(tied.matrix[0] > 0, general[:, [0]], own)
    return np.clip(own, lower, upper)


def _weight_bounds(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the six weights of the scan, from those of the general learner's parameters."""
    floor = np.array([0.0, 0.0, 0.0, -HABIT, -HABIT, max(low[1], 0.0)])
    ceiling = np.array([STEEPEST, STEEPEST, STEEPEST, HABIT, HABIT, high[1]])
    ceiling[0] *= high[5] > 0
    ceiling[1] *= low[5] < 1 and low[4] < 1
    ceiling[2] *= low[5] < 1 and high[4] > 0
    for weight, habit in ((3, 6), (4, 7)):
        if low[habit] == high[habit] == 0:
            floor[weight] = ceiling[weight] = 0.0
    return floor, ceiling


def _natural(rates: np.ndarray, weights: np.ndarray, p_common: float) -> np.ndarray:
    """Parameters of the general learner (point, parameter) from learning rates and the six weights."""
    planned, short, long, sticky, sided, second = weights.T
    slope_1 = np.maximum(planned + short + long, 0.05)  # at 0 nothing else could be climbed
    cached = np.maximum(short + long, 1e-9)
    columns = (slope_1, second, *rates.T, long / cached, planned / slope_1, sticky / slope_1, sided / slope_1)
    return np.stack([*columns, np.full(len(rates), p_common)], axis=1)
