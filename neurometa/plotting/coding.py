"""What prediction errors, units and decoders tell, in axes."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS
from neurometa.plotting.points import spread_points

EVENT_COLOURS = {"second_stage": COLOURS[0], "outcome": COLOURS[2]}


def rpe_scatter(ax: Axes, agent: xr.DataArray, reference: xr.DataArray, *, r_squared: float | None = None) -> Axes:
    """Draw an agent's prediction errors against a reference's, a colour for each event.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    agent : DataArray
        Over ``trial``, ``event`` and other dims, as of `neurometa.neural.rpe`.
    reference : DataArray
        Over the same dims, with ``second_stage`` and ``outcome``, e.g. ``model_based`` of
        `neurometa.behaviour.reference_rpes`; its ``long_name`` labels the axis.
    r_squared : float, optional
        Written in a corner.
    """
    for given in (agent, reference):
        require(xr.Dataset({"rpe": given}), rpe=("trial", "event"))
    for event in (str(each) for each in reference.event.values if each in agent.event.values):
        pair = xr.broadcast(*(x.sel(event=event).reset_coords(drop=True) for x in (reference, agent)))
        x, y = (each.values.ravel() for each in pair)
        colour = EVENT_COLOURS.get(event, COLOURS[7])
        ax.scatter(x, y, s=3, lw=0, alpha=0.4, color=colour, label=event.replace("_", " "), rasterized=True)
    ax.axhline(0, color="0.8", lw=0.5, zorder=0)
    ax.axvline(0, color="0.8", lw=0.5, zorder=0)
    ax.set(xlabel=reference.attrs.get("long_name", "reference"), ylabel="agent's reward prediction error")
    if r_squared is not None:
        text = f"r² = {r_squared:.2f}" if r_squared >= 0.005 else f"r² = {r_squared:.0e}"
        ax.text(0.04, 0.96, text, transform=ax.transAxes, va="top")
    return ax


def unit_coding(ax: Axes, correlation: xr.DataArray, *, chance: xr.DataArray | None = None) -> Axes:
    """Draw each unit's absolute correlation with each factor as a point, their mean as a bar, and chance as a line.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    correlation : DataArray
        Over ``factor`` and ``unit``, in [-1, 1], e.g. ``spearman`` of `neurometa.neural.encode`.
    chance : DataArray, optional
        Over ``factor`` and perhaps ``unit``, e.g. ``spearman_chance``; its mean over units is drawn.
    """
    require(xr.Dataset({"correlation": correlation}), correlation=("factor", "unit"))
    import seaborn as sns

    size = abs(correlation.transpose("factor", "unit"))
    place = np.arange(size.sizes["factor"])
    names = [str(name) for name in correlation.factor.values]
    sns.barplot(x=names, y=size.mean("unit").values, ax=ax, color=COLOURS[0], alpha=0.35, width=0.7, lw=0)
    spread_points(ax, np.repeat(place, size.sizes["unit"]), size.values.ravel(), reach=0.25, size=2, opacity=1)
    if chance is not None:
        level = chance.mean([dim for dim in chance.dims if dim != "factor"])
        ax.hlines(level, place - 0.35, place + 0.35, colors="black", lw=1.0, linestyles="--", label="permuted episodes")
    ax.set(xticks=place, xticklabels=names, xlabel="", ylabel="|partial correlation|", ylim=(0, None))
    return ax


def generalisation(
    ax: Axes, score: xr.DataArray, *, dim: str = "trial", low: float = 0.0, high: float = 1.0
) -> AxesImage:
    """Draw how well the decoder of each time reads every other time.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    score : DataArray
        Over `dim` and ``test_`` and its name, e.g. ``r_squared`` of `neurometa.neural.decode` with `generalise`.
    dim : str
        What was generalised over.
    low, high : float
        Ends of the colour scale; scores beyond them are drawn as these. For the accuracy of two classes take .5 and 1.

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    require(xr.Dataset({"score": score}), score=(dim, f"test_{dim}"))
    seen = score.transpose(dim, f"test_{dim}")
    drawn = ax.imshow(seen, origin="lower", vmin=low, vmax=high, cmap="viridis", interpolation="nearest")
    ticks = np.unique(np.linspace(0, seen.sizes[dim] - 1, min(6, seen.sizes[dim])).round().astype(int))
    labels = (
        [str(each) for each in seen[dim].values[ticks]] if dim in seen.coords else [str(each + 1) for each in ticks]
    )
    ax.set(xticks=ticks, yticks=ticks, xticklabels=labels, yticklabels=labels)
    ax.set(xlabel=f"tested at {dim}", ylabel=f"fitted at {dim}")
    return drawn
