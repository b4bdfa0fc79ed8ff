"""The bandits of Duan et al. 2016 as experiments: every cell, labelled by what trains it, at the same budget."""

import dataclasses

import pytest

from neurometa.experiments import EXPERIMENTS, duan2016
from neurometa.training import a2c, build, imitation, trpo
from neurometa.training.config import begin

CELLS = [f"rl2-bandit-{n}-{k}" for n in duan2016.N_TRIALS for k in duan2016.N_ARMS]


@pytest.mark.parametrize("name", CELLS)
def test_what_only_a_simulator_tells_is_labelled_and_has_reward_alone_beside_it_at_the_same_budget(name):
    told, paid, taught = (EXPERIMENTS[f"{name}{end}"] for end in ("", "-reward", "-gittins"))
    assert told.config.returns.of == "gaps" and "simulator" in told.about
    assert paid.config.returns.of == "reward" and "reward alone" in paid.about
    assert paid.config.budget == told.config.budget
    same = dataclasses.replace(paid.config.returns, of="gaps")
    assert same == told.config.returns
    assert isinstance(taught.config, imitation.Config) and "imitation" in taught.about
    assert told.config.task == paid.config.task == taught.config.task
    assert isinstance(told.config, a2c.Config)


@pytest.mark.parametrize("name", [name for name in CELLS if name.startswith("rl2-bandit-500")])
def test_what_goes_on_from_another_agent_says_so_and_finds_it(name):
    told, paid, taught = (EXPERIMENTS[f"{name}{end}"] for end in ("", "-reward", "-gittins"))
    assert all(each.config.start and each.config.start in each.about for each in (told, paid, taught))
    assert paid.config.start.endswith("-reward")
    for config in (told.config, taught.config):
        agent = begin(config)
        assert not all(x.equal(y) for x, y in zip(agent.parameters(), build(config).parameters(), strict=True))


@pytest.mark.parametrize("name", CELLS[:3])
def test_the_teacher_plays_ten_trials(name):
    config = dataclasses.replace(EXPERIMENTS[f"{name}-gittins"].config, n_updates=1, batch_size=2)
    config.check()
    assert imitation.train(config) is not None


@pytest.mark.parametrize("name", CELLS)
def test_the_papers_own_settings_are_a_quarter_of_a_million_steps_an_update(name):
    found = EXPERIMENTS[f"{name}-duan"]
    config = found.config
    assert isinstance(config, trpo.Config) and config.batch_size * config.n_steps == 250_000
    assert config.budget == 250_000_000 and "250 M" in found.about
    assert config.network.actor.n_units == config.network.critic.n_units == 256
    assert (config.returns.discount, config.returns.gae_lambda, config.kl_bound) == (0.99, 0.3, 0.01)


@pytest.mark.slow
def test_the_papers_own_settings_take_steps_within_their_bound():
    config = EXPERIMENTS["rl2-bandit-10-5-duan"].config
    small = dataclasses.replace(config.network.actor, n_units=6)
    apart = dataclasses.replace(config.network, actor=small, critic=small)
    rows = []
    trpo.train(dataclasses.replace(config, network=apart, n_updates=2, batch_size=8), progress=rows.append)
    assert len(rows) == 2 and all(0 <= row["kl"] <= 0.01 for row in rows)
    assert any(row["no_step"] == 0 for row in rows)
