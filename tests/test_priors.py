"""Priors are densities, and a fit with them is where likelihood and prior together are highest."""

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from neurometa import dataset
from neurometa.behaviour import fit, log_likelihood
from neurometa.errors import InputError
from neurometa.models import RescorlaWagner, priors

CASES = [
    (priors.Normal(0.15, 1.42), stats.norm(0.15, 1.42), (-np.inf, np.inf)),
    (priors.Gamma(4.82, 0.88), stats.gamma(4.82, scale=0.88), (0, np.inf)),
    (priors.Beta(1.1, 2.5), stats.beta(1.1, 2.5), (0, 1)),
]


@pytest.mark.parametrize(("prior", "known", "support"), CASES, ids=["normal", "gamma", "beta"])
def test_a_prior_is_the_known_density_and_integrates_to_1(prior, known, support):
    for x in (0.1, 0.5, 0.9):
        assert prior.log_density(x) == pytest.approx(known.logpdf(x), abs=1e-12)
        rise = (known.logpdf(x + 1e-5) - known.logpdf(x - 1e-5)) / 2e-5
        assert prior.slope(x) == pytest.approx(rise, abs=1e-5)
    assert integrate.quad(lambda x: np.exp(prior.log_density(x)), *support)[0] == pytest.approx(1, abs=1e-6)


def test_outside_its_support_a_prior_is_minus_infinity():
    assert priors.Gamma(4.82, 0.88).log_density(0.0) == -np.inf
    assert priors.Beta(1.1, 1.1).log_density(1.0) == -np.inf


def test_uniform_priors_give_the_maximum_of_the_likelihood():
    trials = dataset.example(n_episodes=3)
    climbed = fit(RescorlaWagner, trials, priors={"learning_rate": priors.Uniform()}, n_starts=4)
    np.testing.assert_allclose(climbed.log_likelihood, fit(RescorlaWagner, trials).log_likelihood, atol=1e-5)


def test_no_node_of_a_grid_is_more_probable_than_the_fit():
    trials = dataset.example(n_episodes=2)
    given = priors.weak(RescorlaWagner)
    fitted = fit(RescorlaWagner, trials, priors=given, n_starts=4)
    rate, slope = (
        xr.DataArray(np.linspace(*ends), dims=dim) for dim, *ends in (("a", 0.02, 0.98, 25), ("b", 0.2, 20, 30))
    )
    value = log_likelihood(RescorlaWagner(rate, slope), trials)
    for name, each in (("learning_rate", rate), ("inverse_temperature", slope)):
        value = value + each.copy(data=[given[name].log_density(x) for x in each.values])
    assert value.sizes == {"episode": 2, "a": 25, "b": 30} and (value <= fitted.log_posterior + 1e-6).all()


def test_bad_priors_are_refused():
    trials = dataset.example(n_episodes=1)
    with pytest.raises(InputError, match="sd of the Normal prior is 0"):
        priors.Normal(0, 0)
    with pytest.raises(InputError, match="Did you mean 'learning_rate'"):
        fit(RescorlaWagner, trials, priors={"learning_rat": priors.Uniform()})
    with pytest.raises(InputError, match="The prior of learning_rate is 3"):
        fit(RescorlaWagner, trials, priors={"learning_rate": 3})
