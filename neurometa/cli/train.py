"""The command that trains one agent: train."""

import time
from pathlib import Path
from typing import Annotated

import typer

from neurometa.cli.options import JSON, Assignments, Device
from neurometa.cli.printing import bar, say, say_json
from neurometa.cli.process import Interrupted, one_thread

EXAMPLE = "neurometa train restless --out runs/mine --seed 3 --set n_units=32"


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
