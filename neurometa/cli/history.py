"""The command that asks what the past weighs in a choice: history. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.fits import noted
from neurometa.cli.options import JSON, By, Penalty, Trials
from neurometa.cli.printing import number, reasons, say, say_json, table, tell_reasons
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa history runs/two-step --encoding miller --lags 5 --penalty ridge"
SHOWN = 15  # lags that are printed


def history(
    run: Trials,
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
    """Regress choices on past choices and outcomes.

    The past goes several trials back, by a named encoding of the field. Writes history.nc: weights with
    errors and p over regressor and lag, bias, log-likelihood and n; and for miller the planning and
    model-free indices.
    """
    from neurometa import behaviour, dataset

    trials = dataset.open_run(run)
    alone = by == "episode"
    with noted():
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
    _tell(result, file, as_json=as_json)


def _tell(result: Any, file: Path, *, as_json: bool) -> None:
    groups = [dim for dim in result.bias.dims]
    n, without = int(result.reason.size), reasons(result.reason)
    mean = result.coef.mean(groups) if groups else result.coef
    told: dict[str, Any] = {"file": str(file), "encoding": result.attrs["encoding"], "groups": n}
    told |= {"n_trials": int(result.n_trials.sum()), "converged": int(result.converged.sum())}
    told |= {"separated": int(result.separated.sum()), "penalty": result.attrs["penalty"], "reasons": without}
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
        tell_reasons(without, "No weights for")
    elif told["converged"] < n:
        say(f"No weights for {n - told['converged']} of {n}: see reason in the file.")
    say(f"Everything is in {file}.")
