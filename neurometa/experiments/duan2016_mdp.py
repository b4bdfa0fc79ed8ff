"""The tabular Markov decision processes of Duan et al. (2016), section 3.2 and Table 2.

Their trial is our episode, and their n episodes in it are our trials, of ten steps each. Planners do not know how many
there will be, and neither does a network that imitates one, so that longer episodes go on from the network of shorter
ones.
"""

import dataclasses

from neurometa import tasks
from neurometa.agents import GRU
from neurometa.experiments.experiment import Experiment
from neurometa.training import GAE, Adam, Linear, a2c, imitation

_TABLE2 = "Duan et al. 2016, section 3.2, Table 2"
N_UPDATES = {10: 6000, 25: 800, 50: 200, 75: 130, 100: 100}  # by trials, of 64 episodes
N_CLONED = 4000  # before them
BEFORE = {  # from which network, of the same seed, training goes on
    10: "rl2-mdp-10-beb",
    25: "rl2-mdp-10",
    50: "rl2-mdp-25",
    75: "rl2-mdp-50",
    100: "rl2-mdp-75",
}


def _network(n_trials: int) -> GRU:
    """A network that can hold what it saw for long from the start; values in units of what planners earn."""
    inputs = ("observation", "action", "reward")
    return GRU(128, inputs=inputs, initial="normal", longest_memory=30.0, value_unit=15.0 * n_trials)


def _cloned(n_trials: int) -> imitation.Config:
    """BEB with the task's prior, imitated on the network's own histories; its plan for all states is told beside.

    Without that, a network learns to hold hardly more than the last few steps: it earned 118 of 157 after 8 million
    steps (training seed 12345), and with it 129.
    """
    network = _network(n_trials)
    return imitation.Config(
        tasks.TabularMDP(n_trials, shows_last=True),
        network,
        teacher="BEB",
        told="planned_loss",
        told_weight=10.0,
        optimizer=Adam(Linear(1e-2, 0.0)),
        returns=GAE(1.0, 1.0),
        n_updates=N_CLONED,
        batch_size=64,  # with 250 and more it stays near chance
        value_weight=0.05 / network.value_unit**2,
    )


def _by_cost(n_trials: int) -> imitation.Config:
    """The same, by what actions lose by BEB's plan: of those that it cannot tell apart it takes the best."""
    return dataclasses.replace(
        _cloned(n_trials),
        kl_weight=0.0,
        cost_weight=3.0,
        optimizer=Adam(Linear(6e-3 if n_trials == 10 else 3e-3, 0.0)),
        n_updates=N_UPDATES[n_trials],
        start=BEFORE[n_trials],
    )


def _by_reward(n_trials: int) -> a2c.Config:
    """Advantage actor-critic by what was paid, for as many steps; longer episodes go on from shorter ones here too."""
    taught = _by_cost(n_trials)
    return a2c.Config(
        taught.task,
        dataclasses.replace(_network(n_trials), value_unit=10.0),
        optimizer=Adam(Linear(1e-2, 0.0)),
        returns=GAE(Linear(0.95, 0.9), 0.9),
        n_updates=taught.n_updates + (N_CLONED if n_trials == 10 else 0),
        batch_size=taught.batch_size,
        value_weight=0.05 / 10.0**2,
        entropy_weight=Linear(0.02, 0.0),
        start="" if n_trials == 10 else f"{BEFORE[n_trials]}-reward",
    )


def _length(n: int) -> dict[str, Experiment]:
    """What is trained on n trials."""
    name, about = f"rl2-mdp-{n}", f"{n} trials of a Markov decision process"
    return {
        name: Experiment(
            _by_cost(n),
            source=_TABLE2,
            about=f"{about}, by what actions lose by the plan of BEB with the true prior: can it count and plan?",
            cpu_minutes={10: 7.5, 25: 2.5}.get(n, 1.5),
        ),
        f"{name}-reward": Experiment(
            _by_reward(n),
            source=_TABLE2,
            about=f"{about}, by reward alone, as the paper did, for as many updates.",
            cpu_minutes={10: 12.0, 25: 2.5}.get(n, 1.5),
        ),
    }


EXPERIMENTS = {
    "rl2-mdp-10-beb": Experiment(
        _cloned(10),
        source=_TABLE2,
        about="10 trials of a Markov decision process, by imitation of BEB, a planner with the true prior.",
        cpu_minutes=5.0,
    )
} | {name: found for n in N_UPDATES for name, found in _length(n).items()}
