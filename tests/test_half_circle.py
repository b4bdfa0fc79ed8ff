"""The sparse half-circle: what it pays, and what a known goal and posterior sampling earn."""

import math

import numpy as np
import pytest
import torch

from neurometa import rollout
from neurometa.agents import Agent, Output
from neurometa.errors import InputError
from neurometa.exact import half_circle as exact
from neurometa.tasks import HalfCircle


class Runner(Agent):
    """Runs straight to a given point, and stays."""

    def __init__(self, x, y):
        super().__init__()
        self.target = torch.tensor([x, y])

    def begin(self, n_episodes):
        return {}

    def forward(self, observation, action, reward, state):
        left = (self.target - observation) / exact.STEP_SIZE
        move = left / left.abs().amax(-1, keepdim=True).clamp(min=1)
        return Output(torch.cat([move, torch.full_like(move, -30.0)], -1), reward, state, {})


def test_a_run_earns_in_the_task_what_it_does_on_paper():
    rng = torch.Generator().manual_seed(0)
    trials = rollout.play(HalfCircle(2), Runner(math.cos(1.0), math.sin(1.0)), 200, rng)
    np.testing.assert_allclose(trials.place.isel(episode=0, trial=0), exact.runs(np.array(1.0)), atol=1e-5)
    expected = exact.paid(exact.runs(np.array(1.0))[:, None], trials.goal_angle.isel(trial=0).values).sum(0)
    np.testing.assert_allclose(trials.reward, np.stack([expected] * 2, -1), atol=1e-4)
    assert (trials.reward > 0).any() and (trials.reward == 0).any()
    angle = trials.goal_angle.isel(trial=0)
    assert float(angle.min()) > 0 and float(angle.max()) < math.pi


def test_a_step_tells_its_distance_to_the_goal_and_its_cell():
    trials = rollout.play(HalfCircle(2), Runner(2.0, 0.55), 20, torch.Generator().manual_seed(0))
    goal = np.stack([np.cos(trials.goal_angle), np.sin(trials.goal_angle)], -1)[:, :, None]
    away = np.linalg.norm(trials.place.values - goal, axis=-1)
    np.testing.assert_allclose(trials.dense_reward, -away, atol=1e-5)
    near = trials.step_reward > 0
    np.testing.assert_allclose(trials.step_reward.where(near), (1 + trials.dense_reward).where(near), atol=1e-6)
    cell = trials.reached_cell.isel(episode=0, trial=0).values
    column, row = cell % exact.N_COLUMNS, cell // exact.N_COLUMNS
    x, y = trials.place.isel(episode=0, trial=0).values.T
    inside = x < exact.LEFT + exact.CELL * exact.N_COLUMNS
    assert inside.any() and (cell[~inside] == exact.N_CELLS - 1).all() and not inside.all()
    for place, number, lowest in ((x, column, exact.LEFT), (y, row, exact.LOWEST)):
        offset = (place - lowest - exact.CELL * number)[inside]
        assert (offset > -1e-5).all() and (offset < exact.CELL + 1e-5).all()


def test_a_known_goal_and_posterior_sampling_earn_what_another_computed():
    assert exact.known_goal() == pytest.approx(13.21, abs=0.03)
    found = exact.posterior_sampling(12, n_lifetimes=1500)
    reference = [1.45, 2.97, 4.43, 6.01, 7.39, 8.67, 9.83, 10.87, 11.79, 12.47, 13.00, 13.18]
    assert (abs(found["mean"].values - reference) < 4 * found.se.values + 0.06).all()
    share = [0.13, 0.24, 0.35, 0.47, 0.57, 0.67, 0.75, 0.83, 0.90, 0.95, 0.99, 1]
    np.testing.assert_allclose(found.found, share, atol=0.04)


def test_a_wider_radius_is_found_sooner():
    assert exact.known_goal(0.8) == pytest.approx(15.87, abs=0.05)
    found = exact.posterior_sampling(4, radius=0.8, n_lifetimes=1500)
    assert (abs(found["mean"].values - [4.71, 11.68, 15.28, 15.86]) < 4 * found.se.values + 0.2).all()


def test_bad_input_is_told_in_a_sentence():
    with pytest.raises(InputError, match="radius is 0; it must be above 0"):
        HalfCircle(radius=0)
    with pytest.raises(InputError, match="n_trials is 0"):
        exact.posterior_sampling(0)
    with pytest.raises(InputError, match="n_trials is 0"):
        HalfCircle(0)
