r"""A view from inside a maze of blocks, drawn for a batch of episodes.

For each column of the picture a ray is followed from block to block until it meets a wall (Amanatides & Woo 1987). A
wall at distance d, measured along the line of sight, is f / d pixels high, with a focal length

.. math:: f = \frac{W / 2}{\tan(\mathrm{fov} / 2)}

for a picture W pixels wide. The goal is an upright pillar, which looks the same from all sides. Numba draws on the CPU
and torch on CUDA, by the same arithmetic.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from neurometa.errors import InputError
from neurometa.render import on_cuda

_compile: Callable[..., Any] = numba.njit(error_model="numpy", nogil=True, cache=True)
FOG, SIDE = 0.15, 0.75  # how light fades with distance (1/block), and on walls that face along y
PILLAR = (0.3, 0.8)  # radius of what stands in a maze, and its height, in blocks


@dataclasses.dataclass(frozen=True)
class Camera:
    """How large a picture is, and how much it shows.

    Parameters
    ----------
    height, width : int
        In pixels, which are square.
    field_of_view : float
        Angle that the width spans, in degrees, in (0, 180).

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    height: int = 30
    width: int = 40
    field_of_view: float = 90.0

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; a picture has at least 1 pixel.")
        if not 0 < self.field_of_view < 180:
            raise InputError(f"field_of_view is {self.field_of_view}; it must be above 0 and below 180 degrees.")

    @property
    def slope(self) -> np.ndarray:
        """How far to the right each column's ray goes for one block ahead, (column,)."""
        across = (2 * np.arange(self.width) + 1) / self.width - 1
        return across * math.tan(math.radians(self.field_of_view) / 2)

    @property
    def focal(self) -> float:
        """Focal length, in pixels."""
        return self.width / 2 / math.tan(math.radians(self.field_of_view) / 2)


class Look(NamedTuple):
    """What walls, floor, ceiling and goal look like.

    Attributes
    ----------
    texture : array (texture, row, column, colour), uint8
        Of walls, as squares of texels; 1 x 1 for walls of one colour.
    floor, ceiling, goal : tuple of int
        Red, green and blue, 0 to 255.
    """

    texture: np.ndarray
    floor: tuple[int, int, int] = (110, 100, 90)
    ceiling: tuple[int, int, int] = (150, 190, 230)
    goal: tuple[int, int, int] = (230, 20, 20)


class Seen(NamedTuple):
    """What the rays of a picture meet.

    Attributes
    ----------
    distance : Tensor (episode, column), float64
        To the wall along the line of sight, in blocks.
    wall : Tensor (episode, column), uint8
        Number of the wall's texture.
    along : Tensor (episode, column), float64
        Where on the block's face, in [0, 1).
    faces_y : Tensor (episode, column), bool
        Whether the face looks along y.
    goal : Tensor (episode, column), float64
        Distance to the goal; infinite where a wall is nearer or the ray goes past it.
    """

    distance: Tensor
    wall: Tensor
    along: Tensor
    faces_y: Tensor
    goal: Tensor


def cast(walls: Tensor, position: Tensor, heading: Tensor, goal: Tensor, camera: Camera) -> Seen:
    """Follow the ray of every column to the first wall.

    Parameters
    ----------
    walls : Tensor (episode, row, column), uint8
        0 where one can walk, else 1 + the number of a texture. The border must be walls.
    position : Tensor (episode, 2)
        x (columns) and y (rows) of the eye, in blocks from the corner of the first.
    heading : Tensor (episode,)
        In degrees from the direction of x towards that of y, which is to the right.
    goal : Tensor (episode, 2)
        Where the goal stands; NaN for none.
    camera : Camera

    Returns
    -------
    Seen
    """
    facing = torch.deg2rad(heading.double())
    forward = torch.stack([facing.cos(), facing.sin()], -1)
    slope = camera.slope
    given = walls.contiguous(), position.double().contiguous(), forward, goal.double().contiguous()
    if walls.device.type != "cpu":
        return Seen(*on_cuda.cast(*given, torch.from_numpy(slope).to(walls.device), PILLAR[0]))
    shape = len(walls), camera.width
    seen = Seen(
        torch.empty(shape, dtype=torch.float64),
        torch.empty(shape, dtype=torch.uint8),
        torch.empty(shape, dtype=torch.float64),
        torch.empty(shape, dtype=torch.bool),
        torch.empty(shape, dtype=torch.float64),
    )
    _cast(*(x.numpy() for x in given), slope, PILLAR[0], *(x.numpy() for x in seen))
    return seen


def first_person(walls: Tensor, position: Tensor, heading: Tensor, goal: Tensor, camera: Camera, look: Look) -> Tensor:
    """Draw what is seen from inside a maze.

    Parameters
    ----------
    walls, position, heading, goal, camera
        As of `cast`.
    look : Look
        Its textures are those that `walls` names.

    Returns
    -------
    Tensor (episode, colour, row, column), uint8
    """
    return paint(cast(walls, position, heading, goal, camera), camera, look)


