"""Training: the quick path against autograd, returns against loops, and the same bits whatever interrupts."""

import dataclasses
import itertools
import math
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurometa import behaviour, models, runs
from neurometa.agents import LSTM, LSTMAgent
from neurometa.baselines import baselines
from neurometa.errors import InputError
from neurometa.experiments import EXPERIMENTS
from neurometa.rollout import segment, unroll
from neurometa.tasks import DependentBandit, IndependentBandit, InformativeBandit, RestlessBandit, Task
from neurometa.training import GAE, Adam, Linear, NStep, RMSProp, a2c, checkpoint, curve, loop
from neurometa.training.returns import advantages, discounted_sum, n_step_returns
from neurometa.training.schedules import at

SMALL = a2c.Config(RestlessBandit(6), LSTM(5), optimizer=Adam(1e-2), n_updates=6, batch_size=4)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def replay(agent, played):
    """Logits and values of whole episodes, answered again with gradients."""
    answered = agent.sequence(segment(played, agent), agent.begin(played["action"].shape[2]))
    return answered.logits, answered.value


def network(task, n_units, *, learned_start=False, seed=0):
    """An untrained network with weights large enough that gates open and close."""
    torch.manual_seed(seed)
    agent = LSTMAgent(
        task.n_features,
        task.n_actions,
        task.n_trials,
        reward_levels=task.reward_levels,
        n_units=n_units,
        learned_start=learned_start,
    )
    with torch.no_grad():
        for weight in (*agent.core.parameters(), *agent.head.parameters(), *[agent.start] * learned_start):
            weight.normal_(0, 0.5)
    return agent


def exact_gradients(agent, played, loss):
    """Gradient of every trained parameter, by autograd in double precision; `loss` is of logits and values."""
    played = {name: x.double() if x.is_floating_point() else x for name, x in played.items()}
    agent.double().zero_grad()
    loss(*replay(agent, played)).backward()
    exact = {name: weight.grad.clone() for name, weight in agent.named_parameters() if weight.grad is not None}
    agent.float()
    return exact


def test_replay_answers_what_was_answered_while_playing():
    for task in (RestlessBandit(9), InformativeBandit()):
        agent = network(task, 7, learned_start=True)
        played = unroll(task, agent, 5, generator())
        logits, value = replay(agent, played)
        torch.testing.assert_close(logits, played["logits"].flatten(0, 1), rtol=0, atol=1e-6)
        torch.testing.assert_close(value, played["value"].flatten(0, 1), rtol=0, atol=1e-6)


def learning_signal(**settings):
    """Gradients of the training loss on a played batch."""
    config = dataclasses.replace(SMALL, **{"entropy_weight": 0.0, "value_weight": 0.0} | settings)
    agent = network(config.task, config.network.n_units)
    played = unroll(config.task, agent, 4, generator())
    action, reward = played["action"].flatten(0, 1), played["reward"].flatten(0, 1)
    a2c.loss(*replay(agent, played), action, reward, config, 0.0)[0].backward()
    return {name: weight.grad for name, weight in agent.named_parameters() if weight.grad is not None}


def test_actor_and_critic_both_learn_and_both_teach_the_network_that_they_share():
    actor, both = learning_signal(), learning_signal(value_weight=1.0)
    critic = {name: both[name] - actor[name] for name in actor}
    assert actor["head.weight"][:-1].any()
    assert not actor["head.weight"][-1].any()
    assert critic["head.weight"][-1].any()
    assert not critic["head.weight"][:-1].any()
    for signal in (actor, critic):
        assert all(signal[name].any() for name in signal if name.startswith("core"))


def test_the_loss_is_that_computed_by_hand():
    config = dataclasses.replace(SMALL, returns=NStep(0.5), value_weight=0.4, entropy_weight=0.1)
    logits = torch.tensor([[[0.0, 0.0]], [[math.log(3), 0.0]]])
    value, reward = torch.tensor([[0.5], [0.25]]), torch.tensor([[1.0], [2.0]])
    total, terms = a2c.loss(logits, value, torch.tensor([[0], [1]]), reward, config, 0.0)
    policy = (1.5 * math.log(2) + 1.75 * math.log(4)) / 2  # returns 2 and 2; advantages 1.5 and 1.75
    error = 0.5 * (1.5**2 + 1.75**2) / 2
    entropy = (math.log(2) + 0.75 * math.log(4 / 3) + 0.25 * math.log(4)) / 2
    assert terms["policy_loss"].item() == pytest.approx(policy)
    assert terms["value_loss"].item() == pytest.approx(error)
    assert terms["entropy"].item() == pytest.approx(entropy)
    assert total.item() == pytest.approx(policy + 0.4 * error - 0.1 * entropy)


