"""The bandits, the two-step task and Harlow's task of Wang et al. (2016), "Learning to reinforcement learn"."""

import dataclasses

from neurometa import tasks
from neurometa.agents import LSTM
from neurometa.exact.bandit import DIFFICULTIES
from neurometa.experiments.experiment import Experiment
from neurometa.experiments.wang2018 import HARLOW, INPUTS, TWO_STEP
from neurometa.training import GAE, Adam, Linear, NStep, RMSProp, a2c

# For arms that all tell as much, whichever is chosen: looking ahead buys nothing, so that the discount can be 0, which
# takes the noise of later rewards out of the gradient. The papers have discounts of .8 or tuned, and anneal the entropy
# weight from 1, for returns of many rewards.
_MYOPIC = a2c.Config(
    tasks.RestlessBandit(),
    optimizer=Adam(Linear(8e-3, 0.0)),
    returns=NStep(0.0),
    n_updates=3000,
    batch_size=128,
    value_weight=0.5,
    entropy_weight=Linear(0.15, 0.0),
)

# Table 1 of Wang et al. 2016 for the bandits of 100 trials. Step size and discount are "tuned" there: 100 agents drew
# theirs at random, and here they are those of restless-w16 until a sweep draws them.
_W16_BANDIT = a2c.Config(
    tasks.IndependentBandit(),
    n_updates=20000,
    batch_size=1,
    optimizer=RMSProp(step_size=1e-3),
    returns=NStep(discount=0.8),
    value_weight=0.05,
    entropy_weight=Linear(1.0, 0.0),
)

EXPERIMENTS = {
    "restless": Experiment(
        _MYOPIC,
        source="Wang et al. 2016, experiment 4, Fig 4",
        about="Does a network learn faster where its world changes faster?",
        cpu_minutes=1.8,
    ),
    "restless-w16": Experiment(
        a2c.Config(
            tasks.RestlessBandit(),
            optimizer=RMSProp(1e-3),
            returns=NStep(0.8),
            n_updates=20000,
            batch_size=1,
            value_weight=0.05,
            entropy_weight=Linear(1.0, 0.0),
        ),
        source="Wang et al. 2016, experiment 4, Table 1",
        about="The same with the paper's own settings, one episode per update.",
        cpu_minutes=2.2,
    ),
    "independent": Experiment(
        a2c.Config(
            tasks.IndependentBandit(),
            optimizer=Adam(Linear(5e-3, 0.0)),
            # exploring pays later: a fixed discount of .5 to .7 stays too myopic for it
            returns=GAE(Linear(0.4, 0.95, over=0.6), Linear(0.5, 0.9, over=0.6)),
            n_updates=12000,
            batch_size=128,
            value_weight=0.05,
            entropy_weight=Linear(0.05, 0.0),
        ),
        source="Wang et al. 2016, experiment 1, Fig 2a; 2018, Fig 1d",
        about="Does a network learn to explore as much as a problem needs?",
        cpu_minutes=5,
    ),
    "independent-w16": Experiment(
        _W16_BANDIT,
        source="Wang et al. 2016, experiment 1, Table 1",
        about="The same with the paper's own settings, one episode per update; its sweep is the paper's protocol.",
        cpu_minutes=1,
    ),
    **{
        f"dependent-{difficulty}-w16": Experiment(
            dataclasses.replace(_W16_BANDIT, task=tasks.DependentBandit(difficulty=difficulty)),
            source="Wang et al. 2016, experiment 2, Table 1",
            about=f"Arms that have something in common ({difficulty} problems), with the paper's own settings.",
            cpu_minutes=1,
        )
        for difficulty in DIFFICULTIES
    },
    **{
        f"dependent-{difficulty}": Experiment(
            dataclasses.replace(_MYOPIC, task=tasks.DependentBandit(difficulty=difficulty)),
            source="Wang et al. 2016, experiment 2, Fig 2b-f",
            about=f"Does a network use what its arms have in common ({difficulty} problems)?",
            cpu_minutes=1.3,
        )
        for difficulty in DIFFICULTIES
    },
    "informative": Experiment(
        a2c.Config(
            tasks.InformativeBandit(),
            optimizer=Adam(Linear(5e-3, 0.0)),
            returns=NStep(1.0),
            n_updates=3000,
            batch_size=256,
            value_weight=0.05,
            entropy_weight=Linear(1.0, 0.0),
        ),
        source="Wang et al. 2016, experiment 3, Fig 3",
        about="Does a network give up reward to learn where more is to be had?",
        cpu_minutes=0.4,
    ),
    "two-step-w16": Experiment(
        dataclasses.replace(
            TWO_STEP,
            task=tasks.TwoStep(n_trials=10, p_common=0.75, p_reversal=0.0, form="stages"),
            optimizer=Adam(Linear(5e-3, 0.0)),
            returns=GAE(0.3, 0.5),
            n_updates=4000,
            batch_size=256,
            entropy_weight=Linear(0.2, 0.0),
        ),
        source="Wang et al. 2016, experiment 5, Fig 5",
        about="The same over ten trials, in which nothing swaps.",
        cpu_minutes=1.2,
    ),
    "harlow-w16": Experiment(
        dataclasses.replace(HARLOW, task=tasks.Harlow(n_trials=10)),
        source="Wang et al. 2016, experiment 6, Fig 6",
        about="The same over ten trials.",
        cpu_minutes=1.0,
    ),
    "harlow-partner": Experiment(
        dataclasses.replace(  # both stimuli of trial 1 must be kept, for either may be the one that stays
            HARLOW,
            task=tasks.Harlow(partner="new"),
            network=LSTM(128, inputs=INPUTS),
            optimizer=Adam(Linear(8e-3, 0.0)),
            n_updates=4000,
        ),
        source="Wang et al. 2016, experiment 6, the control in which one stimulus changes",
        about="The same where only one stimulus stays and its partner is new in each trial.",
        cpu_minutes=2.5,
    ),
}
