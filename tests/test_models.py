"""One set of equations serves floats, arrays and compiled loops."""

import dataclasses

import numba
import numpy as np
import pytest
import xarray as xr

from neurometa.behaviour import fit, log_likelihood, simulate
from neurometa.models import (
    MODELS,
    ChoiceKernel,
    CompareToThreshold,
    Forgetting,
    ForgettingChoiceKernel,
    RescorlaWagner,
    RescorlaWagnerChoiceKernel,
    SingleValue,
    TwoLearningRates,
)

EXAMPLES = [
    RescorlaWagner(0.3, 4.0),
    SingleValue(0.2, 5.0),
    TwoLearningRates(0.6, 0.1, 3.0),
    Forgetting(0.4, 0.2, 4.0),
    ChoiceKernel(0.3, -1.5),
    RescorlaWagnerChoiceKernel(0.3, 0.2, 4.0, 1.5),
    ForgettingChoiceKernel(0.5, 0.2, 0.3, 4.0, 1.0),
    CompareToThreshold(0.3, 0.4, 5.0),
]


def scalar_log_likelihood(model, learn, choice, reward, n_options=2):
    """One trial, arm and number at a time."""
    rates = [getattr(model, name) for name in model.rates()]
    weights = [getattr(model, name) for name in model.weights]
    features, total = [tuple(map(float, model.start))] * n_options, 0.0
    for chose, earned in zip(choice, reward, strict=True):
        if chose < 0:
            continue
        logits = [sum(w * f for w, f in zip(weights, each, strict=True)) for each in features]
        total += logits[chose] - np.log(sum(np.exp(logit) for logit in logits))
        features = [learn(each, float(arm == chose), float(earned), *rates) for arm, each in enumerate(features)]
    return total


def random_trials(n_trials, n_options=2, seed=0):
    rng = np.random.default_rng(seed)
    choice = rng.integers(-1, n_options, n_trials).astype(np.int8)
    return choice, rng.integers(0, 2, n_trials).astype(float)


def as_dataset(choice, reward, n_options=2):
    return xr.Dataset({"choice": ("trial", choice, {"n_options": n_options}), "reward": ("trial", reward)})


def test_every_model_has_an_example_here():
    assert tuple(type(model) for model in EXAMPLES) == MODELS


@pytest.mark.parametrize("model", EXAMPLES, ids=repr)
def test_arrays_and_a_compiled_scalar_loop_give_the_same_likelihood(model):
    choice, reward = random_trials(60)
    slow = scalar_log_likelihood(model, model.learn, choice, reward)
    compiled = scalar_log_likelihood(model, numba.njit(type(model).learn), choice, reward)
    assert log_likelihood(model, as_dataset(choice, reward)).item() == pytest.approx(slow, abs=1e-10)
    assert compiled == pytest.approx(slow, abs=1e-10)


@pytest.mark.parametrize("kind", [SingleValue, Forgetting, ChoiceKernel])  # which learn of arms that were not chosen
def test_a_fit_learns_nothing_from_a_missed_trial(kind):
    trials = as_dataset(*random_trials(60))
    fitted = fit(kind, trials)
    found = log_likelihood(kind.of(fitted), trials).item()
    assert found == pytest.approx(fitted.log_likelihood.item(), abs=1e-6)


@pytest.mark.parametrize("model", [each for each in EXAMPLES if each.n_options is None], ids=repr)
def test_equations_hold_for_any_number_of_arms(model):
    choice, reward = random_trials(60, n_options=4)
    slow = scalar_log_likelihood(model, model.learn, choice, reward, n_options=4)
    assert log_likelihood(model, as_dataset(choice, reward, 4)).item() == pytest.approx(slow, abs=1e-10)


@pytest.mark.parametrize("kind", MODELS)
def test_every_parameter_has_bounds_and_every_weight_a_feature(kind):
    assert tuple(kind.bounds) == kind.parameters() == tuple(field.name for field in dataclasses.fields(kind))
    assert len(kind.weights) == len(kind.start) == len(kind.features)
    assert set(kind.rates()) | set(kind.weights) == set(kind.parameters())


@pytest.mark.parametrize("model", EXAMPLES, ids=repr)
def test_a_model_is_made_from_parameters_by_name(model):
    shuffled = dict(reversed(dataclasses.asdict(model).items()))
    assert type(model).of(shuffled) == model


