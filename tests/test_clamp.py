"""An agent that is given recorded trials answers as it would have, had they been its own."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import agents, behaviour, dataset, fitting, models, neural, pretrained, rollout, runs, tasks
from neurometa.errors import InputError
from neurometa.tables import read_trials

KOOL = Path(__file__).parents[2] / "shared" / "datasets" / "kool2016_twostep" / "daw_trials.csv.gz"
TABLE = ["choice", "reward", "second_state", "second_choice", "common"]
PLANNER = agents.TwoStepObserver(inverse_temperature=3.0)
LEARNER = agents.LearningModelAgent(models.RescorlaWagner(0.4, 6.0))


def network(task):
    torch.manual_seed(0)
    shown = ("observation", "action", "reward")
    return agents.LSTM(n_units=5, inputs=shown).build(
        task.observation_shape, task.n_actions, task.n_steps, discount=0.9
    )


def table(played):
    """What a lab's table holds of a run."""
    return played[[name for name in TABLE if name in played]].drop_vars("step", errors="ignore")


CASES = {
    "two steps": (tasks.TwoStep(12, form="stages"), PLANNER),
    "one step": (tasks.TwoStep(12), PLANNER),
    "network": (tasks.TwoStep(12, form="stages"), network(tasks.TwoStep(12, form="stages"))),
    "Daw": (tasks.DawTwoStep(12), network(tasks.DawTwoStep(12))),
    "bandit": (tasks.RestlessBandit(n_trials=12), LEARNER),
}


@pytest.mark.parametrize("case", CASES)
def test_an_agent_clamped_to_its_own_trials_answers_as_it_did(case):
    task, agent = CASES[case]
    played = rollout.play(task, agent, 6, torch.Generator().manual_seed(0))
    told = [played] if isinstance(agent, type(network(task))) else [played, table(played)]
    for trials in told:  # a network may notice what a table does not say: which action was taken where none matters
        clamped = rollout.clamp(agent, trials, task)
        np.testing.assert_allclose(clamped.value, played.value, atol=1e-6)
        np.testing.assert_allclose(clamped.logits, played.logits, atol=1e-5)
        assert clamped.value.dims == ("episode", "trial", "step")
        dataset.check(clamped)


