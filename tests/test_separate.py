"""Actor and critic apart, the actor fed prediction errors; training by disturbed ones; networks without memory."""

import dataclasses

import pytest
import torch
from test_training import generator, replay

from neurometa.agents import LSTM, Lesioned, LSTMAgent, RandomChoice, SeparateActorCritic
from neurometa.errors import InputError
from neurometa.rollout import unroll
from neurometa.tasks import Fixation, InformativeBandit, RestlessBandit, RiskySafe
from neurometa.training import Adam, Disturbance, NStep, a2c, loop
from neurometa.training.returns import disturbed

SMALL = a2c.Config(
    Fixation(RiskySafe(8, n_forced=2)), LSTM(5, separate=True), optimizer=Adam(1e-2), n_updates=4, batch_size=6
)
TASKS = pytest.mark.parametrize("task", [Fixation(RiskySafe(6, n_forced=2)), InformativeBandit(), RestlessBandit(7)])


def network(task, *, discount=0.7, seed=0, **settings):
    """An untrained agent with weights large enough that gates open and close."""
    torch.manual_seed(seed)
    n_steps = task.n_trials * len(task.steps)
    agent = SeparateActorCritic(
        task.n_features,
        task.n_actions,
        n_steps,
        reward_levels=task.reward_levels,
        n_units=6,
        learned_start=True,
        discount=discount,
        **settings,
    )
    with torch.no_grad():
        for weight in agent.parameters():
            weight.normal_(0, 0.5)
    return agent


