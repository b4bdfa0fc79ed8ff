"""Planners of Markov decision processes: against slow recursions, their posteriors, and published rewards."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from neurometa import agents, exact, rollout
from neurometa.agents.mdp import kernels
from neurometa.errors import InputError
from neurometa.tasks import IndependentBandit, TabularMDP

SMALL = TabularMDP(5, n_states=3, n_actions=2, horizon=4)
SIZES = {"n_states": 3, "n_actions": 2, "horizon": 4}
ZERO = agents.MDPPrior(mean=0.0)
PLANNERS = [
    agents.GreedyPlanner(**SIZES),
    agents.GreedyPlanner(**SIZES, prior=agents.MDPPrior(0.5, 2.0, 0.0), epsilon=0.2),
    agents.PSRL(**SIZES),
    agents.OPSRL(**SIZES, prior=ZERO, n_samples=3),
    agents.UCRL2(**SIZES),
    agents.UCRL2(**SIZES, overwrite=True, scaling=0.1),
    agents.BEB(**SIZES, prior=ZERO),
]
EVERY_PLANNER = pytest.mark.parametrize("agent", PLANNERS, ids=lambda agent: type(agent).__name__)


def play(task, agent, n_episodes, seed=0):
    return rollout.unroll(task, agent, n_episodes, torch.Generator().manual_seed(seed))


def drawn(n, n_states, n_actions, seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(n_states), (n, n_states, n_actions)), rng.normal(1, 1, (n, n_states, n_actions))


def belief_after(task, agent, n_episodes=4, seed=1):
    """What an agent has counted after all trials but the last, and what was played."""
    state = agent.begin(n_episodes)
    played = play(task, agents.RandomChoice(task.n_actions), n_episodes, seed)
    seen = played["observation"].flatten(0, 1)
    action = torch.nn.functional.one_hot(played["action"].flatten(0, 1), task.n_actions).float()
    reward = played["reward"].flatten(0, 1)
    before = torch.zeros_like(action[0]), torch.zeros_like(reward[0])
    for t in range(len(seen)):
        output = agent(seen[t], *before, state)
        state, before = output.state, (action[t], reward[t])
    return state, played


def counted(played, n_trials):
    """Next states, visits and rewards by (episode, state, action, ...), step by step."""
    n_trials_played, n_steps, n_episodes = played["action"].shape
    counts, visits, earned = np.zeros((n_episodes, 3, 2, 3)), np.zeros((n_episodes, 3, 2)), np.zeros((n_episodes, 3, 2))
    for trial, step, i in itertools.product(range(min(n_trials, n_trials_played)), range(n_steps), range(n_episodes)):
        s, a = played["visited_state"][trial, step, i], played["action"][trial, step, i]
        visits[i, s, a] += 1
        earned[i, s, a] += played["reward"][trial, step, i]
        if step + 1 < n_steps:
            counts[i, s, a, played["visited_state"][trial, step + 1, i]] += 1
    return counts, visits, earned


@EVERY_PLANNER
@pytest.mark.parametrize("shows_last", [False, True])
def test_trials_answered_in_one_piece_are_those_answered_step_by_step(agent, shows_last):
    task = dataclasses.replace(SMALL, shows_last=shows_last)
    (whole,) = rollout.segments(task, agents.RandomChoice(2), 3, torch.Generator().manual_seed(2))
    each = agents.Agent.sequence(agent, whole, agent.begin(3), ("planned_loss",))
    torch.testing.assert_close(agent.sequence(whole, agent.begin(3), ("planned_loss",)), each)
    state, parts = agent.begin(3), []
    for part in rollout.segments(task, agents.RandomChoice(2), 3, torch.Generator().manual_seed(2), 8):
        parts.append(agent.sequence(part, state))
        state = parts[-1].state
    torch.testing.assert_close(torch.cat([part.logits for part in parts]), each.logits)
    assert (each.record["planned_loss"].amax(-1) == 0).all()


def slow_plan(prob, reward, horizon, bonus=0.0):
    """Worth of actions now, by recursion over all that may follow."""
    if horizon == 0:
        return np.zeros_like(reward)
    after = slow_plan(prob, reward, horizon - 1, bonus).max(-1)
    return reward + bonus * (horizon - 1) + prob @ after


def test_plans_agree_with_a_recursion_over_all_that_may_follow():
    prob, reward = drawn(5, 3, 2)
    worth = exact.mdp.plan(prob, reward, 4)
    for i, step in itertools.product(range(5), range(4)):
        assert worth[i, step] == pytest.approx(slow_plan(prob[i], reward[i], 4 - step), rel=1e-5)
    assert exact.mdp.oracle_reward(prob, reward, 4) == pytest.approx(worth[:, 0, 0].max(-1))


def test_no_policy_of_a_small_process_earns_more_than_the_plan():
    prob, reward = (x[0] for x in drawn(1, 2, 2))
    best = -np.inf
    for policy in itertools.product(range(2), repeat=6):  # of each of three steps and two states
        value = np.zeros(2)
        for step in (2, 1, 0):
            chosen = list(policy[2 * step : 2 * step + 2])
            value = reward[[0, 1], chosen] + prob[[0, 1], chosen] @ value
        best = max(best, value[0])
    assert exact.mdp.oracle_reward(prob[None], reward[None], 3)[0] == pytest.approx(best, rel=1e-5)


@EVERY_PLANNER
def test_a_planner_counts_the_trials_that_are_over(agent):
    state, played = belief_after(SMALL, agent)
    for name, expected in zip(("counts", "visits", "earned"), counted(played, SMALL.n_trials - 1), strict=True):
        assert state[name].numpy() == pytest.approx(expected, abs=1e-4), name


def test_plans_with_the_posterior_mean_and_bonuses_are_those_of_a_slow_planner():
    prior, scaling = agents.MDPPrior(0.5, 2.0, 1.5), 0.01
    greedy, beb = agents.GreedyPlanner(**SIZES, prior=prior), agents.BEB(**SIZES, prior=prior, scaling=scaling)
    for agent in (greedy, beb):
        state, played = belief_after(SMALL, agent)
        counts, visits, earned = counted(played, SMALL.n_trials - 1)
        prob = (1.5 + counts) / (1.5 + counts).sum(-1, keepdims=True)
        reward, bonus = (2 * 0.5 + earned) / (2 + visits), np.zeros_like(visits)
        if agent is beb:
            reward = reward + 1 / (1 + 2 + visits)
            bonus = 2 * 4**3 * scaling / (1 + 3 * 1.5 + counts.sum(-1))
        for i, step in itertools.product(range(4), range(4)):
            expected = slow_plan(prob[i], reward[i], 4 - step, bonus[i])
            assert state["worth"][i, step].numpy() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_mode_under_a_flat_prior_is_the_frequency_or_even_where_nothing_is_known():
    agent = agents.GreedyPlanner(**SIZES, prior=agents.MDPPrior(concentration=0.0))
    counts, visits, earned = (np.zeros(shape, np.float32) for shape in ((1, 3, 2, 3), (1, 3, 2), (1, 3, 2)))
    counts[0, 0, 0], visits[0, 0, 0] = (1, 3, 0), 4
    earned[0, 1, 0], visits[0, 1, 0] = 9.0, 2
    worth = np.empty((1, 2, 3, 2), np.float32)
    kernels.plan_mean(counts, visits, earned, agent.prior.values, 0.0, worth)
    last = worth[0, 1].max(-1)
    assert last[1] == pytest.approx((1 + 9) / 3)
    assert worth[0, 0, 0, 0] == pytest.approx(1 / 5 + 0.25 * last[0] + 0.75 * last[1], rel=1e-5)
    assert worth[0, 0, 0, 1] == pytest.approx(1 + last.mean(), rel=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_probability_is_moved_as_a_linear_programme_would(seed):
    rng = np.random.default_rng(seed)
    prob, value, radius = rng.dirichlet(np.ones(4)), rng.normal(size=4), rng.uniform(0, 1.5)
    moved = prob.copy()
    kernels._favour(moved, radius / 2, np.argsort(value))
    limits = np.block([[np.eye(4), -np.eye(4)], [-np.eye(4), -np.eye(4)], [np.zeros((1, 4)), np.ones((1, 4))]])
    bound = np.concatenate([prob, -prob, [radius]])  # |p - prob| <= slack, whose sum is at most the radius
    best = optimize.linprog(
        np.concatenate([-value, np.zeros(4)]), limits, bound, [[1] * 4 + [0] * 4], [1.0], [(0, 1)] * 4 + [(0, 2)] * 4
    )
    assert moved.sum() == pytest.approx(1) and (moved >= 0).all()
    assert moved @ value == pytest.approx(-best.fun, abs=1e-8)


def test_a_planner_of_confidence_sets_is_optimistic_and_less_so_the_more_it_has_seen():
    wide, narrow = agents.UCRL2(**SIZES, scaling=1.0), agents.UCRL2(**SIZES, scaling=1e-6)
    task = dataclasses.replace(SMALL, n_trials=15)
    (of_wide, played), (of_narrow, _) = (belief_after(task, agent) for agent in (wide, narrow))
    of_wide, of_narrow = of_wide["worth"], of_narrow["worth"]
    counts, visits, earned = counted(played, task.n_trials - 1)
    seen = (visits > 0).all((1, 2)) & (counts.sum(-1) > 0).all((1, 2))
    assert seen.any() and (of_wide > of_narrow).all()
    for i in np.flatnonzero(seen):
        reward = earned[i] / visits[i]
        expected = slow_plan(counts[i] / counts[i].sum(-1, keepdims=True), reward, 4)
        assert of_narrow[i, 0].numpy() == pytest.approx(expected, abs=0.02)


def test_samples_have_the_distribution_of_the_posterior():
    n = 4000
    counts, visits, earned = (np.zeros(shape, np.float32) for shape in ((n, 2, 2, 2), (n, 2, 2), (n, 2, 2)))
    counts[:, 0, 0], visits[:, 0, 0], earned[:, 0, 0] = (3, 1), 5, 10.0
    visits[:, 1], earned[:, 1] = 1e9, np.float32(2e9)  # the second state is known to pay 2, the first
    visits[:, 0, 1], earned[:, 0, 1] = 1e9, np.float32(-1e9)  # to pay little with its second action
    worth = np.empty((n, 2, 2, 2), np.float32)
    kernels.plan_samples(counts, visits, earned, (1.0, 1.0, 1.0), 1, np.arange(n), worth)
    reward = worth[:, 1, 0, 0]
    assert stats.kstest(reward, stats.norm(11 / 6, 6**-0.5).cdf).pvalue > 1e-4
    here = np.maximum(reward, -1)
    to_second = (worth[:, 0, 0, 0] - reward - here) / (2 - here)
    assert stats.kstest(to_second, stats.beta(2, 4).cdf).pvalue > 1e-4
    assert abs(np.corrcoef(reward, to_second)[0, 1]) < 4 / n**0.5
    several = np.empty_like(worth)
    kernels.plan_samples(counts, visits, earned, (1.0, 1.0, 1.0), 4, np.arange(n), several)
    assert (several >= worth).all()
    assert stats.kstest(several[:, 1, 0, 0], lambda x: stats.norm(11 / 6, 6**-0.5).cdf(x) ** 4).pvalue > 1e-4


@EVERY_PLANNER
def test_a_planner_answers_with_a_policy_and_a_seed_fixes_what_it_does(agent):
    played = play(SMALL, agent, 30, seed=3)
    assert torch.softmax(played["logits"], -1).sum(-1).numpy() == pytest.approx(1, abs=1e-5)
    again, other = play(SMALL, agent, 30, seed=3), play(SMALL, agent, 30, seed=4)
    assert all(again[name].equal(played[name]) for name in played)
    assert not other["action"].equal(played["action"])


@EVERY_PLANNER
def test_episodes_do_not_touch_each_other_and_what_was_not_done_teaches_nothing(agent):
    rng = torch.Generator().manual_seed(0)
    state, alone = agent.begin(3), agent.begin(1) | {"luck": torch.tensor([1])}
    world = SMALL.begin(3, rng)
    action, reward = torch.zeros(3, 2), torch.zeros(3)
    for step in SMALL.steps * 2:
        seen = SMALL.observe(world, step)
        output, one = agent(seen, action, reward, state), agent(seen[1:2], action[1:2], reward[1:2], alone)
        assert output.logits[1:2].equal(one.logits) and output.value[1:2].equal(one.value)
        state, alone = output.state, one.state
        chosen = rollout.draw(output.logits, rng)
        chosen[0] = -1
        reward, world = SMALL.step(world, chosen, step, rng)
        action = torch.where(chosen[:, None] < 0, 0.0, torch.eye(2)[chosen])
    agent(SMALL.observe(world, "1"), action, reward, state)
    assert not state["visits"][0].any() and not state["counts"][0].any()
    assert state["visits"][1:].sum((1, 2)).tolist() == [4, 4]


def test_who_knows_the_process_earns_what_was_computed_and_nobody_more():
    worlds = play(SMALL, agents.RandomChoice(2), 1500, seed=5)
    known = worlds["transition_prob"].numpy(), worlds["mean_reward"].numpy()
    played = play(SMALL, agents.KnownMDP(*known, horizon=4), 1500, seed=5)
    assert played["mean_reward"].equal(worlds["mean_reward"]), "the same worlds"
    surplus = played["reward"].sum((0, 1)).numpy() - 5 * exact.mdp.oracle_reward(*known, 4)
    assert abs(surplus.mean()) < 4 * surplus.std() / 1500**0.5
    for agent in PLANNERS:
        assert play(SMALL, agent, 1500, seed=5)["reward"].sum((0, 1)).mean() < played["reward"].sum((0, 1)).mean()


# Mean reward of ten trials over 4,000 processes, recomputed by others than this code (Duan et al. 2016, Table 2)
@pytest.mark.parametrize(
    ("agent", "reward"),
    [
        (agents.PSRL(prior=ZERO), 137.7),
        (agents.OPSRL(prior=ZERO), 142.4),
        (agents.UCRL2(overwrite=True), 147.1),
        (agents.BEB(prior=ZERO, scaling=1e-3), 148.9),
        (agents.BEB(), 157.0),
        (agents.GreedyPlanner(), 154.5),
        (agents.GreedyPlanner(prior=agents.MDPPrior(0.0, 1e-4, 1e-4)), 136.0),
        (agents.GreedyPlanner(prior=agents.MDPPrior(0.0, 1e-4, 1e-4), epsilon=0.1), 134.4),
        (agents.RandomChoice(5), 100.0),
    ],
    ids=lambda x: type(x).__name__,
)
def test_planners_earn_what_was_recomputed_by_others(agent, reward):
    earned = play(TabularMDP(10), agent, 400, seed=11)["reward"].sum((0, 1)).numpy()
    assert abs(earned.mean() - reward) < 4 * (earned.std() / 400**0.5 + 0.1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: agents.PSRL(0), "n_states is 0; it must be at least 1"),
        (lambda: agents.PSRL(3, 1), "n_actions is 1; it must be at least 2"),
        (lambda: agents.PSRL(horizon=0), "horizon is 0; it must be at least 1"),
        (lambda: agents.OPSRL(n_samples=0), "n_samples is 0"),
        (lambda: agents.UCRL2(failure_prob=1.0), "failure_prob is 1.0"),
        (lambda: agents.UCRL2(scaling=0.0), "scaling is 0.0; it must be above 0"),
        (lambda: agents.BEB(scaling=-1.0), "scaling is -1.0"),
        (lambda: agents.GreedyPlanner(epsilon=2.0), "epsilon is 2.0"),
        (lambda: agents.MDPPrior(mean=float("nan")), "mean is nan; it must be finite"),
        (lambda: agents.MDPPrior(precision=0.0), "precision is 0.0; it must be above 0"),
        (lambda: agents.MDPPrior(concentration=-1.0), "concentration is -1.0"),
        (lambda: exact.mdp.plan(*drawn(1, 3, 2), 0), "horizon is 0"),
        (lambda: exact.mdp.plan(drawn(1, 3, 2)[0], drawn(1, 2, 3)[1], 4), "transition_prob is .* they must be"),
        (lambda: play(SMALL, agents.KnownMDP(*drawn(3, 3, 2), horizon=4), 4), "3 processes are known, but 4 episodes"),
        (lambda: play(SMALL, agents.PSRL(3, 2, horizon=5), 2), "plans trials of 5 steps, but those .* end after 4"),
        (lambda: play(SMALL, agents.PSRL(3, 2, horizon=3), 2), "plans trials of 3 steps, but those .* are longer"),
        (lambda: play(SMALL, agents.PSRL(4, 2, horizon=4), 2), "shows 4 numbers; an agent for 4 states is shown 5"),
        (lambda: play(IndependentBandit(3), agents.PSRL(3, 2), 2), "The task shows 0 numbers"),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)
