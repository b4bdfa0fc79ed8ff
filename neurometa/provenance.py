"""What a file says of the command that made it."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurometa.errors import InputError


def made_otherwise(about: Mapping[str, Any], options: str) -> str:
    """Return the options, among those that are asked for, that a file was made with another value of.

    Parameters
    ----------
    about : mapping
        Attributes of the file. Its ``options`` are those of its command, as JSON; files that are older have none, and
        nothing is said of them.
    options : str
        As a command takes them, e.g. ``"--encoding miller --lags 5 --per-episode"``.

    Examples
    --------
    >>> made_otherwise({"options": '{"encoding": "bari", "lags": 5}'}, "--encoding miller --lags 5")
    '--encoding bari'
    """
    if "options" not in about:
        return ""
    made, name = json.loads(about["options"]), ""
    asked: dict[str, list[str]] = {}
    for word in shlex.split(options):
        if word.startswith("--"):
            name = word
            asked[name] = []
        else:
            asked[name].append(word)
    odd = []
    for name, words in asked.items():
        value = made.get(name[2:].replace("-", "_"))
        values = value if isinstance(value, list) else [] if value is True else [value]
        if [_alike(each) for each in values] != [_alike(each) for each in words]:
            odd.append(" ".join([name, *map(str, values)]) if value not in (None, False, []) else f"no {name}")
    return " and ".join(odd)


def _alike(value: Any) -> str:
    """A value as text, so that .333 and 0.333 are the same."""
    try:
        return str(float(value))
    except (TypeError, ValueError):
        return str(value)


def read_attrs(path: Path) -> dict[str, Any]:
    """Read what a file says of itself, without reading what it holds.

    Raises
    ------
    InputError
        It is damaged.
    """
    import netCDF4

    try:
        with netCDF4.Dataset(path) as found:  # a dataset of xarray takes ten times as long to open
            return {name: found.getncattr(name) for name in found.ncattrs()}
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path} is damaged or not netCDF ({error}); write it anew.") from error
