"""A run folder, from its settings to its trials: what is written, what is refused, and that nothing is lost."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
import xarray as xr

from neurometa import agents, behaviour, dataset, runs, settings
from neurometa.agents import LSTM
from neurometa.baselines import baselines
from neurometa.errors import InputError
from neurometa.rollout import to_dataset, unroll
from neurometa.storage import only_writer
from neurometa.tasks import DependentBandit, IndependentBandit, InformativeBandit, RestlessBandit
from neurometa.training import Adam, Linear, a2c, curve, imitation, loop
from neurometa.training.checkpoint import CHECKPOINT, WEIGHTS

CONFIG = a2c.Config(RestlessBandit(8), LSTM(6), optimizer=Adam(Linear(1e-2, 0.0)), n_updates=5, batch_size=4, seed=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run; tests read it and write elsewhere."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    runs.train(CONFIG, folder, experiment="restless")
    return folder


@pytest.fixture(scope="module")
def trials(run):
    return runs.evaluate(run, n_episodes=40)


def bits(folder):
    """Every file under a folder, by name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def half_trained(folder, config=CONFIG, experiment="restless"):
    """Start a training and stop it after its third update."""

    def stop(row):
        if row["update"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.train(config, folder, experiment=experiment, progress=stop)
    return folder


def test_a_run_holds_its_settings_its_provenance_its_curve_and_its_weights(run):
    record = runs.record(run)
    assert runs.open_config(run) == CONFIG
    assert record["experiment"] == "restless"
    assert {
        "neurometa",
        "commit",
        "torch",
        "numpy",
        "python",
        "machine",
        "device",
        "threads",
        "created",
    } <= record.keys()
    assert [row["update"] for row in curve.read(run)] == [1, 2, 3, 4, 5]
    assert (run / WEIGHTS).exists()
    assert not (run / CHECKPOINT).exists()


def test_training_gives_the_agent_that_is_on_disk(tmp_path):
    agent, loaded = runs.train(CONFIG, tmp_path / "a"), runs.load_agent(tmp_path / "a")
    expected = a2c.train(CONFIG).state_dict()
    for found in (agent, loaded):
        assert all(x.equal(expected[name]) for name, x in found.state_dict().items())
    assert not any(weight.requires_grad for weight in loaded.parameters())


def test_loading_a_run_leaves_the_random_numbers_of_its_caller_alone(run):
    before = torch.get_rng_state()
    runs.load_agent(run)
    assert torch.get_rng_state().equal(before)


def test_evaluation_keeps_the_contract_and_says_where_it_is_from(run, trials, tmp_path):
    dataset.check(trials)
    assert dict(trials.sizes) == {"episode": 40, "trial": 8, "step": 1, "arm": 2, "option": 2, "unit": 6}
    assert {"choice", "reward", "reward_prob", "drift_sd", "value", "logits", "hidden", "cell"} <= set(trials.data_vars)
    assert trials.attrs["seed"] == 3
    assert trials.attrs["evaluation_seed"] == 1
    assert trials.attrs["budget"] == CONFIG.budget == 5 * 4 * 8
    assert settings.from_json([a2c.Config], json.loads(trials.attrs["config"])) == CONFIG
    assert json.loads(trials.attrs["task"]) == settings.to_json(CONFIG.task.for_test())
    xr.testing.assert_identical(dataset.open_run(dataset.save_run(trials, tmp_path)), trials.assign_attrs(contract=1))


def test_evaluation_is_fixed_by_its_seed_and_changes_nothing_in_the_run(run, trials):
    before = bits(run)
    again, other = runs.evaluate(run, n_episodes=40), runs.evaluate(run, n_episodes=40, seed=2)
    xr.testing.assert_equal(again, trials)
    assert not other.reward_prob.equals(trials.reward_prob)
    assert bits(run) == before


def test_the_test_has_volatilities_that_training_never_had(run):
    nu = runs.evaluate(run, n_episodes=300).drift_sd
    assert ((nu > 1 / 15) & (nu < 2 / 15)).any()


def test_a_setting_of_the_test_can_be_changed(run):
    assert runs.evaluate(run, n_episodes=2, assignments=("n_trials=20",)).sizes["trial"] == 20


def test_test_episodes_are_not_those_of_any_training(run):
    trials = runs.evaluate(run, n_episodes=4, seed=CONFIG.seed)
    rng = torch.Generator().manual_seed(CONFIG.seed)
    trained_on = unroll(CONFIG.task.for_test(), runs.load_agent(run), 4, rng)["reward_prob"]
    assert not np.isclose(trials.reward_prob.isel(trial=0), trained_on[0]).any()


def test_many_episodes_are_played_in_batches_all_different(run, monkeypatch):
    monkeypatch.setattr("neurometa.rollout.MOST_AT_ONCE", 5)
    told = []
    trials = runs.evaluate(run, n_episodes=12, progress=told.append)
    assert trials.sizes["episode"] == 12
    assert len(np.unique(trials.reward_prob.isel(trial=0, arm=0))) == 12
    assert told == list(range(1, 3 * 8 + 1))
    dataset.check(trials)


def test_a_checkpoint_that_a_kill_left_beside_the_weights_goes_on_resuming(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / CHECKPOINT).write_bytes(b"left over")
    agent = runs.train(CONFIG, tmp_path / "run", resume=True)
    assert bits(tmp_path / "run").keys() == bits(run).keys()
    assert all(x.equal(runs.load_agent(run).state_dict()[name]) for name, x in agent.state_dict().items())


def test_an_agent_plays_the_test_task_of_another_experiment_as_it_is(run):
    trials = runs.evaluate(run, n_episodes=50, on="dependent-easy")
    assert trials.sizes["trial"] == 100
    assert np.allclose(np.unique(trials.reward_prob), [0.1, 0.9])
    expected = unroll(DependentBandit(difficulty="easy"), runs.load_agent(run), 50, runs.evaluation_rng(1))
    assert np.array_equal(trials.choice.transpose("trial", "episode"), expected["action"][:, 0])
    assert json.loads(trials.attrs["task"])["difficulty"] == "easy"
    with pytest.raises(InputError, match=r"2 actions and 0 features .* the test task has 11 actions and 0 features"):
        runs.evaluate(run, n_episodes=5, on="informative")
    with pytest.raises(InputError, match=r"no experiment 'dependent-eazy'. Did you mean 'dependent-easy'\?"):
        runs.evaluate(run, n_episodes=5, on="dependent-eazy")


def test_an_untrained_agent_is_the_one_that_training_began_with(run, trials):
    before = runs.evaluate(run, n_episodes=40, untrained=True)
    expected = unroll(CONFIG.task.for_test(), a2c.build(CONFIG), 40, runs.evaluation_rng(1), log=("hidden",))
    np.testing.assert_array_equal(before.hidden.transpose("trial", "step", "episode", "unit"), expected["hidden"])
    assert before.attrs["budget"] == 0 and before.attrs["agent"] == "LSTMAgent, untrained"
    assert not before.equals(trials)


def test_without_activity_the_behaviour_is_the_same(run, trials):
    assert runs.evaluate(run, n_episodes=40, log=()).equals(trials.drop_vars(["hidden", "cell"]))


def test_baselines_play_the_very_worlds_of_the_run(trials):
    learners = {"random": agents.RandomChoice(2), "oracle of one arm": agents.MajorityRule()}
    told = []
    compared = runs.compare(trials, learners, progress=told.append)
    assert list(compared.learner.values) == ["agent", *learners]
    assert told == list(learners)
    assert compared.regret.dims == ("learner", "episode", "trial")
    np.testing.assert_allclose(compared.regret.sel(learner="agent"), behaviour.regret(trials), atol=1e-6)
    gap = np.abs(trials.reward_prob.diff("arm").squeeze("arm"))
    theirs = compared.regret.sel(learner="random")
    assert (np.isclose(theirs, 0) | np.isclose(theirs, gap, atol=1e-6)).all()  # of the same two arms


def test_comparison_is_fixed_by_its_seed(trials):
    learners = {"random": agents.RandomChoice(2)}
    xr.testing.assert_identical(runs.compare(trials, learners), runs.compare(trials, learners))
    assert not runs.compare(trials, learners, seed=3).equals(runs.compare(trials, learners))


def test_chance_has_the_regret_of_chance():
    """Half the gap between two arms, whose mean is a half where p is uniform: a quarter per trial."""
    task = RestlessBandit(10)
    played = to_dataset(task, unroll(task, agents.RandomChoice(2), 2000, torch.Generator().manual_seed(0)))
    regret = runs.compare(played, {"random": agents.RandomChoice(2)}).regret.sum("trial").mean("episode")
    assert regret.values == pytest.approx([2.5, 2.5], abs=0.1)


def test_there_are_baselines_for_the_restless_bandit():
    assert {"ideal observer", "UCB", "Thompson", "R-W 0.2", "R-W 0.8", "random"} <= baselines(RestlessBandit()).keys()


@pytest.mark.parametrize(
    "task", [InformativeBandit(), IndependentBandit(5, n_arms=4), RestlessBandit(5, drift="variance")]
)
def test_every_task_goes_from_training_to_trials(tmp_path, task):
    runs.train(dataclasses.replace(CONFIG, task=task, network=LSTM(6, learned_start=True)), tmp_path)
    trials = runs.evaluate(tmp_path, n_episodes=3)
    dataset.check(trials)
    assert set(task.latents) <= set(trials.data_vars)


def test_a_finished_run_is_only_loaded_when_it_is_resumed(run):
    before = bits(run)
    agent = runs.train(CONFIG, run, experiment="restless", resume=True)
    assert all(x.equal(y) for x, y in zip(agent.parameters(), runs.load_agent(run).parameters(), strict=True))
    assert bits(run) == before


def test_a_stopped_training_is_resumed_to_the_same_bits(tmp_path, run, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    folder = half_trained(tmp_path / "half")
    assert (folder / CHECKPOINT).exists()
    runs.train(CONFIG, folder, resume=True)
    for name in (WEIGHTS, curve.CURVE):
        assert (folder / name).read_bytes() == (run / name).read_bytes()
    assert not (folder / CHECKPOINT).exists()


def test_a_training_that_no_machine_holds_leaves_its_folder_free(tmp_path, run):
    for large in ({"batch_size": 10**12}, {"network": LSTM(10**12)}):
        with pytest.raises(InputError, match="needs at least"):
            runs.train(dataclasses.replace(CONFIG, **large), tmp_path / "new")
    with pytest.raises(InputError, match="needs at least"):
        runs.train_together([dataclasses.replace(CONFIG, batch_size=10**12)], [tmp_path / "new"])
    runs.train(CONFIG, tmp_path / "new")
    assert (tmp_path / "new" / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()


def test_resuming_what_was_never_begun_begins_it(tmp_path, run):
    runs.train(CONFIG, tmp_path / "new", resume=True)
    assert (tmp_path / "new" / WEIGHTS).read_bytes() == (run / WEIGHTS).read_bytes()


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (
            lambda run: runs.train(CONFIG, run),
            "holds a run already; resume it, or choose another folder",
        ),
        (
            lambda run: runs.train(dataclasses.replace(CONFIG, network=LSTM(7)), run, resume=True),
            "holds a run of other settings: network.n_units is 6 there and 7 here",
        ),
        (
            lambda run: runs.train(dataclasses.replace(CONFIG, task=RestlessBandit(9)), run, resume=True),
            "holds a run of other settings: task.n_trials is 8 there and 9 here",
        ),
        (
            lambda run: runs.train(CONFIG, run, experiment="restless-w16", resume=True),
            "holds a run of restless, not of restless-w16; choose another folder",
        ),
        (lambda run: runs.train(CONFIG, run / "new", device="tpu"), "device is 'tpu'; allowed are 'cpu' and 'cuda'"),
        (lambda run: runs.evaluate(run, n_episodes=0), "n_episodes is 0; it must be at least 1"),
        (lambda run: runs.evaluate(run, n_episodes=-5), "n_episodes is -5"),
        (lambda run: runs.evaluate(run, seed=-1), "seed is -1; it must be 0 or more"),
        (lambda run: runs.evaluate(run, device="gpu"), "device is 'gpu'"),
        (
            lambda run: runs.evaluate(run, assignments=("n_trails=5",)),
            r"no field 'n_trails'. Did you mean 'n_trials'\?",
        ),
        (lambda run: runs.evaluate(run, assignments=("n_trials=0",)), "n_trials is 0; it must be at least 1"),
    ],
)
def test_a_refusal_is_one_sentence_and_leaves_the_run_as_it_was(run, act, told):
    before = bits(run)
    with pytest.raises(InputError, match=told) as caught:
        act(run)
    assert "\n" not in str(caught.value)
    assert bits(run) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("several", [False, True])
def test_a_training_that_cannot_begin_leaves_no_folder(tmp_path, several):
    lost = dataclasses.replace(CONFIG, start="nowhere")
    pupil = imitation.Config(InformativeBandit(5), LSTM(4), teacher="Gittin", n_updates=1)
    for config in (lost, pupil):
        with pytest.raises(InputError):
            if several:
                runs.train_together([CONFIG, config], [tmp_path / "a", tmp_path / "b"])
            else:
                runs.train(config, tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_cuda_is_refused_where_there_is_none(tmp_path):
    with pytest.raises(InputError, match="device is 'cuda', but torch sees no CUDA device here; use device='cpu'"):
        runs.train(CONFIG, tmp_path / "new", device="cuda")
    assert not (tmp_path / "new").exists()


def test_a_test_task_must_have_the_actions_that_the_agent_has(tmp_path):
    runs.train(dataclasses.replace(CONFIG, task=DependentBandit(5)), tmp_path)
    with pytest.raises(InputError, match=r"The agent was trained for 2 actions .*; the test task has 3"):
        runs.evaluate(tmp_path, n_episodes=2, assignments=("n_arms=3",))


@pytest.mark.parametrize(("experiment", "named"), [("restless", "restless"), ("", "EXPERIMENT")])
def test_a_half_trained_run_cannot_be_played_and_the_sentence_says_how_to_go_on(tmp_path, experiment, named):
    folder = half_trained(tmp_path / "half", experiment=experiment)
    with pytest.raises(
        InputError, match=f"not trained to the end; go on with: neurometa train {named} --out .*half --resume"
    ):
        runs.evaluate(folder)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda run: (run / "config.json").write_text("{"), r"config.json is damaged \("),
        (lambda run: (run / "config.json").write_text("[]"), "config.json is damaged: it is no JSON object"),
        (lambda run: (run / "config.json").write_bytes(b"\xff\xfe{}"), "config.json is damaged"),
        (
            lambda run: (run / "config.json").write_text('{"config": 3}'),
            "config.json: config is 3; it must be an object",
        ),
        (
            lambda run: (run / "config.json").unlink(),
            r"holds no config.json, so it is no trained run; its files are: agent",
        ),
        (lambda run: (run / WEIGHTS).write_bytes(b"torch"), "agent.safetensors is damaged or not a safetensors file"),
        (lambda run: (run / WEIGHTS).write_bytes((run / WEIGHTS).read_bytes()[:-9]), "agent.safetensors is damaged"),
    ],
)
def test_a_damaged_run_is_refused_by_the_name_of_its_file(tmp_path, run, damage, told):
    for name, content in bits(run).items():
        if "/" not in name:
            (tmp_path / name).write_bytes(content)
    damage(tmp_path)
    with pytest.raises(InputError, match=told) as caught:
        runs.evaluate(tmp_path)
    assert "\n" not in str(caught.value)


def test_there_must_be_a_run(tmp_path):
    with pytest.raises(
        InputError, match=r"There is no run folder .*nowhere; make one with: neurometa train EXPERIMENT"
    ):
        runs.evaluate(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no config.json, so it is no trained run; its files are: none"):
        runs.open_config(tmp_path)


def test_a_run_that_is_being_written_is_not_written_by_another(tmp_path):
    with (
        only_writer(tmp_path),
        pytest.raises(InputError, match=r"Another process is writing .*; wait for it, or choose"),
    ):
        runs.train(CONFIG, tmp_path)
    runs.train(CONFIG, tmp_path)
