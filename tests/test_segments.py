"""What was played, in pieces, as a dataset and back; and padding, which nothing is learned from."""

import dataclasses
import itertools

import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from neurometa import agents, dataset, rollout
from neurometa.agents import LSTM
from neurometa.errors import InputError
from neurometa.rollout import segments, unroll
from neurometa.tasks import (
    DependentBandit,
    Fixation,
    Harlow,
    InformativeBandit,
    RestlessBandit,
    Reversal,
    RiskySafe,
    Task,
    TwoStep,
    Volatility,
)
from neurometa.training import GAE, Disturbance, NStep, a2c
from neurometa.training.losses import mean, normalised

TASKS = [
    RestlessBandit(4),
    DependentBandit(4),
    InformativeBandit(),
    Fixation(TwoStep(3, form="stages")),
    Harlow(2),
    Reversal(3),
    RiskySafe(4, n_forced=2),
    Volatility(4),
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def player(task, **settings):
    return agents.LSTMAgent(task.observation_shape, task.n_actions, task.n_steps, n_units=4, **settings)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
@pytest.mark.parametrize("length", [None, 1, 3, 100])
def test_segments_joined_are_the_whole_to_the_bit(task, length):
    agent = player(task)
    whole = unroll(task, agent, 5, generator(), log=("hidden",))
    parts = list(segments(task, agent, 5, generator(), length, log=("hidden",)))
    assert sum(len(part.action) for part in parts) == task.n_steps
    for name in ("observation", "action", "reward", "logits", "value"):
        assert torch.cat([getattr(part, name) for part in parts]).equal(whole[name].flatten(0, 1))
    assert torch.cat([part.record["hidden"] for part in parts]).equal(whole["hidden"].flatten(0, 1))
    for name in task.latents:
        assert torch.cat([part.latents[name] for part in parts if name in part.latents]).equal(whole[name])
    for before, after in itertools.pairwise(parts):
        assert after.reward_before.equal(before.reward[-1])
        assert after.action_before.argmax(-1).equal(before.action[-1])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)
def test_a_dataset_of_what_was_played_goes_back_to_what_was_played(task):
    agent = player(task)
    played = unroll(task, agent, 5, generator(), log=("hidden", "cell"))
    trials = rollout.to_dataset(task, played, agent, observation=True)
    again = rollout.from_dataset(task, trials)
    assert again.keys() == played.keys()
    assert all(again[name].equal(played[name]) for name in played)
    xr.testing.assert_identical(rollout.to_dataset(task, again, agent, observation=True), trials)


def test_trials_of_another_task_are_refused():
    task = TwoStep(3, form="stages")
    trials = rollout.to_dataset(task, unroll(task, player(task), 2, generator()))
    with pytest.raises(InputError, match="The trials have the steps"):
        rollout.from_dataset(TwoStep(3, form="choice"), trials)
    with pytest.raises(InputError, match="'reward_prob'"):
        rollout.from_dataset(RestlessBandit(3), trials)


@pytest.mark.parametrize(("settings", "told"), [({"length": 0}, "length is 0"), ({"n_episodes": 0}, "n_episodes is 0")])
def test_no_steps_and_no_episodes_are_refused(settings, told):
    task = RestlessBandit(3)
    with pytest.raises(InputError, match=told):
        next(segments(task, player(task), **({"n_episodes": 2} | settings), rng=generator()))


@dataclasses.dataclass(frozen=True)
class Walk(Task):
    """Two steps a trial, until an episode ends of itself; there is no single choice."""

    n_trials: int = 4
    per_step: bool = True

    steps = ("left", "right")
    choice_step = None
    n_features = 1

    @property
    def latents(self):
        return {"valid": ("step",) if self.per_step else (), "place": ("step",)}

    def begin(self, n_episodes, rng):
        place = torch.zeros(n_episodes)
        running = torch.ones(n_episodes, dtype=torch.bool)
        return {"valid": running, "running": running, "place": place}

    def observe(self, state, step):
        return state["place"][:, None]

    def step(self, state, action, step, rng):
        valid = state["running"]
        place = state["place"] + valid * (1 + action)
        return valid.float(), {"valid": valid, "running": valid & (place < 5), "place": place}


