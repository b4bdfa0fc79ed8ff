"""Which column is which: by name, unless what stands in it says otherwise."""

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from neurometa import evidence
from neurometa.errors import InputError, nearest
from neurometa.tables import cells, lines
from neurometa.tables.files import FILE, refuse_headless
from neurometa.tables.second_stage import ROLES, may_be

# Names that columns go by, in lower case and without punctuation.
NAMES = {
    "subject": "subject subj sub subjectid subjid subid subjectname mouse mouseid mousename rat ratid monkey monkeyid "
    "animal animalid animalname bird birdid participant participantid ppt pid id",
    "episode": "episode session sessionid sessionname sessionnumber sess ses block blockid blocklabel blocknumber",
    "trial": "trial trialnumber trialnum trialno trialid trialindex trialidx trialblock trialinblock trialinsession t",
    "choice": "choice choices chosen choiceright chosenoption chosenarm action response resp decision",
    "reward": "reward rewards rewarded rew outcome outcomes win points payoff feedback",
    "common": "common commontransition iscommon transition transitiontype trans tran",
    "second_state": "secondstate secondstagestate secondstage state2 stage2state finalstate s2",
    "second_choice": " ".join(evidence.SECOND_CHOICES),
}
FIRST_CHOICES = """choice1 firstchoice stage1choice choicestage1 firststagechoice level1choice step1choice response1
    resp1 action1 firstresponse firstaction ch1"""
FIRST = frozenset(FIRST_CHOICES.split())
REQUIRED = ("choice", "reward")
EXACT = {"subject": ("subject", "agent"), "episode": ("session", "episode")}  # what `to_frame` calls these columns
DAYS = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
DATE = re.compile(rf"({DAYS}|20\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))([ T_]\d{{1,2}}[:h-]?\d{{2}}.*)?")
JOINED = re.compile(r"(?<=[^\W\d_])[-_. ]+(?=\d)")  # what stands between a letter and a number: m-1, m_1
NOUGHTS = re.compile(r"(?<![\d.])0+(?=\d)")  # before a number: m01
FEW = 10  # rows below which nothing is said of a column whose entries are all different


