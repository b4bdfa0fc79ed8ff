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
from neurometa.tables import arms, cells, order, other_trials, roles, rows, set_apart
from neurometa.tables.coding import MOST_OPTIONS, read_choices
from neurometa.tables.files import FILE, open_table
from neurometa.tables.grid import Grid, arrange
from neurometa.tables.report import Report
from neurometa.tables.rewards import by_option, outcomes, read_rewards, running_total
from neurometa.tables.second_stage import read_stage

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
    second_choice: str | None = None,
    choice_coding: Mapping | None = None,
    reward_coding: Mapping | None = None,
    common_coding: Mapping | None = None,
    second_state_coding: Mapping | None = None,
    second_choice_coding: Mapping | None = None,
    n_options: int | None = None,
    where: Mapping[str, object] | None = None,
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
    common, second_state, second_choice : str, optional
        Columns of a two-step task, guessed likewise (transition; state2; choice2) where their entries could
        be such: whether the transition was common or rare, the second-stage state, and the choice made there. Two
        states or two options of a state are numbered in order, whatever they are called; second choices of 1 to 4 also
        say the state. A column that was guessed and cannot be read is left as it is, with a warning; a few entries that
        cannot be read cost their trials. ``""`` leaves a column as it is, among the further ones.
    choice_coding : mapping, optional
        The option that each entry stands for, e.g. ``{"L": 0, "R": 1, "none": "missed"}``;
        ``"missed"`` (or -1) where no choice was made. Without it whole numbers are read
        as 0 ... K-1 where 0 occurs, else as 1 ... K; words are numbered in sorted order;
        and -1, empty cells, NA, and words such as missed or omission are missed trials.
    reward_coding : mapping, optional
        The reward that each entry stands for, e.g. ``{-1: 0, 1: 1}``.
    common_coding, second_state_coding, second_choice_coding : mapping, optional
        What the entries of these columns stand for: ``{"C": "common", "R": "rare"}``; 0, 1 or ``"missed"``.
    n_options : int, optional
        How many options every choice had, 2 to 127; by default as many as the column ``n_options`` (or n_arms, ...)
        says, which may differ between sessions, else as many as occur, at least 2, in sessions that leave out the
        last ones beyond chance fewer. If that column is called ``n_options``, choices count from 0, unless its number
        is among them.
    where : mapping, optional
        Keep only the rows whose entry in each of these columns is one of those given, e.g.
        ``{"task": "bandit", "phase": ["train", "test"]}``.
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
        ``trial_number`` keeps numbers that do not simply count from 0 or 1. Where sessions differ in
        their options, the coordinate ``n_options`` over ``episode`` says how many each had, and the attribute is the
        largest. Further
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
    found, dropped = rows.keep(open_table(table), where)
    stated = arms.stated(found) if n_options is None else None
    named = {"subject": subject, "episode": episode, "trial": trial, "choice": choice, "reward": reward}
    named |= {"common": common, "second_state": second_state, "second_choice": second_choice}
    columns, guessed = roles.find(found, stated is not None, named)
    if columns.keys() - roles.REQUIRED:  # else a row with nothing in it is a missed trial
        found = cells.drop_empty(found)
    rows.refuse_stages(found, columns, where)
    codings = {"common": common_coding, "second_state": second_state_coding, "second_choice": second_choice_coding}
    try:
        moved, doubts = roles.settle(found, columns, guessed, named)
        chosen, options, coded, odd = read_choices(
            found,
            columns["choice"],
            choice_coding,
            n_options or stated,
            outcomes(found, columns["reward"]),
            from_zero=stated is not None,
            beside=[columns[role] for role in ("second_state", "second_choice") if role in columns],
        )
        stage = read_stage(found, columns, guessed, codings, chosen)
        chosen = stage.choice
        paid, valued, odd_rewards = read_rewards(found, columns["reward"], reward_coding, chosen)
        grid = arrange(found, columns, clock=order.clock(found, columns, named))
    except InputError as error:
        if where is None and (more := rows.hint(found, columns)):
            raise InputError(f"{error}{more}") from error
        raise
    if found.n_files > 1 and "trial" not in columns:
        _refuse_run_on(found, grid)
    doubts += order.doubts(found, columns, named, grid) + order.repeated(grid, chosen, paid)
    whole = np.where(stage.found.get("second_choice", chosen) < 0, -1, chosen)
    doubts += rows.no_trials(found, columns, chosen) + set_apart.of_other_kinds(found, columns, where, whole)
    doubts += set_apart.by_outcome(found, columns, where, chosen, paid)
    seconds = ("second_choice", "second_state")
    last = [stage.found[role] for role in seconds] if stage.found.keys() >= set(seconds) else []
    odd_rewards += running_total(paid, chosen, grid) or other_trials.doubts(paid, grid, *(last or [chosen]))
    odd_rewards += by_option(paid, chosen)

    further = _further_columns(found, columns, keep, stated=stated is not None)
    trials = _assemble(found, columns, further, grid, chosen, options, paid)
    if choice_coding is None and n_options is None and stated is None:
        arms.refuse_other_options(found, grid, chosen, options)
    each, told_arms, odd_arms = arms.by_session(found, columns, grid, chosen, len(options), given=n_options is not None)
    if each is not None:
        trials = trials.assign_coords(n_options=("episode", each, {"long_name": "options of the session"}))
    trials = dataset.describe(trials.assign({role: (GRAIN, grid.spread(x)) for role, x in stage.found.items()}))
    report = _report(found, columns, guessed, grid, trials, options, chosen, paid)
    report = dataclasses.replace(
        report,
        dropped=report.dropped | dropped,
        recoded=[*found.told, *moved, *coded, *valued, *stage.recoded, *told_arms, *grid.recoded],
        warnings=[*_odd(found, columns), *doubts, *odd, *odd_rewards, *odd_arms, *stage.warnings],
    )
    trials.attrs["report"] = json.dumps(dataclasses.asdict(report))
    return trials, report


def _report(
    table: cells.Table,
    columns: dict[str, str],
    guessed: list[str],
    grid: Grid,
    trials: xr.Dataset,
    options: list[str],
    chosen: np.ndarray,
    paid: np.ndarray,
) -> Report:
    """What was read, without the sentences."""
    kept = {str(name): x for name, x in trials.variables.items() if name not in OURS}
    made = chosen >= 0
    return Report(
        source=table.source,
        n_rows=len(table.frame),
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
        dropped=({"empty rows": table.n_empty} if table.n_empty else {})
        | {f"column {name!r}, whose cells are lists or references": 1 for name in table.nested},
        recoded=[],
        warnings=[],
    )


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


def _further_columns(
    table: cells.Table, columns: dict[str, str], keep: Sequence[str] | None, *, stated: bool
) -> list[str]:
    there = list(table.frame.columns)
    keep = [keep] if isinstance(keep, str) else keep
    beside = {role: name for role, name in columns.items() if role != name}
    as_it_is = {beside.get("second_state"), beside.get("second_choice")}  # recoded, perhaps, so both are of use
    taken = {*columns.values(), *([arms.STATED] if stated else [])} - as_it_is
    if keep is None:
        return [name for name in there if name not in taken]
    for name in keep:
        if name not in there:
            raise InputError(f"{table.source} has no column {name!r} to keep; it has {there}.{nearest(name, there)}")
    return [name for name in dict.fromkeys(keep) if name not in taken]


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
