"""Actions along axes: drawn from the policy, logged under names of their own, refused by what knows choices alone."""

import numpy as np
import pytest
import torch
from scipy import stats

from neurometa import behaviour, dataset, policies, settings
from neurometa.agents import GRU, LSTM, Agent, Output, RandomChoice
from neurometa.errors import InputError
from neurometa.exact import point_navigation as exact
from neurometa.rollout import from_dataset, segment, segments, to_dataset, unroll
from neurometa.tasks import PointNavigation
from neurometa.training import Adam, a2c, build, ppo


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Steers(Agent):
    """Goes by the shortest way to goals that it was told, or stands still, with hardly any noise."""

    def __init__(self, goal=None, log_sd=-12.0):
        super().__init__()
        self.goal, self.log_sd = goal, log_sd

    def begin(self, n_episodes):
        return {"told": torch.zeros(n_episodes, 2)}

    def forward(self, observation, action, reward, state):
        way = torch.zeros_like(observation) if self.goal is None else 10 * (self.goal - observation)
        policy = torch.cat([way, torch.full_like(way, self.log_sd)], -1)
        return Output(policy, torch.zeros(len(way)), {"told": action}, {})


def test_actions_and_their_log_density_are_those_of_the_normal_distribution():
    policy = torch.tensor([0.3, -1.0, -0.5, 0.2])
    drawn = policies.draw(policy.expand(5000, -1), generator(), 2)
    mean, sd = [0.3, -1.0], np.exp([-0.5, 0.2])
    for axis in range(2):
        assert stats.kstest(drawn[:, axis], stats.norm(mean[axis], sd[axis]).cdf).pvalue > 1e-4
    expected = stats.norm(mean, sd).logpdf(drawn.numpy()).sum(-1)
    np.testing.assert_allclose(policies.log_prob(policy.expand(5000, -1), drawn), expected, atol=1e-4)
    assert float(policies.entropy(policy, 2)) == pytest.approx(stats.norm(mean, sd).entropy().sum(), abs=1e-5)


def test_a_choice_has_the_log_probability_of_the_softmax_and_its_entropy():
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]])
    whole = torch.softmax(logits.double(), -1)
    found = policies.log_prob(logits, torch.tensor([2, 1]))
    assert found.tolist() == pytest.approx([float(whole[0, 2].log()), -np.log(3)], abs=1e-6)
    assert policies.entropy(logits).tolist() == pytest.approx(stats.entropy(whole.numpy(), axis=1), abs=1e-6)


@pytest.mark.parametrize("n_axes", [0, 2])
def test_the_divergence_is_the_mean_log_ratio_under_the_first_policy(n_axes):
    before, now = torch.randn((2, 4), generator=generator(), dtype=torch.float64)
    drawn = policies.draw(before.expand(200_000, -1), generator(), 2) if n_axes else torch.arange(4)
    log_ratio = policies.log_prob(before.expand(len(drawn), -1), drawn)
    log_ratio = log_ratio - policies.log_prob(now.expand(len(drawn), -1), drawn)
    mean = log_ratio.mean() if n_axes else (torch.softmax(before, -1) * log_ratio).sum()
    assert float(policies.divergence(before, now, n_axes)) == pytest.approx(float(mean), rel=0.02)
    assert float(policies.divergence(now, now, n_axes)) == pytest.approx(0, abs=1e-12)


def test_a_continuous_action_is_logged_over_its_axes_and_read_back():
    task, log_sd = PointNavigation(2), -1.0
    played = unroll(task, Steers(log_sd=log_sd), 3, generator())
    run = to_dataset(task, played)
    dataset.check(run)
    grain = ("episode", "trial", "step", "axis")
    assert run.action.dims == run.action_mean.dims == run.action_sd.dims == grain and run.action.dtype == np.float32
    assert "choice" not in run and "logits" not in run
    np.testing.assert_allclose(run.action_sd, np.exp(log_sd), rtol=1e-6)
    again = from_dataset(task, run)
    for name in ("action", "logits", "reward", "goal_place", "place"):
        torch.testing.assert_close(again[name], played[name])
    replayed = segment(again | {"observation": played["observation"]}, Steers())
    assert replayed.previous_action[1:].equal(replayed.action[:-1]) and not replayed.previous_action[0].any()


def test_the_agent_is_told_its_last_action_along_each_axis():
    (played,) = segments(PointNavigation(1), agent := Steers(log_sd=0.0), 4, generator())
    answered = agent.sequence(played, agent.begin(4))
    assert answered.state["told"].equal(played.action[-2])


@pytest.mark.parametrize("moves", [False, True])
def test_the_point_moves_by_a_tenth_at_most_and_pays_the_distance_that_is_left(moves):
    task = PointNavigation(2, moves=moves)
    run = to_dataset(task, unroll(task, RandomChoice(9) if moves else Steers(log_sd=1.0), 50, generator()))
    way = run.place.diff("step")
    assert float(np.abs(way).max()) <= 0.1 + 1e-6 and float(np.abs(run.place[:, :, 0]).max()) <= 0.1 + 1e-6
    away = np.sqrt(((run.place - run.goal_place) ** 2).sum("axis"))
    assert ((run.step_reward == 0) | (np.abs(run.step_reward + away) < 1e-6)).all()
    if not moves:
        inside = (run.action.isel(step=slice(1, None)).clip(-1, 1) * 0.1).values
        walks = (run.step_reward.isel(step=-1) < 0).values
        np.testing.assert_allclose(way.values[walks], inside[walks], atol=1e-6)


