"""Latent-state Bayes and Pearce-Hall: their equations against filters and loops written out, and recovery."""

import itertools

import numpy as np
import pytest
import xarray as xr

from neurometa.behaviour import fit, latents, log_likelihood, simulate
from neurometa.models import LatentState, PearceHall, RescorlaWagner


def reversing(n_episodes, n_trials, hazard=0.05, better=0.8, seed=0):
    rng = np.random.default_rng(seed)
    side = (rng.random((n_episodes, n_trials)) < hazard).cumsum(1) % 2
    prob = np.where(side[..., None] == np.arange(2), better, 1 - better)
    return xr.DataArray(prob, dims=("episode", "trial", "arm"))


def random_trials(n_trials, seed=0):
    rng = np.random.default_rng(seed)
    choice = rng.integers(0, 2, n_trials).astype(np.int8)
    return xr.Dataset(
        {"choice": ("trial", choice, {"n_options": 2}), "reward": ("trial", rng.integers(0, 2, n_trials) * 1.0)}
    )


def test_the_belief_is_that_of_an_enumeration_of_all_paths():
    hazard, better, trials = 0.2, 0.7, random_trials(7)
    choice, reward = trials.choice.values, trials.reward.values
    belief = latents(LatentState(hazard, better, 3.0), trials).belief
    for now in range(7):
        weight = np.zeros(2)
        for path in itertools.product((0, 1), repeat=now + 1):
            p = 0.5
            for t in range(now):
                pays = better if choice[t] == path[t] else 1 - better
                p *= pays if reward[t] else 1 - pays
                p *= hazard if path[t + 1] != path[t] else 1 - hazard
            weight[path[-1]] += p
        np.testing.assert_allclose(belief[now], weight / weight.sum(), atol=1e-12)


def test_what_the_belief_expects_is_learned_from_by_its_error():
    seen = latents(LatentState(0.2, 0.7, 3.0), random_trials(20))
    np.testing.assert_allclose(seen.arm_value, 0.7 * seen.belief + 0.3 * (1 - seen.belief))
    assert seen.rpe.notnull().all()


def test_pearce_hall_by_a_loop_over_arms():
    kappa, eta, first, slope, trials = 0.7, 0.4, 0.8, 3.0, random_trials(40)
    value, associability, total = [0.5, 0.5], [first, first], 0.0
    for a, r in zip(trials.choice.values, trials.reward.values, strict=True):
        total += slope * value[a] - np.logaddexp(slope * value[0], slope * value[1])
        rpe = r - value[a]
        value[a] += kappa * associability[a] * rpe
        associability[a] = (1 - eta) * associability[a] + eta * abs(rpe)
    assert log_likelihood(PearceHall(kappa, eta, first, slope), trials).item() == pytest.approx(total, abs=1e-10)


def test_without_a_rate_of_its_own_associability_is_part_of_the_learning_rate():
    trials = random_trials(40)
    both = log_likelihood(PearceHall(0.6, 0.0, 0.5, 4.0), trials), log_likelihood(RescorlaWagner(0.3, 4.0), trials)
    assert both[0].item() == pytest.approx(both[1].item())


def test_a_latent_state_learner_is_recovered():
    trials = simulate(LatentState(0.05, 0.8, 4.0), reversing(1, 600), np.random.default_rng(1))
    fitted = fit(LatentState, trials, n_starts=3)
    assert abs(fitted.hazard_rate - 0.05).item() < 0.05
    assert fitted.log_likelihood >= log_likelihood(LatentState(0.05, 0.8, 4.0), trials) - 1e-6
    np.testing.assert_allclose(log_likelihood(LatentState.of(fitted), trials), fitted.log_likelihood, atol=1e-8)


def test_the_fit_of_pearce_hall_is_at_least_that_of_rescorla_wagner():
    trials = simulate(RescorlaWagner(0.4, 4.0), reversing(2, 120), np.random.default_rng(2))
    wide = fit(PearceHall, trials, n_starts=8, bounds={"initial_associability": (1, 1)})
    assert (wide.log_likelihood >= fit(RescorlaWagner, trials).log_likelihood - 1e-3).all()
