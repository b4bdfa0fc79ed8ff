"""The command that asks for the matching law: matching. It needs no torch."""

from neurometa.cli.options import JSON, Trials
from neurometa.cli.printing import numbers, say, say_json, table
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa matching runs/foraging"
MATCHED = ("slope", "slope_se", "intercept", "r_squared", "n", "n_dropped")


def matching(trials: Trials, as_json: JSON = False) -> None:
    """Regress choice ratios on reward ratios: the matching law.

    Ratios are in logarithms, one point per episode. Counts are of the last two thirds of each episode.
    Writes matching.nc.
    """
    from neurometa import behaviour, dataset

    data = dataset.open_run(trials)
    found = behaviour.matching(data)
    file = save_beside(found, data, trials, "matching.nc")
    if as_json:
        groups = found.group.values
        told = {str(each): {name: float(found[name].sel(group=each)) for name in MATCHED} for each in groups}
        say_json({"file": str(file), "group": told})
        return
    rows = [[str(name), *numbers(found.sel(group=name), MATCHED)] for name in found.group.values]
    table(["episodes", *(name.replace("_", " ") for name in MATCHED)], rows, "Matching")
    say(f"The points are in {file}.")
