"""The command that gives an agent an animal's own trials: clamp."""

from pathlib import Path
from typing import Annotated

import typer

from neurometa.cli.options import JSON, Run
from neurometa.cli.printing import say, say_json
from neurometa.errors import InputError

EXAMPLE = "neurometa clamp runs/two-step runs/people --out runs/clamped.nc"


def clamp(
    run: Run,
    data: Annotated[Path, typer.Argument(help="Run folder or .nc file of an animal's trials.", show_default=False)],
    out: Annotated[Path, typer.Option(help="File to write, ending in .nc.", show_default=False)],
    untrained: Annotated[bool, typer.Option("--untrained", help="The agent as it was before training.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write over what is there.")] = False,
    as_json: JSON = False,
) -> None:
    """Give an agent an animal's own trials.

    Observations, choices and rewards are the animal's; values and states are the agent's, at each step of each trial.
    What is written reads like a rollout, e.g. for neurometa rpe.
    """
    from neurometa import dataset, runs

    if out.suffix != ".nc":
        raise InputError(f"--out is {out}; it must end in .nc.")
    if out.exists() and not replace:
        raise InputError(f"There is a file {out} already; write over it with --replace, or choose another --out.")
    trials = dataset.open_run(data)
    clamped = runs.clamp(run, trials, untrained=untrained)
    file = dataset.save_run(clamped.assign_attrs(data=str(data)), out)
    made = int(dataset.played(clamped).sum())
    logged = sorted(str(name) for name in clamped.data_vars if str(name) not in trials)
    if as_json:
        say_json({"file": str(file), "n_trials": made, "logged": logged})
        return
    say(f"{made:,} trials of {data} given to the agent of {run}; logged: {', '.join(logged)}.")
    say(f"They are in {file}.")
    if "second_state" in clamped:
        say(f"Next: neurometa rpe {file}")
