"""What a network holds in mind and how it errs: where its state goes, what can be read from it, what its units code."""

from neurometa.neural.alignment import align, trial_types
from neurometa.neural.belief import belief, belief_update, total_variation
from neurometa.neural.beside import beside, learned, partial_determination
from neurometa.neural.decoding import decode, hidden_state
from neurometa.neural.dynamics import dynamics
from neurometa.neural.encoding import encode
from neurometa.neural.exported import Exported, of_choices, of_learner, of_run, of_weights
from neurometa.neural.fixed_points import fixed_points
from neurometa.neural.functional import functional_mixed_model
from neurometa.neural.geometry import principal_components, project, rank_order
from neurometa.neural.outcomes import effective_learning_rate, replay, saliency
from neurometa.neural.places import places
from neurometa.neural.rpe import compare_rpes, rpe, rpe_beside_references, training_discount

__all__ = [
    "Exported",
    "align",
    "belief",
    "belief_update",
    "beside",
    "compare_rpes",
    "decode",
    "dynamics",
    "effective_learning_rate",
    "encode",
    "fixed_points",
    "functional_mixed_model",
    "hidden_state",
    "learned",
    "of_choices",
    "of_learner",
    "of_run",
    "of_weights",
    "partial_determination",
    "places",
    "principal_components",
    "project",
    "rank_order",
    "replay",
    "rpe",
    "rpe_beside_references",
    "saliency",
    "total_variation",
    "training_discount",
    "trial_types",
]
