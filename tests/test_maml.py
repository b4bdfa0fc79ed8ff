"""Learning by gradients within an episode: meta-gradients against enumeration, differences and closed forms."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from neurometa import policies, runs
from neurometa.agents import LSTM, Plastic
from neurometa.agents.plastic import Lived, linear_baseline
from neurometa.errors import InputError
from neurometa.exact import one_update
from neurometa.rollout import play, unroll
from neurometa.tasks import DependentBandit, Gridworld, IndependentBandit, PointNavigation, RestlessBandit
from neurometa.training import build, maml
from neurometa.training.natural import fisher

BANDIT = Plastic((), adapt_after=4, baseline="others", step_sizes=(2.0,))
POINT = Plastic((5,), adapt_after=3, step_sizes=(0.5, 0.1), trial_steps=100)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bandit(**changes):
    settings = {"n_updates": 2, "batch_size": 8, "n_epochs": 1} | changes
    return maml.Config(IndependentBandit(10), settings.pop("network", BANDIT), **settings)


def point(**changes):
    settings = {"n_updates": 2, "batch_size": 4} | changes
    return maml.Config(PointNavigation(10), settings.pop("network", POINT), **settings)


def gradient(loss, agent):
    parts = torch.autograd.grad(loss, list(agent.start.values()), allow_unused=True)
    found = [torch.zeros_like(x) if g is None else g for g, x in zip(parts, agent.start.values(), strict=True)]
    return torch.cat([x.flatten() for x in found])


@pytest.fixture(scope="module")
def enumerated():
    """All 256 data sets of 4 pulls of two arms: actions, rewards, and the agent before it has learned anything."""
    agent = build(bandit()).double()
    with torch.no_grad():
        agent.start["bias_0"].copy_(torch.tensor([0.3, -0.2]))
    whole = torch.tensor(list(itertools.product([0, 1], repeat=8)))
    action, reward = whole[:, :4], whole[:, 4:].double()
    return agent, Lived(reward.new_zeros(256, 4, 0), action, reward), torch.tensor([0.8, 0.3]).double()


def expected_return(theta, lived, prob):
    """J of the policy after an inner step of size 2 by hand, by data set, and the probability of that data set."""
    policy = torch.softmax(theta, -1)
    won = prob[lived.action]
    chance = (policy[lived.action] * torch.where(lived.advantage > 0, won, 1 - won)).prod(1)
    chosen = torch.nn.functional.one_hot(lived.action, 2)
    stepped = theta + 2 * (lived.advantage[..., None] * (chosen - policy)).mean(1)
    return torch.softmax(stepped, -1) @ prob, chance


def test_the_meta_gradient_is_that_of_all_data_sets_and_maml_without_sampling_is_a_part_of_it(enumerated):
    agent, lived, prob = enumerated
    theta = agent.start["bias_0"].detach().clone().requires_grad_()
    worth, chance = expected_return(theta, lived, prob)
    (exact,) = torch.autograd.grad((worth * chance).sum(), theta)
    apart = []
    for axis in range(2):
        step = 1e-5 * torch.eye(2).double()[axis]
        ends = [
            math.fsum(
                math.prod(x)
                for x in zip(
                    *map(torch.Tensor.tolist, expected_return(theta.detach() + sign * step, lived, prob)), strict=True
                )
            )
            for sign in (1, -1)
        ]
        apart.append((ends[0] - ends[1]) / 2e-5)
    assert exact.tolist() == pytest.approx(apart, abs=1e-9)
    second, first = (by_objective(agent, lived, prob, chance.detach(), order) for order in (2, 1))
    config, weight = bandit(sampling=True, order=2), 256 * (chance * worth).detach()
    last = outer(agent, lived, prob)
    before, _ = agent.policy(agent.adapted(agent.fresh(256), lived, 0), last.observation)
    with_it, _ = maml.objective(config, agent, [lived, last], before.detach(), weight)
    without, _ = maml.objective(bandit(order=2), agent, [lived, last], before.detach(), weight)
    policy = torch.softmax(theta.detach(), -1)
    score = (torch.nn.functional.one_hot(lived.action, 2) - policy).sum(1)  # gradient of the log-probability
    sampling = gradient(without - with_it, agent) + weight.mean() * score.double().mean(0)
    assert (second + sampling).tolist() == pytest.approx(exact.tolist(), abs=1e-8)  # of a step size in single precision
    assert float(sampling.abs().max()) > 1e-5 and float((first - second).abs().max()) > 1e-3


def outer(agent, lived, prob):
    """Both arms once after the step, with advantages that make the gradient of the objective that of J."""
    policy = torch.softmax(
        agent.policy(agent.adapted(agent.fresh(len(lived.action)), lived, 0), lived.observation[:, :1])[0], -1
    )
    both = torch.tensor([0, 1]).expand(len(lived.action), -1)
    return Lived(lived.observation[:, :2], both, (2 * policy[:, 0] * prob).detach())


def by_objective(agent, lived, prob, chance, order):
    """Gradient of the return after the step by `maml.objective`, each data set as likely as it is."""
    last = outer(agent, lived, prob)
    last = last._replace(advantage=last.advantage * 256 * chance[:, None])
    before, _ = agent.policy(agent.adapted(agent.fresh(256), lived, 0), last.observation)
    loss, _ = maml.objective(bandit(order=order), agent, [lived, last], before.detach(), chance)
    return -gradient(loss, agent)


@pytest.mark.parametrize("n_inner_steps", [1, 2])
@pytest.mark.parametrize("n_context", [0, 3])
def test_second_order_gradients_are_central_differences_of_the_objective(n_inner_steps, n_context):
    network = dataclasses.replace(POINT, n_context=n_context)
    config = point(n_inner_steps=n_inner_steps, network=network, clip=10.0)
    agent = build(config)
    lived, reward = maml.live(config, agent, generator())
    agent = agent.double()
    lived = [Lived(*(x.double() for x in each)) for each in lived]
    weights = agent.fresh(4)
    for i, each in enumerate(lived[:-1]):
        weights = agent.adapted(weights, each, i)
    before = agent.policy(weights, lived[-1].observation)[0].detach() + 0.1

    def loss():
        return maml.objective(config, agent, lived, before, reward[-1])[0]

    found, start, apart = gradient(loss(), agent), list(agent.start.values()), []
    for weight in start:
        flat = weight.data.view(-1)
        for i in range(len(flat)):
            was, ends = float(flat[i]), []
            for step in (1e-5, -1e-5):
                flat[i] = was + step
                ends.append(float(loss().detach()))
            flat[i] = was
            apart.append((ends[0] - ends[1]) / 2e-5)
    np.testing.assert_allclose(found, apart, atol=1e-7)


def test_first_order_is_the_gradient_at_the_weights_after_the_step():
    config = point(order=1, clip=10.0)
    agent = build(config)
    lived, reward = maml.live(config, agent, generator())
    stepped = agent.adapted({name: x.detach() for name, x in agent.fresh(4).items()}, lived[0], 0)
    after = {name: x.detach().requires_grad_() for name, x in stepped.items()}
    policy, _ = agent.policy(after, lived[1].observation)
    log_prob = torch.distributions.Normal(policy[..., :2], policy[..., 2:].exp()).log_prob(lived[1].action).sum(-1)
    expected = torch.autograd.grad((log_prob * lived[1].advantage).mean(), list(after.values()))
    loss, _ = maml.objective(config, agent, lived, policy.detach(), reward[-1])
    assert gradient(loss, agent).numpy() == pytest.approx(
        -torch.cat([x.sum(0).flatten() for x in expected]).numpy(), abs=1e-6
    )


def test_reptile_moves_to_the_mean_of_where_the_steps_lead():
    config = point(order=1, n_inner_steps=2, reptile=True)
    agent = build(config)
    lived, reward = maml.live(config, agent, generator())
    weights = agent.fresh(4)
    for i in range(2):
        weights = agent.adapted(weights, lived[i], i)
    there = torch.cat([x.mean(0).flatten() for x in weights.values()]).detach()
    before, _ = agent.policy(weights, lived[-1].observation)
    loss, _ = maml.objective(config, agent, lived, before.detach(), reward[-1])
    moved = torch.cat([x.detach().flatten() for x in agent.start.values()]) - gradient(loss, agent)
    torch.testing.assert_close(moved, there)


@pytest.mark.parametrize("order", [1, 2])
def test_a_trusted_step_is_along_the_natural_gradient_through_the_inner_step_and_within_its_bound(order):
    """The Fisher matrix is, of second order, the curvature of the KL of the policies after the inner step."""
    config = point(order=order, kl_bound=0.01)
    agent = build(config)
    lived, reward = maml.live(config, agent, generator())
    agent, lived = agent.double(), [Lived(*(x.double() for x in each)) for each in lived]
    start, at = list(agent.start.values()), parameters_to_vector(agent.start.values()).detach()

    def after(order):
        weights = agent.adapted(agent.fresh(4), lived[0], 0, order=order)
        return agent.policy(weights, lived[1].observation)[0]

    before, every = after(order).detach(), torch.ones(4, lived[1].action.shape[1], dtype=torch.bool)
    product, vector = fisher(after(order), start, every, 2), torch.randn(len(at), generator=generator(1)).double()
    if order == 2:

        def slope(here):
            vector_to_parameters(here, start)
            return gradient(policies.divergence(before, after(2), 2).mean(), agent)

        numeric = (slope(at + 1e-5 * vector) - slope(at - 1e-5 * vector)) / 2e-5
        vector_to_parameters(at, start)
        torch.testing.assert_close(product(vector), numeric, rtol=1e-4, atol=1e-7)
    row = maml._trusted(config, agent, lived, before, reward[-1], 0.01)
    assert 0 < row["kl"] <= 0.01 and row["gain"] > 0 and row["no_step"] == 0
    told = policies.divergence(before, after(order).detach(), 2).mean()
    assert float(told) == pytest.approx(row["kl"])


def test_of_a_normal_policy_that_sees_nothing_the_step_and_its_derivative_have_a_closed_form():
    agent = build(point(network=dataclasses.replace(POINT, layers=()))).double()
    with torch.no_grad():
        agent.start["bias_0"].copy_(torch.tensor([0.2, -0.4]))
        agent.start["log_sd"].copy_(torch.tensor([-0.3, 0.1]))
    action, advantage = torch.randn(1, 6, 2, generator=generator()).double(), torch.randn(1, 6).double()
    lived = Lived(torch.zeros(1, 6, 2).double(), action, advantage)
    mean, sd = agent.start["bias_0"], agent.start["log_sd"].exp()
    after = agent.adapted(agent.fresh(1), lived, 0, order=2)
    error = action[0] - mean
    weighted = advantage[0, :, None]
    by_hand = mean + 0.5 * (weighted * error / sd**2).mean(0)
    assert after["bias_0"][0].tolist() == pytest.approx(by_hand.tolist(), abs=1e-7)
    by_hand = agent.start["log_sd"] + 0.5 * (weighted * (error**2 / sd**2 - 1)).mean(0)
    assert after["log_sd"][0].tolist() == pytest.approx(by_hand.tolist(), abs=1e-7)
    (slope,) = torch.autograd.grad(after["bias_0"].sum(), mean, retain_graph=True)
    assert slope.tolist() == pytest.approx((1 - 0.5 * advantage.mean() / sd**2).tolist(), abs=1e-7)
    (across,) = torch.autograd.grad(after["log_sd"].sum(), mean)
    assert across.tolist() == pytest.approx((-(weighted * error / sd**2).mean(0)).tolist(), abs=1e-7)


def test_the_baseline_is_ridge_regression_on_position_and_time():
    seen, returns = torch.randn((7, 2, 3, 2), generator=generator()) * 8, torch.randn((7, 2, 3), generator=generator(1))
    found = linear_baseline(seen, returns).numpy()
    for episode in range(2):
        o = np.clip(seen[:, episode].reshape(-1, 2).double().numpy(), -10, 10)
        t = np.repeat(np.arange(7), 3)[:, None] / 100
        x, y = np.hstack([o, o**2, t, t**2, t**3, np.ones_like(t)]), returns[:, episode].double().numpy().ravel()
        fitted = x @ np.linalg.solve(x.T @ x + 1e-5 * np.eye(8), x.T @ y)
        np.testing.assert_allclose(found[:, episode].ravel(), fitted, atol=1e-5)


@pytest.mark.parametrize("config", [bandit(), point()], ids=["bandit", "point"])
def test_an_episode_that_is_unrolled_learns_what_training_learns_from_the_same_trials(config):
    network = dataclasses.replace(config.network, n_adaptations=2)
    config = dataclasses.replace(config, network=network)
    agent, n = build(config), network.adapt_after
    played = unroll(config.task, agent, 3, generator())
    weights = agent.fresh(3)
    for step in range(3):
        trials = slice(step * n, (step + 1) * n)
        observation, action, reward = (
            played[name][trials].movedim(0, 2) for name in ("observation", "action", "reward")
        )
        answered, _ = agent.policy(weights, observation.movedim(0, 2).flatten(1, 2))
        shown = played["logits"][trials].movedim(2, 0).flatten(1, 2)
        torch.testing.assert_close(answered, shown, atol=1e-4, rtol=1e-4)
        if step < 2 and len(reward):
            weights = agent.adapted(weights, agent.judged(observation, action, reward), step)
    assert (played["logits"][0] - played["logits"][n]).abs().max() > 1e-3, "nothing was learned"
    assert played["logits"][2 * n, 0].equal(played["logits"][-1, 0]) or network.layers, "weights rest after the last"


def test_without_inner_steps_the_policy_stays_what_it_was():
    config = bandit(network=dataclasses.replace(BANDIT, n_adaptations=0))
    played = unroll(config.task, build(config), 3, generator())
    assert (played["logits"] == played["logits"][0]).all()


def test_of_contexts_only_they_are_fast():
    config = point(network=dataclasses.replace(POINT, n_context=2))
    agent = build(config)
    lived, _ = maml.live(config, agent, generator())
    fresh = agent.fresh(4)
    after = agent.adapted(fresh, lived[0], 0)
    assert {name for name, x in after.items() if not x.equal(fresh[name])} == {"context"}


def test_an_agent_that_is_unrolled_passes_through_the_loop_as_any_other():
    trials = play(
        Gridworld(3),
        build(maml.Config(Gridworld(3), Plastic(trial_steps=15, adapt_after=2))),
        4,
        generator(),
        log=("hidden",),
    )
    assert trials.hidden.sizes["unit"] == 64 and trials.value.isnull().all() and np.isfinite(trials.logits).all()


@pytest.mark.parametrize(
    "config",
    [
        bandit(sampling=True, n_minibatches=3),
        point(order=1, n_inner_steps=2, reptile=True),
        point(n_inner_steps=0, kl_bound=0.01),
    ],
    ids=["bandit", "point", "none"],
)
def test_training_changes_the_weights_and_a_seed_fixes_it(config):
    rows = []
    agent, again = maml.train(config, progress=rows.append), maml.train(config)
    start = build(config).state_dict()
    assert all(x.equal(again.state_dict()[name]) for name, x in agent.state_dict().items())
    assert not all(x.equal(start[name]) for name, x in agent.state_dict().items())
    assert rows[-1]["steps"] == config.budget and all(np.isfinite(list(row.values())).all() for row in rows)


def test_step_sizes_are_learned_where_they_are_to_be():
    for learned in (True, False):
        config = bandit(network=dataclasses.replace(BANDIT, learned_step_size=learned))
        assert maml.train(config).log_step_size.equal(build(config).log_step_size) != learned


def test_a_run_is_trained_saved_and_tested_as_any_other(tmp_path):
    config = bandit()
    runs.train(config, tmp_path / "run")
    assert runs.open_config(tmp_path / "run") == config
    trials = runs.evaluate(tmp_path / "run", n_episodes=5)
    assert trials.choice.shape == (5, 10)


def test_the_ceiling_of_one_update_is_exact():
    assert one_update.one_update_regret(20) == pytest.approx(4.549, abs=5e-4)
    assert one_update.one_update_regret(12) == pytest.approx(4.092, abs=5e-4)
    assert one_update.uniform_then_commit(1, n_trials=3) == pytest.approx(0.5 + 2 * (2 / 3 + 1 / 2) / 2)
    assert one_update.uniform_then_commit(0, n_arms=5) == pytest.approx(50)
    rng = np.random.default_rng(0)
    prob = rng.random((100_000, 5))
    pulls = rng.multinomial(20, np.full(5, 0.2), 100_000)
    mean = (rng.binomial(pulls, prob) + 1) / (pulls + 2)
    reward = 10 + 80 * np.take_along_axis(prob, mean.argmax(1)[:, None], 1)
    assert one_update.uniform_then_commit(20, n_arms=5) == pytest.approx(reward.mean(), abs=4 * reward.std() / 316)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bandit(order=3), "order is 3; gradients through the inner step are of order 1 or 2"),
        (lambda: maml.Config(RestlessBandit(50), BANDIT), "Trials of RestlessBandit do not repeat"),
        (lambda: maml.Config(IndependentBandit(4), BANDIT), "An episode of 4 trials is too short to adapt in"),
        (lambda: maml.Config(PointNavigation(10), BANDIT), "trial_steps is 1; a trial of PointNavigation has 100"),
        (lambda: maml.Config(DependentBandit(), LSTM()), "network is LSTM; MAML trains agents"),
        (lambda: bandit(n_epochs=0), "n_epochs is 0; it must be at least 1"),
        (lambda: bandit(n_minibatches=9), "n_minibatches is 9; there are no more than the batch's 8 tasks"),
        (lambda: bandit(kl_bound=-1.0), "kl_bound is -1.0; it must be at least 0"),
        (lambda: bandit(reptile=True), "reptile is true; it takes at least 2 n_inner_steps"),
        (lambda: Plastic(step_sizes=(0.1, -1.0)), "step_sizes is .*; there is one at least, each above 0"),
        (lambda: Plastic(initial_sd=0.0), "initial_sd is 0.0; it must be above 0"),
        (lambda: Plastic(adapt_after=0), "adapt_after is 0; it must be at least 1"),
        (lambda: Plastic(baseline="liner"), "baseline is 'liner'; allowed are .* Did you mean 'linear'"),
        (lambda: Plastic(adapt_after=1, baseline="others"), "there are no other trials"),
        (lambda: one_update.uniform_then_commit(200), "n_explored is 200; the episode has 100 trials"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_the_sd_of_an_action_begins_as_it_is_set():
    agent = build(point(network=dataclasses.replace(POINT, initial_sd=0.3)))
    policy, _ = agent.policy(agent.fresh(2), torch.zeros(2, 3, 2))
    assert policy[..., 2:].exp().unique().tolist() == pytest.approx([0.3])


def test_an_inner_step_that_is_too_large_names_its_size():
    network = dataclasses.replace(POINT, step_sizes=(1e37,))
    with pytest.raises(InputError, match=r"Inner step 1 of size 1e\+37 made weights that are not finite; lower"):
        maml.train(point(network=network))


@pytest.mark.slow
def test_one_update_on_two_arms_comes_near_its_ceiling():
    from neurometa.experiments import find

    config = find("independent-maml").config
    trials = play(config.task, maml.train(config), 20_000, generator(1))
    regret = 100 * 2 / 3 - float(trials.reward.sum("trial").mean())
    assert one_update.one_update_regret(20) - 0.3 < regret < one_update.one_update_regret(20) + 0.3
