"""What the papers published, as records with a source: numbers to overlay, and claims that code can decide.

Each file of ``data/published`` is one figure panel or table; `neurometa.compare` sets runs beside its claims.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurometa.errors import InputError, nearest
from neurometa.share import folder

ABOUT = ("paper", "citation", "doi", "where", "how", "units", "n")  # what every record says of itself
CLAIM = ("id", "statement", "tolerance", "criterion")  # and of each claim
BOUNDS = ("min", "max", "above", "below")  # >=, <=, >, <
DECIDES = (*BOUNDS, "minus", "over", "untrained", "stages", "largest", "on_mean", "share_of_agents", "episodes")


def names(place: Path | None = None) -> list[str]:
    """Return the names of all records, e.g. ``"w18_fig1d"``, in `place` or else in ``data/published``."""
    return sorted(path.stem for path in (place or folder("data/published")).glob("*.toml"))


def record(name: str, place: Path | None = None) -> dict[str, Any]:
    """Read one record as it is written.

    Parameters
    ----------
    name : str
        One of `names`, e.g. ``"w18_fig1d"``.
    place : Path, optional
        Folder of the records; by default those that come with neurometa.

    Returns
    -------
    dict
        ``paper``, ``citation``, ``doi``, ``where``, ``how`` it was obtained, ``units``, ``n`` and a list ``claim``;
        each with ``id``, ``statement``, ``tolerance`` (and why that wide), ``criterion`` or the claim that it is
        ``same_as``, and where they are known ``published`` and ``note``. A record of a table alone, as of animals,
        claims nothing: its list is empty.

    Raises
    ------
    InputError
        There is no such record, or it lacks a field.
    """
    place = place or folder("data/published")
    if name not in names(place):
        known = names(place)
        raise InputError(f"There is no record {name!r}.{nearest(name, known)} There are: {', '.join(known) or 'none'}.")
    file = place / f"{name}.toml"
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not TOML: {error}.") from error
    _complete(found, ABOUT, str(file))
    if "table" in found:
        found.setdefault("claim", [])
    elif not found.get("claim"):
        raise InputError(f"{file} has no field 'claim'; it needs one [[claim]] at least, or a table.")
    if not isinstance(found["claim"], list):
        raise InputError(f"{file} has a 'claim' that is not a list; write [[claim]].")
    for i, claim in enumerate(found["claim"]):
        where = f"{file}, claim {claim.get('id', i)!r},"
        _complete(claim, tuple(each for each in CLAIM if each != "criterion" or "same_as" not in claim), where)
        if "same_as" not in claim:
            _check_criterion(claim["criterion"], where)
    return found


def records(place: Path | None = None) -> dict[str, dict[str, Any]]:
    """Read every record, by name; a claim that says ``same_as`` gets the criterion of that other claim.

    Raises
    ------
    InputError
        As `record`; or two claims have the same id.
    """
    found = {name: record(name, place) for name in names(place)}
    seen: dict[str, str] = {}
    for name, one in found.items():
        for claim in one["claim"]:
            if claim["id"] in seen:
                raise InputError(f"The claim {claim['id']!r} is in {seen[claim['id']]} and in {name}; ids are unique.")
            seen[claim["id"]] = name
    claims = {claim["id"]: claim for one in found.values() for claim in one["claim"]}
    for claim in claims.values():
        if "same_as" in claim:
            if "criterion" not in (other := claims.get(claim["same_as"], {})):
                raise InputError(
                    f"The claim {claim['id']!r} is the same as {claim['same_as']!r}, which has no criterion."
                )
            claim["criterion"] = other["criterion"]
    return found


def load(name: str, place: Path | None = None) -> xr.Dataset:
    """Return the published values of a figure panel or table.

    Parameters
    ----------
    name : str
        One of `names`, e.g. ``"w18_fig1d"``.
    place : Path, optional
        Folder of the records; by default those that come with neurometa.

    Returns
    -------
    Dataset
        ``published`` over ``claim``, NaN where the paper gives no number or it was not obtained, in the units of
        the attributes, with ``statement`` as a coordinate. If the record has a table, its variables over the dims
        that it names, e.g. ``cumulative_regret`` over ``learner`` and ``trial`` (counted from 1, as on the axis of
        `plotting.regret_curves`), names in the order of the file; NaN where none was read. The source is in the
        attributes, and a ``note`` where one is needed to read the values.

    Raises
    ------
    InputError
        As `record`; or the table is absent, or has other columns than the record says.

    Examples
    --------
    >>> load("w18_fig1d").cumulative_regret.sel(learner="Thompson", trial=100).item()
    2.91
    """
    place = place or folder("data/published")
    found = record(name, place)
    claims = found["claim"]
    result = xr.Dataset(
        {"published": ("claim", np.array([claim.get("published", np.nan) for claim in claims], dtype=float))},
        coords={
            "claim": [claim["id"] for claim in claims],
            "statement": ("claim", [claim["statement"] for claim in claims]),
        },
        attrs={field: str(found[field]) for field in (*ABOUT, "note") if field in found} | {"record": name},
    )
    if "table" in found:
        result = result.merge(_table(place / f"{name}.csv", found["table"]))
    return result


def _table(file: Path, about: dict[str, Any]) -> xr.Dataset:
    dims, described = list(about.get("dims", [])), about.get("variables", {})
    if not file.exists():
        raise InputError(f"There is no {file}, the table that its record describes.")
    rows = pd.read_csv(file)
    if not dims or set(rows.columns) != {*dims, *described}:
        raise InputError(f"{file} has the columns {list(rows.columns)}; its record names {[*dims, *described]}.")
    if rows.duplicated(dims).any():
        raise InputError(f"{file} has two rows for one {' and '.join(dims)}.")
    table = rows.set_index(dims).to_xarray()  # names sorted by their letters: they go back into the order of the file
    table = table.reindex({dim: rows[dim].unique() for dim in dims if not pd.api.types.is_numeric_dtype(rows[dim])})
    for variable, attrs in described.items():
        table[variable].attrs = dict(attrs)
    return table


def _complete(found: dict[str, Any], fields: tuple[str, ...], where: str) -> None:
    missing = [field for field in fields if found.get(field) in (None, "", {})]
    if missing:
        raise InputError(f"{where} has no field {missing[0]!r}; it needs {', '.join(fields)}.")


def _check_criterion(criterion: Any, where: str) -> None:
    if not isinstance(criterion, dict):
        raise InputError(f"{where} has no table as its 'criterion'; write what must hold, field by field.")
    if not criterion.keys() & set(BOUNDS):
        raise InputError(f"{where} has a criterion without a bound; it needs one of {', '.join(BOUNDS)}.")
    needs = ("exact", "trial") if "exact" in criterion else ("experiment", "measure")
    _complete(criterion, needs, f"{where} has a criterion that")
    if "experiment" in criterion and not re.fullmatch("[a-z0-9-]+", criterion["experiment"]):
        raise InputError(f"{where} has the experiment {criterion['experiment']!r}; names are lower case, with hyphens.")
