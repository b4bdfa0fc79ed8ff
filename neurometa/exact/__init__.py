"""Exact answers, without sampling: what is optimal in a task, what it earns, and what any policy of counts loses.

Oracles for tests, and the curves that agents are held against; one module for each kind of task.
"""

from neurometa.exact import bandits, foraging, gittins, risky, two_step

__all__ = ["bandits", "foraging", "gittins", "risky", "two_step"]
