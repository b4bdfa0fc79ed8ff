"""Fitted parameters between groups: what the comparison finds, what it must equal, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats
from shell import neurometa

from neurometa import behaviour, dataset, plotting, report
from neurometa.behaviour.group_design import design_of
from neurometa.behaviour.group_tests import two_stage
from neurometa.errors import InputError
from neurometa.fitting.group_regression import regress, slope
from neurometa.fitting.marginal import Group, Nodes
from neurometa.models import RescorlaWagner
from neurometa.report import members, parameters


def learners(difference=2.0, n=12, n_trials=150, seed=0, spread=0.4):
    """Mice of two genotypes whose rates differ by so many log-odds, and what is known of them."""
    rng = np.random.default_rng(seed)
    genotype = np.repeat(["KO", "WT"], n // 2)
    rate = 1 / (1 + np.exp(-rng.normal(np.where(genotype == "KO", -difference, 0.0) + 0.5, spread)))
    prob = np.tile(np.repeat([0.85, 0.15], 25), n_trials // 50)
    world = np.broadcast_to(np.stack([prob, 1 - prob], -1), (n, n_trials, 2))
    model = RescorlaWagner(xr.DataArray(rate, dims="subject"), xr.DataArray(np.full(n, 4.0), dims="subject"))
    trials = behaviour.simulate(model, xr.DataArray(world, dims=("subject", "trial", "arm")), rng=rng)
    about = {"genotype": genotype, "weight": rng.normal(25, 2, n), "sex": np.tile(["f", "m"], n // 2)}
    names = [f"m{i:02d}" for i in range(n)]
    return trials.assign_coords(subject=names, **{name: ("subject", x) for name, x in about.items()})


TRIALS = learners()


def known_members(z):
    """Nodes of members whose parameters are all but certain."""
    grid = np.linspace(-8, 8, 3201)[None, :, None] * np.ones((len(z), 1, z.shape[1]))
    likelihood = -0.5 * ((grid - z[:, None]) / 0.02) ** 2
    return Nodes(grid, likelihood.sum(0), np.full((len(z), z.shape[1]), 0.005), np.full(len(z), 0.003))


def test_of_members_known_exactly_the_regression_is_ordinary_least_squares():
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(15), rng.normal(size=15), np.repeat([0.0, 1.0, 0.0], 5)])
    z = (x @ [0.3, -0.8, 1.1] + 0.7 * rng.normal(size=15))[None]
    found = regress(known_members(z), x, Group(z.mean(1), z.std(1)), np.array([[-8.0, 8.0]]))
    coef, rss = np.linalg.lstsq(x, z[0], rcond=None)[:2]
    np.testing.assert_allclose(found.coef[0], coef, atol=2e-4)
    variance = rss[0] / (15 - 3)
    np.testing.assert_allclose(found.sd, np.sqrt(variance), rtol=2e-3)
    np.testing.assert_allclose(found.covariance[0], variance * np.linalg.inv(x.T @ x), rtol=5e-3, atol=1e-5)


def test_the_slope_of_the_marginal_likelihood_is_that_of_its_differences():
    rng = np.random.default_rng(2)
    z = rng.normal(size=(2, 6))
    grid = rng.normal(size=(2, 50, 6)) * 2
    nodes = Nodes(grid, -0.5 * ((grid - z[:, None]) ** 2).sum(0), np.zeros((2, 6)), np.full(2, 0.05))
    x = np.column_stack([np.ones(6), rng.normal(size=6)])
    theta = np.array([0.1, 0.4, -0.3, 0.2, -0.1, 0.3])
    steps = 1e-6 * np.eye(6)
    differences = [(slope(nodes, x, theta + s)[0] - slope(nodes, x, theta - s)[0]) / 2e-6 for s in steps]
    np.testing.assert_allclose(slope(nodes, x, theta)[1], differences, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("how", ["hierarchical", "two-stage"])
def test_a_difference_between_genotypes_is_found_in_the_rate_and_not_in_the_slope(how):
    found = behaviour.compare_groups(RescorlaWagner, TRIALS, "genotype", how=how, n_permutations=999)
    rate = found.sel(term="WT - KO", parameter="learning_rate")
    assert float(rate.p_value) < 0.01 and float(found.p_value.sel(parameter="inverse_temperature")[0]) > 0.05
    low, high = rate.effect_interval.values
    assert 0 < low < float(rate.effect) < high
    if how == "hierarchical":
        assert low < 2.0 < high and high - low < 2.5 and str(rate.link.values) == "log-odds"
    assert found.n_members.values.tolist() == [6, 6]
    means = found.group_mean.sel(parameter="learning_rate")
    assert float(means.sel(level="WT")) > float(means.sel(level="KO"))
    assert (found.genotype.values == TRIALS.genotype.values).all() and found.estimate.dims == ("parameter", "subject")


def test_what_is_compared_with_the_reference_only_changes_sign_with_it():
    first, other = (
        behaviour.compare_groups(RescorlaWagner, TRIALS, "genotype", reference=name) for name in ("KO", "WT")
    )
    np.testing.assert_allclose(first.effect, -other.effect, atol=2e-3)
    np.testing.assert_allclose(first.p_value, other.p_value, rtol=0.05, atol=1e-6)


def estimates(value, error=None):
    error = np.full(value.size, 0.05) if error is None else error
    return xr.Dataset({"rate": ("subject", value), "rate_se": ("subject", error)}, {"subject": np.arange(value.size)})


def test_two_stages_are_welchs_t_with_the_permutations_and_hedges_g_of_the_textbooks():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.3, 0.1, 9), rng.normal(0.45, 0.2, 7)
    design = design_of("g", pd.DataFrame({"g": ["a"] * 9 + ["b"] * 7}))
    found = two_stage(estimates(np.r_[a, b]), ["rate"], "subject", design, 0.95, 9999, 0).isel(parameter=0, term=0)
    welch = stats.ttest_ind(b, a, equal_var=False)
    assert float(found.p_value) == pytest.approx(welch.pvalue) and float(found.df) == pytest.approx(welch.df)
    np.testing.assert_allclose(found.effect_interval, welch.confidence_interval(), rtol=1e-9)
    permuted = stats.permutation_test(
        (b, a), lambda x, y, axis: np.abs(stats.ttest_ind(x, y, axis=axis, equal_var=False).statistic),
        vectorized=True, n_resamples=9999, alternative="greater", rng=1,
    )  # fmt: skip
    assert float(found.permutation_p_value) == pytest.approx(permuted.pvalue, abs=0.015)
    pooled = np.sqrt((8 * a.var(ddof=1) + 6 * b.var(ddof=1)) / 14)
    small = 1 - 3 / (4 * float(found.df) - 1)
    assert float(found.effect_size) == pytest.approx((b.mean() - a.mean()) / pooled * small)


def test_a_score_has_its_rank_correlation_and_says_how_much_error_weakens_it():
    rng = np.random.default_rng(4)
    true, score = rng.normal(0.4, 0.1, 20_000), None
    score = true + 0.1 * rng.normal(size=20_000)
    noisy = true + 0.1 * rng.normal(size=20_000)
    design = design_of("s", pd.DataFrame({"s": score}))
    fitted = estimates(noisy, np.full(20_000, 0.1))
    found = two_stage(fitted, ["rate"], "subject", design, 0.95, 99, 0).isel(parameter=0)
    assert float(found.rank_correlation) == pytest.approx(stats.spearmanr(score, noisy).statistic)
    assert float(found.reliability) == pytest.approx(0.5, abs=0.03)
    whole = stats.spearmanr(score, true).statistic
    assert float(found.rank_correlation) / float(found.reliability) ** 0.5 == pytest.approx(whole, abs=0.03)


def test_several_factors_are_those_of_statsmodels():
    smf = pytest.importorskip("statsmodels.formula.api")
    found = behaviour.compare_groups(RescorlaWagner, TRIALS, "genotype * sex + weight", how="two-stage")
    one = found.sel(parameter="learning_rate")
    frame = pd.DataFrame({name: TRIALS[name].values for name in ("genotype", "sex", "weight")})
    fitted = smf.ols("y ~ genotype * sex + weight", frame.assign(y=one.estimate.values)).fit(cov_type="HC3", use_t=True)
    assert one.term.values.tolist() == ["genotype[WT]", "sex[m]", "genotype[WT]:sex[m]", "weight"]
    np.testing.assert_allclose(one.effect, fitted.params.iloc[1:])
    np.testing.assert_allclose(one.p_value, fitted.pvalues.iloc[1:])
    at_once = behaviour.compare_groups(RescorlaWagner, TRIALS, "genotype * sex + weight")
    assert at_once.term.values.tolist() == one.term.values.tolist() and (at_once.effect_se > 0).all()


def test_sessions_of_a_subject_are_one_member_and_unknown_members_are_left_out():
    sessions = TRIALS.drop_vars("subject").rename_dims(subject="episode")
    mouse = np.repeat([f"m{i}" for i in range(6)], 2)
    drug = np.repeat(np.array(["yes", "no", "yes", "no", "yes", None], dtype=object), 2)
    sessions = sessions.assign_coords(subject=("episode", mouse), drug=("episode", drug))
    found = behaviour.compare_groups(RescorlaWagner, sessions, "drug", how="two-stage", n_permutations=0)
    assert found.sizes["subject"] == 5 and found.n_left_out == 1 and found.n_members.values.tolist() == [2, 3]
    pooled = behaviour.fit(RescorlaWagner, sessions.isel(episode=slice(2)), pool="episode")
    assert float(found.estimate.sel(subject="m0", parameter="learning_rate")) == pytest.approx(
        float(pooled.learning_rate)
    )


def test_three_groups_have_one_test_of_any_difference():
    dose = np.repeat(["0", "10", "50"], 4)
    trials = TRIALS.assign_coords(dose=("subject", dose))
    for how in ("hierarchical", "two-stage"):
        found = behaviour.compare_groups(RescorlaWagner, trials, "dose", how=how, n_permutations=0)
        assert found.term.values.tolist() == ["10 - 0", "50 - 0"]
        assert ((found.overall_p_value > 0) & (found.overall_p_value <= 1)).all()
    from statsmodels.stats.oneway import anova_oneway

    value = found.estimate.sel(parameter="learning_rate").values
    welch = anova_oneway([value[dose == each] for each in np.unique(dose)], use_var="unequal").pvalue
    assert float(found.overall_p_value.sel(parameter="learning_rate")) == pytest.approx(welch)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("genotyp", "names nothing that is known of the members. Did you mean 'genotype'"),
        ("genotype + nope(sex)", "no formula"),
        ("genotype * sex * C(weight)", "cannot be told apart"),
        ("alone", "'x' has one member"),
        ("same", "makes 1 group of 12"),
        ("flat", "is 3 for every member"),
        ("name", "makes 12 groups of 12"),
        ("changes", "changes within subject"),
    ],
)
def test_a_comparison_that_makes_no_sense_is_refused_in_a_sentence(by, message):
    n = 12
    words = {"alone": ["x"] + ["y"] * (n - 1), "same": ["x"] * n, "name": [f"n{i}" for i in range(n)]}
    trials = TRIALS.assign_coords({name: ("subject", np.array(x, dtype=object)) for name, x in words.items()})
    trials = trials.assign_coords(flat=("subject", np.full(n, 3.0)))
    if by == "changes":
        trials = TRIALS.rename_dims(subject="episode").drop_vars("subject")
        subject, changes = (("episode", list(each) * 3) for each in ("aabb", "xyzz"))
        trials = trials.assign_coords(subject=subject, changes=changes)
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        behaviour.compare_groups(RescorlaWagner, trials, by)


def test_zero_and_one_are_groups_and_other_numbers_a_score():
    frame = pd.DataFrame({"drug": [0, 1, 0, 1], "age": [1.0, 2.0, 3.0, 4.0]})
    assert design_of("drug", frame).terms == ("1 - 0",) and design_of("age", frame).kind == "score"
    with pytest.raises(InputError, match="a score without groups"):
        design_of("age", frame, reference="1")
    with pytest.raises(InputError, match="no group of 'drug'"):
        design_of("drug", frame, reference="2")


def test_the_command_saves_the_comparison_and_says_it(tmp_path):
    trials = TRIALS.copy()
    trials.choice.attrs["n_options"] = 2
    dataset.save_run(trials, tmp_path)
    code, told, err = neurometa("groups", tmp_path, "--by", "genotype", "--reference", "WT")
    assert (code, err) == (0, "") and "KO - WT" in told and "groups_genotype.nc" in told and "WT (n = 6)" in told
    code, told, _ = neurometa("groups", tmp_path, "--by", "sex", "--two-stage", "--permutations", 99, "--json")
    record = json.loads(told)
    assert code == 0 and set(record["effects"]["learning_rate"]["m - f"]) >= {"effect", "permutation_p_value"}
    code, told, err = neurometa("groups", tmp_path, "--by", "colour")
    assert (code, told) == (2, "") and err.count("\n") == 1 and "Known are: genotype" in err
    found = dataset.read(tmp_path / "groups_genotype.nc")
    ax = plotting.groups(Figure().add_subplot(), found, "learning_rate")
    assert sum(len(each.get_offsets()) for each in ax.collections if len(each.get_offsets()) > 1) == 12
    assert [label.get_text() for label in ax.get_xticklabels()] == ["WT", "KO"]


def people(tmp_path):
    """A run folder of mice with their fits and two comparisons."""
    trials = TRIALS.copy()
    trials.choice.attrs["n_options"] = 2
    trials = trials.assign_coords(extra=("subject", np.arange(12) % 5))
    dataset.save_run(trials, tmp_path)
    for args in (["fit-rw"], ["groups", "--by", "genotype"], ["groups", "--by", "weight", "--two-stage"]):
        assert neurometa(args[0], tmp_path, *args[1:])[0] == 0
    return report.find(tmp_path)


def test_a_report_shows_whose_fit_it_is_then_what_was_found_then_the_rest_and_every_comparison(tmp_path):
    source = people(tmp_path)
    fitted = source.result("fit_rw.nc")
    columns = [each["name"] for each in parameters.table(fitted, "fit_rw").columns]
    assert columns[0] == "subject" and columns.index("learning_rate") < columns.index("genotype")
    drawn, notes = members.groups(source)
    titles = [one.title for one in drawn]
    assert "Learning rate by genotype" in titles and "Inverse temperature by weight" in titles and not notes
    assert any("WT - KO" in one.caption and "12 members, all members at once" in one.caption for one in drawn)
    table = members.associations(fitted, ["learning_rate", "inverse_temperature"])
    assert "12 members" in table.caption
    page = report.html_page(source)
    assert 'id="groups"' in page and page.count("Parameters and scores") >= 1


def test_correlations_with_scores_are_spearmans_and_need_one_fit_of_each_member(tmp_path):
    fitted = people(tmp_path).result("fit_rw.nc")
    rate, weight = fitted.learning_rate.values, fitted.weight.values
    assert members._spearman(rate, weight) == pytest.approx(stats.spearmanr(rate, weight).statistic)
    tied = np.repeat([0.0, 1.0, 2.0], [2, 7, 3])
    assert members._spearman(rate, tied) == pytest.approx(stats.spearmanr(rate, tied).statistic)
    twice = xr.concat([fitted, fitted], "subject")
    assert members.associations(twice, ["learning_rate"]) is None


def test_a_model_from_a_file_is_compared_as_one_that_comes_along(tmp_path):
    dataset.save_run(TRIALS.assign(choice=TRIALS.choice.assign_attrs(n_options=2)), tmp_path)
    own = tmp_path / "mine.py"
    own.write_text("from neurometa.models import RescorlaWagner as Mine\n")
    effects = []
    for model in ("rescorla-wagner", f"{own}:Mine"):
        code, told, err = neurometa("groups", tmp_path, "--by", "genotype", "--model", model, "--json")
        assert (code, err) == (0, "")
        effects.append(json.loads(told)["effects"])
    assert effects[0] == effects[1]
    code, told, err = neurometa("groups", tmp_path, "--by", "genotype", "--model", "rescorla-wagnr")
    assert (code, told) == (2, "") and err.count("\n") == 1 and "rescorla-wagner" in err
