"""Imitation: what the loss is of, who plays, the same bits again, and training that goes on from other weights."""

import dataclasses

import numpy as np
import pytest
import torch
from test_segments import Walk
from torch.nn.functional import one_hot

from neurometa import agents, runs, settings
from neurometa.agents import GRU, LSTM
from neurometa.errors import InputError
from neurometa.experiments import EXPERIMENTS
from neurometa.rollout import segments, unroll
from neurometa.streams import Streams
from neurometa.tasks import IndependentBandit, RestlessBandit, TabularMDP, TwoStep
from neurometa.training import GAE, Adam, Linear, RMSProp, a2c, config, curve, imitation, loop, ppo
from neurometa.training.checkpoint import WEIGHTS, save_weights
from neurometa.training.together import Together

SMALL = imitation.Config(IndependentBandit(6, n_arms=3), GRU(5), n_updates=4, batch_size=6)

TOLD = imitation.Config(
    TabularMDP(2, 3, 3, horizon=3), GRU(5), teacher="BEB", told="planned_loss", cost_weight=0.5, batch_size=6
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bits(agent):
    return {name: x.numpy().tobytes() for name, x in agent.state_dict().items()}


def trained(config, run=None):
    rows = []
    agent = imitation.train(config, run, progress=rows.append)
    return bits(agent), rows


def test_the_loss_is_least_and_zero_where_the_agent_does_as_the_teacher_does():
    task, teacher = SMALL.task, imitation.teacher_of(SMALL)
    (played,) = segments(task, teacher, 8, generator())
    taught = imitation._taught(SMALL, teacher, played).logits
    torch.testing.assert_close(taught, played.logits)  # who played answers the same again
    nothing = dataclasses.replace(SMALL, value_weight=0.0)
    same = taught.clamp(min=-30.0).requires_grad_()
    total, terms = imitation.loss(same, played.reward, played.reward, taught, nothing, 0.0)
    total.backward()
    assert terms["kl"].item() == pytest.approx(0, abs=1e-6)
    assert same.grad.abs().max() < 1e-6
    other = (same.detach() + torch.randn(same.shape, generator=generator())).requires_grad_()
    assert imitation.loss(other, played.reward, played.reward, taught, nothing, 0.0)[1]["kl"] > 0.01


@pytest.mark.parametrize("told", [False, True])
def test_the_quick_path_learns_what_autograd_learns(told):
    config = dataclasses.replace(TOLD if told else SMALL, network=LSTM(5), batch_size=32, n_updates=3)
    agent, teacher = imitation.build(config), imitation.teacher_of(config)
    optimizer = config.optimizer.make(agent.parameters())
    rng = Streams([generator(config.seed)], 32)
    for n in range(3):
        rng.start()
        imitation._update(config, agent, teacher, optimizer, rng, n / 3)
    quick = imitation.train(config)
    for (name, plain), found in zip(agent.named_parameters(), quick.parameters(), strict=True):
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"teacher_share": 1.0, "teacher": "Thompson"},
        {"teacher_share": Linear(1.0, 0.0), "optimizer": RMSProp(1e-3)},
        {"network": LSTM(4, n_layers=2), "returns": GAE(Linear(0.5, 0.9), 0.5)},
        {"network": LSTM(4, separate=True), "batch_size": 33},
        {"task": TwoStep(3), "teacher": "Bayes-optimal"},
    ],
)
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, changes):
    config = dataclasses.replace(SMALL, **changes)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    monkeypatch.setattr(loop, "SHARE_OF_CHECKPOINTS", 1e9)

    class Stop(Exception):
        pass

    def stop(row):
        if row["update"] > 2:
            raise Stop

    with pytest.raises(Stop):
        imitation.train(config, tmp_path, progress=stop)
    whole = trained(config)
    assert trained(config, tmp_path) == (whole[0], whole[1][2:])
    assert curve.read(tmp_path) == whole[1]
    assert whole[0] != bits(imitation.build(config))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixture_takes_each_action_as_often_as_both_together_would(share):
    task = IndependentBandit(5, n_arms=3)
    first, second = agents.Thompson(3), agents.Gittins(3, n_trials=5)
    mixed = imitation.Mixture(agents.RandomChoice(3), second, share)
    (played,) = segments(task, mixed, 400, generator())
    alone = second.sequence(played, second.begin(400)).logits.softmax(-1)
    torch.testing.assert_close(played.logits.softmax(-1), (1 - share) / 3 + share * alone)
    both = imitation.Mixture(first, second, share)  # each sees what was done, whoever did it
    state = both.begin(2)
    out = both(torch.zeros(2, 0), torch.zeros(2, 3), torch.zeros(2), state)
    assert out.state.keys() == state.keys()


