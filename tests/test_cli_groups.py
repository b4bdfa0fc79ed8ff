"""Groups at the shell: fit-rw and fit with --hierarchical."""

import json

import numpy as np
import pytest
from shell import neurometa

from neurometa import behaviour, dataset, models


@pytest.fixture
def run(tmp_path):
    trials = dataset.example(n_episodes=8).isel(trial=slice(60))
    dataset.save_run(trials.assign_coords(subject=("episode", list("aabbccdd"))), tmp_path)
    return tmp_path


def test_fit_rw_fits_the_sessions_of_each_subject_as_a_member(run):
    code, told, err = neurometa("fit-rw", run, "--hierarchical")
    assert (code, err) == (0, "")
    saved, trials = dataset.read(run / "fit_rw_hierarchical.nc"), dataset.open_run(run)
    fitted = behaviour.fit(models.RescorlaWagner, trials, group="subject")
    np.testing.assert_allclose(saved.learning_rate, fitted.learning_rate)
    assert list(saved.subject.values) == list("abcd") and saved.attrs["task"] == "example: restless"
    assert (
        "4 members along subject" in told and f"integrated BIC {float(fitted.integrated_bic):.2f}, 480 choices" in told
    )
    assert "learning_rate" in told and "logit" in told and "Everything is in" in told


def test_the_members_can_be_named_and_the_record_is_json(run):
    code, told, err = neurometa("fit", run, "--model", "rescorla-wagner", "--group", "episode", "--json")
    assert (code, err) == (0, "")
    record = json.loads(told)
    (group,) = record["groups"]
    assert record["group"] == "episode" and group["n_members"] == 8 and group["converged"]
    low, high = group["parameters"]["learning_rate"]["median_interval"]
    assert 0 < low < group["parameters"]["learning_rate"]["median"] < high < 1
    assert (run / "fit_rescorla_wagner_hierarchical.nc").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["fit-rw", "--hierarchical", "--window", 10], "leave out --window and --intervals"),
        (["fit-rw", "--group", "mouse"], "group names 'mouse'"),
        (["fit", "--model", "hybrid", "--hierarchical", "--priors", "weak"], "leave out --priors"),
    ],
)
def test_a_group_that_makes_no_sense_ends_in_one_sentence(run, args, message):
    code, told, err = neurometa(args[0], run, *args[1:])
    assert (code, told) == (2, "") and message in err and err.count("\n") == 1


@pytest.mark.parametrize("command", ["fit-rw", "fit"])
def test_help_names_the_option_with_an_example(command):
    code, told, _ = neurometa(command, "--help")
    assert code == 0 and "--hierarchical" in told and "Example" in told
