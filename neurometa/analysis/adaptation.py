"""The analysis of learning within an episode, set against who knows its world."""

from typing import TYPE_CHECKING

from neurometa.analysis.record import BEHAVIOUR, Analysis, Drawing

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def _adaptation(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.adaptation(trials)


def _draw_adaptation(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.adaptation_curve(ax, found)
    lower, upper = found.area_interval.values
    given_up = f"{float(found.area):.2f} (95 %: {lower:.2f} to {upper:.2f})"
    return f"{int(found.n):,} episodes; 95 % band. Dotted: who knows the world, who earns {given_up} more per episode."


ADAPTATION = Analysis(
    name="adaptation",
    file="adaptation.nc",
    heading=BEHAVIOUR,
    asks="How reward comes up to the optimum within an episode.",
    compute=_adaptation,
    drawing=Drawing("Adaptation", _draw_adaptation, "reward", ("trial",)),
    suits="goal_place",
)
