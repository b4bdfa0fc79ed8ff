"""Tabular Markov decision processes: drawn as published, logged once an episode, and what is shown of them."""

import numpy as np
import pytest
import torch
from scipy import stats

from neurometa import dataset, rollout
from neurometa.agents import RandomChoice
from neurometa.tasks import TabularMDP


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def play(task, n_episodes, seed=0, **how):
    played = rollout.unroll(task, RandomChoice(task.n_actions), n_episodes, generator(seed))
    return rollout.to_dataset(task, played, **how)


def test_a_process_is_drawn_once_an_episode_with_the_published_distributions():
    trials = play(TabularMDP(1), 400)
    prob, mean = trials.transition_prob.values, trials.mean_reward.values
    assert prob.shape == (400, 10, 5, 10) and mean.shape == (400, 10, 5)
    assert prob.sum(-1) == pytest.approx(1, abs=1e-5) and (prob >= 0).all()
    assert stats.kstest(prob[..., 3].ravel()[::7], stats.beta(1, 9).cdf).pvalue > 1e-4
    assert stats.kstest(mean.ravel()[::5], stats.norm(1, 1).cdf).pvalue > 1e-4


def test_payments_have_unit_noise_and_moves_the_probabilities_of_the_process():
    task = TabularMDP(20, n_states=3, n_actions=2, horizon=6)
    trials = play(task, 2000)
    paid = trials.step_reward - trials.mean_reward.isel(state=trials.visited_state, option=trials.action)
    assert stats.kstest(paid.values.ravel()[::9], stats.norm.cdf).pvalue > 1e-4
    now, after = trials.visited_state.values[..., :-1], trials.visited_state.values[..., 1:]
    expected = trials.transition_prob.isel(state=trials.visited_state, option=trials.action).values[..., :-1, :]
    surplus = (np.eye(3)[after] - expected).reshape(-1, 3)
    assert np.abs(surplus.mean(0)).max() < 4 / len(surplus) ** 0.5
    assert np.abs((surplus * expected.reshape(-1, 3)).mean(0)).max() < 4 / len(surplus) ** 0.5
    assert (trials.visited_state.isel(step=0) == 0).all() and now.max() == 2


def test_what_is_shown_is_the_state_and_whether_a_trial_has_just_ended():
    task = TabularMDP(3, n_states=4, n_actions=2, horizon=5)
    trials = play(task, 50, observation=True)
    shown = trials.observation.values
    assert (shown[..., :4].argmax(-1) == trials.visited_state.values).all() and (shown[..., :4].sum(-1) == 1).all()
    first = np.zeros((50, 3, 5))
    first[:, 1:, 0] = 1
    assert (shown[..., 4] == first).all()


def test_a_process_of_a_batch_is_logged_without_a_trial_and_read_again(tmp_path):
    task = TabularMDP(3, n_states=4, n_actions=2, horizon=5)
    played = rollout.unroll(task, RandomChoice(2), 6, generator())
    trials = rollout.to_dataset(task, played, observation=True)
    assert trials.transition_prob.dims == ("episode", "state", "option", "next_state") and "choice" not in trials
    assert trials.visited_state.dims == ("episode", "trial", "step") and list(trials.step.values) == list("12345")
    dataset.save_run(trials, tmp_path)
    again = rollout.from_dataset(task, dataset.open_run(tmp_path))
    assert all(again[name].equal(played[name]) for name in again.keys() - {"value"})
    parts = list(rollout.segments(task, RandomChoice(2), 6, generator(), length=4))
    assert [len(part.action) for part in parts] == [4, 4, 4, 3]
    assert all(part.latents["mean_reward"].equal(played["mean_reward"]) for part in parts)
    both = rollout.play(task, RandomChoice(2), rollout.MOST_AT_ONCE + 1, generator())
    assert both.mean_reward.dims == ("episode", "state", "option") and both.sizes["episode"] == 4097
