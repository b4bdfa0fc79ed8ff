"""Rows become episodes and trials."""

import dataclasses
import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError, nearest
from neurometa.tables import cells
from neurometa.tables.coding import MOST_OPTIONS, canonical, read_choices, read_rewards
from neurometa.tables.files import FILE, open_table
from neurometa.tables.grid import Grid, arrange
from neurometa.tables.report import Report
from neurometa.tables.transitions import ROLES, may_be, read_transitions

# Names that columns go by, in lower case and without punctuation.
NAMES = {
    "subject": "subject subj sub subjectid subjid subid subjectname mouse mouseid mousename rat ratid monkey monkeyid "
    "animal animalid animalname bird birdid participant participantid ppt pid id",
    "episode": "episode session sessionid sessionname sessionnumber sess ses block blockid blocklabel blocknumber",
    "trial": "trial trialnumber trialnum trialno trialid trialindex trialidx trialblock trialinblock trialinsession t",
    "choice": "choice choices chosen choiceright chosenoption chosenarm action response resp decision",
    "reward": "reward rewards rewarded rew outcome outcomes win points payoff feedback",
    "common": "common commontransition iscommon transition transitiontype",
    "second_state": "secondstate secondstagestate state2 stage2state",
}
REQUIRED = ("choice", "reward")
STATED = "n_options"  # a column of this name, as `to_frame` writes, says how many options there were, counted from 0
EXACT = {"subject": ("subject", "agent"), "episode": ("session", "episode")}  # what `to_frame` calls these columns
LOSSES = frozenset({"loss", "losses", "lose", "punishment", "cost"})
GRAIN = ("episode", "trial")
OURS = frozenset({"choice", "reward", "valid", "trial_number", "subject", "session"})
DIMS = frozenset({"agent", "seed", "episode", "trial", "step", "arm", "option", "unit", "feature"})
DIMS |= {"regressor", "lag", "fold", "bound"}