def test_the_loss_pulls_the_value_to_the_return_and_the_policy_to_what_paid():
    config = dataclasses.replace(SMALL, returns=NStep(0.0), value_weight=1.0, entropy_weight=0.0)
    logits, value = torch.zeros(2, 1, 3, requires_grad=True), torch.full((2, 1), 0.5, requires_grad=True)
    a2c.loss(logits, value, torch.tensor([[0], [1]]), torch.tensor([[1.0], [0.0]]), config, 0.0)[0].backward()
    assert value.grad.flatten().tolist() == pytest.approx([-0.25, 0.25])  # (V - R) / 2 steps, not touched by the policy
    assert (
        logits.grad[0, 0, 0] < 0 < logits.grad[1, 0, 1]
    )  # more of what paid more than expected, less of what paid less
    assert (logits.grad[0, 0, 1:] > 0).all()


def test_the_entropy_term_spreads_the_policy():
    config = dataclasses.replace(SMALL, value_weight=0.0, entropy_weight=1.0)
    logits = torch.tensor([[[1.0, -0.5, 0.2]]], requires_grad=True)
    nothing = torch.zeros(1, 1)
    entropies = []
    for _ in range(200):
        total, terms = a2c.loss(logits, nothing, torch.zeros(1, 1, dtype=torch.int64), nothing, config, 0.0)
        entropies.append(terms["entropy"].item())
        (gradient,) = torch.autograd.grad(total, logits)
        logits = (logits - gradient).detach().requires_grad_()
    assert all(after > before - 1e-6 for before, after in itertools.pairwise(entropies))
    assert entropies[-1] == pytest.approx(math.log(3), abs=1e-3)


def slow_returns(reward, value, discount, horizon):
    n, returns = len(reward), np.zeros_like(reward)
    for t in range(n):
        k = min(horizon or n, n - t)
        for i in range(k):
            returns[t] += discount**i * reward[t + i]
        if t + k < n:
            returns[t] += discount**k * value[t + k]
    return returns


def slow_advantages(reward, value, discount, gae_lambda):
    n, found = len(reward), np.zeros_like(reward)
    for t in range(n):
        for i in range(n - t):
            later = value[t + i + 1] if t + i + 1 < n else 0.0
            found[t] += (discount * gae_lambda) ** i * (reward[t + i] + discount * later - value[t + i])
    return found


@st.composite
def episodes(draw):
    """Rewards and values, (time, episode)."""
    shape = draw(st.integers(1, 9)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return torch.tensor(rng.normal(size=shape)), torch.tensor(rng.normal(size=shape))


fractions = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)


@given(episodes(), fractions, st.none() | st.integers(1, 12))
def test_n_step_returns_are_those_of_a_plain_loop(played, discount, horizon):
    reward, value = played
    found = n_step_returns(reward, value, discount, horizon)
    np.testing.assert_allclose(found, slow_returns(*(x.numpy() for x in played), discount, horizon), atol=1e-12)


@given(episodes(), fractions, fractions)
def test_advantages_are_those_of_a_plain_loop(played, discount, gae_lambda):
    found = advantages(*played, discount, gae_lambda)
    np.testing.assert_allclose(found, slow_advantages(*(x.numpy() for x in played), discount, gae_lambda), atol=1e-12)


@given(episodes(), fractions)
def test_the_limits_of_returns_and_advantages_agree(played, discount):
    reward, value = played
    to_the_end = discounted_sum(reward, discount)
    one_step = reward + discount * torch.cat([value[1:], torch.zeros_like(value[:1])]) - value
    close = {"rtol": 0, "atol": 1e-12}
    for horizon in (None, len(reward), len(reward) + 5):
        torch.testing.assert_close(n_step_returns(reward, value, discount, horizon), to_the_end, **close)
    torch.testing.assert_close(advantages(reward, value, discount, 1.0), to_the_end - value, **close)
    torch.testing.assert_close(advantages(reward, value, discount, 0.0), one_step, **close)
    torch.testing.assert_close(n_step_returns(reward, value, discount, 1) - value, one_step, **close)


