"""Walking through a maze of blocks, seen from within or by numbers."""

import abc
import dataclasses
import functools
import math
from typing import ClassVar

import torch
from torch import Tensor

from neurometa.contract import VARIABLES
from neurometa.errors import InputError
from neurometa.render import Camera, Look, cast, first_person
from neurometa.streams import integers, uniform
from neurometa.tasks.base import State
from neurometa.tasks.timed import EVENT, TIMED, TimedTask

LEFT, RIGHT, AHEAD = range(3)  # actions
NOTHING, WALL, GOAL, GIVEN_UP = range(4)  # events
BODY = 0.2  # how near one comes to a wall, in blocks
FEELERS = Camera(height=1, width=9, field_of_view=120.0)  # the rays of which a vector tells


@dataclasses.dataclass(frozen=True)
class Walk(TimedTask):
    """A maze in which a goal has to be found, and found again: a trial ends when the block with the goal is entered.

    Actions are to turn left, to turn right and to walk ahead. Walls are slid along. All chance is drawn when an episode
    begins.

    Parameters
    ----------
    n_trials : int
        Trials of an episode at most.
    n_steps : int
        Steps of an episode at most.
    view : {"frames", "vector"}
        What is shown: frames (3, height, width) of bytes, or numbers: the place (x and y as shares of the maze), cosine
        and sine of the heading, whether a new trial has just begun, and along each of 9 rays over 120 degrees how near
        the wall is and how near the goal, as 1 / (1 + blocks), 0 where it is not seen.
    camera : Camera
        Of the frames.
    turn : float
        By how much a turn turns, in degrees; a whole number of turns makes 360.
    stride : float
        How far a step goes, in blocks, in (0, 1).

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_trials: int = 2
    n_steps: int = 500
    view: str = "frames"
    camera: Camera = Camera()
    turn: float = 18.0
    stride: float = 0.2

    latents = {
        **TIMED,
        **{name: VARIABLES[name].dims for name in ("position", "heading", "goal", "start", "wall")},
        "began": ("time",),
    }
    events = ("nothing", "wall", "goal", "given_up")
    ends = ("goal",)
    n_actions: ClassVar[int] = 3
    goal_reward: ClassVar[float] = 1.0
    wall_reward: ClassVar[float] = 0.0
    step_reward: ClassVar[float] = 0.0
    look: ClassVar[Look]

    def __post_init__(self) -> None:
        for name in ("n_trials", "n_steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.view not in ("frames", "vector"):
            raise InputError(f"view is {self.view!r}; allowed are 'frames' and 'vector'.")
        if not 0 < self.turn <= 180 or abs(360 / self.turn - round(360 / self.turn)) > 1e-9:
            raise InputError(
                f"turn is {self.turn}; it must be above 0, and a whole number of turns must make 360 degrees."
            )
        if not 0 < self.stride < 1:
            raise InputError(f"stride is {self.stride}; it must be above 0 and below 1 block.")

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """(3, height, width) of frames, or the length of the vector."""
        return (3, self.camera.height, self.camera.width) if self.view == "frames" else (5 + 2 * FEELERS.width,)

    @property
    def n_features(self) -> int:  # type: ignore[override]
        """Numbers in an observation."""
        return math.prod(self.observation_shape)

    @property
    def longest_trial(self) -> int:
        """Steps after which a trial is given up and the next begins; by default it lasts to the end of the episode."""
        return self.n_steps

    @abc.abstractmethod
    def draw(self, n_episodes: int, rng) -> tuple[Tensor, Tensor, Tensor]:
        """Draw mazes: walls (episode, row, column), uint8; goal and start of every trial (episode, trial, 2)."""

    def begin(self, n_episodes, rng):
        """Draw a maze, and for each trial where the goal is and where one starts, heading anywhere."""
        walls, goal, start = self.draw(n_episodes, rng)
        heading = integers(rng, round(360 / self.turn), n_episodes, self.n_trials).float() * self.turn
        none = torch.zeros(n_episodes, dtype=torch.int64, device=goal.device)
        return {
            "wall": walls,
            "goal": goal,
            "start": start,
            "start_heading": heading,
            "position": start[:, 0],
            "heading": heading[:, 0],
            "valid": none == 0,
            "began": none == 0,
            "trial_index": none,
            "trial_step": none,
            "step": none,
            EVENT: none,
        }

    def goal_now(self, state: State) -> Tensor:
        """Where the goal of the trial is, (episode, 2)."""
        return _of_trial(state["goal"], state["trial_index"])

    def observe(self, state, step):
        """Show the maze from where one stands."""
        world = state["wall"], state["position"], state["heading"], self.goal_now(state)
        if self.view == "frames":
            return first_person(*world, self.camera, self.look)
        seen = cast(*world, FEELERS)
        facing = torch.deg2rad(state["heading"])
        rows, columns = state["wall"].shape[1:]
        place = state["position"] / torch.tensor([columns, rows], device=facing.device)
        told = torch.stack([facing.cos(), facing.sin(), state["began"].float()], -1)
        near = [1 / (1 + seen.distance), 1 / (1 + seen.goal)]
        return torch.cat([place, told, *(x.float() for x in near)], -1)

    def derived(self, state):
        """Whether the goal was in view of the camera, step by step."""
        n_steps = len(state["trial_index"])
        found = []
        for t in range(n_steps):
            now = {name: state[name][t] for name in ("position", "heading", "trial_index")}
            seen = cast(state["wall"], now["position"], now["heading"], self.goal_now(state | now), self.camera)
            found.append(seen.goal.isfinite().any(-1))
        return {"goal_seen": (VARIABLES["goal_seen"], torch.stack(found))}

    def step(self, state, action, step, rng):
        """Turn or walk; where the goal is reached or the trial given up, the next begins at its start."""
        playing = state["valid"]
        turned = (action == RIGHT).float() - (action == LEFT).float()
        heading = (state["heading"] + self.turn * turned) % 360
        position, hit = _walked(state, torch.where(action == AHEAD, self.stride, 0.0))
        reached = (position.floor() == self.goal_now(state).floor()).all(-1)
        trial_step = state["trial_step"] + 1
        given_up = ~reached & (trial_step >= self.longest_trial)
        over = reached | given_up
        event = torch.where(given_up, GIVEN_UP, torch.where(reached, GOAL, torch.where(hit, WALL, NOTHING)))
        reward = self.step_reward + self.goal_reward * reached + self.wall_reward * hit
        trial = state["trial_index"] + over
        n_steps = state["step"] + 1
        playing_on = playing & (trial < self.n_trials) & (n_steps < self.n_steps)
        trial = trial.clamp(max=self.n_trials - 1)
        return torch.where(playing, reward, 0.0), state | {
            "position": torch.where(over[:, None], _of_trial(state["start"], trial), position),
            "heading": torch.where(over, _of_trial(state["start_heading"], trial), heading),
            "valid": playing_on,
            "began": over,
            "trial_index": trial,
            "trial_step": torch.where(over, 0, trial_step),
            "step": n_steps,
            EVENT: torch.where(playing, event, NOTHING),
        }


def _of_trial(x: Tensor, trial: Tensor) -> Tensor:
    """Of (episode, trial, ...), each episode's entry of its own trial."""
    return x[torch.arange(len(x), device=x.device), trial]


