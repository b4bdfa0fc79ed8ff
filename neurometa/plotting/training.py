"""How training went: what a network earned by then, as a share of what somebody else earns."""

import xarray as xr
from matplotlib.axes import Axes


def learning_curve(ax: Axes, score: xr.DataArray, *, label: str, colour: str, dash: str = "-") -> Axes:
    """Draw the score of networks against the environment steps that they were trained for, and their mean.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    score : DataArray
        Over ``part``, with a coordinate ``steps`` over it, and over ``agent`` where there are several.
    label : str
        For the legend.
    colour, dash
        Of the lines.
    """
    millions = score.steps / 1e6
    several = "agent" in score.dims and score.sizes["agent"] > 1
    if several:
        ax.plot(millions, score.transpose("part", "agent"), color=colour, lw=0.5, alpha=0.5)
    mean = score.mean("agent") if "agent" in score.dims else score
    ax.plot(millions, mean, dash, color=colour, lw=1.2, label=label)
    ax.set(xlabel="environment steps (millions)", xlim=(0, 1.05 * ax.dataLim.x1))  # of all curves there are
    return ax
