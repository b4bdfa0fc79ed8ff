"""Duan et al. 2016, Fig 3: how fast a network learns to explore processes, between chance (0) and OPSRL (1)."""

from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr

from neurometa import learning, plotting, reference, results
from neurometa.plotting import COLOURS

STAGES = {  # each goes on from the network of the one before
    "10 trials, as BEB does": ("rl2-mdp-10-beb", 10),
    "10 trials, by cost": ("rl2-mdp-10", 10),
    "25 trials, by cost": ("rl2-mdp-25", 25),
    "50 trials, by cost": ("rl2-mdp-50", 50),
}
BEST = "OPSRL, prior mean 0"
NEEDS: dict[str, list[str]] = {name: [] for name, _ in STAGES.values()}


def draw(runs: list[Path]) -> plt.Figure:
    found, told = results.find_runs(*runs), reference.load("rl2_table2")
    fig, ax = plt.subplots(figsize=(7.0, 2.7), layout="constrained")
    before, who = 0, {}
    for (label, (name, n)), colour in zip(STAGES.items(), COLOURS, strict=False):
        chance, best = (told.recomputed.sel(n_trials=n, learner=learner) for learner in ("random", BEST))
        agents, _ = results.pool(found, name, base=runs[0])
        curves = [learning.read(agent.path) for agent in agents]
        score = xr.concat([(n * curve.reward - chance) / (best - chance) for curve in curves], "agent")
        score = score.assign_coords(steps=before + curves[0].steps)
        plotting.learning_curve(ax, score, label=label, colour=colour)
        before = int(score.steps[-1])
        if label.endswith("cost"):
            published = (told.reward.sel(n_trials=n, learner="RL2") - chance) / (best - chance)
            ax.plot(before / 1e6, published, "o", mfc="white", mec=colour, ms=4, clip_on=False, zorder=5)
        who[label] = results.about_agents(agents)
    ax.axhline(1, color="0.6", lw=0.8, ls=":", zorder=0)
    ax.set(ylabel="reward (chance 0, OPSRL 1)", xlim=(0, 1.01 * before / 1e6), ylim=(-0.05, None))
    ax.legend(loc="lower right")
    alike = set(who.values())
    about = alike.pop() if len(alike) == 1 else "; ".join(f"{name}: {one}" for name, one in who.items())
    plotting.foot(
        fig,
        f"Taught by BEB, stage after stage. Mean reward of episodes trained on. Circles: RL² as published. {about}.",
    )
    return fig


if __name__ == "__main__":
    plotting.save_figure("rl2-fig3", [Path("runs")], Path(__file__).parent)
