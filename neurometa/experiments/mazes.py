"""Mazes: experiment 7 of Wang et al. (2016), and the visual navigation of Duan et al. (2016), section 3.3.

The vector versions tell place and heading and what 9 rays meet, and one of their actions does what five do from within
frames: a turn of 90 degrees, a walk of a block. They train in minutes, and tell what is due to seeing.
"""

import dataclasses
from typing import Any

from neurometa import tasks
from neurometa.agents import GRU, Conv
from neurometa.experiments.experiment import Experiment
from neurometa.experiments.wang2018 import INPUTS
from neurometa.training import GAE, Adam, Linear, ppo

_STEPS: dict[str, Any] = {"view": "vector", "turn": 90.0, "stride": 1.0}

# Rewards of 10 make the squared error of the value a hundredfold of the other terms, hence its weight.
_IMAZE = ppo.Config(
    tasks.IMaze(n_steps=200, **_STEPS),
    GRU(64, inputs=INPUTS),
    optimizer=Adam(Linear(3e-3, 3e-4), max_grad_norm=0.5),
    returns=GAE(0.98, 0.95),
    n_updates=240,
    batch_size=128,
    n_epochs=2,
    n_minibatches=2,
    segment_length=50,
    value_weight=0.03,
    entropy_weight=Linear(0.02, 0.0),
)

# Credit for exploring must reach across the trials of a maze: whole episodes as segments.
_MAZE = dataclasses.replace(
    _IMAZE,
    task=tasks.Maze(horizon=50, **_STEPS),
    n_updates=900,
    segment_length=100,
    value_weight=0.5,
)

# RL²'s convolutions: two layers of 16 filters of 5 x 5 with stride 2, and 256 units (Duan et al. 2016, appendix).
_SEEING = GRU(128, inputs=INPUTS, encoder=Conv(((16, 5, 2), (16, 5, 2)), 256))
_DUAN = "Duan et al. 2016, section 3.3, Table 3"

EXPERIMENTS = {
    "imaze-vector": Experiment(
        _IMAZE,
        source="Wang et al. 2016, experiment 7, Fig 7, by numbers instead of frames",
        about="Does a network go straight to a goal that it has found once?",
        cpu_minutes=2.7,
    ),
    "maze-small-vector": Experiment(
        _MAZE,
        source=f"{_DUAN}, by numbers instead of frames",
        about="Does a network that has found a goal in a new maze find it sooner the second time?",
        cpu_minutes=4.4,
    ),
    "imaze": Experiment(
        dataclasses.replace(_IMAZE, task=tasks.IMaze(), network=_SEEING, n_updates=2000, batch_size=64),
        source="Wang et al. 2016, experiment 7, Fig 7",
        about="The same from frames, with the turns and walks of the paper's length.",
        cpu_minutes=200,
    ),
    "maze-small": Experiment(
        dataclasses.replace(_MAZE, task=tasks.Maze(), network=_SEEING, n_updates=2000, batch_size=64),
        source=_DUAN,
        about="The same from frames of 40 x 30, with the turns and walks of the paper's length.",
        cpu_minutes=250,
    ),
    "maze-large": Experiment(
        dataclasses.replace(
            _MAZE, task=tasks.Maze(size=9, horizon=1000), network=_SEEING, n_updates=450, batch_size=16
        ),
        source=_DUAN,
        about="Mazes of 9 x 9 blocks, for what was learned in small ones: neurometa rollout RUN --on maze-large.",
        cpu_minutes=800,
    ),
}
