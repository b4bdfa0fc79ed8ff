"""Learning to learn: how soon a problem is solved, early and late in training."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes

from neurometa.dataset import require

BY_STAGE = "viridis_r"  # from light to dark as training goes on


def learning_set_curves(ax: Axes, curves: xr.Dataset, stage: str) -> Axes:
    """Draw the share of right choices by trial of a problem, one line per stage of training.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    curves : Dataset
        ``accuracy``, in [0, 1], over ``trial``, whose coordinate counts from 1, and a dim of stages in their order;
        ``lower`` and ``upper`` where they are known, drawn as bars.
    stage : str
        Name of that dim, whose coordinate goes into the legend.

    Raises
    ------
    InputError
        A variable or dim is absent.

    References
    ----------
    Harlow 1949; Wang et al. 2018, Fig 6b, c.
    """
    require(curves, accuracy=("trial", stage))
    import seaborn as sns

    trial, last = curves.trial.values, curves.sizes[stage] - 1
    ax.axhline(50, color="0.8", lw=0.6, zorder=0)  # a guess
    for place, name in enumerate(curves[stage].values):
        one = 100 * curves.isel({stage: place}).drop_vars(stage)
        colour = colormaps[BY_STAGE](0.08 + 0.92 * place / max(last, 1))
        line = {"marker": "o", "ms": 2.5, "mew": 0, "lw": 1.1, "color": colour, "label": str(name), "legend": False}
        sns.lineplot(x=trial, y=one.accuracy.values, ax=ax, errorbar=None, **line)
        if "lower" in one and "upper" in one:
            ax.vlines(trial, one.lower, one.upper, color=colour, lw=1.1)
    ax.set(xlabel="trial of a problem", ylabel="right choices (%)", ylim=(0, 102), yticks=[0, 25, 50, 75, 100])
    ax.set_xticks(np.asarray(trial))
    return ax
