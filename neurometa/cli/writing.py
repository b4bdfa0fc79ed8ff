"""Commands that make a run: list, train."""

import time
from pathlib import Path
from typing import Annotated

import typer

from neurometa.cli.printing import JSON, bar, say, say_json, table

Device = Annotated[str, typer.Option(help="Where to compute: cpu or cuda.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a setting; may be given again.")
]


class Interrupted(Exception):
    """Ctrl-C, and how to go on; typer would end at a KeyboardInterrupt without a word."""


def writing(app: typer.Typer) -> None:
    """Add the commands that make a run."""
    app.command("list", epilog="Example: neurometa list")(list_experiments)
    app.command("train", epilog="Example: neurometa train restless --out runs/mine --seed 3 --set n_units=32")(train)


def list_experiments(as_json: JSON = False) -> None:
    """List the experiments: what they ask, their source, budget and typical time."""
    from neurometa.experiments import EXPERIMENTS

    if as_json:
        say_json(
            {
                name: {
                    "about": found.about,
                    "source": found.source,
                    "environment_steps": found.config.budget,
                    "cpu_minutes": found.cpu_minutes,
                }
                for name, found in EXPERIMENTS.items()
            }
        )
        return
    rows = [
        [name, f"{found.config.budget / 1e6:.1f} M", f"{found.cpu_minutes:g} min", f"{found.about}\n{found.source}"]
        for name, found in EXPERIMENTS.items()
    ]
    table(["experiment", "steps", "CPU time", "question and source"], rows)
    say("Train one with: neurometa train EXPERIMENT --out runs/NAME")


def train(
    experiment: Annotated[str, typer.Argument(help="Name of an experiment: see neurometa list.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Run folder to make.", show_default="runs/EXPERIMENT", dir_okay=True)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes every random number.", show_default="0")] = None,
    assignments: Assignments = None,
    device: Device = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted training stopped.")] = False,
    as_json: JSON = False,
) -> None:
    """Train an agent into a run folder.

    The settings, the learning curve and checkpoints are written as training goes on; killed at
    any moment, it resumes to the same bits. Where the extra tensorboard is installed (pip install
    'neurometa[tensorboard]'), the curve streams there too.
    """
    from neurometa import runs, settings
    from neurometa.experiments import find
    from neurometa.training import curve

    one_thread()
    found = find(experiment)
    run = out or Path("runs") / experiment
    changes = [*(assignments or []), *([f"seed={seed}"] if seed is not None else [])]
    begin = found.config
    if resume and (run / runs.CONFIG).exists():
        begin = runs.open_config(run)
    config = settings.replace(begin, changes)
    finished = (run / runs.WEIGHTS).exists()
    started, last, first_steps = time.monotonic(), {}, None
    with bar("training", config.budget, "steps", quiet=as_json) as show:

        def progress(row: dict[str, float]) -> None:
            nonlocal last, first_steps
            first_steps = row["steps"] if first_steps is None else first_steps
            last = row
            show(int(row["steps"]), f"reward {row['reward']:.3f}/trial")

        try:
            runs.train(config, run, experiment=experiment, device=device, resume=resume, progress=progress)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(f"Go on with: neurometa train {experiment} --out {run} --resume") from interrupt
    came_along = finished and not (run / curve.CURVE).exists()  # with neurometa, without its curve
    rows = [{"reward": float("nan")}] if came_along else curve.read(run)
    tail = rows[-max(1, len(rows) // 20) :]
    reward = sum(row["reward"] for row in tail) / len(tail)
    seconds = time.monotonic() - started
    if as_json:
        say_json({"run": str(run), "steps": config.budget, "seconds": seconds, "reward_per_trial": reward})
        return
    if finished:
        say(f"{run} is trained to the end already; nothing was changed.")
    else:
        speed = (last["steps"] - first_steps) / seconds if last and first_steps is not None else 0
        say(f"Trained {experiment} (seed {config.seed}) for {config.budget / 1e6:.1f} M environment steps.")
        say(f"It took {seconds:.0f} s ({speed / 1e3:.0f} k steps/s); reward per trial at the end {reward:.3f}.")
    say(f"Settings, learning curve and weights are in {run}.")
    say(f"Next: neurometa rollout {run}")


def one_thread() -> None:
    """Small networks are fastest on one thread; a second core trains a second run."""
    import torch

    torch.set_num_threads(1)
