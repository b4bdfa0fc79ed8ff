"""The recurrent network: what it is given, what it starts from, what it answers."""

import math

import pytest
import torch
from test_training import replay

from neurometa.agents import LSTM, LSTMAgent
from neurometa.errors import InputError
from neurometa.rollout import unroll
from neurometa.tasks import IndependentBandit, InformativeBandit, RestlessBandit
from neurometa.training import Adam, RMSProp, a2c

INPUTS = ("observation", "action", "reward", "time")
LEVELS = (0.0, 0.5, 2.0)
EVERY_INPUT = pytest.mark.parametrize("name", INPUTS)


def network(seed=0, n_features=3, n_actions=2, n_steps=10, **settings):
    torch.manual_seed(seed)
    return LSTMAgent(n_features, n_actions, n_steps, n_units=6, **settings)


def given(seed):
    """Inputs of a step for four episodes, all of them different between seeds."""
    rng = torch.Generator().manual_seed(seed)
    return {
        "observation": torch.rand((4, 3), generator=rng),
        "action": torch.eye(2)[[seed % 2, 1 - seed % 2, seed % 2, 1 - seed % 2]],
        "reward": torch.full((4,), LEVELS[seed % 3]),
        "time": torch.full((4,), float(seed % 10)),
    }


def answer(agent, given):
    state = agent.begin(4) | {"time": given["time"]}
    return agent(given["observation"], given["action"], given["reward"], state)


def differ(a, b):
    return not (a.logits.equal(b.logits) and a.value.equal(b.value) and a.state["cell"].equal(b.state["cell"]))


@EVERY_INPUT
@pytest.mark.parametrize("reward_levels", [(), LEVELS])
def test_an_input_that_is_left_out_has_no_influence_and_one_that_is_kept_has(name, reward_levels):
    without = network(inputs=tuple(other for other in INPUTS if other != name), reward_levels=reward_levels)
    alone = network(inputs=(name,), reward_levels=reward_levels)
    here, there = given(0), given(1)
    only_it_differs = here | {name: there[name]}
    assert not differ(answer(without, here), answer(without, only_it_differs))
    assert differ(
        answer(network(reward_levels=reward_levels), here),
        answer(network(reward_levels=reward_levels), only_it_differs),
    )
    assert differ(answer(alone, here), answer(alone, only_it_differs))


@EVERY_INPUT
def test_a_network_given_one_input_has_no_weights_for_others(name):
    assert (
        network(inputs=(name,)).core.weight_ih.shape[1] == {"observation": 3, "action": 2, "reward": 1, "time": 1}[name]
    )


def test_time_is_the_fraction_of_the_episode_that_has_passed():
    agent = network(n_features=0, n_steps=7, inputs=("time",))
    state = agent.begin(2)
    for step in range(7):
        nothing = torch.zeros(2, 2)
        shown = agent.encode(nothing[:, :0], nothing, nothing[:, 0], state["time"])
        assert shown.numpy() == pytest.approx(step / 7)
        state = agent(nothing[:, :0], nothing, nothing[:, 0], state).state


def test_reward_levels_are_given_one_hot():
    agent = network(reward_levels=LEVELS, inputs=("reward",))
    action = torch.eye(2)[[0, 1, 0]]
    shown = agent.encode(torch.zeros(3, 3), action, torch.tensor([2.0, 0.0, 0.5]), torch.zeros(3))
    assert shown.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_every_reward_of_the_informative_bandit_has_its_own_place():
    task = InformativeBandit()
    agent = network(0, 0, 11, 5, reward_levels=task.reward_levels, inputs=("reward",))
    told = torch.tensor(task.reward_levels)
    shown = agent.encode(torch.zeros(11, 0), torch.eye(11), told, torch.zeros(11))
    assert shown.equal(torch.eye(11))


def test_no_reward_has_been_seen_before_the_first_action():
    agent = network(reward_levels=LEVELS, inputs=("reward",))
    shown = agent.encode(torch.zeros(2, 3), torch.zeros(2, 2), torch.zeros(2), torch.zeros(2))
    assert not shown.any()


