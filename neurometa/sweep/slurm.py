"""A sweep for a queue: the script of an array job, one task per row."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from neurometa.sweep.collecting import unfinished
from neurometa.sweep.table import open_table


def slurm_script(folder: Path, *, hours: float = 4.0, at_once: int = 100, modules: Sequence[str] = ()) -> str:
    """Write the text of an ``sbatch`` script that trains every row which is not done.

    Each task is a process of its own, so that nothing needs to stay alive on the login node, and a task that
    hits its time limit goes on from its checkpoint when the script is submitted again.

    Parameters
    ----------
    folder : Path
        The sweep, by a path that the nodes see too.
    hours : float
        Time limit of a row.
    at_once : int
        Rows that may run at the same time.
    modules : sequence of str
        Modules that each task imports first, by name; they are also looked for in the folder one stands in now.

    Returns
    -------
    str
        A bash script.
    """
    table, folder = open_table(folder), Path(folder).absolute()
    minutes = max(1, round(60 * hours))
    first = [word for name in modules for word in ("--import", name)]
    command = shlex.join(
        [sys.executable, "-m", "neurometa.cli", *first, "sweep", table["experiment"], "--out", str(folder), "--row"]
    )
    return f"""#!/bin/bash
#SBATCH --job-name={shlex.quote("sweep-" + table["experiment"])}
#SBATCH --array={_ranges(unfinished(folder))}%{at_once}
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time={minutes // 60:02}:{minutes % 60:02}:00
#SBATCH --output={folder / "slurm-%a.log"}
#SBATCH --chdir={shlex.quote(str(Path.cwd()))}
set -euo pipefail
export OMP_NUM_THREADS=1
exec {command} "$SLURM_ARRAY_TASK_ID"
"""


def _ranges(rows: list[int]) -> str:
    """Numbers as Slurm writes them, e.g. 0-3,7."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
