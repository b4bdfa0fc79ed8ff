"""Text becomes a table of text: encodings, separators, and what spreadsheets and programs put around their cells."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from neurometa.errors import InputError
from neurometa.tables import cells, formulas

SEPARATORS = ",\t;"
MARKS = ("\ufeff", "ï»¿")  # byte order marks, the second as a program shows it that took UTF-8 for Latin-1
NOTES = 50  # lines of notes above a header, at most
DECIMALS = 10  # rows from which a column whose every fraction has a comma is read so


def read(path: Path, raw: bytes) -> cells.Table:
    """Read the bytes of a text file; every cell stays as it is, save decimal commas.

    Raises
    ------
    InputError
        It is no text in UTF-8 or UTF-16, ragged, empty, or repeats its header.
    """
    text, told = _decode(path, raw)
    n_above = 0
    stated = re.fullmatch(r'"?sep=(.)"?[,;\t]*', text.partition("\n")[0].strip(" "), re.IGNORECASE)
    if stated:
        text, n_above = text.partition("\n")[2].lstrip("\ufeff"), 1
        told.append(f"line 1, {stated.group(0)!r}, says how columns are parted and was left out.")
    _refuse_markup(path, text)
    text, n_noted = _without_notes(path, text)
    n_above += n_noted
    if n_noted:
        told.append(f"{n_noted} lines of notes (#) above the header were left out.")
    head = text.lstrip("\n").partition("\n")[0]
    _refuse_title(path, text, n_above)
    separator = stated.group(1) if stated else max(SEPARATORS, key=head.count)
    if separator not in head and "|" in head:
        separator = "|"
    blanks = separator not in head and len(head.split()) > 1
    if blanks:
        text, separator = _tabbed(text), "\t"
        told.append("columns are parted by blanks.")
    lines, widths = _measure(path, text, separator)
    lines = lines + n_above
    filled = np.flatnonzero(widths)
    if not filled.size:
        raise InputError(f"{path} is empty.")
    _refuse_ragged(path, lines, widths, filled, blanks=blanks)
    frame = _parse(path, text, separator, widths[filled[0]])
    if formulas.MARKED.search(text):
        frame = formulas.plain(frame)
    if len(filled) > 1 and separator == "|" and frame.iloc[filled[1]].str.fullmatch(r"\s*:?-*:?\s*").all():
        filled = np.delete(filled, 1)
        told.append("the line of dashes below the header was left out.")
    names = [_unmarked(name) for name in frame.iloc[filled[0]]]
    body = frame.iloc[filled[1:]].reset_index(drop=True)
    _refuse_header_again(path, body, names, lines[filled[1:]])
    if separator in ";\t":
        told += _decimal_commas(body, names)
    return cells.Table(
        body.set_axis(names, axis=1), str(path), "line", lines[filled[1:]], len(widths) - len(filled), told=tuple(told)
    )


def _refuse_markup(path: Path, text: str) -> None:
    """Raise where a file is HTML, XML or JSON."""
    for first, kind, reader in (
        ("<", "HTML or XML", "read_html"),
        ("{", "JSON", "read_json"),
        ("[", "JSON", "read_json"),
    ):
        if text.lstrip().startswith(first):
            raise InputError(f"{path} is {kind}, not a table; read it with pandas.{reader} and give the DataFrame.")


def _without_notes(path: Path, text: str) -> tuple[str, int]:
    """Text without the lines above the header that begin with # and hold no column's name, and how many they are."""
    rows = text.split("\n", NOTES)
    n = next((k for k, row in enumerate(rows) if not row.startswith("#")), 0)
    only = n == 1 and any(row.count(mark) == rows[0].count(mark) > 0 for mark in SEPARATORS for row in rows[1:2])
    return (text, 0) if not n or only else (text.split("\n", n)[n], n)


def _refuse_title(path: Path, text: str, n_above: int) -> None:
    """Raise where the first lines are no header: they have next to no cells, and all others many."""
    rows = [row for row in text.split("\n", 30)[:30] if row.strip()]
    for mark in SEPARATORS:
        cells_of = [sum(bool(cell.strip()) for cell in row.split(mark)) for row in rows]
        if len(rows) < 5 or min(cells_of[4:]) < 3:
            continue
        k = next(i for i, n in enumerate(cells_of) if n >= 3)
        if 0 < k < 4 and 2 * max(cells_of[:k]) <= min(cells_of[4:]):
            raise InputError(
                f"{path}, line {n_above + 1}: {rows[0].strip(mark + ' ')[:60]!r} stands above the header; delete the "
                "lines above the names of the columns."
            )


