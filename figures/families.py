"""Each family loses learning to a cut of its own, and all of it to a cut of reward; a gradient step costs most.

Not a figure of the papers: agents by gradient steps (Finn et al. 2017), by activity (Wang et al. 2016) and by an
inferred task (Zintgraf et al. 2020), beside what is exact.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurometa import behaviour, exact, expected, neural, plotting, results

BANDITS = {"independent": "activity", "independent-maml": "weights", "independent-varibad": "belief"}
GRIDWORLDS = {"gridworld-rl2": "activity", "gridworld-varibad": "belief"}
COLOURS = dict(zip(("weights", "activity", "belief"), plotting.COLOURS, strict=False))
CUTS = {"": "intact", "reset": "activity reset", "freeze": "weights frozen", "no-reward": "reward cut"}
OF = {  # cuts that there is something for
    "independent": ("", "reset", "no-reward"),
    "independent-maml": ("", "freeze", "no-reward"),
    "independent-varibad": ("", "reset", "no-reward"),
    "gridworld-rl2": ("", "reset", "no-reward"),
    "gridworld-varibad": ("", "reset", "no-reward"),
}
SHIFT = "on-scarce-maml.nc"


def _file(cut: str) -> str:
    return f"lesion-{cut}.nc" if cut else "behaviour.nc"


NEEDS = {name: [_file(cut) for cut in cuts] for name, cuts in OF.items()}
NEEDS |= {name: [*NEEDS[name], SHIFT] for name in BANDITS}
NEEDS["gridworld-varibad"] = [*NEEDS["gridworld-varibad"], "belief.nc"]


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    agents = {name: results.pool(found, name, base=runs[0])[0] for name in NEEDS}

    def read(name: str, file: str) -> xr.Dataset:
        return results.read_pooled(agents[name], file, without=("hidden", "cell", "observation"))

    played = {(name, cut): read(name, _file(cut)) for name, cuts in OF.items() for cut in cuts}
    fig, axes = plt.subplots(2, 3, figsize=(7.0, 4.4), layout="constrained")
    lost(axes[0, 0], {name: played[name, ""] for name in BANDITS})
    axes[0, 0].set_title("a  Two arms, U(0, 1)")
    returns(axes[0, 1], {name: played[name, ""] for name in GRIDWORLDS})
    lost(axes[0, 2], {name: read(name, SHIFT) for name in BANDITS}, known=False)
    axes[0, 2].set_title("c  Arms that pay seldom, U(0, .2)")
    left_of_it(axes[1, 0], played)
    explored = agents["independent-maml"][0].config["network"]["adapt_after"]
    each = [results.read_pooled([run], _file(""), without=("hidden", "cell")) for run in agents["independent"]]
    errors(axes[1, 1], each, played["independent-maml", ""], explored)
    updates(axes[1, 2], read("gridworld-varibad", "belief.nc"))
    plotting.foot(
        fig,
        "; ".join(f"{name}: {results.about_agents(agents[name])}" for name in NEEDS)
        + f"; {played['independent', ''].sizes['episode']:,} test episodes each, weights as trained; 95 % bands.",
    )
    return fig


def lost(ax: Axes, played: dict[str, xr.Dataset], *, known: bool = True) -> None:
    """Reward given up so far, in expectation, by pull; its end is the area over the optimum."""
    for name, trials in played.items():
        colour = COLOURS[BANDITS[name]]
        plotting.mean_curve(ax, behaviour.regret(trials).cumsum("trial"), label=BANDITS[name], colour=colour)
    n_trials = next(iter(played.values())).sizes["trial"]
    if known:
        for policy, dash in (("optimal", "--"), ("thompson", ":")):
            label = {"optimal": "Bayes-optimal", "thompson": "Thompson"}[policy]
            ax.plot(
                np.arange(1, n_trials + 1),
                expected.regret(policy, "independent", n_trials),
                dash,
                color="0.3",
                label=label,
            )
    ax.set(xlabel="environment steps lived", ylabel="reward given up so far", ylim=(0, None))
    ax.legend(fontsize=5)


def returns(ax: Axes, played: dict[str, xr.Dataset]) -> None:
    """Return of each trial of the gridworld by the steps lived until its end."""
    for name, trials in played.items():
        each = plotting.agent_interval(trials.reward)
        lived = exact.gridworld.HORIZON * np.arange(1, each.sizes["trial"] + 1)
        colour = COLOURS[GRIDWORLDS[name]]
        ax.errorbar(
            lived, each["mean"], (each["mean"] - each.lower, each.upper - each["mean"]), fmt="o-", ms=2.5, color=colour
        )
        ax.plot([], [], "o-", ms=2.5, color=colour, label=GRIDWORLDS[name])
    ax.plot(lived, exact.gridworld.bayes_optimal(len(lived)), "--", color="0.3", label="Bayes-optimal")
    sampling = exact.gridworld.posterior_sampling(len(lived), n_lifetimes=500)["mean"]
    ax.plot(lived, sampling, ":", color="0.3", label="posterior sampling")
    ax.set(xlabel="environment steps lived", ylabel="return of the trial", title="b  Gridworld", ylim=(-2, 12))
    ax.legend(fontsize=5, loc="lower right")


def left_of_it(ax: Axes, played: dict[tuple[str, str], xr.Dataset]) -> None:
    """Reward of who knows the world that is still earned at the end of an episode, by family and cut."""
    names = list(OF)
    for i, (cut, label) in enumerate(CUTS.items()):
        shown = [n for n in names if cut in OF[n]]
        shares = [plotting.agent_interval(_share(played[name, cut])) for name in shown]
        height = np.array([float(share["mean"]) for share in shares])
        reach = np.array([[float(x["mean"] - x.lower), float(x.upper - x["mean"])] for x in shares]).T
        place = np.array([names.index(n) for n in shown]) + 0.2 * (i - 1.5)
        ax.bar(
            place,
            height,
            0.18,
            yerr=reach,
            label=label,
            color=plt.get_cmap("Greys")(0.85 - 0.2 * i),
            error_kw={"lw": 0.7},
        )
    labels = [f"{(BANDITS | GRIDWORLDS)[n]}\n({'arms' if n in BANDITS else 'grid'})" for n in names]
    ax.set_xticks(range(len(names)), labels, fontsize=5.5)
    ax.axhline(0, color="0.3", lw=0.6)
    ax.set(ylabel="gain over chance / optimum's", title="d  What a cut leaves", ylim=(-0.1, 1.6))
    ax.legend(fontsize=5, ncols=2, loc="upper center")


def _share(trials: xr.Dataset) -> xr.DataArray:
    """What is earned beyond chance in the last quarter of an episode, of what who knows the world earns beyond it."""
    best = behaviour.known_world(trials)
    chance = trials.reward_prob.mean("arm") if "reward_prob" in trials else exact.gridworld.random_walk()
    last = {"trial": slice(-max(trials.sizes["trial"] // 4, 1), None)}
    gain = (trials.reward - chance).isel(last).mean("trial")
    return gain / float((best - chance).mean())


def errors(ax: Axes, recurrent: list[xr.Dataset], trials: xr.Dataset, n: int) -> None:
    """Size of what may teach within an episode: errors of the value, or advantages of the `n` trials before a step.

    The errors are those of each recurrent agent, with its own discount. The advantages are those of `agents.Plastic` on
    a bandit: the reward, less the mean of the other trials before the step.
    """
    activity = xr.concat([abs(neural.rpe(one)).isel(event=-1) for one in recurrent], "agent")
    plotting.mean_curve(ax, activity, label="activity: |δ| of the value", colour=COLOURS["activity"])
    reward = trials.reward.isel(trial=slice(0, n))
    size = abs(reward - reward.mean("trial")) * n / (n - 1)
    plotting.mean_curve(ax, size, label="weights: |advantage|", colour=COLOURS["weights"])
    ax.set(xlabel="environment steps lived", ylabel="mean size, reward", title="e  Reward prediction errors, two arms")
    ax.set(xlim=(1, trials.sizes["trial"]), ylim=(0, None))
    ax.legend(fontsize=5)


def updates(ax: Axes, belief: xr.Dataset) -> None:
    """Bayesian surprise by step lived, of each agent."""
    for agent in belief.agent.values:
        each = belief.belief_update.sel(agent=agent).transpose("trial", "step").values.ravel()
        ax.semilogy(each, color=COLOURS["belief"], lw=0.9, alpha=0.8)
    for trial in range(1, belief.sizes["trial"]):
        ax.axvline(trial * exact.gridworld.HORIZON, color="0.85", lw=0.6, zorder=0)
    ax.set(xlabel="environment steps lived", ylabel="nats", title="f  Belief updates, gridworld")


if __name__ == "__main__":
    plotting.save_figure("families", [Path("runs")], Path(__file__).parent)
