"""The cells of a lab's table: where each one stands, and what it says as a label or as a number."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from neurometa.errors import InputError

EMPTY = frozenset({"", ".", "<na>", "na", "n/a", "nan", "nat", "none", "null"})
TRUTH = {"true": 1.0, "false": 0.0}
STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")  # the beginning of a date with a time of day
INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")  # soft hyphens, blanks of no width, marks
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
    told : tuple of str
        What was unusual in how it was written, for the report.
    """

    frame: pd.DataFrame
    source: str
    unit: str
    rows: np.ndarray
    n_empty: int
    nested: tuple[str, ...] = ()
    n_files: int = 1
    told: tuple[str, ...] = ()

    def place(self, row: int, column: str) -> str:
        """Name one cell, for the beginning of a sentence."""
        return f"{self.source}, {self.unit} {self.rows[row]}, column {column!r}"


def filled(table: Table) -> Table:
    """Return the table, unless it has no rows.

    Raises
    ------
    InputError
        There is none.
    """
    if table.frame.empty:
        raise InputError(f"{table.source} has columns {list(table.frame.columns)} but no rows, so there are no trials.")
    return table


def as_text(cell: object) -> str:
    """Return one cell as text that a file can hold; whole numbers lose their ``.0``, letters their different spellings.

    Accents are composed (NFC) and what is invisible is left out, so that what looks alike is alike.
    """
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        cell = int(cell)
    text = str(cell).strip()
    if not text.isascii():
        text = unicodedata.normalize("NFC", INVISIBLE.sub("", text)).strip()
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def as_number(text: str) -> float | None:
    """Return the number that a text writes in ASCII digits, or None; a typographic minus is one."""
    text = text.replace("\u2212", "-")
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


def n_distinct(column: pd.Series) -> int:
    """How many different entries a column has, also where its cells are lists."""
    try:
        return int(column.nunique())
    except TypeError:  # a list has no hash
        return len(labels(column)[1])


def copies(frame: pd.DataFrame, names: Sequence[str] | None = None) -> np.ndarray:
    """Which rows repeat an earlier one, in some columns or all, also where cells are lists."""
    try:
        return frame.duplicated(None if names is None else list(names)).to_numpy()
    except TypeError:
        coded = {name: labels(frame[name])[0] for name in (frame.columns if names is None else names)}
        return pd.DataFrame(coded).duplicated().to_numpy()


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
    return filled(table._replace(frame=frame, rows=table.rows[~empty], n_empty=table.n_empty + int(empty.sum())))


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


def times(column: pd.Series) -> np.ndarray | None:
    """Read a column as times: numbers, or dates with a time of day in s; None where it holds anything else."""
    dated = pd.api.types.is_datetime64_any_dtype(column)
    time, wrong = numbers(column.astype(str) if dated else column)
    if wrong.any():
        if not all(STAMP.match(as_text(cell)) for cell in column.iloc[:50]):
            return None
        try:
            stamps = pd.to_datetime(column, format="ISO8601", utc=True)
        except (ValueError, TypeError):
            return None
        time = (stamps - stamps.min()).dt.total_seconds().to_numpy(float)
    return time if np.isfinite(time).all() else None


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
