"""A fixation before every trial of a task (simulations 1, 4 and 6 of Wang et al. 2018)."""

import dataclasses

import torch

from neurometa.errors import InputError
from neurometa.tasks.base import Task, declared

STEP = "fixation"
WRONG = -1.0  # what the centre pays where it is not asked for, and anything else where it is


@dataclasses.dataclass(frozen=True)
class Fixation(Task):
    """A task whose trials begin with a fixation, at which the centre must be taken, and only there.

    The centre is one action more than the task has, its last. Any other action at the fixation costs 1, and so does the
    centre at a step of the task, which is told that no response was made: nothing is chosen, and the world goes on.
    What is shown is whether this is the fixation, then what the task shows, all zero at a fixation; a task that shows
    nothing shows a 1 at its own steps.

    Parameters
    ----------
    task : Task
        What follows the fixation. It takes an action of -1 as no response (see `Task.step`).

    Attributes
    ----------
    n_trials : int
        As of the task.

    Raises
    ------
    InputError
        The task has a fixation of its own, or cannot be played without a response.

    Examples
    --------
    >>> from neurometa.tasks import Foraging
    >>> Fixation(Foraging()).steps
    ('fixation', 'choice')
    """

    n_trials: int = dataclasses.field(init=False)
    task: Task

    def __post_init__(self) -> None:
        name = type(self.task).__name__
        if STEP in self.task.steps:
            raise InputError(f"{name} has a fixation of its own; give it as it is.")
        if any("option" in latent.dims for latent in declared(self.task).values()):
            raise InputError(f"{name} logs a latent over 'option', to which a fixation would add one; so it has none.")
        object.__setattr__(self, "n_trials", self.task.n_trials)
        try:
            rng = torch.Generator().manual_seed(0)
            state = self.task.begin(1, rng)
            for step in self.task.steps:
                _, state = self.task.step(state, torch.tensor([-1]), step, rng)
        except Exception as error:  # whatever a task of somebody's own raises
            raise InputError(
                f"{name} cannot be played without a response, so that it can have no fixation: its step must take an "
                f"action of -1 ({type(error).__name__}: {' '.join(str(error).split())})."
            ) from error

    @property
    def steps(self) -> tuple[str, ...]:  # type: ignore[override]
        """The fixation, then the steps of the task."""
        return (STEP, *self.task.steps)

    @property
    def choice_step(self) -> str | None:  # type: ignore[override]
        """As of the task."""
        return self.task.choice_step

    @property
    def latents(self):  # type: ignore[override]
        """As of the task."""
        return self.task.latents

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Whether this is the fixation, then what the task shows, or whether it is the task's turn."""
        return 1 + max(self.task.n_features, 1)

    @property
    def n_actions(self) -> int:
        """Those of the task, then the centre."""
        return self.task.n_actions + 1

    @property
    def n_options(self) -> int:
        """As of the task: the centre is no choice."""
        return self.task.n_options

    @property
    def reward_levels(self) -> tuple[float, ...]:  # type: ignore[override]
        """Those of the task and what a fixation pays, where the task has levels."""
        return tuple(sorted({*self.task.reward_levels, 0.0, WRONG})) if self.task.reward_levels else ()

    def for_test(self):
        """Return the fixation before what the task is tested on."""
        return dataclasses.replace(self, task=self.task.for_test())

    def perturbation(self, name):
        """As of the task."""
        return self.task.perturbation(name)

    def begin(self, n_episodes, rng):
        """Draw episodes of the task."""
        return self.task.begin(n_episodes, rng)

    def observe(self, state, step):
        """Show whether this is the fixation, and else what the task shows."""
        n_episodes, device = len(next(iter(state.values()))), next(iter(state.values())).device
        if step == STEP:
            return torch.eye(1, self.n_features, device=device).expand(n_episodes, -1)
        shown = self.task.observe(state, step) if self.task.n_features else torch.ones(n_episodes, 1, device=device)
        return torch.cat([torch.zeros(n_episodes, 1, device=device), shown], -1)

    def step(self, state, action, step, rng):
        """At the fixation ask for the centre while the world waits; else let the task go on."""
        centre = action == self.n_actions - 1
        if step == STEP:
            return WRONG * (~centre).float(), self.task.wait(state, rng)
        paid, state = self.task.step(state, torch.where(centre, -1, action), step, rng)
        return torch.where(centre, WRONG, paid), state


def without_fixation(task: Task) -> Task:
    """Return the task that follows a fixation, or the task itself."""
    return task.task if isinstance(task, Fixation) else task
