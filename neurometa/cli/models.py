"""The command that sets fits side by side: models. It needs no torch."""

from typing import Any

from neurometa.cli.options import JSON, Trials
from neurometa.cli.printing import number, say, say_json, table
from neurometa.errors import InputError

EXAMPLE = "neurometa models runs/mice"
SHOWN = {  # column: heading
    "n_parameters": "free",
    "log_likelihood": "log-lik.",
    "aic": "AIC",
    "bic": "BIC",
    "held_out_log_likelihood": "held out",
    "log_marginal_likelihood": "log marginal",
    "integrated_bic": "integrated BIC",
    "protected_exceedance": "exceedance",
}


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
    shown = {column: text for column, text in SHOWN.items() if any(column in row for row in record)}
    rows = [[row["fit"], row["model"], *(_cell(row, column) for column in shown)] for row in record]
    table(["fit", "model", *shown.values()], rows, f"{record[0]['n_trials']} choices, sums over fits in nats")
    say("The lower AIC and BIC, the better; compare fits of one way (ml, map or group) with each other.")
    if "held_out_log_likelihood" in shown:
        say("Held out: predict.nc, with parameters per subject and not those of the fit.")
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


def _cell(row: dict[str, Any], column: str) -> str:
    if column not in row:
        return ""
    return f"{row[column]:.3f}" if "exceedance" in column else number(row[column], 6)
