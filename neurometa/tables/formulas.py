"""Text that a spreadsheet would take for a formula: marked when a table is written, and plain again when it is read.

A cell that begins with one of these characters is run by Excel, LibreOffice and others when the file is opened, so
that a subject's name could run a program (CWE-1236). An apostrophe before it makes it text, as in a spreadsheet.
"""

import re

import pandas as pd

STARTS = "=+\\-@＝＋－＠\t\r\n"  # in ASCII and full width, and what is skipped before a formula
RISKY = re.compile(f"'*[{STARTS}]")  # also one that is marked already, so that reading gives back what was written
MARKED = re.compile(f"'+[{STARTS}]")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def mark(cell: object) -> object:
    """Return a cell with an apostrophe before text that would be a formula; numbers, also as text, as they are.

    A carriage return becomes a line feed, as it would when the file is read: pandas writes it without quotes.
    """
    if not isinstance(cell, str):
        return cell
    cell = cell.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{cell}" if RISKY.match(cell) and not NUMBER.fullmatch(cell) else cell


def marked(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it can be opened in a spreadsheet: cells and names of columns that are text are marked."""
    text = [k for k, kind in enumerate(frame.dtypes) if not (pd.api.types.is_numeric_dtype(kind) or kind.kind in "Mm")]
    safe = frame.copy(deep=False)
    for k in text:
        safe.isetitem(k, frame.iloc[:, k].astype(object).map(mark).to_numpy())
    return safe.set_axis([mark(name) for name in frame.columns], axis=1)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text as it was before `marked`."""
    return frame.map(lambda cell: cell[1:] if MARKED.match(cell) else cell)
