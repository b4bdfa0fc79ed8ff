"""Fits side by side: what is compared is what the fits say, and never fits of different trials."""

import json

import numpy as np
import pytest
import xarray as xr
from shell import neurometa

from neurometa import dataset
from neurometa.behaviour import aic, bic, compare_fits, compare_models, fit
from neurometa.errors import InputError
from neurometa.models import RescorlaWagner, SingleValue, TwoLearningRates


@pytest.fixture(scope="module")
def trials():
    return dataset.example(n_episodes=6)


@pytest.fixture(scope="module")
def fits(trials):
    return {"rw": fit(RescorlaWagner, trials), "two": fit(TwoLearningRates, trials)}


def test_every_number_is_that_of_the_fit_alone(fits):
    found = compare_fits(fits)
    for i, each in enumerate(fits.values()):
        assert found.aic[i].item() == pytest.approx(aic(each).sum().item())
        assert found.bic[i].item() == pytest.approx(bic(each).sum().item())
        assert found.n_trials[i] == each.n_trials.sum() and found.n_fits[i] == 6
    evidence = xr.concat([-bic(each) / 2 for each in fits.values()], "model")
    own = compare_models(evidence, "episode").protected_exceedance
    np.testing.assert_allclose(found.protected_exceedance, own)
    assert found.integrated_bic.isnull().all() and list(found.method.values) == ["ml", "ml"]


def test_hierarchical_fits_are_told_by_their_integrated_bic(trials, fits):
    groups = {kind.__name__: fit(kind, trials, group="episode") for kind in (RescorlaWagner, SingleValue)}
    found = compare_fits(fits | groups)
    assert list(found.method.values) == ["ml", "ml", "group", "group"]
    for i, each in enumerate(groups.values()):
        assert found.integrated_bic[2 + i].item() == pytest.approx(each.integrated_bic.item())
    assert found.exceedance[:2].sum().item() == pytest.approx(1) and found.exceedance[2:].sum().item() == pytest.approx(
        1
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each.assign(n_trials=each.n_trials - 1), "rw and two are of different trials: they score"),
        (lambda each: each.assign_attrs(created="yesterday"), "different trials: these were made at now and yesterday"),
        (lambda each: each.assign_attrs(window=10), "two is of sliding windows"),
        (lambda each: each.drop_vars("n_trials"), "two is no fit of a model"),
    ],
)
def test_fits_that_cannot_be_compared_are_refused(fits, change, message):
    with pytest.raises(InputError, match=message):
        compare_fits({"rw": fits["rw"].assign_attrs(created="now"), "two": change(fits["two"])})


def test_models_at_the_shell_compares_all_that_lies_there_and_nothing_is_overwritten_unasked(trials, tmp_path):
    run = dataset.save_run(trials, tmp_path / "mice.nc").with_name("mice.nc")
    code, _, err = neurometa("models", run)
    assert code == 2 and "There is no fit beside" in err
    for command in (["fit-rw"], ["fit-rw", "--model", "two-learning-rates"], ["fit-rw", "--hierarchical"]):
        code, _, err = neurometa(command[0], run, *command[1:])
        assert code == 0, err
    names = {"mice_fit_rw.nc", "mice_fit_two_learning_rates_ml.nc", "mice_fit_rw_hierarchical.nc"}
    assert {path.name for path in tmp_path.glob("mice_fit_*")} == names
    code, out, err = neurometa("models", run, "--json")
    assert code == 0, err
    told = {row["fit"]: row for row in json.loads(out)["fits"]}
    assert told["fit_rw"]["bic"] == pytest.approx(bic(fit(RescorlaWagner, trials)).sum().item())
    assert told["fit_rw_hierarchical"]["method"] == "group" and "integrated_bic" in told["fit_rw_hierarchical"]
    code, out, _ = neurometa("models", run)
    assert code == 0 and "fit_two_learning_rates_ml" in out and "AIC" in out
    before = (tmp_path / "mice_fit_rw.nc").read_bytes()
    code, out, _ = neurometa("fit-rw", run, "--pool", "episode")
    assert code == 0 and "kept as mice_fit_rw_earlier.nc" in " ".join(out.split())
    assert (tmp_path / "mice_fit_rw_earlier.nc").read_bytes() == before
    code, _, err = neurometa("fit-rw", run, "--pool", "episode")
    assert code == 0 and not err and not (tmp_path / "mice_fit_rw_earlier_2.nc").exists()
    code, _, err = neurometa("fit-rw", run, "--overwrite")
    assert code == 0 and not err and not (tmp_path / "mice_fit_rw_earlier_2.nc").exists()


def test_hierarchical_results_keep_what_is_the_same_all_over_a_member(trials):
    labelled = trials.assign_coords(
        subject=("episode", list("aabbcc")),
        score=("episode", [1.0, 1, 2, 2, 3, 3]),
        day=("episode", [0, 1, 0, 1, 0, 1]),
    )
    grouped = fit(RescorlaWagner, labelled, group="subject")
    assert grouped.score.dims == ("subject",) and grouped.score.values.tolist() == [1, 2, 3]
    assert "day" not in grouped.coords