def find(table: cells.Table, ours: bool, named: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """Column of each role that has one, and the roles for which it was guessed; our own names win in our own tables.

    Raises
    ------
    InputError
        A column is absent, or could be several.
    """
    there = list(table.frame.columns)
    for role, name in named.items():
        if name and name not in there:
            raise InputError(f"{table.source} has no column {name!r} for {role}; it has {there}.{nearest(name, there)}")
    columns = {role: name for role, name in named.items() if name}
    guessed = []
    for role, name in sorted(named.items(), key=lambda each: each[0] == "episode"):  # which needs the trial's column
        if name or (name == "" and role not in REQUIRED):
            continue
        alike = _alike(table, ours, role, columns)
        if len(alike) > 1:
            raise InputError(
                f"{table.source} has several columns that could be {role}: {alike}; name one, "
                f"{lines.column(role, alike[0])}."
            )
        if alike:
            columns[role] = alike[0]
            guessed.append(role)
        elif role == "episode" and table.n_files > 1:
            columns[role] = FILE
            guessed.append(role)
        elif role in REQUIRED:
            refuse_headless(table)
            raise InputError(
                f"{table.source} has no column that is known as {role}; name it with {role}=... (--{role} COLUMN), one "
                f"of {there}."
            )
    return {role: columns[role] for role in NAMES if role in columns}, [role for role in NAMES if role in guessed]


def plain(name: str) -> str:
    """Return a column's name in lower case and without punctuation."""
    return re.sub(r"[\W_]", "", name.casefold())


def _alike(table: cells.Table, ours: bool, role: str, columns: dict[str, str]) -> list[str]:
    """Columns that could be a role, by their names and, where several could, by what they hold."""
    free = [name for name in table.frame.columns if name not in columns.values()]
    known = NAMES[role].split()
    alike = [name for name in free if plain(name) in known]
    if role == "choice" and not alike:
        alike = [name for name in free if plain(name) in FIRST]
    exact = [name for name in EXACT.get(role, (role,)) if ours and name in free]
    alike = exact[:1] or alike
    if role in ROLES:
        alike = [name for name in alike if may_be(table, name, role)]
    if role == "subject" and len(alike) > 1:
        alike = [name for name in alike if not _all_different(table, name)] or alike
    if role == "episode" and len(alike) > 1 and "trial" in columns:
        whole = [name for name in alike if not _is_block(name)]
        keys = [columns[each] for each in ("subject", "trial") if each in columns]
        if len(whole) == 1 and not cells.copies(table.frame, [*keys, whole[0]]).any():
            alike = whole  # trials count on through its blocks
    return alike


def _is_block(name: str) -> bool:
    return plain(name).startswith(("block", "miniblock", "run", "part"))


def _all_different(table: cells.Table, name: str) -> bool:
    n = len(table.frame)
    return n >= FEW and len(cells.labels(table.frame[name])[1]) == n


def settle(
    table: cells.Table, columns: dict[str, str], guessed: list[str], named: Mapping[str, str | None]
) -> tuple[list[str], list[str]]:
    """Ask of subjects and sessions whether they could be something else; what was only guessed is then left out.

    Parameters
    ----------
    table : Table
        What was opened.
    columns, guessed
        As of `find`; roles are taken out of both.
    named : mapping of str to str or None
        What the user said.

    Returns
    -------
    recoded, warnings : list of str
        Sentences for the report.

    Raises
    ------
    InputError
        A subject or session that was named is different in every row.
    """
    recoded, warnings = [], []
    if "subject" in guessed and "episode" not in columns and named.get("episode") is None:
        recoded += _dates(table, columns, guessed)
    for role in ("subject", "episode"):
        name = columns.get(role)
        if name is None or not _alone(table, columns, role):
            continue
        seen = f"{name!r} tells every one of the {len(table.frame):,} rows apart, as numbers of rows or trials do"
        if role not in guessed:
            raise InputError(
                f"{table.source}: {seen}, so that no trial would follow another; name another column as {role}, or "
                f"none: {lines.column(role, '')}."
            )
        del columns[role]
        guessed.remove(role)
        warnings.append(f"{seen}; it was not read as {role}. If there are several, name the column that says so.")
    if "episode" in guessed and "trial" in columns and _is_block(columns["episode"]) and _runs_on(table, columns):
        name = columns.pop("episode")
        guessed.remove("episode")
        recoded.append(
            f"trials count on through {name!r}, so all its blocks are one session; if values should start anew in "
            f"each, type {lines.column('episode', name)}."
        )
    others = [name for name in table.frame.columns if name not in columns.values() and _names_groups(table, name)]
    labelled = [columns[role] for role in ("subject", "episode") if role in columns]
    warnings += [told for name in [*labelled, *others] for told in _spelling(table, name)]
    return recoded, warnings


def _dates(table: cells.Table, columns: dict[str, str], guessed: list[str]) -> list[str]:
    """Take a column of dates that is called like a subject as the session, which it tells."""
    name = columns["subject"]
    texts = cells.labels(table.frame[name])[1]
    if len(texts) < 2 or not all(DATE.fullmatch(text) for text in texts):
        return []
    columns["episode"] = columns.pop("subject")
    guessed[guessed.index("subject")] = "episode"
    return [f"{name!r} holds dates, so it tells sessions, of one subject; if it names subjects, type "
            f"{lines.column('subject', name)}."]  # fmt: skip


def _alone(table: cells.Table, columns: dict[str, str], role: str) -> bool:
    """Whether every row has its own entry, of sessions within its subject."""
    if len(table.frame) < FEW:
        return False
    keys = (
        [columns[each] for each in ("subject", "episode") if each in columns] if role == "episode" else [columns[role]]
    )
    return not cells.copies(table.frame, keys).any()


def _runs_on(table: cells.Table, columns: dict[str, str]) -> bool:
    """Whether trials are numbered through the blocks of a subject, none of which begins anew."""
    number, wrong = cells.numbers(table.frame[columns["trial"]])
    if wrong.any() or not np.isfinite(number).all():
        return False
    subject = cells.labels(table.frame[columns["subject"]])[0] if "subject" in columns else np.zeros(len(number), int)
    block = cells.labels(table.frame[columns["episode"]])[0]
    ends = pd.DataFrame({"subject": subject, "block": block, "number": number})
    ends = ends.groupby(["subject", "block"]).number.agg(["min", "max"]).reset_index()
    ends = ends.sort_values(["subject", "min"])
    same = ends.subject.to_numpy()[1:] == ends.subject.to_numpy()[:-1]
    step = ends["min"].to_numpy()[1:] - ends["max"].to_numpy()[:-1]
    return bool(same.any() and (step[same] > 0).all() and np.median(step[same]) <= 2)


def _names_groups(table: cells.Table, name: str) -> bool:
    """Whether a column holds a few words, such as genotypes."""
    every = max(1, len(table.frame) // 500)
    some = {cells.as_text(cell) for cell in table.frame[name].iloc[::every]}
    words = len(some) <= FEW and any(c.isalpha() for text in some for c in text)
    return words and 2 <= cells.n_distinct(table.frame[name]) <= FEW


def _spelling(table: cells.Table, name: str) -> list[str]:
    """Warn of labels that differ only in case, blanks or how a number is written."""
    codes, texts = cells.labels(table.frame[name])
    n, told = np.bincount(codes, minlength=len(texts)), []
    first: dict[str, int] = {}
    for k, text in enumerate(texts):
        number = cells.as_number(text)
        blanks = re.sub(r"\s", "", text.casefold())
        same = str(number) if number is not None else NOUGHTS.sub("", JOINED.sub("", blanks))
        other = first.setdefault(same, k)
        if other != k:
            alike = re.sub(r"\s", "", texts[other].casefold()) == blanks
            how = "differ only in case or blanks" if alike else "differ only in how a number is written"
            how = "are the same number" if number is not None else how
            told.append(
                f"{name!r} has {texts[other]!r} ({n[other]:,} rows) and {text!r} ({n[k]:,}), which {how} and are read "
                "as two; if they are one, write them alike."
            )
    if len(told) > 3:
        told = [*told[:3], f"{name!r} has {len(told) - 3:,} more such pairs."]
    return told
