"""The bandits of Duan et al. (2016), "RL²: fast reinforcement learning via slow reinforcement learning".

Their trial is our episode, and their n episodes in it are our trials: N of them, of K arms (Table 1).
"""

from neurometa import tasks
from neurometa.agents import GRU
from neurometa.experiments.experiment import Experiment
from neurometa.training import GAE, Adam, Linear, imitation

N_TRIALS, N_ARMS = (10, 100, 500), (5, 10, 50)
_TABLE1 = "Duan et al. 2016, section 3.1, Table 1"


def _network(n_trials: int, n_units: int = 64) -> GRU:
    """A network whose first outcomes count: see `agents.recurrent.initialise`; values in units of a third of N."""
    return GRU(n_units, inputs=("action", "reward"), initial="normal", value_unit=max(1.0, 0.3 * n_trials))


def _imitation(n_trials: int, n_arms: int) -> Experiment:
    task = tasks.IndependentBandit(n_trials, n_arms)
    n_updates, batch_size = {10: (1500, 256), 100: (1600, 64), 500: (640, 32)}[n_trials]
    return Experiment(
        imitation.Config(
            task,
            _network(n_trials, 128 if n_arms == 50 else 64),
            teacher="Gittins" if n_trials <= 100 else "Gittins 0.99",
            optimizer=Adam(Linear(1e-2, 0.0)),
            returns=GAE(1.0, 1.0),
            value_weight=0.05 / max(1.0, 0.3 * n_trials) ** 2,
            n_updates=n_updates,
            batch_size=batch_size,
        ),
        source=_TABLE1,
        about=f"Can a network learn by imitation what Gittins indices do in {n_trials} trials of {n_arms} arms?",
        cpu_minutes={10: 0.5, 100: 1, 500: 2}[n_trials],
    )


EXPERIMENTS = {f"rl2-bandit-{n}-{k}-gittins": _imitation(n, k) for n in N_TRIALS for k in N_ARMS}
