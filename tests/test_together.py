"""Many networks side by side: each plays and learns as it does alone, by hand as by autograd, to the last bit."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from test_training import exact_gradients, network, replay

from neurometa.agents import GRU, LSTM, RecurrentAgent, SeparateActorCritic
from neurometa.errors import InputError
from neurometa.rollout import unroll
from neurometa.settings import replace
from neurometa.streams import Streams
from neurometa.tasks import (
    Fixation,
    Foraging,
    Harlow,
    IndependentBandit,
    InformativeBandit,
    RestlessBandit,
    RiskySafe,
    TwoStep,
    Volatility,
)
from neurometa.training import Adam, RMSProp, a2c, checkpoint, curve, loop
from neurometa.training.together import COMPILED, Together

SMALL = a2c.Config(RestlessBandit(6), LSTM(5), optimizer=Adam(1e-2), n_updates=5, batch_size=3)
SEEDS = (5, 6)


def streams(seeds, batch_size):
    return Streams([torch.Generator().manual_seed(seed) for seed in seeds], batch_size)


def separate(task, n_units, *, learned_start=False, seed=0):
    """The same as `network`, of actor and critic apart."""
    torch.manual_seed(seed)
    sizes = (task.n_features, task.n_actions, task.n_trials * len(task.steps))
    agent = SeparateActorCritic(
        *sizes,
        reward_levels=task.reward_levels,
        n_units=n_units,
        learned_start=learned_start,
        discount=0.3 + 0.1 * seed,
    )
    with torch.no_grad():
        for name, weight in agent.named_parameters():
            if learned_start or "start" not in name:
                weight.normal_(0, 0.5)
    return agent


def gru(task, n_units, *, learned_start=False, seed=0):
    """The same as `network`, of gated recurrent units."""
    torch.manual_seed(seed)
    agent = RecurrentAgent(
        task.observation_shape,
        task.n_actions,
        task.n_steps,
        core="gru",
        reward_levels=task.reward_levels,
        n_units=n_units,
        learned_start=learned_start,
    )
    with torch.no_grad():
        for name, weight in agent.named_parameters():
            if learned_start or "start" not in name:
                weight.normal_(0, 0.5)
    return agent


def own(played, n_each):
    """Time first, and the first episodes only, without the idle ones."""
    names = ("action", "reward", "observation", "value", "logits")
    return {name: played[name][:, :, :n_each] for name in names}


KINDS = [
    (network, RestlessBandit(12), 1, 1),
    (network, RestlessBandit(12), 5, 7),
    (network, IndependentBandit(12, n_arms=4), 1, COMPILED),
    (network, IndependentBandit(12), 48, COMPILED + 1),
    (network, IndependentBandit(40), 8, 100),  # two groups of steps in the weights' gradient
    (network, InformativeBandit(), 5, 1),
    (gru, RestlessBandit(12), 5, 7),
    (gru, IndependentBandit(12, n_arms=4), 1, 1),
    (gru, TwoStep(5, form="stages"), 16, COMPILED + 1),
    (gru, IndependentBandit(40), 8, 100),
    (separate, RestlessBandit(7), 6, 9),
    (separate, RiskySafe(6, n_forced=2), 6, 1),
    (separate, InformativeBandit(), 6, COMPILED + 1),
]


@pytest.mark.parametrize(("make", "task", "n_units", "n_each"), KINDS)
@pytest.mark.parametrize("learned_start", [False, True])
def test_each_plays_as_its_agent_does_and_has_the_gradient_that_autograd_finds(
    make, task, n_units, n_each, learned_start
):
    if len(task.steps) > 1 and make is network:
        pytest.skip("the helper makes agents for one step per trial")
    agents = [make(task, n_units, learned_start=learned_start, seed=seed) for seed in SEEDS]
    together = Together(agents, n_each, "rmsprop")
    for seed in (9, 1):  # what was played before leaves no trace
        who, rng = np.arange(2), streams((seed, *SEEDS[1:]), n_each)
        action, reward, seen, gaps = together.play(task, rng, who)
        assert gaps is None
        logits, value = together.answers()
        _loss(logits, value, n_each).backward()
        for part in together.parts:
            part.differentiate(who)
    for n, (agent, seed) in enumerate(zip(agents, (1, *SEEDS[1:]), strict=True)):
        alone = streams((seed,), n_each)
        played = own(unroll(task, agent, alone.n_episodes, alone), n_each)
        here = slice(n * n_each, (n + 1) * n_each)
        assert action[:, here].equal(played["action"].flatten(0, 1))
        assert reward[:, here].equal(played["reward"].flatten(0, 1))
        assert seen[:, here].equal(played["observation"].flatten(0, 1))
        torch.testing.assert_close(logits[:, here].detach(), played["logits"].flatten(0, 1), rtol=0, atol=1e-5)
        torch.testing.assert_close(value[:, here].detach(), played["value"].flatten(0, 1), rtol=0, atol=1e-5)
        exact = exact_gradients(agent, played, _loss)
        by_hand = _gradients(together, n)
        assert exact.keys() <= by_hand.keys()
        for name, gradient in exact.items():
            assert (by_hand[name] - gradient).abs().max() <= 1e-4 * max(gradient.abs().max(), 1e-6), name


def _loss(logits, value, n_each=None):
    """A loss in which every output counts, and counts differently, the same for each network."""
    log_policy = torch.log_softmax(logits, -1)
    rng = torch.Generator().manual_seed(0)
    n_each = n_each or logits.shape[1]
    of_policy = torch.randn(len(logits), n_each, logits.shape[2], generator=rng).to(logits)
    of_value = torch.randn(len(logits), n_each, generator=rng).to(logits)
    total = 0.0
    for first in range(0, logits.shape[1] - n_each + 1, n_each):
        here = slice(first, first + n_each)
        total = total + (of_policy * log_policy[:, here]).sum() + (of_value * value[:, here].square()).sum()
    return total


def _gradients(together, n):
    """Gradient of network n, by the names of its agent's parameters."""
    for part in together.parts:
        part.parameters, part.gradient = part.gradient, part.parameters
    agent, _ = together.unload(n)
    found = {name: weight.detach().clone() for name, weight in agent.named_parameters()}
    for part in together.parts:
        part.parameters, part.gradient = part.gradient, part.parameters
    together.unload(n)
    return found


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("settings", [["learned_start=true", "returns=gae", "gae_lambda=0.8"], ["inputs=action,time"]])
def test_one_of_many_learns_what_plain_autograd_learns(optimizer, batch_size, settings):
    how = [f"optimizer={optimizer}", "step_size=0.01:0.001", "epsilon=0.001", "max_grad_norm=0.05"]
    config = replace(SMALL, [f"batch_size={batch_size}", *how, *settings])
    agent, rng = a2c.build(config), streams((config.seed,), batch_size)
    optimizer = config.optimizer.make(agent.parameters())
    for update in range(config.n_updates):
        rng.start()
        played = own(unroll(config.task, agent, rng.n_episodes, rng), batch_size)
        action, reward = played["action"].flatten(0, 1), played["reward"].flatten(0, 1)
        share = update / config.n_updates
        optimizer.zero_grad()
        a2c.loss(*replay(agent, played), action, reward, config, share)[0].backward()
        torch.nn.utils.clip_grad_norm_(agent.parameters(), config.optimizer.max_grad_norm)
        optimizer.param_groups[0]["lr"] = 1e-2 + (1e-3 - 1e-2) * share
        optimizer.step()
    others = [replace(config, ["seed=3", "discount=0.1"]), replace(config, ["seed=4", "step_size=0.1"])]
    _, many, _ = a2c.train_together([others[0], config, others[1]], [None] * 3)
    for (name, plain), quick in zip(agent.named_parameters(), many.parameters(), strict=True):
        torch.testing.assert_close(quick, plain, rtol=0, atol=1e-5, msg=name)


