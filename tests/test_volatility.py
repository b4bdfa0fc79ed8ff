"""The learning rate against volatility: the same numbers as scipy, and nothing dropped in silence."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from neurometa.behaviour import volatility_regression
from neurometa.errors import InputError


def rates(n=300, seed=0):
    rng = np.random.default_rng(seed)
    volatility = rng.uniform(0, 0.2, n)
    estimate = np.clip(0.2 + 2 * volatility + rng.normal(0, 0.2, n), 0, 1)
    return xr.DataArray(estimate, dims="episode"), xr.DataArray(volatility, dims="episode")


def test_the_line_is_that_of_scipy():
    estimate, volatility = rates()
    result, expected = volatility_regression(estimate, volatility), stats.linregress(volatility, estimate)
    for name, value in {
        "slope": expected.slope,
        "slope_se": expected.stderr,
        "intercept": expected.intercept,
        "r_squared": expected.rvalue**2,
        "p_value": expected.pvalue,
    }.items():
        assert result[name].item() == pytest.approx(value, rel=1e-9), name
    assert result.n == 300 and result.n_dropped == 0


def test_bands_are_compared_by_welch():
    estimate, volatility = rates()
    result = volatility_regression(estimate, volatility)
    v, e = volatility.values, estimate.values
    low, unseen, high = e[v <= 1 / 15], e[(v > 1 / 15) & (v < 2 / 15)], e[v >= 2 / 15]
    np.testing.assert_allclose(result.band_mean, [low.mean(), unseen.mean(), high.mean()])
    np.testing.assert_allclose(result.band_se, [stats.sem(each) for each in (low, unseen, high)])
    assert list(result.band_n.values) == [len(low), len(unseen), len(high)]
    assert list(result.comparison.values) == ["unseen - low", "high - unseen"]
    for i, (above, below) in enumerate([(unseen, low), (high, unseen)]):
        expected = stats.ttest_ind(above, below, equal_var=False)
        assert result.t[i].item() == pytest.approx(expected.statistic)
        assert result.difference_p_value[i].item() == pytest.approx(expected.pvalue)
    within = stats.linregress(v[(v > 1 / 15) & (v < 2 / 15)], unseen)
    assert result.band_r_squared.sel(band="unseen").item() == pytest.approx(within.rvalue**2)
    assert result.band_p_value.sel(band="unseen").item() == pytest.approx(within.pvalue)


def test_nan_is_left_out_and_counted():
    estimate, volatility = rates()
    holes = estimate.copy()
    holes[::7] = np.nan
    result = volatility_regression(holes, volatility)
    kept = holes.notnull()
    expected = volatility_regression(estimate[kept.values], volatility[kept.values])
    assert result.n_dropped == int((~kept).sum())
    xr.testing.assert_allclose(result.drop_vars("n_dropped"), expected.drop_vars("n_dropped"))


def test_an_end_shared_by_two_bands_belongs_to_the_outer_one():
    volatility = xr.DataArray([0.0, 1 / 15, 0.1, 2 / 15, 0.2], dims="episode")
    assert list(volatility_regression(volatility, volatility).band_n.values) == [2, 1, 2]


def test_other_dims_pass_through():
    estimate, volatility = rates()
    agents = xr.concat([estimate, 1 - estimate], dim="agent").T
    result = volatility_regression(agents, volatility)
    assert result.slope.dims == ("agent",) and set(result.band_mean.dims) == {"agent", "band"}
    np.testing.assert_allclose(result.slope, result.slope[0] * xr.DataArray([1, -1], dims="agent"))


def test_too_few_episodes_give_nan():
    volatility = xr.DataArray([0.01, 0.02], dims="episode")
    result = volatility_regression(volatility * 3, volatility)
    assert result.slope.isnull() and result.p_value.isnull() and result.n == 2
    assert result.t.isnull().all() and result.band_mean.sel(band="high").isnull()


def test_a_volatility_that_does_not_vary_has_no_slope():
    estimate, volatility = rates(20)
    assert volatility_regression(estimate, xr.full_like(volatility, 0.1)).slope.isnull()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"estimate": xr.DataArray(0.3)}, "estimate spans"),
        ({"volatility": xr.DataArray([0.1], dims="episode")}, "must be the same"),
        ({"volatility": xr.DataArray([np.nan] * 20, dims="episode")}, "must be finite"),
        ({"bands": {"low": (0.1, 0.0)}}, "The band 'low'"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(change, message):
    estimate, volatility = rates(20)
    with pytest.raises(InputError, match=message):
        volatility_regression(**({"estimate": estimate, "volatility": volatility} | change))
