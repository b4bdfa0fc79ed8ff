"""The command that lets the baselines play: baselines."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import bar, interval, say, say_json, table
from neurometa.cli.process import one_thread

FILE = "baselines.nc"
EXAMPLE = "neurometa baselines restless --episodes 1000"


def baselines(
    name: Annotated[
        str, typer.Argument(metavar="EXPERIMENT|RUN", help="An experiment, or a run folder.", show_default=False)
    ],
    episodes: Annotated[int, typer.Option(help="Test episodes that each learner plays.")] = 3000,
    seed: Annotated[int, typer.Option(help="Fixes worlds, payments and choices.")] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Folder for baselines.nc.", show_default="nothing is written")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Let the baselines play a task, beside exact values.

    All play the same worlds. Regret is the expected reward given up by not choosing the best arm, summed
    over an episode; where the best choice hangs on more than the arms' probabilities, rewards are set side
    by side instead. The exact column is computed without sampling, where that can be done. With --out the
    rewards and regrets of every trial are written.
    """
    from neurometa import baselines as players
    from neurometa import behaviour

    one_thread()
    task = _task(name)
    learners = planned(task, quiet=as_json)
    with bar("playing", len(learners), "learners", quiet=as_json) as show:
        done: list[str] = []

        def tick(learner: str) -> None:
            done.append(learner)
            show(len(done), learner)

        result = players.play(task.for_test(), learners, n_episodes=episodes, seed=seed, progress=tick)
        show(len(learners), "exact values")
        expected = players.exact_regret(task.for_test())
    mean = {str(of): behaviour.mean_interval(x.sum("trial").astype(float)) for of, x in result.data_vars.items()}
    measured = next(iter(mean))  # regret, where there is one
    keys = ("mean", "se", "lower", "upper", "n")
    rows: list[list[str]] = []
    record: dict[str, dict[str, dict[str, float]]] = {of: {} for of in mean}
    for learner in learners:
        here = {of: found.sel(learner=learner) for of, found in mean.items()}
        for of, found in here.items():
            record[of][learner] = {key: float(found[key]) for key in keys}
        record[measured][learner]["exact"] = expected.get(learner, math.nan)
        first = here[measured]
        exact = f"{expected[learner]:.4f}" if learner in expected else "-"
        earned = [f"{float(here['reward']['mean']):.2f}"] if measured != "reward" else []
        rows.append(
            [learner, f"{float(first['mean']):.2f}", interval(float(first["lower"]), float(first["upper"]), 4), exact]
            + earned
        )
    about = {"task": type(task).__name__, "n_episodes": episodes, "seed": seed}
    if out is not None:
        _save(result, task, seed, out)
    if as_json:
        say_json(about | record | ({"file": str(out / FILE)} if out is not None else {}))
        return
    title = (
        f"{measured.capitalize()} per episode of {task.n_trials} trials, {episodes} episodes of {type(task).__name__}"
    )
    table(["learner", "mean", "95 % interval", "exact"] + ["reward"] * (measured != "reward"), rows, title)
    if out is not None:
        say(f"Trial by trial in {out / FILE}.")


def planned(task: Any, *, quiet: bool) -> dict[str, Any]:
    """The baselines of a task; tables of Gittins indices that are not there yet are computed with a bar."""
    from neurometa import exact
    from neurometa.baselines import baselines

    def tick(done: int, total: int) -> None:
        show(round(100 * done / total), "")

    with bar("planning", 100, "", quiet=quiet) as show, exact.gittins.watched(tick):
        return baselines(task)


def _save(result: Any, task: Any, seed: int, folder: Path) -> None:
    """Write what was played, with the task, its seed and the command."""
    from neurometa import dataset, settings
    from neurometa.cli.saving import made_by
    from neurometa.storage import only_writer

    about = {"task": json.dumps(settings.to_json(task)), "evaluation_seed": seed}
    with only_writer(folder):
        dataset.save_run(result.assign_attrs(about | made_by()), folder / FILE)


def _task(name: str) -> Any:
    """The task of an experiment, or else of the run in a folder."""
    from neurometa import runs
    from neurometa.experiments import EXPERIMENTS, find

    is_folder = name not in EXPERIMENTS and (Path(name).is_dir() or len(Path(name).parts) > 1)
    return runs.open_config(Path(name)).task if is_folder else find(name).config.task
