"""Where tasks and agents meet: one loop that plays episodes, and the dataset it becomes."""

import math
from collections.abc import Callable, Iterator

import torch
import xarray as xr
from torch import Tensor

from neurometa import timed
from neurometa.agents import Agent, Output, Segment
from neurometa.agents.base import State
from neurometa.clamping import clamp as clamp
from neurometa.errors import InputError
from neurometa.labelled import from_dataset as from_dataset
from neurometa.labelled import grain_of
from neurometa.labelled import to_dataset as to_dataset
from neurometa.memory import check_memory
from neurometa.policies import draw
from neurometa.streams import Rng, integers, normal
from neurometa.tasks import Task
from neurometa.tasks.base import Perturb
from neurometa.tasks.timed import EVENT, TimedTask

ACTIVITY = ("hidden", "cell")
STEPS = ("action", "reward", "value", "logits", "observation")  # what is kept of every step
MOST_AT_ONCE = 4096  # episodes played together, so that memory does not grow with their number
UNSEEN = 64  # steps after which what was observed is let go where it is not asked for


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
        raise InputError(f"n_episodes is {n_episodes}; it must be at least 1.")
    check_batch(f"n_episodes is {n_episodes}: what is played", task, n_episodes, observed=False)
    batches: list[xr.Dataset] = []
    for first in range(0, n_episodes, MOST_AT_ONCE):
        size = min(MOST_AT_ONCE, n_episodes - first)
        before = len(batches) * task.n_trials
        tick = (lambda trial, before=before: progress(before + trial)) if progress else None
        played = unroll(task, agent, size, rng, log=log, perturb=perturb, progress=tick, observed=False)
        batches.append(to_dataset(task, played, agent))
    if len(batches) == 1:
        return batches[0]
    return xr.concat(timed.equally_long(batches) if isinstance(task, TimedTask) else batches, "episode")


def unroll(
    task: Task,
    agent: Agent,
    n_episodes: int,
    rng: Rng,
    *,
    log: tuple[str, ...] = (),
    perturb: Perturb | None = None,
    progress: Callable[[int], None] | None = None,
    observed: bool = True,
) -> dict[str, Tensor]:
    """Play a batch of fresh episodes with the agent's weights as they are.

    Parameters
    ----------
    task, agent, n_episodes, rng, log, perturb, progress
        As for `segments`.
    observed : bool
        Keep what the agent saw, of which frames are most of the memory.

    Returns
    -------
    dict of Tensor
        ``action``, ``reward``, ``value`` and ``observation`` (trial, step, episode, ...),
        ``logits``, whatever `log` names, and the task's latents (trial, episode, ...), or (episode, ...) of those that
        do not change in an episode.
        Time comes first, as it is written; `to_dataset` puts the dims in the contract's order. Of a `TimedTask` all
        steps are over (time, episode, ...).
    """
    kept = STEPS if observed else STEPS[:-1]
    parts: list[dict[str, Tensor]] = []
    length = None if observed else UNSEEN
    for part in segments(task, agent, n_episodes, rng, length, log=log, perturb=perturb, progress=progress):
        parts.append({name: getattr(part, name) for name in kept} | part.record | part.latents)
    grain = {name: grain_of(task, name) for name in task.latents} | dict.fromkeys((*kept, *log), "step")
    found = {name: [part[name] for part in parts if name in part] for name in grain}
    unrolled = {name: x[-1] if grain[name] == "episode" else torch.cat(x) for name, x in found.items()}
    if isinstance(task, TimedTask):
        return unrolled
    shape = (task.n_trials, len(task.steps))
    return {name: x.unflatten(0, shape) if grain[name] == "step" else x for name, x in unrolled.items()}


