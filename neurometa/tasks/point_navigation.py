"""A point in the plane that looks for a hidden goal: the first task on which MAML learned by reinforcement."""

import dataclasses

import torch
from torch import Tensor

from neurometa.dataset import Variable
from neurometa.errors import InputError
from neurometa.exact.point_navigation import HORIZON, REACHED, STEP_SIZE
from neurometa.streams import uniform
from neurometa.tasks.base import Task, check_sizes

MOVES = torch.tensor([[x, y] for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])  # of the discrete variant


@dataclasses.dataclass(frozen=True)
class PointNavigation(Task):
    """A point that walks in the plane, paid by its distance from a hidden goal (Finn et al. 2017, section 5.3).

    An episode is a lifetime with one goal, and each of its trials 100 steps from the origin. The action moves the point
    along both axes, in units of .1, and counts as 1 beyond 1. A step pays minus the distance to the goal that it leaves
    (the paper says its square; its code, and the numbers published, the distance). Who comes within .01 of the goal
    along both axes has arrived: the trial is over, so that what is left of it pays nothing and moves nothing. Shown is
    the position.

    (The paper calls our trial an episode, and our episode a task.)

    Parameters
    ----------
    n_trials : int
        Trials with the same goal.
    moves : bool
        Choose among nine moves, by -.1, 0 or .1 along each axis, instead of a continuous action.
    goal_range : tuple of float
        The goal lies on the border of a square around the origin, uniform over the area between the squares whose half
        sides these are: from 0, everywhere in the larger, as published; farther out for tests of transfer.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_trials: int = 20
    moves: bool = False
    goal_range: tuple[float, float] = (0.0, 0.5)

    steps = tuple(f"step {i}" for i in range(1, HORIZON + 1))
    choice_step = None
    latents = {
        "goal_place": Variable(("episode", "axis"), "position of the goal"),
        "place": Variable(("step", "axis"), "position that the step led to"),
    }
    n_features = 2

    def __post_init__(self) -> None:
        check_sizes(self.n_trials, n_steps=10 * HORIZON)
        low, high = self.goal_range
        if not 0 <= low < high < float("inf"):
            raise InputError(f"goal_range is {self.goal_range}; it must be 0 <= low < high, and finite.")

    @property
    def n_axes(self) -> int:
        """Two, unless moves are chosen."""
        return 0 if self.moves else 2

    @property
    def n_actions(self) -> int:
        """Nine, if moves are chosen."""
        return len(MOVES) if self.moves else 0

    def begin(self, n_episodes, rng):
        """Draw the goals; the point is at the origin."""
        area, place = uniform(rng, 2, n_episodes, axis=1)
        low, high = self.goal_range
        half = (low**2 + area * (high**2 - low**2)).sqrt()
        side, along = (4 * place).floor(), 2 * (4 * place % 1) - 1
        across = torch.where(side % 2 == 0, 1.0, -1.0)
        goal = torch.where(side[:, None] < 2, torch.stack([across, along], -1), torch.stack([along, across], -1))
        origin = torch.zeros(n_episodes, 2, device=rng.device)
        return {"goal_place": half[:, None] * goal, "place": origin, "arrived": area < 0}

    def observe(self, state, step):
        """Show the position: the origin at the first step of a trial."""
        return state["place"] if step != self.steps[0] else torch.zeros_like(state["place"])

    def step(self, state, action, step, rng):
        """Move the point, and pay for what is left of the way; no response stays."""
        arrived = state["arrived"] if step != self.steps[0] else torch.zeros_like(state["arrived"])
        move = self._chosen(action) if self.moves else action.clamp(-1, 1)
        position = self.observe(state, step) + STEP_SIZE * move * ~arrived[:, None]
        left = position - state["goal_place"]
        reward = torch.where(arrived, 0.0, -torch.linalg.vector_norm(left, dim=-1))
        return reward, state | {"place": position, "arrived": arrived | (left.abs() < REACHED).all(-1)}

    def _chosen(self, action: Tensor) -> Tensor:
        """The moves that are chosen, none where there is no response; (episode, axis)."""
        return MOVES.to(action.device)[action.clamp(min=0)] * (action >= 0)[:, None]
