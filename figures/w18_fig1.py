"""Wang, Kurth-Nelson et al. 2018, Fig 1c-f: a network's state comes to tell how its arms pay, and settles there."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from neurometa import behaviour, expected, neural, plotting, reference, results
from neurometa.plotting import BASELINES, COLOURS

INDEPENDENT, CORRELATED, MEDIUM, HARD = "independent", "dependent-uniform", "dependent-medium", "dependent-hard"
NEEDS = {INDEPENDENT: [f"on-{MEDIUM}.nc"], CORRELATED: ["behaviour.nc", f"on-{MEDIUM}.nc", f"on-{HARD}.nc"]}
ACTIVITY = True  # the trials must hold the hidden state
AGENTS = {INDEPENDENT: "agent trained on independent arms", CORRELATED: "agent trained on correlated arms"}
LINES = {AGENTS[INDEPENDENT]: COLOURS[2], AGENTS[CORRELATED]: COLOURS[0]}
SIDES = {"left": COLOURS[0], "right": COLOURS[5]}
PROBS = (0.99, 0.46, 0.33, 0.01)  # of the left arm, in the paper's Fig 1e


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    agents = {train: results.pool(found, train, base=runs[0])[0] for train in AGENTS}
    one = agents[CORRELATED][0].path
    fig = plt.figure(figsize=(7.0, 4.7), layout="constrained")
    above, below = fig.subfigures(2, 1)
    panels = above.subplot_mosaic("clr", width_ratios=(1, 1, 1.7))
    for panel, test, prob in (("c", MEDIUM, 0.25), ("l", HARD, 0.6)):
        trials = results.read_result(one, f"on-{test}.nc", without=results.ACTIVITY)
        there = abs(trials.reward_prob.isel(trial=0, arm=0) - prob).values < 1e-6
        plotting.raster(panels[panel], trials.choice.isel(episode=there).isel(episode=slice(50)), list(SIDES.values()))
        panels[panel].set_title(f"{'c  ' if panel == 'c' else ''}p = ({prob:g}, {1 - prob:g})")
    panels["l"].set(ylabel="", yticklabels=[])
    sides = [Patch(color=colour, label=f"chose {side}") for side, colour in SIDES.items()]
    above.legend(handles=sides, loc="outside upper left", ncols=2)

    played = {
        train: results.read_pooled(agents[train], f"on-{MEDIUM}.nc", without=results.ACTIVITY) for train in AGENTS
    }
    lost = {train: behaviour.regret(trials) for train, trials in played.items()}
    ax = plotting.baseline_curves(panels["r"], expected.baselines(0.75, lost[CORRELATED].sizes["trial"]))
    for train, label in AGENTS.items():
        plotting.mean_curve(ax, lost[train].cumsum("trial"), label=label, colour=LINES[label])
    colours = LINES | {learner: colour for learner, (colour, _) in BASELINES.items()}
    plotting.published_points(ax, reference.load("w18_fig1d"), colours)
    ax.set(title="d  Regret on p = (0.25, 0.75) or (0.75, 0.25)", xlim=(0, 103), ylim=(0, 3.4))
    above.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=4)

    n_episodes = states(below, below.subplot_mosaic("01f;23f", width_ratios=(1, 1, 1.9)), one)
    who = "; ".join(
        f"{label[len('agent trained on ') :]}: {results.about_agents(agents[t])}" for t, label in AGENTS.items()
    )
    plotting.foot(fig, f"Trained on {who} (c, e, f: the first); {n_episodes:,} test episodes; 95 % bands")
    return fig


def states(fig: Figure, panels: dict[str, Axes], run: Path) -> int:
    trials = results.read_result(run, "behaviour.nc")
    p_left, n_trials = trials.reward_prob.isel(trial=0, arm=0), trials.sizes["trial"]
    found = neural.principal_components(trials.hidden.isel(step=0))
    ends, share = found.score.isel(trial=-1), found.variance_explained.values
    for i, prob in enumerate(PROBS):
        ax, episode = panels[str(i)], int(abs(p_left - prob).argmin("episode"))
        ax.plot(*ends.values, ".", ms=1, color="0.88", zorder=0, rasterized=True)
        drawn = plotting.trajectory(ax, found.score.isel(episode=episode), trials.choice.isel(episode=episode))
        ax.set_title(f"{'' if i else 'e  '}$p_L$ = {float(p_left[episode]):.2f}")
        ax.set(xlabel="PC 1" if i > 1 else "", ylabel="" if i % 2 else "PC 2")
    fig.colorbar(drawn, ax=[panels[i] for i in "0123"], label="trial (● left, ▲ right)", ticks=[1, n_trials], aspect=40)
    fig.colorbar(
        plotting.end_points(panels["f"], ends, p_left), ax=panels["f"], label="$p_L$", ticks=[0, 0.5, 1], aspect=40
    )
    rho = float(neural.rank_order(ends.sel(component=1, drop=True), p_left))
    panels["f"].set_title(f"f  State at trial {n_trials}: PC 1 with $p_L$, Spearman ρ = {rho:.2f}")
    panels["f"].set(xlabel=f"PC 1 ({share[0]:.0%} of variance)", ylabel=f"PC 2 ({share[1]:.0%})")
    return trials.sizes["episode"]


if __name__ == "__main__":
    plotting.save_figure("w18-fig1", [Path("runs")], Path(__file__).parent)