def test_choices_of_the_second_stage_are_entered_where_they_are_known():
    task, agent = CASES["Daw"]
    played = rollout.play(task, agent, 6, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(rollout.clamp(agent, table(played), task).value, played.value, atol=1e-6)


def test_a_fixation_is_entered_as_it_should_be_held():
    task = tasks.Fixation(tasks.TwoStep(8, form="stages"))
    agent = network(task)
    trials = table(rollout.play(task, agent, 4, torch.Generator().manual_seed(0))).assign()
    trials["choice"] = abs(trials.choice).clip(max=1).assign_attrs(n_options=2)
    trials["second_state"] = abs(trials.second_state)
    clamped = rollout.clamp(agent, trials.drop_vars("common"), task, log=("hidden",))
    assert (clamped.action.sel(step="fixation") == 2).all() and (clamped.step_reward.sel(step="fixation") == 0).all()
    assert clamped.hidden.dims == ("episode", "trial", "step", "unit")


def test_a_clamped_learner_expects_what_the_fit_says_of_its_parameters():
    trials = dataset.example(n_episodes=4)
    trials["choice"] = trials.choice.where(trials.trial % 7 != 3, -1).astype(np.int8).assign_attrs(trials.choice.attrs)
    clamped = rollout.clamp(LEARNER, trials)
    held = fitting.latents(models.RescorlaWagner(0.4, 6.0), trials)
    expected = (held.choice_prob * held.arm_value).sum("arm")
    np.testing.assert_allclose(clamped.value.isel(step=0), expected, atol=1e-5)


def test_padding_changes_nothing_before_it():
    task, agent = CASES["network"]
    trials = table(rollout.play(task, agent, 3, torch.Generator().manual_seed(1)))
    padded = trials.pad(trial=(0, 4), constant_values=-1)
    padded = padded.assign(reward=padded.reward.where(padded.choice >= 0), common=padded.common > 0)
    padded = padded.assign(valid=(padded.choice >= 0))
    for name in ("choice", "second_state"):
        padded[name] = padded[name].astype(np.int8).assign_attrs(trials[name].attrs)
    both = rollout.clamp(agent, trials, task), rollout.clamp(agent, padded, task)
    np.testing.assert_allclose(both[0].value, both[1].value.isel(trial=slice(0, 12)), atol=1e-6)
    assert neural.rpe(both[1], 0.9).isel(trial=slice(12, None)).isnull().all()


def test_an_animal_whose_task_does_not_fit_the_agents_is_refused_in_a_sentence():
    task, agent = CASES["network"]
    trials = table(rollout.play(task, agent, 3, torch.Generator().manual_seed(1)))
    four = trials.assign(choice=trials.choice.copy().assign_attrs(n_options=4))
    swapped = trials.assign(second_state=1 - trials.second_state)
    shown = trials.assign(observation=(("episode", "trial", "step", "feature"), np.zeros((3, 12, 2, 7))))
    wrong = [
        (four, task, "has 4 options, the agent's .TwoStep. 2"),
        (trials.drop_vars("second_state"), task, "no 'second_state': the animal's task does not fit the agent's"),
        (swapped, task, "exchange the labels of the states"),
        (shown, task, r"show \(7,\) at each step, the agent's task \(3,\)"),
        (trials, tasks.Volatility(), "shows 2 numbers at each step that these trials do not hold"),
        (trials, None, "give the task that it was trained on"),
        (trials.drop_vars("reward"), task, "no variable 'reward'"),
    ]
    for given, its, told in wrong:
        with pytest.raises(InputError, match=told):
            rollout.clamp(agent, given, its)


@pytest.mark.skipif(not KOOL.exists(), reason="the two-step trials, shared/datasets/kool2016_twostep, are not here")
def test_two_step_agents_err_like_the_planner_on_peoples_trials(tmp_path):
    rows = pd.read_csv(KOOL).query("included == 1")
    rows.loc[rows.missed == 1, ["choice1", "state2"]] = -1
    rows = rows[["subject", "trial", "choice1", "win", "common", "state2"]]
    trials, _ = read_trials(rows, choice="choice1", reward="win", second_state="state2", common="common", episode="")
    pretrained.unpack("two-step", tmp_path / "run", 0)
    of_person = {}
    for untrained in (False, True):
        clamped = runs.clamp(tmp_path / "run", trials, log=(), untrained=untrained)
        rpe = neural.rpe(clamped)
        planner = behaviour.reference_rpes(trials, rpe.attrs["discount"]).model_based
        both = xr.broadcast(rpe.reset_coords(drop=True), planner.reset_coords(drop=True))
        x, y = (each.where(both[1].notnull()).isel(trial=slice(0, -1)) for each in both)
        of_person[untrained] = (xr.corr(x, y, dim=["trial", "event"]) ** 2).values
    assert len(of_person[False]) == 197 and np.median(of_person[False]) > 0.95 and of_person[False].min() > 0.85
    assert np.median(of_person[True]) < 0.6


def test_the_command_clamps_people_and_tells_whose_errors_the_agents_are_like(tmp_path):
    pretrained.unpack("two-step", tmp_path / "run", 0)
    rng = np.random.default_rng(0)
    prob = xr.DataArray(
        np.where(rng.random((4, 60, 1)) < 0.5, [0.8, 0.2], [0.2, 0.8]), dims=("episode", "trial", "state")
    )
    people = behaviour.simulate(models.ModelBased(4.0, 1.0, 0.5, 0.1), prob, rng)
    dataset.save_run(people, tmp_path / "people.nc")
    out = tmp_path / "clamped.nc"
    code, told, err = neurometa("clamp", tmp_path / "run", tmp_path / "people.nc", "--out", out)
    assert (code, err) == (0, "") and "240 trials" in told and f"neurometa rpe {out}" in told
    clamped = dataset.read(out)
    np.testing.assert_array_equal(clamped.choice, people.choice)
    code, told, _ = neurometa("rpe", out, "--json")
    found = json.loads(told)["each"]["model-based"]
    each = dataset.read(tmp_path / "clamped_rpe.nc").r_squared_each.sel(reference="model-based")
    assert code == 0 and found == pytest.approx([float(x) for x in (each.min(), each.median(), each.max())])
    assert found[0] > 0.9  # the planner's, person by person
    code, _, err = neurometa("clamp", tmp_path / "run", tmp_path / "people.nc", "--out", out)
    assert code == 2 and "--replace" in err
    code, _, err = neurometa("clamp", tmp_path / "run", tmp_path / "people.nc", "--out", tmp_path / "clamped")
    assert code == 2 and "must end in .nc" in err
