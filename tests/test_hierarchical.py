"""Groups: recovery, marginal likelihoods against slow oracles, two engines that agree, and what a group must refuse."""

import numpy as np
import pytest
import xarray as xr
from scipy import optimize, stats
from test_fitting import recovery_set, rescorla_wagner_grid, walk

from neurometa import models
from neurometa.behaviour import drifting_rewards, fit, simulate
from neurometa.errors import InputError
from neurometa.fitting.group_intervals import intervals
from neurometa.fitting.importance import drawn_group
from neurometa.fitting.likelihood import Choices
from neurometa.fitting.marginal import evidence, slope
from neurometa.fitting.quadrature import grid_group
from neurometa.fitting.transforms import Link, links
from neurometa.models import RescorlaWagner, RescorlaWagnerChoiceKernel

LOW, HIGH = ({name: pair[end] for name, pair in RescorlaWagner.bounds.items()} for end in (0, 1))
LINKS = links(RescorlaWagner, LOW, HIGH)
LIMITS = np.array([link.limits for link in LINKS.values()])


def learners(n_members, n_trials, seed=0, mean=(0.0, 1.2), sd=(0.8, 0.4)):
    """Choices of Rescorla-Wagner learners who are normal without bounds, and their true parameters."""
    rng = np.random.default_rng(seed)
    z = np.array(mean) + np.array(sd) * rng.standard_normal((n_members, 2))
    rate, slope = (xr.DataArray(LINKS[name].natural(z[:, k]), dims="subject") for k, name in enumerate(LINKS))
    world = walk(n_members, n_trials, seed=seed).rename(episode="subject")
    return simulate(RescorlaWagner(rate, slope), world, rng).drop_vars("reward_prob"), rate, slope


def columns(trials):
    choice, reward = (trials[name].transpose("trial", "subject").values[..., None] for name in ("choice", "reward"))
    return Choices(choice.astype(np.int64), reward, 2)


def scored(trials, i):
    """Log-likelihood of a subject at points without bounds, written out."""

    def score(points):
        rate, slope = (link.natural(x) for link, x in zip(LINKS.values(), points.T, strict=True))
        value, total, each = np.full((2, len(points)), 0.5), np.zeros(len(points)), trials.isel(subject=i)
        for choice, reward in zip(each.choice.values, each.reward.values, strict=True):
            total -= np.logaddexp(0, slope * (value[1 - choice] - value[choice]))
            value[choice] += rate * (reward - value[choice])
        return total

    return score


@pytest.fixture(scope="module")
def small():
    """Twelve learners of 60 trials, and their grids and best group."""
    trials, _, _ = learners(12, 60)
    return trials, *grid_group(RescorlaWagner, columns(trials), LINKS, {})


@pytest.fixture(scope="module")
def known(small):
    """The group of the twelve learners, fitted."""
    return fit(RescorlaWagner, small[0], group="subject")


def test_a_group_recovers_learning_rates_better_than_maximum_likelihood_can():
    trials, learning_rate, _ = recovery_set()
    fitted = fit(RescorlaWagner, trials, group="episode", bounds={"inverse_temperature": (0, 20)})
    assert fitted.converged
    assert np.corrcoef(fitted.learning_rate, learning_rate)[0, 1] >= 0.875  # maximum likelihood: .848
    assert np.abs(fitted.learning_rate - learning_rate).mean() < 0.095  # .107


def thinned_error(nodes, group):
    """Largest change of a member's log evidence (nats) when every second node of a grid of two axes is left out."""
    count = round(len(nodes.log_weight) ** 0.5)
    keep = np.zeros((count, count), bool)
    keep[::2, ::2] = True
    keep = keep.reshape(-1)
    half = nodes._replace(z=nodes.z[:, keep], log_weight=nodes.log_weight[keep] + 2 * np.log(2))
    return np.abs(evidence(half, group)[0] - evidence(nodes, group)[0]).max()


