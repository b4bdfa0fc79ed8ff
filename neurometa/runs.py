"""A run folder, from its settings to its trials: train, evaluate, compare with baselines."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from neurometa import agents, dataset, rollout, settings
from neurometa.behaviour import regret
from neurometa.errors import InputError
from neurometa.experiments import find
from neurometa.machine import check_device, provenance
from neurometa.rollout import ACTIVITY, play, to_dataset, unroll
from neurometa.storage import only_writer, read_json, write_json
from neurometa.tasks import RecordedBandit, Task
from neurometa.training import Training, a2c, algorithm, build, curve
from neurometa.training.checkpoint import CHECKPOINT, WEIGHTS, load_weights, save_weights
from neurometa.training.loop import DivergedError

CONFIG = "config.json"


def train(
    config: Training,
    run: Path,
    *,
    experiment: str = "",
    device: str = "cpu",
    resume: bool = False,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> agents.Agent:
    """Train an agent into a run folder: settings, provenance, learning curve, checkpoints, weights.

    Parameters
    ----------
    config : Training
        Of any algorithm, e.g. `training.a2c.Config`; all that fixes the result.
    run : Path
        The folder; made if it is absent.
    experiment : str
        Name of the experiment, kept with the settings.
    device : {"cpu", "cuda"}
        Where to train.
    resume : bool
        Go on where an interrupted training stopped; it ends in the same bits.
    progress : callable, optional
        Called after each update with the row of the learning curve.

    Returns
    -------
    Agent
        The trained agent.

    Raises
    ------
    InputError
        The folder holds a run already and `resume` is off, or one of another experiment or other
        settings; another process is writing it; the device is absent; training diverged.
    """
    check_device(device)
    _check([config], [run])
    with only_writer(run), _begun(config, run, experiment, device, resume=resume):
        if not (run / WEIGHTS).exists():
            save_weights(run / WEIGHTS, algorithm(config).train(config, run, device=device, progress=progress))
        (run / CHECKPOINT).unlink(missing_ok=True)  # also one that a kill between the two lines left
        return load_agent(run)


def train_together(
    configs: Sequence[Training],
    runs: Sequence[Path],
    *,
    experiment: str = "",
    resume: bool = False,
    progress: Callable[[dict[int, dict[str, float]]], None] | None = None,
) -> list[agents.Agent | DivergedError]:
    """Train agents side by side on one core, each into a run folder of its own and to the bits it ends in alone.

    Parameters
    ----------
    configs : sequence of Training
        What fixes the result of each. If there are several they must be of one shape: see `a2c.company`.
    runs : sequence of Path
        Their folders.
    experiment, resume
        As for `train`.
    progress : callable, optional
        Called after each update with the new rows of the learning curves, by the number of the agent.

    Returns
    -------
    list of Agent or DivergedError
        The trained agents, and why those that diverged are none.

    Raises
    ------
    InputError
        As by `train`, but for an agent that diverged.
    """
    _check(configs, runs)
    with contextlib.ExitStack() as locks:
        for config, run in zip(configs, runs, strict=True):
            locks.enter_context(only_writer(run))
            locks.enter_context(_begun(config, run, experiment, "cpu", resume=resume))
        left = [n for n, run in enumerate(runs) if not (run / WEIGHTS).exists()]
        tell = (lambda rows: progress({left[n]: row for n, row in rows.items()})) if progress else None
        found = _train_all([configs[n] for n in left], [runs[n] for n in left], tell)
        trained = dict(zip(left, found, strict=True))
        for n, run in enumerate(runs):
            if isinstance(agent := trained.get(n), nn.Module):
                save_weights(run / WEIGHTS, agent)
            if (run / WEIGHTS).exists():
                (run / CHECKPOINT).unlink(missing_ok=True)
        diverged = {n: agent for n, agent in trained.items() if isinstance(agent, DivergedError)}
        return [diverged.get(n) or load_agent(run) for n, run in enumerate(runs)]


def _train_all(
    configs: Sequence[Training], runs: Sequence[Path], progress: Callable[[dict[int, dict[str, float]]], None] | None
) -> Sequence[agents.Agent | DivergedError]:
    of_a2c = [config for config in configs if isinstance(config, a2c.Config)]
    if len(of_a2c) == len(configs) > 1:
        return a2c.train_together(of_a2c, runs, progress=progress)
    return [_train_one(config, run, n, progress) for n, (config, run) in enumerate(zip(configs, runs, strict=True))]


def _train_one(
    config: Training, run: Path, place: int, progress: Callable[[dict[int, dict[str, float]]], None] | None
) -> agents.Agent | DivergedError:
    tell = (lambda row: progress({place: row})) if progress else None
    try:
        return algorithm(config).train(config, run, progress=tell)
    except DivergedError as diverged:
        return diverged


def _check(configs: Sequence[Training], runs: Sequence[Path]) -> None:
    """Raise unless trainings that are new can begin, before anything is made on disk."""
    for config, run in zip(configs, runs, strict=True):
        if not (run / CONFIG).exists():
            config.check()


@contextlib.contextmanager
def _begun(config: Training, run: Path, experiment: str, device: str, *, resume: bool) -> Iterator[None]:
    """Write the settings of a run, or make sure that those there are the same; refused at once, they are taken back."""
    if new := not (run / CONFIG).exists():
        about = {"experiment": experiment, "config": settings.to_json(config), "curve_counts": config.task.curve_counts}
        write_json(run / CONFIG, about | provenance(device))
    else:
        if not resume:
            raise InputError(f"{run} holds a run already; resume it, or choose another folder.")
        before = record(run).get("experiment", "")
        if experiment and before and experiment != before:
            raise InputError(f"{run} holds a run of {before}, not of {experiment}; choose another folder.")
        _same(config, open_config(run), run)
    try:
        yield
    except InputError as refused:
        if new and not isinstance(refused, DivergedError) and not curve.last_update(run):
            (run / CONFIG).unlink(missing_ok=True)
        raise


def evaluate(
    run: Path,
    *,
    n_episodes: int = 1000,
    seed: int = 1,
    device: str = "cpu",
    on: str = "",
    untrained: bool = False,
    perturbation: str = "",
    lesion: str = "",
    assignments: tuple[str, ...] = (),
    log: tuple[str, ...] = ACTIVITY,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Play fresh test episodes with a run's weights frozen, and log everything.

    Parameters
    ----------
    run : Path
        A run folder with a trained agent.
    n_episodes : int
        How many episodes.
    seed : int
        Fixes tasks and choices. Training draws from other random numbers, whatever the seed.
    device : {"cpu", "cuda"}
        Where to play.
    on : str
        Experiment whose test task is played instead of the run's own, e.g. ``"dependent-easy"``.
    untrained : bool
        Let the agent play as it was before training: a control for what is read from its state.
    perturbation : str
        Of the prediction errors given to the actor, by a name that the task knows: see `Task.perturbation`.
    lesion : {"", "reset", "silence", "freeze", "no-reward"}
        Of what the agent learns with in an episode: see `agents.Lesioned`.
    assignments : tuple of str
        ``field=value`` for the test task, e.g. ``"n_trials=50"``.
    log : tuple of str
        Activity to keep; empty for behaviour alone.
    progress : callable, optional
        Called with the number of trials played so far in all batches.

    Returns
    -------
    Dataset
        Behaviour, latents, values, logits, hidden and cell state, with the run's settings in
        its attrs; ``behaviour.nc`` is what `dataset.save_run` makes of it.

    Raises
    ------
    InputError
        There is no trained agent, no such experiment, perturbation or lesion, the test task does not
        fit the agent, or another argument is wrong.
    """
    check_device(device)
    config = open_config(run)
    task = settings.replace((find(on).config.task if on else config.task).for_test(), assignments)
    if _actions(task) != _actions(config.task) or task.observation_shape != config.task.observation_shape:
        raise InputError(
            f"The agent was trained for {_actions(config.task)} and {_shown(config.task)} of an observation; "
            f"the test task has {_actions(task)} and {_shown(task)}."
        )
    perturb = task.perturbation(perturbation) if perturbation else None
    network = (build(config) if untrained else load_agent(run)).to(device)
    agent = agents.Lesioned(network, lesion, n_steps=len(task.steps)) if lesion else network
    log = tuple(name for name in network.records if name in log or name not in ACTIVITY)
    trials = play(task, agent, n_episodes, evaluation_rng(seed, device), log=log, perturb=perturb, progress=progress)
    done = {"perturbation": perturbation, "lesion": lesion}
    return trials.assign_attrs(
        {name: x for name, x in done.items() if x},
        task=json.dumps(settings.to_json(task)),
        agent=f"{type(network).__name__}{', untrained' if untrained else ''}",
        config=json.dumps(settings.to_json(config)),
        seed=config.seed,
        evaluation_seed=seed,
        budget=0 if untrained else config.budget,
        **{name: provenance(device)[name] for name in ("commit", "neurometa", "created")},
    )


