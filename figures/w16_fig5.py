"""Wang et al. 2016, Fig 5: after a rare transition, a network that is only ever rewarded stays as a planner would."""

import json
from pathlib import Path

import matplotlib.pyplot as plt

from neurometa import exact, plotting, reference, results

TWO_STEP = "two-step-w16"
IDEAL = "ideal observer (exact)"
NEEDS = {TWO_STEP: ["behaviour.nc", "stay.nc"]}


def draw(runs: list[Path]) -> plt.Figure:
    agents, _ = results.pool(results.find_runs(*runs), TWO_STEP, base=runs[0])
    trials = results.read_result(agents[0].path, "behaviour.nc", without=results.ACTIVITY)
    task, n_trials = json.loads(trials.attrs["task"]), trials.sizes["trial"]
    world = {name: task[name] for name in ("p_common", "p_reward", "p_reversal")}
    stay = results.read_pooled(agents, "stay.nc")
    ideal = exact.two_step.ideal_stay(n_trials, **world)

    fig = plt.figure(figsize=(7.0, 3.4), layout="constrained")
    panels = fig.subplot_mosaic("afp;acc", width_ratios=(1.5, 1, 1))
    plotting.two_step_sketch(panels["a"], **world)
    panels["a"].set_title("a  A trial")
    sketched = reference.load("w18_fig5c")  # the paper of 2016 draws the same two patterns, without numbers
    for panel, kind in (("f", "model-free"), ("p", "model-based")):
        plotting.stay_bars(panels[panel], sketched[["stay_probability"]].sel(who=f"canonical {kind}", drop=True))
        panels[panel].set_title(f"{'b  Canonical: ' if panel == 'f' else ''}{kind}")
    plotting.stay_bars(panels["c"], stay.isel(agent=0) if len(agents) == 1 else stay)
    plotting.stay_levels(panels["c"], ideal, label=IDEAL)
    plotting.stay_scale([panels["f"], panels["p"]])
    plotting.stay_scale([panels["c"]])
    interaction, main = (float(stay[name].mean()) for name in ("interaction", "main_effect"))
    panels["c"].set_title(f"c  Agents: interaction {interaction:.2f}, main effect {main:.2f}")
    handles, labels = panels["c"].get_legend_handles_labels()
    told = dict(zip(labels, handles, strict=True))
    kinds = {"common": "last transition common", "rare": "last transition rare", IDEAL: IDEAL}
    panels["c"].legend([told[kind] for kind in kinds], list(kinds.values()), loc="center", bbox_to_anchor=(0.5, 0.65))
    spread = "points agents, error bars their standard error" if len(agents) > 1 else "error bars 95 % over episodes"
    n = f"{trials.sizes['episode']:,} test episodes of {n_trials} trials"
    plotting.foot(
        fig, f"c: {results.about_agents(agents)}, {n} each; {spread}. b: as sketched in Wang et al. 2018, Fig 5b"
    )
    return fig


if __name__ == "__main__":
    plotting.save_figure("w16-fig5", [Path("runs")], Path(__file__).parent)
