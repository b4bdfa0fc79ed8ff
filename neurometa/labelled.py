"""What was played as a dataset of the contract, and back to the tensors that it was made of."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from neurometa import dataset, timed
from neurometa.agents import Agent
from neurometa.errors import InputError
from neurometa.tasks import Task
from neurometa.tasks.base import declared
from neurometa.tasks.timed import TimedTask


def to_dataset(
    task: Task, played: dict[str, Tensor], agent: Agent | None = None, *, observation: bool = False
) -> xr.Dataset:
    """Give played episodes the names, dims and units of the data contract.

    Parameters
    ----------
    task : Task
        What was played.
    played : dict of Tensor
        What `unroll` returned.
    agent : Agent, optional
        Who played, which says over which dims its record is; else the contract does.
    observation : bool
        Keep what the agent saw.

    Returns
    -------
    Dataset
        Over ``episode``, ``trial``, ``step`` and the dims of each variable. A task without a choice step has ``action``
        and no ``choice``. Of a `TimedTask` as of `timed.to_dataset`.
    """
    if isinstance(task, TimedTask):
        return timed.to_dataset(task, played, agent, observation=observation)
    latents, variables = declared(task), {}
    for name, x in played.items():
        if name != "observation" or (observation and task.n_features):
            about = latents[name].attrs() if name in latents else {}
            known = "step_reward" if name == "reward" else name
            variables[known] = (_dims(task, name, agent), x.cpu().numpy(), about)
    if task.n_axes and "logits" in variables:
        _, policy, about = variables.pop("logits")
        dims = _dims(task, "action", agent)
        variables["action_mean"] = (dims, policy[..., : task.n_axes], about)
        variables["action_sd"] = (dims, np.exp(policy[..., task.n_axes :]), about)
    run = xr.Dataset(variables, coords={"step": list(task.steps)})
    if not task.n_axes:
        run["action"] = run.action.astype(np.int8)
    if task.choice_step is not None:
        chosen = run.action.sel(step=task.choice_step, drop=True)
        made = chosen < task.n_options
        if "valid" in run:  # padding is no choice
            made &= run.valid.sel(step=task.choice_step, drop=True) if "step" in run.valid.dims else run.valid
        run["choice"] = chosen.where(made, np.int8(-1)).assign_attrs(n_options=task.n_options)
        run = run.assign_attrs(choice_step=task.choice_step)
    run["reward"] = run.step_reward.sum("step")
    return dataset.describe(run.transpose("episode", "trial", "step", *dataset.LAST, ..., missing_dims="ignore"))


def from_dataset(task: Task, trials: xr.Dataset) -> dict[str, Tensor]:
    """Return what was played, as `unroll` does, from the dataset that `to_dataset` made of it.

    Parameters
    ----------
    task : Task
        What was played.
    trials : Dataset
        ``action`` and ``step_reward`` over ``episode``, ``trial`` and ``step``, what else was logged of the agent, and
        the task's latents.

    Returns
    -------
    dict of Tensor
        As of `unroll`.

    Raises
    ------
    InputError
        The trials hold no steps of this task, or a latent of it is absent.
    """
    dataset.require(trials, action=("episode", "trial", "step"), step_reward=("episode", "trial", "step"))
    dataset.require(trials, **{name: _dims(task, name, None) for name in task.latents})
    if trials.step.values.tolist() != list(task.steps):
        raise InputError(
            f"The trials have the steps {trials.step.values.tolist()}; those of the task are {task.steps}."
        )
    played = {}
    for name, x in trials.data_vars.items():
        if name in ("choice", "reward"):
            continue  # of the trial: they follow from its steps
        rest = [dim for dim in x.dims if dim not in ("trial", "step", "episode")]
        order = [*(dim for dim in ("trial", "step", "episode") if dim in x.dims), *rest]
        values = torch.from_numpy(np.ascontiguousarray(x.transpose(*order).values))
        whole = name == "action" and not task.n_axes
        played[{"step_reward": "reward"}.get(str(name), str(name))] = values.long() if whole else values
    if task.n_axes:
        played["logits"] = torch.cat([played.pop("action_mean"), played.pop("action_sd").log()], -1)
    if not task.n_features:
        n_steps = played["reward"].shape
        played["observation"] = played["reward"].new_empty((*n_steps, 0))
    return played


def _dims(task: Task, name: str, agent: Agent | None) -> tuple[str, ...]:
    """Dims of what was played, time first."""
    if name in task.latents:
        dims = declared(task)[name].dims
        before = {"episode": (), "trial": ("trial",), "step": ("trial", "step")}[grain_of(task, name)]
        return (*before, "episode", *(dim for dim in dims if dim not in ("step", "episode")))
    return ("trial", "step", "episode", *timed.dims_of_step(task, name, agent))


def grain_of(task: Task, name: str) -> str:
    """Return what there is one value of a latent for: "episode", "trial" or "step"."""
    dims = declared(task)[name].dims
    if isinstance(task, TimedTask):
        return "step" if dims[:1] == ("time",) else "episode"
    return dims[0] if dims[:1] in (("episode",), ("step",)) else "trial"
