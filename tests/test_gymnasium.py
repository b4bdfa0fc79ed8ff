"""Environments of gymnasium are tasks, and tasks are environments of gymnasium."""

import json
import re
import sys
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
from neurometa.modules import import_all
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
    weights = {"value_weight": 0.01, "entropy_weight": 0.01}  # returns are large, and so are errors of the value
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


BOX, FEW = gymnasium.spaces.Box(-1, 1, (3,)), gymnasium.spaces.Discrete(4, start=2)
BOTH = gymnasium.spaces.Dict({"place": BOX, "cue": FEW})
PAIR = gymnasium.spaces.Tuple((FEW, gymnasium.spaces.MultiBinary(2)))
SEEN = (  # a space, what is in it, also of another type, and what is not
    (
        BOX,
        [np.zeros(3), np.ones(3, np.float32), [0, 1, -1], np.array([0.1, 1 + 1e-9, 0])],
        [np.zeros(2), np.zeros((3, 1)), 0.5, np.array([0, np.nan, 0]), np.array([0, 0, 1.5]), [1, [2], 3], None, "abc"],
    ),
    (FEW, [2, np.int64(5), np.array([3])], [-1, 1, 6, 2.5, np.array([2, 3]), None, "2", np.nan]),
    (BOTH, [{"place": np.zeros(3), "cue": 2}], [{"place": np.zeros(3)}, {"place": np.zeros(3), "cue": -1}, (), 1]),
    (PAIR, [(2, np.array([0, 1])), [5, [1, 1]]], [(2,), (2, [0, 2]), (2, [0, 1, 1]), (0, [0, 1]), None]),
)
RIGHT = [(space, seen) for space, right, _ in SEEN for seen in right]
WRONG = [(space, right[0], seen) for space, right, wrong in SEEN for seen in wrong]
RAISED = [ValueError("no\nlight"), KeyError("goal"), ZeroDivisionError(), RuntimeError("x" * 999)]
PAID = [1, True, 0.5, np.float32(1), np.array([1.0]), np.array(2), torch.tensor([1.0]), [1.0]]
NOT_PAID = [np.nan, np.ma.masked, -np.inf, None, "1", "much", [1, 2], np.array([]), 1e300, 1j, {}]


class Answers(gymnasium.Env):
    """Answers rightly, but in one episode, at one step (-1: the reset), as it is told to."""

    action_space = gymnasium.spaces.Discrete(2)
    made = -1

    def __init__(self, space=FEW, seen=2, at=(0, 0), answer=None, raised=None):
        self.observation_space, self.right, self.at, self.answer, self.raised = space, seen, at, answer, raised
        Answers.made += 1
        self.episode = Answers.made

    def _do(self, right):
        if (self.episode, self.taken) != self.at:
            return right
        if self.raised:
            raise self.raised
        return self.answer(right)

    def reset(self, *, seed=None, options=None):
        self.taken = -1
        return self._do((self.right, {}))

    def step(self, action):
        self.taken += 1
        return self._do((self.right, 1.0, False, False, {}))


def fault(at, space=FEW, seen=2, **how):
    """What is told of a fault, in the episode and at the step."""
    Answers.made = -1
    task = from_gymnasium(lambda: Answers(space, seen, at, **how), n_trials=4)
    with pytest.raises(InputError) as told:
        play(task, 3)
    assert "\n" not in str(told.value) and "step_size" not in str(told.value)
    assert str(told.value).startswith("Answers, ")
    assert f"episode {at[0]}, {f'step {at[1]}' if at[1] >= 0 else 'at its reset'}: " in str(told.value)
    return str(told.value)


