"""Staying: published numbers of people, limits, pairs that are none, and the regressions on it."""

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy.special import expit, logsumexp
from shell import neurometa

from neurometa import dataset
from neurometa.behaviour import common_transition, history_regression, stay_mixed, stay_probability, stay_regression
from neurometa.errors import InputError
from neurometa.tables import read_trials

KOOL = Path(__file__).parents[2] / "shared" / "datasets" / "kool2016_twostep"
ODD = xr.DataArray(np.arange(20) % 2, dims="trial")
CELLS = [(o, t) for o in ("rewarded", "unrewarded") for t in ("common", "rare")]


def two_step(n_episodes=40, n_trials=60, stay=(0.9, 0.6, 0.5, 0.8), seed=0, spread=0.0):
    """A chooser that stays with given probabilities (CR, RR, CU, RU), whose log odds may differ between episodes."""
    rng = np.random.default_rng(seed)
    x = np.log(np.array(stay) / (1 - np.array(stay))) + spread * rng.standard_normal((n_episodes, 1))
    reward, common = rng.random((n_episodes, n_trials)) < 0.5, rng.random((n_episodes, n_trials)) < 0.7
    kind = 2 * ~reward + ~common
    stays = rng.random((n_episodes, n_trials)) < expit(np.take_along_axis(x, kind, 1))
    choice = np.cumsum(np.concatenate([np.zeros((n_episodes, 1), bool), ~stays[:, :-1]], 1), 1) % 2
    grain = ("episode", "trial")
    return xr.Dataset({"choice": (grain, choice), "reward": (grain, reward * 1.0), "common": (grain, common)})


@pytest.fixture(scope="module")
def kool():
    if not (KOOL / "daw_trials.csv.gz").exists():
        pytest.skip("the two-step trials, shared/datasets/kool2016_twostep, are not here")
    rows = pd.read_csv(KOOL / "daw_trials.csv.gz").query("included == 1")
    rows.loc[rows.missed == 1, "choice1"] = -1
    rows = rows[["subject", "trial", "choice1", "win", "common"]]
    return read_trials(rows, choice="choice1", reward="win", episode="")[0]


def slow(trials):
    """Stay probability and n of every kind, by looping over episodes and trials."""
    found = {cell: [] for cell in CELLS}
    for _, one in trials.groupby("episode"):
        one = one.squeeze("episode")
        c, r, k = one.choice.values, one.reward.values, one.common.values
        for t in range(1, len(c)):
            if c[t] >= 0 and c[t - 1] >= 0:
                kind = ("rewarded" if r[t - 1] else "unrewarded", "common" if k[t - 1] else "rare")
                found[kind].append(c[t] == c[t - 1])
    return {cell: (np.mean(x) if x else np.nan, len(x)) for cell, x in found.items()}


def test_every_subjects_stay_probabilities_are_the_published_ones(kool):
    published = pd.read_csv(KOOL / "daw_published_stayprobs.csv")
    stay = stay_probability(kool, by="subject").transpose("subject", ...)
    assert stay.sizes["subject"] == 197
    for outcome, word in (("rewarded", "win"), ("unrewarded", "loss")):
        for kind in ("common", "rare"):
            ours = stay.stay_probability.sel(previous_outcome=outcome, previous_transition=kind)
            np.testing.assert_allclose(ours, published[f"{kind}_{word}"], atol=1e-4)
    np.testing.assert_allclose(2 * stay.interaction, published.interaction, atol=1e-4)
    np.testing.assert_allclose(2 * stay.main_effect, published.maineffect, atol=1e-4)


def test_stay_probabilities_are_those_of_a_loop_also_across_misses_and_padding():
    trials = two_step(7, 30)
    rng = np.random.default_rng(1)
    trials["choice"] = trials.choice.where(rng.random(trials.choice.shape) > 0.2, -1)
    trials["valid"] = trials.trial < xr.DataArray(rng.integers(5, 30, 7), dims="episode")
    padded = trials.choice.where(trials.valid, -1)
    stay, expected = stay_probability(trials), slow(trials.assign(choice=padded))
    for (outcome, kind), (value, n) in expected.items():
        one = stay.sel(previous_outcome=outcome, previous_transition=kind)
        assert one.n_trials == n and one.stay_probability.item() == pytest.approx(value)


def test_a_second_stage_without_choice_is_a_missed_trial():
    trials = two_step(5, 40)
    late = np.random.default_rng(2).random(trials.choice.shape) < 0.2
    unfinished = trials.assign(second_choice=(("episode", "trial"), np.where(late, -1, 0)))
    missed = trials.assign(choice=trials.choice.where(~late, -1))
    xr.testing.assert_identical(stay_probability(unfinished), stay_probability(missed))


def test_other_dims_pass_through_in_any_order():
    seeds = [two_step(seed=seed).expand_dims(agent=[seed]) for seed in range(3)]
    trials = xr.concat(seeds, "agent").transpose("trial", "agent", "episode")
    together = stay_probability(trials)
    for seed, one in enumerate(seeds):
        alone = stay_probability(one.squeeze("agent", drop=True))
        xr.testing.assert_allclose(together.sel(agent=seed, drop=True).drop_attrs(), alone.drop_attrs())


