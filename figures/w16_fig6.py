"""Wang et al. 2016, Fig 6: a network that sees takes the image that pays from the second trial on, whatever it is."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

from neurometa import behaviour, plotting, results

PIXELS = "harlow-pixels"
NEEDS = {PIXELS: ["behaviour.nc"]}


def draw(runs: list[Path]) -> plt.Figure:
    agents, _ = results.pool(results.find_runs(*runs), PIXELS, base=runs[0])
    trials = results.read_pooled(agents, "behaviour.nc", without=results.ACTIVITY)
    each = behaviour.learning_set_curve(trials)
    later = each.accuracy.isel(trial=slice(1, None)).mean("trial").values

    fig, (curve, by_seed) = plt.subplots(1, 2, figsize=(6.0, 2.8), layout="constrained", width_ratios=(1.5, 1))
    if len(agents) > 1:
        for one in each.accuracy.transpose("agent", "trial").values:
            curve.plot(each.trial, 100 * one, color="0.75", lw=0.8, zorder=1)
        over = plotting.agent_interval(each.accuracy)
        found = xr.Dataset({"accuracy": over["mean"], "lower": over.lower, "upper": over.upper})
    else:
        found = each[["accuracy", "lower", "upper"]].isel(agent=0, drop=True).reset_coords(drop=True)
    curve.axhline(50, color="0.8", lw=0.6, zorder=0)  # a guess
    curve.plot(found.trial, 100 * found.accuracy, "o-", color="k", ms=3, lw=1.1)
    curve.vlines(found.trial, 100 * found.lower, 100 * found.upper, color="k", lw=1.1)
    curve.set(xlabel="trial of a problem", ylabel="right choices (%)", ylim=(0, 102), xticks=found.trial)
    curve.set_title("a  From pixels, images never seen before (Fig 6f)")

    by_seed.axhline(50, color="0.8", lw=0.6, zorder=0)
    by_seed.plot(np.arange(1, len(later) + 1), 100 * np.sort(later)[::-1], "o", ms=4, color="k")
    by_seed.set(xlabel="training seeds, sorted", ylabel="right choices, trials 2 on (%)", ylim=(0, 102))
    by_seed.set_xticks(np.arange(1, len(later) + 1))
    by_seed.set_title("b  Seed by seed (Fig 6e)")
    spread = "grey: agents, 95 % interval over agents" if len(agents) > 1 else "95 % interval over problems"
    plotting.foot(
        fig,
        f"{results.about_agents(agents)}; {trials.sizes['episode']:,} problems each, with images that none was trained "
        f"with; one decision a trial; {spread}. "
        "Published: of 100 seeds 43 % reach the top with two layers, 26 % with one",
    )
    return fig


if __name__ == "__main__":
    plotting.save_figure("w16-fig6", [Path("runs")], Path(__file__).parent)
