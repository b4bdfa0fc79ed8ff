"""What the entries of a table mean as options and as rewards."""

from collections.abc import Mapping

import numpy as np

from neurometa.errors import InputError
from neurometa.tables import cells

MISSED = cells.EMPTY | {"-1", "miss", "missed", "missing", "omission", "omitted", "no choice", "no response", "timeout"}
MOST_OPTIONS = 127  # choices are int8
LARGEST = 1e100  # a reward beyond this is a slip, and would overflow sums
MANY_MISSED = 0.25  # more than this share of -1 looks like an option


def read_choices(
    table: cells.Table, column: str, coding: Mapping | None, n_options: int | None, *, from_zero: bool = False
) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    """Read a column as options, numbers `from_zero` being counted so wherever they can be.

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
    made = {text: place for text, place in first.items() if text.casefold() not in MISSED}
    if coding is not None:
        option, options = _given(first, coding, n_options)
    elif all(cells.as_number(text) is not None for text in made):
        option, options = _counted(made, f"{table.source}, column {column!r}", n_options, from_zero)
    else:
        option, options = _named(made, n_options)
    lookup = np.array([option.get(text, -1) for text in texts], dtype=np.int8)
    choice = lookup[codes]

    n = dict.fromkeys(first, 0)
    for text, count in zip(texts, np.bincount(codes), strict=True):
        n[text] += int(count)
    by_option = sorted((k, text) for text, k in option.items() if k >= 0 and n.get(text))
    moved = [f"{text} -> {k}" for k, text in by_option if text != str(k)]
    missed = [f"{text or 'empty'} ({n[text]:,})" for text in n if option.get(text, -1) < 0]
    recoded = [f"choices {', '.join(moved)}."] if moved else []
    if from_zero and coding is None and made and "0" not in made and options[0] == "0":
        recoded.append(f"choices read as counted from 0, of {len(options)}, as the column n_options says.")
    recoded += [f"choices {', '.join(missed)} read as missed."] if missed else []
    warnings = []
    never = [label for k, label in enumerate(options) if k not in lookup]
    if never and made:
        warnings.append(f"never chosen: {', '.join(never)}.")
    if coding is None and n.get("-1", 0) > MANY_MISSED * len(choice):
        warnings.append(
            f"-1 makes {n['-1'] / len(choice):.0%} of the choices and was read as missed; "
            "if it is an option, give choice_coding, e.g. {-1: 0, 1: 1}."
        )
    return choice, options, recoded, warnings


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
        if text not in option and text.casefold() not in MISSED:
            raise InputError(f"{place}: {text!r} is not in choice_coding; it has {list(option)}.")
    n = n_options or max(2, 1 + max(option.values(), default=0))
    labels = {k: text for text, k in reversed(option.items())}
    return option, [labels.get(k, f"option {k}") for k in range(n)]


def _counted(
    first: dict[str, str], source: str, n_options: int | None, from_zero: bool
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
    if start and (high != n_options if n_options else low > 1 or high == 1):
        raise InputError(
            f"{source}: the choices are {sorted(numbers.values())}, which leaves open whether options count from 0 or "
            f"from 1; give choice_coding, e.g. {{{low}: 0, {high if high > low else low + 1}: 1}}."
        )
    n = n_options or max(2, high - start + 1)
    return {text: number - start for text, number in numbers.items()}, [str(start + k) for k in range(n)]


def _named(first: dict[str, str], n_options: int | None) -> tuple[dict[str, int], list[str]]:
    """Words, in sorted order."""
    for k, (text, place) in enumerate(first.items()):
        if cells.as_number(text) is not None:
            word = next(other for other in first if cells.as_number(other) is None)
            raise InputError(
                f"{first[word]}: {word!r} is not a number, as other choices are; to mix them, give choice_coding."
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
                f"{first[text]}: {text!r} and {other!r} differ only in case; give choice_coding to tell what they are."
            )
    words = sorted(first)
    n = n_options or max(2, len(words))
    return {text: k for k, text in enumerate(words)}, words + [f"option {k}" for k in range(len(words), n)]


def read_rewards(
    table: cells.Table, column: str, coding: Mapping | None, choice: np.ndarray
) -> tuple[np.ndarray, list[str], list[str]]:
    """Read a column as rewards, one per choice.

    Returns
    -------
    reward : array of float
        Finite; 0 where the entry of a missed trial was empty.
    recoded, warnings : list of str
        Sentences for the report.

    Raises
    ------
    InputError
        An entry is no finite number, or is empty where a choice was made.
    """
    reward, recoded = _paid(table, column, coding)
    empty = np.isnan(reward)
    lacking = np.flatnonzero(empty & (choice >= 0))
    if lacking.size:
        raise InputError(
            f"{table.place(lacking[0], column)}: the reward is empty where a choice was made "
            f"({lacking.size:,} such rows); drop those rows, or mark the choice as missed (-1)."
        )
    reward = np.where(empty, 0.0, reward)  # a copy: the column may be the user's own
    if empty.any():
        recoded.append(f"reward, empty on {empty.sum():,} missed trials, became 0.")
    return reward, recoded, _odd(reward, choice)


def _paid(table: cells.Table, column: str, coding: Mapping | None) -> tuple[np.ndarray, list[str]]:
    """Rewards as they stand or are coded, NaN where empty."""
    codes, texts = cells.labels(table.frame[column])
    filled = [text for text in texts if text.casefold() not in cells.EMPTY]
    if coding is None and filled and all(text.casefold() in cells.TRUTH for text in filled):
        coding = {text: cells.TRUTH[text.casefold()] for text in filled}
    if coding is None:
        reward, wrong = cells.numbers(table.frame[column])
        wrong |= np.abs(reward) > LARGEST
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{table.place(row, column)}: {texts[codes[row]]!r} is not a finite number (with a decimal point)."
            )
        return reward, []
    worth = {canonical(key): float(value) for key, value in coding.items()}
    for text, value in worth.items():
        if not abs(value) <= LARGEST:
            raise InputError(f"reward_coding gives {text!r} as {value}; it must be a finite number.")
    texts = [canonical(text) for text in texts]
    for code, text in enumerate(texts):
        if text not in worth and text.casefold() not in cells.EMPTY:
            place = table.place(int(np.argmax(codes == code)), column)
            raise InputError(f"{place}: {text!r} is not in reward_coding; it has {list(worth)}.")
    moved = [f"{text} -> {worth[text]:g}" for text in worth if text in texts and text != f"{worth[text]:g}"]
    reward = np.array([worth.get(text, np.nan) for text in texts])[codes]
    return reward, [f"rewards {', '.join(moved)}."] if moved else []


def _odd(reward: np.ndarray, choice: np.ndarray) -> list[str]:
    """Warn of rewards that learning models, whose values start at 0.5, would take amiss."""
    made = reward[choice >= 0]
    told = []
    if made.size and set(np.unique(made)) <= {-1.0, 1.0} and made.min() < 0:
        told.append(
            "rewards are -1 and 1, but learning models start their values at 0.5, between 0 and 1; "
            "give reward_coding, {-1: 0, 1: 1}, before fitting."
        )
    elif made.size and (made.min() < 0 or made.max() > 1):
        told.append(
            f"rewards run from {made.min():g} to {made.max():g}, but learning models start their values at 0.5, "
            "between 0 and 1; rescale them before fitting."
        )
    if made.size > 1 and made.min() == made.max():
        told.append(f"every reward is {made[0]:g}.")
    n = np.count_nonzero(reward[choice < 0])
    if n:
        told.append(f"{n:,} missed trials carry a reward, which is kept.")
    return told
