"""Files of tables: told apart by their first bytes, opened, and put below each other; nothing is converted."""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neurometa.errors import InputError
from neurometa.tables import cells, formulas, nwb

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
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InputError(f"{found.source} has more than one column {twice!r}; name each column differently.")
    return cells.filled(found._replace(frame=frame))


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
    text = _decode(path, raw)
    separator = max(",\t;", key=text.lstrip("\n").partition("\n")[0].count)
    lines, widths = _measure(path, text, separator)
    filled = np.flatnonzero(widths)
    if not filled.size:
        raise InputError(f"{path} is empty.")
    width = widths[filled[0]]
    ragged = filled[widths[filled] != width]
    if ragged.size:
        hint = " In R, write it with row.names = FALSE." if (widths[filled[1:]] == width + 1).all() else ""
        line, n = lines[ragged[0]], widths[ragged[0]]
        raise InputError(
            f"{path}, line {line}: it has {n} cells, the header has {width}; every line needs as many.{hint}"
        )
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=range(width),
            dtype=str,
            na_filter=False,
            skip_blank_lines=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path} cannot be read as a table: {str(error).strip()}.") from error
    if formulas.MARKED.search(text):
        frame = formulas.plain(frame)
    body = frame.iloc[filled[1:]].reset_index(drop=True).set_axis(list(frame.iloc[filled[0]]), axis=1)
    return cells.Table(body, str(path), "line", lines[filled[1:]], len(widths) - len(filled))


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


def _decode(path: Path, raw: bytes) -> str:
    unreadable = raw.find(b"\0")
    if unreadable < 0:
        try:
            text = raw.decode("utf-8-sig")
            return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        except UnicodeDecodeError as error:
            unreadable = error.start
    line = raw.count(b"\n", 0, unreadable) + 1
    raise InputError(
        f"{path} is not UTF-8 text (line {line}); save the table as .csv (UTF-8), .tsv, .txt or .csv.gz, or give it as "
        "Parquet or NWB."
    )


def _measure(path: Path, text: str, separator: str) -> tuple[np.ndarray, np.ndarray]:
    """Line on which each row begins, and its number of cells (0 for a blank line).

    pandas fills short rows silently, which would turn a half-written line into a missed trial.
    """
    if '"' not in text:
        widths = [line.count(separator) + 1 if line.strip(" ") else 0 for line in text.split("\n")]
        return np.arange(1, len(widths) + 1), np.array(widths)
    reader, starts, widths = csv.reader(io.StringIO(text), delimiter=separator, strict=True), [1], []
    try:
        for row in reader:
            widths.append(len(row) if any(cell.strip(" ") for cell in row) or len(row) > 1 else 0)
            starts.append(reader.line_num + 1)
    except csv.Error as error:
        raise InputError(f"{path}, line {starts[-1]}: cannot be read as a table ({error}).") from error
    return np.array(starts[:-1]), np.array(widths)
