"""Proximal policy optimisation: its loss by hand, what segments and padding leave alone, and the same bits again."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_segments import Walk

from neurometa import runs, settings
from neurometa.agents import GRU, LSTM, Segment
from neurometa.errors import InputError
from neurometa.rollout import segments
from neurometa.tasks import IndependentBandit, RestlessBandit, RiskySafe, TwoStep
from neurometa.training import GAE, Adam, Linear, RMSProp, curve, loop, ppo

SMALL = ppo.Config(RestlessBandit(6), GRU(5), n_updates=5, batch_size=6, n_epochs=2, n_minibatches=2)


def bits(agent):
    return {name: x.numpy().tobytes() for name, x in agent.state_dict().items()}


def played(logits, action, valid=None):
    """A segment in which `action` was taken by a policy; (time, episode)."""
    none = torch.zeros(action.shape)
    kept = torch.ones(action.shape, dtype=torch.bool) if valid is None else valid
    start = (torch.zeros(action.shape[1], logits.shape[-1]), torch.zeros(action.shape[1]))
    return Segment(none[..., None], action, none, kept, logits, none, {}, {}, {}, *start)


@pytest.mark.parametrize(
    ("advantage", "prob", "expected", "pulls"),
    [
        (1.0, 0.55, -1.1, True),  # within the bounds: ratio times advantage
        (1.0, 0.75, -1.2, False),  # far enough already
        (-1.0, 0.25, 0.8, False),  # the same below
        (-1.0, 0.75, 1.5, True),  # gone the wrong way, and free to come back
    ],
)
def test_the_ratio_is_clipped_only_where_more_would_be_gained_by_it(advantage, prob, expected, pulls):
    logits = torch.tensor([[[prob, 1 - prob]]]).log().requires_grad_()
    here = played(torch.zeros(1, 1, 2), torch.zeros(1, 1, dtype=torch.int64))
    value = torch.tensor([[0.5]])
    total, terms = ppo.loss(logits, value, here, torch.tensor([[advantage]]), torch.tensor([[2.0]]), SMALL, 0.0)
    total.backward()
    entropy = -prob * math.log(prob) - (1 - prob) * math.log(1 - prob)
    assert terms["policy_loss"].item() == pytest.approx(expected, abs=1e-6)
    assert terms["value_loss"].item() == pytest.approx(0.5 * 1.5**2)
    assert terms["entropy"].item() == pytest.approx(entropy, abs=1e-6)
    assert terms["kl"].item() == pytest.approx(-0.5 * math.log(4 * prob * (1 - prob)), abs=1e-6)
    assert terms["clipped"].item() == float(abs(2 * prob - 1) > 0.2)
    assert total.item() == pytest.approx(expected + 0.5 * 0.5 * 1.5**2 - 0.01 * entropy, abs=1e-6)
    config = dataclasses.replace(SMALL, entropy_weight=0.0)
    again = logits.detach().requires_grad_()
    ppo.loss(again, value, here, torch.tensor([[advantage]]), torch.tensor([[2.0]]), config, 0.0)[0].backward()
    assert bool(again.grad.any()) == pulls


def test_the_first_gradient_is_the_policy_gradient():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 5, generator=rng)
    action, advantage = torch.randint(5, (4, 3), generator=rng), torch.randn(4, 3, generator=rng)
    here, none = played(logits.clone(), action), torch.zeros(4, 3)
    config = dataclasses.replace(SMALL, entropy_weight=0.0)
    logits.requires_grad_()
    ppo.loss(logits, none, here, advantage, none, config, 0.0)[0].backward()
    log_prob = torch.log_softmax(logits, -1).gather(-1, action[..., None])[..., 0]
    (plain,) = torch.autograd.grad(-(advantage * log_prob).mean(), logits)
    torch.testing.assert_close(logits.grad, plain)


def trained(config, run=None):
    rows = []
    agent = ppo.train(config, run, progress=rows.append)
    return bits(agent), rows


KINDS = [
    {},
    {"network": LSTM(4, n_layers=2, learned_start=True), "optimizer": RMSProp(1e-3), "segment_length": 4},
    {"task": TwoStep(3, form="stages"), "clip": Linear(0.2, 0.0), "returns": GAE(Linear(0.5, 0.9), 0.5)},
    {"task": RiskySafe(6, n_forced=2), "network": LSTM(4, separate=True)},
    {"task": Walk(5), "segment_length": 3},
]


@pytest.mark.parametrize("changes", KINDS)
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, changes):
    config = dataclasses.replace(SMALL, **changes)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)

    class Stop(Exception):
        pass

    def stop(row):
        if row["update"] > 2:
            raise Stop

    with pytest.raises(Stop):
        ppo.train(config, tmp_path, progress=stop)
    whole = trained(config)
    assert trained(config, tmp_path) == (whole[0], whole[1][2:])
    assert curve.read(tmp_path) == whole[1]
    assert whole[0] != bits(ppo.build(config))
    assert whole[0] != trained(dataclasses.replace(config, seed=1))[0]


@pytest.mark.parametrize("length", [1, 4, 6, 7])
@pytest.mark.parametrize("network", [GRU(5), LSTM(5, learned_start=True), LSTM(4, separate=True)])
def test_where_a_segment_ends_changes_nothing_that_is_answered(network, length):
    config = dataclasses.replace(SMALL, network=network, n_updates=1, optimizer=RMSProp(0.0))  # weights stay
    whole, cut = (trained(dataclasses.replace(config, segment_length=x))[1][0] for x in (None, length))
    for name in ("reward", *ppo.TERMS):
        weights = [length] * (6 // length) + [6 % length] * bool(6 % length)
        if len(set(weights)) == 1:  # a mean over segments of one length is the mean over steps
            assert cut[name] == pytest.approx(whole[name], abs=1e-6), name
    assert whole["kl"] == pytest.approx(0, abs=1e-6)
    if length >= 6:
        assert cut == whole


@given(st.integers(0, 2**31))
def test_padding_changes_nothing_in_the_loss(seed):
    rng = torch.Generator().manual_seed(seed)
    logits, before = torch.randn(2, 7, 3, 2, generator=rng)
    value, advantage, target = torch.randn(3, 7, 3, generator=rng)
    action, valid = torch.randint(2, (7, 3), generator=rng), torch.arange(7)[:, None].expand(-1, 3) < 5
    padded = ppo.loss(logits, value, played(before, action, valid), advantage, target, SMALL, 0.0)
    parts = [x[:5] for x in (logits, value, advantage, target)]
    alone = ppo.loss(*parts[:2], played(before[:5], action[:5]), *parts[2:], SMALL, 0.0)
    torch.testing.assert_close(padded, alone)


def test_some_episodes_of_a_segment_are_answered_as_among_all():
    agent = ppo.build(SMALL)
    first, second = segments(SMALL.task, agent, 6, torch.Generator().manual_seed(1), 3)
    some = torch.tensor([4, 0])
    for part in (first, second):
        all_of_them, these = agent.sequence(part, part.state), agent.sequence(part.of(some), part.of(some).state)
        torch.testing.assert_close(these.logits, all_of_them.logits[:, some])
        torch.testing.assert_close(part.of(some).logits, these.logits.detach())


def test_a_run_is_trained_saved_and_opened_like_any_other(tmp_path):
    runs.train(SMALL, tmp_path / "run", resume=False)
    assert runs.open_config(tmp_path / "run") == SMALL
    trials = runs.evaluate(tmp_path / "run", n_episodes=3)
    assert trials.attrs["budget"] == SMALL.budget == 5 * 6 * 6
    assert settings.replace(SMALL, ["segment_length=3", "clip=0.2:0.1", "gae_lambda=0.3"]).returns.gae_lambda == 0.3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"clip": -0.1}, "clip is -0.1; it must be at least 0"),
        ({"n_epochs": 0}, "n_epochs is 0; it must be at least 1"),
        ({"n_minibatches": 0}, "n_minibatches is 0; it must be at least 1"),
        ({"n_minibatches": 7}, "n_minibatches is 7; there are no more than the batch's 6 episodes"),
        ({"segment_length": 0}, "segment_length is 0; it must be at least 1"),
        ({"value_weight": math.inf}, "value_weight is inf"),
        ({"entropy_weight": Linear(0.1, -0.1)}, "entropy_weight is -0.1"),
    ],
)
def test_a_bad_setting_is_told_in_one_sentence(changes, told):
    with pytest.raises(InputError, match=told) as caught:
        dataclasses.replace(SMALL, **changes)
    assert "\n" not in str(caught.value)


def test_a_training_that_diverges_says_when():
    with pytest.raises(loop.DivergedError, match="Training diverged at update 1: the gradient is not finite"):
        ppo.train(settings.replace(SMALL, ["step_size=1e30"]))


@pytest.mark.slow
def test_it_learns_a_bandit():
    config = ppo.Config(IndependentBandit(10), GRU(24), optimizer=Adam(1e-2), n_updates=60, batch_size=128)
    rows = trained(config)[1]
    assert sum(row["reward"] for row in rows[-20:]) / 20 > 0.56  # .5 by chance, .599 at best
