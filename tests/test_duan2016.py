"""The bandits of Duan et al. 2016 as experiments: every cell, labelled by what trains it, at the same budget."""

import dataclasses

import pytest

from neurometa.experiments import EXPERIMENTS, duan2016
from neurometa.training import a2c, build, imitation
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
def test_what_goes_on_from_another_agent_says_so_and_finds_it_and_reward_alone_does_not(name):
    told, paid, taught = (EXPERIMENTS[f"{name}{end}"] for end in ("", "-reward", "-gittins"))
    assert told.config.start in told.about and not paid.config.start
    assert taught.config.start in taught.about
    for config in (told.config, taught.config):
        agent = begin(config)
        assert not all(x.equal(y) for x, y in zip(agent.parameters(), build(config).parameters(), strict=True))


@pytest.mark.parametrize("name", CELLS[:3])
def test_the_teacher_plays_ten_trials(name):
    config = dataclasses.replace(EXPERIMENTS[f"{name}-gittins"].config, n_updates=1, batch_size=2)
    config.check()
    assert imitation.train(config) is not None
