"""The command that asks how fast reward comes up to the optimum within an episode: adaptation. It needs no torch."""

from pathlib import Path
from typing import Annotated

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import say, say_json, table
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa adaptation runs/point-maml runs/point-pretrained"
Many = Annotated[
    list[Path], typer.Argument(help="Run folders, or .nc files that keep the contract.", show_default=False)
]


def adaptation(trials: Many, as_json: JSON = False) -> None:
    """How reward comes up to the optimum within an episode.

    Every agent is charged with all environment steps of the episode, also those from which gradients are taken.
    Writes adaptation.nc beside each.
    """
    from neurometa import behaviour, dataset

    told, rows = [], []
    for run in trials:
        data = dataset.open_run(run)
        found = behaviour.adaptation(data)
        file = save_beside(found, data, run, "adaptation.nc")
        lower, upper = found.area_interval.values.tolist()
        area, n = float(found.area), int(found.n)
        told.append({"run": str(run), "file": str(file), "area": area, "lower": lower, "upper": upper, "n": n})
        told[-1] |= {name: found[name].values.tolist() for name in ("steps_lived", "reward", "optimum")}
        ends = [f"{float(found.reward[i]):.2f}" for i in (0, -1)]
        steps = f"{int(found.steps_lived[-1]):,}"
        rows.append([str(run), f"{n:,}", steps, *ends, f"{area:.2f}", f"{lower:.2f} to {upper:.2f}"])
    if as_json:
        say_json({"runs": told})
        return
    table(["run", "n", "steps", "first\ntrial", "last\ntrial", "given up", "95 %"], rows, "Adaptation")
    say("n episodes of so many environment steps; reward of the first and the last trial.")
    say("Given up: reward per episode against who knows its world.")