def bits(agent):
    return {name: x.numpy().tobytes() for name, x in agent.state_dict().items()}


W18 = a2c.Config(
    Fixation(TwoStep(5, form="stages")), LSTM(9, ("observation", "action", "reward"), learned_start=True), n_updates=4
)
ROWS = [
    SMALL,
    replace(SMALL, ["optimizer=rmsprop"]),
    replace(SMALL, ["learned_start=true", "returns=gae", "gae_lambda=0.5"]),
    replace(SMALL, ["inputs=action,time", "horizon=2"]),
    replace(SMALL, ["noise_sd=0.3", "gain=0.5", "delay=1"]),
    dataclasses.replace(SMALL, network=GRU(5, learned_start=True)),
    dataclasses.replace(SMALL, task=RiskySafe(6, n_forced=2), network=LSTM(5, separate=True)),
    dataclasses.replace(SMALL, task=Fixation(Foraging(7))),
    dataclasses.replace(SMALL, task=Volatility(5)),
    dataclasses.replace(SMALL, task=Harlow(2, partner="new")),
    dataclasses.replace(SMALL, task=InformativeBandit()),
    replace(SMALL, ["n_units=48"]),
]


@pytest.mark.parametrize("config", ROWS)
@pytest.mark.parametrize("batch_size", [1, 32, COMPILED + 6])
def test_company_makes_no_difference_to_the_bit(config, batch_size):
    config = dataclasses.replace(config, batch_size=batch_size, n_updates=3)
    different = itertools.cycle([1e-3, 3e-2, 0.1])
    rows = [
        replace(
            dataclasses.replace(config, seed=seed, entropy_weight=0.02 * seed, value_weight=0.3 * seed),
            [f"step_size={next(different)}", f"discount={0.1 * seed}:0.9"],
        )
        for seed in range(4)
    ]
    alone = [[], []]
    first, last = a2c.train(rows[1], progress=alone[0].append), a2c.train(rows[3], progress=alone[1].append)
    curves = []
    together = a2c.train_together(rows, [None] * 4, progress=curves.append)
    assert bits(together[1]) == bits(first)
    assert bits(together[3]) == bits(last)
    assert [[row[n] for row in curves] for n in (1, 3)] == alone
    assert bits(first) != bits(last)


