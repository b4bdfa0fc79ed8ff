"""Mazes drawn at random, each played for some trials (Duan et al. 2016, section 3.3)."""

import dataclasses

import torch

from neurometa.errors import InputError
from neurometa.render import Look, patterns
from neurometa.streams import integers
from neurometa.tasks.walking import Walk, spanning_edges, spanning_trees


@dataclasses.dataclass(frozen=True)
class Maze(Walk):
    """A maze drawn at random, in which the same goal has to be found in every trial.

    The maze has ``size`` x ``size`` blocks inside its outer walls: cells with passages between, so that exactly one way
    leads from any place to any other. Cells at which goal and start lie are drawn at random. A step costs .04, one into
    a wall .001 more, and the goal brings 1 (Duan et al. 2016, section 3.3 and appendix); a trial, which is an episode
    there, is given up after ``horizon`` steps. How mazes are drawn and how far a step goes is not told in the paper.

    Parameters
    ----------
    n_trials : int
        Trials in the same maze: 2, or 5 to test whether what is learned reaches further.
    n_steps : int
        Follows: ``n_trials * horizon``.
    view, camera, turn, stride
        As of `Walk`.
    size : int
        Blocks on a side, an odd number: 5 or 9.
    horizon : int
        Steps after which a trial is given up: 250, or 1,000.
    start : {"same", "new"}
        Whether all trials of an episode start at the same place, or each at one of its own.

    Raises
    ------
    InputError
        A setting is outside its range.

    Examples
    --------
    >>> Maze(n_trials=5, size=9, horizon=1000).n_steps
    5000
    """

    n_trials: int = 2
    n_steps: int = dataclasses.field(init=False)
    size: int = 5
    horizon: int = 250
    start: str = "same"

    goal_reward = 1.0
    wall_reward = -0.001
    step_reward = -0.04
    look = Look(patterns(1))

    def __post_init__(self) -> None:
        if self.size < 3 or self.size % 2 == 0:
            raise InputError(f"size is {self.size}; it must be odd, and at least 3.")
        if self.horizon < 1:
            raise InputError(f"horizon is {self.horizon}; it must be at least 1.")
        if self.start not in ("same", "new"):
            raise InputError(f"start is {self.start!r}; allowed are 'same' and 'new'.")
        object.__setattr__(self, "n_steps", self.n_trials * self.horizon)
        super().__post_init__()

    @property
    def longest_trial(self) -> int:
        """Steps after which a trial is given up."""
        return self.horizon

    def draw(self, n_episodes, rng):
        """Draw a maze and its goal, and a start that is not at the goal."""
        n = self.size // 2 + 1  # cells on a side
        open_ = spanning_trees(n, n_episodes, rng)
        goal = integers(rng, n * n, n_episodes)
        n_starts = 1 if self.start == "same" else self.n_trials
        start = integers(rng, n * n - 1, n_episodes, n_starts)
        start = (start + (start >= goal[:, None])).expand(-1, self.n_trials)
        walls = torch.ones(n_episodes, self.size + 2, self.size + 2, dtype=torch.uint8, device=rng.device)
        walls[:, 1::2, 1::2] = 0
        for i, (one, other) in enumerate(spanning_edges(n)):
            row, column = one // n + other // n + 1, one % n + other % n + 1
            walls[:, row, column] = (~open_[:, i]).to(torch.uint8)
        return walls, _place(goal, n)[:, None].expand(-1, self.n_trials, -1), _place(start, n)


def _place(cell, n):
    """Middle of a cell's block, (..., 2)."""
    return torch.stack([2 * (cell % n) + 1.5, 2 * (cell // n) + 1.5], -1)
