"""What a network holds in mind: where its state goes, and what can be read from it."""

from neurometa.neural.decoding import decode, hidden_state
from neurometa.neural.geometry import principal_components, project, rank_order

__all__ = [
    "decode",
    "hidden_state",
    "principal_components",
    "project",
    "rank_order",
]
