"""The command that lets agents play test episodes: rollout."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON, Assignments, Device
from neurometa.cli.printing import bar, interval, number, say, say_json
from neurometa.cli.process import one_thread
from neurometa.cli.saving import made_by
from neurometa.errors import InputError

EXAMPLE = "neurometa rollout runs/restless --episodes 2000"


def rollout(
    run: Annotated[Path, typer.Argument(help="Run folder, or a sweep, whose best then play.", show_default=False)],
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="RUN names an experiment whose trained agent comes with neurometa.")
    ] = False,
    agent: Annotated[
        int, typer.Option(metavar="SEED", help="Which pretrained agent, by its training seed; many have 0 to 7.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Run folder for a pretrained agent.", show_default="runs/EXPERIMENT[-SEED]")
    ] = None,
    episodes: Annotated[int, typer.Option(help="How many fresh test episodes.")] = 1000,
    seed: Annotated[int, typer.Option(help="Fixes the episodes; apart from any training seed.")] = 1,
    on: Annotated[
        list[str] | None,
        typer.Option(metavar="EXPERIMENT", help="Play the test task of another experiment; may be given again."),
    ] = None,
    untrained: Annotated[bool, typer.Option("--untrained", help="Play as before training, for a control.")] = False,
    perturbation: Annotated[
        str, typer.Option(metavar="NAME", help="Perturb the actor's prediction errors, e.g. block-risky-reward.")
    ] = "",
    lesion: Annotated[str, typer.Option(metavar="HOW", help="What is cut: reset, silence, freeze or no-reward.")] = "",
    film: Annotated[int, typer.Option(help="How many episodes to film, as film-0.gif and so on.")] = 0,
    activity: Annotated[bool, typer.Option(help="Log hidden and cell state, most of the file.")] = True,
    assignments: Assignments = None,
    device: Device = "cpu",
    as_json: JSON = False,
) -> None:
    """Play test episodes with frozen weights, and log everything.

    Choices, rewards, what the world hid, values, policy, hidden and cell state. --set changes the test
    task, e.g. --set n_trials=300. With --on the file is on-EXPERIMENT.nc, with --untrained untrained.nc,
    with --perturbation NAME perturbation-NAME.nc, with --lesion HOW lesion-HOW.nc. Without a run of your
    own: neurometa rollout restless --pretrained
    """
    from neurometa import analysis, runs, sweep
    from neurometa.pretrained import unpack
    from neurometa.rollout import ACTIVITY

    one_thread()
    if film < 0 or film > max(episodes, 0):
        raise InputError(f"--film is {film}; it must be from 0 to the {episodes} episodes that are played.")
    if out is not None and not pretrained:
        raise InputError("--out is for --pretrained; the trials of a run go into its own folder.")
    if agent and not pretrained:
        raise InputError("--agent is for --pretrained; a run folder holds one agent.")
    if untrained and on:
        raise InputError("--untrained and --on exclude each other; a control plays the run's own task.")
    _check_one(perturbation=perturbation, lesion=lesion, on=on, untrained=untrained)
    if pretrained:
        experiment, run = str(run), out or Path("runs") / (f"{run}-{agent}" if agent else run)
        unpack(experiment, run, agent)
    folders = sweep.best(run) if (run / sweep.SWEEP).exists() else [run]
    records = []
    for folder in folders:
        for name in on or [""]:
            own = name and runs.record(folder).get("experiment") == name
            file = "untrained.nc" if untrained else f"on-{name}.nc" if name and not own else "behaviour.nc"
            done = {"perturbation": perturbation, "lesion": lesion}
            file = next((f"{what}-{how}.nc" for what, how in done.items() if how), file)
            how: dict[str, Any] = {"n_episodes": episodes, "seed": seed, "device": device, "on": name}
            how |= {"untrained": untrained, "assignments": tuple(assignments or ())}
            how |= done | {"log": ACTIVITY if activity else ()}
            records.append(_play(folder, folder / file, how, film, as_json=as_json))
    if as_json:
        say_json(records[0] if len(records) == 1 else {"rollouts": records})
        return
    trials = records[0]["trials_per_episode"]
    say(f"Played {episodes} episodes of {trials} trials with frozen weights (seed {seed}).")
    for record in records:
        for path in record.get("films", ()):
            say(f"Filmed {path}")
        reward = record["reward_per_trial"]
        between = interval(reward["lower"], reward["upper"], 4)
        say(f"{record['file']}: reward per trial {number(reward['mean'], 4)}, 95 % interval {between}.")
    if records[0]["file"].endswith("behaviour.nc") and len(folders) == 1:
        latents = runs.open_config(run).task.latents
        suited = [one for one in analysis.ANALYSES if one.suits in latents]
        following = [one.name for one in suited if one.suits == suited[0].suits]
        if following:
            say(f"Next: {'; '.join(f'neurometa {command} {run}' for command in following)}")


def _check_one(**chosen: Any) -> None:
    """Raise where trials are asked for that differ from the run's own in two ways, one of them done to the agent."""
    given = [f"--{name}" for name, value in chosen.items() if value]
    if len(given) > 1:
        raise InputError(f"{given[0]} and {given[1]} exclude each other; play them one by one.")


def _play(run: Path, file: Path, how: dict[str, Any], n_films: int, *, as_json: bool) -> dict[str, Any]:
    """Let one agent play, write what it did, and return what to tell of it."""
    from neurometa import behaviour, dataset, film, runs, settings
    from neurometa.experiments import find
    from neurometa.rollout import MOST_AT_ONCE
    from neurometa.storage import only_writer

    task = find(how["on"]).config.task if how["on"] else runs.open_config(run).task
    played = settings.replace(task.for_test(), how["assignments"])
    if n_films:
        film.check(played)
    with only_writer(run):
        batches = -(-max(how["n_episodes"], 1) // MOST_AT_ONCE)
        with bar(f"playing {file.stem}", task.n_trials * batches, "trials", quiet=as_json) as show:
            trials = runs.evaluate(run, progress=lambda trial: show(trial, ""), **how)
        dataset.save_run(trials.assign_attrs(made_by()), file)
        start = "" if file.name == dataset.BEHAVIOUR else f"{file.stem}_"
        films = [film.write(played, trials, i, run / f"{start}film-{i}.gif") for i in range(n_films)]
    reward = behaviour.mean_interval(trials.reward.mean("trial").astype(float))
    return {
        "file": str(file),
        **({"films": [str(path) for path in films]} if films else {}),
        "episodes": how["n_episodes"],
        "trials_per_episode": trials.sizes["trial"],
        "seed": how["seed"],
        "reward_per_trial": {name: float(reward[name]) for name in ("mean", "lower", "upper")},
    }
