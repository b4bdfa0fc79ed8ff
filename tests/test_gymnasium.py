"""Environments of gymnasium are tasks, and tasks are environments of gymnasium."""

import json
import re
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
import xarray as xr
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from neurometa import dataset, runs
from neurometa.agents import LSTM, LSTMAgent, RandomChoice
from neurometa.errors import InputError
from neurometa.rollout import to_dataset, unroll
from neurometa.settings import from_json, to_json
from neurometa.storage import read_lines
from neurometa.tasks import (
    DependentBandit,
    GymnasiumTask,
    IndependentBandit,
    InformativeBandit,
    RestlessBandit,
    Task,
    from_gymnasium,
    to_gymnasium,
)
from neurometa.training import GAE, a2c

TASKS = [IndependentBandit(n_trials=5), DependentBandit(n_trials=5), InformativeBandit(), RestlessBandit(n_trials=5)]


class Countdown(gymnasium.Env):
    """Ends after a number of steps drawn at the reset, which it shows; action 1 pays 1, and the start is 5."""

    observation_space = gymnasium.spaces.Discrete(9)
    action_space = gymnasium.spaces.Discrete(3, start=5)
    stepped_after_the_end = False

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = int(self.np_random.integers(1, 9))
        return self.left, {}

    def step(self, action):
        assert action in self.action_space
        Countdown.stepped_after_the_end |= self.left == 0
        self.left -= 1
        return max(self.left, 0), float(action == 6), self.left == 0, False, {}


def play(task, n_episodes=30, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return to_dataset(task, unroll(task, RandomChoice(task.n_actions), n_episodes, rng), observation=True)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_every_task_passes_the_check_of_gymnasium(task):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*infinity")  # that a Box has no bounds, which is so
        check_env(to_gymnasium(task), skip_render_check=True)


def test_an_episode_through_gymnasium_is_the_tasks_own():
    task = RestlessBandit(n_trials=20)
    env = to_gymnasium(task)
    env.reset(seed=3)
    rng = torch.Generator().set_state(env.rng.get_state())
    state = {name: x.clone() for name, x in env.state.items()}
    for trial in range(20):
        action = trial % 2
        _, reward, terminated, truncated, info = env.step(action)
        paid, state = task.step(state, torch.tensor([action]), "choice", rng)
        assert reward == paid.item() and not truncated and terminated == (trial == 19)
        assert np.array_equal(info["reward_prob"], state["reward_prob"][0])


def test_what_ends_early_is_padded_and_no_step_is_spent_on_a_reset():
    Countdown.stepped_after_the_end = False
    run = play(from_gymnasium(Countdown, n_trials=10))
    dataset.check(run)
    n_played = run.valid.sum("trial").values
    assert not Countdown.stepped_after_the_end and set(n_played) <= set(range(1, 9)) and len(set(n_played)) > 3
    assert (run.valid == (run.trial < run.valid.sum("trial"))).all()  # from the first trial on, without a gap
    assert ((run.choice >= 0) == run.valid).all()
    shown = run.observation.isel(step=0)
    assert (shown.isel(trial=0).argmax("feature") == n_played).all()  # one-hot, the number that it counts down from
    assert (shown.where(~run.valid) == 0).where(~run.valid, True).all()
    assert (run.reward == ((run.choice == 1) & run.valid)).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12))
def test_a_seed_fixes_the_data(seed, n_episodes):
    task = from_gymnasium("CartPole-v1", n_trials=12)
    xr.testing.assert_identical(play(task, n_episodes, seed), play(task, n_episodes, seed))


def test_a_batch_plays_as_the_environments_do_one_by_one():
    run = play(from_gymnasium("CartPole-v1", n_trials=60), n_episodes=4, seed=7)
    seeds = torch.randint(2**31 - 1, (4,), generator=torch.Generator().manual_seed(7)).tolist()
    for episode, seed in enumerate(seeds):
        env = gymnasium.make("CartPole-v1")
        seen, _ = env.reset(seed=seed)
        for trial in range(60):
            here = run.isel(episode=episode, trial=trial)
            np.testing.assert_array_equal(here.observation.squeeze("step"), seen)
            seen, reward, ended, _, _ = env.step(int(here.choice))
            assert here.reward == reward and here.valid
            if ended:
                break
        assert run.valid[episode].sum() == trial + 1


def test_an_earlier_batch_cannot_be_played_on():
    task, rng = from_gymnasium("CartPole-v1", n_trials=5), torch.Generator()
    state = task.begin(2, rng)
    task.begin(2, rng)
    with pytest.raises(InputError, match="Another batch"):
        task.step(state, torch.zeros(2, dtype=torch.long), "choice", rng)


def test_a_saved_run_of_an_environment_is_trained_resumed_and_opened(tmp_path):
    config = a2c.Config(from_gymnasium("CartPole-v1", n_trials=20), LSTM(8), n_updates=3, batch_size=4)
    assert from_json([Task, *Task.__subclasses__()], json.loads(json.dumps(to_json(config.task)))) == config.task
    agent = a2c.train(config, tmp_path)
    assert isinstance(agent, LSTMAgent) and agent.n_actions == 2
    rows = read_lines(tmp_path / "curve.jsonl")
    assert [row["update"] for row in rows] == [1, 2, 3] and all(np.isfinite(list(row.values())).all() for row in rows)


@pytest.mark.slow
def test_the_same_algorithm_learns_to_balance_a_pole():
    task = from_gymnasium("CartPole-v1", n_trials=100)
    weights = {"value_weight": 0.5, "entropy_weight": 0.01}
    config = a2c.Config(task, returns=GAE(0.95, 0.95), n_updates=200, batch_size=16, **weights)
    rng = torch.Generator().manual_seed(1)
    before = to_dataset(task, unroll(task, a2c.build(config), 50, rng)).reward.sum("trial").mean()
    after = to_dataset(task, unroll(task, a2c.train(config), 50, rng)).reward.sum("trial").mean()
    assert before < 40 and after > 80


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: from_gymnasium("NoSuch-v0"), "cannot make 'NoSuch-v0'"),
        (lambda: from_gymnasium("Pendulum-v1"), "they must be Discrete"),
        (lambda: from_gymnasium(Countdown), "give n_trials"),
        (lambda: from_gymnasium("CartPole-v1", n_trials=0), "n_trials is 0"),
        (lambda: to_json(from_gymnasium(Countdown, n_trials=3)), "register it and give its id"),
    ],
)
def test_what_cannot_be_a_task_is_refused_in_a_sentence(make, says):
    with pytest.raises(InputError, match=says) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_a_run_folder_of_a_factory_is_refused_before_anything_is_written(tmp_path):
    config = a2c.Config(task=from_gymnasium(Countdown, n_trials=3), n_updates=1)
    with pytest.raises(InputError, match="register"):
        runs.train(config, tmp_path / "run", experiment="countdown")
    assert not (tmp_path / "run" / "config.json").exists()
    assert isinstance(config.task, GymnasiumTask)


def test_the_page_on_tasks_of_your_own_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs" / "own_task.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4 and len(blocks[0].splitlines()) <= 30
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "own_task.md", "exec"), names)
    trials = names["trials"]
    assert isinstance(trials, xr.Dataset)
    dataset.check(trials)
    assert set(np.unique(trials.reward)) == {0.0, 1.0}
