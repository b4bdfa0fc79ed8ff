"""What an ideal observer of the restless bandit would believe of its volatility, from any player's choices."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurometa.dataset import n_options, played, require, task_settings, valid
from neurometa.errors import InputError
from neurometa.exact.restless import TESTING
from neurometa.fitting.outcome_filter import World, expectations

N_VOLATILITIES = 10
IMAGES = np.arange(-8, 9)  # of reflections at 0 and 1


def walk_volatility(trials: xr.Dataset, *, volatility: Sequence[float] | None = None, n_bins: int = 50) -> xr.DataArray:
    r"""Infer the volatility of a drifting bandit before each choice, from the choices and outcomes before it.

    Arm 0 pays with p and arm 1 with 1 - p; p moves by a normal step that is reflected at 0 and 1 (Wang et al. 2016,
    experiment 4). The belief over p and over its SD is exact on a grid, uniform at first. As the arms are
    anti-correlated, it does not matter which was chosen.

    Parameters
    ----------
    trials : Dataset
        ``choice`` between two options (-1: missed, which tells nothing, while the world moves on) and ``reward``, above
        0 where the choice paid, over ``trial`` and any other dims. Its task says whether volatility is the SD of a step
        or its variance; SD where it does not say.
    volatility : sequence of float, optional
        Those that are possible, above 0, in 1/trial; by default ten, evenly over the task's range in tests.
    n_bins : int
        Grid over p: midpoints of equal parts; at least 2.

    Returns
    -------
    DataArray
        Expected volatility (1/trial) over the dims of the trials; NaN on padding.

    Raises
    ------
    InputError
        A variable is absent, there are not two options, or an argument is outside its range.
    """
    require(trials, choice=("trial",), reward=("trial",))
    if n_options(trials) != 2:
        raise InputError(f"'choice' has {n_options(trials)} options; this volatility is of 2 arms.")
    low, high = TESTING[0]
    spread = (np.arange(N_VOLATILITIES) + 0.5) / N_VOLATILITIES * (high - low) + low
    grid = spread if volatility is None else np.asarray(volatility, float)
    if not grid.size or not (grid > 0).all() or n_bins < 2:
        raise InputError(f"volatility is {volatility} and n_bins {n_bins}; all above 0, and 2 or more, are allowed.")
    sd = grid if task_settings(trials).get("drift", "sd") == "sd" else np.sqrt(grid)
    p = (np.arange(n_bins) + 0.5) / n_bins
    world = World(np.broadcast_to(p, (grid.size, n_bins)), np.eye(grid.size)[None], _steps(sd, p), False)
    wanted = np.broadcast_to(grid[:, None], (grid.size, n_bins))
    first_paid = ((trials.choice == 0) == (trials.reward > 0)).astype(float).where(played(trials))
    found = xr.apply_ufunc(
        lambda outcome: expectations(outcome, world, [wanted])[0],
        first_paid,
        input_core_dims=[["trial"]],
        output_core_dims=[["trial"]],
    )
    found = found.transpose(*trials.choice.dims).where(valid(trials))
    found.attrs = {"long_name": "expected volatility", "units": "1/trial"}
    return found.rename("walk_volatility")


def _steps(sd: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Probability (volatility, p, next p) of a normal step that is reflected at 0 and 1."""
    to, start = p[None, :, None] + 2 * IMAGES, p[:, None, None]
    distance = np.concatenate([to - start, to + start], -1)
    density = np.exp(-0.5 * (distance / sd[:, None, None, None]) ** 2).sum(-1)
    return density / density.sum(-1, keepdims=True)
