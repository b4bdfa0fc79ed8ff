"""Wang et al. 2016, Fig 4: a network that was never told of volatility learns faster where the world changes faster."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import xarray as xr

from neurometa import dataset, plotting
from neurometa.errors import InputError

UNSEEN = (1 / 15, 2 / 15)  # the band of volatilities left out of training
MADE_BY = {"behaviour.nc": "rollout", "regret.nc": "regret", "fit_rw.nc": "fit-rw"}


def draw(runs: list[Path]) -> plt.Figure:
    trials, regret, fitted = (_load(runs, name) for name in MADE_BY)
    task = json.loads(trials[0].attrs["task"])
    regret, fitted = dataset.concat(regret), dataset.concat(fitted)

    fig = plt.figure(figsize=(7.0, 3.9), layout="constrained")
    panels = fig.subplot_mosaic("aa;bc", height_ratios=(0.7, 1))

    first = trials[0]
    spread = first.drift_sd.isel(trial=0).rank("episode")
    shown = [int(abs(spread - spread.max() * place).argmin()) for place in (0.1, 0.9, 0.3, 0.7, 0.2, 0.98)]
    plotting.choices_on_probability(panels["a"], first, shown)
    panels["a"].set_title(f"a  Six test episodes, one agent (seed {int(regret.seed[0])})")
    panels["a"].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0)

    plotting.regret_curves(panels["b"], regret.regret)
    seeds = ", ".join(str(seed) for seed in regret.seed.values)
    panels["b"].set_title(f"b  Regret, {regret.sizes['episode']:,} episodes per seed (seeds {seeds})")
    panels["b"].legend(loc="upper left", title="mean, 95 % band")
    highest = float(regret.regret.sel(learner="UCB").sum("trial").mean()) * 1.75
    panels["b"].set_ylim(0, highest)  # chance leaves the panel, so that the rest can be told apart

    plotting.rate_by_volatility(panels["c"], fitted, UNSEEN)
    r_squared = fitted.r_squared.values
    spread = f"{r_squared.min():.2f}" if len(r_squared) == 1 else f"{r_squared.min():.2f} to {r_squared.max():.2f}"
    panels["c"].set_title("c  Rescorla-Wagner fit per episode", pad=12)
    told = f"R² = {spread}, n = {fitted.sizes['episode']:,}"
    panels["c"].text(0.03, 0.97, told, transform=panels["c"].transAxes, va="top")
    fig.text(0.995, 0.005, f"ν read as the {task['drift'].replace('sd', 'SD')} of a step", ha="right", va="bottom", color="0.35")
    return fig


def _load(runs: list[Path], name: str) -> list[xr.Dataset]:
    for run in runs:
        if not (run / name).exists():
            raise InputError(f"{run} holds no {name}; make it with: neurometa {MADE_BY[name]} {run}")
    return [dataset.read(run / name) for run in runs]


if __name__ == "__main__":
    plotting.save_figure("w16-fig4", [Path("runs/restless")], Path(__file__).parent)
