"""An agent's states beside an animal's neurons, in axes."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS

NAMES = {
    "rpe": "prediction error",
    "model_free_value": "model-free value",
    "model_based_value": "model-based value",
}


def alignments(ax: Axes, found: xr.Dataset, measure: str = "linear", *, area: str | None = None) -> Axes:
    """Draw how far each population agrees with the neurons at each time, with the noise ceiling above.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        As of `neurometa.neural.beside`. Of the steps of an agent the one that agrees best is drawn.
    measure : {"linear", "procrustes", "cka", "rsa"}
        Which measure.
    area : str, optional
        Which area; by default the last, of all units.
    """
    require(found, alignment=("measure", "population", "agent_step", "step"), ceiling=("measure", "step"))
    one = found.sel(measure=measure)
    if "area" in one.dims:
        one = one.isel(area=-1) if area is None else one.sel(area=area)
    place = np.arange(one.sizes["step"])
    ax.plot(place, one.ceiling, color="0.5", ls="--", lw=1, label="noise ceiling")
    for k, name in enumerate(map(str, one.population.values)):
        own = one.sel(population=name)
        best = own.isel(agent_step=int(np.nanargmax(own.alignment.mean("step").values)))
        colour = COLOURS[(0, 7, 2, 3, 4)[k % 5]]
        ax.plot(place, best.alignment, color=colour, label=f"{name} ({best.agent_step.item()})")
        ax.fill_between(place, best.lower, best.upper, color=colour, alpha=0.2, lw=0)
    lowest = float(min(0.0, one.lower.min()))
    if "shuffled" in one:
        chance = one.shuffled.isel(population=0).mean("agent_step")
        lowest = float(min(lowest, chance.min()))
        ax.plot(place, chance, color="0.7", ls=":", label="shuffled")
    ax.axhline(0, color="0.8", lw=0.5, zorder=0)
    name = measure.upper() if measure in ("cka", "rsa") else measure
    _times(ax, one)
    ax.set(ylabel=f"alignment ({name})", ylim=(max(-1.05, lowest - 0.05), 1.05))
    return ax


def determination(ax: Axes, found: xr.Dataset, *, area: str | None = None) -> Axes:
    """Draw the coefficient of partial determination of each factor over time, means over neurons and standard errors.

    Parameters
    ----------
    ax, found, area
        As for `alignments`.
    """
    require(found, cpd=("factor", "step"))
    one = found if "area" not in found.cpd.dims else found.isel(area=-1) if area is None else found.sel(area=area)
    place = np.arange(one.sizes["step"])
    for k, name in enumerate(map(str, one.factor.values)):
        own, label = one.sel(factor=name), NAMES.get(name, name.replace("_", " "))
        ax.errorbar(place, own.cpd, own.cpd_se, color=COLOURS[k], label=label, lw=1.2)
    ax.plot(place, one.cpd_chance.mean("factor"), color="0.7", ls=":", label="shuffled")
    _times(ax, one)
    ax.set(ylabel="partial determination", ylim=(0, None))
    return ax


def _times(ax: Axes, one: xr.Dataset) -> None:
    """Name the steps along the axis; the labels of imported recordings say that they are seconds."""
    names = [str(each) for each in one.step.values]
    unit = " (s)" if all(name.endswith(" s") for name in names) else ""
    labels = [name.removesuffix(" s").replace(" to ", "\nto ") for name in names]
    ax.set(xticks=range(len(names)), xticklabels=labels, xlabel=f"time{unit}", xlim=(-0.3, len(names) - 0.7))
