"""Exact answers, without sampling: what is optimal in a task, what it earns, and what any policy of counts loses.

Oracles for tests, and the curves that agents are held against; one module for each kind of task. They
load when they are first used, as some compile.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurometa.exact import bandits, foraging, gittins, reversal, risky, two_step

__all__ = ["bandits", "foraging", "gittins", "reversal", "risky", "two_step"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"neurometa.exact.{name}")
    raise AttributeError(f"module 'neurometa.exact' has no attribute {name!r}; it has {', '.join(__all__)}.")
