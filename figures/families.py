"""An agent made to infer its task holds a belief near the exact posterior; one that is not searches as well without.

Not a figure of the papers: the gridworld of Zintgraf et al. (2020), section 5.1, beside its exact references.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurometa import exact, plotting, results

NAMES = {"gridworld-varibad": "VariBAD: belief", "gridworld-rl2": "RL²: activity"}
NEEDS = {"gridworld-varibad": ["behaviour.nc", "belief.nc"], "gridworld-rl2": ["behaviour.nc"]}


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    agents = {name: results.pool(found, name, base=runs[0])[0] for name in NAMES}
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(7.0, 2.5), layout="constrained")
    returns(left, {name: results.read_pooled(agents[name], "behaviour.nc", without=results.ACTIVITY) for name in NAMES})
    belief = [results.read_result(agent.path, "belief.nc") for agent in agents["gridworld-varibad"]]
    for ax, variable, title in (
        (middle, "total_variation", "b  Distance from the posterior"),
        (right, "belief_update", "c  Belief updates"),
    ):
        for each in belief:
            ax.plot(each[variable].values.ravel(), color=plotting.COLOURS[0], lw=0.9, alpha=0.8)
        for trial in range(1, belief[0].sizes["trial"]):
            ax.axvline(trial * exact.gridworld.HORIZON, color="0.85", lw=0.6, zorder=0)
        ax.set(xlabel="environment steps lived", title=title, ylim=(0, None))
    never = belief[0].never_updating.values.ravel()
    middle.plot(never, color="0.5", ls="--", lw=0.9, label="never updating")
    middle.set(ylabel="total variation", xlim=(0, 2 * exact.gridworld.HORIZON))
    middle.legend(fontsize=5)
    right.set(ylabel="nats")
    return fig


def returns(ax: Axes, played: dict) -> None:
    """Return of each trial by the steps lived until its end, beside who knows the rules."""
    for (name, trials), colour in zip(played.items(), plotting.COLOURS, strict=False):
        each = trials.reward.mean("episode")
        lived = exact.gridworld.HORIZON * np.arange(1, each.sizes["trial"] + 1)
        ax.plot(lived, each.transpose("trial", ...).values, "o-", ms=2.5, lw=0.9, color=colour)
        ax.plot([], [], "o-", ms=2.5, color=colour, label=f"{NAMES[name]} ({each.sizes.get('agent', 1)})")
    references = {
        "Bayes-optimal": exact.gridworld.bayes_optimal(len(lived)),
        "posterior sampling": exact.gridworld.posterior_sampling(len(lived), n_lifetimes=5000)["mean"],
    }
    for (name, curve), dash in zip(references.items(), ("--", ":"), strict=True):
        ax.plot(lived, curve, dash, color="0.3", lw=0.9, label=name)
    ax.set(xlabel="environment steps lived", ylabel="return of the trial", title="a  Adaptation", ylim=(0, 12))
    ax.legend(fontsize=5, loc="lower right")


if __name__ == "__main__":
    plotting.save_figure("families", [Path("runs")], Path(__file__).parent)
