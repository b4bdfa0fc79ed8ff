"""A belief in a dataset: its updates in closed form, and its distance from the exact posterior."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import agents, dataset, exact, neural, rollout
from neurometa.errors import InputError
from neurometa.tasks import Gridworld


def sweeping(n_episodes=30):
    """Trials of the Bayes-optimal agent, whose exact belief is taken for what a decoder predicts."""
    rng = torch.Generator().manual_seed(0)
    trials = rollout.play(Gridworld(), agents.SweepingGridworld(), n_episodes, rng, log=("belief",))
    trials["predicted_reward"] = trials.belief.rename(cell="query")
    return trials


def chain(mean, logvar, **sizes):
    """One latent and one episode whose beliefs follow one another, over trials and steps."""
    shape = (1, *sizes.values(), 1)
    dims = ("episode", *sizes, "latent")
    return xr.Dataset(
        {"latent_mean": (dims, np.reshape(mean, shape)), "latent_logvar": (dims, np.reshape(logvar, shape))}
    )


def test_updates_are_the_divergences_of_torch_across_steps_and_trials():
    mean, logvar = np.random.default_rng(0).normal(size=(2, 6))
    found = neural.belief_update(chain(mean, logvar, trial=2, step=3)).values.ravel()
    each = [torch.distributions.Normal(m, np.exp(v / 2)) for m, v in zip(mean, logvar, strict=True)]
    expected = [float(torch.distributions.kl_divergence(each[t], each[t - 1])) for t in range(1, 6)]
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], expected, rtol=1e-5)


def test_a_belief_that_does_not_change_is_not_updated():
    assert (
        neural.belief_update(chain(np.full(6, 0.3), np.full(6, -1.0), trial=2, step=3)).values.ravel()[1:] == 0
    ).all()


def test_the_exact_posterior_is_at_no_distance_from_itself_and_a_uniform_belief_where_it_should_be():
    trials = sweeping()
    found = neural.total_variation(trials)
    assert float(found.total_variation.max()) < 1e-5
    uniform = trials.assign(predicted_reward=xr.full_like(trials.predicted_reward, 0.3))
    again = neural.total_variation(uniform)
    xr.testing.assert_allclose(again.total_variation, again.never_updating.rename("total_variation"))
    first = again.never_updating.isel(trial=0).max("episode").values  # k cells seen: k of 21 goals are no more
    np.testing.assert_allclose(first, [0, 0, *np.arange(1, 14) / 21], atol=1e-9)


def test_distances_are_nan_once_the_goal_is_known():
    trials = sweeping()
    known = (trials.belief.max("cell") > 0.999).transpose("episode", "trial", "step")
    assert (np.isnan(neural.total_variation(trials).total_variation) == known).all() and known.any()


def test_a_belief_is_decoded_as_activity_is(tmp_path):
    """The goal can be read from the exact belief once it is found, which stands for predicted rewards and a latent."""
    trials = sweeping(200)
    belief = trials.predicted_reward.transpose("episode", "trial", "step", "query")
    units = neural.hidden_state(trials, "predicted_reward", step="step 15")
    assert set(units.dims) == {"episode", "trial", "unit"} and units.sizes["unit"] == 25
    np.testing.assert_array_equal(units.transpose("episode", "trial", "unit"), belief.isel(step=-1))
    goal = trials.goal_cell.astype(float)
    found = neural.decode(units.isel(trial=-1), goal.isel(trial=-1) if "trial" in goal.dims else goal)
    assert float(found.r_squared) > 0.9
    latent = belief.rename(query="latent")
    dataset.save_run(trials.assign(latent_mean=latent), tmp_path)
    how = ("--activity", "latent_mean", "--step", "step 15", "--target", "goal_cell", "--permutations", "0", "--json")
    code, out, err = neurometa("decode", tmp_path, *how)
    assert (code, err) == (0, ""), err
    assert json.loads(out)


def test_the_summary_counts_its_episodes():
    trials = sweeping(8)
    latent = xr.zeros_like(trials.value).expand_dims(latent=2)
    found = neural.belief(trials.assign(latent_mean=latent, latent_logvar=latent))
    assert int(found.n[0, 0]) == 0 and (found.n.values.ravel()[1:] == 8).all()
    assert int(found.n_unknown[0, 0]) == 8 and int(found.n_unknown[-1, -1]) == 0
    assert float(found.belief_update.max()) == 0


def test_the_command_saves_and_says_the_belief(tmp_path):
    trials = sweeping(8)
    latent = xr.zeros_like(trials.value).expand_dims(latent=2)
    dataset.save_run(trials.assign(latent_mean=latent, latent_logvar=latent), tmp_path)
    code, out, err = neurometa("belief", tmp_path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["mean"]["total_variation"] == pytest.approx(0, abs=1e-5)
    assert (tmp_path / "belief.nc").exists()


def test_bad_input_is_told_in_a_sentence():
    with pytest.raises(InputError, match="no variable 'latent_mean'"):
        neural.belief(dataset.example(n_episodes=2))
    with pytest.raises(InputError, match="has 24 queries; the gridworld has 25 cells"):
        neural.total_variation(sweeping(2).isel(query=slice(24)))
    assert exact.gridworld.N_CELLS == 25