@torch.no_grad()
def segments(
    task: Task,
    agent: Agent,
    n_episodes: int,
    rng: Rng,
    length: int | None = None,
    *,
    log: tuple[str, ...] = (),
    perturb: Perturb | None = None,
    gaps: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Segment]:
    """Play a batch of fresh episodes, and yield some steps at a time; the agent's state is carried across.

    Between two segments an algorithm may change the agent's weights.

    Parameters
    ----------
    task : Task
        What is played.
    agent : Agent
        Who plays.
    n_episodes : int
        How many episodes, all at once.
    rng : torch.Generator or Streams
        The only source of randomness; its device is where everything runs.
    length : int, optional
        Steps of a segment, of which the last may be shorter; by default one segment is the whole episode.
    log : tuple of str
        What of the agent's record to keep, e.g. ``("hidden", "cell")``.
    perturb : callable, optional
        What is added to the prediction error that the agent makes of a choice, e.g. `Task.perturbation`.
    gaps : bool
        Keep by how much each action is worth less than the best: see `Task.gaps`.
    progress : callable, optional
        Called after each trial with its number.

    Yields
    ------
    Segment

    Raises
    ------
    InputError
        There are no episodes, a segment has no steps, the agent makes no prediction error that could be perturbed, or
        it answers with a policy over other actions than the task asks for.
    """
    size = _size(task, n_episodes, length)
    state = task.begin(n_episodes, rng)
    memory = _begun(agent, n_episodes, rng, perturbed=perturb is not None)
    action = torch.zeros(n_episodes, task.n_axes or task.n_actions, device=rng.device)
    reward = torch.zeros(n_episodes, device=rng.device)
    one_hot = torch.eye(task.n_actions, device=rng.device)
    nothing = torch.empty(n_episodes, 0, device=rng.device)
    n_parameters = 2 * task.n_axes or task.n_actions
    names, in_time = task.schedule, isinstance(task, TimedTask)
    grain = {name: grain_of(task, name) for name in task.latents}
    for first in range(0, task.n_steps, size):
        here = names[first : first + size]
        before = (memory, action, reward)
        rows = _Rows(len(here))
        latents: dict[str, list[Tensor]] = {name: [] for name in grain if grain[name] != "episode"}
        for t, (trial, step) in enumerate(here):
            if in_time and not state["valid"].any():
                here = here[:t]
                break
            looked = state
            observation = task.observe(state, step) if task.n_features else nothing
            if "noise" in memory:  # luck of the agent's own, drawn anew before each step
                memory = memory | {"noise": normal(rng, *memory["noise"].shape)}
            playing = state["valid"] if in_time else None
            logits, value, memory, record = _answer(agent, observation, action, reward, memory, playing)
            lost = {"gaps": task.gaps(state, step)} if gaps else {}
            if logits.shape[-1] != n_parameters:
                raise _misfit(task, agent, logits)
            chosen = draw(logits, rng, task.n_axes)
            reward, state = task.step(state, chosen, step, rng)
            action = chosen if task.n_axes else one_hot[chosen]
            if perturb is not None and step == task.choice_step:
                memory = memory | {"perturbation": perturb(state, chosen, reward)}
            ended = step == task.steps[-1]
            for name in latents:
                if ended or grain[name] == "step":
                    latents[name].append((looked if in_time and name != EVENT else state)[name])
            now = {"observation": observation, "action": chosen, "reward": reward, "logits": logits, "value": value}
            if "valid" in latents:
                now["valid"] = (looked if in_time else state)["valid"]
            rows.put(t, now | lost | {f"record {name}": record[name] for name in log})
            if ended and progress is not None:
                progress(task.n_trials * (first + t + 1) // task.n_steps if in_time else trial + 1)
        if not here:
            return
        filled = {name: x[: len(here)] for name, x in rows.arrays.items()}
        valid = filled.pop("valid", None)
        yield Segment(
            state=before[0],
            action_before=before[1],
            reward_before=before[2],
            valid=torch.ones_like(filled["reward"], dtype=torch.bool) if valid is None else valid,
            record={name: filled.pop(f"record {name}") for name in log},
            latents={name: torch.stack(x) for name, x in latents.items() if x}
            | {name: state[name] for name in grain if grain[name] == "episode"},
            drawn=tuple(name for name in grain if grain[name] == "episode"),
            gaps=filled.get("gaps"),
            **{name: filled[name] for name in STEPS},
        )


def _answer(
    agent: Agent, observation: Tensor, action: Tensor, reward: Tensor, memory: State, playing: Tensor | None
) -> Output:
    """What the agent answers; where most episodes have ended it is asked of the others alone, and the rest is zero."""
    if playing is None or 2 * int(playing.sum()) > len(playing):
        return agent(observation, action, reward, memory)
    here = playing.nonzero()[:, 0]
    found = agent(observation[here], action[here], reward[here], {name: x[here] for name, x in memory.items()})

    def of_all(x: Tensor) -> Tensor:
        return x.new_zeros(len(playing), *x.shape[1:]).index_copy(0, here, x)

    state, record = ({name: of_all(x) for name, x in part.items()} for part in (found.state, found.record))
    return Output(of_all(found.logits), of_all(found.value), state, record)


def _size(task: Task, n_episodes: int, length: int | None) -> int:
    """Steps of a segment, once it is sure that they can be played."""
    for name, number in (("n_episodes", n_episodes), ("length", 1 if length is None else length)):
        if number < 1:
            raise InputError(f"{name} is {number}; it must be at least 1.")
    size = min(task.n_steps, task.n_steps if length is None else length)
    check_batch(f"A batch of {n_episodes} episodes", task, n_episodes, size)
    return size


def _begun(agent: Agent, n_episodes: int, rng: Rng, *, perturbed: bool) -> State:
    """The agent's state before the first step; a copy, as a learned start may change before the end."""
    memory = agent.begin(n_episodes)
    if perturbed and "perturbation" not in memory:
        raise InputError(
            f"{type(agent).__name__} is not told of rewards by prediction errors, so there is nothing to perturb; "
            "an agent trained with separate=true is."
        )
    if "luck" in memory:  # what the agent draws, by itself, follows from these numbers
        memory = memory | {"luck": integers(rng, 2**31 - 1, n_episodes)}
    return {name: x.clone() for name, x in memory.items()}


def _misfit(task: Task, agent: Agent, policy: Tensor) -> InputError:
    asked, form = f"one of {task.n_actions} actions", "their logits"
    if task.n_axes:
        asked, form = f"a continuous action over {task.n_axes} axes", "mean and log SD of each axis"
    return InputError(
        f"{type(task).__name__} asks for {asked}, that is for {form}, and {type(agent).__name__} answers with "
        f"{policy.shape[-1]} numbers; take an agent of this task."
    )


class _Rows:
    """Tensors of so many steps, made when the first step says what is in them, and filled step by step."""

    def __init__(self, n_steps: int) -> None:
        self.n_steps = n_steps
        self.arrays: dict[str, Tensor] = {}
        self.views: dict[str, tuple[Tensor, ...]] = {}

    def put(self, t: int, now: dict[str, Tensor]) -> None:
        if not t:
            self.arrays = {name: x.new_empty((self.n_steps, *x.shape)) for name, x in now.items()}
            self.views = {name: x.unbind() for name, x in self.arrays.items()}
        for name, x in now.items():
            self.views[name][t].copy_(x)


def segment(played: dict[str, Tensor], agent: Agent) -> Segment:
    """Return whole episodes, played by anybody, as a segment that an agent can answer.

    Parameters
    ----------
    played : dict of Tensor
        As of `unroll` or `from_dataset`.
    agent : Agent
        Who is to answer; the segment begins with the state in which it begins an episode.
    """
    _, n_steps, n_episodes = played["reward"].shape
    steps = {name: played[name].flatten(0, 1) for name in STEPS}
    valid = played.get("valid", torch.ones_like(played["reward"], dtype=torch.bool))
    if valid.ndim == 2:  # of trials
        valid = valid[:, None].expand(-1, n_steps, -1)
    reward = steps["reward"]
    width = steps["action" if steps["action"].is_floating_point() else "logits"].shape[-1]
    return Segment(
        **steps,
        valid=valid.flatten(0, 1),
        record={},
        latents={name: x for name, x in played.items() if name not in STEPS},
        state=agent.begin(n_episodes),
        action_before=reward.new_zeros(n_episodes, width),
        reward_before=reward.new_zeros(n_episodes),
        drawn=(),
    )


def check_batch(
    what: str, task: Task, n_episodes: int, n_steps: int | None = None, *, observed: bool = True, lower: str = ""
) -> None:
    """Raise unless action, reward, value, policy and observation of every step fit in memory; see `check_memory`."""
    of_feature = 4 if len(task.observation_shape) == 1 else 1  # frames are bytes
    of_step = 16 + 4 * (task.n_actions + 3 * task.n_axes) + observed * of_feature * math.prod(task.observation_shape)
    check_memory(what, n_episodes * (n_steps or task.n_steps) * of_step, lower)
