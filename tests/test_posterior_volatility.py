"""What an ideal observer believes of the volatility: the same for agents and animals, whichever arm they take."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neurometa import behaviour, dataset
from neurometa.agents import VolatilityObserver
from neurometa.errors import InputError
from neurometa.rollout import to_dataset, unroll
from neurometa.tasks import Volatility


def some_trials(n_episodes=4, n_trials=5, seed=0):
    rng = np.random.default_rng(seed)
    shape = n_episodes, n_trials
    choice = rng.integers(0, 2, shape).astype("int8")
    reward = rng.integers(0, 2, shape) * rng.uniform(0.1, 1, shape)
    dims = ("episode", "trial")
    return xr.Dataset({"choice": (dims, choice, {"n_options": 2}), "reward": (dims, reward)})


def test_it_is_what_the_observer_as_an_agent_infers():
    task, rng = Volatility(), torch.Generator().manual_seed(0)
    played = unroll(task, VolatilityObserver(), 20, rng, log=("posterior_volatility",))
    inferred = behaviour.posterior_volatility(to_dataset(task, played))
    np.testing.assert_allclose(inferred.transpose("trial", "episode"), played["posterior_volatility"][:, 0], atol=1e-5)


def test_it_is_the_sum_over_every_history_of_a_world_with_missed_trials():
    trials = some_trials()
    trials["choice"] = trials.choice.where(trials.trial != 1, -1).astype("int8").assign_attrs(n_options=2)
    switch, prob = 0.1, np.array([[0.25, 0.75], [0.0, 1.0]])
    found = behaviour.posterior_volatility(trials, log_switch=(np.log(switch),) * 2, prob=prob.tolist())
    states = list(itertools.product(range(2), repeat=2))
    for episode, (chosen, earned) in enumerate(zip(trials.choice.values, trials.reward.values, strict=True)):
        total, fast = 0.0, 0.0
        for path in itertools.product(states, repeat=5):
            chance = 1.0
            for trial, ((v, side), (next_v, next_side)) in enumerate(itertools.pairwise(path)):
                swap = 0.2 if v else 0.0
                chance *= (switch if next_v != v else 1 - switch) * (swap if next_side != side else 1 - swap)
                if chosen[trial] >= 0:
                    chance *= prob[v, side] if (chosen[trial] == 0) == (earned[trial] > 0) else 1 - prob[v, side]
            total += chance
            fast += 0.2 * chance * path[-1][0]
        assert found[episode, 4].item() == pytest.approx(fast / total, abs=1e-12)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_it_does_not_matter_which_arm_told_of_the_world(seed):
    trials = some_trials(seed=seed, n_trials=30)
    other = trials.assign(
        choice=(1 - trials.choice).assign_attrs(n_options=2), reward=(trials.reward == 0).astype(float)
    )
    xr.testing.assert_allclose(behaviour.posterior_volatility(trials), behaviour.posterior_volatility(other))


def test_outcomes_that_alternate_speak_for_volatility_and_steady_ones_against_it():
    reward = np.stack([np.arange(40) // 4 % 2, np.arange(40) % 4 > 0]).astype(float)  # swaps; and pays at .75
    choice = xr.DataArray(np.zeros((2, 40), "int8"), dims=("episode", "trial"), attrs={"n_options": 2})
    trials = xr.Dataset({"choice": choice, "reward": (("episode", "trial"), reward)})
    swapped, steady = behaviour.posterior_volatility(trials)[:, -1].values
    assert swapped > 0.15 > 0.02 > steady


def test_other_dims_pass_through_and_padding_is_not_a_number():
    trials = some_trials(n_trials=8)
    valid = xr.DataArray(np.arange(8) < 6, dims="trial")
    both = xr.concat([trials, trials.isel(episode=slice(None, None, -1))], "agent").transpose("trial", ...)
    both["choice"].attrs["n_options"] = 2
    found = behaviour.posterior_volatility(both.assign(valid=valid.broadcast_like(both.choice)))
    assert found.dims == both.choice.dims
    assert found.isel(trial=slice(6, None)).isnull().all()
    alone = behaviour.posterior_volatility(trials).isel(trial=slice(6))
    xr.testing.assert_allclose(found.isel(agent=0, trial=slice(6)).transpose("episode", "trial"), alone)


def test_a_decoder_can_be_asked_for_it():
    trials = some_trials()
    target = behaviour.targets(trials, ["posterior-volatility"])
    assert list(target.target.values) == ["posterior volatility"]
    np.testing.assert_allclose(target[0], behaviour.posterior_volatility(trials))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fast": 0.0}, "fast is 0.0; it must lie"),
        ({"log_switch": (-3.0, -4.0)}, "its ends must rise"),
        ({"prob": [(0.2, 0.8)]}, "two pairs of probabilities"),
        ({"n_bins": 0}, "n_bins is 0"),
        ({"prob": [(1.0, 1.0), (1.0, 1.0)]}, "An outcome of trial [0-4] .* is impossible"),
    ],
)
def test_a_world_that_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        behaviour.posterior_volatility(some_trials(), **options)


def test_three_options_are_refused():
    trials = dataset.example(n_episodes=2)
    trials.choice.attrs["n_options"] = 3
    with pytest.raises(InputError, match="3 options"):
        behaviour.posterior_volatility(trials)
