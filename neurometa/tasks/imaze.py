"""One-shot navigation in an I-maze (Wang et al. 2016, experiment 7; after Mirowski et al. 2017)."""

import dataclasses

import torch

from neurometa.errors import InputError
from neurometa.render import Look, patterns
from neurometa.streams import integers, uniform
from neurometa.tasks.walking import Walk

# Two long bars joined by a short corridor, and at each of their four ends an alcove round a corner. The goal is in one
# of the alcoves, at the place of its number.
PLAN = (
    "###########",
    "#1..###..2#",
    "###.###.###",
    "###.###.###",
    "###.###.###",
    "###.###.###",
    "###.....###",
    "###.###.###",
    "###.###.###",
    "###.###.###",
    "###.###.###",
    "#3..###..4#",
    "###########",
)


@dataclasses.dataclass(frozen=True)
class IMaze(Walk):
    """A goal in one of the four alcoves of an I-maze; whoever reaches it is put somewhere else, and can come again.

    The goal brings 10 and stays where it is for the episode, so that after its first visit it can be gone to straight.
    Starts are drawn at random, each with its own heading. The walls of each quarter have a pattern of their own.
    Neither paper gives the plan: this one is made so that looking into all alcoves takes several times as long as going
    to one.

    Parameters
    ----------
    n_trials : int
        Visits after which the episode ends.
    n_steps : int
        Steps after which it ends at the latest.
    view, camera, turn, stride
        As of `Walk`.
    goal : {"episode", "visit"}
        Whether the goal is drawn once an episode, or anew at each visit, so that nothing can be remembered of it.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_trials: int = 10
    n_steps: int = 400
    turn: float = 30.0
    stride: float = 0.5
    goal: str = "episode"

    goal_reward = 10.0
    look = Look(patterns(4))

    def __post_init__(self) -> None:
        if self.goal not in ("episode", "visit"):
            raise InputError(f"goal is {self.goal!r}; allowed are 'episode' and 'visit'.")
        super().__post_init__()

    def draw(self, n_episodes, rng):
        """Draw the alcove of the goal, and starts anywhere but in that alcove."""
        walls, alcoves, places = _plan(rng.device)
        n_goals = 1 if self.goal == "episode" else self.n_trials
        goal = alcoves[integers(rng, len(alcoves), n_episodes, n_goals)].expand(-1, self.n_trials, -1)
        place = (uniform(rng, n_episodes, self.n_trials) * (len(places) - 1)).long()
        at_goal = (places[None, None] == goal[:, :, None]).all(-1).int().argmax(-1)
        start = places[place + (place >= at_goal)]
        return walls.expand(n_episodes, -1, -1), goal, start


def _plan(device):
    """Walls (1, row, column), and the middles of alcoves and of all open blocks, (place, 2)."""
    rows, columns = len(PLAN), len(PLAN[0])
    walls = torch.zeros(1, rows, columns, dtype=torch.uint8)
    numbered, places = {}, []
    for row, line in enumerate(PLAN):
        for column, sign in enumerate(line):
            if sign == "#":
                walls[0, row, column] = 1 + 2 * (row > rows // 2) + (column > columns // 2)
                continue
            places.append((column + 0.5, row + 0.5))
            if sign != ".":
                numbered[sign] = places[-1]
    alcoves = [numbered[sign] for sign in sorted(numbered)]
    return walls.to(device), torch.tensor(alcoves, device=device), torch.tensor(places, device=device)
