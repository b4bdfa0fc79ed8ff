"""Files of tables: told apart by their first bytes, opened, and put below each other; nothing is converted."""

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neurometa.errors import InputError
from neurometa.tables import cells, nwb, text

FILE = "file"  # the column that tells the files of a table apart
HDF5, PARQUET = b"\x89HDF\r\n\x1a\n", b"PAR1"  # how NWB and Parquet files begin


def open_table(table: str | os.PathLike | pd.DataFrame | Sequence[str | os.PathLike]) -> cells.Table:
    """Read a text, Parquet or NWB file, told by its first bytes, or take a DataFrame; nothing is converted.

    Several files are put below each other, with a column ``file`` that holds their names.

    Raises
    ------
    InputError
        The file is absent, damaged, no UTF-8 text, ragged or empty, two columns share a name, or
        what reads Parquet or NWB is not installed.
    """
    if isinstance(table, pd.DataFrame):
        found = _from_frame(table)
    elif isinstance(table, str | os.PathLike):
        found = _from_file(Path(table))
    elif isinstance(table, list | tuple) and table and all(isinstance(each, str | os.PathLike) for each in table):
        return _together([open_table(each) for each in table]) if len(table) > 1 else open_table(table[0])
    else:
        raise InputError(
            f"The table is a {type(table).__name__}; it must be the path of a table, a list of paths, or a DataFrame."
        )
    names = pd.Series([str(name).strip() for name in found.frame.columns])
    named = (names != "").to_numpy()  # a nameless column holds row names
    frame = found.frame.loc[:, named].set_axis(names[named], axis=1)
    if frame.columns.has_duplicates:
        refuse_headless(found._replace(frame=frame))
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{found.source} has more than one column {twice!r}; name each column differently.")
    return cells.filled(found._replace(frame=frame))


def refuse_headless(table: cells.Table) -> None:
    """Raise if the names of most columns are numbers, or stand among their own entries: the first row is a trial.

    Raises
    ------
    InputError
        They do.
    """
    names = list(table.frame.columns)
    like = [
        cells.as_number(str(name)) is not None or (table.frame.iloc[:1000, k].astype(str).str.strip() == name).any()
        for k, name in enumerate(names)
    ]
    if 2 * sum(like) > len(names):
        raise InputError(
            f"{table.source} has no header: its first line, {','.join(map(str, names[:8]))!r}, reads like a trial; "
            "write the names of the columns above it, e.g. subject,trial,choice,reward."
        )


def _together(tables: list[cells.Table]) -> cells.Table:
    """Put the tables of several files below each other; an error still finds its line."""
    first = tables[0]
    for other in tables[1:]:
        if odd := sorted(set(first.frame.columns) ^ set(other.frame.columns)):
            raise InputError(
                f"{first.source} and {other.source} must have the same columns, but only one of them has {odd}."
            )
    names = [Path(each.source).name for each in tables]
    if len(set(names)) < len(names):
        names = [each.source for each in tables]
    frames = [each.frame for each in tables]
    if FILE not in first.frame.columns:
        frames = [frame.assign(**{FILE: name}) for frame, name in zip(frames, names, strict=True)]
    return cells.Table(
        pd.concat(frames, ignore_index=True),
        f"{len(tables)} tables",
        first.unit,
        np.array([f"{row} of {name}" for each, name in zip(tables, names, strict=True) for row in each.rows]),
        sum(each.n_empty for each in tables),
        tuple(dict.fromkeys(name for each in tables for name in each.nested)),
        len(tables),
        tuple(dict.fromkeys(told for each in tables for told in each.told)),
    )


def _from_frame(table: pd.DataFrame) -> cells.Table:
    named = [level for level, name in enumerate(table.index.names) if name is not None]
    if named:  # a named index is a column that was set aside
        table = table.reset_index(level=named, allow_duplicates=True)
    return cells.Table(table.reset_index(drop=True), "The table", "row", np.arange(len(table)), 0)


def _from_file(path: Path) -> cells.Table:
    raw = _bytes(path)
    if raw.startswith(HDF5):
        return nwb.trials_table(path)
    if raw.startswith(PARQUET):
        return _from_parquet(path)
    return text.read(path, raw)


def _from_parquet(path: Path) -> cells.Table:
    try:
        import pyarrow
    except ImportError as error:
        raise InputError(
            f"{path} is a Parquet file, and pyarrow is not installed; install it with: "
            "pip install 'neurometa[parquet]', or save the table as CSV."
        ) from error
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as Parquet: {' '.join(str(error).split())}") from error
    return _from_frame(frame)._replace(source=str(path))


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(len(HDF5))
            if not raw.startswith((HDF5, PARQUET)):
                raw += file.read()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}.") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder; name the table in it.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    return raw
