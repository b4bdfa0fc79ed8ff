"""VariBAD and PEARL, which infer their task, and a control (Zintgraf et al. 2020, Rakelly et al. 2019)."""

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

# PEARL's belief is the posterior of what has happened, held to the prior, so that a draw is a goal that may be. A goal
# that pays from afar is met by chance, and draws lead to it; then it pays nearer and nearer, so slowly, and with so
# much noise of the action, that few parts of the circle are forgotten: goals never met are never drawn.
_HALF_CIRCLE_PEARL = varibad.Config(
    tasks.HalfCircle(16),
    Belief(8, encoder="product", n_queries=127, n_decoder_units=64, sample_every=20),
    curriculum=Curriculum("radius", ((0.12, 1.2), (0.22, 0.8), (0.38, 0.6), (0.54, 0.45), (0.72, 0.33), (0.86, 0.26))),
    optimizer=Adam(Linear(2e-3, 2e-4)),
    returns=GAE(0.95, 0.95),
    n_updates=420,
    batch_size=64,
    n_epochs=3,
    value_weight=0.05,
    entropy_weight=Linear(0.02, 0.0),
    query="reached_cell",
    decode="past",
    kl_to="prior",
    kl_weight=0.1,
    elbo_weight=0.1,
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
    "half-circle-pearl": Experiment(
        _HALF_CIRCLE_PEARL,
        source="Rakelly et al. 2019, section 6.3, sparse 2D navigation",
        about="Does an agent that draws a goal from its belief, and runs there, find a sparse reward by elimination?",
        cpu_minutes=2.5,
    ),
    "independent-varibad": Experiment(
        _INDEPENDENT_VARIBAD,
        source="Zintgraf et al. 2020, section 3 (method), on the arms of Wang et al. 2016",
        about="Does an agent that infers its arms explore as one does that was never made to infer?",
        cpu_minutes=1.7,
    ),
}
