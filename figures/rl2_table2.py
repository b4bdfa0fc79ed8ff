"""Duan et al. 2016, Table 2: a network taught by a planner is within 2 % of greedy planning with the true prior."""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import xarray as xr

from neurometa import plotting, reference, results

NETWORK = "RL² (taught by BEB)"
NAMES = {n: f"rl2-mdp-{n}" for n in (10, 25, 50, 75, 100)}
NEEDS = {name: ["behaviour.nc"] for name in NAMES.values()}
COLUMNS = ["learner", "n_trials", "published", "ours", "lower", "upper", "n", "agents"]


def table(runs: list[Path]) -> pd.DataFrame:
    """Every row of the table, and those of the same planners told the task's prior; intervals are of 95 %."""
    found = reference.load("rl2_table2")[["reward", "recomputed", "se", "n"]]
    found = found.rename(reward="published", recomputed="ours")
    found = found.assign_coords(learner=[NETWORK if x == "RL2" else x for x in found.learner.values])
    found = found.assign(lower=found.ours - 1.96 * found.se, upper=found.ours + 1.96 * found.se)
    rows = found.to_dataframe().reset_index().set_index(["learner", "n_trials"])
    for n in NAMES:
        earned = _earned(runs, n)
        over = plotting.agent_interval(earned)
        rows.loc[(NETWORK, n), ["ours", "lower", "upper"]] = [float(over[x]) for x in ("mean", "lower", "upper")]
        rows.loc[(NETWORK, n), ["n", "agents"]] = earned.sizes["episode"], earned.sizes["agent"]
    return rows.reset_index()[COLUMNS]


def draw(runs: list[Path]) -> plt.Figure:
    rows = table(runs)
    cells = xr.Dataset.from_dataframe(rows.set_index(["learner", "n_trials"])[["published", "ours"]])
    cells = cells.sel(learner=list(dict.fromkeys(rows.learner))).rename(n_trials="setting")

    fig, ax = plt.subplots(figsize=(6.0, 3.0), layout="constrained")
    plotting.beside_published(ax, cells, settings="trials")
    agents, _ = results.pool(results.find_runs(*runs), NAMES[10], base=runs[0])
    n_episodes = int(rows.n[rows.learner == NETWORK].min())
    plotting.foot(
        fig,
        f"Reward of an episode. Of 10 trials {results.about_agents(agents)}; {n_episodes:,} processes at least, "
        "weights frozen. Planners: 2,000 to 4,000; without a note they know the task's prior. "
        "95 % intervals: rl2-table2.csv",
    )
    return fig


def _earned(runs: list[Path], n_trials: int) -> xr.DataArray:
    """Reward of each episode of the agents of one length."""
    agents, _ = results.pool(results.find_runs(*runs), NAMES[n_trials], base=runs[0])
    trials = results.read_pooled(agents, "behaviour.nc", without=results.ACTIVITY)
    return trials.reward.astype(float).sum([dim for dim in ("trial", "step") if dim in trials.reward.dims])


if __name__ == "__main__":
    plotting.save_figure("rl2-table2", [Path("runs")], Path(__file__).parent)
