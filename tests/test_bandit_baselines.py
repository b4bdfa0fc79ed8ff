"""Players of bandits that keep still: exact regrets, published scores, and the command that plays them all."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from shell import neurometa

from neurometa import agents, baselines, exact, runs
from neurometa.agents import LSTM
from neurometa.agents.bandit import vote
from neurometa.dataset import save_run
from neurometa.errors import InputError
from neurometa.rollout import unroll
from neurometa.tasks import DependentBandit, IndependentBandit, InformativeBandit, RecordedBandit, RestlessBandit
from neurometa.training import a2c

UNIFORM, UNIFORM_MIRRORED, MEDIUM = (
    exact.bandit.independent(),
    exact.bandit.anticorrelated(),
    exact.bandit.anticorrelated(0.75),
)


def play(task, agent, n_episodes, seed):
    return unroll(task, agent, n_episodes, torch.Generator().manual_seed(seed))


# The references calibrated on a grid of 400-1,000 payments; at .99 indices lie so close that 4e-3 can be its error.
@pytest.mark.parametrize(
    ("discount", "prior", "regret", "tolerance"),
    [
        (None, UNIFORM, 1.7543, 2e-4),
        (None, UNIFORM_MIRRORED, 1.5321, 2e-4),
        (0.99, UNIFORM, 1.7779, 1e-3),
        (0.99, MEDIUM, 1.3979, 4e-3),
        (0.95, UNIFORM, 1.8470, 2e-4),
        (0.9, UNIFORM, 1.9794, 2e-4),
    ],
)
def test_gittins_has_the_regret_of_the_reference(discount, prior, regret, tolerance):
    found = exact.bandit.evaluate(exact.bandit.gittins_index(100, discount=discount), prior)[-1]
    assert float(found) == pytest.approx(regret, abs=tolerance)


def test_ucb_with_pseudo_counts_has_the_regret_of_the_reference():
    policy = exact.bandit.ucb(100, bonus=0.5 * 0.5**0.5, prior=1.0)
    assert float(exact.bandit.evaluate(policy, UNIFORM)[-1]) == pytest.approx(1.8798, abs=1e-4)


@pytest.mark.parametrize(
    ("agent", "make"),
    [
        (
            lambda: agents.TablePolicy(exact.bandit.bayes_optimal(UNIFORM, 40)[0]),
            lambda: exact.bandit.bayes_optimal(UNIFORM, 40)[0],
        ),
        (lambda: agents.Gittins(n_trials=40), lambda: exact.bandit.gittins_index(40)),
        (lambda: agents.Gittins(n_trials=40, discount=0.95), lambda: exact.bandit.gittins_index(40, discount=0.95)),
        (lambda: agents.UCB(bonus=0.37, prior=1.0), lambda: exact.bandit.ucb(40, bonus=0.37, prior=1.0)),
        (lambda: agents.OptimisticThompson(), lambda: exact.bandit.optimistic_thompson(40)),
        (lambda: agents.OptimisticThompson(n_samples=5), lambda: exact.bandit.optimistic_thompson(40, n_samples=5)),
        (lambda: agents.Greedy(), lambda: exact.bandit.greedy(UNIFORM, 40)),
        (
            lambda: agents.EpsilonGreedy(epsilon=0.3),
            lambda: exact.bandit.lapsing(exact.bandit.greedy(UNIFORM, 40), 0.3),
        ),
    ],
    ids=["Bayes", "Gittins", "Gittins .95", "UCB", "OTS 20", "OTS 5", "greedy", "epsilon-greedy"],
)
def test_agents_follow_the_policies_that_are_evaluated_exactly(agent, make):
    played, policy = play(IndependentBandit(n_trials=40), agent(), 60, seed=0), make()
    first, reward = (played["action"][:, 0] == 0).int(), played["reward"][:, 0].int()
    for trial, logits in enumerate(played["logits"][:, 0]):
        n, w0 = first[:trial].sum(0), (first * reward)[:trial].sum(0)
        w1 = reward[:trial].sum(0) - w0
        assert torch.softmax(logits, -1)[:, 0].numpy() == pytest.approx(policy[trial][n, w0, w1], abs=1e-5)


def test_the_bayes_optimal_agent_has_the_regret_that_planning_promised():
    policy, value = exact.bandit.bayes_optimal(UNIFORM, 60)
    regret = baselines.play(IndependentBandit(60), {"Bayes-optimal": agents.TablePolicy(policy)}, n_episodes=3000)
    total = regret.regret.sum("trial").values
    assert abs(total.mean() - (40 - value)) < 4 * total.std() / len(total) ** 0.5


# reward per episode of arms with uniform probabilities (Duan et al. 2016, Table 1, recomputed), and its error
@pytest.mark.parametrize(
    ("n_arms", "agent", "earned", "error"),
    [
        (5, lambda: agents.Gittins(5, n_trials=10), 6.66, 0.015),
        (10, lambda: agents.Gittins(10, n_trials=10), 6.72, 0.015),
        (5, lambda: agents.Greedy(5), 6.68, 0.015),
        (10, lambda: agents.Greedy(10), 6.71, 0.015),
        (5, lambda: agents.UCB(5, bonus=0.1 * 0.5**0.5, prior=1.0), 6.66, 0.015),
        (5, lambda: agents.Thompson(5), 5.86, 0.015),
        (5, lambda: agents.OptimisticThompson(5), 6.5, 0.025),  # given to two digits
    ],
)
def test_players_of_many_arms_earn_what_was_computed(n_arms, agent, earned, error):
    reward = play(IndependentBandit(10, n_arms=n_arms), agent(), 1000, seed=1)["reward"].sum((0, 1))
    spread = math.hypot(reward.std().item() / len(reward) ** 0.5, error)
    assert abs(reward.mean().item() - earned) < 4 * spread


def counted_votes(prob, n_votes):
    """Who wins a vote, by going through every count that it can have."""
    won = np.zeros(len(prob))
    for count in itertools.product(range(n_votes + 1), repeat=len(prob)):
        if sum(count) == n_votes:
            chance = math.factorial(n_votes)
            for p, n in zip(prob, count, strict=True):
                chance *= p**n / math.factorial(n)
            most = np.equal(count, max(count))
            won += chance * most / most.sum()
    return won


@pytest.mark.parametrize("n_votes", [1, 2, 3, 6])
@pytest.mark.parametrize("prob", [(0.6, 0.4), (0.5, 0.3, 0.2), (1.0, 0.0, 0.0), (0.25, 0.25, 0.25, 0.2, 0.05)])
def test_a_vote_is_won_as_often_as_counting_says(prob, n_votes):
    won = vote(torch.tensor(prob, dtype=torch.float64), n_votes)
    assert won.numpy() == pytest.approx(counted_votes(prob, n_votes), abs=1e-9)


def test_a_vote_of_many_agrees_with_drawing_it():
    rng, prob = np.random.default_rng(0), np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    votes = rng.multinomial(100, prob, 200_000) + rng.uniform(0, 0.5, (200_000, 5))  # ties at random
    drawn = np.bincount(votes.argmax(-1), minlength=5) / len(votes)
    assert vote(torch.tensor(prob), 100).numpy() == pytest.approx(drawn, abs=4 * 0.5 / len(votes) ** 0.5)


def test_one_draw_is_thompson_sampling_and_five_hundred_nearly_greedy():
    wins, losses = torch.tensor([[3.0, 0.0, 8.0]]), torch.tensor([[1.0, 0.0, 5.0]])
    thompson = agents.Thompson(3).choice_prob(wins, losses)
    torch.testing.assert_close(vote(thompson, 1), thompson)
    assert vote(thompson, 500)[0, 0] > 0.95


@pytest.mark.parametrize(
    "task",
    [
        IndependentBandit(20),
        DependentBandit(20),
        DependentBandit(20, difficulty="hard"),
        InformativeBandit(),
        InformativeBandit(1),
    ],
    ids=repr,
)
def test_every_baseline_has_its_exact_regret_at_play(task):
    learners, expected = baselines.baselines(task), baselines.exact_regret(task)
    known = [name for name in learners if name != "asking first"]
    assert list(learners)[-1] == "random"
    assert sorted(expected) == sorted(known)
    total = baselines.play(task, learners, n_episodes=1000, seed=0).regret.sum("trial")
    for name in known:
        here = total.sel(learner=name).values
        assert abs(here.mean() - expected[name]) < 4 * here.std() / len(here) ** 0.5 + 1e-6, name
    if "Bayes-optimal" in expected:
        assert expected["Bayes-optimal"] <= min(expected.values()) + 1e-6


@pytest.mark.parametrize("task", [IndependentBandit(30), RestlessBandit(30)])
def test_all_learners_meet_the_same_worlds(task):
    learners = {"first": agents.UCB(), "again": agents.UCB(), "other": agents.RandomChoice()}
    played = baselines.play(task, learners, n_episodes=50).regret
    assert played.dims == ("learner", "episode", "trial")
    np.testing.assert_array_equal(played.sel(learner="first"), played.sel(learner="again"))
    one, other = played.sel(learner="first").values, played.sel(learner="other").values
    both = (one > 0) & (other > 0)
    assert both.sum() > 100
    np.testing.assert_array_equal(one[both], other[both])


def test_longer_episodes_and_more_arms_have_the_baselines_that_can_be_had():
    assert baselines.exact_regret(IndependentBandit(5, n_arms=3)) == baselines.exact_regret(RestlessBandit()) == {}
    assert "Bayes-optimal" not in baselines.baselines(DependentBandit(5, n_arms=3))
    long = baselines.baselines(IndependentBandit(exact.gittins.LONGEST + 1))
    assert {"Bayes-optimal", "Gittins"}.isdisjoint(long)
    assert {"Gittins 0.99", "Thompson", "random"} <= long.keys()


def test_a_task_without_baselines_is_told_in_a_sentence():
    with pytest.raises(InputError, match="There are no baselines for RecordedBandit; there are for bandits, Foraging"):
        baselines.baselines(RecordedBandit(2, torch.ones(1, 2, 2)))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs that played a test of two arms, and of the arm that tells."""
    folder = tmp_path_factory.mktemp("runs")
    for name, task in (("still", IndependentBandit(8)), ("informative", InformativeBandit())):
        runs.train(a2c.Config(task, LSTM(4), n_updates=2, batch_size=4), folder / name)
        save_run(runs.evaluate(folder / name, n_episodes=20), folder / name)
    return folder / "still"


