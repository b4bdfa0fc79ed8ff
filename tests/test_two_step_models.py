"""Two-step learners: published likelihoods, slow oracles, recovery, and stated results where nothing can be told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import optimize
from shell import neurometa

from neurometa import dataset
from neurometa.behaviour import (
    bic,
    drifting_rewards,
    fit,
    latents,
    log_likelihood,
    model_recovery,
    recover,
    simulate,
)
from neurometa.errors import InputError
from neurometa.fitting import kept, latent_state_kernel, two_step, two_step_kernel, two_step_score
from neurometa.models import TWO_STEP_MODELS, Hybrid, KoolHybrid, ModelBased, ModelFree, priors

KOOL = Path(__file__).parents[2] / "shared" / "datasets" / "kool2016_twostep"
COLUMNS = {  # of the published fits
    "inverse_temperature": "inverse temperature",
    "learning_rate": "learning rate",
    "eligibility": "eligibility trace decay",
    "model_based_weight": "mixing weight",
    "stickiness": "choice stickiness",
    "response_stickiness": "response stickiness",
}
LEARNER = Hybrid(5.0, 3.5, 0.6, 0.4, 0.6, 0.5, 0.15)


def kool_trials():
    """The 197 people of the Daw paradigm, in the contract's coding, and the published fits."""
    if not (KOOL / "daw_trials.csv.gz").exists():
        pytest.skip("the two-step data, shared/datasets/kool2016_twostep, are not here")
    table = pd.read_csv(KOOL / "daw_trials.csv.gz").query("included == 1")
    names = {"choice": "choice1", "second_state": "state2", "second_choice": "choice2", "left_option": "stim_1_left"}
    wide = {name: table.pivot(index="subject", columns="trial", values=column) for name, column in names.items()}
    coded = {name: (("subject", "trial"), np.where(x > 0, x - 1, -1)) for name, x in wide.items()}
    reward = table.pivot(index="subject", columns="trial", values="win").to_numpy(float)
    fits = pd.read_csv(KOOL / "daw_published_map_fits.csv.gz").sort_values(["model_index", "subject"])
    return xr.Dataset(coded | {"reward": (("subject", "trial"), reward)}), fits


def world(n_episodes=4, n_trials=120, seed=0):
    return drifting_rewards(n_episodes, n_trials, np.random.default_rng(seed))


def played(model=LEARNER, seed=1, **sizes):
    return simulate(model, world(**sizes), np.random.default_rng(seed))


def slow_log_likelihood(trials, b1, b2, a1, a2, eligibility, w, stick, response=0.0, p_common=0.7):
    """Daw et al. 2011 written out with tables, one trial at a time."""
    first, second, last, side, counts, total = np.zeros(2), np.zeros((2, 2)), None, None, np.zeros((2, 2)), 0.0
    branched = "second_choice" in trials
    for t in range(trials.sizes["trial"]):
        here = {name: int(trials[name][t]) for name in trials.data_vars if trials[name].dims == ("trial",)}
        a, s, r = here["choice"], here["second_state"], float(trials.reward[t])
        b = here["second_choice"] if branched else 0
        if a < 0 or b < 0:
            continue
        same, crossed = np.trace(counts), counts.sum() - np.trace(counts)
        p = 0.5 if same == crossed else p_common if same > crossed else 1 - p_common
        worth = second.max(1) if branched else second[:, 0]
        q = w * np.array([[p, 1 - p], [1 - p, p]]) @ worth + (1 - w) * first
        if last is not None:
            q[last] += stick
            q[here["left_option"] if side == "left" else 1 - here["left_option"]] += response
        total += b1 * q[a] - np.logaddexp(*(b1 * q))
        if branched:
            total += b2 * second[s, b] - np.logaddexp(*(b2 * second[s]))
        last, side = a, "left" if a == here["left_option"] else "right"
        onset, outcome = second[s, b] - first[a], r - second[s, b]
        first[a] += a1 * (onset + eligibility * outcome)
        second[s, b] += a2 * outcome
        counts[a, s] += 1
    return total


def test_published_log_likelihoods_are_met_to_1e_9_by_all_twelve_models():
    trials, fits = kool_trials()
    worst = 0.0
    for _, rows in fits.groupby("model_index"):
        weight = {"MB": 1.0, "MF": 0.0}.get(rows.model.iloc[0])
        given = {name: xr.DataArray(rows[column].fillna(0).values, dims="subject") for name, column in COLUMNS.items()}
        if weight is not None:
            given["model_based_weight"] = xr.full_like(given["learning_rate"], weight)
        found = log_likelihood(KoolHybrid(**given), trials)
        worst = max(worst, np.abs(found.values - rows.loglik.values).max())
    assert worst < 1e-9