def test_returns_leave_their_arguments_alone():
    reward, value = torch.ones(5, 2), torch.full((5, 2), 0.5)
    for found in (
        n_step_returns(reward, value, 0.9),
        n_step_returns(reward, value, 0.9, 2),
        advantages(reward, value, 0.9, 0.5),
    ):
        assert not found.equal(reward)
        assert reward.equal(torch.ones(5, 2))
        assert value.equal(torch.full((5, 2), 0.5))


@pytest.mark.parametrize("returns", [GAE(0.9, 0.7), NStep(0.9, 3), GAE(0.9, Linear(1.0, 0.5))])
def test_the_config_says_which_advantage_the_loss_uses(returns):
    config = dataclasses.replace(SMALL, value_weight=0.0, entropy_weight=0.0, returns=returns)
    reward, value = torch.rand((6, 2), generator=generator()), torch.rand((6, 2), generator=generator(1))
    logits, action = torch.zeros(6, 2, 2), torch.zeros(6, 2, dtype=torch.int64)
    if isinstance(returns, NStep):
        expected = n_step_returns(reward, value, 0.9, 3) - value
    else:
        expected = advantages(reward, value, 0.9, at(returns.gae_lambda, 0.5))
    total, _ = a2c.loss(logits, value, action, reward, config, 0.5)
    assert total.item() == pytest.approx(expected.mean().item() * math.log(2), abs=1e-6)


@pytest.mark.parametrize(
    ("setting", "progress", "value"),
    [
        (0.3, 0.0, 0.3),
        (0.3, 1.0, 0.3),
        (Linear(1.0, 0.0), 0.0, 1.0),
        (Linear(1.0, 0.0), 0.25, 0.75),
        (Linear(1.0, 0.0), 1.0, 0.0),
        (Linear(0.0, 2.0, 0.5), 0.25, 1.0),
        (Linear(0.0, 2.0, 0.5), 0.5, 2.0),
        (Linear(0.0, 2.0, 0.5), 0.9, 2.0),
    ],
)
def test_a_schedule_is_a_line_and_then_constant(setting, progress, value):
    assert at(setting, progress) == pytest.approx(value)


@pytest.mark.parametrize("over", [0.0, -0.5, 1.5, math.nan])
def test_a_schedule_lasts_a_part_of_training(over):
    with pytest.raises(InputError, match=f"A schedule's 'over' is {over}; it must be above 0 and at most 1"):
        Linear(1.0, 0.0, over)


def test_training_follows_the_schedule_of_the_step_size():
    def moved(n_updates):
        config = dataclasses.replace(SMALL, n_updates=n_updates, optimizer=Adam(Linear(0.0, 1e-2)))
        before, after = a2c.build(config), a2c.train(config)
        return any(not x.equal(y) for x, y in zip(before.parameters(), after.parameters(), strict=True))

    assert not moved(1)  # the first update takes the first value, 0
    assert moved(2)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n_updates": -1}, "n_updates is -1; it must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0; it must be at least 1"),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0"),
        ({"value_weight": -1.0}, "value_weight is -1.0"),
        ({"entropy_weight": Linear(-1.0, 0.0)}, "entropy_weight is -1.0"),
    ],
)
def test_a_bad_setting_is_told_in_one_sentence(settings, told):
    with pytest.raises(InputError, match=told) as caught:
        dataclasses.replace(SMALL, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        (LSTM, {"n_units": 0}, "n_units is 0"),
        (RMSProp, {"decay": -0.1}, "decay is -0.1; it must be at least 0 and at most 1"),
        (RMSProp, {"step_size": -1e-3}, "step_size is -0.001"),
        (Adam, {"epsilon": -1e-8}, "epsilon is -1e-08; it must be at least 0"),
        (Adam, {"step_size": -1e-3}, "step_size is -0.001"),
        (Adam, {"step_size": math.inf}, "step_size is inf; it must be at least 0 and finite"),
        (Adam, {"max_grad_norm": 0.0}, "max_grad_norm is 0.0; it must be above 0"),
        (NStep, {"discount": 1.1}, "discount is 1.1; it must be at least 0 and at most 1"),
        (NStep, {"discount": Linear(0.5, -0.1)}, "discount is -0.1"),
        (NStep, {"horizon": 0}, "horizon is 0; it must be at least 1"),
        (GAE, {"gae_lambda": math.nan}, "gae_lambda is nan"),
    ],
)
def test_a_bad_setting_of_a_part_is_told_in_one_sentence(kind, settings, told):
    with pytest.raises(InputError, match=told) as caught:
        kind(**settings)
    assert "\n" not in str(caught.value)


