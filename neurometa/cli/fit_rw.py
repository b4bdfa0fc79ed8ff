"""The command that fits Rescorla-Wagner learners: fit-rw. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.fits import estimated, file_name, model_of, noted, start_of, tell_few
from neurometa.cli.group import fit_group
from neurometa.cli.options import JSON, Group, Hierarchical, Overwrite, Per, Start, Trials
from neurometa.cli.printing import interval, number, say, say_json, table
from neurometa.cli.saving import save_fit
from neurometa.errors import InputError

EXAMPLE = "neurometa fit-rw runs/mice --hierarchical"


def fit_rw(
    trials: Trials,
    model: Annotated[
        str, typer.Option(help="rescorla-wagner, single-value, two-learning-rates, forgetting, choice-kernel, ...")
    ] = "rescorla-wagner",
    intervals: Annotated[bool, typer.Option("--intervals", help="Add 95 % profile-likelihood intervals.")] = False,
    pool: Annotated[list[str] | None, typer.Option(help="Dim to pool over, e.g. episode; may be given again.")] = None,
    window: Annotated[
        int | None, typer.Option(help="Fit a sliding window of so many trials.", show_default="all")
    ] = None,
    per: Per = None,
    start: Start = None,
    hierarchical: Hierarchical = False,
    group: Group = None,
    overwrite: Overwrite = False,
    as_json: JSON = False,
) -> None:
    """Fit a Rescorla-Wagner learner to the choices of each episode.

    Fits are exact maxima of the likelihood. Writes fit_rw.nc, for another --model fit_MODEL_ml.nc:
    parameters with standard errors, log-likelihood, what sits on a bound; and, where the trials carry the
    drift of their world, the regression of the learning rate on it. With --hierarchical, fit_rw_hierarchical.nc:
    the group's means and SDs, and each member's estimate. With --window 10, fit_rw_window_10.nc. The command
    models compares what is there.
    """
    from neurometa import behaviour, dataset

    kind = _model(model)
    data = dataset.open_run(trials)
    grouped = hierarchical or group is not None
    name = _file(model, grouped=grouped, window=window)
    if grouped:
        if window is not None or intervals:
            raise InputError("--hierarchical fits whole episodes, with intervals; leave out --window and --intervals.")
        asked: dict[str, Any] = {"group": group, "pool": pool, "start": start}
        fit_group(kind, data, trials, name, **asked, overwrite=overwrite, as_json=as_json)
        return
    with noted():
        fitted = behaviour.fit(
            kind, data, pool=tuple(pool or ()), window=window, per=per, start=start_of(start), intervals=intervals
        )
    follows = kind.rates()[:1] == ("learning_rate",) and "drift_sd" in data and not pool and not window
    if follows:
        fitted = fitted.merge(behaviour.follow_volatility(fitted, data))
    file = save_fit(fitted, data, trials, name, overwrite=overwrite)
    _tell(kind, fitted, file, as_json=as_json)


def _file(model: str, *, grouped: bool, window: int | None) -> str:
    """Name of the file: every model and way of fitting has its own."""
    plain = model == "rescorla-wagner"
    which = "fit_rw" if plain else f"fit_{file_name(model)}"
    how = "_hierarchical" if grouped else f"_window_{window}" if window is not None else "" if plain else "_ml"
    return f"{which}{how}.nc"


def _model(name: str) -> Any:
    from neurometa import models

    return model_of(name, models.MODELS)


def _tell(kind: Any, fitted: Any, file: Path, *, as_json: bool) -> None:
    from neurometa import behaviour

    medians = {name: behaviour.median_interval(fitted[name]) for name in estimated(fitted)}
    n, failed = int(fitted.converged.size), int((~fitted.converged).sum())
    record: dict[str, Any] = {"file": str(file), "model": kind.__name__, "fits": n, "failed": failed}
    record["at_bound"] = int(fitted.at_bound.sum())
    record["log_likelihood"] = float(fitted.log_likelihood.sum(min_count=1))
    for name, found in medians.items():
        record[name] = {key: float(found[key]) for key in ("median", "lower", "upper")}
    if "r_squared" in fitted:
        told = {key: float(fitted[key]) for key in ("slope", "r_squared", "p_value", "n")}
        by_band = {key: fitted[key].to_series().to_dict() for key in ("band_mean", "difference_p_value")}
        record["volatility"] = told | by_band
    if as_json:
        say_json(record)
        return
    rows = [
        [name, number(x["median"]), interval(x["lower"], x["upper"])] for name, x in record.items() if name in medians
    ]
    table(["parameter", "median", "95 % interval"], rows, f"{kind.__name__}, {n} fit{'s' if n != 1 else ''}")
    say(f"On a bound: {record['at_bound']} of {n}. Log-likelihood {number(record['log_likelihood'], 6)} nats in all.")
    tell_few(n, "each fit's own is in the file with --intervals")
    if failed:
        say(f"Without an estimate: {failed} (no choice to score, or choices that say nothing of a parameter).")
    if "volatility" in record:
        told = record["volatility"]
        line = f"R² {told['r_squared']:.3f}, slope {number(told['slope'])}, p {told['p_value']:.1g}"
        say(f"Learning rate on volatility: {line}.")
        means = ", ".join(f"{band} {mean:.3f}" for band, mean in told["band_mean"].items())
        steps = ", ".join(f"{step} p {p:.1g}" for step, p in told["difference_p_value"].items())
        say(f"Its mean by band of volatility: {means} ({steps}).")
    say(f"Everything is in {file}.")
