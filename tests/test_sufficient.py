"""What an ideal learner knows, against brute force; and how far a policy is from the optimal one."""

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from neurometa import agents, dataset, exact, tasks
from neurometa.behaviour import counts, log_odds, policy_divergence, posterior_mean, targets
from neurometa.errors import InputError
from neurometa.rollout import to_dataset, unroll

TASKS = {
    "independent": (tasks.IndependentBandit(n_trials=25), exact.bandit.independent()),
    "anticorrelated": (tasks.DependentBandit(n_trials=25), exact.bandit.anticorrelated()),
    "easy": (tasks.DependentBandit(n_trials=25, difficulty="easy"), exact.bandit.anticorrelated(0.9)),
}


def made(choice, reward, **attrs):
    grain = ("episode", "trial")
    return xr.Dataset(
        {"choice": (grain, np.array(choice), {"n_options": 2}), "reward": (grain, np.array(reward, float))}, attrs=attrs
    )


def played(task, agent, n_episodes=200, seed=0):
    return to_dataset(task, unroll(task, agent, n_episodes, torch.Generator().manual_seed(seed)))


histories = st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 1)), min_size=1, max_size=12)


def test_counts_before_a_choice_leave_it_out_and_those_after_hold_it():
    trials = made([[0, 1, 0, 0]], [[1, 0, 0, 1]])
    before, after = counts(trials), counts(trials, when="after")
    assert before.wins.isel(arm=0).values.tolist() == [[0, 1, 1, 1]]
    assert before.losses.isel(arm=0).values.tolist() == [[0, 0, 0, 1]]
    assert before.losses.isel(arm=1).values.tolist() == [[0, 0, 1, 1]]
    assert after.wins.isel(arm=0).values.tolist() == [[1, 1, 1, 2]]
    assert after.wins.dims == ("episode", "trial", "arm")


def test_missed_and_padded_trials_count_for_nothing():
    trials = made([[0, -1, 1, 1]], [[1, np.nan, 1, 1]]).assign(
        valid=(("episode", "trial"), [[True, True, True, False]])
    )
    after = counts(trials, when="after")
    assert after.wins.isel(trial=-1).values.tolist() == [[1, 1]]
    assert after.losses.sum() == 0


@given(histories)
def test_posterior_means_are_those_of_brute_force(history):
    choice, reward = (np.array([list(x)]) for x in zip(*history, strict=True))
    trials = made(choice, reward)
    p = (np.arange(2000) + 0.5) / 2000
    fresh, mirrored, two = np.ones((2, p.size)), np.ones(p.size), np.array([1.0, 1.0])
    for arm, won in history:
        if arm >= 0:
            fresh[arm] *= p if won else 1 - p
            mirrored *= p if (arm == 0) == won else 1 - p
            two *= np.array([0.9, 0.1]) if (arm == 0) == won else np.array([0.1, 0.9])
    at = {"episode": 0, "trial": -1}
    mean = posterior_mean(trials, when="after").isel(at)
    np.testing.assert_allclose(mean, (fresh * p).sum(1) / fresh.sum(1), atol=1e-5)
    mean = posterior_mean(trials, world="anticorrelated", when="after").isel(at)
    np.testing.assert_allclose(mean[0], (mirrored * p).sum() / mirrored.sum(), atol=1e-5)
    mean = posterior_mean(trials, world="anticorrelated", prob=0.9, when="after").isel(at)
    np.testing.assert_allclose(mean, [(two @ [0.9, 0.1]) / two.sum(), (two @ [0.1, 0.9]) / two.sum()], atol=1e-9)
    odds = log_odds(trials, world="anticorrelated", prob=0.9, when="after").isel(at)
    assert odds == pytest.approx(np.log(two[0] / two[1]), abs=1e-9)
    odds = log_odds(trials, world="anticorrelated", when="after").isel(at)
    assert odds == pytest.approx(np.log(mirrored[1000:].sum() / mirrored[:1000].sum()), abs=1e-4)


