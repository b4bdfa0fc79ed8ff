"""Figures: what they are drawn from, what they say when it is absent, and the geometry and curves in them."""

import json
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from shell import neurometa

from neurometa import dataset, expected, neural, plotting, pretrained, storage
from neurometa.errors import InputError
from neurometa.share import folder

FIGURES = sorted(path.stem.replace("_", "-") for path in folder("figures").glob("*.py"))
TRIALS = {  # how long their episodes are; the others' 12 trials
    "w16-fig3": (),
    "w16-fig4": ("n_trials=20",),
    "w16-fig5": ("n_trials=10",),
    "w16-fig6": (),
    "w18-fig2": ("n_trials=60",),  # twice 15 trials back are in their last two thirds
    "w18-fig3": ("n_trials=40",),
    "w18-fig6": (),
    "families": ("n_trials=24",),  # longer than the trials before an inner step
}


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    """Of each figure a folder in which the agents that come along have played a few short episodes."""
    places = {name: tmp_path_factory.mktemp(name) for name in FIGURES}
    for name, place in places.items():
        script = plotting.load_figure(name)
        how = {"assignments": TRIALS.get(name, ("n_trials=12",)), "activity": getattr(script, "ACTIVITY", False)}
        pretrained.prepare(script.NEEDS, place, n_episodes=40, **how)
    return places


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_the_agents_that_come_along(boxes, name, tmp_path):
    with plt.style.context(folder("figures") / "paper.mplstyle"):
        fig = plotting.load_figure(name).draw([boxes[name]])
        fig.savefig(tmp_path / "figure.png", dpi=50)  # what it warns of is an error here
    assert any(ax.has_data() for ax in fig.axes)
    plt.close(fig)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["w16-fig3", "rl2-table2"])
def test_a_figure_is_written_as_pdf_and_png_and_a_table_as_csv_too(boxes, name, tmp_path):
    written = plotting.save_figure(name, [boxes[name]], tmp_path)
    tables = [b"lear"] if hasattr(plotting.load_figure(name), "table") else []
    assert [path.read_bytes()[:4] for path in written] == [b"%PDF", b"\x89PNG", *tables]
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", FIGURES)
def test_several_seeds_are_pooled_and_the_foot_says_how_many(boxes, name, tmp_path):
    for seed in (1, 2):
        for run in boxes[name].iterdir():
            copy = shutil.copytree(run, tmp_path / f"{run.name}-{seed}")
            told = storage.read_json(copy / "config.json")
            told["config"]["seed"] = seed
            storage.write_json(copy / "config.json", told)
            for file in copy.glob("*.nc"):
                saved = dataset.read(file)
                own = {"config": json.dumps(told["config"])} if "config" in saved.attrs else {}
                dataset.save_run(saved.assign_attrs(own, seed=seed), file)
    fig = plotting.load_figure(name).draw([boxes[name], tmp_path])
    assert "3 agents (training seeds 0, 1, 2)" in " ".join(fig.get_supxlabel().split())
    plt.close(fig)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_without_its_runs_says_which_command_makes_one(name, tmp_path):
    code, out, err = neurometa("figure", name, "--run", tmp_path)
    assert (code, out) == (2, "") and err.count("\n") == 1
    first = next(iter(plotting.load_figure(name).NEEDS))
    assert f"neurometa train {first} --out {tmp_path / first}" in err
    assert f"neurometa figure {name} --pretrained" in err


def test_a_figure_from_the_box_needs_one_command_and_keeps_what_was_played(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = neurometa("figure", "w16-fig3", "--pretrained", "--episodes", 30)
    assert (code, err) == (0, "") and out.splitlines()[0] == "Drew runs/pretrained/w16-fig3.pdf"
    trials = tmp_path / "runs" / "pretrained" / "informative" / "behaviour.nc"
    before = trials.read_bytes()
    assert neurometa("figure", "w16-fig3", "--pretrained", "--episodes", 60)[0] == 0
    assert trials.read_bytes() == before


def test_results_of_an_earlier_rollout_are_made_anew_from_the_box_and_no_others(tmp_path):
    needs, how = (
        {"restless": ["behaviour.nc", "regret.nc", "fit_rw.nc"]},
        {"n_episodes": 5, "assignments": ("n_trials=10",)},
    )
    made = []
    (run,) = pretrained.prepare(needs, tmp_path, progress=made.append, **how)
    assert [path.rsplit("/", 1)[1] for path in made] == ["behaviour.nc", "fit_rw.nc", "regret.nc"]
    dataset.save_run(dataset.open_run(run).assign_attrs(created="later"), run)
    pretrained.prepare(needs, tmp_path, progress=made.append, **how)
    assert [path.rsplit("/", 1)[1] for path in made[3:]] == ["fit_rw.nc", "regret.nc"]
    pretrained.prepare(needs, tmp_path, progress=made.append, **how)
    assert len(made) == 5


def test_bands_are_over_agents_where_there_are_several_and_over_episodes_of_one():
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.normal(size=(3, 50, 4)) + np.arange(3)[:, None, None], dims=("agent", "episode", "trial"))
    several, one = plotting.agent_interval(x), plotting.agent_interval(x.isel(agent=[0]))
    assert (several.n == 3).all() and (one.n == 50).all()
    np.testing.assert_allclose(several["mean"], x.mean(("agent", "episode")))
    np.testing.assert_allclose(one["mean"], x[0].mean("episode"))


