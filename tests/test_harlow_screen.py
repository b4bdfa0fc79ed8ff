"""Harlow's task on a screen that is looked at by turning: what is paid, what is seen, and how long a trial takes."""

import dataclasses

import numpy as np
import pytest
import torch

from neurometa import agents, behaviour, dataset, rollout, settings, timed
from neurometa.agents import LSTM, Frozen
from neurometa.errors import InputError
from neurometa.render import images, screen
from neurometa.tasks import HarlowScreen
from neurometa.tasks.harlow_screen import CHOICE
from neurometa.training import Curriculum, Training, a2c
from tests import test_harlow_pixels as pixels
from tests import test_tasks as laws

EVERY_PARTNER = pytest.mark.parametrize("partner", ["kept", "new"])
STILL, LEFT, RIGHT = 2, 0, 1


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def by_hand(task, n_episodes=64, *, right=True, seed=0):
    """Play by one who sees behind the screen: rewards of the episodes, and how many actions they took."""
    rng = generator(seed)
    state, total, n_steps = task.begin(n_episodes, rng), 0.0, torch.zeros(n_episodes)
    while state["valid"].any():
        side = state["side"].gather(1, state["trial_index"][:, None])[:, 0].long()
        gaze = state["gaze"]
        back = torch.where(gaze > 2, LEFT, torch.where(gaze < -2, RIGHT, STILL))
        n_steps += state["valid"]
        choose = side if right else 1 - side
        paid, state = task.step(state, torch.where(state["phase"] == CHOICE, choose, back), "step", rng)
        total = total + paid
    return total, n_steps


@EVERY_PARTNER
@pytest.mark.parametrize(
    "law",
    [
        laws.test_a_step_is_a_pure_function,
        laws.test_every_task_makes_its_tensors_where_the_random_numbers_are,
        laws.test_the_test_of_a_task_is_a_task_of_the_same_size,
    ],
    ids=lambda law: law.__name__,
)
def test_the_task_keeps_the_laws_of_all_tasks(law, partner):
    law(HarlowScreen(7, partner=partner))


@EVERY_PARTNER
@pytest.mark.parametrize("n_trials", [6, 10])
def test_who_knows_the_side_gets_all_there_is_in_20_to_30_primitive_steps_a_trial(partner, n_trials):
    task = HarlowScreen(n_trials, partner=partner)
    total, n_steps = by_hand(task)
    assert total.numpy() == pytest.approx(1.2 * n_trials, rel=1e-5)
    per_trial = 4 * n_steps / n_trials
    assert ((per_trial >= 20) & (per_trial <= 30)).all()
    total, _ = by_hand(task, right=False)
    assert total.numpy() == pytest.approx(-0.8 * n_trials, rel=1e-5)


def test_a_choice_takes_three_actions_and_a_fixation_four_primitive_steps():
    task, rng = HarlowScreen(), generator()
    state = task.begin(3, rng)
    assert (state["shown"] == screen.CROSS).all()
    paid, state = task.step(state, torch.full((3,), STILL), "step", rng)
    assert paid.numpy() == pytest.approx(0.2) and (state["shown"] == screen.LEFT + screen.RIGHT).all()
    for events in (0, 0, 3):
        paid, state = task.step(state, torch.full((3,), RIGHT), "step", rng)
        assert (state["event"] == events).all()
    assert (state["shown"] == screen.RIGHT).all() and (state["gaze"].abs() > 65 / 4 - 7).all()
    assert paid.equal(torch.where(state["side"][:, 0] == 1, 1.0, -1.0))
    paid, state = task.step(state, torch.full((3,), STILL), "step", rng)
    assert not paid.any() and not state["shown"].any() and not state["trial_index"].any()
    _, state = task.step(state, torch.full((3,), STILL), "step", rng)  # by now 10 primitive steps have passed
    assert (state["trial_index"] == 1).all() and (state["shown"] == screen.CROSS).all()


def test_without_fixation_a_trial_is_a_choice_and_a_look_at_what_was_chosen():
    task, rng = HarlowScreen(3, turn=16, fixation=False), generator()
    state, total = task.begin(40, rng), 0.0
    for trial in range(3):
        assert (state["shown"] == screen.LEFT + screen.RIGHT).all() and not state["gaze"].any()
        paid, state = task.step(state, state["side"][:, trial].long(), "step", rng)
        assert (state["shown"] == torch.where(state["gaze"] < 0, screen.LEFT, screen.RIGHT)).all()
        total = total + paid
        _, state = task.step(state, torch.full((40,), LEFT), "step", rng)
    assert (total == 3).all() and not state["valid"].any()


def test_who_never_turns_fixates_once_and_is_censored():
    class Still(agents.RandomChoice):
        def forward(self, observation, action, reward, state):
            answer = super().forward(observation, action, reward, state)
            return answer._replace(logits=torch.tensor([-torch.inf, -torch.inf, 0.0]).expand(len(reward), 3))

    task = HarlowScreen(4, n_steps=30)
    trials = rollout.to_dataset(task, rollout.unroll(task, Still(3), 5, generator()))
    dataset.check(trials)
    assert (trials.choice == -1).all() and (trials.latency[:, 0] == 30).all() and not trials.valid[:, 1:].any()
    assert trials.censored[:, 0].all() and trials.reward[:, 0].values == pytest.approx(0.2)
    assert behaviour.learning_set_curve(trials).n.sum() == 0


