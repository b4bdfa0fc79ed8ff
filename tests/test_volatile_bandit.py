"""Shown magnitudes and changing probabilities: the task, its ideal observer, and learning rates within an episode."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import optimize, stats
from shell import neurometa

from neurometa import baselines
from neurometa.agents import MagnitudeLearner, RandomChoice, VolatilityObserver
from neurometa.behaviour import block_learning_rate, simulate, sliding_learning_rate
from neurometa.dataset import save_run
from neurometa.errors import InputError
from neurometa.models import SingleValue
from neurometa.rollout import play, unroll
from neurometa.tasks import Volatility

torch.set_num_threads(1)
BOTH = Volatility().for_test()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def fixed():
    """A learner whose rate never changes, on both orders of the test."""
    return play(BOTH, MagnitudeLearner(0.3, 15.0), 160, generator(3))


@pytest.fixture(scope="module")
def ideal():
    return play(BOTH, VolatilityObserver(), 400, generator(4))


def test_magnitudes_are_beta_and_what_is_shown_is_what_is_paid():
    trials = play(Volatility(8), RandomChoice(), 1500, generator())
    shown = trials.magnitude.values
    assert stats.kstest(shown.ravel(), stats.beta(4, 4).cdf).pvalue > 1e-4
    assert abs(np.corrcoef(shown[..., 0].ravel(), shown[..., 1].ravel())[0, 1]) < 4 / shown[..., 0].size ** 0.5
    chosen = trials.magnitude.isel(arm=trials.choice)
    assert ((trials.reward == 0) | (trials.reward == chosen)).all()
    played = unroll(Volatility(8), RandomChoice(), 20, generator())
    torch.testing.assert_close(played["observation"][:, 0], played["magnitude"])


def test_training_worlds_change_as_the_paper_says():
    trials = play(Volatility(400), RandomChoice(), 1500, generator())
    volatile, prob = trials.volatile.values, trials.reward_prob.values[..., 0]
    assert set(np.unique(prob[volatile])) == {0, 1} and set(np.unique(prob[~volatile])) == {0.25, 0.75}
    better = prob > 0.5
    swapped, before = better[:, 1:] != better[:, :-1], volatile[:, :-1]
    assert not swapped[~before].any()
    assert swapped[before].mean() == pytest.approx(0.2, abs=4 * 0.4 / before.sum() ** 0.5)
    switched = volatile[:, 1:] != volatile[:, :-1]
    rate = switched.mean(1)
    expected = np.exp(-3.5) - np.exp(-4.5)  # mean of k, log-uniform over one unit
    assert abs(rate.mean() - expected) < 4 * rate.std() / 1500**0.5
    chance = expected * (1 - expected) / 399  # k differs between episodes by more than chance
    spread = (np.exp(-7) - np.exp(-9)) / 2 - expected**2
    assert rate.var() == pytest.approx(chance + spread * (1 - 1 / 399), rel=0.15)
    assert abs(np.corrcoef(swapped[before], switched[before])[0, 1]) < 0.02
    assert volatile[:, 0].mean() == pytest.approx(0.5, abs=0.06) and better[:, 0].mean() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("order", ["stable-first", "volatile-first"])
def test_a_test_has_a_stable_half_and_one_that_changes_sides_every_25_trials(order):
    trials = play(Volatility(order=order), RandomChoice(), 40, generator())
    prob, volatile = trials.reward_prob.values[..., 0], trials.volatile.values
    halves = [slice(0, 100), slice(100, 200)]
    stable, quick = halves if order == "stable-first" else halves[::-1]
    assert not volatile[:, stable].any() and volatile[:, quick].all()
    assert (prob[:, stable] == prob[:, stable][:, :1]).all()
    assert set(np.unique(prob[:, stable].round(6))) == {0.25, 0.75}
    assert set(np.unique(prob[:, quick].round(6))) == {np.float32(0.2), np.float32(0.8)}
    better = prob > 0.5
    changes = [25, 50, 75, 100] if order == "volatile-first" else [100, 125, 150, 175]
    assert all(np.flatnonzero(row[1:] != row[:-1]).tolist() == [c - 1 for c in changes] for row in better)
    assert 5 < better[:, 0].sum() < 35


def test_either_order_is_drawn_for_each_episode():
    first = play(Volatility(6).for_test(), RandomChoice(), 600, generator()).volatile.values[:, 0]
    assert first.mean() == pytest.approx(0.5, abs=0.08)
    assert Volatility(order="stable-first").for_test() == Volatility(order="stable-first")


def test_the_observer_is_bayes_over_every_path_of_the_world():
    n_bins, n_trials = 2, 5
    switch = np.exp(-4.5 + (np.arange(n_bins) + 0.5) / n_bins)
    prob = np.array([[0.25, 0.75], [0.0, 1.0]])
    trials = play(Volatility(n_trials), RandomChoice(), 6, generator(2))
    observer = VolatilityObserver(n_bins=n_bins)
    state, action, reward = observer.begin(6), torch.zeros(6, 2), torch.zeros(6)
    shown = torch.tensor(trials.magnitude.values)
    for trial in range(n_trials):
        answer = observer(shown[:, trial], action, reward, state)
        for episode in range(6):
            total, won, fast = 0.0, 0.0, 0.0
            for k, path in itertools.product(
                switch, itertools.product(itertools.product(range(2), repeat=2), repeat=trial + 1)
            ):
                chance = 1.0
                for (v, side), (next_v, next_side) in itertools.pairwise(path):
                    swap = 0.2 if v else 0.0
                    chance *= (k if next_v != v else 1 - k) * (swap if next_side != side else 1 - swap)
                for past, (v, side) in enumerate(path[:-1]):
                    r = prob[v, side] if trials.choice.values[episode, past] == 0 else 1 - prob[v, side]
                    chance *= r if trials.reward.values[episode, past] > 0 else 1 - r
                total += chance
                won += chance * prob[path[-1]]
                fast += chance * 0.2 * path[-1][0]
            assert answer.record["posterior_prob"][episode].item() == pytest.approx(won / total, abs=1e-5)
            assert answer.record["posterior_volatility"][episode].item() == pytest.approx(fast / total, abs=1e-5)
            worth = np.array([won, total - won]) / total * trials.magnitude.values[episode, trial]
            assert answer.logits[episode].argmax().item() == worth.argmax()
        state = answer.state
        action = torch.nn.functional.one_hot(torch.tensor(trials.choice.values[:, trial]).long(), 2).float()
        reward = torch.tensor(trials.reward.values[:, trial])


@pytest.mark.parametrize("agent", [VolatilityObserver(), MagnitudeLearner(0.4, 9.0)])
def test_nothing_is_learned_where_nothing_was_done(agent):
    shown, none = torch.rand((3, 2), generator=generator()), torch.zeros(3, 2)
    first = agent(shown, none, torch.zeros(3), agent.begin(3))
    again = agent(shown, none, torch.zeros(3), first.state)
    torch.testing.assert_close(first.logits, again.logits)
    learned = agent(shown, torch.eye(2)[[0, 1, 0]], torch.tensor([0.5, 0.0, 0.0]), first.state)
    prob = learned.record["posterior_prob"]
    assert prob[0] == prob[1] > 0.5 > prob[2]  # arm 1 without pay says what arm 0 with pay says


def test_the_ideal_observer_earns_what_the_reference_does(ideal):
    reward = 100 * ideal.reward.mean("trial")
    error = reward.std().item() / 400**0.5
    assert 34.6 - 4 * error < reward.mean().item() < 35.1 + 4 * error
    chance = 100 * play(BOTH, RandomChoice(), 400, generator(5)).reward.mean().item()
    assert chance == pytest.approx(25, abs=0.5)


def test_the_ideal_observer_tells_volatile_worlds_from_stable_ones():
    played = unroll(
        Volatility(), VolatilityObserver(), 300, generator(), log=("posterior_volatility", "posterior_prob")
    )
    true, inferred = 0.2 * played["volatile"][100:].float(), played["posterior_volatility"][100:, 0]
    bias = (inferred - true).mean(0)
    assert abs(bias.mean()) < 4 * bias.std() / 300**0.5
    assert np.corrcoef(true.ravel(), inferred.ravel())[0, 1] > 0.5


def slow_fit(trials, scores):
    """Most likely (rate, temperature) of one learner for the scored trials, by scipy over a plain loop."""
    choice, reward, magnitude = trials.choice.values, trials.reward.values, trials.magnitude.values

    def loss(x):
        rate, temperature, total = x[0], np.exp(x[1]), 0.0
        prob = np.full(len(choice), 0.5)
        for t in range(choice.shape[1]):
            gain = prob * magnitude[:, t, 0] - (1 - prob) * magnitude[:, t, 1]
            if scores[t]:
                total += np.log1p(np.exp(-temperature * np.where(choice[:, t] == 0, gain, -gain))).sum()
            prob = prob + rate * (((choice[:, t] == 0) == (reward[:, t] > 0)) - prob)
        return total

    starts = [(0.1, 2.0), (0.5, 2.0)]
    fits = [optimize.minimize(loss, x, bounds=[(0, 1), (np.log(0.1), np.log(300))], method="L-BFGS-B") for x in starts]
    best = min(fits, key=lambda fit: fit.fun)
    return best.x[0], np.exp(best.x[1]), -best.fun


def test_a_window_is_fitted_as_by_a_slow_search(fixed):
    found = sliding_learning_rate(fixed).isel(group=0)
    for first in (0, 37, 190):
        scores = (np.arange(200) >= first) & (np.arange(200) < first + 10)
        rate, temperature, top = slow_fit(fixed, scores)
        here = found.sel(window=first)
        assert here.learning_rate.item() == pytest.approx(rate, abs=0.003)
        assert here.inverse_temperature.item() == pytest.approx(temperature, rel=0.02)
        assert here.log_likelihood.item() == pytest.approx(top, abs=0.01)
        assert here.n_trials == 1600 and here.n_episodes == 160


def test_a_rate_that_never_changes_is_recovered_without_bias_wherever_the_window_is(fixed):
    found = sliding_learning_rate(fixed, window=10).isel(group=0, window=slice(0, None, 10))  # windows apart
    off = (found.learning_rate - 0.3) / found.learning_rate_se
    assert abs(off.mean()) < 4 / off.size**0.5
    assert 0.5 < off.std() < 1.6  # and the errors are of the size that is told
    blocks = block_learning_rate(fixed)
    assert (abs(blocks.learning_rate - 0.3) < 4 * blocks.learning_rate_se).all()
    assert blocks.ratio.values == pytest.approx(1, abs=0.1)


def test_the_ideal_observer_learns_as_the_reference_says(ideal):
    found = block_learning_rate(ideal)
    rate = found.learning_rate.to_series()
    assert 0.08 < rate["Stable 1"] < rate["Stable 2"] < 0.22
    assert 0.30 < rate["Volatile 1"] < 0.40 and 0.30 < rate["Volatile 2"] < 0.40
    assert (found.ratio > 1.5).all()
    course = found.sliding_rate.sel(order="stable-first")
    assert course.sel(window=0) == pytest.approx(0.44, abs=0.06) and course.sel(window=slice(60, 90)).mean() < 0.14
    assert course.sel(window=slice(105, 115)).max() > 0.3


def test_episodes_are_fitted_by_their_label_and_other_dims_pass_through(fixed):
    some = fixed.isel(episode=slice(0, 40), trial=slice(0, 40))
    label = xr.DataArray(["b"] * 25 + ["a"] * 15, dims="episode")
    both = sliding_learning_rate(some, by=label)
    assert list(both.group.values) == ["a", "b"]
    alone = sliding_learning_rate(some.isel(episode=slice(25, None)))
    xr.testing.assert_allclose(
        both.learning_rate.sel(group="a", drop=True), alone.learning_rate.isel(group=0, drop=True)
    )
    agents = xr.concat([some, some.isel(episode=slice(None, None, -1))], "agent").transpose("trial", "agent", ...)
    pooled = sliding_learning_rate(agents.drop_vars("volatile"))
    assert set(pooled.learning_rate.dims) == {"group", "window", "agent"}
    np.testing.assert_allclose(*pooled.learning_rate.transpose("agent", ...).values, rtol=1e-6)


def test_a_missed_trial_neither_scores_nor_teaches(fixed):
    some = fixed.isel(episode=slice(0, 30), trial=slice(0, 21))
    gap = some.copy(deep=True)
    gap.choice[:, 10] = -1
    without = some.isel(trial=[t for t in range(21) if t != 10])
    found, expected = (
        sliding_learning_rate(x, window=x.sizes["trial"]).isel(group=0, window=0) for x in (gap, without)
    )
    assert found.n_trials == expected.n_trials == 600
    assert found.learning_rate.item() == pytest.approx(expected.learning_rate.item(), abs=1e-6)
    assert found.log_likelihood.item() == pytest.approx(expected.log_likelihood.item(), abs=1e-6)


def test_without_magnitudes_it_is_the_learner_of_a_single_value():
    prob = xr.DataArray(np.tile([0.7, 0.3], (200, 40, 1)), dims=("episode", "trial", "arm"))
    trials = simulate(SingleValue(0.35, 4.0), prob, np.random.default_rng(0))
    found = sliding_learning_rate(trials, window=40).isel(group=0, window=0)
    assert abs(found.learning_rate - 0.35) < 4 * found.learning_rate_se < 0.2


def test_baselines_of_the_volatile_bandit_are_set_side_by_side_by_reward():
    found = baselines.play(BOTH, baselines.baselines(Volatility()), n_episodes=150)
    reward = found.reward.mean(["episode", "trial"]).to_series()
    assert reward.idxmax() == "ideal observer" and reward.idxmin() == "random"


def test_the_command_writes_the_blocks(tmp_path, fixed):
    save_run(fixed, tmp_path)
    code, out, err = neurometa("blocks", tmp_path)
    assert code == 0, err
    assert "Volatile 2" in out and "Volatile over stable" in out and (tmp_path / "blocks.nc").exists()
    save_run(play(Volatility(60), RandomChoice(), 40, generator()), tmp_path)
    code, _, err = neurometa("blocks", tmp_path)
    assert code == 2 and "'volatile' changes" in err


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda trials: sliding_learning_rate(trials, window=0), "window is 0; it must be 1 to 200"),
        (
            lambda trials: sliding_learning_rate(trials, by=xr.DataArray([1], dims="episode")),
            "must label the 160 episodes",
        ),
        (lambda trials: sliding_learning_rate(trials.drop_vars("magnitude")), "where only 0 and 1 are meant"),
        (lambda trials: block_learning_rate(trials.drop_vars("volatile")), "no variable 'volatile'"),
        (lambda trials: VolatilityObserver(n_bins=0), "n_bins is 0"),
        (lambda trials: MagnitudeLearner(1.2, 3.0), "learning_rate is 1.2"),
        (lambda trials: MagnitudeLearner(0.2, -3.0), "inverse_temperature is -3"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(fixed, make, told):
    with pytest.raises(InputError, match=told):
        make(fixed)
