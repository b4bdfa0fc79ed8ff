"""What a learning model expects before the first trial: as said, or as its rewards ask."""

import warnings
from typing import Any

import numpy as np
import xarray as xr

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.fitting.latents import playable
from neurometa.models import Equations, Model


def started(
    model: type[Equations], trials: xr.Dataset, start: Any
) -> tuple[type[Equations], dict[str, tuple[float, float]]]:
    """Return the model with its first feature where it should begin, and the bounds of that if it is fitted.

    Values of the models here begin at .5, the middle of rewards between 0 and 1. Rewards beyond
    those are points, about which nobody knows where the middle is: values then begin at 0, with
    a warning, unless it is said where.

    Parameters
    ----------
    model : Equations class
        Which model.
    trials : Dataset
        As for `fit`.
    start : None, float, sequence of float or "fitted"
        See `neurometa.models.Model.starting`.

    Raises
    ------
    InputError
        The model has nothing that begins anywhere, or `start` does not suit its arms.
    """
    if not issubclass(model, Model):
        if start is not None:
            raise InputError(f"start is {start!r}, but {model.__name__} begins where its equations say; leave it out.")
        return model, {}
    chosen = model if start is None else model.starting(start)
    if chosen.features[0] != "value" or chosen.rewards is not None:
        return chosen, {}
    told = trials.reward.values if "reward" in trials else np.zeros(0)
    if told.dtype.kind in "biuf" and not ((told < 0) | (told > 1)).any():
        if 0 < (most := np.nanmax(told, initial=0.0)) < evidence.SMALL and not (chosen.stated or chosen.initial):
            warnings.warn(
                f"The highest reward is {most:g}, and values begin at {chosen.start[0]:g}: rescale the rewards, so "
                "that the highest is 1, or say where values begin: start=0 in fit (--start at the shell).",
                stacklevel=3,
            )
        return chosen, {}
    played, _ = playable(chosen, trials)
    paid = played.reward.values[(played.choice >= 0).values]
    low, high = min(0.0, paid.min(initial=0.0)), max(1.0, paid.max(initial=1.0))
    if (low, high) == (0.0, 1.0):
        return chosen, {}
    if chosen.initial:
        return chosen, {chosen.initial: (float(low), float(high))}
    if not chosen.stated and chosen.start[0] == 0.5:
        warnings.warn(
            f"The rewards go from {paid.min():g} to {paid.max():g}, which are points: values begin at 0, not at .5. "
            "Say where they begin: start=0 in fit (--start at the shell), a number of points, one for each arm, or "
            "'fitted'.",
            stacklevel=3,
        )
        return chosen.starting(0.0), {}
    return chosen, {}
