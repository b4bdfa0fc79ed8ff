"""Duan et al. 2016, Fig 5: how soon mazes are learned differs between initial weights."""

from pathlib import Path

import matplotlib.pyplot as plt

from neurometa import learning, plotting, results
from neurometa.plotting import COLOURS

MAZES = "maze-small-vector"
NEEDS: dict[str, list[str]] = {MAZES: []}


def draw(runs: list[Path]) -> plt.Figure:
    agents, _ = results.pool(results.find_runs(*runs), MAZES, base=runs[0])
    fig, ax = plt.subplots(figsize=(5.4, 2.8), layout="constrained")
    for n, agent in enumerate(agents):
        curve = learning.read(agent.path)
        ax.plot(curve.steps / 1e6, curve.reward, lw=1.1, color=COLOURS[n % len(COLOURS)], label=f"seed {agent.seed}")
    ax.set(xlabel="environment steps (millions)", ylabel="reward per step")
    ax.legend(loc="lower right")
    plotting.foot(
        fig,
        f"{results.about_agents(agents)}; mazes of 5 x 5 told by numbers; mean reward of a step in training, in "
        "hundredths of training. Published: from frames, and very different from one initial draw to another",
    )
    return fig


if __name__ == "__main__":
    plotting.save_figure("rl2-fig5", [Path("runs")], Path(__file__).parent)
