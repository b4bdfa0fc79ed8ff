"""Commands that ask what the past weighs in a choice: stay, history. They need no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.printing import JSON, interval, number, say, say_json, table
from neurometa.cli.saving import save_beside

Run = Annotated[Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)]
By = Annotated[
    str | None,
    typer.Option(help="Coordinate or dim to keep apart, e.g. subject, agent or episode.", show_default="all pooled"),
]
Penalty = Annotated[
    str | None,
    typer.Option(
        help="ridge or firth, where choices are separated; else such weights are left out.", show_default="none"
    ),
]
SHOWN = 15  # lags that are printed


def histories(app: typer.Typer) -> None:
    """Add the commands that ask for the past."""
    app.command("stay", epilog="Example: neurometa stay runs/two-step")(stay)
    example = "Example: neurometa history runs/two-step --encoding miller --lags 5 --penalty ridge"
    app.command("history", epilog=example)(history)


def stay(
    run: Run,
    by: By = None,
    cluster: Annotated[str, typer.Option(help="What the bootstrap draws whole, e.g. subject.")] = "episode",
    penalty: Penalty = None,
    as_json: JSON = False,
) -> None:
    """Stay probabilities by the last outcome and transition, of an agent or of a lab's subjects.

    Writes stay.nc: the probabilities with bootstrap intervals and n, their interaction and main effect of
    reward, and the logistic regression on both, its errors robust to clusters.
    """
    from neurometa import behaviour, dataset

    trials = dataset.open_run(run)
    result = behaviour.stay_probability(trials, by=by, cluster=cluster)
    found = behaviour.stay_regression(trials, by=by, cluster=cluster, penalty=penalty)
    result = result.merge(found.rename({name: f"regression_{name}" for name in found.data_vars}))
    result.attrs["penalty"] = found.attrs["penalty"]
    file = save_beside(result, trials, run, "stay.nc")
    _tell_stay(result, file, as_json=as_json)


def history(
    run: Run,
    encoding: Annotated[
        str, typer.Option(help="lau-glimcher, miller, bari, hattori, hattori-2019, su or miller-2021.")
    ] = "lau-glimcher",
    lags: Annotated[int, typer.Option(help="Choices back.")] = 5,
    by: By = None,
    penalty: Penalty = None,
    ridge: Annotated[float, typer.Option(help="Strength of the ridge; 1 is a normal prior of SD 1.")] = 1.0,
    burn_in: Annotated[float, typer.Option(help="Share of each episode that is not predicted, e.g. .333.")] = 0.0,
    as_json: JSON = False,
) -> None:
    """Regress choices on past choices and outcomes, several trials back, by a named encoding of the field.

    Writes history.nc: weights with errors and p over regressor and lag, bias, log-likelihood and n; and for
    miller the planning and model-free indices.
    """
    from neurometa import behaviour, dataset

    trials = dataset.open_run(run)
    alone = by == "episode"
    result = behaviour.history_regression(
        trials,
        encoding,
        n_lags=lags,
        by=None if alone else by,
        pool=() if alone else "episode",
        penalty=penalty,
        ridge=ridge,
        burn_in=burn_in,
    )
    file = save_beside(result, trials, run, "history.nc")
    _tell_history(result, file, as_json=as_json)


def _mean(x: Any, bounds: Any) -> tuple[float, float, float]:
    """One number with its own interval, or the mean of several with Student's."""
    from neurometa import behaviour

    if x.ndim == 0:
        return float(x), float(bounds[0]), float(bounds[1])
    found = behaviour.mean_interval(x.stack(each=x.dims, create_index=False), "each")
    return float(found["mean"]), float(found["lower"]), float(found["upper"])


