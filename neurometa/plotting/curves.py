"""Means with their uncertainty: regret by trial, and what was fitted."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.behaviour import crossed_interval, mean_interval
from neurometa.plotting.colours import BASELINES, COLOURS, DASHES


def agent_interval(x: xr.DataArray) -> xr.Dataset:
    """Mean and 95 % interval: over agents, and the episodes that they share; of one agent, over its episodes.

    Parameters
    ----------
    x : DataArray
        Over ``episode`` or ``agent`` or both, and any other dims.

    Returns
    -------
    Dataset
        As of `behaviour.mean_interval`, over the other dims; of several agents by `behaviour.crossed_interval`, or
        over agents alone where `x` has no ``episode``.
    """
    if x.sizes.get("agent", 1) == 1:
        return mean_interval(x.squeeze("agent", drop=True) if "agent" in x.dims else x, "episode")
    if "episode" not in x.dims:
        return mean_interval(x, "agent")
    return crossed_interval(x).assign(n=x.notnull().any("episode").sum("agent"))


def mean_curve(ax: Axes, x: xr.DataArray, *, label: str, colour: str, dash: str = "-", width: float = 1.6) -> Axes:
    """Draw a mean against trial as a line, with its 95 % band.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x : DataArray
        Over ``trial``, and ``episode`` or ``agent`` or both: see `agent_interval`.
    label : str
        For the legend.
    colour, dash, width
        Of the line.
    """
    import seaborn as sns

    mean = agent_interval(x)
    trial = np.arange(1, x.sizes["trial"] + 1)
    line = {"ls": dash, "color": colour, "lw": width, "label": label, "legend": False}
    sns.lineplot(x=trial, y=mean["mean"].values, ax=ax, errorbar=None, **line)
    ax.fill_between(trial, mean.lower, mean.upper, color=colour, alpha=0.2, lw=0)
    ax.set(xlabel="trial", xlim=(1, len(trial)))
    return ax


def regret_curves(ax: Axes, regret: xr.DataArray, *, cumulative: bool = True) -> Axes:
    """Draw mean regret against trial, a line and a 95 % band per learner.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    regret : DataArray
        Regret of each trial over ``learner``, ``trial``, and ``episode`` or ``agent`` or both: see `agent_interval`.
    cumulative : bool
        Draw the sum so far, else the regret of each trial.
    """
    for i, learner in enumerate(regret.learner.values):
        one = regret.sel(learner=learner)
        mean_curve(
            ax,
            one.cumsum("trial") if cumulative else one,
            label=str(learner),
            colour=COLOURS[i % len(COLOURS)],
            dash=DASHES[i % len(DASHES)],
            width=1.6 if i == 0 else 1.0,
        )
    ax.set(ylabel="cumulative regret (reward)" if cumulative else "regret per trial", ylim=(0, None))
    return ax


def baseline_curves(ax: Axes, curves: xr.DataArray) -> Axes:
    """Draw the exact cumulative regret of the learners that agents are set beside.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    curves : DataArray
        Over ``learner`` and ``trial``, as of `expected.baselines`.
    """
    trial = np.arange(1, curves.sizes["trial"] + 1)
    for learner in curves.learner.values:
        colour, dash = BASELINES[str(learner)]
        ax.plot(trial, curves.sel(learner=learner), dash, color=colour, lw=1.0, label=str(learner), zorder=1)
    ax.set(xlabel="trial", ylabel="cumulative regret (reward)", xlim=(1, len(trial)), ylim=(0, None))
    return ax


def published_points(ax: Axes, published: xr.Dataset, colours: Mapping[str, str]) -> Axes:
    """Draw published values as circles, with their intervals where these are known.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    published : Dataset
        ``cumulative_regret``, ``lower`` and ``upper`` over ``learner`` and ``trial``, as of `reference.load`.
    colours : mapping of str to str
        The colour of each learner.
    """
    for learner in published.learner.values:
        one, colour = published.sel(learner=learner), colours[str(learner)]
        ax.plot(one.trial, one.cumulative_regret, "o", ms=3, mfc="white", mec=colour, mew=0.9, zorder=5)
        ax.vlines(one.trial, one.lower, one.upper, color=colour, lw=1.2, zorder=4)
    ax.plot([], [], "o", ms=3, mfc="white", mec="0.3", mew=0.9, label="published")
    return ax


def matrix(ax: Axes, value: xr.DataArray, shade: xr.DataArray, most: float) -> Axes:
    """Draw numbers in cells, shaded by something else.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    value : DataArray
        What is written, over two dims whose coordinates label rows and columns.
    shade : DataArray
        What colours the cells, over the same dims, >= 0; from white at 0 to dark at `most` and above.
    most : float
        End of the colours.
    """
    rows, columns = value.dims
    dark = shade.transpose(rows, columns).values / most
    ax.imshow(dark, cmap="Oranges", vmin=0, vmax=1, aspect="auto")
    for (row, column), number in np.ndenumerate(value.values):
        colour = "white" if dark[row, column] > 0.6 else "0.15"
        ax.text(column, row, f"{number:.2f}", ha="center", va="center", color=colour)
    for axis, names in ((ax.xaxis, value[columns].values), (ax.yaxis, value[rows].values)):
        axis.set_ticks(np.arange(len(names)), [str(name) for name in names])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=str(columns), ylabel=str(rows))
    return ax


def correlations(ax: Axes, table: xr.DataArray) -> Axes:
    """Draw correlations as numbers in cells, from blue (-1) by white to red (+1).

    Parameters
    ----------
    ax : Axes
        Where to draw.
    table : DataArray
        In [-1, 1], over two dims whose coordinates label rows and columns; NaN is left empty.
    """
    import seaborn as sns

    names = {"yticklabels": list(table[table.dims[0]].values), "xticklabels": list(table[table.dims[1]].values)}
    how = {
        "cmap": "RdBu_r",
        "vmin": -1,
        "vmax": 1,
        "cbar": False,
        "annot": True,
        "fmt": ".2f",
        "annot_kws": {"size": 6},
    }
    sns.heatmap(table.values, ax=ax, linewidths=0.5, **how, **names)
    ax.tick_params(length=0)
    ax.tick_params(axis="x", rotation=35)
    for label in ax.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")
    return ax


def rate_by_volatility(ax: Axes, fitted: xr.Dataset, unseen: tuple[float, float]) -> Axes:
    """Draw fitted learning rates against the volatility of their episodes, with the band never trained on.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    fitted : Dataset
        ``learning_rate`` and ``volatility`` over ``episode`` (and ``agent``); ``slope`` and
        ``intercept`` of the regression of one on the other, per agent.
    unseen : (low, high)
        Ends of the band, per trial.
    """
    low, high = unseen
    ax.axvspan(low, high, color="0.9", lw=0, zorder=0)
    ax.text(
        (low + high) / 2, 1.02, "unseen", ha="center", va="bottom", color="0.35", transform=ax.get_xaxis_transform()
    )
    each = [fitted.isel(agent=i) for i in range(fitted.sizes["agent"])] if "agent" in fitted.dims else [fitted]
    first = each[0]
    ax.plot(first.volatility, first.learning_rate, ".", ms=2.2, alpha=0.45, color=COLOURS[0], mew=0, rasterized=True)
    ends = np.array([0, float(first.volatility.max())])
    for one in each:
        ax.plot(ends, float(one.intercept) + float(one.slope) * ends, color=COLOURS[2], lw=1.2)
    ax.set(xlim=ends, ylim=(-0.02, 1.02))
    ax.set(xlabel="volatility ν of the episode (1/trial)", ylabel="fitted learning rate")
    return ax
