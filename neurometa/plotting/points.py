"""Values as points about their place on a categorical axis, spread sideways so that none hides another."""

import numpy as np
from matplotlib.axes import Axes

from neurometa.plotting.colours import COLOURS


def spread_points(
    ax: Axes,
    place: np.ndarray,
    value: np.ndarray,
    *,
    reach: float = 0.2,
    size: float = 2.5,
    opacity: float = 0.5,
    colour: str = COLOURS[0],
) -> Axes:
    """Draw values as points about their places; the same values are spread the same way each time.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    place, value : array (n,)
        Where each belongs on the abscissa, and what it is; NaN is left out.
    reach : float
        Of the spread to either side; a point alone at its place stays in the middle.
    size : float
        Diameter, in points.
    opacity, colour
        Of the points.
    """
    import seaborn as sns  # a third of a second to load, as in all drawings that use it

    place, value = np.asarray(place, float), np.asarray(value, float)
    finite = np.isfinite(value)
    _, code, n = np.unique(place[finite], return_inverse=True, return_counts=True)
    aside = np.random.default_rng(0).uniform(-reach, reach, finite.sum()) * (n[code] > 1)
    look = {"s": size**2, "color": colour, "alpha": opacity, "linewidth": 0, "legend": False}
    sns.scatterplot(x=place[finite] + aside, y=value[finite], ax=ax, rasterized=len(value) > 500, **look)
    return ax
