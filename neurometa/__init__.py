"""Train meta-RL agents, log what they do and hold in mind, and analyse both like an animal's.

Submodules load when they are first used, so that ``import neurometa`` costs nothing and
the analyses never load torch: `dataset`, `models`, `behaviour`, `plotting`, `tables` read;
`tasks`, `agents`, `rollout`, `training`, `experiments` write.
"""

import importlib
from typing import TYPE_CHECKING, Any

from neurometa._version import __version__ as __version__

if TYPE_CHECKING:
    from neurometa import (
        agents,
        analysis,
        baselines,
        behaviour,
        compare,
        criteria,
        dataset,
        exact,
        expected,
        experiments,
        fitting,
        models,
        neural,
        plotting,
        pretrained,
        reference,
        report,
        reproduction,
        results,
        rollout,
        runs,
        settings,
        sweep,
        tables,
        tasks,
        training,
    )
    from neurometa.tables import read_trials as read_trials

__all__ = [
    "agents",
    "analysis",
    "baselines",
    "behaviour",
    "compare",
    "criteria",
    "dataset",
    "exact",
    "expected",
    "experiments",
    "fitting",
    "models",
    "neural",
    "plotting",
    "pretrained",
    "reference",
    "report",
    "reproduction",
    "results",
    "rollout",
    "runs",
    "settings",
    "sweep",
    "tables",
    "tasks",
    "training",
]


def __getattr__(name: str) -> Any:
    if name == "read_trials":  # the one function that everybody begins with
        return importlib.import_module("neurometa.tables").read_trials
    if name in __all__:
        return importlib.import_module(f"neurometa.{name}")
    raise AttributeError(f"module 'neurometa' has no attribute {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "read_trials"])
