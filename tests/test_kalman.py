"""Kalman filters: the exact posterior of normal rewards, choices by a probit of it, and what fits make of these."""

import dataclasses

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from neurometa.behaviour import fit, latents, log_likelihood, recover, simulate
from neurometa.errors import InputError
from neurometa.fitting.likelihood import Choices, gaps, score
from neurometa.models import KalmanFilter, KalmanSoftmax, RescorlaWagner, check_model

TRUTH = (100.0, 10.0, 0.0, 0.1, 0.3, 0.6)  # arms in points, and some of each weight


def filtered(model, choice, reward, start=0.0):
    """What a filter written out for one session holds before every trial: mean and variance, (trial, arm)."""
    n = 2 if isinstance(model, KalmanFilter) else int(choice.max()) + 1
    mean, variance, seen = np.full(n, float(start)), np.full(n, float(model.prior_variance)), []
    for c, r in zip(choice, reward, strict=True):
        seen.append((mean.copy(), variance.copy()))
        if c < 0:
            continue
        precision = 1 / variance[c] + 1 / model.observation_variance
        mean[c] = (mean[c] / variance[c] + r / model.observation_variance) / precision
        variance[c] = 1 / precision
        variance += model.innovation_variance
    return np.array(seen).swapaxes(0, 1)


def prob_of_arm_0(model, mean, variance):
    """The probit of Gershman (2018)."""
    v, ru = mean[:, 0] - mean[:, 1], variance[:, 0] ** 0.5 - variance[:, 1] ** 0.5
    tu = variance.sum(1) ** 0.5
    return norm.cdf(model.value_weight * v + model.directed_exploration * ru + model.random_exploration * v / tu)


def played(model, n_episodes, n_trials, seed=0):
    """Sessions of two arms with normal rewards, played by the filter written out."""
    rng = np.random.default_rng(seed)
    choice, reward = np.zeros((n_episodes, n_trials), int), np.zeros((n_episodes, n_trials))
    for session in range(n_episodes):
        mean, variance = np.zeros(2), np.full(2, model.prior_variance)
        arms = rng.normal(0, model.prior_variance**0.5, 2)
        for t in range(n_trials):
            c = int(rng.random() > prob_of_arm_0(model, mean[None], variance[None])[0])
            choice[session, t], reward[session, t] = c, rng.normal(arms[c], model.observation_variance**0.5)
            gain = variance[c] / (variance[c] + model.observation_variance)
            mean[c] += gain * (reward[session, t] - mean[c])
            variance[c] *= 1 - gain
    return trials_of(choice, reward)


def trials_of(choice, reward, n_options=2):
    dims = ("episode", "trial")[-np.ndim(choice) :]
    return xr.Dataset({"choice": (dims, choice, {"n_options": n_options}), "reward": (dims, reward)})


def at_random(n_trials, n_options=2, missed=0.1, seed=0):
    rng = np.random.default_rng(seed)
    choice = np.where(rng.random(n_trials) < missed, -1, rng.integers(0, n_options, n_trials))
    return trials_of(choice, rng.normal(3, 8, n_trials), n_options)


@pytest.mark.parametrize("drift", [0.0, 4.0])
def test_posterior_and_likelihood_are_those_of_a_filter_written_out(drift):
    model, trials = KalmanFilter.starting(1.5)(50.0, 10.0, drift, 0.1, -0.4, 0.7), at_random(60)
    choice = trials.choice.values
    mean, variance = filtered(model, choice, trials.reward.values, start=1.5)
    seen = latents(model, trials)
    np.testing.assert_allclose(seen.arm_value, mean, atol=1e-10)
    np.testing.assert_allclose(seen.value_sd**2, variance, atol=1e-10)
    np.testing.assert_allclose(seen.relative_uncertainty, np.subtract(*variance.T**0.5), atol=1e-10)
    np.testing.assert_allclose(seen.total_uncertainty**2, variance.sum(1), atol=1e-10)
    assert seen.total_uncertainty.dims == ("trial",)
    share = prob_of_arm_0(model, mean, variance)
    np.testing.assert_allclose(seen.choice_prob.isel(arm=0), share, atol=1e-12)
    total = np.log(np.where(choice == 0, share, 1 - share))[choice >= 0].sum()
    assert log_likelihood(model, trials).item() == pytest.approx(total, abs=1e-10)


