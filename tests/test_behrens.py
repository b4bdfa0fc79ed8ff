"""The Bayesian learner of Behrens et al.: its filter against loops written out, its choices, and recovery."""

import functools
import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from shell import neurometa

from neurometa import dataset
from neurometa.behaviour import fit, latents, log_likelihood, recover, simulate
from neurometa.errors import InputError
from neurometa.fitting.outcome_filter import LOG_RATE, LOG_SPREAD, behrens_world, expectations
from neurometa.models import Behrens, priors

MIDDLES = np.array([1 / 6, 1 / 2, 5 / 6])


def world(n_episodes=3, n_trials=60, prob=0.75):
    course = np.broadcast_to(prob, (n_episodes, n_trials))
    return xr.DataArray(np.stack([course, 1 - course], -1), dims=("episode", "trial", "arm"))


def shown(like, seed=3):
    return like.copy(data=np.random.default_rng(seed).beta(4, 4, like.shape))


def test_the_filter_is_the_belief_written_out_over_every_cell():
    outcomes = np.array([1, 1, 0, np.nan, 0, 1, 1])
    grid, r, v = behrens_world(n_bins=3)
    k = LOG_RATE[0] + MIDDLES * (LOG_RATE[1] - LOG_RATE[0])
    np.testing.assert_allclose(r, MIDDLES)
    np.testing.assert_allclose(v, LOG_SPREAD[0] + MIDDLES * (LOG_SPREAD[1] - LOG_SPREAD[0]))
    cells = [(a, b, c) for a in range(3) for b in range(3) for c in range(3)]  # of k, v and r
    v_edge = np.linspace(*LOG_SPREAD, 4)

    @functools.cache
    def to_volatility(rate, old, new):
        share = [np.diff(stats.norm(v[old], np.exp(k[rate])).cdf(v_edge[j : j + 2]))[0] for j in range(3)]
        return share[new] / sum(share)

    @functools.cache
    def to_prob(volatility, old, new):
        weight = np.exp(-v[volatility])
        return np.diff(stats.beta(r[old] * weight, (1 - r[old]) * weight).cdf([new / 3, (new + 1) / 3]))[0]

    belief = dict.fromkeys(cells, 1 / 27)
    prob, volatility = [], []
    for outcome in outcomes:
        prob.append(sum(belief[cell] * r[cell[2]] for cell in cells))
        volatility.append(sum(belief[cell] * v[cell[1]] for cell in cells))
        seen = {c: belief[c] * {1: r[c[2]], 0: 1 - r[c[2]]}.get(outcome, 1.0) for c in cells}
        belief = {
            (a, b, c): sum(
                seen[a, old_b, old_c] * to_volatility(a, old_b, b) * to_prob(b, old_c, c)
                for old_b in range(3)
                for old_c in range(3)
            )
            / sum(seen.values())
            for a, b, c in cells
        }
    wanted = [np.broadcast_to(r, (3, 3)), np.broadcast_to(v[:, None], (3, 3))]
    found = expectations(np.stack([outcomes, 1 - outcomes]), grid, wanted)
    np.testing.assert_allclose(found[0][0], prob, atol=1e-12)
    np.testing.assert_allclose(found[1][0], volatility, atol=1e-12)
    np.testing.assert_allclose(found[0][1], 1 - np.array(prob), atol=1e-12)  # the mirror image


