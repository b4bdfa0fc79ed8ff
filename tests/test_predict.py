"""The ladder of held-out likelihoods: models side by side, when choices are changed, and the command."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import baselines, behaviour, dataset, exact, models, plotting, report, rollout, settings, tasks
from neurometa.behaviour.prediction import LEARNERS
from neurometa.cli.predict import _optimum
from neurometa.errors import InputError
from neurometa.fitting import folds, held_out
from neurometa.report import pictures
from neurometa.training import choices


def mice(n_subjects=3, n_each=3, n_trials=200, seed=0):
    """Mice that learn and forget."""
    rng = np.random.default_rng(seed)
    side = (rng.random((n_subjects * n_each, n_trials)) < 0.03).cumsum(1) % 2
    prob = xr.DataArray(np.where(side[..., None] == np.arange(2), 0.8, 0.2), dims=("episode", "trial", "arm"))
    trials = behaviour.simulate(models.Forgetting(0.3, 0.15, 6.0), prob, rng)
    return trials.assign_coords(subject=("episode", np.repeat([f"m{i}" for i in range(n_subjects)], n_each)))


@pytest.fixture(scope="module")
def trials():
    return mice()


@pytest.fixture(scope="module")
def found(trials):
    return behaviour.predict(trials, ["bias", "history", "rescorla-wagner", "forgetting"], n_folds=3)


def test_the_model_that_made_the_choices_predicts_best_and_the_others_stand_beside_it(found):
    assert found.attrs["best"] == "forgetting" and found.attrs["unit"] == "subject"
    assert float(found.difference.sel(model="forgetting")) == 0
    gap = (found.nats - found.nats.sel(model="forgetting")).sel(model="bias")
    assert float(found.difference.sel(model="bias")) == pytest.approx(float(gap.mean()))
    assert float(found.lower.sel(model="bias")) > 0
    assert float(found.trial_nats.sel(model="bias")) == pytest.approx(np.log(2), abs=0.08)
    np.testing.assert_allclose(found.p_choice, np.exp(-found.trial_nats))
    assert "forgetting predicts best" in found.attrs["verdict"]


def test_one_subject_is_compared_over_its_sessions(trials):
    alone = behaviour.predict(trials.isel(episode=slice(3)), ["bias", "rescorla-wagner"], n_folds=3)
    assert (alone.attrs["unit"], alone.attrs["n_units"]) == ("session", 3)
    assert np.isfinite(alone.lower).all()


def test_models_that_the_trials_do_not_allow_are_left_out_with_the_reason(trials):
    three = trials.assign(choice=trials.choice.copy())
    three.choice.attrs["n_options"] = 3
    three = three.drop_vars("reward_prob")
    left = behaviour.predict(three, ["bias", "history", "single-value"], n_folds=3)
    assert left.model.values.tolist() == ["bias"]
    assert "history: the choices have 3 options" in left.attrs["left_out"]
    assert "SingleValue is a model of 2" in left.attrs["left_out"]
    with pytest.raises(InputError, match="No model allows these trials: Hybrid"):
        behaviour.predict(three, ["Hybrid"], n_folds=3)
    with pytest.raises(InputError, match=r"There is no model 'forgeting'.*forgetting"):
        behaviour.predict(three, ["forgeting"], n_folds=3)


@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_every_learner_of_the_ladder_has_the_name_of_a_model(name):
    assert hasattr(models, LEARNERS[name].__name__)


def test_switches_are_counted_by_outcome_and_run_length():
    choice, reward = [0, 0, 0, 1, -1, 1, 0, 0], [1.0, 0, 0, 1, 0, 0, 1, 1]
    one = xr.Dataset({"choice": ("trial", choice), "reward": ("trial", reward)})
    curve = behaviour.switch_curve(one, longest=2)
    assert curve.n.sel(outcome="rewarded").values.tolist() == [3, 0]
    assert curve.n.sel(outcome="unrewarded").values.tolist() == [0, 3]
    np.testing.assert_allclose(curve.p_switch.sel(outcome="rewarded"), [0, np.nan])
    np.testing.assert_allclose(curve.p_switch.sel(outcome="unrewarded"), [np.nan, 2 / 3])


def test_choices_that_are_sure_switch_as_they_were_made(trials):
    sure = (trials.choice == xr.DataArray([0, 1], dims="arm")).astype(float).drop_vars("subject")
    expected = behaviour.switch_curve(trials)
    xr.testing.assert_allclose(behaviour.switch_curve(trials, sure), expected)
    with pytest.raises(InputError, match="longest is 0"):
        behaviour.switch_curve(trials, longest=0)


def test_what_made_the_choices_generates_curves_like_theirs_and_a_coin_does_not(found):
    often = found.n_switch.values >= 40
    observed = found.p_switch_generated.sel(switcher="observed").values[often]
    np.testing.assert_array_equal(observed, found.p_switch.sel(switcher="observed").values[often])
    error = np.sqrt(0.25 / found.n_switch.values[often])
    for name in ("forgetting", "history"):
        assert (abs(found.p_switch_generated.sel(switcher=name).values[often] - observed) < 3 * error).all()
    coin = found.p_switch_generated.sel(switcher="bias").values[often]
    assert (abs(coin - observed) > 3 * error).any()


def test_curves_are_generated_only_in_worlds_that_are_known(trials):
    unknown = behaviour.predict(trials.drop_vars("reward_prob"), ["bias"], n_folds=3)
    assert unknown.p_switch_generated.sel(switcher="bias").isnull().all()
    assert "hold no reward_prob" in unknown.attrs["generated"]
    points = behaviour.predict(trials.assign(reward=5 * trials.reward), ["bias"], n_folds=3)
    assert "rewards are not 0 and 1" in points.attrs["generated"]


def test_the_command_saves_prints_and_is_drawn_and_models_shows_what_was_held_out(trials, tmp_path, monkeypatch):
    short = choices.ChoiceNetwork(1, n_steps=20, n_starts=1)
    monkeypatch.setattr("neurometa.cli.predict._settings", lambda name, seed: short)
    run = tmp_path / "mice"
    dataset.save_run(trials.assign_attrs(created="now"), run)
    asked = ("--models", "rescorla-wagner", "--models", "bias", "--models", "gru-1", "--folds", 3)
    code, out, err = neurometa("predict", run, *asked, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["best"] == "rescorla-wagner" and told["models"]["gru-1"]["kind"] == "network"
    assert set(told["not_converged"]) == {"gru-1"}
    saved = dataset.read(run / "predict.nc")
    assert float(saved.mean_nats.sel(model="bias")) == pytest.approx(told["models"]["bias"]["mean_nats"])
    assert dataset.read(run / "predict_gru_1.nc").recurrent.dims == ("subject", "fold", "gate", "unit")
    code, out, err = neurometa("predict", run, *asked)
    assert code == 0 and "rescorla-wagner predicts best" in out and "had not converged" in out
    drawn, notes = pictures.of_behaviour(report.find(run))
    captions = {each.title: each.caption for each in drawn}
    assert "Held-out choices" in captions and not notes
    assert "models generate by themselves" in captions["When choices change"]
    assert neurometa("fit-rw", run)[0] == 0
    code, out, _ = neurometa("models", run, "--json")
    (fit,) = json.loads(out)["fits"]
    expected = float(saved.log_likelihood.sel(model="rescorla-wagner"))
    assert fit["held_out_log_likelihood"] == pytest.approx(expected)
    assert "held out: predict.nc" in neurometa("models", run)[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--folds", 9), "fewer sessions than the 9 folds"),
        (("--unseen", "mouse"), "--unseen is 'mouse'; allowed are None and 'subject'"),
        (("--models", "gru-0"), "There is no network 'gru-0'"),
        (("--models", "rescorla"), "There is no model 'rescorla'"),
        (("--folds", 2, "--models", "gru-1"), "a network needs 3"),
    ],
)
def test_the_command_refuses_in_one_sentence_and_writes_nothing(trials, tmp_path, options, told):
    run = tmp_path / "mice"
    dataset.save_run(trials, run)
    code, _, err = neurometa("predict", run, *options)
    assert code == 2 and told in err and err.count("\n") == 1
    assert not list(run.glob("predict*"))


def test_a_session_that_answers_a_cue_is_refused(trials, tmp_path):
    dataset.save_run(trials.assign(cue=trials.choice), tmp_path / "run")
    code, _, err = neurometa("predict", tmp_path / "run")
    assert code == 2 and "its observations do not fit" in err


def test_models_are_drawn_best_first_and_switches_by_outcome(found):
    fig, (left, right) = plt.subplots(1, 2)
    plotting.held_out_differences(left, found)
    assert [text.get_text() for text in left.get_yticklabels()] == [
        str(name) for name in found.model.values[np.argsort(found.mean_nats.values)]
    ]
    plotting.switch_curves(right, found.p_switch, ["forgetting"])
    points, line = right.lines[0].get_ydata(), right.lines[1].get_ydata()
    np.testing.assert_array_equal(points, found.p_switch.sel(switcher="observed", outcome="unrewarded"))
    np.testing.assert_array_equal(line, found.p_switch.sel(switcher="forgetting", outcome="unrewarded"))
    plt.close(fig)


def test_the_agents_own_policy_stands_at_the_foot_of_its_ladder(trials):
    latents = behaviour.latents(models.Forgetting(0.3, 0.15, 6.0), trials).choice_prob
    logits = np.log(latents).rename(arm="option").expand_dims(step=["choice"]).drop_vars("subject")
    played = trials.assign(logits=logits).assign_attrs(choice_step="choice")
    found = behaviour.predict(played, ["forgetting", "bias"], n_folds=3)
    own = found.sel(model="own policy")
    assert str(own.kind.item()) == "ceiling" and found.attrs["best"] == "forgetting"
    expected = behaviour.log_likelihood(models.Forgetting(0.3, 0.15, 6.0), trials).sum()
    assert float(own.log_likelihood) == pytest.approx(float(expected))
    assert "which nothing can beat" in found.attrs["verdict"]


def test_a_policy_that_is_sure_lapses_as_often_as_it_was_not_followed_in_the_other_folds(trials):
    rng = np.random.default_rng(1)
    sure, followed = rng.integers(0, 2, trials.choice.shape), rng.random(trials.choice.shape) < 0.9
    lapsing = trials.assign(choice=trials.choice.copy(data=np.where(followed, sure, 1 - sure)))
    held = folds.split(lapsing, 3)
    policy = xr.DataArray(np.eye(2)[sure], dims=("episode", "trial", "arm"))
    found = held_out.of_policy(policy, held).prob
    for row in range(held.sizes["episode"]):
        others = (held.subject == held.subject[row]) & (held.fold != held.fold[row])
        np.testing.assert_allclose(found[row, :, 0].max(), followed[others.values].mean(), atol=1e-6)


def test_the_optimum_of_an_agents_task_predicts_itself_and_its_play_is_worth_what_it_earns():
    task = tasks.IndependentBandit(n_trials=8)
    best = baselines.baselines(task)["Bayes-optimal"]
    played = rollout.play(task, best, 300, torch.Generator().manual_seed(0))
    played = played.assign_attrs(task=json.dumps(settings.to_json(task)))
    optimum = _optimum(played, quiet=True)
    assert set(optimum) == {"Bayes-optimal"} and not _optimum(mice().assign_attrs(task="table: a.csv"), quiet=True)
    found = behaviour.predict(played, ["bias"], n_folds=3, optimum=optimum)
    own = found.sel(model="Bayes-optimal")
    assert str(own.kind.item()) == "optimum" and float(own.upper) < 0
    tied = held_out.own_policy(rollout.clamp(best, played, task)).max("arm") < 1
    assert float(own.mean_nats) == pytest.approx(np.log(2) * float(tied.mean()), abs=1e-4)
    earned = found.earned.sel(switcher=["observed", "Bayes-optimal"])
    chosen = played.reward_prob.isel(arm=played.choice.drop_vars("episode", errors="ignore"))
    assert float(earned[0]) == pytest.approx(float(chosen.mean()))
    _, worth = exact.bandit.bayes_optimal(exact.bandit.independent(), 8)
    error = float(chosen.mean("trial").std("episode")) / 300**0.5
    assert (abs(earned - worth / 8) < 3 * error).all()
    same = found.sel(switcher="Bayes-optimal")
    assert float(same.earned_lower) < 0 < float(same.earned_upper) < error
    assert float(found.earned_upper.sel(switcher="bias")) < 0
    assert "Bayes-optimal player of the task" in found.attrs["verdict"]
