"""Lesions of agents that learn within an episode by weights, by activity or by a belief: what each leaves."""

import dataclasses

import pytest
import torch
from shell import neurometa

from neurometa import runs
from neurometa.agents import LSTM, Lesioned, Plastic, RandomChoice
from neurometa.errors import InputError
from neurometa.rollout import play
from neurometa.tasks import IndependentBandit
from neurometa.training import a2c, build, maml

BANDIT = maml.Config(
    IndependentBandit(9), Plastic((), adapt_after=4, baseline="others", step_sizes=(50.0,)), n_updates=1
)


def generator():
    return torch.Generator().manual_seed(0)


def logits(agent):
    """Policy of each trial in forty episodes; (trial, episode, option)."""
    return play(BANDIT.task, agent, 40, generator()).logits.isel(step=0).transpose("trial", "episode", "option").values


def test_frozen_weights_stay_those_of_the_start_and_the_intact_agent_leaves_them_after_the_step():
    agent = build(BANDIT)
    intact, frozen = logits(agent), logits(Lesioned(agent, "freeze"))
    assert (frozen == frozen[0, 0]).all() and (intact[:4] == frozen[:4]).all()
    assert (abs(intact[4:] - frozen[4:]).max((1, 2)) > 0.1).all()
    assert agent.settings.n_adaptations == 1


def test_without_rewards_an_inner_step_has_nothing_to_learn_from():
    agent = build(BANDIT)
    assert (logits(Lesioned(agent, "no-reward")) == logits(Lesioned(agent, "freeze"))).all()


def test_without_rewards_a_network_answers_as_if_none_had_been_paid():
    agent = build(a2c.Config(BANDIT.task, LSTM(6)))
    with torch.no_grad():
        for weight in agent.parameters():
            weight.normal_(0, 0.7)
    told, unpaid = torch.ones(3), torch.zeros(3)
    action, nothing = torch.eye(2)[[0, 1, 0]], torch.zeros(3, 0)
    cut = Lesioned(agent, "no-reward")
    answers = [x(nothing, action, told, x.begin(3)).logits for x in (cut, agent)]
    assert answers[0].equal(agent(nothing, action, unpaid, agent.begin(3)).logits)
    assert not answers[0].equal(answers[1])


def test_a_lesion_that_would_change_nothing_is_refused():
    with pytest.raises(InputError, match="LSTMAgent has no weights that change within an episode"):
        Lesioned(build(a2c.Config(BANDIT.task, LSTM(4))), "freeze")
    with pytest.raises(InputError, match="PlasticAgent has no hidden or cell state"):
        Lesioned(build(BANDIT), "reset")
    assert Lesioned(RandomChoice(), "no-reward").how == "no-reward"


def test_lesions_of_a_run_are_one_option_and_say_so_in_their_file(tmp_path):
    run = tmp_path / "run"
    runs.train(dataclasses.replace(BANDIT, batch_size=4), run, experiment="independent-maml")
    code, out, _ = neurometa("rollout", run, "--episodes", 4, "--lesion", "freeze")
    assert code == 0 and "lesion-freeze.nc" in out
    code, _, err = neurometa("rollout", run, "--episodes", 4, "--lesion", "freez")
    assert code == 2 and "Did you mean 'freeze'?" in err
