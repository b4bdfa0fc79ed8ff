"""Trials of the same worlds side by side, each world with weights of its own: what an inner step is made of."""

import dataclasses

from torch import Tensor

from neurometa.agents import Agent, Output
from neurometa.agents.base import State
from neurometa.agents.plastic import PlasticAgent, Weights
from neurometa.tasks import Task


class Grouped(Agent):
    """A plastic agent whose weights stay as they are, those of each task for all its trials side by side."""

    def __init__(self, agent: PlasticAgent, weights: Weights) -> None:
        super().__init__()
        self.agent, self.weights = agent, weights
        self.n_tasks = len(next(iter(weights.values())))

    def begin(self, n_episodes: int) -> State:
        """Nothing is carried."""
        return {}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step of all tasks."""
        policy, _ = self.agent.policy(self.weights, observation.unflatten(0, (self.n_tasks, -1)))
        return Output(policy.flatten(0, 1), reward, state, {})


@dataclasses.dataclass(frozen=True, eq=False)
class Again(Task):
    """Trials of worlds that were drawn before, side by side, each as if it were the first of its episode.

    Parameters
    ----------
    n_trials : int
        Trials one after another.
    task : Task
        Whose trials repeat.
    worlds : dict of Tensor (world, ...)
        States in which its episodes begin; the first so many episodes are of the first world, and so on.
    """

    n_trials: int
    task: Task
    worlds: State

    choice_step = None
    latents = {}

    @property
    def steps(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of the task."""
        return self.task.steps

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """That of the task."""
        return self.task.n_features

    @property
    def n_axes(self) -> int:
        """That of the task."""
        return self.task.n_axes

    @property
    def n_actions(self) -> int:
        """That of the task."""
        return self.task.n_actions

    def begin(self, n_episodes, rng):
        """Begin equally many episodes in each world."""
        n_each = n_episodes // len(next(iter(self.worlds.values())))
        return {name: x.repeat_interleave(n_each, 0) for name, x in self.worlds.items()}

    def observe(self, state, step):
        """Show what the task shows."""
        return self.task.observe(state, step)

    def step(self, state, action, step, rng):
        """Do what the task does."""
        return self.task.step(state, action, step, rng)
