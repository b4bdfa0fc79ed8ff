"""Trust region policy optimisation: products with the Fisher matrix, steps within their bound, the same bits again."""

import dataclasses
import functools

import numpy as np
import pytest
import torch
from test_segments import Walk
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from neurometa import runs, settings
from neurometa.agents import GRU, LSTM, Apart
from neurometa.errors import InputError
from neurometa.policies import divergence
from neurometa.rollout import segments
from neurometa.tasks import IndependentBandit, RestlessBandit, TwoStep
from neurometa.training import GAE, Adam, curve, loop, natural, trpo
from neurometa.training.losses import mean

SMALL = trpo.Config(
    IndependentBandit(6, n_arms=3), Apart(GRU(5), GRU(4)), n_updates=4, batch_size=12, n_products=5, n_critic_epochs=1
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bits(agent):
    return {name: x.numpy().tobytes() for name, x in agent.state_dict().items()}


def trained(config, run=None):
    rows = []
    agent = trpo.train(config, run, progress=rows.append)
    return bits(agent), rows


@pytest.mark.parametrize("actor", [GRU(4), LSTM(3), LSTM(3, n_layers=2, learned_start=True)])
@pytest.mark.parametrize("task", [IndependentBandit(5, n_arms=3), Walk(3)])
def test_a_product_with_the_fisher_matrix_is_the_change_of_the_gradient_of_the_kl(actor, task):
    agent = trpo.build(trpo.Config(task, Apart(actor, GRU(3)))).actor
    (played,) = segments(task, agent, 6, generator())
    agent.double()
    played = dataclasses.replace(
        played, **{name: getattr(played, name).double() for name in ("observation", "reward", "action_before")}
    )
    played = dataclasses.replace(played, reward_before=played.reward_before.double())
    weights = [weight for weight in agent.parameters() if weight.requires_grad]
    answer = functools.partial(agent.sequence, played)
    here = parameters_to_vector(weights).detach()
    before = answer(agent.begin(6)).logits.detach()

    def slope(at):
        vector_to_parameters(at, weights)
        kl = mean(divergence(before, answer(agent.begin(6)).logits), played.valid)
        return torch.cat([x.flatten() for x in torch.autograd.grad(kl, weights)])

    vector = torch.randn(len(here), generator=generator(1), dtype=torch.float64)
    numeric = (slope(here + 1e-5 * vector) - slope(here - 1e-5 * vector)) / 2e-5
    vector_to_parameters(here, weights)
    product = natural.fisher(answer(agent.begin(6)).logits, weights, played.valid)
    torch.testing.assert_close(product(vector), numeric, rtol=1e-4, atol=1e-8)
    other = torch.randn(len(here), generator=generator(2), dtype=torch.float64)
    assert (other @ product(vector)).item() == pytest.approx((vector @ product(other)).item())
    assert (vector @ product(vector)).item() > 0


def test_conjugate_gradients_solve_what_a_solver_solves():
    root = torch.randn(6, 6, generator=generator(), dtype=torch.float64)
    matrix, target = root @ root.T + torch.eye(6), torch.randn(6, generator=generator(1), dtype=torch.float64)
    found = natural.conjugate_gradient(lambda x: matrix @ x, target, 6)
    torch.testing.assert_close(found, torch.linalg.solve(matrix, target))
    exact = natural.conjugate_gradient(lambda x: x, target, 50)  # stops where nothing is left
    torch.testing.assert_close(exact, target)


@pytest.mark.parametrize("bound", [1e-4, 0.01, 0.3])
def test_every_step_stays_within_its_bound_and_betters_what_was_played(bound):
    config = dataclasses.replace(SMALL, kl_bound=bound, n_updates=6)
    _, rows = trained(config)
    kl = np.array([row["kl"] for row in rows])
    stepped = np.array([row["no_step"] == 0 for row in rows])
    assert stepped.any()
    assert (kl <= 1.5 * bound).all()
    assert (kl[stepped] > bound / 100).all(), "steps are as long as they may be"
    assert all(row["gain"] > 0 for row in rows if not row["no_step"])


def test_the_kl_that_is_told_is_that_from_the_policy_that_played_to_the_new_one():
    agent = trpo.build(SMALL)
    (played,) = segments(SMALL.task, agent, 40, generator())
    advantage = torch.randn(played.action.shape, generator=generator(3))
    row = trpo._step(SMALL, agent, played, advantage, 0.0)
    after = agent.actor.sequence(played, agent.actor.begin(40)).logits.detach()
    assert float(mean(divergence(played.logits, after), played.valid)) == pytest.approx(row["kl"])
    assert 0 < row["kl"] <= SMALL.kl_bound


def test_a_search_that_finds_no_step_leaves_the_policy_and_says_so(monkeypatch):
    gain = trpo._gain
    monkeypatch.setattr(trpo, "_gain", lambda *args: gain(*args) if args[0].requires_grad else gain(*args) - 1)
    agent, before = trpo.build(SMALL), bits(trpo.build(SMALL).actor)
    rows = []
    agent = trpo.train(SMALL, progress=rows.append)
    assert [row["no_step"] for row in rows] == [1.0] * 4
    assert [row["kl"] for row in rows] == [0.0] * 4
    assert bits(agent.actor) == before
    assert bits(agent.critic) != bits(trpo.build(SMALL).critic)  # which goes on learning


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"network": Apart(LSTM(4, learned_start=True), LSTM(3, n_layers=2)), "fisher_share": 0.25},
        {"task": TwoStep(3, form="stages"), "returns": GAE(0.9, 0.5)},
        {"task": Walk(4)},
        {"returns": GAE(1.0, 1.0, of="regret")},
    ],
)
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, changes):
    config = dataclasses.replace(SMALL, **changes)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)

    class Stop(Exception):
        pass

    def stop(row):
        if row["update"] > 2:
            raise Stop

    with pytest.raises(Stop):
        trpo.train(config, tmp_path, progress=stop)
    whole = trained(config)
    assert trained(config, tmp_path) == (whole[0], whole[1][2:])
    assert curve.read(tmp_path) == whole[1]


