"""Wang, Kurth-Nelson et al. 2018, Fig 2: a network divides choices as rewards are divided; its units tell of both."""

from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurometa import dataset, plotting, reference, results
from neurometa.errors import InputError
from neurometa.plotting import COLOURS

NEEDS = {"foraging": ["behaviour.nc", "matching.nc", "encode.nc", "history.nc"]}
SETTINGS = ("foraging", "foraging-w18")
KERNELS = "--encoding lau-glimcher --lags 15 --burn-in .333"
OURS, PUBLISHED, OBSERVER = COLOURS[0], COLOURS[1], COLOURS[3]
FACTORS = {  # of the record, as they are written below the axis
    "last action": "last\naction",
    "last reward": "last\nreward",
    "action x reward": "their\nproduct",
    "value": "value",
}


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    experiment = next((name for name in SETTINGS if name in {run.experiment for run in found}), SETTINGS[0])
    agents, _ = results.pool(found, experiment, base=runs[0])
    n_episodes = results.read_result(agents[0].path, "behaviour.nc", without=results.ACTIVITY).sizes["episode"]
    fig = plt.figure(figsize=(7.0, 4.7), layout="constrained")
    panels = fig.subplot_mosaic("abrc;defg", width_ratios=(1.15, 1.2, 0.85, 0.85))
    matching(panels["a"], panels["d"], results.read_pooled(agents, "matching.nc"))
    coding(panels["b"], panels["e"], agents)
    kernels(panels, agents)
    for name, who in (("a", "monkeys"), ("d", "agent")):
        panels[name].annotate(
            who, (-0.42, 0.5), xycoords="axes fraction", rotation=90, va="center", ha="center", weight="bold"
        )
    n = f"{n_episodes:,} test episodes each, last two thirds of their trials"
    plotting.foot(
        fig,
        f"{results.about_agents(agents)}, {n}; a thin line or dot per agent or unit. Monkeys (a-c) and open "
        "circles: as published. The published points of a are no data, and weights were read at some lags.",
    )
    return fig


def matching(above: Axes, below: Axes, found: xr.Dataset) -> None:
    told = reference.load("w18_fig2ad")
    ends = [-4, 4]
    monkeys = told.sel(who="monkeys")
    label = f"published slope {float(monkeys.slope):.2f}\n(r² {float(monkeys.r_squared):.2f}, {int(monkeys.n)} points)"
    plotting.matching_law(above).plot(
        ends, [float(monkeys.slope) * x for x in ends], color=PUBLISHED, lw=1.3, label=label
    )
    above.set_title("a  Matching")
    plotting.matching_points(below, found)
    for group, dash in (("trained", "-."), ("held-out", "--")):
        one = told.sel(who=f"agent (published), {group} ranges")
        label = f"{group}, published: slope {float(one.slope):.2f}, r² {float(one.r_squared):.2f}"
        below.plot(ends, [float(one.slope) * x for x in ends], dash, color=PUBLISHED, lw=0.9, label=label)
    below.set_title("d  Matching")
    drawn, names = above.get_legend_handles_labels()
    above.legend(drawn[1:], names[1:], loc="upper left", borderaxespad=0.1, fontsize=5.8, handlelength=1.4)
    below.legend(loc="upper center", bbox_to_anchor=(0.45, -0.3), borderaxespad=0, fontsize=5.8, labelspacing=0.3)


