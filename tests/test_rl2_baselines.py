"""Many arms and many trials: votes that are drawn, ties, tables that grow, optima and bounds, and who plays what."""

import itertools
import json

import numpy as np
import pytest
import torch
from shell import neurometa

from neurometa import agents, baselines, dataset, exact, rollout
from neurometa.errors import InputError
from neurometa.tasks import IndependentBandit, TabularMDP

WINS, LOSSES = (3.0, 0.0, 8.0, 40.0, 1.0), (1.0, 0.0, 5.0, 22.0, 9.0)


def answer(agent, wins, losses, n):
    """What an agent answers in so many episodes that have these counts."""
    counts = {"wins": torch.tensor(wins).repeat(n, 1), "losses": torch.tensor(losses).repeat(n, 1)}
    state = agent.begin(n) | counts
    return agent(torch.empty(n, 0), torch.zeros(n, len(wins)), torch.zeros(n), state)


@pytest.mark.parametrize("n_samples", [1, 7])
def test_votes_that_are_drawn_have_the_distribution_of_those_that_are_computed(n_samples):
    n = 20_000
    drawn = torch.softmax(answer(agents.SampledThompson(5, n_samples=n_samples), WINS, LOSSES, n).logits, -1).mean(0)
    exactly = agents.OptimisticThompson(5, n_samples=n_samples)
    expected = torch.softmax(answer(exactly, WINS, LOSSES, 1).logits, -1)[0]
    assert (drawn - expected).abs().max() < 4 * 0.5 / n**0.5


