"""What the past weighs in a choice: stay probabilities and history kernels."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS
from neurometa.plotting.points import spread_points

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
    import seaborn as sns

    each = stay.stay_probability.transpose(*cells, ...)
    one = each.ndim == 2
    others = [dim for dim in each.dims if dim not in cells]
    each = each.stack(each=others, create_index=False) if others else each.expand_dims("each", -1)
    frame = each.rename("stay").drop_vars("each", errors="ignore").to_dataframe().reset_index()
    names = {"x": "previous_outcome", "y": "stay", "hue": "previous_transition", "hue_order": list(TRANSITIONS)}
    how = {"palette": TRANSITIONS, "ax": ax}
    sns.barplot(frame, **names, **how, errorbar=None, width=0.8, gap=0.1, saturation=1, legend=False)
    for shift, kind, bars in zip((-0.2, 0.2), TRANSITIONS, ax.containers, strict=True):
        bars.set_label(kind)
        values = each.sel(previous_transition=kind)
        if not one:
            at = np.repeat(np.arange(values.sizes["previous_outcome"]) + shift, values.sizes["each"])
            spread_points(ax, at, values.values.ravel(), reach=0.12, size=1.6, colour="0.25")
        ends = _ends(values, stay.interval.sel(previous_transition=kind) if one and "interval" in stay else None)
        if ends is not None:
            ax.vlines(np.arange(len(values.previous_outcome)) + shift, *ends, color="black", lw=1.1, zorder=4)
    ax.set(xlabel="previous outcome", ylabel="stay probability")
    ax.set(ylim=(0, 1.02), yticks=[0, 0.5, 1])
    return ax


def _ends(values: xr.DataArray, interval: xr.DataArray | None) -> np.ndarray | None:
    """Ends of the intervals that bars are given (bound, outcome): those known, or the mean and its standard error."""
    if interval is not None:
        return interval.transpose("bound", "previous_outcome").values
    if values.sizes["each"] < 2:
        return None
    mean, error = values.mean("each"), values.std("each", ddof=1) / np.sqrt(values.notnull().sum("each"))
    return np.stack([mean - error, mean + error])


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
    import seaborn as sns

    require(history, coef=("regressor", "lag"))
    others = [dim for dim in history.coef.dims if dim not in ("regressor", "lag")]
    mean = history.coef.mean(others) if others else history.coef
    if others:
        n = history.coef.notnull().sum(others)
        error = (history.coef.std(others, ddof=1) / np.sqrt(n)).where(n > 1)
    else:
        error = history.se
    for i, name in enumerate(history.regressor.values):
        weight, reach = (x.sel(regressor=name).values for x in (mean, 2 * error))
        line = {"color": COLOURS[i % len(COLOURS)], "marker": "o", "ms": 3, "mew": 0, "lw": 1}
        sns.lineplot(x=history.lag.values, y=weight, ax=ax, errorbar=None, label=str(name), legend=False, **line)
        ax.vlines(history.lag.values, weight - reach, weight + reach, color=line["color"], lw=1)
    ax.axhline(0, color="0.7", lw=0.6, zorder=0)
    ax.set(xlabel="lag (choices)", ylabel="weight (log odds)")
    return ax
