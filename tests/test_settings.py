"""Settings survive JSON unchanged, and a mistake in one is told with its place and what is allowed."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurometa import settings, tasks
from neurometa.agents import LSTM
from neurometa.errors import InputError
from neurometa.experiments import EXPERIMENTS, find
from neurometa.tasks import DependentBandit, IndependentBandit, InformativeBandit, RestlessBandit
from neurometa.training import GAE, Adam, Disturbance, Linear, NStep, RMSProp, Training, a2c

CONFIG = a2c.Config(RestlessBandit())
RESTLESS = find("restless").config
FLAT = dataclasses.replace(CONFIG, entropy_weight=0.05)


def through_json(config):
    return settings.from_json([Training], json.loads(json.dumps(settings.to_json(config))))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_config_of_every_experiment_comes_back_from_json(name):
    config = EXPERIMENTS[name].config
    assert through_json(config) == config


positive = st.floats(1e-6, 1e6)
numbers = st.floats(0, 1e6)
scheduled = numbers | st.builds(Linear, numbers, numbers, st.floats(0.01, 1))
fractions = st.floats(0, 1) | st.builds(Linear, st.floats(0, 1), st.floats(0, 1))
some = st.integers(1, 10**6)
ranges = st.lists(st.floats(0, 1), min_size=2, max_size=6, unique=True).map(
    lambda ends: tuple(zip(sorted(ends)[0::2], sorted(ends)[1::2], strict=False))
)
all_tasks = (
    st.builds(IndependentBandit, some, st.integers(2, 20))
    | st.builds(DependentBandit, some, st.integers(2, 20), st.sampled_from(["uniform", "easy", "medium", "hard"]))
    | st.builds(InformativeBandit, some)
    | st.builds(RestlessBandit, some, st.sampled_from(["sd", "variance"]), ranges, ranges)
)
inputs = st.permutations(["observation", "action", "reward", "time"]).map(lambda names: tuple(names[:3]))
networks = st.builds(LSTM, some, inputs, learned_start=st.booleans(), recurrent=st.booleans(), separate=st.booleans())
optimizers = st.builds(Adam, scheduled, numbers, positive) | st.builds(RMSProp, scheduled, st.floats(0, 1), numbers)
returns = st.builds(NStep, fractions, st.none() | some) | st.builds(GAE, fractions, fractions)
configs = st.builds(
    a2c.Config,
    task=all_tasks,
    network=networks,
    n_updates=some,
    batch_size=some,
    optimizer=optimizers,
    returns=returns,
    disturbance=st.builds(Disturbance, gain=numbers, noise_sd=numbers),
    value_weight=scheduled,
    entropy_weight=scheduled,
    seed=st.integers(0, 2**63 - 1),
)


@given(configs)
def test_any_config_comes_back_from_json(config):
    assert through_json(config) == config


@given(configs, configs)
def test_assigning_every_field_of_one_config_to_another_makes_them_equal(here, there):
    plain = {name: value for name, value in settings.to_json(there).items() if name != "type"}
    assert settings.replace(here, [f"{name}={json.dumps(value)}" for name, value in plain.items()]) == there


@given(configs, configs)
def test_assigning_every_field_of_every_part_by_its_path_makes_them_equal(here, there):
    parts = ("network", "optimizer", "returns", "disturbance")
    of_kind = [f"{part}={type(getattr(there, part)).__name__}" for part in parts]
    fields = [
        f"{part}.{field}={json.dumps(value)}"
        for part in parts
        for field, value in settings.to_json(getattr(there, part)).items()
        if field != "type"
    ]
    changed = settings.replace(here, [*of_kind, *fields])
    assert [getattr(changed, part) for part in parts] == [getattr(there, part) for part in parts]


@pytest.mark.parametrize(
    ("assignment", "place", "value"),
    [
        ("n_units=32", "network.n_units", 32),
        ("network.n_units=32", "network.n_units", 32),
        (" n_units = 32 ", "network.n_units", 32),
        ("step_size=1", "optimizer.step_size", 1.0),
        ("step_size=1e-3", "optimizer.step_size", 1e-3),
        ("step_size=0.3:0", "optimizer.step_size", Linear(0.3, 0.0)),
        ("step_size=0.3:0:0.5", "optimizer.step_size", Linear(0.3, 0.0, 0.5)),
        ("discount=.5", "returns.discount", 0.5),
        ("learned_start=true", "network.learned_start", True),
        ("optimizer=rmsprop", "optimizer", RMSProp(Linear(8e-3, 0.0))),
        ("optimizer=RMSProp", "optimizer", RMSProp(Linear(8e-3, 0.0))),
        ("returns=gae", "returns", GAE(0.0)),
        ('returns={"type": "training.GAE", "gae_lambda": 0.5}', "returns", GAE(gae_lambda=0.5)),
        ("horizon=20", "returns.horizon", 20),
        ("horizon=null", "returns.horizon", None),
        ("gain=0", "disturbance.gain", 0.0),
        ("rpe_gain=0.5", "disturbance.gain", 0.5),
        ("rpe_noise=0.5", "disturbance.noise_sd", 0.5),
        ("optimizer_epsilon=1e-3", "optimizer.epsilon", 1e-3),
        ("inputs=action,time", "network.inputs", ("action", "time")),
        ("inputs=action", "network.inputs", ("action",)),
        ('inputs=["action"]', "network.inputs", ("action",)),
        ("task.n_trials=50", "task", RestlessBandit(50)),
        ("n_trials=50", "task", RestlessBandit(50)),
        ("task.drift=variance", "task", RestlessBandit(drift="variance")),
        ("task.volatility_ranges=[[0,0.1]]", "task", RestlessBandit(volatility_ranges=((0.0, 0.1),))),
        ('task={"type": "DependentBandit", "n_trials": 5}', "task", DependentBandit(5)),
        ('task={"type": "tasks.DependentBandit", "n_trials": 5}', "task", DependentBandit(5)),
        ("task=InformativeBandit", "task", InformativeBandit(150)),
    ],
)
def test_a_setting_is_changed_as_it_is_written_at_the_shell(assignment, place, value):
    changed = settings.replace(RESTLESS, [assignment])
    *part, field = place.split(".")
    inner = dataclasses.replace(getattr(RESTLESS, part[0]), **{field: value}) if part else value
    assert changed == dataclasses.replace(RESTLESS, **{(part or [field])[0]: inner})
    assert type(settings.find(changed, place)) is type(value)


def test_later_assignments_see_earlier_ones():
    changed = settings.replace(FLAT, ["entropy_weight=1:0", "entropy_weight.over=0.5", "seed=1", "seed=2"])
    assert changed == dataclasses.replace(FLAT, entropy_weight=Linear(1.0, 0.0, 0.5), seed=2)
    assert settings.replace(FLAT, []) == FLAT


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("n_units", "'n_units' is not field=value, e.g. n_units=32"),
        (
            "n_unit=3",
            r"Config has no field 'n_unit'. Did you mean 'n_units'\? Allowed: task.n_trials, .*network.n_units, ",
        ),
        ("learning_rate=3", "Config has no field 'learning_rate'"),
        ("task.n_trails=3", r"RestlessBandit has no field 'n_trails'. Did you mean 'n_trials'\?"),
        ("task.n_trials.x=3", "task.n_trials.x: n_trials is 150 and has no fields of its own"),
        ("n_units.x=3", "n_units.x: n_units is 48 and has no fields of its own"),
        ("network.n_unit=3", r"LSTM has no field 'n_unit'. Did you mean 'n_units'\? Allowed: n_units, inputs, "),
        ("netwrok.n_units=3", r"Config has no field 'netwrok'. Did you mean 'network'\?"),
        ("optimizer.n_units=3", r"Adam has no field 'n_units'. Did you mean 'network.n_units'\?"),
        ("gae_lambda=0.5", "gae_lambda is a setting of returns=GAE; set that first"),
        ("returns.gae_lambda=0.5", "returns.gae_lambda is a setting of returns=GAE; set that first"),
        ("optimizer_decay=0.5", "optimizer_decay is a setting of optimizer=RMSProp; set that first"),
        ("returns=gea", r"returns is 'gea'; it must be NStep or GAE. Did you mean 'gae'\?"),
        ("network=3", "network is 3; it must be an object with a 'type'"),
        ("=3", "Config has no field ''"),
        ("n_units=abc", "n_units is 'abc'; it must be a whole number"),
        ("n_units=3.5", "n_units is 3.5; it must be a whole number"),
        ("n_units=true", "n_units is True; it must be a whole number"),
        ("n_units=", "n_units is ''; it must be a whole number"),
        ("n_units=" + "9" * 5000, "n_units is '9+'; it must be a whole number"),
        ("step_size=fast", "step_size is 'fast'; it must be a number or start:end or start:end:over"),
        ("step_size=" + "9" * 400, "step_size is 9+; it must be a number"),
        ("step_size=0.3:x", "step_size is '0.3:x'; it must be a number or start:end or start:end:over"),
        ("step_size=0.3:0:1:2", "step_size is '0.3:0:1:2'; it must be a number or start:end or start:end:over"),
        ("step_size=0.3:0:2", "step_size is '0.3:0:2'; it must be a number or start:end or start:end:over"),
        ("learned_start=1", "learned_start is 1; it must be true or false"),
        ("learned_start=yes", "learned_start is 'yes'; it must be true or false"),
        ("optimizer=3", "optimizer is 3; it must be Adam or RMSProp"),
        ("optimizer=sgd", "optimizer is 'sgd'; it must be Adam or RMSProp"),
        ("horizon=x", "horizon is 'x'; it must be a whole number or null"),
        ("inputs=3", "inputs is 3; it must be a list"),
        ("inputs=action,reword", r"inputs holds 'reword'; .* Did you mean 'reward'\?"),
        ("n_updates=-5", "n_updates is -5; it must be at least 1"),
        ("task.n_trials=0", "n_trials is 0; it must be at least 1"),
        ("task.volatility_ranges=[0,1]", "task.volatility_ranges is 0; it must be a list"),
        ("task.volatility_ranges=[[0,1,2]]", r"task.volatility_ranges is \[0, 1, 2\]; it must be a list"),
        ("task=bandit", r"task is 'bandit'; it must be .*RestlessBandit.*Did you mean"),
        ("task=3", "task is 3; it must be an object with a 'type'"),
        (
            'task={"type":"Bandit"}',
            r"task has type 'Bandit', which is no class here. Allowed are \[.*'tasks.DependentBandit', ",
        ),
    ],
)
def test_a_wrong_assignment_is_told_in_one_sentence(assignment, told):
    with pytest.raises(InputError, match=told) as caught:
        settings.replace(FLAT, [assignment])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data.pop("type"), r"config has type None, which is no class here. Allowed are \['a2c.Config'\]"),
        (lambda data: data.update(type="PPO"), "config has type 'PPO'"),
        (lambda data: data.update(type=[1]), r"config has type \[1\]"),
        (lambda data: data.update(batch=3), r"config has no field 'batch'. Did you mean 'batch_size'\?"),
        (
            lambda data: data["network"].update(units=3),
            r"config.network has no field 'units'. Did you mean 'n_units'\?",
        ),
        (lambda data: data["network"].update(type="agents.Gone"), "config.network has type 'agents.Gone', which is no"),
        (
            lambda data: data["task"].update(type="my_tasks:Gone"),
            "config.task has type 'my_tasks:Gone', which is no class here. Import my_tasks, which it is of, before",
        ),
        (lambda data: data.pop("task"), r"config lacks \['task'\]"),
        (
            lambda data: data["task"].update(n_trials="many"),
            "config.task.n_trials is 'many'; it must be a whole number",
        ),
        (lambda data: data["task"].update(type="Task"), "config.task has type 'Task'"),
        (
            lambda data: data["optimizer"].update(step_size={"type": "Linear", "start": 1.0}),
            "step_size is .*; it must be a number or",
        ),
        (
            lambda data: data["network"].update(n_units=None),
            "config.network.n_units is None; it must be a whole number",
        ),
    ],
)
def test_damaged_settings_are_told_with_their_place(change, told):
    data = settings.to_json(CONFIG)
    change(data)
    with pytest.raises(InputError, match=told):
        settings.from_json([a2c.Config], data)


@pytest.mark.parametrize("data", [None, 3, "Config", []])
def test_settings_are_an_object(data):
    with pytest.raises(InputError, match=r"config is .*; it must be an object with a 'type'"):
        settings.from_json([a2c.Config], data)


words = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.sampled_from([*settings.to_json(CONFIG), "returns.discount", "n_units", "task.n_trials", "task.drift", "x", ""]),
    words,
)
def test_nonsense_is_refused_in_one_sentence_or_makes_settings_that_survive_json(field, value):
    try:
        changed = settings.replace(CONFIG, [f"{field}={value}"])
    except InputError as error:
        assert str(error)
    else:
        assert through_json(changed) == changed


def test_an_unknown_experiment_is_told_with_the_nearest():
    with pytest.raises(InputError, match=r"There is no experiment 'restles'. Did you mean 'restless'\? There are: "):
        find("restles")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_where_it_is_from_and_what_it_costs(name):
    found = find(name)
    assert found.source.startswith(("Wang", "Duan"))
    assert found.about.endswith(("?", "."))
    assert found.config.seed == 0
    assert 0 < found.cpu_minutes < math.inf
    assert found.config.budget == found.config.n_updates * found.config.batch_size * found.config.n_steps


KINDS = [tasks.Task, *tasks.Task.__subclasses__()]
WRAPPED = a2c.Config(task=tasks.Fixation(tasks.Foraging()))


@pytest.mark.parametrize(
    ("task", "assignment", "expected"),
    [
        (tasks.Foraging(), "task.fixation=true", tasks.Fixation(tasks.Foraging())),
        (tasks.Foraging(), "task.fixation=false", tasks.Foraging()),
        (tasks.RiskySafe(9, n_forced=2), "task.fixation=true", tasks.Fixation(tasks.RiskySafe(9, n_forced=2))),
        (tasks.TwoStep(7), "task.form=fixation", tasks.Fixation(tasks.TwoStep(7, form="stages"))),
        (tasks.Fixation(tasks.TwoStep()), "task.n_trials=9", tasks.Fixation(tasks.TwoStep(9))),
        (tasks.Fixation(tasks.TwoStep()), "n_trials=9", tasks.Fixation(tasks.TwoStep(9))),
        (tasks.Fixation(tasks.TwoStep()), "task.task.p_common=0.7", tasks.Fixation(tasks.TwoStep(p_common=0.7))),
    ],
    ids=str,
)
def test_a_fixation_is_put_around_a_task_and_is_passed_through(task, assignment, expected):
    assert settings.replace(a2c.Config(task=task), [assignment]).task == expected


@pytest.mark.parametrize(
    ("older", "task"),
    [
        ({"type": "Foraging", "n_trials": 7, "fixation": True}, tasks.Fixation(tasks.Foraging(7))),
        ({"type": "Foraging", "n_trials": 7, "fixation": False}, tasks.Foraging(7)),
        ({"type": "RiskySafe", "n_trials": 7, "n_forced": 2, "fixation": True}, tasks.Fixation(tasks.RiskySafe(7, 2))),
        ({"type": "TwoStep", "n_trials": 7, "form": "fixation"}, tasks.Fixation(tasks.TwoStep(7, form="stages"))),
        ({"type": "Harlow", "n_trials": 7, "fixation_reward": 0.5}, tasks.Harlow(7, fixation_reward=0.5)),
    ],
)
def test_older_records_of_a_task_with_a_fixation_open(older, task):
    assert settings.from_json(KINDS, older) == task == settings.from_json(KINDS, settings.to_json(task))


def test_what_is_no_setting_of_a_wrapped_task_is_told():
    with pytest.raises(InputError, match="has no field 'fixation'"):
        settings.replace(a2c.Config(task=tasks.TwoStep()), ["task.fixation=true"])
    with pytest.raises(InputError, match="has no field 'n_trails'"):
        settings.replace(WRAPPED, ["task.n_trails=3"])
    with pytest.raises(InputError, match="Fixation has a fixation of its own"):
        tasks.Fixation(WRAPPED.task)
