"""The command that asks what single units code: encode. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import bar, number, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa encode runs/foraging --step fixation"


def encode(
    run: Annotated[Path, typer.Argument(help="Run folder, or a .nc file with logged activity.", show_default=False)],
    factor: Annotated[
        list[str] | None,
        typer.Option(
            help="history or volatility (the factors of Wang et al. 2018); or last-action, last-reward, "
            "action-x-reward, value, next-action, reward-prob or a variable; may be given again.",
            show_default="history",
        ),
    ] = None,
    activity: Annotated[str, typer.Option(help="hidden, cell, or another variable over unit.")] = "hidden",
    step: Annotated[str | None, typer.Option(help="Step of the trial to read at.", show_default="the only one")] = None,
    skip: Annotated[
        float | None,
        typer.Option(help="Share of each episode left out at its start.", show_default="1/3 for history, else 0"),
    ] = None,
    per_episode: Annotated[bool, typer.Option("--per-episode", help="Ask within each episode.")] = False,
    per_trial: Annotated[bool, typer.Option("--per-trial", help="Ask across episodes at each trial.")] = False,
    correction: Annotated[str, typer.Option(help="Over units: bonferroni, fdr or none.")] = "bonferroni",
    significance: Annotated[float, typer.Option(help="Largest p that counts.")] = 0.05,
    permutations: Annotated[int, typer.Option(help="Permutations of whole episodes, for chance; or 0.")] = 100,
    as_json: JSON = False,
) -> None:
    """Ask of every unit which factors it codes.

    Each factor is set beside all the others. Partial correlations of ranks and of numbers, and a
    regression, with chance from permuted episodes. Writes encode.nc.
    """
    from neurometa import behaviour, dataset, neural
    from neurometa.behaviour.factors import SETS

    if per_episode and per_trial:
        raise InputError("--per-episode and --per-trial exclude each other.")
    names = list(factor or ["history"])
    alone = names[0] if len(names) == 1 else ""
    start = skip if skip is not None else 1 / 3 if alone == "history" else 0.0
    trials = dataset.open_run(run)
    state = neural.hidden_state(trials, activity, step=step)
    factors = behaviour.coding_factors(trials, SETS.get(alone, names), skip=start)
    sample = ("trial",) if per_episode else ("episode",) if per_trial else ("episode", "trial")
    with bar("encoding", 100, "%", quiet=as_json) as show:
        result = neural.encode(
            state,
            factors,
            sample=sample,
            correction=correction,
            significance=significance,
            n_permutations=0 if per_episode else permutations,
            progress=lambda done, total: show(100 * done // total, f"{done} of {total}"),
        )
    file = save_beside(result, trials, run, "encode.nc")
    _tell(result, file, as_json=as_json)


def _tell(result: Any, file: Path, *, as_json: bool) -> None:
    rows = []
    for name in result.factor.values:
        here = result.sel(factor=name)
        row: dict[str, Any] = {"factor": str(name), "share": float(here.share.mean())}
        for kind in ("spearman", "pearson"):
            row[f"{kind}_mean"] = float(here[f"{kind}_mean"].mean())
            row[f"{kind}_largest"] = float(abs(here[kind]).max())
            row[f"{kind}_chance"] = float(here[f"{kind}_chance"].mean()) if f"{kind}_chance" in here else float("nan")
        rows.append(row)
    notes = sorted({str(note) for note in result.note.values.ravel()} - {""})
    told = {"file": str(file), "n": int(result.n.sum()), "n_left_out": int(result.n_left_out.sum()), "notes": notes}
    if as_json:
        say_json(told | {"factors": rows, "n_constant_units": int(result.n_constant_units.max())})
        return
    columns = ["factor", "|partial Spearman|", "chance", "largest", "|partial Pearson|", "units that code it"]
    kinds = ("spearman_mean", "spearman_chance", "spearman_largest", "pearson_mean")
    table(columns, [[row["factor"], *(number(row[kind]) for kind in kinds), f"{row['share']:.0%}"] for row in rows])
    attrs = result.attrs
    say(
        f"{told['n']} samples, {told['n_left_out']} left out (skipped trials among them); "
        f"a unit codes a factor where p < {attrs['level']:g} in the regression on all ({attrs['correction']})."
    )
    for note in notes:
        say(f"No estimate where {note}.")
    say(f"Everything is in {file}.")
