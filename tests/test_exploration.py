"""How arms are tried and left, and how far from Gittins indices on the same histories: by hand, and of the index."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import agents, behaviour, dataset, exact, rollout
from neurometa.errors import InputError
from neurometa.tasks import IndependentBandit


def by_hand():
    """Two episodes of three arms, the second with a missed trial; the first arm is best in both."""
    choice = np.array([[0, 0, 1, 1, 2, 1], [2, 2, -1, 0, 0, 0]])
    reward = np.array([[1, 0, 1, 1, 0, 1], [0, 0, np.nan, 1, 1, 0.0]])
    prob = np.broadcast_to([0.9, 0.5, 0.1], (2, 6, 3))
    dims = ("episode", "trial")
    return xr.Dataset(
        {"choice": (dims, choice), "reward": (dims, reward), "reward_prob": ((*dims, "arm"), prob.copy())}
    )


def test_arms_tried_and_left_are_those_that_one_counts_by_hand():
    found = behaviour.exploration(by_hand())
    assert found.n_tried.values[[0, 1, 3, 5]].tolist() == [1, 1, 2, 2.5]
    assert found.n_tried[2] == 2, "the second episode misses it"
    # left: arm 0 after 2 pulls and arm 2 after 1 of the first episode, arm 2 after 2 of the second
    assert found.n_left == 3 and found.p_left.sel(pulls=[1, 2, 3]).values.tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert found.best_left_mean == 0.5 and found.n_tried_total_mean == 2.5


def test_agreement_and_divergence_are_those_of_the_table_looked_up_trial_by_trial():
    trials = by_hand()
    rng = np.random.default_rng(0)
    trials["logits"] = (("episode", "trial", "option"), rng.normal(size=(2, 6, 3)))
    found, table = behaviour.exploration(trials), exact.gittins.finite_horizon(6)
    agreed, kl = [], []
    for episode in range(2):
        counts = np.zeros((3, 2), int)
        for t in range(6):
            choice, logits = int(trials.choice[episode, t]), trials.logits[episode, t].values
            index = [table[5 - counts.sum(), *seen] for seen in counts]
            best = [arm for arm in range(3) if index[arm] == max(index)]
            policy = np.exp(logits) / np.exp(logits).sum()
            if choice >= 0:
                agreed.append(choice in best)
                kl.append(-np.log(policy[best].sum()))
                counts[choice, 0 if trials.reward[episode, t] else 1] += 1
    each = np.array([0] * 6 + [1] * 5)
    assert found.agreement_mean == pytest.approx(np.mean([np.array(agreed)[each == i].mean() for i in (0, 1)]))
    assert found.kl_mean == pytest.approx(np.mean([np.array(kl)[each == i].mean() for i in (0, 1)]))


@pytest.mark.parametrize("discount", [None, 0.9])
def test_who_plays_an_index_agrees_with_it_always_and_with_another_less(discount):
    task = IndependentBandit(15, n_arms=4)
    agent = agents.Gittins(4, n_trials=15, discount=discount)
    played = rollout.to_dataset(task, rollout.unroll(task, agent, 60, torch.Generator().manual_seed(0)))
    found = behaviour.exploration(played, discount=discount)
    assert (found.agreement == 1).all() and found.kl_mean == pytest.approx(0, abs=1e-9)
    other = behaviour.exploration(played, discount=0.5)
    assert other.agreement_mean < 1 and other.agreement_interval.sel(bound="upper") < 1
    assert other.kl_mean == np.inf and other.kl_interval.isnull().all(), "it never does what the other would"


def test_the_command_saves_what_a_report_draws(tmp_path):
    dataset.save_run(by_hand().assign_attrs(created="now", seed=0), tmp_path / "run")
    code, out, err = neurometa("exploration", tmp_path / "run", "--json")
    assert (code, err) == (0, "") and json.loads(out)["mean"]["n_left"] == 3
    assert dataset.read(tmp_path / "run" / "exploration.nc").attrs["n_episodes"] == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: x.assign(reward=x.reward * 2), "A reward of a choice is neither 0 nor 1"),
        (lambda x: x.drop_vars("reward"), "no variable 'reward'"),
        (lambda x: x.expand_dims(agent=2), "ask of one agent at a time"),
    ],
)
def test_what_cannot_be_followed_is_told_in_one_sentence(change, told):
    with pytest.raises(InputError, match=told) as caught:
        behaviour.exploration(change(by_hand()))
    assert "\n" not in str(caught.value)
