"""Wang, Kurth-Nelson et al. 2018, Fig 4: a critic expects of a cue what the outcome of another cue has told."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from neurometa import behaviour, neural, plotting, reference, results
from neurometa.behaviour.reversal import ROLES
from neurometa.plotting.cue_values import REWARDED, SHOWN

EXPERIMENT = "reversal"
NEEDS = {EXPERIMENT: ["behaviour.nc", "reversals.nc"]}
ACTIVITY = True  # the trials must hold the hidden state
MOST = 300  # states in a panel


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    agents, _ = results.pool(found, EXPERIMENT, base=runs[0])
    fig = plt.figure(figsize=(7.0, 5.0), layout="constrained")
    above, below = fig.subfigures(2, 1, height_ratios=(1, 1.25))
    panels = above.subplot_mosaic("abm")

    published = reference.load("w18_fig4ab")
    for panel, variable in (("a", "firing_rate"), ("b", "rpe")):
        cues = published[variable].sel(event=[f"{role} cue" for role in ROLES])
        cues = cues.rename(event="role").assign_coords(role=list(ROLES))
        plotting.cue_responses(panels[panel], xr.Dataset({"mean": cues}))
    baseline(panels["b"], published.rpe.sel(event="response"))
    plotting.cue_responses(panels["m"], cue_rpes(agents))
    baseline(panels["m"], xr.concat([response_rpe(run.path) for run in agents], "agent").mean("agent"))
    panels["a"].set(title="a  Dopamine neurons of monkeys", ylabel="peak rate (spikes/s)", ylim=(0, None))
    panels["b"].set_title("b  Agents, published")
    panels["m"].set_title("b  Agents, ours")
    for panel in "bm":
        panels[panel].set(ylabel="RPE at the cue (reward)")
    panels["b"].sharey(panels["m"])
    panels["b"].autoscale(axis="y")
    above.legend(*panels["m"].get_legend_handles_labels(), loc="outside upper center", ncols=3)

    n_episodes, seed = states(below, agents[0])
    spread = "over agents" if len(agents) > 1 else "over episodes"
    plotting.foot(
        fig,
        f"a, b: {published.attrs['n']}; monkeys' response to the new cue before discovery was not read. "
        f"Ours: {results.about_agents(agents)}, {n_episodes:,} test episodes each; 95 % intervals {spread}. "
        f"c: seed {seed}, at most {MOST} states in a panel",
    )
    return fig


def cue_rpes(agents: list[results.Run]) -> xr.Dataset:
    """Prediction errors at the cue with 95 % intervals: over agents, or of one agent over its episodes."""
    found = results.read_pooled(agents, "reversals.nc")
    if found.sizes["agent"] > 1:
        return plotting.agent_interval(found["mean"])
    one, reach = found.isel(agent=0), stats.norm.ppf(0.975)
    return xr.Dataset(
        {"mean": one["mean"], "lower": one["mean"] - reach * one.se, "upper": one["mean"] + reach * one.se}
    )


def response_rpe(run: Path) -> xr.DataArray:
    """Mean prediction error at the step after the cue, which tells nothing new, by condition."""
    trials = results.read_result(run, "behaviour.nc", without=("hidden", "cell", "logits", "observation"))
    rpe = neural.rpe(trials).sel(event="response", drop=True)
    condition = behaviour.reversal_conditions(trials).condition
    names = list(reference.load("w18_fig4ab").condition.values)
    return xr.concat([rpe.where(condition == name).mean() for name in names], "condition")


def baseline(ax: Axes, rpe: xr.DataArray) -> None:
    ax.axhline(0, color="0.85", lw=0.6, zorder=0)
    ax.plot(np.arange(len(rpe)), rpe, "_", ms=9, mew=1.2, color="0.5", label="at the response", zorder=2)


def states(fig: Figure, run: results.Run) -> tuple[int, int]:
    """States of each step in the trial of a reversal and in the next, each step in components of its own."""
    trials = results.read_result(run.path, "behaviour.nc")
    reverses = trials["reversed"].astype(bool).transpose("episode", "trial").values
    episode, trial = np.nonzero(reverses[:, :-1] & ~reverses[:, 1:])
    episode, trial = episode[:MOST], trial[:MOST]
    panels = fig.subplots(2, trials.sizes["step"])
    for column, step in enumerate(trials.step.values):
        found = neural.principal_components(trials.hidden.sel(step=step))
        for row, when in enumerate(("reversal trial", "next trial")):
            here = {"episode": xr.DataArray(episode, dims="state"), "trial": xr.DataArray(trial + row, dims="state")}
            ax = panels[row, column]
            plotting.states_by_role(ax, found.score.isel(here), trials.cue.isel(here), trials.rewarded_cue.isel(here))
            if row == 0:
                ax.set_title(f"{'' if column else 'c  '}{str(step).capitalize()}")
            share = found.variance_explained.values
            ax.set_xlabel(f"PC 1 ({share[0]:.0%}), PC 2 ({share[1]:.0%})" if row else "")
            ax.set_ylabel("" if column else f"{when.capitalize()}\nPC 2")
        for each in panels[:, column]:
            each.set(xlim=ends(found.score.sel(component=1)), ylim=ends(found.score.sel(component=2)))
    marks = [
        Line2D([], [], marker="s", ls="", ms=4, color=colour, label=f"cue {cue} pays now")
        for cue, colour in enumerate(REWARDED)
    ]
    marks += [
        Line2D([], [], marker=marker, ls="", ms=4, color="0.4", label=f"cue {cue} is shown")
        for cue, marker in enumerate(SHOWN)
    ]
    fig.legend(handles=marks, loc="outside upper right", ncols=4)
    return trials.sizes["episode"], run.seed


def ends(score: xr.DataArray) -> tuple[float, float]:
    low, high = float(score.min()), float(score.max())
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


if __name__ == "__main__":
    plotting.save_figure("w18-fig4", [Path("runs")], Path(__file__).parent)
