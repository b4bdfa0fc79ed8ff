"""Fitted parameters of members between groups, or along a score."""

import textwrap

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS
from neurometa.plotting.points import spread_points

ROOM = 40  # letters that find room below the axis


def groups(ax: Axes, found: xr.Dataset, parameter: str, *, label: str = "") -> Axes:
    """Draw a parameter of each member by group, with the groups' means; or against a score, with the line fitted.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        Of `behaviour.compare_groups`, by one column.
    parameter : str
        Which one, e.g. ``"learning_rate"``.
    label : str
        Of the ordinate; by default the parameter's name and units.

    Raises
    ------
    InputError
        The parameter or the column is absent, as after a formula.
    """
    import seaborn as sns  # a third of a second to load

    by, member = found.attrs.get("by", ""), found.attrs.get("group", "")
    require(found, estimate=("parameter", member))
    one = found.sel(parameter=parameter)
    frame = one.estimate.to_dataframe().reset_index()
    if "level" in found.dims:
        levels = [str(x) for x in found.level.values]
        frame[by] = [_name(x) for x in frame[by]]
        spread_points(ax, frame[by].map(levels.index), frame.estimate, size=3.2)
        at = np.arange(len(levels)) + 0.32
        low, high = one.group_mean_interval.transpose("bound", "level").values
        ax.vlines(at, low, high, color=COLOURS[2], lw=1.4)
        ax.plot(at, one.group_mean, "o", ms=4, color=COLOURS[2])
        told = [textwrap.fill(level, ROOM // len(levels)) for level in levels]
        ax.set(xticks=range(len(levels)), xticklabels=told, xlim=(-0.5, len(levels) - 0.2))
    else:
        sns.regplot(
            frame, x=by, y="estimate", ax=ax, ci=None, color=COLOURS[0],
            scatter_kws={"s": 10, "alpha": 0.6, "linewidths": 0}, line_kws={"color": COLOURS[2], "lw": 1.4},
        )  # fmt: skip
    ax.set(xlabel=by, ylabel=label or parameter.replace("_", " "))
    return ax


def _name(x: object) -> str:
    return str(int(x)) if isinstance(x, float) and x.is_integer() else str(x)
