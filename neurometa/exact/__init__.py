"""Exact answers, without sampling: what is optimal in a task, what it earns, and what any policy of counts loses.

Oracles for tests, the curves that agents are held against, and the numbers that make a task; one module for each
kind of task, by the name that it has in every layer. They load when they are first used, as some compile.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurometa.exact import (
        bandit,
        foraging,
        gittins,
        gridworld,
        half_circle,
        many_arms,
        mdp,
        one_update,
        point_navigation,
        restless,
        reversal,
        risky_safe,
        two_step,
        volatility,
    )

__all__ = [
    "bandit",
    "foraging",
    "gittins",
    "gridworld",
    "half_circle",
    "many_arms",
    "mdp",
    "one_update",
    "point_navigation",
    "restless",
    "reversal",
    "risky_safe",
    "two_step",
    "volatility",
]
RENAMED = {"bandits": "bandit", "risky": "risky_safe"}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"neurometa.exact.{name}")
    now = f" {name} is {RENAMED[name]} now;" if name in RENAMED else ""
    raise AttributeError(f"module 'neurometa.exact' has no attribute {name!r};{now} it has {', '.join(__all__)}.")
