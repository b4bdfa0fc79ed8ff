"""What cues are worth around a reversal: responses to them, and the states that hold which of them pays."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS

ROLES = {"old": ("rewarded before", COLOURS[2]), "new": ("rewarded now", COLOURS[0])}
REWARDED = (COLOURS[5], COLOURS[4])  # the colour of a state while cue 0, cue 1 pays
SHOWN = "o^"  # the marker of a state in a trial of cue 0, cue 1
APART = 0.12


def cue_responses(ax: Axes, responses: xr.Dataset) -> Axes:
    """Draw the response to the cue rewarded before a reversal, and to the one rewarded since.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    responses : Dataset
        ``mean`` over ``condition`` and ``role`` (old, new), NaN where none is known, and ``lower`` and ``upper`` where
        they are known. The label of the axis is that of ``mean``.

    Raises
    ------
    InputError
        A variable or dim is absent.

    References
    ----------
    Wang et al. 2018, Fig 4a, b.
    """
    require(responses, mean=("condition", "role"))
    at = np.arange(responses.sizes["condition"])
    for (role, (label, colour)), side in zip(ROLES.items(), (-APART, APART), strict=True):
        one = responses.sel(role=role)
        ax.plot(at + side, one["mean"], "o", ms=4.5, color=colour, label=f"cue {label}", zorder=3)
        if "lower" in one and "upper" in one:
            ax.vlines(at + side, one.lower, one.upper, color=colour, lw=1.2, zorder=3)
    for place in at:  # what the reversal makes of the order of the two
        pair = [float(responses["mean"].sel(role=role)[place]) for role in ROLES]
        ax.plot([place - APART, place + APART], pair, color="0.75", lw=0.8, zorder=1)
    names = [str(name).replace(" ", "\n") for name in responses.condition.values]
    about = responses["mean"].attrs
    ax.set_xticks(at, names)
    ax.set(xlim=(-0.5, len(at) - 0.5), ylabel=f"{about.get('long_name', '')} ({about.get('units', '')})")
    return ax


def states_by_role(ax: Axes, score: xr.DataArray, cue: xr.DataArray, rewarded_cue: xr.DataArray) -> Axes:
    """Draw states in two components, coloured by the cue that pays and marked by the cue that is shown.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    score : DataArray
        Over ``component`` (2) and one other dim.
    cue, rewarded_cue : DataArray
        0 or 1 over that dim.

    Raises
    ------
    InputError
        A dim is absent.

    References
    ----------
    Wang et al. 2018, Fig 4c.
    """
    require(xr.Dataset({"score": score}), score=("component",))
    x, y = score.transpose("component", ...).values
    for pays, colour in enumerate(REWARDED):
        for shown, marker in enumerate(SHOWN):
            here = (rewarded_cue.values == pays) & (cue.values == shown)
            ax.plot(x[here], y[here], marker, ms=2.2, mew=0, alpha=0.6, color=colour, rasterized=True)
    ax.set(xlabel="PC 1", ylabel="PC 2", xticks=[], yticks=[])
    return ax