def test_the_cost_of_a_policy_is_what_the_teachers_plan_loses_by_it():
    task, teacher = TOLD.task, imitation.teacher_of(TOLD)
    (played,) = segments(task, agents.RandomChoice(3), 8, generator())
    taught, terms = imitation._taught(TOLD, teacher, played), {}
    best = taught.logits.clamp(min=-100.0)
    alone = dataclasses.replace(TOLD, told_weight=0.0)
    imitation._beside(alone, 0.0, best, torch.zeros(6, 8, 9), taught, terms)
    assert terms["cost"].item() == pytest.approx(0, abs=1e-6)
    total = imitation._beside(alone, 0.0, torch.zeros(6, 8, 3), torch.zeros(6, 8, 9), taught, terms)
    here = played.observation[..., :3].argmax(-1)
    lost = taught.told.unflatten(-1, (3, 3)).gather(2, here[..., None, None].expand(-1, -1, 1, 3))
    torch.testing.assert_close(terms["cost"], -lost.mean())
    torch.testing.assert_close(total, 0.5 * terms["cost"])


def test_what_a_teacher_records_is_learned_and_can_be_logged():
    task, network = TabularMDP(5, n_states=1, n_actions=2, horizon=1), GRU(16, initial="normal")
    config = dataclasses.replace(TOLD, task=task, network=network, batch_size=64, n_updates=80, told_weight=5.0)
    errors = []
    agent = imitation.train(config, progress=lambda row: errors.append(row["told_loss"]))
    assert np.mean(errors[-10:]) < 0.7 * np.mean(errors[:10])
    played = unroll(config.task, agent, 4, generator(), log=("readout",))
    assert played["readout"].shape[-1] == 2
    (whole,) = segments(config.task, agent, 4, generator(), log=("readout",))
    again = agent.sequence(whole, agent.begin(4), ("readout",))
    torch.testing.assert_close(again.record["readout"], whole.record["readout"])


def test_a_teachers_share_of_the_quick_path_is_what_it_says():
    task, teacher = SMALL.task, agents.Greedy(3)
    together = Together([imitation.build(SMALL)], 320, Adam)
    for share in (0.0, 0.4, 1.0):
        rng = Streams([generator(1)], 320)
        played = together.play(task, rng, np.arange(1), teacher=teacher, teacher_share=share)
        policy = torch.lerp(together.answers()[0].detach().softmax(-1), played.taught.softmax(-1), share)
        made = policy.gather(-1, played.action[..., None])
        assert (made > 0).all()
        first = one_hot(played.action, 3).float().mean((0, 1))
        torch.testing.assert_close(first, policy.mean((0, 1)), rtol=0, atol=0.04)
        (whole,) = segments(task, agents.RandomChoice(3), 320, generator())
        whole = dataclasses.replace(whole, action=played.action, reward=played.reward)
        assert teacher.sequence(whole, teacher.begin(320)).logits.equal(played.taught)


