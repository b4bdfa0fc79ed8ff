"""Two-step tasks: how they go, and what an ideal agent would repeat."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS

CENTRES = {"choice": (0.5, 0.86), "0": (0.18, 0.42), "1": (0.82, 0.42)}  # of the boxes, in shares of the axes
SHIFTS = {"common": -0.2, "rare": 0.2}  # of the bars of `stay_bars` from the middle of their group
CHANCE = 0.5


def two_step_sketch(ax: Axes, *, p_common: float, p_reward: float, p_reversal: float = 0.0) -> Axes:
    """Draw how a trial of a two-step task goes: two actions, two second-stage states, and what these pay.

    Parameters
    ----------
    ax : Axes
        Where to draw; its frame goes.
    p_common : float
        Probability of the common transition, in [.5, 1].
    p_reward : float
        Probability of a reward in the better state, in [.5, 1]; the other state pays with the rest of 1.
    p_reversal : float
        Probability that the states swap before a trial, in [0, 1].
    """
    box = {"boxstyle": "round,pad=0.45", "fc": "white", "ec": "0.3", "lw": 0.8}
    names = {"choice": "first stage", "0": "$S_0$", "1": "$S_1$"}
    for name, (x, y) in CENTRES.items():
        ax.text(x, y, names[name], ha="center", va="center", bbox=box, zorder=3)
    for action, side in ((0, -1), (1, 1)):
        start = (0.5 + 0.1 * side, CENTRES["choice"][1])  # the boxes lie on top of the ends
        for state in (0, 1):
            common = action == state
            end = CENTRES[str(state)]
            style = {"arrowstyle": "-|>", "lw": 1.6 if common else 0.8, "shrinkA": 0, "shrinkB": 11}
            style |= {"color": COLOURS[0] if common else COLOURS[2], "ls": "-" if common else "--"}
            ax.annotate("", end, start, arrowprops=style, zorder=2)
        at = "right" if side < 0 else "left"
        ax.text(0.5 + 0.36 * side, 0.7, f"$a_{action}$: {p_common:g}", color=COLOURS[0], ha=at, va="center")
    ax.text(0.5, 0.5, f"rare: {1 - p_common:g}", color=COLOURS[2], ha="center", va="center")
    for name, p in (("0", p_reward), ("1", 1 - p_reward)):
        x, y = CENTRES[name]
        style = {"arrowstyle": "-|>", "color": "0.3", "lw": 0.8, "shrinkA": 0, "shrinkB": 5}
        ax.annotate("", (x, 0.13), (x, y), arrowprops=style, zorder=2)
        ax.text(x, 0.13, f"reward: {p:.2g}", ha="center", va="center")
    swap = (
        f"or the reverse; swapped with probability {p_reversal:g}"
        if p_reversal
        else "or the reverse, drawn per episode"
    )
    ax.text(0.5, -0.02, swap, ha="center", va="center", color="0.35")
    ax.set(xlim=(0, 1), ylim=(-0.08, 1))
    ax.axis("off")
    return ax


def stay_levels(ax: Axes, stay: xr.DataArray, *, label: str) -> Axes:
    """Draw stay probabilities as lines across the bars of `stay_bars`, e.g. those of the ideal agent.

    Parameters
    ----------
    ax : Axes
        Where the bars are.
    stay : DataArray
        Probabilities over ``previous_outcome`` and ``previous_transition`` (common, rare), in the order of the bars.
    label : str
        For the legend.
    """
    require(xr.Dataset({"stay": stay}), stay=("previous_outcome", "previous_transition"))
    for kind, shift in SHIFTS.items():
        level = stay.sel(previous_transition=kind).values
        at = np.arange(len(level)) + shift
        told = label if kind == "common" else "_none"
        ax.hlines(level, at - 0.18, at + 0.18, colors=COLOURS[1], lw=1.1, linestyles=(0, (2, 1)), label=told, zorder=4)
    return ax


def stay_scale(panels: Sequence[Axes], lowest: float = 0.4) -> None:
    """Give panels of `stay_bars` one scale, from below chance to 1, with chance as a line.

    Parameters
    ----------
    panels : sequence of Axes
        Side by side; those that are not the first lose the labels of the ordinate.
    lowest : float
        Lower end of the scale, unless a bar or a point lies lower; then just below that.
    """
    heights = [bar.get_height() for ax in panels for bar in ax.patches if isinstance(bar, Rectangle)]
    heights += [y for ax in panels for line in ax.lines for y in np.atleast_1d(line.get_ydata())]
    least = np.nanmin([lowest, *np.asarray(heights, dtype=float)])
    for place, ax in enumerate(panels):
        ax.axhline(CHANCE, color="0.6", lw=0.6, ls=":", zorder=0)
        ax.set(ylim=(lowest if least >= lowest else max(0.0, least - 0.05), 1.02), yticks=[0.5, 0.75, 1])
        if place:
            ax.set(ylabel="", yticklabels=[])
