"""Claim: which of the classical columns of Duan et al. 2016, Tables 1 and 2, follow from the algorithms as described.

Every baseline plays the bandits and the Markov decision processes of the paper, on many times its 1,000 instances. A
reward of a bandit is N K / (K + 1), what the best arm earns in expectation, minus the mean regret, which has a third of
the reward's standard error. Planners do not know how many trials there are, so that one episode of 100 trials has the
shorter ones in it. Writes the columns recomputed, se and n of data/published/rl2_table1.csv and rl2_table2.csv, about
20 minutes on one core.

    python analyses/rl2_tables.py [bandits|mdps]
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from neurometa import agents, baselines, exact, rollout
from neurometa.behaviour import regret
from neurometa.tasks import IndependentBandit, TabularMDP

PUBLISHED = Path(__file__).parent.parent / "data" / "published"
SEED, AT_ONCE = 1, 1000
N_BANDITS = {10: 20_000, 100: 4_000, 500: 2_000}
N_PROCESSES, N_OPTIMISTIC, N_ORACLE = 4_000, 2_000, 50_000


def bandits(rows: pd.DataFrame) -> None:
    """Fill in the rows of Table 1, cell by cell; of Gittins indices the better of the two of each cell."""
    for (n_trials, n_arms), cell in rows.groupby(["n_trials", "n_arms"]):
        task, known = IndependentBandit(n_trials, n_arms), n_trials * n_arms / (n_arms + 1)
        learners, n = baselines.baselines(task), N_BANDITS[n_trials]
        earned = {name: known - played_regret(task, learner, n) for name, learner in learners.items()}
        gittins = [name for name in earned if name.startswith("Gittins") and not name.endswith("of ties")]
        earned["Gittins"] = max((earned[name] for name in gittins), key=np.mean)
        for i, row in cell.iterrows():
            if row.learner in earned:
                put(rows, i, earned[row.learner])
            elif row.learner == "Bayes-optimal" and n_trials <= exact.many_arms.MOST_TRIALS:
                rows.loc[i, "recomputed"] = exact.many_arms.optimal_reward(n_trials, n_arms)
            elif row.learner == "upper bound":
                rows.loc[i, "recomputed"] = exact.many_arms.upper_bound(n_trials, n_arms)
            elif row.learner == "oracle":
                rows.loc[i, "recomputed"] = known
        print(n_trials, n_arms, {name: round(x.mean(), 2) for name, x in earned.items()}, flush=True)


def played_regret(task: IndependentBandit, learner: agents.Agent, n: int) -> np.ndarray:
    """Regret of each of so many episodes."""
    rng, found = torch.Generator().manual_seed(SEED), []
    for _ in range(n // AT_ONCE):
        trials = rollout.to_dataset(task, rollout.unroll(task, learner, AT_ONCE, rng))
        found.append(regret(trials).sum("trial").values)
    return np.concatenate(found).astype(float)


def processes(rows: pd.DataFrame) -> None:
    """Fill in the rows of Table 2, planner by planner."""
    task = TabularMDP(int(rows.n_trials.max()))
    for name, learner in baselines.baselines(task).items():
        rng, found = torch.Generator().manual_seed(SEED), []
        for _ in range((N_OPTIMISTIC if name.startswith("OPSRL") else N_PROCESSES) // AT_ONCE):
            found.append(rollout.unroll(task, learner, AT_ONCE, rng)["reward"].sum(1).cumsum(0).numpy())
        earned = np.concatenate(found, 1)
        for i, row in rows[rows.learner == name].iterrows():
            put(rows, i, earned[row.n_trials - 1])
        print(name, earned[[9, 24, 49, 74, 99]].mean(1).round(1), flush=True)
    worlds = TabularMDP(1).begin(N_ORACLE, torch.Generator().manual_seed(SEED))
    known = exact.mdp.oracle_reward(worlds["transition_prob"].numpy(), worlds["mean_reward"].numpy(), task.horizon)
    for i, row in rows[rows.learner == "oracle"].iterrows():
        put(rows, i, row.n_trials * known)


def put(rows: pd.DataFrame, i: int, earned: np.ndarray) -> None:
    """Write the mean of a row, its standard error and its number of episodes."""
    rows.loc[i, ["recomputed", "se", "n"]] = earned.mean(), earned.std(ddof=1) / len(earned) ** 0.5, len(earned)


def main() -> None:
    """Recompute both tables, or the one that is named."""
    torch.set_num_threads(1)
    for name, fill, which in (("rl2_table1", bandits, "bandits"), ("rl2_table2", processes, "mdps")):
        if which in (sys.argv[1:] or ["bandits", "mdps"]):
            file = PUBLISHED / f"{name}.csv"
            rows = pd.read_csv(file, dtype={"recomputed": float, "se": float, "n": float})
            fill(rows)
            rows["n"] = rows.n.astype("Int64")
            rows.round({"recomputed": 4, "se": 4}).to_csv(file, index=False)


if __name__ == "__main__":
    main()
