"""Wang, Kurth-Nelson et al. 2018, Fig 3: with frozen weights, a network learns faster where its world is volatile."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurometa import behaviour, plotting, reference, results
from neurometa.plotting import COLOURS

NEEDS = {"volatility": ["behaviour.nc", "blocks.nc"]}
SETTINGS = ("volatility", "volatility-w18")
DECODED = "posterior volatility"  # target of decode.nc, which is drawn where it is there
OURS, PUBLISHED, OBSERVER, READ = COLOURS[0], COLOURS[1], COLOURS[3], COLOURS[4]
TITLES = {"stable-first": "a  Stable first", "volatile-first": "b  Volatile first"}


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    experiment = next((name for name in SETTINGS if name in {run.experiment for run in found}), SETTINGS[0])
    agents, _ = results.pool(found, experiment, base=runs[0])
    trials = results.read_result(agents[0].path, "behaviour.nc", without=results.ACTIVITY)
    blocks = results.read_pooled(agents, "blocks.nc")
    decoded = read_out(agents[0].path)

    fig = plt.figure(figsize=(7.0, 5.6), layout="constrained")
    rows = ("aabb", "ggvv", "hhww", "ccdd")
    panels = fig.subplot_mosaic([list(row) for row in rows], height_ratios=(1, 0.55, 0.8, 1.6))
    for (order, title), (chosen, believed, learned) in zip(TITLES.items(), ("agh", "bvw"), strict=True):
        starts_volatile = trials.volatile.isel(trial=0).values == (order == "volatile-first")
        if not starts_volatile.any():
            continue
        episode = int(np.flatnonzero(starts_volatile)[0])
        one = trials.isel(episode=episode)
        plotting.outcomes_on_probability(panels[chosen], one)
        panels[chosen].set_title(f"{title}: one episode (agent of seed {agents[0].seed})")
        shown = None if decoded is None else decoded.isel(episode=episode)
        volatility(panels[believed], one, shown)
        plotting.shade_volatile(panels[learned], one.volatile)
        rate, length = blocks.sliding_rate.sel(order=order), int(blocks.attrs["window"])
        plotting.sliding_rates(panels[learned], rate, length=length, colour=OURS)
        panels[learned].set(xlabel="trial", ylim=(0, 0.85))
        panels[learned].set_title("all episodes of this order", fontsize=6.3, loc="right", pad=2)
        for name in (chosen, believed, learned):
            panels[name].set_xlim(0.5, one.sizes["trial"] + 0.5)
        for name in (chosen, believed):
            panels[name].set_xticklabels([])
    for name in "bvw":
        panels[name].set_ylabel("")
    by_block(panels["c"], panels["d"], blocks.learning_rate)
    handles = panels["a"].get_legend_handles_labels(), panels["g"].get_legend_handles_labels()
    fig.legend(handles[0][0] + handles[1][0], handles[0][1] + handles[1][1], loc="outside upper center", ncols=5)
    n = f"{trials.sizes['episode']:,} test episodes each"
    window = blocks.attrs["window"]
    plotting.foot(
        fig,
        f"{results.about_agents(agents)}, {n}. Choices of arm 0 above, of arm 1 below; shaded: volatile. Learning "
        f"rates: maximum likelihood over all episodes of an order, in a window of {window} trials (a, b) and in blocks "
        "(d: dots are agents, circles their mean). Published: mean, and range of 8 seeds; humans: mean, "
        "and standard error above it; ideal observer: the middle of its bounds.",
    )
    return fig


def read_out(run: Path) -> xr.DataArray | None:
    """What a decoder reads of volatility from the hidden state of episodes held out, if decode.nc tells of it."""
    if not (run / "decode.nc").exists():
        return None
    found = results.read_result(run, "decode.nc", options="--target posterior-volatility")
    if "prediction" not in found or DECODED not in found.target.values:
        return None
    return found.prediction.sel(target=DECODED)


def volatility(ax: Axes, trials: xr.Dataset, decoded: xr.DataArray | None) -> None:
    at = np.arange(1, trials.sizes["trial"] + 1)
    plotting.shade_volatile(ax, trials.volatile)
    ax.plot(at, behaviour.posterior_volatility(trials), color=OBSERVER, lw=1.1, label="volatility: ideal observer")
    if decoded is not None:
        ax.plot(at, decoded, color=READ, lw=0.8, label="volatility: read from hidden state")
    ax.set(ylim=(-0.01, 0.21), yticks=[0, 0.1, 0.2], ylabel="volatility\n(1/trial)")


def by_block(left: Axes, right: Axes, rate: xr.DataArray) -> None:
    told = reference.load("w18_fig3cd")
    humans = told.sel(who="humans")
    plotting.rates_by_block(
        left, humans.learning_rate, label="humans (Behrens et al. 2007)", colour=PUBLISHED, filled=False
    )
    plotting.range_by_block(left, humans.learning_rate, humans.mean_plus_sem, colour=PUBLISHED)
    left.set_title("c  Humans")
    published, ideal = told.sel(who="agent (published)"), told.sel(who="ideal observer (computed)")
    plotting.rates_by_block(
        right, published.learning_rate, label="published agents", colour=PUBLISHED, filled=False, shift=-0.14
    )
    plotting.range_by_block(right, published.lowest, published.highest, colour=PUBLISHED, shift=-0.14)
    plotting.rates_by_block(right, rate, label="our agents", colour=OURS)
    middle = ideal.learning_rate.fillna((ideal.lowest * ideal.highest) ** 0.5)
    plotting.rates_by_block(right, middle, label="ideal observer", colour=OBSERVER, shift=0.24, dash="--")
    plotting.range_by_block(right, ideal.lowest, ideal.highest, colour=OBSERVER, shift=0.24)
    right.set_title("d  Agents")
    right.set_ylabel("")
    for ax in (left, right):
        ax.legend(loc="lower center", ncols=3)


if __name__ == "__main__":
    plotting.save_figure("w18-fig3", [Path("runs")], Path(__file__).parent)