WHERE = st.tuples(st.integers(0, 2), st.integers(-1, 3))
PLAYED = st.tuples(st.integers(0, 2), st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(WHERE, st.sampled_from(WRONG))
def test_what_is_not_in_the_space_is_told_with_environment_episode_and_step(at, wrong):
    space, right, seen = wrong
    assert "its observation" in fault(at, space, right, answer=lambda whole: (seen, *whole[1:]))


@pytest.mark.parametrize(("space", "seen"), RIGHT)
def test_what_is_in_the_space_is_taken_whatever_its_type(space, seen):
    run = play(from_gymnasium(lambda: Answers(space, seen), n_trials=2), 2)
    expected = gymnasium.spaces.flatten(space, seen)
    assert (run.observation == np.asarray(expected, np.float32)).all()


@settings(max_examples=20, deadline=None)
@given(PLAYED, st.sampled_from(NOT_PAID))
def test_what_is_no_reward_is_told_with_environment_episode_and_step(at, reward):
    assert "a reward is one finite number" in fault(at, answer=lambda whole: (whole[0], reward, *whole[2:]))


@pytest.mark.parametrize("reward", PAID, ids=repr)
def test_one_number_is_a_reward_whatever_its_type(reward):
    answers = {"answer": lambda whole: (whole[0], reward, *whole[2:])}
    Answers.made = -1
    run = play(from_gymnasium(lambda: Answers(at=(0, 1), **answers), n_trials=3), 1)
    assert run.reward.values.tolist() == [[1, float(np.asarray(reward).item()), 1]]


@settings(max_examples=20, deadline=None)
@given(WHERE, st.sampled_from(RAISED))
def test_an_environment_that_raises_is_named_with_what_it_raised(at, error):
    assert type(error).__name__ in fault(at, raised=error)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda whole: (whole[0], 1.0, False, {}), "it returned 4 values; gymnasium asks of step for five"),
        (lambda whole: whole[:3], "it returned 3 values; gymnasium asks of step for five"),
        (lambda whole: (*whole, 1), "it returned 6 values"),
        (lambda whole: whole[0], "it returned 2; gymnasium asks of step for five"),
        (lambda whole: None, "it returned None"),
        (lambda whole: (whole[0], 1.0, None, False, {}), "terminated is None; it must be true or false"),
        (lambda whole: (whole[0], 1.0, False, "no", {}), "truncated is 'no'"),
    ],
)
def test_another_api_is_told(answer, told):
    assert told in fault((1, 2), answer=answer)
    if "values; " in told:  # also through the wrappers of gymnasium
        Answers.made = -1
        limited = lambda: gymnasium.wrappers.TimeLimit(Answers(FEW, 2, (0, 1), answer), 4)  # noqa: E731
        with pytest.raises(InputError, match=f"episode 0, step 1: {told}"):
            play(from_gymnasium(limited, n_trials=4), 1)


def test_a_reset_of_another_api_is_told():
    assert "gymnasium asks of reset for (observation, info)" in fault((2, -1), answer=lambda whole: whole[0])


def test_training_names_the_environment_and_not_its_own_settings():
    Answers.made = -1
    task = from_gymnasium(
        lambda: Answers(BOX, np.zeros(3), (1, 2), lambda whole: (np.full(3, np.nan), *whole[1:])), n_trials=4
    )
    with pytest.raises(InputError, match=r"episode 1, step 2: its observation is nan at \[0\]"):
        a2c.train(a2c.Config(task, LSTM(4), n_updates=3, batch_size=2))


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module that registers an environment, and leaves a file where it is imported."""
    (tmp_path / "lab_envs.py").write_text(
        "import gymnasium, pathlib\n"
        "pathlib.Path('imported').touch()\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('LabPole-v0', CartPoleEnv, max_episode_steps=6)\n"
    )
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    gymnasium.registry.pop("LabPole-v0", None)
    sys.modules.pop("lab_envs", None)


def test_no_saved_id_imports_a_module_and_how_to_play_ones_own_is_told(module):
    for name in ("lab_envs:LabPole-v0", ":LabPole-v0", "os.path:CartPole-v1"):
        with pytest.raises(InputError, match=r"would import the module .*--import"):
            from_json([GymnasiumTask], {"type": "GymnasiumTask", "n_trials": 3, "env": name})
    with pytest.raises(InputError, match=r"cannot make 'LabPole-v0'.*neurometa --import MODULE"):
        from_json([GymnasiumTask], {"type": "GymnasiumTask", "n_trials": 3, "env": "LabPole-v0"})
    assert not (module / "imported").exists()


def test_a_module_of_ones_own_is_imported_when_it_is_asked_for(module, monkeypatch):
    import_all(["lab_envs"])
    assert (module / "imported").exists() and play(from_gymnasium("LabPole-v0"), 2).sizes["trial"] == 6
    gymnasium.registry.pop("LabPole-v0")
    sys.modules.pop("lab_envs")
    monkeypatch.syspath_prepend(module)
    task = from_gymnasium("lab_envs:LabPole-v0")
    assert (task.env, task.n_trials) == ("LabPole-v0", 6) and from_json([GymnasiumTask], to_json(task)) == task
    with pytest.raises(InputError, match="'no_such_module' of no_such_module:X-v0 cannot be imported"):
        from_gymnasium("no_such_module:X-v0")
    with pytest.raises(InputError, match="The module no_such_module could not be imported"):
        import_all(["no_such_module"])


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
