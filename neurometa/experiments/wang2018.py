"""The six simulations of Wang et al. (2018), "Prefrontal cortex as a meta-reinforcement learning system"."""

import dataclasses

from neurometa import tasks
from neurometa.agents import LSTM
from neurometa.experiments.experiment import Experiment
from neurometa.training import GAE, Adam, Linear, NStep, RMSProp, a2c

# Two steps per trial, so that the critic answers when the state is shown and its prediction errors can be taken at both
# events; a value weight ten times the papers', for they are only as good as the critic is.
TWO_STEP = a2c.Config(
    tasks.TwoStep(form="stages"),
    optimizer=Adam(Linear(8e-3, 0.0)),
    returns=GAE(0.4, 0.5),
    n_updates=1500,
    batch_size=128,
    value_weight=0.5,
    entropy_weight=Linear(0.3, 0.0),
)

# No time among the inputs, and a learned start, of every simulation of Wang et al. 2018 but Harlow's (Methods).
INPUTS = ("observation", "action", "reward")
_W18 = a2c.Config(
    tasks.Foraging(),
    LSTM(inputs=INPUTS, learned_start=True),
    optimizer=RMSProp(7e-4),
    returns=NStep(0.9),
    batch_size=1,
    value_weight=0.05,
    entropy_weight=0.05,
)

# The critic is what is looked at, hence its weight; without a clock, which would tell where a block begins. The
# dictated responses are soon learned, if the entropy weight keeps the policy from settling on one action before.
_REVERSAL = a2c.Config(
    tasks.Reversal(),
    LSTM(inputs=INPUTS),
    optimizer=Adam(Linear(1e-2, 0.0)),
    returns=GAE(0.9, 0.3),
    n_updates=3000,  # with half as many, the critic of two agents in six learned nothing of the cues
    batch_size=32,
    value_weight=2.0,
    entropy_weight=Linear(0.1, 0.0, over=0.15),
)

# A first choice is paid no more than none, and tells which stimulus to take from then on: a discount above 0 makes it
# worth while.
HARLOW = a2c.Config(
    tasks.Harlow(),
    LSTM(64, inputs=INPUTS),
    optimizer=Adam(Linear(5e-3, 0.0)),
    returns=GAE(0.7, 0.7),
    n_updates=2000,
    batch_size=256,
    value_weight=0.5,
    entropy_weight=Linear(0.05, 0.0),
)

EXPERIMENTS = {
    "two-step": Experiment(
        TWO_STEP,
        source="Wang et al. 2018, simulation 4, Fig 5",
        about="Does a network that is only ever rewarded come to plan through what it knows of the world?",
        cpu_minutes=2.5,
    ),
    "two-step-w18": Experiment(
        dataclasses.replace(_W18, task=tasks.Fixation(tasks.TwoStep(form="stages")), n_updates=10000),
        source="Wang et al. 2018, simulation 4, Methods",
        about="The same with the paper's own settings, one episode per update.",
        cpu_minutes=2.8,
    ),
    "foraging": Experiment(
        a2c.Config(
            tasks.Foraging(),
            LSTM(inputs=INPUTS),
            optimizer=Adam(Linear(0.02, 0.0)),
            returns=NStep(0.75),
            n_updates=6000,
            batch_size=128,
            value_weight=0.05,
            entropy_weight=Linear(0.05, 0.0),
        ),
        source="Wang et al. 2018, simulation 1, Fig 2",
        about="Does a network match its choices to its rewards where neglected arms grow richer?",
        cpu_minutes=3.5,
    ),
    "foraging-w18": Experiment(
        dataclasses.replace(_W18, task=tasks.Fixation(tasks.Foraging()), n_updates=20000, returns=NStep(0.75)),
        source="Wang et al. 2018, simulation 1, Methods",
        about="The same with the paper's own settings and a fixation, one episode per update.",
        cpu_minutes=2.4,
    ),
    "volatility": Experiment(
        a2c.Config(
            tasks.Volatility(),
            LSTM(inputs=INPUTS),
            optimizer=Adam(Linear(5e-3, 0.0)),
            returns=NStep(0.1),
            n_updates=1500,
            batch_size=128,
            value_weight=0.05,
            entropy_weight=Linear(0.1, 0.0),
        ),
        source="Wang et al. 2018, simulation 2, Fig 3",
        about="Does a network learn faster in worlds that change, and more slowly in those that do not?",
        cpu_minutes=3.5,
    ),
    "volatility-w18": Experiment(
        dataclasses.replace(
            _W18,
            task=tasks.Volatility(),
            optimizer=RMSProp(5e-5),
            returns=NStep(0.1),
            n_updates=40000,
            entropy_weight=Linear(1.0, 0.0),
        ),
        source="Wang et al. 2018, simulation 2, Methods",
        about="The same with the paper's own settings, one episode per update.",
        cpu_minutes=11,
    ),
    "risky-safe": Experiment(
        a2c.Config(
            tasks.RiskySafe(),
            LSTM(inputs=INPUTS, learned_start=True, separate=True),
            optimizer=Adam(Linear(5e-3, 0.0)),
            returns=GAE(0.9, 0.9),
            n_updates=2000,
            batch_size=128,
            value_weight=0.5,
            entropy_weight=Linear(0.1, 0.0),
        ),
        source="Wang et al. 2018, simulation 6, Fig 7",
        about="Do choices bend when the prediction errors that an agent is told are tampered with?",
        cpu_minutes=3,
    ),
    "reversal": Experiment(
        _REVERSAL,
        source="Wang et al. 2018, simulation 3, Fig 4, with reversals at any time",
        about="Does a network's critic infer what a cue is worth from the outcome of another?",
        cpu_minutes=3.5,
    ),
    "reversal-w18": Experiment(
        dataclasses.replace(_REVERSAL, task=tasks.Reversal(block_length=5)),
        source="Wang et al. 2018, simulation 3, Fig 4",
        about="The same in the published form: roles may change after every fifth trial.",
        cpu_minutes=3.5,
    ),
    "harlow": Experiment(
        HARLOW,
        source="Wang et al. 2018, simulation 5, Fig 6, after Harlow 1949",
        about="Does a network learn to learn: what pays, from one trial with things never seen before?",
        cpu_minutes=1.0,
    ),
}
