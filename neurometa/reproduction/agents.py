"""Where the agents of a claim come from: those in the box, those of a folder, or those that are to be trained."""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurometa import criteria, results
from neurometa.errors import InputError
from neurometa.results import MissingError, Run
from neurometa.share import folder

WEIGHTS = "agent.safetensors"
N_TRAINED = 8  # agents of a setting: as many as in the box


@dataclasses.dataclass(frozen=True)
class Agent:
    """An agent that is to play: its run folder, and the commands by which it comes to be there and plays.

    Parameters
    ----------
    experiment : str
        What it is trained on.
    run : Path
        Its run folder.
    rollout : str
        The command that lets it play.
    train : str
        The command that trains it; none of an agent that is trained.
    minutes : float
        About how long that takes on one core.
    own : bool
        Whether the folder is somebody's own, whose trials are taken as they are if there are enough.
    trained : Path, optional
        The file that stands when that command is over, which trains others too.
    """

    experiment: str
    run: Path
    rollout: str
    train: str = ""
    minutes: float = 0.0
    own: bool = False
    trained: Path | None = None

    @property
    def weights(self) -> Path:
        """The file that is there when training is done."""
        return self.run / WEIGHTS


Source = Callable[[criteria.Need], list[Agent]]  # raises MissingError, whose `needs` says what is absent and what to do


def of_the_box(place: Path, n_agents: int | None = None) -> Source:
    """Take the trained agents that come with neurometa, each into a run folder below `place`."""
    there = results.find_runs(folder("data/agents"))

    @functools.cache
    def of_kind(experiment: str, settings: tuple[str, ...]) -> list[Agent]:
        found = []
        for one in _pool(there, experiment, settings, "No agent of {kind} comes with neurometa")[:n_agents]:
            run = place / f"{experiment}-{one.seed}"
            rollout = f"neurometa rollout {experiment} --pretrained --agent {one.seed} --out {run}"
            found.append(Agent(experiment, run, rollout))
        return found

    return lambda need: of_kind(need.experiment, need.settings)


def of_runs(place: Path, n_agents: int | None = None) -> Source:
    """Take the trained agents in a folder of runs, where they are."""
    there = results.find_runs(place)

    @functools.cache
    def of_kind(experiment: str, settings: tuple[str, ...]) -> list[Agent]:
        found = _pool(there, experiment, settings, f"{place} holds no trained agent of {{kind}}")[:n_agents]
        return [Agent(experiment, one.path, f"neurometa rollout {one.path}", own=True) for one in found]

    return lambda need: of_kind(need.experiment, need.settings)


def to_train(place: Path, n_agents: int | None = None) -> Source:
    """Train agents of every kind that is asked for, those of a kind side by side, in run folders below `place`."""
    from neurometa.experiments import EXPERIMENTS

    def agents(need: criteria.Need) -> list[Agent]:
        if need.experiment not in EXPERIMENTS:
            raise InputError(f"There is no experiment {need.experiment!r} to train an agent on.")
        name = "-".join([need.experiment, *map(_short, need.settings)])
        options = "".join(f" --set {each}" for each in need.settings)
        n, folder = n_agents or N_TRAINED, place / name
        train = f"neurometa train {need.experiment}{options} --seeds {n} --out {folder} --resume"
        minutes = n * EXPERIMENTS[need.experiment].cpu_minutes
        runs, rollout = [folder / str(seed) for seed in range(n)], "neurometa rollout"
        last = runs[-1] / WEIGHTS
        return [Agent(need.experiment, run, f"{rollout} {run}", train, minutes, trained=last) for run in runs]

    return agents


def _short(setting: str) -> str:
    """How a setting is told in the name of a folder."""
    return "no-reward" if setting.startswith("inputs=") else setting.replace("=", "-")


def _pool(there: list[Run], experiment: str, settings: tuple[str, ...], what: str) -> list[Run]:
    """Agents of a kind, or what is absent and the option that would train it, with budget and time."""
    from neurometa.experiments import EXPERIMENTS  # torch, which a process that runs steps may not need

    told = dict(setting.split("=", 1) for setting in settings)
    ablated = told.pop("inputs", None) is not None
    config = {name: _value(value) for name, value in told.items()}
    try:
        return results.pool(there, experiment, ablated=ablated, config=config)[0]
    except MissingError as missing:
        absent = what.format(kind=f"{experiment} trained with {' '.join(settings)}" if settings else experiment)
        if experiment not in EXPERIMENTS:
            raise InputError(f"{absent}, and there is no such experiment to train one on.") from missing
        found = EXPERIMENTS[experiment]
        cost = f"{found.config.budget / 1e6:.1f} M steps, about {found.cpu_minutes:g} CPU minutes, for each"
        raise MissingError(str(missing), f"{absent}; --train trains {N_TRAINED} ({cost}).") from missing


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
