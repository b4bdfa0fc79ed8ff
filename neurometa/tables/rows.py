"""Rows that are no trials: kept out where one says so, and looked for where one does not."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError, nearest
from neurometa.tables import cells, lines
from neurometa.tables.coding import canonical
from neurometa.tables.missed import is_word

KINDS = frozenset(  # words in the name of a column that tells kinds of rows apart
    [
        "task",
        "type",
        "phase",
        "event",
        "stage",
        "step",
        "substep",
        "screen",
        "part",
        "component",
        "kind",
        "epoch",
        "routine",
        "test",
        "section",
        "rowtype",
    ]
)
STAGES = frozenset(
    ["step", "stage", "substep", "phase", "event", "screen", "epoch", "component", "substage", "rowtype"]
)
OPTIONS = frozenset(["option", "arm", "alternative", "stimulus", "target", "side", "port", "lever", "deck", "item"])
MOST_KINDS = 40
MANY_MISSED = 0.5


def keep(table: cells.Table, where: Mapping[str, Any] | None) -> tuple[cells.Table, dict[str, int]]:
    """Keep the rows that have one of the given values in each of the given columns.

    Returns
    -------
    table : Table
        Its rows still know where they stand in the source.
    dropped : dict of str to int
        Rows left out, by the condition that they fail.

    Raises
    ------
    InputError
        A column or a value does not occur, or no row is left.
    """
    dropped = {}
    for name, values in (where or {}).items():
        there = list(table.frame.columns)
        if name not in there:
            raise InputError(f"{table.source} has no column {name!r} for where; it has {there}.{nearest(name, there)}")
        several = isinstance(values, Sequence | set | frozenset | np.ndarray) and not isinstance(values, str)
        wanted = {canonical(value) for value in (values if several else [values])}
        codes, texts = cells.labels(table.frame[name])
        texts = [canonical(text) for text in texts]
        if absent := sorted(wanted - set(texts)):
            close = nearest(absent[0], texts)
            raise InputError(
                f"where asks for {absent[0]!r} in column {name!r}, and it does not occur there; it has {texts[:12]}."
                f"{close}"
            )
        kept = np.array([text in wanted for text in texts])[codes]
        if not kept.any():
            raise InputError(
                f"where leaves no row of {table.source}; {name!r} is never {sorted(wanted)} on the others."
            )
        if not kept.all():
            dropped[f"rows, as {name} is not {' or '.join(sorted(wanted))}"] = int((~kept).sum())
        table = table._replace(frame=table.frame[kept].reset_index(drop=True), rows=table.rows[kept])
    return table, dropped


def refuse_stages(table: cells.Table, columns: Mapping[str, str], where: Mapping | None) -> None:
    """Raise if a trial has several rows: one for each option, or for each stage or step, as a column of these says.

    Raises
    ------
    InputError
        It does, and `where` does not speak of it.
    """
    for name in table.frame.columns:
        stage = bool(words(name) & STAGES)
        if name in columns.values() or name in (where or {}) or not (stage or words(name) & OPTIONS):
            continue
        codes, texts = cells.labels(table.frame[name])
        k, n = len(texts), len(codes)
        if not 2 <= k <= 6 or n < evidence.ENOUGH or (codes == np.arange(n) % k).mean() <= 0.95:
            continue
        if _one_of(table, columns["choice"], k):
            raise InputError(
                f"{table.source}: column {name!r} goes {' and '.join(map(repr, texts[:3]))} by turns, and "
                f"{columns['choice']!r} is 1 once in every {k} rows, so a trial has a row for each option; keep the "
                f"rows of what was chosen, {lines.where(columns['choice'], ['1'])}, with "
                f"{lines.column('choice', name)}."
            )
        if stage:
            shown = " and ".join(map(repr, texts[:3]))
            whole = _filled(table, columns["choice"]) & _filled(table, columns["reward"])
            kept = [text for i, text in enumerate(texts) if whole[codes == i].mean() > 0.5]
            one = f"keep one row of each, e.g. {lines.where(name, kept[-1:])}, or " if kept else ""
            raise InputError(
                f"{table.source}: column {name!r} goes {shown} by turns, so a trial has {k} rows, and rewards would "
                f"follow the wrong choices; {one}write what belongs to one trial into one row."
            )


def _one_of(table: cells.Table, column: str, k: int) -> bool:
    """Whether a column of 0 and 1 is 1 exactly once in every k rows, or, where nothing was chosen, never."""
    number, wrong = cells.numbers(table.frame[column])
    n = len(number) // k * k
    ones = number[:n].reshape(-1, k)
    return not wrong.any() and bool(np.isin(number, [0, 1]).all()) and (ones.sum(1) == 1).mean() > 0.9


def words(name: str) -> set[str]:
    """Words in the name of a column, in lower case, and all of them run together."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    found = re.findall(r"[a-z]+", apart.casefold())
    return {*found, "".join(found)}


