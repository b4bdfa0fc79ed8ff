"""The command that trains many settings of one experiment: sweep."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.modules import asked_for
from neurometa.cli.options import JSON, Assignments
from neurometa.cli.printing import bar, interval, number, say, say_json, table
from neurometa.cli.process import Interrupted
from neurometa.errors import InputError

EXAMPLE = "neurometa sweep independent --draws 30 --draw step_size=1e-3:1e-2:log --set n_updates=1500"


def sweep(
    experiment: Annotated[str, typer.Argument(help="Name of an experiment: see neurometa list.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Folder to make.", show_default="sweeps/EXPERIMENT")] = None,
    draws: Annotated[int | None, typer.Option(help="How many settings to draw.", show_default="100")] = None,
    draw: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=LOW:HIGH[:log]",
            help="Draw a setting from a range; may be given again.",
            show_default="step_size=1e-4:1e-2:log, discount=0:1",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Agents of each setting.", show_default="1")] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes every draw.", show_default="0")] = None,
    assignments: Assignments = None,
    episodes: Annotated[
        int | None, typer.Option(help="Evaluation episodes: half to pick, half to report.", show_default="300")
    ] = None,
    top: Annotated[int, typer.Option(help="How many settings count as the best.")] = 5,
    backend: Annotated[
        str, typer.Option(help="serial; loky, processes of this machine; or dask.", show_default="loky")
    ] = "",
    jobs: Annotated[int | None, typer.Option(help="Rows at once on this machine.", show_default="cores")] = None,
    scheduler: Annotated[str, typer.Option(metavar="ADDRESS", help="A Dask scheduler, e.g. tcp://10.0.0.1:8786.")] = "",
    slurm: Annotated[bool, typer.Option("--slurm", help="Train nothing; write a script for sbatch.")] = False,
    hours: Annotated[float, typer.Option(help="Time limit of a row in that script.")] = 4.0,
    row: Annotated[int | None, typer.Option(help="Train this row only, as that script does.")] = None,
    as_json: JSON = False,
) -> None:
    """Train many settings of an experiment, and pick the best.

    Settings are drawn at random. The table of draws is written first, to draws.json; each row trains in a
    run folder of its own, 000, 001, ... Give the command again to go on: finished rows stay, the others
    resume. The best are picked on one half of their evaluation episodes and reported on the other.
    """
    from neurometa import sweep as sweeps

    if top < 1:
        raise InputError(f"--top is {top}; it must be at least 1.")
    folder = out or Path("sweeps") / experiment
    given = (draws, draw, seeds, seed, assignments, episodes)
    _table(folder, experiment, given)
    own = asked_for()
    again = " ".join(["neurometa", *(f"--import {name}" for name in own), f"sweep {experiment} --out {folder}"])
    if row is not None:
        sweeps.train_row(folder, row)
        _say(as_json, {"row": row, "run": str(sweeps.row_folder(folder, row))}, f"Row {row} is done.")
        return
    left = sweeps.unfinished(folder)
    if slurm and left:
        _write_script(folder, sweeps.slurm_script(folder, hours=hours, modules=own), len(left), again, as_json=as_json)
        return
    started = time.monotonic()
    try:
        with _watched(folder, quiet=as_json):
            where = backend or ("dask" if scheduler else "loky")
            sweeps.train(folder, backend=where, n_jobs=jobs, scheduler=scheduler, modules=own)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(f"Go on with: {again}") from interrupt
    result = sweeps.collect(folder, top=top)
    _tell(folder, result, len(left), time.monotonic() - started, as_json=as_json)


@contextlib.contextmanager
def _watched(folder: Path, *, quiet: bool) -> Iterator[None]:
    """Show how far a sweep is, from what its rows write, while it is trained here or elsewhere."""
    from neurometa import sweep as sweeps

    done, whole = sweeps.updates_done(folder)
    over = threading.Event()
    with bar("updates", whole, "updates", quiet=quiet) as show:

        def watch() -> None:
            while not over.wait(1.0):
                left = len(sweeps.unfinished(folder))
                show(sweeps.updates_done(folder)[0], f"rows left {left}")

        show(done, "")
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _table(folder: Path, experiment: str, given: tuple[Any, ...]) -> None:
    """Begin the sweep, or go on with the one in the folder if no setting was given."""
    from neurometa import settings
    from neurometa import sweep as sweeps
    from neurometa.experiments import find

    config = find(experiment).config
    draws, draw, seeds, seed, assignments, episodes = given
    if (folder / sweeps.TABLE).exists() and all(x is None or x == [] for x in given):
        before = sweeps.open_table(folder)["experiment"]
        if before != experiment:
            raise InputError(f"{folder} holds a sweep of {before}, not of {experiment}; choose another --out.")
        return
    changes = [*(assignments or []), *([f"seed={seed}"] if seed is not None else [])]
    made = sweeps.make_table(
        experiment,
        settings.replace(config, changes),
        tuple(sweeps.Draw.of(text) for text in draw) if draw else sweeps.DEFAULT_DRAWS,
        n_draws=100 if draws is None else draws,
        n_seeds=1 if seeds is None else seeds,
        n_episodes=300 if episodes is None else episodes,
    )
    sweeps.begin(folder, made)


def _write_script(folder: Path, script: str, n_rows: int, again: str, *, as_json: bool) -> None:
    from neurometa.storage import write_text

    file = folder / "sweep.sbatch"
    write_text(file, script)
    told = f"Wrote {file}, an array job of {n_rows} rows.\nNext: sbatch {file}; when it is done: {again}"
    _say(as_json, {"script": str(file), "rows": n_rows}, told)


def _tell(folder: Path, result: Any, trained: int, seconds: float, *, as_json: bool) -> None:
    """The best settings: how they were picked, and what they achieve on other episodes."""
    from neurometa import behaviour

    score = "regret" if "regret" in result else "reward_per_trial"
    drawn = [str(name) for name in result.data_vars if result[name].dims == ("row",)]
    drawn = [name for name in drawn if name not in ("run", "failed", "draw", "seed", "rank")]
    best = result.isel(row=((result["rank"] >= 1) & (result["rank"] <= result.attrs["top"])).values)
    rows, record = [], []
    for row in best.row.values[best["rank"].argsort(kind="stable").values]:
        one = best.sel(row=row)
        picked = float(one[score].where(one.picking == 1).mean())
        there = behaviour.mean_interval(one[score].where(one.picking == 0))
        settings = {name: float(one[name]) for name in drawn}
        run = str(folder / str(one.run.item()))
        told = {"picked_on": picked, **{key: float(there[key]) for key in ("mean", "lower", "upper", "n")}}
        record.append({"rank": int(one["rank"]), "run": run, **settings, score: told})
        numbers = [number(value) for value in settings.values()]
        between = interval(told["lower"], told["upper"])
        rows.append([run, *numbers, number(picked), f"{number(told['mean'])}\n{between}"])
    failed = int((result.failed != "").sum())
    if as_json:
        about = {"file": str(folder / "sweep.nc"), "rows": result.sizes["row"], "failed": failed, "seconds": seconds}
        say_json({**about, "best": record})
        return
    table(["run", *drawn, f"{score},\npicked on", "on the other half,\n95 % interval"], rows)
    if trained:
        say(f"Trained {trained} rows in {_clock(seconds)}.")
    if failed:
        say(f"{failed} of {result.sizes['row']} rows diverged and have no score.")
    n = int(result.picking.sum())
    say(f"The best {len(record)} of {result.sizes['row']} rows, picked on {n} episodes.")
    say(f"Every row is in {folder / 'sweep.nc'}.")
    say(f"Next: neurometa rollout {folder} --episodes 3000, which plays the best")


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{math.floor(seconds / 60)} min {seconds % 60:.0f} s"


def _say(as_json: bool, record: dict[str, Any], text: str) -> None:
    if as_json:
        say_json(record)
    else:
        say(text)
