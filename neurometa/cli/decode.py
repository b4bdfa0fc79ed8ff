"""The command that reads variables from activity: decode. It needs no torch."""

from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import bar, interval, number, say, say_json, table
from neurometa.cli.saving import OF_TRIALS, save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa decode runs/independent --beside runs/no-reward"
UNTRAINED = "untrained.nc"  # what the same agent did before training
SHOWN = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)  # trials that are printed, counted from 1
MOST = 30  # targets that are printed one by one


def decode(
    run: Annotated[Path, typer.Argument(help="Run folder, or a .nc file with logged activity.", show_default=False)],
    target: Annotated[
        list[str] | None,
        typer.Option(
            help="posterior-mean, wins-losses, log-odds, posterior-volatility, reward-prob or a variable; of a "
            "tabular process posterior-rewards, visits, transitions, best-action-0; may be given again.",
            show_default="the first three, or the first",
        ),
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="Run or file to set beside it, e.g. of no reward input.", show_default="untrained.nc of RUN"),
    ] = None,
    activity: Annotated[str, typer.Option(help="hidden, cell, or another variable over unit.")] = "hidden",
    step: Annotated[str | None, typer.Option(help="Step of the trial to read at.", show_default="the only one")] = None,
    folds: Annotated[int, typer.Option(help="Blocks of episodes, each held out once; at least 3.")] = 5,
    per_trial: Annotated[bool, typer.Option("--per-trial", help="One decoder for each trial.")] = False,
    generalise: Annotated[bool, typer.Option("--generalise", help="Test each trial's decoder on every trial.")] = False,
    permutations: Annotated[int, typer.Option(help="Permutations of whole episodes, for chance and p; or 0.")] = 100,
    as_json: JSON = False,
) -> None:
    """Read from activity what an ideal learner would remember.

    Readouts are scored on held-out episodes. Ridge regression for numbers, logistic for categories,
    cross-validated by episode; set beside the same agent before training (neurometa rollout RUN
    --untrained) and chance. Writes decode.nc.
    """
    import xarray as xr

    if permutations < 0:
        raise InputError(f"--permutations is {permutations}; it must be 0 or more.")
    folder = run if run.is_dir() else run.parent
    others = list(beside or [])
    if (folder / UNTRAINED).exists() and run.is_dir():
        others.insert(0, folder / UNTRAINED)
    files = {_name(path): path for path in others}
    if len(files) < len(others):
        raise InputError(f"Two of the files to set beside are called alike: {', '.join(map(_name, others))}.")
    how: dict[str, Any] = {"n_folds": folds, "generalise": "trial" if generalise else None}
    how["pool"] = () if per_trial or generalise else None
    found = {}
    for i, (name, path) in enumerate({"run": run, **files}.items()):
        how["n_permutations"] = permutations if i == 0 else 0
        found[name] = _read(path, name, target, activity, step, how, quiet=as_json)
    result = found["run"]
    if files:
        measures = list(_measures(result))
        each = [found[name][measures].drop_vars("fold_of", errors="ignore") for name in files]
        together = xr.concat(each, "network", join="outer").assign_coords(network=list(files))
        result = result.merge(together.rename({name: f"beside_{name}" for name in measures}))
    file = save_beside(result, result, run, "decode.nc")
    _tell(result, list(files), file, run, as_json=as_json)


def _name(path: Path) -> str:
    return path.stem if path.suffix == ".nc" and path.stem != "behaviour" else (path.resolve().name or str(path))


def _measures(result: Any) -> tuple[str, str, str]:
    return ("r_squared" if "r_squared" in result else "accuracy", "lower", "upper")


