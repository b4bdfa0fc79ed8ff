"""Duan et al. 2016, Table 1: reward of N pulls of K arms, published beside what algorithms and networks earn here."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

from neurometa import behaviour, plotting, reference, results

CELLS = [(n, k) for n in (10, 100, 500) for k in (5, 10, 50)]
TRAINED = {"": "RL², by gaps", "-reward": "RL², by reward alone", "-gittins": "RL², by imitation"}
NAMES = {  # by reward alone those of ten pulls come along
    (n, k, how): f"rl2-bandit-{n}-{k}{how}" for how in TRAINED for n, k in CELLS if how != "-reward" or n == 10
}
NEEDS = {name: ["behaviour.nc"] for name in NAMES.values()}
LEARNERS = {
    "random": "random",
    "Gittins": "Gittins",
    "Thompson": "Thompson",
    "optimistic Thompson": "optimistic Thompson",
    "UCB, tuned": "UCB, tuned",
    "epsilon-greedy, first of ties": "ε-greedy, first of ties",
    "greedy, first of ties": "greedy, first of ties",
}


def draw(runs: list[Path]) -> plt.Figure:
    found, who = _filled(runs)
    fig, ax = plt.subplots(figsize=(7.0, 2.1), layout="constrained")
    decimals = [2 if n == 10 else 1 for n, _ in CELLS]
    plotting.beside_published(ax, found, decimals=decimals, settings="pulls, arms")
    plotting.foot(
        fig,
        "Published: 1,000 draws, one agent. Ours: algorithms of data/published/rl2_table1.csv; networks of 64 units, "
        f"{who} a cell: what the best arm earns in expectation less the regret. By gaps: told by a "
        "simulator what each arm loses, which the paper did not use.",
    )
    return fig


def table(runs: list[Path]) -> pd.DataFrame:
    return _filled(runs)[0].to_dataframe().reset_index()


def _filled(runs: list[Path]) -> tuple[xr.Dataset, str]:
    """The table, and how many agents of a cell are in it."""
    told, found = reference.load("rl2_table1"), results.find_runs(*runs)
    rows = {"learner": [*LEARNERS.values(), *TRAINED.values()], "setting": [f"{n}, {k}" for n, k in CELLS]}
    empty = np.full([len(names) for names in rows.values()], np.nan)
    filled = xr.Dataset({name: (list(rows), empty.copy()) for name in ("published", "ours")}, coords=rows)
    who = set()
    for n, k in CELLS:
        cell, here = told.sel(n_trials=n, n_arms=k), {"setting": f"{n}, {k}"}
        for learner, name in LEARNERS.items():
            filled.published.loc[{"learner": name, **here}] = cell.reward.sel(learner=learner)
            filled.ours.loc[{"learner": name, **here}] = cell.recomputed.sel(learner=learner)
        filled.published.loc[{"learner": TRAINED[""], **here}] = cell.reward.sel(learner="RL2")
        for how, name in TRAINED.items():
            if (n, k, how) not in NAMES:
                continue
            agents, _ = results.pool(found, NAMES[n, k, how], base=runs[0])
            rewards = [earned(agent) for agent in agents]
            filled.ours.loc[{"learner": name, **here}] = np.mean([reward.mean() for reward in rewards])
            who.add(f"{results.about_agents(agents)} and {rewards[0].size:,} draws")
    return filled, " or ".join(sorted(who))


def earned(agent: results.Run) -> xr.DataArray:
    """What the best arm earns in expectation less the regret, of each episode: its mean is that of the reward."""
    trials = results.read_result(agent.path, "behaviour.nc", without=results.ACTIVITY)
    n_trials, n_arms = trials.sizes["trial"], trials.sizes["arm"]
    return n_trials * n_arms / (n_arms + 1) - behaviour.regret(trials).sum("trial")


if __name__ == "__main__":
    plotting.save_figure("rl2-table1", [Path("runs")], Path(__file__).parent)
