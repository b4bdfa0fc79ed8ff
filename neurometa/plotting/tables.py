"""Tables of a paper, drawn: what was published beside what was found."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

NONE, SMALL = "–", 5.8  # what stands for no number; letters of the table, in points
NAMES = 0.26  # share of the width that learners' names take


def beside_published(ax: Axes, found: xr.Dataset, *, decimals: int | list[int] = 1, settings: str = "") -> Axes:
    """Draw a table with a row for each learner, and in it two numbers for each setting: published and ours.

    Parameters
    ----------
    ax : Axes
        Where to draw: about .16 inch of height for each learner, and .5 inch of width for each setting, read well.
    found : Dataset
        ``published`` and ``ours`` over ``learner`` and ``setting``, whose coordinates label rows and columns; NaN where
        there is no number.
    decimals : int or list of int
        Places after the point, of all settings or of each.
    settings : str
        What the settings are, above the names of the learners, e.g. ``"trials"``.
    """
    found = found.transpose("learner", "setting")
    n_rows, n_columns = found.sizes["learner"], found.sizes["setting"]
    places = decimals if isinstance(decimals, list) else [decimals] * n_columns
    left = n_columns * NAMES / (1 - NAMES)
    ax.set(xlim=(0, left + n_columns), ylim=(n_rows + 0.2, -2.3))
    ax.axis("off")
    for y in (-2.2, -0.1, n_rows):
        ax.axhline(y, color="k", lw=0.6)
    for i in range(1, n_rows, 2):
        ax.axhspan(i, i + 1, color="0.955", lw=0, zorder=0)
    how: dict[str, Any] = {"va": "center", "fontsize": SMALL}
    ax.text(0.03, -1.6, settings, color="0.35", **how)
    for i, learner in enumerate(found.learner.values):
        ax.text(0.03, i + 0.5, str(learner), **how)
    for j, setting in enumerate(found.setting.values):
        ax.text(left + j + 0.55, -1.6, str(setting), ha="center", weight="bold", **how)
        for name, head, x, colour in (("published", "publ.", 0.5, "0.35"), ("ours", "ours", 0.95, "k")):
            ax.text(left + j + x, -0.7, head, ha="right", color="0.35", **how)
            for i, number in enumerate(found[name].values[:, j]):
                ax.text(left + j + x, i + 0.5, _written(number, places[j]), ha="right", color=colour, **how)
    return ax


def _written(number: float, places: int) -> str:
    return NONE if np.isnan(number) else f"{number:.{places}f}"
