"""Where a command leaves what it worked out: beside the trials, with what made them and it."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurometa.cli.printing import say
from neurometa.cli.process import CALL

OF_TRIALS = ("task", "config", "seed", "budget", "evaluation_seed", "created")  # what a result keeps of its trials
UNSAID = ("run", "trials", "as_json")  # the folder can be moved, and what is printed changes no file

SAME_FIT = {"overwrite", "intervals", "seed", "starts", "hierarchical"}  # options that leave a fit what it is of


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

    about = {key: trials.attrs[key] for key in OF_TRIALS if key in trials.attrs}
    source = dataset.BEHAVIOUR if run.is_dir() else run.name
    result = result.assign_attrs(about | {"trials": source} | made_by())
    folder = run if run.is_dir() else run.parent
    with only_writer(folder):
        return dataset.save_run(result, folder / (name if run.is_dir() else f"{run.stem}_{name}"))


def save_fit(fitted: Any, trials: Any, run: Path, name: str, *, overwrite: bool) -> Path:
    """Write a fit as `save_beside` does; one of that name that was made with other options is kept, and this said.

    Parameters
    ----------
    fitted, trials, run, name
        As for `save_beside`.
    overwrite : bool
        Whether to replace it nevertheless.

    Returns
    -------
    Path
        The file written.
    """
    from neurometa.provenance import read_attrs

    path, call = run / name if run.is_dir() else run.parent / f"{run.stem}_{name}", CALL.get()
    if path.exists() and not overwrite and call is not None:
        made, now = (json.loads(about.get("options", "{}")) for about in (read_attrs(path), made_by()))
        odd = sorted(key for key in made.keys() & now.keys() - SAME_FIT if made[key] != now[key])
        if odd:
            kept = next(each for each in _earlier(path) if not each.exists())
            path.rename(kept)
            before = ", ".join(f"--{key.replace('_', '-')} {made[key]}".replace(" None", " left out") for key in odd)
            if not call.given.get("as_json"):
                say(f"The fit made with {before} is kept as {kept.name} (--overwrite replaces it).")
    return save_beside(fitted, trials, run, name)


def _earlier(path: Path) -> Iterator[Path]:
    """Names for a fit that gives way: ``fit_rw_earlier.nc``, ``fit_rw_earlier_2.nc``, ..."""
    yield path.with_stem(f"{path.stem}_earlier")
    yield from (path.with_stem(f"{path.stem}_earlier_{n}") for n in itertools.count(2))


def made_by() -> dict[str, str]:
    """Return the attributes that say which command makes a file: as it was typed, and all its options."""
    call = CALL.get()
    if call is None:
        return {}
    options = {name: _plain(value) for name, value in call.given.items() if name not in UNSAID}
    return {"command": call.typed, "options": json.dumps(options)}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value