def test_a_fresh_network_chooses_almost_evenly_and_expects_almost_nothing():
    for seed in range(10):
        answered = answer(network(seed), given(seed))
        assert (torch.softmax(answered.logits, -1) - 0.5).abs().max() < 0.05
        assert answered.value.abs().max() < 0.1


def test_what_is_recorded_is_the_state_after_the_step():
    answered = answer(network(), given(0))
    assert all(answered.record[name] is answered.state[name] for name in ("hidden", "cell"))
    assert answered.record["hidden"].shape == (4, 6)


def test_seeds_fix_a_network_and_tell_networks_apart():
    assert not differ(answer(network(3), given(0)), answer(network(3), given(0)))
    assert differ(answer(network(3), given(0)), answer(network(4), given(0)))


@pytest.mark.parametrize("learned_start", [False, True])
def test_a_network_works_where_it_is_moved_to(learned_start):
    agent = network(reward_levels=LEVELS, learned_start=learned_start).to("meta")
    here = {name: x.to("meta") for name, x in given(0).items()}
    answered = agent(here["observation"], here["action"], here["reward"], agent.begin(4))
    assert {x.device.type for x in (answered.logits, answered.value, *answered.state.values())} == {"meta"}


def gradient_of_start(learned_start):
    task = RestlessBandit(4)
    agent = network(0, 0, 2, 4, learned_start=learned_start)
    logits, value = replay(agent, unroll(task, agent, 5, torch.Generator().manual_seed(0)))
    (logits.square().sum() + value.sum()).backward()
    return agent.start.grad


def test_a_learned_start_gets_a_gradient_in_hidden_and_cell():
    gradient = gradient_of_start(learned_start=True)
    assert gradient.shape == (2, 6)
    assert gradient.abs().amin() > 0


def test_the_start_is_zero_and_gets_no_gradient_unless_it_is_learned():
    assert gradient_of_start(learned_start=False) is None
    assert not network().start.any()


@pytest.mark.parametrize("optimizer", [Adam(), RMSProp()])
@pytest.mark.parametrize("learned_start", [False, True])
def test_training_moves_the_start_only_where_it_is_learned(optimizer, learned_start):
    config = a2c.Config(
        IndependentBandit(5), LSTM(6, learned_start=learned_start), optimizer=optimizer, n_updates=5, batch_size=8
    )
    start = a2c.train(config).start
    assert start.any() == learned_start
    assert start.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"inputs": ("action", "rewrad")}, r"inputs holds 'rewrad'; allowed are .* Did you mean 'reward'\?"),
        ({"inputs": ("action", "action")}, r"inputs is \('action', 'action'\); each input can be named once"),
        ({"inputs": ()}, "inputs is empty; name at least one of"),
        ({"inputs": ("observation",), "n_features": 0}, "inputs is .*, but the task shows nothing"),
    ],
)
def test_bad_inputs_are_told_in_one_sentence(settings, told):
    with pytest.raises(InputError, match=told) as caught:
        network(**settings)
    assert "\n" not in str(caught.value)


def test_a_config_refuses_the_same_inputs_as_the_network():
    with pytest.raises(InputError, match="inputs holds 'rewards'"):
        a2c.Config(RestlessBandit(), LSTM(inputs=("rewards",)))
    with pytest.raises(InputError, match="but the task shows nothing"):
        a2c.Config(RestlessBandit(), LSTM(inputs=("observation",)))


@pytest.mark.parametrize("n_units", [1, 48])
def test_weights_are_counted_as_in_the_textbook(n_units):
    agent = LSTMAgent(3, 2, 10, n_units=n_units, inputs=INPUTS)
    n_inputs = 3 + 2 + 1 + 1
    core, head = 4 * n_units * (n_inputs + n_units + 2), (n_units + 1) * 3
    assert sum(math.prod(x.shape) for x in agent.parameters()) == core + head + 2 * n_units
