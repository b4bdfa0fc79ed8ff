"""Latencies with their censored trials, values ahead of the goal, and places read from activity."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr

from neurometa import analysis, behaviour, neural, plotting, rollout
from neurometa.agents import LSTM, RandomChoice
from neurometa.errors import InputError
from neurometa.tasks import IMaze, Maze


def table(latency, censored=None, valid=None):
    grain = ("episode", "trial")
    latency = np.asarray(latency)
    censored = np.zeros(latency.shape, bool) if censored is None else np.asarray(censored)
    valid = latency > 0 if valid is None else valid
    return xr.Dataset({"latency": (grain, latency), "censored": (grain, censored), "valid": (grain, valid)})


def test_without_censoring_the_mean_latency_is_the_mean():
    rng = np.random.default_rng(0)
    latency = rng.integers(1, 90, (60, 3))
    found = behaviour.latencies(table(latency), n_bootstrap=500)
    np.testing.assert_allclose(found.latency, latency.mean(0), rtol=1e-5)
    assert float(found.later) == pytest.approx(latency[:, 1:].mean(), rel=1e-5)
    assert float(found.ratio) == pytest.approx(latency[:, 1:].mean() / latency[:, 0].mean(), rel=1e-5)
    assert float(found.improved) == pytest.approx((latency[:, 1] <= latency[:, 0]).mean())
    assert (found.success == 1).all() and found.n.values.tolist() == [60, 60, 60]
    half = (found.latency_interval.sel(bound="upper") - found.latency_interval.sel(bound="lower")) / 2
    np.testing.assert_allclose(half, 1.96 * latency.std(0) / 60**0.5, rtol=0.15)


def test_trials_that_are_broken_off_are_neither_left_out_nor_taken_for_finished():
    rng = np.random.default_rng(1)
    true = rng.geometric(1 / 40, (4000, 2))
    cut = rng.integers(1, 90, true.shape)  # broken off at a moment that has nothing to do with the trial
    longest = np.minimum(true, 80).mean(0)  # of what can be known: the mean up to 80 steps
    cut = np.minimum(cut, 80)
    seen = table(np.minimum(true, cut), true > cut)
    found = behaviour.latencies(seen, n_bootstrap=50)
    np.testing.assert_allclose(found.latency, longest, rtol=0.05)
    reached = seen.latency.where(~seen.censored).mean("episode")
    assert (reached < 0.75 * longest).all(), "those that reached the goal are the quick ones"


def test_a_second_trial_that_is_broken_off_is_no_improvement_and_one_that_never_began_does_not_count():
    broken_off = np.array([[0, 0], [0, 1], [0, 0], [0, 0]], bool)
    found = behaviour.latencies(table([[50, 10], [50, 10], [50, 60], [50, 0]], broken_off))
    assert float(found.improved) == 0.25 and found.n.values.tolist() == [4, 3]
    assert found.success.values.tolist() == pytest.approx([1, 2 / 3])


@pytest.mark.parametrize(
    ("trials", "how", "told"),
    [
        (table([[3], [4]]), {}, "one trial each"),
        (table([[3, 4]]), {"level": 1.0}, "level is 1.0"),
        (table([[3, 4]]).drop_vars("censored"), {}, "no variable 'censored'"),
    ],
)
def test_latencies_of_what_has_none_are_refused(trials, how, told):
    with pytest.raises(InputError, match=told):
        behaviour.latencies(trials, **how)


def test_the_value_is_taken_from_the_step_at_which_the_goal_comes_into_view():
    n = 60
    time = np.arange(n)
    seen, index = np.zeros((2, n), bool), np.zeros((2, n), int)
    seen[:, 20:25], index[:, 25:], seen[:, 50] = True, 1, True
    value = np.stack([time.astype(float), 2.0 * time])
    grain = ("episode", "time")
    run = xr.Dataset(
        {
            "value": (grain, value),
            "goal_seen": (grain, seen),
            "trial_index": (grain, index),
            "valid_time": (grain, np.ones((2, n), bool)),
        }
    )
    found = behaviour.value_before_goal(run)
    assert (
        float(found.value.sel(visit="first", lag=0)) == 30.0 and float(found.value.sel(visit="later", lag=-3)) == 70.5
    )
    assert int(found.n.sel(visit="first", lag=-21)) == 0 and int(found.n.sel(visit="later", lag=-25)) == 2
    assert found.rise.values.tolist() == [21.0, 21.0] and found.rise_n.values.tolist() == [2, 2]


@pytest.fixture(scope="module")
def wandered():
    task = IMaze(n_steps=120, turn=45.0, view="vector")
    return rollout.play(task, RandomChoice(3), 60, torch.Generator().manual_seed(0))


def test_what_activity_holds_of_the_place_is_read_and_what_it_does_not_is_not(wandered):
    rng = np.random.default_rng(0)
    mixed = wandered.position @ xr.DataArray(rng.normal(size=(2, 6)), dims=("axis", "unit"))
    run = wandered.assign(hidden=mixed + 0.1 * rng.normal(size=mixed.shape))
    found = neural.places(run, every=8)
    assert (found.r_squared.sel(target=["x", "y"]) > 0.9).all()
    assert float(found.r_squared.sel(target="goal x, before")) < 0.2
    for wrong, told in ((wandered, "no 'hidden'"), (run, "every is 0")):
        with pytest.raises(InputError, match=told):
            neural.places(wrong, every=0 if wrong is run else 5)


def test_every_analysis_of_mazes_is_worked_out_and_drawn():
    task = Maze(horizon=40, view="vector")
    agent = LSTM(4).build(task.observation_shape, 3, task.n_steps, discount=0.9)
    run = rollout.play(task, agent, 40, torch.Generator().manual_seed(0), log=("hidden",))
    fig, axes = plt.subplots(1, 4)
    for ax, one in zip(axes, (analysis.mazes.LATENCY, analysis.mazes.GOAL_VALUE, analysis.mazes.PLACES), strict=False):
        found = one.compute(run)
        assert one.drawing.draw(ax, found).endswith(".") and one.drawing.variable in found
    assert plotting.maze_path(axes[3], run.isel(episode=0), 1) is axes[3]
    plt.close(fig)