def test_a_longer_learning_curve_drawn_after_a_shorter_one_is_seen_whole():
    fig, ax = plt.subplots()
    for n_steps in (2e6, 8e6, 4e6):
        score = xr.DataArray(np.linspace(0, 1, 5), dims="part", coords={"steps": ("part", np.linspace(0, n_steps, 5))})
        plotting.learning_curve(ax, score, label=f"{n_steps}", colour="k")
    low, high = ax.get_xlim()
    assert low == 0 and 8 <= high < 9
    plt.close(fig)


def test_a_matrix_writes_every_number_and_a_raster_leaves_missed_trials_white():
    fig, (left, right) = plt.subplots(1, 2)
    value = xr.DataArray([[1.0, 2.5], [3.25, 4.0]], {"train": ["a", "b"], "test": ["a", "b"]})
    plotting.matrix(left, value, value, most=4)
    assert [text.get_text() for text in left.texts] == ["1.00", "2.50", "3.25", "4.00"]
    plotting.raster(right, xr.DataArray([[0, -1, 1]], dims=("episode", "trial")), ["blue", "red"])
    (image,) = right.get_images()
    assert np.array_equal(image.to_rgba(image.get_array())[0, 1], [1, 1, 1, 1])
    plt.close(fig)


def test_a_table_writes_what_was_published_beside_what_was_found_and_a_dash_for_no_number():
    fig, ax = plt.subplots()
    numbers = {"published": [[1.0, np.nan], [3.25, 4.0]], "ours": [[1.5, 2.25], [np.nan, 5.0]]}
    dims = ("learner", "setting")
    found = xr.Dataset({name: (dims, x) for name, x in numbers.items()}, {"learner": ["a", "b"], "setting": [10, 25]})
    plotting.beside_published(ax, found, decimals=[1, 2], settings="trials")
    texts = sorted((round(-text.get_position()[1], 1), text.get_position()[0], text.get_text()) for text in ax.texts)
    lines = {y: [told for at, _, told in texts if at == y] for y in sorted({at for at, _, _ in texts}, reverse=True)}
    heads = [["trials", "10", "25"], ["publ.", "ours", "publ.", "ours"]]
    assert list(lines.values()) == [*heads, ["a", "1.0", "1.5", "–", "2.25"], ["b", "3.2", "–", "4.00", "5.00"]]
    plt.close(fig)


def test_curves_of_the_baselines_end_where_exact_theory_says():
    curves = expected.baselines("independent", 10)
    assert (curves.diff("trial") >= 0).all()
    assert curves.sel(learner="Bayes-optimal")[-1] == curves.isel(trial=-1).min()
    assert curves.sel(learner="Thompson")[-1] == pytest.approx(0.9621, abs=1e-3)
    others = expected.informative(5)
    np.testing.assert_allclose(others.reward.sum("trial"), [20.55, 11.0, 6.614], atol=1e-3)
    np.testing.assert_allclose(others.share.sum("kind"), 1)
    with pytest.raises(InputError, match="There is no exact policy 'best'"):
        expected.regret("best", "uniform")


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10))
def test_components_recover_a_planted_plane(seed, size):
    rng = np.random.default_rng(seed)
    plane = np.linalg.qr(rng.normal(size=(12, 2)))[0].T
    inside = rng.normal(size=(200, 2)) * [3 * size, size]
    hidden = xr.DataArray(inside @ plane + rng.normal(size=12), dims=("episode", "unit"))
    found = neural.principal_components(hidden)
    assert found.variance_explained.sum() == pytest.approx(1)
    np.testing.assert_allclose(found.loading @ found.loading.rename(component="other"), np.eye(2), atol=1e-9)
    np.testing.assert_allclose(found.loading.values @ plane.T @ plane, found.loading.values, atol=1e-6)
    np.testing.assert_allclose((found.score * found.loading).sum("component") + found.centre, hidden, atol=1e-6 * size)


def test_components_pass_other_dims_through_and_project_what_is_new():
    rng = np.random.default_rng(0)
    hidden = xr.DataArray(rng.normal(size=(5, 7, 4)), dims=("episode", "trial", "unit"))
    found = neural.principal_components(hidden, n_components=3)
    assert found.score.sizes == {"component": 3, "episode": 5, "trial": 7}
    xr.testing.assert_allclose(neural.project(hidden.isel(trial=2), found), found.score.isel(trial=2))
    assert (found.variance_explained.diff("component") <= 0).all()


def test_rank_order_sees_any_monotonic_arc_and_nothing_in_noise():
    p = xr.DataArray(np.linspace(0, 1, 400), dims="episode")
    assert neural.rank_order(-(p**3), p) == pytest.approx(-1)
    noise = xr.DataArray(np.random.default_rng(0).normal(size=400), dims="episode")
    assert abs(neural.rank_order(noise, p)) < 0.15
    assert np.isnan(neural.rank_order(0 * p, p))


@pytest.mark.parametrize(
    ("activity", "n_components", "message"),
    [
        (xr.DataArray(np.ones((3, 4)), dims=("episode", "unit")), 2, "does not vary"),
        (xr.DataArray(np.eye(4), dims=("episode", "unit")), 5, "between 1 and 4"),
        (xr.DataArray([[1.0, np.nan]], dims=("episode", "unit")), 1, "NaN"),
        (xr.DataArray(np.eye(4), dims=("agent", "unit")), 1, "several agents"),
        (xr.DataArray(np.eye(4), dims=("episode", "neuron")), 1, "'unit'"),
    ],
)
def test_activity_without_components_is_refused(activity, n_components, message):
    with pytest.raises(InputError, match=message):
        neural.principal_components(activity, n_components=n_components)