def _read(
    path: Path,
    name: str,
    target: list[str] | None,
    activity: str,
    step: str | None,
    how: dict[str, Any],
    *,
    quiet: bool,
) -> Any:
    from neurometa import behaviour, dataset, neural

    trials = dataset.open_run(path)
    state = neural.hidden_state(trials, activity, step=step)
    wanted = behaviour.targets(trials, tuple(target or ()))
    with bar(f"decoding {name}", 100, "%", quiet=quiet) as show:
        result = neural.decode(
            state, wanted, **how, progress=lambda done, total: show(100 * done // total, f"{done} of {total}")
        )
    return result.assign_attrs({key: trials.attrs[key] for key in OF_TRIALS if key in trials.attrs})


def _tell(result: Any, others: list[str], file: Path, run: Path, *, as_json: bool) -> None:
    main = _measures(result)[0]
    rows = [_row(label, where, result, others) for label, where in _places(result)]
    if as_json:
        say_json({"file": str(file), "measure": main, "readouts": rows})
        return
    (_print_one_by_one if result.sizes["target"] <= MOST else _print_summary)(rows, main, others)
    held = "episodes held out in turn, in blocks"
    say(f"{rows[0]['n']} samples from {rows[0]['n_episodes']} episodes; {result.attrs['folds']} folds, {held}.")
    for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
        say(f"No estimate where {note}.")
    if run.is_dir() and "untrained" not in others:
        say(f"For the control that no training gives: neurometa rollout {run} --untrained, then decode again.")
    say(f"Everything is in {file}.")


def _print_one_by_one(rows: list[dict[str, Any]], main: str, others: list[str]) -> None:
    permuted = "p_value" in rows[0]
    columns = ["target", _title(main), "95 %", *others, *(["chance", "p"] if permuted else [])]
    cells = []
    for row in rows:
        cell = [row["target"], number(row[main]), interval(row["lower"], row["upper"])]
        cell += [number(row["beside"][name]) for name in others]
        cells.append([*cell, number(row["chance"], 2), f"{row['p_value']:.2g}"] if permuted else cell)
    table(columns, cells)


def _print_summary(rows: list[dict[str, Any]], main: str, others: list[str]) -> None:
    """Print the median of each kind of target and its range, where one line for each would be too many to read."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault(row["target"].split(",")[0], []).append(row)
    cells = []
    for kind, alike in kinds.items():
        found = [row[main] for row in alike if row[main] == row[main]]
        spread = interval(min(found), max(found)) if found else "-"
        medians = [[row["beside"][name] for row in alike] for name in others]
        cells.append([kind, str(len(alike)), _median(found), spread, *map(_median, medians)])
    table(["target", "readouts", f"median {_title(main)}", "least, most", *others], cells)


def _median(values: list[float]) -> str:
    return number(median(found)) if (found := [x for x in values if x == x]) else "-"


def _title(main: str) -> str:
    return "R²" if main == "r_squared" else main


def _places(result: Any) -> list[tuple[str, dict[str, Any]]]:
    """What is printed: every target, at some trials where each trial has its decoder."""
    labels = [str(each) for each in result.target.values]
    if "trial" not in result[_measures(result)[0]].dims:
        return [(label, {"target": i}) for i, label in enumerate(labels)]
    found = []
    for i, label in enumerate(labels):
        for trial in (each for each in SHOWN if each <= result.sizes["trial"]):
            where = {"target": i, "trial": trial - 1}
            found.append(
                (f"{label}, trial {trial}", where | ({"test_trial": trial - 1} if "test_trial" in result.dims else {}))
            )
    return found


def _row(label: str, where: dict[str, Any], result: Any, others: list[str]) -> dict[str, Any]:
    main = _measures(result)[0]
    names = [
        main,
        "lower",
        "upper",
        "n",
        "n_episodes",
        "n_left_out",
        "note",
        *(["chance", "p_value"] if "p_value" in result else []),
    ]
    row: dict[str, Any] = {"target": label}
    for name in names:
        here = result[name].isel({dim: i for dim, i in where.items() if dim in result[name].dims})
        row[name] = here.item() if here.ndim == 0 else float(here.mean())
    row["beside"] = {name: _beside(result, main, where, name) for name in others}
    return row


def _beside(result: Any, main: str, where: dict[str, Any], name: str) -> float:
    return float(result[f"beside_{main}"].sel(network=name).isel(where).item())
