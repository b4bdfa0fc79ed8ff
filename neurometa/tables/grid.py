"""Which episode, and which trial in it, every row is."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.tables import cells, lines


class Grid(NamedTuple):
    """Where each row of a table goes, and what each episode is.

    Attributes
    ----------
    episode, position : array (row,)
        Index of the row's episode, in order of appearance, and of its trial.
    first, n_trials : array (episode,)
        The row of the first trial, and how many there are.
    subject, session : array (episode,)
        Text.
    number : array (row,) or None
        The table's own trial numbers, where they say more than the order.
    n_gaps : int
        Whole numbers that are absent between the first and last trial of an episode.
    recoded : list of str
        Sentences for the report.
    """

    episode: np.ndarray
    position: np.ndarray
    first: np.ndarray
    n_trials: np.ndarray
    subject: np.ndarray
    session: np.ndarray
    number: np.ndarray | None
    n_gaps: int
    recoded: list[str]

    @property
    def padded(self) -> bool:
        """Whether episodes differ in length."""
        return bool((self.n_trials != self.n_trials[0]).any())

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Arrange one value per row as (episode, trial), padded with -1 (choices), False, "" or NaN."""
        if self.padded and values.dtype == np.int64:
            values = values.astype(float)
        fill = {"i": -1, "b": False, "O": ""}.get(values.dtype.kind, np.nan)
        grid = np.full((len(self.n_trials), self.n_trials.max()), fill, dtype=values.dtype)
        grid[self.episode, self.position] = values
        return grid

    def constant(self, values: np.ndarray) -> bool:
        """Whether a column (one value per row) stays the same within every episode."""
        once = values[self.first][self.episode]
        absent = (values != values) & (once != once)  # NaN in both
        return bool(((values == once) | absent).all())


