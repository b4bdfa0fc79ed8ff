"""Three arms and more: every model that allows them is simulated, fitted and recovered, whatever arms are called."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurometa.behaviour import fit, latents, log_likelihood, recover, simulate
from neurometa.models import (
    FITTED_FROM_STARTS,
    MODELS,
    ChoiceKernel,
    Forgetting,
    ForgettingChoiceKernel,
    KalmanSoftmax,
    PearceHall,
    RescorlaWagner,
    RescorlaWagnerChoiceKernel,
    Softmax,
    TwoLearningRates,
)
from neurometa.tables import read_trials

SHARED = Path(__file__).parents[2] / "shared"
MODELS_OF_ANY = (
    RescorlaWagner(0.4, 4.0),
    TwoLearningRates(0.6, 0.3, 4.0),
    Forgetting(0.4, 0.2, 5.0),
    ChoiceKernel(0.3, 2.0),
    RescorlaWagnerChoiceKernel(0.4, 0.3, 4.0, 1.0),
    ForgettingChoiceKernel(0.4, 0.2, 0.3, 4.0, 1.0),
    PearceHall(0.6, 0.3, 1.0, 4.0),
    KalmanSoftmax(2.0, 1.0, 0.0, 6.0, 1.0),
)
HELD = {PearceHall: {"initial_associability": (1, 1)}, KalmanSoftmax: {"prior_variance": (2, 2)}}


def worlds(n_arms, n_episodes=6, n_trials=100):
    prob = np.random.default_rng(n_arms).uniform(0.1, 0.9, (n_episodes, 1, n_arms))
    return xr.DataArray(np.repeat(prob, n_trials, axis=1), dims=("episode", "trial", "arm"))


def asked(kind):
    return {"bounds": HELD.get(kind)} | ({} if kind.scanned else {"n_starts": 3})


def test_no_model_that_allows_more_than_two_arms_is_left_out():
    several = [kind for kind in (*MODELS, *FITTED_FROM_STARTS) if issubclass(kind, Softmax) and kind.n_options is None]
    assert [type(model) for model in MODELS_OF_ANY] == several


@pytest.mark.parametrize("n_arms", [3, 4])
@pytest.mark.parametrize("model", MODELS_OF_ANY, ids=lambda model: type(model).__name__)
def test_what_a_model_of_several_arms_did_gives_its_parameters_back(model, n_arms):
    kind, trials = type(model), simulate(model, worlds(n_arms), np.random.default_rng(n_arms))
    assert trials.choice.attrs["n_options"] == n_arms
    assert set(np.unique(trials.choice)) == set(range(n_arms))
    fitted = fit(kind, trials, pool="episode", **asked(kind))
    assert fitted.converged
    assert fitted.log_likelihood >= log_likelihood(model, trials).sum() - 1e-6
    own = log_likelihood(kind.of(fitted), trials).sum()
    assert own.item() == pytest.approx(fitted.log_likelihood.item(), abs=1e-6)
    for name in kind.parameters():
        error = abs(fitted[name] - getattr(model, name))
        assert error <= (4 * fitted[f"{name}_se"] if np.isfinite(fitted[f"{name}_se"]) else 0.2)
    prob = latents(model, trials).choice_prob
    assert prob.sizes["arm"] == n_arms
    np.testing.assert_allclose(prob.sum("arm"), 1, atol=1e-12)


@pytest.mark.parametrize("model", MODELS_OF_ANY, ids=lambda model: type(model).__name__)
def test_what_arms_are_called_makes_no_difference(model):
    trials = simulate(model, worlds(4, 2, 60), np.random.default_rng(1))
    other = trials.assign(choice=trials.choice.copy(data=np.array([2, 0, 3, 1])[trials.choice]))
    np.testing.assert_allclose(log_likelihood(model, other), log_likelihood(model, trials), atol=1e-10)
    both = [fit(type(model), each, pool="episode", **asked(type(model))).log_likelihood for each in (trials, other)]
    assert both[0].item() == pytest.approx(both[1].item(), abs=1e-4)


@pytest.mark.parametrize("model", MODELS_OF_ANY, ids=lambda model: type(model).__name__)
def test_an_arm_more_that_nobody_chose_takes_its_share_of_every_choice(model):
    trials = simulate(model, worlds(3, 2, 60), np.random.default_rng(2))
    wider = trials[["choice", "reward"]]
    wider["choice"] = trials.choice.assign_attrs(n_options=4)
    flat = dataclasses.replace(model, **dict.fromkeys(model.weights, 0.0))
    for each, n_arms in ((trials, 3), (wider, 4)):
        np.testing.assert_allclose(log_likelihood(flat, each), -60 * np.log(n_arms), atol=1e-10)
    assert (log_likelihood(model, wider) < log_likelihood(model, trials)).all()


@pytest.mark.parametrize("n_arms", [3, 4])
@pytest.mark.parametrize("model", MODELS_OF_ANY[:5], ids=lambda model: type(model).__name__)
def test_recovery_tells_of_several_arms(model, n_arms):
    found = recover(model, worlds(n_arms, 8, 200), np.random.default_rng(3))
    assert found.sizes["parameter"] == len(model.parameters())
    rates = [name for name in model.rates() if name != "kernel_rate" or len(model.rates()) == 1]
    assert (abs(found.bias.sel(parameter=rates)) < 0.25).all()


def test_people_who_lose_among_four_arms_are_explained_better_with_their_losses():
    path = SHARED / "datasets" / "hbayesdm_examples" / "bandit4arm_exampleData.txt"
    if not path.exists():
        pytest.skip("hBayesDM's examples, shared/datasets/hbayesdm_examples, are not here")
    table = pd.read_csv(path, sep="\t")
    net, _ = read_trials(table.assign(reward=table.gain + table.loss))
    with pytest.warns(UserWarning, match="go from -1 to 1"):
        fitted = fit(RescorlaWagner, net)
    assert fitted.converged.all()
    gains = fit(RescorlaWagner, net.assign(reward=net.reward.clip(0)))
    assert fitted.log_likelihood.sum() > gains.log_likelihood.sum() + 50
