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
    trials = [_load(run, "behaviour.nc") for run in runs]
    regret = dataset.concat([_load(run, "regret.nc", of) for run, of in zip(runs, trials, strict=True)])
    fitted = dataset.concat([_load(run, "fit_rw.nc", of) for run, of in zip(runs, trials, strict=True)])
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

    seeds = ", ".join(str(seed) for seed in regret.seed.values)
    about = f"{regret.sizes['episode']:,} test episodes for each training seed ({seeds}); fit: {fitted.attrs['model']}"
    fig.supxlabel(about, fontsize=6.3, color="0.35", x=0.99, ha="right")
    return fig


def _load(run: Path, name: str, of: xr.Dataset | None = None) -> xr.Dataset:
    """Read one result of a run, made from the trials `of` that the run holds now."""
    if not (run / name).exists():
        raise InputError(f"{run} holds no {name}; make it with: neurometa {MADE_BY[name]} {run}")
    result = dataset.read(run / name)
    if of is not None and result.attrs.get("created") != of.attrs.get("created"):
        raise InputError(f"{run / name} is of an earlier rollout; make it anew with: neurometa {MADE_BY[name]} {run}")
    return result


if __name__ == "__main__":
    plotting.save_figure("w16-fig4", [Path("runs/restless")], Path(__file__).parent)
