"""What was run: who played how much of what, what it was trained with, and where the numbers come from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurometa import behaviour, dataset
from neurometa.report.source import Source
from neurometa.report.words import interval, number, plural, told
from neurometa.settings import modern
from neurometa.storage import read_line

PROVENANCE = {  # of config.json
    "created": "training begun",
    "commit": "commit of the training",
    "neurometa": "neurometa",
    "torch": "PyTorch",
    "numpy": "NumPy",
    "python": "Python",
    "device": "device",
    "machine": "machine",
}


def lead(source: Source) -> str:
    """Say in a sentence what the page is of."""
    trials = source.trials
    if trials is None:
        return "A training run whose agent has not played test episodes yet."
    shape = _shape(trials)
    if source.run is not None:
        which = f"An agent trained on {source.run.experiment} (seed {source.run.seed})"
        return f"{which}, its weights frozen, over {shape}."
    agent = trials.attrs.get("agent")
    return f"{f'{agent}: ' if agent else ''}{shape}{'' if agent else ', as imported'}."


def _shape(trials: xr.Dataset) -> str:
    like = _like(trials)
    n_played = int(dataset.valid(trials, like).sum()) if like else trials.sizes.get("trial", 0)
    others = [str(dim) for dim in _grain(trials) if dim != "trial"]
    told_of = [plural(trials.sizes[dim], dim) for dim in others]
    if "subject" in trials.coords and "subject" not in others:
        told_of.insert(0, plural(len(np.unique(trials.subject.values.astype(str))), "subject"))
    return f"{', '.join([*told_of, plural(n_played, 'trial')])}"


def _like(trials: xr.Dataset) -> str | None:
    """Name the variable whose dims are those of the trials."""
    return next((name for name in ("choice", "reward", "action") if name in trials), None)


def _grain(trials: xr.Dataset) -> tuple[Any, ...]:
    like = _like(trials)
    return () if like is None else tuple(dim for dim in trials[like].dims if dim != "step")


def tiles(source: Source) -> list[dict[str, str]]:
    """Return the few numbers one looks for first: each a ``label``, a ``value`` and a ``note``."""
    shown = []
    trials = source.trials
    if trials is not None and "reward" in trials:
        reward = trials.reward.astype(float).where(dataset.valid(trials, "reward")).mean("trial")
        over = [str(dim) for dim in reward.dims]
        unit = "episodes"
        if "subject" in trials.coords and trials.subject.dims == ("episode",) and reward.dims == ("episode",):
            per_subject = reward.groupby("subject").mean()
            if per_subject.size > 1:
                reward, unit = per_subject, "subjects"
        reward = reward.stack(each=list(reward.dims), create_index=False) if over else reward.expand_dims("each")
        mean = behaviour.mean_interval(reward, "each")
        bounds = interval(float(mean.lower), float(mean.upper))
        note = f"95 % {bounds}, over {int(mean.n):,} {unit}" if bounds else f"over {plural(int(mean.n), unit[:-1])}"
        shown.append({"label": "reward per trial", "value": number(float(mean["mean"])), "note": note})
    if trials is not None and _grain(trials) and (like := _like(trials)):
        n = int(dataset.valid(trials, like).sum())
        note = _shape(trials).rpartition(", ")[0]
        if "choice" in trials:
            missed = int((dataset.valid(trials) & (trials.choice < 0)).sum())
            note += f"; {missed:,} missed ({missed / max(n, 1):.1%})" if missed else "; none missed"
        shown.append({"label": "trials", "value": f"{n:,}", "note": note})
    budget = budget_of(source)
    if budget:
        value = f"{budget / 1e6:,.1f} million" if budget >= 1e6 else f"{budget:,}"
        shown.append({"label": "environment steps", "value": value, "note": "of training"})
    return shown


def budget_of(source: Source) -> int:
    """Environment steps of training, as the trials tell or else the last line of the learning curve; 0 if unknown."""
    if source.trials is not None and "budget" in source.trials.attrs:
        return int(source.trials.attrs["budget"])
    path = source.path / "curve.jsonl"
    if source.path.is_dir() and path.exists():
        for line in reversed(path.read_text().splitlines()):
            try:
                return int(read_line(line)["steps"])
            except (ValueError, KeyError, TypeError):
                continue  # cut short by a kill
    return 0


def rows(source: Source) -> list[tuple[str, str]]:
    """Return what was run, name and value."""
    attrs = {} if source.trials is None else source.trials.attrs
    found: list[tuple[str, Any]] = []
    if source.run is not None:
        found.append(("experiment", source.run.experiment))
        found.append(("training seed", str(source.run.seed)))
    if "agent" in attrs:
        found.append(("agent", attrs["agent"]))
    if source.run is not None and source.run.setting("n_units"):
        found.append(("units", source.run.setting("n_units")))
        found.append(("its inputs", source.run.setting("inputs")))
    budget = budget_of(source)
    if budget:
        found.append(("environment steps", budget))
    found += [(label, source.about[key]) for key, label in PROVENANCE.items() if key in source.about]
    played = {"evaluation_seed": "evaluation seed", "created": "trials played", "commit": "commit of the evaluation"}
    played |= {"lesion": "lesion", "perturbation": "perturbation", "source": "source"}
    found += [(label, attrs[key]) for key, label in played.items() if key in attrs]
    task = str(attrs.get("task", ""))
    if task and not task.startswith("{"):
        found.append(("trials of", task.removeprefix("table: ")))
    path = source.path.resolve()  # of which the last two parts are told: the page may travel
    found.append(("folder", path.name) if path.is_dir() else ("file", f"{path.parent.name}/{path.name}"))
    return [(name, told(x)) for name, x in found if x not in (None, "")]


def settings(source: Source) -> list[tuple[str, str]]:
    """Return every setting of training, and the task that was played where it was another; fields of fields by dots."""
    config = {} if source.run is None else source.run.config
    found = list(_flat(config))
    task = "" if source.trials is None else str(source.trials.attrs.get("task", ""))
    if task.startswith("{"):
        played = modern(json.loads(task))
        if played != config.get("task"):
            found += list(_flat({"test task": played}))
    return found


def _flat(x: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    found = []
    for key, item in x.items():
        nested = isinstance(item, dict) and set(item) != {"type", "start", "end", "over"}
        if nested:
            found += _flat(item, f"{before}{key}.")
        else:
            found.append((f"{before}{key}", told(item)))
    return found


def imported(source: Source) -> list[tuple[str, str]]:
    """Return what the importer read as what, of trials from a table."""
    text = "" if source.trials is None else str(source.trials.attrs.get("report", ""))
    if not text.startswith("{"):
        return []
    try:
        report = json.loads(text)
    except ValueError:
        return []
    report["source"] = Path(str(report.get("source", ""))).name
    return [(key.replace("_", " "), told(x)) for key, x in report.items() if x not in (None, [], {}, "")]