def paint(seen: Seen, camera: Camera, look: Look) -> Tensor:
    """Draw what rays have met, as `cast` returns it, (episode, colour, row, column)."""
    colours = np.array([look.floor, look.ceiling, look.goal], np.uint8)
    if seen.wall.device.type != "cpu":
        there = torch.from_numpy(look.texture).to(seen.wall.device), torch.from_numpy(colours).to(seen.wall.device)
        return on_cuda.paint(*seen, *there, camera.height, camera.focal, (FOG, SIDE, PILLAR[1]))
    frame = torch.empty(len(seen.wall), 3, camera.height, camera.width, dtype=torch.uint8)
    _paint(*(x.numpy() for x in seen), look.texture, colours, camera.focal, frame.numpy())
    return frame


def flat(*colours: tuple[int, int, int]) -> np.ndarray:
    """Walls of one colour each, as textures of one texel."""
    return np.array(colours, np.uint8)[:, None, None]


def patterns(n: int, size: int = 16) -> np.ndarray:
    """Textures that can be told apart by colour and by pattern, (texture, row, column, colour), uint8.

    Parameters
    ----------
    n : int
        How many; the hues go from green to violet, for the goal is red, and the patterns are bricks, stripes, checks
        and dots.
    size : int
        Texels on a side.
    """
    row, column = np.mgrid[:size, :size] * 16 // size
    brick = (row % 4 == 3) | ((column + 4 * (row // 4 % 2)) % 8 == 7)
    pattern = [
        brick,
        column % 4 == 3,
        (row // 4 + column // 4) % 2 == 1,
        (row % 8 - 4) ** 2 + (column % 8 - 4) ** 2 < 6,
    ]
    hue = 0.2 + 0.65 * np.arange(n)[:, None] / n - np.array([0, 1 / 3, 2 / 3])
    colour = 130 + 110 * np.cos(2 * np.pi * hue)  # (texture, colour)
    dark = np.array([pattern[i % len(pattern)] for i in range(n)])
    return (colour[:, None, None] * np.where(dark, 0.45, 1.0)[..., None]).astype(np.uint8)


@_compile
def _cast(walls, position, forward, goal, slope, radius, distance, wall, along, faces_y, to_goal):
    for e in range(len(walls)):
        grid, x, y, ahead_x, ahead_y = walls[e], position[e, 0], position[e, 1], forward[e, 0], forward[e, 1]
        goal_x, goal_y = goal[e, 0] - x, goal[e, 1] - y
        for c in range(len(slope)):
            ray_x, ray_y = ahead_x - ahead_y * slope[c], ahead_y + ahead_x * slope[c]
            column, row = int(x), int(y)
            step_x, step_y = (1 if ray_x > 0 else -1), (1 if ray_y > 0 else -1)
            per_x = abs(1.0 / ray_x) if ray_x != 0 else np.inf
            per_y = abs(1.0 / ray_y) if ray_y != 0 else np.inf
            next_x = per_x * ((column + 1 - x) if ray_x > 0 else (x - column)) if ray_x != 0 else np.inf
            next_y = per_y * ((row + 1 - y) if ray_y > 0 else (y - row)) if ray_y != 0 else np.inf
            at, on_y = 0.0, False
            while grid[row, column] == 0:
                on_y = next_y < next_x
                if on_y:
                    at, next_y, row = next_y, next_y + per_y, row + step_y
                else:
                    at, next_x, column = next_x, next_x + per_x, column + step_x
            place = x + at * ray_x if on_y else y + at * ray_y
            distance[e, c], wall[e, c] = at, grid[row, column] - 1
            along[e, c], faces_y[e, c] = place - math.floor(place), on_y
            to_goal[e, c] = np.inf
            long, near = ray_x * ray_x + ray_y * ray_y, ray_x * goal_x + ray_y * goal_y
            inside = near * near - long * (goal_x * goal_x + goal_y * goal_y - radius * radius)
            if inside > 0:  # never of NaN
                first = (near - math.sqrt(inside)) / long
                if 0 < first < at:
                    to_goal[e, c] = first


@_compile
def _paint(distance, wall, along, faces_y, to_goal, texture, colours, focal, frame):
    height, width, size = frame.shape[2], frame.shape[3], texture.shape[1]
    rise, goal_rise = np.empty(width, np.float32), np.empty(width, np.float32)
    light, goal_light, texel = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.int32)
    half, whole, scale, foot = np.float32(0.5), np.float32(1), np.float32(size), np.float32(1 - PILLAR[1])
    for e in range(len(frame)):
        for c in range(width):
            at, goal = distance[e, c], to_goal[e, c]
            rise[c], goal_rise[c] = at / focal, goal / focal
            light[c] = int(256 * (SIDE if faces_y[e, c] else 1.0) / (1 + FOG * at))
            goal_light[c] = int(256 / (1 + FOG * goal))
            texel[c] = int(along[e, c] * size)
        for r in range(height):
            level = np.float32(r + 0.5 - height / 2)
            back = colours[1] if level < 0 else colours[0]
            for c in range(width):
                up = level * rise[c] + half  # 0 at the top of the wall, 1 at its foot
                goal_up = level * goal_rise[c] + half
                if goal_light[c] and foot <= goal_up < whole:
                    for k in range(3):
                        frame[e, k, r, c] = colours[2, k] * goal_light[c] >> 8
                elif 0 <= up < whole:
                    colour = texture[wall[e, c], int(up * scale), texel[c]]
                    for k in range(3):
                        frame[e, k, r, c] = colour[k] * light[c] >> 8
                else:
                    for k in range(3):
                        frame[e, k, r, c] = back[k]
