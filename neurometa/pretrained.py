"""The trained agents that come with neurometa: unpacked into a run folder, and let play what a figure needs."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from neurometa import analysis, dataset, learning, results, runs
from neurometa.baselines import baselines
from neurometa.errors import InputError, nearest
from neurometa.share import folder
from neurometa.storage import only_writer, replacing
from neurometa.tasks.fixation import without_fixation
from neurometa.training.checkpoint import WEIGHTS


def seeds(experiment: str) -> list[int]:
    """Return the training seeds of the agents of an experiment that come with neurometa.

    Parameters
    ----------
    experiment : str
        E.g. ``"two-step"``.

    Raises
    ------
    InputError
        None of that experiment comes with neurometa.
    """
    place = folder("data/agents")
    there = sorted(path.name for path in place.iterdir() if path.is_dir())
    if experiment not in there:
        raise InputError(
            f"No trained agent of {experiment!r} comes with neurometa.{nearest(experiment, there)} "
            f"There are: {', '.join(there)}."
        )
    return sorted(int(file.parent.name) for file in (place / experiment).glob(f"*/{WEIGHTS}"))


def unpack(experiment: str, run: Path, seed: int = 0) -> None:
    """Put a trained agent that comes with neurometa into a run folder, as if it had been trained there.

    Parameters
    ----------
    experiment : str
        E.g. ``"restless"``; settings and provenance come along, and of some the learning curve in a hundred parts.
    run : Path
        The folder; made if it is absent.
    seed : int
        Training seed of the agent, one of `seeds`.

    Raises
    ------
    InputError
        No agent of that experiment and seed comes with neurometa, or the folder holds another run.
    """
    there = seeds(experiment)
    if seed not in there:
        raise InputError(
            f"No agent of {experiment} with training seed {seed} comes with neurometa; "
            f"there is {', '.join(map(str, there))}."
        )
    agent = folder("data/agents") / experiment / str(seed)
    with only_writer(run):
        thinned = (learning.THINNED,) if (agent / learning.THINNED).exists() else ()
        for name in (runs.CONFIG, WEIGHTS, *thinned):
            whole = (agent / name).read_bytes()
            if (run / name).exists() and (run / name).read_bytes() != whole:
                raise InputError(f"{run} holds a run of its own; choose another folder.")
            with replacing(run / name) as temporary:
                temporary.write_bytes(whole)


def prepare(
    needs: Mapping[str, Sequence[str]],
    out: Path,
    *,
    n_agents: int = 1,
    n_episodes: int = 1000,
    seed: int = 1,
    assignments: tuple[str, ...] = (),
    activity: bool = False,
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
    n_agents : int
        How many agents of each experiment, by training seed; as many as there are where there are fewer.
    n_episodes, seed, assignments
        As for `runs.evaluate`, for rollouts that are absent.
    activity : bool
        Whether ``behaviour.nc`` logs the hidden state, which is most of a rollout, even if nothing that is made from it
        reads activity; other trials do not.
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
    if n_agents < 1:
        raise InputError(f"n_agents is {n_agents}; it must be at least 1.")
    prepared = []
    made = [analysis.of_file(file) for files in needs.values() for file in files]
    activity = activity or any(one is not None and one.reads_activity for one in made)
    for experiment, files in needs.items():
        for agent in seeds(experiment)[:n_agents]:
            run = Path(out) / (f"{experiment}-{agent}" if agent else experiment)
            unpack(experiment, run, agent)
            prepared.append(run)
            with only_writer(run):
                for file in sorted(files):  # behaviour.nc before what is made from it
                    try:
                        results.check_result(run, file)
                    except results.MissingError:
                        if progress is not None:
                            progress(str(run / file))
                        how = {"n_episodes": n_episodes, "seed": seed, "assignments": assignments}
                        how["log"] = ("hidden",) if activity else ()
                        dataset.save_run(_make(run, file, how), run / file)
    return prepared


def _make(run: Path, file: str, how: dict[str, Any]) -> xr.Dataset:
    """What the command for a file of a run folder would write to it, with the settings of the papers."""
    source, made = results.trials_of(file), analysis.of_file(file)
    if made is None:
        for prefix, option in results.PLAYED.items():
            if file.startswith(prefix):
                done: dict[str, Any] = {option.removeprefix("--"): file.removeprefix(prefix).removesuffix(".nc")}
                return runs.evaluate(run, **done, **(how | {"log": ()}))
        return runs.evaluate(run, untrained=file == results.UNTRAINED, **how)
    trials = dataset.open_run(run / source)
    if made is analysis.REGRET:
        task = without_fixation(runs.open_config(run).task)
        learners = baselines(dataclasses.replace(task, n_trials=trials.sizes["trial"]))
        return runs.compare(trials, learners).assign_attrs(trials.attrs)
    found = made.answer(trials, run)
    return found.assign_attrs(trials.attrs | found.attrs)
