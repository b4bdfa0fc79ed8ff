"""Telling models and parameters apart, as far as the data allow."""

import numpy as np
import pytest
import xarray as xr

from neurometa import dataset
from neurometa.behaviour import aic, bic, fit, model_recovery, recover
from neurometa.errors import InputError
from neurometa.models import ChoiceKernel, RescorlaWagner, TwoLearningRates


def walk(n_episodes, n_trials=150, seed=0):
    """Reward probabilities that drift between .1 and .9, independently for both arms."""
    rng = np.random.default_rng(seed)
    prob = rng.uniform(0.1, 0.9, (n_episodes, 2)) + np.zeros((n_trials, 1, 1))
    for t in range(1, n_trials):
        prob[t] = np.clip(prob[t - 1] + rng.normal(0, 0.1, prob[t].shape), 0.1, 0.9)
    return xr.DataArray(prob, dims=("trial", "episode", "arm"))


def test_criteria_are_the_likelihood_with_a_price_per_free_parameter():
    trials = dataset.example(n_episodes=3)
    fitted = fit(RescorlaWagner, trials)
    np.testing.assert_allclose(aic(fitted), 4 - 2 * fitted.log_likelihood)
    np.testing.assert_allclose(bic(fitted), 2 * np.log(150) - 2 * fitted.log_likelihood)
    held = fit(RescorlaWagner, trials, bounds={"learning_rate": (0.3, 0.3)})
    np.testing.assert_allclose(aic(held), 2 - 2 * held.log_likelihood)


def test_criteria_are_nan_where_nothing_was_scored():
    trials = dataset.example(n_episodes=2)
    trials["choice"] = trials.choice.where(xr.DataArray([True, False], dims="episode"), np.int8(-1))
    fitted = fit(RescorlaWagner, trials)
    assert list(aic(fitted).isnull().values) == list(bic(fitted).isnull().values) == [False, True]


def test_a_model_with_a_useless_parameter_fits_better_and_scores_worse():
    trials = dataset.example(n_episodes=60)
    simple, wide = fit(RescorlaWagner, trials), fit(TwoLearningRates, trials)
    assert (wide.log_likelihood >= simple.log_likelihood - 1e-6).all()
    assert bic(wide).mean() > bic(simple).mean()


@pytest.mark.parametrize("measure", [aic, bic])
def test_criteria_of_something_else_are_refused(measure):
    with pytest.raises(InputError, match="no result of fit"):
        measure(xr.Dataset({"log_likelihood": -3.0}))


def test_recovery_is_unbiased_over_a_grid_of_parameters():
    grid = RescorlaWagner(xr.DataArray([0.2, 0.4, 0.6, 0.8], dims="rate"), xr.DataArray([3.0, 5.0, 8.0], dims="slope"))
    result = recover(grid, walk(60, 400), np.random.default_rng(0))
    rate = result.sel(parameter="learning_rate")
    assert result.bias.sizes == {"parameter": 2, "rate": 4, "slope": 3}
    assert abs(rate.bias).max() < 0.04
    assert (abs(rate.bias) < 4 * rate.bias_se + 0.01).all()
    assert rate.r > 0.9 and result.r.sel(parameter="inverse_temperature") > 0.75
    np.testing.assert_allclose(rate.rmse**2, ((rate.estimate - rate.truth) ** 2).mean("episode"))
    assert (result.n <= 60).all()


def test_recovery_keeps_parameters_apart_by_their_dims():
    learning_rate = xr.DataArray([0.3, 0.7], dims="a", coords={"a": ["low", "high"]})
    result = recover(RescorlaWagner(learning_rate, 5.0), walk(5, 60), np.random.default_rng(1))
    assert list(result.a.values) == ["low", "high"]
    assert (result.truth.sel(parameter="learning_rate", a="high") == 0.7).all()
    assert (result.truth.sel(parameter="inverse_temperature") == 5).all()
    assert np.isnan(result.r.sel(parameter="inverse_temperature"))


def test_recovery_over_an_unknown_dim_is_refused():
    with pytest.raises(InputError, match="There is no dim 'subject'"):
        recover(RescorlaWagner(0.3, 5.0), walk(3, 20), np.random.default_rng(2), dim="subject")


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_models_that_differ_are_told_apart(criterion):
    models = [RescorlaWagner(0.4, 6.0), ChoiceKernel(0.4, 3.0)]
    confusion = model_recovery(models, walk(60, 150), np.random.default_rng(3), criterion=criterion)
    np.testing.assert_allclose(confusion.sum("fitted"), 1)
    assert confusion.sel(simulated="RescorlaWagner", fitted="RescorlaWagner") > 0.9
    assert confusion.sel(simulated="ChoiceKernel", fitted="ChoiceKernel") > 0.9
    assert (confusion.n == 60).all()


def test_models_that_choose_at_random_are_not_told_apart():
    models = [RescorlaWagner(0.4, 0.0), ChoiceKernel(0.4, 0.0)]
    confusion = model_recovery(models, walk(80, 60), np.random.default_rng(4))
    assert np.abs(confusion.values - confusion.values.mean(0)).max() < 0.2


@pytest.mark.parametrize(
    ("models", "criterion", "message"),
    [
        ([RescorlaWagner(0.1, 3.0), RescorlaWagner(0.2, 3.0)], "bic", "each of its own class"),
        ([], "bic", "give one or more"),
        ([RescorlaWagner(0.1, 3.0)], "loo", "allowed are 'aic' and 'bic'"),
    ],
)
def test_a_comparison_of_nothing_is_refused(models, criterion, message):
    with pytest.raises(InputError, match=message):
        model_recovery(models, walk(2, 10), np.random.default_rng(5), criterion=criterion)
