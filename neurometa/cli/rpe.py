"""The command that sets an agent's prediction errors beside those of reference learners: rpe. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import interval, number, say, say_json, table
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa rpe runs/two-step"


def rpe(
    run: Annotated[Path, typer.Argument(help="Run folder, or a .nc file, of a two-step task.", show_default=False)],
    discount: Annotated[
        float | None, typer.Option(help="Gamma of the agent's prediction errors.", show_default="that of its training")
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="Of the model-free learner.")] = 0.4,
    as_json: JSON = False,
) -> None:
    """Ask if prediction errors are a planner's or model-free.

    Both learners watch the choices, states and rewards of a two-step task; each one's share is also told
    beyond the other's. Writes rpe.nc.
    """
    from neurometa import dataset, neural

    trials = dataset.open_run(run)
    result = neural.rpe_beside_references(trials, discount, learning_rate=learning_rate)
    file = save_beside(result, trials, run, "rpe.nc")
    _tell(result, file, as_json=as_json)


def _tell(found: Any, file: Path, *, as_json: bool) -> None:
    settings = {name: found.attrs[name] for name in ("discount", "learning_rate")}
    parts: dict[str, tuple[str, dict[str, str]]] = {"both events": ("", {})}
    parts |= {str(event).replace("_", " "): ("_event", {"event": str(event)}) for event in found.event.values}
    record: dict[str, Any] = {"file": str(file), **settings}
    for part, (ending, where) in parts.items():
        here = {name: found[f"{name}{ending}"].sel(where) for name in ("n", "n_episodes", "r_squared_between", "note")}
        told: dict[str, Any] = {name: (x if name == "note" else x.mean()).item() for name, x in here.items()}
        for name in ("r_squared", "lower", "upper"):
            x = found[f"{name}{ending}"].sel(where)
            told[name] = {str(which): float(x.sel(reference=which).mean()) for which in found.reference.values}
        for name in ("coef", "se"):
            x = found[f"{name}{ending}"].sel(where)
            told[name] = {str(which): float(x.sel(regressor=which).mean()) for which in found.regressor.values}
        record[part] = told
    each = found.r_squared_each.sel(reference=["model-based", "model-free"])
    record["each"] = {
        str(name): [float(x) for x in each.sel(reference=name).quantile([0, 0.5, 1])] for name in each.reference.values
    }
    if as_json:
        say_json(record)
        return
    rows = []
    for reference in map(str, found.reference.values):
        cells = []
        for part in parts:
            x = record[part]
            cells.append(f"{x['r_squared'][reference]:.3f} {interval(x['lower'][reference], x['upper'][reference], 2)}")
        rows.append([reference, *cells])
    table(["r² with", *parts], rows)
    for part in parts:
        x = record[part]
        both = ", ".join(f"{name} {number(x['coef'][name])} ± {number(x['se'][name], 2)}" for name in ROWS)
        say(f"Regression on both, {part}: {both}; the two share r² {x['r_squared_between']:.2f}.")
    shown = ", ".join(f"{name} {x[1]:.3f} ({x[0]:.3f} to {x[2]:.3f})" for name, x in record["each"].items())
    say(f"r² of each episode by itself, median and range: {shown}.")
    for note in {record[part]["note"] for part in parts} - {""}:
        say(f"No estimate where {note}.")
    x = record["both events"]
    rate, discount = settings["learning_rate"], settings["discount"]
    say(f"{x['n']:.0f} prediction errors of {x['n_episodes']:.0f} episodes; discount {discount:g}.")
    say(f"Learning rate of the model-free learner {rate:g}; 95 % intervals by bootstrap of episodes.")
    say(f"Everything is in {file}.")


ROWS = ("model-based", "model-free")
