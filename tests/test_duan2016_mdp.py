"""The Markov decision processes of Duan et al. 2016 as experiments: taught by a planner, and by reward beside."""

import dataclasses

import pytest

from neurometa.experiments import EXPERIMENTS, duan2016_mdp
from neurometa.tasks import TabularMDP
from neurometa.training import a2c, imitation

NAMES = [f"rl2-mdp-{n}" for n in duan2016_mdp.N_UPDATES]


@pytest.mark.parametrize("name", NAMES)
def test_who_teaches_is_said_and_reward_alone_stands_beside_it(name):
    taught, paid = EXPERIMENTS[name], EXPERIMENTS[f"{name}-reward"]
    assert isinstance(taught.config, imitation.Config) and "the plan of BEB" in taught.about
    assert isinstance(paid.config, a2c.Config) and "reward alone" in paid.about
    assert paid.config.returns.of == "reward"
    assert paid.config.start == ("" if name == "rl2-mdp-10" else f"{taught.config.start}-reward")
    assert taught.config.task == paid.config.task == TabularMDP(int(name.rpartition("-")[2]), shows_last=True)
    before = EXPERIMENTS["rl2-mdp-10-beb"].config.budget if name == "rl2-mdp-10" else 0
    assert paid.config.budget == taught.config.budget + before


@pytest.mark.parametrize("name", NAMES)
def test_longer_episodes_go_on_from_the_network_of_shorter_ones(name):
    before = duan2016_mdp.BEFORE[int(name.rpartition("-")[2])]
    assert EXPERIMENTS[before].config.task.n_trials <= EXPERIMENTS[name].config.task.n_trials


def test_the_teacher_tells_what_the_network_has_room_for():
    config = dataclasses.replace(EXPERIMENTS["rl2-mdp-10-beb"].config, n_updates=1, batch_size=2)
    config.check()
    assert config.n_readouts == 50 and not config.start