def test_a_softmax_on_value_and_uncertainty_is_that_of_a_filter_written_out():
    model, trials = KalmanSoftmax.starting(0.0)(50.0, 10.0, 2.0, 0.2, 0.3), at_random(60, n_options=4)
    choice = trials.choice.values
    mean, variance = filtered(model, choice, trials.reward.values)
    logit = 0.2 * mean + 0.3 * variance**0.5
    share = np.exp(logit) / np.exp(logit).sum(1, keepdims=True)
    assert "total_uncertainty" not in latents(model, trials)
    total = np.log(share[np.arange(60), choice])[choice >= 0].sum()
    assert log_likelihood(model, trials).item() == pytest.approx(total, abs=1e-10)


def test_the_fitter_scores_a_probit_as_latents_do_with_the_slope_and_curvature_of_differences():
    trials = at_random(3 * 40, seed=1)
    choice, reward = (trials[name].values.reshape(3, 40) for name in ("choice", "reward"))
    seen = gaps(
        KalmanFilter, Choices(choice.T[:, None], reward.T[:, None], 2), np.array([50.0, 10.0, 1.0])[:, None, None]
    )
    weights = np.array([[0.1], [-0.4], [0.7]])
    value, gradient, information = score(seen, weights)
    pooled = log_likelihood(KalmanFilter(50.0, 10.0, 1.0, *weights[:, 0]), trials_of(choice, reward)).sum()
    assert value[0] == pytest.approx(pooled.item(), abs=1e-10)
    step = 1e-5
    for k in range(3):
        up, down = (score(seen, weights + sign * step * np.eye(3)[:, [k]]) for sign in (1, -1))
        assert gradient[k, 0] == pytest.approx((up[0] - down[0]).item() / (2 * step), rel=1e-6, abs=1e-6)
        np.testing.assert_allclose(information[k, :, 0], -(up[1] - down[1])[:, 0] / (2 * step), rtol=1e-5, atol=1e-5)


def test_weights_and_prior_variance_are_recovered_from_normal_rewards():
    trials = played(KalmanFilter(*TRUTH), 200, 20)
    asked = {"start": 0.0, "pool": "episode", "n_starts": 3}
    fitted = fit(KalmanFilter, trials, bounds={"observation_variance": (10, 10), "prior_variance": (0, 1000)}, **asked)
    names = ("prior_variance", *KalmanFilter.weights)
    truth = dict(zip(KalmanFilter.parameters(), TRUTH, strict=True))
    for name in names:
        assert abs(fitted[name] - truth[name]) < 3 * fitted[f"{name}_se"]
    assert (np.array([fitted[f"{name}_se"] for name in KalmanFilter.weights]) < 0.1).all()
    found = KalmanFilter.of(fitted)
    assert log_likelihood(found, trials).sum().item() == pytest.approx(fitted.log_likelihood.item(), abs=1e-6)
    assert fitted.log_likelihood > log_likelihood(KalmanFilter.starting(0.0)(*TRUTH), trials).sum()
    assert found.start[0] == 0.0


