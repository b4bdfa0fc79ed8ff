"""Axes of the two-step task: nothing drawn is cut off, and the sketch says the settings that it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from neurometa import plotting

CELLS = {"previous_outcome": ["rewarded", "unrewarded"], "previous_transition": ["common", "rare"]}


def drawn(values):
    fig, ax = plt.subplots()
    stay = xr.Dataset({"stay_probability": xr.DataArray(values, CELLS, tuple(CELLS))})
    plotting.stay_bars(ax, stay)
    plt.close(fig)
    return ax


@pytest.mark.parametrize(("least", "end"), [(0.6, 0.4), (0.2, 0.15), (0.02, 0.0)])
def test_a_scale_of_stay_probabilities_reaches_below_its_lowest_bar(least, end):
    ax = drawn(np.array([[0.9, 0.7], [least, 0.8]]))
    plotting.stay_scale([ax])
    assert ax.get_ylim() == pytest.approx((end, 1.02))


def test_levels_lie_on_the_bars_they_belong_to():
    values = np.array([[0.9, 0.7], [0.6, 0.8]])
    ax = drawn(values)
    bars = {round(bar.get_x() + bar.get_width() / 2, 3): bar.get_height() for bar in ax.patches}
    plotting.stay_levels(ax, xr.DataArray(values, CELLS, tuple(CELLS)), label="ideal")
    levels = [segment for lines in ax.collections for segment in lines.get_segments() if len(segment) == 2]
    flat = [segment for segment in levels if segment[0, 1] == segment[1, 1]]
    assert {round(s[:, 0].mean(), 3): round(s[0, 1], 9) for s in flat} == bars


def test_a_sketch_says_the_settings_of_its_task():
    fig, ax = plt.subplots()
    plotting.two_step_sketch(ax, p_common=0.75, p_reward=0.9, p_reversal=0.025)
    told = " ".join(text.get_text() for text in ax.texts)
    plt.close(fig)
    assert all(word in told for word in ("$a_0$: 0.75", "rare: 0.25", "reward: 0.9", "reward: 0.1", "0.025"))
