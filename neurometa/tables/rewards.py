"""What the entries of a table mean as rewards."""

import re
from collections.abc import Mapping

import numpy as np

from neurometa import evidence
from neurometa.errors import InputError
from neurometa.tables import cells, lines
from neurometa.tables.coding import canonical
from neurometa.tables.grid import Grid
from neurometa.tables.missed import SENTINELS, is_word

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
UNITS = re.compile(r"[$€£¥%]|[µu]l|ml|cents?|ct|pts?|points?", re.IGNORECASE)  # around a number
LATE = 0.05  # of the rows are empty at most, the first or last among them, where rewards were moved by one
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
    reward, recoded = _paid(table, column, coding, choice)
    empty = np.isnan(reward)
    lacking = np.flatnonzero(empty & (choice >= 0))
    if lacking.size:
        levels, n_made = np.unique(reward[~empty & (choice >= 0)]), int((choice >= 0).sum())
        nought = ""
        first, last = lacking[0] == 0, lacking[-1] == len(choice) - 1
        if (first or last) and lacking.size <= LATE * len(choice):
            how = "late, move the column up" if first else "early, move the column down"
            nought = f"; if rewards stand a row too {how} by one within each session instead"
        elif coding is None and lacking.size > 0.1 * n_made and 0 < levels.size <= 2 and not (levels == 0).any():
            worth = dict.fromkeys(_empties(table, column), 0) | {
                cells.as_text(x): int(x) if x.is_integer() else float(x) for x in levels
            }
            nought = f"; if it is empty where nothing was paid, type {lines.coding('reward', worth)}"
        raise InputError(
            f"{table.place(lacking[0], column)}: the reward is empty where a choice was made "
            f"({lacking.size:,} such rows); drop those rows, or mark the choice as missed (-1){nought}."
        )
    reward = np.where(empty, 0.0, reward)  # a copy: the column may be the user's own
    if empty.any():
        recoded.append(f"reward, empty on {empty.sum():,} missed trials, became 0.")
    return reward, recoded, _odd(reward, choice)


