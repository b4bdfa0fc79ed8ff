"""VariBAD and PEARL, which infer their task, and a control (Zintgraf et al. 2020, Rakelly et al. 2019)."""

import dataclasses

from neurometa import tasks
from neurometa.agents import GRU, Belief
from neurometa.experiments.experiment import Experiment
from neurometa.training import GAE, Adam, Curriculum, Linear, ppo, varibad

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

# PEARL's belief is the posterior: of what has happened, held to the prior, so that a draw is a goal that may be.
_GRIDWORLD_PEARL = dataclasses.replace(
    _GRIDWORLD_VARIBAD,
    task=tasks.Gridworld(8),
    network=Belief(8, encoder="product", n_queries=25, n_decoder_units=64, one_rewarded=True, sample_every=15),
    n_updates=300,
    batch_size=64,
    decode="past",
    kl_to="prior",
    kl_weight=0.3,
    elbo_weight=1.0,
)

# A goal that pays from afar is met by chance, and draws lead to it; then it pays nearer and nearer, as slowly as that
# no part of the circle is forgotten, since goals that are never met are never drawn.
_HALF_CIRCLE_PEARL = varibad.Config(
    tasks.HalfCircle(),
    Belief(8, encoder="product", n_queries=127, n_decoder_units=64, sample_every=20, initial_sd=0.5),
    curriculum=Curriculum("radius", ((0.15, 1.2), (0.25, 0.8), (0.35, 0.6), (0.45, 0.5), (0.6, 0.4), (0.8, 0.3))),
    optimizer=Adam(Linear(2e-3, 2e-4)),
    returns=GAE(0.95, 0.95),
    n_updates=320,
    batch_size=64,
    n_epochs=3,
    value_weight=0.05,
    entropy_weight=Linear(0.01, 0.0),
    query="reached_cell",
    decode="past",
    kl_to="prior",
    kl_weight=1.0,
    elbo_weight=0.1,
)

_HALF_CIRCLE_VARIBAD = dataclasses.replace(
    _HALF_CIRCLE_PEARL,
    task=tasks.HalfCircle(6),
    network=Belief(5, n_queries=127, n_decoder_units=64, initial_sd=0.5),
    curriculum=Curriculum("radius", ((0.2, 1.2), (0.3, 0.6), (0.4, 0.4))),
    returns=GAE(0.97, 0.95),
    n_updates=200,
    decode="all",
    kl_to="previous",
    kl_weight=0.01,
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
    "gridworld-pearl": Experiment(
        _GRIDWORLD_PEARL,
        source="Rakelly et al. 2019, section 4 (method), on the gridworld of Zintgraf et al. 2020",
        about="What does it cost to walk to a goal drawn from the belief, instead of searching by the whole of it?",
        cpu_minutes=1.5,
    ),
    "half-circle-pearl": Experiment(
        _HALF_CIRCLE_PEARL,
        source="Rakelly et al. 2019, section 6.3, sparse 2D navigation",
        about="Does an agent that draws a goal from its belief, and runs there, find a sparse reward by elimination?",
        cpu_minutes=2.0,
    ),
    "half-circle-varibad": Experiment(
        _HALF_CIRCLE_VARIBAD,
        source="Zintgraf et al. 2020, section 3 (method), on the sparse task of Rakelly et al. 2019",
        about="Is a sparse reward found sooner by an agent that acts on its whole belief?",
        cpu_minutes=2.0,
    ),
    "independent-varibad": Experiment(
        _INDEPENDENT_VARIBAD,
        source="Zintgraf et al. 2020, section 3 (method), on the arms of Wang et al. 2016",
        about="Does an agent that infers its arms explore as one does that was never made to infer?",
        cpu_minutes=1.7,
    ),
}
