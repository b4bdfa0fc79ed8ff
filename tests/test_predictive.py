"""Posterior predictive checks: the statistics by hand, a right model passes, a wrong one does not, and the drawing."""

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from test_fitting import walk

from neurometa import dataset, models, plotting
from neurometa.behaviour import drifting_rewards, fit, posterior_predictive, simulate
from neurometa.errors import InputError
from neurometa.models import ChoiceKernel, RescorlaWagner

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def learned():
    """Learners of a restless bandit, and the group fitted to them."""
    trials = simulate(RescorlaWagner(0.5, 5.0), walk(16, 100), np.random.default_rng(0))
    return trials, fit(RescorlaWagner, trials, group="episode", n_draws=40)


def test_the_right_model_passes_in_the_same_worlds(learned):
    trials, fitted = learned
    checked = posterior_predictive(RescorlaWagner, fitted, trials, np.random.default_rng(1))
    assert checked.how == "the same worlds anew"
    assert list(checked.statistic) == ["reward_rate", "stay_after_win", "stay_after_loss", "share_of_option_0"]
    assert (checked.p_value > 0.02).all()  # the least of 100 draws is .0198
    inside = (checked.observed >= checked.interval[:, 0]) & (checked.observed <= checked.interval[:, 1])
    assert inside.sum() >= 3


def test_a_model_that_learns_nothing_from_reward_is_found_out(learned):
    trials, _ = learned
    fitted = fit(ChoiceKernel, trials, group="episode", n_draws=40)
    checked = posterior_predictive(ChoiceKernel, fitted, trials, np.random.default_rng(1), n_draws=40)
    assert (checked.p_value.sel(statistic=["reward_rate", "stay_after_win", "stay_after_loss"]) < 0.06).all()
    gap = checked.simulated.sel(statistic="stay_after_win") - checked.simulated.sel(statistic="stay_after_loss")
    assert gap.mean() < 0.2  # what stays it has comes from habit


def test_without_the_world_the_next_choice_is_drawn_after_what_was_seen(learned):
    trials, fitted = learned
    bare = trials.drop_vars("reward_prob")
    checked = posterior_predictive(RescorlaWagner, fitted, bare, np.random.default_rng(1), n_draws=40, n_bins=4)
    assert checked.how == "one step ahead" and "reward_rate" not in checked.statistic
    assert (checked.p_value > 0.05).all() and checked.sizes["bin"] == 4
    sure = models.RescorlaWagner(1.0, 30.0)  # all but wins stay, loses shift: known choices
    made = simulate(sure, walk(3, 60), np.random.default_rng(2)).drop_vars("reward_prob")
    point = xr.Dataset({"learning_rate": 1.0, "inverse_temperature": 30.0})
    again = posterior_predictive(RescorlaWagner, point, made, np.random.default_rng(3), n_draws=5)
    np.testing.assert_allclose(again.simulated, again.observed.expand_dims(draw=5), atol=0.1)


def test_observed_statistics_are_those_counted_by_hand():
    trials = xr.Dataset(
        {
            "choice": (("episode", "trial"), [[0, 0, 1, -1, 1, 1], [1, 1, 0, 0, 0, 0]], {"n_options": 2}),
            "reward": (("episode", "trial"), [[1, 0, 1, 0, 1, 0], [0, 1, 0, 0, 1, 1]]),
            "valid": (("episode", "trial"), [[True] * 6, [True] * 4 + [False] * 2]),
        }
    )
    trials["reward_prob"] = (("episode", "trial", "arm"), np.full((2, 6, 2), 0.5))
    point = xr.Dataset({"learning_rate": 0.4, "inverse_temperature": 3.0})
    checked = posterior_predictive(RescorlaWagner, point, trials, np.random.default_rng(0), n_draws=3, n_bins=2)
    # pairs: 00 (win, stay), 01 (loss, shift), 11 (win, stay); 11 (loss, stay), 10 (win, shift), 00 (loss, stay)
    expected = {"reward_rate": 4 / 9, "stay_after_win": 2 / 3, "stay_after_loss": 2 / 3, "share_of_option_0": 4 / 9}
    for name, value in expected.items():
        assert checked.observed.sel(statistic=name) == pytest.approx(value)
    np.testing.assert_allclose(checked.observed_curve, [3 / 6, 1 / 3])
    assert list(checked.bin) == [2, 5]


def test_an_episode_without_an_estimate_counts_for_neither(learned):
    trials, fitted = learned
    lost = fitted.drop_vars([name for name in fitted.data_vars if str(name).endswith("_draw")])
    lost["learning_rate"] = lost.learning_rate.where(lost.learning_rate != lost.learning_rate[0])
    found = posterior_predictive(RescorlaWagner, lost, trials, np.random.default_rng(1), n_draws=4)
    known = posterior_predictive(
        RescorlaWagner, lost.isel(episode=slice(1, None)), trials.isel(episode=slice(1, None)), np.random.default_rng(1)
    )
    np.testing.assert_allclose(found.observed, known.observed)


def test_two_step_choices_are_checked_one_step_ahead():
    world = drifting_rewards(3, 40, np.random.default_rng(0))
    trials = simulate(models.Hybrid(4.0, 3.0, 0.5, 0.5, 0.5, 0.5, 0.1), world, np.random.default_rng(1))
    truth = {"inverse_temperature_first": 4.0, "inverse_temperature_second": 3.0, "learning_rate_first": 0.5}
    rest = {"learning_rate_second": 0.5, "eligibility": 0.5, "model_based_weight": 0.5, "stickiness": 0.1}
    point = xr.Dataset(truth | rest | {"p_common": 0.7})
    checked = posterior_predictive(models.Hybrid, point, trials, np.random.default_rng(2), n_draws=20)
    assert checked.how == "one step ahead" and (checked.p_value > 0.04).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_draws": 0}, "n_draws is 0"),
        ({"n_bins": 101}, "n_bins is 101, but an episode has 100 trials"),
        ({"fitted": xr.Dataset({"learning_rate": 0.2})}, "The fit has no 'inverse_temperature'"),
        (
            {"fitted": xr.Dataset({"learning_rate": ("mouse", [0.2, 0.3]), "inverse_temperature": 3.0})},
            "The fit spans 'mouse'",
        ),
        ({"fitted": xr.Dataset({"learning_rate": np.nan, "inverse_temperature": np.nan})}, "No trial counts"),
    ],
)
def test_a_check_that_makes_no_sense_is_refused(learned, change, message):
    trials, fitted = learned
    given = {"fitted": fitted} | change
    with pytest.raises(InputError, match=message):
        posterior_predictive(RescorlaWagner, given.pop("fitted"), trials, np.random.default_rng(0), **given)


def test_the_figure_has_two_labelled_axes(learned, tmp_path):
    trials, fitted = learned
    checked = posterior_predictive(RescorlaWagner, fitted, trials, np.random.default_rng(1), n_draws=10)
    dataset.save_run(checked, tmp_path / "check.nc")
    figure = plotting.posterior_predictive(
        Figure(figsize=(7, 3), layout="constrained"), dataset.read(tmp_path / "check.nc")
    )
    left, right = figure.axes
    assert (right.get_xlabel(), right.get_ylabel()) == ("trial", "mean reward (reward)")
    assert left.get_ylabel() and left.get_xticklabels()[0].get_text() == "reward\nrate"
    figure.savefig(tmp_path / "check.png")
