"""Wang et al. 2016, Fig 3: a network pays for an arm that tells where the reward is, and then takes it."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from neurometa import expected, plotting, results
from neurometa.plotting import BASELINES, COLOURS

NEEDS = {"informative": ["behaviour.nc"]}
SHADES = (COLOURS[6], COLOURS[3], "0.85")
SHOWN = 12  # example episodes


def draw(runs: list[Path]) -> plt.Figure:
    agents, _ = results.pool(results.find_runs(*runs), "informative", base=runs[0])
    trials = results.read_pooled(agents, "behaviour.nc", without=results.ACTIVITY)
    n_arms, n_trials = trials.sizes["arm"], trials.sizes["trial"]
    kind = xr.where(trials.choice == n_arms - 1, 0, xr.where(trials.choice == trials.target, 1, 2))
    others = expected.informative(n_trials)

    fig = plt.figure(figsize=(7.0, 2.4), layout="constrained")
    panels = fig.subplot_mosaic("atucd", width_ratios=(1, 1, 1, 1.5, 1.1))
    played = xr.concat([(kind == i).mean(("agent", "episode")) for i in range(3)], "kind").assign_coords(
        kind=others.kind.values
    )
    plotting.choice_shares(panels["a"], played, SHADES).set_title("a  agent")
    for place, learner in (("t", "Thompson"), ("u", "UCB")):
        plotting.choice_shares(panels[place], others.share.sel(learner=learner), SHADES)
        panels[place].set(title=learner, ylabel="", yticklabels=[])
    fig.legend(*panels["a"].get_legend_handles_labels(), loc="outside upper left", ncols=3)

    ax, trial = panels["c"], np.arange(1, n_trials + 1)
    total = float(trials.reward.sum("trial").mean())
    plotting.mean_curve(ax, trials.reward.astype(float), label=f"agent ({total:.2f})", colour=COLOURS[0], width=2.2)
    for learner, reward in others.reward.groupby("learner"):
        colour, dash = BASELINES[learner]
        reward = reward.squeeze("learner")
        ax.plot(trial, reward, dash, color=colour, lw=1, label=f"{learner} ({float(reward.sum()):.2f})")
    ax.set(title=f"b  Reward (sum of {n_trials})", ylabel="reward", ylim=(0, 5.3), xticks=trial)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=4)

    shown = trials.isel(agent=0, episode=slice(SHOWN))
    plotting.raster(panels["d"], kind.isel(agent=0, episode=slice(SHOWN)), SHADES)
    for (episode, step), arm in np.ndenumerate(shown.choice.transpose("episode", "trial").values):
        panels["d"].text(step + 1, episode + 1, str(arm + 1), ha="center", va="center", fontsize=6)
    panels["d"].set(title="c  One agent's arms", xticks=trial, yticks=[1, SHOWN // 2, SHOWN])
    plotting.foot(
        fig, f"{results.about_agents(agents)}, {trials.sizes['episode']:,} test episodes each; others are exact."
    )
    return fig


if __name__ == "__main__":
    plotting.save_figure("w16-fig3", [Path("runs")], Path(__file__).parent)
