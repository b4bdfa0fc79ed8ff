"""Harlow's task on a screen: images that never come again, frames that are right to the pixel, and what they teach."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import nn

from neurometa import agents, behaviour, dataset, rollout, runs
from neurometa.agents import LSTM, Conv, Frozen
from neurometa.errors import InputError
from neurometa.render import images, screen
from neurometa.tasks import HarlowPixels
from neurometa.training import NStep, a2c, build
from tests import test_tasks as laws
from tests.shell import neurometa

LAWS = [
    laws.test_every_task_keeps_the_data_contract,
    laws.test_a_seed_fixes_the_data,
    laws.test_a_step_is_a_pure_function,
    laws.test_every_task_makes_its_tensors_where_the_random_numbers_are,
    laws.test_the_test_of_a_task_is_a_task_of_the_same_size,
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_task_keeps_the_laws_of_all_tasks(law):
    law(HarlowPixels(7))


def test_images_follow_from_their_numbers_and_differ():
    number = torch.arange(2000).reshape(2, 1000)
    seen = images.paint(number, 8)
    assert seen.shape == (2, 1000, 3, 8, 8) and seen.dtype == torch.uint8
    assert images.paint(number[1, 7:9], 8).equal(seen[1, 7:9])
    assert len(torch.unique(seen.reshape(2000, -1), dim=0)) == 2000
    flat = seen.reshape(2000, -1).float()
    assert (flat.std(0) > 40).all(), "every pixel differs between images"
    apart = torch.cdist(flat[:300], flat[:300]) / flat.shape[1] ** 0.5
    assert apart[~torch.eye(300, dtype=torch.bool)].min() > 20, "no two of them are alike"


def test_a_larger_image_is_the_same_image():
    large = images.paint(torch.arange(20), 64).float()
    small = images.paint(torch.arange(20), 16).float()
    pooled = torch.nn.functional.avg_pool2d(large, 4)
    r = np.corrcoef(pooled.flatten(), small.flatten())[0, 1]
    assert r > 0.93


def test_training_and_test_images_are_disjoint():
    for task in (HarlowPixels(), HarlowPixels(n_images=50)):
        numbers = [each.draw_pair(generator(), 5000) for each in (task, task.for_test())]
        assert not set(numbers[0].flatten().tolist()) & set(numbers[1].flatten().tolist())
        assert all((number[:, 0] != number[:, 1]).all() for number in numbers)
    assert len(np.unique(numbers[0])) == len(np.unique(numbers[1])) == 50
    counts = np.stack([np.bincount(column, minlength=50) for column in numbers[0].T.numpy()])
    assert laws.evenly(counts[0]) and laws.evenly(counts[1]), "no image is good or bad more often than another"


def test_no_linear_readout_of_pixels_tells_which_image_is_rewarded():
    task = HarlowPixels(1)
    played = rollout.unroll(task, agents.RandomChoice(2), 3000, generator())
    seen = played["observation"][0, 0].flatten(1).float().numpy() / 255
    side = played["side"][0].numpy()
    told = LogisticRegression(C=1e-3, max_iter=200).fit(seen[:2000], side[:2000]).score(seen[2000:], side[2000:])
    assert told < 0.5 + 4 * 0.5 / 1000**0.5


@settings(max_examples=25, deadline=None)
@given(
    frame=st.tuples(st.integers(8, 30), st.integers(16, 50)),
    size=st.integers(1, 8),
    offset=st.integers(0, 20),
    edge=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
def test_both_renderers_draw_the_same_bytes(frame, size, offset, edge, seed):
    rng = generator(seed)
    shown = torch.randint(8, (6,), generator=rng, dtype=torch.uint8)
    gaze = torch.randint(-60, 60, (6,), generator=rng)
    image = torch.randint(256, (6, 2, 3, size, size), generator=rng, dtype=torch.uint8)
    drawn = screen.draw(shown, image, gaze, frame, offset, edge)
    assert drawn.equal(screen.draw_in_torch(shown, image, gaze, frame, offset, edge))


def test_the_screen_moves_against_the_gaze():
    image = torch.full((1, 2, 3, 6, 6), 200, dtype=torch.uint8)
    both = torch.tensor([screen.LEFT + screen.RIGHT], dtype=torch.uint8)
    still, turned = (screen.draw(both, image, torch.tensor([g]), (20, 40), 10, 20) for g in (0, 3))
    assert turned[..., :-3].equal(still[..., 3:])
    assert (turned[0, :, 0, -3:] == 90).all(), "beside the screen is the wall"
    cross = screen.draw(torch.tensor([screen.CROSS], dtype=torch.uint8), image, torch.tensor([0]), (20, 40), 10, 20)
    red = (cross[0, 0] == 255) & (cross[0, 1] == 0)
    rows, columns = torch.nonzero(red).T
    assert (rows.min() + rows.max(), columns.min() + columns.max()) == (20, 40), "the cross is in the middle"


def test_frames_show_the_pair_on_its_sides_and_then_the_image_taken():
    task = HarlowPixels(4)
    played = rollout.unroll(task, agents.RandomChoice(2), 50, generator())
    trials = rollout.to_dataset(task, played, observation=True)
    number, frames = torch.from_numpy(trials.image.values), torch.from_numpy(trials.observation.values)
    shown = images.paint(number, 16)
    left, right = frames[:, :, 0, :, 2:18, 2:18], frames[:, :, 0, :, 2:18, 22:38]
    assert left.equal(shown[:, :, 0]) and right.equal(shown[:, :, 1])
    taken = trials.action.values[:, :, 0].astype(int)
    one = np.take_along_axis(shown.numpy(), taken[..., None, None, None, None], 2)[:, :, 0]
    after = frames[:, :, 1].numpy()
    np.testing.assert_array_equal(after[..., 2:18, 12:28], one)
    after[..., 2:18, 12:28] = 0
    assert not after.any(), "nothing else is shown"
    number = trials.image.values
    assert (np.sort(number) == np.sort(number[:, :1])).all(), "the pair stays for the episode"
    rewarded = np.take_along_axis(number, trials.side.values[..., None].astype(int), 2)
    assert (rewarded == rewarded[:, :1]).all() and set(np.unique(trials.side)) == {0, 1}
    paid = np.where(taken == trials.side.values, 1, -1)
    np.testing.assert_array_equal(trials.step_reward[:, :, 0], paid)
    worth = np.take_along_axis(trials.expected_reward.values, taken[..., None], 2)[..., 0]
    np.testing.assert_array_equal(worth, paid)


def test_a_frozen_encoder_gives_uncorrelated_numbers_of_one_variance_and_learns_nothing():
    config = a2c.Config(HarlowPixels(3), LSTM(8, encoder=Frozen(n_features=12)), n_updates=2, batch_size=8)
    agent = build(config)
    frames = next(rollout.segments(config.task, agents.RandomChoice(2), 400, generator(5))).observation.flatten(0, 1)
    found = np.cov(agent.encoder(frames).T)
    assert np.abs(found - np.eye(12)).max() < 0.35
    before = {name: x.clone() for name, x in agent.encoder.state_dict().items()}
    after = a2c.train(config).encoder.state_dict()
    assert all(after[name].equal(x) for name, x in before.items())


@settings(max_examples=20, deadline=None)
@given(st.integers(9, 40), st.integers(9, 40), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3))
def test_every_pixel_of_a_frame_is_read_whatever_the_strides(height, width, kernel, stride, above):
    encoder = Conv(((3, kernel, min(stride, kernel)), (2, above, 1)), 5)
    layers = encoder.build((3, height, width)).layers
    convolutions = [part.requires_grad_(False) for part in layers if isinstance(part, (nn.Conv2d, nn.ZeroPad2d))]
    for part in convolutions:
        for weight in part.parameters():
            weight.fill_(1.0)
    frame = torch.zeros(1, 3, height, width, requires_grad=True)
    read = nn.Sequential(*convolutions)(frame)
    assert read.shape[-2:] == encoder.sizes((3, height, width))[-1]
    read.sum().backward()
    assert (frame.grad > 0).all()


def test_what_a_frozen_encoder_saw_is_kept_and_answers_as_if_seen_again():
    task = HarlowPixels(3)
    agent = build(a2c.Config(task, LSTM(8, encoder=Frozen(n_features=12))))
    (kept,) = rollout.segments(task, agent, 5, generator(), log=agent.kept)
    anew = agent.sequence(dataclasses.replace(kept, record={}), agent.begin(5))
    spared = agent.sequence(dataclasses.replace(kept, observation=torch.zeros_like(kept.observation)), agent.begin(5))
    torch.testing.assert_close(spared.logits, anew.logits)
    torch.testing.assert_close(spared.logits, kept.logits)


def write(folder, n, shape=(20, 20), first=0):
    folder.mkdir(exist_ok=True)
    for i in range(first, first + n):
        pixels = np.random.default_rng(i).integers(0, 256, (*shape, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return str(folder)


def test_pictures_of_a_folder_are_half_for_training_and_half_for_tests(tmp_path):
    task = HarlowPixels(2, images=write(tmp_path / "own", 10), image_size=4, frame=(8, 12))
    shown = []
    for each in (task, task.for_test()):
        played = rollout.unroll(each, agents.RandomChoice(2), 200, generator())
        shown.append(set(played["image"].flatten().tolist()))
    assert shown == [set(range(5)), set(range(5, 10))]
    first = np.asarray(Image.open(tmp_path / "own" / "003.png"), float).reshape(4, 5, 4, 5, 3).mean((1, 3))
    np.testing.assert_allclose(task.look_up(torch.tensor(3)).permute(1, 2, 0), first, atol=1)


def test_a_bad_folder_is_told_of_in_one_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    few, odd = write(tmp_path / "few", 3), write(tmp_path / "odd", 4)
    write(tmp_path / "odd", 1, (20, 24), first=9)
    damaged = write(tmp_path / "damaged", 4)
    (tmp_path / "damaged" / "000.png").write_bytes(b"no picture")
    for folder, told in (
        (str(tmp_path / "none"), "which is no folder"),
        (str(tmp_path / "empty"), "holds no pictures"),
        (few, "holds 3 pictures .* there must be 4 at least"),
        (odd, "009.png is 24 x 20 pixels, and 000.png 20 x 20; all pictures of a folder must have one shape"),
        (damaged, "000.png is no picture that can be read"),
    ):
        with pytest.raises(InputError, match=told) as caught:
            HarlowPixels(images=folder)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: HarlowPixels(0), "n_trials is 0"),
        (lambda: HarlowPixels(n_images=1), "n_images is 1; it must be at least 2"),
        (lambda: HarlowPixels(image_size=30), "frame is 20 x 40 and image_size 30; the frame must be at least as high"),
        (lambda: HarlowPixels(10**9, frame=(20, 10**6)), "of memory, and this machine has"),
        (
            lambda: a2c.Config(HarlowPixels(), LSTM(4, encoder=Conv(((16, 24, 4),)))),
            "Frames of 20 x 40 are too small for the layers .*; give smaller kernels or strides",
        ),
        (lambda: a2c.Config(HarlowPixels(), LSTM(4, encoder=Frozen(n_features=900))), "n_features is 900; the layers"),
        (lambda: a2c.Config(HarlowPixels(), LSTM(4)), "give it an encoder"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_at_the_shell_a_bad_folder_ends_with_2_and_leaves_nothing(tmp_path):
    (tmp_path / "empty").mkdir()
    out = tmp_path / "run"
    code, _, err = neurometa("train", "harlow-pixels", "--out", out, "--set", f"task.images={tmp_path / 'empty'}")
    assert code == 2 and "holds no pictures" in err and not out.exists()


def test_a_run_is_logged_without_frames_and_analysed_as_harlows_task_is(tmp_path):
    settings_ = ("n_updates=2", "batch_size=8", "task.n_trials=3")
    code, _, err = neurometa("train", "harlow-pixels", "--out", tmp_path, *[x for s in settings_ for x in ("--set", s)])
    assert code == 0, err
    assert neurometa("rollout", tmp_path, "--episodes", 60)[0] == 0
    trials = dataset.open_run(tmp_path)
    assert "observation" not in trials and trials.image.min() >= images.N_PAINTED
    assert neurometa("learning-set", tmp_path)[0] == 0
    xr.testing.assert_allclose(
        dataset.read(tmp_path / "learning_set.nc").accuracy, behaviour.learning_set_curve(trials).accuracy
    )
    again = runs.evaluate(tmp_path, n_episodes=60)
    assert (again.choice == trials.choice).all(), "what was saved plays as what was trained"


@pytest.mark.slow
def test_a_short_training_learns_to_take_the_image_that_paid():
    task = HarlowPixels(5)
    network = LSTM(48, inputs=("observation", "action", "reward"), encoder=Frozen())
    config = a2c.Config(task, network, n_updates=250, batch_size=256, returns=NStep(0.0), value_weight=0.5)
    config = dataclasses.replace(config, entropy_weight=0.02)
    played = rollout.unroll(task.for_test(), a2c.train(config), 1000, generator(1))
    right = behaviour.learning_set_curve(rollout.to_dataset(task, played)).accuracy
    assert abs(float(right[0]) - 0.5) < 0.06 and float(right[1:].mean()) > 0.75