def bits(agent):
    return {name: weight.clone() for name, weight in agent.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


@TASKS
def test_the_actor_is_given_the_prediction_error_that_the_critic_made_of_the_step_before(task):
    agent = network(task)
    played = unroll(task, agent, 9, generator(), log=("rpe_input",))
    given, reward, value = (played[name].flatten(0, 1) for name in ("rpe_input", "reward", "value"))
    assert not given[0].any()
    torch.testing.assert_close(given[1:], reward[:-1] + 0.7 * value[1:] - value[:-1])


@TASKS
def test_the_actor_is_told_of_rewards_by_prediction_errors_alone(task):
    agent = network(task)
    with torch.no_grad():  # a critic that expects what it gets, and no future, is never surprised
        agent.critic.head.weight.zero_()
        agent.critic.head.bias.zero_()
    observation, state = torch.zeros(3, task.n_features), agent.begin(3)
    action = torch.eye(task.n_actions)[[0, 0, 0]]
    state |= {"started": torch.ones(3), "value": torch.tensor([1.0, 0.1, 1.0])}
    out = agent(observation, action, torch.tensor([1.0, 0.1, 0.5]), state)
    torch.testing.assert_close(out.logits[0], out.logits[1])
    assert (out.logits[0] - out.logits[2]).abs().max() > 1e-3
    nudged = agent(
        observation, action, torch.tensor([1.0, 0.1, 0.5]), state | {"perturbation": torch.tensor([0, 0, 0.5])}
    )
    torch.testing.assert_close(nudged.logits[2], out.logits[0])
    assert nudged.value.equal(out.value)


def test_policy_and_value_share_no_weight_and_no_gradient():
    task = Fixation(RiskySafe(6, n_forced=2))
    agent = network(task)
    logits, value = replay(agent, unroll(task, agent, 9, generator()))
    logits.square().sum().backward(retain_graph=True)
    assert all(weight.grad is None or not weight.grad.any() for weight in agent.critic.parameters())
    agent.zero_grad()
    value.square().sum().backward()
    assert all(weight.grad is None or not weight.grad.any() for weight in agent.actor.parameters())


def test_two_networks_train_and_resume_to_the_same_bits(tmp_path):
    whole = a2c.train(SMALL)
    assert isinstance(whole, SeparateActorCritic)

    def stop(row):
        if row["update"] == 3:
            raise KeyboardInterrupt

    seconds = loop.SECONDS_BETWEEN_CHECKPOINTS
    loop.SECONDS_BETWEEN_CHECKPOINTS = -1.0
    try:
        with pytest.raises(KeyboardInterrupt):
            a2c.train(SMALL, tmp_path, progress=stop)
    finally:
        loop.SECONDS_BETWEEN_CHECKPOINTS = seconds
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert same(bits(a2c.train(SMALL, tmp_path)), bits(whole))


@pytest.mark.parametrize("separate", [False, True])
def test_a_feed_forward_agent_answers_each_step_from_its_inputs_alone(separate):
    config = dataclasses.replace(SMALL, network=LSTM(5, ("observation",), recurrent=False, separate=separate))
    agent = a2c.build(config)
    with torch.no_grad():
        for weight in agent.parameters():
            weight.normal_(0, 0.5)
    played = unroll(config.task, agent, 50, generator())
    shown = played["observation"].flatten(0, 2)
    logits = played["logits"].flatten(0, 2)
    for row in shown.unique(dim=0):
        here = logits[(shown == row).all(-1)]
        torch.testing.assert_close(here, here[:1].expand_as(here))
    memory = a2c.build(dataclasses.replace(config, network=dataclasses.replace(config.network, recurrent=True)))
    memory.load_state_dict(agent.state_dict())  # the same weights
    remembered = unroll(config.task, memory, 50, generator())["logits"]
    assert (remembered[-1] - played["logits"][-1]).abs().max() > 1e-3
    assert not same(bits(a2c.train(config)), bits(a2c.build(config)))


# Training by disturbed prediction errors


def test_a_disturbance_scales_delays_and_adds_noise():
    rpe = torch.arange(12.0).reshape(6, 2)
    assert disturbed(rpe) is rpe
    assert disturbed(rpe, gain=2).equal(2 * rpe)
    late = disturbed(rpe, delay=2)
    assert not late[:2].any()
    assert late[2:].equal(rpe[:-2])
    wide = torch.zeros(400, 400)
    noise = disturbed(wide, noise_sd=0.5, rng=generator())
    assert noise.std().item() == pytest.approx(0.5, abs=0.01)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.equal(disturbed(wide, noise_sd=0.5, rng=generator()))


def test_without_prediction_errors_nothing_is_learned_and_entropy_alone_acts():
    still = dataclasses.replace(SMALL, disturbance=Disturbance(0.0), entropy_weight=0.0)
    assert same(bits(a2c.train(still)), bits(a2c.build(still)))
    short = dataclasses.replace(still, task=RiskySafe(2, n_forced=2))
    before, after = (
        unroll(short.task, agent, 50, generator())["logits"].std(-1).mean()
        for agent in (
            a2c.build(short),
            a2c.train(dataclasses.replace(short, entropy_weight=1.0, n_updates=60)),
        )
    )
    assert after < 0.2 * before


def test_the_update_follows_the_disturbed_prediction_errors():
    """Against the gradient of the sum written out: -delta' log pi - weight delta' V."""
    config = dataclasses.replace(
        SMALL, disturbance=Disturbance(0.5, 3), returns=NStep(0.6), entropy_weight=0.0, value_weight=0.3
    )
    rng = generator()
    logits, value = torch.randn(8, 4, 3, generator=rng, requires_grad=True), torch.randn(8, 4, generator=rng)
    value.requires_grad_()
    action, reward = torch.randint(3, (8, 4), generator=rng), torch.randn(8, 4, generator=rng)
    a2c.loss(logits, value, action, reward, config, 0.0)[0].backward()
    known = value.detach()
    error = torch.stack([sum(0.6**i * reward[t + i] for i in range(8 - t)) for t in range(8)]) - known
    taught = torch.zeros_like(error)
    taught[3:] = 0.5 * error[:5]
    torch.testing.assert_close(value.grad, -0.3 * taught / 32)
    chosen = torch.nn.functional.one_hot(action, 3)
    torch.testing.assert_close(logits.grad, -taught[..., None] * (chosen - torch.softmax(logits.detach(), -1)) / 32)


@pytest.mark.parametrize("setting", [{"noise_sd": 0.5}, {"delay": 1}, {"gain": 0.5}])
def test_a_disturbance_changes_what_is_learned_and_a_seed_fixes_it(setting):
    changed = dataclasses.replace(SMALL, disturbance=Disturbance(**setting))
    assert same(bits(a2c.train(changed)), bits(a2c.train(changed)))
    assert not same(bits(a2c.train(changed)), bits(a2c.train(SMALL)))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"gain": -1.0}, "gain is -1.0; it must be at least 0"),
        ({"noise_sd": float("inf")}, "noise_sd is inf"),
        ({"delay": -1}, "delay is -1; it must be at least 0"),
        ({"delay": 16}, "delay is 16; it must be below the episode's 16 steps"),
    ],
)
def test_a_disturbance_out_of_range_is_told(setting, told):
    with pytest.raises(InputError, match=told):
        dataclasses.replace(SMALL, disturbance=Disturbance(**setting))