def clamp(run: Path, trials: xr.Dataset, *, log: tuple[str, ...] = ACTIVITY, untrained: bool = False) -> xr.Dataset:
    """Give a run's agent the observations, choices and rewards of recorded trials, and log its answers.

    Parameters
    ----------
    run : Path
        A run folder with a trained agent.
    trials : Dataset
        An animal's trials: see `rollout.clamp`.
    log : tuple of str
        Activity to keep.
    untrained : bool
        Take the agent as it was before training, as a control.

    Returns
    -------
    Dataset
        As of `rollout.clamp`; the run's settings are in its attrs.

    Raises
    ------
    InputError
        There is no trained agent, or what the animal saw and did does not fit its task.
    """
    config = open_config(run)
    agent = build(config) if untrained else load_agent(run)
    log = tuple(name for name in agent.records if name in log)
    clamped = rollout.clamp(agent, trials, config.task.for_test(), log=log)
    return clamped.assign_attrs(config=json.dumps(settings.to_json(config)), seed=config.seed)


def evaluation_rng(seed: int, device: str = "cpu", *, stream: int = 1) -> torch.Generator:
    """Return random numbers for test episodes, apart from those of any training seed and of other streams.

    Raises
    ------
    InputError
        The seed is negative.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}; it must be 0 or more.")
    mixed = np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(mixed >> np.uint64(1)))


def open_config(run: Path) -> Training:
    """Read the settings of a run.

    Raises
    ------
    InputError
        There is no run, or its settings are damaged or of another version.
    """
    where = f"{run / CONFIG}: config"
    return settings.from_json([Training], record(run)["config"], where)  # type: ignore[type-abstract]


def record(run: Path) -> dict[str, Any]:
    """Read a run's ``config.json``: experiment, settings and provenance, as plain values."""
    path = Path(run) / CONFIG
    if not Path(run).is_dir():
        raise InputError(f"There is no run folder {run}; make one with: neurometa train EXPERIMENT --out {run}")
    if not path.exists():
        raise InputError(f"{run} holds no {CONFIG}, so it is no trained run; its files are: {_names(run)}.")
    found = read_json(path)
    if "config" not in found:
        raise InputError(f"{path} is damaged: it holds no 'config'.")
    return found


