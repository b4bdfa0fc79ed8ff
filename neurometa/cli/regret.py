"""The command that sets an agent beside the baselines on its own episodes: regret."""

import dataclasses
from typing import Annotated

import typer

from neurometa.cli.options import JSON, Run
from neurometa.cli.printing import bar, interval, say, say_json, table
from neurometa.cli.process import one_thread
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa regret runs/restless"


def regret(
    run: Run,
    seed: Annotated[int, typer.Option(help="Fixes the baselines' rewards and choices.")] = 2,
    as_json: JSON = False,
) -> None:
    """Set an agent's regret beside every baseline's.

    All play the same episodes. Regret is the expected reward given up by not choosing the best arm, summed
    over an episode.
    """
    from neurometa import behaviour, dataset, runs
    from neurometa.cli.baselines import planned
    from neurometa.storage import only_writer
    from neurometa.tasks.fixation import without_fixation

    one_thread()
    config = runs.open_config(run)
    trials = dataset.open_run(run)
    bare = without_fixation(config.task)  # the worlds are replayed choice by choice
    if "reward_prob" not in trials:
        kind = type(bare).__name__
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
    task = dataclasses.replace(bare, n_trials=trials.sizes["trial"])
    learners = planned(task, quiet=as_json)
    with only_writer(run), bar("playing", len(learners), "learners", quiet=as_json) as show:
        done: list[str] = []

        def tick(name: str) -> None:
            done.append(name)
            show(len(done), name)

        result = runs.compare(trials, learners, seed=seed, progress=tick)
    file = save_beside(result, trials, run, "regret.nc")
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
        rows.append(
            [name, f"{float(here['mean']):.2f}", interval(float(here["lower"]), float(here["upper"]), 4), beside]
        )
    if as_json:
        say_json({"file": str(file), "n_episodes": total.sizes["episode"], "regret": record})
        return
    title = f"Regret per episode of {result.sizes['trial']} trials, {total.sizes['episode']} episodes"
    table(["learner", "mean", "95 % interval", "minus agent's (paired)"], rows, title)
    say(f"Trial by trial in {file}.")
    if "drift_sd" in task.latents:
        say(f"Next: neurometa figure w16-fig4 --run {run}")