def test_actor_and_critic_apart_answer_each_for_itself_in_a_loop_and_in_one_call(tmp_path):
    agent = trpo.build(SMALL)
    (played,) = segments(SMALL.task, agent, 5, generator(), log=("hidden",))
    answered = agent.sequence(played, agent.begin(5), ("hidden",))
    torch.testing.assert_close(answered.logits, played.logits)
    torch.testing.assert_close(answered.value, played.value)
    torch.testing.assert_close(answered.record["hidden"], played.record["hidden"])
    for name, own in (("logits", agent.actor), ("value", agent.critic)):
        alone = own.sequence(played, own.begin(5))
        torch.testing.assert_close(getattr(alone, name), getattr(answered, name))
    runs.train(SMALL, tmp_path / "run")
    assert runs.open_config(tmp_path / "run") == SMALL
    assert runs.evaluate(tmp_path / "run", n_episodes=3).hidden.sizes["unit"] == 5


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: trpo.Config(RestlessBandit(), GRU()), "network is GRU; TRPO fits its critic apart from the actor"),
        (lambda: settings.replace(SMALL, ["network.critic.recurrent=false"]), "The critic's recurrent is false"),
        (lambda: dataclasses.replace(SMALL, kl_bound=-1.0), "kl_bound is -1.0"),
        (lambda: dataclasses.replace(SMALL, n_products=0), "n_products is 0; it must be at least 1"),
        (lambda: dataclasses.replace(SMALL, fisher_share=0.0), "fisher_share is 0.0; it must be above 0 and at most 1"),
        (lambda: settings.replace(SMALL, ["of=gaps"]), "of is 'gaps', which a ratio of policies cannot use"),
    ],
)
def test_bad_settings_are_told_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_it_learns_a_bandit():
    network = Apart(GRU(24, initial="normal"), GRU(24))
    config = trpo.Config(IndependentBandit(10), network, n_updates=40, batch_size=128, critic_optimizer=Adam(1e-2))
    rows = trained(dataclasses.replace(config, returns=GAE(0.9, 0.9)))[1]
    assert sum(row["reward"] for row in rows[-10:]) / 10 > 0.55  # .5 by chance, .599 at best
