"""Commands that read choices within an episode: matching, blocks. Neither needs torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.printing import JSON, number, say, say_json, table
from neurometa.cli.saving import save_beside

Trials = Annotated[Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)]
MATCHED = ("slope", "slope_se", "intercept", "r_squared", "n", "n_dropped")
BLOCKED = ("learning_rate", "learning_rate_se", "window_mean", "inverse_temperature", "n_trials", "n_episodes")


def matching(app: typer.Typer) -> None:
    """Add the commands that read choices within an episode."""
    app.command("matching", epilog="Example: neurometa matching runs/foraging")(match)
    app.command("blocks", epilog="Example: neurometa blocks runs/volatility")(blocks)


def match(trials: Trials, as_json: JSON = False) -> None:
    """Regress log ratios of choices on log ratios of rewards, one point per episode: the matching law.

    Counts are of the last two thirds of each episode. Writes matching.nc.
    """
    from neurometa import behaviour, dataset

    data = dataset.open_run(trials)
    found = behaviour.matching(data)
    file = save_beside(found, data, trials, "matching.nc")
    if _told(found, "group", MATCHED, file, as_json=as_json):
        return
    rows = [[str(name), *_row(found.sel(group=name), MATCHED)] for name in found.group.values]
    table(["episodes", *(name.replace("_", " ") for name in MATCHED)], rows, "Matching")
    say(f"The points are in {file}.")


def blocks(
    trials: Trials,
    window: Annotated[int, typer.Option(help="Trials of the sliding window.")] = 10,
    as_json: JSON = False,
) -> None:
    """Fit the learning rate of stable and volatile blocks, and of a window that slides over them.

    Episodes of the same order are pooled; values evolve from the first trial. Writes blocks.nc.
    """
    from neurometa import behaviour, dataset

    data = dataset.open_run(trials)
    found = behaviour.block_learning_rate(data, window=window)
    file = save_beside(found, data, trials, "blocks.nc")
    if _told(found, "block", BLOCKED, file, as_json=as_json):
        return
    rows = [[str(name), *_row(found.sel(block=name), BLOCKED)] for name in found.block.values]
    table(["block", *(name.replace("_", " ") for name in BLOCKED)], rows, "Learning rate by block")
    ratios = ", ".join(f"{order} {number(float(found.ratio.sel(order=order)))}" for order in found.order.values)
    say(f"Volatile over stable: {ratios}.")
    say(f"The sliding windows are in {file}.")


def _told(found: Any, dim: str, columns: tuple[str, ...], file: Path, *, as_json: bool) -> bool:
    """Whether the result was printed as JSON."""
    if as_json:
        rows = {str(at): {name: float(found[name].sel({dim: at})) for name in columns} for at in found[dim].values}
        say_json({"file": str(file), dim: rows})
    return as_json


def _row(found: Any, columns: tuple[str, ...]) -> list[str]:
    values = [float(found[name]) for name in columns]
    return [
        f"{x:.0f}" if name.startswith("n_") or name == "n" else number(x)
        for name, x in zip(columns, values, strict=True)
    ]
