"""What a linear readout may claim: planted codes are found, and nothing that another episode does not share."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import neurometa
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.neural import decode, hidden_state


def noise(*sizes, seed=0, dims=("episode", "trial", "unit")):
    return xr.DataArray(np.random.default_rng(seed).standard_normal(sizes), dims=dims)


def code(activity, *, share=0.6, seed=1):
    """A linear sum of independent units, and as much noise as leaves it this share of the variance."""
    weight = noise(activity.sizes["unit"], seed=seed, dims=("unit",))
    signal = xr.dot(activity, weight / np.sqrt((weight**2).sum()), dim="unit")
    other = signal.copy(data=np.random.default_rng(seed + 1).standard_normal(signal.shape))
    return signal + np.sqrt(1 / share - 1) * other


def walks(n_episodes=60, n_trials=40, n_units=20, seed=0):
    """Activity that stays near itself within an episode and says nothing of the next."""
    return noise(n_episodes, n_trials, n_units, seed=seed).cumsum("trial") + 10 * noise(
        n_episodes, n_units, seed=seed + 9, dims=("episode", "unit")
    )


def with_dims(x, dims, names):
    return x.rename(dict(zip(dims, names, strict=True)))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_planted_linear_code_is_read_with_the_share_of_variance_it_explains(share):
    activity = noise(200, 50, 12)
    found = decode(activity, code(activity, share=share))
    assert found.r_squared == pytest.approx(share, abs=0.01)
    assert found.lower < share < found.upper
    assert found.correlation == pytest.approx(share**0.5, abs=0.01)
    assert (found.n, found.n_episodes, found.n_left_out, found.note) == (10_000, 200, 0, "")


def test_a_code_without_noise_is_read_whole():
    activity = noise(30, 10, 8)
    found = decode(activity, xr.dot(activity, noise(8, dims=("unit",)), dim="unit") + 3)
    assert found.r_squared == pytest.approx(1, abs=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    held, scores, widths = [], [], []
    for seed in range(80):
        activity = noise(60, 20, 3, seed=3 * seed)
        found = decode(activity, code(activity, share=0.5, seed=3 * seed + 1))
        held.append(float(found.lower) < 0.5 < float(found.upper))
        scores.append(float(found.r_squared))
        widths.append(float(found.upper - found.lower))
    assert 0.87 <= np.mean(held) <= 1.0
    assert np.mean(widths) == pytest.approx(3.92 * np.std(scores, ddof=1), rel=0.25), "nor wider than scores spread"


def test_intervals_of_accuracy_are_as_wide_as_accuracies_spread():
    scores, widths = [], []
    for seed in range(20):
        activity = noise(20, 15, 3, seed=3 * seed)
        found = decode(activity, code(activity, share=0.4, seed=3 * seed + 1) > 0)
        scores.append(float(found.accuracy))
        widths.append(float(found.upper - found.lower))
    assert np.mean(widths) == pytest.approx(3.92 * np.std(scores, ddof=1), rel=0.4)


def test_unrelated_activity_reads_nothing_and_its_p_is_uniform():
    p_values, scores = [], []
    for seed in range(100):
        found = decode(walks(30, 10, 5, seed=seed), walks(30, 10, 1, seed=seed + 500).isel(unit=0), n_permutations=39)
        p_values.append(float(found.p_value))
        scores.append(float(found.r_squared))
    assert np.mean(scores) < 0
    assert 0.4 < np.mean(p_values) < 0.6
    assert np.mean(np.array(p_values) <= 0.1) < 0.2
    assert min(p_values) >= 1 / 40


def test_what_only_names_the_episode_is_not_read():
    target = noise(60, seed=3, dims=("episode",))
    activity = walks()
    honest = decode(activity, target, n_permutations=99)
    assert honest.r_squared < 0.1
    assert honest.p_value > 0.05
    stacked = activity.stack(sample=("episode", "trial")).transpose("sample", "unit").values
    values = np.repeat(target.values, 40)
    mixed = np.random.default_rng(0).permutation(len(values))  # folds that split episodes: what must not be done
    train, test = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
    leaked = Ridge(alpha=1e-6).fit(stacked[train], values[train]).score(stacked[test], values[test])
    assert leaked > float(honest.r_squared) + 0.15


def test_an_episode_is_held_out_as_a_whole_and_folds_are_blocks():
    found = decode(noise(17, 4, 2), noise(17, 4, dims=("episode", "trial")), n_folds=4)
    assert (np.diff(found.fold_of) >= 0).all()
    assert np.bincount(found.fold_of).tolist() == [5, 4, 4, 4]


def test_a_prediction_does_not_depend_on_the_episodes_held_out_with_it():
    activity = noise(30, 10, 4)
    target = code(activity)
    before = decode(activity, target, n_folds=3)
    changed = target.where(before.fold_of != 1, -7 * target)
    after = decode(activity, changed, n_folds=3)
    same = before.fold_of == 1
    np.testing.assert_allclose(
        before.prediction.isel(episode=np.flatnonzero(same)), after.prediction.isel(episode=np.flatnonzero(same))
    )
    assert not np.allclose(before.prediction, after.prediction)


def test_ridge_is_that_of_scikit_learn_at_the_penalty_chosen():
    activity = noise(25, 8, 6) * xr.DataArray([1, 100, 0.01, 1, 5, 1], dims="unit") + 50
    target = code(activity - 50, share=0.3) + 1000
    found = decode(activity, target, n_folds=5)
    x, y = activity.values.reshape(-1, 6), target.values.ravel()
    fold = np.repeat(found.fold_of.values, 8)
    for held_out in range(5):
        train = fold != held_out
        mean, spread = x[train].mean(0), x[train].std(0)
        line = Ridge(alpha=float(found.penalty[held_out]) * train.sum())
        line.fit((x[train] - mean) / spread, y[train])
        expected = line.predict((x[~train] - mean) / spread)
        np.testing.assert_allclose(found.prediction.values.ravel()[~train], expected, rtol=1e-6)
        assert found.r_squared_fold[held_out] == pytest.approx(line.score((x[~train] - mean) / spread, y[~train]))


def test_the_penalty_is_strong_where_units_are_many_and_the_code_is_weak():
    many, few = noise(12, 5, 50), noise(200, 20, 5)
    assert float(decode(many, code(many, share=0.05)).penalty.min()) > float(decode(few, code(few)).penalty.max())


def test_classes_that_a_line_parts_are_told_apart():
    activity = noise(60, 10, 4)
    found = decode(activity, activity.isel(unit=0) + 0.3 * activity.isel(unit=1) > 0)
    assert found.accuracy > 0.97
    assert found.auc > 0.995
    assert list(found["class"].values) == [False, True]
    np.testing.assert_allclose(found.probability.sum("class"), 1)


def test_logistic_regression_is_that_of_scikit_learn():
    activity = noise(40, 10, 4)
    target = code(activity, share=0.4) > 0.5
    found = decode(activity, target, n_folds=4)
    fold, x, y = np.repeat(found.fold_of.values, 10), activity.values.reshape(-1, 4), target.values.ravel()
    probability, areas = found.probability.values.reshape(-1, 2)[:, 1], []
    for held_out in range(4):
        train = fold != held_out
        mean, spread = x[train].mean(0), x[train].std(0)
        line = LogisticRegression(C=1 / (float(found.penalty[held_out]) * train.sum()), tol=1e-8)
        expected = line.fit((x[train] - mean) / spread, y[train]).predict_proba((x[~train] - mean) / spread)[:, 1]
        np.testing.assert_allclose(probability[~train], expected, atol=1e-4)
        areas.append(roc_auc_score(y[~train], probability[~train]))
    assert found.auc == pytest.approx(np.mean(areas))
    assert found.accuracy == pytest.approx(((probability > 0.5) == y).mean())


def test_three_classes_are_read_and_a_rare_one_weighs_as_much_in_balanced_accuracy():
    activity = noise(80, 10, 3)
    label = xr.where(activity.isel(unit=0) > 1.2, "rare", xr.where(activity.isel(unit=1) > 0, "left", "right"))
    found = decode(activity, label)
    assert list(found["class"].values) == ["left", "rare", "right"]
    assert found.accuracy > 0.85
    assert "auc" not in found
    predicted = found["class"].values[found.probability.values.argmax(-1)]
    recall = [(predicted == each)[label.values == each].mean() for each in ("left", "rare", "right")]
    assert found.balanced_accuracy == pytest.approx(np.mean(recall))


def test_unrelated_classes_are_at_chance():
    found = decode(noise(40, 5, 3), noise(40, 5, seed=4, dims=("episode", "trial")) > 0, n_permutations=19)
    assert found.p_value > 0.05
    assert found.chance == pytest.approx(0.5, abs=0.05)


def test_further_dims_pass_through_in_any_order():
    activity = noise(2, 3, 20, 10, 4, dims=("agent", "step", "episode", "trial", "unit"))
    target = noise(10, 5, 20, 2, seed=1, dims=("trial", "arm", "episode", "agent"))
    together = decode(activity.transpose("unit", "trial", "step", "episode", "agent"), target)
    assert together.r_squared.sizes == {"agent": 2, "step": 3, "arm": 5}
    alone = decode(activity.isel(agent=1, step=2), target.isel(agent=1, arm=3))
    here = together.isel(agent=1, step=2, arm=3)
    for name in ("r_squared", "lower", "upper", "correlation", "penalty", "prediction"):
        np.testing.assert_allclose(here[name].transpose(*alone[name].dims), alone[name])


def test_sessions_or_trials_can_be_held_out_instead_of_episodes():
    activity = noise(20, 10, 4)
    target = code(activity)
    expected = decode(activity, target)
    renamed = decode(
        with_dims(activity, ("episode",), ("session",)), with_dims(target, ("episode",), ("session",)), dim="session"
    )
    assert renamed.r_squared == expected.r_squared
    flat = {"dim": "trial", "n_folds": 3}
    assert decode(activity.isel(episode=0), target.isel(episode=0), **flat).sizes["trial"] == 10


def test_each_trial_can_have_its_own_decoder():
    activity = noise(100, 3, 4)
    target = xr.concat(
        [
            activity.isel(unit=0, trial=0),
            activity.isel(unit=1, trial=1),
            0 * activity.isel(unit=0, trial=2) + noise(100, seed=2, dims=("episode",)),
        ],
        "trial",
    )
    found = decode(activity, target, pool=())
    assert found.r_squared.dims == ("trial",)
    assert (found.r_squared[:2] > 0.99).all()
    assert found.r_squared[2] < 0.05


def test_a_code_that_turns_generalises_only_as_far_as_it_is_the_same():
    activity = noise(150, 4, 6)
    target = xr.concat([activity.isel(unit=0 if trial < 2 else 1, trial=trial) for trial in range(4)], "trial")
    found = decode(activity, target, generalise="trial")
    assert found.r_squared.dims == ("trial", "test_trial")
    same = np.kron(np.eye(2), np.ones((2, 2))).astype(bool)
    assert (found.r_squared.values[same] > 0.99).all()
    assert (found.r_squared.values[~same] < 0).all()
    each = decode(activity, target, pool=())
    np.testing.assert_allclose(np.diag(found.r_squared), each.r_squared)


def test_a_decoder_generalises_over_the_time_bins_of_trials_that_are_held_out_in_blocks():
    activity = noise(120, 3, 5, dims=("trial", "bin", "unit")).assign_coords(bin=[-500, 0, 500])
    target = activity.isel(unit=0, bin=1, drop=True)
    activity[:, 2, 0] = target + 0.1 * activity[:, 2, 1]  # what is held at bin 1 is kept at bin 2
    found = decode(activity, target > 0, dim="trial", generalise="bin")
    assert found.accuracy.dims == ("bin", "test_bin")
    assert found.test_bin.values.tolist() == [-500, 0, 500]
    assert (found.accuracy.values[1:, 1:] > 0.8).all()
    assert (found.accuracy.values[0, 1:] < 0.65).all()
    alone = decode(activity.isel(bin=2, drop=True), target > 0, dim="trial")
    assert found.accuracy[2, 2] == alone.accuracy
    by_hand = decode(
        activity.rename(bin="trial", trial="episode"), (target > 0).rename(trial="episode"), generalise="trial"
    )
    np.testing.assert_allclose(found.accuracy, by_hand.accuracy)


def test_a_decoder_of_one_step_is_tested_on_the_others_over_all_trials():
    activity = noise(60, 5, 2, 4, dims=("episode", "trial", "step", "unit")).assign_coords(step=["look", "choose"])
    target = activity.isel(unit=0).sel(step="look", drop=True)
    found = decode(activity, target, generalise="step")
    assert found.r_squared.sel(step="look", test_step="look") > 0.99
    assert found.r_squared.sel(step="look", test_step="choose") < 0
    assert found.n.values.tolist() == [[300, 300], [300, 300]]


def test_missing_samples_are_left_out_and_counted():
    activity = noise(30, 10, 4)
    target = code(activity)
    gone = xr.DataArray(np.random.default_rng(5).random((30, 10)) < 0.2, dims=("episode", "trial"))
    masked = decode(
        activity.where(noise(30, 10, seed=8, dims=("episode", "trial")) < 2), target.where(~gone), n_permutations=9
    )
    n = int((~gone & (noise(30, 10, seed=8, dims=("episode", "trial")) < 2)).sum())
    assert (masked.n, masked.n_left_out) == (n, 300 - n)
    assert masked.prediction.notnull().sum() == n
    assert masked.r_squared == pytest.approx(0.6, abs=0.12)
    assert masked.null.notnull().all()


def test_missing_categories_are_left_out():
    activity = noise(30, 10, 4)
    label = xr.where(activity.isel(unit=0) > 0, "left", "right").astype(object)
    label[0, :] = ""
    label[1, 2] = None
    found = decode(activity, label)
    assert (found.n_left_out, found.sizes["class"]) == (11, 2)
    assert found.probability.isel(episode=0).isnull().all()


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_episodes_without_a_target_are_no_part_of_chance(kind):
    activity = noise(36, 6, 2)
    present = xr.DataArray(np.arange(36) % 3 == 0, dims="episode")
    target = activity.isel(unit=0)
    target = target.where(present) if kind == "numbers" else (target > 0).astype(str).astype(object).where(present, "")
    found = decode(activity, target, n_folds=4, n_permutations=19)
    assert (found.n, found.n_left_out) == (72, 144)
    assert found.null.notnull().all()
    assert found.p_value == 1 / 20


@pytest.mark.parametrize("kind", ["numbers", "categories"])
def test_a_permutation_that_leaves_a_fold_empty_does_not_count(kind):
    activity, early = noise(3, 6, 1), xr.DataArray(np.arange(6) < 3, dims="trial")
    episode = xr.DataArray(np.arange(3), dims="episode")
    target = noise(3, 6, dims=("episode", "trial"), seed=1)
    missing = (episode == 1) & early
    target = (
        target.where(~missing) if kind == "numbers" else (target > 0).astype(str).astype(object).where(~missing, "")
    )
    found = decode(activity.where(~((episode == 0) & ~early)), target, n_folds=3, n_permutations=20)
    n = int(found.null.notnull().sum())
    assert 0 < n < 20
    assert found.p_value == pytest.approx(
        (1 + int((found.null >= found[{"numbers": "r_squared"}.get(kind, "accuracy")]).sum())) / (1 + n)
    )


def test_a_unit_that_is_silent_changes_nothing_and_is_reported():
    activity = noise(30, 10, 4)
    target = code(activity)
    silent = xr.concat([activity, xr.full_like(activity.isel(unit=[0]), 0.1)], "unit")
    found, expected = decode(silent, target), decode(activity, target)
    assert found.n_constant_units == 1
    assert found.r_squared == pytest.approx(float(expected.r_squared))


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (xr.zeros_like(noise(20, 5, dims=("episode", "trial"))) + 0.5, "does not vary"),
        (noise(20, 5, dims=("episode", "trial")) > -99, "does not vary"),
        (noise(20, 5, dims=("episode", "trial")) * np.nan, "no sample"),
        (noise(20, 5, dims=("episode", "trial")).where(xr.DataArray(np.arange(20) > 5, dims="episode")), "a fold"),
    ],
)
def test_where_nothing_can_be_read_the_result_says_why(target, reason):
    found = decode(noise(20, 5, 3), target, n_permutations=3)
    assert reason in str(found.note.item())
    assert found[next(name for name in ("r_squared", "accuracy") if name in found)].isnull()
    assert found.p_value.isnull()


def test_a_seed_fixes_the_permutations():
    activity, target = noise(20, 5, 3), noise(20, 5, dims=("episode", "trial"))
    a, b, c = (decode(activity, target, n_permutations=5, seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(a, b)
    assert not np.allclose(a.null, c.null)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
def test_a_readout_does_not_see_scale_or_origin_nor_rotation_where_the_penalty_is_slight(seed, scale, shift):
    activity = noise(40, 10, 4, seed=seed)
    target = code(activity, share=0.8, seed=seed + 1)
    expected = decode(activity, target)
    moved = decode(activity * scale + shift, target * scale - shift)
    assert moved.r_squared == pytest.approx(float(expected.r_squared), abs=1e-6)
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((4, 4)))[0]
    turned = xr.dot(activity, xr.DataArray(turn, dims=("unit", "other")), dim="unit").rename(other="unit")
    assert decode(turned, target).r_squared == pytest.approx(float(expected.r_squared), abs=0.01)


def test_the_order_of_episodes_within_the_same_blocks_is_no_matter():
    activity = noise(20, 5, 3)
    target = code(activity)
    order = np.concatenate([block + np.random.default_rng(0).permutation(4) for block in range(0, 20, 4)])
    shuffled = decode(activity.isel(episode=order), target.isel(episode=order))
    assert shuffled.r_squared == pytest.approx(float(decode(activity, target).r_squared))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_folds": 2}, "n_folds is 2; it must be at least 3"),
        ({"n_folds": 21}, "There are 20 values of 'episode' for 21 folds"),
        ({"dim": "session"}, "The activity spans .* must also span \\('session',\\)"),
        (
            {"target": noise(19, 5, dims=("episode", "trial"))},
            "The activity has 20 values of 'episode' and the target 19",
        ),
        ({"target": noise(5, dims=("trial",))}, "The target spans \\('trial',\\); it must also span \\('episode',\\)"),
        ({"target": noise(20, 3, dims=("episode", "unit"))}, "The target spans 'unit'"),
        ({"generalise": "trial", "pool": ("trial",)}, "generalise is 'trial'; it must be a dim .* neither pooled"),
        ({"generalise": "bin"}, "generalise is 'bin'; it must be a dim of the activity"),
        ({"activity": noise(20, 5, 3).astype(str)}, "The activity is <U"),
    ],
)
def test_bad_input_is_told_in_a_sentence(change, message):
    call = {"activity": noise(20, 5, 3), "target": noise(20, 5, dims=("episode", "trial"))} | change
    with pytest.raises(InputError, match=message):
        decode(call.pop("activity"), call.pop("target"), **call)


def test_labels_that_differ_are_refused():
    activity = noise(20, 5, 3).assign_coords(episode=np.arange(20))
    with pytest.raises(InputError, match="labels of activity and target differ"):
        decode(activity, activity.isel(unit=0).assign_coords(episode=np.arange(1, 21)))


def test_a_run_without_activity_says_how_to_log_it():
    with pytest.raises(InputError, match=r"hold no 'hidden'.*neurometa rollout"):
        hidden_state(dataset.example(n_episodes=3))


def test_several_steps_want_one_named():
    trials = xr.Dataset(
        {"hidden": noise(2, 3, 2, 4, dims=("episode", "trial", "step", "unit"))}, {"step": ["look", "choose"]}
    )
    assert hidden_state(trials, step="look").dims == ("episode", "trial", "unit")
    with pytest.raises(InputError, match=r"\['look', 'choose'\]"):
        hidden_state(trials)


def test_monkeys_choices_are_read_from_prefrontal_counts_once_made_and_no_label_that_every_block_draws_anew():
    """Bartolo et al. 2020, a session of monkey V: blocks held out as a whole, beside the shuffled reference."""
    folder = Path(__file__).parents[2] / "shared" / "datasets" / "bartolo2020_monkey_pfc"
    if not folder.exists():
        pytest.skip("the monkey recordings, shared/datasets/bartolo2020_monkey_pfc, are not here")
    table = pd.read_csv(folder / "V20161017_trials.csv.gz")
    whole = (table.block_completed == 1).values  # 24 blocks of 80 trials
    count = np.load(folder / "V20161017.npz")["X"][::12, whole]  # every twelfth unit, for time
    counts = xr.DataArray(count.reshape(-1, 24, 80, 6), dims=("unit", "block", "trial", "bin"))
    reference = json.loads((folder / "reference_decode_5fold.json").read_text())["V20161017"]

    def read(name, time):
        label = xr.DataArray(table[name][whole].values.reshape(24, 80) == 1, dims=("block", "trial"))
        return decode(counts.isel(bin=time), label, dim="block")

    assert read("chosen_loc", 0).auc < 0.65 < 0.98 < read("chosen_loc", 3).auc
    assert read("chosen_loc", 3).accuracy > reference["chosen_loc"][3] - 0.08
    assert read("reward", 0).auc < 0.6 < 0.8 < read("reward", 5).auc
    assert read("chosen_image", 3).accuracy < 0.58 < reference["chosen_image"][3]  # shuffled folds know the block


@pytest.fixture
def run(tmp_path):
    """Thirty episodes of random choices whose hidden state holds the wins of arm 0, and its untrained control."""
    from neurometa.behaviour import counts

    rng = np.random.default_rng(0)
    grain = ("episode", "trial")
    prob = np.repeat(rng.random((30, 1, 2)), 12, 1)
    choice = rng.integers(0, 2, (30, 12)).astype(np.int8)
    reward = (rng.random((30, 12)) < np.take_along_axis(prob, choice[..., None], -1)[..., 0]).astype(float)
    trials = xr.Dataset(
        {
            "choice": (grain, choice, {"n_options": 2}),
            "reward": (grain, reward),
            "reward_prob": ((*grain, "arm"), prob),
        },
        attrs={"task": json.dumps({"type": "IndependentBandit"}), "seed": 0},
    )
    idle = noise(30, 12, 4)
    held = xr.concat([counts(trials).wins.isel(arm=0) + 0.1 * idle.isel(unit=0), idle.isel(unit=1)], "unit")
    for name, activity in (("behaviour", held), ("untrained", idle)):
        dataset.save_run(trials.assign(hidden=activity.expand_dims(step=["choice"])), tmp_path / "run" / f"{name}.nc")
    return tmp_path / "run"


def test_the_command_sets_a_run_beside_its_untrained_network(run):
    exit_code, out, err = neurometa("decode", run, "--json", "--permutations", 19)
    assert (exit_code, err) == (0, "")
    told = {row["target"]: row for row in json.loads(out)["readouts"]}
    assert told["wins of arm 0"]["r_squared"] > 0.9 > 0.1 > told["wins of arm 0"]["beside"]["untrained"]
    assert told["wins of arm 0"]["p_value"] == 0.05
    assert list(told) == [f"{what} of arm {arm}" for what in ("posterior mean", "wins", "losses") for arm in (0, 1)] + [
        "log odds"
    ]
    assert dataset.read(run / "decode.nc").beside_r_squared.dims == ("network", "target")


@pytest.mark.parametrize(
    "options", [["--per-trial"], ["--generalise", "--target", "wins-losses"], ["--target", "choice"]]
)
def test_the_command_prints_a_table_in_every_form(run, options):
    exit_code, out, err = neurometa("decode", run, *options, "--permutations", 0)
    assert (exit_code, err) == (0, "")
    assert "untrained" in out
    assert "12 samples" in out or "30 samples" in out or "360 samples" in out


def test_of_many_targets_the_command_prints_the_median_and_the_range_of_each_kind(run, monkeypatch):
    every = json.loads(neurometa("decode", run, "--json", "--permutations", 0)[1])["readouts"]
    monkeypatch.setattr("neurometa.cli.decode.MOST", 3)
    code, out, err = neurometa("decode", run, "--permutations", 0)
    of_arms = {row["target"]: row["r_squared"] for row in every}
    assert (code, err) == (0, "") and "median R²" in out and "least, most" in out
    line = next(line for line in out.splitlines() if "wins of arm 0" in line).split()
    assert line[4] == "1" and float(line[5]) == pytest.approx(of_arms["wins of arm 0"], abs=1e-3)


def test_the_command_says_what_is_wrong(run):
    (run / "untrained.nc").unlink()
    assert "rollout" in neurometa("decode", run, "--permutations", 0)[1]
    for options, message in (
        (["--activity", "cell"], "hold no 'cell'"),
        (["--target", "winz-losses"], "Did you mean 'wins-losses'?"),
        (["--target", "choice", "--target", "log-odds"], "a category is read on its own"),
        (["--folds", 31], "for 31 folds"),
        (["--permutations", -1], "--permutations is -1"),
        (["--beside", run], "called alike"),
    ):
        if options[0] == "--beside":
            options = [*options, "--beside", run]
        exit_code, out, err = neurometa("decode", run, *options)
        assert (exit_code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1


def test_the_interval_of_an_accuracy_stays_within_0_and_1():
    from neurometa.neural.held_out import interval

    for wrong in ([0, 0, 0, 0], [0, 0, 0, 1], [4, 5, 5, 5], [5, 5, 5, 5]):
        lower, upper = interval(np.array(wrong, float), np.full(4, 5.0), 0.95, share=True)
        assert 0 <= lower <= 1 - sum(wrong) / 20 <= upper <= 1 and upper - lower > 0.01


def test_units_that_are_nan_on_every_sample_are_named_with_what_to_drop():
    activity = xr.DataArray(np.random.default_rng(0).normal(size=(12, 6)), dims=("episode", "unit"))
    target = activity.isel(unit=0, drop=True)
    activity[:, [2, 4]] = np.nan
    with pytest.raises(
        InputError, match=r"NaN on every sample.*: 2, 4\. Drop them: activity.drop_isel\(unit=\[2, 4\]\)"
    ):
        decode(activity, target)
    assert decode(activity.drop_isel(unit=[2, 4]), target).r_squared > 0.5
