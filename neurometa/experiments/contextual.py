"""VariBAD, which infers its task, and its control (Zintgraf et al. 2020)."""

from neurometa import tasks
from neurometa.agents import GRU, Belief
from neurometa.experiments.experiment import Experiment
from neurometa.training import GAE, Adam, Linear, ppo, varibad

# Rewards are not scaled, so that values reach 14: hence a small weight of their squared errors.
_GRIDWORLD_RL2 = ppo.Config(
    tasks.Gridworld(),
    GRU(64, inputs=("observation", "action", "reward")),
    optimizer=Adam(Linear(2e-3, 1e-4)),
    returns=GAE(0.95, 0.95),
    n_updates=440,
    batch_size=128,
    value_weight=0.05,
    entropy_weight=Linear(0.05, 0.005),
)

# The encoder learns from the policy's loss too: on the bound alone it takes twice as many steps. The rewards of an
# episode are at most 3 nats, hence the large weight of the bound and the small one of the divergence.
_GRIDWORLD_VARIBAD = varibad.Config(
    tasks.Gridworld(),
    Belief(n_queries=25, n_decoder_units=64, one_rewarded=True),
    optimizer=Adam(Linear(2e-3, 1e-4)),
    returns=GAE(0.95, 0.95),
    n_updates=440,
    batch_size=128,
    value_weight=0.05,
    entropy_weight=Linear(0.05, 0.005),
    query="reached_cell",
    kl_weight=3e-4,
    elbo_weight=5.0,
)

# The same two arms as of "independent": a lifetime of 100 pulls, of which the decoder is asked what each arm pays.
_INDEPENDENT_VARIBAD = varibad.Config(
    tasks.IndependentBandit(100),
    Belief(),
    optimizer=Adam(Linear(2e-3, 2e-4)),
    returns=GAE(0.95, 0.95),
    n_updates=240,
    batch_size=64,
    value_weight=0.05,
    entropy_weight=Linear(0.05, 0.005),
    kl_weight=0.1,
    elbo_weight=0.05,
)

EXPERIMENTS = {
    "gridworld-varibad": Experiment(
        _GRIDWORLD_VARIBAD,
        source="Zintgraf et al. 2020, section 5.1, Fig 3",
        about="Does an agent that infers its task search as the Bayes-optimal one does?",
        cpu_minutes=4.0,
    ),
    "gridworld-rl2": Experiment(
        _GRIDWORLD_RL2,
        source="Zintgraf et al. 2020, section 5.1, the RL² control",
        about="Does a recurrent network search for a goal, and remember it, without being made to infer it?",
        cpu_minutes=3.0,
    ),
    "independent-varibad": Experiment(
        _INDEPENDENT_VARIBAD,
        source="Zintgraf et al. 2020, section 3 (method), on the arms of Wang et al. 2016",
        about="Does an agent that infers its arms explore as one does that was never made to infer?",
        cpu_minutes=1.7,
    ),
}
