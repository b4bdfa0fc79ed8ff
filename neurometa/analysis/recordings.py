"""Analyses of what was recorded of animals."""

from typing import TYPE_CHECKING

from neurometa.analysis.record import ACTIVITY, Analysis, Drawing

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def _draw_photometry(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    last = str(found.regressor.values[-1])
    plotting.coefficient_bands(ax, found, last)
    n, singular = int(found.n), int(found.singular.sum())
    told = f"Effect of {last} on the {found.attrs['signal']}: {n:,} trials of {int(found.n_subjects)} animals"
    return f"{told}; mixed model singular at {singular} of {found.sizes['time']} times."


PHOTOMETRY = Analysis(
    name="photometry",
    file="photometry.nc",
    heading=ACTIVITY,
    asks="Explain a signal around an event by a mixed model.",
    compute="It is asked of a table of signals, not of a run.",
    drawing=Drawing("What explains the signal", _draw_photometry, "coef", ("regressor", "time")),
)


def _draw_beside(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.alignments(ax, found, "linear")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    told = f"Variance of {int(found.n_units[-1])} neurons over {int(found.n_types.min())} types of trials"
    return f"{told} that a ridge map explains in the other half of the episodes; bands: 95 % of halvings."


BESIDE = Analysis(
    name="beside",
    file="beside.nc",
    heading=ACTIVITY,
    asks="Set an agent's states beside an animal's neurons.",
    compute="It takes the trials of an animal too, to which the agent is clamped.",
    drawing=Drawing("Beside an animal's neurons", _draw_beside, "alignment", None, legend_beside=True),
    reads_activity=True,
)
