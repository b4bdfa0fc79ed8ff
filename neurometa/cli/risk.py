"""The command that reads risky choices: risk. It does not need torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import interval, say, say_json, table
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa risk runs/risky-safe"
PERTURBED = "perturbation-"  # before the name of a perturbation, in the name of a file


def risk(
    run: Annotated[Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)],
    as_json: JSON = False,
) -> None:
    """Share of risky choices, in control and when perturbed.

    Choices are those of free trials. Of a run folder every perturbation-NAME.nc is set beside behaviour.nc,
    episode by episode. Writes risk.nc.
    """
    from neurometa import behaviour, dataset

    control = dataset.open_run(run)
    files = sorted(run.glob(f"{PERTURBED}*.nc")) if run.is_dir() else []
    disturbed = {file.stem.removeprefix(PERTURBED): dataset.open_run(file) for file in files}
    found = behaviour.risk_under_perturbations(control, disturbed)
    names = [str(name) for name in found.perturbation.values]
    path = save_beside(found, control, run, "risk.nc")
    if as_json:
        say_json({"file": str(path), "risk": {name: _record(found.sel(perturbation=name)) for name in names}})
        return
    rows = []
    for name in names:
        for prob in found.risky_prob.values:
            here = found.sel(perturbation=name, risky_prob=prob)
            rows.append([name, f"{prob:g}", *_cells(here, ""), *_cells(here, "change_"), f"{int(here.n)}"])
    columns = ["perturbation", "risk pays with", "% risky", "95 % interval", "change", "95 % interval", "episodes"]
    table(columns, rows, "Risky choices on free trials")
    say(f"All numbers are in {path}.")


def _record(found: Any) -> dict[str, dict[str, float]]:
    names = [str(name) for name in found.data_vars]
    return {
        f"{prob:g}": {name: float(found[name].sel(risky_prob=prob)) for name in names}
        for prob in found.risky_prob.values
    }


def _cells(here: Any, kind: str) -> list[str]:
    """A share or a change in points, and its interval; a dash where there is none."""
    if f"{kind}mean" not in here or not bool(here[f"{kind}mean"].notnull()):
        return ["-", "-"]
    mean, lower, upper = (100 * float(here[f"{kind}{name}"]) for name in ("mean", "lower", "upper"))
    return [f"{mean:{'+' if kind else ''}.1f}", interval(lower, upper)]
