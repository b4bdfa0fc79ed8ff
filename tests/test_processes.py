"""What a learner of Markov decision processes must remember: against planners, which count for themselves."""

import numpy as np
import pytest
import torch

from neurometa import agents, behaviour, neural, rollout
from neurometa.behaviour import processes
from neurometa.errors import InputError
from neurometa.tasks import IndependentBandit, TabularMDP

TASK = TabularMDP(5, n_states=3, n_actions=2, horizon=4)
PLANNER = agents.GreedyPlanner(3, 2, horizon=4)


@pytest.fixture(scope="module")
def trials():
    played = rollout.unroll(TASK, agents.RandomChoice(2), 40, torch.Generator().manual_seed(3))
    return rollout.to_dataset(TASK, played, observation=True)


@pytest.fixture(scope="module")
def replayed(trials):
    """What a planner made of the same trials, and what it had counted before the last of them."""
    whole = rollout.segment(rollout.from_dataset(TASK, trials), PLANNER)
    return PLANNER.sequence(whole, PLANNER.begin(40))


def test_counts_before_a_trial_are_those_that_a_planner_has_then(trials, replayed):
    counted = processes.process_counts(trials).isel(trial=-1)
    np.testing.assert_array_equal(counted.visits, replayed.state["visits"])
    np.testing.assert_array_equal(counted.transitions, replayed.state["counts"])
    np.testing.assert_allclose(counted.earned, replayed.state["earned"], rtol=1e-5, atol=1e-5)
    assert not processes.process_counts(trials).isel(trial=0).to_array().any()
    assert counted.visits.sum() == 40 * 4 * 4 and counted.transitions.sum() == 40 * 4 * 3


def test_the_best_action_by_the_posterior_mean_is_what_a_greedy_planner_takes(trials, replayed):
    counted = processes.process_counts(trials)
    best = processes.best_action(counted, 4)
    first = replayed.logits[::4].argmax(-1).T.numpy()
    assert (best[:, 0] == "").all() and (best[:, 1:] == first[:, 1:].astype(str)).mean() > 0.99
    expected = (1 + counted.earned) / (1 + counted.visits)
    np.testing.assert_allclose(processes.posterior_rewards(counted), expected)


def test_targets_of_a_process_are_named_by_state_and_action_and_can_be_decoded(trials):
    several = behaviour.targets(trials, ("visits", "posterior-rewards"))
    assert several.sizes == {"target": 12, "episode": 40, "trial": 5}
    assert str(several.target.values[1]) == "visits, state 0, action 1"
    assert behaviour.targets(trials).sizes["target"] == 6
    one = behaviour.targets(trials, ("transitions",)).sel(target="transitions, state 2, action 0, to state 1")
    np.testing.assert_array_equal(one, processes.process_counts(trials).transitions[:, :, 2, 0, 1])
    unit = several.isel(target=slice(0, 6)).rename(target="unit").drop_vars("unit")
    found = neural.decode(unit, several.isel(target=[1]))
    assert found.r_squared.item() > 0.999  # from the counts themselves
    best = behaviour.targets(trials, ("best-action-2",))
    assert set(np.unique(best.values)) == {"", "0", "1"}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("visit",), r"There is no target 'visit'.*Did you mean 'visits'"),
        (("visits", "best"), "There is no target 'best' beside posterior-rewards, visits, transitions; read it"),
        (("best-action-x",), "There is no target 'best-action-x'; write the number of a state"),
        (("best-action-7",), "state is 7; there are 0 to 2"),
        (("best-action-0", "visits"), "a category is read on its own"),
    ],
)
def test_a_target_that_is_not_there_is_told_in_one_sentence(trials, names, told):
    with pytest.raises(InputError, match=told) as caught:
        behaviour.targets(trials, names)
    assert "\n" not in str(caught.value)


def test_counts_are_asked_of_processes_alone():
    bandit = rollout.play(IndependentBandit(3), agents.RandomChoice(2), 4, torch.Generator().manual_seed(3))
    with pytest.raises(InputError, match="visited_state"):
        processes.process_counts(bandit)
