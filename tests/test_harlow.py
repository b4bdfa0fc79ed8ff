"""Harlow's task and the learning-set curve: nothing seen twice, one trial tells all, and what is counted is right."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats

from neurometa import agents, baselines, behaviour, dataset, rollout, runs
from neurometa.agents import LSTM
from neurometa.errors import InputError
from neurometa.experiments import EXPERIMENTS
from neurometa.tasks import Harlow
from neurometa.training import a2c
from tests import test_tasks as laws
from tests.shell import neurometa

LAWS = [
    laws.test_a_seed_fixes_the_data,
    laws.test_episodes_of_a_batch_are_independent,
    laws.test_a_step_is_a_pure_function,
    laws.test_every_task_makes_its_tensors_where_the_random_numbers_are,
    laws.test_the_test_of_a_task_is_a_task_of_the_same_size,
]
EVERY_PARTNER = pytest.mark.parametrize("partner", ["kept", "new"])


def play(task, agent, n_episodes=1000, seed=0):
    played = rollout.unroll(task, agent, n_episodes, torch.Generator().manual_seed(seed))
    return rollout.to_dataset(task, played, observation=True)


def shown(trials):
    """The stimuli of each trial, rewarded one first, (episode, trial, 2, feature)."""
    seen = trials.observation.sel(step="choice").values[..., 2:]
    seen = seen[..., : seen.shape[-1] * 2 // 3]
    sides = seen.reshape(*seen.shape[:2], 2, -1)
    return np.take_along_axis(sides, np.stack([trials.side, 1 - trials.side], -1)[..., None], 2)


@EVERY_PARTNER
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_task_keeps_the_laws_of_all_tasks(law, partner):
    law(Harlow(7, partner=partner))


def test_stimuli_are_drawn_for_an_episode_and_never_again():
    parts = [play(Harlow(), agents.HarlowObserver(), 500, seed) for seed in (0, 1)]
    stimuli = np.concatenate([shown(trials) for trials in parts])
    assert (stimuli == stimuli[:, :1]).all()
    first = stimuli[:, 0].reshape(-1, 8)
    assert len(np.unique(first, axis=0)) == 2000  # within episodes, between them, and between seeds
    assert stats.kstest(first.ravel(), stats.norm.cdf).pvalue > 1e-4
    assert np.abs(np.corrcoef(first.T)[np.triu_indices(8, 1)]).max() < 4 / 2000**0.5


def test_training_and_evaluation_see_different_stimuli_even_under_one_seed():
    seen = [
        rollout.unroll(Harlow(), agents.HarlowObserver(), 200, rng)["observation"][0, 1, :, 2:18].reshape(-1, 8)
        for rng in (torch.Generator().manual_seed(1), runs.evaluation_rng(1))
    ]
    assert len(torch.unique(torch.cat(seen), dim=0)) == 800


def test_where_partners_are_new_one_stimulus_stays_rewarded_or_not():
    stimuli = shown(play(Harlow(partner="new"), agents.HarlowObserver()))
    stays = (stimuli == stimuli[:, :1]).all((1, 3))
    assert (stays.sum(1) == 1).all()
    assert stays[:, 0].mean() == pytest.approx(0.5, abs=4 * 0.5 / 1000**0.5)
    partners = stimuli[np.arange(1000), :, stays[:, 0].astype(int)].reshape(-1, 8)
    assert len(np.unique(partners, axis=0)) == 6000


@EVERY_PARTNER
def test_sides_are_drawn_anew_in_each_trial_and_pay_as_stated(partner):
    trials = play(Harlow(partner=partner), agents.RandomChoice(3), 2000)
    dataset.check(trials)
    assert trials.side.mean("episode").values == pytest.approx(0.5, abs=4 * 0.5 / 2000**0.5)
    r = np.corrcoef(trials.side.values.T)[np.triu_indices(6, 1)]
    assert np.abs(r).max() < 4.5 / 2000**0.5
    fixated = trials.action.sel(step="fixation") == 2
    assert trials.step_reward.sel(step="fixation").values == pytest.approx(0.2 * fixated.values)
    paid = xr.where(trials.choice < 0, 0, xr.where(trials.choice == trials.side, 1, -1))
    assert (trials.step_reward.sel(step="choice") == paid).all()
    worth = trials.expected_reward.isel(arm=trials.choice.where(trials.choice >= 0, 0))
    assert (worth.where(trials.choice >= 0, 0) == paid).all()
    assert (trials.choice == -1).mean() == pytest.approx(1 / 3, abs=0.02)
    assert not trials.observation.sel(step="fixation").isel(feature=slice(1, None)).any()
    assert (trials.observation.isel(feature=0) == [1, 0, 0]).all()
    assert (trials.observation.isel(feature=1) == [0, 0, 1]).all()
    size = Harlow().n_stimulus_features
    blocks = trials.observation.isel(feature=slice(2, None)).values.reshape(*trials.choice.shape, 3, 3, size)
    assert not blocks[:, :, 1, 2].any() and not blocks[:, :, 2, :2].any()  # the centre is empty until one is taken
    side = trials.choice.values[..., None, None].clip(0)
    taken = np.take_along_axis(blocks[:, :, 1, :2], side, 2)[:, :, 0] * (trials.choice.values >= 0)[..., None]
    np.testing.assert_array_equal(blocks[:, :, 2, 2], taken)


@EVERY_PARTNER
@pytest.mark.parametrize("n_trials", [6, 10])
def test_the_ideal_learner_is_at_chance_once_and_then_always_right(partner, n_trials):
    trials = play(Harlow(n_trials, partner=partner), agents.HarlowObserver(), 4000)
    curve = behaviour.learning_set_curve(trials)
    assert float(curve.accuracy[0]) == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)
    assert (curve.accuracy[1:] == 1).all()
    assert float(curve.accuracy.mean()) == pytest.approx({6: 0.9167, 10: 0.95}[n_trials], abs=0.005)
    assert (trials.value.isel(trial=0).sel(step="choice") == 0).all()
    assert (
        (trials.value.isel(trial=slice(1, None)) == trials.reward.isel(trial=slice(1, None))).sel(step="fixation").all()
    )


def test_a_soft_observer_takes_what_it_knows_with_the_stated_slope():
    trials = play(Harlow(), agents.HarlowObserver(inverse_temperature=0.8), 3000)
    right = (trials.choice == trials.side).isel(trial=slice(1, None)).values
    assert right.mean() == pytest.approx(1 / (1 + np.exp(-1.6)), abs=4 * 0.4 / right.size**0.5)
    assert float(trials.value.isel(trial=3).sel(step="choice")[0]) == pytest.approx(np.tanh(0.8), abs=1e-6)


def test_baselines_come_to_their_exact_regret():
    task = Harlow()
    found = baselines.play(task, baselines.baselines(task), n_episodes=1000).regret.sum("trial")
    for name, value in baselines.exact_regret(task).items():
        here = behaviour.mean_interval(found.sel(learner=name).astype(float), level=0.9999)
        assert float(here.lower) < value < float(here.upper)


def problems(n_subjects=2, n_episodes=40, n_trials=4, seed=0):
    rng = np.random.default_rng(seed)
    shape, dims = (n_subjects, n_episodes, n_trials), ("subject", "episode", "trial")
    choice, side = rng.integers(-1, 2, shape), rng.integers(0, 2, shape)
    kind = np.where(np.arange(n_episodes) % 3, "late", "early")
    return xr.Dataset({"choice": (dims, choice), "side": (dims, side)}, coords={"kind": ("episode", kind)})


def wilson(k, n, z=1.959963984540054):
    """Both p at which k of n lies z standard errors away, by solving (k/n - p)^2 = z^2 p (1 - p) / n."""
    return np.sort(np.roots([1 + z**2 / n, -(2 * k / n + z**2 / n), (k / n) ** 2]).real)


@pytest.mark.parametrize("by", [None, "kind", (5, 17, 40)])
def test_a_curve_counts_right_choices_one_by_one(by):
    trials = problems()
    curve = behaviour.learning_set_curve(trials.transpose("trial", ...), by=by)
    if by is None:
        groups = {None: range(40)}
    elif by == "kind":
        groups = {name: np.flatnonzero(trials.kind.values == name) for name in ("early", "late")}
    else:
        groups = {"1-5": range(5), "6-17": range(5, 17), "18-40": range(17, 40)}
    label = {None: None, "kind": "kind"}.get(by, "block") if not isinstance(by, tuple) else "block"
    assert label is None or curve[label].values.tolist() == list(groups)
    for (name, group), subject, trial in itertools.product(groups.items(), range(2), range(4)):
        here = trials.isel(subject=subject, trial=trial)
        made = [e for e in group if here.choice.values[e] >= 0]
        right = sum(here.choice.values[e] == here.side.values[e] for e in made)
        cell = curve.isel(subject=subject).sel(trial=trial + 1)
        cell = cell if label is None else cell.sel({label: name})
        assert int(cell.n) == len(made)
        assert float(cell.accuracy) == pytest.approx(right / len(made))
        assert (float(cell.lower), float(cell.upper)) == pytest.approx(wilson(right, len(made)), abs=1e-9)


def test_what_follows_a_first_win_or_loss_is_counted_one_by_one():
    trials = problems()
    found = behaviour.win_stay_lose_shift(trials)
    for subject in range(2):
        here = trials.isel(subject=subject)
        counts = {"win_stay": [0, 0], "lose_shift": [0, 0]}
        for choice, side in zip(here.choice.values, here.side.values, strict=True):
            if min(choice[:2]) < 0:
                continue
            name = "win_stay" if choice[0] == side[0] else "lose_shift"
            counts[name][0] += int(choice[1] == side[1])
            counts[name][1] += 1
        for name, (k, n) in counts.items():
            cell = found.isel(subject=subject)
            assert (float(cell[name]), int(cell[f"{name}_n"])) == (pytest.approx(k / n), n)
            ends = (float(cell[f"{name}_lower"]), float(cell[f"{name}_upper"]))
            assert ends == pytest.approx(wilson(k, n), abs=1e-9)


def test_the_interval_of_the_difference_is_newcombes():
    wins, losses = np.arange(98) < 56, np.arange(98) < 56  # 56 of 70 beside 48 of 80, as in his Table II
    first = np.r_[np.ones(70), np.zeros(80)].astype(int)
    second = np.r_[np.arange(70) < 56, np.arange(80) < 48].astype(int)
    assert wins.sum() == losses.sum() == 56
    choice = xr.DataArray(np.stack([first, second], 1), dims=("episode", "trial"))
    found = behaviour.win_stay_lose_shift(xr.Dataset({"choice": choice, "side": xr.ones_like(choice)}))
    assert float(found.difference) == pytest.approx(0.2)
    assert (float(found.difference_lower), float(found.difference_upper)) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_missed_problems_leave_no_estimate_and_padding_is_left_out():
    trials = problems()
    trials["choice"] = trials.choice.where(trials.trial > 0, -1)
    curve = behaviour.learning_set_curve(trials)
    assert curve.accuracy.sel(trial=1).isnull().all() and (curve.n.sel(trial=1) == 0).all()
    padded = problems().assign(valid=xr.DataArray(np.arange(4) < 2, dims="trial"))
    assert behaviour.learning_set_curve(padded).n.sel(trial=[3, 4]).sum() == 0


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda t: behaviour.learning_set_curve(t.drop_vars("side")), "no variable 'side'"),
        (lambda t: behaviour.learning_set_curve(t.assign(side=t.side + 1)), "'side' holds 2; the sides are 0 and 1"),
        (lambda t: behaviour.learning_set_curve(t, by="block"), "There is no 'block' over 'episode'"),
        (
            lambda t: behaviour.learning_set_curve(t, by=(8, 4)),
            r"by is \(8, 4\); the last problems of blocks must rise",
        ),
        (lambda t: behaviour.learning_set_curve(t, by=(8, 41)), "at most 40"),
        (lambda t: behaviour.learning_set_curve(t, level=0), "level is 0"),
        (lambda t: behaviour.win_stay_lose_shift(t.isel(trial=[0])), "An episode has one trial"),
        (lambda t: agents.HarlowObserver(inverse_temperature=-1), "inverse_temperature is -1"),
        (lambda t: Harlow(partner="kpet"), r"partner is 'kpet'; allowed are .* Did you mean 'kept'\?"),
        (lambda t: Harlow(n_stimulus_features=0), "n_stimulus_features is 0; it must be at least 1"),
        (lambda t: Harlow(fixation_reward=float("nan")), "fixation_reward is nan; it must be finite"),
        (lambda t: Harlow(0), "n_trials is 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(call, told):
    with pytest.raises(InputError, match=told) as caught:
        call(problems())
    assert "\n" not in str(caught.value)


def test_the_observer_works_where_it_is_moved_to():
    agent = agents.HarlowObserver().to("meta")
    seen, before, paid = (torch.zeros(5, *shape, device="meta") for shape in ((17,), (3,), ()))
    answered = agent(seen, before, paid, agent.begin(5))
    assert {x.device.type for x in (answered.logits, answered.value, *answered.state.values())} == {"meta"}
    assert answered.logits.shape == (5, 3)


def test_the_command_prints_and_keeps_what_the_function_returns(tmp_path):
    runs.train(a2c.Config(Harlow(4), LSTM(4), n_updates=2, batch_size=4), tmp_path)
    assert neurometa("rollout", tmp_path, "--episodes", 60)[0] == 0
    code, out, err = neurometa("learning-set", tmp_path)
    assert code == 0, err
    assert "lose-shift" in out
    trials = dataset.open_run(tmp_path)
    kept = dataset.read(tmp_path / "learning_set.nc")
    assert kept.accuracy.values == pytest.approx(behaviour.learning_set_curve(trials).accuracy.values)
    assert kept.attrs["created"] == trials.attrs["created"]
    assert neurometa("learning-set", tmp_path, "--by", "20,60", "--json")[0] == 0
    assert dataset.read(tmp_path / "learning_set.nc").block.values.tolist() == ["1-20", "21-60"]
    assert "There is no 'phase'" in neurometa("learning-set", tmp_path, "--by", "phase")[2]


HARLOW = [
    pytest.param(name, marks=pytest.mark.slow) if "screen" in name else name  # whose frames take seconds
    for name in EXPERIMENTS
    if name.startswith("harlow")
]


@pytest.mark.parametrize("name", HARLOW)
def test_every_harlow_experiment_trains(name, tmp_path):
    small = ["n_updates=2", "batch_size=2", *(["task.n_steps=100"] if "screen" in name else [])]
    code, _, err = neurometa("train", name, "--out", tmp_path / name, *[x for s in small for x in ("--set", s)])
    assert code == 0, err
