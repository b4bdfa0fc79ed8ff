"""Results of runs: find run folders and the best of sweeps, pool what belongs together, and read what they hold."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from neurometa import analysis, dataset, provenance
from neurometa.errors import InputError
from neurometa.settings import find, locate, modern
from neurometa.storage import read_json

ON = "on-"  # before the name of the experiment on which an agent was tested, in the name of a file
UNTRAINED = "untrained.nc"  # what the agent did before training
PLAYED = {ON: "--on", "perturbation-": "--perturbation", "lesion-": "--lesion"}  # other trials: file and option
NO_REWARD = ("observation", "action", "time")  # inputs of an agent without reward
UNDISTURBED = {  # unless a claim names another
    "network.recurrent": True,
    "disturbance.gain": 1.0,
    "disturbance.delay": 0,
    "disturbance.noise_sd": 0.0,
}
ACTIVITY = ("hidden", "cell", "logits", "value", "observation")
SWEEP, DRAWS = "sweep.nc", "draws.json"


class MissingError(InputError):
    """A result is absent or out of date.

    Attributes
    ----------
    needs : str
        The command that makes it, or what else is needed.
    """

    def __init__(self, message: str, needs: str):
        super().__init__(message)
        self.needs = needs


@dataclasses.dataclass(frozen=True)
class Run:
    """A run folder, as its ``config.json`` tells of it, or a sweep that is not finished.

    Parameters
    ----------
    path : Path
        The folder.
    experiment : str
        Name of the experiment.
    config : dict
        Settings of training, as this version saves them: those of older versions are read as `settings.modern` does.
    sweep : Path, optional
        The sweep that it is one of the best of. A sweep without ``sweep.nc`` stands for its rows; it is never trained.
    """

    path: Path
    experiment: str
    config: dict[str, Any]
    sweep: Path | None = None

    @property
    def seed(self) -> int:
        """Training seed."""
        return int(self.config["seed"])

    @property
    def trained(self) -> bool:
        """Whether training came to its end."""
        return (self.path / "agent.safetensors").exists()

    @property
    def ablated(self) -> bool:
        """Whether the agent was trained without its reward."""
        return "reward" not in self.setting("inputs", ("reward",))  # a network without that setting is given all

    def setting(self, name: str, missing: Any = None) -> Any:
        """Value of a setting, by its path or as short as `settings.locate` allows; `missing` where it has none."""
        try:
            return find(self.config, locate(self.config, name))
        except (InputError, KeyError):
            return missing

    def group(self) -> str:
        """What agents share that are pooled: the sweep they are the best of, or all settings but the seed."""
        if self.sweep is not None:
            return str(self.sweep)
        return json.dumps({name: value for name, value in self.config.items() if name != "seed"}, sort_keys=True)


def find_runs(*places: Path) -> list[Run]:
    """Return the runs in some folders, at any depth, or those folders themselves where they are runs.

    Of a sweep the rows that ``sweep.nc`` ranks from 1 to ``top`` are runs, and no others.

    Parameters
    ----------
    *places : Path
        Run folders, sweeps, or folders of them.

    Raises
    ------
    MissingError
        There is no such folder.
    InputError
        A ``config.json``, ``draws.json`` or ``sweep.nc`` is damaged.
    """
    found: dict[Path, Run] = {}
    for place in places:
        if not Path(place).is_dir():
            command = "neurometa train EXPERIMENT"
            raise MissingError(f"There is no folder {place} of runs; make one with: {command}", command)
        sweeps = {file.parent for name in (DRAWS, SWEEP) for file in Path(place).rglob(name)}
        for file in sorted(Path(place).rglob("config.json")):
            if file.parent.parent not in sweeps:
                found.setdefault(file.parent.resolve(), _open(file))
        for sweep in sorted(sweeps):
            found |= {run.path.resolve(): run for run in _best(sweep)}
    return list(found.values())


def _open(file: Path, sweep: Path | None = None) -> Run:
    told = read_json(file)
    try:
        run = Run(file.parent, str(told["experiment"]), modern(dict(told["config"])), sweep)
        _ = run.seed, run.group()
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged ({error!r}); train the run anew, or move it elsewhere.") from error
    return run


def _best(sweep: Path) -> list[Run]:
    """Runs of a sweep's best rows, the best first; of an unfinished one a run that stands for all."""
    if not (sweep / SWEEP).exists():
        return [_open(sweep / DRAWS, sweep)]
    rows = dataset.read(sweep / SWEEP)
    dataset.require(rows, run=("row",), rank=("row",))
    rows = rows.sortby("rank")
    rows = rows.isel(row=(rows["rank"].values >= 1) & (rows["rank"].values <= rows.attrs["top"]))
    return [_open(sweep / str(name) / "config.json", sweep) for name in rows.run.values]