def load_agent(run: Path) -> agents.Agent:
    """Load a run's trained agent.

    Raises
    ------
    InputError
        Training has not finished, or the weights are damaged.
    """
    config = open_config(run)
    if not (run / WEIGHTS).exists():
        name = record(run).get("experiment") or "EXPERIMENT"
        raise InputError(f"{run} is not trained to the end; go on with: neurometa train {name} --out {run} --resume")
    agent = build(config)
    load_weights(run / WEIGHTS, agent)
    return agent.requires_grad_(False).eval()


def compare(
    trials: xr.Dataset,
    learners: dict[str, agents.Agent],
    *,
    seed: int = 2,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Let other learners play the worlds of a run's episodes, and set their regret beside the run's.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward_prob`` over ``episode``, ``trial`` (and ``arm``).
    learners : dict of Agent
        Who plays, by name, e.g. from `baselines.baselines`.
    seed : int
        Fixes their rewards and choices.
    progress : callable, optional
        Called with each learner's name when it has played.

    Returns
    -------
    Dataset
        ``regret`` over ``learner`` (the run's own agent first, as ``"agent"``), ``episode`` and
        ``trial``, in units of reward.
    """
    dataset.require(trials, choice=("episode", "trial"), reward_prob=("episode", "trial", "arm"))
    worlds = torch.tensor(trials.reward_prob.transpose("episode", "trial", "arm").values, dtype=torch.float32)
    task = RecordedBandit(worlds.shape[1], worlds)
    own = regret(trials).transpose("episode", "trial")
    found = {"agent": own}
    for name, learner in learners.items():
        played = to_dataset(task, unroll(task, learner, len(worlds), evaluation_rng(seed)))
        found[name] = regret(played).transpose("episode", "trial")
        if progress is not None:
            progress(name)
    together = xr.concat(list(found.values()), "learner", join="override", coords="minimal", compat="override")
    return together.assign_coords(learner=list(found)).to_dataset(name="regret")


def _actions(task: Task) -> str:
    return f"a continuous action over {task.n_axes} axes" if task.n_axes else f"{task.n_actions} actions"


def _shown(task: Task) -> str:
    shape = task.observation_shape
    return f"{shape[0]} features" if len(shape) == 1 else f"the shape {shape}"


def _same(config: Training, before: Training, run: Path) -> None:
    for name, there, here in settings.differences(settings.to_json(before), settings.to_json(config)):
        raise InputError(
            f"{run} holds a run of other settings: {name or 'the algorithm'} is {there} there and {here} here. "
            "Resume with the settings it has, or choose another folder."
        )


def _names(run: Path) -> str:
    return ", ".join(sorted(name for name in os.listdir(run) if not name.startswith("."))) or "none"