def trained(config, run=None):
    """Bits of the trained weights, and the rows of the learning curve."""
    rows = []
    agent = a2c.train(config, run, progress=rows.append)
    return {name: x.numpy().tobytes() for name, x in agent.state_dict().items()}, rows


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": RMSProp(1e-2)},
        {"network": LSTM(5, learned_start=True)},
        {"task": InformativeBandit()},
        {"returns": GAE(0.9, 0.5)},
    ],
)
def test_config_and_seed_fix_the_result_to_the_bit(settings):
    config = dataclasses.replace(SMALL, **settings)
    first = trained(config)
    torch.manual_seed(12345)
    assert trained(config) == first
    assert trained(dataclasses.replace(config, seed=1))[0] != first[0]


def test_training_neither_uses_nor_disturbs_the_random_numbers_of_its_caller():
    before = torch.get_rng_state()
    a2c.train(SMALL)
    assert torch.get_rng_state().equal(before)


def test_where_the_curve_is_written_makes_no_difference(tmp_path):
    weights, rows = trained(SMALL)
    assert trained(SMALL, tmp_path) == (weights, rows)
    assert curve.read(tmp_path) == rows
    assert [row["update"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row["steps"] for row in rows] == [24 * update for update in range(1, 7)]
    assert rows[-1]["steps"] == SMALL.budget
    assert {"reward", "policy_loss", "value_loss", "entropy", "gradient_norm"} <= rows[0].keys()


def in_a_process(code: str, *args) -> list[str]:
    """Lines printed by `code` in a process of its own, which must end well."""
    done = subprocess.run([sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# Each child is killed once it has told of so many updates, at any moment within the next; the last ends undisturbed.
KILLED = """
import dataclasses, os, random, signal, sys, time
from pathlib import Path
from neurometa import runs
from neurometa.tasks import RestlessBandit
from neurometa.agents import LSTM
from neurometa.training import Adam, Linear, RMSProp, a2c, loop

folder, optimizer, loop.SECONDS_BETWEEN_CHECKPOINTS = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
runs.torch.set_num_threads(1)
sys.modules["torch.utils.tensorboard"] = None  # slow to load
config = a2c.Config(RestlessBandit(8), LSTM(6, learned_start=True), n_updates=60, batch_size=4)
kind = {"adam": Adam, "rmsprop": RMSProp}[optimizer]
config = dataclasses.replace(config, optimizer=kind(Linear(1e-2, 0.0)), entropy_weight=Linear(0.5, 0.0))
a2c.train(dataclasses.replace(config, n_updates=1))  # load all that is compiled, before there are children
random.seed(0)
for until in (0, 1, 3, 20, 21, 40, 59, 60):
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        progress = lambda row: os.write(tell, bytes([row["update"]]))
        runs.train(config, folder / "killed", resume=True, progress=progress)
        os._exit(0)
    os.close(tell)
    first = last = os.read(told, 1) if until else b""
    while last and last[0] < until:
        last = os.read(told, 1)
    time.sleep(random.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    print(until, *first)
runs.train(config, folder / "killed", resume=True)
runs.train(config, folder / "whole")
"""


@pytest.mark.parametrize(("optimizer", "interval"), [("adam", 0.0), ("rmsprop", 0.02)])
def test_a_training_killed_at_any_moment_ends_in_the_same_bits(tmp_path, optimizer, interval):
    told = [line.split() for line in in_a_process(KILLED, tmp_path, optimizer, interval)]
    begun = {int(until): int(first[0]) for until, *first in told if first}
    assert begun[59] > 1, "nothing was resumed"
    for name in ("agent.safetensors", "curve.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert len(curve.read(tmp_path / "whole")) == 60
    assert not (tmp_path / "killed" / "checkpoint.safetensors").exists()


def interrupted(config, run, after):
    """Train into `run` and stop with the checkpoint of update `after` on disk."""

    class Stop(Exception):
        pass

    def stop(row):
        if row["update"] > after:
            raise Stop

    with pytest.raises(Stop):
        a2c.train(config, run, progress=stop)
    assert (run / checkpoint.CHECKPOINT).exists()


@pytest.fixture
def every_update(monkeypatch):
    """A checkpoint after every update."""
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)


@pytest.mark.usefixtures("every_update")
@pytest.mark.parametrize(
    "settings",
    [{"task": InformativeBandit()}, {"returns": GAE(0.9, Linear(0.9, 0.1))}, {"returns": NStep(0.9, horizon=2)}],
)
def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path, settings):
    config = dataclasses.replace(SMALL, **settings)
    interrupted(config, tmp_path, after=3)
    assert trained(config, tmp_path)[0] == trained(config)[0]
    assert curve.read(tmp_path) == trained(config)[1]


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.usefixtures("every_update")
@pytest.mark.parametrize("name", [checkpoint.CHECKPOINT, checkpoint.WEIGHTS])
def test_a_pickle_is_refused_and_never_run(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Evil(tmp_path / "evil")))
    with pytest.raises(InputError, match=f"{name} is damaged or not a safetensors file"):
        a2c.train(SMALL, tmp_path) if name == checkpoint.CHECKPOINT else checkpoint.load_weights(
            tmp_path / name, a2c.build(SMALL)
        )
    assert not (tmp_path / "evil").exists()


@pytest.mark.usefixtures("every_update")
@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.999])
def test_a_checkpoint_cut_short_is_refused_by_name(tmp_path, part):
    interrupted(SMALL, tmp_path, after=2)
    path = tmp_path / checkpoint.CHECKPOINT
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(
        InputError, match=rf"{checkpoint.CHECKPOINT} is damaged or not a safetensors file \(.*\)"
    ) as caught:
        a2c.train(SMALL, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("every_update")
@pytest.mark.parametrize("other", [{"network": LSTM(7)}, {"task": IndependentBandit(6, n_arms=3)}])
def test_a_checkpoint_of_another_network_is_refused_by_name(tmp_path, other):
    interrupted(SMALL, tmp_path, after=2)
    with pytest.raises(
        InputError, match=rf"{checkpoint.CHECKPOINT} is no checkpoint of this training \(size mismatch"
    ) as caught:
        a2c.train(dataclasses.replace(SMALL, **other), tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_are_no_checkpoint(tmp_path):
    checkpoint.save_weights(tmp_path / checkpoint.CHECKPOINT, a2c.build(SMALL))
    with pytest.raises(InputError, match=f"{checkpoint.CHECKPOINT} is no checkpoint of this training"):
        a2c.train(SMALL, tmp_path)


def test_weights_come_back_as_they_were_and_into_their_own_kind_only(tmp_path):
    path, agent = tmp_path / "x.safetensors", a2c.train(SMALL)
    checkpoint.save_weights(path, agent)
    again = a2c.build(dataclasses.replace(SMALL, seed=5))
    checkpoint.load_weights(path, again)
    assert all(x.equal(y) for x, y in zip(agent.parameters(), again.parameters(), strict=True))
    with pytest.raises(InputError, match=r"x.safetensors holds the weights of another agent: size mismatch for"):
        checkpoint.load_weights(path, a2c.build(dataclasses.replace(SMALL, network=LSTM(7))))
    with pytest.raises(InputError, match=r"There is no file .*y.safetensors"):
        checkpoint.load_weights(tmp_path / "y.safetensors", again)


@pytest.mark.parametrize("settings", [{"optimizer": Adam(1e30)}, {"value_weight": 1e38}])
def test_a_training_that_diverges_says_when_and_what_to_do(settings):
    with pytest.raises(
        InputError, match=r"Training diverged at update \d: .* Lower step_size or max_grad_norm"
    ) as caught:
        a2c.train(dataclasses.replace(SMALL, **settings))
    assert "\n" not in str(caught.value)


def test_a_curve_cut_short_by_a_kill_is_read_up_to_its_last_whole_row(tmp_path):
    _, rows = trained(SMALL, tmp_path)
    path = tmp_path / curve.CURVE
    path.write_text(path.read_text()[:-20])
    assert curve.read(tmp_path) == rows[:-1]


def test_a_damaged_curve_is_refused_by_its_line(tmp_path):
    with pytest.raises(InputError, match=r"holds no curve.jsonl"):
        curve.read(tmp_path)
    (tmp_path / curve.CURVE).write_text('{"update": 1}\n{"upd\n{"update": 3}\n')
    with pytest.raises(InputError, match=r"curve.jsonl is damaged in line 2"):
        curve.read(tmp_path)


@pytest.mark.usefixtures("every_update")
def test_tensorboard_shows_each_update_once_after_a_resume(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    interrupted(SMALL, tmp_path, after=3)
    _, rows = trained(SMALL, tmp_path)
    found = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("reward")
    assert [event.step for event in found] == [row["steps"] for row in curve.read(tmp_path)]
    assert found[-1].value == pytest.approx(rows[-1]["reward"])


@dataclasses.dataclass(frozen=True)
class Salary(Task):
    """Pays 1 whatever is done."""

    latents = {}

    def begin(self, n_episodes, rng):
        return {"paid": torch.ones(n_episodes)}

    def step(self, state, action, step, rng):
        return state["paid"], state


def test_the_critic_comes_to_expect_the_discounted_return():
    config = a2c.Config(
        Salary(4),
        LSTM(8),
        optimizer=Adam(Linear(1e-2, 0.0)),
        returns=NStep(0.5),
        n_updates=400,
        batch_size=8,
        value_weight=1.0,
    )
    value = unroll(Salary(4), a2c.train(config), 3, generator())["value"][:, 0, 0]
    assert value.tolist() == pytest.approx([1.875, 1.75, 1.5, 1.0], abs=0.05)


EASY = a2c.Config(
    DependentBandit(10, difficulty="easy"),
    LSTM(16),
    optimizer=Adam(Linear(2e-2, 0.0)),
    returns=NStep(0.0),
    n_updates=200,
    batch_size=64,
    value_weight=0.5,
    entropy_weight=Linear(0.05, 0.0),
)


def test_a_network_learns_to_learn_an_easy_bandit_and_not_without_reward():
    def earned(config):
        played = unroll(config.task, a2c.train(config), 4000, generator(1))
        return played["reward"].mean((1, 2))

    reward = earned(EASY)
    assert reward[0] == pytest.approx(0.5, abs=0.05)  # nothing is known at first
    assert reward[1:].mean() > 0.8  # of at most 0.9
    assert earned(dataclasses.replace(EASY, network=LSTM(16, ("action", "time")))).mean() == pytest.approx(
        0.5, abs=0.02
    )


RESTLESS = EXPERIMENTS["restless"].config


@pytest.fixture(scope="module")
def restless(tmp_path_factory):
    """Test episodes of an agent trained at the experiment's default settings."""
    run = tmp_path_factory.mktemp("restless")
    runs.train(RESTLESS, run, experiment="restless")
    return runs.evaluate(run, n_episodes=2000)


@pytest.mark.slow
def test_the_restless_agent_has_less_regret_than_its_rivals_and_comes_near_the_ideal_observer(restless):
    regret = runs.compare(restless, baselines(RESTLESS.task)).regret.sum("trial")
    agent = regret.sel(learner="agent")
    for rival in ("UCB", "Thompson", "R-W 0.2", "R-W 0.8"):
        paired = behaviour.mean_interval(agent - regret.sel(learner=rival))
        assert paired.upper < 0, rival
    assert agent.mean() <= 1.15 * regret.sel(learner="ideal observer").mean()


@pytest.mark.slow
def test_the_restless_agent_learns_faster_where_the_world_changes_faster(restless):
    rate = behaviour.fit(models.RescorlaWagner, restless).learning_rate
    volatility = restless.drift_sd.isel(trial=0, drop=True)
    assert float(behaviour.volatility_regression(rate, volatility).r_squared) >= 0.15
    low, unseen, high = (rate[(volatility >= i / 15) & (volatility < (i + 1) / 15)] for i in range(3))
    for slower, faster in ((low, unseen), (unseen, high)):
        gap = faster.mean() - slower.mean()
        assert gap > 3.3 * np.hypot(*(x.std() / x.size**0.5 for x in (slower, faster)))  # p < 1e-3


@pytest.mark.slow
def test_without_reward_the_restless_agent_stays_at_chance(tmp_path):
    config = dataclasses.replace(RESTLESS, n_updates=200, network=LSTM(inputs=("observation", "action", "time")))
    runs.train(config, tmp_path)
    regret = behaviour.regret(runs.evaluate(tmp_path, n_episodes=2000)).sum("trial")
    assert float(regret.mean()) == pytest.approx(37.4, abs=2)
