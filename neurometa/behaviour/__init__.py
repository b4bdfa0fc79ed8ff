"""What an agent or animal did, and which learning model says so: trials in, labelled results out."""

from neurometa.behaviour.comparison import aic, bic, model_recovery, recover
from neurometa.behaviour.divergence import policy_divergence
from neurometa.behaviour.fitting import fit
from neurometa.behaviour.latents import latents, log_likelihood, simulate
from neurometa.behaviour.matching import matching
from neurometa.behaviour.performance import mean_interval, median_interval, regret
from neurometa.behaviour.posterior_volatility import posterior_volatility
from neurometa.behaviour.sliding import block_learning_rate, sliding_learning_rate
from neurometa.behaviour.sufficient import counts, log_odds, posterior_mean
from neurometa.behaviour.targets import targets
from neurometa.behaviour.volatility import follow_volatility, volatility_regression

__all__ = [
    "aic",
    "bic",
    "block_learning_rate",
    "counts",
    "fit",
    "follow_volatility",
    "latents",
    "log_likelihood",
    "log_odds",
    "matching",
    "mean_interval",
    "median_interval",
    "model_recovery",
    "policy_divergence",
    "posterior_mean",
    "posterior_volatility",
    "recover",
    "regret",
    "simulate",
    "sliding_learning_rate",
    "targets",
    "volatility_regression",
]
