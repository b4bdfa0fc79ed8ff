"""Mazes: every place can be reached, walls hold, and the goal pays where it stands."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components

from neurometa.agents import GRU, LSTM, Conv
from neurometa.errors import InputError
from neurometa.render import Camera
from neurometa.tasks import IMaze, Maze
from neurometa.tasks.walking import AHEAD, BODY, LEFT, RIGHT, spanning_edges, spanning_trees
from neurometa.training import a2c, ppo

VECTOR = {"view": "vector"}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def reachable(walls):
    """Whether all open blocks of one maze hang together, and how many there are."""
    place = {tuple(at): i for i, at in enumerate(np.argwhere(walls == 0))}
    graph = np.zeros((len(place), len(place)))
    for (row, column), i in place.items():
        for other in ((row + 1, column), (row, column + 1)):
            if other in place:
                graph[i, place[other]] = 1
    return connected_components(graph, directed=False)[0] == 1, len(place), int(graph.sum())


@pytest.mark.parametrize("size", [5, 9])
def test_one_way_and_no_other_leads_from_any_place_of_a_maze_to_any_other(size):
    state = Maze(size=size).begin(50, generator())
    for walls in state["wall"].numpy():
        joined, n_places, n_edges = reachable(walls)
        assert joined and n_edges == n_places - 1
        assert walls[[0, -1]].all() and walls[:, [0, -1]].all()
    assert len({walls.tobytes() for walls in state["wall"].numpy()}) > 40


def test_every_tree_joins_all_cells_and_each_edge_is_as_likely_as_its_mirror():
    used = spanning_trees(3, 4000, generator())
    assert (used.sum(1) == 8).all()
    share = used.float().mean(0)
    edges = spanning_edges(3)
    mirror = {(a, b): tuple(sorted((a // 3 * 3 + 2 - a % 3, b // 3 * 3 + 2 - b % 3))) for a, b in edges}
    for i, edge in enumerate(edges):
        assert abs(share[i] - share[edges.index(mirror[edge])]) < 4 * math.sqrt(2 * 0.25 / 4000)


@pytest.mark.parametrize("task", [Maze(start="new"), Maze(), IMaze(), IMaze(goal="visit")])
def test_goal_and_start_are_open_blocks_and_not_the_same(task):
    state = task.begin(300, generator())
    at = torch.arange(300)[:, None]
    for name in ("goal", "start"):
        column, row = state[name].long().unbind(-1)
        assert not state["wall"][at, row, column].any()
    assert (state["goal"] != state["start"]).any(-1).all()
    same_goal = (state["goal"] == state["goal"][:, :1]).all()
    same_start = (state["start"] == state["start"][:, :1]).all()
    assert bool(same_goal) == (getattr(task, "goal", "episode") == "episode")
    assert bool(same_start) == (getattr(task, "start", "new") == "same")


def test_the_four_alcoves_are_equally_likely_and_lie_round_corners():
    task = IMaze(**VECTOR)
    state = task.begin(4000, generator())
    goal, n = torch.unique(state["goal"][:, 0], dim=0, return_counts=True)
    assert len(goal) == 4 and (n - 1000).abs().max() < 4 * math.sqrt(4000 * 0.25 * 0.75)
    assert reachable(state["wall"][0].numpy())[0]
    corridor = state | {"position": torch.tensor([5.5, 6.5]).expand(4000, 2)}
    for heading in range(0, 360, 30):
        seen = task.observe(corridor | {"heading": torch.full((4000,), float(heading))}, "step")
        assert not seen[:, -9:].any(), "a goal is seen from the corridor"


@pytest.mark.parametrize("task", [Maze(**VECTOR), IMaze(**VECTOR), Maze(9, turn=45.0, stride=0.9, **VECTOR)])
def test_nobody_ever_stands_in_a_wall(task):
    rng = generator(3)
    state = task.begin(100, rng)
    at = torch.arange(100)
    for _ in range(200):
        action = torch.where(torch.rand(100, generator=rng) < 0.6, AHEAD, torch.randint(2, (100,), generator=rng))
        before = state
        _, state = task.step(state, action, "step", rng)
        column, row = state["position"].long().unbind(-1)
        assert not state["wall"][at, row, column].any()
        went = (state["position"] - before["position"]).norm(dim=-1)
        assert (went[state["valid"] & (before["trial_index"] == state["trial_index"])] <= task.stride + 1e-6).all()


def corridor(task, heading):
    """Somebody in the middle of the corridor of the I-maze, the goal at its end."""
    state = task.begin(1, generator())
    return state | {
        "position": torch.tensor([[4.5, 6.5]]),
        "heading": torch.tensor([heading]),
        "goal": torch.tensor([[[6.5, 6.5]]]).expand(1, task.n_trials, 2),
    }


def test_turns_turn_and_steps_walk_along_the_heading_until_a_wall():
    task = IMaze(**VECTOR)
    state = corridor(task, 180.0)
    paid, after = task.step(state, torch.tensor([LEFT]), "step", generator())
    assert float(after["heading"]) == 150.0 and after["position"].equal(state["position"]) and float(paid) == 0
    _, back = task.step(after, torch.tensor([RIGHT]), "step", generator())
    assert float(back["heading"]) == 180.0
    for _ in range(6):
        _, back = task.step(back, torch.tensor([AHEAD]), "step", generator())
    assert int(back["event"]) == task.events.index("wall")
    assert 3 + BODY <= float(back["position"][0, 0]) < 3 + BODY + task.stride
    assert float(back["position"][0, 1]) == pytest.approx(6.5, abs=1e-5)


def test_the_goal_pays_when_its_block_is_entered_and_the_next_trial_begins_at_its_start():
    task = IMaze(**VECTOR)
    state = corridor(task, 0.0)
    paid = []
    while int(state["trial_index"]) == 0:
        reward, state = task.step(state, torch.tensor([AHEAD]), "step", generator())
        paid.append(float(reward))
    assert paid == [0.0] * 2 + [10.0] or paid == [0.0] * 3 + [10.0]
    assert state["position"].equal(state["start"][:, 1]) and state["heading"].equal(state["start_heading"][:, 1])
    assert task.observe(state, "step")[0, 4] == 1


def test_a_step_of_duans_maze_costs_a_wall_costs_more_and_a_trial_is_given_up():
    task = Maze(horizon=20, **VECTOR)
    state = task.begin(1, generator())
    state = state | {
        "goal": torch.full((1, 2, 2), -1.0),
        "position": torch.tensor([[1.5, 1.5]]),
        "heading": torch.tensor([180.0]),
    }
    paid = []
    for _ in range(20):
        reward, state = task.step(state, torch.tensor([AHEAD]), "step", generator())
        paid.append(float(reward))
    assert paid[0] == pytest.approx(-0.04) and paid[10] == pytest.approx(-0.041)
    assert (
        int(state["trial_index"]) == 1 and int(state["event"]) == task.events.index("given_up") and bool(state["valid"])
    )
    for _ in range(20):
        _, state = task.step(state, torch.tensor([LEFT]), "step", generator())
    assert not state["valid"]
    reward, _ = task.step(state, torch.tensor([AHEAD]), "step", generator())
    assert float(reward) == 0


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Maze(size=4), "size is 4; it must be odd"),
        (lambda: Maze(horizon=0), "horizon is 0"),
        (lambda: Maze(start="old"), "start is 'old'; allowed are 'same' and 'new'"),
        (lambda: IMaze(goal="none"), "goal is 'none'"),
        (lambda: IMaze(view="ascii"), "view is 'ascii'"),
        (lambda: IMaze(turn=50.0), "a whole number of turns must make 360 degrees"),
        (lambda: IMaze(stride=1.5), "stride is 1.5"),
        (lambda: IMaze(n_steps=0), "n_steps is 0"),
        (lambda: a2c.Config(Maze(), LSTM()), "give it an encoder"),
        (
            lambda: a2c.Config(Maze(camera=Camera(6, 8)), GRU(encoder=Conv())),
            "Frames of 6 x 8 are too small for the layers",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("task", [Maze(horizon=10, camera=Camera(12, 12)), IMaze(n_steps=20, **VECTOR)])
def test_mazes_are_trained_in(task):
    encoder = Conv(((4, 4, 2),), 8) if task.view == "frames" else None
    config = a2c.Config(task, GRU(4, encoder=encoder), n_updates=2, batch_size=3)
    agent = a2c.train(config)
    assert all(weight.isfinite().all() for weight in agent.parameters())


def test_more_frames_than_memory_holds_are_refused_with_the_setting_that_lowers_them():
    config = ppo.Config(Maze(), GRU(4, encoder=Conv(((4, 4, 2),), 8)), batch_size=10**7)
    with pytest.raises(InputError, match=r"batch_size is 10000000: .* needs at least 1. TiB .*; lower batch_size\.$"):
        ppo.train(config)
    config = a2c.Config(Maze(), GRU(4, encoder=Conv(((4, 4, 2),), 8)), batch_size=10**7)
    with pytest.raises(InputError, match=r"A batch of 10000000 episodes needs at least 1. TiB .*; lower batch_size\.$"):
        a2c.train(config)
