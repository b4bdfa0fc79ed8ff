"""Claim by claim: what was published, what these runs show, and whether the one holds in the other."""

import contextlib
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
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
        Mean over agents and its 95 % interval, of what `over` says. NaN where unknown.
    over : str
        What the interval is over: ``"8 agents x 1,000 episodes"``; ``"8 agents"`` where a result has one value per
        agent, so that it holds for these episodes alone; ``"1 agent, 1,000 episodes"`` where all rests on one agent.
    untrained : float
        Mean over the same agents before training, where the claim is decided on the difference as well; else NaN.
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
    same_as : str
        The claim that has this one's statistic and bound, with which it is counted once; else empty.
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
    over: str = ""
    untrained: float = math.nan
    each: tuple[float, ...] = ()
    n: int = 0
    seeds: tuple[int, ...] = ()
    agents: int = 0
    budget: int = 0
    verdict: str = "not run"
    same_as: str = ""
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
    criteria.check(claim)
    criterion, note = claim["criterion"], claim.get("note", "")
    if "same_as" in claim:
        note = _join(f"Counted once, with {claim['same_as']}.", note)
    result = Comparison(
        claim["id"],
        claim["statement"],
        record["paper"],
        name,
        record["where"],
        float(claim.get("published", math.nan)),
        _bounds(criterion),
        same_as=claim.get("same_as", ""),
        note=note,
    )
    if "exact" in criterion:
        ours = criteria.exact_value(criterion)
        verdict = "reproduced" if _holds(ours, criterion) else "not reproduced"
        return dataclasses.replace(result, ours=ours, over="exact", each=(ours,), verdict=verdict)
    try:
        found = criteria.measure(criterion, runs, base)
    except MissingError as missing:
        return dataclasses.replace(result, note=f"Needs: {missing.needs}")  # there is nothing yet to read with care
    each = found.each()
    if not np.isfinite(each).all():
        return dataclasses.replace(result, note=_join("A value is undefined (NaN).", note))
    held = [_holds(x, criterion) for x in each]
    before = math.nan if found.untrained is None else float(found.untrained.mean())
    if found.untrained is not None:
        gained = each - criteria.means(found.untrained)
        held = [both and _holds(gain, criterion["untrained"]) for both, gain in zip(held, gained, strict=True)]
        asked = _bounds(criterion["untrained"])
        note = _join(f"Untrained: {before:.3g}{f'; the difference must be {asked}' if asked else ''}.", note)
    share = criterion.get("share_of_agents", (ENOUGH - 1) / ENOUGH) if max(found.kinds) >= ENOUGH else 1
    ours, lower, upper = _interval(found, share=criteria.is_share(criterion))
    if criterion.get("largest"):
        ours, lower, upper = float(each.max()), math.nan, math.nan
    holds = _holds(ours, criterion) if criterion.get("on_mean") else sum(held) >= math.ceil(len(each) * share)
    return dataclasses.replace(
        result,
        ours=ours,
        lower=lower,
        upper=upper,
        over=_over(found),
        untrained=before,
        each=tuple(each.tolist()),
        n=found.n_episodes,
        seeds=tuple(sorted({run.seed for run in found.agents})),
        agents=max(found.kinds),
        budget=max(criteria.budget(run) for run in found.agents),
        verdict="reproduced" if holds else "not reproduced",
        note=_join(f"Holds in {sum(held)} of {len(each)}." if sum(held) < len(each) else "", found.left_out, note),
    )


def _bounds(criterion: dict[str, Any]) -> str:
    signs = {"min": "≥", "max": "≤", "above": ">", "below": "<"}
    return " and ".join(f"{signs[bound]} {criterion[bound]:g}" for bound in reference.BOUNDS if bound in criterion)


def _holds(x: float, criterion: dict[str, Any]) -> bool:
    return (
        x >= criterion.get("min", -math.inf)
        and x <= criterion.get("max", math.inf)
        and ("above" not in criterion or x > criterion["above"])
        and ("below" not in criterion or x < criterion["below"])
    )


def _interval(found: criteria.Measured, *, share: bool) -> tuple[float, float, float]:
    """Mean with its 95 % interval, over agents and the episodes that they share, as far as there are several.

    That of a share is symmetric in its log odds, so that it keeps within 0 and 1.
    """
    ours = float(found.each().mean())
    if max(found.kinds) == 1 and "episode" not in found.values.dims:
        return ours, math.nan, math.nan
    about = behaviour.crossed_interval(found.values, found.beside)
    if not share or not 0 < ours < 1:
        return ours, float(about.lower), float(about.upper)
    reach = (float(about.upper) - float(about.lower)) / 2 / (ours * (1 - ours))
    return ours, float(special.expit(special.logit(ours) - reach)), float(special.expit(special.logit(ours) + reach))


def _over(found: criteria.Measured) -> str:
    """What an interval is over, or what a value without one rests on."""
    n = " and ".join(map(str, found.kinds))
    agents = f"{n} agent{'s' if found.kinds != (1,) else ''}"
    if "episode" not in found.values.dims:
        return agents
    n_episodes = int(found.values.notnull().all("agent").sum())
    return f"{agents}{',' if max(found.kinds) == 1 else ' x'} {n_episodes:,} episodes"


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
