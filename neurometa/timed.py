"""Runs whose trials last as long as they take: a table of the trials, and what happens within them over time."""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from neurometa import dataset
from neurometa.agents import Agent
from neurometa.errors import InputError
from neurometa.tasks import Task
from neurometa.tasks.base import State, declared
from neurometa.tasks.timed import EVENT, TimedTask

IN_FILE = {"reward": "step_reward", "valid": "valid_time"}  # of a step, whose bare names are those of the trial


def dims_of_step(task: Task, name: str, agent: Agent | None) -> tuple[str, ...]:
    """Dims of what was seen, done or recorded at a step, after those that place the step."""
    if name == "observation":
        shape = task.observation_shape
        return ("feature",) if len(shape) == 1 else ("channel", "height", "width")[-len(shape) :]
    if name == "action" and task.n_axes:
        return ("axis",)
    if agent is not None and name in agent.records:
        return agent.records[name]
    known = dataset.VARIABLES.get(name)
    return tuple(dim for dim in known.dims if dim not in ("trial", "step", "time")) if known else ()


def to_dataset(
    task: TimedTask, played: dict[str, Tensor], agent: Agent | None = None, *, observation: bool = False
) -> xr.Dataset:
    """Give played episodes of a timed task the names, dims and units of the data contract.

    Parameters
    ----------
    task, played, agent, observation
        As of `rollout.to_dataset`.

    Returns
    -------
    Dataset
        What happened within trials over ``episode`` and ``time``, as long as the longest episode; `trial_table`; and
        what was drawn for each trial or episode.
    """
    variables = {}
    latents = declared(task)
    for name, x in played.items():
        if name == "observation" and not (observation and task.n_features):
            continue
        about = latents[name].attrs() if name in latents else {}
        own = latents[name].dims if name in latents else ("time", *dims_of_step(task, name, agent))
        dims = ("time", "episode", *own[1:]) if own[:1] == ("time",) else ("episode", *own)
        variables[IN_FILE.get(name, name)] = (dims, x.cpu().numpy(), about)
    n_steps = len(played["action"])
    for name, (variable, x) in task.derived({name: x for name, x in played.items() if name in latents}).items():
        variables[name] = (("time", "episode", *variable.dims[1:]), x.cpu().numpy(), variable.attrs())
    run = xr.Dataset(variables, coords={"time": ("time", np.arange(n_steps), {"long_name": "step of the episode"})})
    run["action"], run["trial_index"] = run.action.astype(np.int8), run.trial_index.astype(np.int16)
    run[EVENT] = (
        run[EVENT]
        .astype(np.int8)
        .assign_attrs(flag_values=np.arange(len(task.events), dtype=np.int8), flag_meanings=" ".join(task.events))
    )
    run = run.merge(trial_table(run, task.n_trials, ends=task.ends, choices=task.choices))
    order = ("episode", "trial", "time", *dataset.LAST)
    return dataset.describe(run.transpose(*order, ..., missing_dims="ignore"))


def trial_table(run: xr.Dataset, n_trials: int, *, ends: Sequence[str], choices: Sequence[str] = ()) -> xr.Dataset:
    """Return what became of each trial, from what happened within it.

    Parameters
    ----------
    run : Dataset
        ``step_reward``, ``valid_time``, ``trial_index`` and ``event`` over ``episode`` and ``time``; the attribute
        ``flag_meanings`` of ``event`` names what its numbers mean.
    n_trials : int
        Trials in an episode at most.
    ends : sequence of str
        The events with which a trial reaches its end.
    choices : sequence of str
        The events that are a choice, in the order of the options.

    Returns
    -------
    Dataset
        Over ``episode`` and ``trial``: ``valid`` (the trial began), ``onset`` (its first step, -1 where it never
        began), ``latency`` (steps that it took), ``censored`` (it began, and was broken off before its end), ``reward``
        (sum over its steps), and ``choice`` where there are choices (-1 where none was made).
    """
    meanings = run[EVENT].attrs["flag_meanings"].split(" ")
    names = ("valid_time", "trial_index", EVENT, "step_reward")
    valid, index, event, reward = (run[name].transpose("episode", "time").values for name in names)
    episode, time = np.nonzero(valid)
    at = (episode, index[episode, time])
    shape = (len(valid), n_trials)
    latency, onset = np.zeros(shape, np.int32), np.full(shape, valid.shape[1], np.int32)
    ended, total = np.zeros(shape, bool), np.zeros(shape)
    np.add.at(latency, at, 1)
    np.minimum.at(onset, at, time)
    np.add.at(total, at, reward[episode, time])
    np.logical_or.at(ended, at, np.isin(event[episode, time], [meanings.index(name) for name in ends]))
    began = latency > 0
    grain = ("episode", "trial")
    table = {
        "valid": (grain, began),
        "onset": (grain, np.where(began, onset, -1)),
        "latency": (grain, latency),
        "censored": (grain, began & ~ended),
        "reward": (grain, total.astype(np.float32)),
    }
    if choices:
        choice = np.full(shape, -1, np.int8)
        options = np.full(len(meanings), -1, np.int8)
        options[[meanings.index(name) for name in choices]] = np.arange(len(choices))
        np.maximum.at(choice, at, options[event[episode, time]])
        table["choice"] = (grain, choice, {"n_options": len(choices)})  # type: ignore[assignment]
    return xr.Dataset(table)


def equally_long(batches: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Pad the time of runs to that of the longest: with zeros, which ``valid_time`` marks as padding."""
    longest = np.arange(max(batch.sizes["time"] for batch in batches))
    return [
        batch.reindex(time=longest, fill_value={name: x.dtype.type(0) for name, x in batch.data_vars.items()})
        for batch in batches
    ]


def looked(task: TimedTask, run: xr.Dataset, episode: int) -> tuple[State, np.ndarray]:
    """Return the latents of every step of one episode, as a state that `task.observe` can show again.

    Parameters
    ----------
    task : TimedTask
        What was played.
    run : Dataset
        As of `to_dataset`.
    episode : int
        Which, by its place.

    Returns
    -------
    state : dict of Tensor (step, ...)
        Each step of the episode in the place of an episode.
    time : array (step,)
        The steps that were played.

    Raises
    ------
    InputError
        There is no such episode, or a latent of the task is absent.
    """
    names = {name: IN_FILE.get(name, name) for name in task.latents}
    dataset.require(run, **{names[name]: ("episode", *latent.dims) for name, latent in declared(task).items()})
    if not 0 <= episode < run.sizes["episode"]:
        raise InputError(f"There is no episode {episode}; the run holds 0 to {run.sizes['episode'] - 1}.")
    one = run.isel(episode=episode)
    time = np.flatnonzero(one.valid_time.values)
    state = {}
    for name, latent in declared(task).items():
        x = torch.from_numpy(np.ascontiguousarray(one[names[name]].transpose(*latent.dims).values))
        steps = x[time] if latent.dims[:1] == ("time",) else x.expand(len(time), *x.shape)
        state[name] = steps.long() if name in ("trial_index", EVENT) else steps
    return state, time


def frames(task: TimedTask, run: xr.Dataset, episode: int) -> Tensor:
    """Draw again, to the byte, what the agent saw at every step of one episode, (step, ...).

    Arguments and errors as of `looked`.
    """
    state, time = looked(task, run, episode)
    return task.observe(state, task.steps[0])[: len(time)]
