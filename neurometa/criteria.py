"""What a criterion asks for, worked out from the results of runs or from exact theory."""

import dataclasses
import operator
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import xarray as xr

from neurometa import behaviour, dataset, expected, reference, results
from neurometa.errors import InputError
from neurometa.neural import geometry
from neurometa.results import MissingError, Run

AGENTS = ("experiment", "ablated", "config")  # what tells one kind of agents from another


@dataclasses.dataclass(frozen=True)
class Need:
    """A file that a claim is decided on, and the agents whose run folders must hold it.

    Parameters
    ----------
    experiment : str
        Of the agents, e.g. ``"two-step"``.
    file : str
        Name in a run folder, e.g. ``"behaviour.nc"`` or ``"lesion-reset_rpe.nc"``; `results.command_for` names the
        command that makes it.
    options : str
        What that command must be given, e.g. ``"--encoding miller --lags 5 --penalty ridge"``.
    settings : tuple of str
        Settings of training other than the experiment's own, as ``--set`` takes them, e.g. ``("recurrent=false",)``.
    episodes : int
        The least number of test episodes.
    """

    experiment: str
    file: str
    options: str = ""
    settings: tuple[str, ...] = ()
    episodes: int = 1


def needs(claim: dict[str, Any]) -> list[Need]:
    """Return what a claim is decided on, trials before the results made of them; nothing for a claim of exact theory.

    Parameters
    ----------
    claim : dict
        As a record's ``claim`` lists it (`reference.record`).

    Examples
    --------
    >>> needs({"criterion": {"experiment": "two-step", "file": "stay.nc", "variable": "interaction", "min": 0.3}})[1]
    Need(experiment='two-step', file='stay.nc', options='', settings=(), episodes=1)
    """
    criterion = claim["criterion"]
    if "exact" in criterion:
        return []
    found: dict[Need, None] = {}
    first = {key: value for key, value in criterion.items() if key in reference.QUANTITY}
    others = [first | criterion[how] for how in ("minus", "over") if "exact" not in criterion.get(how, {"exact": ""})]
    for quantity in (first, *others):
        settings = tuple(results.settings(quantity.get("ablated", False), quantity.get("config")))
        file, least = _file(quantity), criterion.get("episodes", 1)
        trials = results.trials_of(file)
        found[Need(quantity["experiment"], trials, "", settings, least)] = None
        if file != trials:
            found[Need(quantity["experiment"], file, quantity.get("options", ""), settings, least)] = None
    return list(found)


def measure(criterion: dict[str, Any], runs: list[Run], base: Path) -> tuple[list[xr.DataArray], list[Run], int, str]:
    """Work out a criterion's quantity from runs.

    Parameters
    ----------
    criterion : dict
        As `reference.record` describes it.
    runs : list of Run
        As `results.find_runs` returns them.
    base : Path
        Folder that a message puts new runs into.

    Returns
    -------
    values : list of DataArray
        Of each agent, or of each pair of agents where two experiments are set beside each other: over its
        ``episode``, or one value.
    pooled : list of Run
        The agents.
    n_episodes : int
        Of all agents.
    left_out : str
        What was left out, in a sentence.

    Raises
    ------
    MissingError
        A run or a result is absent; the message says which command makes it.
    """
    one = {key: value for key, value in criterion.items() if key in reference.QUANTITY}
    pooled, left_out = _pool(one, runs, base)
    values = [_quantity(one, run, criterion) for run in pooled]
    episodes = sum(_episodes(one, run) for run in pooled)
    for how, join in (("minus", operator.sub), ("over", operator.truediv)):
        if how not in criterion:
            continue
        if "exact" in criterion[how]:
            known = exact_value(criterion[how])
            values = [join(value, known) for value in values]
            continue
        other = one | criterion[how]
        if all(other.get(field) == one.get(field) for field in AGENTS):
            beside = [_quantity(other, run, criterion) for run in pooled]
            paired = list(zip(values, beside, strict=True))
        else:
            others, more = _pool(other, runs, base)
            beside = [_quantity(other, run, criterion) for run in others]
            paired = [(a, b) for a in values for b in beside]
            pooled, left_out = pooled + others, _join(left_out, more)
            episodes += sum(_episodes(other, run) for run in others)
        if how == "over" or _episodes_of(other) != _episodes_of(one):
            paired = [(a.mean(), b.mean()) for a, b in paired]  # not of the same episodes
        values = [join(a, b) for a, b in paired]
    return values, pooled, episodes, left_out


