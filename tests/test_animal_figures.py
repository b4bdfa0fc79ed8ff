"""Figures that set agents beside animals: what they draw is what results and records say."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import xarray as xr

from neurometa import behaviour, dataset, plotting, reference
from neurometa.agents import RandomChoice, VolatilityObserver
from neurometa.errors import InputError
from neurometa.rollout import to_dataset, unroll
from neurometa.tasks import Foraging, Volatility


@pytest.fixture
def ax():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def play(name, task, player, run):
    """A run folder as if an agent had been trained there, and what a player did."""
    run.mkdir()
    told = {"experiment": name, "config": {"seed": 0, "inputs": ["observation", "action", "reward"]}}
    (run / "config.json").write_text(json.dumps(told))
    (run / "agent.safetensors").write_bytes(b"")
    trials = to_dataset(task, unroll(task, player, 30, torch.Generator().manual_seed(0)))
    trials = trials.assign_attrs(seed=0, created="2026")
    dataset.save_run(trials, run)
    return trials


@pytest.fixture(scope="module")
def volatility(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "volatility"
    trials = play("volatility", Volatility(n_trials=40, order="either"), VolatilityObserver(), run)
    dataset.save_run(behaviour.block_learning_rate(trials).assign_attrs(trials.attrs, window=10), run / "blocks.nc")
    return run


@pytest.fixture(scope="module")
def foraging(tmp_path_factory):
    """Correlations and weights of its own making: of another seed than any analysis would find."""
    run = tmp_path_factory.mktemp("runs") / "foraging"
    trials = play("foraging", Foraging(n_trials=20), RandomChoice(), run)
    dataset.save_run(behaviour.matching(trials).assign_attrs(trials.attrs), run / "matching.nc")
    rng = np.random.default_rng(0)
    factors = reference.load("w18_fig2be").factor.values[::-1]
    size = xr.DataArray(rng.uniform(-1, 1, (4, 4)), {"factor": factors}, ("factor", "unit"))
    coded = xr.Dataset({"spearman": size}, attrs=trials.attrs | {"sample": "episode, trial"})
    dataset.save_run(coded, run / "encode.nc")
    at = {"regressor": ["reward", "choice"], "lag": np.arange(1, 16)}
    weight = xr.DataArray(rng.normal(size=(2, 15)), at, ("regressor", "lag"))
    dataset.save_run(
        xr.Dataset({"coef": weight}, attrs=trials.attrs | {"encoding": "lau-glimcher"}), run / "history.nc"
    )
    return run


def lines(ax, n):
    """What the lines of `n` points show, (x, y) of each."""
    return [np.array(line.get_data()) for line in ax.lines if len(line.get_xdata()) == n]


def titled(fig, start):
    return next(ax for ax in fig.axes if (ax.get_title("left") or ax.get_title()).startswith(start))


def test_figure_2_draws_the_weights_and_correlations_of_the_files_beside_those_of_the_records(foraging):
    fig = plotting.load_figure("w18-fig2").draw([foraging])
    weight = dataset.read(foraging / "history.nc").coef.sel(regressor="reward")
    kernel = titled(fig, "f")
    np.testing.assert_allclose(lines(kernel, 15), [[weight.lag, weight]])
    told = reference.load("w18_fig2cf").weight.sel(regressor="reward")
    (published,) = lines(kernel, int(told.sel(who="agent (published)").notnull().sum()))
    np.testing.assert_allclose(published[1], told.sel(who="agent (published)").dropna("lag"))
    size = abs(dataset.read(foraging / "encode.nc").spearman.sel(factor=reference.load("w18_fig2be").factor))
    dots = [drawn.get_offsets()[:, 1] for drawn in titled(fig, "e").collections if len(drawn.get_offsets()) == 4]
    np.testing.assert_allclose(dots, size)
    shares = [text.get_text() for text in titled(fig, "e").texts]
    assert shares == [f"{share:.0%}" for share in (size > 0.1).mean("unit").values]
    slope = lines(titled(fig, "a"), 2)
    assert any(y[1] / x[1] == pytest.approx(reference.load("w18_fig2ad").slope.sel(who="monkeys")) for x, y in slope)
    plt.close(fig)


@pytest.mark.parametrize(
    ("file", "attrs", "command"),
    [
        ("history.nc", {"encoding": "bari"}, "neurometa history .* --encoding lau-glimcher --lags 15 --burn-in .333"),
        ("encode.nc", {"sample": "trial"}, "neurometa encode .* --factor history"),
    ],
)
def test_a_file_of_another_analysis_is_refused_with_the_command_that_makes_it(foraging, file, attrs, command):
    right = dataset.read(foraging / file)
    dataset.save_run(right.assign_attrs(attrs), foraging / file)
    with pytest.raises(InputError, match=command):
        plotting.load_figure("w18-fig2").draw([foraging])
    plt.close("all")
    dataset.save_run(right, foraging / file)


def test_figure_3_draws_what_an_ideal_observer_of_the_same_outcomes_believes_and_reads_no_decoder_that_is_not_there(
    volatility,
):
    fig = plotting.load_figure("w18-fig3").draw([volatility])
    trials = dataset.open_run(volatility)
    believed = behaviour.posterior_volatility(trials).values
    at = fig.axes.index(titled(fig, "a"))
    drawn = [y for ax in fig.axes[at:] for _, y in lines(ax, 40) if ax.get_ylabel().startswith("volatility")]
    first = int(np.flatnonzero(~trials.volatile.values[:, 0])[0])
    assert len(drawn) == 1
    np.testing.assert_allclose(drawn[0], believed[first])
    humans = reference.load("w18_fig3cd").learning_rate.sel(who="humans")
    drawn = {tuple(y) for _, y in lines(titled(fig, "c"), 2)}
    assert drawn == {
        tuple(humans.sel(block=["Stable 1", "Volatile 2"]).values),
        tuple(humans.sel(block=["Volatile 1", "Stable 2"]).values),
    }
    assert titled(fig, "d").get_yscale() == "log"
    plt.close(fig)


def test_points_are_of_the_group_that_they_belong_to(ax):
    group = np.array(["trained", "held-out"], dtype=object)
    ratio = xr.DataArray([1.0, 2.0, 3.0], dims="episode")
    member = xr.DataArray([[True, False, True], [False, True, False]], {"group": group}, ("group", "episode"))
    one = xr.DataArray([0.5, 0.6], {"group": group}, ("group",))
    found = xr.Dataset({"log_choice_ratio": ratio / 2, "log_reward_ratio": ratio, "member": member})
    plotting.matching_points(ax, found.assign(slope=one, intercept=0 * one, r_squared=one))
    points = [x[~np.isnan(y)] for x, y in lines(ax, 3)]
    assert [list(each) for each in points] == [[1, 3], [2]]


def test_a_sliding_rate_stands_at_the_middle_of_its_window_and_means_are_over_agents(ax):
    rate = xr.DataArray([[0.1, 0.2], [0.3, 0.6]], {"window": [0, 1]}, ("agent", "window"))
    plotting.sliding_rates(ax, rate, length=10, colour="k")
    np.testing.assert_allclose(lines(ax, 2)[-1], [[5.5, 6.5], [0.2, 0.4]])


def test_choices_that_paid_stand_further_out_than_those_that_did_not(ax):
    trials = xr.Dataset(
        {
            "choice": ("trial", [0, 0, 1, 1, -1]),
            "reward": ("trial", [0.4, 0.0, 0.6, 0.0, 0.0]),
            "reward_prob": (("trial", "arm"), np.full((5, 2), 0.5)),
        }
    )
    plotting.outcomes_on_probability(ax, trials)
    height = {int(x[0]): y[0] for x, y in lines(ax, 1)}
    assert height[1] > height[2] > 1 and height[3] < height[4] < 0 and 5 not in height