@pytest.mark.parametrize("kernel", [two_step_kernel, latent_state_kernel], ids=lambda each: each.__name__)
def test_machine_code_is_kept_only_for_the_equations_that_it_was_made_of(kernel):
    assert kept.digest(*kernel.EQUATIONS) == kernel.DIGEST, "equations changed: write their digest as DIGEST"
    assert kept.unchanged(kernel.DIGEST, *kernel.EQUATIONS)
    assert not kept.unchanged(kernel.DIGEST, *kernel.EQUATIONS[1:], kept.digest)


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_map_fits_reach_the_published_posteriors_in_99_of_100_people(every):
    trials, fits = kool_trials()
    published = fits[fits.model_index == 10]
    few = np.arange(0, 197, every)
    fitted = fit(KoolHybrid, trials.isel(subject=few), priors=priors.KOOL)
    reached = fitted.log_posterior.values >= published.logpost.values[few] - 1e-3
    assert reached.mean() >= 0.99
    prior = fitted.log_posterior - fitted.log_likelihood
    np.testing.assert_allclose((published.logpost - published.loglik).values[few].mean(), prior.mean(), atol=0.5)


@pytest.mark.parametrize(
    "model",
    [
        LEARNER,
        Hybrid(3.0, 2.0, 0.3, 0.5, 0.2, 1.0, -0.2, 0.8),
        ModelFree(4.0, 2.0, 0.5, 0.3, 0.9, 0.1),
        ModelBased(4.0, 3.0, 0.4, 0.2),
        KoolHybrid(4.0, 0.4, 0.5, 0.4, 0.2, 0.3),
    ],
    ids=repr,
)
@pytest.mark.parametrize("short", [False, True])
def test_the_likelihood_is_that_of_the_equations_written_out(model, short):
    trials = played(n_episodes=2, n_trials=60)
    trials["choice"] = trials.choice.where(np.random.default_rng(3).random((2, 60)) > 0.1, np.int8(-1))
    if short:
        trials = trials.drop_vars("second_choice")
    found = log_likelihood(model, trials)
    b1, b2, a1, a2, eligibility, w, stick, response, p_common = model.general()
    for i in range(2):
        slow = slow_log_likelihood(trials.isel(episode=i), b1, b2, a1, a2, eligibility, w, stick, response, p_common)
        assert found[i].item() == pytest.approx(slow, abs=1e-10)