def _decode(path: Path, raw: bytes) -> tuple[str, list[str]]:
    """Text with line ends of one kind and no byte order mark, and what is to be told of it."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") and len(raw) % 2 == 0:
        try:
            return _ends(raw.decode("utf-16")), ["the file is in UTF-16, as Excel's Unicode text."]
        except UnicodeDecodeError:
            pass
    unreadable = raw.find(b"\0")
    if unreadable < 0:
        try:
            return _ends(raw.decode("utf-8-sig")), []
        except UnicodeDecodeError as error:
            unreadable = error.start
    line = raw.count(b"\n", 0, unreadable) + 1
    raise InputError(
        f"{path} is not UTF-8 text (line {line}); save the table as .csv (UTF-8), .tsv, .txt or .csv.gz, or give it as "
        "Parquet or NWB."
    )


def _ends(text: str) -> str:
    return _unmarked(text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n"))


def _unmarked(text: str) -> str:
    while text.startswith(MARKS):
        text = text[1:] if text[0] == MARKS[0] else text[len(MARKS[1]) :]
    return text


def _tabbed(text: str) -> str:
    """Lines whose cells are parted, or aligned, by blanks, with tabs instead; a quoted cell may hold blanks."""
    return "\n".join("\t".join(re.findall(r'"[^"]*"|\S+', line)) for line in text.split("\n"))


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


def _refuse_ragged(path: Path, lines: np.ndarray, widths: np.ndarray, filled: np.ndarray, *, blanks: bool) -> None:
    width = widths[filled[0]]
    ragged = filled[widths[filled] != width]
    if not ragged.size:
        return
    hint = " In R, write it with row.names = FALSE." if (widths[filled[1:]] == width + 1).all() else ""
    if blanks and not hint:
        hint = (
            " Columns are parted by blanks, so an empty cell must be written as NA, and a text with blanks in quotes."
        )
    line, n = lines[ragged[0]], widths[ragged[0]]
    raise InputError(f"{path}, line {line}: it has {n} cells, the header has {width}; every line needs as many.{hint}")


def _parse(path: Path, text: str, separator: str, width: int) -> pd.DataFrame:
    try:
        return pd.read_csv(
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


def _refuse_header_again(path: Path, body: pd.DataFrame, names: list[str], lines: np.ndarray) -> None:
    """Raise where a row repeats the header: two tables stand below each other, and sessions would run together."""
    last = len(names) - 1  # a mark can stand before the first name only
    again = np.array(
        [_unmarked(cell).strip().casefold() == names[last].strip().casefold() for cell in body[last].unique()]
    )
    again = again[pd.factorize(body[last])[0]]
    for k, name in enumerate(names):
        at = np.flatnonzero(again)
        if not at.size:
            return
        again[at] = [_unmarked(cell).strip().casefold() == name.strip().casefold() for cell in body[k].iloc[at]]
    if again.any():
        n = int(again.sum())
        raise InputError(
            f"{path}, line {lines[np.argmax(again)]}: it repeats the header ({n:,} such lines), as where tables were "
            "put below each other; delete the line, and add a column that tells the tables apart if trials count anew."
        )


def _decimal_commas(body: pd.DataFrame, names: list[str]) -> list[str]:
    """Write points for the commas of columns whose every fraction has one, and tell which these are."""
    if len(body) < DECIMALS:
        return []
    found = []
    for k, name in enumerate(names):
        texts = [text.strip() for text in body[k].unique()]
        filled = [text for text in texts if text.casefold() not in cells.EMPTY]
        fractions = [text for text in filled if not re.fullmatch(r"[+-]?\d+", text)]
        if fractions and all(re.fullmatch(r"[+-]?\d*,\d+(e[+-]?\d+)?", text, re.IGNORECASE) for text in fractions):
            body[k] = body[k].str.replace(",", ".", regex=False)
            found.append(repr(name.strip()))
    return [f"decimal commas of {', '.join(found)} read as points."] if found else []
