"""What the entries of a table mean as rewards."""

import re
from collections.abc import Mapping

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.coding import canonical

PAID = frozenset(
    [
        "win",
        "won",
        "wins",
        "reward",
        "rewarded",
        "correct",
        "hit",
        "yes",
        "true",
        "right",
        "gain",
        "success",
        "paid",
        "r",
        "rew",
        "positive",
        "pos",
    ]
)
UNPAID = frozenset(
    [
        "loss",
        "lose",
        "lost",
        "losses",
        "no",
        "norew",
        "noreward",
        "unrewarded",
        "nonrewarded",
        "omission",
        "omitted",
        "incorrect",
        "wrong",
        "error",
        "miss",
        "nothing",
        "neutral",
        "false",
        "failure",
        "fail",
        "unpaid",
        "nowin",
        "nonreward",
        "notrewarded",
        "negative",
        "neg",
        "punishment",
        "zero",
        "nil",
    ]
)
LARGEST = 1e100  # a reward beyond this is a slip, and would overflow sums


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
            how = _cure(filled, len(codes))
            raise InputError(
                f"{table.place(row, column)}: {texts[codes[row]]!r} is not a finite number (with a decimal point){how}."
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


def outcomes(table: cells.Table, column: str) -> np.ndarray:
    """What each row paid, for comparison only: a number, the number of its word, or NaN where empty."""
    reward, wrong = cells.numbers(table.frame[column])
    if not wrong.any():
        return reward
    codes, texts = cells.labels(table.frame[column])
    empty = np.array([text.casefold() in cells.EMPTY for text in texts])
    return np.where(empty[codes], np.nan, codes)


def _cure(filled: list[str], n_rows: int) -> str:
    """Say what to type for words, or for decimal commas."""
    commas = [text for text in filled if re.fullmatch(r"[+-]?\d+,\d+", text)]
    if len(commas) == len([text for text in filled if not text.removeprefix("-").isdecimal()]) > 0:
        return "; its decimals have a comma: read it in pandas with decimal=',', and give the DataFrame"
    words = list(dict.fromkeys(text for text in filled if cells.as_number(text) is None))
    if not words or len(filled) > 6 or len(words) == n_rows:
        return ""
    worth = {text: _worth(text) for text in filled}
    if None in worth.values():
        worth = {text: k for k, text in enumerate(sorted(worth))}
        return f"; say what each is worth, e.g. {lines.coding('reward', worth)}"
    return f"; type {lines.coding('reward', worth)}"


def _worth(text: str) -> float | int | None:
    """What a word for an outcome is worth, 1 or 0, if it is known."""
    number = cells.as_number(text)
    if number is not None:
        return int(number) if number.is_integer() else number
    folded = re.sub(r"[\W_]", "", text.casefold())
    return 1 if folded in PAID else 0 if folded in UNPAID else None


def _odd(reward: np.ndarray, choice: np.ndarray) -> list[str]:
    """Warn of rewards that learning models, whose values start at 0.5, would take amiss."""
    made = reward[choice >= 0]
    told = []
    if made.size and set(np.unique(made)) <= {-1.0, 1.0} and made.min() < 0:
        told.append(
            "rewards are -1 and 1, but learning models start their values at 0.5, between 0 and 1; "
            f"give {lines.coding('reward', {'-1': 0, '1': 1})} before fitting."
        )
    elif made.size and (made.min() < 0 or made.max() > 1):
        told.append(
            f"rewards run from {made.min():g} to {made.max():g}, but learning models start their values at 0.5, "
            "between 0 and 1; rescale them before fitting."
        )
    if made.size > 1 and made.min() == made.max():
        told.append(f"every reward is {made[0]:g}.")
    unmade = reward[choice < 0]
    n = np.count_nonzero(unmade)
    if n:
        telling = n > 2 and n > 0.1 * len(unmade) and evidence.varies(unmade)
        how = "; if choices were made there, say what their entries mean with choice_coding" if telling else ""
        told.append(f"{n:,} missed trials carry a reward, which is kept{how}.")
    return told