@pytest.mark.parametrize(
    ("model", "n_options"),
    [(KalmanFilter(2.0, 1.0, 0.0, 2.0, 1.0, 0.5), 2), (KalmanSoftmax(2.0, 1.0, 0.0, 6.0, 1.0), 4)],
    ids=lambda x: type(x).__name__,
)
def test_weights_are_recovered_from_arms_that_pay_or_do_not(model, n_options):
    rng = np.random.default_rng(3)
    prob = xr.DataArray(rng.random((4, 1, n_options)), dims=("block", "trial", "arm")).isel(trial=np.zeros(150, int))
    trials = simulate(model, prob, np.random.default_rng(4))
    held = {"prior_variance": (2, 2)}
    fitted = fit(type(model), trials, pool="block", bounds=held, n_starts=3)
    for name in model.weights:
        assert abs(fitted[name] - getattr(model, name)) < 3 * fitted[f"{name}_se"]
    found = recover(model, prob.isel(block=[0]), np.random.default_rng(5), dim="block", bounds=held)
    assert found.estimate.sel(parameter=model.weights[0]).notnull().all()


def test_a_first_draw_without_noise_tells_all():
    trials = trials_of(np.array([0, 0, 1, 1]), np.array([7.0, 7.0, -3.0, -3.0]))
    seen = latents(KalmanFilter.starting(0.0)(5.0, 0.0, 0.0, 0.1, 0.1, 0.1), trials)
    np.testing.assert_array_equal(seen.arm_value, [[0, 0], [7, 0], [7, 0], [7, -3]])
    np.testing.assert_allclose(seen.value_sd**2, [[5, 5], [0, 5], [0, 5], [0, 0]], atol=1e-12)
    assert np.isfinite(log_likelihood(KalmanFilter(5.0, 0.0, 0.0, 30.0, 30.0, 30.0), trials))


def test_arms_known_alike_have_no_relative_uncertainty_and_uncertainty_grows_where_arms_drift():
    trials = trials_of(np.array([0, 1] * 5), np.zeros(10))
    seen = latents(KalmanFilter(5.0, 2.0, 0.0, 1.0, 1.0, 1.0), trials)
    np.testing.assert_allclose(seen.relative_uncertainty[::2], 0, atol=1e-12)
    assert (seen.relative_uncertainty[1::2] < 0).all()
    drifting = latents(KalmanFilter(5.0, 2.0, 0.5, 1.0, 1.0, 1.0), trials)
    assert (drifting.total_uncertainty[1:] > seen.total_uncertainty[1:]).all()


def test_only_the_ratios_of_variances_matter_beside_the_scale_of_two_weights():
    trials, c = at_random(50, seed=2), 4.0
    one = KalmanFilter(3.0, 1.0, 0.2, 0.1, 0.4, 0.5)
    other = KalmanFilter(3.0 * c, 1.0 * c, 0.2 * c, 0.1, 0.4 / c**0.5, 0.5 * c**0.5)
    assert log_likelihood(one, trials).item() == pytest.approx(log_likelihood(other, trials).item(), abs=1e-10)
    half = fit(KalmanFilter, trials, start=0.0, n_starts=2, bounds={"prior_variance": (3, 3)})
    twice = fit(
        KalmanFilter, trials, start=0.0, n_starts=2, bounds={"prior_variance": (12, 12), "observation_variance": (4, 4)}
    )
    assert half.log_likelihood.item() == pytest.approx(twice.log_likelihood.item(), abs=1e-3)


def test_missed_trials_neither_score_nor_teach_a_filter():
    trials = at_random(80, missed=0.3, seed=3)
    made = trials.isel(trial=np.flatnonzero(trials.choice >= 0))
    model = KalmanFilter.starting(0.0)(50.0, 10.0, 1.0, 0.1, -0.4, 0.7)
    assert log_likelihood(model, trials).item() == pytest.approx(log_likelihood(model, made).item(), abs=1e-10)
    both = (fit(KalmanFilter, each, start=0.0, n_starts=2) for each in (trials, made))
    xr.testing.assert_allclose(*both, rtol=1e-5)