def _quantity(quantity: dict[str, Any], run: Run, criterion: dict[str, Any]) -> xr.DataArray:
    """Value of each episode, or one value, of one run."""
    variable, file, options = quantity["variable"], _file(quantity), quantity.get("options", "")
    data = _read(run.path, file, options, activity=variable == "end_point_order")
    place = run.path / file
    if "episode" in data.sizes and data.sizes["episode"] < criterion.get("episodes", 1):
        least = criterion["episodes"]
        command = results.command_for(run.path, results.trials_of(file))
        raise _missing(
            f"{least} test episodes at least, and {place} has {data.sizes['episode']}: {command} --episodes {least}"
        )
    select = quantity.get("select", {})
    try:
        x = data[variable] if variable in data else DERIVED[variable](data)
        x = x.sel(select).astype(float) if variable != "choice" else x.sel(select)
    except (KeyError, InputError) as error:
        lacking = f"{variable!r}" + (f" at {select}" if select else "")
        how = f"; make it anew with: {results.command_for(run.path, file, options)}" if options else ""
        raise _missing(f"{lacking} in {place}, which lacks it ({str(error).strip(chr(34))}){how}") from error
    if "equals" in quantity:
        equal = quantity["equals"]
        wanted = _of_trials(equal, data, run, file) if isinstance(equal, str) else equal
        x = (x == wanted).where(x.notnull()).astype(float)
    for name, value in quantity.get("where", {}).items():
        x = x.where(_of_trials(name, data, run, file).isin(value))
    if "trials" in quantity:
        first, last = quantity["trials"]
        if last > x.sizes["trial"]:
            raise _missing(f"{last} trials an episode, and {place} has {x.sizes['trial']}")
        x = x.isel(trial=slice(first - 1, last))
    if "trial" in x.dims:
        x = x.sum("trial") if quantity.get("total") else x.mean("trial")
    x = _reduce(x, quantity)
    if quantity.get("statistic", "mean") != "mean":
        x = behaviour.mean_interval(x)[quantity["statistic"]]
    return x.reset_coords(drop=True)


def _of_trials(name: str, data: xr.Dataset, run: Run, file: str) -> xr.DataArray:
    """Return a variable of a file, or else of the trials that the file was worked out from."""
    trials = results.trials_of(file)
    if name not in data and trials != file:
        data = _read(run.path, trials)
    if name not in data:
        raise _missing(f"{name!r} in {run.path / trials}, which lacks it")
    return data[name]


def _reduce(x: xr.DataArray, quantity: dict[str, Any]) -> xr.DataArray:
    """Without its sign, as a share beyond a bound, or its extremes over dims; of anything else the mean is taken."""
    if quantity.get("absolute"):
        x = abs(x)
    if "beyond" in quantity:
        x = (abs(x) > quantity["beyond"]).where(x.notnull())
    if "least" in quantity:
        x = x.min(quantity["least"], skipna=False)
    if "most" in quantity:
        x = x.max(quantity["most"], skipna=False)
    return x


def _episodes_of(quantity: dict[str, Any]) -> tuple[Any, ...]:
    """What two quantities have in common whose values are of the same episodes."""
    return *(quantity.get(field) for field in AGENTS), _file(quantity), quantity.get("where")


def _missing(needs: str) -> MissingError:
    return MissingError(f"The claim needs {needs}.", needs)


def _file(quantity: dict[str, Any]) -> str:
    file = results.file_on(quantity["experiment"], quantity.get("on", ""))
    return quantity.get("file", file) if file == dataset.BEHAVIOUR else file


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
    file = _file(quantity)
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


def _suboptimal(data: xr.Dataset) -> xr.DataArray:
    lost = behaviour.regret(data)
    return (lost > 1e-9).where(lost.notnull())


def _end_point_order(data: xr.Dataset) -> xr.DataArray:
    """Absolute Spearman correlation of the hidden state's first principal component with arm 0's probability."""
    dataset.require(data, hidden=("episode", "trial", "step", "unit"), reward_prob=("episode", "trial", "arm"))
    first = geometry.principal_components(data.hidden.isel(trial=-1, step=-1), n_components=1).score[0]
    return abs(geometry.rank_order(first, data.reward_prob.isel(trial=-1, arm=0)))


def _readout(data: xr.Dataset) -> xr.DataArray:
    """Which of 0, 1, ... a decoder took a variable for, on episodes that it was not fitted to."""
    return data.prediction.round()


DERIVED: dict[str, Callable[[xr.Dataset], xr.DataArray]] = {
    "regret": behaviour.regret,
    "suboptimal": _suboptimal,
    "end_point_order": _end_point_order,
    "readout": _readout,
}


def exact_value(about: dict[str, Any]) -> float:
    """Return what exact theory says, up to a trial, of a policy's regret or of what an ideal observer earns."""
    if about["exact"] == "two-step":
        return float(expected.two_step(about["prior"], about["trial"])[-1])
    curve = expected.regret(about["exact"], about["prior"], bonus=about.get("bonus"), discount=about.get("discount"))
    return float(curve[about["trial"] - 1])


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
