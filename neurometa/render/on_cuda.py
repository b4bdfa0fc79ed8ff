"""The arithmetic of `first_person` in torch, without branches, for CUDA."""

import torch
from torch import Tensor


def cast(
    walls: Tensor, position: Tensor, forward: Tensor, goal: Tensor, slope: Tensor, radius: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Follow the ray of every column; arguments and what is returned as of `first_person.cast`.

    `forward` is the direction of view, and `slope` what `Camera.slope` says.
    """
    (x, y), (ahead_x, ahead_y) = position.unbind(-1), forward.unbind(-1)
    ray_x = ahead_x[:, None] - ahead_y[:, None] * slope
    ray_y = ahead_y[:, None] + ahead_x[:, None] * slope
    x, y = x[:, None].expand_as(ray_x), y[:, None].expand_as(ray_y)
    column, next_x, per_x, step_x = _begin(x, ray_x)
    row, next_y, per_y, step_y = _begin(y, ray_y)
    episode = torch.arange(len(walls), device=walls.device)[:, None]
    at, on_y = torch.zeros_like(ray_x), torch.zeros_like(ray_x, dtype=torch.bool)
    for _ in range(walls.shape[1] + walls.shape[2]):  # no ray crosses more blocks
        open_ = walls[episode, row, column] == 0
        along_y = next_y < next_x
        on_y, at = torch.where(open_, along_y, on_y), torch.where(open_, torch.minimum(next_x, next_y), at)
        move_y, move_x = open_ & along_y, open_ & ~along_y
        row, next_y = torch.where(move_y, row + step_y, row), torch.where(move_y, next_y + per_y, next_y)
        column, next_x = torch.where(move_x, column + step_x, column), torch.where(move_x, next_x + per_x, next_x)
    place = torch.where(on_y, x + at * ray_x, y + at * ray_y)
    goal_x, goal_y = (goal - position).unbind(-1)
    long, near = ray_x * ray_x + ray_y * ray_y, ray_x * goal_x[:, None] + ray_y * goal_y[:, None]
    inside = near * near - long * (goal_x * goal_x + goal_y * goal_y - radius * radius)[:, None]
    first = (near - inside.clamp(min=0).sqrt()) / long
    met = (inside > 0) & (first > 0) & (first < at)
    return at, walls[episode, row, column] - 1, place - place.floor(), on_y, torch.where(met, first, torch.inf)


def _begin(here: Tensor, ray: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Block, distance to the next along one axis, distance between two, and which way, of every ray."""
    block, onward = here.long(), ray > 0
    per = (1 / ray).abs()  # infinite where the ray stays in its row or column
    first = per * torch.where(onward, block + 1 - here, here - block)
    return block, torch.where(ray == 0, torch.inf, first), per, torch.where(onward, 1, -1)


def paint(
    distance: Tensor,
    wall: Tensor,
    along: Tensor,
    faces_y: Tensor,
    to_goal: Tensor,
    texture: Tensor,
    colours: Tensor,
    height: int,
    focal: float,
    about: tuple[float, float, float],
) -> Tensor:
    """Draw what rays have met, (episode, colour, row, column).

    `colours` are those of floor, ceiling and goal; `about` is fog, the light of sides, and the goal's height.
    """
    fog, side, goal_height = about
    size = texture.shape[1]
    level = (torch.arange(height, device=wall.device) + 0.5 - height / 2).float()[:, None]
    up = level * (distance / focal).float()[:, None] + 0.5  # 0 at the top of the wall, 1 at its foot
    goal_up = level * (to_goal / focal).float()[:, None] + 0.5
    light = (256 * torch.where(faces_y, side, 1.0).double() / (1 + fog * distance)).int()
    goal_light = (256 / (1 + fog * to_goal)).int()[:, None]
    on_wall, on_goal = (up >= 0) & (up < 1), (goal_up >= 1 - goal_height) & (goal_up < 1) & (goal_light > 0)
    high = (up * size).long().clamp(0, size - 1)
    texel = texture[wall.long()[:, None], high, (along * size).long()[:, None]]  # (episode, row, column, colour)
    drawn = torch.where(on_wall[..., None], texel.int() * light[:, None, :, None] >> 8, 0)
    back = torch.where(level[..., None] < 0, colours[1], colours[0]).int()  # (row, 1, colour)
    drawn = torch.where(on_wall[..., None], drawn, back)
    drawn = torch.where(on_goal[..., None], colours[2].int() * goal_light[..., None] >> 8, drawn)
    return drawn.to(torch.uint8).movedim(-1, 1)
