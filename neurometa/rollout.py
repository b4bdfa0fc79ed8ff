"""Where tasks and agents meet: one loop that plays episodes, and the dataset it becomes."""

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from neurometa import dataset
from neurometa.agents import Agent
from neurometa.errors import InputError
from neurometa.memory import check_memory
from neurometa.streams import Rng, uniform
from neurometa.tasks import Task
from neurometa.tasks.base import declared
from neurometa.tasks.risky_safe import Perturb

ACTIVITY = ("hidden", "cell")
MOST_AT_ONCE = 4096  # episodes played together, so that memory does not grow with their number


def play(
    task: Task,
    agent: Agent,
    n_episodes: int,
    rng: Rng,
    *,
    log: tuple[str, ...] = (),
    perturb: Perturb | None = None,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Play any number of episodes, so many at once that memory does not grow with them.

    Parameters
    ----------
    task, agent, n_episodes, rng, log, perturb
        As for `unroll`.
    progress : callable, optional
        Called with the number of trials played so far in all batches.

    Returns
    -------
    Dataset
        As of `to_dataset`.

    Raises
    ------
    InputError
        There are no episodes to play.
    """
    if n_episodes < 1:
        raise InputError(f"--episodes is {n_episodes}; it must be at least 1.")
    check_batch(f"n_episodes is {n_episodes}: what is played", task, n_episodes)
    batches: list[xr.Dataset] = []
    for first in range(0, n_episodes, MOST_AT_ONCE):
        size = min(MOST_AT_ONCE, n_episodes - first)
        before = len(batches) * task.n_trials
        tick = (lambda trial, before=before: progress(before + trial)) if progress else None
        batches.append(to_dataset(task, unroll(task, agent, size, rng, log=log, perturb=perturb, progress=tick)))
    return xr.concat(batches, "episode") if len(batches) > 1 else batches[0]


@torch.no_grad()
def unroll(
    task: Task,
    agent: Agent,
    n_episodes: int,
    rng: Rng,
    *,
    log: tuple[str, ...] = (),
    perturb: Perturb | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Tensor]:
    """Play a batch of fresh episodes with the agent's weights as they are.

    Parameters
    ----------
    task : Task
        What is played.
    agent : Agent
        Who plays.
    n_episodes : int
        How many episodes, all at once.
    rng : torch.Generator
        The only source of randomness; its device is where everything runs.
    log : tuple of str
        What of the agent's record to keep, e.g. ``("hidden", "cell")``.
    perturb : callable, optional
        What is added to the prediction error that the agent makes of a choice, e.g. `tasks.risky_safe.perturbation`.
    progress : callable, optional
        Called after each trial with its number.

    Returns
    -------
    dict of Tensor
        ``action``, ``reward``, ``value`` and ``observation`` (trial, step, episode, ...),
        ``logits``, whatever `log` names, and the task's latents (trial, episode, ...).
        Time comes first, as it is written; `to_dataset` puts the dims in the contract's order.
    """
    if n_episodes < 1:
        raise InputError(f"n_episodes is {n_episodes}; it must be at least 1.")
    check_batch(f"A batch of {n_episodes} episodes", task, n_episodes)
    state, memory = task.begin(n_episodes, rng), agent.begin(n_episodes)
    action = torch.zeros(n_episodes, task.n_actions, device=rng.device)
    reward = torch.zeros(n_episodes, device=rng.device)
    if perturb is not None and "perturbation" not in memory:
        raise InputError(
            f"{type(agent).__name__} is not told of rewards by prediction errors, so there is nothing to perturb; "
            "an agent trained with separate=true is."
        )
    one_hot = torch.eye(task.n_actions, device=rng.device)
    nothing = torch.empty(n_episodes, 0, device=rng.device)
    steps: dict[str, list[Tensor]] = {name: [] for name in ("action", "reward", "value", "logits", "observation", *log)}
    latents: dict[str, list[Tensor]] = {name: [] for name in task.latents}
    for trial in range(task.n_trials):
        for step in task.steps:
            observation = task.observe(state, step) if task.n_features else nothing
            logits, value, memory, record = agent(observation, action, reward, memory)
            chosen = draw(logits, rng)
            reward, state = task.step(state, chosen, step, rng)
            action = one_hot[chosen]
            if perturb is not None and step == task.choice_step:
                memory = memory | {"perturbation": perturb(state, chosen, reward)}
            now = {"action": chosen, "reward": reward, "value": value, "logits": logits, "observation": observation}
            for name, x in now.items():
                steps[name].append(x)
            for name in log:
                steps[name].append(record[name])
        for name in latents:
            latents[name].append(state[name])
        if progress is not None:
            progress(trial + 1)
    shape = (task.n_trials, len(task.steps))
    played = {name: torch.stack(x).unflatten(0, shape) for name, x in steps.items()}
    return played | {name: torch.stack(x) for name, x in latents.items()}


def check_batch(what: str, task: Task, n_episodes: int) -> None:
    """Raise unless action, reward, value, policy and observation of every step fit in memory; see `check_memory`."""
    of_step = 16 + 4 * (task.n_actions + task.n_features)
    check_memory(what, n_episodes * task.n_trials * len(task.steps) * of_step)


def draw(logits: Tensor, rng: Rng) -> Tensor:
    """Draw actions from a softmax policy by inverting its distribution, (episode,) int64."""
    luck = uniform(rng, len(logits))
    if logits.shape[-1] == 2:  # the commonest case, three times as quick
        return (luck < torch.sigmoid(logits[:, 1] - logits[:, 0])).long()
    reached = torch.softmax(logits, -1).cumsum(-1)
    reached = reached / reached[:, -1:]  # rounding leaves the sum off 1, and -inf at the end would be drawn
    return (reached[:, :-1] <= luck[:, None]).sum(-1)


def to_dataset(task: Task, played: dict[str, Tensor], *, observation: bool = False) -> xr.Dataset:
    """Give played episodes the names, dims and units of the data contract.

    Parameters
    ----------
    task : Task
        What was played.
    played : dict of Tensor
        What `unroll` returned.
    observation : bool
        Keep what the agent saw.

    Returns
    -------
    Dataset
        Over ``episode``, ``trial``, ``step`` and the dims of each variable.
    """
    last = {"logits": ("option",), "observation": ("feature",), "hidden": ("unit",), "cell": ("unit",)}
    latents, variables = declared(task), {}
    for name, x in played.items():
        about: dict[str, str] = {}
        if name in latents:
            dims: tuple[str, ...] = ("trial", "episode", *latents[name].dims)
            about = latents[name].attrs()
        else:
            dims = ("trial", "step", "episode", *last.get(name, ()))
        if name != "observation" or (observation and task.n_features):
            variables["step_reward" if name == "reward" else name] = (dims, x.cpu().numpy(), about)
    run = xr.Dataset(variables, coords={"step": list(task.steps)})
    run["action"] = run.action.astype(np.int8)
    chosen = run.action.sel(step=task.choice_step, drop=True)
    made = chosen < task.n_options
    if "valid" in run:  # padding is no choice
        made &= run.valid
    run["choice"] = chosen.where(made, np.int8(-1)).assign_attrs(n_options=task.n_options)
    run["reward"] = run.step_reward.sum("step")
    order = ["episode", "trial", "step", "arm", "state", "option", "unit", "feature"]
    run = run.assign_attrs(choice_step=task.choice_step)
    return dataset.describe(run.transpose(*order, missing_dims="ignore"))
