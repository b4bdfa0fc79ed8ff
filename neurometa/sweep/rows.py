"""Rows of a sweep: train them unless that is done, play their evaluation episodes, and say how it went."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from neurometa import behaviour, dataset, runs
from neurometa.errors import InputError
from neurometa.modules import import_all
from neurometa.rollout import play
from neurometa.storage import only_writer
from neurometa.sweep.table import open_table, row_config, row_folder
from neurometa.training.loop import DivergedError

SCORE = "score.nc"  # its presence says that the row is done
PICKING = 2  # stream of random numbers: episodes on which agents are picked are no test episodes


def train_row(folder: Path, row: int) -> int:
    """Train and score one row of a sweep, and return its number: see `train_rows`."""
    return train_rows(folder, [row])[0]


def train_rows(folder: Path, rows: list[int], modules: Sequence[str] = ()) -> list[int]:
    """Train rows of a sweep side by side, score them, and return their numbers; those that are done are left alone.

    Killed at any moment they go on where they stopped and end in the same bits, here or on another machine, and
    whichever rows are trained beside them.

    Parameters
    ----------
    folder : Path
        The sweep.
    rows : list of int
        Counted from 0; several must be of one shape: see `a2c.companies`.
    modules : sequence of str
        Modules to import first, by name, e.g. those that register environments.

    Raises
    ------
    InputError
        There is no such row, another process is training it, it cannot be written, or a module cannot be imported.
    """
    import_all(modules)
    torch.set_num_threads(1)  # processes are side by side; small networks gain nothing from more
    table = open_table(folder)
    left = [row for row in rows if not (row_folder(folder, row) / SCORE).exists()]
    configs, folders = [row_config(table, row) for row in left], [row_folder(folder, row) for row in left]
    trained = runs.train_together(configs, folders, experiment=table["experiment"], resume=True)
    for row, config, run, agent in zip(left, configs, folders, trained, strict=True):
        if isinstance(agent, DivergedError):
            score = _nothing(table["n_episodes"]).assign_attrs(failed=str(agent))
        else:
            task = config.task.for_test()
            rng = runs.evaluation_rng(table["config"]["seed"], stream=PICKING)  # the same worlds for every row
            score = _score(play(task, agent, table["n_episodes"], rng))
        about = {"seed": config.seed, "budget": config.budget, "config": json.dumps(table["rows"][row]["values"])}
        with only_writer(run):
            dataset.save_run(score.assign_attrs(about), run / SCORE)
    return rows


def _score(trials: xr.Dataset) -> xr.Dataset:
    """Reward per trial and, where the arms' worth is known, regret per episode."""
    found = {"reward_per_trial": trials.reward.mean("trial").astype(float)}
    if "reward_prob" in trials or "expected_reward" in trials:
        found["regret"] = behaviour.regret(trials).sum("trial").astype(float)
    return xr.Dataset({name: x.drop_attrs() for name, x in found.items()})


def _nothing(n_episodes: int) -> xr.Dataset:
    return xr.Dataset({"reward_per_trial": ("episode", np.full(n_episodes, np.nan))})


def open_score(folder: Path, row: int) -> xr.Dataset | None:
    """Score of a row, or None if it is not done.

    Raises
    ------
    InputError
        The score is damaged.
    """
    path = row_folder(folder, row) / SCORE
    if not path.exists():
        return None
    try:
        return dataset.read(path)
    except InputError as error:
        raise InputError(f"{error} Remove it, and go on with the sweep.") from error


def about_row(table: dict[str, Any], row: int) -> dict[str, Any]:
    """Number, draw, seed and drawn values of a row, flat."""
    told = table["rows"][row]
    return {"row": row, "draw": told["draw"], "seed": told["seed"], **told["values"]}