def arrange(table: cells.Table, columns: dict[str, str], *, clock: str | None = None) -> Grid:
    """Sort the rows into episodes, one per session of a subject, and trials; by the times of `clock`, if given.

    Raises
    ------
    InputError
        A subject, session or trial number is empty, a trial number is no number, or two
        rows are the same trial.
    """
    subject, subjects = _identities(table, columns.get("subject"))
    session, sessions = _identities(table, columns.get("episode"))
    episode, found = pd.factorize(subject * len(sessions) + session)
    n_rows = len(episode)
    if clock is not None:
        number = cells.times(table.frame[clock])
        assert number is not None  # as `order.clock` saw
    else:
        number = _trial_numbers(table, columns["trial"]) if "trial" in columns else np.arange(n_rows)
    order = np.lexsort((number, episode))
    n_trials = np.bincount(episode)
    start = np.cumsum(n_trials) - n_trials
    position = np.empty(n_rows, dtype=np.int64)
    position[order] = np.arange(n_rows) - np.repeat(start, n_trials)

    grid = Grid(
        episode=episode,
        position=position,
        first=order[start],
        n_trials=n_trials,
        subject=np.array(subjects, dtype=object)[found // len(sessions)],
        session=np.array(sessions, dtype=object)[found % len(sessions)],
        number=None,
        n_gaps=0,
        recoded=[],
    )
    if clock is not None:
        against = f", against {columns['trial']!r}" if "trial" in columns else ""
        return grid._replace(recoded=_disorder(clock, number, episode, against))
    if "trial" not in columns:
        return grid
    _refuse_repeats(table, columns, number, episode, order)
    whole = bool(((number == np.round(number)) & (np.abs(number) < 2**53)).all())
    counted = bool((number == position).all() or (number == position + 1).all())
    return grid._replace(
        number=None if counted else number.astype(np.int64) if whole else number,
        n_gaps=_gaps(number[order], episode[order]) if whole else 0,
        recoded=_disorder(columns["trial"], number, episode),
    )


def _gaps(number: np.ndarray, episode: np.ndarray) -> int:
    """How many numbers are absent within episodes, of rows in order; none where they do not count trials."""
    step = np.diff(number)[episode[1:] == episode[:-1]]
    return int((step - 1).sum()) if dataset.count_trials(step) else 0


def _identities(table: cells.Table, column: str | None) -> tuple[np.ndarray, list[str]]:
    if column is None:
        return np.zeros(len(table.frame), dtype=np.int64), ["1"]
    codes, texts = cells.labels(table.frame[column])
    if "" in texts:
        row = int(np.argmax(codes == texts.index("")))
        raise InputError(f"{table.place(row, column)}: the cell is empty; every row must name its {column}.")
    return codes.astype(np.int64), texts


def _trial_numbers(table: cells.Table, column: str) -> np.ndarray:
    number, wrong = cells.numbers(table.frame[column])
    wrong |= ~np.isfinite(number)
    if wrong.any() and (stamped := cells.times(table.frame[column])) is not None:
        return stamped
    if wrong.any():
        row = int(np.argmax(wrong))
        came = cells.as_text(table.frame[column][row])
        how = "; write it without commas" if re.fullmatch(r"\d{1,3}(,\d{3})+", came) else ""
        raise InputError(
            f"{table.place(row, column)}: {came!r} is no number, so the order of the trials is unknown{how}."
        )
    parted = np.flatnonzero(number != np.round(number))
    if parted.size and number.max() > 100 and all(_thousands(table.frame[column].iloc[row]) for row in parted):
        came = cells.as_text(table.frame[column].iloc[parted[0]])
        raise InputError(
            f"{table.place(parted[0], column)}: {came!r} stands among whole numbers, as where points part thousands; "
            "write trial numbers without."
        )
    return number


def _thousands(cell: object) -> bool:
    return isinstance(cell, str) and bool(re.fullmatch(r"\d{1,3}(\.\d{3})+", cell.strip()))


def _refuse_repeats(
    table: cells.Table, columns: dict[str, str], number: np.ndarray, episode: np.ndarray, order: np.ndarray
) -> None:
    before, after = order[:-1], order[1:]  # rows that tie stay in the order of the table
    twice = np.flatnonzero((number[before] == number[after]) & (episode[before] == episode[after]))
    if not twice.size:
        return
    one, other = before[twice[0]], after[twice[0]]
    trial = " of ".join(
        f"{columns[role]} {cells.as_text(table.frame[columns[role]][one])}"
        for role in ("trial", "episode", "subject")
        if role in columns
    )
    where = f"{table.source}, {table.unit}s {table.rows[one]} and {table.rows[other]}: {trial} occurs twice"
    coded = [cells.labels(table.frame[name])[0] for name in table.frame.columns]
    same = all(np.array_equal(codes[before[twice]], codes[after[twice]]) for codes in coded)
    if same:
        raise InputError(f"{where} ({twice.size:,} such pairs), to the last cell; delete the rows that are copies.")
    raise InputError(
        f"{where} ({twice.size:,} such pairs); if trials count anew in each session, {_told_by(table, columns)}."
    )


def _told_by(table: cells.Table, columns: dict[str, str]) -> str:
    """How the table itself tells apart the rows that share a session and a number, if one of its columns does."""
    taken = [columns[role] for role in ("subject", "trial") if role in columns]
    session = columns.get("episode")
    for name in table.frame.columns:
        if name in columns.values() or not 2 <= cells.n_distinct(table.frame[name]) <= len(table.frame) / 2:
            continue
        if not cells.copies(table.frame, [*taken, name]).any():
            return f"{name!r} tells them apart: type {lines.column('episode', name)}"
        if session and not cells.copies(table.frame, [*taken, session, name]).any():
            return (
                f"{name!r} tells them apart within {session!r}: write both into one column, and name it as the session "
                "(episode=...)"
            )
    return f"name {'a finer column' if session else 'the column'} that tells sessions apart (episode=...)"


def _disorder(column: str, number: np.ndarray, episode: np.ndarray, against: str = "") -> list[str]:
    """Tell how many episodes had rows that were not in the order of their trials."""
    rows = np.argsort(episode, kind="stable")
    before, after = rows[:-1], rows[1:]
    back = (number[after] < number[before]) & (episode[after] == episode[before])
    n = len(np.unique(episode[after][back]))
    if against:
        return [f"trials are in the order of {column}{against}."]
    return [f"rows of {n:,} episode{'s' if n != 1 else ''}, out of order, were sorted by {column}."] if n else []
