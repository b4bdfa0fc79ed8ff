"""Environments of gymnasium as tasks, and tasks as environments of gymnasium (extra ``gym``)."""

import dataclasses
import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from neurometa.errors import InputError
from neurometa.streams import idle, integers
from neurometa.tasks.base import Task, check_sizes

if TYPE_CHECKING:
    import gymnasium

INSTALL = "gymnasium is not installed; install it with: pip install 'neurometa[gym]'"


@dataclasses.dataclass(frozen=True)
class GymnasiumTask(Task):
    """An environment of gymnasium with discrete actions; one trial is one of its steps.

    An episode lasts `n_trials` steps at most. Where the environment terminates or truncates
    earlier, the rest is padding: nothing to see, no reward, ``valid`` False and no choice. For the
    training that is a state which pays nothing and is never left, so that returns are exact; no
    step is spent on a reset. Made by `from_gymnasium`.

    Unlike other tasks it has a memory outside its state, the environments themselves: of two
    batches of one task only the later can be played on.

    Parameters
    ----------
    n_trials : int
        Most steps in an episode.
    env : str or callable
        Id of a registered environment, or what makes one. Only an id can be saved with a run, and none that names
        a module to import (``module:Name-v0``), for a run folder of somebody else could then run any program.

    Raises
    ------
    InputError
        gymnasium is not installed, or the environment cannot be made into a task; when it is played, the environment
        raises or returns what is not of its spaces: the message says which, and in which episode and step.
    """

    n_trials: int
    env: str | Callable[[], Any]

    latents = {"valid": ()}

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        if isinstance(self.env, str) and ":" in self.env:
            module, _, name = self.env.partition(":")
            raise InputError(
                f"env is {self.env!r}, which would import the module {module!r}: a saved id may not. Import it "
                f"yourself (at the shell: neurometa --import {module} ...) and say {name!r}, or use from_gymnasium."
            )
        self._pool  # noqa: B018 - its spaces are looked at

    @functools.cached_property
    def _pool(self) -> "_Pool":
        return _Pool([self._make()])

    def _make(self) -> Any:
        return _api().make(self.env, self._name)

    @property
    def _name(self) -> str:
        return repr(self.env) if isinstance(self.env, str) else getattr(self.env, "__qualname__", repr(self.env))

    @property
    def _class(self) -> str:
        """What to call an environment that was made: its id, or its class."""
        made = self._pool.envs[0]
        return self._name if isinstance(self.env, str) else type(getattr(made, "unwrapped", made)).__name__

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Length of a flattened observation."""
        return int(_gymnasium().spaces.flatdim(self._pool.envs[0].observation_space))

    @property
    def n_actions(self) -> int:
        """Number of actions of the environment."""
        return int(self._pool.envs[0].action_space.n)

    def begin(self, n_episodes, rng):
        """Reset as many environments, each with a seed of its own drawn from `rng`."""
        pool, api, running = self._pool, _api(), ~idle(rng, n_episodes)
        n_running = int(running.sum())
        pool.envs += [self._make() for _ in range(n_running - len(pool.envs))]
        pool.n_begun, pool.n_taken = pool.n_begun + 1, 0
        seeds = integers(rng, 2**31 - 1, n_episodes)[:n_running].tolist()
        seen = [
            self._flat(api.reset(env, seed, api.Place(self._class, i, None)))
            for i, (env, seed) in enumerate(zip(pool.envs[:n_running], seeds, strict=True))
        ]
        seen += [torch.zeros_like(seen[0])] * (n_episodes - n_running)
        batch = torch.full((n_episodes,), pool.n_begun, device=rng.device)
        return {"observation": torch.stack(seen).to(rng.device), "valid": running, "running": running, "batch": batch}

    def observe(self, state, step):
        """Show what the environment last returned, flattened; all zero once it has ended."""
        return state["observation"]

    def step(self, state, action, step, rng):
        """Step every environment that has not ended."""
        pool, api = self._pool, _api()
        if int(state["batch"][0]) != pool.n_begun:
            raise InputError("Another batch of this task has begun since; its environments cannot be stepped back.")
        if (action < 0).any():
            raise InputError("an environment of gymnasium takes no step without an action")
        was_running = state["running"].tolist()
        reward, running = torch.zeros(len(action)), torch.zeros(len(action), dtype=torch.bool)
        seen = torch.zeros(len(action), self.n_features)
        for i, (act, runs) in enumerate(zip(action.tolist(), was_running, strict=True)):
            if runs:
                env, place = pool.envs[i], api.Place(self._class, i, pool.n_taken)
                now, reward[i], running[i] = api.step(env, act + int(env.action_space.start), place)
                if running[i]:
                    seen[i] = self._flat(now)
        pool.n_taken += 1
        after = {"observation": seen, "running": running}
        moved = {name: x.to(rng.device) for name, x in after.items()}
        return reward.to(rng.device), state | moved | {"valid": state["running"]}

    def _flat(self, seen: Any) -> torch.Tensor:
        flat = _gymnasium().spaces.flatten(self._pool.envs[0].observation_space, seen)
        return torch.as_tensor(flat, dtype=torch.float32)


@dataclasses.dataclass
class _Pool:
    """The environments of a task, how many batches have begun in them, and how many steps the last one has taken."""

    envs: list[Any]
    n_begun: int = 0
    n_taken: int = 0


def from_gymnasium(env: "str | Callable[[], gymnasium.Env]", *, n_trials: int | None = None) -> GymnasiumTask:
    """Make a task of an environment of gymnasium.

    Parameters
    ----------
    env : str or callable
        Id of a registered environment, e.g. ``"CartPole-v1"``, or what makes one; ``"module:Name-v0"`` imports the
        module that registers it. Actions must be discrete; observations of any space of fixed length are flattened,
        discrete ones to one-hot.
    n_trials : int, optional
        Most steps in an episode; by default the environment's own limit.

    Returns
    -------
    GymnasiumTask
        Trained, played and logged like every other.

    Raises
    ------
    InputError
        gymnasium is not installed, there is no such environment, it has other actions, or no limit of its own.

    Examples
    --------
    >>> from_gymnasium("CartPole-v1", n_trials=50).n_actions
    2
    """
    if isinstance(env, str) and ":" in env:
        module, _, env = env.partition(":")
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise InputError(f"The module {module!r} of {module}:{env} cannot be imported: {error}.") from error
    if n_trials is None:
        spec = _api().make(env, repr(env)).spec
        n_trials = spec.max_episode_steps if spec else None
        if n_trials is None:
            raise InputError(f"{env} has no limit to the steps of an episode; give n_trials.")
    return GymnasiumTask(n_trials, env)


def to_gymnasium(task: Task) -> "gymnasium.Env":
    """Make an environment of gymnasium of a task: one episode at a time, one action per step of a trial.

    Parameters
    ----------
    task : Task
        Any task.

    Returns
    -------
    gymnasium.Env
        Its observation is what the task shows, beside where in the trial it is, one-hot; it terminates after the last
        trial. ``info`` names the ``step`` and ``trial`` (from 0) that come next. Latents are in ``info`` after the last
        step of a trial, as they were on that trial.

    Raises
    ------
    InputError
        gymnasium is not installed.
    """
    _gymnasium()
    from neurometa.tasks.gymnasium_env import TaskEnv

    return TaskEnv(task)


def _gymnasium() -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise InputError(f"{INSTALL}.") from error
    return gymnasium


def _api() -> Any:
    _gymnasium()
    from neurometa.tasks import gymnasium_api

    return gymnasium_api
