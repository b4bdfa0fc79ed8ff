"""Choices that no model has seen: how they are held out, and what predicts them."""

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize
from scipy.special import expit

from neurometa import behaviour, models
from neurometa.behaviour.held_out_history import of_history
from neurometa.errors import InputError
from neurometa.fitting import folds, held_out


def sessions(n_subjects=3, n_each=4, n_trials=40, seed=0, missed=0.05):
    """Sessions of Rescorla-Wagner learners."""
    rng = np.random.default_rng(seed)
    n = n_subjects * n_each
    prob = xr.DataArray(rng.uniform(0.1, 0.9, (n, n_trials, 2)), dims=("episode", "trial", "arm"))
    trials = behaviour.simulate(models.RescorlaWagner(0.4, 4.0), prob, rng)
    gone = xr.DataArray(rng.random((n, n_trials)) < missed, dims=("episode", "trial"))
    choice = trials.choice.where(~gone, -1).astype(int)
    choice.attrs = trials.choice.attrs
    who = [f"m{i % n_subjects}" for i in range(n)]
    return trials.assign(choice=choice).assign_coords(subject=("episode", who)).drop_vars("reward_prob")


def test_the_sessions_of_each_subject_are_dealt_out_to_the_folds():
    held = folds.split(sessions(3, 5), 4)
    for who in ("m0", "m1", "m2"):
        assert held.fold.values[held.subject.values == who].tolist() == [0, 1, 2, 3, 0]


def test_blocks_of_one_session_and_all_sessions_of_an_unseen_subject_are_held_out_together():
    trials = sessions(2, 6).assign_coords(day=("episode", [i // 4 for i in range(12)]))  # two blocks of a day and mouse
    held = folds.split(trials, 3, cluster="day")
    assert len(np.unique(held.cluster)) == 6
    for each in np.unique(held.cluster):
        assert len(np.unique(held.fold.values[held.cluster.values == each])) == 1
    strangers = folds.split(sessions(4, 2), 2, unseen="subject")
    for who in np.unique(strangers.subject):
        assert len(np.unique(strangers.fold.values[strangers.subject.values == who])) == 1


@pytest.mark.parametrize("unseen", [None, "subject"])
def test_a_model_is_scored_as_a_fit_of_the_other_folds_says(unseen):
    trials = sessions(4, 2)
    held = folds.split(trials, 2, unseen=unseen)
    found = held_out.scores(held_out.of_model(models.RescorlaWagner, held).prob, held)
    bare = trials.drop_vars("subject")
    for fold, who in ((0, "m0"), (1, "m1")):
        others = (held.fold != fold) if unseen else (held.fold != fold) & (held.subject == who)
        fitted = behaviour.fit(models.RescorlaWagner, bare.isel(episode=others.values), pool="episode")
        test = ((held.fold == fold) & (held.subject == who)).values
        expected = behaviour.log_likelihood(models.RescorlaWagner.of(fitted), bare.isel(episode=test))
        np.testing.assert_allclose(found.log_likelihood.values[test], expected.values, atol=1e-3)
    assert int(found.n_trials.sum()) == int((trials.choice >= 0).sum())


@pytest.mark.parametrize("predict", [held_out.of_bias, of_history], ids=["bias", "history"])
def test_what_is_predicted_of_a_session_does_not_depend_on_its_last_choice(predict):
    trials = sessions(1, 4, missed=0.0)
    turned = trials.choice.copy()
    turned[0, -1] = 1 - turned[0, -1]
    first, second = (predict(folds.split(each, 4)).prob for each in (trials, trials.assign(choice=turned)))
    np.testing.assert_allclose(first[0], second[0], atol=1e-12)
    assert not np.allclose(first[1], second[1], atol=1e-12)


def test_the_history_regression_is_a_ridge_regression_of_the_other_folds():
    trials = sessions(1, 3, missed=0.0)
    held = folds.split(trials, 3)
    prob = of_history(held, n_lags=(2,)).prob.isel(arm=1).values
    side = 2.0 * trials.choice.values - 1
    past = np.stack([side * trials.reward.values, side], -1)
    first, second = (np.concatenate([np.zeros((3, k, 2)), past[:, :-k]], 1) for k in (1, 2))
    x = np.concatenate([np.ones((3, 40, 1)), first, second], -1)
    train, y = x[1:].reshape(-1, 5), trials.choice.values[1:].ravel()

    def loss(w):
        z = train @ w
        return np.logaddexp(0, z).sum() - y @ z + 0.5 * (w[1:] ** 2).sum() + 5e-4 * w[0] ** 2

    np.testing.assert_allclose(prob[0], expit(x[0] @ minimize(loss, np.zeros(5), tol=1e-10).x), atol=1e-4)


def test_lags_are_chosen_without_the_fold_that_is_predicted():
    rng = np.random.default_rng(0)
    choice = rng.integers(0, 2, (6, 200))
    choice[:, 2:] = np.where(rng.random((6, 198)) < 0.9, choice[:, :-2], 1 - choice[:, :-2])
    for t in range(2, 200):
        choice[:, t] = np.where(rng.random(6) < 0.9, choice[:, t - 2], 1 - choice[:, t - 2])
    paid = rng.integers(0, 2, (6, 200)).astype(float)
    trials = xr.Dataset({"choice": (("episode", "trial"), choice), "reward": (("episode", "trial"), paid)})
    assert min(of_history(folds.split(trials, 3)).prob.attrs["n_lags"]) >= 2


@pytest.mark.parametrize(
    ("change", "how", "told"),
    [
        (lambda x: x, {"n_folds": 5}, "3 subjects have fewer sessions than the 5 folds .m0: 4"),
        (lambda x: x, {"n_folds": 1}, "n_folds is 1; it must be 2 or more"),
        (lambda x: x, {"unseen": "subject", "n_folds": 4}, "There are 3 subjects, too few for 4 folds of subjects"),
        (lambda x: x.drop_vars("subject"), {"unseen": "subject"}, "There is 1 subject, too few"),
        (lambda x: x, {"cluster": "day"}, "'day' is no coordinate over episode"),
        (lambda x: x.assign(cue=x.choice), {}, "each choice answers a cue"),
        (lambda x: x.expand_dims(agent=2), {}, "The choices span 'agent'; select one"),
    ],
)
def test_what_cannot_be_held_out_is_refused_in_a_sentence(change, how, told):
    with pytest.raises(InputError, match=told):
        folds.split(change(sessions()), **how)


def test_an_agent_is_predicted_best_by_its_own_policy():
    trials = sessions(1, 4)
    logits = xr.DataArray(
        np.random.default_rng(0).normal(size=(4, 40, 1, 3)), dims=("episode", "trial", "step", "option")
    )
    logits = logits.assign_coords(step=["choose"])
    assert held_out.own_policy(trials.assign(logits=logits)) is None  # of which step is not said
    two = trials.assign(logits=logits.isel(option=slice(2))).assign_attrs(choice_step="choose")
    prob = held_out.own_policy(two)
    np.testing.assert_allclose(np.log(prob[..., 1] / prob[..., 0]), logits[:, :, 0, 1] - logits[:, :, 0, 0])
