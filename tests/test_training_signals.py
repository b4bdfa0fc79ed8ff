"""Training by what only a simulator knows, values in other units, and how initial weights are drawn."""

import dataclasses
import math

import pytest
import torch

from neurometa.agents import GRU, LSTM
from neurometa.errors import InputError
from neurometa.rollout import segments
from neurometa.settings import replace
from neurometa.streams import Streams
from neurometa.tasks import DependentBandit, IndependentBandit, RestlessBandit
from neurometa.training import GAE, NStep, RMSProp, a2c, ppo
from neurometa.training.losses import Weights, actor_critic
from neurometa.training.returns import judged_by

SMALL = a2c.Config(IndependentBandit(6, n_arms=3), GRU(5), n_updates=3, batch_size=4, returns=GAE(1.0, 1.0, of="gaps"))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("task", [IndependentBandit(4, n_arms=3), DependentBandit(4, n_arms=3, difficulty="easy")])
def test_gaps_are_what_an_action_is_expected_to_lose(task):
    (played,) = segments(task, GRU(3).build((0,), 3, 4, discount=1.0), 50, generator(), gaps=True)
    prob = played.latents["reward_prob"]
    assert played.gaps.equal(prob - prob.amax(-1, keepdim=True))
    assert (played.gaps.amax(-1) == 0).all()
    assert judged_by("reward", played.action, played.reward, played.gaps) is played.reward
    lost = judged_by("regret", played.action, played.reward, played.gaps)
    assert lost.equal(prob.gather(-1, played.action[..., None])[..., 0] - prob.amax(-1))


def test_the_exact_term_has_the_gradient_that_sampled_actions_have_in_the_mean():
    n_steps, n_episodes, rng = 3, 40000, generator()
    logits = torch.randn(n_steps, 1, 3, generator=rng)
    gaps = -torch.rand(n_steps, 1, 3, generator=rng).expand(-1, n_episodes, -1)
    policy = logits.softmax(-1)[:, 0]
    action = torch.multinomial(policy, n_episodes, replacement=True, generator=rng)
    lost, value = gaps.gather(-1, action[..., None])[..., 0], torch.full((n_steps, n_episodes), -0.3)
    found = []
    for known in (None, gaps):
        leaf = logits.clone().requires_grad_()
        each = leaf.expand(-1, n_episodes, -1)
        loss, _ = actor_critic(each, value, action, lost, Weights(0.9, 0.0, 0.0), gaps=known)
        (gradient,) = torch.autograd.grad(loss.mean(), leaf)
        found.append(gradient)
    torch.testing.assert_close(*found, rtol=0, atol=0.003)
    best = (policy * gaps[:, 0]).sum(-1)
    later = torch.stack([0.9 * best[1] + 0.81 * best[2], 0.9 * best[2], torch.tensor(0.0)])
    leaf = logits[:, 0].clone().requires_grad_()
    (exact,) = torch.autograd.grad(-(leaf.softmax(-1) * (gaps[:, 0] + later[:, None])).sum() / n_steps, leaf)
    torch.testing.assert_close(found[1][:, 0], exact, rtol=0, atol=0.003)


@pytest.mark.parametrize("of", ["regret", "gaps"])
@pytest.mark.parametrize("returns", [GAE(0.9, 0.8), NStep(0.9, 2)])
def test_the_quick_path_learns_from_gaps_what_autograd_learns(of, returns):
    config = dataclasses.replace(SMALL, returns=dataclasses.replace(returns, of=of), batch_size=32)
    config = dataclasses.replace(config, network=GRU(5, value_unit=7.0), optimizer=RMSProp(1e-3))
    agent, rng = a2c.build(config), Streams([generator(config.seed)], 32)
    optimizer = config.optimizer.make(agent.parameters())
    for n in range(config.n_updates):
        rng.start()
        a2c._update(config, agent, optimizer, rng, n / config.n_updates)
    for found, plain in zip(a2c.train(config).parameters(), agent.parameters(), strict=True):
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)


def test_a_unit_of_values_multiplies_them_while_playing_and_in_answers():
    task = IndependentBandit(6, n_arms=3)
    one, ten = (a2c.build(dataclasses.replace(SMALL, network=GRU(5, value_unit=unit))) for unit in (1.0, 10.0))
    (played,), (again,) = (segments(task, agent, 3, generator()) for agent in (one, ten))
    torch.testing.assert_close(again.value, 10 * played.value)
    torch.testing.assert_close(again.logits, played.logits)
    torch.testing.assert_close(ten.sequence(again, ten.begin(3)).value, again.value)


@pytest.mark.parametrize("kind", [GRU, LSTM])
@pytest.mark.parametrize("initial", ["normal", "xavier"])
def test_weights_are_drawn_as_the_setting_says(kind, initial):
    agent = kind(64, initial=initial, n_layers=2).build((30,), 10, 5, discount=1.0)
    for cell in (agent.core, *agent.above):
        for of_hidden in cell.weight_hh.split(64):
            torch.testing.assert_close(of_hidden @ of_hidden.T, torch.eye(64), rtol=0, atol=1e-5)
        assert not cell.bias_ih.any() and not cell.bias_hh.any()
        n_inputs = cell.weight_ih.shape[1]
        sd = {"normal": 1.0, "xavier": math.sqrt(2 / (64 + n_inputs))}[initial]
        assert cell.weight_ih.std().item() == pytest.approx(sd, rel=0.05)
    assert agent.core.weight_ih.requires_grad


@pytest.mark.parametrize("kind", [GRU, LSTM])
def test_units_of_an_untrained_network_keep_what_they_hold_for_all_times_up_to_the_longest(kind):
    cell = kind(64, initial="normal", longest_memory=30.0).build((3,), 2, 5, discount=1.0).core
    kept = (cell.bias_ih + cell.bias_hh)[64:128].exp()
    assert 1 <= kept.min() < 4 and 27 < kept.max() <= 30 and kept.mean().item() == pytest.approx(15.5, rel=0.2)
    others = (cell.bias_ih + cell.bias_hh).detach()
    if kind is LSTM:
        torch.testing.assert_close(others[:64], -others[64:128])
    assert not others[128:].any() and (kind is LSTM or not others[:64].any())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: GRU(longest_memory=0.5), "longest_memory is 0.5; it must be at least 1"),
        (lambda: GAE(of="regrets"), r"of is 'regrets'; allowed are .*Did you mean 'regret'"),
        (lambda: NStep(of=""), "of is ''; allowed are"),
        (lambda: GRU(initial="glorot"), "initial is 'glorot'; allowed are"),
        (lambda: GRU(value_unit=0.0), "value_unit is 0.0; it must be above 0"),
        (lambda: LSTM(separate=True, value_unit=2.0), "value_unit is 2.0 and separate is true"),
        (lambda: replace(SMALL, ["separate=true"]), "of is 'gaps' and separate is true"),
        (lambda: a2c.Config(RestlessBandit(3), returns=GAE(of="regret")), "RestlessBandit does not say what each"),
        (lambda: ppo.Config(SMALL.task, returns=GAE(of="gaps")), "of is 'gaps', which a ratio of policies cannot use"),
    ],
)
def test_bad_settings_are_told_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)
