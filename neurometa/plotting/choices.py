"""Choices, trial by trial."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS


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


def raster(ax: Axes, kind: xr.DataArray, colours: Sequence[str]) -> Axes:
    """Draw one row per episode and one column per trial, coloured by the kind of choice.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    kind : DataArray
        Whole numbers from 0 over ``episode`` and ``trial``, e.g. the choice, or 1 where it was suboptimal; a trial
        without choice (-1) is left white.
    colours : sequence of str
        The colour of each kind.
    """
    require(kind.to_dataset(name="kind"), kind=("episode", "trial"))
    n_episodes, n_trials = kind.sizes["episode"], kind.sizes["trial"]
    image = kind.transpose("episode", "trial").values.astype(int) + 1
    ax.imshow(
        image,
        cmap=ListedColormap(["white", *colours]),
        vmin=-0.5,
        vmax=len(colours) + 0.5,
        aspect="auto",
        interpolation="none",
        extent=(0.5, n_trials + 0.5, n_episodes + 0.5, 0.5),
    )
    ax.set(xlabel="trial", ylabel="episode")
    return ax


def choice_shares(ax: Axes, shares: xr.DataArray, colours: Sequence[str]) -> Axes:
    """Draw how often each kind of choice was made on each trial, as bars that add up to 1.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    shares : DataArray
        In [0, 1] over ``kind`` and ``trial``; their names are the coordinate ``kind``.
    colours : sequence of str
        The colour of each kind.
    """
    require(shares.to_dataset(name="shares"), shares=("kind", "trial"))
    trial, below = np.arange(1, shares.sizes["trial"] + 1), np.zeros(shares.sizes["trial"])
    for kind, colour in zip(shares.kind.values, colours, strict=True):
        share = shares.sel(kind=kind).values
        ax.bar(trial, share, 0.8, below, color=colour, label=str(kind))
        below = below + share
    ax.set(xlabel="trial", ylabel="share of choices", xticks=trial, ylim=(0, 1), yticks=[0, 0.5, 1])
    return ax
