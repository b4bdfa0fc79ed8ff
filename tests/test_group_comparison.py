"""Random-effects comparison: exact exceedance, symmetry, and the variational posterior beside exact integrals."""

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, special, stats

from neurometa.behaviour import compare_models
from neurometa.errors import InputError
from neurometa.fitting.group_comparison import exceedance


def evidences(values, dims=("subject", "model")):
    return xr.DataArray(np.asarray(values, float), dims=dims)


@pytest.mark.parametrize("count", [(1.0, 1.0), (3.0, 5.5), (40.0, 31.0), (1.0, 300.0)])
def test_the_exceedance_of_two_models_is_a_beta_probability(count):
    assert exceedance(np.array(count))[0] == pytest.approx(stats.beta.sf(0.5, *count), abs=1e-9)


def test_the_exceedance_of_several_models_is_the_share_of_draws_they_win():
    count = np.array([3.0, 4.5, 1.2, 4.0])
    won = np.bincount(np.random.default_rng(0).dirichlet(count, 400_000).argmax(1), minlength=4) / 400_000
    np.testing.assert_allclose(exceedance(count), won, atol=4e-3)


@pytest.mark.parametrize("n_models", [2, 3, 5])
def test_models_that_explain_alike_share_everything_equally(n_models):
    found = compare_models(evidences(np.full((14, n_models), -100.0)))
    for name in ("frequency", "exceedance", "protected_exceedance", "responsibility"):
        np.testing.assert_allclose(found[name], 1 / n_models, atol=1e-9)
    assert found.omnibus_risk > 0.5 and found.n == 14


def test_members_that_are_sure_of_their_model_are_counted():
    values = np.zeros((20, 3))
    values[:14, 0], values[14:18, 1], values[18:, 2] = 50, 50, 50
    found = compare_models(evidences(values))
    np.testing.assert_allclose(found.frequency, np.array([15, 5, 3]) / 23, atol=1e-6)
    np.testing.assert_allclose(found.responsibility.sum("subject"), [14, 4, 2], atol=1e-6)
    assert found.protected_exceedance[0] < found.exceedance[0]
    assert found.frequency_interval[0, 0] == pytest.approx(stats.beta.ppf(0.025, 15, 8))


def test_names_of_models_and_the_order_of_dims_make_no_difference():
    values = evidences(np.random.default_rng(1).normal(0, 2, (9, 3)))
    known, turned = compare_models(values), compare_models(values.isel(model=[2, 0, 1]).T)
    for name in ("frequency", "exceedance", "protected_exceedance"):
        np.testing.assert_allclose(turned[name], known[name].isel(model=[2, 0, 1]), atol=1e-7)
    shifted = compare_models(values + xr.DataArray(np.arange(9.0), dims="subject"))
    np.testing.assert_allclose(shifted.frequency, known.frequency, atol=1e-9)


def test_the_variational_posterior_is_near_the_exact_one_of_two_models():
    values = np.random.default_rng(2).normal(0, 2, (10, 2)) + [1.0, 0.0]
    found = compare_models(evidences(values))

    def likelihood(r):
        return np.exp(special.logsumexp(values + np.log([r, 1 - r]), axis=1).sum() - values.max(1).sum())

    total = integrate.quad(likelihood, 0, 1, epsabs=1e-12)[0]
    mean = integrate.quad(lambda r: r * likelihood(r), 0, 1, epsabs=1e-12)[0] / total
    alike = likelihood(0.5)
    assert found.frequency[0] == pytest.approx(mean, abs=0.03)
    exact = alike / (alike + total)
    assert exact <= found.omnibus_risk < exact + 0.1  # the bound on the evidence of unequal frequencies is a lower one


def test_a_member_without_all_evidences_is_left_out_and_other_dims_pass_through():
    values = np.random.default_rng(3).normal(0, 3, (2, 8, 2))
    values[0, 3, 1] = np.nan
    found = compare_models(evidences(values, ("condition", "subject", "model")))
    alone = compare_models(evidences(np.delete(values[0], 3, axis=0)))
    assert list(found.n) == [7, 8] and np.isnan(found.responsibility[0, 3]).all()
    np.testing.assert_allclose(found.frequency[0], alone.frequency)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (evidences(np.zeros((4, 1))), "There is 1 model along 'model'"),
        (evidences(np.zeros((4, 2)), ("mouse", "model")), "they must span 'subject', too"),
        (evidences(np.full((4, 2), np.nan)), "No member along 'subject'"),
        (evidences(np.full((4, 2), np.inf)), "is infinite"),
    ],
)
def test_evidences_that_cannot_be_compared_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        compare_models(values)


def test_a_model_that_a_member_cannot_have_used_counts_against_it():
    values = np.array([[0.0, -1.0], [-2.0, 0.0], [0.0, -np.inf], [-np.inf, 0.0], [np.nan, 0.0], [-np.inf, -np.inf]])
    evidence = xr.DataArray(values, dims=("subject", "model"))
    found = compare_models(evidence)
    assert found.n == 4
    np.testing.assert_allclose(found.responsibility[2:4], [[1, 0], [0, 1]])
    assert found.responsibility[4:].isnull().all()
    nearly = compare_models(evidence.where(~np.isneginf(evidence), -700.0)[:4])
    for name in ("frequency", "exceedance", "protected_exceedance", "omnibus_risk"):
        np.testing.assert_allclose(found[name], nearly[name], atol=1e-9)
