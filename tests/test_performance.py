"""Regret and the intervals that means and medians carry, against what the definitions give by hand."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from neurometa.behaviour import mean_interval, median_interval, regret
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


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_probability(level):
    for interval in (mean_interval, median_interval):
        with pytest.raises(InputError, match="it must lie between 0 and 1"):
            interval(xr.DataArray([1.0, 2.0], dims="episode"), level=level)
    with pytest.raises(InputError, match="There is no dim 'mouse'"):
        mean_interval(xr.DataArray([1.0, 2.0], dims="episode"), "mouse")
