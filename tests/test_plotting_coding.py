"""What is drawn of prediction errors, units and decoders is what was given, under the right labels."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from neurometa import plotting
from neurometa.errors import InputError


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_prediction_errors_of_each_event_have_their_colour_and_the_reference_is_across(ax):
    rng = np.random.default_rng(0)
    dims = ("episode", "trial", "event")
    agent = xr.DataArray(rng.random((2, 3, 3)), dims=dims, coords={"event": ["choice", "second_stage", "outcome"]})
    reference = xr.DataArray(
        rng.random((2, 3, 2)), dims=dims, coords={"event": ["second_stage", "outcome"]}, attrs={"long_name": "planner"}
    )
    plotting.rpe_scatter(ax, agent, reference, r_squared=0.89)
    first, second = ax.collections
    assert [drawn.get_label() for drawn in (first, second)] == ["second stage", "outcome"]
    np.testing.assert_allclose(first.get_offsets()[:, 0], reference[..., 0].values.ravel())
    np.testing.assert_allclose(second.get_offsets()[:, 1], agent[..., 2].values.ravel())
    assert (ax.get_xlabel(), ax.texts[0].get_text()) == ("planner", "r² = 0.89")
    with pytest.raises(InputError, match="must also span"):
        plotting.rpe_scatter(ax, agent.isel(trial=0), reference)


def test_every_unit_is_a_point_and_the_mean_of_absolute_values_a_bar(ax):
    correlation = xr.DataArray(
        [[0.5, -0.5, 0.2], [0.0, np.nan, -0.1]], dims=("factor", "unit"), coords={"factor": ["a", "b"]}
    )
    plotting.unit_coding(ax, correlation.T, chance=xr.DataArray([0.1, 0.2], dims="factor"))
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.4, 0.05])
    drawn = ax.collections[0].get_offsets()
    np.testing.assert_allclose(drawn[:, 1], [0.5, 0.5, 0.2, 0.0, 0.1])  # what is NaN is left out
    np.testing.assert_array_equal(drawn[:, 0].round(), [0, 0, 0, 1, 1])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]


def test_rows_are_the_times_fitted_and_columns_the_times_tested(ax):
    score = xr.DataArray(
        [[1.0, 0.2], [0.4, 0.9]], dims=("bin", "test_bin"), coords={"bin": [-250, 0], "test_bin": [-250, 0]}
    )
    drawn = plotting.generalisation(ax, score.T, dim="bin")
    np.testing.assert_allclose(drawn.get_array(), score)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("tested at bin", "fitted at bin")
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-250", "0"]
