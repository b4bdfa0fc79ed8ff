"""Wang et al. 2016, Fig 4: a network that was never told of volatility learns faster where the world changes faster."""

import json
from pathlib import Path

import matplotlib.pyplot as plt

from neurometa import plotting, results

NEEDS = {"restless": ["behaviour.nc", "regret.nc", "fit_rw.nc"]}
SETTINGS = ("restless", "restless-w16")
UNSEEN = (1 / 15, 2 / 15)  # the band of volatilities left out of training


def draw(runs: list[Path]) -> plt.Figure:
    found = results.find_runs(*runs)
    experiment = next((name for name in SETTINGS if name in {run.experiment for run in found}), SETTINGS[0])
    agents, _ = results.pool(found, experiment, base=runs[0])
    trials = [results.read_result(run.path, "behaviour.nc", without=results.ACTIVITY) for run in agents]
    regret = results.read_pooled(agents, "regret.nc")
    fitted = results.read_pooled(agents, "fit_rw.nc")
    reading = json.loads(trials[0].attrs["task"])["drift"].replace("sd", "SD")

    fig = plt.figure(figsize=(7.0, 4.1), layout="constrained")
    panels = fig.subplot_mosaic("aa;bc", height_ratios=(0.62, 1), width_ratios=(1.3, 1))

    first = trials[0]
    by_volatility = first.drift_sd.isel(trial=0).argsort().values
    shown = [by_volatility[int(place * len(by_volatility))] for place in (0.1, 0.9, 0.3, 0.7, 0.2, 0.98)]
    plotting.choices_on_probability(panels["a"], first, shown)
    panels["a"].set_title(f"a  Six test episodes of one agent (seed {int(regret.seed[0])})")
    panels["a"].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0)

    plotting.regret_curves(panels["b"], regret.regret)
    panels["b"].set_title("b  Regret beside the baselines (mean, 95 % band)")
    panels["b"].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    worst = float(regret.regret.sel(learner="Thompson").sum("trial").mean())
    panels["b"].set_ylim(0, 1.6 * worst)  # chance leaves the panel, so that the rest can be told apart
    inset = panels["b"].inset_axes((0.72, 0.72, 0.28, 0.26))
    smooth = regret.regret.sel(learner=["agent", "ideal observer"]).rolling(trial=10, center=True).mean()
    plotting.regret_curves(inset, smooth, cumulative=False)
    inset.set(xlabel="", ylabel="", ylim=(0.03, None))
    inset.set_title("regret per trial", fontsize=6, loc="center", pad=2)
    inset.tick_params(labelsize=5.5)

    plotting.rate_by_volatility(panels["c"], fitted, UNSEEN)
    panels["c"].set_xlabel(f"volatility ν of the episode ({reading} of a step)")
    panels["c"].set_title("c  R-W learning rate per episode", pad=12)
    told = ", ".join(f"{r:.2f}" for r in fitted.r_squared.values)
    panels["c"].text(0.03, 0.98, f"R² = {told}", transform=panels["c"].transAxes, va="top")

    n = f"{regret.sizes['episode']:,} test episodes"
    plotting.foot(fig, f"{results.about_agents(agents)}, {n} each; 95 % bands. Fit: {fitted.attrs['model']}")
    return fig


if __name__ == "__main__":
    plotting.save_figure("w16-fig4", [Path("runs")], Path(__file__).parent)
