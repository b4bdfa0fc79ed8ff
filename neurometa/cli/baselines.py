"""The command that lets the baselines play: baselines."""

import math
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import bar, interval, say_json, table
from neurometa.cli.process import one_thread

EXAMPLE = "neurometa baselines restless --episodes 1000"


def baselines(
    name: Annotated[
        str, typer.Argument(metavar="EXPERIMENT|RUN", help="An experiment, or a run folder.", show_default=False)
    ],
    episodes: Annotated[int, typer.Option(help="Test episodes that each learner plays.")] = 3000,
    seed: Annotated[int, typer.Option(help="Fixes worlds, payments and choices.")] = 2,
    as_json: JSON = False,
) -> None:
    """Let the baselines play a task, beside exact values.

    All play the same worlds. Regret is the expected reward given up by not choosing the best arm, summed
    over an episode; where the best choice hangs on more than the arms' probabilities, rewards are set side
    by side instead. The exact column is computed without sampling, where that can be done. Nothing is
    written.
    """
    from neurometa import baselines as players
    from neurometa import behaviour

    one_thread()
    task = _task(name)
    learners = players.baselines(task)
    with bar("playing", len(learners), "learners", quiet=as_json) as show:
        done: list[str] = []

        def tick(learner: str) -> None:
            done.append(learner)
            show(len(done), learner)

        result = players.play(task.for_test(), learners, n_episodes=episodes, seed=seed, progress=tick)
        show(len(learners), "exact values")
        expected = players.exact_regret(task.for_test())
    (measured,) = map(str, result.data_vars)
    mean = behaviour.mean_interval(result[measured].sum("trial").astype(float))
    rows, record = [], {}
    for learner in learners:
        here = mean.sel(learner=learner)
        record[learner] = {key: float(here[key]) for key in ("mean", "se", "lower", "upper", "n")}
        record[learner]["exact"] = expected.get(learner, math.nan)
        exact = f"{expected[learner]:.4f}" if learner in expected else "-"
        rows.append(
            [learner, f"{float(here['mean']):.2f}", interval(float(here["lower"]), float(here["upper"]), 4), exact]
        )
    if as_json:
        say_json({"task": type(task).__name__, "n_episodes": episodes, "seed": seed, measured: record})
        return
    title = (
        f"{measured.capitalize()} per episode of {task.n_trials} trials, {episodes} episodes of {type(task).__name__}"
    )
    table(["learner", "mean", "95 % interval", "exact"], rows, title)


def _task(name: str) -> Any:
    """The task of an experiment, or else of the run in a folder."""
    from neurometa import runs
    from neurometa.experiments import EXPERIMENTS, find

    is_folder = name not in EXPERIMENTS and (Path(name).is_dir() or len(Path(name).parts) > 1)
    return runs.open_config(Path(name)).task if is_folder else find(name).config.task
