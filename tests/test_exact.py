"""Exact bandit answers against published oracles, brute force, and laws that no policy can break."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from neurometa import exact
from neurometa.errors import InputError

PRIORS = {
    "D_i": exact.bandit.independent(),
    "D_u": exact.bandit.anticorrelated(),
    "D_e": exact.bandit.anticorrelated(0.9),
    "D_m": exact.bandit.anticorrelated(0.75),
    "D_h": exact.bandit.anticorrelated(0.6),
}
# expected regret after 100 trials, by policy and by the distribution it is tested on, in the order above
REGRET = {
    "optimal": (1.7482, 1.5406, 0.7974, 1.3550, 2.9655),
    "majority": (2.7987, 1.2214, 0.6250, 1.0000, 2.3121),
    "thompson": (2.7862, 2.7898, 2.1260, 3.0067, 4.0759),
    "ucb": (2.9699, 2.8623, 2.5424, 3.0010, 3.8736),
    "ucb1": (5.5810,),
    "greedy": (2.6915,),
}
# the same after trials 1, 5, 10, 20, 50 and 100
CURVES = {
    ("optimal", "D_i"): (0.1667, 0.4667, 0.6798, 0.9597, 1.3788, 1.7482),
    ("thompson", "D_i"): (0.1667, 0.6170, 0.9621, 1.4015, 2.1258, 2.7862),
    ("ucb", "D_i"): (0.1667, 0.5500, 0.7816, 1.2326, 2.0698, 2.9699),
    ("optimal", "D_m"): (0.25, 0.7031, 0.9670, 1.2031, 1.3382, 1.3550),
    ("majority", "D_m"): (0.25, 0.6562, 0.8548, 0.9720, 0.9997, 1.0000),
    ("thompson", "D_m"): (0.25, 0.9242, 1.4198, 1.9628, 2.5970, 3.0067),
    ("ucb", "D_m"): (0.25, 0.8047, 1.0883, 1.6479, 2.3461, 3.0010),
}


@pytest.fixture(scope="module")
def policies():
    return {
        "optimal": exact.bandit.bayes_optimal(exact.bandit.independent(), 100)[0],
        "majority": exact.bandit.greedy(exact.bandit.anticorrelated(), 100),
        "thompson": exact.bandit.thompson(100),
        "ucb": exact.bandit.ucb(100, bonus=0.5**0.5),
        "ucb1": exact.bandit.ucb(100, bonus=2**0.5),
        "greedy": exact.bandit.greedy(exact.bandit.independent(), 100),
    }


@pytest.fixture(scope="module")
def curves(policies):
    asked = [(policy, prior) for policy, row in REGRET.items() for prior in list(PRIORS)[: len(row)]]
    return {(policy, prior): exact.bandit.evaluate(policies[policy], PRIORS[prior]) for policy, prior in asked}


def occurring(n_trials):
    """Every cell (trial, n, w0, w1) that can occur."""
    for trial in range(n_trials):
        for n in range(trial + 1):
            yield from ((trial, n, w0, w1) for w0 in range(n + 1) for w1 in range(trial - n + 1))


def followed(policy, probs):
    """Expected regret with known arm probabilities, by walking through every history of choices and outcomes."""
    total = 0.0
    for history in itertools.product([(0, 0), (0, 1), (1, 0), (1, 1)], repeat=len(policy)):
        chance, regret, n, wins = 1.0, 0.0, 0, [0, 0]
        for trial, (choice, won) in enumerate(history):
            choose0 = float(policy[trial][n, wins[0], wins[1]])
            chance *= (1 - choose0 if choice else choose0) * (probs[choice] if won else 1 - probs[choice])
            regret += max(probs) - probs[choice]
            n += choice == 0
            wins[choice] += won
        total += chance * regret
    return total


def random_policy(n_trials, seed):
    rng = np.random.default_rng(seed)
    return [rng.random((trial + 1,) * 3) for trial in range(n_trials)]


def test_the_bayes_optimal_value_of_two_uniform_arms_over_100_trials(curves):
    value = exact.bandit.bayes_optimal(exact.bandit.independent(), 100)[1]
    assert value == pytest.approx(64.918421, abs=1e-5)
    assert 200 / 3 - value == pytest.approx(1.748246, abs=1e-5)
    assert curves["optimal", "D_i"][-1] == pytest.approx(200 / 3 - value, abs=1e-9)


@pytest.mark.parametrize("policy", REGRET)
def test_regret_after_100_trials_is_the_published_one(curves, policy):
    regret = [float(curve[-1]) for (name, _), curve in curves.items() if name == policy]
    assert regret == pytest.approx(REGRET[policy], abs=1e-4)


@pytest.mark.parametrize(("policy", "prior"), CURVES)
def test_the_regret_curve_is_the_published_one(curves, policy, prior):
    curve = curves[policy, prior]
    assert curve.dims == ("trial",)
    assert curve[[0, 4, 9, 19, 49, 99]].values == pytest.approx(CURVES[policy, prior], abs=1e-4)


@pytest.mark.parametrize("name", ["D_u", "D_e", "D_m", "D_h"])
def test_where_arms_mirror_each_other_planning_ends_in_the_majority_rule(name):
    majority, (optimal, value) = (
        exact.bandit.greedy(exact.bandit.anticorrelated(), 30),
        exact.bandit.bayes_optimal(PRIORS[name], 30),
    )
    regret = 30 * PRIORS[name].best - value
    assert exact.bandit.evaluate(majority, PRIORS[name])[-1] == pytest.approx(regret, abs=1e-9)
    assert exact.bandit.evaluate(optimal, PRIORS[name])[-1] == pytest.approx(regret, abs=1e-9)


@pytest.mark.parametrize(("prior", "prob"), [("D_e", 0.9), ("D_m", 0.75)])
def test_the_majority_rule_in_the_long_run_costs_one_over_twice_the_gap(curves, prior, prob):
    regret = curves["majority", prior][-1]
    assert regret == pytest.approx(1 / (2 * (2 * prob - 1)), abs=1e-4)


def test_evaluation_agrees_with_walking_through_every_history():
    policy = random_policy(4, seed=0)
    walked = [followed(policy, probs) for probs in ((0.8, 0.2), (0.2, 0.8))]
    assert exact.bandit.evaluate(policy, exact.bandit.anticorrelated(0.8))[-1] == pytest.approx(
        np.mean(walked), abs=1e-12
    )
    node, weight = np.polynomial.legendre.leggauss(6)  # exact: a polynomial on either side of p0 = p1
    node, weight = (node + 1) / 2, weight / 2
    uniform = 0.0
    for (x, wx), (y, wy) in itertools.product(zip(node, weight, strict=True), repeat=2):
        uniform += wx * wy * x * (followed(policy, (x, x * y)) + followed(policy, (x * y, x)))
    assert exact.bandit.evaluate(policy, exact.bandit.independent())[-1] == pytest.approx(uniform, abs=1e-12)


def test_planning_agrees_with_trying_every_choice_after_every_history():
    def worth(counts, left):
        if left == 0:
            return 0.0
        values = []
        for arm in (0, 1):
            wins, losses = counts[arm]
            mean = (wins + 1) / (wins + losses + 2)
            won = tuple((w + (i == arm), f) for i, (w, f) in enumerate(counts))
            lost = tuple((w, f + (i == arm)) for i, (w, f) in enumerate(counts))
            values.append(mean * (1 + worth(won, left - 1)) + (1 - mean) * worth(lost, left - 1))
        return max(values)

    value = exact.bandit.bayes_optimal(exact.bandit.independent(), 5)[1]
    assert value == pytest.approx(worth(((0, 0), (0, 0)), 5), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(PRIORS)), n_trials=st.integers(1, 12))
def test_no_policy_beats_the_optimal_one(seed, name, n_trials):
    prior = PRIORS[name]
    best = exact.bandit.evaluate(exact.bandit.bayes_optimal(prior, n_trials)[0], prior)
    other = exact.bandit.evaluate(random_policy(n_trials, seed), prior)
    assert best[-1] <= other[-1] + 1e-9
    assert (best.diff("trial") > -1e-12).all()


def test_choosing_at_random_costs_half_the_gap_on_every_trial():
    coin = [np.full((trial + 1,) * 3, 0.5) for trial in range(20)]
    regret = [float(exact.bandit.evaluate(coin, prior)[-1]) for prior in PRIORS.values()]
    assert regret == pytest.approx([10 / 3, 5, 8, 5, 2], abs=1e-9)


def test_thompson_chooses_an_arm_as_often_as_it_is_the_better_one():
    policy = exact.bandit.thompson(40)
    rng = np.random.default_rng(0)
    for trial, n, w0, w1 in rng.permutation(list(occurring(40)))[:40]:
        first, second = stats.beta(w0 + 1, n - w0 + 1), stats.beta(w1 + 1, trial - n - w1 + 1)
        better = integrate.quad(lambda p, first=first, second=second: first.pdf(p) * second.cdf(p), 0, 1)[0]
        assert policy[trial][n, w0, w1] == pytest.approx(better, abs=1e-6)


@pytest.mark.parametrize(
    "make", [exact.bandit.thompson, exact.bandit.ucb, lambda n: exact.bandit.greedy(exact.bandit.independent(), n)]
)
def test_policies_do_not_care_which_arm_is_called_first(make):
    policy = make(12)
    for trial, n, w0, w1 in occurring(12):
        assert policy[trial][n, w0, w1] == pytest.approx(1 - policy[trial][trial - n, w1, w0], abs=1e-6)


def test_ucb_tries_each_arm_before_it_compares_them():
    policy = exact.bandit.ucb(2)
    assert policy[0].item() == 0.5
    assert policy[1][0, 0, 1] == policy[1][0, 0, 0] == 1  # arm 1 was pulled
    assert policy[1][1, 1, 0] == policy[1][1, 0, 0] == 0  # arm 0 was pulled


def test_asking_the_arm_that_tells_earns_20_55_in_five_trials():
    assert exact.bandit.informative_optimal(5) == pytest.approx(20.55, abs=1e-12)
    assert exact.bandit.informative_thompson(5) == pytest.approx(11.0, abs=1e-12)


def test_asking_pays_from_two_trials_on():
    assert exact.bandit.informative_optimal(1) == pytest.approx(1.4)  # a search
    assert exact.bandit.informative_optimal(2) == pytest.approx(5.55)
    assert exact.bandit.informative_thompson(1) == pytest.approx(1.4)
    assert exact.bandit.informative_thompson(2) == pytest.approx(3.2)


def test_bad_input_is_told_in_a_sentence():
    with pytest.raises(InputError, match="prob is 1"):
        exact.bandit.anticorrelated(1)
    with pytest.raises(InputError, match=r"policy\[1\] is \(3, 3\)"):
        exact.bandit.evaluate([np.ones((1, 1, 1)), np.ones((3, 3))], exact.bandit.independent())
