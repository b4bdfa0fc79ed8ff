"""The command that shows how soon a new problem is solved: learning-set. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import interval, number, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa learning-set runs/harlow"


def learning_set(
    run: Annotated[Path, typer.Argument(help="Run folder, or a .nc file with the trials.", show_default=False)],
    by: Annotated[
        str | None,
        typer.Option(
            help="Variable over episode that groups problems, or the last problem of each block, e.g. 8,16,24,32.",
            show_default="all together",
        ),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Count right choices by trial of a problem.

    Also what follows a first win or loss. Intervals are Wilson's, over problems. Writes learning_set.nc.
    """
    from neurometa import behaviour, dataset

    trials = dataset.open_run(run)
    found = behaviour.learning_set_curve(trials, by=_grouping(by))
    if odd := [dim for dim in found.dims if dim not in ("trial", "block", by)]:
        raise InputError(f"{run} also spans {odd}; select one of them, or use behaviour.learning_set_curve.")
    if trials.sizes["trial"] > 1:
        found = found.merge(behaviour.win_stay_lose_shift(trials))
    file = save_beside(found, trials, run, "learning_set.nc")
    _tell(found, file, as_json=as_json)


def _grouping(by: str | None) -> str | tuple[int, ...] | None:
    parts = by.split(",") if by is not None else []
    return tuple(map(int, parts)) if parts and all(part.strip().isdecimal() for part in parts) else by


def _tell(found: Any, file: Path, *, as_json: bool) -> None:
    dims = [dim for dim in found.accuracy.dims if dim != "trial"]
    groups = found[dims[0]].values.tolist() if dims else ["all problems"]
    rows = []
    for group in groups:
        here = found.sel({dims[0]: group}) if dims else found
        for trial in here.trial.values.tolist():
            at = here.sel(trial=trial)
            rows.append({"problems": str(group), "trial": trial, "n": int(at.n)})
            rows[-1] |= {name: float(at[name]) for name in ("accuracy", "lower", "upper")}
    names = [name for name in found.data_vars if str(name).startswith(("win_stay", "lose_shift", "difference"))]
    if as_json:
        say_json({"file": str(file), "curve": rows, "second_trial": {str(name): float(found[name]) for name in names}})
        return
    cells = [
        [x["problems"], str(x["trial"]), number(x["accuracy"]), interval(x["lower"], x["upper"]), str(x["n"])]
        for x in rows
    ]
    table(["problems", "trial", "right", "95 %", "n"], cells)
    for name in ("win_stay", "lose_shift", "difference") if names else ():
        between = interval(float(found[f"{name}_lower"]), float(found[f"{name}_upper"]))
        label = "their difference" if name == "difference" else f"{name.replace('_', '-')} at trial 2"
        say(f"{label}: {number(float(found[name]))} {between}")
    say(f"Everything is in {file}.")
