"""What a unit may be said to code: its own part of each factor, by tests that hold their level."""

import json

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import stats
from shell import neurometa
from statsmodels.stats.multitest import multipletests

from neurometa import dataset
from neurometa.behaviour import coding_factors, previous_trial
from neurometa.errors import InputError
from neurometa.neural import encode

GRAIN = ("episode", "trial")


def noise(*sizes, seed=0, dims=(*GRAIN, "unit")):
    return xr.DataArray(np.random.default_rng(seed).standard_normal(sizes), dims=dims)


def correlated(n_episodes=40, n_trials=30, seed=5):
    """Three factors that hang together."""
    a, b, c = (noise(n_episodes, n_trials, seed=seed + i, dims=GRAIN) for i in range(3))
    return xr.Dataset({"a": a, "b": 0.6 * a + b, "c": (b + c > 0).astype(float)})


def planted(factors, n_units=6, seed=1):
    """Unit 0 codes a, unit 1 codes b, the others nothing."""
    sizes = factors.sizes
    activity = noise(sizes["episode"], sizes["trial"], n_units, seed=seed)
    return activity + xr.concat([factors.a, factors.b, *[0 * factors.a] * (n_units - 2)], "unit")


def test_partial_correlations_are_those_of_what_the_other_factors_leave():
    factors = correlated()
    activity = planted(factors).transpose(*GRAIN, "unit")
    found = encode(activity, factors)
    x = np.stack([factors[name].values.ravel() for name in factors], 1)
    y = activity.values.reshape(-1, 6)
    for kind, z, u in (("pearson", x, y), ("spearman", stats.rankdata(x, axis=0), stats.rankdata(y, axis=0))):
        for i in range(3):
            others = sm.add_constant(np.delete(z, i, 1))
            for unit in range(6):
                rest = [sm.OLS(v, others).fit().resid for v in (z[:, i], u[:, unit])]
                expected = np.corrcoef(*rest)[0, 1]
                assert found[kind][i, unit] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("sample", [("episode", "trial"), ("trial",), ("episode",)])
def test_the_regression_is_that_of_statsmodels_with_errors_by_episode_where_trials_are_pooled(sample):
    factors = correlated()
    activity = planted(factors).transpose(*GRAIN, "unit")
    found = encode(activity, factors, sample=sample)
    where = {name: 3 for name in GRAIN if name not in sample}
    x = np.stack([factors[name].isel(where).values.ravel() for name in factors], 1)
    for unit in range(6):
        model = sm.OLS(activity.isel(where).isel(unit=unit).values.ravel(), sm.add_constant(x))
        how = {"cov_type": "cluster", "cov_kwds": {"groups": np.repeat(np.arange(40), 30)}, "use_t": True}
        fit = model.fit(**how) if len(sample) == 2 else model.fit()
        here = found.isel(where).isel(unit=unit)
        np.testing.assert_allclose(here.coef, fit.params[1:])
        np.testing.assert_allclose(here.se, fit.bse[1:])
        np.testing.assert_allclose(here.p_value, fit.pvalues[1:], atol=1e-14)


def test_a_planted_code_is_found_in_its_unit_and_factor_alone():
    found = encode(planted(correlated(seed=2), n_units=20), correlated(seed=2), n_permutations=19)
    significant = found.significant.transpose("factor", "unit").values
    assert np.argwhere(significant).tolist() == [[0, 0], [1, 1]]
    assert found.share.values == pytest.approx([1 / 20, 1 / 20, 0])
    assert found.spearman_p_value.values[0, 0] == found.pearson_p_value.values[1, 1] == 1 / 20
    assert found.spearman.sel(factor="a").isel(unit=0) > 5 * found.spearman_chance.sel(factor="a").isel(unit=0)
    np.testing.assert_allclose(found.spearman_mean, np.abs(found.spearman).mean("unit"))
    assert (found.n, found.n_episodes, found.n_left_out, found.n_constant_units) == (1200, 40, 0, 0)


def test_unrelated_units_that_drift_as_slowly_as_a_factor_are_significant_no_more_often_than_stated():
    """Neighbouring trials are alike; that is why errors are by episode and whole episodes are permuted."""
    factor = noise(40, 40, seed=3, dims=GRAIN).cumsum("trial").to_dataset(name="a")
    activity = noise(40, 40, 300, seed=4).cumsum("trial")
    found = encode(activity, factor, correction="none", n_permutations=19)
    assert 0.02 < found.share.item() < 0.09
    assert 0.02 < (found.spearman_p_value <= 0.05).mean() < 0.09
    flat = (x.stack(each=GRAIN).drop_vars(["each", *GRAIN]) for x in (activity, factor))
    naive = encode(*flat, sample=("each",), dim="each", correction="none")
    assert naive.share > 0.4


