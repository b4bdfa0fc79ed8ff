"""A network's state in its principal components."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from neurometa.dataset import require

BY_TRIAL, BY_PARAMETER = "viridis", "coolwarm"


def trajectory(ax: Axes, score: xr.DataArray, choice: xr.DataArray, markers: Sequence[str] = "o^") -> PathCollection:
    """Draw one episode's path through two components, coloured by trial and marked by choice.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    score : DataArray
        Over ``component`` (2) and ``trial``.
    choice : DataArray
        Over ``trial``.
    markers : sequence of str
        The marker of each option.

    Returns
    -------
    PathCollection
        Of the first option's points; for a colour bar.
    """
    require(xr.Dataset({"score": score, "choice": choice}), score=("component", "trial"), choice=("trial",))
    x, y = score.transpose("component", "trial").values
    trial = np.arange(1, len(x) + 1)
    ax.plot(x, y, color="0.75", lw=0.5, zorder=2)
    drawn = []
    for option, marker in enumerate(markers):
        at = choice.values == option
        shown = {"c": trial[at], "cmap": BY_TRIAL, "vmin": 1, "vmax": len(x)}
        drawn.append(ax.scatter(x[at], y[at], s=9, marker=marker, lw=0, zorder=3, **shown))
    _label(ax)
    return drawn[0]


def end_points(ax: Axes, score: xr.DataArray, parameter: xr.DataArray) -> PathCollection:
    """Draw where episodes ended in two components, coloured by a parameter of their worlds in [0, 1].

    Parameters
    ----------
    ax : Axes
        Where to draw.
    score : DataArray
        Over ``component`` (2) and ``episode``.
    parameter : DataArray
        Over ``episode``.

    Returns
    -------
    PathCollection
        For a colour bar.
    """
    require(xr.Dataset({"score": score, "x": parameter}), score=("component", "episode"), x=("episode",))
    x, y = score.transpose("component", "episode").values
    drawn = ax.scatter(x, y, c=parameter.values, s=5, lw=0, cmap=BY_PARAMETER, vmin=0, vmax=1, rasterized=True)
    _label(ax)
    return drawn


def _label(ax: Axes) -> None:
    ax.set(xlabel="PC 1", ylabel="PC 2", xticks=[], yticks=[])
