"""Trials that the table itself sets apart: tried out, left out, forced, or there twice."""

import re
from collections.abc import Mapping

import numpy as np

from neurometa import evidence
from neurometa.tables import cells, lines

TRIED = """practice practise tutorial demo warmup instruction instructions example habituation familiarization
    familiarisation shaping pretraining pretrain calibration dummy"""
AGAINST_IT = """exclude excluded bad artifact artefact discard discarded outlier reject rejected omit omitted drop
    dropped aborted invalid missed timeout catch catchtrial attentioncheck practice practise tutorial warmup"""
TRY_OUTS = frozenset(TRIED.split())
AGAINST = frozenset(AGAINST_IT.split())  # what a column is called by which others leave out the rows of 1
LEFT_OUT = frozenset(["valid", "include", "included", "good", "usable", "use", "used", "keep", "kept", "ok"])  # of 0
FORCED = frozenset(["forced", "forcedchoice", "instructed", "guided"])
FREE = frozenset(["free", "freechoice"])
TWICE = 0.02  # of the rows are copies of others, to the last digit of what differs nearly everywhere
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
        plain = re.sub(r"[\W_]", "", name.casefold())
        plain = plain.removeprefix("is").removesuffix("trial") or plain
        codes, texts = _few(table, name)
        if plain in FLAGGED and len(texts) == 2 and {text.casefold() for text in texts} <= FLAGS.keys():
            out = next(text for text in texts if FLAGS[text.casefold()] == (plain in AGAINST | FORCED))
            kept = next(text for text in texts if text != out)
            n = int(((codes == texts.index(out)) & (choice >= 0)).sum())
            if not n:
                continue  # all missed, as the column says
            if plain in FORCED | FREE:
                told.append(
                    f"{name!r} is {out} on {n:,} rows, whose choices are read as free; fits score them like others."
                )
            else:
                told.append(
                    f"{name!r} is {out} on {n:,} rows, which are read like others; to leave them out, type "
                    f"{lines.where(name, [kept])}."
                )
        elif tried := [text for text in texts if re.sub(r"[\W_]", "", text.casefold()) in TRY_OUTS]:
            n = int((np.isin(codes, [texts.index(text) for text in tried]) & (choice >= 0)).sum())
            others = [text for text in texts if text not in tried and text]
            if others and n:
                told.append(
                    f"{name!r} is {tried[0]} on {n:,} rows, which are read like others; to leave them out, type "
                    f"{lines.where(name, others)}."
                )
        elif told_so := [text for text in texts if re.sub(r"[\W_]", "", text.casefold()) in FORCED]:
            n = int((np.isin(codes, [texts.index(text) for text in told_so]) & (choice >= 0)).sum())
            if n and len(texts) > 1:
                told.append(
                    f"{name!r} is {told_so[0]} on {n:,} rows, whose choices are read as free; fits score them like "
                    "others."
                )
    return told


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
