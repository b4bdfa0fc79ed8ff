"""Held-out likelihoods side by side, and when choices are changed."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.plotting.colours import COLOURS

OF_KIND = {"classical": COLOURS[0], "network": COLOURS[1], "optimum": COLOURS[2], "ceiling": "0.4"}


def held_out_differences(ax: Axes, found: xr.Dataset) -> Axes:
    """Draw how much worse than the best classical model each one predicts, with its interval, the best on top.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        Of `neurometa.behaviour.predict`. What is worse than twice the worst learner or network is drawn at the edge.

    Returns
    -------
    Axes
        The same.
    """
    order = np.argsort(found.mean_nats.values)
    shown = found.isel(model=order)
    names = shown.model.values.astype(str)
    for place in range(len(names)):
        one = shown.isel(model=place)
        colour = OF_KIND[str(one.kind.item())]
        ax.plot([one.lower, one.upper], [place, place], color=colour, lw=1.2)
        ax.plot(one.difference, place, "o", color=colour, ms=4)
    ax.axvline(0, color="0.7", lw=0.8, zorder=0)
    learned = shown.difference.values[(names != "bias") & (shown.kind.values != "optimum")]
    edge = float(np.nanmax(learned, initial=1e-3))
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    ax.set(xlabel=f"nats per trial more than {found.attrs['best']}")
    ax.set_xlim(min(float(np.nanmin(shown.lower, initial=0.0)), 0.0) - 0.1 * edge, 1.15 * edge)
    return ax


def switch_curves(ax: Axes, p_switch: xr.DataArray, models: list[str]) -> Axes:
    """Draw the probability of another choice by run length, after rewards and after none.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    p_switch : DataArray
        Over ``switcher``, ``outcome`` and ``run_length``; ``observed`` is drawn as points, the others as lines.
    models : list of str
        Which others, at most four.

    Returns
    -------
    Axes
        The same.
    """
    for outcome, style in (("unrewarded", "-"), ("rewarded", "--")):
        one = p_switch.sel(outcome=outcome)
        filled = "full" if outcome == "unrewarded" else "none"
        label = "after no reward" if outcome == "unrewarded" else "after a reward"
        ax.plot(one.run_length, one.sel(switcher="observed"), "o", color="k", ms=4, fillstyle=filled, label=label)
        for name, colour in zip(models, COLOURS, strict=False):
            shown = name if outcome == "unrewarded" else None
            ax.plot(one.run_length, one.sel(switcher=name), style, color=colour, lw=1.2, label=shown)
    ax.set(xlabel="choices in a row", ylabel="P(switch)", ylim=(0, None))
    return ax
