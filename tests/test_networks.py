"""Networks of encoder, core and heads: torch's own arithmetic, with gradients, in a loop and in one call."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from neurometa import rollout, runs
from neurometa.agents import (
    GRU,
    LSTM,
    Agent,
    Conv,
    Frozen,
    Lesioned,
    LSTMAgent,
    RectifiedGRU,
    RecurrentAgent,
    SeparateActorCritic,
)
from neurometa.agents.rectified import RectifiedGRUCell
from neurometa.errors import InputError
from neurometa.rollout import segment, unroll
from neurometa.tasks import InformativeBandit, RestlessBandit, Task, TwoStep
from neurometa.training import a2c

CORES = pytest.mark.parametrize(("core", "n_layers"), [("lstm", 1), ("lstm", 3), ("gru", 1), ("gru", 2)])
INPUTS = ("observation", "action", "reward", "time")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def wild(agent, *, start=True, seed=0):
    """The same network with weights large enough that gates open and close."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in agent.named_parameters():
            if start or "start" not in name:
                weight.normal_(0, 0.5)
    return agent


def make(task, core="lstm", n_layers=1, *, kind=RecurrentAgent, **settings):
    return wild(
        kind(
            task.observation_shape,
            task.n_actions,
            task.n_steps,
            core=core,
            n_layers=n_layers,
            n_units=5,
            learned_start=True,
            reward_levels=task.reward_levels,
            **settings,
        )
    )


@CORES
def test_a_core_is_torchs_own(core, n_layers):
    task = RestlessBandit(9)
    agent = make(task, core, n_layers)
    own = {"lstm": nn.LSTM, "gru": nn.GRU}[core](agent.n_inputs, 5, n_layers)
    with torch.no_grad():
        for i, cell in enumerate((agent.core, *agent.above)):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(own, f"{name}_l{i}").copy_(getattr(cell, name))
    played = unroll(task, agent, 4, generator(), log=agent.carried)
    here = segment(played, agent)
    time = torch.arange(9.0)[:, None].expand(-1, 4)
    inputs = agent.encode(here.observation, here.previous_action, here.previous_reward, time)
    begin = [agent.begin(4)[name] for name in agent.carried]
    begin = [torch.stack(x.split(5, -1)) for x in begin]
    hidden, _ = own(inputs, tuple(begin) if core == "lstm" else begin[0])
    torch.testing.assert_close(played["hidden"][:, 0, :, -5:], hidden, rtol=0, atol=1e-6)


