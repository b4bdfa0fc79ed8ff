"""Meta-RL by inference of the task, and its control: VariBAD (Zintgraf et al. 2020), PEARL (Rakelly et al. 2019)."""

from neurometa import tasks
from neurometa.agents import GRU
from neurometa.experiments.experiment import Experiment
from neurometa.training import GAE, Adam, Linear, ppo

# Rewards are not scaled, so that values reach 14: hence a small weight of their squared errors.
_GRIDWORLD_RL2 = ppo.Config(
    tasks.Gridworld(),
    GRU(64, inputs=("observation", "action", "reward")),
    optimizer=Adam(Linear(2e-3, 2e-4)),
    returns=GAE(0.95, 0.95),
    n_updates=400,
    batch_size=64,
    value_weight=0.05,
    entropy_weight=Linear(0.05, 0.005),
)

EXPERIMENTS = {
    "gridworld-rl2": Experiment(
        _GRIDWORLD_RL2,
        source="Zintgraf et al. 2020, section 5.1, the RL² control",
        about="Does a recurrent network search for a goal, and remember it, without being made to infer it?",
        cpu_minutes=1.8,
    ),
}
