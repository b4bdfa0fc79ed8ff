"""What a network holds in mind and how it errs: where its state goes, what can be read from it, what its units code."""

from neurometa.neural.belief import belief, belief_update, total_variation
from neurometa.neural.decoding import decode, hidden_state
from neurometa.neural.encoding import encode
from neurometa.neural.functional import functional_mixed_model
from neurometa.neural.geometry import principal_components, project, rank_order
from neurometa.neural.rpe import compare_rpes, rpe, rpe_beside_references, training_discount

__all__ = [
    "belief",
    "belief_update",
    "compare_rpes",
    "decode",
    "encode",
    "functional_mixed_model",
    "hidden_state",
    "principal_components",
    "project",
    "rank_order",
    "rpe",
    "rpe_beside_references",
    "total_variation",
    "training_discount",
]
