"""Drawing: labelled data and axes in, axes out; and the figures of the papers by name."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from neurometa.behaviour import mean_interval
from neurometa.dataset import require
from neurometa.errors import InputError, nearest
from neurometa.share import folder
from neurometa.storage import replacing

# Okabe and Ito's colours, told apart by colour-blind readers; the agent is always the first
COLOURS = ("#0072B2", "#000000", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999", "#F0E442")
DASHES = ("-", "--", "-", "-", "-", "-.", ":", ":", "-.")


def choices_on_probability(ax: Axes, trials: xr.Dataset, episodes: Sequence[int]) -> Axes:
    """Draw the first arm's reward probability over episodes laid end to end, and what was chosen.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    trials : Dataset
        ``choice`` over ``episode`` and ``trial``, ``reward_prob`` over them and ``arm``.
    episodes : sequence of int
        Positions of the episodes to show, in order.
    """
    require(trials, choice=("episode", "trial"), reward_prob=("episode", "trial", "arm"))
    n = trials.sizes["trial"]
    for place, episode in enumerate(episodes):
        one = trials.isel(episode=episode)
        at = place * n + np.arange(n)
        ax.plot(
            at,
            one.reward_prob.isel(arm=0),
            color=COLOURS[1],
            lw=0.9,
            label="probability of arm 0" if not place else None,
        )
        first = (one.choice == 0).values
        for chosen, height, colour in ((first, 1.06, COLOURS[0]), (~first, -0.06, COLOURS[2])):
            label = f"chose arm {0 if height > 1 else 1}" if not place else None
            ax.plot(at[chosen], np.full(chosen.sum(), height), "|", ms=3.5, mew=0.7, color=colour, label=label)
        if place:
            ax.axvline(place * n, color="0.8", lw=0.6, zorder=0)
    ax.set(xlim=(0, len(episodes) * n), ylim=(-0.14, 1.14), yticks=[0, 0.5, 1])
    ax.set(xlabel="trial", ylabel="reward probability")
    return ax


def regret_curves(ax: Axes, regret: xr.DataArray, *, cumulative: bool = True) -> Axes:
    """Draw mean regret against trial, a line and a 95 % band per learner.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    regret : DataArray
        Regret of each trial over ``learner``, ``episode``, ``trial`` and any other dims, over
        which episodes are pooled.
    cumulative : bool
        Draw the sum so far, else the regret of each trial.
    """
    pooled = regret.stack(every=[dim for dim in regret.dims if dim not in ("learner", "trial")])
    mean = mean_interval(pooled.cumsum("trial") if cumulative else pooled, "every")
    trial = np.arange(1, regret.sizes["trial"] + 1)
    for i, learner in enumerate(regret.learner.values):
        one = mean.sel(learner=learner)
        colour = COLOURS[i % len(COLOURS)]
        ax.plot(trial, one["mean"], DASHES[i % len(DASHES)], color=colour, lw=1.6 if i == 0 else 1.0, label=learner)
        ax.fill_between(trial, one.lower, one.upper, color=colour, alpha=0.2, lw=0)
    ax.set(xlabel="trial", ylabel="cumulative regret (reward)" if cumulative else "regret per trial")
    ax.set(xlim=(1, len(trial)), ylim=(0, None))
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


def load_figure(name: str) -> ModuleType:
    """Import the script of a figure by its name, e.g. ``w16-fig4``.

    Raises
    ------
    InputError
        There is no figure of that name; the nearest is named.
    """
    place = folder("figures")
    scripts = {path.stem.replace("_", "-"): path for path in sorted(place.glob("*.py"))}
    if name not in scripts:
        raise InputError(
            f"There is no figure {name!r}.{nearest(name, list(scripts))} There are: {', '.join(scripts) or 'none'}."
        )
    spec = importlib.util.spec_from_file_location(f"neurometa_figure_{scripts[name].stem}", scripts[name])
    if spec is None or spec.loader is None:
        raise InputError(f"{scripts[name]} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save_figure(name: str, runs: Sequence[Path], out: Path) -> list[Path]:
    """Draw a figure from the results in run folders, and write it as PDF and PNG.

    Parameters
    ----------
    name : str
        E.g. ``w16-fig4``.
    runs : sequence of Path
        Run folders; more than one for several seeds.
    out : Path
        Folder for the files.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        No such figure, or a result is missing; the message says which command makes it.
    """
    script = load_figure(name)
    written = []
    with plt.style.context(folder("figures") / "paper.mplstyle"):
        fig = script.draw([Path(run) for run in runs])
        for suffix in (".pdf", ".png"):
            path = Path(out) / f"{name}{suffix}"
            with replacing(path) as temporary:
                fig.savefig(temporary, format=suffix[1:])
            written.append(path)
        plt.close(fig)
    return written
