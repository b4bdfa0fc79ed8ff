"""The command that tells what a folder holds: show. It needs no torch."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import say, say_json, table
from neurometa.errors import InputError

EXAMPLE = "neurometa show runs/restless"


def show(run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)], as_json: JSON = False) -> None:
    """Tell what a run is, and what has been analysed."""
    from neurometa import results
    from neurometa.dataset import BEHAVIOUR, read

    if not run.is_dir():
        raise InputError(f"There is no run folder {run}.")
    record: dict[str, Any] = {"run": str(run)}
    if (run / results.DRAWS).exists():
        record |= _sweep(run)
    if (run / "config.json").exists():
        record |= _training(run)
    if (run / BEHAVIOUR).exists():
        trials = read(run)
        record["trials"] = {str(dim): size for dim, size in trials.sizes.items()}
        record["made_from"] = str(trials.attrs.get("agent") or trials.attrs.get("source") or "a table")
    found = {path.name: path.stat().st_size for path in sorted(run.iterdir()) if path.is_file() and path.name[0] != "."}
    record["files"] = found
    if len(record) == 2 and not found:
        raise InputError(f"{run} is empty; make a run with: neurometa train restless --out {run}")
    if as_json:
        say_json(record)
        return
    apart = ("run", "files", "settings")
    table(
        ["run", str(run)], [[key.replace("_", " "), _told(value)] for key, value in record.items() if key not in apart]
    )
    if "settings" in record:
        table(["setting", "value"], [[key, _told(value)] for key, value in record["settings"].items()])
    table(["file", "size"], [[name, f"{size / 1e3:,.1f} kB"] for name, size in found.items()])
    say(f"Next: {_next(run, found)}")


def _next(run: Path, found: Collection[str]) -> str:
    """Say the first command whose file is absent; trials that were imported can only be fitted."""
    if "draws.json" in found:
        told = _sweep(run)
        again = f"neurometa sweep {told['experiment']} --out {run}"
        return again if "sweep.nc" not in found else f"neurometa rollout {run}, which lets the best play"
    if "config.json" not in found:
        fitted = "fit_rw.nc" in found
        return (
            f"neurometa report {run}; in a notebook, neurometa.dataset.read({str(run / 'fit_rw.nc')!r})"
            if fitted
            else f"neurometa fit-rw {run}"
        )
    experiment = _training(run)["experiment"]
    steps = {
        "agent.safetensors": f"neurometa train {experiment} --out {run} --resume",
        "behaviour.nc": f"neurometa rollout {run}",
    }
    if experiment.startswith("restless"):
        steps |= {
            "fit_rw.nc": f"neurometa fit-rw {run}",
            "regret.nc": f"neurometa regret {run}",
            "w16-fig4.pdf": f"neurometa figure w16-fig4 --run {run}",
        }
    missing = [command for name, command in steps.items() if name not in found]
    return missing[0] if missing else f"neurometa compare --runs {run}"


def _sweep(run: Path) -> dict[str, Any]:
    """What the table of a sweep and its folders say, without torch."""
    from neurometa.storage import read_json

    told = read_json(run / "draws.json")
    try:
        drawn = {draw["sets"]: [draw["low"], draw["high"]] for draw in told["draws"]}
        n_rows, experiment = len(told["rows"]), told["experiment"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{run / 'draws.json'} is damaged ({error!r}).") from error
    done = sum(1 for _ in run.glob("*/score.nc"))
    return {"experiment": experiment, "rows": f"{done} of {n_rows} done", "drawn": drawn}


def _training(run: Path) -> dict[str, Any]:
    """What ``config.json`` and the learning curve say, without torch."""
    from neurometa.settings import modern
    from neurometa.storage import read_json, read_lines

    told = read_json(run / "config.json")
    try:
        settings = modern(dict(told["config"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{run / 'config.json'} is damaged ({error}).") from error
    record: dict[str, Any] = {
        key: told[key] for key in ("experiment", "created", "neurometa", "commit", "device", "torch") if key in told
    }
    record["settings"] = {key: value for key, value in settings.items() if key != "type"}
    curve = run / "curve.jsonl"
    done = (run / "agent.safetensors").exists()
    rows = read_lines(curve, settings.get("n_updates") if done else None) if curve.exists() else []
    played = f", {len(rows)} of {settings.get('n_updates')} updates" if rows or not done else ""
    record["training"] = f"{'finished' if done else 'not finished'}{played}"
    if rows:
        reward = [row["reward"] for row in rows]
        record["environment_steps"] = rows[-1]["steps"]
        counted = told.get("curve_counts", "trial")
        record[f"reward_per_{counted}"] = {"first": reward[0], "last": reward[-1], "curve": _spark(reward)}
    return record


def _spark(values: list[float], width: int = 24) -> str:
    """Draw a curve in one line of block characters."""
    blocks, step = "▁▂▃▄▅▆▇█", -(-len(values) // width)
    means = [sum(values[i : i + step]) / len(values[i : i + step]) for i in range(0, len(values), step)]
    low, high = min(means), max(means)
    return "".join(blocks[round((value - low) / ((high - low) or 1) * 7)] for value in means)


def _told(value: Any) -> str:
    if isinstance(value, dict):
        if set(value) == {"type", "start", "end", "over"}:
            return f"{value['start']} to {value['end']} over {value['over']:.0%} of training"
        return ", ".join(f"{key} {_told(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(f"({_told(item)})" if isinstance(item, list) else _told(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
