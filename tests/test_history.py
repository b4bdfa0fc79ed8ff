"""History regressions: reference coefficients of mice, oracles, lags that stay where they are, and separation."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import optimize
from scipy.special import expit
from shell import neurometa

from neurometa import dataset, plotting
from neurometa.behaviour import history_regression, stay_probability
from neurometa.behaviour.encodings import ENCODINGS
from neurometa.behaviour.logistic import is_separated
from neurometa.errors import InputError
from neurometa.tables import read_trials

DATA = Path(__file__).parents[2] / "shared" / "datasets"
GRAIN = ("episode", "trial")


def chooser(n_episodes=20, n_trials=100, reward_weight=1.5, choice_weight=-0.5, bias=0.2, seed=0):
    """Choices by a known kernel at lag 1, two-step transitions beside them."""
    rng = np.random.default_rng(seed)
    choice, reward = np.zeros((2, n_episodes, n_trials))
    for t in range(n_trials):
        x = bias
        if t:
            side = 2 * choice[:, t - 1] - 1
            x = bias + side * (reward_weight * reward[:, t - 1] + choice_weight)
        choice[:, t] = rng.random(n_episodes) < expit(x)
        reward[:, t] = rng.random(n_episodes) < 0.5
    common = rng.random((n_episodes, n_trials)) < 0.8
    parts = {"choice": (GRAIN, choice.astype(np.int8)), "reward": (GRAIN, reward), "common": (GRAIN, common)}
    return xr.Dataset(parts)


def slow_rows(trials, n_lags, term):
    """Regressors and choices of every predicted choice, by loops; `term` gives those of one past trial."""
    x, y = [], []
    for episode in range(trials.sizes["episode"]):
        one = trials.isel(episode=episode)
        past = [
            (2 * c - 1, r, k)
            for c, r, k in zip(one.choice.values.astype(int), one.reward.values, one.common.values, strict=True)
            if c >= 0
        ]
        for t in range(n_lags, len(past)):
            terms = [term(*past[t - lag]) for lag in range(1, n_lags + 1)]
            x.append([1, *np.array(terms).T.ravel()])
            y.append(past[t][0] > 0)
    return np.array(x, dtype=float), np.array(y, dtype=float)


def read(folder, columns, choice):
    file = DATA / folder / "trials.csv.gz"
    if not file.exists():
        pytest.skip(f"the mouse trials, shared/datasets/{folder}, are not here")
    return pd.read_csv(file, usecols=columns), choice


def test_weights_of_foraging_mice_are_the_reference_ones():
    rows, choice = read(
        "hou2020_mouse_foraging", ["mouse", "session", "trial", "choice_right", "reward"], "choice_right"
    )
    trials, _ = read_trials(rows[rows.mouse.isin(["FOR01", "FOR02", "FOR03"])], choice=choice)
    reference = json.loads((DATA / "hou2020_mouse_foraging" / "reference_history_logit_per_mouse.json").read_text())
    found = history_regression(trials, "su", n_lags=10, by="subject")
    for mouse in found.subject.values:
        one, expected = found.sel(subject=mouse), reference[mouse]
        assert one.n_trials == expected["n"] and one.converged
        np.testing.assert_allclose(one.coef, [expected["rewarded"], expected["unrewarded"]], atol=1e-5)
        assert one.bias.item() == pytest.approx(expected["bias"], abs=1e-5)
        assert one.log_likelihood / one.n_trials == pytest.approx(expected["ll_per_trial"], abs=1e-6)


def test_weights_of_bandit_mice_and_their_errors_are_the_reference_ones():
    columns = ["mouse", "session", "condition", "trial", "choice", "reward"]
    rows, _ = read("neufeld_mouse_2abt", columns, "choice")
    trials, _ = read_trials(rows[rows.condition == "70-30"].drop(columns="condition"))
    reference = json.loads((DATA / "neufeld_mouse_2abt" / "reference_group.json").read_text())["70-30"]
    found = history_regression(trials, n_lags=5)
    assert found.n_trials == reference["n"]
    for ours, theirs in (("choice", "choice"), ("reward", "choicexreward")):
        for lag in range(1, 6):
            one, name = found.sel(regressor=ours, lag=lag), f"{theirs}_lag{lag}"
            assert one.coef.item() == pytest.approx(reference["history_logit"][name], abs=1e-5)
            assert one.se.item() == pytest.approx(reference["se"][name], abs=1e-5)


TERMS = {
    "lau-glimcher": lambda side, r, k: [side * r, side],
    "miller": lambda side, r, k: [side * ((r, k) == each) for each in ((1, 1), (0, 1), (1, 0), (0, 0))],
    "bari": lambda side, r, k: [side * r, side],
    "hattori": lambda side, r, k: [side * r, side],
    "su": lambda side, r, k: [side * r, side * (1 - r)],
    "miller-2021": lambda side, r, k: [side, 2 * r - 1, side * (2 * r - 1)],
}


@pytest.mark.parametrize("encoding", TERMS)
def test_every_encoding_is_that_of_a_loop_and_statsmodels_also_across_misses(encoding):
    trials = chooser(8, 60)
    trials["choice"] = trials.choice.where(np.random.default_rng(1).random(trials.choice.shape) > 0.15, np.int8(-1))
    x, y = slow_rows(trials, 3, TERMS[encoding])
    expected, found = sm.Logit(y, x).fit(disp=0), history_regression(trials, encoding, n_lags=3)
    np.testing.assert_allclose([found.bias, *found.coef.values.ravel()], expected.params, atol=1e-6)
    np.testing.assert_allclose([found.bias_se, *found.se.values.ravel()], expected.bse, rtol=1e-5)
    np.testing.assert_allclose(found.p_value.values.ravel(), expected.pvalues[1:], rtol=1e-3, atol=1e-12)
    assert found.log_likelihood.item() == pytest.approx(expected.llf) and found.n_trials == len(y)
    if encoding == "miller":
        signs = np.concatenate([[0], np.repeat([1, -1, -1, 1], 3)])
        assert found.planning.item() == pytest.approx(signs @ expected.params, abs=1e-5)
        assert found.planning_se.item() == pytest.approx(np.sqrt(signs @ expected.cov_params() @ signs), rel=1e-5)


def test_a_known_kernel_is_recovered():
    found = history_regression(chooser(100, 200), n_lags=3)
    for name, weights in (("reward", [1.5, 0, 0]), ("choice", [-0.5, 0, 0])):
        one = found.sel(regressor=name)
        assert (np.abs(one.coef - weights) < 3.5 * one.se).all()


def test_groups_fitted_together_are_those_fitted_alone_and_dims_pass_through():
    trials = chooser(12, 80).assign_coords(subject=("episode", list("abbbccccccca")))
    together = history_regression(trials, n_lags=2, by="subject")
    agents = xr.concat([trials, chooser(12, 80, seed=5)], "agent").transpose("trial", "agent", "episode")
    both = history_regression(agents, n_lags=2, by="subject")
    assert set(both.coef.dims) == {"agent", "subject", "regressor", "lag"}
    for label in "abc":
        alone = history_regression(trials.isel(episode=trials.subject.values == label), n_lags=2)
        for found in (together.sel(subject=label), both.sel(subject=label).isel(agent=0)):
            np.testing.assert_allclose(found.coef, alone.coef, atol=1e-8)
    each = history_regression(trials, n_lags=1, pool=(), penalty="ridge")
    np.testing.assert_allclose(
        each.coef[3], history_regression(trials.isel(episode=[3]), n_lags=1, penalty="ridge").coef, atol=1e-8
    )
    assert list(each.subject.values) == list("abbbccccccca")


def test_padding_and_burn_in_are_not_predicted():
    trials = chooser(6, 60)
    padded = trials.assign(valid=trials.trial < 45)
    xr.testing.assert_allclose(history_regression(padded), history_regression(trials.isel(trial=slice(45))))
    assert history_regression(trials, n_lags=5, burn_in=1 / 3).n_trials == 6 * 40
    assert history_regression(trials, n_lags=5, burn_in=0.0).n_trials == 6 * 55


def deterministic(seed=0):
    """Win-stay, lose-shift without fail, but at random on the first trial."""
    trials = chooser(6, 40, seed=seed)
    choice = trials.choice.values.copy()
    for t in range(1, choice.shape[1]):
        stay = trials.reward.values[:, t - 1] > 0
        choice[:, t] = np.where(stay, choice[:, t - 1], 1 - choice[:, t - 1])
    return trials.assign(choice=(GRAIN, choice))


def test_separated_choices_are_refused_or_met_by_the_stated_penalty():
    trials = deterministic()
    found = history_regression(trials, "su", n_lags=1)
    assert found.separated and not found.converged and found.coef.isnull().all() and "separation" in found.reason.item()
    for penalty in ("ridge", "firth"):
        met = history_regression(trials, "su", n_lags=1, penalty=penalty)
        assert met.separated and met.converged and np.abs(met.coef).max() < 8
        assert met.coef.sel(regressor="rewarded choice", lag=1) > 1
        assert met.coef.sel(regressor="unrewarded choice", lag=1) < -1


@pytest.mark.parametrize("penalty", ["ridge", "firth"])
@pytest.mark.parametrize("trials", [chooser(2, 30), deterministic()], ids=["noisy", "separated"])
def test_a_penalised_fit_is_the_maximum_that_a_general_optimiser_finds(penalty, trials):
    x, y = slow_rows(trials, 1, TERMS["su"])

    def loss(w):
        log_odds = x @ w
        p = expit(log_odds)
        prior = 0.5 * np.linalg.slogdet((x * (p * (1 - p))[:, None]).T @ x)[1]
        prior = prior if penalty == "firth" else -0.5 * 2.5 * (w[1:] ** 2).sum()
        return -(y @ log_odds - np.logaddexp(0, log_odds).sum() + prior)

    best = optimize.minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-7})
    found = history_regression(trials, "su", n_lags=1, penalty=penalty, ridge=2.5)
    np.testing.assert_allclose([found.bias, *found.coef.values.ravel()], best.x, atol=2e-4)


def test_firth_adds_half_a_trial_to_either_side():
    """Of a proportion, and of each cell of a 2 × 2 table (Firth 1993, section 3.2; Jeffreys' prior)."""
    from neurometa.behaviour.logistic import fit

    y = np.array([[1.0] * 7])
    found = fit(np.ones((1, 7, 1)), y, np.ones((1, 7)), penalty="firth", ridge=np.zeros(1))
    assert found.coef.item() == pytest.approx(np.log(7.5 / 0.5)) and found.separated.item()
    x = np.array([[[1.0, 0]] * 6 + [[1.0, 1]] * 9])
    y = np.array([[1.0, 1, 0, 0, 0, 0] + [1.0] * 9])
    found = fit(x, y, np.ones((1, 15)), penalty="firth", ridge=np.zeros(2))
    np.testing.assert_allclose(found.coef[0], [np.log(2.5 / 4.5), np.log(9.5 / 0.5) - np.log(2.5 / 4.5)])
    half = np.array([2.5, 4.5]), np.array([9.5, 0.5])
    fitted = [n.sum() * (k := n[0] / n.sum()) * (1 - k) * (n.sum() - 1) / n.sum() for n in half]
    np.testing.assert_allclose(np.sqrt(found.covariance[0, 0, 0]), fitted[0] ** -0.5)


def test_separation_is_found_exactly_where_it_is():
    rng = np.random.default_rng(0)
    for _ in range(30):
        x = np.column_stack([np.ones(8), rng.integers(-1, 2, (8, 1))])
        y = rng.integers(0, 2, 8)
        angles = np.linspace(0, 2 * np.pi, 721)  # every direction of two weights, by half degrees
        side = (x @ np.stack([np.cos(angles), np.sin(angles)])) * (2 * y - 1)[:, None]
        grid = ((side >= -1e-9).all(0) & (side > 1e-3).any(0)).any()
        assert is_separated(x, y) == grid


def test_what_cannot_be_estimated_is_nan_and_says_why():
    trials = chooser(6, 30)
    one_sided = trials.assign(choice=xr.zeros_like(trials.choice))
    found = history_regression(one_sided)
    assert found.coef.isnull().all() and found.reason == "only one option was ever chosen" and found.separated
    missed = history_regression(trials.assign(choice=xr.full_like(trials.choice, -1)))
    assert missed.n_trials == 0 and "no trial could be predicted" in missed.reason.item()
    both = history_regression(trials, "hattori-2019", n_lags=2)
    assert both.coef.isnull().all() and "combination of the others" in both.reason.item()
    assert history_regression(trials, "hattori-2019", n_lags=2, penalty="ridge").converged
    assert not history_regression(trials, "hattori-2019", n_lags=2, penalty="firth").converged


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({"encoding": "barri"}, {}, "no encoding 'barri'. Did you mean 'bari'"),
        ({"n_lags": 30}, {}, "n_lags is 30, and an episode has 30 trials"),
        ({"penalty": "lasso"}, {}, "penalty is 'lasso'"),
        ({"penalty": "ridge", "ridge": 0}, {}, "ridge is 0"),
        ({"burn_in": 1.0}, {}, "burn_in is 1"),
        ({"by": "mouse"}, {}, "by is 'mouse'"),
        ({"encoding": "su"}, {"reward": lambda x: x - 1}, "'reward' is -1, 0, where the encoding 'su' needs"),
        ({}, {"choice": lambda x: x + 1}, "'choice' has 3 options"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(options, change, message):
    trials = chooser(3, 30)
    trials = trials.assign({name: f(trials[name]) for name, f in change.items()})
    with pytest.raises(InputError, match=message) as told:
        history_regression(trials, **options)
    assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="no variable 'common'"):
        history_regression(chooser().drop_vars("common"), "miller")


def test_the_command_saves_what_the_function_returns(tmp_path):
    dataset.save_run(chooser(), tmp_path)
    code, out, _ = neurometa("history", tmp_path, "--encoding", "miller", "--lags", 3, "--penalty", "firth")
    assert code == 0 and "Planning index" in out
    saved, expected = (
        dataset.read(tmp_path / "history.nc"),
        history_regression(chooser(), "miller", n_lags=3, penalty="firth"),
    )
    xr.testing.assert_allclose(saved[["coef", "planning"]], expected[["coef", "planning"]])
    dataset.save_run(deterministic(), tmp_path)
    code, out, _ = neurometa("history", tmp_path, "--encoding", "su", "--lags", 1)
    assert code == 0 and "give --penalty ridge or firth" in out
    code, _, err = neurometa("history", tmp_path, "--encoding", "nope")
    assert code == 2 and "There is no encoding 'nope'" in err


def test_what_is_drawn_is_what_was_found():
    trials = chooser().assign_coords(subject=("episode", list("ab" * 10)))
    fig, axes = plt.subplots(1, 4)
    stay, each = stay_probability(trials), stay_probability(trials, by="subject")
    bars = [bar.get_height() for bar in plotting.stay_bars(axes[0], stay).patches]
    np.testing.assert_allclose(bars, stay.stay_probability.transpose("previous_transition", ...).values.ravel())
    bars = [bar.get_height() for bar in plotting.stay_bars(axes[1], each).patches]
    mean = each.stay_probability.mean("subject").transpose("previous_transition", "previous_outcome")
    np.testing.assert_allclose(bars, mean.values.ravel())
    kernels = history_regression(trials, n_lags=4)
    lines = [line for line in plotting.history_kernels(axes[2], kernels).lines if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == list(ENCODINGS["lau-glimcher"])
    np.testing.assert_allclose(lines[0].get_ydata(), kernels.coef[0])
    ends = np.array([each[:, 1] for each in axes[2].collections[0].get_segments()]).T
    np.testing.assert_allclose(ends, [kernels.coef[0] - 2 * kernels.se[0], kernels.coef[0] + 2 * kernels.se[0]])
    assert (
        plotting.history_kernels(axes[3], history_regression(trials, by="subject")).get_ylabel() == "weight (log odds)"
    )
    plt.close(fig)
