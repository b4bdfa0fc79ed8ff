"""Environments of gymnasium as tasks, and tasks as environments of gymnasium (extra ``gym``)."""

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from neurometa.errors import InputError
from neurometa.streams import integers
from neurometa.tasks.bandit import _check_sizes
from neurometa.tasks.base import Task

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
        Id of a registered environment, or what makes one. Only an id can be saved with a run.
    """

    n_trials: int
    env: str | Callable[[], Any]

    latents = {"valid": ()}

    def __post_init__(self) -> None:
        _check_sizes(self.n_trials, 2)
        first, spaces = self._pool.envs[0], _gymnasium().spaces
        if not isinstance(first.action_space, spaces.Discrete):
            raise InputError(f"The actions of {self.env} are {first.action_space}; they must be Discrete.")
        try:
            spaces.flatdim(first.observation_space)
        except (NotImplementedError, ValueError) as error:
            raise InputError(
                f"The observations of {self.env} are {first.observation_space}, which have no fixed length; "
                "wrap the environment so that they are a Box."
            ) from error

    @functools.cached_property
    def _pool(self) -> "_Pool":
        return _Pool([_make(self.env)])

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
        pool = self._pool
        pool.envs += [_make(self.env) for _ in range(n_episodes - len(pool.envs))]
        pool.n_begun += 1
        seeds = integers(rng, 2**31 - 1, n_episodes).tolist()
        seen = [self._flat(env.reset(seed=seed)[0]) for env, seed in zip(pool.envs[:n_episodes], seeds, strict=True)]
        running = torch.ones(n_episodes, dtype=torch.bool, device=rng.device)
        batch = torch.full((n_episodes,), pool.n_begun, device=rng.device)
        return {"observation": torch.stack(seen).to(rng.device), "valid": running, "running": running, "batch": batch}

    def observe(self, state, step):
        """Show what the environment last returned, flattened; all zero once it has ended."""
        return state["observation"]

    def step(self, state, action, step, rng):
        """Step every environment that has not ended."""
        pool, n_features = self._pool, self.n_features
        if int(state["batch"][0]) != pool.n_begun:
            raise InputError("Another batch of this task has begun since; its environments cannot be stepped back.")
        was_running = state["running"].tolist()
        reward, running = torch.zeros(len(action)), torch.zeros(len(action), dtype=torch.bool)
        seen = torch.zeros(len(action), n_features)
        for i, (act, runs) in enumerate(zip(action.tolist(), was_running, strict=True)):
            if runs:
                now, paid, terminated, truncated, _ = pool.envs[i].step(act + int(pool.envs[i].action_space.start))
                reward[i], running[i] = float(paid), not (terminated or truncated)
                if running[i]:
                    seen[i] = self._flat(now)
        after = {"observation": seen, "running": running}
        moved = {name: x.to(rng.device) for name, x in after.items()}
        return reward.to(rng.device), state | moved | {"valid": state["running"]}

    def _flat(self, seen: Any) -> torch.Tensor:
        flat = _gymnasium().spaces.flatten(self._pool.envs[0].observation_space, seen)
        return torch.as_tensor(flat, dtype=torch.float32)


@dataclasses.dataclass
class _Pool:
    """The environments of a task, and how many batches have begun in them."""

    envs: list[Any]
    n_begun: int = 0


def from_gymnasium(env: "str | Callable[[], gymnasium.Env]", *, n_trials: int | None = None) -> GymnasiumTask:
    """Make a task of an environment of gymnasium.

    Parameters
    ----------
    env : str or callable
        Id of a registered environment, e.g. ``"CartPole-v1"``, or what makes one. Actions must be discrete;
        observations of any space of fixed length are flattened, discrete ones to one-hot.
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
    if n_trials is None:
        spec = _make(env).spec
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


def _make(env: "str | Callable[[], gymnasium.Env]") -> Any:
    gymnasium = _gymnasium()
    if not isinstance(env, str):
        return env()
    try:
        return gymnasium.make(env)
    except gymnasium.error.Error as error:
        raise InputError(f"gymnasium cannot make {env!r}: {error}") from error
