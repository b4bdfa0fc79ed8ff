"""A network's states, and the points at which it would stay."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS

MARKERS = "osD^v<>p"


def phase_portrait(ax: Axes, found: xr.Dataset) -> Axes:
    """Draw the states that a network was in, and its fixed and slow points under each input.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        Of `neurometa.neural.dynamics`. Stable points are filled, others open; slow ones are small.

    Returns
    -------
    Axes
        The same.
    """
    require(found, path=("sample", "component"), score=("point", "component"))
    x, y = found.path.values.T
    ax.plot(x, y, ".", color="0.75", ms=2, rasterized=True, zorder=1)
    for k, name in enumerate(found.given.values):
        here = found.isel(point=np.flatnonzero(found.input == name))
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        ax.plot([], [], marker, color=colour, ms=5, label=str(name))
        for at, stable, kind in zip(here.score.values, here.stable.values, here.kind.values, strict=True):
            size = 6 if kind == "fixed" else 3
            ax.plot(*at, marker, color=colour, ms=size, fillstyle="full" if stable else "none", zorder=3)
    alone = found.variance_explained.size == 1
    ax.set(xlabel="PC 1", ylabel=str(found.readout.attrs.get("long_name", "readout")) if alone else "PC 2")
    return ax