def test_the_command_sets_what_was_played_beside_what_must_come_out(run):
    code, out, err = neurometa("baselines", run, "--episodes", 200, "--seed", 3)
    assert (code, err) == (0, "")
    assert "Regret per episode of 8 trials, 200 episodes of IndependentBandit" in " ".join(out.split())
    assert f"{baselines.exact_regret(IndependentBandit(8))['Bayes-optimal']:.4f}" in out
    code, out, err = neurometa("baselines", "restless", "--episodes", 5, "--json")
    record = json.loads(out)
    assert (code, err, record["n_episodes"]) == (0, "", 5)
    assert record["regret"]["random"]["exact"] is None
    assert list(record["regret"]) == list(baselines.baselines(RestlessBandit()))


def test_regret_compares_a_run_on_still_arms_and_says_why_it_cannot_where_pay_is_sure(run):
    code, out, err = neurometa("regret", run, "--json")
    assert (code, err) == (0, "")
    assert list(json.loads(out)["regret"]) == ["agent", *baselines.baselines(IndependentBandit(8))]
    informative = run.parent / "informative"
    code, out, err = neurometa("regret", informative)
    assert (code, out) == (2, "")
    assert "InformativeBandit pays surely" in err
    assert f"neurometa baselines {informative}" in err


def test_regret_plans_for_as_many_trials_as_were_played(run, tmp_path):
    runs.train(runs.open_config(run), tmp_path)
    save_run(runs.evaluate(tmp_path, n_episodes=5, assignments=("n_trials=12",)), tmp_path)
    assert neurometa("regret", tmp_path)[0] == 0


