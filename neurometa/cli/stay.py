"""The command that asks whether a choice is repeated: stay. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.fits import noted
from neurometa.cli.options import JSON, By, Penalty, Trials
from neurometa.cli.printing import interval, number, reasons, say, say_json, table, tell_reasons
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa stay runs/two-step"


def stay(
    run: Trials,
    by: By = None,
    cluster: Annotated[str, typer.Option(help="What the bootstrap draws whole, e.g. subject.")] = "episode",
    penalty: Penalty = None,
    as_json: JSON = False,
) -> None:
    """Stay probabilities by the last outcome and transition.

    Of an agent or of a lab's subjects. Writes stay.nc: the probabilities with bootstrap intervals and n,
    their interaction and main effect of reward, and the logistic regression on both, its errors robust to
    clusters.
    """
    from neurometa import behaviour, dataset

    trials = dataset.open_run(run)
    with noted():
        result = behaviour.stay_probability(trials, by=by, cluster=cluster)
        found = behaviour.stay_regression(trials, by=by, cluster=cluster, penalty=penalty)
    result = result.merge(found.rename({name: f"regression_{name}" for name in found.data_vars}))
    result.attrs["penalty"] = found.attrs["penalty"]
    file = save_beside(result, trials, run, "stay.nc")
    _tell(result, file, as_json=as_json)


def _mean(x: Any, bounds: Any) -> tuple[float, float, float]:
    """One number with its own interval, or the mean of several with Student's."""
    from neurometa import behaviour

    if x.ndim == 0:
        return float(x), float(bounds[0]), float(bounds[1])
    found = behaviour.mean_interval(x.stack(each=x.dims, create_index=False), "each")
    return float(found["mean"]), float(found["lower"]), float(found["upper"])


def _tell(result: Any, file: Path, *, as_json: bool) -> None:
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
    n, without = int(result.reason.size), reasons(result.reason)
    weights = result.regression_coef
    told: dict[str, Any] = {
        "file": str(file),
        "groups": n,
        "by": [str(dim) for dim in groups],
        "cells": cells,
        **effects,
        "reasons": without,
        "regression_reasons": reasons(result.regression_reason),
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
    tell_reasons(without, "No contrast for")
    left = {reason: k for reason, k in told["regression_reasons"].items() if reason not in without}
    if result.attrs["penalty"] == "none":
        tell_reasons(left, "No regression weights (try --penalty firth) for")
    say(f"Everything is in {file}.")
