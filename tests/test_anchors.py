"""Real trials and simulated twins that are always here, beside what other programs say of them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neurometa.behaviour import fit, history_regression
from neurometa.models import RescorlaWagner
from neurometa.neural import decode

MICE = Path(__file__).parent / "data" / "hjort2026_reversal"
REFERENCE = json.loads((MICE / "reference.json").read_text())


@pytest.fixture(scope="module")
def mice():
    """Forty mice, an episode each."""
    rows = pd.read_csv(MICE / "trials.csv.gz")
    wide = {name: rows.pivot(index="mouse", columns="trial", values=name) for name in ("choice", "outcome")}
    grain = ("episode", "trial")
    return xr.Dataset(
        {"choice": (grain, wide["choice"].to_numpy()), "reward": (grain, wide["outcome"].to_numpy(float))},
        coords={"subject": ("episode", wide["choice"].index.to_numpy())},
    )


def test_every_mouse_is_fitted_at_the_optimum_that_scipy_finds_from_a_dense_grid(mice):
    fitted = fit(RescorlaWagner, mice, bounds={"inverse_temperature": (0.0, 20.0)})
    expected = [REFERENCE["rescorla_wagner"][name] for name in mice.subject.values]
    assert (fitted.log_likelihood.values >= np.array(expected) - 1e-3).all()
    np.testing.assert_allclose(fitted.log_likelihood, expected, atol=2e-3)


def test_weights_of_past_choices_and_rewards_are_those_of_statsmodels(mice):
    found = history_regression(mice, "lau-glimcher", n_lags=5)
    assert found.bias.item() == pytest.approx(REFERENCE["history"]["bias"][0], abs=1e-5)
    for regressor in ("choice", "reward"):
        for lag in range(1, 6):
            coef, se = REFERENCE["history"][f"{regressor}_{lag}"]
            one = found.sel(regressor=regressor, lag=lag)
            assert one.coef.item() == pytest.approx(coef, abs=1e-5) and one.se.item() == pytest.approx(se, abs=1e-5)


def test_a_choice_is_read_from_counts_as_well_as_by_sklearn_on_blocks_held_out_whole():
    """Twin of a recorded session: counts of units that drift from block to block, some of which carry the choice."""
    rng = np.random.default_rng(0)
    n_blocks, n_trials, n_units = 20, 40, 24
    choice = rng.random((n_blocks, n_trials)) < 0.5
    rate = rng.uniform(2, 8, (n_blocks, 1, n_units)) * np.exp(0.25 * rng.standard_normal((1, 1, n_units)))
    tuned = 0.12 * rng.standard_normal(n_units)
    counts = rng.poisson(rate * np.exp(tuned * (2 * choice[..., None] - 1))).astype(float)
    found = decode(
        xr.DataArray(counts, dims=("block", "trial", "unit")),
        xr.DataArray(choice, dims=("block", "trial")),
        dim="block",
    )
    x, y, block = counts.reshape(-1, n_units), choice.ravel(), np.repeat(np.arange(n_blocks), n_trials)
    scored = []
    for train, test in GroupKFold(5).split(x, y, block):
        reader = make_pipeline(StandardScaler(), LogisticRegression(C=0.05))
        scored.append(roc_auc_score(y[test], reader.fit(x[train], y[train]).decision_function(x[test])))
    assert 0.6 < np.mean(scored) < 0.95, "the twin can be read, and not by a glance"
    assert found.auc.item() == pytest.approx(np.mean(scored), abs=0.02)