def test_it_learns_faster_where_the_world_is_volatile_and_knows_it():
    course = np.concatenate([np.full(100, 0.75), np.where(np.arange(100) // 25 % 2, 0.8, 0.2)])
    trials = simulate(Behrens(1.0, 10.0), world(6, 200, course), np.random.default_rng(0))
    seen = latents(Behrens(1.0, 10.0), trials)
    prob = seen.arm_prob.isel(arm=0)
    outcome = ((trials.choice == 0) == (trials.reward > 0)).astype(float)
    now, later = slice(None, -1), slice(1, None)
    rate = (prob.isel(trial=later).values - prob.isel(trial=now).values) / (outcome - prob).isel(trial=now).values
    stable, volatile = rate[:, 30:99].mean(), rate[:, 130:].mean()
    assert volatile > 1.5 * stable
    felt = seen.log_volatility
    assert (felt[:, 160:].mean("trial") > felt[:, 60:100].mean("trial")).mean() >= 5 / 6


def test_a_value_is_the_magnitude_times_the_stretched_probability():
    prob, magnitude = np.array([0.9, 0.1, 0.6]), np.array([0.5, 0.5, 0.2])
    np.testing.assert_allclose(Behrens.weigh(prob, magnitude, 1.0)[0], prob * magnitude)
    np.testing.assert_allclose(Behrens.weigh(prob, magnitude, 0.0)[0], magnitude / 2)  # magnitudes alone
    np.testing.assert_allclose(Behrens.weigh(prob, magnitude, 2.0)[0], [0.5, 0.0, 0.14])  # cut at 1 and 0


def test_both_parameters_come_back():
    course = world(8, 120, np.where(np.arange(120) // 30 % 2, 0.2, 0.8))
    truth = {"risk_preference": 1.6, "inverse_temperature": 8.0}
    trials = simulate(Behrens(**truth), course, np.random.default_rng(1), magnitude=shown(course))
    fitted = fit(Behrens, trials, pool="episode")
    for name, value in truth.items():
        assert abs(fitted[name] - value) < 3 * fitted[f"{name}_se"]
        assert fitted[f"{name}_se"] < 0.2 * value
    nodes = [xr.DataArray(np.linspace(*ends), dims=dim) for dim, ends in (("rate", (0, 5, 21)), ("slope", (1, 20, 9)))]
    assert (log_likelihood(Behrens(*nodes), trials).sum("episode") <= fitted.log_likelihood + 1e-8).all()
    assert log_likelihood(Behrens.of(fitted), trials).sum().item() == pytest.approx(fitted.log_likelihood.item())


def test_without_magnitudes_the_slope_alone_is_fitted_and_comes_back():
    slopes = xr.DataArray([2.0, 4.0, 6.0, 8.0], dims="slope")
    result = recover(Behrens(1.0, slopes), world(4, 120, 0.7), np.random.default_rng(2))
    found = result.estimate.sel(parameter="inverse_temperature").median("episode")
    np.testing.assert_allclose(found, slopes, rtol=0.35)
    assert result.r.sel(parameter="inverse_temperature") > 0.6
    assert (result.estimate.sel(parameter="risk_preference") == 1).all()


def test_latents_score_as_the_likelihood_does_and_missed_trials_do_not_count():
    course = world(3, 40)
    trials = simulate(Behrens(1.2, 6.0), course, np.random.default_rng(4), magnitude=shown(course))
    trials["choice"] = trials.choice.where(trials.trial % 7 != 3, -1).astype("int8").assign_attrs(n_options=2)
    model = Behrens(1.2, 6.0)
    seen, made = latents(model, trials.transpose("trial", ...)), trials.choice >= 0
    chosen = trials.choice.clip(min=0)
    own = np.log(seen.choice_prob.isel(arm=chosen)).where(made, 0.0).sum("trial")
    np.testing.assert_allclose(own, log_likelihood(model, trials))
    np.testing.assert_allclose(seen.rpe, (trials.reward - seen.arm_value.isel(arm=chosen)).where(made))
    np.testing.assert_allclose(seen.arm_value, (seen.arm_prob * trials.magnitude).transpose(*seen.arm_value.dims))
    fitted = fit(Behrens, trials)
    assert (fitted.n_trials == made.sum("trial")).all()


def test_priors_pull_and_a_run_can_be_fitted_at_the_shell(tmp_path):
    trials = simulate(Behrens(1.0, 6.0), world(2, 40), np.random.default_rng(5))
    strong = fit(Behrens, trials, priors={"inverse_temperature": priors.Normal(3.0, 1e-3)}, n_starts=2)
    np.testing.assert_allclose(strong.inverse_temperature, 3.0, atol=0.01)
    file = dataset.save_run(trials, tmp_path / "run")
    code, out, err = neurometa("fit", file.parent, "--model", "behrens", "--json")
    assert code == 0, err
    assert json.loads(out)["inverse_temperature"]["median"] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(reward=2 * t.reward - 1), "recode -1/1 as 0/1"),
        (lambda t: t.assign(reward=t.reward * 0.5), "'reward' is 0.5 somewhere; it must be 0 or 1"),
        (lambda t: t.assign(magnitude=0.3 * xr.ones_like(t.reward_prob)), "it must be 0 or 0.3, what the chosen arm"),
        (lambda t: t.assign(magnitude=0 * t.reward_prob), "'magnitude' is not above 0"),
        (lambda t: t.assign(magnitude=t.reward), "'magnitude' spans .* must also span"),
        (lambda t: t.assign(choice=t.choice.assign_attrs(n_options=3)), "3 options; Behrens is a model of 2"),
    ],
)
def test_trials_of_another_task_are_refused(change, message):
    trials = simulate(Behrens(1.0, 5.0), world(1, 20), np.random.default_rng(6))
    trials.choice[0, 0], trials.reward[0, 0] = 0, 1.0
    with pytest.raises(InputError, match=message):
        fit(Behrens, change(trials))


def test_worlds_that_are_not_anticorrelated_are_refused():
    with pytest.raises(InputError, match="does not sum to 1"):
        simulate(Behrens(1.0, 5.0), xr.full_like(world(1, 5), 0.5) + 0.1, np.random.default_rng(0))
