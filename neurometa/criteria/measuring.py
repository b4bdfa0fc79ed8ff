"""The value of a criterion in each agent, worked out from the results of runs or from exact theory."""

import dataclasses
import inspect
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurometa import dataset, exact, expected, results
from neurometa.criteria.measures import MEASURES
from neurometa.criteria.needs import arguments, before_training, file_of, of_others, quantity_of, stages_of
from neurometa.errors import InputError
from neurometa.results import MissingError, Run


@dataclasses.dataclass(frozen=True)
class Measured:
    """A criterion's quantity in every agent.

    Parameters
    ----------
    values : DataArray
        Over ``agent``, and ``episode`` where every episode has a value.
    beside : DataArray or None
        Of the other agents, where two kinds are set beside each other; a claim is then of each pair, their difference.
    untrained : DataArray or None
        As `values`, of the same agents before training, where the claim asks for it.
    agents : list of Run
        All agents.
    kinds : tuple of int
        How many of each kind.
    n_episodes : int
        Of all agents.
    left_out : str
        What was left out, in a sentence.
    """

    values: xr.DataArray
    beside: xr.DataArray | None
    untrained: xr.DataArray | None
    agents: list[Run]
    kinds: tuple[int, ...]
    n_episodes: int
    left_out: str

    def each(self) -> np.ndarray:
        """One value per agent, or per pair of agents of two kinds, in a row."""
        first = means(self.values)
        return first if self.beside is None else np.subtract.outer(first, means(self.beside)).ravel()


def measure(criterion: dict[str, Any], runs: list[Run], base: Path) -> Measured:
    """Work out a criterion's quantity from runs.

    Parameters
    ----------
    criterion : dict
        As `reference.record` describes it.
    runs : list of Run
        As `results.find_runs` returns them.
    base : Path
        Folder that a message puts new runs into.

    Raises
    ------
    MissingError
        A run or a result is absent; the message says which command makes it.
    """
    one, least = quantity_of(criterion), criterion.get("episodes", 1)
    agents, left_out = _pool(one, runs, base)
    if "stages" in criterion:
        return _over_stages(criterion, agents, left_out, runs, base)
    values = _together([_of_one(criterion, run) for run in agents])
    before = (
        _together([_of_one(criterion, run, before_training) for run in agents]) if "untrained" in criterion else None
    )
    n_episodes, kinds = sum(_episodes(one, run) for run in agents), (len(agents),)
    if (other := of_others(criterion)) is None:
        return Measured(values, None, before, agents, kinds, n_episodes, left_out)
    others, more = _pool(other, runs, base)
    beside = _together([_value(other, run, least) for run in others])
    n_episodes += sum(_episodes(other, run) for run in others)
    left_out = " ".join(part for part in (left_out, more) if part)
    return Measured(values, beside, before, agents + others, (len(agents), len(others)), n_episodes, left_out)


