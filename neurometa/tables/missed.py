"""Missed trial or option? The words and the codes that stand for no choice, weighed against what was paid."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines

ALWAYS = cells.EMPTY | {"-1", "miss", "missed", "missing", "omission", "omitted", "no choice", "no response", "timeout"}
WORDS = """absent abort aborted breakfixation brokefixation fixationbreak fixbreak lapse nochoicemade
    didnotrespond early incomplete invalid keineantwort late misses na nan
    nil noanswer nochoice nodecision nogo noinput nokey nokeypress nolick nonresponse none nopoke noreply noresp
    noresponse nothing notresponded null nr omit omissions omission omitted outoftime premature skip skipped slow
    timeout timedout tooearly toolate toolong tooslow unanswered undefined void withheld abortedtrial
    invalidtrial missedtrial miss missed missing norespond"""
NORMAL = frozenset(WORDS.split())  # of entries without case, blanks and signs
SIGNS = frozenset({"-", "--", "---", "?", "[]", "['']", "()", "#n/a", "n.a.", "n.r.", "n/r"})
SIGNS |= {"#value!", "#ref!", "#div/0!", "#name?", "#num!", "#null!", "inf", "-inf"}  # of spreadsheets
MOST_OPTIONS = 127  # choices are int8
SENTINELS = frozenset({-9, -88, -99, -999, -9999, 9, 88, 98, 99, 888, 999, 9999, 99999})


class Reading(NamedTuple):
    """What codes turned out to be: those for no choice, and, where it is not as a rule, the options in order."""

    missed: list[int]
    warnings: list[str]
    recoded: list[str]
    options: list[int] | None = None


def is_word(text: str) -> bool:
    """Whether an entry is a word or sign for no choice, in whatever spelling."""
    folded = text.casefold()
    if folded in ALWAYS:
        return True
    if folded in SIGNS:
        return True
    return re.sub(r"[\W_]", "", folded) in NORMAL


def split_words(texts: Mapping[str, str], outcome: Mapping[str, np.ndarray]) -> set[str]:
    """Entries that say no choice.

    Parameters
    ----------
    texts : mapping of str to str
        Where each entry first stands.
    outcome : mapping of str to float array
        The rewards of each entry's rows, NaN where empty.

    Raises
    ------
    InputError
        A word is a miss or an option, and nothing says which.
    """
    sure = {text for text in texts if text.casefold() in ALWAYS}
    maybe = {text for text in texts if text not in sure and is_word(text)}
    if sum(map(len, outcome.values())) < evidence.ENOUGH:
        maybe = {text for text in maybe if text.casefold() not in SIGNS}
    others = [text for text in texts if text not in sure | maybe]
    for text in sorted(maybe):
        paid = evidence.varies(outcome[text])
        if len(others) >= 2 and not paid:
            continue
        why = "its rewards vary, as those of an option do" if paid else "there are not two other entries"
        options = sorted([*others, *maybe])
        apart = {entry: k for k, entry in enumerate(sorted(others))} | dict.fromkeys(sorted(maybe), "missed")
        raise InputError(
            f"{texts[text]}: {text!r} ({len(outcome[text]):,} rows) may be a missed trial or an option, as {why}; type "
            f"{lines.coding('choice', apart)} or "
            f"{lines.coding('choice', {entry: k for k, entry in enumerate(options)})}."
        )
    return sure | maybe


def rare_words(texts: Mapping[str, str], outcome: Mapping[str, np.ndarray]) -> list[str]:
    """Warn of a word beside two others that is rare, and never has another outcome than one."""
    n = sum(len(outcome[text]) for text in texts if text in outcome)
    if len(texts) < 3 or n < evidence.ENOUGH:
        return []
    return [_rare(text, sorted(texts), outcome, n) for text in texts if _may_be_none(text, sorted(texts), outcome, n)]


def _may_be_none(text: str, options: list[str], outcome: Mapping[str, np.ndarray], n: int) -> bool:
    """Whether an entry is so rare, and its outcome so much the same, that it is no sure option."""
    mine, others = outcome[text], [outcome[each] for each in options if each != text]
    chance = evidence.chance_of_one_outcome(mine, others)
    if len(mine) >= evidence.RARE * n:  # often, but never paid more than the least that others are
        return len(mine) < 0.5 * n and chance < evidence.UNLIKELY and not mine[0] > np.nanmin(np.concatenate(others))
    return not evidence.varies(mine) and ((len(mine) < 0.05 * n and chance < 1) or chance < 0.1)


def _rare(text: str, options: list[str], outcome: Mapping[str, np.ndarray], n: int) -> str:
    """The warning of such an entry."""
    coded = {each: k for k, each in enumerate(each for each in options if each != text)} | {text: "missed"}
    shown = text if cells.as_number(text) is not None else repr(text)
    seen = (
        f"is rare ({len(outcome[text]):,} of {n:,})"
        if len(outcome[text]) < evidence.RARE * n
        else (f"was made on {len(outcome[text]):,} of {n:,} rows")
    )
    return (
        f"choice {shown} {seen} and always has the same outcome; it is read as an "
        f"option, but if it stands for a missed trial, type {lines.coding('choice', coded)}."
    )


def odd_numbers(texts: Mapping[str, str], outcome: Mapping[str, np.ndarray]) -> list[str]:
    """Numbers beside two words or more that are codes for no choice: usual ones, rare, and with one outcome."""
    numeric = [text for text in texts if cells.as_number(text) is not None]
    n = sum(len(outcome[text]) for text in texts)
    if len(texts) - len(numeric) < 2 or n < evidence.ENOUGH:
        return []
    usual = all(text in {"0", "-1", *map(str, SENTINELS)} for text in numeric)
    return numeric if usual and all(_no_option(outcome[text], n) for text in numeric) else []


def split_codes(
    numbers: Mapping[str, int],
    outcome: Mapping[str, np.ndarray],
    places: Mapping[str, str],
    witness: Callable[[str], str | None],
) -> Reading:
    """Tell codes for no choice from options, where nobody said how choices are coded.

    Parameters
    ----------
    numbers : mapping of str to int
        The number of each entry, also of -1.
    outcome : mapping of str to float array
        The rewards of each entry's rows, NaN where empty.
    places : mapping of str to str
        Where each entry first stands, for the beginning of a sentence.
    witness : callable
        Of an entry: another column that is empty on its rows alone, or None.

    Raises
    ------
    InputError
        A reading would be wrong, or the codes can be read in two ways.
    """
    entry = {number: text for text, number in numbers.items()}
    n = sum(len(outcome[text]) for text in numbers)
    if -1 in entry and n >= evidence.ENOUGH and evidence.varies(outcome[entry[-1]]):
        return _signed(entry, outcome, places, witness, n)
    entry.pop(-1, None)
    odd = [k for k in sorted(entry) if k < -1 or (k in SENTINELS and _beyond(k, entry))]
    rest = [k for k in sorted(entry) if k not in odd]
    if odd and rest:
        if n >= evidence.ENOUGH and all(_no_option(outcome[entry[k]], n) or witness(entry[k]) for k in odd):
            shown = ", ".join(f"{entry[k]} ({len(outcome[entry[k]]):,})" for k in odd)
            return Reading(odd, [], [f"choices {shown} read as missed: codes far from the others, with one outcome."])
        raise InputError(_ask(places, entry, outcome, odd, rest, "far from the others"))
    start = min(rest[0], 1) if rest else 0
    if rest and rest[0] <= 1 and rest[-1] > 2 and evidence.lonely(set(rest), start):
        why = f"one of {rest[-1] - start + 1} options, of which most were never chosen"
        if rest[-1] - start >= MOST_OPTIONS:
            why = f"beyond the options that are allowed, {start} ... {MOST_OPTIONS - 1 + start}"
        raise InputError(_ask(places, entry, outcome, rest[-1:], rest[:-1], why))
    if len(rest) < 3 or n < evidence.ENOUGH:
        return Reading([], [], [])
    zero = rest[0] == 0 and {1, 2} <= set(rest)
    first = _zero(entry, outcome, places, witness, n) if zero else Reading([], [], [])
    options = [entry[k] for k in rest if k not in first.missed]
    rare = [entry[k] for k in rest[zero:] if len(options) > 2 and _may_be_none(entry[k], options, outcome, n)]
    return first._replace(warnings=[*first.warnings, *(_rare(text, options, outcome, n) for text in rare)])


def _zero(
    entry: Mapping[int, str],
    outcome: Mapping[str, np.ndarray],
    places: Mapping[str, str],
    witness: Callable[[str], str | None],
    n: int,
) -> Reading:
    """0 beside 1 and 2: the first of the options, or no choice."""
    mine, rest = outcome[entry[0]], [k for k in sorted(entry) if k]
    chance = evidence.chance_of_one_outcome(mine, [outcome[entry[k]] for k in rest])
    column = witness(entry[0]) if chance < 1 or len(mine) < evidence.RARE * n else None
    if column is not None:
        return Reading(
            [0], [], [f"choice 0 ({len(mine):,}) read as missed: {column!r} says nothing on just these rows."]
        )
    if chance < evidence.UNLIKELY:
        raise InputError(_ask(places, entry, outcome, [0], rest, "never with another outcome than one"))
    if chance < 1 and len(mine) < evidence.RARE * n:
        return Reading([], [_rare(entry[0], [entry[k] for k in sorted(entry)], outcome, n)], [])
    return Reading([], [], [])


def _beyond(code: int, entry: Mapping[int, str]) -> bool:
    """Whether a code stands at least three above all codes that are no such codes."""
    rest = [k for k in entry if k not in SENTINELS and k < code]
    return bool(rest) and code - max(rest) >= 3


def _no_option(mine: np.ndarray, n: int) -> bool:
    return len(mine) < evidence.RARE * n and not evidence.varies(mine)


def _signed(
    entry: Mapping[int, str],
    outcome: Mapping[str, np.ndarray],
    places: Mapping[str, str],
    witness: Callable[[str], str | None],
    n: int,
) -> Reading:
    """-1 with rewards that vary, so that a choice was made."""
    rest = [k for k in sorted(entry) if k >= 0]
    share = len(outcome[entry[-1]]) / n
    shown = f"-1 makes {share:.0%} of the choices, and its rewards vary as those of an option do"
    odd = [k for k in sorted(entry) if k in SENTINELS]
    rest = [k for k in rest if k not in odd]
    missed = lines.coding("choice", _shown(entry, rest, [-1, *odd]))
    if share < 0.1 or set(entry) - {-1, 0, 1} or 1 not in entry:
        every = lines.coding("choice", _shown(entry, [k for k in sorted(entry) if k not in odd], odd))
        raise InputError(
            f"{places[entry[-1]]}: {shown}; if it is an option, type {every}; if it is a missed trial, {missed}."
        )
    if 0 in entry and not evidence.varies(outcome[entry[0]]):
        option, two = lines.coding("choice", _shown(entry, sorted(entry), [])), _shown(entry, [-1, 1], [0])
        column = witness(entry[0])
        if column is None:
            raise InputError(
                f"{places[entry[0]]}: '0' ({_rows(outcome[entry[0]])}) never has another outcome than one, while those "
                f"of -1 and 1 vary; if it stands for a missed trial, type {lines.coding('choice', two)}; if it is an "
                f"option, {option}."
            )
        told = f"choice 0 ({len(outcome[entry[0]]):,}) read as missed: {column!r} says nothing on just these rows."
        return Reading([0], [], [told], options=[-1, 1])
    told = f"{shown}: it is read as an option, and none as missed; if it is a missed trial, type {missed}."
    return Reading([], [told], [], options=sorted(entry))


def _shown(entry: Mapping[int, str], rest: list[int], missed: list[int]) -> dict[str, object]:
    coded: dict[str, object] = {entry[k]: "missed" for k in missed}
    return coded | {entry[k]: i for i, k in enumerate(rest)}


def _ask(
    places: Mapping[str, str],
    entry: Mapping[int, str],
    outcome: Mapping[str, np.ndarray],
    odd: list[int],
    rest: list[int],
    why: str,
) -> str:
    shown = " and ".join(f"{entry[k]!r} ({_rows(outcome[entry[k]])})" for k in odd)
    others = ", ".join(f"{entry[k]} ({len(outcome[entry[k]]):,})" for k in rest[:6]) + (
        ", ..." if len(rest) > 6 else ""
    )
    every = sorted([*odd, *rest])
    return (
        f"{places[entry[odd[0]]]}: {shown} beside {others} may stand for a missed trial, being {why}; if so, type "
        f"{lines.coding('choice', _shown(entry, rest, odd))}; if it is an option, "
        f"{lines.coding('choice', _shown(entry, every, []))}."
    )


def _rows(mine: np.ndarray) -> str:
    return f"{len(mine):,} rows" if len(mine) > 1 else "1 row"
