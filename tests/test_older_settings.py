"""What older versions saved opens as what it was, and every class has a name of its own."""

import dataclasses
import inspect
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurometa.agents
import neurometa.tasks
import neurometa.training
from neurometa import results, runs, settings, sweep
from neurometa.agents import LSTM, Network
from neurometa.errors import InputError
from neurometa.experiments import find
from neurometa.settings.older import MOVED, TYPES
from neurometa.tasks import Fixation, RiskySafe, Task, TwoStep
from neurometa.training import GAE, Adam, Disturbance, Linear, NStep, RMSProp, Training, a2c

# config.json of an agent of version 0.1.0, as it was written
RECORD = """{
 "experiment": "two-step",
 "config": {
  "type": "Config",
  "task": {"type": "TwoStep", "n_trials": 100, "p_common": 0.8, "p_reversal": 0.025, "p_reward": 0.9, "form": "stages"},
  "n_units": 48, "inputs": ["observation", "action", "reward", "time"], "learned_start": false,
  "n_updates": 1500, "batch_size": 128,
  "optimizer": "adam", "optimizer_decay": 0.99, "optimizer_epsilon": 1e-08,
  "step_size": {"type": "Linear", "start": 0.008, "end": 0.0, "over": 1.0},
  "discount": 0.4, "gae_lambda": 0.5, "horizon": null,
  "value_weight": 0.5, "entropy_weight": {"type": "Linear", "start": 0.3, "end": 0.0, "over": 1.0},
  "max_grad_norm": 50.0, "recurrent": true, "separate": false,
  "rpe_gain": 1.0, "rpe_delay": 0, "rpe_noise": 0.0, "seed": 0
 },
 "neurometa": "0.1.0", "created": "2026-11-21T13:00:00+00:00"
}"""
FLAT = json.loads(RECORD)["config"]


def opened(**changes):
    return settings.from_json([Training], FLAT | changes)


def test_a_run_of_an_older_version_is_the_experiment_that_it_was(tmp_path):
    (tmp_path / "config.json").write_text(RECORD)
    assert runs.open_config(tmp_path) == find("two-step").config
    (found,) = results.find_runs(tmp_path)
    assert found.config == settings.to_json(find("two-step").config)
    assert found.setting("n_units") == 48 and not found.ablated


@pytest.mark.parametrize(
    ("changes", "part", "expected"),
    [
        ({"optimizer": "rmsprop", "optimizer_decay": 0.9}, "optimizer", RMSProp(Linear(8e-3, 0.0), 0.9)),
        ({"optimizer_epsilon": 1e-3, "max_grad_norm": 2.0}, "optimizer", Adam(Linear(8e-3, 0.0), 1e-3, 2.0)),
        ({"gae_lambda": 1.0}, "returns", NStep(0.4)),
        ({"gae_lambda": 1.0, "horizon": 5}, "returns", NStep(0.4, 5)),
        ({"gae_lambda": {"type": "Linear", "start": 1.0, "end": 0.5}}, "returns", GAE(0.4, Linear(1.0, 0.5))),
        ({"rpe_gain": 0.5, "rpe_delay": 2, "rpe_noise": 0.1}, "disturbance", Disturbance(0.5, 2, 0.1)),
        ({"n_units": 3, "inputs": ["action"]}, "network", LSTM(3, ("action",))),
        ({"recurrent": False, "separate": True}, "network", LSTM(recurrent=False, separate=True)),
        ({"task": {"type": "RiskySafe", "n_trials": 4, "n_forced": 2, "fixation": False}}, "task", RiskySafe(4, 2)),
        ({"task": {"type": "RiskySafe", "n_trials": 14, "fixation": True}}, "task", Fixation(RiskySafe(14))),
        ({"task": {"type": "TwoStep", "n_trials": 4, "form": "fixation"}}, "task", Fixation(TwoStep(4, form="stages"))),
    ],
)
def test_every_flat_setting_goes_to_its_part(changes, part, expected):
    assert getattr(opened(**changes), part) == expected