def pool(
    runs: Sequence[Run],
    experiment: str,
    *,
    ablated: bool = False,
    config: Mapping[str, Any] | None = None,
    base: Path = Path("runs"),
) -> tuple[list[Run], str]:
    """Pick the trained runs of an experiment that count as agents of one kind.

    These are runs that differ in nothing but their seed, or the best of one sweep; of several such groups
    the largest, and of equally large ones the one that was trained for longest.

    Parameters
    ----------
    runs : sequence of Run
        As `find_runs` returns them.
    experiment : str
        E.g. ``"independent"``.
    ablated : bool
        Pick those trained without reward among their inputs, else those with it.
    config : mapping, optional
        Pick those trained with these settings, e.g. ``{"n_units": 6}``, named as `settings.locate` allows. Agents
        without memory, or taught by disturbed prediction errors, are only picked where their settings are among these.
    base : Path
        Folder that the message puts a new run into.

    Returns
    -------
    runs : list of Run
        One at least, by seed, or by rank in their sweep.
    left_out : str
        A sentence that names the other runs of the experiment, or an empty string.

    Raises
    ------
    MissingError
        There is none; the message says which command trains one.
    """
    asked = dict(config or {})
    of_it = [run for run in runs if run.experiment == experiment and run.ablated == ablated and _is_so(run, asked)]
    if not of_it:
        told = settings(False, asked)
        out = base / "-".join(
            [experiment, *(["no-reward"] if ablated else []), *(each.replace("=", "-") for each in told)]
        )
        options = "".join(f" --set {each}" for each in settings(ablated, asked))
        command = f"neurometa train {experiment}{options} --out {out}"
        kind = f" with {', '.join(told)}" if asked else ""
        raise MissingError(f"{base} holds no run of {experiment}{kind}; make one with: {command}", command)
    groups: dict[str, dict[object, Run]] = {}
    for run in of_it:
        if run.trained:
            groups.setdefault(run.group(), {}).setdefault(run.path if run.sweep else run.seed, run)
    if not groups:
        first = of_it[0]
        command = f"neurometa train {experiment} --out {first.path} --resume"
        if first.path == first.sweep:
            command = f"neurometa sweep {experiment} --out {first.path}"
        raise MissingError(
            f"{first.path} is not trained to the end; go on with: {command}",
            f"{command} (its training is not finished)",
        )
    kinds = [list(group.values()) for group in groups.values()]
    pooled = max(kinds, key=lambda group: (len(group), _length(group[0])))
    if pooled[0].sweep is None:
        pooled.sort(key=lambda run: run.seed)
    odd = [str(run.path) for run in of_it if run not in pooled]
    why = "being unfinished, of other settings or length, of a sweep that is not the larger group, or a seed twice"
    return pooled, f"Left out, {why}: {', '.join(odd)}." if odd else ""


def _is_so(run: Run, asked: Mapping[str, Any]) -> bool:
    """Whether a run was trained with the settings that are asked for, and undisturbed in all others."""
    try:
        wanted = {locate(run.config, name): value for name, value in asked.items()}
    except InputError:
        return False  # of another algorithm or network, which has no such setting
    return all(run.setting(place, value) == value for place, value in (UNDISTURBED | wanted).items())


def _length(run: Run) -> int:
    return int(run.config.get("n_updates", 0))


def settings(ablated: bool = False, config: Mapping[str, Any] | None = None) -> list[str]:
    """Return what tells agents from those of an experiment's own settings, as ``--set`` takes it.

    Parameters
    ----------
    ablated, config
        As for `pool`.
    """
    told = [f"inputs={','.join(NO_REWARD)}"] if ablated else []
    values = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in (config or {}).items()
    }
    return told + [f"{name}={value}" for name, value in values.items()]


def file_on(experiment: str, on: str) -> str:
    """Return the file of the trials that agents of an experiment played on the test task of another, or their own."""
    return dataset.BEHAVIOUR if on in ("", experiment) else f"{ON}{on}.nc"


