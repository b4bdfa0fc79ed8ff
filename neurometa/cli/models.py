"""The command that sets fits side by side: models. It needs no torch."""

from typing import Any

from neurometa.cli.options import JSON, Trials
from neurometa.cli.printing import say, say_json, table
from neurometa.errors import InputError

EXAMPLE = "neurometa models runs/mice"
ALONE = {  # column: heading, of fits each by itself
    "n_parameters": "k",
    "log_likelihood": "log-lik.",
    "aic": "AIC",
    "bic": "BIC",
    "held_out_log_likelihood": "held out",
    "protected_exceedance": "exc.",
}
GROUPED = {  # of members of a group
    "n_parameters": "k",
    "log_marginal_likelihood": "log marginal",
    "integrated_bic": "integrated BIC",
    "held_out_log_likelihood": "held out",
    "protected_exceedance": "exc.",
}
NAME = 26  # letters of a fit's name in a line


def models(trials: Trials, as_json: JSON = False) -> None:
    """Compare the fits that lie beside trials.

    Every model and way of fitting has its own file (fit_MODEL_HOW.nc). Prints for each its AIC and BIC, the
    log-likelihood of held-out choices where neurometa predict left it, the integrated BIC of hierarchical fits, and the
    protected exceedance probability among those of one kind. Fits of different trials are refused.
    """
    from neurometa import behaviour, dataset

    data = dataset.open_run(trials)
    folder, prefix = (trials, "") if trials.is_dir() else (trials.parent, f"{trials.stem}_")
    files = sorted(folder.glob(f"{prefix}fit_*.nc"))
    if not files:
        raise InputError(f"There is no fit beside {trials}; make one with: neurometa fit {trials} --model MODEL")
    fits = {file.stem.removeprefix(prefix): dataset.read(file) for file in files}
    windows = [name for name, fitted in fits.items() if "window" in fitted.attrs]
    fits = {name: fitted for name, fitted in fits.items() if name not in windows}
    for name, fitted in fits.items():
        if fitted.attrs.get("created") != data.attrs.get("created"):
            raise InputError(f"{name} is of earlier trials than {trials} holds now; fit it anew, or move it elsewhere.")
    held = folder / f"{prefix}predict.nc"
    if held.exists() and (scored := dataset.read(held)).attrs.get("created") == data.attrs.get("created"):
        fits = {name: _with_held_out(fitted, scored) for name, fitted in fits.items()}
    found = behaviour.compare_fits(fits)
    record: list[dict[str, Any]] = [_told(found.isel(fit=i)) for i in range(found.sizes["fit"])]
    record.sort(key=lambda row: (row["method"], row.get("integrated_bic", row.get("bic", 0.0))))
    if as_json:
        say_json({"fits": record, "left_out": windows})
        return
    n = record[0]["n_trials"]
    _show([row for row in record if row["method"] != "group"], ALONE, f"{n:,} choices, sums over fits in nats")
    _show([row for row in record if row["method"] == "group"], GROUPED, f"{n:,} choices, members of a group, in nats")
    say("k: free numbers of a fit; the lower AIC and BIC, the better; compare fits of one way (ml, map or group).")
    if any("protected_exceedance" in row for row in record):
        say("exc.: probability that more members are of this model than of any other of that way.")
    if any("held_out_log_likelihood" in row for row in record):
        say("held out: predict.nc, with parameters per subject and not those of the fit.")
    if windows:
        say(f"Left out, being of sliding windows: {', '.join(windows)}.")


def _with_held_out(fitted: Any, scored: Any) -> Any:
    """The fit with what `neurometa predict` found of its model, which is looked for by the name of its class."""
    name = str(fitted.attrs.get("model")) + (", start fitted" if fitted.attrs.get("start") == "fitted" else "")
    here = scored.log_likelihood.values[scored.learner.values.astype(str) == name]
    return fitted.assign(held_out_log_likelihood=float(here[0])) if len(here) else fitted


def _told(one: Any) -> dict[str, Any]:
    """What there is of one fit, by name."""
    numbers = {str(name): each.item() for name, each in one.data_vars.items() if each.dtype.kind in "if"}
    whole = {name: int(x) if name.startswith("n_") else x for name, x in numbers.items() if x == x}
    return {"fit": str(one.fit.item()), "model": str(one.model.item()), "method": str(one.method.item()), **whole}


def _show(rows: list[dict[str, Any]], columns: dict[str, str], title: str) -> None:
    """Print fits of one kind, with the columns that some of them have."""
    shown = {column: text for column, text in columns.items() if any(column in row for row in rows)}
    if rows:
        cells = [[_broken(row["fit"]), *(_cell(row, column) for column in shown)] for row in rows]
        table(["fit", *shown.values()], cells, title)


def _broken(name: str) -> str:
    """A long name in two lines."""
    at = name.rfind("_", 0, NAME) + 1
    return name if len(name) <= NAME or not at else f"{name[:at]}\n{name[at:]}"


def _cell(row: dict[str, Any], column: str) -> str:
    if column not in row:
        return ""
    x = row[column]
    return f"{x:.0f}" if column == "n_parameters" or abs(x) >= 1e5 else f"{x:.3f}" if "exceed" in column else f"{x:.1f}"
