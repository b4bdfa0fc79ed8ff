"""From choices to parameters: likelihoods, maxima and intervals, groups, and what a fitted model says of each trial.

The engine below `neurometa.behaviour`, which re-exports what users call.
"""

from neurometa.fitting.comparison import aic, bic, model_recovery, recover
from neurometa.fitting.fit import fit
from neurometa.fitting.group_comparison import compare_models
from neurometa.fitting.latents import latents, log_likelihood
from neurometa.fitting.nuts import sample_group
from neurometa.fitting.predictive import posterior_predictive
from neurometa.fitting.side_by_side import compare_fits
from neurometa.fitting.simulation import simulate
from neurometa.fitting.two_step_world import drifting_rewards

__all__ = [
    "aic",
    "bic",
    "compare_fits",
    "compare_models",
    "drifting_rewards",
    "fit",
    "latents",
    "log_likelihood",
    "model_recovery",
    "posterior_predictive",
    "recover",
    "sample_group",
    "simulate",
]