# Lesions


@pytest.mark.parametrize("separate", [False, True])
def test_a_reset_makes_every_trial_the_first_as_far_as_memory_goes(separate):
    task = Fixation(RiskySafe(6, n_forced=2))
    agent = a2c.build(dataclasses.replace(SMALL, task=task, network=LSTM(5, learned_start=True, separate=separate)))
    with torch.no_grad():
        for weight in agent.parameters():
            weight.normal_(0, 0.5)
    lesioned = Lesioned(agent, "reset", n_steps=2)
    played = unroll(task, lesioned, 7, generator(), log=("hidden",))
    start = agent.begin(7)
    names = [name for name in start if name.endswith(("hidden", "cell"))]
    state, before, paid = agent.begin(7), torch.zeros(7, 3), torch.zeros(7)
    for trial in range(6):
        state = state | {name: start[name] for name in names}
        for step in range(2):
            out = agent(played["observation"][trial, step], before, paid, state)
            torch.testing.assert_close(out.logits, played["logits"][trial, step])
            torch.testing.assert_close(out.record["hidden"], played["hidden"][trial, step])
            state, before = out.state, torch.eye(3)[played["action"][trial, step]]
            paid = played["reward"][trial, step]


def test_a_silenced_agent_forgets_from_step_to_step_and_an_intact_one_does_not():
    torch.manual_seed(0)
    agent = LSTMAgent(0, 2, 10, n_units=8, inputs=("action", "reward"), learned_start=True)
    with torch.no_grad():
        for weight in agent.parameters():
            weight.normal_(0, 0.7)
    nothing = torch.zeros(4, 0)
    action = torch.eye(2)[[0, 0, 1, 1]]

    def after(player, first_reward):
        out = player(nothing, action, torch.full((4,), first_reward), player.begin(4))
        return player(nothing, action, torch.ones(4), out.state).logits

    silenced = Lesioned(agent, "silence")
    assert after(silenced, 0.0).equal(after(silenced, 1.0))
    assert not after(agent, 0.0).equal(after(agent, 1.0))
    zero = {name: torch.zeros(4, 8) for name in ("hidden", "cell")}
    expected = agent(nothing, action, torch.ones(4), agent.begin(4) | zero).logits
    assert after(silenced, 0.0).equal(expected)


def test_a_lesion_that_is_none_or_of_an_agent_without_memory_is_told():
    with pytest.raises(InputError, match=r"no lesion 'rest'; allowed are .* Did you mean 'reset'\?"):
        Lesioned(a2c.build(SMALL), "rest")
    with pytest.raises(InputError, match="RandomChoice has no hidden or cell state"):
        Lesioned(RandomChoice(), "reset")
    assert unroll(SMALL.task, Lesioned(a2c.build(SMALL), "silence"), 3, generator())["reward"].isfinite().all()
