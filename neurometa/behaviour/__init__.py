"""What an agent or animal did, and which learning model says so: trials in, labelled results out."""

from neurometa.behaviour.adaptation import adaptation, known_world
from neurometa.behaviour.divergence import policy_divergence
from neurometa.behaviour.exploration import exploration
from neurometa.behaviour.factors import coding_factors, previous_trial
from neurometa.behaviour.foraging import matching
from neurometa.behaviour.groups import compare_groups
from neurometa.behaviour.harlow import learning_set_curve, win_stay_lose_shift
from neurometa.behaviour.history import history_regression
from neurometa.behaviour.mazes import latencies, value_before_goal
from neurometa.behaviour.performance import crossed_interval, mean_interval, median_interval, regret
from neurometa.behaviour.posterior_volatility import posterior_volatility
from neurometa.behaviour.prediction import predict
from neurometa.behaviour.restless import follow_volatility, volatility_regression
from neurometa.behaviour.reversal import reversal_conditions, reversal_contrasts
from neurometa.behaviour.risky_safe import risk_preference, risk_under_perturbations
from neurometa.behaviour.sessions import common_transition
from neurometa.behaviour.stay import stay_probability
from neurometa.behaviour.stay_regression import stay_mixed, stay_regression
from neurometa.behaviour.sufficient import counts, log_odds, posterior_mean
from neurometa.behaviour.switching import switch_curve
from neurometa.behaviour.targets import targets
from neurometa.behaviour.two_step_rpe import reference_rpes
from neurometa.behaviour.volatility import block_learning_rate, sliding_learning_rate
from neurometa.behaviour.walk_volatility import walk_volatility
from neurometa.fitting import (
    aic,
    bic,
    compare_fits,
    compare_models,
    drifting_rewards,
    fit,
    latents,
    log_likelihood,
    model_recovery,
    posterior_predictive,
    recover,
    sample_group,
    simulate,
)

__all__ = [
    "adaptation",
    "aic",
    "bic",
    "block_learning_rate",
    "coding_factors",
    "common_transition",
    "compare_fits",
    "compare_groups",
    "compare_models",
    "counts",
    "crossed_interval",
    "drifting_rewards",
    "exploration",
    "fit",
    "follow_volatility",
    "history_regression",
    "known_world",
    "latencies",
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
    "predict",
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
    "switch_curve",
    "targets",
    "value_before_goal",
    "volatility_regression",
    "walk_volatility",
    "win_stay_lose_shift",
]