def test_a_session_is_fitted_alone_as_in_company():
    trials = played(KalmanFilter(*TRUTH), 3, 30)
    every = fit(KalmanFilter, trials, start=0.0, n_starts=2)
    alone = fit(KalmanFilter, trials.isel(episode=[1]), start=0.0, n_starts=2)
    assert alone.identical(every.isel(episode=[1]))


def test_the_mean_of_members_alike_is_what_their_pooled_trials_say():
    trials = played(KalmanFilter(*TRUTH), 40, 20, seed=6).assign_coords(subject=("episode", np.arange(40) // 5))
    held = {"prior_variance": (100, 100), "observation_variance": (10, 10), "value_weight": (0.1, 0.1)}
    group = fit(KalmanFilter, trials, group="subject", start=0.0, bounds=held)
    pooled = fit(KalmanFilter, trials, pool="episode", start=0.0, bounds=held, n_starts=2)
    for name in ("directed_exploration", "random_exploration"):
        assert abs(group.group_mean.sel(parameter=name) - pooled[name]) < 0.5 * pooled[f"{name}_se"]


def test_points_begin_at_0_and_a_prior_mean_can_be_fitted():
    trials = played(KalmanFilter(*TRUTH), 5, 20)
    with pytest.warns(UserWarning, match="points: values begin at 0"):
        found = fit(KalmanFilter, trials, pool="episode", n_starts=2)
    assert found.attrs["start"][0] == 0
    free = fit(KalmanFilter, trials, pool="episode", start="fitted", n_starts=4)
    assert free.log_likelihood > found.log_likelihood - 1e-3
    np.testing.assert_allclose(
        log_likelihood(KalmanFilter.of(free), trials).sum(), free.log_likelihood.item(), atol=1e-6
    )


def test_a_probit_of_three_arms_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"The trials have 3 options; KalmanFilter is a model of 2\.$"):
        fit(KalmanFilter, at_random(20, n_options=3))


def test_an_agent_chooses_by_the_probit_and_values_what_it_expects():
    torch = pytest.importorskip("torch")
    from neurometa.agents.learners import LearningModelAgent

    model = KalmanFilter(2.0, 1.0, 0.0, 2.0, 1.0, 0.5)
    agent, action, reward = LearningModelAgent(model), torch.tensor([[0.0, 1.0]]), torch.tensor([1.0])
    seen = agent(torch.zeros(1, 0), action, reward, agent.begin(1))
    told = latents(model, trials_of(np.array([1, 0]), np.array([1.0, 0.0]))).isel(trial=1)
    np.testing.assert_allclose(torch.softmax(seen.logits, -1)[0], told.choice_prob, atol=1e-6)
    assert seen.value.item() == pytest.approx((told.choice_prob * told.arm_value).sum().item(), abs=1e-6)


def test_a_model_of_ones_own_with_a_probit_has_two_arms():
    class Own(KalmanFilter):
        n_options = None

    with pytest.raises(InputError, match="'probit' and n_options = 2"):
        check_model(dataclasses.dataclass(frozen=True)(Own))


def test_a_delta_rule_with_a_probit_is_a_line_and_is_recovered():
    class Probit(RescorlaWagner):
        choice_rule = "probit"
        n_options = 2

    prob = xr.DataArray(np.repeat([[[0.2, 0.8]], [[0.7, 0.4]]] * 5, 60, axis=1), dims=("episode", "trial", "arm"))
    trials = simulate(Probit(0.3, 2.0), prob, np.random.default_rng(7))
    fitted = fit(Probit, trials, pool="episode", n_starts=3)
    assert fitted.log_likelihood >= log_likelihood(Probit(0.3, 2.0), trials).sum()
    for name, truth in (("learning_rate", 0.3), ("inverse_temperature", 2.0)):
        assert abs(fitted[name] - truth) < 3 * fitted[f"{name}_se"]
    softmax = fit(RescorlaWagner, trials, pool="episode")
    assert abs(softmax.log_likelihood - fitted.log_likelihood) > 1e-3
