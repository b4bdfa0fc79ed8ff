"""The columns of a two-step table: where the first choice led, whether that was common, and what was chosen there."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.coding import canonical
from neurometa.tables.missed import is_word

ROLES = ("second_state", "second_choice", "common")  # in the order in which one helps to read the next
COMMON = dict.fromkeys(["1", "true", "t", "yes", "y", "common", "c", "frequent", "likely", "usual", "expected"], 1)
COMMON |= dict.fromkeys(
    ["0", "false", "f", "no", "n", "rare", "r", "uncommon", "infrequent", "unlikely", "unusual", "unexpected"], 0
)
WORDS = frozenset({"common", "rare", "uncommon", "frequent", "infrequent", "likely", "unlikely"})
FEW = 0.1  # of the trials with a choice may be unreadable, and are then lost; more are a coding of their own
AGREE = 0.95  # of the trials: a transition that follows from choice and state, but for slips


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


def may_be(table: cells.Table, column: str, role: str) -> bool:
    """Whether a column that is called like a transition or a second stage could be one, but for a few entries."""
    codes, texts = cells.labels(table.frame[column])
    n = np.bincount(codes, minlength=len(texts))
    texts = [canonical(text).casefold() for text in texts]
    if role != "common":
        filled = [text for text in texts if not is_word(text)]
        return 0 < len(filled) <= (5 if role == "second_choice" else 3)
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
                _read_common(table, columns[role], codings.get(role), stage)
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


class _Entries(NamedTuple):
    where: str
    codes: np.ndarray  # (row,), of texts
    texts: list[str]
    n: np.ndarray  # rows of each text at which a choice was made

    def filled(self) -> list[str]:
        """Different entries that say something, in order; a few odd ones beside many are left out."""
        found = [text for text in dict.fromkeys(self.texts) if not is_word(text)]
        return sorted(found, key=_order)

    def spread(self, value: Mapping[str, int]) -> np.ndarray:
        return np.array([value.get(text, -1) for text in self.texts], dtype=np.int8)[self.codes]


def _entries(table: cells.Table, column: str, made: np.ndarray) -> _Entries:
    codes, texts = cells.labels(table.frame[column])
    n = np.bincount(codes[made], minlength=len(texts))
    return _Entries(f"{table.source}, column {column!r}", codes, [canonical(text).casefold() for text in texts], n)


def _order(text: str) -> tuple[bool, float, str]:
    number = cells.as_number(text)
    return number is None, number or 0.0, text


def _given(entries: _Entries, coding: Mapping, role: str, highest: int, words: Mapping[str, int]) -> np.ndarray:
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


def _without_zero(filled: list[str], entries: _Entries, choice: np.ndarray, size: int) -> list[str]:
    """Entries without a 0 that stands for none: beside `size` others, mostly where no choice was made."""
    if len(filled) != size + 1 or filled[0] != "0":
        return filled
    n = entries.spread({"0": 0}) == 0
    none = (choice < 0)[n].mean() >= 0.5 or n.mean() < evidence.RARE
    return filled[1:] if none else filled


def _moved(value: Mapping[str, int]) -> str:
    return ", ".join(f"{text} -> {k}" for text, k in value.items() if text != str(k))


def _read_state(table: cells.Table, column: str, coding: Mapping | None, stage: Stage) -> None:
    entries = _entries(table, column, stage.choice >= 0)
    if coding is not None:
        stage.found["second_state"] = _given(entries, coding, "second_state", 1, {})
        return
    filled = _common_ones(entries, _without_zero(entries.filled(), entries, stage.choice, 2), 2)
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
    if moved := _moved(value):
        stage.recoded.append(f"second-stage states {moved}.")
    _refuse_many_empty(entries, stage, "second_state")


def _common_ones(entries: _Entries, filled: list[str], size: int) -> list[str]:
    """Entries without the few odd ones that stand beside `size` frequent ones."""
    total = {text: 0 for text in filled}
    for text, n in zip(entries.texts, entries.n, strict=True):
        if text in total:
            total[text] += int(n)
    if len(filled) <= size or not sum(total.values()):
        return filled
    kept = sorted(sorted(filled, key=lambda text: -total[text])[:size], key=_order)
    odd = sum(total.values()) - sum(total[text] for text in kept)
    return kept if odd <= FEW * sum(total.values()) else filled


def _refuse_many_empty(entries: _Entries, stage: Stage, role: str) -> None:
    made = stage.choice >= 0
    lacking = made & (stage.found[role] < 0)
    if lacking.sum() > FEW * made.sum():
        del stage.found[role]
        raise InputError(
            f"{entries.where}: it says nothing on {lacking.sum():,} of {made.sum():,} trials where a choice was made; "
            f"mark these choices as missed (-1), or leave the column as it is with {lines.column(role, '')}."
        )


def _read_second(table: cells.Table, column: str, coding: Mapping | None, stage: Stage, *, guessed: bool) -> None:
    entries, state = _entries(table, column, stage.choice >= 0), stage.found.get("second_state")
    if coding is not None:
        second = _given(entries, coding, "second_choice", 1, {})
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
    elif state is None and 3 <= len(filled) <= 4 and set(filled) <= {"0", "1", "2", "3", "4"}:
        first = 0 if "0" in filled else 1
        if first + 3 < int(filled[-1]):
            raise InputError(_second_line(entries, filled))
        value = {text: (int(text) - first) % 2 for text in filled}
        second = entries.spread(value)
        stage.found["second_state"] = entries.spread({text: (int(text) - first) // 2 for text in filled})
        pairs = f"{first} and {first + 1} as state 0, {first + 2} and {first + 3} as state 1"
        stage.recoded.append(f"second-stage states from {column!r}, {pairs}.")
    elif guessed:
        return  # no second stage: nothing says where the first choice led
    else:
        raise InputError(_second_line(entries, filled))
    second = np.where(state < 0, -1, second).astype(np.int8) if state is not None else second
    stage.found["second_choice"] = second
    if moved := _moved(value):
        stage.recoded.append(f"second choices {moved}.")


def _within(entries: _Entries, filled: list[str], state: np.ndarray) -> dict[str, int]:
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


def _second_line(entries: _Entries, filled: list[str]) -> str:
    example = {text: k % 2 for k, text in enumerate(filled[:4])}
    return (
        f"{entries.where}: the second choices are {filled[:6]}, which are not two for each second-stage state; type, "
        f"e.g., {lines.coding('second_choice', example)}, or leave the column as it is with "
        f"{lines.column('second_choice', '')}."
    )


def _read_common(table: cells.Table, column: str, coding: Mapping | None, stage: Stage) -> None:
    entries, state, choice = _entries(table, column, stage.choice >= 0), stage.found.get("second_state"), stage.choice
    words = {"common": 1, "rare": 0}
    if coding is not None:
        _keep_common(_given(entries, coding, "common", 1, words), entries, stage)
        return
    filled = entries.filled()
    known = [text for text in filled if text in COMMON]
    rows = {text: int((entries.spread({text: 0}) == 0)[choice >= 0].sum()) for text in filled}
    if sum(rows[text] for text in known) < (1 - FEW) * sum(rows.values()) or set(filled) == {"1", "2"}:
        known = []
    pair = sorted(filled, key=lambda text: -rows[text])[:2]
    line = lines.coding("common", dict(zip(pair, ("common", "rare"), strict=False)))
    if not known:
        agreement = _agreement(entries.spread({pair[0]: 1} | dict.fromkeys(pair[1:], 0)), state, choice)
        if len(filled) == 2 and agreement is not None and max(agreement, 1 - agreement) >= AGREE:
            stage.recoded.append(f"transitions {pair[0]} -> common, {pair[1]} -> rare, as choices and states agree.")
            _keep_common(entries.spread({pair[0]: 1, pair[1]: 0}), entries, stage)
            return
        raise InputError(
            f"{entries.where}: the transitions are {filled[:6]}, and nothing says which is common; if it is the more "
            f"frequent, type {line}, or leave the column as it is with {lines.column('common', '')}."
        )
    found = entries.spread({text: COMMON[text] for text in known})
    made = (choice >= 0) & (found >= 0)
    if state is not None and _equal(found, state, made):
        raise InputError(
            f"{entries.where}: it is the same as the second-stage state on every trial, so it does not say whether the "
            f"transition was common; leave it as it is with {lines.column('common', '')}, and derive it with "
            "behaviour.common_transition(trials)."
        )
    if evidence.mostly_rare(found[made] == 1):
        share = (found[made] == 1).mean()
        told = f"only {share:.0%} of {made.sum():,} transitions would be common"
        if set(known) & WORDS:
            stage.warnings.append(f"{column!r}: {told}; look whether its words are the right way round.")
        else:
            raise InputError(
                f"{entries.where}: {told}, as if it were 1 where the transition was rare; if so, type {line}; if not, "
                f"{lines.coding('common', {text: 'common' if COMMON[text] else 'rare' for text in known})}."
            )
    agreement = _agreement(found, state, choice)
    if agreement is not None and max(agreement, 1 - agreement) < AGREE:
        best = max(agreement, 1 - agreement)
        stage.warnings.append(
            f"{column!r} contradicts the choices and second-stage states: however options lead to states, it fits "
            f"{best:.0%} of {made.sum():,} trials. If options do not change where they lead, leave it as it is with "
            f"{lines.column('common', '')}, and derive it with behaviour.common_transition(trials)."
        )
    if moved := ", ".join(f"{text} -> {'common' if COMMON[text] else 'rare'}" for text in known if len(text) == 1):
        stage.recoded.extend([] if set(known) <= {"0", "1"} else [f"transitions {moved}."])
    _keep_common(found, entries, stage)


def _equal(found: np.ndarray, state: np.ndarray, made: np.ndarray) -> bool:
    both = made & (state >= 0)
    same = found[both] == state[both]
    return both.sum() >= evidence.ENOUGH and bool(same.all()) and 0 < found[both].mean() < 1


def _agreement(found: np.ndarray, state: np.ndarray | None, choice: np.ndarray) -> float | None:
    """Share of trials on which a transition is common where option k leads to state k; None if it cannot be said."""
    if state is None or choice.max(initial=-1) > 1:
        return None
    both = (choice >= 0) & (found >= 0) & (state >= 0)
    return float(((choice == state) == (found == 1))[both].mean()) if both.sum() >= evidence.ENOUGH else None


def _keep_common(found: np.ndarray, entries: _Entries, stage: Stage) -> None:
    stage.found["common"] = found
    _refuse_many_empty(entries, stage, "common")


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
