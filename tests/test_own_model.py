"""The page on models of one's own: its code runs, and its model is as good as those that come along."""

import re
from pathlib import Path

import numpy as np
import pytest
from shell import neurometa

from neurometa import behaviour, dataset
from neurometa.errors import InputError
from neurometa.models import RescorlaWagner, check_model

PAGE = (Path(__file__).parents[1] / "docs" / "own_model.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def fine(*args):
    """What a command that must end well prints."""
    code, out, err = neurometa(*args)
    assert (code, err) == (0, "")
    return out


def refused(*args):
    """What a command that must end badly says."""
    code, _, err = neurometa(*args)
    assert code == 2
    return err


@pytest.fixture(scope="module")
def space():
    """What the page's code leaves."""
    made = {"__name__": "my_model"}
    for block in BLOCKS:
        exec(block, made)
    return made


def test_the_model_is_at_most_thirty_lines_and_its_page_runs(space):
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) <= 30
    assert set(space["seen"].data_vars) == {"arm_value", "choice_prob", "rpe"}
    assert abs(float(space["told"].bias.sel(parameter="learning_rate"))) < 0.1
    trials, fitted = space["trials"], space["fitted"]
    own = behaviour.log_likelihood(space["Drifting"].of(fitted), trials)
    np.testing.assert_allclose(own.where(fitted.converged, fitted.log_likelihood), fitted.log_likelihood, atol=1e-8)


def test_without_drift_it_is_rescorla_wagner(space):
    held = behaviour.fit(space["Drifting"], space["trials"], bounds={"drift_rate": (0, 0)})
    plain = behaviour.fit(RescorlaWagner, space["trials"])
    np.testing.assert_allclose(held.log_likelihood, plain.log_likelihood, atol=1e-8)
    assert (space["fitted"].log_likelihood >= plain.log_likelihood - 1e-6).all()


def test_a_file_of_ones_own_is_fitted_at_the_shell(tmp_path):
    (tmp_path / "my_model.py").write_text(BLOCKS[0])
    file = dataset.save_run(dataset.example(n_episodes=3), tmp_path / "mice.nc")
    assert "drift_rate" in fine("fit", file, "--model", f"{tmp_path}/my_model.py:Drifting")
    assert dataset.read(tmp_path / "mice_fit_drifting_ml.nc").attrs["model"] == "Drifting"
    assert "has no model 'Driftin'. Did you mean 'Drifting'?" in refused(
        "fit", file, "--model", f"{tmp_path}/my_model.py:Driftin"
    )
    assert "There is no file" in refused("fit", file, "--model", f"{tmp_path}/absent.py:Drifting")
    (tmp_path / "broken.py").write_text("import absent_module")
    assert "cannot be run: ModuleNotFoundError" in refused("fit", file, "--model", f"{tmp_path}/broken.py:Drifting")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("@dataclasses.dataclass(frozen=True)\n", "", "has no parameters; write @dataclasses.dataclass"),
        ('"drift_rate": (0.0, 1.0), ', "", "bounds of Drifting names learning_rate, inverse_temperature"),
        ('weights = ("inverse_temperature",)', 'weights = ("beta",)', "names 'beta', which is no parameter"),
        ("start = (0.5,)", "start = (0.5, 0.0)", "has 1 features, 2 starts and 1 weights"),
        ("(0.5 - value),)", "(0.5 - value))", "learn of Drifting returns no tuple"),
        ("(value,) = features", "(value, other) = features", "learn of Drifting fails: ValueError"),
    ],
)
def test_one_sentence_for_each_mistake(old, new, message):
    assert old in BLOCKS[0]
    made = {"__name__": "my_model"}
    exec(BLOCKS[0].replace(old, new), made)
    with pytest.raises(InputError, match=message):
        check_model(made["Drifting"])