def test_layers_of_different_sizes_are_torchs_own_one_upon_the_other():
    task = RestlessBandit(9)
    agent = make(task, "lstm", 2, top_units=3)
    played = unroll(task, agent, 4, generator(), log=agent.carried)
    here = segment(played, agent)
    x = agent.encode(
        here.observation, here.previous_action, here.previous_reward, torch.arange(9.0)[:, None].expand(-1, 4)
    )
    begin = [agent.begin(4)[name][None].split([5, 3], -1) for name in ("hidden", "cell")]
    for i, cell in enumerate((agent.core, *agent.above)):
        own = nn.LSTM(cell.input_size, cell.hidden_size)
        own.load_state_dict({f"{name}_l0": weight for name, weight in cell.state_dict().items()})
        x, _ = own(x, (begin[0][i].contiguous(), begin[1][i].contiguous()))
    torch.testing.assert_close(played["hidden"][:, 0, :, 5:], x, rtol=0, atol=1e-6)
    answered = agent.sequence(here, agent.begin(4), ("hidden",))
    torch.testing.assert_close(answered.record["hidden"], played["hidden"][:, 0], rtol=0, atol=1e-6)
    torch.testing.assert_close(answered.logits, here.logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_layers", [1, 2])
def test_rectified_units_are_those_of_the_equations_with_weights_of_a_length_and_a_direction(n_layers):
    task = RestlessBandit(7)
    agent = make(task, "rectified-gru", n_layers).double()
    played = unroll(task, agent, 3, generator(), log=("hidden",))
    here = segment(played, agent)
    whole = agent.sequence(here, agent.begin(3)).value
    torch.testing.assert_close(whole, here.value.double(), rtol=0, atol=1e-6)
    x = agent.encode(
        here.observation, here.previous_action, here.previous_reward, torch.arange(7.0)[:, None].expand(-1, 3)
    )
    h = agent.begin(3)["hidden"].numpy(force=True).reshape(3, n_layers, 5).copy()
    for t, given in enumerate(x.double().numpy(force=True)):
        for i, cell in enumerate((agent.core, *agent.above)):
            sizes = [cell.parametrizations[name].original0 for name in ("weight_ih", "weight_hh")]
            ways = [cell.parametrizations[name].original1 for name in ("weight_ih", "weight_hh")]
            weights = [
                (g * v / v.norm(dim=1, keepdim=True)).numpy(force=True) for g, v in zip(sizes, ways, strict=True)
            ]
            (r, z, n), (own_r, own_z, own_n) = (
                np.split(y @ w.T + b.numpy(force=True), 3, -1)
                for y, w, b in zip((given, h[:, i]), weights, (cell.bias_ih, cell.bias_hh), strict=True)
            )
            z = 1 / (1 + np.exp(-z - own_z))
            new = np.maximum(0, n + own_n / (1 + np.exp(-r - own_r)))
            given = h[:, i] = z * h[:, i] + (1 - z) * new
        got = played["hidden"][t, 0].numpy(force=True).reshape(3, n_layers, 5)
        np.testing.assert_allclose(got, h, atol=1e-6)


def test_normalising_weights_leaves_them_as_they_were_drawn():
    cell = RectifiedGRUCell(4, 6)
    before = {name: getattr(cell, name).detach().clone() for name in ("weight_ih", "weight_hh")}
    cell.normalise()
    for name, weight in before.items():
        torch.testing.assert_close(getattr(cell, name), weight)


@CORES
@pytest.mark.parametrize("kind", [RecurrentAgent, SeparateActorCritic])
@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("task", [TwoStep(4, form="stages"), InformativeBandit()])
def test_one_call_answers_what_the_loop_answers_with_the_same_gradient(task, core, n_layers, kind, recurrent):
    agent = make(task, core, n_layers, kind=kind, recurrent=recurrent).double()
    played = {
        n: x.double() if x.is_floating_point() else x for n, x in unroll(task, agent.float(), 3, generator()).items()
    }
    agent.double()
    found = []
    for answer in (Agent.sequence, type(agent).sequence):
        out = answer(agent, segment(played, agent), agent.begin(3))
        agent.zero_grad()
        (out.logits.square().sum() + out.value.pow(3).sum()).backward()
        gradient = {name: weight.grad.clone() for name, weight in agent.named_parameters()}
        found.append((out.logits.detach(), out.value.detach(), out.state, gradient))
    torch.testing.assert_close(*found, rtol=0, atol=1e-10)


@CORES
@pytest.mark.parametrize("kind", [RecurrentAgent, SeparateActorCritic])
def test_a_segment_cut_in_two_is_answered_as_the_whole_and_the_record_with_it(core, n_layers, kind):
    task = TwoStep(5, form="stages")
    agent = make(task, core, n_layers, kind=kind)
    log = tuple(agent.records)
    (whole,) = rollout.segments(task, agent, 3, generator(), log=log)
    parts = list(rollout.segments(task, agent, 3, generator(), 4, log=log))
    assert [len(part.action) for part in parts] == [4, 4, 2]
    answered = [agent.sequence(part, part.state, log) for part in parts]
    for name in ("logits", "value"):
        together = torch.cat([getattr(x, name) for x in answered])
        torch.testing.assert_close(together, getattr(whole, name), rtol=0, atol=1e-6)
    for name in log:
        together = torch.cat([x.record[name] for x in answered])
        torch.testing.assert_close(together, whole.record[name], rtol=0, atol=1e-6)


def test_the_hidden_state_comes_with_the_one_call():
    task = RestlessBandit(6)
    agent = make(task)
    (whole,) = rollout.segments(task, agent, 3, generator(), log=("hidden",))
    record = agent.sequence(whole, agent.begin(3), ("hidden",)).record
    torch.testing.assert_close(record["hidden"], whole.record["hidden"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("network", "dims"),
    [
        (LSTM(4), {"hidden": ("unit",), "cell": ("unit",)}),
        (GRU(4), {"hidden": ("unit",)}),
        (RectifiedGRU(4), {"hidden": ("unit",)}),
        (LSTM(4, n_layers=2, top_units=3), {"hidden": ("unit",), "cell": ("unit",)}),
        (GRU(4, separate=True), {"hidden": ("unit",), "rpe_input": ()}),
    ],
)
def test_a_network_trains_plays_and_says_over_which_dims_its_record_is(network, dims, tmp_path):
    config = a2c.Config(RestlessBandit(5), network, n_updates=3, batch_size=4)
    runs.train(config, tmp_path)
    assert runs.open_config(tmp_path) == config
    before, after = a2c.build(config).state_dict(), runs.load_agent(tmp_path).state_dict()
    assert any(not before[name].equal(after[name]) for name in before)
    trials = runs.evaluate(tmp_path, n_episodes=3)
    assert {name: trials[name].dims[3:] for name in ("hidden", "cell", "rpe_input") if name in trials} == dims
    for how in ("reset", "silence"):
        assert runs.evaluate(tmp_path, n_episodes=3, lesion=how).reward.notnull().all()
    assert isinstance(runs.load_agent(tmp_path), LSTMAgent) == (type(network) is LSTM)


def test_a_lesion_forgets_every_layer():
    task = RestlessBandit(5)
    agent = make(task, n_layers=2)
    played = unroll(task, Lesioned(agent, "silence"), 3, generator(), log=("hidden",))
    state = agent.begin(3)
    none = {name: torch.zeros_like(state[name]) for name in agent.carried}
    last = agent(
        played["observation"][-1, 0],
        torch.eye(2)[played["action"][-2, 0]],
        played["reward"][-2, 0],
        none | {"time": state["time"] + 4},
    )
    torch.testing.assert_close(last.record["hidden"], played["hidden"][-1, 0])


@dataclasses.dataclass(frozen=True)
class Frames(Task):
    """Pays action 1 where the frame is bright, in bytes."""

    n_trials: int = 3
    latents = {"bright": ()}
    n_features = 3 * 12 * 12

    @property
    def observation_shape(self):
        return (3, 12, 12)

    def begin(self, n_episodes, rng):
        return {"bright": torch.rand(n_episodes, generator=rng) < 0.5}

    def observe(self, state, step):
        return (255 * state["bright"].to(torch.uint8))[:, None, None, None].expand(-1, 3, 12, 12)

    def step(self, state, action, step, rng):
        paid = (action == 1) == state["bright"]
        return paid.float(), {"bright": torch.rand(len(action), generator=rng) < 0.5}


SMALL_CONV = Conv(((4, 4, 2), (6, 3, 1)), n_features=7)


def test_frames_stay_bytes_and_reach_the_network_as_numbers_from_0_to_1():
    config = a2c.Config(Frames(), LSTM(4, encoder=SMALL_CONV), n_updates=2, batch_size=5)
    agent = a2c.build(config)
    (played,) = rollout.segments(Frames(), agent, 5, generator())
    assert played.observation.dtype == torch.uint8 and played.observation.shape == (3, 5, 3, 12, 12)
    encoded = agent.encoder(played.observation)
    assert encoded.shape == (3, 5, 7)
    scaled = agent.encoder.layers(played.observation.flatten(0, 1).float() / 255).unflatten(0, (3, 5))
    torch.testing.assert_close(encoded, scaled)
    trials = rollout.to_dataset(Frames(), unroll(Frames(), agent, 5, generator()), agent, observation=True)
    assert trials.observation.dims == ("episode", "trial", "step", "channel", "height", "width")
    trained = a2c.train(config)
    assert not trained.encoder.layers[0].weight.equal(agent.encoder.layers[0].weight)


@pytest.mark.parametrize("encoder", [Conv(((4, 5, 4),), 7), Frozen(((4, 5, 4),), 7)])
@pytest.mark.parametrize("height", [13, 14])  # the second with a border of zeros
def test_bytes_are_read_as_numbers_from_0_to_1(encoder, height):
    frames = torch.randint(256, (50, 3, height, 13), generator=generator(), dtype=torch.uint8)
    made = encoder.build(frames.shape[1:])
    if isinstance(encoder, Frozen):
        made.look(frames)
    torch.testing.assert_close(made(frames), made(frames / 255))


@pytest.mark.parametrize(
    ("network", "task", "told"),
    [
        (LSTM(), Frames(), r"The task shows observations of shape \(3, 12, 12\), and the network reads vectors; give"),
        (LSTM(encoder=Conv()), Frames(), r"Frames of 12 x 12 are too small for the layers .*; give smaller kernels"),
        (
            LSTM(encoder=Conv()),
            RestlessBandit(),
            r"The task shows observations of shape \(0,\); convolutions read frames",
        ),
    ],
)
def test_a_network_that_does_not_fit_what_a_task_shows_is_refused_in_a_sentence(network, task, told):
    with pytest.raises(InputError, match=told) as caught:
        a2c.Config(task, network)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"layers": ()}, "layers is"), ({"layers": ((4, 0, 1),)}, "layers is"), ({"n_features": 0}, "n_f")],
)
def test_an_encoder_of_nothing_is_refused(settings, told):
    with pytest.raises(InputError, match=told):
        Conv(**settings)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            a2c.Config(RestlessBandit(), LSTM(10**12)),
            "n_units is 1000000000000: the network needs at least",
        ),
        (
            a2c.Config(RestlessBandit(), GRU(10**8)),
            "n_units is 100000000: the network needs .* PiB of memory",
        ),
        (a2c.Config(RestlessBandit(), batch_size=10**12), "A batch of 1000000000000 episodes needs at least"),
        (a2c.Config(RestlessBandit(), GRU(), batch_size=10**12), "A batch of 1000000000000 episodes needs at least"),
    ],
)
def test_what_no_machine_holds_is_refused_before_it_is_made(config, told):
    with pytest.raises(InputError, match=told) as caught:
        a2c.train(config)
    assert "\n" not in str(caught.value)
