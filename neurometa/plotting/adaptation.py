"""Reward within an episode, by the environment steps that were lived."""

import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS


def adaptation_curve(ax: Axes, found: xr.Dataset, *, label: str = "agent", colour: str = COLOURS[0]) -> Axes:
    """Draw the reward of each trial against environment steps lived, with its band, and dotted what could be earned.

    Parameters
    ----------
    ax : Axes
        Where to draw; several agents can go on the same, whatever they are made of.
    found : Dataset
        As of `behaviour.adaptation`.
    label, colour
        Of the line.

    Raises
    ------
    InputError
        A variable or dim is absent.
    """
    require(found, reward=("trial",), reward_interval=("trial", "bound"), optimum=("trial",), steps_lived=("trial",))
    import seaborn as sns

    steps = found.steps_lived.values
    line = {"color": colour, "lw": 1.4, "label": label, "legend": False}
    sns.lineplot(x=steps, y=found.reward.values, ax=ax, errorbar=None, **line)
    lower, upper = (found.reward_interval.sel(bound=name) for name in ("lower", "upper"))
    ax.fill_between(steps, lower, upper, color=colour, alpha=0.2, lw=0)
    ax.plot(steps, found.optimum, ls=":", color="0.3", lw=1)
    ax.set(xlabel=found.steps_lived.attrs["long_name"], ylabel=found.reward.attrs["long_name"])
    return ax
