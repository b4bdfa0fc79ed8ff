"""How many options a session had: what the table says, or what its choices say."""

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.coding import MOST_OPTIONS, canonical
from neurometa.tables.grid import Grid

STATED = "n_options"  # a column of this name, as `to_frame` writes, says how many options there were, counted from 0
LIKE = frozenset(
    ["noptions", "narms", "nbandits", "nchoices", "numarms", "numoptions", "numberofarms", "numberofoptions", "setsize"]
)
LEAST = 1e-4  # chance that a session leaves out its last options, were they chosen as rarely as anywhere else


def stated(table: cells.Table) -> int | None:
    """Number of options that the table says of itself, in the column ``n_options``: the largest, if they differ."""
    if STATED not in table.frame.columns:
        return None
    found = {canonical(text) for text in cells.labels(table.frame[STATED])[1]} - {""}
    if not found or not all(text.isdecimal() and len(text) < 4 and 2 <= int(text) <= MOST_OPTIONS for text in found):
        return None
    sessions = [name for name in ("agent", "subject", "session", "episode") if name in table.frame.columns]
    if len(found) > 1:  # ours, if it differs between sessions only
        once = table.frame[[*sessions, STATED]].drop_duplicates()
        if not sessions or once.duplicated(sessions).any():
            return None
    return max(map(int, found))


def by_session(
    table: cells.Table, columns: dict[str, str], grid: Grid, choice: np.ndarray, n_options: int, *, given: bool
) -> tuple[np.ndarray | None, list[str], list[str]]:
    """Options of each session, where they differ.

    Parameters
    ----------
    table, columns, grid
        What was read.
    choice : int8 array (row,)
        0 ... K-1, -1 where none was made.
    n_options : int
        K, of all sessions together.
    given : bool
        Whether the user said that all choices had so many.

    Returns
    -------
    n : int64 array (episode,) or None
        None where all are alike.
    recoded, warnings : list of str
        Sentences for the report.

    Raises
    ------
    InputError
        A column that counts options says fewer than were chosen.
    """
    if given:
        return None, [], []
    highest = np.full(len(grid.n_trials), -1)
    np.maximum.at(highest, grid.episode, choice)
    for name in table.frame.columns:
        if name in columns.values() or "".join(c for c in name.casefold() if c.isalnum()) not in LIKE:
            continue
        number, wrong = cells.numbers(table.frame[name])
        if wrong.any() or not grid.constant(number) or not ((number >= 2) & (number <= MOST_OPTIONS)).all():
            continue
        said = number[grid.first].astype(np.int64)
        if (over := np.flatnonzero(highest >= said)).size:
            at = int(grid.first[over[0]])
            raise InputError(
                f"{table.place(at, name)}: it says {said[over[0]]} options, but option {highest[over[0]] + 1} was "
                f"chosen in that session; mend the column, or say how many all had: {lines.options(n_options)}."
            )
        if (said == said[0]).all():
            return None, [], []
        return said, [f"options by session from {name!r}: {_shown(said)}."], []
    return _from_choices(grid, choice, highest, n_options)


def refuse_other_options(table: cells.Table, grid: Grid, choice: np.ndarray, options: list[str]) -> None:
    """Raise where sessions chose among options of other names or codes, none among all.

    Raises
    ------
    InputError
        They did, beyond chance; if no two sets overlap, with the line that gives them the same numbers.
    """
    k, made = len(options), choice >= 0
    n = np.zeros((len(grid.n_trials), k), int)
    np.add.at(n, (grid.episode[made], choice[made]), 1)
    n = n[n.sum(1) > 0]
    seen = n > 0
    sets = list(dict.fromkeys(map(tuple, seen.tolist())))
    nested = any(a != b and not np.any(np.array(a) & ~np.array(b)) for a in sets for b in sets)
    often = (n.sum(1) >= evidence.ENOUGH).all() and (np.where(seen, n, 2) >= 2).all()
    if k < 3 or len(sets) < 2 or nested or max(map(sum, sets)) < 2 or not often:
        return
    shared = n.sum(0) / np.maximum((n.sum(1)[:, None] * seen).sum(0), 1)  # how often it is chosen where it is
    if ((1 - shared[None]) ** n.sum(1)[:, None] > LEAST)[~seen].any():
        return
    named = [[label for label, there in zip(options, each, strict=True) if there] for each in sets]
    shown = ", others among ".join(" and ".join(each) for each in named[:3])
    apart = sum(map(len, named)) == k
    coded = {label: i for each in named for i, label in enumerate(each)}
    line = f"type {lines.coding('choice', coded)}" if apart else "import these sessions apart (--where)"
    raise InputError(
        f"{table.source}: some sessions chose among {shown}, and none among all {k}; if these are the same options "
        f"under other names, {line}; if all were on offer in each, {lines.options(k)}."
    )


def _from_choices(
    grid: Grid, choice: np.ndarray, highest: np.ndarray, n_options: int
) -> tuple[np.ndarray | None, list[str], list[str]]:
    """Sessions that never chose the last options, though these were chosen often elsewhere."""
    seen = np.maximum(highest + 1, 2)
    full = seen >= n_options
    if n_options < 3 or full.all() or not full.any():
        return None, [], []
    made = np.bincount(grid.episode[choice >= 0], minlength=len(seen))
    n = seen.copy()
    for k in np.unique(seen[~full]):
        there = np.isin(grid.episode, np.flatnonzero(full)) & (choice >= 0)
        rates = [(choice[there & (grid.episode == e)] >= k).mean() for e in np.flatnonzero(full)]
        few = (seen == k) & ~full & ((1 - min(rates)) ** made >= LEAST)
        n[few] = n_options  # too few trials, or too rare an option, to tell
    whole_range = [(np.unique(choice[(grid.episode == e) & (choice >= 0)]).size == n[e]) for e in np.flatnonzero(~full)]
    if (n == n_options).all() or not all(whole_range):
        return None, [], []
    return (
        n.astype(np.int64),
        [],
        [
            f"sessions seem to differ in their options, {_shown(n)}, as some never chose the last ones; each is fitted "
            f"with its own. If all had {n_options}, type {lines.options(n_options)}."
        ],
    )


def _shown(n: np.ndarray) -> str:
    return ", ".join(f"{k} in {(n == k).sum():,} sessions" for k in np.unique(n))
