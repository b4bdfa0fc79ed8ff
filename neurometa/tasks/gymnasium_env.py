"""A task as an environment of gymnasium, for other libraries to train on."""

from typing import Any

import gymnasium
import numpy as np
import torch

from neurometa.tasks.base import Task


class TaskEnv(gymnasium.Env[np.ndarray, Any]):
    """One episode of a task at a time; see `neurometa.tasks.to_gymnasium`.

    Parameters
    ----------
    task : Task
        What is played.
    """

    metadata = {"render_modes": []}

    def __init__(self, task: Task) -> None:
        self.task = task
        self.action_space: gymnasium.Space = (
            gymnasium.spaces.Discrete(task.n_actions)
            if not task.n_axes
            else (gymnasium.spaces.Box(-np.inf, np.inf, (task.n_axes,), dtype=np.float32))
        )
        self.observation_space = gymnasium.spaces.Box(
            -np.inf, np.inf, (task.n_features + len(task.steps),), dtype=np.float32
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begin an episode; `seed` fixes it and all that follow."""
        super().reset(seed=seed)
        self.rng = torch.Generator().manual_seed(int(self.np_random.integers(2**63 - 1)))
        self.state, self.taken = self.task.begin(1, self.rng), 0
        return self._see(), self._info()

    def step(self, action: int | np.ndarray):
        """Take an action."""
        taken = torch.as_tensor(np.asarray(action, np.float32) if self.task.n_axes else int(action))[None]
        name = self.task.steps[self.taken % len(self.task.steps)]
        reward, self.state = self.task.step(self.state, taken, name, self.rng)
        self.taken += 1
        ended = self.taken == self.task.n_trials * len(self.task.steps)
        info = self._info()
        if self.taken % len(self.task.steps) == 0:
            info |= {latent: self.state[latent][0].numpy().copy() for latent in self.task.latents}
        return self._see(), float(reward[0]), ended, False, info

    def _see(self) -> np.ndarray:
        place = self.taken % len(self.task.steps)
        shown = self.task.observe(self.state, self.task.steps[place])[0].numpy()
        return np.concatenate([shown, np.eye(len(self.task.steps))[place]]).astype(np.float32)

    def _info(self) -> dict[str, Any]:
        trial, place = divmod(self.taken, len(self.task.steps))
        return {"trial": trial, "step": self.task.steps[place]}
