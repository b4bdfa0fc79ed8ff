"""Regret and the intervals that means and medians carry, against what the definitions give by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from neurometa.behaviour import crossed_interval, mean_interval, median_interval, regret
from neurometa.errors import InputError


def test_regret_is_what_the_best_arm_would_have_paid_more():
    trials = xr.Dataset(
        {
            "choice": ("trial", [0, 1, 2, -1]),
            "reward_prob": (("trial", "arm"), [[0.2, 0.9, 0.5], [0.2, 0.9, 0.5], [0.3, 0.3, 0.1], [0.4, 0.1, 0.2]]),
        }
    )
    np.testing.assert_allclose(regret(trials), [0.7, 0.0, 0.2, np.nan])
    worth = trials.assign(expected_reward=2 * trials.reward_prob)  # which says more than a probability
    np.testing.assert_allclose(regret(worth), [1.4, 0.0, 0.4, np.nan])


@pytest.mark.parametrize(("level", "n"), [(0.95, 12), (0.8, 3)])
def test_a_mean_carries_students_interval_over_what_is_no_nan(level, n):
    values = np.random.default_rng(0).normal(3, 2, size=(n, 4))
    values[1, 0] = np.nan
    found = mean_interval(xr.DataArray(values, dims=("episode", "arm")), level=level)
    for arm, column in enumerate(values.T):
        x = column[~np.isnan(column)]
        low, high = stats.t.interval(level, len(x) - 1, x.mean(), stats.sem(x))
        here = [float(found[name][arm]) for name in ("mean", "se", "lower", "upper", "n")]
        np.testing.assert_allclose(here, [x.mean(), stats.sem(x), low, high, len(x)])


def test_a_mean_of_one_has_no_interval():
    found = mean_interval(xr.DataArray([[1.0, 2.0]], dims=("episode", "arm")))
    assert found["mean"].values.tolist() == [1.0, 2.0]
    assert found[["se", "lower", "upper"]].to_dataarray().isnull().all()


@pytest.mark.parametrize("n", [9, 50])
def test_the_interval_of_a_median_holds_it_as_often_as_it_says_and_hardly_more(n):
    def coverage(low, high):  # of the order statistics number low and high, from 1
        return stats.binom.cdf(high - 1, n, 0.5) - stats.binom.cdf(low - 1, n, 0.5)

    found = median_interval(xr.DataArray(np.arange(1.0, n + 1)))
    low, high = int(found.lower), int(found.upper)
    assert found["median"] == (n + 1) / 2 and low + high == n + 1 and found.n == n
    assert coverage(low, high) >= 0.95 > coverage(low + 1, high - 1)


def test_the_median_of_nothing_is_nothing():
    found = median_interval(xr.DataArray([np.nan, np.nan]))
    assert found.n == 0 and np.isnan(found["median"])


def test_the_median_of_five_has_no_interval_as_even_all_of_them_hold_it_too_rarely():
    five, six = (median_interval(xr.DataArray(np.arange(float(n)))) for n in (5, 6))
    assert five["median"] == 2 and np.isnan(five.lower) and np.isnan(five.upper)
    assert (six.lower, six.upper) == (0, 5)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_probability(level):
    for interval in (mean_interval, median_interval):
        with pytest.raises(InputError, match="it must lie between 0 and 1"):
            interval(xr.DataArray([1.0, 2.0], dims="episode"), level=level)
    with pytest.raises(InputError, match="There is no dim 'mouse'"):
        mean_interval(xr.DataArray([1.0, 2.0], dims="episode"), "mouse")


def played(rng, n_agents, n_episodes, *, of_agent, of_episode, n=400):
    """Values of agents that share their episodes, of mean 0, many times over."""
    values = of_agent * rng.normal(size=(n, n_agents, 1)) + of_episode * rng.normal(size=(n, 1, n_episodes))
    return xr.DataArray(values + rng.normal(size=(n, n_agents, n_episodes)), dims=("time", "agent", "episode"))


def covers(found):
    return float(((found.lower <= 0) & (found.upper >= 0)).mean())


@pytest.mark.parametrize(
    ("n_agents", "n_episodes", "of_agent", "of_episode"),
    [(8, 60, 0.1, 1.0), (8, 60, 0.0, 1.0), (8, 60, 1.0, 1.0), (5, 20, 0.3, 0.0), (1, 60, 0.0, 1.0)],
)
def test_an_interval_over_agents_and_episodes_covers_its_level_whichever_of_them_varies(
    n_agents, n_episodes, of_agent, of_episode
):
    x = played(np.random.default_rng(0), n_agents, n_episodes, of_agent=of_agent, of_episode=of_episode)
    for level in (0.95, 0.8):
        short, long = (level + k * 3 * np.sqrt(level * (1 - level) / 400) for k in (-1, 1))
        assert short - 0.01 <= covers(crossed_interval(x, level=level)) <= long + 0.01


def test_an_interval_over_agents_alone_does_not_cover_other_episodes():
    x = played(np.random.default_rng(1), 8, 60, of_agent=0.0, of_episode=1.0)
    assert covers(mean_interval(x.mean("episode"), "agent")) < 0.7


def test_two_kinds_of_agents_differ_over_agents_and_the_episodes_that_both_played():
    rng = np.random.default_rng(2)
    luck = rng.normal(size=(400, 1, 60))
    kinds = [played(rng, n, 60, of_agent=0.3, of_episode=0.5) + luck for n in (4, 8)]
    together = crossed_interval(*kinds)
    assert 0.9 <= covers(together) <= 0.99
    apart = crossed_interval(kinds[0], kinds[1].isel(episode=slice(59)))
    assert (apart.se > together.se).mean() > 0.9, "luck that both share cancels only where the episodes are the same"


def test_without_episodes_or_with_one_agent_the_interval_is_students():
    x = xr.DataArray(np.random.default_rng(3).normal(size=(6, 40)), dims=("agent", "episode"))
    for one, dim in ((x.mean("episode"), "agent"), (x.isel(agent=0), "episode")):
        crossed, student = crossed_interval(one), mean_interval(one, dim)
        xr.testing.assert_allclose(crossed[["mean", "lower", "upper"]], student[["mean", "lower", "upper"]])


@pytest.mark.parametrize("ones", [0, 1, 7, 19, 20])
def test_the_interval_of_zeros_and_ones_is_wilsons_and_no_share_leaves_0_to_1(ones):
    found = mean_interval(xr.DataArray(np.arange(20) < ones, dims="episode").astype(float))
    known = stats.binomtest(ones, 20).proportion_ci(method="wilson")
    np.testing.assert_allclose([found.lower, found.upper], [known.low, known.high], atol=1e-9)
    shares = xr.DataArray(np.where(np.arange(20) < ones, 0.97, 0.999), dims="episode")
    inside = mean_interval(shares, share=True)
    assert 0 <= inside.lower <= inside["mean"] <= inside.upper <= 1
    with pytest.raises(InputError, match="Shares go from 0 to 1"):
        mean_interval(shares + 1, share=True)


def test_the_interval_of_shares_is_students_t_where_they_are_far_from_0_and_1():
    shares = xr.DataArray(np.random.default_rng(0).uniform(0.4, 0.6, 300), dims="episode")
    own, t = mean_interval(shares, share=True), mean_interval(shares)
    np.testing.assert_allclose([own.lower, own.upper], [t.lower, t.upper], atol=1e-4)


def test_the_variance_is_that_of_the_mean_squares_of_two_crossed_factors():
    x = np.random.default_rng(4).normal(size=(5, 30)) + np.arange(5)[:, None]
    table = pd.DataFrame([(a, e, x[a, e]) for a in range(5) for e in range(30)], columns=["agent", "episode", "y"])
    square = anova_lm(ols("y ~ C(agent) + C(episode)", table).fit()).mean_sq
    found = crossed_interval(xr.DataArray(x, dims=("agent", "episode")))
    expected = (square["C(agent)"] + square["C(episode)"] - square["Residual"]) / (5 * 30)
    assert found.se.item() ** 2 == pytest.approx(expected)
