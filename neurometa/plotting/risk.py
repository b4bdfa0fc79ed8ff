"""Risky choices, and what a perturbation makes of them."""

import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS

DURING = {"control": ("o", COLOURS[1]), "perturbed": ("s", COLOURS[0])}


def risk_by_probability(ax: Axes, risk: xr.Dataset) -> Axes:
    """Draw the share of risky choices against the probability with which risk pays, in control and perturbed.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    risk : Dataset
        ``mean``, a share in [0, 1], over ``during`` (control, perturbed) and ``risky_prob``, and ``lower`` and
        ``upper`` where they are known.

    Raises
    ------
    InputError
        A variable or dim is absent.

    References
    ----------
    Stopper et al. 2014; Wang et al. 2018, Fig 7.
    """
    require(risk, mean=("during", "risky_prob"))
    import seaborn as sns

    for during, (marker, colour) in DURING.items():
        one = 100 * risk.sel(during=during, drop=True)
        line = {"marker": marker, "ms": 4, "mew": 0, "lw": 1.2, "color": colour, "label": during, "legend": False}
        sns.lineplot(x=one.risky_prob.values, y=one["mean"].values, ax=ax, errorbar=None, **line)
        if "lower" in one and "upper" in one:
            ax.vlines(one.risky_prob, one.lower, one.upper, color=colour, lw=1.2)
    prob = risk.risky_prob.values
    reach = 0.35 * (prob.max() - prob.min())
    ax.set_xticks(prob, [f"{each:g}" for each in prob])
    ax.set(xlim=(prob.max() + reach, prob.min() - reach), ylim=(0, 103), yticks=[0, 25, 50, 75, 100])
    ax.set(xlabel="probability that risk pays", ylabel="risky choices (%)")
    return ax