def _of_one(
    criterion: dict[str, Any], run: Run, when: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> xr.DataArray:
    """A quantity of one agent, with what it is set beside of that agent or of exact theory; now, or before training."""
    one, least = quantity_of(criterion), criterion.get("episodes", 1)
    found = _value(when(one), run, least)
    for how, join in (("minus", _difference), ("over", _ratio)):
        if "exact" in criterion.get(how, {}):
            found = join(found, xr.DataArray(exact_value(criterion[how])))
        elif how in criterion and of_others(criterion) is None:
            found = join(found, _value(when(one | criterion[how]), run, least))
    return found


def _over_stages(criterion: dict[str, Any], agents: list[Run], left_out: str, runs: list[Run], base: Path) -> Measured:
    """How a quantity goes with the stage of training, in each training seed that was trained for every stage."""
    from scipy.stats import spearmanr

    one, least = quantity_of(criterion), criterion.get("episodes", 1)
    stages = [(each, _pool(each, runs, base)[0]) for each in stages_of(one, criterion)] + [(one, agents)]
    of_seed = [{run.seed: (quantity, run) for run in pooled} for quantity, pooled in stages]
    seeds = sorted(set.intersection(*(set(each) for each in of_seed)))
    if not seeds:
        raise _missing("agents of one training seed at every stage of training")
    found = []
    for seed in seeds:
        curve = [float(_value(*each[seed], least).mean()) for each in of_seed]
        if criterion["stages"].get("statistic", "rank") == "rank":
            found.append(xr.DataArray(spearmanr(curve, np.arange(len(curve))).statistic))
        else:
            found.append(xr.DataArray(np.diff(curve).min()))
    every = [run for each in of_seed for seed in seeds for run in [each[seed][1]]]
    n_episodes = sum(_episodes(*each[seed]) for each in of_seed for seed in seeds)
    return Measured(_together(found), None, None, every, (len(seeds),), n_episodes, left_out)


def _value(quantity: dict[str, Any], run: Run, least: int) -> xr.DataArray:
    """Value of each episode, or one value, of one run."""
    name, file, options = quantity["measure"], file_of(quantity), quantity.get("options", "")
    data, place = _read(run.path, file, options, activity=name == "end_point_order"), run.path / file
    if "episode" in data.sizes and data.sizes["episode"] < least:
        command = results.command_for(run.path, results.trials_of(file))
        raise _missing(
            f"{least} test episodes at least, and {place} has {data.sizes['episode']}: {command} --episodes {least}"
        )
    asked = arguments(quantity)
    if "played" in inspect.signature(MEASURES[name]).parameters:
        asked["played"] = lambda: _read(run.path, results.trials_of(file))
    try:
        found = MEASURES[name](data, **asked)
    except MissingError:
        raise
    except (KeyError, AttributeError, InputError) as error:
        told = ", ".join(f"{each} {x}" for each, x in arguments(quantity).items())
        how = f"; make it anew with: {results.command_for(run.path, file, options)}" if options else ""
        lacking = f"{name!r}{f' ({told})' if told else ''} in {place}, which lacks it"
        raise _missing(f"{lacking} ({str(error).strip(chr(34))}){how}") from error
    return found.astype(float).reset_coords(drop=True)


def _difference(a: xr.DataArray, b: xr.DataArray) -> xr.DataArray:
    """Episode by episode where both have the same ones, else of the means; its mean is the difference of the means."""
    whole = a.mean() - b.mean()
    if a.sizes != b.sizes and b.dims:
        return whole
    each = a - b
    return each + (whole - each.mean())  # not 0 where an episode lacks one of the two


def _ratio(a: xr.DataArray, b: xr.DataArray) -> xr.DataArray:
    """Ratio R of the means, as each episode's share of it: R + (a - R b) / mean(b), whose mean is R."""
    whole = a.mean() / b.mean()
    return whole + (a - whole * b) / b.mean() if a.sizes == b.sizes and a.dims else whole


def _together(values: list[xr.DataArray]) -> xr.DataArray:
    """Side by side over ``agent``, by episode where all have as many."""
    sizes = {tuple(each.sizes.items()) for each in values}
    if len(sizes) > 1:
        values = [each.mean() for each in values]
    return xr.concat(values, "agent", coords="minimal", compat="override")


def means(values: xr.DataArray) -> np.ndarray:
    """Mean of each agent."""
    return (values.mean("episode") if "episode" in values.dims else values).values.astype(float)


def _missing(needs: str) -> MissingError:
    return MissingError(f"The claim needs {needs}.", needs)


def _pool(quantity: dict[str, Any], runs: list[Run], base: Path) -> tuple[list[Run], str]:
    ablated, config = quantity.get("ablated", False), quantity.get("config", {})
    return results.pool(runs, quantity["experiment"], ablated=ablated, config=config, base=base)


def _read(run: Path, file: str, options: str = "", *, activity: bool = False) -> xr.Dataset:
    """A result that is whole; of a rollout, the hidden state only where it is asked for."""
    try:
        if activity:
            return results.read_result(run, file)
        files = {file, results.trials_of(file)}
        made = [(run / name).stat().st_mtime_ns for name in sorted(files) if (run / name).exists()]
        return _light(run, file, options, tuple(made))
    except MissingError:
        raise
    except InputError as error:
        raise _missing(f"a whole file: {error}") from error


@lru_cache(maxsize=64)
def _light(run: Path, file: str, options: str, made: tuple[int, ...]) -> xr.Dataset:
    return results.read_result(run, file, without=results.ACTIVITY, options=options)


def _episodes(quantity: dict[str, Any], run: Run) -> int:
    """Episodes that a quantity is of: its own, or those of the trials that its result was worked out from."""
    file = file_of(quantity)
    sizes = _read(run.path, file, quantity.get("options", "")).sizes
    return sizes["episode"] if "episode" in sizes else _read(run.path, results.trials_of(file)).sizes.get("episode", 0)


def budget(run: Run) -> int:
    """Environment steps of training, as the results of a run carry them; 0 where none does."""
    for file in sorted(path.name for path in run.path.glob("*.nc")):
        if results.trials_of(file) == dataset.BEHAVIOUR or file.startswith(tuple(results.PLAYED)):
            try:
                attrs = _read(run.path, file).attrs
            except MissingError:  # of an earlier rollout; another file tells as well
                continue
            if "budget" in attrs:
                return int(attrs["budget"])
    return 0


def exact_value(about: dict[str, Any]) -> float:
    """Return what exact theory says of a policy's regret, of an ideal observer's reward or of a learner's contrast."""
    if about["exact"] == "cue-learner":
        return float(exact.reversal.cue_learner(about["trial"]).sel(condition=about["condition"]))
    if about["exact"] == "two-step":
        return float(expected.two_step(about["prior"], about["trial"])[-1])
    curve = expected.regret(about["exact"], about["prior"], bonus=about.get("bonus"), discount=about.get("discount"))
    return float(curve[about["trial"] - 1])
