"""Commands that let agents play: rollout, regret, baselines."""

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.printing import JSON, MADE_BY, bar, interval, number, say, say_json, table
from neurometa.cli.writing import Assignments, Device, one_thread
from neurometa.errors import InputError

Run = Annotated[Path, typer.Argument(help="Run folder, e.g. runs/restless.", show_default=False)]

NEXT = {  # what to do with trials that hold a latent variable; the first that is there counts
    "common": ("stay", "rpe"),
    "base_prob": ("matching", "history"),
    "magnitude": ("blocks",),
    "rewarded_cue": ("reversals",),
    "side": ("learning-set",),
    "risky_prob": ("risk",),
    "reward_prob": ("fit-rw", "regret"),
}


def playing(app: typer.Typer) -> None:
    """Add the commands that let agents play."""
    app.command("rollout", epilog="Example: neurometa rollout runs/restless --episodes 2000")(rollout)
    app.command("regret", epilog="Example: neurometa regret runs/restless")(regret)
    app.command("baselines", epilog="Example: neurometa baselines restless --episodes 1000")(baselines)


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
    lesion: Annotated[
        str, typer.Option(metavar="HOW", help="Reset the recurrent state every trial, or silence it every step.")
    ] = "",
    activity: Annotated[bool, typer.Option(help="Log hidden and cell state, most of the file.")] = True,
    assignments: Assignments = None,
    device: Device = "cpu",
    as_json: JSON = False,
) -> None:
    """Play test episodes with frozen weights and log everything to behaviour.nc.

    Choices, rewards, what the world hid, values, policy, hidden and cell state. --set changes
    the test task, e.g. --set n_trials=300. With --on the file is on-EXPERIMENT.nc, with --untrained
    untrained.nc, with --perturbation NAME perturbation-NAME.nc, with --lesion HOW lesion-HOW.nc.
    Without a run of your own: neurometa rollout restless --pretrained
    """
    from neurometa import runs, sweep
    from neurometa.pretrained import unpack
    from neurometa.rollout import ACTIVITY

    one_thread()
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
            records.append(_play(folder, folder / file, how, as_json=as_json))
    if as_json:
        say_json(records[0] if len(records) == 1 else {"rollouts": records})
        return
    trials = records[0]["trials_per_episode"]
    say(f"Played {episodes} episodes of {trials} trials with frozen weights (seed {seed}).")
    for record in records:
        reward = record["reward_per_trial"]
        between = interval(reward["lower"], reward["upper"], 4)
        say(f"{record['file']}: reward per trial {number(reward['mean'], 4)}, 95 % interval {between}.")
    if records[0]["file"].endswith("behaviour.nc") and len(folders) == 1:
        latents = runs.open_config(run).task.latents
        following = next((NEXT[name] for name in NEXT if name in latents), ())
        if following:
            say(f"Next: {'; '.join(f'neurometa {command} {run}' for command in following)}")


def _check_one(**chosen: Any) -> None:
    """Raise where trials are asked for that differ from the run's own in two ways, one of them done to the agent."""
    given = [f"--{name}" for name, value in chosen.items() if value]
    if len(given) > 1:
        raise InputError(f"{given[0]} and {given[1]} exclude each other; play them one by one.")


