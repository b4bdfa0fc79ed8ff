"""The command that fits learning rates block by block: blocks. It needs no torch."""

from typing import Annotated

import typer

from neurometa.cli.options import JSON, Trials
from neurometa.cli.printing import number, numbers, say, say_json, table
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa blocks runs/volatility"
BLOCKED = ("learning_rate", "learning_rate_se", "window_mean", "inverse_temperature", "n_trials", "n_episodes")


def blocks(
    trials: Trials,
    window: Annotated[int, typer.Option(help="Trials of the sliding window.")] = 10,
    as_json: JSON = False,
) -> None:
    """Fit the learning rates of stable and volatile blocks.

    Also those of a window that slides over them. Episodes of the same order are pooled; values evolve from
    the first trial. Writes blocks.nc.
    """
    from neurometa import behaviour, dataset

    data = dataset.open_run(trials)
    found = behaviour.block_learning_rate(data, window=window)
    file = save_beside(found, data, trials, "blocks.nc")
    if as_json:
        groups = found.block.values
        told = {str(each): {name: float(found[name].sel(block=each)) for name in BLOCKED} for each in groups}
        say_json({"file": str(file), "block": told})
        return
    rows = [[str(name), *numbers(found.sel(block=name), BLOCKED)] for name in found.block.values]
    table(["block", *(name.replace("_", " ") for name in BLOCKED)], rows, "Learning rate by block")
    ratios = ", ".join(f"{order} {number(float(found.ratio.sel(order=order)))}" for order in found.order.values)
    say(f"Volatile over stable: {ratios}.")
    say(f"The sliding windows are in {file}.")