def test_a_task_without_one_choice_a_trial_logs_its_actions_and_marks_padding_by_step(tmp_path):
    task = Walk()
    agent = player(task)
    played = unroll(task, agent, 6, generator())
    trials = rollout.to_dataset(task, played, agent)
    assert "choice" not in trials and "choice_step" not in trials.attrs
    assert trials.valid.dims == trials.place.dims == ("episode", "trial", "step")
    assert not trials.valid.all() and (trials.step_reward == trials.valid).all()
    dataset.check(trials)
    dataset.save_run(trials, tmp_path)
    assert rollout.from_dataset(task, dataset.open_run(tmp_path))["valid"].equal(played["valid"])
    (whole,) = segments(task, agent, 6, generator())
    assert whole.valid.equal(played["valid"].flatten(0, 1))


@pytest.mark.parametrize("returns", [NStep(0.9), NStep(0.8, 3), GAE(0.9, 0.7)])
@given(st.integers(0, 2**31), st.integers(1, 6))
def test_padding_changes_nothing_in_a_loss_or_its_gradient(returns, seed, n_padded):
    rng = generator(seed)
    config = a2c.Config(RestlessBandit(12), returns=returns, value_weight=0.5, entropy_weight=0.3)
    config = dataclasses.replace(config, disturbance=Disturbance(0.5, delay=1))
    logits, value = torch.randn(6, 3, 2, generator=rng), torch.randn(6, 3, generator=rng)
    action, reward = torch.randint(2, (6, 3), generator=rng), torch.randn(6, 3, generator=rng)
    junk = [torch.randn(n_padded, *x.shape[1:], generator=rng) for x in (logits, value, reward)]
    longer = torch.cat([logits, junk[0]]), torch.cat([value, junk[1]])
    valid = torch.arange(6 + n_padded)[:, None].expand(-1, 3) < 6
    rest = torch.cat([action, torch.zeros(n_padded, 3, dtype=torch.int64)]), torch.cat([reward, junk[2]])
    found = []
    for (some_logits, some_value), played, marked in (((logits, value), (action, reward), None), (longer, rest, valid)):
        some_logits, some_value = some_logits.clone().requires_grad_(), some_value.clone().requires_grad_()
        loss, terms = a2c.loss(some_logits, some_value, *played, config, 0.0, valid=marked)
        loss.backward()
        assert not some_logits.grad[6:].any() and not some_value.grad[6:].any()
        found.append((loss.detach(), terms, some_logits.grad[:6], some_value.grad[:6]))
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


@given(st.integers(0, 2**31))
def test_padding_enters_no_mean_and_no_normalisation(seed):
    x = torch.randn(7, 3, generator=generator(seed))
    valid = torch.rand(7, 3, generator=generator(seed + 1)) < 0.6
    kept = x[valid]
    if len(kept) < 3:
        return
    torch.testing.assert_close(mean(x, valid), kept.mean())
    scaled = normalised(x, valid)
    assert not scaled[~valid].any()
    torch.testing.assert_close(scaled[valid], (kept - kept.mean()) / kept.std(correction=0), rtol=1e-4, atol=1e-5)


def test_a_task_that_pads_is_trained_on_what_was_played(tmp_path):
    config = a2c.Config(Walk(6), LSTM(4), n_updates=2, batch_size=5)
    assert a2c.company(config) is None  # the quick path knows no padding
    rows = []
    agent = a2c.train(config, tmp_path, progress=rows.append)
    assert all(weight.isfinite().all() for weight in agent.parameters())
    first = a2c.build(config)
    (played,) = segments(config.task, first, 5, generator(config.seed))
    answered = first.sequence(played, first.begin(5))
    _, terms = a2c.loss(answered.logits, answered.value, played.action, played.reward, config, 0.0, valid=played.valid)
    assert rows[0]["entropy"] == pytest.approx(float(terms["entropy"]), abs=1e-6)
    whole = a2c.loss(answered.logits, answered.value, played.action, played.reward, config, 0.0)[1]
    assert float(whole["value_loss"]) != pytest.approx(rows[0]["value_loss"], rel=1e-3)
