"""The first-person view: what geometry says, the two implementations alike, and nothing drawn past a wall."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurometa.errors import InputError
from neurometa.render import Camera, Look, cast, first_person, flat, on_cuda, patterns
from neurometa.render.first_person import FOG, PILLAR, SIDE

NOWHERE = torch.tensor([[math.nan, math.nan]])


def room(rows=7, columns=9):
    """An empty room; each of its four walls has its own texture."""
    walls = torch.zeros(1, rows, columns, dtype=torch.uint8)
    walls[:, 0], walls[:, -1], walls[:, :, 0], walls[:, :, -1] = 1, 2, 3, 4
    return walls


def standing(n, seed=0, size=9):
    """Mazes with blocks anywhere, and somebody who stands in the open, anywhere."""
    g = torch.Generator().manual_seed(seed)
    walls = (torch.rand(n, size, size, generator=g) < 0.3).to(torch.uint8) * torch.randint(
        1, 5, (n, size, size), generator=g
    )
    walls[:, [0, -1]], walls[:, :, [0, -1]] = 1, 2
    block = torch.randint(1, size - 1, (n, 2), generator=g)
    walls[torch.arange(n), block[:, 1], block[:, 0]] = 0
    position = block + 0.1 + 0.8 * torch.rand(n, 2, generator=g)
    return (
        walls.to(torch.uint8),
        position,
        360 * torch.rand(n, generator=g),
        1 + (size - 2) * torch.rand(n, 2, generator=g),
    )


@given(x=st.floats(1.1, 7.9), y=st.floats(1.1, 5.9), heading=st.floats(0, 360))
def test_every_ray_ends_on_the_wall_that_trigonometry_says(x, y, heading):
    camera = Camera(5, 7, 100)
    where = torch.tensor([[x, y]], dtype=torch.float64)
    seen = cast(room(), where, torch.tensor([heading], dtype=torch.float64), NOWHERE, camera)
    for c, slope in enumerate(camera.slope):
        angle = math.radians(heading) + math.atan(slope)
        ray = np.array([math.cos(angle), math.sin(angle)])
        edge = np.where(ray > 0, [8, 6], [1, 1])
        to = [(edge[k] - (x, y)[k]) / ray[k] if ray[k] else math.inf for k in (0, 1)]
        axis = int(np.argmin(to))
        assert float(seen.distance[0, c]) == pytest.approx(to[axis] * math.cos(math.atan(slope)), abs=1e-9)
        if abs(to[0] - to[1]) > 1e-6:
            faced = (3 if ray[0] > 0 else 2) if axis == 0 else (1 if ray[1] > 0 else 0)
            assert int(seen.wall[0, c]) == faced
            assert bool(seen.faces_y[0, c]) == (axis == 1)


@pytest.mark.parametrize(("height", "width", "fov"), [(30, 40, 90.0), (7, 5, 60.0), (84, 84, 120.0)])
@pytest.mark.parametrize(
    "texture", [patterns(4), flat(*[(10 * i, 99, 255 - 40 * i) for i in range(4)])], ids=["textured", "flat"]
)
def test_torch_draws_what_numba_draws(height, width, fov, texture):
    walls, position, heading, goal = standing(40)
    camera, look = Camera(height, width, fov), Look(texture)
    here = cast(walls, position, heading, goal, camera)
    facing = torch.deg2rad(heading.double())
    forward = torch.stack([facing.cos(), facing.sin()], -1)
    there = on_cuda.cast(walls, position.double(), forward, goal.double(), torch.from_numpy(camera.slope), PILLAR[0])
    for one, other in zip(here, there, strict=True):
        torch.testing.assert_close(one, other.to(one.dtype), rtol=0, atol=1e-12)
    assert here.goal.isfinite().any() and here.goal.isinf().any()
    colours = torch.tensor([look.floor, look.ceiling, look.goal], dtype=torch.uint8)
    about = (FOG, SIDE, PILLAR[1])
    drawn = on_cuda.paint(*there, torch.from_numpy(texture), colours, height, camera.focal, about)
    frame = first_person(walls, position, heading, goal, camera, look)
    assert frame.shape == drawn.shape == (40, 3, height, width) and frame.dtype == drawn.dtype == torch.uint8
    assert (frame.int() - drawn.int()).abs().max() <= 1
    assert frame.float().std() > 20


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_a_frame_does_not_depend_on_those_drawn_beside_it(seed):
    world, camera, look = standing(6, seed), Camera(6, 8), Look(patterns(4))
    together = first_person(*world, camera, look)
    alone = torch.cat([first_person(*(x[i : i + 1] for x in world), camera, look) for i in range(6)])
    assert together.equal(alone)


def test_a_wall_is_as_high_as_its_distance_says_and_lies_between_ceiling_and_floor():
    look = Look(flat(*[(200, 0, 200)] * 4), floor=(1, 2, 3), ceiling=(4, 5, 6))
    camera = Camera(101, 101, 90)  # focal length 50.5 pixels
    frame = first_person(room(), torch.tensor([[4.0, 3.5]]), torch.zeros(1), NOWHERE, camera, look)[0, :, :, 50]
    wall = (frame[0] == (200 * int(256 / (1 + FOG * 4)) >> 8)) & (frame[1] == 0)
    assert int(wall.sum()) == round(50.5 / 4)
    top, foot = wall.nonzero()[[0, -1], 0].tolist()
    assert (frame[:, :top] == torch.tensor([4, 5, 6])[:, None]).all()
    assert (frame[:, foot + 1 :] == torch.tensor([1, 2, 3])[:, None]).all()


def test_the_goal_stands_in_front_of_a_wall_and_is_hidden_behind_one():
    camera, look = Camera(), Look(flat(*[(0, 0, 200)] * 4), floor=(0, 0, 0), ceiling=(0, 0, 0))
    walls, eye, ahead = room(), torch.tensor([[1.5, 3.5]]), torch.zeros(1)
    goal = torch.tensor([[5.5, 3.5]])
    seen = cast(walls, eye, ahead, goal, camera)
    assert float(seen.goal[0].min()) == pytest.approx(4 - PILLAR[0], abs=0.02)
    red = first_person(walls, eye, ahead, goal, camera, look)[0, 0] > 100
    assert 0 < red.sum() < 200 and red.any(0).nonzero().float().mean() == pytest.approx(19.5)
    assert not cast(walls, eye, ahead + 180, goal, camera).goal.isfinite().any()
    walls[0, 3, 3] = 1
    assert not cast(walls, eye, ahead, goal, camera).goal.isfinite().any()


def test_turning_to_the_right_moves_the_goal_to_the_left():
    seen = [
        cast(room(), torch.tensor([[1.5, 3.5]]), torch.tensor([turn]), torch.tensor([[5.5, 3.5]]), Camera())
        for turn in (0.0, 18.0)
    ]
    columns = [float(x.goal[0].isfinite().nonzero().float().mean()) for x in seen]
    assert columns[1] < columns[0]


def test_patterns_can_be_told_apart():
    texture = patterns(8)
    assert texture.shape == (8, 16, 16, 3)
    assert len({x.tobytes() for x in texture}) == 8


@pytest.mark.parametrize(
    ("setting", "told"), [({"height": 0}, "height is 0"), ({"field_of_view": 180.0}, "field_of_view is")]
)
def test_a_camera_that_shows_nothing_is_refused(setting, told):
    with pytest.raises(InputError, match=told):
        Camera(**setting)
