"""The entries of a two-step table's column: what each means, and on how many trials it says nothing."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.coding import canonical
from neurometa.tables.missed import is_word

FEW = 0.1  # of the trials with a choice may be unreadable, and are then lost; more are a coding of their own


class Stage(NamedTuple):
    """What was read of the second stage, and the first-stage choices that are left.

    Attributes
    ----------
    found : dict of str to array (row,)
        ``second_state`` and ``second_choice`` (int8, -1 for none), ``common`` (bool), where there are such.
    choice : int8 array (row,)
        First-stage choices; -1 also where the transition cannot be read, if there is no second choice to mark.
    recoded, warnings : list of str
        Sentences for the report.
    """

    found: dict[str, np.ndarray]
    choice: np.ndarray
    recoded: list[str]
    warnings: list[str]


class Entries(NamedTuple):
    """A column's different entries, and where they stand.

    Attributes
    ----------
    where : str
        The column, for the beginning of a sentence.
    codes : int array (row,)
        Index into `texts`.
    texts : list of str
        In lower case; numbers in one form.
    n : int array (text,)
        Rows at which a first choice was made.
    """

    where: str
    codes: np.ndarray
    texts: list[str]
    n: np.ndarray

    def filled(self) -> list[str]:
        """Different entries that say something, in order."""
        found = [text for text in dict.fromkeys(self.texts) if not is_word(text)]
        return sorted(found, key=order)

    def spread(self, value: Mapping[str, int]) -> np.ndarray:
        """Values of every row, -1 where an entry has none."""
        return np.array([value.get(text, -1) for text in self.texts], dtype=np.int8)[self.codes]


def entries_of(table: cells.Table, column: str, made: np.ndarray) -> Entries:
    """Look at a column, given where first choices were made."""
    codes, texts = cells.labels(table.frame[column])
    n = np.bincount(codes[made], minlength=len(texts))
    return Entries(f"{table.source}, column {column!r}", codes, [canonical(text).casefold() for text in texts], n)


def order(text: str) -> tuple[bool, float, str]:
    """Key that puts numbers first, by size, then words."""
    number = cells.as_number(text)
    return number is None, number or 0.0, text


def given(entries: Entries, coding: Mapping, role: str, highest: int, words: Mapping[str, int]) -> np.ndarray:
    """Values as the user coded them, 0 ... `highest`, or -1 where missed.

    Raises
    ------
    InputError
        A value is another, or an entry is not coded.
    """
    value = {}
    for key, meant in coding.items():
        meant = words.get(str(meant).casefold(), meant)
        value[canonical(key).casefold()] = -1 if meant == "missed" else meant
    for key, meant in value.items():
        if isinstance(meant, bool) or not isinstance(meant, int | np.integer) or not -1 <= meant <= highest:
            raise InputError(f"{role}_coding gives {key!r} as {meant!r}; it must be 0 ... {highest}, or 'missed'.")
    for text in entries.texts:
        if text not in value and not is_word(text):
            raise InputError(f"{entries.where}: {text!r} is not in {role}_coding; it has {list(value)}.")
    return entries.spread(value)


def frequent(entries: Entries, filled: list[str], size: int) -> list[str]:
    """Entries without the few odd ones that stand beside `size` frequent ones."""
    total = {text: 0 for text in filled}
    for text, n in zip(entries.texts, entries.n, strict=True):
        if text in total:
            total[text] += int(n)
    if len(filled) <= size or not sum(total.values()):
        return filled
    kept = sorted(sorted(filled, key=lambda text: -total[text])[:size], key=order)
    odd = sum(total.values()) - sum(total[text] for text in kept)
    return kept if odd <= FEW * sum(total.values()) else filled


def moved(value: Mapping[str, int]) -> str:
    """Write which entries became which values, where the two differ."""
    return ", ".join(f"{text} -> {k}" for text, k in value.items() if text != str(k))


def refuse_many_empty(entries: Entries, stage: Stage, role: str) -> None:
    """Raise, and take the role back, if a column says nothing on more than a few trials with a choice.

    Raises
    ------
    InputError
        It does.
    """
    made = stage.choice >= 0
    lacking = made & (stage.found[role] < 0)
    if lacking.sum() > FEW * made.sum():
        del stage.found[role]
        raise InputError(
            f"{entries.where}: it says nothing on {lacking.sum():,} of {made.sum():,} trials where a choice was made; "
            f"mark these choices as missed (-1), or leave the column as it is with {lines.column(role, '')}."
        )
