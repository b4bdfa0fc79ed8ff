"""Learning curves to draw: of a run that was trained here, or of an agent that comes along."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neurometa.errors import InputError
from neurometa.storage import read_lines, replacing

CURVE, THINNED = "curve.jsonl", "curve.csv"  # every update, as training writes it; parts of training, in the box
N_PARTS = 100
NAMES = ("steps", "reward")


def read(run: Path, n_parts: int = N_PARTS) -> xr.Dataset:
    """Read what a network earned while it was trained.

    Parameters
    ----------
    run : Path
        A run folder with ``curve.jsonl``, or with ``curve.csv`` as agents of the box have it.
    n_parts : int
        Parts of equally many updates over which is averaged; as many as there are updates, at most.

    Returns
    -------
    Dataset
        Over ``part``: ``steps``, environment steps when it ends, and ``reward``, mean per trial of the
        episodes played in it, or per step where trials last as long as they take.

    Raises
    ------
    InputError
        There is no curve, or it is damaged.
    """
    if (run / CURVE).exists():
        rows = [[row[name] for name in NAMES] for row in read_lines(run / CURVE) if set(NAMES) <= row.keys()]
        table = np.array(rows).reshape(-1, 2)
    elif (run / THINNED).exists():
        try:
            table = pd.read_csv(run / THINNED)[list(NAMES)].to_numpy(float)
        except (KeyError, ValueError) as error:
            raise InputError(f"{run / THINNED} is damaged: {error}.") from error
    else:
        raise InputError(f"{run} holds no learning curve: neither {CURVE}, as training writes it, nor {THINNED}.")
    if not len(table):
        raise InputError(f"{run} was not trained yet: its learning curve is empty.")
    parts = np.array_split(table, min(n_parts, len(table)))
    return xr.Dataset(
        {
            "steps": ("part", [part[-1, 0] for part in parts], {"long_name": "environment steps"}),
            "reward": ("part", [part[:, 1].mean() for part in parts], {"long_name": "reward"}),
        }
    )


def write_thinned(run: Path, out: Path) -> None:
    """Write the learning curve of a run as agents of the box have it, into the folder `out`."""
    with replacing(out / THINNED) as temporary:
        curve = read(run)
        curve.to_dataframe().astype({"steps": int}).round({"reward": 5}).to_csv(temporary, index=False)
