"""All rows of a sweep side by side, ranked on one half of their episodes and reported on the other."""

from pathlib import Path

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.storage import only_writer
from neurometa.sweep.rows import SCORE, about_row, open_score
from neurometa.sweep.table import open_table, row_folder

SWEEP = "sweep.nc"


def unfinished(folder: Path) -> list[int]:
    """Rows that are not done."""
    n_rows = len(open_table(folder)["rows"])
    return [row for row in range(n_rows) if not (row_folder(folder, row) / SCORE).exists()]


def finished(folder: Path) -> list[int]:
    """Rows that are done."""
    left = set(unfinished(folder))
    return [row for row in range(len(open_table(folder)["rows"])) if row not in left]


def best(folder: Path) -> list[Path]:
    """Run folders of a sweep's best draws, the best first.

    Raises
    ------
    InputError
        The sweep is not collected, or ``sweep.nc`` is damaged.
    """
    result = dataset.read(Path(folder) / SWEEP)
    rank = result["rank"].values
    among = np.flatnonzero((rank >= 1) & (rank <= result.attrs["top"]))
    return [Path(folder) / str(result.run.values[row]) for row in among[np.argsort(rank[among], kind="stable")]]


def collect(folder: Path, *, top: int = 5) -> xr.Dataset:
    """Put the finished rows of a sweep side by side, and rank its draws.

    The rank goes by the mean over the first half of the evaluation episodes, and over seeds, of regret or,
    where that is unknown, of reward. What the best achieve is then read from the second half: the half on
    which they were picked flatters them (Wang et al. 2016, section 3.1).

    Parameters
    ----------
    folder : Path
        The sweep; ``sweep.nc`` is written into it.
    top : int
        How many draws count as the best.

    Returns
    -------
    Dataset
        ``reward_per_trial`` and ``regret`` (summed over trials, in units of reward) over ``row`` and
        ``episode``; ``picking`` (``episode``), True in the first half; ``rank`` (``row``), 1 for the best,
        0 for a draw without score; ``run``, ``draw``, ``seed``, what was drawn and ``failed``, over ``row``.

    Raises
    ------
    InputError
        No row is done, a score is damaged, or `top` is below 1.
    """
    if top < 1:
        raise InputError(f"top is {top}; it must be at least 1.")
    table, rows = open_table(folder), finished(folder)
    if not rows:
        raise InputError(
            f"No row of {folder} is done; go on with: neurometa sweep {table['experiment']} --out {folder}"
        )
    scores = [score for row in rows if (score := open_score(folder, row)) is not None]
    result = xr.concat(
        [score.drop_attrs() for score in scores], "row", join="override", data_vars="all", coords="minimal"
    ).assign(
        {
            "picking": ("episode", np.arange(table["n_episodes"]) < table["n_episodes"] // 2),
            "run": ("row", [row_folder(folder, row).name for row in rows]),
            "failed": ("row", [score.attrs.get("failed", "") for score in scores]),
        }
    )
    about = [about_row(table, row) for row in rows]
    result = result.assign({name: ("row", [told[name] for told in about]) for name in about[0] if name != "row"})
    result = result.assign(rank=("row", _rank(result))).assign_coords(row=rows)
    result["reward_per_trial"].attrs = {"long_name": "reward per trial", "units": "reward"}
    if "regret" in result:
        result["regret"].attrs = {"long_name": "regret per episode", "units": "reward"}
    result = result.assign_attrs(
        experiment=table["experiment"],
        top=top,
        n_rows=len(table["rows"]),
        budget=max(int(score.attrs["budget"]) for score in scores),
        seed=table["config"]["seed"],
    )
    with only_writer(folder):
        dataset.save_run(result, folder / SWEEP)
    return result


def _rank(result: xr.Dataset) -> np.ndarray:
    """Rank of each row's draw, 1 for the best; 0 where none of its rows has a score."""
    worse = result.regret if "regret" in result else -result.reward_per_trial
    by_row = worse.where(result.picking).mean("episode").values
    draws = result.draw.values
    different = np.unique(draws)
    mean = np.array(
        [np.nanmean(x) if np.isfinite(x).any() else np.nan for x in (by_row[draws == d] for d in different)]
    )
    known = np.isfinite(mean)
    rank = np.zeros(len(different), dtype=int)
    rank[np.flatnonzero(known)[np.argsort(mean[known], kind="stable")]] = 1 + np.arange(known.sum())
    return rank[np.searchsorted(different, draws)]