def test_each_episode_and_each_trial_can_be_asked_alone():
    factors = correlated()
    activity = planted(factors)
    by_episode = encode(activity, factors, sample=("trial",))
    assert by_episode.share.dims == ("episode", "factor")
    assert "n_episodes" not in by_episode
    alone = encode(activity.isel(episode=[7]), factors.isel(episode=[7]), sample=("trial",)).isel(episode=0)
    xr.testing.assert_allclose(by_episode.isel(episode=7), alone)
    by_trial = encode(activity, factors, sample=("episode",), n_permutations=5)
    assert by_trial.spearman.dims == ("trial", "factor", "unit")
    assert (by_trial.n_episodes == 40).all()


def test_further_dims_pass_through_in_any_order():
    factors = correlated()
    activity = xr.concat([planted(factors), planted(factors, seed=8)], "agent")
    together = encode(activity.transpose("unit", "trial", "agent", "episode"), factors, n_permutations=3).isel(agent=1)
    alone = encode(planted(factors, seed=8), factors, n_permutations=3)
    xr.testing.assert_allclose(
        together[["spearman", "p_corrected", "share", "note"]], alone[["spearman", "p_corrected", "share", "note"]]
    )
    own = xr.concat([factors, factors.assign(a=factors.c, c=factors.a)], "agent")
    swapped = encode(planted(factors), own).isel(agent=1)
    np.testing.assert_allclose(
        swapped.pearson.sel(factor="c"), encode(planted(factors), factors).pearson.sel(factor="a")
    )


@pytest.mark.parametrize(("correction", "method"), [("bonferroni", "bonferroni"), ("fdr", "fdr_bh")])
def test_corrections_are_over_the_units_that_can_be_tested(correction, method):
    factors = correlated()
    activity = 0.1 * planted(factors, n_units=12) + noise(40, 30, 12, seed=9)
    activity[:, :, 4] = 2.5
    found = encode(activity, factors, correction=correction)
    for factor in range(3):
        p = found.p_value.isel(factor=factor).values
        assert np.flatnonzero(np.isnan(p)).tolist() == [4]
        there = np.isfinite(p)
        expected = multipletests(p[there], method=method)[1]
        np.testing.assert_allclose(found.p_corrected.isel(factor=factor).values[there], expected)
    assert found.n_constant_units == 1
    assert found.note.values[4] == "the unit does not vary"
    np.testing.assert_allclose(found.share, found.significant.sum("unit") / 11)


def test_missing_samples_are_left_out_and_counted():
    factors = correlated()
    gone = noise(40, 30, seed=7, dims=GRAIN) > 1
    activity = planted(factors)
    found = encode(activity, factors.assign(a=factors.a.where(~gone)), n_permutations=3)
    assert found.n_left_out == int(gone.sum())
    same = encode(activity.where(~gone), factors, n_permutations=3)
    np.testing.assert_allclose(found.spearman, same.spearman)
    np.testing.assert_allclose(found.coef, same.coef)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.assign(c=f.a - 2 * f.b), "a factor follows from the others"),
        (lambda f: f.assign(c=0 * f.a + 1), "a factor does not vary"),
        (lambda f: f.where(False), "no sample has both"),
        (lambda f: f.where(xr.DataArray(np.arange(40) < 4, dims="episode")), "not more episodes than coefficients"),
    ],
)
def test_where_nothing_can_be_said_the_result_says_why(change, reason):
    factors = correlated()
    found = encode(planted(factors), change(factors))
    assert (found.spearman.isnull() & found.p_value.isnull()).all()
    assert found.share.isnull().all()
    assert not found.significant.any()
    assert all(reason in note for note in found.note.values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample": ()}, "sample names no dim"),
        ({"sample": ("bin",)}, r"must also span \('bin',\)"),
        ({"factors": xr.Dataset()}, "There is no factor"),
        ({"factors": xr.Dataset({"a": (GRAIN, np.full((40, 30), "x"))})}, "The factor 'a' is <U1"),
        ({"factors": xr.Dataset({"a": ("unit", np.ones(6))})}, "spans 'unit'"),
        ({"factors": xr.Dataset({"a": (GRAIN, np.ones((40, 29)))})}, "30 values of 'trial' and the factor 'a' 29"),
        ({"correction": "holm"}, "correction is 'holm'"),
        ({"significance": 5}, "significance is 5"),
        ({"n_permutations": -1}, "n_permutations is -1"),
        ({"sample": ("trial",), "n_permutations": 9}, "Permutations exchange values of 'episode'"),
    ],
)
def test_bad_input_is_told_in_a_sentence(change, message):
    call = {"factors": correlated()} | change
    with pytest.raises(InputError, match=message):
        encode(planted(correlated()), call.pop("factors"), **call)