def test_who_draws_is_fixed_by_the_seed_of_the_play_and_draws_anew_in_every_trial():
    task, agent = IndependentBandit(12, n_arms=5), agents.SampledThompson(5, n_samples=2)
    one, same, other = (rollout.unroll(task, agent, 40, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert all(one[name].equal(same[name]) for name in one) and not one["action"].equal(other["action"])
    state = agent.begin(40)
    first = agent(torch.empty(40, 0), torch.zeros(40, 5), torch.zeros(40), state).logits
    later = agent(torch.empty(40, 0), torch.eye(5)[[0] * 40], torch.zeros(40), state).logits
    assert first.unique(dim=0).shape[0] > 5 and not first[:, 1:].equal(later[:, 1:])
    alone = agent(torch.empty(1, 0), torch.zeros(1, 5), torch.zeros(1), agent.begin(1) | {"luck": torch.tensor([7])})
    assert alone.logits[0].equal(first[7]), "whoever plays beside"


def test_ties_are_taken_first_only_where_this_is_asked_for():
    wins, losses = (0.0, 2.0, 2.0), (0.0, 1.0, 1.0)
    either = torch.softmax(answer(agents.Greedy(3), wins, losses, 1).logits, -1)[0]
    first = torch.softmax(answer(agents.EpsilonGreedy(3, epsilon=0.3, ties="first"), wins, losses, 1).logits, -1)[0]
    assert either.tolist() == pytest.approx([0, 0.5, 0.5]) and first.tolist() == pytest.approx([0.1, 0.8, 0.1])
    index = torch.softmax(answer(agents.Gittins(3, n_trials=6, ties="first"), (0, 0, 0), (0, 0, 0), 1).logits, -1)[0]
    assert index.tolist() == [1, 0, 0]


def test_gittins_indices_earn_as_much_whichever_of_tied_arms_they_take():
    task, n = IndependentBandit(10, n_arms=10), 4000
    each = [agents.Gittins(10, n_trials=10, ties=ties) for ties in ("random", "first")]
    played = [rollout.unroll(task, agent, n, torch.Generator().manual_seed(3))["reward"] for agent in each]
    (one, error), (other, error2) = ((x.sum(0).double().mean(), x.sum(0).double().std() / n**0.5) for x in played)
    assert abs(one - other) < 4 * (error**2 + error2**2) ** 0.5


def test_a_table_of_discounted_indices_grows_with_an_episode_and_tells_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told = []
    with exact.gittins.watched(lambda done, total: told.append((done, total))):
        short = agents.Gittins(3, n_trials=5, discount=0.7)
        assert told[-1] == (exact.gittins.N_SURE + 1, exact.gittins.N_SURE + 1) and len(told) > 10
        told.clear()
        long, task = agents.Gittins(3, n_trials=20, discount=0.7), IndependentBandit(17, n_arms=3)
        of_short, of_long = (rollout.unroll(task, each, 30, torch.Generator().manual_seed(0)) for each in (short, long))
        told.clear()
        again = agents.Gittins(3, n_trials=20, discount=0.7)
    torch.testing.assert_close(again.index, short.index, equal_nan=True)
    assert not told, "the table is kept, and read where it is there"
    assert short.n_trials == 20 and of_short["action"].equal(of_long["action"])
    with pytest.raises(InputError, match="Trial 6 comes, but 5 were planned"):
        rollout.unroll(task, agents.Gittins(3, n_trials=5), 3, torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match="n_trials is 201; a finite-horizon Gittins table takes 1 to 200"):
        agents.Gittins(3, n_trials=201)


def test_the_optimum_is_that_of_two_arms_and_of_every_policy_tried():
    known = exact.bandit.independent()
    for n_trials in (1, 4, 7):
        assert exact.many_arms.optimal_reward(n_trials, 2) == pytest.approx(
            exact.bandit.bayes_optimal(known, n_trials)[1]
        )
    assert exact.many_arms.optimal_reward(10, 5) == pytest.approx(6.65999, abs=1e-5)
    assert exact.many_arms.optimal_reward(10, 10) == pytest.approx(6.71395, abs=1e-5)
    assert exact.many_arms.optimal_reward(5, 9) == exact.many_arms.optimal_reward(5, 5)


def test_a_priced_arm_is_worth_what_a_recursion_says_and_is_pulled_as_its_slope_says():
    price = np.array([0.6, 0.45, 0.55, 0.3])

    def worth(t, wins, losses):
        if t == len(price):
            return 0.0
        mean = (wins + 1) / (wins + losses + 2)
        go = mean * (1 + worth(t + 1, wins + 1, losses)) + (1 - mean) * worth(t + 1, wins, losses + 1) - price[t]
        return max(go, worth(t + 1, wins, losses))

    value, pulled = exact.many_arms.priced_arm(price)
    assert value == pytest.approx(worth(0, 0, 0))
    for t in range(4):
        dearer = price.copy()
        dearer[t] += 1e-6
        assert (exact.many_arms.priced_arm(dearer)[0] - value) / 1e-6 == pytest.approx(-pulled[t], abs=1e-4)


def test_bounds_lie_above_the_optimum_and_near_it():
    for n_trials, n_arms in itertools.product((4, 8), (2, 5, 50)):
        optimum, bound = exact.many_arms.optimal_reward(n_trials, n_arms), exact.many_arms.upper_bound(n_trials, n_arms)
        assert optimum <= bound <= min(1.07 * optimum, n_trials * n_arms / (n_arms + 1) + 1e-9)
    assert exact.many_arms.upper_bound(100, 10) == pytest.approx(85.77, abs=0.05)


def test_baselines_of_many_arms_earn_less_than_the_optimum_and_more_than_chance():
    task = IndependentBandit(10, n_arms=5)
    learners = baselines.baselines(task)
    played = baselines.play(task, learners, n_episodes=1500, seed=4)
    lost = played.regret.sum("trial").mean("episode")
    error = played.regret.sum("trial").std("episode") / 1500**0.5
    least = 50 / 6 - exact.many_arms.optimal_reward(10, 5)
    for name in learners:
        assert float(lost.sel(learner=name)) > least - 4 * float(error.sel(learner=name)), name
    assert float(lost.sel(learner="Gittins")) < least + 0.15 and lost.values.argmax() == len(learners) - 1
    surplus = played.reward.sum("trial") + played.regret.sum("trial") - 50 / 6
    assert abs(float(surplus.mean())) < 4 * float(surplus.std()) / 1500**0.5


def test_planners_play_the_same_processes_and_are_set_side_by_side_by_reward():
    task = TabularMDP(3, n_states=4, n_actions=3, horizon=5)
    played = baselines.play(task, baselines.baselines(task), n_episodes=60)
    assert set(played.data_vars) == {"reward"} and played.learner.values[-1] == "random"
    assert played.reward.dims == ("learner", "episode", "trial")
    assert played.reward.sum("trial").mean("episode").values.argmin() == played.sizes["learner"] - 1


def test_the_command_prints_rewards_beside_regrets_and_writes_them_where_it_is_told(tmp_path):
    code, out, _ = neurometa("baselines", "independent", "--episodes", "20", "--json", "--out", tmp_path / "kept")
    told = json.loads(out)
    assert code == 0 and told["reward"]["random"]["n"] == 20 and "exact" in told["regret"]["Thompson"]
    kept = dataset.read(told["file"])
    assert dataset.task_settings(kept)["type"] == "tasks.IndependentBandit" and kept.attrs["evaluation_seed"] == 2
    total = kept.regret.sel(learner="UCB1").sum("trial").mean()
    assert float(total) == pytest.approx(told["regret"]["UCB1"]["mean"], rel=1e-6)
    code, out, _ = neurometa("baselines", "rl2-bandit-10-5", "--episodes", "20")
    assert code == 0 and "reward" in out and not (tmp_path / "baselines.nc").exists()


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: agents.SampledThompson(1), "n_arms is 1; there is nothing to choose below 2"),
        (lambda: agents.SampledThompson(5, n_samples=0), "n_samples is 0; it must be at least 1"),
        (lambda: agents.Greedy(5, ties="last"), "ties is 'last'; allowed are"),
        (lambda: agents.Gittins(5, ties="last"), "ties is 'last'; allowed are"),
        (lambda: IndependentBandit(0, 5), "n_trials is 0; it must be at least 1"),
        (lambda: IndependentBandit(10, 1), "n_arms is 1; there is nothing to choose below 2"),
        (lambda: exact.many_arms.optimal_reward(10, 1), "n_arms is 1; there is nothing to choose below 2"),
        (lambda: exact.many_arms.optimal_reward(0, 5), "n_trials is 0; it must be 1 to 14"),
        (lambda: exact.many_arms.upper_bound(501, 5), "n_trials is 501; it must be 1 to 500"),
    ],
)
def test_what_cannot_be_is_told_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)
