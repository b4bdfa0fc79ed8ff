"""Duan et al. 2016, Fig 6: ways through four mazes in the first episode and the second, the best and the worst."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from neurometa import plotting, results

NEEDS = {"maze-small-vector": ["behaviour.nc", "latency.nc"]}
SHARES = (0.02, 0.1, 0.9, 0.98)  # of episodes, by how many steps the second trial took less than the first


def draw(runs: list[Path]) -> plt.Figure:
    agents, _ = results.pool(results.find_runs(*runs), "maze-small-vector", base=runs[0])
    trials = results.read_result(agents[0].path, "behaviour.nc", without=results.ACTIVITY)
    latency = results.read_pooled(agents, "latency.nc")
    saved = (trials.latency.isel(trial=0) - trials.latency.isel(trial=1)).values
    order = np.argsort(-saved, kind="stable")
    shown = [int(order[round(share * (len(order) - 1))]) for share in SHARES]

    fig, axes = plt.subplots(2, len(SHARES), figsize=(5.4, 3.0), layout="constrained")
    for column, episode in enumerate(shown):
        for trial in (0, 1):
            ax = plotting.maze_path(axes[trial, column], trials.isel(episode=episode), trial)
            ax.set_xlabel(f"{int(trials.latency[episode, trial])} steps")
    for column, title in ((0, "a  Remembered"), (2, "b  Not remembered")):
        axes[0, column].set_title(title, loc="left")
    for trial in (0, 1):
        axes[trial, 0].set_ylabel(f"trial {trial + 1}")
    ratio, improved = (float(latency[name].mean()) for name in ("ratio", "improved"))
    plotting.foot(
        fig,
        f"{results.about_agents(agents)}; {trials.sizes['episode']:,} test episodes each: second trials take "
        f"{ratio:.2f} of the first, no longer in {improved:.0%}. In the order of steps saved: 2, 10, 90 and 98 %.",
    )
    return fig


if __name__ == "__main__":
    plotting.save_figure("rl2-fig6", [Path("runs")], Path(__file__).parent)
