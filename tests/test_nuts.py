"""The sampled posterior of a group: it agrees with empirical Bayes, and says what is missing."""

import sys

import numpy as np
import pytest
import xarray as xr

from neurometa import models
from neurometa.behaviour import fit, sample_group, simulate
from neurometa.errors import InputError
from neurometa.fitting import nuts
from neurometa.fitting.latents import playable
from neurometa.fitting.scanned import columns
from neurometa.fitting.transforms import links
from neurometa.models import RescorlaWagner


def few_learners():
    rng = np.random.default_rng(0)
    rate = xr.DataArray(1 / (1 + np.exp(-rng.normal(0, 0.7, 6))), dims="subject")
    world = xr.DataArray(rng.uniform(0.1, 0.9, (50, 6, 2)), dims=("trial", "subject", "arm"))
    return simulate(RescorlaWagner(rate, 5.0), world, rng).drop_vars("reward_prob")


@pytest.mark.slow  # half a minute: the sampler is compiled
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the compiler, not ours
def test_the_empirical_bayes_mean_lies_within_the_interval_of_the_sampled_posterior():
    pytest.importorskip("numpyro", reason="the sampler is not here: pip install 'neurometa[bayes]'")
    trials = few_learners()
    trials["choice"] = trials.choice.where(xr.DataArray(np.arange(6) < 5, dims="subject"), -1)  # one never chose
    sampled = sample_group(RescorlaWagner, trials, group="subject", n_chains=2, n_tune=120, n_draws=100)
    fitted = fit(RescorlaWagner, trials, group="subject")
    lower, upper = sampled.group_mean.quantile([0.025, 0.975], ("chain", "draw"))
    assert ((lower < fitted.group_mean) & (fitted.group_mean < upper)).all()
    assert sampled.learning_rate.dims == ("chain", "draw", "subject") and sampled.learning_rate[..., 5].isnull().all()
    known = sampled.isel(subject=slice(5))
    apart = known.learning_rate.mean(("chain", "draw")) - fitted.learning_rate[:5]
    assert (np.abs(apart) < 2 * known.learning_rate.std(("chain", "draw"))).all()
    assert (known.learning_rate_r_hat < 1.1).all() and (known.learning_rate_ess > 20).all()
    assert list(sampled.link.values) == ["logit", "log"]


def test_the_sampler_is_told_the_likelihood_that_fits_maximise_with_as_many_arms_as_each_member_has():
    pytest.importorskip("numpyro", reason="the sampler is not here: pip install 'neurometa[bayes]'")
    trials = few_learners()
    missed = trials.choice.where(xr.DataArray(np.arange(50) != 4, dims="trial"), -1).assign_attrs(n_options=3)
    trials = trials.assign(choice=missed).assign_coords(n_options=("subject", [2, 3, 2, 3, 3, 2]))
    fixed = {"learning_rate": (0.3, 0.3), "inverse_temperature": (2.0, 2.0)}
    known = fit(RescorlaWagner, trials, bounds=fixed).log_likelihood.sum().item()
    low, high = ({name: pair[end] for name, pair in RescorlaWagner.bounds.items()} for end in (0, 1))
    linked = links(RescorlaWagner, low, high)
    seen = columns(RescorlaWagner, playable(RescorlaWagner, trials)[0], ["subject"], ())
    z = [np.full(6, np.log(0.3 / 0.7)), np.full(6, np.log(2.0))]
    assert float(nuts._log_likelihood(RescorlaWagner, seen, linked, {})(z)) == pytest.approx(known, abs=1e-3)


def test_without_the_sampler_the_message_says_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(InputError, match=r"install it with: pip install 'neurometa\[bayes\]'"):
        sample_group(RescorlaWagner, few_learners(), group="subject")


def test_what_cannot_be_sampled_is_refused():
    pytest.importorskip("numpyro", reason="the sampler is not here: pip install 'neurometa[bayes]'")
    trials = few_learners()
    with pytest.raises(InputError, match="only a Model among arms can be sampled"):
        sample_group(models.Hybrid, trials, group="subject")
    with pytest.raises(InputError, match="n_chains is 0"):
        sample_group(RescorlaWagner, trials, group="subject", n_chains=0)
    with pytest.raises(InputError, match=r"The choices span \['condition'\], too"):
        sample_group(RescorlaWagner, trials.expand_dims(condition=2), group="subject")
