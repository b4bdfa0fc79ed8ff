"""Trials that the table itself sets apart: tried out, left out, forced, or there twice."""

from collections.abc import Mapping

import numpy as np

from neurometa import evidence
from neurometa.tables import cells, lines
from neurometa.tables.roles import plain
from neurometa.tables.rows import KINDS, words

TRIED = """practice practise tutorial demo warmup instruction instructions example habituation familiarization
    familiarisation shaping pretraining pretrain calibration dummy training train probe catch correction autowater
    freewater freereward manualwater"""
AGAINST_IT = """exclude excluded bad artifact artefact discard discarded outlier reject rejected omit omitted drop
    dropped aborted invalid missed timeout catch catchtrial attentioncheck practice practise tutorial warmup training
    probe correction biascorrection autowater freewater freereward manualwater manualreward"""
TRY_OUTS = frozenset(TRIED.split())
AGAINST = frozenset(AGAINST_IT.split())  # what a column is called by which others leave out the rows of 1
LEFT_OUT = frozenset(["valid", "include", "included", "good", "usable", "use", "used", "keep", "kept", "ok"])  # of 0
FORCED = frozenset(["forced", "forcedchoice", "instructed", "guided"])
FREE = frozenset(["free", "freechoice"])
TWICE = 0.02  # of the rows are copies of others, to the last digit of what differs nearly everywhere
TIMES = frozenset(["rt", "rts", "latency", "reactiontime", "responsetime", "reaction"])
FEWEST = 5  # rows without a response time, of which something may be said
FLAGGED = LEFT_OUT | AGAINST | FORCED | FREE
FLAGS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True, "0.0": False, "1.0": True}


def of_other_kinds(
    table: cells.Table, columns: Mapping[str, str], where: Mapping | None, choice: np.ndarray
) -> list[str]:
    """Warn of trials that the table itself sets apart: tried out, left out, forced, or there twice."""
    told = [*_copies(table, columns)]
    for name in table.frame.columns:
        if name in columns.values() or name in (where or {}):
            continue
        short = plain(name).removeprefix("is").removesuffix("trial") or plain(name)
        codes, texts = _few(table, name)
        if short in FLAGGED and len(texts) == 2 and {text.casefold() for text in texts} <= FLAGS.keys():
            out = next(text for text in texts if FLAGS[text.casefold()] == (short in AGAINST | FORCED))
            kept = next(text for text in texts if text != out)
            n = int(((codes == texts.index(out)) & (choice >= 0)).sum())
            if not n:
                continue  # all missed, as the column says
            if short in FORCED | FREE:
                told.append(
                    f"{name!r} is {out} on {n:,} rows, whose choices are read as free; fits score them like others."
                )
            else:
                told.append(
                    f"{name!r} is {out} on {n:,} rows, which are read like others; to leave them out, type "
                    f"{lines.where(name, [kept])}."
                )
        elif tried := [text for text in texts if plain(text) in TRY_OUTS]:
            n = int((np.isin(codes, [texts.index(text) for text in tried]) & (choice >= 0)).sum())
            others = [text for text in texts if text not in tried and text]
            if others and n:
                told.append(
                    f"{name!r} is {tried[0]} on {n:,} rows, which are read like others; to leave them out, type "
                    f"{lines.where(name, others)}."
                )
        elif told_so := [text for text in texts if plain(text) in FORCED]:
            n = int((np.isin(codes, [texts.index(text) for text in told_so]) & (choice >= 0)).sum())
            if n and len(texts) > 1:
                told.append(
                    f"{name!r} is {told_so[0]} on {n:,} rows, whose choices are read as free; fits score them like "
                    "others."
                )
    return told


def by_outcome(
    table: cells.Table, columns: Mapping[str, str], where: Mapping | None, choice: np.ndarray, reward: np.ndarray
) -> list[str]:
    """Warn of a phase or kind of trials whose reward never varies, and of choices for which no time was taken."""
    told, made = [], choice >= 0
    for name in table.frame.columns:
        if name in columns.values() or name in (where or {}):
            continue
        said = words(name)
        if said & TIMES or plain(name) in TIMES:
            told += _without_time(table, name, choice)
        codes, texts = _few(table, name) if said & KINDS else (np.zeros(0, int), [])
        for k, text in enumerate(texts if len(texts) > 1 else []):
            mine, others = made & (codes == k), reward[made & (codes != k)]
            if mine.sum() < evidence.ENOUGH or not text:
                continue
            if evidence.chance_of_one_outcome(reward[mine], [others]) < evidence.UNLIKELY:
                kept = lines.where(name, [other for other in texts if other != text])
                told.append(
                    f"the reward is {reward[mine][0]:g} on all {mine.sum():,} rows where {name!r} is {text}, and "
                    f"varies elsewhere; if nothing was paid there, type {kept}."
                )
    return told


def _without_time(table: cells.Table, name: str, choice: np.ndarray) -> list[str]:
    """Warn where a response time is empty or 0 on trials that all have the same choice, as of missed ones."""
    time, wrong = cells.numbers(table.frame[name])
    none, made = ~(time > 0) & ~wrong, choice >= 0
    odd, rest = choice[none & made], choice[~none & made]
    if odd.size < FEWEST or odd.size > evidence.RARE * made.sum() or (odd != odd[0]).any():
        return []
    if (rest == odd[0]).mean() ** odd.size > evidence.UNLIKELY:
        return []
    entry = "empty" if np.isnan(time[none & made]).all() else "empty, 0 or less"
    return [
        f"{name!r} is {entry} on {odd.size:,} rows, whose choices are all the same; if nothing was chosen there, mark "
        "the choice of these rows as missed (-1)."
    ]


def _few(table: cells.Table, name: str) -> tuple[np.ndarray, list[str]]:
    """Entries of a column of few, and which each row holds; none of a column of many."""
    if cells.n_distinct(table.frame[name].iloc[:2000]) > 12:
        return np.zeros(0, int), []
    codes, texts = cells.labels(table.frame[name])
    return (codes, texts) if len(texts) <= 12 else (codes, [])


def _copies(table: cells.Table, columns: Mapping[str, str]) -> list[str]:
    """Warn of rows that stand twice: of tables in which next to none should, or of one that holds itself again."""
    frame, n = table.frame, len(table.frame)
    if "trial" in columns or n < 2 * evidence.ENOUGH:
        return []  # two rows of one number are refused
    telling = [name for name in frame.columns if cells.n_distinct(frame[name]) > 0.4 * n]
    copies = int(cells.copies(frame).sum()) if telling else 0
    if copies > TWICE * n:
        return [
            f"{copies:,} of {n:,} rows are copies of others to the last digit of {telling[0]!r}, and count again; if a "
            "part was pasted twice, delete it."
        ]
    half, coded = n // 2, np.array([cells.labels(frame[name])[0] for name in frame.columns])
    again = n % 2 == 0 and np.array_equal(coded[:, :half], coded[:, half:])
    if again and len(np.unique(coded[:, :half], axis=1).T) > 2:
        return [f"the second half of the {n:,} rows repeats the first, and counts again; if it was pasted, delete it."]
    return []
