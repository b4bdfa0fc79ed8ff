"""What is not in the table is no neighbour: no lag pairs trials on either side of a gap in their numbers."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neurometa import behaviour, dataset
from neurometa.tables import read_trials


def walk(rng, n_episodes=4, n_trials=60):
    """Choices, rewards and transitions of nobody in particular, whose trials all have numbers."""
    size = (n_episodes, n_trials)
    grain = ("episode", "trial")
    return xr.Dataset(
        {
            "choice": (grain, rng.integers(0, 2, size), {"n_options": 2}),
            "reward": (grain, rng.integers(0, 2, size).astype(float)),
            "common": (grain, rng.random(size) < 0.7),
            "trial_number": (grain, np.tile(np.arange(1, n_trials + 1), (n_episodes, 1))),
        },
        {"subject": ("episode", np.array(["a", "a", "b", "b"][:n_episodes], dtype=object))},
    )


def without(trials, lost):
    """The table of the same trials from which some rows are lost."""
    rows = trials.to_dataframe().reset_index().rename(columns={"trial": "position"})
    rows = rows[~rows.position.isin(lost) | (rows.episode == 0)]
    columns = {"subject": "subject", "episode": "episode", "trial": "trial_number", "common": "common"}
    return read_trials(rows.drop(columns="position"), **columns)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(5, 50), min_size=1, max_size=6, unique=True))
def test_lost_rows_cost_the_same_pairs_as_missed_trials(seed, lost):
    whole = walk(np.random.default_rng(seed))
    trials, report = without(whole, lost)
    assert report.n_gaps == 3 * len(lost)
    there = (whole.episode == 0) | ~whole.trial.isin(lost)
    marked = whole.assign(choice=whole.choice.where(there, -1).assign_attrs(n_options=2))
    for by in (None, "subject", "episode"):
        found, expected = (behaviour.stay_probability(each, by=by, n_bootstrap=50) for each in (trials, marked))
        np.testing.assert_array_equal(found.n_trials, expected.n_trials)
        np.testing.assert_array_equal(found.stay_probability, expected.stay_probability)
        np.testing.assert_array_equal(found.n_clusters, expected.n_clusters)
    found, expected = (behaviour.previous_trial(each).previous_choice.values for each in (trials, marked))
    for e in range(4):
        kept = there.values[e]
        np.testing.assert_array_equal(found[e, : kept.sum()], expected[e, kept])


def test_history_treats_the_trials_after_a_gap_as_another_episode():
    whole = walk(np.random.default_rng(3), n_trials=80)
    trials, _ = without(whole, [40])
    parts = []
    for e in range(4):
        episode = whole.isel(episode=[e])
        if e == 0:
            parts.append(episode)
        else:
            parts += [episode.isel(trial=slice(0, 40)), episode.isel(trial=slice(41, None))]
    apart = xr.concat(
        [part.drop_vars("trial_number").assign_coords(trial=np.arange(part.sizes["trial"])) for part in parts],
        "episode",
        join="outer",
        fill_value={"choice": -1, "reward": 0.0, "common": False},
    )
    apart.choice.attrs["n_options"] = 2
    for encoding in ("lau-glimcher", "miller"):
        found, expected = (behaviour.history_regression(each, encoding, n_lags=3) for each in (trials, apart))
        assert found.n_trials.item() == expected.n_trials.item() == 77 + 3 * (37 + 36)
        np.testing.assert_allclose(found.coef, expected.coef, atol=1e-9)
    late = behaviour.history_regression(trials, n_lags=3, burn_in=0.5)
    assert late.n_trials.item() == 40 + 3 * 36  # 79 trials: those from the 40th on, of which 3 only teach


def test_numbers_that_count_something_else_than_trials_show_no_gaps():
    whole = walk(np.random.default_rng(5))
    screens = whole.assign(trial_number=3 * whole.trial_number)
    assert dataset.follows(screens)[:, 1:].all() and not dataset.follows(screens)[:, 0].any()
    found, expected = (behaviour.stay_probability(each, n_bootstrap=50) for each in (screens, whole))
    xr.testing.assert_equal(found, expected)


@pytest.mark.parametrize("n", [1, 2])
def test_without_numbers_every_trial_follows_the_one_before(n):
    trials = walk(np.random.default_rng(0), n_trials=n).drop_vars("trial_number")
    assert dataset.follows(trials).values.tolist() == [False, True][:n]
