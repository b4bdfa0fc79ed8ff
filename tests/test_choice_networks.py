"""Small networks that are fitted to choices: their gradients, what they predict, and how far they get."""

import numpy as np
import pytest
import xarray as xr

from neurometa import behaviour, models, neural
from neurometa.errors import InputError
from neurometa.fitting import folds, held_out
from neurometa.training import choices


def sessions(n_episodes, n_trials, seed=0, missed=0.0):
    """A Rescorla-Wagner learner on arms that reverse, some of its trials missed."""
    rng = np.random.default_rng(seed)
    side = (rng.random((n_episodes, n_trials)) < 0.03).cumsum(1) % 2
    prob = xr.DataArray(np.where(side[..., None] == np.arange(2), 0.8, 0.2), dims=("episode", "trial", "arm"))
    trials = behaviour.simulate(models.RescorlaWagner(0.4, 4.0), prob, rng)
    gone = xr.DataArray(rng.random((n_episodes, n_trials)) < missed, dims=("episode", "trial"))
    return trials.assign(choice=trials.choice.where(~gone, -1).astype(int)).drop_vars("reward_prob")


def batch(n_units, n_embedding, seed=0):
    held = folds.split(sessions(6, 15, missed=0.1).assign_coords(subject=("episode", list("ababab"))), 3)
    held.choice.attrs["n_options"] = 3
    packed = choices._pack(held)
    who = packed.subject if n_embedding else np.zeros(6, int)
    settings = choices.ChoiceNetwork(n_units=n_units, n_embedding=n_embedding)
    weights = choices._begin(settings, 3, 2, np.random.default_rng(seed))
    return choices._Batch(packed, np.arange(6), n_units, who), weights


@pytest.mark.parametrize(("n_units", "n_embedding"), [(1, 0), (3, 2)])
def test_gradients_are_those_of_finite_differences(n_units, n_embedding):
    room, weights = batch(n_units, n_embedding)
    room.forward(weights)
    gradient = room.gradient(weights)
    assert set(gradient) == set(weights)
    for name, each in weights.items():
        for at in np.ndindex(each.shape):
            ends = []
            for step in (0.01, -0.01):
                moved = each.copy()
                moved[at] += step
                ends.append(room.forward(weights | {name: moved}))
            assert gradient[name][at] == pytest.approx((ends[0] - ends[1]) / 0.02, abs=1e-4), (name, at)


def test_a_network_is_scored_on_every_choice_once_and_a_missed_trial_teaches_nothing():
    trials = sessions(6, 30, missed=0.2)
    held = folds.split(trials, 3)
    fitted = choices.fit_networks(choices.ChoiceNetwork(n_units=1, n_steps=20, n_starts=1), held)
    made = trials.choice >= 0
    assert (fitted.prob.notnull().all("arm") == made).all()
    np.testing.assert_allclose(fitted.prob.sum("arm").values[made.values], 1, atol=1e-5)
    other = trials.assign(reward=trials.reward.where(made, 7.0))
    again = choices.fit_networks(choices.ChoiceNetwork(n_units=1, n_steps=20, n_starts=1), folds.split(other, 3))
    xr.testing.assert_equal(fitted.prob, again.prob)


def test_what_is_predicted_does_not_depend_on_the_choices_predicted():
    trials = sessions(6, 20)
    settings = choices.ChoiceNetwork(n_units=1, n_steps=20, n_starts=1)
    first = choices.fit_networks(settings, folds.split(trials, 3)).prob
    late = (xr.DataArray(np.arange(6), dims="episode") == 0) & (xr.DataArray(np.arange(20), dims="trial") >= 10)
    turned = trials.assign(choice=trials.choice.where(~late, 1 - trials.choice))
    second = choices.fit_networks(settings, folds.split(turned, 3)).prob
    np.testing.assert_array_equal(first[0, :11], second[0, :11])
    assert (first[0, 11:] != second[0, 11:]).all()


def test_a_network_that_was_stopped_by_the_clock_is_counted():
    held = folds.split(sessions(6, 30), 3)
    stopped = choices.fit_networks(choices.ChoiceNetwork(n_units=1, n_steps=5, n_starts=1), held).networks
    assert not stopped.converged.any()
    ended = choices.fit_networks(choices.ChoiceNetwork(n_units=1, n_steps=400, patience=10, n_starts=1), held).networks
    assert ended.converged.all()


def test_two_folds_are_too_few_for_a_network_and_strangers_have_no_embedding():
    with pytest.raises(InputError, match="n_folds is 2; a network needs 3"):
        choices.fit_networks(choices.ChoiceNetwork(), folds.split(sessions(4, 20), 2))
    strangers = folds.split(sessions(6, 20).assign_coords(subject=("episode", list("abcabc"))), 3, unseen="subject")
    with pytest.raises(InputError, match="cannot predict one that it has not seen"):
        choices.fit_networks(choices.ChoiceNetwork(n_embedding=2), strangers)


@pytest.mark.parametrize("n_embedding", [0, 2])
def test_networks_that_are_sure_generate_the_choices_that_they_prefer_after_their_own_past(n_embedding):
    trials = sessions(6, 25).assign_coords(subject=("episode", list("ababab")))
    held = folds.split(trials, 3)
    networks = choices.fit_networks(choices.ChoiceNetwork(2, n_embedding, n_steps=10, n_starts=1), held).networks
    networks["head"] = 1e6 * networks["head"]
    pays = xr.DataArray(np.full((6, 25, 2), 0.5), dims=("episode", "trial", "arm"))
    played = choices.play_networks(networks, held, pays, np.random.default_rng(0))
    for i, (who, fold) in enumerate(zip(held.subject.values, held.fold.values, strict=True)):
        network = neural.of_choices(networks, str(who), int(fold))
        log_odds = network.log_odds(neural.replay(network, played.isel(episode=[i])).values[0])
        np.testing.assert_array_equal(played.choice[i], log_odds[: played.sizes["trial"]] > 0)


@pytest.mark.parametrize("wrong", [{"n_units": 0}, {"step_size": 0.0}, {"l1": -1.0}, {"n_starts": 0}])
def test_settings_outside_their_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        choices.ChoiceNetwork(**wrong)


@pytest.mark.slow
def test_a_network_predicts_a_simulated_learner_as_well_as_the_learner_itself_and_no_better():
    rng = np.random.default_rng(7)
    side = (rng.random((30, 1000)) < 0.02).cumsum(1) % 2
    prob = xr.DataArray(np.where(side[..., None] == np.arange(2), 0.8, 0.2), dims=("episode", "trial", "arm"))
    truth = models.RescorlaWagner(0.3, 5.0)
    trials = behaviour.simulate(truth, prob, rng)
    held = folds.split(trials, 5)
    own = held_out.scores(behaviour.latents(truth, trials).choice_prob, held)
    network = choices.fit_networks(choices.ChoiceNetwork(n_units=2), held)
    behind = (own.log_likelihood - held_out.scores(network.prob, held).log_likelihood) / own.n_trials
    mean, error = float(behind.mean()), float(behind.std(ddof=1)) / 30**0.5
    assert mean < 0.003
    assert mean > -2 * error