def trials():
    """Five trials of two episodes; one missed, one padded."""
    return xr.Dataset(
        {
            "choice": (GRAIN, np.array([[0, 1, -1, 1, 0], [1, 1, 0, 0, 0]], np.int8), {"n_options": 2}),
            "reward": (GRAIN, [[1.0, 0, 0, 1, 1], [0.5, 1, 0, 0, 0]]),
            "valid": (GRAIN, [[True] * 5, [True] * 4 + [False]]),
            "reward_prob": ((*GRAIN, "arm"), np.arange(20.0).reshape(2, 5, 2) / 20),
        }
    )


def test_the_trial_before_is_of_the_same_episode_and_was_played():
    before = previous_trial(trials())
    np.testing.assert_array_equal(before.previous_choice, [[np.nan, 0, 1, np.nan, 1], [np.nan, 1, 1, 0, np.nan]])
    np.testing.assert_array_equal(before.previous_reward, [[np.nan, 1, 0, np.nan, 1], [np.nan, 0.5, 1, 0, np.nan]])
    np.testing.assert_array_equal(before.previous_product, [[np.nan, -1, 0, np.nan, 1], [np.nan, 0.5, 1, 0, np.nan]])


def test_the_factors_are_those_of_the_paper_after_the_first_third():
    found = coding_factors(trials(), skip=2 / 5)
    assert list(found) == ["last action", "last reward", "action x reward", "value"]
    np.testing.assert_array_equal(found["last action"], [[np.nan, np.nan, 1, np.nan, 1], [np.nan, 1, 1, -1, np.nan]])
    np.testing.assert_array_equal(found["value"][1], [np.nan, 0.6, 0.7, 0.8, np.nan])
    of_volatility = coding_factors(trials().assign(volatile=(GRAIN, np.eye(2, 5) > 0)), ("volatile", "next-action"))
    np.testing.assert_array_equal(of_volatility["next action"][0], [-1, 1, np.nan, 1, -1])
    np.testing.assert_array_equal(of_volatility["volatile"][0], [1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("valu",), "Did you mean 'value'?"),
        (("value", "value"), "name each once"),
        ((), "one at least"),
        (("label",), "'label' is <U1; a factor must be numbers"),
        (("hidden",), "a factor has no 'unit'"),
    ],
)
def test_a_factor_that_is_none_is_named(names, message):
    more = {"label": (GRAIN, np.full((2, 5), "x")), "hidden": noise(2, 5, 3)}
    with pytest.raises(InputError, match=message):
        coding_factors(trials().assign(more), names)


def test_signs_are_for_two_options():
    three = trials()
    three.choice.attrs["n_options"] = 3
    with pytest.raises(InputError, match="has a sign for two options, and these trials have 3"):
        coding_factors(three, ("last-action",))
    assert "previous_product" not in previous_trial(three)


@pytest.fixture
def run(tmp_path):
    """Forty episodes of a learner whose first unit holds its last reward and whose second does not vary."""
    example = dataset.example(n_episodes=40).reset_coords(drop=True)
    held = previous_trial(example).previous_reward.fillna(0.5) + noise(40, 150, dims=GRAIN)
    idle = noise(40, 150, 2, seed=4)
    activity = xr.concat([held, 0 * held, idle.isel(unit=0), idle.isel(unit=1)], "unit").expand_dims(step=["choice"])
    volatile = example.drift_sd > 0.1
    dataset.save_run(example.assign(hidden=activity, volatile=volatile), tmp_path / "run")
    return tmp_path / "run"


def test_the_command_saves_and_tells_what_units_code(run):
    exit_code, out, err = neurometa("encode", run, "--json", "--permutations", 19)
    assert (exit_code, err) == (0, "")
    told = json.loads(out)
    assert {row["factor"]: row["share"] for row in told["factors"]} == pytest.approx(
        {"last action": 0, "last reward": 1 / 3, "action x reward": 0, "value": 0}
    )
    assert (told["n_constant_units"], told["notes"]) == (1, ["the unit does not vary"])
    saved = dataset.read(run / "encode.nc")
    assert saved.spearman.sel(factor="last reward")[0] > 0.3
    assert saved.n == 40 * 100


@pytest.mark.parametrize(
    "options", [["--per-episode", "--skip", 0], ["--factor", "volatility"], ["--factor", "choice"]]
)
def test_the_command_prints_a_table_in_every_form(run, options):
    exit_code, out, err = neurometa("encode", run, *options, "--permutations", 0)
    assert (exit_code, err) == (0, "")
    assert "the unit does not vary" in out
    assert ("volatile" in out) == ("volatility" in options)


def test_the_command_says_what_is_wrong(run):
    for options, message in (
        (["--activity", "cell"], "hold no 'cell'"),
        (["--factor", "valu"], "Did you mean 'value'?"),
        (["--skip", 1], "skip is 1"),
        (["--per-episode", "--per-trial"], "exclude each other"),
        (["--step", "fixation"], "step is 'fixation'"),
    ):
        exit_code, out, err = neurometa("encode", run, *options)
        assert (exit_code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
