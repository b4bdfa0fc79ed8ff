"""What is left to do until claims can be decided: a pure function of the claims, the agents and what there is."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurometa import analysis, criteria, dataset, provenance, results
from neurometa.errors import InputError
from neurometa.reproduction.agents import Agent, Source
from neurometa.results import MissingError

READS_ACTIVITY = ("end_point_order",)  # measures of the hidden state itself


@dataclasses.dataclass(frozen=True)
class Step:
    """One command, as a person would type it.

    Parameters
    ----------
    makes : Path
        The file that it writes.
    command : str
        E.g. ``"neurometa stay runs/two-step"``.
    needs : tuple of Path
        Files that must be there before.
    seconds : float
        About how long it takes on one core, for the time that is left.
    """

    makes: Path
    command: str
    needs: tuple[Path, ...] = ()
    seconds: float = 2.0


@dataclasses.dataclass(frozen=True)
class Want:
    """A file that is wanted of every agent of a kind, and whether its trials must hold the hidden state."""

    need: criteria.Need
    activity: bool = False


@dataclasses.dataclass(frozen=True)
class Made:
    """A file that is there: what its attributes say, how many episodes it holds, and whether the hidden state."""

    attrs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    episodes: int = 0
    activity: bool = False


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done, and what it leaves undecided.

    Parameters
    ----------
    steps : tuple of Step
        Each stands after those that make what it needs.
    undecided : dict
        Of a claim, why no step decides it.
    undrawn : dict
        Of a figure, why no step draws it.
    """

    steps: tuple[Step, ...]
    undecided: Mapping[str, str]
    undrawn: Mapping[str, str]


def wants(claim: Mapping[str, Any]) -> list[Want]:
    """Return what a claim is decided on, as `plan` takes it.

    Parameters
    ----------
    claim : mapping
        As a record's ``claim`` lists it (`reference.record`).
    """
    asked, needed = json.dumps(claim["criterion"]), criteria.needs(dict(claim))
    of_trials = any(f'"{name}"' in asked for name in READS_ACTIVITY)
    return [Want(one, of_trials and analysis.of_file(one.file) is None) for one in needed]


def plan(
    claims: Mapping[str, Sequence[Want]],
    figures: Mapping[str, Sequence[Want]],
    source: Source,
    there: Mapping[Path, Made],
    place: Path,
    *,
    n_episodes: int = 1000,
    seed: int = 3,
) -> Plan:
    """Work out the steps that are left until claims can be decided and figures drawn.

    Parameters
    ----------
    claims, figures : mapping
        Of each what it is decided on, or drawn from.
    source : callable
        Where agents come from, e.g. `of_the_box`.
    there : mapping
        Files that are there already, as `survey` finds them.
    place : Path
        Folder of the runs, and of the figures.
    n_episodes : int
        Test episodes of each agent, or as many as the most demanding claim asks for.
    seed : int
        Evaluation seed of what is played.

    Raises
    ------
    InputError
        No command can decide the only claim, or two claims ask for one file made in different ways.
    """
    undecided, undrawn = {}, {}
    asked: dict[Agent, dict[str, Want]] = {}
    for name, wanted in claims.items():
        if why := _ask(asked, name, wanted, source):
            undecided[name] = why
    if len(claims) == len(undecided) == 1:
        raise InputError(
            "; ".join(f"The claim {name} cannot be decided here. {why}" for name, why in undecided.items())
        )
    drawn: dict[str, list[Path]] = {}
    for name, wanted in figures.items():
        if why := _ask(asked, name, wanted, source):
            undrawn[name] = why
        else:
            drawn[name] = [agent.run / one.need.file for one in wanted for agent in source(one.need)]
    steps = [step for agent, files in asked.items() for step in _of_run(agent, files, there, n_episodes, seed)]
    steps = list(dict.fromkeys(steps))  # agents that are trained side by side have that step in common
    made = {step.makes for step in steps}
    for name, needs in drawn.items():
        file = place / f"{name}.png"
        if file not in there or made & set(needs):
            command = f"neurometa figure {name} --run {place} --out {place}"
            steps.append(Step(file, command, tuple(dict.fromkeys(needs)), 4.0))
    return Plan(tuple(steps), undecided, undrawn)


def _ask(asked: dict[Agent, dict[str, Want]], who: str, wanted: Sequence[Want], source: Source) -> str:
    """Note what is wanted of each agent; where some of it cannot be had, note nothing and say why."""
    try:
        found = [(one, agent) for one in wanted for agent in source(one.need)]
        for one, agent in found:
            results.command_for(agent.run, one.need.file)  # raises where no command makes it
    except MissingError as missing:
        return missing.needs
    except InputError as error:
        return str(error)
    for one, agent in found:
        files, file = asked.setdefault(agent, {}), one.need.file
        before = files.get(file, one)
        options = {each.need.options for each in (before, one)} - {""}
        if len(options) > 1:
            raise InputError(
                f"{who} needs {file} of {agent.experiment} made with {one.need.options}, and another claim with "
                f"{before.need.options}; reproduce them one by one, each in a folder of its own."
            )
        episodes = max(before.need.episodes, one.need.episodes)
        need = dataclasses.replace(one.need, episodes=episodes, options="".join(options))
        files[file] = Want(need, before.activity or one.activity)
    return ""


def _of_run(
    agent: Agent, files: Mapping[str, Want], there: Mapping[Path, Made], n_episodes: int, seed: int
) -> list[Step]:
    """Steps of one run folder: training, trials, then what is worked out from them."""
    steps: dict[Path, Step] = {}
    first: tuple[Path, ...] = ()
    if agent.trained and agent.weights not in there:
        first = (agent.trained,)
        steps[agent.trained] = Step(agent.trained, agent.train, seconds=60 * agent.minutes)
    answers = {file: one for file in files if (one := analysis.of_file(file)) is not None}
    trials = sorted({results.trials_of(file) for file in files})
    for file in trials:
        of_them = [name for name in files if results.trials_of(name) == file]
        activity = any(files[name].activity or (name in answers and answers[name].reads_activity) for name in of_them)
        least = max(files[name].need.episodes for name in of_them)
        made, n = there.get(agent.run / file), max(n_episodes, least)
        enough = made is not None and made.episodes >= (least if agent.own else n)
        if made and enough and (made.activity or not activity) and not first:
            continue
        command = results.command_for(agent.run, file).replace(f"neurometa rollout {agent.run}", agent.rollout)
        command += f" --episodes {n} --seed {seed}{'' if activity else ' --no-activity'}"
        steps[agent.run / file] = Step(agent.run / file, command, first, 1 + n / 1000)
    for file, one in sorted(answers.items()):
        start, _, end = one.beside.partition("*")
        beside = [x for x in trials if one.beside and x.startswith(start) and x.endswith(end)]
        needs = tuple(agent.run / x for x in dict.fromkeys([results.trials_of(file), *beside]))
        if steps.keys() & set(needs) or not _is_answered(agent.run / file, needs[0], files[file].need.options, there):
            where = agent.run if needs[0].name == dataset.BEHAVIOUR else needs[0]
            command = f"neurometa {one.name} {where} {files[file].need.options}".rstrip()
            steps[agent.run / file] = Step(agent.run / file, command, needs, one.seconds)
    return list(steps.values())


def _is_answered(file: Path, trials: Path, options: str, there: Mapping[Path, Made]) -> bool:
    """Whether a result is there, of the trials that are there, and made as it is asked for."""
    if file not in there or trials not in there:
        return False
    made = there[file].attrs
    same = made.get("created") == there[trials].attrs.get("created")
    return same and not provenance.made_otherwise(made, options)