def coding(above: Axes, below: Axes, agents: list[results.Run]) -> None:
    told = reference.load("w18_fig2be")
    threshold = reference.record("w18_fig2be")["claim"][0]["criterion"]["beyond"]
    names = [str(name) for name in told.factor.values]
    above.bar(range(len(names)), told.share_of_neurons, 0.7, color="0.6")
    for place, share in enumerate(told.share_of_neurons.values):
        above.text(place, share, f"{share:.0%}", ha="center", va="bottom", fontsize=6)
    above.set(ylabel="share of neurons", ylim=(0, 0.42))
    above.set_title("b  What neurons code")
    each = [results.read_result(agent.path, "encode.nc") for agent in agents]
    for agent, one in zip(agents, each, strict=True):
        if one.attrs.get("sample") != "episode, trial" or not set(names) <= set(one.factor.values):
            raise InputError(
                f"{agent.path / 'encode.nc'} is of other factors or samples than the figure's; make it anew with: "
                f"neurometa encode {agent.path} --factor history"
            )
    size = dataset.concat([one[["spearman"]] for one in each]).spearman.sel(factor=names)
    plotting.unit_correlations(below, size)
    top = 1.18 * float(max(abs(size).max(), told.largest_correlation.max()))
    coded = (abs(size) > threshold).where(size.notnull()).mean(("agent", "unit"))
    for place, share in enumerate(coded.values):
        below.text(place, top, f"{share:.0%}", ha="center", va="top", fontsize=6, color=OURS)
    below.plot([], [], ".-", ms=4, color=OURS, label=f"units; %: of them above {threshold:g}")
    how = {"mfc": "white", "mec": PUBLISHED, "mew": 0.9, "ms": 3.4, "zorder": 5}
    below.plot(range(len(names)), told.mean_correlation, "o", **how, label="published mean")
    below.plot(range(len(names)), told.largest_correlation, "^", **how, label="published maximum")
    below.set(ylim=(0, top), ylabel="|partial rank correlation|")
    below.set_title("e  What units code")
    below.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), borderaxespad=0, fontsize=5.8)
    for ax in (above, below):
        ax.set_xticks(range(len(names)), [FACTORS.get(name, name) for name in names], fontsize=5.5)


def kernels(panels: dict[str, Axes], agents: list[results.Run]) -> None:
    told = reference.load("w18_fig2cf").weight
    each = [results.read_result(agent.path, "history.nc", options=KERNELS) for agent in agents]
    for agent, one in zip(agents, each, strict=True):
        if one.attrs.get("encoding") != "lau-glimcher" or one.coef.ndim > 2:
            raise InputError(
                f"{agent.path / 'history.nc'} is of another regression than the figure's; make it anew with: "
                f"neurometa history {agent.path} {KERNELS}"
            )
    ours = dataset.concat([one[["coef"]] for one in each]).coef
    longest = int(ours.lag.max())
    for regressor, monkey, agent in (("reward", "r", "f"), ("choice", "c", "g")):
        line = told.sel(regressor=regressor)
        published = {"label": "published", "colour": PUBLISHED, "filled": False, "dash": ":"}
        plotting.history_weights(panels[monkey], line.sel(who="monkeys"), **published)
        plotting.history_weights(panels[agent], ours.sel(regressor=regressor), label="ours", colour=OURS)
        plotting.history_weights(panels[agent], line.sel(who="agent (published)"), **published)
        ideal = {"label": "Bayes filter", "colour": OBSERVER, "dash": "--", "marker": "s"}
        plotting.history_weights(panels[agent], line.sel(who="Bayes filter (computed)"), **ideal)
        for ax in (panels[monkey], panels[agent]):
            ax.set(xlim=(0, longest + 1), xticks=[1, 5, 10, 15] if longest >= 15 else [1, longest])
        panels[monkey].set_title(f"{'c  ' if regressor == 'reward' else ''}Past {regressor}s")
        panels[agent].set_title(f"{'f  ' if regressor == 'reward' else ''}Past {regressor}s")
    for name in "cg":
        panels[name].set_ylabel("")
    panels["r"].legend(loc="upper right")
    panels["f"].legend(loc="upper left", bbox_to_anchor=(0, -0.3), borderaxespad=0, fontsize=5.8, labelspacing=0.3)


if __name__ == "__main__":
    plotting.save_figure("w18-fig2", [Path("runs")], Path(__file__).parent)