def test_a_teacher_of_ones_own_is_imitated():
    class Second(agents.Agent):
        def begin(self, n_episodes):
            return {"none": torch.zeros(n_episodes)}

        def forward(self, observation, action, reward, state):
            logits = torch.tensor([0.0, 9.0, 0.0]).expand(len(reward), -1)
            return agents.Output(logits, reward, state, {})

    config = dataclasses.replace(SMALL, n_updates=40, optimizer=Adam(0.05))
    agent = imitation.imitate(config, Second())
    chosen = unroll(config.task, agent, 200, generator())["action"]
    assert (chosen == 1).float().mean() > 0.9


def test_a_teacher_that_does_not_play_the_task_is_told_before_anything_is_written(tmp_path):
    wrong = dataclasses.replace(SMALL, teacher="Gitins")
    with pytest.raises(
        InputError, match=r"teacher is 'Gitins', who does not play IndependentBandit.*'Gittins'"
    ) as told:
        runs.train(wrong, tmp_path / "run")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run" / "config.json").exists()
    with pytest.raises(InputError, match="There are no baselines for Walk"):
        runs.train(imitation.Config(Walk(3)), tmp_path / "run")
    with pytest.raises(InputError, match=r"teacher_share is 1.5; it must be at least 0 and at most 1"):
        dataclasses.replace(SMALL, teacher_share=1.5)
    with pytest.raises(InputError, match="of is 'regret'; a teacher is imitated"):
        settings.replace(SMALL, ["of=regret"])
    with pytest.raises(
        InputError, match=r"told is 'plan', but the teacher does not record 'plan'; it records planned_loss, a"
    ):
        dataclasses.replace(TOLD, told="plan").check()
    with pytest.raises(
        InputError, match=r"cost_weight is 1.0, but the teacher does not record .*; it records nothing\."
    ):
        runs.train(dataclasses.replace(SMALL, cost_weight=1.0), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize("algorithm", [a2c, ppo, imitation])
@pytest.mark.parametrize("kind", [GRU(5), LSTM(4, n_layers=2)])
def test_any_algorithm_goes_on_from_the_weights_of_another(tmp_path, algorithm, kind):
    first = runs.train(a2c.Config(SMALL.task, kind, n_updates=2, batch_size=4), tmp_path / "first")
    following = algorithm.Config(
        SMALL.task, kind, n_updates=1, batch_size=4, start=str(tmp_path / "first"), optimizer=Adam(0.0)
    )
    after = runs.train(following, tmp_path / "second")
    assert bits(after) == bits(first)
    assert bits(algorithm.build(following)) != bits(first)  # what it was before any training
    assert runs.open_config(tmp_path / "second").start == str(tmp_path / "first")


def test_a_start_that_is_nowhere_or_of_another_network_is_told_before_anything_is_written(tmp_path):
    config_ = dataclasses.replace(SMALL, start="nowhere")
    with pytest.raises(InputError, match="start is 'nowhere'; it is neither a run"):
        runs.train(config_, tmp_path / "run")
    (tmp_path / "other").mkdir()
    save_weights(tmp_path / "other" / WEIGHTS, a2c.build(a2c.Config(RestlessBandit(3))))
    with pytest.raises(InputError, match="holds the weights of another agent"):
        runs.train(dataclasses.replace(SMALL, start=str(tmp_path / "other")), tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()
    box = a2c.Config(RestlessBandit(), start="restless/0")
    assert bits(config.begin(box)) != bits(a2c.build(box))


def test_a_start_without_a_seed_is_the_agent_of_the_same_seed_or_says_which_there_are():
    named = dataclasses.replace(EXPERIMENTS["reversal"].config, start="reversal/1", seed=1)
    assert bits(config.begin(dataclasses.replace(named, start="reversal"))) == bits(config.begin(named))
    with pytest.raises(
        InputError, match=r"no agent with training seed 99 comes along, but those with 0, 1.*reversal/0"
    ):
        config.begin(dataclasses.replace(named, start="reversal", seed=99))
