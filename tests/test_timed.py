"""Trials that last as long as they take: the table of them, what happens within, and frames drawn again."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

from neurometa import dataset, rollout, timed
from neurometa.agents import LSTM, RandomChoice
from neurometa.errors import InputError
from neurometa.render import Camera
from neurometa.rollout import play, segments, unroll
from neurometa.streams import Streams
from neurometa.tasks import IMaze, Maze
from neurometa.tasks.base import declared

SMALL = Camera(6, 8)
TASKS = [
    Maze(horizon=30, turn=45.0, stride=0.5, camera=SMALL),
    Maze(horizon=40, turn=90.0, stride=0.5, view="vector", start="new", n_trials=3),
    IMaze(n_steps=60, turn=45.0, view="vector"),
    IMaze(n_steps=60, turn=45.0, goal="visit", camera=SMALL),
]
EVERY_TASK = pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{type(task).__name__} {task.view}")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def wander(task, n_episodes=40, seed=0, **how):
    return play(task, RandomChoice(task.n_actions), n_episodes, generator(seed), **how)


@EVERY_TASK
def test_every_timed_task_keeps_the_data_contract(task, tmp_path):
    run = wander(task)
    dataset.check(run)
    dataset.save_run(run, tmp_path)
    kept = dataset.open_run(tmp_path)
    xr.testing.assert_identical(kept.drop_attrs(), run.drop_attrs())
    assert kept.attrs["contract"] == 2
    assert "choice" not in run and run.action.dims == ("episode", "time")
    for name, latent in declared(task).items():
        name = {"valid": "valid_time"}.get(name, name)
        assert run[name].dims == ("episode", *latent.dims)
    assert all(run[name].attrs["long_name"] for name in run.data_vars)


@EVERY_TASK
def test_the_trials_of_an_episode_are_its_steps(task):
    run = wander(task)
    assert (run.latency.sum("trial") == run.valid_time.sum("time")).all()
    np.testing.assert_allclose(run.reward.sum("trial"), run.step_reward.where(run.valid_time, 0).sum("time"), rtol=1e-5)
    assert (run.valid == (run.latency > 0)).all() and not (run.censored & ~run.valid).any()
    ended = (run.event == task.events.index("goal")) & run.valid_time
    assert (ended.sum("time") == (run.valid & ~run.censored).sum("trial")).all() and ended.any() and run.censored.any()
    for episode in range(5):
        one = run.isel(episode=episode)
        for trial in np.flatnonzero(one.valid):
            steps = np.flatnonzero((one.trial_index == trial) & one.valid_time)
            assert steps[0] == one.onset[trial] and len(steps) == one.latency[trial] == steps[-1] - steps[0] + 1
            assert bool(one.censored[trial]) == (int(one.event[steps[-1]]) != task.events.index("goal"))
    assert (run.onset.where(run.valid, -1) == run.onset).all()


@EVERY_TASK
def test_what_was_seen_is_drawn_again_to_the_byte(task):
    played = unroll(task, RandomChoice(task.n_actions), 6, generator())
    run = rollout.to_dataset(task, played)
    for episode in (0, 5):
        n = int(run.valid_time[episode].sum())
        assert timed.frames(task, run, episode).equal(played["observation"][:n, episode])
    with pytest.raises(InputError, match="There is no episode 6; the run holds 0 to 5"):
        timed.frames(task, run, 6)


@EVERY_TASK
def test_segments_are_the_episode_and_stop_when_nobody_plays_on(task):
    agent = RandomChoice(task.n_actions)
    (whole,) = segments(task, agent, 7, generator())
    parts = list(segments(task, agent, 7, generator(), 11))
    for name in ("observation", "action", "reward", "valid"):
        assert torch.cat([getattr(part, name) for part in parts]).equal(getattr(whole, name))
    assert whole.valid.any(1).all()
    assert not whole.reward[~whole.valid].any()
    short = dataclasses.replace(task, n_trials=1)
    stopped = wander(short, 3, seed=3)
    assert stopped.sizes["time"] == int(stopped.latency.max())


@EVERY_TASK
def test_an_episode_is_the_same_whoever_is_played_beside(task):
    agent = RandomChoice(task.n_actions)
    alone = unroll(task, agent, Streams.rounded(3), Streams([generator(1)], 3))
    beside = unroll(task, agent, Streams.rounded(6), Streams([generator(0), generator(1)], 3))
    n = min(len(alone["action"]), len(beside["action"]))
    assert alone["action"][:n, :3].equal(beside["action"][:n, 3:6])
    assert alone["position"][:n, :3].equal(beside["position"][:n, 3:6])


def test_batches_of_unlike_length_are_padded_to_the_longest(monkeypatch):
    monkeypatch.setattr(rollout, "MOST_AT_ONCE", 2)
    task = dataclasses.replace(TASKS[1], n_trials=1)
    run = wander(task, 5)
    assert (
        run.sizes["time"] == int(run.latency.max()) and (run.latency.sum("trial") == run.valid_time.sum("time")).all()
    )
    assert run.action.dtype == np.int8 and run.valid_time.dtype == bool


def test_an_agent_logs_its_activity_over_time():
    task = TASKS[1]
    agent = LSTM(4, n_layers=2).build(task.observation_shape, 3, task.n_steps, discount=0.9)
    run = play(task, agent, 3, generator(), log=("hidden", "cell"))
    assert run.hidden.dims == run.cell.dims == ("episode", "time", "unit")
    assert run.logits.dims == ("episode", "time", "option")
    dataset.check(run)


def test_what_few_episodes_still_play_is_what_the_agent_answers_to_them():
    task = dataclasses.replace(TASKS[1], n_trials=1, horizon=400, stride=1.0)
    agent = LSTM(4).build(task.observation_shape, 3, task.n_steps, discount=0.9)
    (played,) = segments(task, agent, 20, generator())
    assert (2 * played.valid.sum(1) <= 20).sum() > 50
    again = agent.sequence(played, agent.begin(20))
    torch.testing.assert_close(played.logits[played.valid], again.logits[played.valid])
    torch.testing.assert_close(played.value[played.valid], again.value[played.valid])


def test_choices_are_told_from_events():
    event = np.array([[0, 2, 0, 1, 0, 0]])
    grain = ("episode", "time")
    run = xr.Dataset(
        {
            "event": (grain, event, {"flag_meanings": "nothing left right"}),
            "trial_index": (grain, [[0, 0, 1, 1, 2, 2]]),
            "valid_time": (grain, [[True] * 5 + [False]]),
            "step_reward": (grain, [[0.0, 1.0, 0.0, -1.0, 0.0, 5.0]]),
        }
    )
    table = timed.trial_table(run, 4, ends=("left", "right"), choices=("left", "right"))
    assert table.choice.values.tolist() == [[1, 0, -1, -1]]
    assert table.latency.values.tolist() == [[2, 2, 1, 0]] and table.onset.values.tolist() == [[0, 2, 4, -1]]
    assert table.censored.values.tolist() == [[False, False, True, False]]
    assert table.reward.values.tolist() == [[1.0, -1.0, 0.0, 0.0]]
    assert dataset.played(table).values.tolist() == [[True, True, False, False]]


def test_a_file_of_the_first_contract_is_still_read(tmp_path):
    dataset.save_run(dataset.example(n_episodes=2), tmp_path)
    assert dataset.open_run(tmp_path).attrs["contract"] == 1


def test_what_happens_within_trials_must_span_time_and_its_own_dims():
    run = wander(TASKS[1], 3)
    for name in ("trial_index", "event", "position", "heading", "action", "logits"):
        told = dataset.VARIABLES[name].dims[-1] if name in ("position", "logits") else "time"
        with pytest.raises(
            InputError,
            match=f"'{name}' spans .* but must also span .*'{'step' if told == 'time' and name == 'action' else told}'",
        ):
            dataset.check(run[[name]].rename({told: "elsewhere"}))