def _tell_stay(result: Any, file: Path, *, as_json: bool) -> None:
    groups = [dim for dim in result.n_trials.dims if not str(dim).startswith("previous")]
    cells: list[dict[str, Any]] = []
    for outcome in result.previous_outcome.values:
        for transition in result.previous_transition.values:
            one = result.sel(previous_outcome=outcome, previous_transition=transition)
            value, lower, upper = _mean(one.stay_probability, one.interval.transpose("bound", ...))
            cells.append(
                {
                    "previous_outcome": str(outcome),
                    "previous_transition": str(transition),
                    "stay_probability": value,
                    "lower": lower,
                    "upper": upper,
                    "n_trials": int(one.n_trials.sum()),
                }
            )
    effects = {}
    for name in ("interaction", "main_effect"):
        value, lower, upper = _mean(result[name], result[f"{name}_interval"].transpose("bound", ...))
        effects[name] = {"value": value, "lower": lower, "upper": upper}
    n, reasons = int(result.reason.size), _reasons(result.reason)
    weights = result.regression_coef
    told: dict[str, Any] = {
        "file": str(file),
        "groups": n,
        "by": [str(dim) for dim in groups],
        "cells": cells,
        **effects,
        "reasons": reasons,
        "regression_reasons": _reasons(result.regression_reason),
    }
    if as_json:
        say_json(told)
        return
    of = f"mean of {n} ({', '.join(told['by'])})" if groups else f"clusters: {result.attrs['cluster']}"
    rows = [
        [f"{c['previous_transition']}, {c['previous_outcome']}", number(c["stay_probability"])]
        + [interval(c["lower"], c["upper"]), str(c["n_trials"])]
        for c in cells
    ]
    rows += [
        [name.replace("_", " "), number(e["value"]), interval(e["lower"], e["upper"]), ""]
        for name, e in effects.items()
    ]
    table(["after", "stay probability", "95 %", "n"], rows, of)
    if not groups and bool(result.regression_converged):
        for name in ("outcome", "transition", "outcome x transition"):
            at = {"regressor": name}
            value, error, p = (float(result[f"regression_{x}"].sel(at)) for x in ("coef", "se", "p_value"))
            say(f"Log odds of staying, {name}: {number(value)} (SE {number(error)}, p {p:.1g}).")
    elif groups:
        fitted = int(result.regression_converged.sum())
        say(f"The regression has weights for {fitted} of {weights.size // 4}.")
    _tell_reasons(reasons, "No contrast for")
    left = {reason: k for reason, k in told["regression_reasons"].items() if reason not in reasons}
    if result.attrs["penalty"] == "none":
        _tell_reasons(left, "No regression weights (try --penalty firth) for")
    say(f"Everything is in {file}.")


def _tell_history(result: Any, file: Path, *, as_json: bool) -> None:
    groups = [dim for dim in result.bias.dims]
    n, reasons = int(result.reason.size), _reasons(result.reason)
    mean = result.coef.mean(groups) if groups else result.coef
    told: dict[str, Any] = {"file": str(file), "encoding": result.attrs["encoding"], "groups": n}
    told |= {"n_trials": int(result.n_trials.sum()), "converged": int(result.converged.sum())}
    told |= {"separated": int(result.separated.sum()), "penalty": result.attrs["penalty"], "reasons": reasons}
    names = [str(name) for name in result.regressor.values]
    told["coef"] = {name: [float(x) for x in mean.sel(regressor=name)] for name in names}
    told |= {name: float(result[name].mean()) for name in ("bias", "planning", "model_free") if name in result}
    if as_json:
        say_json(told)
        return
    rows = []
    for i, lag in enumerate(result.lag.values[:SHOWN]):
        row = [str(lag)]
        for name in names:
            error = "" if groups else f" ({number(float(result.se.sel(regressor=name)[i]), 2)})"
            row.append(f"{number(told['coef'][name][i])}{error}")
        rows.append(row)
    of = f"mean of {n} ({', '.join(map(str, groups))})" if groups else "weight (SE), log odds"
    table(["lag", *names], rows, f"{told['encoding']}: {of}")
    say(f"Bias {number(told['bias'])}; {told['n_trials']} choices predicted.")
    if "planning" in told:
        say(f"Planning index {number(told['planning'])}, model-free index {number(told['model_free'])}.")
    if told["separated"]:
        met = f"met by {told['penalty']}" if told["penalty"] != "none" else "give --penalty ridge or firth"
        say(f"Separated choices in {told['separated']} of {n}: {met}.")
    if told["penalty"] == "none":
        _tell_reasons(reasons, "No weights for")
    elif told["converged"] < n:
        say(f"No weights for {n - told['converged']} of {n}: see reason in the file.")
    say(f"Everything is in {file}.")


def _reasons(reason: Any) -> dict[str, int]:
    every = [str(each) for each in reason.values.ravel()]
    return {each: every.count(each) for each in dict.fromkeys(every) if each}


def _tell_reasons(reasons: dict[str, int], what: str) -> None:
    for reason, n in reasons.items():
        say(f"{what} {n}: {reason}.")