def read_trials(
    table: str | os.PathLike | pd.DataFrame | Sequence[str | os.PathLike],
    *,
    subject: str | None = None,
    episode: str | None = None,
    trial: str | None = None,
    choice: str | None = None,
    reward: str | None = None,
    common: str | None = None,
    second_state: str | None = None,
    choice_coding: Mapping | None = None,
    reward_coding: Mapping | None = None,
    n_options: int | None = None,
    keep: Sequence[str] | None = None,
) -> tuple[xr.Dataset, Report]:
    """Read a table with one row per trial into trials that every analysis can take.

    Parameters
    ----------
    table : path, DataFrame or sequence of paths
        A UTF-8 text file (.csv, .tsv, .txt, or any of these gzipped) with a header, whose
        separator (comma, tab or semicolon) is read off the header; a Parquet file (extra
        ``parquet``); an NWB file (extra ``nwb``), whose trials table is read, with the file's
        subject and session where no column says them; or a DataFrame, which is not changed. Several
        files are read as one table; where no column tells sessions, each file is one.
    subject, episode, trial, choice, reward : str, optional
        Names of the columns. One that is not named is guessed by common names, whatever
        their case (mouse, subjID; session, block; trial_number; response; outcome); the
        report says so. ``""`` says that the table has none: no `subject` or `episode`
        column means a single one, no `trial` column means the order of the rows.
    common, second_state : str, optional
        Columns of a two-step task, guessed likewise (transition; state2) where their entries could
        be such: whether the transition was common (1, true, "common") or rare, and the second-stage
        state, 0 or 1. ``""`` leaves a column as it is, among the further ones, and a guessed one that is coded
        otherwise, e.g. from 1, is left so too, with a warning.
    choice_coding : mapping, optional
        The option that each entry stands for, e.g. ``{"L": 0, "R": 1, "none": "missed"}``;
        ``"missed"`` (or -1) where no choice was made. Without it whole numbers are read
        as 0 ... K-1 where 0 occurs, else as 1 ... K; words are numbered in sorted order;
        and -1, empty cells, NA, and words such as missed or omission are missed trials.
    reward_coding : mapping, optional
        The reward that each entry stands for, e.g. ``{-1: 0, 1: 1}``.
    n_options : int, optional
        How many options a choice had, 2 to 127; by default as many as the column ``n_options``
        says, if it holds the same number throughout (choices then count from 0, unless that
        number is among them), else as many as occur, at least 2.
    keep : sequence of str, optional
        Further columns to keep; all by default, none if empty.

    Returns
    -------
    trials : Dataset
        ``choice`` (int8, -1 where none was made; the attrs ``n_options`` and ``options``,
        the labels in order) and ``reward`` (float, 0 where it was empty on a missed trial)
        over ``episode`` and ``trial``. An episode is one session of one subject, in order
        of appearance, with coordinates ``subject`` and ``session``. If episodes differ in
        length, ``valid`` is False on padding, where rewards and numbers are NaN.
        ``trial_number`` keeps numbers that do not simply count from 0 or 1. Further
        columns are variables over (episode, trial), or coordinates over ``episode`` if
        constant within each. The report is in the attrs too, as JSON.
    report : Report
        What was mapped, recoded, dropped and missing, and what looks odd.

    Raises
    ------
    InputError
        The table cannot be read, a column is absent or could be several, an entry is no
        choice or no number, a reward is missing where a choice was made, two rows are the
        same trial, or the codes of the choices can be read in two ways.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"mouse": "m1", "choice": ["L", "R", None], "reward": [1, 0, None]})
    >>> trials, report = read_trials(rows)
    >>> trials.choice.values
    array([[ 0,  1, -1]], dtype=int8)
    >>> trials.choice.options, report.n_missed
    (['L', 'R'], 1)
    """
    if n_options is not None and not 2 <= n_options <= MOST_OPTIONS:
        raise InputError(f"n_options is {n_options}; it must be 2 to {MOST_OPTIONS}.")
    rows = open_table(table)
    stated = _stated(rows) if n_options is None else None
    columns, guessed = _columns(
        rows,
        stated is not None,
        {
            "subject": subject,
            "episode": episode,
            "trial": trial,
            "choice": choice,
            "reward": reward,
            "common": common,
            "second_state": second_state,
        },
    )
    if columns.keys() - REQUIRED:  # else a row with nothing in it is a missed trial
        rows = cells.drop_empty(rows)
    chosen, options, coded, odd = read_choices(
        rows, columns["choice"], choice_coding, n_options or stated, from_zero=stated is not None
    )
    transitions, unread = _transitions(rows, columns, guessed, chosen)
    further = [name for name in _further_columns(rows, columns, keep) if stated is None or name != STATED]
    paid, valued, odd_rewards = read_rewards(rows, columns["reward"], reward_coding, chosen)
    grid = arrange(rows, columns)
    if rows.n_files > 1 and "trial" not in columns:
        _refuse_run_on(rows, grid)

    trials = _assemble(rows, columns, further, grid, chosen, options, paid)
    trials = dataset.describe(trials.assign({role: (GRAIN, grid.spread(x)) for role, x in transitions.items()}))
    kept = {str(name): x for name, x in trials.variables.items() if name not in OURS}
    made = chosen >= 0
    report = Report(
        source=rows.source,
        n_rows=len(rows.frame),
        columns=columns,
        guessed=guessed,
        n_subjects=len(np.unique(grid.subject)),
        n_episodes=len(grid.subject),
        n_trials=len(chosen),
        n_missed=int((~made).sum()),
        shortest=int(grid.n_trials.min()),
        longest=int(grid.n_trials.max()),
        n_all_missed=int((trials.choice < 0).all("trial").sum()),
        n_gaps=grid.n_gaps,
        n_padded=int(trials.choice.size - len(chosen)),
        options={label: int((chosen == k).sum()) for k, label in enumerate(options)},
        mean_reward=float(paid[made].mean()) if made.any() else None,
        kept={name: ", ".join(map(str, x.dims)) for name, x in kept.items()},
        dropped=({"empty rows": rows.n_empty} if rows.n_empty else {})
        | {f"column {name!r}, whose cells are lists or references": 1 for name in rows.nested},
        recoded=coded + valued + grid.recoded,
        warnings=_odd(rows, columns) + odd + odd_rewards + unread,
    )
    trials.attrs["report"] = json.dumps(dataclasses.asdict(report))
    return trials, report


def _stated(table: cells.Table) -> int | None:
    """Number of options that the table says of itself."""
    if STATED not in table.frame.columns:
        return None
    found = {canonical(text) for text in cells.labels(table.frame[STATED])[1]} - {""}
    one = found.pop() if len(found) == 1 else ""
    return int(one) if one.isdecimal() and len(one) < 4 and 2 <= int(one) <= MOST_OPTIONS else None