def test_help_holds_an_example():
    assert "Example: neurometa baselines restless" in " ".join(neurometa("baselines", "--help")[1].split())


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("restles",), "There is no experiment 'restles'. Did you mean 'restless'?"),
        (("runs/none",), "There is no run folder runs/none"),
        (("restless", "--episodes", 0), "--episodes is 0; it must be at least 1"),
        (("restless", "--seed", -1), "--seed is -1; it must be 0 or more"),
    ],
)
def test_a_bad_command_is_told_in_a_line(args, told):
    code, out, err = neurometa("baselines", *args)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: agents.Gittins(1), "n_arms is 1"),
        (lambda: agents.Gittins(n_trials=0), "n_trials is 0"),
        (lambda: agents.Gittins(discount=1.0), "discount is 1.0"),
        (lambda: agents.Greedy(1), "n_arms is 1"),
        (lambda: agents.EpsilonGreedy(epsilon=1.5), "epsilon is 1.5"),
        (lambda: agents.OptimisticThompson(1), "n_arms is 1"),
        (lambda: agents.OptimisticThompson(n_samples=0), "n_samples is 0"),
        (lambda: agents.UCB(prior=-1.0), "prior is -1.0"),
        (lambda: agents.TablePolicy([]), "policy is empty"),
        (lambda: agents.TablePolicy([np.ones((2, 2, 2))]), r"policy\[0\] is \(2, 2, 2\)"),
        (lambda: exact.bandit.lapsing([], -0.1), "epsilon is -0.1"),
        (lambda: exact.bandit.optimistic_thompson(3, n_samples=0), "n_samples is 0"),
        (
            lambda: play(IndependentBandit(6), agents.Gittins(n_trials=5), 3, seed=0),
            "Trial 6 comes, but 5 were planned",
        ),
        (
            lambda: play(IndependentBandit(3), agents.TablePolicy(exact.bandit.thompson(2)), 3, seed=0),
            "Trial 3 comes, but 2 were planned",
        ),
    ],
)
def test_bad_input_is_told_in_a_sentence(ask, told):
    with pytest.raises(InputError, match=told):
        ask()
