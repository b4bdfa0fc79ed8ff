"""The bandits of Duan et al. (2016), "RL²: fast reinforcement learning via slow reinforcement learning".

Their trial is our episode, and their n episodes in it are our trials: N of them, of K arms (section 3.1, Table 1).
What the paper gives a network beside action and reward says nothing here: its state is always the same, and the flag
that ends an episode is up at every step.
"""

import dataclasses

from neurometa import tasks
from neurometa.agents import GRU, Apart, RectifiedGRU
from neurometa.experiments.experiment import Experiment
from neurometa.training import GAE, Adam, Linear, a2c, imitation, trpo

N_TRIALS, N_ARMS = (10, 100, 500), (5, 10, 50)
DUAN_MINUTES = 5000  # of the paper's settings, on one core; from two updates of 10,000 steps, 1.2 ms a step
_TABLE1 = "Duan et al. 2016, section 3.1, Table 1"


def _network(n_trials: int) -> GRU:
    """A network whose first outcomes count: see `agents.recurrent.initialise`; values in units of a third of N."""
    return GRU(64, inputs=("action", "reward"), initial="normal", value_unit=0.3 * n_trials)


def _by_gaps(n_trials: int, n_arms: int) -> a2c.Config:
    """Advantage actor-critic told by the simulator what every arm loses; values are of regret, in units of a trial.

    Over 500 pulls training goes on from the agent of 100 pulls: from initial weights it does not learn. Of 50 arms that
    one tries too few to do well in 500, so that it goes on, by small steps, from the one that imitates indices.
    """
    short, long = n_trials == 10, n_trials == 500
    taught = long and n_arms == 50
    # over ten trials all that comes counts from the start; over more, its noise would drown what there is to learn
    returns = GAE(1.0, 1.0, of="gaps") if short else GAE(Linear(0.8, 1.0, over=0.6), 0.95, of="gaps")
    return a2c.Config(
        tasks.IndependentBandit(n_trials, n_arms),
        dataclasses.replace(_network(n_trials), value_unit=1.0),
        optimizer=Adam(Linear(4e-4 if taught else 2e-3 if long else 1e-2, 0.0)),
        returns=dataclasses.replace(returns, discount=0.99) if long else returns,
        n_updates={10: 3000, 100: 12000 if n_arms == 50 else 6000, 500: 100 if taught else 200}[n_trials],
        batch_size=250 if short else 64,
        value_weight=0.05,
        entropy_weight=Linear(0.005, 0.0) if long else Linear(0.02, 0.0),
        start=f"rl2-bandit-100-{n_arms}{'-gittins' if taught else ''}" if long else "",
    )


def _by_reward(n_trials: int, n_arms: int) -> a2c.Config:
    """The same by what was paid, at the same budget; what it goes on from was trained by reward alone too."""
    told, network = _by_gaps(n_trials, n_arms), _network(n_trials)
    return dataclasses.replace(
        told,
        network=network,
        returns=dataclasses.replace(told.returns, of="reward"),
        value_weight=0.05 / network.value_unit**2,
        start=f"rl2-bandit-100-{n_arms}-reward" if told.start else "",
    )


def _by_imitation(n_trials: int, n_arms: int) -> imitation.Config:
    """Gittins indices, of all trials left where there is a table of them, imitated on mixed histories.

    In long episodes the teacher takes the first of tied arms: an agent that tries them in order need not keep in mind
    which it has not tried. Over 500 pulls training goes on from the agent of 100 pulls, mostly on the teacher's
    histories: on its own, it is soon asked about more arms than it remembers, and learns to waver.
    """
    network, long, dearest = _network(n_trials), n_trials == 500, (n_trials, n_arms) == (100, 50)
    return imitation.Config(
        tasks.IndependentBandit(n_trials, n_arms),
        network,
        teacher="Gittins, first of ties" if long or dearest else "Gittins",
        teacher_share=0.8 if long else Linear(0.5, 0.2),  # many arms are not tried by a beginner's own play
        optimizer=Adam(Linear(3e-3 if long else 2e-2, 0.0)),
        returns=GAE(1.0, 1.0),
        n_updates=2400 if dearest else {10: 1000, 100: 1200, 500: 200}[n_trials],
        batch_size=256 if n_trials == 10 else 64,
        value_weight=0.05 / network.value_unit**2,
        start=f"rl2-bandit-100-{n_arms}-gittins" if long else "",
    )


def _as_published(n_trials: int, n_arms: int) -> trpo.Config:
    """The paper's own settings; that values are in units of a third of N is ours, and changes none of them."""
    actor = RectifiedGRU(256, inputs=("action", "reward"), initial="xavier")
    return trpo.Config(
        tasks.IndependentBandit(n_trials, n_arms),
        Apart(actor, dataclasses.replace(actor, value_unit=0.3 * n_trials)),
        returns=GAE(0.99, 0.3),
        kl_bound=0.01,
        n_updates=1000,
        batch_size=250_000 // n_trials,
    )


def _cell(n: int, k: int) -> dict[str, Experiment]:
    """All that is trained on N trials of K arms."""
    name, minutes = f"rl2-bandit-{n}-{k}", {10: 0.3, 100: 1.0, 500: 1.2}[n] * (1.5 if k == 50 else 1)
    longer = 4 * minutes if (n, k) == (100, 50) else 2 * minutes
    about = f"{n} trials of {k} arms"
    gaps, paid, taught = _by_gaps(n, k), _by_reward(n, k), _by_imitation(n, k)
    begun, as_paid, as_taught = (f", from {config.start}" if config.start else "" for config in (gaps, paid, taught))
    return {
        name: Experiment(
            gaps,
            source=_TABLE1,
            about=f"{about}, by what the simulator says that each arm loses{begun}: is a network as good as an index?",
            cpu_minutes=longer,
        ),
        f"{name}-reward": Experiment(
            paid,
            source=_TABLE1,
            about=f"{about}, trained by reward alone, as the paper did, at the same budget{as_paid}.",
            cpu_minutes=longer,
        ),
        f"{name}-gittins": Experiment(
            taught,
            source=_TABLE1,
            about=f"{about}, by imitation of Gittins indices{as_taught}: can a network hold what they do?",
            cpu_minutes=2 * minutes if (n, k) == (100, 50) else minutes,
        ),
        f"{name}-duan": Experiment(
            _as_published(n, k),
            source=_TABLE1,
            about=f"{about}, with the paper's own settings: TRPO, 250 M environment steps at most. For patience.",
            cpu_minutes=DUAN_MINUTES,
        ),
    }


EXPERIMENTS = {name: found for n in N_TRIALS for k in N_ARMS for name, found in _cell(n, k).items()}