@EVERY_PARTNER
def test_the_trial_table_says_what_was_chosen_and_frames_are_drawn_again_to_the_byte(partner):
    task = HarlowScreen(3, n_steps=80, partner=partner)
    played = rollout.unroll(task, agents.RandomChoice(3), 30, generator())
    trials = rollout.to_dataset(task, played)
    made = trials.choice >= 0
    assert made.mean() > 0.3
    fixations = (trials.event == 1).sum("time")
    right = ((trials.choice == trials.side) & made).sum("trial") - ((trials.choice != trials.side) & made).sum("trial")
    np.testing.assert_allclose(trials.reward.sum("trial"), 0.2 * fixations + right, atol=1e-5)
    for episode in (0, 7):
        n = int(trials.valid_time[episode].sum())
        assert timed.frames(task, trials, episode).equal(played["observation"][:n, episode])


def test_one_image_or_both_stay():
    both, one = (HarlowScreen(partner=partner).begin(400, generator())["image"] for partner in ("kept", "new"))
    assert (both.sort(-1).values == both[:, :1].sort(-1).values).all()
    stays = [(one == one[:, :1, k : k + 1]).any(-1).all(-1) for k in (0, 1)]
    assert (stays[0] ^ stays[1]).all()
    assert len(torch.unique(one)) == 400 * 11
    state = HarlowScreen(partner="new").begin(4000, generator())
    rewarded = state["image"].gather(2, state["side"][..., None].long())[..., 0]
    assert float((rewarded == rewarded[:, :1]).all(1).float().mean()) == pytest.approx(0.5, abs=4 * 0.5 / 4000**0.5)


def test_a_view_shows_both_images_whole_from_the_cross_and_one_in_the_middle_when_it_is_chosen():
    task = HarlowScreen(2, image_size=34, frame=(84, 84))
    state = task.begin(1, generator())
    shown = images.paint(state["image"][0, 0], 34)
    state["shown"] = torch.tensor([6], dtype=torch.uint8)
    seen = task.observe(state, "step")[0]
    assert seen[:, 25:59, 4:38].equal(shown[0]) and seen[:, 25:59, 46:80].equal(shown[1])
    turned = task.observe(state | {"gaze": torch.tensor([65 / 4])}, "step")[0]
    assert turned[:, 25:59, 25:59].equal(shown[1])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: HarlowScreen(n_steps=0), "n_steps is 0; it must be at least 1"),
        (lambda: HarlowScreen(test_steps=0), "test_steps is 0"),
        (lambda: HarlowScreen(turn=0), "turn is 0; it must be above 0 and at most 45 degrees"),
        (lambda: HarlowScreen(partner="nwe"), r"partner is 'nwe'; allowed are .* Did you mean 'new'\?"),
        (lambda: HarlowScreen(fixation_reward=float("inf")), "fixation_reward is inf; it must be finite"),
        (lambda: HarlowScreen(image_size=20), "frame is 28 x 28 and image_size 20"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_the_test_has_the_time_of_the_papers_and_other_images():
    task = HarlowScreen(n_steps=50).for_test()
    assert task == dataclasses.replace(HarlowScreen(), n_steps=900, test_steps=900, held_out=True)
    assert (task.begin(20, generator())["image"] >= images.N_PAINTED).all()


def test_pictures_of_a_folder_are_shown(tmp_path):
    task = HarlowScreen(2, images=pixels.write(tmp_path / "own", 8), image_size=4, frame=(10, 10))
    assert set(task.begin(200, generator())["image"].flatten().tolist()) == {0, 1, 2, 3}


def test_a_curriculum_sets_a_setting_of_the_task_until_its_stages_are_over():
    task = HarlowScreen(2, n_steps=10)
    config = a2c.Config(
        task,
        LSTM(4, encoder=Frozen(n_features=8)),
        n_updates=4,
        batch_size=4,
        curriculum=Curriculum("turn", ((0.25, 16.0), (0.5, 8.0))),
    )
    assert [config.task_at(share).turn for share in (0, 0.2, 0.25, 0.49, 0.5, 0.9)] == [16, 16, 8, 8, 4.4, 4.4]
    curriculum = Curriculum("turn", ((0.5, 16.0),), beside=Curriculum("fixation", ((0.25, 0.0),)))
    both = dataclasses.replace(config, curriculum=curriculum)
    stages = [(task.turn, task.fixation) for task in map(both.task_at, (0, 0.25, 0.5))]
    assert stages == [(16, False), (16, True), (4.4, True)]
    assert settings.from_json([Training], settings.to_json(both)) == both
    assert a2c.company(config) is None
    trained = a2c.train(config)
    plain = a2c.train(dataclasses.replace(config, curriculum=None))
    assert not trained.head.weight.equal(plain.head.weight), "wide turns are other episodes"


@pytest.mark.parametrize(
    ("curriculum", "told"),
    [
        (lambda: Curriculum("turn", ()), r"stages is \(\); there is one at least"),
        (lambda: Curriculum("turn", ((0.5, 3.0), (0.5, 2.0))), "rise from above 0 to at most 1"),
        (lambda: Curriculum("trun", ((0.5, 3.0),)), "which HarlowScreen does not have. Did you mean 'turn'?"),
        (lambda: Curriculum("turn", ((0.5, -3.0),)), "turn is -3.0; it must be above 0"),
        (lambda: Curriculum("n_steps", ((0.5, 3.0),)), "A curriculum may change neither the steps of an episode nor"),
    ],
)
def test_a_curriculum_that_cannot_be_is_refused_in_one_sentence(curriculum, told):
    with pytest.raises(InputError, match=told):
        a2c.Config(HarlowScreen(), LSTM(4, encoder=Frozen(n_features=8)), curriculum=curriculum())
