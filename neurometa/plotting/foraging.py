"""What foragers do and what their units code: matching, correlations of units, weights of the past."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS
from neurometa.plotting.points import spread_points

GROUPS = {"trained": COLOURS[0], "held-out": COLOURS[2]}
RATIO = 5.5  # end of the axes, in powers of 2


def matching_law(ax: Axes) -> Axes:
    """Draw the line on which choices are divided as rewards are, and label the axes for it.

    Parameters
    ----------
    ax : Axes
        Where to draw; both axes are log2 ratios of arm 1 to arm 0.
    """
    ax.axline((0, 0), slope=1, color="0.75", lw=0.8, ls=":", zorder=0, label="matching (slope 1)")
    ax.set(xlim=(-RATIO, RATIO), ylim=(-RATIO, RATIO), xticks=[-4, 0, 4], yticks=[-4, 0, 4], aspect="equal")
    ax.set(xlabel="reward ratio (log$_2$)", ylabel="choice ratio (log$_2$)")
    return ax


def matching_points(ax: Axes, found: xr.Dataset) -> Axes:
    """Draw the matching of agents: the points of the first one, and the lines of all.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        ``log_choice_ratio`` and ``log_reward_ratio`` over ``episode``, ``slope``, ``intercept`` and ``r_squared``
        over ``group``, ``member`` over both, as of `behaviour.matching`; all over ``agent`` where there are several.
        Of its groups, ``"trained"`` and ``"held-out"`` are drawn where they are there.
    """
    require(found, log_choice_ratio=("episode",), log_reward_ratio=("episode",), member=("group", "episode"))
    matching_law(ax)
    each = [found.isel(agent=i) for i in range(found.sizes["agent"])] if "agent" in found.dims else [found]
    ends = np.array([-RATIO, RATIO])
    for group, colour in GROUPS.items():
        if group not in found.group.values:
            continue
        own = each[0].sel(group=group)
        x, y = (own[name].where(own.member) for name in ("log_reward_ratio", "log_choice_ratio"))
        ax.plot(x, y, ".", ms=2, mew=0, alpha=0.5, color=colour, rasterized=True)
        for one in each:
            line = one.sel(group=group)
            ax.plot(ends, float(line.intercept) + float(line.slope) * ends, color=colour, lw=1.0)
        mean = found.sel(group=group).mean() if "agent" in found.dims else own
        label = f"{group}: slope {float(mean.slope):.2f}, r² {float(mean.r_squared):.2f}"
        ax.plot([], [], ".-", ms=4, color=colour, lw=1.0, label=label)
    return ax


def unit_correlations(ax: Axes, correlation: xr.DataArray) -> Axes:
    """Draw how strongly each unit follows each factor: a dot per unit, and a bar at the mean.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    correlation : DataArray
        Partial correlations over ``factor``, ``unit``, and ``agent`` where there are several; drawn without sign.
    """
    require(correlation.to_dataset(name="correlation"), correlation=("factor", "unit"))
    for place, factor in enumerate(correlation.factor.values):
        size = abs(correlation.sel(factor=factor).values.ravel())
        spread_points(ax, np.full(size.size, place), size, reach=0.3, size=1.6)
        if np.isfinite(size).any():
            ax.hlines(np.nanmean(size), place - 0.38, place + 0.38, color=COLOURS[0], lw=1.8)
    ax.set(xlim=(-0.6, correlation.sizes["factor"] - 0.4), ylim=(0, None), ylabel="|partial correlation|")
    return ax


def history_weights(
    ax: Axes, weight: xr.DataArray, *, label: str, colour: str, dash: str = "-", marker: str = "o", filled: bool = True
) -> Axes:
    """Draw weights of the past by how many trials back: a thin line per agent, and a thick one at their mean.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    weight : DataArray
        Over ``lag`` (from 1), and ``agent`` where there are several, in log odds; NaN is left out.
    label : str
        For the legend.
    colour, dash, marker, filled
        Of the line and its points.
    """
    require(weight.to_dataset(name="weight"), weight=("lag",))
    if weight.sizes.get("agent", 1) > 1:
        for i in range(weight.sizes["agent"]):
            one = weight.isel(agent=i)
            ax.plot(one.lag, one, color=colour, lw=0.5, alpha=0.5)
    mean = weight.mean("agent") if "agent" in weight.dims else weight
    mean = mean.isel(lag=np.flatnonzero(mean.notnull()))
    face = colour if filled else "white"
    ax.plot(
        mean.lag, mean, dash, marker=marker, ms=2.8, mfc=face, mec=colour, mew=0.8, color=colour, lw=1.1, label=label
    )
    ax.axhline(0, color="0.8", lw=0.6, zorder=0)
    ax.set(xlabel="trials back", ylabel="weight (log odds)")
    return ax
