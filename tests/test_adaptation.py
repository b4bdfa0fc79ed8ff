"""Reward within an episode: against who knows its world, charged with every step lived."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import behaviour, dataset, plotting
from neurometa.agents import Belief, GridworldSampling, RandomChoice, SweepingGridworld
from neurometa.errors import InputError
from neurometa.exact import half_circle
from neurometa.exact.gridworld import known_goal
from neurometa.rollout import play
from neurometa.tasks import Gridworld, HalfCircle, TabularMDP


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bandit(prob, reward):
    grain = ("episode", "trial")
    return xr.Dataset({"reward": (grain, reward), "reward_prob": ((*grain, "arm"), prob)})


def test_of_a_bandit_the_area_is_what_the_best_arm_would_have_paid_more():
    rng = np.random.default_rng(0)
    prob = np.repeat(rng.random((50, 1, 3)), 8, 1)
    reward = (rng.random((50, 8)) < 0.5).astype(float)
    found = behaviour.adaptation(bandit(prob, reward))
    given_up = (prob.max(-1) - reward).sum(1)
    assert float(found.area) == pytest.approx(given_up.mean()) and int(found.n) == 50
    reach = 2.0096 * given_up.std(ddof=1) / 50**0.5  # Student's t with 49 degrees of freedom
    assert found.area_interval.values == pytest.approx([given_up.mean() - reach, given_up.mean() + reach], abs=1e-3)
    assert found.reward.values == pytest.approx(reward.mean(0)) and found.steps_lived.values.tolist() == [*range(1, 9)]
    assert found.optimum.values == pytest.approx(prob.max(-1).mean(0))


def test_the_bayes_optimal_agent_of_the_gridworld_is_at_the_optimum_from_the_second_trial():
    found = behaviour.adaptation(play(Gridworld(3), SweepingGridworld(), 400, generator()))
    assert found.reward[1:].values == pytest.approx(found.optimum[1:].values, abs=1e-4)
    assert float(found.area) == pytest.approx(float(found.optimum[0] - found.reward[0]), abs=1e-3)
    assert float(found.optimum[0]) == pytest.approx(known_goal(), abs=0.4)
    assert found.steps_lived.values.tolist() == [15, 30, 45]


def test_the_optimum_of_a_tabular_process_is_that_of_who_knows_it():
    trials = play(TabularMDP(2, n_states=3, n_actions=2, horizon=4), RandomChoice(2), 300, generator())
    found = behaviour.adaptation(trials)
    assert float(found.area) > 0 and found.optimum.values == pytest.approx([float(found.optimum[0])] * 2)


def test_on_the_half_circle_nobody_earns_more_than_who_knows_the_goal():
    trials = play(
        HalfCircle(2, radius=0.8), Belief(n_queries=127).build((2,), 0, 40, discount=0.9, n_axes=2), 300, generator()
    )
    told = json.dumps({"type": "tasks.HalfCircle", "radius": 0.8})
    found = behaviour.adaptation(trials.assign_attrs(task=told))
    assert found.optimum.values == pytest.approx([half_circle.known_goal(0.8)] * 2, abs=0.1)
    assert float(found.area) > 0 and found.steps_lived.values.tolist() == [20, 40]


def test_what_is_optimal_must_be_known():
    trials = bandit(np.full((4, 5, 2), 0.5), np.zeros((4, 5)))
    with pytest.raises(InputError, match="Nothing says what is optimal in these trials; adaptation is of bandits"):
        behaviour.adaptation(trials.drop_vars("reward_prob"))
    with pytest.raises(InputError, match="Nothing says what is optimal"):
        behaviour.adaptation(trials.assign(magnitude=trials.reward_prob))
    with pytest.raises(InputError, match="no variable 'reward'"):
        behaviour.adaptation(trials.drop_vars("reward"))


def test_the_command_sets_agents_of_every_kind_side_by_side(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, agent in {"bayes": SweepingGridworld(), "sampling": GridworldSampling()}.items():
        dataset.save_run(play(Gridworld(3), agent, 100, generator()), f"{name}.nc")
    files = ["bayes.nc", "sampling.nc"]
    code, out, err = neurometa("adaptation", *files, "--json")
    assert code == 0, err
    told = json.loads(out)["runs"]
    assert told[0]["area"] < told[1]["area"] and told[0]["steps_lived"] == [15, 30, 45]
    assert dataset.read(told[1]["file"]).area == pytest.approx(told[1]["area"])
    _, shown, _ = neurometa("adaptation", *files)
    assert "Adaptation" in shown and "45" in shown


def test_the_curve_is_drawn_against_steps_with_the_optimum():
    plt = pytest.importorskip("matplotlib.pyplot")
    found = behaviour.adaptation(bandit(np.full((9, 5, 2), 0.5), np.eye(9)[:, :5]))
    _, ax = plt.subplots()
    plotting.adaptation_curve(ax, found, label="mine")
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5] and ax.lines[1].get_ydata().tolist() == [0.5] * 5
    assert ax.get_xlabel() == "environment steps lived"
    plt.close("all")