@given(st.sets(st.sampled_from(["separate", "recurrent", "rpe_gain", "rpe_delay", "rpe_noise"])))
def test_a_run_that_is_older_than_a_setting_was_trained_without_it(lacking):
    older = {name: value for name, value in FLAT.items() if name not in lacking}
    assert settings.modern(older) == settings.modern(FLAT)
    assert settings.from_json([Training], older) == opened()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"units": 3}, "config has no field 'units'"),
        ({"type": "PPO"}, "config has type 'PPO', which is no class here"),
        ({"task": {"type": "Gone"}}, "config.task has type 'Gone', which is no class here"),
        ({"optimizer": "sgd"}, "config.optimizer has type 'sgd'"),
        ({"optimizer": [1]}, r"config.optimizer has type \[1\]"),
        ({"n_units": "many"}, "config.network.n_units is 'many'; it must be a whole number"),
    ],
)
def test_a_damaged_older_record_is_told_in_one_sentence(change, told):
    with pytest.raises(InputError, match=told) as caught:
        opened(**change)
    assert "\n" not in str(caught.value)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_what_is_no_settings_comes_back_without_a_fault_and_reading_twice_is_reading_once(record):
    once = settings.modern(record)
    assert settings.modern(once) == once


def test_what_is_saved_today_is_read_as_it_is():
    for name in ("two-step", "restless-w16", "risky-safe", "independent"):
        saved = settings.to_json(find(name).config)
        assert settings.modern(saved) == saved


def test_a_sweep_of_an_older_version_has_the_rows_that_it_had(tmp_path):
    values = {"step_size.start": 0.001, "discount": 0.7}
    table = {
        "experiment": "two-step",
        "n_episodes": 4,
        "config": FLAT,
        "draws": [{"field": "step_size", "low": 1e-4, "high": 1e-2, "log": True, "sets": "step_size.start"}],
        "rows": [{"draw": 0, "seed": 9, "values": values}],
    }
    (tmp_path / sweep.TABLE).write_text(json.dumps(table))
    config = sweep.table.row_config(sweep.open_table(tmp_path), 0)
    assert (config.optimizer.step_size, config.returns, config.seed) == (Linear(0.001, 0.0), GAE(0.7, 0.5), 9)


def records():
    """Every class of settings in the package."""
    found = {Training, *TASKS}
    for package in (neurometa.agents, neurometa.tasks, neurometa.training, a2c):
        found |= {x for x in vars(package).values() if inspect.isclass(x) and dataclasses.is_dataclass(x)}
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


TASKS = [kind for kind in vars(neurometa.tasks).values() if inspect.isclass(kind) and issubclass(kind, Task)]


def test_no_two_classes_are_saved_under_one_name():
    names = [settings.name_of(kind) for kind in records()]
    assert len(names) > 20 and len(set(names)) == len(names)
    assert {"a2c.Config", "tasks.TwoStep", "agents.LSTM", "training.Linear", "training.GAE"} <= set(names)


def test_every_name_of_the_table_is_that_of_a_class_or_field_of_today():
    names = {settings.name_of(kind) for kind in records()}
    assert set(TYPES.values()) <= names
    places = {settings.locate(settings.to_json(find(name).config), "n_units") for name in ("two-step", "restless")}
    assert places == {"network.n_units"}
    for place in MOVED.values():
        part, _, field = place.partition(".")
        kinds = {"network": [LSTM], "optimizer": [Adam, RMSProp], "returns": [NStep, GAE], "disturbance": [Disturbance]}
        assert any(field in [each.name for each in dataclasses.fields(kind)] for kind in kinds[part])


@dataclasses.dataclass(frozen=True)
class Config(TwoStep):
    """Somebody's class whose name is that of another."""


def test_somebody_elses_class_keeps_apart_from_ours_of_the_same_name():
    own = a2c.Config(Config(7))
    saved = settings.to_json(own)
    assert saved["task"]["type"] == f"{__name__}:Config" and saved["type"] == "a2c.Config"
    assert settings.from_json([Training], saved) == own
    assert issubclass(LSTM, Network)
