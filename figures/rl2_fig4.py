"""Duan et al. 2016, Fig 4: what is seen from within a maze drawn at random, and small and large ones from above."""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

from neurometa import plotting, render, results, tasks

NEEDS = {"maze-small-vector": ["behaviour.nc"]}


def draw(runs: list[Path]) -> plt.Figure:
    agents, _ = results.pool(results.find_runs(*runs), "maze-small-vector", base=runs[0])
    small = results.read_result(agents[0].path, "behaviour.nc", without=results.ACTIVITY).isel(episode=0)

    fig, axes = plt.subplots(1, 3, figsize=(5.4, 2.0), layout="constrained")
    one = small.isel(time=int(small.goal_seen.argmax("time")))  # where the goal is first in view
    world = [torch.tensor(x.values)[None] for x in (one.wall, one.position, one.heading, one.goal.isel(trial=0))]
    frame = render.first_person(*world, render.Camera(), tasks.Maze().look)
    axes[0].imshow(frame[0].permute(1, 2, 0).numpy(), interpolation="nearest")
    axes[0].set(title="a  From within", xticks=[], yticks=[])
    plotting.maze_path(axes[1], small).set_title("b  5 x 5")
    state = tasks.Maze(size=9).begin(1, torch.Generator().manual_seed(0))
    axes[2].imshow((state["wall"][0] > 0).numpy(), cmap="Greys", vmax=1.6, extent=(0, 11, 11, 0))
    axes[2].plot(*state["goal"][0, 0].tolist(), "s", color=plotting.COLOURS[3], ms=5)
    axes[2].set(title="c  9 x 9", xticks=[], yticks=[])
    plotting.foot(fig, f"{results.about_agents(agents)}: the first test episode, as a camera of 40 x 30 sees it.")
    return fig


if __name__ == "__main__":
    plotting.save_figure("rl2-fig4", [Path("runs")], Path(__file__).parent)
