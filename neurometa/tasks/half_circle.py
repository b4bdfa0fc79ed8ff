"""A point that looks for a goal somewhere on a half-circle, which pays only nearby (PEARL's sparse task)."""

import dataclasses
import math

import torch

from neurometa.dataset import Variable
from neurometa.exact.half_circle import (
    CELL,
    HORIZON,
    LEFT,
    LOWEST,
    N_CELLS,
    N_COLUMNS,
    N_ROWS,
    RADIUS,
    STEP_SIZE,
    check_radius,
)
from neurometa.streams import uniform
from neurometa.tasks.base import Task, check_sizes


@dataclasses.dataclass(frozen=True)
class HalfCircle(Task):
    """A point in the plane that is paid near a hidden goal alone (Rakelly et al. 2019, section 6.3).

    An episode is a lifetime with one goal, uniform on the upper half of the unit circle, and each of its trials 20
    steps from the origin. The action moves the point along both axes, in units of .1, and counts as 1 beyond 1. A step
    that ends within the radius of the goal pays 1 minus the distance, any other nothing. Shown is the position.

    The agent never sees `dense_reward`, but may be trained by it, as the paper's is: it tells the way also from afar.

    (The paper calls our trial a trajectory, and our episode a task.)

    Parameters
    ----------
    n_trials : int
        Trials with the same goal.
    radius : float
        Within which the goal pays: .2 as published, or .8.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_trials: int = 12
    radius: float = RADIUS

    steps = tuple(f"step {i}" for i in range(1, HORIZON + 1))
    choice_step = None
    latents = {
        "goal_angle": Variable((), "angle of the goal", "rad"),
        "place": Variable(("step", "axis"), "position that the step led to"),
        "reached_cell": Variable(("step",), "cell of .2 by .2 that the step led to"),
        "dense_reward": Variable(("step",), "minus the distance to the goal", "reward"),
    }
    n_features = 2

    def __post_init__(self) -> None:
        check_sizes(self.n_trials, n_steps=10 * HORIZON)
        check_radius(self.radius)

    @property
    def n_axes(self) -> int:
        """Of the plane."""
        return 2

    @property
    def n_actions(self) -> int:
        """None that could be counted."""
        return 0

    def begin(self, n_episodes, rng):
        """Draw the goals; the point is at the origin."""
        place = torch.zeros(n_episodes, 2, device=rng.device)
        angle = math.pi * uniform(rng, n_episodes)
        return {
            "goal_angle": angle,
            "place": place,
            "reached_cell": _cell(place),
            "dense_reward": -torch.ones_like(angle),
        }

    def observe(self, state, step):
        """Show the position: the origin at the first step of a trial."""
        return state["place"] if step != self.steps[0] else torch.zeros_like(state["place"])

    def step(self, state, action, step, rng):
        """Move the point, and pay for how near it is to the goal."""
        place = self.observe(state, step) + STEP_SIZE * action.clamp(-1, 1)
        angle = state["goal_angle"]
        away = torch.linalg.vector_norm(place - torch.stack([angle.cos(), angle.sin()], -1), dim=-1)
        after = {"place": place, "reached_cell": _cell(place), "dense_reward": -away}
        return torch.where(away < self.radius, 1 - away, 0.0), state | after


def _cell(place: torch.Tensor) -> torch.Tensor:
    """Number of the cell that a place, (episode, axis), is in; the last number stands for everywhere else."""
    column, row = ((place - place.new_tensor([LEFT, LOWEST])) / CELL).floor().int().unbind(-1)
    inside = (column >= 0) & (column < N_COLUMNS) & (row >= 0) & (row < N_ROWS)
    return torch.where(inside, row * N_COLUMNS + column, N_CELLS - 1).to(torch.int16)
