"""The second stage of a two-step table: the state that the first choice led to, and what was chosen there."""

from collections.abc import Mapping

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.coding import canonical
from neurometa.tables.entries import FEW, Entries, Stage, entries_of, frequent, given, moved, refuse_many_empty
from neurometa.tables.missed import is_word
from neurometa.tables.transitions import COMMON, read_common

ROLES = ("second_state", "second_choice", "common")  # in the order in which one helps to read the next


def may_be(table: cells.Table, column: str, role: str) -> bool:
    """Whether a column that is called like a transition or a second stage could be one, but for a few entries."""
    codes, texts = cells.labels(table.frame[column])
    n = np.bincount(codes, minlength=len(texts))
    texts = [canonical(text).casefold() for text in texts]
    if role != "common":
        filled = [text for text in texts if not is_word(text)]
        return 0 < len(filled) <= (5 if role == "second_choice" else 3)
    two = {text for text in texts if not is_word(text)}
    numbers = [cells.as_number(text) for text in two]
    if len(two) == 2 and (None in numbers or sum(number or 0.0 for number in numbers) in (1.0, 100.0)):
        return True  # two words, or a probability: `read_common` says if nothing tells which is common
    known = np.array([text in COMMON or text == "2" or is_word(text) for text in texts])
    return bool(n[~known].sum() <= FEW * n.sum())


def read_stage(
    table: cells.Table, columns: dict[str, str], guessed: list[str], codings: Mapping, choice: np.ndarray
) -> Stage:
    """Read what there is of a second stage; a column that was only guessed and cannot be read stays as it is.

    Parameters
    ----------
    table : Table
        What was opened.
    columns, guessed
        As of `roles.find`; a guessed role that cannot be read is taken out of both.
    codings : mapping of str to mapping or None
        What entries stand for, by role.
    choice : int8 array (row,)
        First-stage choices.

    Raises
    ------
    InputError
        A column that was named cannot be read, or says the opposite of what it should.
    """
    stage = Stage({}, choice.copy(), [], [])
    for role in ROLES:
        if role not in columns:
            continue
        try:
            if role == "common":
                read_common(table, columns[role], codings.get(role), stage)
            elif role == "second_state":
                _read_state(table, columns[role], codings.get(role), stage)
            else:
                _read_second(table, columns[role], codings.get(role), stage, guessed=role in guessed)
        except InputError as error:
            if role not in guessed:
                raise
            left = " A two-step fit will leave the second choice out." if role == "second_choice" else ""
            stage.warnings.append(f"not read as {role}: {error}{left}")
            guessed.remove(role)
            del columns[role]
    if "second_choice" in columns and "second_choice" not in stage.found:  # no second stage after all
        guessed.remove("second_choice")
        del columns["second_choice"]
    _lose(stage)
    return stage


def _without_zero(filled: list[str], entries: Entries, choice: np.ndarray, size: int) -> list[str]:
    """Entries without the one beside `size` others that stands for none: where no choice was made, or a rare 0."""
    if len(filled) != size + 1:
        return filled
    for text in filled:
        n = entries.spread({text: 0}) == 0
        if (choice < 0)[n].mean() >= 0.5 or (text == "0" and n.mean() < evidence.RARE):
            return [each for each in filled if each != text]
    return filled


def _read_state(table: cells.Table, column: str, coding: Mapping | None, stage: Stage) -> None:
    entries = entries_of(table, column, stage.choice >= 0)
    if coding is not None:
        stage.found["second_state"] = given(entries, coding, "second_state", 1, {})
        return
    filled = frequent(entries, _without_zero(entries.filled(), entries, stage.choice, 2), 2)
    if set(filled) <= {"0", "1"}:
        value = {text: int(text) for text in filled}
    elif len(filled) == 2 and "0" not in filled:
        value = {text: k for k, text in enumerate(filled)}
    else:
        example = {text: k for k, text in enumerate((filled * 2)[:2])}
        raise InputError(
            f"{entries.where}: the second-stage states are {filled[:6]}, and must be two; type, e.g., "
            f"{lines.coding('second_state', example)}, or leave the column as it is with "
            f"{lines.column('second_state', '')}."
        )
    stage.found["second_state"] = entries.spread(value)
    if shown := moved(value):
        stage.recoded.append(f"second-stage states {shown}.")
    refuse_many_empty(entries, stage, "second_state")