@pytest.mark.parametrize("cell", [(0, 0, 0, 0), (3, 1, 2, 2), (0, 7, 5, 0), (10, 2, 1, 9)])
def test_the_log_odds_of_independent_arms_are_those_of_the_integral(cell):
    wins0, losses0, wins1, losses1 = cell
    choice = [0] * (wins0 + losses0) + [1] * (wins1 + losses1) + [0]
    reward = [1] * wins0 + [0] * losses0 + [1] * wins1 + [0] * losses1 + [0]
    odds = log_odds(made([choice], [reward])).isel(episode=0, trial=-1)
    first, second = stats.beta(wins0 + 1, losses0 + 1), stats.beta(wins1 + 1, losses1 + 1)
    better = integrate.quad(lambda p: first.pdf(p) * second.cdf(p), 0, 1, epsabs=1e-12)[0]
    worse = integrate.quad(lambda p: first.cdf(p) * second.pdf(p), 0, 1, epsabs=1e-12)[0]
    assert odds == pytest.approx(np.log(better / worse), abs=1e-6)


def test_log_odds_stay_finite_where_hardly_a_doubt_is_left():
    odds = log_odds(made([[0] * 100 + [1] * 100], [[1] * 100 + [0] * 100]), when="after").isel(episode=0)
    assert np.isfinite(odds).all()
    assert odds[-1] > 100


@given(histories)
def test_exchanging_the_arms_turns_the_log_odds_round(history):
    choice, reward = (np.array([list(x)]) for x in zip(*history, strict=True))
    exchanged = np.where(choice >= 0, 1 - choice, -1)
    for about in ({}, {"world": "anticorrelated"}, {"world": "anticorrelated", "prob": 0.75}):
        np.testing.assert_allclose(
            log_odds(made(choice, reward), **about), -log_odds(made(exchanged, reward), **about), atol=1e-9
        )


@pytest.mark.parametrize("name", TASKS)
def test_the_optimal_agent_is_at_no_distance_from_the_optimal_policy(name):
    task, prior = TASKS[name]
    policy, _ = exact.bandit.bayes_optimal(prior, 25)
    found = policy_divergence(played(task, agents.TablePolicy(policy)), policy)
    assert (found.total_variation == 0).all()
    assert (found.kl == 0).all()
    assert (found.n_episodes, found.total_variation_mean) == (200, 0)


def test_ties_may_be_broken_either_way():
    policy, _ = exact.bandit.bayes_optimal(exact.bandit.independent(), 25)
    left = [np.where(table == 0.5, 1.0, table) for table in policy]
    trials = played(TASKS["independent"][0], agents.TablePolicy(left))
    assert (policy_divergence(trials, policy).total_variation == 0).all()
    strict = policy_divergence(trials, policy, ties="half")
    assert strict.total_variation.isel(trial=0).values.tolist() == [0.5] * 200
    assert np.isinf(strict.kl.isel(trial=0)).all()


def test_a_uniform_policy_is_half_away_from_every_sure_choice():
    policy, _ = exact.bandit.bayes_optimal(exact.bandit.independent(), 25)
    found = policy_divergence(played(TASKS["independent"][0], agents.RandomChoice()), policy)
    sure = ~found.tie
    np.testing.assert_allclose(found.total_variation, xr.where(sure, 0.5, 0))
    np.testing.assert_allclose(found.kl, xr.where(sure, np.log(2), 0), atol=1e-12)
    each = found.total_variation.mean("trial")
    assert found.total_variation_mean == pytest.approx(float(each.mean()))
    reach = stats.t.ppf(0.975, 199) * each.std(ddof=1) / 200**0.5
    assert found.total_variation_upper == pytest.approx(float(each.mean() + reach))


