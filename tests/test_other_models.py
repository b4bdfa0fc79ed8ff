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


def test_a_single_start_is_climbed_from():
    fitted = fit(PearceHall, random_trials(30), n_starts=1)
    assert fitted.n_reached == 1 and np.isfinite(fitted.log_likelihood)


def test_the_fit_of_pearce_hall_is_at_least_that_of_rescorla_wagner():
    trials = simulate(RescorlaWagner(0.4, 4.0), reversing(2, 120), np.random.default_rng(2))
    wide = fit(PearceHall, trials, n_starts=8, bounds={"initial_associability": (1, 1)})
    assert (wide.log_likelihood >= fit(RescorlaWagner, trials).log_likelihood - 1e-3).all()


def dense(choice, reward, n_moves=60, n_caps=90):
    """Highest log-likelihood over a grid of log-odds and the best slope by bisection; it owes nothing to the fitter."""
    moves = np.log(0.999 / 0.001) * np.linspace(0, 1, n_moves)[:, None] ** 2
    caps = np.concatenate([40 * np.linspace(0, 1, n_caps - 1) ** 1.5, [1e9]])
    belief, lead = np.zeros((n_moves, n_caps)), []  # log-odds that option 1 is the better one
    for chose, earned in zip(choice, reward, strict=True):
        if chose < 0:
            continue
        lead.append(np.tanh(belief / 2) * (2 * chose - 1))
        after = belief + np.where((chose == 1) == (earned > 0), moves, -moves)
        size = np.abs(after)
        belief = np.sign(after) * (np.log1p(np.exp(-size - caps)) - np.log(np.exp(-size) + np.exp(-caps)))
    lead = np.array(lead)
    low, high = np.zeros_like(belief), np.full_like(belief, 30.0)
    for _ in range(30):
        middle = (low + high) / 2
        up = (lead / (1 + np.exp(middle * lead))).sum(0) > 0
        low, high = np.where(up, middle, low), np.where(up, high, middle)
    return -np.log1p(np.exp(-low * lead)).sum(0).max()


def edge_session(kind, rng, n_trials=60):
    """Choices of a kind at which fits go wrong."""
    choice, reward, other, lost = np.zeros(n_trials, int), np.zeros(n_trials), 0, 0
    for t in range(n_trials):
        chose = {"chance": rng.integers(2), "one option": 0}.get(kind, other)
        paid = rng.random() < (0.9 if (chose == 0) == (t // 15 % 2 == 0) else 0.1)
        choice[t], reward[t], lost = chose, paid, 0 if paid else lost + 1
        if (kind == "lose-shift" and lost) or (kind == "third loss" and lost == 3):
            other, lost = 1 - other, 0
        elif kind in ("missed", "ragged") and rng.random() < 0.3 + 0.4 * (not paid):
            other = 1 - other
    if kind == "missed":
        choice[rng.random(n_trials) < 0.4] = -1
    if kind == "ragged":
        choice[rng.integers(1, n_trials) :] = -1
    return choice, reward


@pytest.mark.parametrize("kind", ["chance", "one option", "lose-shift", "third loss", "missed", "ragged"])
def test_no_point_of_a_dense_grid_beats_the_fit_of_a_latent_state_on_sessions_at_the_edge(kind):
    made = [edge_session(kind, np.random.default_rng(seed)) for seed in range(2)]
    choice, reward = (np.array(each) for each in zip(*made, strict=True))
    trials = xr.Dataset({"choice": (("episode", "trial"), choice), "reward": (("episode", "trial"), reward)})
    trials.choice.attrs["n_options"] = 2
    fitted = fit(LatentState, trials)
    best = [dense(*each) for each in made]
    assert (fitted.log_likelihood >= np.array(best) - 1e-3).all()
    back = log_likelihood(LatentState.of(fitted), trials)
    np.testing.assert_allclose(back.where(fitted.converged), fitted.log_likelihood.where(fitted.converged), atol=1e-8)


def test_a_belief_that_was_certain_comes_back_as_exact_log_odds_do():
    choice = np.repeat([1, 0], [12, 15])
    trials = xr.Dataset({"choice": ("trial", choice), "reward": ("trial", np.ones(27))})
    trials.choice.attrs["n_options"] = 2
    belief = latents(LatentState(0.0, 0.999, 1.0), trials).belief.isel(arm=1)
    log_odds = np.log(999) * np.concatenate([np.arange(13), np.arange(11, -3, -1)])
    np.testing.assert_allclose(belief, 1 / (1 + np.exp(-log_odds)), rtol=1e-9)


@pytest.mark.parametrize("start", [0.9, (0.2, 0.8), "fitted"])
def test_a_fit_of_a_latent_state_that_begins_elsewhere_is_no_worse_than_the_truth(start):
    trials = simulate(LatentState(0.05, 0.8, 4.0), reversing(2, 60), np.random.default_rng(3))
    fitted = fit(LatentState, trials, start=start, n_starts=4)
    kind = LatentState.starting(start)
    np.testing.assert_allclose(log_likelihood(kind.of(fitted), trials), fitted.log_likelihood, atol=1e-8)
    truth = kind(0.05, 0.8, 4.0, 0.5) if start == "fitted" else kind(0.05, 0.8, 4.0)
    assert (fitted.log_likelihood >= log_likelihood(truth, trials) - 1e-9).all()