def test_a_planner_interacts_and_a_habit_has_a_main_effect():
    planner = stay_probability(two_step(stay=(0.99, 0.1, 0.1, 0.99)))
    assert planner.interaction > 0.8 and abs(planner.main_effect) < 0.05
    repeats = stay_probability(two_step(stay=(0.99, 0.99, 0.1, 0.1)))
    assert repeats.main_effect > 0.8 and abs(repeats.interaction) < 0.05


def test_intervals_cover_the_truth_where_episodes_differ_and_trials_are_not_independent():
    truth, covered = (0.9, 0.6, 0.5, 0.8), []
    centre = np.log(np.array(truth) / (1 - np.array(truth)))
    mean = expit(centre + np.random.default_rng(0).standard_normal((200_000, 1))).mean(0)
    for seed in range(25):
        stay = stay_probability(two_step(60, 40, truth, seed, spread=1.0), n_bootstrap=100, seed=seed)
        ends = stay.interval.values.reshape(4, 2)
        covered.append((ends[:, 0] <= mean) & (mean <= ends[:, 1]))
    assert 0.85 < np.mean(covered) < 1


def test_one_cluster_has_no_interval_and_an_empty_cell_says_so():
    alone = stay_probability(two_step(1))
    assert alone.interval.isnull().all() and alone.stay_probability.notnull().all()
    never = stay_probability(two_step().assign(reward=xr.zeros_like(two_step().reward)))
    assert (
        never.interaction.isnull() and never.reason == "no trial before a choice was common rewarded or rare rewarded"
    )
    missed = stay_probability(two_step().assign(choice=-xr.ones_like(two_step().choice)))
    assert missed.stay_probability.isnull().all() and "no two neighbouring" in missed.reason.item()


def rows_of(trials):
    """One row per pair, for a regression by other means."""
    found = []
    for episode in range(trials.sizes["episode"]):
        one = trials.isel(episode=episode)
        o, t = 2 * one.reward.values[:-1] - 1, 2 * one.common.values[:-1].astype(float) - 1
        stays = one.choice.values[1:] == one.choice.values[:-1]
        found.append(np.column_stack([stays, np.ones_like(o), o, t, o * t, np.full(len(o), episode)]))
    return np.concatenate(found)


def test_the_regression_and_its_clustered_errors_are_those_of_statsmodels():
    trials = two_step(spread=0.5)
    rows = rows_of(trials)
    expected = sm.Logit(rows[:, 0], rows[:, 1:5]).fit(disp=0, cov_type="cluster", cov_kwds={"groups": rows[:, 5]})
    found = stay_regression(trials)
    np.testing.assert_allclose(found.coef, expected.params, atol=1e-7)
    np.testing.assert_allclose(found.se, expected.bse, rtol=1e-6)
    np.testing.assert_allclose(found.p_value, expected.pvalues, rtol=1e-4)
    assert found.log_likelihood.item() == pytest.approx(expected.llf) and found.robust
    plain = sm.Logit(rows[:, 0], rows[:, 1:5]).fit(disp=0)
    one = stay_regression(trials.assign_coords(lab=("episode", ["a"] * 40)), cluster="lab")
    assert not one.robust
    np.testing.assert_allclose(one.se, plain.bse, rtol=1e-6)


def test_a_cell_that_always_stays_is_refused_or_met_by_half_a_trial():
    trials = two_step(4, 40, stay=(1 - 1e-12, 0.6, 0.5, 0.8))
    found = stay_regression(trials)
    assert found.separated and found.coef.isnull().all() and "separation" in found.reason.item()
    firth, stay = stay_regression(trials, penalty="firth"), stay_probability(trials)
    n = stay.n_trials.values.ravel()
    k = np.round(stay.stay_probability.values.ravel() * n)
    log_odds = np.log((k + 0.5) / (n - k + 0.5))  # Jeffreys' prior on four proportions
    cells = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
    np.testing.assert_allclose(firth.coef, cells.T @ log_odds / 4, atol=1e-6)


def test_the_mixed_regression_maximises_the_likelihood_with_subjects_integrated_out():
    rng, n_subjects = np.random.default_rng(0), 30
    trials = two_step(n_subjects, 50, spread=0.8, seed=3).assign_coords(subject=("episode", np.arange(n_subjects)))
    found = stay_mixed(trials)
    assert found.converged and found.n_subjects == n_subjects
    assert found.subject_sd.sel(regressor="intercept").item() == pytest.approx(0.8, abs=0.3)
    x = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
    stay = stay_probability(trials, by="subject").transpose("subject", ...)
    n = stay.n_trials.values.reshape(n_subjects, 4)
    k = np.nan_to_num(stay.stay_probability.values.reshape(n_subjects, 4)) * n
    draws = rng.standard_normal((6_000, 4))

    def exact(mean, sd):  # by simple Monte Carlo, the same draws for all
        log_odds = (mean + sd * draws) @ x.T
        each = log_odds @ k.T - np.logaddexp(0, log_odds) @ n.T
        return (logsumexp(each, axis=0) - np.log(len(draws))).sum()

    top = exact(found.coef.values, found.subject_sd.values)
    assert found.log_likelihood.item() == pytest.approx(top, abs=0.5)
    for i in range(4):
        for shift in (-2.5, 2.5):
            moved = found.coef.values.copy()
            moved[i] += shift * found.se.values[i]
            assert exact(moved, found.subject_sd.values) < top - 2


