"""Wang et al. 2016, Fig 2: a network comes to explore as its bandits ask for, and to use what their arms share."""

from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr

from neurometa import behaviour, expected, plotting, results
from neurometa.plotting import COLOURS

PRIOR = {"independent": "independent", "uniform": "uniform", "easy": 0.9, "medium": 0.75, "hard": 0.6}
NAME = {"independent": "independent"} | {name: f"dependent-{name}" for name in list(PRIOR)[1:]}
LETTER = {name: f"$D_{name[0]}$" for name in PRIOR}
NEEDS = {NAME[train]: [results.file_on(NAME[train], NAME[test]) for test in PRIOR] for train in PRIOR}
CURVES = {"a": ("independent",) * 2, "c": ("uniform",) * 2, "d": ("medium", "easy"), "e": ("medium", "hard")}


def draw(runs: list[Path]) -> plt.Figure:
    found = results.find_runs(*runs)
    agents = {train: results.pool(found, NAME[train], base=runs[0])[0] for train in PRIOR}
    lost = {train: {test: regret(agents[train], NAME[train], NAME[test]) for test in PRIOR} for train in PRIOR}
    n_trials = lost["medium"]["medium"].sizes["trial"]
    optimum = {test: expected.regret("optimal", PRIOR[test], n_trials) for test in PRIOR}

    fig = plt.figure(figsize=(7.0, 5.2), layout="constrained")
    above, below = fig.subfigures(2, 1, height_ratios=(1, 1.25))
    panels = above.subplot_mosaic("acde") | below.subplot_mosaic("bf;sf", height_ratios=(1.5, 1))
    for letter, (train, test) in CURVES.items():
        exact = expected.baselines(PRIOR[test], n_trials)
        ax = plotting.baseline_curves(panels[letter], exact)
        beside = {"agent trained on $D_i$": ("independent", COLOURS[2]), "on dependent arms": (train, COLOURS[0])}
        for label, (who, colour) in list(beside.items())[: 1 + (train != "independent")]:
            plotting.mean_curve(ax, lost[who][test].cumsum("trial"), label=label, colour=colour)
        ax.set(title=f"{letter}  train {LETTER[train]}, test {LETTER[test]}", ylabel="")
        ax.set_ylim(0, 1.1 * max(float(exact.max()), float(lost["independent"][test].sum("trial").mean())))
    panels["a"].set_ylabel("cumulative regret (reward)")
    above.legend(*panels["c"].get_legend_handles_labels(), loc="outside upper center", ncols=6)

    pulls = (lost["medium"]["medium"] > 1e-9).astype(int)
    plotting.raster(panels["b"], pulls.isel(agent=0, episode=slice(300)), ["0.92", COLOURS[0]])
    panels["b"].set(title=f"b  Suboptimal pulls of one agent, train and test {LETTER['medium']}", xlabel="")
    ideal = (optimum["medium"] - optimum["medium"].shift(trial=1, fill_value=0)) / 0.5  # by which the arms differ
    plotting.mean_curve(panels["s"], pulls, label="agent", colour=COLOURS[0])
    panels["s"].plot(range(1, n_trials + 1), ideal, "--", color=COLOURS[1], lw=1, label="Bayes-optimal")
    panels["s"].set(ylabel="share suboptimal", ylim=(0, 0.6), xlim=panels["b"].get_xlim())
    panels["s"].legend()

    matrix = xr.DataArray(
        [[float(x.sum("trial").mean()) for x in row.values()] for row in lost.values()]
        + [[float(optimum[test][-1]) for test in PRIOR]],
        coords={"trained on": [*LETTER.values(), "optimum"], "tested on": list(LETTER.values())},
    )
    over = (matrix - matrix.sel({"trained on": "optimum"}, drop=True)).clip(0)
    plotting.matrix(panels["f"], matrix, over, most=1.5)
    panels["f"].set_title(f"f  Regret at trial {n_trials} (shade: above the optimum)")
    n = " or ".join(f"{n:,}" for n in sorted({x.sizes["episode"] for row in lost.values() for x in row.values()}))
    who = " or ".join(dict.fromkeys(results.about_agents(one) for one in agents.values()))
    error = max(float(plotting.agent_interval(x.sum("trial")).se) for row in lost.values() for x in row.values())
    about = f"{who}, {n} test episodes; 95 % bands; f: standard errors up to {error:.2f}"
    plotting.foot(fig, f"For each training set: {about}. Baselines are exact.")
    return fig


def regret(agents: list[results.Run], train: str, test: str) -> xr.DataArray:
    trials = results.read_pooled(agents, results.file_on(train, test), without=results.ACTIVITY)
    return behaviour.regret(trials).astype(float)


if __name__ == "__main__":
    plotting.save_figure("w16-fig2", [Path("runs")], Path(__file__).parent)
