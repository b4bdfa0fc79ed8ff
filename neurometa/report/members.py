"""Fitted parameters beside what is known of each member: groups compared, correlations with every score."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy import special

from neurometa import plotting
from neurometa.errors import InputError
from neurometa.report.parameters import is_held
from neurometa.report.pictures import Picture, drawn
from neurometa.report.source import Source
from neurometa.report.words import interval, number

NO_SCORES = ("subject", "session", "seed", "episode")  # coordinates that name, and measure nothing
FEWEST = 10  # members, below which correlations say nothing
MOST_SCORES = 12
INCH = 0.5  # of a column of the figure


def groups(source: Source) -> tuple[list[Picture], list[str]]:
    """Draw every comparison that lies beside the trials, parameter by parameter; and say which could not be drawn."""
    pictures, notes = [], []
    for name in source.files():
        if not name.startswith("groups_"):
            continue
        try:
            found = source.result(name)
            if found.attrs.get("kind") == "formula":
                notes.append(f"{name} is of several factors, by {found.attrs['by']}: no figure shows these at once.")
                continue
            pictures += [_compared(found, str(parameter)) for parameter in found.parameter.values]
        except InputError as error:
            notes.append(f"{name} is not drawn: {error}")
    return pictures, notes


def _compared(found: xr.Dataset, parameter: str) -> Picture:
    def draw(ax: Axes) -> str:
        plotting.groups(ax, found, parameter)
        return caption(found, parameter)

    return drawn(f"{parameter.replace('_', ' ').capitalize()} by {found.attrs['by']}", draw, (3.5, 2.1))


def caption(found: xr.Dataset, parameter: str) -> str:
    """Say what a comparison found of one parameter."""
    one = found.sel(parameter=parameter)
    how = "all members at once" if found.attrs["how"] == "hierarchical" else "each member alone"
    unit = f" {link}" if (link := str(one.link.values) if "link" in one.coords else "") else ""
    told = []
    for term in map(str, found.term.values):
        here = one.sel(term=term)
        p = float(here.get("permutation_p_value", here.p_value))
        ends = interval(*map(float, here.effect_interval.transpose("bound").values))
        told.append(f"{term}: {number(float(here.effect))}{unit} {ends}, p = {p:.2g}")
    if "rank_correlation" in one:
        told.append(f"Spearman {float(one.rank_correlation):.2f}")
    level = f"{100 * found.attrs['level']:g} %"
    return f"{'; '.join(told)} ({int(one.n):,} members, {how}; intervals {level})."


def associations(fitted: xr.Dataset, parameters: list[str]) -> Picture | None:
    """Draw the rank correlation of parameters with scores, and with two groups as 0 and 1; None without any."""
    dims = fitted[parameters[0]].dims
    if len(dims) != 1 or fitted.sizes[dims[0]] < FEWEST:
        return None
    dim = dims[0]
    if "subject" in fitted.coords and len(np.unique(fitted.subject.values.astype(str))) < fitted.sizes[dim]:
        return None  # several fits of one member are not independent
    scores = {name: x for name in fitted.coords if (x := _score(fitted, str(name), str(dim))) is not None}
    rows = [name for name in parameters if fitted[name].dims == dims and not is_held(fitted, name)]
    if not scores or not rows:
        return None
    names = list(scores)[:MOST_SCORES]
    rho = np.array([[_spearman(fitted[row].values.astype(float), scores[name][1]) for name in names] for row in rows])
    table = xr.DataArray(
        rho, {"parameter": [row.replace("_", " ") for row in rows], "score": [scores[name][0] for name in names]},
        ("parameter", "score"),
    )  # fmt: skip
    n = fitted.sizes[dim]
    # of n members without any relation, one correlation in twenty lies beyond this
    t = special.stdtrit(n - 2, 0.975)
    edge = t / np.sqrt(n - 2 + t**2)

    def draw(ax: Axes) -> str:
        plotting.correlations(ax, table)
        left = f"; {len(scores) - MOST_SCORES} more columns are left out" if len(scores) > MOST_SCORES else ""
        by_luck = f"of {rho.size} correlations about {max(1, round(rho.size / 20))} lie beyond ±{edge:.2f} by luck"
        return f"Spearman's correlation over {n:,} members; {by_luck}{left}."

    size = (min(7.0, 1.9 + INCH * len(names)), 0.95 + 0.24 * len(rows))
    return drawn("Parameters and scores", draw, size, (1.55, 0.12, 0.72, 0.1))


def _score(fitted: xr.Dataset, name: str, dim: str) -> tuple[str, np.ndarray] | None:
    """Label and numbers of a coordinate that measures something, or tells two groups apart."""
    x = fitted.coords[name]
    if name in (*NO_SCORES, dim) or x.dims != (dim,):
        return None
    if x.dtype.kind in "iuf" and len(np.unique(x.values[np.isfinite(x.values.astype(float))])) > 1:
        return name, x.values.astype(float)
    labels = np.unique(x.values.astype(str))
    if len(labels) == 2 and min(np.sum(x.values.astype(str) == label) for label in labels) > 1:
        return f"{name} = {labels[1]}", (x.values.astype(str) == labels[1]).astype(float)
    return None


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    fine = np.isfinite(x) & np.isfinite(y)
    if fine.sum() < FEWEST:
        return np.nan
    one, other = _ranks(x[fine]), _ranks(y[fine])
    return float(np.corrcoef(one, other)[0, 1]) if min(np.ptp(one), np.ptp(other)) > 0 else np.nan


def _ranks(x: np.ndarray) -> np.ndarray:
    """Ranks, equal values sharing their mean."""
    _, code, n = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(n) - (n - 1) / 2)[code]