def test_the_common_transition_is_derived_from_choice_and_state():
    trials = two_step(3, 10)
    state = xr.where(trials.common, trials.choice, 1 - trials.choice)
    bare = trials.drop_vars("common").assign(second_state=state)
    xr.testing.assert_equal(common_transition(bare), trials.common)
    xr.testing.assert_equal(common_transition(bare.assign(second_state=1 - state), leads_to=(1, 0)), trials.common)
    with pytest.raises(InputError, match=r"derive it with behaviour.common_transition"):
        stay_probability(bare)
    with pytest.raises(InputError, match=r"'second_state' is 1, 2 .* coded 1 and 2"):
        common_transition(bare.assign(second_state=state + 1))


@pytest.mark.parametrize("points", [(-1, 1), (0, 25), (-0.5, 3)])
def test_of_two_other_rewards_the_one_above_0_counts_and_this_is_said(points, tmp_path):
    trials = two_step(3, 30)
    coded = trials.assign(reward=xr.where(trials.reward > 0, points[1], points[0]))
    said = f"{points[1]} counts as rewarded, {points[0]} as unrewarded"
    for ask in (stay_probability, stay_regression, functools.partial(history_regression, encoding="miller", n_lags=2)):
        with pytest.warns(UserWarning, match=said):
            found = ask(coded)
        xr.testing.assert_identical(found, ask(trials))
    dataset.save_run(coded, tmp_path)
    code, _, err = neurometa("stay", tmp_path)
    assert code == 0 and err.count("\n") == 1 and said in err


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"reward": lambda x: x - ODD}, {}, "'reward' is -1, 0, 1, where a stay probability needs 1"),
        ({"reward": lambda x: x - 1}, {}, "'reward' is -1, 0, where a stay probability needs 1"),
        ({"reward": lambda x: x * (2 + ODD)}, {}, "'reward' is 2 somewhere"),
        ({"common": lambda x: x + 1}, {}, "'common' is 1, 2 where a choice was made; .* coded 1 and 2"),
        ({"choice": lambda x: 2 * x}, {}, "'choice' has 3 options"),
        ({}, {"by": "mouse"}, "by is 'mouse'; it must be one of"),
        ({}, {"cluster": "trial"}, "is 'trial'; it must be one of"),
        ({}, {"level": 95}, "level is 95"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(change, options, message):
    trials = two_step(3, 20)
    changed = trials.assign({name: f(trials[name]) for name, f in change.items()})
    with pytest.raises(InputError, match=message) as told:
        stay_probability(changed, **options)
    assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="no variable 'common'"):
        stay_probability(trials.drop_vars("common"))


def test_a_two_step_table_is_imported_and_its_codes_are_named(tmp_path):
    rows = pd.DataFrame(
        {"choice": [1, 2, 2, 1], "reward": [1, 0, 1, 1], "transition": ["common", "rare", "rare", "common"]}
    )
    trials, report = read_trials(rows.assign(state2=[1, 1, 2, 1]))
    assert trials.common.values.tolist() == [[True, False, False, True]] and trials.common.dtype == bool
    assert trials.second_state.values.tolist() == [[0, 0, 1, 0]] and "1 -> 0, 2 -> 1" in " ".join(report.recoded)
    with pytest.raises(InputError, match=r"the second-stage states are .* and must be two; type"):
        read_trials(rows.assign(state2=[1, 3, 2, 1]), second_state="state2")
    with pytest.raises(InputError, match=r"the transitions are \['odd'\], and nothing says which is common"):
        read_trials(rows.assign(transition="odd"), common="transition")
    good, _ = read_trials(rows.assign(state2=[0, 0, 1, 0]))
    assert good.second_state.values.tolist() == [[0, 0, 1, 0]]


def test_the_command_saves_what_the_function_returns(tmp_path):
    dataset.save_run(two_step(6, 40), tmp_path)
    code, out, _ = neurometa("stay", tmp_path)
    assert code == 0 and "interaction" in out
    saved = dataset.read(tmp_path / "stay.nc")
    expected = stay_probability(two_step(6, 40))
    xr.testing.assert_allclose(saved[["stay_probability", "interval"]], expected[["stay_probability", "interval"]])
    assert saved.regression_coef.sizes == {"regressor": 4}
    dataset.save_run(two_step(6, 40).drop_vars("common"), tmp_path)
    code, _, err = neurometa("stay", tmp_path)
    assert code == 2 and "no variable 'common'" in err and "Traceback" not in err
