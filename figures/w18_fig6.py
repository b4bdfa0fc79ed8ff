"""Wang, Kurth-Nelson et al. 2018, Fig 6: monkeys and agents that learn to learn from a single trial."""

from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr
from matplotlib.figure import Figure

from neurometa import behaviour, plotting, reference, results

EXPERIMENT = "harlow"
NEEDS = {EXPERIMENT: ["behaviour.nc", "untrained.nc"]}
LENGTH = "n_updates"


def draw(runs: list[Path]) -> Figure:
    found = [run for run in results.find_runs(*runs) if run.experiment == EXPERIMENT]
    found.sort(key=lambda run: -run.config[LENGTH])  # of groups of one size the one that was trained for longest
    agents, _ = results.pool(found, EXPERIMENT, base=runs[0])
    fig, panels = plt.subplots(1, 3, figsize=(7.0, 3.0), layout="constrained", sharey=True)

    monkeys, published = reference.load("w18_fig6b"), reference.load("w18_fig6c")
    plotting.learning_set_curves(panels[0], monkeys, "problem")
    plotting.learning_set_curves(panels[1], published, "stage")
    ours = [("before training", agents, "untrained.nc")]
    ours += [
        (f"{each[0].config[LENGTH]:,} updates", each, "behaviour.nc") for each in [*shorter(found, agents), agents]
    ]
    curves = [curve(each, file) for _, each, file in ours]
    n_episodes = {int(one.n_problems) for one in curves}
    together = xr.concat(curves, "stage").assign_coords(stage=[name for name, *_ in ours])
    plotting.learning_set_curves(panels[2], together, "stage")

    titles = ("b  Monkeys, by number of problem", "c  Agents, published, by stage", "c  Agents, ours, by training")
    for ax, title in zip(panels, titles, strict=True):
        ax.set_title(title, pad=4)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2 if ax is panels[0] else 3)
        ax.label_outer()
    panels[2].legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    spread = "over agents" if len(agents) > 1 else "over problems"
    several = f"{min(n_episodes):,}" if len(n_episodes) == 1 else f"{min(n_episodes):,} to {max(n_episodes):,}"
    batch = f"of {agents[0].config['batch_size']} problems"
    plotting.foot(
        fig,
        f"b: {monkeys.attrs['n']}; from 1-100 on problems are counted after the first 32. c, published: "
        f"{published.attrs['n']}. Ours: {results.about_agents(agents)}; "
        f"{several} problems with stimuli never met before; updates {batch}; answered trials; 95 % intervals {spread}. "
        "Each length of training is a training of its own, to the end of its schedule",
    )
    return fig


def shorter(found: list[results.Run], agents: list[results.Run]) -> list[list[results.Run]]:
    """Agents that differ in nothing but having been trained for less, the least trained first."""

    def rest(run: results.Run) -> dict[str, object]:
        return {name: value for name, value in run.config.items() if name not in (LENGTH, "seed")}

    kin = [run for run in found if run.trained and rest(run) == rest(agents[0])]
    lengths = sorted({run.config[LENGTH] for run in kin if run.config[LENGTH] < agents[0].config[LENGTH]})
    return [results.pool(kin, EXPERIMENT, config={LENGTH: length})[0] for length in lengths]


def curve(agents: list[results.Run], file: str) -> xr.Dataset:
    """Share of right choices by trial: with Wilson's interval of one agent, or the interval over agents."""
    trials = results.read_pooled(agents, file, without=results.ACTIVITY)
    each = behaviour.learning_set_curve(trials)
    if each.sizes["agent"] > 1:
        over = plotting.agent_interval(each.accuracy)
        found = xr.Dataset({"accuracy": over["mean"], "lower": over.lower, "upper": over.upper})
    else:
        found = each[["accuracy", "lower", "upper"]].isel(agent=0, drop=True).reset_coords(drop=True)
    return found.assign(n_problems=trials.sizes["episode"])


if __name__ == "__main__":
    plotting.save_figure("w18-fig6", [Path("runs")], Path(__file__).parent)