def test_the_evidence_of_a_member_is_that_of_a_dense_sum_written_out(small, known):
    trials, nodes, group, settled = small
    assert settled and thinned_error(nodes, group) < 0.05
    z = [np.linspace(*limits, 401) for limits in LIMITS]
    prior = [stats.norm.logpdf(z[k], group.mean[k], group.sd[k]) + np.log(z[k][1] - z[k][0]) for k in (0, 1)]
    rate, slope = (link.natural(each) for link, each in zip(LINKS.values(), z, strict=True))
    learning_rate = known.learning_rate
    for i in range(3):
        choice, reward = trials.choice.values[i].astype(int), trials.reward.values[i]
        density = rescorla_wagner_grid(choice, reward, rate, slope) + prior[0][:, None] + prior[1]
        total = np.logaddexp.reduce(density, axis=None)
        assert evidence(nodes, group)[0][i] == pytest.approx(total, abs=1e-4)
        share = np.exp(density - total)
        assert learning_rate[i] == pytest.approx((share.sum(1) * rate).sum(), abs=1e-4)


def test_the_gradient_by_fishers_identity_is_that_of_differences(small):
    _, nodes, group, _ = small
    theta = np.concatenate([group.mean + 0.1, np.log(group.sd) - 0.1])
    found = slope(nodes, theta)[1]
    for k in range(4):
        step = np.eye(4)[k] * 1e-5
        assert found[k] == pytest.approx(
            (slope(nodes, theta + step)[0] - slope(nodes, theta - step)[0]) / 2e-5, rel=1e-5
        )


def test_no_other_group_is_better_and_intervals_end_where_the_profile_has_dropped(small):
    _, nodes, group, _ = small
    best = np.concatenate([group.mean, np.log(group.sd)])
    top, drop = slope(nodes, best)[0], stats.chi2.ppf(0.95, 1) / 2
    rng = np.random.default_rng(0)
    assert all(slope(nodes, best + rng.normal(0, 0.2, 4))[0] <= top + 1e-9 for _ in range(200))
    mean, sd = intervals(nodes, group, LIMITS, drop)
    least = np.log(nodes.least)
    ends = np.concatenate([mean, np.maximum(np.log(np.maximum(sd, 1e-9)), least[:, None])])
    for k in range(4):
        others = [j for j in range(4) if j != k]
        for end in ends[k]:

            def loss(x, k=k, end=end, others=others):
                theta = np.empty(4)
                theta[k], theta[others] = end, x
                theta[2:] = np.maximum(theta[2:], least)
                return -slope(nodes, theta)[0]

            profile = -optimize.minimize(loss, best[others], method="Nelder-Mead", options={"fatol": 1e-4}).fun
            if k >= 2 and end == least[k - 2]:
                assert top - profile <= drop + 0.03
            else:
                assert top - profile == pytest.approx(drop, abs=0.03)


def test_identical_learners_may_have_no_spread():
    trials, _, _ = learners(30, 150, sd=(0.0, 0.0))
    fitted = fit(RescorlaWagner, trials, group="subject")
    assert (fitted.group_sd < 0.2).all()
    assert (fitted.group_sd_interval.sel(bound="lower") == 0).all()
    inside = fitted.group_mean_interval - xr.DataArray([0.0, 1.2], dims="parameter")
    assert (inside.sel(bound="lower") < 0).all() and (inside.sel(bound="upper") > 0).all()
    assert fitted.learning_rate.std() < fit(RescorlaWagner, trials).learning_rate.std() / 3


def test_estimates_shrink_less_and_less_as_trials_grow():
    trials, _, _ = learners(20, 1600)
    apart = []
    for n_trials in (100, 400, 1600):
        part = trials.isel(trial=slice(n_trials))
        group, alone = fit(RescorlaWagner, part, group="subject"), fit(RescorlaWagner, part)
        apart.append(float(np.abs(group.learning_rate - alone.learning_rate).mean()))
        assert group.learning_rate.std() < alone.learning_rate.std()
    assert apart[0] > 2 * apart[1] > 4 * apart[2]


def test_weighted_draws_agree_with_the_grid(small):
    trials, *_ = small
    few = [0, 3, 5, 7, 8]
    grid, best, settled = grid_group(RescorlaWagner, columns(trials).take(np.array(few)), LINKS, {})
    drawn, found, steady = drawn_group([scored(trials, i) for i in few], LINKS, np.random.default_rng(0))
    assert settled and steady
    np.testing.assert_allclose(evidence(drawn, best)[0], evidence(grid, best)[0], atol=0.05)
    np.testing.assert_allclose(evidence(drawn, found)[0].sum(), evidence(grid, best)[0].sum(), atol=0.05)
    np.testing.assert_allclose(found.mean, best.mean, atol=0.05)