def test_one_that_diverges_is_told_and_harms_no_other():
    rows = [dataclasses.replace(W18, batch_size=2, seed=seed) for seed in range(3)]
    rows[1] = replace(rows[1], ["step_size=1e30"])
    told = []
    first, wild, last = a2c.train_together(rows, [None] * 3, progress=told.append)
    assert isinstance(wild, a2c.DivergedError)
    assert "Training diverged at update 2: the gradient is not finite" in str(wild)
    assert bits(first) == bits(a2c.train(rows[0]))
    assert bits(last) == bits(a2c.train(rows[2]))
    assert [sorted(rows) for rows in told] == [[0, 1, 2], [0, 2], [0, 2], [0, 2]]


@pytest.mark.parametrize("optimizer", [Adam(), RMSProp()])
def test_rows_that_were_interrupted_at_different_updates_go_on_to_the_same_bits(tmp_path, monkeypatch, optimizer):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    monkeypatch.setattr(loop, "SHARE_OF_CHECKPOINTS", 1e9)
    rows = [dataclasses.replace(W18, batch_size=1, seed=seed, optimizer=optimizer, n_updates=6) for seed in range(3)]
    folders = [tmp_path / str(n) for n in range(3)]

    class Stop(Exception):
        pass

    for stop_at, some in ((2, [0, 1]), (4, [1])):

        def stop(told, stop_at=stop_at):
            if max(row["update"] for row in told.values()) > stop_at:
                raise Stop

        with pytest.raises(Stop):
            a2c.train_together([rows[n] for n in some], [folders[n] for n in some], progress=stop)
    started = {}
    agents = a2c.train_together(rows, folders, progress=lambda told: started.update({**told, **started}))
    assert [started[n]["update"] for n in range(3)] == [3, 5, 1]
    whole = a2c.train_together(rows, [None] * 3)
    assert [bits(agent) for agent in agents] == [bits(agent) for agent in whole]
    for folder in folders:
        assert [row["update"] for row in curve.read(folder)] == [1, 2, 3, 4, 5, 6]
        assert (folder / checkpoint.CHECKPOINT).exists()  # goes once the weights are written, by `runs`
    other = RMSProp() if optimizer == Adam() else Adam()
    with pytest.raises(InputError, match=r"is no checkpoint of this training \(its optimiser was another\)"):
        a2c.train(dataclasses.replace(rows[1], optimizer=other, n_updates=9), folders[1])


@pytest.mark.parametrize("setting", ["n_units=6", "n_trials=7", "returns=gae", "batch_size=2", "inputs=action"])
def test_rows_of_different_shapes_are_refused_in_a_sentence(setting):
    with pytest.raises(InputError, match="not of one shape, so that they cannot be trained together") as caught:
        a2c.train_together([SMALL, replace(SMALL, [setting])], [None] * 2)
    assert "\n" not in str(caught.value)


def test_what_a_gru_lacks_stays_zero_and_its_weights_go_in_and_out_as_they_are():
    agent = gru(TwoStep(5, form="stages"), 6, learned_start=True)
    together, before = Together([agent], 3, Adam), bits(agent)
    assert bits(together.unload(0)[0]) == before
    (part,), who = together.parts, np.arange(1)
    lacking = part.weight[0] == 0
    assert lacking.sum() == 6 * (6 + agent.n_inputs + 2)
    rng = streams((1,), 3)
    for done in range(3):
        together.play(TwoStep(5, form="stages"), rng, who)
        _loss(*together.answers()).backward()
        together.learn(who, [Adam(1.0)], np.full(1, done), np.zeros(1))
    assert not part.weight[0][lacking].any()
    assert part.weight[0][~lacking].all()
    assert bits(together.unload(0)[0]) != before


def test_a_network_without_memory_is_trained_by_itself():
    config = replace(SMALL, ["recurrent=false"])
    assert a2c.company(config) is None
    with pytest.raises(InputError, match="must be recurrent"):
        a2c.train_together([config], [None])
    assert bits(a2c.train(config)) != bits(a2c.build(config))
