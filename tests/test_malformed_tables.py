"""Tables that are broken as files are: whatever is read of them is what a slow reader reads; all else is refused."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tables import ROLES, TEXTS, by_session, messy, slowly

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.tables import read_trials

FAST, ALL = 60, 2000  # examples
BREAKS = ("cell lost", "cell added", "row twice", "cells swapped", "blank line", "header again", "column lost")
BREAKS += ("column renamed", "column twice", "headers swapped", "empty row")


@st.composite
def malformed(draw):
    """Bytes of a file, and the delimiter that it was written with."""
    table = [list(ROLES), *draw(messy(st.sampled_from(TEXTS)))]
    for what in draw(st.lists(st.sampled_from(BREAKS), max_size=2)):
        row = draw(st.integers(1, len(table) - 1))
        column, other = (draw(st.integers(0, len(table[0]) - 1)) for _ in range(2))
        if what == "cell lost":
            del table[row][column : column + 1]
        elif what == "cell added":
            table[row].insert(column, draw(st.sampled_from(["", "1", "x"])))
        elif what == "row twice":
            table.insert(row, list(table[row]))
        elif what == "cells swapped" and max(column, other) < len(table[row]):
            table[row][column], table[row][other] = table[row][other], table[row][column]
        elif what == "blank line":
            table.insert(row, [])
        elif what == "empty row":
            table.insert(row, [""] * len(table[0]))
        elif what == "header again":
            table.insert(row, list(table[0]))
        elif what == "column lost":
            for cells in table:
                del cells[column : column + 1]
        elif what == "column renamed":
            table[0][column] = draw(st.sampled_from(["", "x", "Choice", "REWARD ", "action", "outcome", "mouse", "1"]))
        elif what == "column twice":
            table[0][column] = table[0][other]
        elif what == "headers swapped":
            table[0][column], table[0][other] = table[0][other], table[0][column]
        if not table[0]:
            table[0] = ["x"]
    delimiter, end = draw(st.sampled_from(",,;\t")), draw(st.sampled_from(["\n", "\r\n"]))
    raw = b"".join((delimiter.join(quoted(cell, delimiter) for cell in row) + end).encode() for row in table)
    raw = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"])) + raw
    if draw(st.integers(0, 3)) == 0:
        raw = raw[: draw(st.integers(0, len(raw)))]
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.sampled_from([b"\0", b"\xff", b'"', b",", b"\n", b"\xc2\xa0", b"-"])) + raw[at:]
    return raw, delimiter


def quoted(cell, delimiter):
    return '"' + cell.replace('"', '""') + '"' if set(cell) & {delimiter, '"', "\n", "\r"} else cell


def parsed(raw, delimiter):
    """Rows of cells, one character at a time; None where a quote is not closed, or closed amid a cell."""
    text, rows, row, cell, inside, closed = raw.decode("utf-8-sig"), [], [], "", False, False
    text = text.replace("\r\n", "\n")
    for i, c in enumerate(text):
        if inside:
            if c == '"':
                inside, closed = False, True
            else:
                cell += c
        elif c == '"' and closed and text[i - 1] == '"':
            cell, inside, closed = cell + '"', True, False
        elif c == '"' and not cell and not closed:
            inside = True
        elif c in (delimiter, "\n"):
            row, cell, closed = [*row, cell], "", False
            if c == "\n":
                rows, row = [*rows, row], []
        elif closed:
            return None
        else:
            cell += c
    if inside:
        return None
    if row or cell or closed:
        rows.append([*row, cell])
    return [row for row in rows if row != [""]]


def assert_nothing_wrong_is_read(raw, delimiter):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trials.csv"
        path.write_bytes(raw)
        try:
            trials, report = read_trials(path)
        except InputError as refused:
            assert "\n" not in str(refused)
            return False
    dataset.check(trials)
    table = parsed(raw, delimiter)
    assert table is not None, "read in spite of broken quotes"
    header, *all_rows = table
    rows = [row for row in all_rows if any(cell.strip() for cell in row)]
    if len(rows) < len(all_rows):
        assert "empty" in str(report)  # such rows are left out, and that is told
    assert all(len(row) == len(header) for row in all_rows), "read in spite of lost or added cells"
    names = [name.strip() for name in header]
    where = {role: names.index(column) for role, column in report.columns.items()}
    assert {"choice", "reward"} <= where.keys()
    picked = [
        [
            row[where["subject"]] if "subject" in where else "1",
            row[where["episode"]] if "episode" in where else "1",
            row[where["trial"]] if "trial" in where else str(i),
            row[where["choice"]],
            row[where["reward"]],
        ]
        for i, row in enumerate(rows)
    ]
    assert by_session(trials) == slowly(picked)
    assert report.n_trials == len(rows)
    return True


@settings(max_examples=FAST)
@given(malformed())
def test_of_a_broken_table_nothing_wrong_is_read(made):
    assert_nothing_wrong_is_read(*made)


@pytest.mark.slow
def test_of_two_thousand_broken_tables_nothing_wrong_is_read_and_some_are_read():
    read = []

    @settings(max_examples=ALL)
    @given(malformed())
    def each(made):
        read.append(assert_nothing_wrong_is_read(*made))

    each()
    assert len(read) >= ALL and ALL // 20 < sum(read) < len(read)
    print(f"{len(read)} tables, {sum(read)} read, {len(read) - sum(read)} refused")