def test_who_comes_within_a_hundredth_has_arrived_and_the_next_trial_begins_at_the_origin():
    task = PointNavigation(3)
    goal = task.begin(20, generator())["goal_place"]
    run = to_dataset(task, unroll(task, Steers(goal), 20, generator()))
    arrived = (np.abs(run.place - run.goal_place) < 0.01).all("axis")
    assert arrived.isel(step=6).all() and not run.step_reward.isel(step=slice(7, None)).any()
    assert not (arrived.isel(step=0) & (np.abs(run.goal_place).max("axis") > 0.12)).any()


def test_walks_earn_exactly_what_they_should():
    task = PointNavigation(1)
    goal = task.begin(200, generator())["goal_place"]
    for agent, worth in ((Steers(), exact.standing_still), (Steers(goal), exact.straight_walk)):
        run = to_dataset(task, unroll(task, agent, 200, generator()))
        np.testing.assert_allclose(run.reward[:, 0], worth(run.goal_place.values), atol=0.03)
    published = np.random.RandomState(1).uniform(-0.5, 0.5, (40, 2))  # goals on which MAML was tested
    assert exact.standing_still(published).mean() == pytest.approx(-40.08, abs=0.005)
    assert exact.straight_walk(published).mean() == pytest.approx(-0.54, abs=0.005)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (1.0, 1.5)])
def test_goals_are_uniform_between_two_squares(low, high):
    goal = PointNavigation(1, goal_range=(low, high)).begin(4000, generator())["goal_place"].numpy()
    half = np.abs(goal).max(1)
    assert stats.kstest((half**2 - low**2) / (high**2 - low**2), "uniform").pvalue > 1e-4
    assert stats.chisquare(np.bincount((goal > 0) @ [1, 2], minlength=4)).pvalue > 1e-4
    if not low:
        assert stats.kstest(goal[:, 0] + 0.5, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("network", [LSTM(8), GRU(8), LSTM(8, n_layers=2)], ids=["lstm", "gru", "layers"])
def test_a_recurrent_network_answers_with_a_mean_and_a_learned_sd_of_each_axis(network):
    config = ppo.Config(PointNavigation(1), network, n_updates=1, batch_size=4)
    agent = build(config)
    (played,) = segments(config.task, agent, 4, generator())
    answered = agent.sequence(played, agent.begin(4))
    torch.testing.assert_close(answered.logits, played.logits, atol=1e-5, rtol=0)
    assert (answered.logits[..., 2:] == 0).all() and answered.logits.shape == (100, 4, 4)
    policies.log_prob(answered.logits, played.action).sum().backward()
    assert agent.log_sd.grad.abs().min() > 0


def test_ppo_learns_continuous_actions():
    config = ppo.Config(PointNavigation(1), GRU(8), n_updates=2, batch_size=8, optimizer=Adam(1e-2))
    rows = []
    agent = ppo.train(config, progress=rows.append)
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert not agent.log_sd.equal(build(config).log_sd)


def test_what_knows_choices_alone_refuses_a_continuous_task_in_one_sentence():
    task = PointNavigation(1)
    with pytest.raises(
        InputError, match=r"asks for a continuous action over 2 axes, and a2c.Config knows choices alone"
    ):
        a2c.Config(task)
    with pytest.raises(InputError, match=r"over 2 axes, and agents.LSTM knows choices alone"):
        ppo.Config(task, LSTM(separate=True))
    with pytest.raises(InputError, match="mean and log SD of each axis, and RandomChoice answers with 2 numbers"):
        unroll(task, RandomChoice(2), 2, generator())
    with pytest.raises(InputError, match=r"asks for one of 9 actions, .* and Steers answers with 4 numbers"):
        unroll(PointNavigation(1, moves=True), Steers(), 2, generator())
    run = to_dataset(task, unroll(task, Steers(), 2, generator()))
    with pytest.raises(InputError, match="have no 'choice': their action is continuous, over 'axis'"):
        behaviour.matching(run)


def test_a_continuous_task_is_an_environment_with_a_box():
    pytest.importorskip("gymnasium")
    from neurometa.tasks import to_gymnasium

    env = to_gymnasium(PointNavigation(1))
    env.reset(seed=0)
    seen, reward, *_ = env.step(np.array([1.0, -2.0], np.float32))
    assert seen[:2] == pytest.approx([0.1, -0.1]) and reward < 0 and env.action_space.shape == (2,)


def test_wrong_settings_of_the_point_are_told():
    with pytest.raises(InputError, match=r"goal_range is \(0.5, 0.2\); it must be 0 <= low < high"):
        PointNavigation(goal_range=(0.5, 0.2))
    assert settings.replace(PointNavigation(), ["goal_range=[1, 1.5]"]).goal_range == (1.0, 1.5)
    with pytest.raises(InputError, match="n_trials is 0"):
        PointNavigation(0)
