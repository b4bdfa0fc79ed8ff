"""The restless agent takes in outcomes faster where its world is volatile, and comes to do so within an episode.

Not a figure of the papers. Its weights are frozen, and the effective learning rate is read from its states
(`neural.effective_learning_rate`), without a fit to choices.
"""

import itertools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurometa import neural, plotting, results

EXPERIMENT = "restless"
NEEDS = {EXPERIMENT: ["behaviour.nc"]}
RANGES = {"calm (SD below .067)": (0.0, 1 / 15), "between": (1 / 15, 2 / 15), "volatile (above .133)": (2 / 15, 1.0)}
MOST = 300  # episodes of each agent
WINDOW = 10  # trials that are averaged


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    agents, _ = results.pool(found, EXPERIMENT, base=runs[0])
    played = [results.read_result(agent.path, "behaviour.nc").isel(episode=slice(MOST)) for agent in agents]
    networks = [neural.of_run(agent.path) for agent in agents]
    moved = [neural.effective_learning_rate(network, trials) for network, trials in zip(networks, played, strict=True)]
    rate, odds = (xr.concat([each[name] for each in moved], "agent").values for name in ("learning_rate", "log_odds"))
    side = xr.concat(
        [2 * trials.choice.astype(int) - 1 for trials in played], "agent", coords="minimal", compat="override"
    )
    odds = odds * side.values
    drift = xr.concat([trials.drift_sd.isel(trial=0, drop=True) for trials in played], "agent").values
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(7.0, 2.6), layout="constrained")
    points = neural.dynamics(networks[0], played[0], n_starts=40, n_lags=min(5, played[0].sizes["trial"] - 1))
    plotting.phase_portrait(left, points)
    left.legend(loc="best", fontsize=5)
    left.set(title="a  States and fixed points", xticks=[], yticks=[])
    by_trial(middle, rate, drift)
    by_log_odds(right, rate, odds, drift)
    n = sum(trials.sizes["episode"] for trials in played)
    plotting.foot(
        fig,
        f"{results.about_agents(agents)}; {n:,} test episodes; bands: 95 % over episodes. Filled points are stable; "
        "time is held at the middle of the episode. Effective learning rate: what an outcome moves the log odds of "
        "the chosen arm, as a share of all that outcomes can; a delta rule's is constant",
    )
    return fig


def by_trial(ax: Axes, rate: np.ndarray, drift: np.ndarray) -> None:
    """Mean effective learning rate by trial, in episodes of each range of volatility."""
    for (name, (low, high)), colour in zip(RANGES.items(), plotting.COLOURS, strict=False):
        here = rate[(drift >= low) & (drift < high)]
        if len(here) < 2:
            continue
        width = min(WINDOW, here.shape[1])
        smooth = np.apply_along_axis(lambda x, w=width: np.convolve(x, np.ones(w) / w, mode="valid"), 1, here)
        mean, error = smooth.mean(0), smooth.std(0, ddof=1) / len(here) ** 0.5
        trial = np.arange(mean.size) + (width + 1) / 2
        ax.plot(trial, mean, color=colour, label=name)
        ax.fill_between(trial, mean - 1.96 * error, mean + 1.96 * error, color=colour, alpha=0.2, lw=0)
    ax.set(xlabel="trial", ylabel="effective learning rate", title="b  Within episodes", ylim=(0, None))
    ax.legend(fontsize=5)


def by_log_odds(ax: Axes, rate: np.ndarray, odds: np.ndarray, drift: np.ndarray) -> None:
    """Mean effective learning rate by log odds of the chosen arm, in calm and in volatile episodes."""
    edges = np.quantile(odds[np.isfinite(odds)], np.linspace(0, 1, 9))
    for (name, (low, high)), colour in zip(RANGES.items(), plotting.COLOURS, strict=False):
        world = (drift >= low) & (drift < high)
        if name == "between" or not world.any():
            continue
        at, mean = [], []
        for first, last in itertools.pairwise(edges):
            these = world[..., None] & (odds >= first) & (odds <= last) & np.isfinite(rate)
            at.append(odds[these].mean() if these.any() else np.nan)
            mean.append(rate[these].mean() if these.any() else np.nan)
        ax.plot(at, mean, "o-", ms=3, color=colour, label=name)
    ax.set(xlabel="log odds of the arm chosen", title="c  At the same log odds", ylim=(0, None))


if __name__ == "__main__":
    plotting.save_figure("restless-dynamics", [Path("runs")], Path(__file__).parent)
