"""Fitted parameters, as tables that a page can sort and a reader can take along."""

import dataclasses
import math
from typing import Any

import numpy as np
import xarray as xr

from neurometa import behaviour, models
from neurometa.report.source import Source
from neurometa.report.words import interval, number, plural

ROOM = 220_000  # characters that the rows of one table may take, about
ABOUT_FITS = ("log_likelihood", "log_posterior", "log_evidence", "n_trials", "converged", "at_bound")
WHOSE = ("subject", "session", "seed")
LABELS = {
    "log_likelihood": "log-likelihood",
    "log_evidence": "log evidence",
    "n_trials": "trials",
    "at_bound": "on a bound",
    "converged": "converged",
}


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a page.

    Parameters
    ----------
    key, title, about : str
        Its name in the page and of its CSV file, its heading, and a sentence on it.
    columns : list of dict
        ``name`` (in the CSV file), ``label`` and ``unit``, and whether it is of ``numbers``.
    rows : list of list
        Text, numbers rounded to six digits, True or False, or None.
    summary : list of tuple
        Of each parameter: label, median, its 95 % interval, and how many fits it is of. Of members fitted as a
        group the median and the spread of the group.
    heads : tuple of str
        What the summary's numbers are, and what they are of.
    """

    key: str
    title: str
    about: str
    columns: list[dict[str, Any]]
    rows: list[list[Any]]
    summary: list[tuple[str, str, str, str]]
    heads: tuple[str, str]


def fit_names(source: Source) -> list[str]:
    """Return the files of fits beside the trials."""
    return [name for name in source.files() if name.startswith("fit_")]


def parameter_names(fitted: xr.Dataset) -> list[str]:
    """Return the parameters of the model that was fitted, free or held; not those that its trials cannot tell."""
    kind = getattr(models, str(fitted.attrs.get("model", "")), None)
    known = list(kind.parameters()) if kind is not None else []
    listed = [name for name in known if name in fitted]
    listed = listed or [str(name) for name in fitted.data_vars if f"{name}_se" in fitted]
    return [name for name in listed if np.isfinite(fitted[name].values).any()]


def is_held(fitted: xr.Dataset, name: str) -> bool:
    """Whether a parameter was held at one value: it does not vary over several fits, and has no standard error."""
    if "parameter" in fitted.coords:  # a group's; the others were held
        return name not in fitted.parameter.values
    error = fitted.get(f"{name}_se")
    free = error is None or np.isfinite(error.values).any()
    return not free and fitted[name].size > 1 and len(np.unique(fitted[name].values)) == 1


def table(fitted: xr.Dataset, key: str) -> Table | None:
    """Make the table of a file of fits; None where it holds no parameter.

    Parameters
    ----------
    fitted : Dataset
        As of `behaviour.fit`: each parameter, and what is said of each fit, over the same dims.
    key : str
        Its file without ``.nc``.
    """
    parameters = parameter_names(fitted)
    if not parameters:
        return None
    dims = tuple(str(dim) for dim in fitted[parameters[0]].dims)
    names = [each for name in parameters for each in (name, f"{name}_se", f"{name}_sd") if each in fitted]
    names += [name for name in ABOUT_FITS if name in fitted]
    names += [name for name in ("volatility",) if name in fitted]
    names = [name for name in names if set(fitted[name].dims) <= set(dims)]
    names = [name for name in names if not name.endswith("_se") or np.isfinite(fitted[name].values).any()]
    columns, cells = [], []
    labels = _labels(fitted, dims)
    told = [each for each in labels if each[0] in WHOSE or each[0] in dims]  # whose fit it is, what was found, the rest
    rest = [each for each in labels if each not in told]
    for name, x in (*told, *((name, _spread(fitted, name, dims)) for name in names), *rest):
        values = _plain(x)
        numbers = all((isinstance(each, int | float) and not isinstance(each, bool)) or each is None for each in values)
        columns.append({"name": name, "label": _label(name), "unit": _unit(fitted, name), "numbers": numbers})
        cells.append(values)
    rows = [list(row) for row in zip(*cells, strict=True)]
    kept = max(1, int(ROOM / max(sum(len(str(cell)) + 3 for row in rows[:200] for cell in row) / len(rows[:200]), 1)))
    title, members = str(fitted.attrs.get("model", key)), fitted.attrs.get("group")
    heads = ("median", "fits") if members is None else ("group", "members")
    if members is None:
        summary = [_summary(fitted, name) for name in parameters]
        about = f"{plural(len(rows), 'fit')} by {fitted.attrs.get('method', 'maximum likelihood')}"
    else:
        summary = [row for name in parameters for row in _of_group(fitted, name)]
        title += f", each {members} as a member of a group"
        about = f"{plural(len(rows), 'member')} fitted together by empirical Bayes ({fitted.attrs['method']})"
        if fitted.integrated_bic.ndim == 0:
            about += f"; integrated BIC {number(float(fitted.integrated_bic), 6)}"
    if "converged" in fitted:
        failed = int((~fitted.converged.astype(bool)).sum())
        about += f"; without an estimate: {failed:,}" if failed else ""
    if "at_bound" in fitted:
        about += f"; on a bound: {int(fitted.at_bound.sum()):,}"
    about += f". The first {kept:,} rows are in this page, all are in {key}.nc." if kept < len(rows) else "."
    return Table(key, title, about, columns, rows[:kept], summary, heads)


def _labels(fitted: xr.Dataset, dims: tuple[str, ...]) -> list[tuple[str, np.ndarray]]:
    """Columns that say which fit a row is: coordinates, else positions, of the dims."""
    found = []
    coords = [str(name) for name in fitted.coords if set(fitted[name].dims) <= set(dims) and fitted[name].ndim]
    coords = sorted(coords, key=lambda name: (name != "subject", name not in ("session", "seed")))
    for name in coords:
        x = _spread(fitted, name, dims)
        if not (x.dtype.kind in "OUST" and all(str(each) == "" for each in x)):
            found.append((name, x))
    for place, dim in enumerate(dims):
        if dim not in coords and not (dim == "episode" and "session" in dict(found)):
            index = np.indices([fitted.sizes[each] for each in dims])[place]
            found.append((dim, index.ravel()))
    return found


def _spread(fitted: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray:
    like = xr.DataArray(np.zeros([fitted.sizes[dim] for dim in dims]), dims=dims)
    return xr.broadcast(fitted[name].drop_vars(list(fitted[name].coords)), like)[0].transpose(*dims).values.ravel()


def _plain(x: np.ndarray) -> list[Any]:
    if x.dtype.kind == "b":
        return [bool(each) for each in x]
    if x.dtype.kind in "iu":
        return [int(each) for each in x]
    if x.dtype.kind == "f":
        return [float(f"{each:.6g}") if math.isfinite(each) else None for each in x.tolist()]
    return [
        each.item() if hasattr(each, "item") else each if isinstance(each, int | float) else str(each) for each in x
    ]


def _label(name: str) -> str:
    base = name.removesuffix("_se").removesuffix("_sd")
    told = LABELS.get(base, base.replace("_", " "))
    return f"{told}, SE" if name.endswith("_se") else f"{told}, posterior SD" if name.endswith("_sd") else told


def _unit(fitted: xr.Dataset, name: str) -> str:
    return "" if name.endswith(("_se", "_sd")) or name not in fitted else str(fitted[name].attrs.get("units", ""))


def _summary(fitted: xr.Dataset, name: str) -> tuple[str, str, str, str]:
    x = fitted[name]
    if is_held(fitted, name):
        return _label(name), number(float(x.values.flat[0])), "held", f"{x.size:,}"
    found = behaviour.median_interval(x)
    bounds = interval(float(found.lower), float(found.upper)) if np.isfinite(found.lower) else ""
    return _label(name), number(float(found["median"])), bounds, f"{int(found.n):,}"


def _of_group(fitted: xr.Dataset, name: str) -> list[tuple[str, str, str, str]]:
    """The median of a group and its SD without bounds, with their intervals; of several groups, the members' median."""
    if is_held(fitted, name) or fitted.integrated_bic.ndim:
        return [_summary(fitted, name)]
    one, n = fitted.sel(parameter=name), f"{int(fitted.n_members):,}"
    labels = {"group_median": f"median {_label(name)}", "group_sd": f"SD of {one.link.item()} {_label(name)}"}
    return [
        (label, number(float(one[kind])), interval(*map(float, one[f"{kind}_interval"])), n)
        for kind, label in labels.items()
    ]
