"""Analyses of mazes: how soon a goal is found again, what is expected of it, and what is held of it in mind."""

from typing import TYPE_CHECKING

from neurometa.analysis.record import ACTIVITY, BEHAVIOUR, Analysis, Drawing

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def _latency(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.latencies(trials)


def _draw_latency(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.latency_by_trial(ax, found)
    lower, upper = (float(found.ratio_interval.sel(bound=bound)) for bound in ("lower", "upper"))
    return (
        f"Mean latency by trial, those broken off counted by the product-limit estimate; 95 % intervals over "
        f"{found.attrs['n_episodes']:,} episodes. The goal is reached in {float(found.success[0]):.1%} of first "
        f"trials; later trials take {float(found.ratio):.2f} ({lower:.2f} to {upper:.2f}) of the first."
    )


LATENCY = Analysis(
    name="latency",
    file="latency.nc",
    heading=BEHAVIOUR,
    asks="How soon a goal is found, and how soon it is found again.",
    compute=_latency,
    drawing=Drawing("Latency of visits", _draw_latency, "latency", ("trial",)),
    suits="latency",
    seconds=3.0,
)


def _goal_value(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.value_before_goal(trials)


def _draw_goal_value(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.value_before_goal(ax, found)
    ax.legend()
    return f"Mean value around the step at which the goal comes into view; {int(found.n.max()):,} trials at most."


GOAL_VALUE = Analysis(
    name="goal-value",
    file="goal_value.nc",
    heading=ACTIVITY,
    asks="Ask if the value rises before the goal is in view.",
    compute=_goal_value,
    drawing=Drawing("Value before the goal is in view", _draw_goal_value, "value", ("visit", "lag")),
    suits="goal_seen",
)


def _places(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import neural

    return neural.places(trials)


def _draw_places(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    rows = range(found.sizes["target"])
    reach = [found.r_squared - found.lower, found.upper - found.r_squared]
    ax.errorbar(found.r_squared, rows, xerr=reach, fmt="o", color=plotting.COLOURS[0])
    ax.set_yticks(rows, [str(target) for target in found.target.values])
    ax.set(xlabel="R² on episodes held out", ylim=(len(rows) - 0.5, -0.5))
    return (
        f"Ridge regression from {found.attrs['activity']}, {found.attrs['folds']} folds of "
        f"{int(found.n_episodes.max()):,} episodes; 95 % intervals. Of the goal, steps at which it is out of view."
    )


PLACES = Analysis(
    name="places",
    file="places.nc",
    heading=ACTIVITY,
    asks="Read from activity where the agent and the goal are.",
    compute=_places,
    drawing=Drawing("Place and goal in mind", _draw_places, "r_squared", ("target",)),
    suits="goal_seen",
    reads_activity=True,
    seconds=20.0,
)
