"""Lines to type that settle what a table leaves open, as an argument and as an option of the shell."""

import shlex
from collections.abc import Mapping, Sequence

from neurometa.tables import cells

MOST = 12  # entries that are written out


def coding(role: str, entries: Mapping[str, object]) -> str:
    """Write what entries stand for, e.g. ``choice_coding={0: 'missed', 1: 0} (--choice-coding 0=missed,1=0)``."""
    shown = list(entries.items())[:MOST]
    rest = ", ..." if len(entries) > MOST else ""
    argument = ", ".join(f"{_plain(entry)!r}: {value!r}" for entry, value in shown) + rest
    option = ",".join(f"{entry}={value}" for entry, value in shown) + rest.strip(" ")
    return f"{role}_coding={{{argument}}} ({_option(f'{role}-coding', option)})"


def column(role: str, name: str) -> str:
    """Write which column is meant, e.g. ``subject='mouse' (--subject mouse)``."""
    return f"{role}={name!r} ({_option(role, name)})"


def where(name: str, values: Sequence[str]) -> str:
    """Write which rows are kept, e.g. ``where={'task': ['bandit']} (--where task=bandit)``."""
    option = _option("where", f"{name}={','.join(values)}")
    return f"where={{{name!r}: {list(values)!r}}} ({option})"


def options(n: int) -> str:
    """Write how many options a choice had, e.g. ``n_options=3 (--options 3)``."""
    return f"n_options={n} (--options {n})"


def _option(name: str, value: str) -> str:
    name = name.replace("_", "-")
    quoted = shlex.quote("".join(c if c.isprintable() else repr(c)[1:-1] for c in value))
    return f"--{name}={quoted}" if value[:1] == "-" else f"--{name} {quoted}"


def _plain(entry: str) -> object:
    number = cells.as_number(entry)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**53 else entry
