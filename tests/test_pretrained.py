import pytest
import torch

from neurometa import dataset, pretrained, runs, settings
from neurometa.behaviour import regret
from neurometa.errors import InputError
from neurometa.experiments import EXPERIMENTS
from neurometa.share import folder

AGENTS = sorted(path.name for path in folder("data/agents").iterdir())
# Most regret per episode (independent to hard: paper_facts' criteria; restless: the ideal observer's 8.8 and 15 %)
MOST = {
    "dependent-easy": 0.9,
    "dependent-hard": 2.9,
    "dependent-medium": 1.4,
    "dependent-uniform": 1.6,
    "independent": 2.3,
    "informative": 25 - 20.0,
    "restless": 10.1,
}


def test_every_bandit_experiment_has_its_agent_in_the_box():
    assert set(MOST) == set(AGENTS) == set(EXPERIMENTS) - {"restless-w16"}


@pytest.mark.parametrize("experiment", AGENTS)
def test_an_agent_in_the_box_is_what_its_experiment_trains(experiment, tmp_path):
    pretrained.unpack(experiment, tmp_path)
    assert settings.to_json(runs.open_config(tmp_path)) == settings.to_json(EXPERIMENTS[experiment].config)
    assert runs.record(tmp_path)["commit"]


@pytest.mark.parametrize("experiment", AGENTS)
def test_an_agent_in_the_box_plays_as_well_as_it_should(experiment, tmp_path):
    torch.set_num_threads(1)
    pretrained.unpack(experiment, tmp_path)
    trials = runs.evaluate(tmp_path, n_episodes=3000, seed=5)
    assert regret(trials).sum("trial").mean() < MOST[experiment]


def test_unpacking_twice_changes_nothing_and_another_run_is_not_written_over(tmp_path):
    pretrained.unpack("informative", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    pretrained.unpack("informative", tmp_path)
    with pytest.raises(InputError, match="holds a run of its own; choose another --out"):
        pretrained.unpack("restless", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_agent_that_is_not_in_the_box_is_named_with_those_that_are(tmp_path):
    with pytest.raises(InputError, match=r"No trained agent of 'restles' .* Did you mean 'restless'\?"):
        pretrained.unpack("restles", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_unpacked_agent_goes_through_rollout_and_show_at_the_shell(tmp_path, monkeypatch, capsys):
    from neurometa.cli import app

    monkeypatch.chdir(tmp_path)
    for command in (
        ["rollout", "informative", "--pretrained", "--episodes", "50"],
        ["show", "runs/informative"],
        ["train", "informative", "--resume"],
    ):
        app(command, standalone_mode=False)
    assert "is trained to the end already" in capsys.readouterr().out
    assert dataset.open_run(tmp_path / "runs" / "informative").sizes["episode"] == 50
    with pytest.raises(InputError, match="--out is for --pretrained"):
        app(["rollout", "runs/informative", "--out", "elsewhere"], standalone_mode=False)