def test_missed_trials_and_padding_say_nothing(small, known):
    trials, *_ = small
    rng = np.random.default_rng(1)
    place = np.sort(rng.choice(80, 60, replace=False))
    choice, reward = np.full((12, 90), -1), np.full((12, 90), np.nan)
    choice[:, place], reward[:, place] = trials.choice.values, trials.reward.values
    choice[:, 80:], reward[:, 80:] = 1, 1.0  # padding that looks like trials
    valid = np.arange(90) < 80
    padded = xr.Dataset(
        {
            "choice": (("trial", "subject"), choice.T),
            "reward": (("trial", "subject"), reward.T),
            "valid": (("trial", "subject"), np.repeat(valid[:, None], 12, 1)),
        }
    )
    found = fit(RescorlaWagner, padded, group="subject")
    assert (found.n_trials == 60).all()
    xr.testing.assert_allclose(found.drop_vars("n_trials"), known.drop_vars("n_trials"), rtol=1e-6)


def test_arms_that_were_not_there_are_no_chance_missed(small, known):
    trials, *_ = small
    wider = trials.assign(choice=trials.choice.assign_attrs(n_options=3))
    found = fit(RescorlaWagner, wider.assign_coords(n_options=("subject", [2] * 12)), group="subject")
    xr.testing.assert_allclose(found.drop_vars("n_options"), known, rtol=1e-6)
    other = fit(RescorlaWagner, wider.assign_coords(n_options=("subject", [2] * 6 + [3] * 6)), group="subject")
    assert other.log_marginal_likelihood < known.log_marginal_likelihood - 1


def test_a_member_without_choices_is_nan_and_moves_nobody(small):
    trials, *_ = small
    known = fit(RescorlaWagner, trials.isel(subject=slice(1, None)), group="subject", n_draws=7)
    gone = trials.assign(choice=trials.choice.where(xr.DataArray(np.arange(12) > 0, dims="subject"), -1))
    found = fit(RescorlaWagner, gone, group="subject", n_draws=7)
    assert np.isnan(found.learning_rate[0]) and np.isnan(found.learning_rate_draw[0]).all() and found.n_members == 11
    xr.testing.assert_allclose(found.isel(subject=slice(1, None)), known)


def test_each_condition_has_a_group_of_its_own_and_pooled_dims_share_parameters():
    both = xr.concat([learners(6, 50, seed=s)[0] for s in (1, 2)], dim="condition")
    found = fit(RescorlaWagner, both, group="subject")
    assert found.group_mean.dims == ("condition", "parameter")
    alone = fit(RescorlaWagner, both.isel(condition=1), group="subject")
    np.testing.assert_allclose(found.isel(condition=1).group_mean, alone.group_mean)
    np.testing.assert_allclose(found.isel(condition=1).learning_rate, alone.learning_rate)
    pooled = fit(RescorlaWagner, both, group="subject", pool="condition")
    assert pooled.learning_rate.dims == ("subject",) and (pooled.n_trials == 100).all()


def test_sessions_that_name_their_subject_are_pooled_by_subject():
    both = xr.concat([learners(5, 40, seed=s)[0] for s in (1, 2)], dim="session")
    known = fit(RescorlaWagner, both, group="subject", pool="session")
    flat = both.stack(episode=("session", "subject"), create_index=False)
    name = np.array(list("cabed") * 2, dtype=object)
    flat = flat.isel(episode=slice(9)).assign_coords(subject=("episode", name[:9]))  # d has one session only
    found = fit(RescorlaWagner, flat, group="subject")
    assert list(found.subject.values) == list("cabed") and list(found.n_trials.values) == [80, 80, 80, 80, 40]
    whole = both.stack(episode=("session", "subject"), create_index=False).assign_coords(subject=("episode", name))
    full = fit(RescorlaWagner, whole, group="subject")
    np.testing.assert_allclose(full.learning_rate, known.learning_rate, rtol=1e-6)


