"""The command that fits the models that are climbed from many starts: fit. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.fits import estimated, file_name, model_of, noted, start_of, tell_few
from neurometa.cli.group import fit_group
from neurometa.cli.options import JSON, Group, Hierarchical, Overwrite, Per, Start
from neurometa.cli.printing import interval, number, say, say_json, table
from neurometa.cli.saving import save_fit
from neurometa.errors import InputError

EXAMPLE = "neurometa fit runs/two-step --model hybrid --hierarchical"


def fit(
    trials: Annotated[
        Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)
    ],
    model: Annotated[
        str, typer.Option(help="hybrid, model-free, model-based, kool-hybrid, latent-state, kalman-filter, ...")
    ],
    priors: Annotated[str, typer.Option(help="none (maximum likelihood), weak, or kool (kool-hybrid only).")] = "none",
    pool: Annotated[list[str] | None, typer.Option(help="Dim to pool over, e.g. episode; may be given again.")] = None,
    per: Per = None,
    start: Start = None,
    starts: Annotated[int, typer.Option(help="Points that the search begins at.")] = 10,
    seed: Annotated[int, typer.Option(help="Fixes where the search begins.")] = 0,
    hierarchical: Hierarchical = False,
    group: Group = None,
    overwrite: Overwrite = False,
    as_json: JSON = False,
) -> None:
    """Fit another learning model, with or without priors.

    Fits are of each episode's choices. Writes fit_MODEL_ml.nc (maximum likelihood) or fit_MODEL_map.nc (with
    priors): parameters with standard errors, log-likelihood, how many starts reached the best, and what the
    choices leave open. With --hierarchical, fit_MODEL_hierarchical.nc: the group's means and SDs, and each
    member's estimate. The command models compares what is there.
    """
    from neurometa import behaviour, dataset

    kind = _model(model)
    data = dataset.open_run(trials)
    if hierarchical or group is not None:
        if priors != "none":
            raise InputError("--hierarchical has the group as its prior; leave out --priors.")
        name = f"fit_{file_name(model)}_hierarchical.nc"
        asked: dict[str, Any] = {"group": group, "pool": pool, "start": start, "seed": seed}
        fit_group(kind, data, trials, name, **asked, overwrite=overwrite, as_json=as_json)
        return
    name = f"fit_{file_name(model)}_{'ml' if priors == 'none' else 'map'}.nc"
    options = {"priors": _priors(priors, kind), "start": start_of(start), "per": per, "n_starts": starts, "seed": seed}
    with noted():
        fitted = behaviour.fit(kind, data, pool=tuple(pool or ()), **options)
    file = save_fit(fitted, data.assign_attrs(seed=seed), trials, name, overwrite=overwrite)
    _tell(kind, fitted, file, as_json=as_json)


def _model(name: str) -> Any:
    from neurometa import models

    return model_of(name, (*models.FITTED_FROM_STARTS, *models.OBSERVERS, *models.MODELS))


def _priors(name: str, kind: Any) -> Any:
    from neurometa.models import priors

    if name == "kool" and kind.__name__ != "KoolHybrid":
        raise InputError("--priors kool are those of the model kool-hybrid; for others give weak or none.")
    if name not in ("none", "weak", "kool"):
        raise InputError(f"--priors is {name!r}; allowed are none, weak and kool.")
    return {"none": None, "weak": priors.weak(kind), "kool": priors.KOOL}[name]


def _tell(kind: Any, fitted: Any, file: Path, *, as_json: bool) -> None:
    import numpy as np
    import xarray as xr

    from neurometa import behaviour

    shown = [name for name in estimated(fitted) if fitted[name].attrs["lowest"] < fitted[name].attrs["highest"]]
    flat = {name: xr.DataArray(fitted[name].values.ravel(), dims="episode") for name in shown}
    medians = {name: behaviour.median_interval(flat[name]) for name in shown}
    errors = {name: float(fitted[f"{name}_se"].median()) for name in shown}
    n, failed = int(fitted.converged.size), int((~fitted.converged).sum())
    record: dict[str, Any] = {"file": str(file), "model": kind.__name__, "fits": n, "failed": failed}
    if "n_reached" in fitted:
        reached = fitted.n_reached.values[fitted.n_trials.values > 0]
        record["n_reached"] = {"median": float(np.median(reached)), "once": int((reached == 1).sum())} if n else {}
        record["n_starts"] = int(fitted.attrs["n_starts"])
    record |= {"at_bound": int(fitted.at_bound.sum()), "log_likelihood": float(fitted.log_likelihood.sum(min_count=1))}
    for name, found in medians.items():
        record[name] = {key: float(found[key]) for key in ("median", "lower", "upper")} | {"median_se": errors[name]}
    if as_json:
        say_json(record)
        return
    rows = [
        [
            name,
            number(record[name]["median"]),
            interval(record[name]["lower"], record[name]["upper"]),
            number(errors[name]),
        ]
        for name in shown
    ]
    title = f"{kind.__name__}, {n} fit{'s' if n != 1 else ''}"
    table(["parameter", "median", "95 % interval", "median s.e."], rows, title)
    say(f"On a bound: {record['at_bound']} of {n}. Log-likelihood {number(record['log_likelihood'], 6)} nats in all.")
    tell_few(n, "the standard errors are the fits' own")
    if record.get("n_reached"):
        found, asked = record["n_reached"], record["n_starts"]
        line = f"Of {asked} starts {found['median']:g} reached the best (median of the fits)"
        say(f"{line}; in {found['once']} of {n} only one did." + " Try more --starts." * (found["once"] > n / 2))
    if failed:
        say(f"Without an estimate of every parameter: {failed}; the variable 'reason' says why.")
    say(f"Everything is in {file}.")
