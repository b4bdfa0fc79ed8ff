"""An agent is given what somebody else saw, did and earned, so that its state stands beside each recorded trial."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from neurometa import dataset
from neurometa.agents import Agent, Segment
from neurometa.errors import InputError
from neurometa.tasks import Task
from neurometa.tasks.fixation import STEP as FIXATION
from neurometa.tasks.fixation import without_fixation

TOLD = {"second_state", "common", "second_choice"}  # latents that a table of trials can hold, and observations show
AT_ONCE = 512  # episodes that are answered together


@torch.no_grad()
def clamp(agent: Agent, trials: xr.Dataset, task: Task | None = None, *, log: tuple[str, ...] = ()) -> xr.Dataset:
    """Give an agent the observations, choices and rewards of recorded trials, in their order, and log its answers.

    The agent chooses nothing: what was done and earned is entered as if it had been its own, so that its values, policy
    and activity stand beside every trial of an animal. An episode of the trials is one of the agent's, whose state is
    carried through it; padding comes last and is marked by ``valid``.

    Parameters
    ----------
    agent : Agent
        A trained network (`neurometa.runs.load_agent`), a learner or an ideal observer.
    trials : Dataset
        ``choice`` (-1 where none was made) and ``reward`` over ``episode`` and ``trial``; what the task shows besides,
        such as ``second_state``; or ``observation`` itself over ``step`` and its own dims. A logged run, with
        ``action`` and ``step_reward`` over ``step``, is taken step by step.
    task : Task, optional
        What the agent was trained on: its steps, and what it shows at each. By default one step without observation,
        such as a bandit's.
    log : tuple of str
        What of the agent's record to keep, e.g. ``("hidden",)``.

    Returns
    -------
    Dataset
        The trials, over ``step`` too: ``action`` (that was entered), ``step_reward``, ``observation``, and the agent's
        ``value``, ``logits``
        and record; the animal's own units are left out. It can be read like a rollout, e.g. by `neurometa.neural.rpe`.

    Raises
    ------
    InputError
        The trials hold nothing of what the task shows, have more options or other rewards than it, or the agent does
        not take such observations.
    """
    dataset.require(trials, choice=("episode", "trial"), reward=("episode", "trial"))
    dataset.check(trials)
    steps = _steps(trials, task)
    n_actions = task.n_actions if task is not None else dataset.n_options(trials)
    _check_options(trials, task)
    parts = []
    for first in range(0, trials.sizes["episode"], AT_ONCE):
        some = trials.isel(episode=slice(first, first + AT_ONCE))
        entered = _entered(some, task, steps, n_actions)
        parts.append(_answered(agent, entered, n_actions, len(steps), log))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    grain = ("episode", "trial", "step")
    variables = {name: ((*grain, *_own_dims(name, agent, x.ndim - 3)), x) for name, x in arrays.items()}
    clamped = trials.drop_vars([name for name in (*variables, "step") if name in trials.variables])
    clamped = clamped.drop_dims(("step", "unit"), errors="ignore").assign(variables).assign_coords(step=list(steps))
    if "valid" not in clamped:
        clamped["valid"] = dataset.valid(trials, "choice")
    choice_step = task.choice_step if task is not None else "choice"
    return dataset.describe(clamped.assign_attrs(choice_step=choice_step, agent=f"{type(agent).__name__}, clamped"))


def _own_dims(name: str, agent: Agent, count: int) -> tuple[str, ...]:
    """Dims of an answer after (episode, trial, step)."""
    if name == "observation":
        return ("feature",) if count == 1 else ("channel", "height", "width")[-count:]
    if name in agent.records:
        return agent.records[name]
    known = dataset.VARIABLES.get(name)
    return tuple(dim for dim in known.dims if dim not in ("episode", "trial", "step")) if known else ()


def _steps(trials: xr.Dataset, task: Task | None) -> tuple[str, ...]:
    if task is not None:
        if task.choice_step is None:
            name = type(task).__name__
            raise InputError(f"{name} has no single choice in a trial, so that no animal's can be entered.")
        return task.steps
    if "action" in trials and "step" in trials.action.dims:
        return tuple(str(each) for each in trials.step.values)
    return ("choice",)


def _check_options(trials: xr.Dataset, task: Task | None) -> None:
    if task is None:
        return
    name = type(without_fixation(task)).__name__
    n_options = dataset.n_options(trials)
    if n_options > task.n_options:
        raise InputError(
            f"The animal's task has {n_options} options, the agent's ({name}) {task.n_options}, so that its choices "
            "cannot be entered; train the agent on a task with as many."
        )
    if task.reward_levels:
        paid = np.unique(trials.reward.values[dataset.played(trials).transpose(*trials.reward.dims).values])
        if odd := [each for each in paid.tolist() if each not in task.reward_levels]:
            raise InputError(
                f"The animal earned {odd[:5]}, but the agent is shown rewards as one of "
                f"{sorted(task.reward_levels)}; code them so, with --reward-coding of neurometa import."
            )


def _entered(trials: xr.Dataset, task: Task | None, steps: tuple[str, ...], n_actions: int) -> dict[str, Tensor]:
    """Actions, rewards and observations of a batch, (trial, step, episode, ...)."""
    logged = "action" in trials and "step_reward" in trials and "step" in trials.action.dims
    if logged and [str(each) for each in trials.step.values] == list(steps):
        order = ("trial", "step", "episode")
        action = torch.from_numpy(trials.action.transpose(*order).values.astype(np.int64))
        reward = torch.from_numpy(trials.step_reward.transpose(*order).values.astype(np.float32))
    else:
        choice_step = "choice" if task is None or task.choice_step is None else task.choice_step
        made = dataset.played(trials)
        shape = (trials.sizes["trial"], len(steps), trials.sizes["episode"])
        action, reward = torch.zeros(shape, dtype=torch.int64), torch.zeros(shape)
        for k, step in enumerate(steps):
            if step == FIXATION:
                action[:, k] = n_actions - 1  # the centre, as is right
            elif step != choice_step:
                action[:, k] = _whole(trials.get("second_choice", 0 * trials.choice)).clamp(min=0)
        action[:, steps.index(choice_step)] = _whole(trials.choice.where(made, -1))
        paid = trials.reward.where(made, 0.0).fillna(0.0)
        reward[:, -1] = torch.from_numpy(paid.transpose("trial", "episode").values.astype(np.float32))
    shown = np.ascontiguousarray(dataset.valid(trials, "choice").transpose("trial", "episode").values)
    valid = torch.from_numpy(shown)[:, None].expand_as(action)
    return {"action": action, "reward": reward, "observation": _shown(trials, task, steps), "valid": valid}


def _whole(x: xr.DataArray) -> Tensor:
    return torch.from_numpy(x.fillna(-1).transpose("trial", "episode").values.astype(np.int64))


def _shown(trials: xr.Dataset, task: Task | None, steps: tuple[str, ...]) -> Tensor:
    """What the agent sees at every step."""
    shape = (trials.sizes["trial"], len(steps), trials.sizes["episode"])
    if "observation" in trials and "step" in trials.observation.dims:
        seen = trials.observation.transpose("trial", "step", "episode", ...).values
        if task is not None and seen.shape[3:] != task.observation_shape:
            raise InputError(
                f"The trials show {seen.shape[3:]} at each step, the agent's task {task.observation_shape}: an agent "
                "can be clamped only to what it was trained to see."
            )
        return torch.from_numpy(np.ascontiguousarray(seen))
    if task is None or not task.n_features:
        return torch.empty((*shape, 0))
    inner = without_fixation(task)
    hidden = set(inner.latents) & TOLD
    if inner.n_features and "second_state" not in inner.latents:
        name = type(inner).__name__
        raise InputError(
            f"The agent's task, {name}, shows {inner.n_features} numbers at each step that these trials do not hold; "
            "give what the animal saw as 'observation' over episode, trial, step and feature."
        )
    if inner.n_features and "second_state" not in trials:
        raise InputError(
            "The agent's task shows the second-stage state, and these trials have no 'second_state': the animal's task "
            "does not fit the agent's, which needs two steps."
        )
    if inner.n_features:
        _check_transitions(trials)
    rng = torch.Generator().manual_seed(0)  # of worlds that nothing is shown of
    begun = task.begin(shape[2], rng)
    known = {name: _whole(trials[name]) for name in hidden & set(map(str, trials.data_vars))}
    seen, before = [], begun
    for trial in range(shape[0]):
        after = begun | {name: x[trial].to(begun[name].dtype) for name, x in known.items()}
        moved = False
        for step in steps:
            seen.append(task.observe(after if moved else before, step))
            moved = moved or step == task.choice_step
        before = after
    return torch.stack(seen).unflatten(0, shape[:2]).contiguous()


def _check_transitions(trials: xr.Dataset) -> None:
    """Raise where the option that leads commonly to state a is not a: such an agent has learned that it is."""
    if "common" not in trials:
        return
    reached = dataset.played(trials) & (trials.second_state >= 0)
    wrong = reached & ((trials.choice == trials.second_state) != trials.common.astype(bool))
    if wrong.any():
        raise InputError(
            "Action a must lead commonly to state a, as in the agent's task, but 'common' says otherwise on "
            f"{int(wrong.sum())} of {int(reached.sum())} trials; exchange the labels of the states."
        )


def _answered(
    agent: Agent, entered: dict[str, Tensor], n_actions: int, n_steps: int, log: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """What was entered and answered, (episode, trial, step, ...)."""
    n_trials, _, n_episodes = entered["action"].shape
    flat = {name: x.flatten(0, 1) for name, x in entered.items()}
    nothing = torch.zeros(n_trials * n_steps, n_episodes)
    try:
        state = agent.begin(n_episodes)
        whole = Segment(
            observation=flat["observation"],
            action=flat["action"],
            reward=flat["reward"],
            valid=flat["valid"],
            logits=nothing[..., None].expand(-1, -1, n_actions),
            value=nothing,
            record={},
            latents={},
            state=state,
            action_before=torch.zeros(n_episodes, n_actions),
            reward_before=torch.zeros(n_episodes),
        )
        agent(whole.observation[0], whole.action_before, whole.reward_before, state)  # torch's own LSTM checks no sizes
        answer = agent.sequence(whole, state, log=log)
    except (RuntimeError, IndexError, KeyError) as error:
        size = tuple(entered["observation"].shape[3:])
        raise InputError(
            f"{type(agent).__name__} does not take {n_actions} options and observations of {size}, which these trials "
            f"have; give the task that it was trained on ({' '.join(str(error).split())})."
        ) from error
    found = {name: entered[name] for name in ("action", "observation")} | {"step_reward": entered["reward"]}
    if not entered["observation"].numel():
        del found["observation"]
    told = {"value": answer.value, "logits": answer.logits, **{name: answer.record[name] for name in log}}
    found |= {name: x.unflatten(0, (n_trials, n_steps)) for name, x in told.items()}
    return {name: np.moveaxis(x.cpu().numpy(), 2, 0) for name, x in found.items()}
