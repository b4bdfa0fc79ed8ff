"""The gridworld: its rules, what is optimal in it, and what can be known of its goal."""

import itertools

import numpy as np
import pytest
import torch

from neurometa import agents, baselines, rollout
from neurometa.errors import InputError
from neurometa.exact import gridworld as exact
from neurometa.tasks import Gridworld
from tests import test_tasks as laws

LAWS = [
    laws.test_a_seed_fixes_the_data,
    laws.test_a_step_is_a_pure_function,
    laws.test_every_task_makes_its_tensors_where_the_random_numbers_are,
    laws.test_the_test_of_a_task_is_a_task_of_the_same_size,
]


def play(agent, n_episodes=1000, seed=0, log=(), **settings):
    rng = torch.Generator().manual_seed(seed)
    return rollout.play(Gridworld(**settings), agent, n_episodes, rng, log=log)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_task_keeps_the_laws_of_all_tasks(law):
    law(Gridworld(7))


def test_a_step_goes_to_a_neighbour_and_pays_one_on_the_goal_and_costs_a_tenth_elsewhere():
    trials = play(agents.RandomChoice(5), 300)
    before = trials.reached_cell.shift(step=1, fill_value=0)
    rows, columns = (f(trials.reached_cell.values, 5).astype(int) for f in (np.floor_divide, np.mod))
    was_row, was_column = (f(before.values, 5).astype(int) for f in (np.floor_divide, np.mod))
    moves = np.array(exact.MOVES)[trials.action.values]
    assert (rows == np.clip(was_row + moves[..., 0], 0, 4)).all()
    assert (columns == np.clip(was_column + moves[..., 1], 0, 4)).all()
    on_goal = (trials.reached_cell == trials.goal_cell).transpose(*trials.step_reward.dims)
    np.testing.assert_allclose(trials.step_reward, np.where(on_goal, 1, -0.1), atol=1e-7)
    assert on_goal.any() and "choice" not in trials


def test_goals_lie_beyond_a_kings_move_and_all_alike_or_within_it_for_tests_of_transfer():
    goals, counts = np.unique(play(agents.RandomChoice(5), 2100).goal_cell.isel(trial=0), return_counts=True)
    assert set(goals) == set(range(25)) - {0, 1, 5, 6} and laws.evenly(counts)
    assert set(play(agents.RandomChoice(5), 50, goals="near").goal_cell.values.ravel()) == {1, 5, 6}


def test_a_known_goal_is_worth_the_steps_that_are_left():
    worth = {d: exact.known_goal(d) for d in range(2, 9)}
    assert worth == pytest.approx({2: 13.9, 3: 12.8, 4: 11.7, 5: 10.6, 6: 9.5, 7: 8.4, 8: 7.3})
    assert exact.known_goal() == pytest.approx(11.0714, abs=1e-4)


def test_the_sweep_attains_the_bounds_of_both_trials():
    """At best goal k of 14 is met on step k + 1: 84 / 21; and then each as soon as if it were known."""
    bound = (sum(16 - s - 0.1 * (s - 1) for s in range(2, 16)) - 7 * 1.5) / 21
    np.testing.assert_allclose(exact.bayes_optimal(4), [bound, *[exact.known_goal()] * 3])
    assert bound == pytest.approx(4.0)
    first, second = exact.sweep()
    for walk in (first, second):
        assert all(after in exact.AFTER[before] for before, after in itertools.pairwise((0, *walk)))


def test_the_bayes_optimal_agent_earns_what_the_sweep_does_on_every_goal():
    trials = play(agents.SweepingGridworld(), 600)
    by_goal = trials.reward.groupby(trials.goal_cell.isel(trial=0)).mean("episode").mean("goal_cell")
    np.testing.assert_allclose(by_goal, exact.bayes_optimal(), atol=1e-5)


def test_a_random_walk_earns_what_the_chain_of_its_cells_says():
    earned = play(agents.RandomChoice(5), 4000).reward.values.astype(float)
    assert abs(earned.mean() - exact.random_walk()) < 4 * earned.mean(1).std() / 4000**0.5


def test_posterior_sampling_plays_as_it_is_simulated():
    simulated = exact.posterior_sampling(8)
    played = play(agents.GridworldSampling(), 2000, n_trials=8).reward
    error = (simulated.se**2 + played.var("episode").values / 2000) ** 0.5
    assert (abs(played.mean("episode").values - simulated["mean"]) < 4 * error).all()
    reference = [0.47, 2.22, 3.74, 5.13, 6.27, 7.34, 8.27, 9.09]  # another's simulation, +- .05
    np.testing.assert_allclose(simulated["mean"], reference, atol=0.25)


def test_the_posterior_is_what_is_left_of_all_goals_when_every_history_is_counted():
    trials = play(agents.RandomChoice(5), 40, seed=3)
    position, reward = (trials[x].values.reshape(40, -1) for x in ("reached_cell", "step_reward"))
    found = exact.posterior(position, reward)
    for episode, time in itertools.product(range(40), range(0, 60, 7)):
        fits = []
        for goal in exact.FAR:  # what would have been paid if the goal had been there
            would = np.where(position[episode, : time + 1] == goal, 1, -0.1)
            fits.append(np.allclose(would, reward[episode, : time + 1]))
        expected = np.zeros(25)
        expected[exact.FAR] = np.array(fits) / sum(fits)
        np.testing.assert_allclose(found[episode, time], expected, atol=1e-12)


@pytest.mark.parametrize("agent", [agents.SweepingGridworld(), agents.GridworldSampling()])
def test_observers_hold_the_exact_posterior_of_what_is_over(agent):
    trials = play(agent, 50, log=("belief",))
    position, reward = (trials[x].values.reshape(50, -1) for x in ("reached_cell", "step_reward"))
    belief = trials.belief.values.reshape(50, 60, 25)
    np.testing.assert_allclose(belief[:, 1:], exact.posterior(position, reward)[:, :-1], atol=1e-5)


def test_the_value_of_an_observer_is_what_it_earns_at_the_next_step_on_average():
    trials = play(agents.GridworldSampling(), 1000)
    off = (trials.step_reward - trials.value).values.reshape(1000, -1)
    assert abs(off.mean()) < 4 * off.mean(1).std() / 1000**0.5


def test_baselines_are_played_by_their_rewards_in_the_same_worlds():
    played = baselines.play(Gridworld(), baselines.baselines(Gridworld()), n_episodes=50)
    assert list(played.learner.values) == ["Bayes-optimal", "posterior sampling", "random"]
    mean = played.reward.sum("trial").mean("episode")
    assert mean[0] > mean[1] > mean[2]
    assert "Bayes-optimal" not in baselines.baselines(Gridworld(goals="near"))


def test_bad_input_is_told_in_a_sentence():
    with pytest.raises(InputError, match="goals is 'farr'; allowed are"):
        Gridworld(goals="farr")
    with pytest.raises(InputError, match="n_trials is 0"):
        Gridworld(0)
    with pytest.raises(InputError, match="n_trials is 0"):
        exact.posterior_sampling(0)
    with pytest.raises(InputError, match="distance is 1; goals lie 2 to 8 steps"):
        exact.known_goal(1)
    with pytest.raises(InputError, match="fit no goal"):
        exact.posterior(np.array([7, 8]), np.array([1.0, 1.0]))
