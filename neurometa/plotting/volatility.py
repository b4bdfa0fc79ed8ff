"""Worlds that change now and then: one episode in them, and learning rates that follow."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS

PLACES = {"Stable 1": 0.0, "Volatile 2": 1.0, "Volatile 1": 2.5, "Stable 2": 3.5}  # side by side as they were played
ORDERS = (("Stable 1", "Volatile 2"), ("Volatile 1", "Stable 2"))


def outcomes_on_probability(ax: Axes, trials: xr.Dataset) -> Axes:
    """Draw the first arm's reward probability over an episode, and what was chosen: above it arm 0, below it arm 1.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    trials : Dataset
        One episode: ``choice`` (0 or 1, -1 where missed) and ``reward`` over ``trial``, ``reward_prob`` over ``trial``
        and ``arm``; perhaps ``volatile`` over ``trial``, whose trials are shaded.
    """
    require(trials, choice=("trial",), reward=("trial",), reward_prob=("trial", "arm"))
    at = np.arange(1, trials.sizes["trial"] + 1)
    if "volatile" in trials:
        shade_volatile(ax, trials.volatile)
    ax.step(at, trials.reward_prob.isel(arm=0), where="mid", color=COLOURS[1], lw=0.9, label="$r(t)$ of arm 0")
    for arm, base in ((0, 1.07), (1, -0.07)):
        for paid, colour, name in ((True, COLOURS[3], "paid"), (False, COLOURS[7], "did not pay")):
            here = ((trials.choice == arm) & ((trials.reward > 0) == paid)).values
            shift = 0.07 if paid == (arm == 0) else 0  # paid choices stand further out
            height = base + (shift if arm == 0 else shift - 0.07)
            label = f"choice that {name}" if arm == 0 else None
            ax.plot(at[here], np.full(here.sum(), height), "|", ms=3.2, mew=0.7, color=colour, label=label)
    ax.set(xlim=(0.5, len(at) + 0.5), ylim=(-0.22, 1.22), yticks=[0, 0.5, 1], ylabel="reward probability")
    return ax


def shade_volatile(ax: Axes, volatile: xr.DataArray) -> Axes:
    """Shade the trials (counted from 1) on which the world was volatile.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    volatile : DataArray
        Bools over ``trial``.
    """
    require(volatile.to_dataset(name="volatile"), volatile=("trial",))
    padded = np.concatenate([[False], volatile.values.astype(bool), [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        ax.axvspan(start + 0.5, stop + 0.5, color="0.93", lw=0, zorder=0)
    return ax


def sliding_rates(ax: Axes, rate: xr.DataArray, *, length: int, colour: str) -> Axes:
    """Draw learning rates of a sliding window at the middle of the window: a thin line per agent, and their mean.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    rate : DataArray
        In [0, 1] over ``window`` (its first trial, from 0), and ``agent`` where there are several.
    length : int
        Trials of a window.
    colour : str
        Of the lines.
    """
    require(rate.to_dataset(name="rate"), rate=("window",))
    middle = rate.window.values + (length + 1) / 2
    if rate.sizes.get("agent", 1) > 1:
        for i in range(rate.sizes["agent"]):
            ax.plot(middle, rate.isel(agent=i), color=colour, lw=0.5, alpha=0.5)
    ax.plot(middle, rate.mean("agent") if "agent" in rate.dims else rate, color=colour, lw=1.3)
    ax.set(ylim=(0, None), ylabel="learning rate")
    return ax


def rates_by_block(
    ax: Axes, rate: xr.DataArray, *, label: str, colour: str, shift: float = 0.0, filled: bool = True, dash: str = "-"
) -> Axes:
    """Draw learning rates of the stable and the volatile half of an episode, joined in the order they were played.

    Parameters
    ----------
    ax : Axes
        Where to draw; its learning-rate axis becomes logarithmic.
    rate : DataArray
        In [0, 1] over ``block`` (of `PLACES`; one that is absent or NaN is left out), and ``agent`` where there are
        several: then a small dot for each, beside the mean.
    label : str
        For the legend.
    colour, filled, dash
        Of points and lines.
    shift : float
        Sideways.
    """
    require(rate.to_dataset(name="rate"), rate=("block",))
    mean = rate.mean("agent") if "agent" in rate.dims else rate
    face = colour if filled else "white"
    for i, order in enumerate(ORDERS):
        blocks = [name for name in order if name in rate.block.values]
        at = np.array([PLACES[name] for name in blocks]) + shift
        (line,) = ax.plot(at, mean.sel(block=blocks), dash, color=colour, lw=1.0, label=None if i else label)
        line.set(marker="o", markersize=4, markerfacecolor=face, markeredgecolor=colour, markeredgewidth=0.9)
        if rate.sizes.get("agent", 1) > 1:
            for x, name in zip(at, blocks, strict=True):
                each = rate.sel(block=name)
                ax.plot(np.full(each.size, x + 0.1), each, ".", ms=3, mew=0, alpha=0.7, color=colour)
    return block_axes(ax)


def range_by_block(ax: Axes, lower: xr.DataArray, upper: xr.DataArray, *, colour: str, shift: float = 0.0) -> Axes:
    """Draw from where to where learning rates reach in each block, as bars.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    lower, upper : DataArray
        In [0, 1] over ``block``; NaN is left out.
    colour : str
        Of the bars.
    shift : float
        Sideways.
    """
    at = [PLACES[str(name)] + shift for name in lower.block.values]
    ax.vlines(at, lower, upper, color=colour, lw=1.2)
    return block_axes(ax)


def block_axes(ax: Axes) -> Axes:
    """Label axes whose places are the blocks and whose logarithmic scale is the learning rate.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    """
    ax.set_yscale("log")
    ticks = [0.05, 0.1, 0.2, 0.4, 0.8]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xticks(list(PLACES.values()), list(PLACES))
    ax.set(xlim=(-0.5, 4.0), ylim=(0.05, 0.8), ylabel="learning rate (log axis)")
    return ax
