"""One row of a sweep: train it unless that is done, play its evaluation episodes, and say how it went."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from neurometa import behaviour, dataset, runs
from neurometa.errors import InputError
from neurometa.rollout import play
from neurometa.storage import only_writer
from neurometa.sweep.table import open_table, row_config, row_folder
from neurometa.training.a2c import DivergedError

SCORE = "score.nc"  # its presence says that the row is done
PICKING = 2  # stream of random numbers: episodes on which agents are picked are no test episodes


def train_row(folder: Path, row: int) -> int:
    """Train and score one row of a sweep, and return its number; a row that is done is left as it is.

    Killed at any moment it goes on where it stopped and ends in the same bits, here or on another machine.

    Parameters
    ----------
    folder : Path
        The sweep.
    row : int
        Counted from 0.

    Raises
    ------
    InputError
        There is no such row, another process is training it, or it cannot be written.
    """
    torch.set_num_threads(1)  # rows are trained side by side; small networks gain nothing from more
    table = open_table(folder)
    config, run = row_config(table, row), row_folder(folder, row)
    if not (run / SCORE).exists():
        try:
            agent = runs.train(config, run, experiment=table["experiment"], resume=True)
        except DivergedError as diverged:
            score = _nothing(table["n_episodes"]).assign_attrs(failed=str(diverged))
        else:
            task = config.task.for_test()
            rng = runs.evaluation_rng(table["config"]["seed"], stream=PICKING)  # the same worlds for every row
            score = _score(play(task, agent, table["n_episodes"], rng))
        about = {"seed": config.seed, "budget": config.budget, "config": json.dumps(table["rows"][row]["values"])}
        with only_writer(run):
            dataset.save_run(score.assign_attrs(about), run / SCORE)
    return row


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
