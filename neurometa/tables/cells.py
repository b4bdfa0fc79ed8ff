"""The cells of a lab's table: where each one stands, and what it says as a label or as a number."""

import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from neurometa.errors import InputError
from neurometa.tables import formulas

EMPTY = frozenset({"", ".", "<na>", "na", "n/a", "nan", "nat", "none", "null"})
FILE = "file"  # the column that tells the files of a table apart
TRUTH = {"true": 1.0, "false": 0.0}
HDF5, PARQUET = b"\x89HDF\r\n\x1a\n", b"PAR1"  # how NWB and Parquet files begin
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class Table(NamedTuple):
    """A table whose every cell can be found again by the one who made it.

    Attributes
    ----------
    frame : DataFrame
        Named columns; all text if it was read from a file.
    source : str
        The file, as an error names it.
    unit : str
        What `rows` counts: ``line`` of the file, from 1, or ``row`` of the DataFrame, from 0.
    rows : array
        Where each row stands in the source.
    n_empty : int
        Rows with nothing in them, dropped.
    nested : tuple of str
        Columns of an NWB file that are left out, as their cells hold lists or references.
    n_files : int
        How many files it was put together from.
    """

    frame: pd.DataFrame
    source: str
    unit: str
    rows: np.ndarray
    n_empty: int
    nested: tuple[str, ...] = ()
    n_files: int = 1

    def place(self, row: int, column: str) -> str:
        """Name one cell, for the beginning of a sentence."""
        return f"{self.source}, {self.unit} {self.rows[row]}, column {column!r}"


def open_table(table: str | os.PathLike | pd.DataFrame | Sequence[str | os.PathLike]) -> Table:
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
    return _filled(found._replace(frame=frame))


def _together(tables: list[Table]) -> Table:
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
    return Table(
        pd.concat(frames, ignore_index=True),
        f"{len(tables)} tables",
        first.unit,
        np.array([f"{row} of {name}" for each, name in zip(tables, names, strict=True) for row in each.rows]),
        sum(each.n_empty for each in tables),
        tuple(dict.fromkeys(name for each in tables for name in each.nested)),
        len(tables),
    )


def _filled(table: Table) -> Table:
    if table.frame.empty:
        raise InputError(f"{table.source} has columns {list(table.frame.columns)} but no rows, so there are no trials.")
    return table


def _from_frame(table: pd.DataFrame) -> Table:
    named = [level for level, name in enumerate(table.index.names) if name is not None]
    if named:  # a named index is a column that was set aside
        table = table.reset_index(level=named, allow_duplicates=True)
    return Table(table.reset_index(drop=True), "The table", "row", np.arange(len(table)), 0)


def _from_file(path: Path) -> Table:
    raw = _bytes(path)
    if raw.startswith(HDF5):
        from neurometa.tables import nwb  # pynwb, which only some have and which takes seconds

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
    return Table(body, str(path), "line", lines[filled[1:]], len(widths) - len(filled))


def _from_parquet(path: Path) -> Table:
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


def as_text(cell: object) -> str:
    """Return one cell as text that a file can hold; whole numbers lose their ``.0``."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        cell = int(cell)
    return str(cell).strip().encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def as_number(text: str) -> float | None:
    """Return the number that a text writes in ASCII digits, or None."""
    return float(text) if NUMBER.fullmatch(text) else None


def labels(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Different texts in a column, in order of appearance, and which of them each row holds.

    Returns
    -------
    codes : array of int
        Index into `texts`, one per row.
    texts : list of str
        Stripped; ``""`` where pandas holds NaN, None, NA or NaT.
    """
    if column.dtype == object:  # where True equals 1, and a list has no hash
        column = column.map(as_text, na_action="ignore")
    codes, found = pd.factorize(column)
    texts = np.array([as_text(cell) for cell in found] + [""], dtype=object)  # code -1, absent, finds the last
    merged, distinct = pd.factorize(texts)
    codes, present = pd.factorize(merged[codes])
    return codes, list(distinct[present])


def drop_empty(table: Table) -> Table:
    """Drop rows with nothing in any column, which spreadsheets leave behind.

    Raises
    ------
    InputError
        No row is left.
    """
    empty = np.ones(len(table.frame), dtype=bool)
    for name in table.frame.columns:
        codes, texts = labels(table.frame[name])
        empty &= codes == (texts.index("") if "" in texts else -1)
        if not empty.any():
            return table
    frame = table.frame[~empty].reset_index(drop=True)
    return _filled(table._replace(frame=frame, rows=table.rows[~empty], n_empty=table.n_empty + int(empty.sum())))


def numbers(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Read a column as floats, NaN where empty, and mark the cells that hold anything else."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan), np.zeros(len(column), dtype=bool)
    codes, texts = labels(column)
    read = [as_number(text) for text in texts]
    empty = [text.casefold() in EMPTY for text in texts]
    values = np.array([np.nan if number is None else number for number in read])
    wrong = np.array([number is None and not e for number, e in zip(read, empty, strict=True)])
    return values[codes], wrong[codes]


def values(column: pd.Series) -> np.ndarray:
    """Read a column as bool, int64, float (NaN where empty) or, failing these, text (empty where absent)."""
    if column.dtype == bool:
        return column.to_numpy()
    if pd.api.types.is_integer_dtype(column) and not column.isna().any() and column.dtype != np.uint64:
        return column.to_numpy(dtype=np.int64)
    if pd.api.types.is_float_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    codes, texts = labels(column)
    filled = [text for text in texts if text.casefold() not in EMPTY]
    if filled and {text.casefold() for text in texts} <= TRUTH.keys():
        return np.array([text.casefold() == "true" for text in texts])[codes]
    numeric = filled and all(NUMBER.fullmatch(text) for text in filled)
    if not numeric or any(re.match(r"[+-]?0\d", text) for text in filled):  # 007 is a name, not a number
        return np.array(texts, dtype=object)[codes]
    if len(filled) == len(texts) and all(re.fullmatch(r"[+-]?\d{1,18}", text) for text in texts):
        return np.array([int(text) for text in texts], dtype=np.int64)[codes]
    return numbers(column)[0]