@pytest.mark.parametrize("kind", TWO_STEP_MODELS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("short", [False, True])
def test_the_slope_is_what_differences_of_the_likelihood_say(kind, short):
    trials, rng = played(n_episodes=2, n_trials=80), np.random.default_rng(7)
    trials = trials.drop_vars("second_choice") if short else trials
    known = two_step.playable(kind, trials, sided=True).transpose("episode", "trial")
    arrays = [known[name].values.astype(int) for name in two_step.CODED]
    seen = two_step_score.Sequences(*arrays, known.reward.values, known.played.values, not short)
    for point in rng.uniform(0.1, 0.9, (5, len(kind.parameters()))):
        value, slope = two_step_score.slope(two_step_score.ties(kind), seen, point)
        step = 1e-6 * np.eye(len(point))
        up, down = (two_step_score.score(kind, seen, point + sign * step) for sign in (1, -1))
        np.testing.assert_allclose(slope, (up - down) / 2e-6, atol=1e-6)
        assert value == two_step_score.score(kind, seen, point[None])[0]


@pytest.mark.parametrize("kind", [Hybrid, ModelBased])
def test_no_point_of_a_random_search_beats_the_fit_and_its_likelihood_is_its_parameters(kind):
    trials, rng = played(n_episodes=3, n_trials=150), np.random.default_rng(2)
    fitted = fit(kind, trials)
    np.testing.assert_allclose(log_likelihood(kind.of(fitted), trials), fitted.log_likelihood, atol=1e-8)
    tried = {}
    for name, (low, high) in kind.bounds.items():
        near = fitted[name].values[:, None] + (high - low) * rng.normal(0, 0.03, (3, 1500))
        both = np.concatenate([np.tile(rng.uniform(low, high, 500), (3, 1)), np.clip(near, low, high)], 1)
        tried[name] = xr.DataArray(both, dims=("episode", "draw"))
    assert (log_likelihood(kind.of(tried), trials) <= fitted.log_likelihood + 1e-6).all()
    assert (fitted.n_reached >= 1).all() and fitted.attrs["n_starts"] == 10


@pytest.mark.parametrize("kind", [Hybrid, KoolHybrid])
def test_a_persons_fit_is_the_same_alone_and_in_company(kind):
    trials = played(n_episodes=4, n_trials=60)
    ragged = trials.assign(choice=trials.choice.where(np.arange(60) < [[20], [60], [45], [60]], np.int8(-1)))
    together = fit(kind, ragged, n_starts=4)
    for i, n_trials in enumerate((20, 60, 45)):
        alone = fit(kind, trials.isel(episode=[i], trial=slice(n_trials)), n_starts=4)
        for name in (*kind.parameters(), "log_likelihood", "n_reached"):
            np.testing.assert_array_equal(alone[name], together[name].isel(episode=[i]))


def test_no_climb_from_many_other_points_ends_above_the_fit():
    trials = simulate(LEARNER, world(3, 70, seed=11), np.random.default_rng(12))
    known = two_step.playable(Hybrid, trials, sided=False).transpose("episode", "trial")
    fitted, tied = fit(Hybrid, trials), two_step_score.ties(Hybrid)
    low, high = np.array(list(Hybrid.bounds.values())).T
    for i in range(3):
        arrays = [known[name].values[[i]].astype(int) for name in two_step.CODED]
        seen = two_step_score.Sequences(*arrays, known.reward.values[[i]], known.played.values[[i]], True)

        def loss(x, seen=seen):
            value, slope = two_step_score.slope(tied, seen, x)
            return -value, -slope

        rng = np.random.default_rng(i)
        for _ in range(12):
            begin = low + (high - low) * rng.random(len(low)) ** 2
            found = optimize.minimize(loss, begin, jac=True, method="TNC", bounds=list(zip(low, high, strict=True)))
            assert -found.fun <= fitted.log_likelihood[i] + 1e-3


def test_long_sessions_give_the_parameters_back():
    result = recover(LEARNER, world(8, 1200), np.random.default_rng(4))
    bias, rmse = result.bias, result.rmse
    assert abs(bias.sel(parameter="model_based_weight")) < 0.08 and rmse.sel(parameter="model_based_weight") < 0.2
    assert abs(bias.sel(parameter="learning_rate_second")) < 0.05
    assert abs(bias.sel(parameter="inverse_temperature_second")) < 0.4
    assert (result.truth.sel(parameter="p_common") == result.estimate.sel(parameter="p_common")).all()


def test_planners_and_model_free_learners_are_told_apart():
    models = [ModelFree(5.0, 4.0, 0.6, 0.5, 0.8, 0.1), ModelBased(5.0, 4.0, 0.5, 0.1)]
    confusion = model_recovery(models, world(8, 300), np.random.default_rng(5))
    assert (np.diag(confusion.values) > 0.8).all()


def test_standard_errors_are_those_of_the_curvature_and_shrink_with_trials():
    trials = played(n_episodes=1, n_trials=3000)
    long, short = fit(ModelBased, trials), fit(ModelBased, trials.isel(trial=slice(750)))
    ratio = (short.learning_rate_se / long.learning_rate_se).item()
    assert 1.4 < ratio < 2.9  # 2 for four times the trials
    step = 1e-3
    up, here, down = (
        log_likelihood(
            ModelBased.of(long.assign(inverse_temperature_second=long.inverse_temperature_second + k)), trials
        )
        for k in (step, 0, -step)
    )
    alone = 1 / np.sqrt(-(up + down - 2 * here) / step**2)
    assert (long.inverse_temperature_second_se >= alone * 0.99).all()


def test_a_prior_decides_where_there_is_no_choice_to_tell_and_recedes_where_there_are_many():
    trials = played(KoolHybrid(4.0, 0.5, 0.5, 0.5, 0.1, 0.0), n_episodes=2, n_trials=40)
    nothing = trials.isel(trial=slice(1))
    told = fit(KoolHybrid, nothing, priors=priors.KOOL)
    mode = (4.82 - 1) * 0.88
    np.testing.assert_allclose(told.inverse_temperature, mode, atol=1e-3)
    assert told.reason.str.contains("prior").all()
    strong = fit(KoolHybrid, trials, priors={"learning_rate": priors.Normal(0.9, 1e-4)})
    np.testing.assert_allclose(strong.learning_rate, 0.9, atol=1e-2)


def test_latents_are_the_errors_that_the_learner_moves_by():
    trials = played(n_episodes=1, n_trials=50).isel(episode=0)
    seen = latents(LEARNER, trials)
    before, after = seen.isel(trial=slice(None, -1)), seen.shift(trial=-1).isel(trial=slice(None, -1))
    chosen = trials.choice.isel(trial=slice(None, -1)).astype(int)
    moved = (after.model_free_value - before.model_free_value).isel(option=chosen)
    np.testing.assert_allclose(moved, 0.6 * (before.second_stage_rpe + 0.6 * before.outcome_rpe), atol=1e-12)
    where = {"state": trials.second_state.astype(int), "option": trials.second_choice.astype(int)}
    np.testing.assert_allclose(trials.reward - seen.second_value.isel(**where), seen.outcome_rpe, atol=1e-12)
    planned = seen.model_based_value.isel(option=trials.choice.astype(int))
    np.testing.assert_allclose(seen.second_value.isel(**where) - planned, seen.model_based_rpe, atol=1e-12)
    own = np.log(seen.choice_prob.isel(option=trials.choice.astype(int))).sum()
    own += np.log(seen.second_choice_prob.isel(option=trials.second_choice.astype(int))).sum()
    assert own.item() == pytest.approx(log_likelihood(LEARNER, trials).item())


def test_without_a_second_choice_its_slope_is_no_parameter():
    trials = simulate(LEARNER, world(2, 100).isel(option=0, drop=True), np.random.default_rng(6))
    assert "second_choice" not in trials
    fitted = fit(ModelBased, trials)
    assert fitted.inverse_temperature_second.isnull().all() and fitted.attrs["n_parameters"] == 3
    assert fitted.inverse_temperature_first.notnull().all() and np.isfinite(bic(fitted)).all()


def test_dims_pass_through_missed_trials_do_not_count_and_pools_sum():
    trials = played(n_episodes=3, n_trials=60)
    missed = xr.DataArray(np.arange(60) % 7 == 0, dims="trial")
    holes = trials.assign(choice=trials.choice.where(~missed, np.int8(-1)))
    whole = fit(ModelBased, trials.isel(trial=~missed.values).transpose("trial", ...), n_starts=4)
    np.testing.assert_allclose(fit(ModelBased, holes, n_starts=4).log_likelihood, whole.log_likelihood, atol=1e-4)
    pooled = fit(ModelBased, trials, pool="episode", n_starts=4)
    assert pooled.sizes == {} and pooled.n_trials == 180
    assert log_likelihood(ModelBased.of(pooled), trials).sum().item() == pytest.approx(pooled.log_likelihood.item())


def test_transitions_are_common_as_often_as_the_learner_holds():
    trials = played(ModelBased(4.0, 3.0, 0.4, 0.2, 0.85), n_episodes=20, n_trials=500)
    assert trials.common.mean().item() == pytest.approx(0.85, abs=0.015)
    assert (trials.common == (trials.second_state == trials.choice)).all()


def test_what_cannot_be_told_is_nan_with_a_reason():
    trials = played(n_episodes=2, n_trials=30)
    trials.choice[0] = 0
    trials.choice[1] = -1
    fitted = fit(Hybrid, trials)
    assert fitted.learning_rate_first.isnull().all() and not fitted.converged.any()
    assert list(fitted.reason.values) == ["only one first-stage option was ever chosen", "no trial was played"]
    held = fit(KoolHybrid, played(n_episodes=1), bounds={"model_based_weight": (1, 1)})
    assert held.eligibility.isnull().all() and "does not depend on eligibility" in held.reason.item()


def broken(**changes):
    trials = played(n_episodes=1, n_trials=30)
    return trials.assign({name: change(trials[name]) for name, change in changes.items()})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: broken().drop_vars("second_state"), "no variable 'second_state'"),
        (lambda: broken(second_state=lambda x: x + 1), "'second_state' is coded 1/2; code it 0/1"),
        (lambda: broken(choice=lambda x: x + 1), "'choice' is coded 1/2"),
        (lambda: broken(reward=lambda x: 2 * x - 1), "recode -1/1 as 0/1"),
        (lambda: broken(second_state=lambda x: x - 1), "'second_state' is -1 on"),
        (lambda: broken().drop_vars("left_option"), "hold it with bounds"),
    ],
)
def test_bad_trials_are_refused_in_a_sentence(make, message):
    with pytest.raises(InputError, match=message):
        fit(KoolHybrid, make())


def test_windows_and_intervals_are_refused_for_models_that_are_climbed():
    for asked in ({"window": 10}, {"intervals": True}):
        with pytest.raises(InputError, match="only for models without priors"):
            fit(Hybrid, played(n_episodes=1, n_trials=30), **asked)


def test_the_command_saves_the_fit_and_refuses_priors_of_another_model(tmp_path):
    file = dataset.save_run(played(n_episodes=3, n_trials=80), tmp_path / "run")
    code, out, err = neurometa("fit", file.parent, "--model", "model-based", "--priors", "weak", "--json")
    assert code == 0, err
    record = json.loads(out)
    kept = dataset.read(record["file"])
    assert record["file"].endswith("fit_model_based_map.nc") and kept.attrs["method"] == "MAP" and record["fits"] == 3
    assert record["learning_rate"]["median"] == pytest.approx(kept.learning_rate.median().item())
    code, out, err = neurometa("fit", file.parent, "--model", "hybrid", "--priors", "kool")
    assert code == 2 and "those of the model kool-hybrid" in err
    code, out, err = neurometa("fit", file.parent, "--model", "model-free")
    assert code == 0 and "eligibility" in out and "median s.e." in out and "Of 10 starts" in out
