"""Every published setting, by name, with its source beside it.

The papers trained one episode at a time with small steps; the settings below reach the same
quality in minutes by playing hundreds of episodes per update with larger steps. Where they
depart from the papers, the docs page of the task sets both side by side, in environment steps.
"""

from neurometa.errors import InputError, nearest
from neurometa.experiments import contextual, duan2016, duan2016_mdp, mazes, optimisation, pixels, wang2016, wang2018
from neurometa.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS", "Experiment", "find"]

EXPERIMENTS = wang2016.EXPERIMENTS | wang2018.EXPERIMENTS | duan2016.EXPERIMENTS
EXPERIMENTS |= (
    duan2016_mdp.EXPERIMENTS
    | contextual.EXPERIMENTS
    | optimisation.EXPERIMENTS
    | pixels.EXPERIMENTS
    | mazes.EXPERIMENTS
)


def find(name: str) -> Experiment:
    """Return an experiment by name.

    Raises
    ------
    InputError
        There is none of that name; the nearest is named.
    """
    if name not in EXPERIMENTS:
        hint = nearest(name, list(EXPERIMENTS))
        raise InputError(f"There is no experiment {name!r}.{hint} There are: {', '.join(EXPERIMENTS)}.")
    return EXPERIMENTS[name]