def _play(run: Path, file: Path, how: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Let one agent play, write what it did, and return what to tell of it."""
    from neurometa import behaviour, dataset, runs
    from neurometa.experiments import find
    from neurometa.rollout import MOST_AT_ONCE
    from neurometa.storage import only_writer

    task = find(how["on"]).config.task if how["on"] else runs.open_config(run).task
    with only_writer(run):
        batches = -(-max(how["n_episodes"], 1) // MOST_AT_ONCE)
        with bar(f"playing {file.stem}", task.n_trials * batches, "trials", quiet=as_json) as show:
            trials = runs.evaluate(run, progress=lambda trial: show(trial, ""), **how)
        dataset.save_run(trials, file)
    reward = behaviour.mean_interval(trials.reward.mean("trial").astype(float))
    return {
        "file": str(file),
        "episodes": how["n_episodes"],
        "trials_per_episode": trials.sizes["trial"],
        "seed": how["seed"],
        "reward_per_trial": {name: float(reward[name]) for name in ("mean", "lower", "upper")},
    }


def regret(
    run: Run,
    seed: Annotated[int, typer.Option(help="Fixes the baselines' rewards and choices.")] = 2,
    as_json: JSON = False,
) -> None:
    """Set the agent's regret beside every baseline's, on the same episodes.

    Regret is the expected reward given up by not choosing the best arm, summed over an episode.
    """
    from neurometa import behaviour, dataset, runs
    from neurometa.baselines import baselines
    from neurometa.storage import only_writer

    one_thread()
    config = runs.open_config(run)
    trials = dataset.open_run(run)
    if "reward_prob" not in trials:
        kind = type(config.task).__name__
        if "expected_reward" not in trials:
            raise InputError(
                f"{run} holds neither 'reward_prob' nor 'expected_reward', so that no choice of {kind} has a regret; "
                f"compare the reward per trial of: neurometa rollout {run}"
            )
        pays = "by the state reached" if "state_reward_prob" in trials else "surely"
        raise InputError(
            f"{run} holds no 'reward_prob' that could be replayed, for {kind} pays {pays}; "
            f"set the reward per trial of neurometa rollout beside: neurometa baselines {run}"
        )
    task = dataclasses.replace(config.task, n_trials=trials.sizes["trial"])
    learners = baselines(task)
    with only_writer(run):
        with bar("playing", len(learners), "learners", quiet=as_json) as show:
            done: list[str] = []

            def tick(name: str) -> None:
                done.append(name)
                show(len(done), name)

            result = runs.compare(trials, learners, seed=seed, progress=tick)
        result = result.assign_attrs({name: trials.attrs[name] for name in MADE_BY if name in trials.attrs})
        file = dataset.save_run(result, run / "regret.nc")
    total = result.regret.sum("trial").astype(float)
    mean = behaviour.mean_interval(total)
    apart = behaviour.mean_interval(total - total.sel(learner="agent", drop=True))
    rows, record = [], {}
    for name in result.learner.values.tolist():
        here, gap = mean.sel(learner=name), apart.sel(learner=name)
        record[name] = {key: float(here[key]) for key in ("mean", "se", "lower", "upper", "n")}
        beside = (
            ""
            if name == "agent"
            else f"{float(gap['mean']):+.2f} [{float(gap['lower']):+.2f}, {float(gap['upper']):+.2f}]"
        )
        rows.append([name, f"{float(here['mean']):.2f}", _between(here), beside])
    if as_json:
        say_json({"file": str(file), "n_episodes": total.sizes["episode"], "regret": record})
        return
    title = f"Regret per episode of {result.sizes['trial']} trials, {total.sizes['episode']} episodes"
    table(["learner", "mean", "95 % interval", "minus agent's (paired)"], rows, title)
    say(f"Trial by trial in {file}.")
    if "drift_sd" in task.latents:
        say(f"Next: neurometa figure w16-fig4 --run {run}")


def baselines(
    name: Annotated[
        str, typer.Argument(metavar="EXPERIMENT|RUN", help="An experiment, or a run folder.", show_default=False)
    ],
    episodes: Annotated[int, typer.Option(help="Test episodes that each learner plays.")] = 3000,
    seed: Annotated[int, typer.Option(help="Fixes worlds, payments and choices.")] = 2,
    as_json: JSON = False,
) -> None:
    """Let the baselines play test episodes of a task, all in the same worlds, beside what they must come to.

    Regret is the expected reward given up by not choosing the best arm, summed over an episode; where
    the best choice hangs on more than the arms' probabilities, rewards are set side by side instead.
    The exact column is computed without sampling, where that can be done. Nothing is written.
    """
    from neurometa import baselines as players
    from neurometa import behaviour

    one_thread()
    task = _task(name)
    learners = players.baselines(task)
    with bar("playing", len(learners), "learners", quiet=as_json) as show:
        done: list[str] = []

        def tick(learner: str) -> None:
            done.append(learner)
            show(len(done), learner)

        result = players.play(task.for_test(), learners, n_episodes=episodes, seed=seed, progress=tick)
        show(len(learners), "exact values")
        expected = players.exact_regret(task.for_test())
    (measured,) = map(str, result.data_vars)
    mean = behaviour.mean_interval(result[measured].sum("trial").astype(float))
    rows, record = [], {}
    for learner in learners:
        here = mean.sel(learner=learner)
        record[learner] = {key: float(here[key]) for key in ("mean", "se", "lower", "upper", "n")}
        record[learner]["exact"] = expected.get(learner, math.nan)
        exact = f"{expected[learner]:.4f}" if learner in expected else "-"
        rows.append([learner, f"{float(here['mean']):.2f}", _between(here), exact])
    if as_json:
        say_json({"task": type(task).__name__, "n_episodes": episodes, "seed": seed, measured: record})
        return
    title = (
        f"{measured.capitalize()} per episode of {task.n_trials} trials, {episodes} episodes of {type(task).__name__}"
    )
    table(["learner", "mean", "95 % interval", "exact"], rows, title)


def _task(name: str) -> Any:
    """The task of an experiment, or else of the run in a folder."""
    from neurometa import runs
    from neurometa.experiments import EXPERIMENTS, find

    is_folder = name not in EXPERIMENTS and (Path(name).is_dir() or len(Path(name).parts) > 1)
    return runs.open_config(Path(name)).task if is_folder else find(name).config.task


def _between(mean: Any) -> str:
    return interval(float(mean["lower"]), float(mean["upper"]), 4)