def _paid(table: cells.Table, column: str, coding: Mapping | None, choice: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Rewards as they stand or are coded, NaN where empty, also in other words, on missed trials."""
    codes, texts = cells.labels(table.frame[column])
    filled = [text for text in texts if text.casefold() not in cells.EMPTY]
    made = np.bincount(codes[choice >= 0], minlength=len(texts))
    none = [text for text, n in zip(texts, made, strict=True) if text in filled and is_word(text) and not n]
    if coding is None and none and len(none) < len(filled) and len(codes) >= evidence.ENOUGH:
        table = table._replace(
            frame=table.frame.assign(**{column: table.frame[column].where(~_is(codes, texts, none))})
        )
        reward, recoded = _paid(table, column, None, choice)
        return reward, [*recoded, f"reward {', '.join(map(repr, none))}, on missed trials alone, read as empty."]
    if coding is None and filled and all(text.casefold() in cells.TRUTH for text in filled):
        coding = {text: cells.TRUTH[text.casefold()] for text in filled}
    if coding is None:
        reward, wrong = cells.numbers(table.frame[column])
        wrong |= np.abs(reward) > LARGEST
        if wrong.any():
            row = int(np.argmax(wrong))
            how = _cure(filled, len(codes), _empties(table, column))
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


def _is(codes: np.ndarray, texts: list[str], some: list[str]) -> np.ndarray:
    """Which rows hold one of some entries."""
    return np.array([text in some for text in texts])[codes]


def outcomes(table: cells.Table, column: str) -> np.ndarray:
    """What each row paid, for comparison only: a number, the number of its word, or NaN where empty."""
    reward, wrong = cells.numbers(table.frame[column])
    if not wrong.any():
        return reward
    codes, texts = cells.labels(table.frame[column])
    empty = np.array([text.casefold() in cells.EMPTY for text in texts])
    return np.where(empty[codes], np.nan, codes)


def _empties(table: cells.Table, column: str) -> list[str]:
    """Entries that are empty, or say so."""
    return [text for text in cells.labels(table.frame[column])[1] if text.casefold() in cells.EMPTY]


def _cure(filled: list[str], n_rows: int, empty: list[str]) -> str:
    """Say what to type for words, units, or for decimal commas."""
    odd = [text for text in filled if cells.as_number(text) is None]
    if odd and all(re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", text) for text in odd):
        return "; its commas part thousands or decimals: write it without, or read it in pandas and give the DataFrame"
    if odd and all(re.fullmatch(r"[+-]?\d+,\d+", text) for text in odd):
        return "; its decimals have a comma: read it in pandas with decimal=',', and give the DataFrame"
    if not odd or len(filled) > 6 or len(odd) == n_rows:
        return ""
    worth = {text: _worth(text) for text in filled}
    unknown = [text for text, value in worth.items() if value is None]
    if len(unknown) == 1 and not any(value for value in worth.values()):  # the one thing that is paid
        worth = ({} if len(filled) > 1 else dict.fromkeys(empty, 0)) | worth | {unknown[0]: 1}
        return f"; if it is paid and the others are not, type {lines.coding('reward', worth)}"
    if not unknown:
        worth = dict(sorted(worth.items(), key=lambda pair: pair[1] or 0))
        return f"; type {lines.coding('reward', worth)}"
    if len(unknown) == len(filled):
        worth = {text: k for k, text in enumerate(sorted(worth))}
        return f"; say what each is worth, e.g. {lines.coding('reward', worth)}"
    said = lines.coding("reward", worth | dict.fromkeys(unknown, 0))
    return f"; if its row is no trial, delete it; else say what it is worth, e.g. {said}"


def _worth(text: str) -> float | int | None:
    """What an entry is worth, if it is known: a number, also with its unit, a share for a percentage, or 1 or 0."""
    number = cells.as_number(UNITS.sub("", text).strip()) if UNITS.search(text) else cells.as_number(text)
    if number is not None:
        number = number / 100 if "%" in text else number
        return int(number) if number.is_integer() else number
    if text in ("+", "-"):
        return int(text == "+")
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
    elif sentinel := _sentinel(made):
        told.append(sentinel)
    elif made.size and (made.min() < 0 or made.max() > 1 or 0 < made.max() < evidence.SMALL):
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


def _sentinel(made: np.ndarray) -> str:
    """Warn of a number that stands for none in many tables, rare and far from all other rewards; else empty."""
    levels, n = np.unique(made, return_counts=True)
    for level, count in zip(levels, n, strict=True):
        others = np.abs(levels[levels != level])
        if level in SENTINELS and abs(level) > 9 and count < 0.1 * made.size and abs(level) > 5 * others.max(initial=1):
            return (
                f"the reward {level:g} ({count:,} of {made.size:,}) is far from all others, as a code for none is, and "
                "counts as it stands; if it is one, mark the choice of its rows as missed (-1)."
            )
    return ""


def running_total(reward: np.ndarray, choice: np.ndarray, grid: Grid) -> list[str]:
    """Warn of rewards that are the sum of all so far: they never fall, or rise and fall by the same few steps."""
    order = np.lexsort((grid.position, grid.episode))
    order = order[choice[order] >= 0]
    rise = np.diff(reward[order])[np.diff(grid.episode[order]) == 0]
    n_levels = np.unique(reward[order]).size
    if rise.size < evidence.ENOUGH or n_levels < 8:
        return []
    if not (rise < 0).any() and (rise > 0).mean() >= 0.1:
        how = "never fall from one trial to the next"
    elif n_levels >= 3 * np.unique(np.round(rise, 9)).size:
        how = "change by the same few steps from one trial to the next"
    else:
        return []
    return [f"rewards {how}, as a running total does; if they are one, take differences within each session."]


def by_option(reward: np.ndarray, choice: np.ndarray) -> list[str]:
    """Warn of rewards that are a probability, and follow from the option alone."""
    paid = [np.unique(reward[choice == k]) for k in np.unique(choice[choice >= 0])]
    if len(paid) < 2 or any(each.size > 1 for each in paid) or not (choice >= 0).sum() >= evidence.ENOUGH:
        return []
    worth = np.concatenate(paid)
    if not ((worth > 0) & (worth < 1)).any() or ((worth < 0) | (worth > 1)).any() or np.unique(worth).size < 2:
        return []
    shown = ", ".join(f"{each:g}" for each in worth[:4])
    return [
        f"every option always has the same reward ({shown}); if these are probabilities, name the column of what was "
        "paid with reward=... (--reward COLUMN)."
    ]
