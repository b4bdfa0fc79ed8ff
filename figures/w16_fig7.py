"""Wang et al. 2016, Fig 7: a goal found once in an I-maze is gone to straight, and expected before it is in view."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from neurometa import plotting, results

NEEDS = {"imaze-vector": ["behaviour.nc", "latency.nc", "goal_value.nc"]}


def draw(runs: list[Path]) -> plt.Figure:
    agents, _ = results.pool(results.find_runs(*runs), "imaze-vector", base=runs[0])
    trials = results.read_result(agents[0].path, "behaviour.nc", without=results.ACTIVITY)
    latency, value = (results.read_pooled(agents, file) for file in ("latency.nc", "goal_value.nc"))

    fig = plt.figure(figsize=(7.0, 2.3), layout="constrained")
    panels = fig.subplot_mosaic("abcd", width_ratios=(1, 1, 1.6, 1.6))
    found = trials.isel(episode=int(_searched(trials)))
    for name, trial, title in (("a", 0, "a  First visit"), ("b", 1, "    Second visit")):
        plotting.maze_path(panels[name], found, trial).set_title(title)
        panels[name].set_xlabel(f"{int(found.latency[trial])} steps")

    one = latency if latency.sizes["agent"] > 1 else latency.isel(agent=0)
    plotting.latency_by_trial(panels["c"], one).set(title="b  Latency", xlabel="visit", xticks=latency.trial[::2])
    shown = value if value.sizes["agent"] > 1 else value.isel(agent=0)
    plotting.value_before_goal(panels["d"], shown).set_title("c  Value")
    panels["d"].legend()
    plotting.foot(
        fig,
        f"{results.about_agents(agents)}, {trials.sizes['episode']:,} test episodes each. a: square, the goal; dot, "
        "the start. b: visits that were broken off counted by the product-limit estimate; 95 % intervals of one "
        "agent, lines of several.",
    )
    return fig


def _searched(trials: xr.Dataset) -> int:
    """An episode whose first visit was a search of usual length, among those with a second visit."""
    first = trials.latency.isel(trial=0)
    seconded = trials.valid.isel(trial=1) & ~trials.censored.isel(trial=1)
    apart = np.abs(first - first.quantile(0.75)).where(seconded, np.inf)
    return int(apart.argmin("episode"))


if __name__ == "__main__":
    plotting.save_figure("w16-fig7", [Path("runs")], Path(__file__).parent)
