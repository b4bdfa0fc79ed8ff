"""The trained agents that come with neurometa: unpacked into a run folder, and let play what a figure needs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from neurometa import dataset, results, runs
from neurometa.baselines import baselines
from neurometa.behaviour import fit, follow_volatility
from neurometa.errors import InputError, nearest
from neurometa.models import RescorlaWagner
from neurometa.share import folder
from neurometa.storage import only_writer, replacing
from neurometa.training.checkpoint import WEIGHTS


def unpack(experiment: str, run: Path) -> None:
    """Put the trained agent that comes with neurometa into a run folder, as if it had been trained there.

    Parameters
    ----------
    experiment : str
        E.g. ``"restless"``; settings and provenance come along, the learning curve does not.
    run : Path
        The folder; made if it is absent.

    Raises
    ------
    InputError
        No agent of that experiment comes with neurometa, or the folder holds another run.
    """
    place = folder("data/agents")
    there = sorted(path.name for path in place.iterdir() if (path / WEIGHTS).exists())
    if experiment not in there:
        raise InputError(
            f"No trained agent of {experiment!r} comes with neurometa.{nearest(experiment, there)} "
            f"There are: {', '.join(there)}."
        )
    with only_writer(run):
        for name in (runs.CONFIG, WEIGHTS):
            whole = (place / experiment / name).read_bytes()
            if (run / name).exists() and (run / name).read_bytes() != whole:
                raise InputError(f"{run} holds a run of its own; choose another --out.")
            with replacing(run / name) as temporary:
                temporary.write_bytes(whole)


def prepare(
    needs: Mapping[str, Sequence[str]],
    out: Path,
    *,
    n_episodes: int = 1000,
    seed: int = 1,
    assignments: tuple[str, ...] = (),
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """Let the trained agents that come with neurometa play, and fit, what a figure is drawn from.

    Parameters
    ----------
    needs : mapping of str to sequence of str
        Of each experiment the files that its run folder must hold, e.g. ``NEEDS`` of a figure's script:
        ``behaviour.nc``, ``on-EXPERIMENT.nc``, ``regret.nc``, ``fit_rw.nc``.
    out : Path
        Folder of the run folders; what is in them is kept, unless it is of an earlier rollout.
    n_episodes, seed, assignments
        As for `runs.evaluate`, for rollouts that are absent; ``behaviour.nc`` alone logs the hidden state.
    progress : callable, optional
        Called with the path of each file before it is made.

    Returns
    -------
    list of Path
        The run folders.

    Raises
    ------
    InputError
        No agent of an experiment comes with neurometa, or its folder holds another run.
    """
    for experiment, files in needs.items():
        run = Path(out) / experiment
        unpack(experiment, run)
        with only_writer(run):
            for file in sorted(files):  # behaviour.nc before what is made from it
                try:
                    results.check_result(run, file)
                except results.MissingError:
                    if progress is not None:
                        progress(str(run / file))
                    how = {"n_episodes": n_episodes, "seed": seed, "assignments": assignments}
                    dataset.save_run(_make(run, file, how), run / file)
    return [Path(out) / experiment for experiment in needs]


def _make(run: Path, file: str, how: dict[str, Any]) -> xr.Dataset:
    """What the command for a file of a run folder would write to it."""
    if file.startswith(results.ON):
        return runs.evaluate(run, on=file.removeprefix(results.ON).removesuffix(".nc"), log=(), **how)
    if file == dataset.BEHAVIOUR:
        return runs.evaluate(run, log=("hidden",), **how)
    trials, task = dataset.open_run(run), runs.open_config(run).task
    if file == "regret.nc":
        learners = baselines(dataclasses.replace(task, n_trials=trials.sizes["trial"]))
        return runs.compare(trials, learners).assign_attrs(trials.attrs)
    fitted = fit(RescorlaWagner, trials)
    return fitted.merge(follow_volatility(fitted, trials)).assign_attrs(trials.attrs | fitted.attrs)
