"""A gridworld with a hidden goal: trials of the same goal, which must be searched for in the first (VariBAD's)."""

import dataclasses

import torch

from neurometa.dataset import Variable
from neurometa.errors import InputError, nearest
from neurometa.exact.gridworld import AFTER, FAR, GOAL_REWARD, HORIZON, N_CELLS, NEAR, STEP_REWARD
from neurometa.streams import integers
from neurometa.tasks.base import Task, check_sizes

GOALS = {"far": FAR, "near": NEAR}


@dataclasses.dataclass(frozen=True)
class Gridworld(Task):
    """A grid of five by five cells with a goal that is never seen, but pays (Zintgraf et al. 2020, section 5.1).

    An episode is a lifetime with one goal, and each of its trials 15 steps from the start in a corner. An action stays
    or goes to one of four neighbours; who walks into a wall stays where it is. A step costs .1; one that ends on the
    goal pays 1 instead, again and again, and the trial goes on. The agent is shown the cell that it is in, one-hot, so
    that what it knows of the goal is what it remembers.

    (The paper calls our trial an episode, and our episode a task.)

    Parameters
    ----------
    n_trials : int
        Trials with the same goal.
    goals : {"far", "near"}
        The goal is one of the 21 cells beyond a king's move from the start, as published, or, for tests of transfer,
        one of the 3 other cells beside it.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_trials: int = 4
    goals: str = "far"

    steps = tuple(f"step {i}" for i in range(1, HORIZON + 1))
    choice_step = None
    latents = {
        "goal_cell": Variable((), "cell of the goal"),
        "reached_cell": Variable(("step",), "cell that the step led to"),
    }
    n_features = N_CELLS

    def __post_init__(self) -> None:
        check_sizes(self.n_trials)
        if self.goals not in GOALS:
            hint = nearest(str(self.goals), list(GOALS))
            raise InputError(f"goals is {self.goals!r}; allowed are {list(GOALS)}.{hint}")

    @property
    def n_actions(self) -> int:
        """Stay, up, right, down, left."""
        return AFTER.shape[1]

    def begin(self, n_episodes, rng):
        """Draw the goals; the agent is at the start."""
        cells = torch.from_numpy(GOALS[self.goals]).to(rng.device)
        goal = cells[integers(rng, len(cells), n_episodes)].to(torch.int16)
        return {"goal_cell": goal, "reached_cell": torch.zeros_like(goal)}

    def observe(self, state, step):
        """Show the cell, one-hot: the start at the first step of a trial."""
        here = state["reached_cell"].long() * (step != self.steps[0])
        return torch.eye(N_CELLS, device=here.device)[here]

    def step(self, state, action, step, rng):
        """Go, and pay for the cell that this leads to; no response stays."""
        here = state["reached_cell"].long() * (step != self.steps[0])
        after = torch.from_numpy(AFTER).to(here.device)[here, action.clamp(min=0)].to(torch.int16)
        return torch.where(after == state["goal_cell"], GOAL_REWARD, STEP_REWARD), state | {"reached_cell": after}
