"""What the past weighs in a choice: stay probabilities and history kernels."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS

TRANSITIONS = {"common": COLOURS[0], "rare": COLOURS[2]}


def stay_bars(ax: Axes, stay: xr.Dataset) -> Axes:
    """Draw stay probabilities as bars, grouped by the last outcome, one colour per transition.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    stay : Dataset
        Of `behaviour.stay_probability`. Over one further dim at most, such as ``subject``, the bars are
        means, with their standard errors and the values as points; else they have the intervals.
    """
    cells = ("previous_outcome", "previous_transition")
    require(stay, stay_probability=cells)
    each = stay.stay_probability.transpose(*cells, ...)
    one = each.ndim == 2
    others = [dim for dim in each.dims if dim not in cells]
    each = each.stack(each=others, create_index=False) if others else each.expand_dims("each", -1)
    mean = each.mean("each")
    outcomes = [str(outcome) for outcome in each.previous_outcome.values]
    for shift, (kind, colour) in zip((-0.2, 0.2), TRANSITIONS.items(), strict=True):
        at = np.arange(len(outcomes)) + shift
        height = mean.sel(previous_transition=kind).values
        error = None
        if one and "interval" in stay:
            ends = stay.interval.sel(previous_transition=kind).transpose("bound", "previous_outcome").values
            error = np.abs(ends - height)
        elif not one:
            values = each.sel(previous_transition=kind)
            n = values.notnull().sum("each")
            error = (values.std("each", ddof=1) / np.sqrt(n)).values if values.sizes["each"] > 1 else None
        ax.bar(at, height, 0.36, yerr=error, color=colour, label=kind, error_kw={"lw": 0.8})
        if not one:
            points = each.sel(previous_transition=kind)
            jitter = np.linspace(-0.1, 0.1, points.sizes["each"])
            for x, row in zip(at, points.values, strict=True):
                ax.plot(x + jitter, row, ".", ms=1.5, color="0.25", alpha=0.5)
    ax.set(xticks=range(len(outcomes)), xticklabels=outcomes, xlabel="previous outcome", ylabel="stay probability")
    ax.set(ylim=(0, 1.02), yticks=[0, 0.5, 1])
    return ax


def history_kernels(ax: Axes, history: xr.Dataset) -> Axes:
    """Draw the weight of each regressor over lags, with twice its standard error.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    history : Dataset
        Of `behaviour.history_regression`. Over further dims, the lines are means and the errors those of
        the mean.
    """
    require(history, coef=("regressor", "lag"))
    others = [dim for dim in history.coef.dims if dim not in ("regressor", "lag")]
    mean = history.coef.mean(others) if others else history.coef
    if others:
        n = history.coef.notnull().sum(others)
        error = (history.coef.std(others, ddof=1) / np.sqrt(n)).where(n > 1)
    else:
        error = history.se
    for i, name in enumerate(history.regressor.values):
        colour = COLOURS[i % len(COLOURS)]
        at = {"regressor": name}
        reach = 2 * error.sel(at).values
        ax.errorbar(
            history.lag.values, mean.sel(at).values, yerr=reach, color=colour, marker="o", ms=3, lw=1, label=str(name)
        )
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="lag (choices)", ylabel="weight (log odds)")
    return ax
