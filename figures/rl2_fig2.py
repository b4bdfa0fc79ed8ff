"""Duan et al. 2016, Fig 2: how fast networks learn to explore, between chance (0) and Gittins indices (1)."""

from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr

from neurometa import learning, plotting, reference, results
from neurometa.plotting import COLOURS

PULLS, ARMS = (10, 100, 500), (5, 10, 50)
NEEDS: dict[str, list[str]] = {f"rl2-bandit-{n}-{k}": [] for n in PULLS for k in ARMS}


def draw(runs: list[Path]) -> plt.Figure:
    found, told = results.find_runs(*runs), reference.load("rl2_table1")
    fig, axes = plt.subplots(1, len(PULLS), figsize=(7.0, 2.5), sharey=True, layout="constrained")
    who = {}
    for ax, n in zip(axes, PULLS, strict=True):
        for k, colour in zip(ARMS, COLOURS, strict=False):
            cell = told.sel(n_trials=n, n_arms=k)
            chance, best = cell.recomputed.sel(learner="random"), cell.recomputed.sel(learner="Gittins")
            agents, _ = results.pool(found, f"rl2-bandit-{n}-{k}", base=runs[0])
            curves = [learning.read(agent.path) for agent in agents]
            score = xr.concat([(n * curve.reward - chance) / (best - chance) for curve in curves], "agent")
            score = score.assign_coords(steps=curves[0].steps)
            plotting.learning_curve(ax, score, label=f"{k} arms", colour=colour)
            published = (cell.reward.sel(learner="RL2") - chance) / (best - chance)
            ax.plot(score.steps[-1] / 1e6, published, "o", mfc="white", mec=colour, ms=4, clip_on=False, zorder=5)
            who[f"{n} x {k}"] = results.about_agents(agents)
        ax.axhline(1, color="0.6", lw=0.8, ls=":", zorder=0)
        ax.set_title(f"{'abc'[PULLS.index(n)]}  {n} pulls", loc="left")
    axes[0].set(ylabel="reward (chance 0, Gittins 1)", ylim=(0, 1.15))
    axes[0].legend(loc="lower right")
    alike = {about: [cell for cell, one in who.items() if one == about] for about in dict.fromkeys(who.values())}
    told = "; ".join(
        f"{about}" + (f" of {', '.join(cells)}" if len(alike) > 1 else "") for about, cells in alike.items()
    )
    plotting.foot(
        fig,
        "Trained by the gaps that a simulator tells; mean reward of episodes trained on, in hundredths of training. "
        f"500 pulls go on from agents of 100. Circles: RL² as published, at the end of its training. {told}.",
    )
    return fig


if __name__ == "__main__":
    plotting.save_figure("rl2-fig2", [Path("runs")], Path(__file__).parent)
