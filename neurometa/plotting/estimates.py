"""Fitted parameters: how they are spread over episodes or subjects."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from neurometa.errors import InputError
from neurometa.plotting.colours import COLOURS
from neurometa.plotting.points import spread_points

MOST_GROUPS = 60
MOST_NAMED = 10  # whose labels find room below the axis
MANY = 200  # points, beyond which they are small


def estimates(ax: Axes, x: xr.DataArray, *, by: str = "") -> Axes:
    """Draw the estimates of one parameter: a histogram, or a column of points and their median for each group.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x : DataArray
        The estimates over any dims, labelled by ``long_name`` and ``units``; NaN is left out.
    by : str
        A coordinate that groups them, e.g. ``"subject"``; beyond 10 groups they are numbered in the order of
        their labels. Without one, or beyond 60 groups, a histogram is drawn.

    Raises
    ------
    InputError
        There is no such coordinate.
    """
    import seaborn as sns  # a third of a second to load, as in all drawings that use it

    if by and by not in x.coords:
        raise InputError(f"There is no coordinate {by!r} to group by; there are {sorted(map(str, x.coords))}.")
    values = x.values.ravel()
    finite = np.isfinite(values)
    label = str(x.attrs.get("long_name", x.name)) + (f" ({x.attrs['units']})" if "units" in x.attrs else "")
    group = xr.broadcast(x[by], x)[0].transpose(*x.dims).values.ravel() if by else np.zeros(values.shape)
    names, member = np.unique(group.astype(str), return_inverse=True)
    if not 1 < len(names) <= MOST_GROUPS:
        sns.histplot(x=values[finite], bins=30, color=COLOURS[0], alpha=0.85, lw=0, ax=ax)
        ax.set(xlabel=label, ylabel="fits")
        ax.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
        return ax
    spread_points(ax, member + 1, values, size=1.8 if values.size > MANY else 3.6)
    for place in range(len(names)):
        own = values[(member == place) & finite]
        if own.size > 1:
            ax.hlines(np.median(own), place + 0.65, place + 1.35, color=COLOURS[2], lw=1.4, zorder=4)
    ax.set(xlabel=by, ylabel=label)
    if len(names) <= MOST_NAMED and max(map(len, names)) * len(names) <= 40:
        ax.set_xticks(np.arange(1, len(names) + 1), names)
    else:
        ax.set(xlabel=f"{by} (1 to {len(names)}, in the order of their labels)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0.3, len(names) + 0.7)
    return ax