def _read_second(table: cells.Table, column: str, coding: Mapping | None, stage: Stage, *, guessed: bool) -> None:
    entries, state = entries_of(table, column, stage.choice >= 0), stage.found.get("second_state")
    if coding is not None:
        second = given(entries, coding, "second_choice", 1, {})
        stage.found["second_choice"] = second
        return
    filled = entries.filled()
    for size in (2, 4):
        filled = _without_zero(filled, entries, stage.choice, size)
    if len(filled) <= 2 and state is not None:
        if set(filled) <= {"0", "1"}:
            value = {text: int(text) for text in filled}
        elif "0" in filled or len(filled) < 2:
            raise InputError(_second_line(entries, filled))
        else:
            value = {text: k for k, text in enumerate(filled)}
        second = entries.spread(value)
    elif 3 <= len(filled) <= 4 and state is not None:
        value = _within(entries, filled, state)
        second = entries.spread(value)
    elif state is None and 3 <= len(filled) <= 4 and (set(filled) <= {"0", "1", "2", "3", "4"} or _in_a_row(filled)):
        first = int(filled[0]) if _in_a_row(filled) else 0 if "0" in filled else 1
        if first + 3 < int(filled[-1]):
            raise InputError(_second_line(entries, filled))
        value = {text: (int(text) - first) % 2 for text in filled}
        second = entries.spread(value)
        stage.found["second_state"] = entries.spread({text: (int(text) - first) // 2 for text in filled})
        pairs = f"{first} and {first + 1} as state 0, {first + 2} and {first + 3} as state 1"
        stage.recoded.append(f"second-stage states from {column!r}, {pairs}.")
    elif guessed:  # no second stage: nothing says where the first choice led
        stage.warnings.append(
            f"{column!r} is called like a second-stage choice, but no column says in which state it was made, so it is "
            "not read; if the task has two stages, name that column with second_state=... (--second-state COLUMN)."
        )
        return
    else:
        raise InputError(_second_line(entries, filled))
    second = np.where(state < 0, -1, second).astype(np.int8) if state is not None else second
    stage.found["second_choice"] = second
    if shown := moved(value):
        stage.recoded.append(f"second choices {shown}.")
    none = (second < 0)[stage.choice >= 0]
    if none.any():
        told = f"no second choice on {none.sum():,} trials with a first one, which two-step fits leave out."
        (stage.warnings if none.mean() > evidence.RARE else stage.recoded).append(told)


def _in_a_row(filled: list[str]) -> bool:
    """Whether entries are four whole numbers that follow on each other."""
    return len(filled) == 4 and all(text.isdecimal() for text in filled) and int(filled[3]) - int(filled[0]) == 3


def _within(entries: Entries, filled: list[str], state: np.ndarray) -> dict[str, int]:
    """Options 0 and 1 of each state, where each has options of its own."""
    value: dict[str, int] = {}
    for k in (0, 1):
        here = entries.codes[state == k]
        n = np.bincount(here, minlength=len(entries.texts))
        own = [text for text in filled if n[[i for i, each in enumerate(entries.texts) if each == text]].sum()]
        if len(own) > 2 or set(own) & value.keys():
            raise InputError(_second_line(entries, filled))
        if len(own) == 1:  # the place in the order of four says which of the two it is
            own = [own[0]] if len(filled) == 4 or filled.index(own[0]) % 2 == 0 else ["", own[0]]
        value |= {text: i for i, text in enumerate(own) if text}
    return value


def _second_line(entries: Entries, filled: list[str]) -> str:
    example = {text: k % 2 for k, text in enumerate(filled[:4])}
    return (
        f"{entries.where}: the second choices are {filled[:6]}, which are not two for each second-stage state; type, "
        f"e.g., {lines.coding('second_choice', example)}, or leave the column as it is with "
        f"{lines.column('second_choice', '')}."
    )


def _lose(stage: Stage) -> None:
    """Take out the trials whose transition cannot be read, and give every variable the form of the contract."""
    missed = stage.choice < 0
    told = [stage.found[role] < 0 for role in ("second_state", "common") if role in stage.found]
    lost = np.any(told, axis=0) & ~missed if told else np.zeros(len(missed), bool)
    if lost.any():
        marked = "second_choice" if "second_choice" in stage.found else "choice"
        stage.warnings.append(
            f"{lost.sum():,} transitions cannot be read; these trials are lost ({marked} is -1 there)."
        )
        if marked == "choice":
            stage.choice[lost] = -1
        else:
            stage.found["second_choice"][lost] = -1
    for role in ("second_state", "second_choice"):
        if role in stage.found:
            stage.found[role][missed] = -1
    if "common" in stage.found:
        stage.found["common"] = (stage.found["common"] == 1) & ~missed
