"""The command that trains an agent, or several that differ in their seed: train."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON, Assignments, Device
from neurometa.cli.printing import bar, say, say_json, table
from neurometa.cli.process import Interrupted, one_thread
from neurometa.errors import InputError

EXAMPLE = "neurometa train restless --out runs/mine --seed 3 --set n_units=32"


def train(
    experiment: Annotated[str, typer.Argument(help="Name of an experiment: see neurometa list.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="Run folder to make.", show_default="runs/EXPERIMENT", dir_okay=True)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes every random number.", show_default="0")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Train so many agents side by side, into OUT/0, OUT/1, ...", show_default="one")
    ] = None,
    assignments: Assignments = None,
    device: Device = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted training stopped.")] = False,
    as_json: JSON = False,
) -> None:
    """Train an agent into a run folder.

    The settings, the learning curve and checkpoints are written as training goes on; killed at
    any moment, it resumes to the same bits. Where the extra tensorboard is installed (pip install
    'neurometa[tensorboard]'), the curve streams there too.

    With --seeds 8 eight agents are trained whose seeds are --seed and the seven after it, each into a folder
    named by its seed and to the bits it would end in alone. Those of one LSTM or of actor and critic apart
    advance together on one core, which at small batches takes hardly longer than one; networks without memory
    train one by one.
    """
    from neurometa import runs, settings
    from neurometa.experiments import find
    from neurometa.training import curve

    one_thread()
    found = find(experiment)
    run = out or Path("runs") / experiment
    changes = [*(assignments or []), *([f"seed={seed}"] if seed is not None else [])]
    again = resume and (run / runs.CONFIG).exists()
    begin = runs.open_config(run) if again else found.config
    config = settings.replace(begin, changes)
    if seeds is not None:
        if device != "cpu":
            raise InputError(f"--seeds trains on the CPU, and --device is {device}; leave one of them out.")
        _train_seeds(experiment, run, config, seeds, resume=resume, as_json=as_json)
        return
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
        say_json(
            {
                "run": str(run),
                "steps": config.budget,
                "seconds": seconds,
                f"reward_per_{config.task.curve_counts}": reward,
            }
        )
        return
    if finished:
        say(f"{run} is trained to the end already; nothing was changed.")
    else:
        speed = (last["steps"] - first_steps) / seconds if last and first_steps is not None else 0
        say(f"Trained {experiment} (seed {config.seed}) for {config.budget / 1e6:.1f} M environment steps.")
        say(
            f"It took {seconds:.0f} s ({speed / 1e3:.0f} k steps/s); reward per {config.task.curve_counts} at the "
            f"end {reward:.3f}."
        )
    if again and (own := _own_settings(begin, found.config)):
        say(f"It has settings of its own, which {experiment} does not have: {own}.")
    say(f"Settings, learning curve and weights are in {run}.")
    say(f"Next: neurometa rollout {run}")


def _own_settings(config: Any, experiment: Any) -> str:
    """Name the settings in which a run differs from its experiment, but for the seed."""
    from neurometa import settings

    there, here = (settings.to_json(each) for each in (config, dataclasses.replace(experiment, seed=config.seed)))
    return ", ".join(name or "the algorithm" for name, _, _ in settings.differences(there, here))


def _train_seeds(experiment: str, out: Path, config: Any, n_seeds: int, *, resume: bool, as_json: bool) -> None:
    """Train agents that differ in their seed, and say how each ended."""
    from neurometa import runs
    from neurometa.training import a2c

    if n_seeds < 1:
        raise InputError(f"--seeds is {n_seeds}; it must be at least 1.")
    if (out / runs.CONFIG).exists():
        raise InputError(f"{out} holds a run, not a folder of several; choose another --out.")
    configs = [dataclasses.replace(config, seed=config.seed + i) for i in range(n_seeds)]
    folders = [out / str(each.seed) for each in configs]
    again = f"neurometa train {experiment} --out {out} --seed {config.seed} --seeds {n_seeds} --resume"
    started, steps = time.monotonic(), [0] * n_seeds
    failed: dict[int, str] = {}
    with bar("training", n_seeds * config.budget, "steps", quiet=as_json) as show:
        for group in a2c.companies(configs):

            def progress(rows: dict[int, dict[str, float]], group: list[int] = group) -> None:
                for i, row in rows.items():
                    steps[group[i]] = int(row["steps"])
                mean = sum(row["reward"] for row in rows.values()) / len(rows)
                show(sum(steps), f"{len(group)} agents, reward {mean:.3f}/trial")

            some = [configs[i] for i in group], [folders[i] for i in group]
            try:
                found = runs.train_together(*some, experiment=experiment, resume=resume, progress=progress)
            except KeyboardInterrupt as interrupt:
                raise Interrupted(f"Go on with: {again}") from interrupt
            failed |= {i: str(x) for i, x in zip(group, found, strict=True) if isinstance(x, a2c.DivergedError)}
            for i in group:
                steps[i] = config.budget
    ends = [failed.get(i) or _reward_at_the_end(run, config) for i, run in enumerate(folders)]
    seconds, runs_ = time.monotonic() - started, [str(run) for run in folders]
    if as_json:
        names = ("run", "seed", f"reward_per_{config.task.curve_counts}", "failed")
        every = [
            (run, each.seed, *((None, end) if isinstance(end, str) else (end, "")))
            for run, each, end in zip(runs_, configs, ends, strict=True)
        ]
        agents = [dict(zip(names, one, strict=True)) for one in every]
        say_json({"steps": n_seeds * config.budget, "seconds": seconds, "agents": agents})
        return
    told = [end if isinstance(end, str) else f"{end:.3f}" for end in ends]
    table(["run", f"reward\nper {config.task.curve_counts}"], [list(row) for row in zip(runs_, told, strict=True)])
    say(f"Trained {n_seeds - len(failed)} agents of {experiment}, {config.budget / 1e6:.1f} M environment steps each.")
    say(f"It took {seconds:.0f} s. Settings, learning curves and weights are in {out}.")
    say(f"Next: neurometa rollout {folders[0]}")


def _reward_at_the_end(run: Path, config: Any) -> float:
    from neurometa.training import curve

    rows = curve.read(run)[-max(1, config.n_updates // 20) :]
    return sum(row["reward"] for row in rows) / len(rows)
