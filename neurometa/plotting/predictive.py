"""What a fitted model would have done, beside what was done."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS


def posterior_predictive(figure: Figure, checked: xr.Dataset) -> Figure:
    """Draw a posterior predictive check: statistics to the left, the curve over trials to the right.

    Parameters
    ----------
    figure : Figure
        Where to draw; its axes become two.
    checked : Dataset
        Of `behaviour.posterior_predictive`.
    """
    require(checked, simulated=("draw", "statistic"), simulated_curve=("draw", "bin"), p_value=("statistic",))
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    at = np.arange(checked.sizes["statistic"])
    middle = checked["mean"].values
    reach = np.abs(checked.interval.transpose("bound", "statistic").values - middle)
    left.errorbar(at, middle, yerr=reach, fmt="o", color=COLOURS[0], ms=4, lw=1.5, label="model, 95 % of draws")
    left.plot(at, checked.observed.values, "x", color="0.1", ms=7, mew=1.5, label="observed")
    for x, p in zip(at, checked.p_value.values, strict=True):
        left.annotate(f"p {p:.2g}", (x, 1.0), ha="center", va="bottom", fontsize="small")
    names = [str(name).replace("_", "\n", 1).replace("_", " ") for name in checked.statistic.values]
    left.set(xticks=at, xticklabels=names, ylabel="proportion, or reward a trial", xlim=(-0.5, len(at) - 0.5))
    left.set_ylim(min(0.0, float(checked.interval.min()), float(checked.observed.min())), 1.1)
    left.legend(frameon=False, loc="lower left", fontsize="small")
    trial, curves = checked.bin.values, checked.simulated_curve.transpose("draw", "bin").values
    lower, upper = np.nanquantile(curves, [0.025, 0.975], axis=0)
    right.fill_between(trial, lower, upper, color=COLOURS[0], alpha=0.25, lw=0)
    right.plot(trial, np.nanmean(curves, axis=0), color=COLOURS[0], lw=1.5)
    right.plot(trial, checked.observed_curve.values, "x-", color="0.1", ms=5, lw=0.8)
    attrs = checked.observed_curve.attrs
    units = f" ({attrs['units']})" if "units" in attrs else ""
    right.set(xlabel="trial", ylabel=f"{attrs.get('long_name', 'curve')}{units}")
    figure.suptitle(f"{checked.attrs.get('model', '')}, {checked.attrs.get('how', '')}", fontsize="medium")
    return figure
