"""Where a command leaves what it worked out: beside the trials, with what made them."""

from pathlib import Path
from typing import Any

MADE_BY = ("task", "config", "seed", "budget", "evaluation_seed", "created")  # what a result keeps of its run


def save_beside(result: Any, trials: Any, run: Path, name: str) -> Path:
    """Write a result into its run folder, or beside a file of trials under that file's name.

    Parameters
    ----------
    result : Dataset
        What was worked out.
    trials : Dataset
        What it was worked out from; what its attrs say of task, settings, seed and time goes along.
    run : Path
        The run folder or the file.
    name : str
        E.g. ``"stay.nc"``; beside ``mice.nc`` it becomes ``mice_stay.nc``.

    Returns
    -------
    Path
        The file written.
    """
    from neurometa import dataset
    from neurometa.storage import only_writer

    result = result.assign_attrs({key: trials.attrs[key] for key in MADE_BY if key in trials.attrs})
    folder = run if run.is_dir() else run.parent
    with only_writer(folder):
        return dataset.save_run(result, folder / (name if run.is_dir() else f"{run.stem}_{name}"))