def test_draws_are_of_the_posterior_that_is_reported(small):
    trials, *_ = small
    fitted = fit(RescorlaWagner, trials, group="subject", n_draws=4000)
    for name in ("learning_rate", "inverse_temperature"):
        draws, sd = fitted[f"{name}_draw"], fitted[f"{name}_sd"]
        assert (np.abs(draws.mean("draw") - fitted[name]) < 5 * sd / 4000**0.5).all()
        np.testing.assert_allclose(draws.std("draw"), sd, rtol=0.1)
    again = fit(RescorlaWagner, trials, group="subject", n_draws=4000)
    xr.testing.assert_identical(fitted, again)


def test_four_parameters_have_the_evidence_that_draws_of_the_group_average_to():
    luck = np.random.default_rng(5)
    rate, slope, weight = (xr.DataArray(luck.normal(0, 1, 6), dims="subject") for _ in range(3))
    truth = RescorlaWagnerChoiceKernel(1 / (1 + np.exp(-rate)), 0.4, np.exp(1.2 + 0.5 * slope), 1 + weight)
    trials = simulate(truth, walk(6, 80).rename(episode="subject"), luck)
    told = []
    fitted = fit(RescorlaWagnerChoiceKernel, trials, group="subject", progress=lambda *done: told.append(done))
    assert told == sorted(told) and told[0][0] == 0 and len({total for _, total in told}) == 1
    assert fitted.method.startswith("weighted draws") and fitted.converged and fitted.fewest_draws > 60
    assert list(fitted.link) == ["logit", "logit", "log", "identity"]
    rng, n = np.random.default_rng(6), 40_000
    z = fitted.group_mean.values[:, None] + fitted.group_sd.values[:, None] * rng.standard_normal((4, n))
    pairs = RescorlaWagnerChoiceKernel.bounds.values()
    kinds = [Link(str(kind), low, high) for kind, (low, high) in zip(fitted.link.values, pairs, strict=True)]
    rate, kernel_rate, slope, weight = (link.natural(each) for link, each in zip(kinds, z, strict=True))
    for i in range(2):
        value, kernel, total = np.full((2, n), 0.5), np.zeros((2, n)), np.zeros(n)
        for choice, reward in zip(trials.choice.values[i], trials.reward.values[i], strict=True):
            logit = slope * value + weight * kernel
            total -= np.logaddexp(0, logit[1 - choice] - logit[choice])
            value[choice] += rate * (reward - value[choice])
            kernel += kernel_rate * ((np.arange(2) == choice)[:, None] - kernel)
        expected = np.logaddexp.reduce(total) - np.log(n)
        assert fitted.log_evidence[i] == pytest.approx(expected, abs=0.15)


@pytest.mark.slow
def test_two_step_learners_are_fitted_as_a_group():
    rng, n = np.random.default_rng(0), 12
    weight = xr.DataArray(1 / (1 + np.exp(-1.5 * rng.standard_normal(n))), dims="subject")
    truth = models.Hybrid(4.0, 3.0, 0.5, 0.5, 0.6, weight, 0.1)
    trials = simulate(truth, drifting_rewards(n, 300, rng).rename(episode="subject"), rng)
    fitted = fit(models.Hybrid, trials, group="subject")
    assert fitted.n_parameters == 14 and (fitted.p_common == 0.7).all()
    assert np.corrcoef(fitted.model_based_weight, weight)[0, 1] > 0.6
    short = fit(models.Hybrid, trials.drop_vars("second_choice"), group="subject")
    assert "inverse_temperature_second" not in short.parameter.values
    assert short.inverse_temperature_second.isnull().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": "mouse"}, "group names 'mouse'; allowed are a dim or a coordinate of one"),
        ({"group": "trial"}, "group names 'trial'"),
        ({"pool": "subject"}, "group and pool both name 'subject'"),
        ({"priors": models.priors.weak(RescorlaWagner)}, "priors is not for fits of a group"),
        ({"window": 10}, "window is not for fits of a group"),
        ({"n_draws": -1}, "n_draws is -1"),
        ({"group": None, "n_draws": 3}, "n_draws is only for fits of a group"),
        ({"bounds": {"learning_rate": (0.5, 0.5), "inverse_temperature": (2, 2)}}, "Every parameter of RescorlaWagner"),
    ],
)
def test_a_group_that_makes_no_sense_is_refused(small, change, message):
    with pytest.raises(InputError, match=message):
        fit(RescorlaWagner, small[0], **({"group": "subject"} | change))