def test_a_divergence_worked_out_by_hand():
    policy, _ = exact.bandit.bayes_optimal(exact.bandit.independent(), 2)
    trials = made([[0, 0], [1, 1]], [[1, 1], [1, 0]])
    logits = np.log(np.array([[[0.5, 0.5], [0.8, 0.2]], [[0.5, 0.5], [0.4, 0.6]]]))
    found = policy_divergence(trials.assign(logits=(("episode", "trial", "option"), logits)), policy)
    np.testing.assert_allclose(found.total_variation, [[0, 0.2], [0, 0.4]], atol=1e-12)
    np.testing.assert_allclose(found.kl, [[0, -np.log(0.8)], [0, -np.log(0.6)]], atol=1e-12)
    assert found.total_variation_mean == pytest.approx(0.15)


def test_a_missed_trial_has_no_divergence_and_leaves_the_counts_alone():
    policy, _ = exact.bandit.bayes_optimal(exact.bandit.independent(), 2)
    trials = made([[0, -1, 0]], [[1, np.nan, 1]])
    logits = np.log(np.full((1, 3, 2), [0.8, 0.2]))
    found = policy_divergence(trials.assign(logits=(("episode", "trial", "option"), logits)), policy)
    np.testing.assert_allclose(found.total_variation, [[0, np.nan, 0.2]], atol=1e-12)


def test_targets_are_those_of_the_runs_own_task():
    trials = played(TASKS["easy"][0], agents.RandomChoice(), n_episodes=5)
    trials.attrs["task"] = '{"type": "DependentBandit", "n_trials": 25, "n_arms": 2, "difficulty": "easy"}'
    found = targets(trials, ("posterior-mean", "log-odds", "reward-prob"))
    expected = posterior_mean(trials, world="anticorrelated", prob=0.9)
    np.testing.assert_allclose(found.sel(target="posterior mean of arm 1"), expected.isel(arm=1))
    np.testing.assert_allclose(found.sel(target="reward prob of arm 0"), trials.reward_prob.isel(arm=0))
    assert list(targets(trials, ["choice"]).values.ravel()) == [str(each) for each in trials.choice.values.ravel()]


def test_of_more_than_two_arms_the_statistics_of_each_arm_are_the_default():
    choice = xr.DataArray([[0, 4, 2]], dims=("episode", "trial"), attrs={"n_options": 5})
    trials = xr.Dataset({"choice": choice, "reward": (("episode", "trial"), [[1, 0, 1]])})
    trials.attrs["task"] = '{"type": "tasks.IndependentBandit", "n_trials": 3, "n_arms": 5}'
    found = targets(trials)
    assert found.sizes["target"] == 15 and not any("odds" in name for name in found.target.values)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: counts(t, when="during"), "when is 'during'"),
        (lambda t: counts(t.assign(reward=2 * t.reward - 1)), "wins and losses need rewards of 0 and 1"),
        (lambda t: counts(t.drop_vars("reward")), "no variable 'reward'"),
        (lambda t: posterior_mean(t, world="mine"), "world is 'mine'"),
        (lambda t: posterior_mean(t, prob=0.9), "independent arms have a uniform prior"),
        (lambda t: posterior_mean(t, world="anticorrelated", prob=1.0), "prob is 1.0"),
        (lambda t: log_odds(t.assign(choice=t.choice.assign_attrs(n_options=3))), "There are 3 arms"),
        (lambda t: policy_divergence(t, exact.bandit.thompson(2)), "no variable 'logits'"),
        (lambda t: targets(t), "known for independent"),
        (lambda t: targets(t, ["pupil"]), "There is no target 'pupil'"),
    ],
)
def test_bad_input_is_told_in_a_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call(dataset.example(n_episodes=3))


def test_a_policy_that_ends_before_the_episode_is_refused():
    trials = played(TASKS["independent"][0], agents.RandomChoice(), n_episodes=3)
    with pytest.raises(InputError, match="has 24 trials, but 25 were played"):
        policy_divergence(trials, exact.bandit.thompson(24))