def _walked(state: State, far: Tensor) -> tuple[Tensor, Tensor]:
    """Where one is after a walk along the heading, (episode, 2), and whether a wall was in the way."""
    walls, (x, y) = state["wall"], state["position"].unbind(-1)
    facing = torch.deg2rad(state["heading"])
    episode = torch.arange(len(walls), device=walls.device)
    to_x, to_y = x + far * facing.cos(), y + far * facing.sin()
    row = y.long()
    blocked_x = (walls[episode, row, to_x.long()] | walls[episode, row, (to_x + BODY * (to_x - x).sign()).long()]) > 0
    x, column = torch.where(blocked_x, x, to_x), torch.where(blocked_x, x, to_x).long()
    blocked_y = (
        walls[episode, to_y.long(), column] | walls[episode, (to_y + BODY * (to_y - y).sign()).long(), column]
    ) > 0
    return torch.stack([x, torch.where(blocked_y, y, to_y)], -1), (blocked_x | blocked_y) & (far > 0)


@functools.cache
def spanning_edges(n: int) -> tuple[tuple[int, int], ...]:
    """Pairs of neighbours in a square of n x n cells, counted row by row."""
    right = [(i, i + 1) for i in range(n * n) if (i + 1) % n]
    return (*right, *((i, i + n) for i in range(n * n - n)))


def spanning_trees(n: int, n_episodes: int, rng) -> Tensor:
    """Draw trees that join all cells of a square, (episode, edge), bool.

    Each is the tree of least weight (Prim 1957) where every edge of `spanning_edges` weighs a number drawn at random.
    """
    edges = torch.tensor(spanning_edges(n), device=rng.device)
    weight = uniform(rng, len(edges), n_episodes, axis=1).T
    joined = torch.zeros(n_episodes, n * n, dtype=torch.bool, device=rng.device)
    joined[:, 0] = True
    used = torch.zeros_like(weight, dtype=torch.bool)
    for _ in range(n * n - 1):
        leaves = joined[:, edges[:, 0]] != joined[:, edges[:, 1]]
        best = torch.where(leaves, weight, 2.0).argmin(-1, keepdim=True)
        used.scatter_(1, best, True)
        joined.scatter_(1, edges[best[:, 0]], True)
    return used
