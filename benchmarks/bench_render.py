"""Frames per CPU-second of the first-person view, and beside it ViZDoom and MiniGrid in the same minutes.

    python benchmarks/bench_render.py    # a table; a peer that is not installed is left out

One thread, process CPU time. The peers are no dependency of anything: pip install vizdoom minigrid.
"""

import os
import statistics
import time
from importlib.util import find_spec

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from neurometa import tasks
from neurometa.render import Camera, Look, first_person, flat, patterns

SIZES = ((30, 40), (84, 84), (120, 160))
LOOKS = {"textured": Look(patterns(4)), "flat": Look(flat(*[(60 * i, 90, 200) for i in range(4)]))}


def world(n_episodes=256):
    """A maze of 5 x 5 blocks, seen from places and directions drawn at random."""
    rng = torch.Generator().manual_seed(0)
    state = tasks.Maze().begin(n_episodes, rng)
    heading = 360 * torch.rand(n_episodes, generator=rng)
    return state["wall"], state["position"], heading, state["goal"]


def per_second(call, frames, seconds=0.5):
    """How many frames a call that makes so many makes in a CPU-second."""
    call()
    calls, begun = 0, time.process_time()
    while (took := time.process_time() - begun) < seconds:
        call()
        calls += 1
    return calls * frames / took


def drawn(size, look):
    """Return a function that draws a batch, and the frames in it."""
    seen = world()
    return lambda: first_person(*seen, Camera(*size), LOOKS[look]), len(seen[0])


def stepped(size, n_episodes=256):
    """Return a function that lets a batch of mazes go a step and shows it, and the frames in it."""
    task, rng = tasks.Maze(camera=Camera(*size)), torch.Generator().manual_seed(0)
    state = task.begin(n_episodes, rng)

    def call():
        nonlocal state
        _, state = task.step(state, torch.randint(task.n_actions, (n_episodes,), generator=rng), "step", rng)
        task.observe(state, "step")

    return call, n_episodes


def vizdoom():
    """Return a function that lets ViZDoom's my_way_home go 50 steps without a window, at its own 160 x 120."""
    import vizdoom as doom

    game = doom.DoomGame()
    game.load_config(os.path.join(doom.scenarios_path, "my_way_home.cfg"))
    game.set_window_visible(False)
    game.set_screen_resolution(doom.ScreenResolution.RES_160X120)
    game.set_screen_format(doom.ScreenFormat.RGB24)
    game.init()

    def call():
        for i in range(50):
            if game.is_episode_finished():
                game.new_episode()
            game.make_action([i % 3 == 0, i % 3 == 1, i % 3 == 2])
            game.get_state()

    return call, 50


def minigrid():
    """Return a function that lets MiniGrid's four rooms go 50 steps in its RGB partial view."""
    import gymnasium
    import minigrid  # noqa: F401 (its import makes its rooms known)
    from minigrid.wrappers import RGBImgPartialObsWrapper

    env = RGBImgPartialObsWrapper(gymnasium.make("MiniGrid-FourRooms-v0"), tile_size=6)
    env.reset(seed=0)

    def call():
        for i in range(50):
            *_, ended, cut, _ = env.step(i % 3)
            if ended or cut:
                env.reset()

    return call, 50


def main(rounds=5):
    torch.set_num_threads(1)
    cases = {f"{look} {h} x {w}": drawn((h, w), look) for look in LOOKS for h, w in SIZES}
    cases |= {f"maze, step and view {h} x {w}": stepped((h, w)) for h, w in SIZES}
    cases |= {f"{peer.__name__}": peer() for peer in (vizdoom, minigrid) if find_spec(peer.__name__)}
    rates = {name: [] for name in cases}
    for _ in range(rounds):  # by turns, so that a noisy minute falls on all
        for name, case in cases.items():
            rates[name].append(per_second(*case))
    for name, found in rates.items():
        print(f"{name:34s} {statistics.median(found):10,.0f} frames per CPU-second")


@pytest.mark.parametrize("size", SIZES)
def test_view(benchmark, size):
    torch.set_num_threads(1)
    benchmark(drawn(size, "textured")[0])


if __name__ == "__main__":
    main()
