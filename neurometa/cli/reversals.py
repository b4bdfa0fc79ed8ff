"""The command that sets inferred beside experienced value: reversals. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import interval, number, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa reversals runs/reversal"


def reversals(
    run: Annotated[Path, typer.Argument(help="Run folder, or a .nc file with values.", show_default=False)],
    discount: Annotated[
        float | None, typer.Option(help="Gamma of the critic.", show_default="that of the training")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Compare inferred with experienced value around reversals.

    They are an agent's prediction errors at a cue before and after. Positive contrasts follow the roles of
    the cues; the ratio of inferred to experienced is 1 for full inference. Intervals are of a bootstrap
    over episodes. Writes reversals.nc.
    """
    from neurometa import behaviour, dataset, neural

    trials = dataset.open_run(run)
    rpe = neural.rpe(trials, discount)
    if "cue" not in rpe.event:
        raise InputError(f"{run} has no step 'cue' after another; its steps are {list(map(str, trials.step.values))}.")
    found = behaviour.reversal_contrasts(rpe.sel(event="cue", drop=True), trials)
    if odd := list(found.ratio.dims):
        raise InputError(f"{run} also spans {odd}; select one of them, or use behaviour.reversal_contrasts.")
    found = found.assign_attrs(discount=rpe.attrs["discount"])
    file = save_beside(found, trials, run, "reversals.nc")
    _tell(found, file, as_json=as_json)


def _tell(found: Any, file: Path, *, as_json: bool) -> None:
    record: dict[str, Any] = {}
    for condition in found.condition.values.tolist():
        here = found.sel(condition=condition)
        record[condition] = {name: float(here[name]) for name in ("contrast", "contrast_lower", "contrast_upper")}
        for role in found.role.values.tolist():
            cell = here.sel(role=role)
            record[condition][role] = {name: float(cell[name]) for name in ("mean", "se")} | {"n": int(cell.n)}
    ratio = {name: float(found[name]) for name in ("ratio", "ratio_lower", "ratio_upper")}
    if as_json:
        say_json({"file": str(file), "conditions": record, **ratio})
        return
    rows = []
    for condition, x in record.items():
        cells = [f"{x[role]['mean']:+.3f} ± {x[role]['se']:.3f} ({x[role]['n']})" for role in ("old", "new")]
        between = interval(x["contrast_lower"], x["contrast_upper"])
        rows.append([condition, *cells, number(x["contrast"]), between])
    table(
        ["trial", "cue rewarded before", "cue rewarded now", "contrast", "95 %"],
        rows,
        "Prediction error at the cue, mean ± SE (trials)",
    )
    between = interval(ratio["ratio_lower"], ratio["ratio_upper"])
    say(f"Inferred / experienced: {number(ratio['ratio'])} {between}; {found.attrs['n_clusters']} episodes.")
    say(f"Everything is in {file}.")
