"""Harlow's task on a screen: experiment 6 of Wang et al. (2016) and simulation 5 of Wang et al. (2018), from pixels."""

from neurometa import tasks
from neurometa.agents import LSTM, Frozen
from neurometa.experiments.experiment import Experiment
from neurometa.experiments.wang2018 import INPUTS
from neurometa.training import Adam, Linear, NStep, a2c

EXPERIMENTS = {
    "harlow-pixels": Experiment(
        # what an action brings is known at once, and which image is taken first does not matter: no later reward counts
        a2c.Config(
            tasks.HarlowPixels(),
            LSTM(64, inputs=INPUTS, encoder=Frozen()),
            optimizer=Adam(Linear(5e-3, 5e-4)),
            returns=NStep(0.0),
            n_updates=800,
            batch_size=256,
            value_weight=0.5,
            entropy_weight=Linear(0.02, 2e-3),
        ),
        source="Wang et al. 2016, experiment 6, Fig 6f, reduced to one decision a trial",
        about="Does a network that sees learn from one trial which of two new images pays?",
        cpu_minutes=1.6,
    ),
}
