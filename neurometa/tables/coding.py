"""What the entries of a table mean as options."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.missed import ALWAYS, MOST_OPTIONS, Reading, odd_numbers, rare_words, split_codes, split_words

FARED = frozenset(  # of a choice or its outcome
    ["correct", "incorrect", "error", "wrong", "hit", "win", "lose", "loss", "won", "lost", "rewarded", "unrewarded"]
)
MANY_MISSED = 0.25  # more than this share of -1 looks like an option


def read_choices(
    table: cells.Table,
    column: str,
    coding: Mapping | None,
    n_options: int | None,
    outcome: np.ndarray,
    *,
    from_zero: bool = False,
    beside: Sequence[str] = (),
) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    """Read a column as options, numbers `from_zero` being counted so wherever they can be.

    Parameters
    ----------
    table : Table
        What was opened.
    column : str
        Whose entries are choices.
    coding : mapping or None
        The option that each entry stands for; without it the entries are weighed.
    n_options : int or None
        How many there are, if that is known.
    outcome : float array
        What each row paid, NaN where empty: evidence of which codes stand for no choice.
    from_zero : bool
        Whether numbers count from 0, as the table says.
    beside : sequence of str
        Columns of what follows on the choice, which may be 0 where there was none.

    Returns
    -------
    choice : array of int8
        0 ... K-1 per row, -1 where none was made.
    options : list of str
        The table's label of each option, K in all.
    recoded, warnings : list of str
        Sentences for the report.

    Raises
    ------
    InputError
        An entry is none of the options, or the codes can be read in two ways.
    """
    codes, texts = cells.labels(table.frame[column])
    texts = [canonical(text) for text in texts]
    first: dict[str, str] = {}  # where each entry first stands, in order
    for text, row in zip(texts, np.unique(codes, return_index=True)[1], strict=True):
        first.setdefault(text, table.place(row, column))
    doubt = Reading([], [], [])
    if coding is not None:
        option, options = _given(first, coding, n_options)
    else:
        entries = list(first)
        entry = np.array([entries.index(text) for text in texts])[codes] if len(entries) <= MOST_OPTIONS else codes
        paid = {text: outcome[entry == k] for k, text in enumerate(entries)} if len(entries) <= MOST_OPTIONS else {}
        missed = split_words(first, paid) if paid else set()
        made = {text: place for text, place in first.items() if text not in missed}
        odd = odd_numbers(made, paid) if paid else []
        made = {text: place for text, place in made.items() if text not in odd}
        if all(cells.as_number(text) is not None for text in made):
            where = f"{table.source}, column {column!r}"
            if paid and n_options is None:
                numbers = {text: int(text) for text in first if _whole(text)}
                if len(numbers) == len(made) + ("-1" in first):
                    doubt = split_codes(numbers, paid, first, _witness(table, [column, *beside], entries, entry))
            left = {text: place for text, place in made.items() if _number(text) not in doubt.missed}
            if doubt.options is not None:
                option = {str(k): i for i, k in enumerate(doubt.options)}
                options = [str(k) for k in doubt.options]
            else:
                option, options = _counted(left, where, n_options, from_zero, signed="-1" in first)
        else:
            option, options = _named(made, n_options)
            doubt = Reading([], _initials(options) + rare_words(made, paid), [])
    lookup = np.array([option.get(text, -1) for text in texts], dtype=np.int8)
    choice = lookup[codes]

    n = dict.fromkeys(first, 0)
    for text, count in zip(texts, np.bincount(codes), strict=True):
        n[text] += int(count)
    by_option = sorted((k, text) for text, k in option.items() if k >= 0 and n.get(text))
    moved = [f"{text} -> {k}" for k, text in by_option if text != str(k)]
    absent = [f"{text or 'empty'} ({n[text]:,})" for text in n if option.get(text, -1) < 0]
    recoded = [f"choices {', '.join(moved)}."] if moved else []
    if from_zero and coding is None and option and "0" not in n and options[0] == "0":
        recoded.append(f"choices read as counted from 0, of {len(options)}, as the column n_options says.")
    if doubt.recoded:
        recoded += doubt.recoded
    elif absent:
        recoded.append(f"choices {', '.join(absent)} read as missed.")
    return choice, options, recoded, doubt.warnings + _unlike(choice, option, options, n, coding)


def _unlike(
    choice: np.ndarray, option: Mapping[str, int], options: list[str], n: Mapping[str, int], coding: Mapping | None
) -> list[str]:
    """Warn of options that nobody chose, of many that are missed, and of entries that say how a choice fared."""
    told = []
    if coding is None and len(options) == 2 and sum(label.casefold() in FARED for label in options) == 2:
        told.append(
            f"the choices are {options[0]} and {options[1]}, which say how a choice fared, not which it was; if "
            "another column says which, name it with choice=... (--choice COLUMN)."
        )
    never = [label for k, label in enumerate(options) if k not in choice]
    if never and (choice >= 0).any():
        some = {label: k for k, label in enumerate(label for label in options if label not in never)}
        numeric = coding is None and len(some) >= 2 and all(_whole(label) for label in options)
        line = f" If there are only those that were, type {lines.coding('choice', some)}." if numeric else ""
        told.append(f"never chosen: {', '.join(never)}.{line}")
    if coding is None and option.get("-1", -1) < 0 and n.get("-1", 0) > MANY_MISSED * len(choice):
        either = {"-1": 0} | {label: k + 1 for k, label in enumerate(label for label in options if _whole(label))}
        told.append(
            f"-1 makes {n['-1'] / len(choice):.0%} of the choices and was read as missed; "
            f"if it is an option, type {lines.coding('choice', either)}."
        )
    return told


def _whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii() and len(text) <= 9


def _number(text: str) -> int | None:
    return int(text) if _whole(text) else None


def _witness(
    table: cells.Table, columns: Sequence[str], entries: list[str], entry: np.ndarray
) -> Callable[[str], str | None]:
    """Find, of an entry, another column that is empty (or -1) on its rows and on no others."""

    def find(text: str) -> str | None:
        rows = entry == entries.index(text)
        for name in table.frame.columns:
            if name == columns[0]:
                continue
            codes, texts = cells.labels(table.frame[name])
            absent = np.array([each.casefold() in cells.EMPTY or canonical(each) == "-1" for each in texts])
            many = len(texts) > 10 or name in columns  # a time, say, which is 0 where there was none
            absent |= np.array([many and canonical(each) == "0" for each in texts])
            if np.array_equal(absent[codes], rows):
                return str(name)
        return None

    return find


def canonical(text: object) -> str:
    """Write an entry, or a key of a coding, so that 1, 1.0 and "1" are the same."""
    text = cells.as_text(text)
    number = cells.as_number(text)
    return text if number is None or not np.isfinite(number) else cells.as_text(number)


def _given(first: dict[str, str], coding: Mapping, n_options: int | None) -> tuple[dict[str, int], list[str]]:
    option = {canonical(key): -1 if value == "missed" else value for key, value in coding.items()}
    if len(option) < len(coding):
        raise InputError(f"choice_coding has {list(coding)}, of which some are the same entry; name each once.")
    most = (n_options or MOST_OPTIONS) - 1
    for key, k in option.items():
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or not -1 <= k <= most:
            raise InputError(f"choice_coding gives {key!r} as {k!r}; it must be 'missed' or an option, 0 ... {most}.")
    for text, place in first.items():
        if text not in option and text.casefold() not in ALWAYS:
            raise InputError(f"{place}: {text!r} is not in choice_coding; it has {list(option)}.")
    n = n_options or max(2, 1 + max(option.values(), default=0))
    labels = {k: text for text, k in reversed(option.items())}
    return option, [labels.get(k, f"option {k}") for k in range(n)]


def _counted(
    first: dict[str, str], source: str, n_options: int | None, from_zero: bool, *, signed: bool
) -> tuple[dict[str, int], list[str]]:
    """Whole numbers from 0, or from 1 where 0 does not occur (if `from_zero`, where that cannot be)."""
    for text, place in first.items():
        if not text.isdecimal() or len(text) > 9:
            raise InputError(
                f"{place}: {text!r} is no choice; a choice is a whole number from 0 or 1, or -1 if missed."
            )
    numbers = {text: int(text) for text in first} or {"0": 0}
    low, high = min(numbers.values()), max(numbers.values())
    start = 0 if low == 0 or (from_zero and n_options and high < n_options) else 1
    most = (n_options or MOST_OPTIONS) - 1 + start
    for text, place in first.items():
        if numbers[text] > most:
            raise InputError(f"{place}: {text!r} is no option; allowed are {start} ... {most}, or -1 if missed.")
    two: dict[str, object] = {str(low): 0, str(high if high > low else low + 1): 1}
    two = {str(number): k for k, number in enumerate(sorted(numbers.values()))} if len(numbers) > 2 else two
    both = {"-1": 0, "1": 1}
    either = f", or, if -1 is an option, {lines.coding('choice', both)}" if signed and low == high == 1 else ""
    if start and (high != n_options if n_options else low > 1 or high == 1):
        raise InputError(
            f"{source}: the choices are {sorted(numbers.values())}, which leaves open whether options count from 0 or "
            f"from 1; type, e.g., {lines.coding('choice', two)}{either}."
        )
    n = n_options or max(2, high - start + 1)
    return {text: number - start for text, number in numbers.items()}, [str(start + k) for k in range(n)]


def _mixed(first: Mapping[str, str]) -> dict[str, object]:
    """Numbers as options and words as missed, or the other way round if there are more words; two of both as one."""
    numeric = sorted((text for text in first if cells.as_number(text) is not None), key=float)
    words = sorted(text for text in first if text not in numeric)
    if len(numeric) == len(words) >= 2:
        return {text: k for group in (numeric, words) for k, text in enumerate(group)}
    options, others = (numeric, words) if len(numeric) >= len(words) else (words, numeric)
    coded: dict[str, object] = {text: k for k, text in enumerate(options)}
    return coded | dict.fromkeys(others, "missed")


def _by_case(first: Mapping[str, str]) -> dict[str, int]:
    """One option for all spellings of a word."""
    words = sorted({text.casefold() for text in first})
    return {text: words.index(text.casefold()) for text in sorted(first)}


def _initials(options: Sequence[str]) -> list[str]:
    """Warn of options of which half are called by the initials of the other half."""
    short = sorted(text for text in options if len(text) == 1)
    full = {text[0].casefold(): text for text in options if len(text) > 1}
    if len(short) < 2 or len(full) != len(options) - len(short) or {text.casefold() for text in short} - full.keys():
        return []
    both = {full[text.casefold()]: k for k, text in enumerate(short)} | {text: k for k, text in enumerate(short)}
    pairs = " and ".join(f"{text} and {full[text.casefold()]}" for text in short)
    return [f"{pairs} are read as options of their own; if each pair is one, type {lines.coding('choice', both)}."]


def _named(first: dict[str, str], n_options: int | None) -> tuple[dict[str, int], list[str]]:
    """Words, in sorted order."""
    for k, (text, place) in enumerate(first.items()):
        if cells.as_number(text) is not None:
            word = next(other for other in first if cells.as_number(other) is None)
            raise InputError(
                f"{first[word]}: {word!r} is not a number, as other choices are; say what each is, e.g. "
                f"{lines.coding('choice', _mixed(first))}."
            )
        if k >= (n_options or MOST_OPTIONS):
            raise InputError(
                f"{place}: {text!r} is one option too many; allowed are {n_options or MOST_OPTIONS} different ones."
            )
    alike: dict[str, str] = {}
    for text in first:
        other = alike.setdefault(text.casefold(), text)
        if other != text:
            raise InputError(
                f"{first[text]}: {text!r} and {other!r} differ only in case; tell what they are with "
                f"{lines.coding('choice', _by_case(first))}."
            )
    words = sorted(first)
    n = n_options or max(2, len(words))
    return {text: k for k, text in enumerate(words)}, words + [f"option {k}" for k in range(len(words), n)]
