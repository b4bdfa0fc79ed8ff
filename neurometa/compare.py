"""Claim by claim: what was published, what these runs show, and whether the one holds in the other."""

import contextlib
import dataclasses
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from neurometa import behaviour, criteria, reference, results
from neurometa.errors import InputError, nearest
from neurometa.results import MissingError, Run, find_runs

ENOUGH = 8  # agents, of which one in eight may miss an ordering or a bound, where the claim says no other share


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A claim beside what runs say of it.

    Parameters
    ----------
    claim, statement, paper, record, where : str
        Which claim, in words, and its place.
    published : float
        NaN where the paper gives no number or it was not obtained.
    criterion : str
        The bounds that decide.
    ours, lower, upper : float
        Mean over agents and its 95 % interval (Student's t); of one agent, over its episodes. NaN where unknown.
    each : tuple of float
        One value per agent, or per pair of agents of two experiments.
    n : int
        Episodes of all agents; 0 for an exact value.
    seeds : tuple of int
        Training seeds.
    agents : int
        How many agents of an experiment: seeds of one setting, or the best of a sweep.
    budget : int
        Environment steps of training, per agent.
    verdict : {"reproduced", "not reproduced", "not run"}
        Reproduced if the bounds hold in every agent (of 8 or more, in seven eighths, or in the claim's own
        ``share_of_agents``), or in the mean over agents where the claim is of a mean (``on_mean``).
    note : str
        What to run, what was left out, and why a verdict must be read with care.
    """

    claim: str
    statement: str
    paper: str
    record: str
    where: str
    published: float
    criterion: str
    ours: float = math.nan
    lower: float = math.nan
    upper: float = math.nan
    each: tuple[float, ...] = ()
    n: int = 0
    seeds: tuple[int, ...] = ()
    agents: int = 0
    budget: int = 0
    verdict: str = "not run"
    note: str = ""


def compare(which: str | None = None, runs: Path | None = None, *, place: Path | None = None) -> list[Comparison]:
    """Set every published claim beside what the runs of a folder show.

    Parameters
    ----------
    which : str, optional
        A paper (``"w16"``), a record (``"w16_fig4c"``) or a claim; by default all.
    runs : Path, optional
        A run folder, a sweep or a folder of them, pooled as `results.pool` says. By default ``runs``,
        which may be absent.
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
    chosen, records = choose(which, place), reference.records(place)
    if runs is not None and not Path(runs).is_dir():
        raise InputError(f"There is no folder {runs} of runs; make one with: neurometa train restless")
    base = Path(runs or "runs")
    found = find_runs(base) if base.is_dir() else []
    claims = {claim["id"]: claim for record in records.values() for claim in record["claim"]}
    return [_decide(name, records[name], claims[claim], found, base) for name, claim in chosen]


def choose(which: str | None = None, place: Path | None = None) -> list[tuple[str, str]]:
    """Return the claims that are asked for, each with its record, in the order of the records.

    Parameters
    ----------
    which, place
        As for `compare`.

    Raises
    ------
    InputError
        There is no such paper, record or claim.
    """
    records = reference.records(place)
    chosen = [
        (name, str(claim["id"]))
        for name, record in records.items()
        for claim in record["claim"]
        if which in (None, record["paper"], name, claim["id"])
    ]
    if not chosen and which in records:
        raise InputError(f"The record {which!r} claims nothing; its table comes with reference.load({which!r}).")
    if not chosen:
        claiming = {name: record for name, record in records.items() if record["claim"]}
        allowed = sorted({record["paper"] for record in claiming.values()}) + list(claiming)
        ids = [claim["id"] for record in records.values() for claim in record["claim"]]
        hint = nearest(str(which), allowed + ids)
        raise InputError(f"There is no paper, record or claim {which!r}.{hint} There are: {', '.join(allowed)}.")
    return chosen


def of_run(run: Run, *, place: Path | None = None) -> list[Comparison]:
    """Set beside one run alone the claims that are of agents of its kind.

    Parameters
    ----------
    run : Run
        As `results.find_runs` returns it; training came to its end.
    place : Path, optional
        Folder of the records; by default those that come with neurometa.

    Returns
    -------
    list of Comparison
        In the order of the records. "not run" is one that needs a further result, or agents of another kind beside
        this one; its note says how to get there.

    Raises
    ------
    InputError
        A record is incomplete.
    """
    return [
        _decide(name, record, claim, [run], run.path)
        for name, record in reference.records(place).items()
        for claim in record["claim"]
        if _is_of(claim["criterion"], run)
    ]


def _is_of(criterion: dict[str, Any], run: Run) -> bool:
    """Whether a criterion asks, first or second, for agents such as the run's."""
    first = {name: x for name, x in criterion.items() if name in criteria.AGENTS}
    for asked in (first, *(first | criterion[how] for how in ("minus", "over") if how in criterion)):
        with contextlib.suppress(MissingError):
            if "experiment" in asked and results.pool(
                [run], asked["experiment"], ablated=asked.get("ablated", False), config=asked.get("config")
            ):
                return True
    return False


def _decide(name: str, record: dict[str, Any], claim: dict[str, Any], runs: list[Run], base: Path) -> Comparison:
    criterion, note = claim["criterion"], claim.get("note", "")
    signs = {"min": "≥", "max": "≤", "above": ">", "below": "<"}
    result = Comparison(
        claim["id"],
        claim["statement"],
        record["paper"],
        name,
        record["where"],
        float(claim.get("published", math.nan)),
        " and ".join(f"{signs[bound]} {criterion[bound]:g}" for bound in reference.BOUNDS if bound in criterion),
        note=note,
    )
    if "exact" in criterion:
        ours = criteria.exact_value(criterion)
        verdict = "reproduced" if _holds(ours, criterion) else "not reproduced"
        return dataclasses.replace(result, ours=ours, each=(ours,), verdict=verdict)
    try:
        values, pooled, episodes, left_out = criteria.measure(criterion, runs, base)
    except MissingError as missing:
        return dataclasses.replace(result, note=f"Needs: {missing.needs}")  # there is nothing yet to read with care
    each = [float(value.mean()) for value in values]
    if not np.isfinite(each).all():
        return dataclasses.replace(result, note=_join("A value is undefined (NaN).", note))
    held = sum(_holds(x, criterion) for x in each)
    seeds = tuple(sorted({run.seed for run in pooled}))
    kinds = tuple(Counter((run.experiment, run.group()) for run in pooled).values())
    share = criterion.get("share_of_agents", (ENOUGH - 1) / ENOUGH) if max(kinds) >= ENOUGH else 1
    needed = math.ceil(len(each) * share)
    ours, lower, upper = _interval(values, each, kinds)
    if criterion.get("largest"):
        ours, lower, upper = max(each), math.nan, math.nan
    holds = _holds(ours, criterion) if criterion.get("on_mean") else held >= needed
    return dataclasses.replace(
        result,
        ours=ours,
        lower=lower,
        upper=upper,
        each=tuple(each),
        n=episodes,
        seeds=seeds,
        agents=max(kinds),
        budget=max(criteria.budget(run) for run in pooled),
        verdict="reproduced" if holds else "not reproduced",
        note=_join(f"Holds in {held} of {len(each)}." if held < len(each) else "", left_out, note),
    )


def _holds(x: float, criterion: dict[str, Any]) -> bool:
    return (
        x >= criterion.get("min", -math.inf)
        and x <= criterion.get("max", math.inf)
        and ("above" not in criterion or x > criterion["above"])
        and ("below" not in criterion or x < criterion["below"])
    )


def _interval(values: list[xr.DataArray], each: list[float], kinds: tuple[int, ...]) -> tuple[float, float, float]:
    """Mean with its 95 % interval: over agents, over all pairs of two kinds of agents, or over one agent's episodes."""
    if len(kinds) == 2 and len(each) > 1:
        return _interval_of_pairs(np.reshape(each, kinds))
    over = xr.DataArray(each, dims="agent") if len(each) > 1 else values[0]
    if not over.dims:
        return float(over), math.nan, math.nan
    found = behaviour.mean_interval(over, str(over.dims[0]))
    return float(found["mean"]), float(found.lower), float(found.upper)


def _interval_of_pairs(each: np.ndarray) -> tuple[float, float, float]:
    """Welch's interval: the pairs of m agents with n others are not m x n independent values."""
    mean = float(each.mean())
    if min(each.shape) < 2:
        return mean, math.nan, math.nan
    squares = [each.mean(1 - axis).var(ddof=1) / each.shape[axis] for axis in (0, 1)]
    spread = sum(square**2 / (size - 1) for square, size in zip(squares, each.shape, strict=True))
    half = special.stdtrit(sum(squares) ** 2 / spread, 0.975) * math.sqrt(sum(squares)) if spread else 0.0
    return mean, mean - half, mean + half


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