def trials_of(file: str) -> str:
    """Return the file of the trials that a result was worked out from: a.nc of a_rpe.nc, behaviour.nc of rpe.nc."""
    made = analysis.of_file(file)
    if made is None:
        return file
    return dataset.BEHAVIOUR if file == made.file else f"{file.removesuffix(f'_{made.file}')}.nc"


def command_for(run: Path, file: str, options: str = "") -> str:
    """Return the command that makes a file of a run folder; trials that were not played yet come before their result.

    Parameters
    ----------
    run : Path
        The run folder.
    file : str
        Of a run folder's own trials, e.g. ``"behaviour.nc"`` or ``"lesion-reset.nc"``, or a result of either, e.g.
        ``"rpe.nc"`` or ``"lesion-reset_rpe.nc"``.
    options : str
        What the command of a result is to be given, e.g. ``"--encoding miller"``.
    """
    trials, made = trials_of(file), analysis.of_file(file)
    if made is not None and (trials == dataset.BEHAVIOUR or (run / trials).exists()):
        where = run if trials == dataset.BEHAVIOUR else run / trials
        return f"neurometa {made.name} {where}" + (f" {options}" if options else "")
    if trials == UNTRAINED:
        return f"neurometa rollout {run} --untrained"
    for prefix, option in PLAYED.items():
        if trials.startswith(prefix):
            return f"neurometa rollout {run} {option} {trials.removeprefix(prefix).removesuffix('.nc')}"
    if trials != dataset.BEHAVIOUR:
        raise InputError(f"No command makes {file}; a run holds {', '.join(_known())}.")
    return f"neurometa rollout {run}"


def _known() -> list[str]:
    """Names of the files that commands make."""
    return [
        dataset.BEHAVIOUR,
        UNTRAINED,
        *(f"{prefix}NAME.nc" for prefix in PLAYED),
        *(one.file for one in analysis.ANALYSES),
    ]


def read_result(run: Path, file: str, *, without: Sequence[str] = (), options: str = "") -> xr.Dataset:
    """Read a file of a run folder, made from the trials that the folder holds now.

    Parameters
    ----------
    run : Path
        The run folder.
    file : str
        E.g. ``"behaviour.nc"``, ``"fit_rw.nc"`` or ``"on-dependent-easy.nc"``.
    without : sequence of str
        Variables to leave out where they are there, e.g. `ACTIVITY`, which is most of a rollout.
    options : str
        For the command in the message, as for `command_for`.

    Raises
    ------
    MissingError
        The file is absent, or of an earlier rollout; the message says which command makes it.
    InputError
        It is damaged, or half-written.
    """
    check_result(run, file, options)
    return dataset.read(run / file, without=without)


def check_result(run: Path, file: str, options: str = "") -> None:
    """Raise unless a file is in a run folder and of the trials that the folder holds now.

    Raises
    ------
    MissingError
        As `read_result`, whose arguments these are.
    """
    path, trials = run / file, run / trials_of(file)
    command = command_for(run, file, options)
    if not path.exists():
        raise MissingError(f"{run} holds no {file}; make it with: {command}", command)
    about = provenance.read_attrs(path)
    if path != trials and trials.exists() and about.get("created") != provenance.read_attrs(trials).get("created"):
        command = about.get("command", command) if not options and str(run) in about.get("command", "") else command
        raise MissingError(
            f"{path} is of an earlier rollout; make it anew with: {command}",
            f"{command} ({file} is of an earlier rollout)",
        )
    if odd := provenance.made_otherwise(about, options):
        raise MissingError(
            f"{path} was made with {odd}; make it anew with: {command}", f"{command} ({file} was made with {odd})"
        )


def read_pooled(runs: Sequence[Run], file: str, *, without: Sequence[str] = ()) -> xr.Dataset:
    """Read one file of each run and put them side by side over ``agent``, as `dataset.concat` does.

    Raises
    ------
    MissingError
        As `read_result`.
    InputError
        As `read_result`; or the runs differ in size, e.g. in their episodes.
    """
    return dataset.concat([read_result(run.path, file, without=without) for run in runs])


def about_agents(runs: Sequence[Run]) -> str:
    """Say how many agents were pooled and what tells them apart, e.g. ``"2 agents (training seeds 0, 1)"``."""
    n = f"{len(runs)} agent{'s' if len(runs) > 1 else ''}"
    if runs[0].sweep is not None:
        return f"best {n} of a sweep"
    return f"{n} (training seed{'s' if len(runs) > 1 else ''} {', '.join(str(run.seed) for run in runs)})"
