"""Harlow's task on a screen: experiment 6 of Wang et al. (2016) and simulation 5 of Wang et al. (2018), from pixels."""

from neurometa import tasks
from neurometa.agents import LSTM, Conv, Frozen
from neurometa.experiments.experiment import Experiment
from neurometa.experiments.wang2018 import INPUTS
from neurometa.training import GAE, Adam, Curriculum, Linear, NStep, RMSProp, a2c, ppo

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
    "harlow-screen": Experiment(
        # with wide turns and no fixations an action takes an image, so that which of them pays is learned first; then
        # to fixate, and then to turn
        a2c.Config(
            tasks.HarlowScreen(frame=(42, 42), image_size=17, n_steps=75),
            LSTM(64, inputs=INPUTS, encoder=Frozen(n_features=48)),
            optimizer=Adam(Linear(5e-3, 3e-4)),
            returns=GAE(0.75, 0.9),
            n_updates=1100,
            batch_size=64,
            value_weight=0.5,
            entropy_weight=Linear(0.05, 5e-3),
            curriculum=Curriculum(
                "turn",
                ((0.62, 16.0), (0.67, 12.0), (0.72, 9.0), (0.77, 6.5)),
                beside=Curriculum("fixation", ((0.55, 0.0),)),
            ),
        ),
        source="Wang et al. 2016, experiment 6, Fig 6, with frames of 42 x 42 and an encoder that is not trained",
        about="The same on a screen that is looked at by turning, with a cross to fixate before each trial.",
        cpu_minutes=2.3,
    ),
    "harlow-screen-w16": Experiment(
        # one epoch of one minibatch is actor-critic on unrolls of 100 steps; the papers have 32 workers, not in step,
        # and about as many episodes for each of them as all have here
        ppo.Config(
            tasks.HarlowScreen(frame=(84, 84), image_size=34),
            LSTM(256, inputs=INPUTS, n_layers=2, top_units=64, encoder=Conv()),
            optimizer=RMSProp(7.5e-4),
            returns=GAE(0.91, 1.0),
            n_updates=3125,
            batch_size=32,
            n_epochs=1,
            n_minibatches=1,
            segment_length=100,
            value_weight=0.4,
            entropy_weight=1e-3,
        ),
        source="Wang et al. 2016, experiment 6, Table 1 and Fig 6; Wang et al. 2018, simulation 5",
        about="The same with the papers' frames of 84 x 84, trained encoder and two layers of LSTM units.",
        cpu_minutes=1100,
    ),
}