def test_equal_rates_make_two_learning_rates_rescorla_wagner():
    trials = as_dataset(*random_trials(80))
    both = log_likelihood(TwoLearningRates(0.3, 0.3, 4.0), trials), log_likelihood(RescorlaWagner(0.3, 4.0), trials)
    assert both[0].item() == pytest.approx(both[1].item())


def test_rescorla_wagner_by_hand():
    (value,) = RescorlaWagner(0.5, 3.0).update((np.array([0.5, 0.5]),), np.array([1.0, 0.0]), np.array([1.0]))
    np.testing.assert_allclose(value, [0.75, 0.5])


@pytest.mark.parametrize(("reward", "moved"), [(1.0, 0.5 + 0.6 * 0.5), (0.0, 0.5 - 0.1 * 0.5), (0.5, 0.5)])
def test_good_news_is_learned_at_its_own_rate_and_bad_news_at_the_other(reward, moved):
    model = TwoLearningRates(learning_rate_positive=0.6, learning_rate_negative=0.1, inverse_temperature=3.0)
    (value,) = model.update((np.array([0.5, 0.5]),), np.array([0.0, 1.0]), np.array([reward]))
    np.testing.assert_allclose(value, [0.5, moved])


def test_a_choice_kernel_follows_what_was_chosen_whatever_it_paid():
    before, chosen = np.array([0.4, 0.4]), np.array([1.0, 0.0])
    for reward in (0.0, 1.0):
        (kernel,) = ChoiceKernel(0.25, 2.0).update((before,), chosen, np.array([reward]))
        np.testing.assert_allclose(kernel, [0.55, 0.3])
    value, kernel = RescorlaWagnerChoiceKernel(0.5, 0.25, 3.0, 2.0).update((before, before), chosen, np.array([1.0]))
    np.testing.assert_allclose([value, kernel], [[0.7, 0.4], [0.55, 0.3]])


@pytest.mark.parametrize("model", EXAMPLES, ids=repr)
def test_the_softmax_prefers_what_a_positive_weight_makes_larger(model):
    weights = dict.fromkeys(model.weights, 2.0)
    features = tuple(np.array([0.2, 0.7]) for _ in model.features)
    logits = dataclasses.replace(model, **weights).logits(features)
    assert logits[1] - logits[0] == pytest.approx(2.0 * 0.5 * len(weights))


def test_single_value_keeps_its_two_arms_summing_to_one():
    features = SingleValue(0.3, 3.0).begin(np.zeros(2))
    for arm, reward in [(0, 1.0), (1, 1.0), (1, 0.0), (0, 0.0)]:
        features = SingleValue(0.3, 3.0).update(features, np.eye(2)[arm], np.array([reward]))
        assert features[0].sum() == pytest.approx(1.0)


def test_forgetting_decays_what_was_not_chosen():
    (value,) = Forgetting(0.5, 0.2, 3.0).update((np.array([0.5, 0.5]),), np.array([1.0, 0.0]), np.array([0.0]))
    np.testing.assert_allclose(value, [0.25, 0.4])


def test_comparing_to_a_threshold_is_staying_by_the_value_in_hand_which_a_switch_begins_anew():
    alpha, rho, beta = 0.3, 0.4, 5.0
    choice, reward = random_trials(80)
    value, last, total = rho, None, 0.0
    for chose, earned in zip(choice, reward, strict=True):
        if chose < 0:
            continue
        stay = 1 / (1 + np.exp(-beta * (value - rho)))
        total += np.log(0.5 if last is None else stay if chose == last else 1 - stay)
        begun = value if chose == last else rho
        value, last = begun + alpha * (earned - begun), chose
    trials = as_dataset(choice, reward)
    assert log_likelihood(CompareToThreshold(alpha, rho, beta), trials).item() == pytest.approx(total, abs=1e-10)


def test_a_threshold_is_recovered():
    rng = np.random.default_rng(5)
    prob = np.where((rng.random((16, 250)) < 0.02).cumsum(1)[..., None] % 2 == [0, 1], 0.8, 0.2)
    prob = xr.DataArray(prob, dims=("episode", "trial", "arm"))
    for truth in ((0.3, 0.5, 6.0), (0.6, 0.3, 4.0)):
        fitted = fit(CompareToThreshold, simulate(CompareToThreshold(*truth), prob, rng), pool="episode")
        for name, true in zip(CompareToThreshold.parameters(), truth, strict=True):
            assert abs(fitted[name] - true) < 3 * fitted[f"{name}_se"] < 0.3 * true, name
