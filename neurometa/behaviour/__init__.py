"""What an agent or animal did, and which learning model says so: trials in, labelled results out."""

from neurometa.behaviour.comparison import aic, bic, model_recovery, recover
from neurometa.behaviour.divergence import policy_divergence
from neurometa.behaviour.factors import coding_factors, previous_trial
from neurometa.behaviour.fitting import fit
from neurometa.behaviour.group_comparison import compare_models
from neurometa.behaviour.history import history_regression
from neurometa.behaviour.latents import latents, log_likelihood
from neurometa.behaviour.learning_set import learning_set_curve, win_stay_lose_shift
from neurometa.behaviour.matching import matching
from neurometa.behaviour.nuts import sample_group
from neurometa.behaviour.performance import mean_interval, median_interval, regret
from neurometa.behaviour.posterior_volatility import posterior_volatility
from neurometa.behaviour.predictive import posterior_predictive
from neurometa.behaviour.reversals import reversal_conditions, reversal_contrasts
from neurometa.behaviour.risk import risk_preference, risk_under_perturbations
from neurometa.behaviour.sessions import common_transition
from neurometa.behaviour.simulation import simulate
from neurometa.behaviour.sliding import block_learning_rate, sliding_learning_rate
from neurometa.behaviour.stay import stay_probability
from neurometa.behaviour.stay_models import stay_mixed, stay_regression
from neurometa.behaviour.sufficient import counts, log_odds, posterior_mean
from neurometa.behaviour.targets import targets
from neurometa.behaviour.two_step_rpe import reference_rpes
from neurometa.behaviour.two_step_world import drifting_rewards
from neurometa.behaviour.volatility import follow_volatility, volatility_regression

__all__ = [
    "aic",
    "bic",
    "block_learning_rate",
    "coding_factors",
    "common_transition",
    "compare_models",
    "counts",
    "drifting_rewards",
    "fit",
    "follow_volatility",
    "history_regression",
    "latents",
    "learning_set_curve",
    "log_likelihood",
    "log_odds",
    "matching",
    "mean_interval",
    "median_interval",
    "model_recovery",
    "policy_divergence",
    "posterior_mean",
    "posterior_predictive",
    "posterior_volatility",
    "previous_trial",
    "recover",
    "reference_rpes",
    "regret",
    "reversal_conditions",
    "reversal_contrasts",
    "risk_preference",
    "risk_under_perturbations",
    "sample_group",
    "simulate",
    "sliding_learning_rate",
    "stay_mixed",
    "stay_probability",
    "stay_regression",
    "targets",
    "volatility_regression",
    "win_stay_lose_shift",
]
