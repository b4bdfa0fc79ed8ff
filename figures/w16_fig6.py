"""Wang et al. 2016, Fig 6: a network that sees takes the image that pays from the second trial on, whatever it is."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from neurometa import behaviour, plotting, results

KINDS = {"harlow-pixels": ("one decision a trial", "k"), "harlow-screen": ("panning screen", "tab:blue")}
NEEDS = {name: ["behaviour.nc"] for name in KINDS}


def draw(runs: list[Path]) -> plt.Figure:
    fig, (curve, by_seed) = plt.subplots(1, 2, figsize=(6.0, 2.8), layout="constrained", width_ratios=(1.5, 1))
    for axes in (curve, by_seed):
        axes.axhline(50, color="0.8", lw=0.6, zorder=0)  # a guess
    most, about = 1, []
    for name, (label, color) in KINDS.items():
        agents, _ = results.pool(results.find_runs(*runs), name, base=runs[0])
        # one by one: those on a screen take as long as they take
        played = [results.read_result(run.path, "behaviour.nc", without=results.ACTIVITY) for run in agents]
        each = xr.concat([behaviour.learning_set_curve(trials) for trials in played], "agent")
        _curve(curve, each, label, color)
        later = 100 * np.sort(each.accuracy.isel(trial=slice(1, None)).mean("trial").values)[::-1]
        by_seed.plot(np.arange(1, len(later) + 1), later, "o", ms=4, color=color)
        most = max(most, len(later))
        about.append(
            f"{label}: {results.about_agents(agents)}, {min(x.sizes['episode'] for x in played):,} problems each"
        )
    curve.set(xlabel="trial of a problem", ylabel="right choices (%)", ylim=(0, 102))
    curve.set_title("a  From frames, images never seen before (Fig 6f)")
    curve.legend(loc="lower right")
    by_seed.set(xlabel="training seeds, sorted", ylabel="right choices, trials 2 on (%)", ylim=(0, 102))
    by_seed.set_xticks(np.arange(1, most + 1))
    by_seed.set_title("b  Seed by seed (Fig 6e)")
    plotting.foot(
        fig,
        f"{'; '.join(about)}; images that none was trained with; pale: agents, bars: 95 % interval over agents, or "
        "over problems of one. Published: of 100 seeds 43 % reach the top with two layers, 26 % with one",
    )
    return fig


def _curve(axes: plt.Axes, each: xr.Dataset, label: str, color: str) -> None:
    """Draw right choices by trial: of each agent, and the mean over agents with its interval."""
    if each.sizes["agent"] > 1:
        for one in each.accuracy.transpose("agent", "trial").values:
            axes.plot(each.trial, 100 * one, color=color, alpha=0.25, lw=0.8, zorder=1)
        over = plotting.agent_interval(each.accuracy)
        found = xr.Dataset({"accuracy": over["mean"], "lower": over.lower, "upper": over.upper})
    else:
        found = each[["accuracy", "lower", "upper"]].isel(agent=0, drop=True).reset_coords(drop=True)
    axes.plot(found.trial, 100 * found.accuracy, "o-", color=color, ms=3, lw=1.1, label=label)
    axes.vlines(found.trial, 100 * found.lower, 100 * found.upper, color=color, lw=1.1)
    axes.set_xticks(found.trial)


if __name__ == "__main__":
    plotting.save_figure("w16-fig6", [Path("runs")], Path(__file__).parent)
