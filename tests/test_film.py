"""A film of an episode: a picture for each of its steps, and a sentence where there is nothing to film."""

import json

import pytest
import torch
from PIL import Image
from shell import neurometa

from neurometa import film, report, runs
from neurometa.agents import GRU, Conv, RandomChoice
from neurometa.errors import InputError
from neurometa.render import Camera
from neurometa.report import pictures
from neurometa.rollout import play
from neurometa.tasks import IMaze, Maze, RestlessBandit
from neurometa.training import a2c

TASK = Maze(horizon=6, camera=Camera(12, 16))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("maze")
    runs.train(a2c.Config(TASK, GRU(5, encoder=Conv(((4, 4, 2),), 8)), n_updates=1, batch_size=2), place)
    return place


def test_a_rollout_films_its_first_episodes_and_the_report_shows_them(run):
    code, out, err = neurometa("rollout", run, "--episodes", 4, "--film", 2)
    assert (code, err) == (0, "") and out.count("Filmed ") == 2
    for i in range(2):
        with Image.open(run / f"film-{i}.gif") as picture:
            assert picture.n_frames == 12 and picture.width == 240
            first = picture.convert("RGB").copy()
            picture.seek(11)
            assert first.tobytes() != picture.convert("RGB").tobytes()
    drawn, _ = pictures.of_behaviour(report.find(run))
    shown = [each for each in drawn if each.url.startswith("data:image/gif;base64,")]
    assert [each.title for each in shown] == ["Film of episode 1", "Film of episode 2"]
    assert (shown[0].width, shown[0].height) == first.size
    told = neurometa("rollout", run, "--episodes", 4, "--film", 1, "--json")[1]
    assert json.loads(told)["films"] == [str(run / "film-0.gif")]


@pytest.mark.parametrize("n", [-1, 5])
def test_more_films_than_episodes_are_refused(run, n):
    code, out, err = neurometa("rollout", run, "--episodes", 4, "--film", n)
    assert (code, out) == (2, "") and "it must be from 0 to the 4 episodes that are played" in err


@pytest.mark.parametrize(
    ("task", "told"),
    [
        (IMaze(n_steps=10, view="vector"), "IMaze shows no frames but 23 numbers, so there is nothing to film"),
        (RestlessBandit(5), "RestlessBandit shows no frames but 0 numbers"),
    ],
)
def test_a_film_of_a_run_without_frames_is_refused_in_a_sentence(task, told, tmp_path):
    trials = play(task, RandomChoice(task.n_actions), 2, torch.Generator().manual_seed(0))
    with pytest.raises(InputError, match=told) as caught:
        film.write(task, trials, 0, tmp_path / "film.gif")
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())
