"""What explains a signal around an event, in axes."""

import xarray as xr
from matplotlib.axes import Axes

from neurometa.dataset import require
from neurometa.plotting.colours import COLOURS


def coefficient_bands(ax: Axes, found: xr.Dataset, regressor: str, *, colour: str = COLOURS[0]) -> Axes:
    """Draw a coefficient over time with its pointwise band (dark) and its joint one (light).

    Parameters
    ----------
    ax : Axes
        Where to draw.
    found : Dataset
        As of `neurometa.neural.functional_mixed_model`.
    regressor : str
        Whose coefficient; the intercept is the signal where all others are 0.
    colour : str
        Of line and bands.
    """
    require(found, coef=("regressor", "time"), joint_lower=("regressor", "time"))
    one = found.sel(regressor=regressor)
    time = found.time.values
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    if time[0] <= 0 <= time[-1]:
        ax.axvline(0, color="0.6", lw=0.6, ls=":", zorder=0)
    ax.fill_between(time, one.joint_lower, one.joint_upper, color=colour, alpha=0.18, lw=0, label="joint 95 %")
    ax.fill_between(time, one.lower, one.upper, color=colour, alpha=0.35, lw=0, label="pointwise 95 %")
    ax.plot(time, one.coef, color=colour, lw=1.4)
    units = found.coef.attrs.get("units", "")
    ax.set(xlabel=f"time from the event ({found.time.attrs.get('units', 's')})", xlim=(time[0], time[-1]))
    ax.set_ylabel(f"{regressor}" + (f" ({units})" if units else ""))
    return ax