def test_a_group_of_one_is_refused(small):
    with pytest.raises(
        InputError, match="1 of the 1 members along 'subject' made a choice; a group needs two at least"
    ):
        fit(RescorlaWagner, small[0].isel(subject=[0]), group="subject")


def test_choices_at_random_leave_the_learning_rate_open_and_say_so():
    rng = np.random.default_rng(3)
    trials = xr.Dataset({name: (("subject", "trial"), rng.integers(0, 2, (8, 100))) for name in ("choice", "reward")})
    trials = trials.assign(reward=trials.reward.astype(float))
    trials.choice.attrs["n_options"] = 2
    fitted = fit(RescorlaWagner, trials, group="subject")
    low, high = fitted.group_median_interval.sel(parameter="learning_rate").values
    assert low < 0.02 and high > 0.98
    reason = fitted.reason.item()
    assert "do not tell learning_rate" in reason and "than by chance" in reason and "may be 0" in reason
    assert fit(RescorlaWagner, learners(12, 200)[0], group="subject").reason.item() == ""


def test_drops_are_those_of_students_t_and_chi_square_and_of_half_a_chi_square_in_large_groups():
    from neurometa.fitting.group_intervals import drops

    z = np.random.default_rng(0).normal(size=9)
    mean, sd = z.mean(), z.std()

    def dropped(m, s):
        return (stats.norm.logpdf(z, mean, sd) - stats.norm.logpdf(z, m, s)).sum()

    found = drops(9, 0.95)
    t = stats.t.ppf(0.975, 8) * z.std(ddof=1) / 3
    assert found[0, 1] == pytest.approx(dropped(mean + t, np.sqrt(sd**2 + t**2)))
    for side, tail in ((0, 0.975), (1, 0.025)):
        assert found[1, side] == pytest.approx(dropped(mean, np.sqrt(9 * sd**2 / stats.chi2.ppf(tail, 8))))
    np.testing.assert_allclose(drops(10**6, 0.95), stats.chi2.ppf(0.95, 1) / 2, rtol=2e-3)


def test_one_compiled_pass_over_the_nodes_says_what_arrays_say(small):
    from neurometa.fitting import marginal_kernel
    from neurometa.fitting.marginal import moments

    _, nodes, group, _ = small
    value, share = evidence(nodes, group)
    found = marginal_kernel.posterior(nodes.z, nodes.log_weight, group.mean, group.sd)
    for each, known in zip(found, (value, *moments(nodes, share)), strict=True):
        np.testing.assert_allclose(each, known, rtol=1e-8)


@pytest.mark.slow
def test_intervals_of_small_groups_hold_the_truth_as_often_as_they_say():
    z, held = np.random.default_rng(5), []
    for seed in range(60):
        mean, sd = np.array([-0.8, 1.6]), np.array([0.8, 0.5])
        own = mean + sd * z.standard_normal((8, 2))
        world = xr.DataArray(np.tile([0.8, 0.2], (8, 120, 1)), dims=("subject", "trial", "arm"))
        world = world.where(xr.DataArray(np.arange(120) // 30 % 2 == 0, dims="trial"), world[..., ::-1])
        rate, slope = (xr.DataArray(x, dims="subject") for x in (1 / (1 + np.exp(-own[:, 0])), np.exp(own[:, 1])))
        fitted = fit(
            RescorlaWagner, simulate(RescorlaWagner(rate, slope), world, np.random.default_rng(seed)), group="subject"
        )
        for kind, truth in (("mean", mean), ("sd", sd)):
            low, high = fitted[f"group_{kind}_interval"].transpose("bound", "parameter").values
            held.append((low <= truth) & (truth <= high))
    assert 0.91 < np.mean(held) < 0.99  # of 240; .95 asked, s.e. .014