def separating(table: cells.Table, trials: np.ndarray, taken: Sequence[str]) -> tuple[str, list[str]] | None:
    """Column, and values of it, that some rows have and the others have not, if there is one.

    Parameters
    ----------
    table : Table
        What was opened.
    trials : bool array (row,)
        The rows that look like trials.
    taken : sequence of str
        Columns that mean something else.
    """
    best = None
    for name in table.frame.columns:
        if name in taken:
            continue
        codes, texts = cells.labels(table.frame[name])
        if not 2 <= len(texts) <= MOST_KINDS:
            continue
        n = np.bincount(codes, minlength=len(texts))
        share = np.bincount(codes, weights=trials, minlength=len(texts)) / n
        kept = share > 0.5
        if not kept.any() or kept.all() or any(is_word(texts[k]) for k in np.flatnonzero(kept)):
            continue
        right = (kept[codes] == trials).mean()
        rank = (right, bool(words(name) & KINDS), -int(kept.sum()))
        if right >= 0.9 and (best is None or rank > best[0]):
            best = rank, name, [texts[k] for k in np.flatnonzero(kept)]
    return best[1:] if best else None


def hint(table: cells.Table, columns: Mapping[str, str]) -> str:
    """Say, after a sentence that refuses a table, which rows look like trials, if some clearly do not."""
    if "reward" not in columns:
        return ""
    paid = _filled(table, columns["reward"])
    if "choice" in columns:
        paid = paid & _filled(table, columns["choice"])
    if not 0.02 < paid.mean() < 0.98 or len(paid) < evidence.ENOUGH:
        return ""
    paid = _filled(table, columns["reward"])
    found = separating(table, paid, list(columns.values()))
    if found is None:
        return ""
    name, values = found
    return (
        f" Only {paid.sum():,} of {len(paid):,} rows have a reward; if the others are no trials (fixation, feedback, "
        f"surveys), keep those that are: {lines.where(name, values)}."
    )


def no_trials(table: cells.Table, columns: Mapping[str, str], choice: np.ndarray) -> list[str]:
    """Warn of rows without a choice that look as if they were no trials."""
    made, n = choice >= 0, len(choice)
    if n < evidence.ENOUGH or made.all() or not made.any():
        return []
    unpaid = ~_filled(table, columns["reward"]) & ~made
    found = separating(table, made, list(columns.values()))
    kinds = found is not None and bool(words(found[0]) & KINDS)
    many = (~made).mean() > MANY_MISSED
    sparse = unpaid.sum() >= 1 and unpaid.sum() == (~made).sum() and _sparse(table, columns, made)
    if not (many or (kinds and unpaid.sum() > 0.5 * (~made).sum()) or sparse):
        return []
    line = f"type {lines.where(*found)}" if found else "take them out, or keep the others with where={COLUMN: VALUES}"
    how = " (--where COLUMN=VALUE)" if not found else ""
    why = "and hardly anything else" if sparse and not many else "which is much for missed trials" if many else ""
    about = f", {why}" if why else f", where {found[0]!r} is another" if found else ""
    return [
        f"{(~made).sum():,} of {n:,} rows have no choice{about}; if they are no trials (instructions, fixation, "
        f"feedback), {line}{how}."
    ]


def _filled(table: cells.Table, column: str) -> np.ndarray:
    codes, texts = cells.labels(table.frame[column])
    return np.array([text.casefold() not in cells.EMPTY for text in texts])[codes]


def _sparse(table: cells.Table, columns: Mapping[str, str], made: np.ndarray) -> bool:
    """Whether rows without a choice hold next to nothing that differs between rows, not even a trial's number."""
    others = [name for name in table.frame.columns if name not in columns.values()]
    changing = [name for name in others if len(cells.labels(table.frame[name])[1]) > 2]
    if "trial" in columns or len(changing) < 3:
        return False
    filled = np.mean([_filled(table, name)[~made].mean() for name in changing])
    return bool(filled <= 0.2)
