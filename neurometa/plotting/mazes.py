"""What happens in a maze: how long trials take, where an agent went, and what it expected."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS


def latency_by_trial(ax: Axes, found: xr.Dataset, *, label: str = "", colour: str = COLOURS[0]) -> Axes:
    """Draw the mean latency of each trial with its interval.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        ``latency`` and ``latency_interval`` over ``trial``, as of `behaviour.latencies`; over ``agent``, too, where
        there are several, of which the mean and each are drawn.
    label, colour : str
        Of the curve.
    """
    require(found, latency=("trial",), latency_interval=("trial", "bound"))
    latency = found.latency.transpose(..., "trial")
    if "agent" in latency.dims:
        ax.plot(found.trial, latency.values.T, color=colour, lw=0.5, alpha=0.4)
        ax.plot(found.trial, latency.mean("agent"), "o-", color=colour, ms=3, label=label)
    else:
        lower, upper = (found.latency_interval.sel(bound=bound) for bound in ("lower", "upper"))
        reach = [latency - lower, upper - latency]
        ax.errorbar(found.trial, latency, yerr=reach, fmt="o-", ms=3, color=colour, label=label)
    ax.set(xlabel="trial", ylabel="latency (steps)")
    ax.set_ylim(bottom=0)
    return ax


def maze_path(ax: Axes, trials: xr.Dataset, trial: int | None = None) -> Axes:
    """Draw one maze from above, and the way that an agent went through it.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    trials : Dataset
        One episode of a run in mazes: without the dim ``episode``.
    trial : int, optional
        Which trial's way, by its place; by default only the maze and the goal of the first trial.
    """
    require(trials, wall=("row", "column"), position=("time", "axis"), goal=("trial", "axis"))
    rows, columns = trials.sizes["row"], trials.sizes["column"]
    ax.imshow(trials.wall > 0, cmap="Greys", vmax=1.6, extent=(0, columns, rows, 0), interpolation="nearest")
    goal = trials.goal.isel(trial=trial or 0)
    ax.plot(*goal, "s", color=COLOURS[3], ms=5)
    if trial is not None:
        here = ((trials.trial_index == trial) & trials.valid_time).values
        way = trials.position.transpose("time", "axis").values[here]
        if len(way):
            ax.plot(*way.T, color=COLOURS[0], lw=1)
            ax.plot(*way[0], "o", color=COLOURS[0], ms=3)
    ax.set(xticks=[], yticks=[])
    return ax


def value_before_goal(ax: Axes, found: xr.Dataset) -> Axes:
    """Draw what is expected around the step at which the goal comes into view, as of `behaviour.value_before_goal`.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        ``value`` over ``lag`` and ``visit``; over ``agent``, too, where there are several, of which the mean is drawn.
    """
    require(found, value=("lag", "visit"))
    value = found.value.mean("agent") if "agent" in found.dims else found.value
    for visit, colour in zip(("first", "later"), COLOURS, strict=False):
        if np.isfinite(value.sel(visit=visit)).any():
            ax.plot(found.lag, value.sel(visit=visit), color=colour, label=f"{visit} visit" + "s" * (visit == "later"))
    ax.axvline(0, color="0.75", lw=0.8, ls=":")
    ax.set(xlabel="steps from when the goal is in view", ylabel="value (reward)")
    return ax
