"""Claim by claim: what was published, what these runs show, and whether the one holds in the other."""

import dataclasses
import json
import math
import operator
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from neurometa import behaviour, dataset, exact, reference
from neurometa.errors import InputError, nearest

RESULTS = {"behaviour.nc": "rollout", "regret.nc": "regret", "fit_rw.nc": "fit-rw"}  # and the command that makes each
NO_REWARD = ["observation", "action", "time"]
ENOUGH = 8  # seeds, of which one in eight may miss an ordering or a bound


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A claim beside what runs say of it.

    Parameters
    ----------
    claim, statement, paper, where : str
        Which claim, in words, and its place.
    published : float
        NaN where the paper gives no number or it was not obtained.
    criterion : str
        The bounds that decide.
    ours, lower, upper : float
        Mean over seeds and its 95 % interval (Student's t); of one seed, over its episodes. NaN where unknown.
    each : tuple of float
        One value per seed, or per pair of seeds of two experiments.
    n : int
        Episodes of all seeds; 0 for an exact value.
    seeds : tuple of int
        Training seeds.
    budget : int
        Environment steps of training, per seed.
    verdict : {"reproduced", "not reproduced", "not run"}
        Reproduced if the bounds hold in every seed (of 8 or more, in seven eighths).
    note : str
        What to run, what was left out, and why a verdict must be read with care.
    """

    claim: str
    statement: str
    paper: str
    where: str
    published: float
    criterion: str
    ours: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    each: tuple[float, ...] = ()
    n: int = 0
    seeds: tuple[int, ...] = ()
    budget: int = 0
    verdict: str = "not run"
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run folder, as its ``config.json`` tells of it."""

    path: Path
    experiment: str
    config: dict[str, Any]

    @property
    def seed(self) -> int:
        """Training seed."""
        return int(self.config["seed"])

    def settings(self) -> str:
        """All settings but the seed, to tell whether two runs differ in nothing else."""
        return json.dumps({name: value for name, value in self.config.items() if name != "seed"}, sort_keys=True)


class NotRunError(Exception):
    """A result is absent; the message says how to make it."""


def compare(which: str | None = None, runs: Path | None = None, *, place: Path | None = None) -> list[Comparison]:
    """Set every published claim beside what the runs of a folder show.

    Parameters
    ----------
    which : str, optional
        A paper (``"w16"``), a record (``"w16_fig4c"``) or a claim; by default all.
    runs : Path, optional
        A run folder or a folder of them; runs of one experiment and the same settings are pooled as
        seeds. By default ``runs``, which may be absent.
    place : Path, optional
        Folder of the records; by default those that come with neurometa.

    Returns
    -------
    list of Comparison
        In the order of the records.

    Raises
    ------
    InputError
        There is no such paper, record, claim or folder; a record is incomplete; a ``config.json`` is damaged.
    """
    records = reference.records(place)
    chosen = [
        (record, claim)
        for name, record in records.items()
        for claim in record["claim"]
        if which in (None, record["paper"], name, claim["id"])
    ]
    if not chosen:
        allowed = sorted({record["paper"] for record in records.values()}) + list(records)
        ids = [claim["id"] for record in records.values() for claim in record["claim"]]
        hint = nearest(str(which), allowed + ids)
        raise InputError(f"There is no paper, record or claim {which!r}.{hint} There are: {', '.join(allowed)}.")
    if runs is not None and not Path(runs).is_dir():
        raise InputError(f"There is no folder {runs} of runs; make one with: neurometa train restless")
    base = Path(runs or "runs")
    found = find_runs(base)
    return [_decide(record, claim, found, base) for record, claim in chosen]


def find_runs(base: Path) -> list[Run]:
    """Return the run folders in `base`, at any depth, or `base` itself, that name their experiment.

    Raises
    ------
    InputError
        A ``config.json`` is damaged.
    """
    found = []
    for file in sorted(base.rglob("config.json")):
        try:
            told = json.loads(file.read_text())
            run = Run(file.parent, told["experiment"], dict(told["config"]))
            _ = run.seed, run.config["inputs"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file} is damaged ({error!r}); train the run anew, or move it elsewhere.") from error
        found.append(run)
    return found


def _decide(record: dict[str, Any], claim: dict[str, Any], runs: list[Run], base: Path) -> Comparison:
    criterion, note = claim["criterion"], claim.get("note", "")
    signs = {"min": "≥", "max": "≤", "above": ">", "below": "<"}
    result = Comparison(
        claim["id"],
        claim["statement"],
        record["paper"],
        record["where"],
        float(claim.get("published", math.nan)),
        " and ".join(f"{signs[bound]} {criterion[bound]:g}" for bound in reference.BOUNDS if bound in criterion),
        note=note,
    )
    if "exact" in criterion:
        ours = _exact(criterion)
        verdict = "reproduced" if _holds(ours, criterion) else "not reproduced"
        return dataclasses.replace(result, ours=ours, each=(ours,), verdict=verdict)
    try:
        values, pooled, episodes, left_out = _measure(criterion, runs, base)
    except NotRunError as missing:
        return dataclasses.replace(result, note=_join(f"Needs: {missing}", note))
    each = [float(value.mean()) for value in values]
    if not np.isfinite(each).all():
        return dataclasses.replace(result, note=_join("A value is undefined (NaN).", note))
    held = sum(_holds(x, criterion) for x in each)
    seeds = tuple(sorted({run.seed for run in pooled}))
    needed = len(each) if len(seeds) < ENOUGH else math.ceil(len(each) * (ENOUGH - 1) / ENOUGH)
    ours, lower, upper = _interval(values, each)
    if criterion.get("largest"):
        ours, lower, upper = max(each), math.nan, math.nan
    return dataclasses.replace(
        result,
        ours=ours,
        lower=lower,
        upper=upper,
        each=tuple(each),
        n=episodes,
        seeds=seeds,
        budget=max(_budget(run) for run in pooled),
        verdict="reproduced" if held >= needed else "not reproduced",
        note=_join(f"Holds in {held} of {len(each)}." if held < len(each) else "", left_out, note),
    )


def _measure(criterion: dict[str, Any], runs: list[Run], base: Path) -> tuple[list[xr.DataArray], list[Run], int, str]:
    """Values of the criterion's quantity per seed (or pair of seeds), their runs, episodes, and what was left out."""
    one = {key: value for key, value in criterion.items() if key in reference.QUANTITY}
    pooled, left_out = _pool(one, runs, base)
    values = [_quantity(one, run, criterion) for run in pooled]
    episodes = sum(_episodes(one, run) for run in pooled)
    for how, join in (("minus", operator.sub), ("over", operator.truediv)):
        if how not in criterion:
            continue
        if "exact" in criterion[how]:
            known = _exact(criterion[how])
            values = [join(value, known) for value in values]
            continue
        other = one | criterion[how]
        if all(other.get(field) == one.get(field) for field in ("experiment", "ablated")):
            beside = [_quantity(other, run, criterion) for run in pooled]
            paired = list(zip(values, beside, strict=True))
        else:
            others, more = _pool(other, runs, base)
            beside = [_quantity(other, run, criterion) for run in others]
            paired = [(a, b) for a in values for b in beside]
            pooled, left_out = pooled + others, _join(left_out, more)
            episodes += sum(_episodes(other, run) for run in others)
        if how == "over" or other["experiment"] != one["experiment"] or _file(other) != _file(one):
            paired = [(a.mean(), b.mean()) for a, b in paired]  # not of the same episodes
        values = [join(a, b) for a, b in paired]
    return values, pooled, episodes, left_out


def _pool(quantity: dict[str, Any], runs: list[Run], base: Path) -> tuple[list[Run], str]:
    """Finished runs of the experiment that differ in their seed only, and a word on those left out."""
    experiment, ablated = quantity["experiment"], quantity.get("ablated", False)
    of_it = [r for r in runs if r.experiment == experiment and ("reward" not in r.config["inputs"]) == ablated]
    if not of_it:
        without = f" --set inputs={','.join(NO_REWARD)}" if ablated else ""
        out = base / (f"{experiment}-no-reward" if ablated else experiment)
        raise NotRunError(f"neurometa train {experiment}{without} --out {out}")
    finished = [run for run in of_it if (run.path / "agent.safetensors").exists()]
    if not finished:
        raise NotRunError(f"neurometa train {experiment} --out {of_it[0].path} --resume (its training is not finished)")
    groups: dict[str, dict[int, Run]] = {}
    for run in finished:
        groups.setdefault(run.settings(), {}).setdefault(run.seed, run)
    pooled = list(max(groups.values(), key=len).values())
    odd = [str(run.path) for run in of_it if run not in pooled]
    return pooled, f"Left out, being unfinished, of other settings, or a seed twice: {', '.join(odd)}." if odd else ""


def _quantity(quantity: dict[str, Any], run: Run, criterion: dict[str, Any]) -> xr.DataArray:
    """Value of each episode, or one value, of one run."""
    data, place = _result(quantity, run), run.path / _file(quantity)
    if "episode" in data.sizes and data.sizes["episode"] < criterion.get("episodes", 1):
        raise NotRunError(
            f"{criterion['episodes']} test episodes at least, and {place} has {data.sizes['episode']}: "
            f"neurometa rollout {run.path} --episodes {criterion['episodes']}"
        )
    variable, select = quantity["variable"], quantity.get("select", {})
    try:
        x = data[variable] if variable in data else DERIVED[variable](data)
        x = x.sel(select).astype(float) if variable != "choice" else x.sel(select)
    except (KeyError, InputError) as error:
        lacking = f"{variable!r}" + (f" at {select}" if select else "")
        raise NotRunError(f"{lacking} in {place}, which lacks it ({str(error).strip(chr(34))})") from error
    if "trials" in quantity:
        first, last = quantity["trials"]
        if last > x.sizes["trial"]:
            raise NotRunError(f"{last} trials an episode, and {place} has {x.sizes['trial']}")
        x = x.isel(trial=slice(first - 1, last))
    if "equals" in quantity:
        equal = quantity["equals"]
        wanted = data[equal].isel(trial=slice(*_span(quantity, data))) if isinstance(equal, str) else equal
        x = (x == wanted).astype(float)
    if "trial" in x.dims:
        x = x.sum("trial") if quantity.get("total") else x.mean("trial")
    if quantity.get("statistic", "mean") != "mean":
        x = behaviour.mean_interval(x)[quantity["statistic"]]
    return x.reset_coords(drop=True)


def _span(quantity: dict[str, Any], data: xr.Dataset) -> tuple[int, int]:
    first, last = quantity.get("trials", (1, data.sizes["trial"]))
    return first - 1, last


def _file(quantity: dict[str, Any]) -> str:
    on = quantity.get("on", quantity["experiment"])
    return quantity.get("file", "behaviour.nc") if on == quantity["experiment"] else f"on-{on}.nc"


def _result(quantity: dict[str, Any], run: Run) -> xr.Dataset:
    """Read a result that was made from the trials which the run holds now."""
    file = _file(quantity)
    path = run.path / file
    if not path.exists():
        if file not in RESULTS:
            raise NotRunError(f"{path}, the agent's trials on {quantity['on']}: the page on published claims shows how")
        raise NotRunError(f"neurometa {RESULTS[file]} {run.path}")
    try:
        data = _read(path, path.stat().st_mtime_ns)
        trials = run.path / dataset.BEHAVIOUR
        if file in RESULTS and file != dataset.BEHAVIOUR and trials.exists():
            now = _read(trials, trials.stat().st_mtime_ns)
            if data.attrs.get("created") != now.attrs.get("created"):
                raise NotRunError(f"neurometa {RESULTS[file]} {run.path} ({file} is of an earlier rollout)")
    except InputError as error:
        raise NotRunError(f"a whole file: {error}") from error
    return data


@lru_cache(maxsize=32)
def _read(path: Path, changed: int) -> xr.Dataset:
    return dataset.read(path)


def _episodes(quantity: dict[str, Any], run: Run) -> int:
    return _result(quantity, run).sizes.get("episode", 0)


def _budget(run: Run) -> int:
    """Environment steps of training, as the results of the run carry them."""
    for file in RESULTS:
        path = run.path / file
        if path.exists() and "budget" in (attrs := _read(path, path.stat().st_mtime_ns).attrs):
            return int(attrs["budget"])
    return 0


def _suboptimal(data: xr.Dataset) -> xr.DataArray:
    lost = behaviour.regret(data)
    return (lost > 1e-9).where(lost.notnull())


def _end_point_order(data: xr.Dataset) -> xr.DataArray:
    """Absolute Spearman correlation of the hidden state's first principal component with arm 0's probability."""
    dataset.require(data, hidden=("episode", "trial", "step", "unit"), reward_prob=("episode", "trial", "arm"))
    last = data.hidden.isel(trial=-1, step=-1).transpose("episode", "unit").values.astype(float)
    left, size, _ = np.linalg.svd(last - last.mean(0), full_matrices=False)
    rho = stats.spearmanr(left[:, 0] * size[0], data.reward_prob.isel(trial=-1, arm=0).values).statistic
    return xr.DataArray(abs(rho))


DERIVED: dict[str, Callable[[xr.Dataset], xr.DataArray]] = {
    "regret": behaviour.regret,
    "suboptimal": _suboptimal,
    "end_point_order": _end_point_order,
}


def _exact(about: dict[str, Any]) -> float:
    """Expected cumulative regret of a policy at a trial, from `neurometa.exact`."""
    known = about["exact"], about["prior"], about.get("bonus"), about.get("discount")
    return float(_exact_curve(*known)[about["trial"] - 1])


@lru_cache(maxsize=32)
def _exact_curve(name: str, prior_name: str | float, bonus: float | None, discount: float | None) -> np.ndarray:
    n_trials = 100
    if prior_name == "independent":
        prior = exact.independent()
    else:
        prior = exact.anticorrelated(None if prior_name == "uniform" else float(prior_name))
    policies: dict[str, Callable[[], exact.Policy]] = {
        "optimal": lambda: exact.bayes_optimal(prior, n_trials)[0],
        "thompson": lambda: exact.thompson(n_trials),
        "ucb": lambda: exact.ucb(n_trials, bonus=1.0 if bonus is None else bonus),
        "gittins": lambda: exact.gittins_index(n_trials, discount=discount),
    }
    if name not in policies:
        raise InputError(f"A criterion names the exact policy {name!r}; allowed are {', '.join(policies)}.")
    return exact.evaluate(policies[name](), prior).values


def _holds(x: float, criterion: dict[str, Any]) -> bool:
    return (
        x >= criterion.get("min", -math.inf)
        and x <= criterion.get("max", math.inf)
        and ("above" not in criterion or x > criterion["above"])
        and ("below" not in criterion or x < criterion["below"])
    )


def _interval(values: list[xr.DataArray], each: list[float]) -> tuple[float, float, float]:
    """Mean with its 95 % interval: over seeds, or over the episodes of a single one."""
    over = xr.DataArray(each, dims="seed") if len(each) > 1 else values[0]
    if not over.dims:
        return float(over), math.nan, math.nan
    found = behaviour.mean_interval(over, str(over.dims[0]))
    return float(found["mean"]), float(found.lower), float(found.upper)


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