def _columns(table: cells.Table, ours: bool, named: dict[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """Column of each role that has one, and the roles for which it was guessed; our own names win in our own tables."""
    there = list(table.frame.columns)
    for role, name in named.items():
        if name and name not in there:
            raise InputError(f"{table.source} has no column {name!r} for {role}; it has {there}.{nearest(name, there)}")
    columns = {role: name for role, name in named.items() if name}
    guessed = []
    for role, name in named.items():
        if name == "" and role not in REQUIRED:
            continue
        if not name:
            known = NAMES[role].split()
            alike = [c for c in there if re.sub(r"[\W_]", "", c.casefold()) in known and c not in columns.values()]
            exact = [c for c in EXACT.get(role, (role,)) if ours and c in there and c not in columns.values()]
            alike = exact[:1] or alike
            if role in ROLES:
                alike = [c for c in alike if may_be(table, c)]
            if len(alike) > 1:
                raise InputError(
                    f"{table.source} has several columns that could be {role}: {alike}; name one, {role}={alike[0]!r}."
                )
            if alike:
                columns[role] = alike[0]
                guessed.append(role)
            elif role == "episode" and table.n_files > 1:
                columns[role] = FILE
                guessed.append(role)
            elif role in REQUIRED:
                raise InputError(
                    f"{table.source} has no column that is known as {role}; name it with {role}=..., one of {there}."
                )
    return {role: columns[role] for role in NAMES if role in columns}, guessed


def _refuse_run_on(table: cells.Table, grid: Grid) -> None:
    """Refuse to run sessions of two files on into each other, where nothing says in which order."""
    file = table.frame[FILE].to_numpy()
    other = np.flatnonzero(file != file[grid.first][grid.episode])
    if other.size:
        episode = grid.episode[other[0]]
        raise InputError(
            f"Session {grid.session[episode]} of subject {grid.subject[episode]} stands in {file[grid.first[episode]]} "
            f"and in {file[other[0]]}, and no column numbers its trials; tell them apart with episode={FILE!r}."
        )


def _transitions(
    table: cells.Table, columns: dict[str, str], guessed: list[str], choice: np.ndarray
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Transitions and second-stage states; a column that was only guessed and is coded otherwise stays as it is."""
    found, unread = {}, []
    for role in ROLES:
        if role not in columns:
            continue
        try:
            found[role] = read_transitions(table, columns[role], role, choice)
        except InputError as error:
            if role not in guessed:
                raise
            unread.append(f"not read as {role}: {error}")
            guessed.remove(role)
            del columns[role]
    return found, unread


def _odd(table: cells.Table, columns: dict[str, str]) -> list[str]:
    reward, told = columns["reward"], []
    losses = [name for name in table.frame.columns if name.casefold() in LOSSES and name != reward]
    if losses:
        told.append(
            f"{reward!r} is the reward and {losses[0]!r} is not counted; if both are paid, add them up in one column."
        )
    if columns["choice"] == reward:
        told.append(f"{reward!r} is both the choice and the reward.")
    return told


def _further_columns(table: cells.Table, columns: dict[str, str], keep: Sequence[str] | None) -> list[str]:
    there = list(table.frame.columns)
    keep = [keep] if isinstance(keep, str) else keep
    if keep is None:
        return [name for name in there if name not in columns.values()]
    for name in keep:
        if name not in there:
            raise InputError(f"{table.source} has no column {name!r} to keep; it has {there}.{nearest(name, there)}")
    return [name for name in dict.fromkeys(keep) if name not in columns.values()]


def _assemble(
    table: cells.Table,
    columns: dict[str, str],
    further: list[str],
    grid: Grid,
    choice: np.ndarray,
    options: list[str],
    reward: np.ndarray,
) -> xr.Dataset:
    labels = {"n_options": len(options), "options": options}
    trials = xr.Dataset(
        {"choice": (GRAIN, grid.spread(choice), labels), "reward": (GRAIN, grid.spread(reward))},
        {
            "subject": ("episode", grid.subject, {"long_name": columns.get("subject", "subject")}),
            "session": ("episode", grid.session, {"long_name": columns.get("episode", "session")}),
        },
        {"contract": dataset.CONTRACT, "task": f"table: {os.path.basename(table.source)}"},
    )
    if grid.padded:
        trials["valid"] = (GRAIN, grid.spread(np.ones(len(choice), dtype=bool)))
    if grid.number is not None:
        trials["trial_number"] = (GRAIN, grid.spread(grid.number), {"long_name": columns["trial"]})
    for column in further:
        values = cells.values(table.frame[column])
        known = dataset.VARIABLES.get(column)
        fits = known is not None and known.dims == ("trial",) and values.dtype != object and column not in OURS
        name = column if fits else _variable_name(column, set(trials.variables))
        label = {"long_name": cells.as_text(column)}
        if not fits and grid.constant(values):
            trials.coords[name] = ("episode", values[grid.first], label)
        else:
            trials[name] = (GRAIN, grid.spread(values), label)
    return trials


def _variable_name(column: str, others: set) -> str:
    """Name that a file can hold, and that means nothing else in the contract."""
    name = re.sub(r"[^\w.]+", "_", unicodedata.normalize("NFC", column)).strip("._") or "column"
    if name in OURS | DIMS | dataset.VARIABLES.keys():
        name += "_in_table"
    while name in others:
        name += "_"
    return name
