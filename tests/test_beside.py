"""An agent beside neurons: measures equal plain formulas, known maps and ceilings are found again."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import agents, dataset, models, neural, pretrained, rollout, runs, tasks
from neurometa.errors import InputError
from neurometa.neural import similarity
from neurometa.neural.alignment import align, trial_types
from neurometa.neural.beside import partial_determination, states

BARTOLO = Path(__file__).parents[2] / "shared" / "datasets" / "bartolo2020_monkey_pfc"


def test_cka_is_its_formula():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 5)), rng.normal(size=(12, 8))
    centre = np.eye(12) - 1 / 12
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    plain = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
    assert similarity.cka(x, y) == pytest.approx(plain, abs=1e-8)
    turn, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    assert similarity.cka(x, 3 * x @ turn + 1) == pytest.approx(1, abs=1e-8)


def test_cka_without_bias_is_its_sum_over_four_different_conditions():
    import itertools

    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))

    def hsic(k, m):
        found = [k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in itertools.permutations(range(len(k)), 4)]
        return np.mean(found)

    k, m = x @ x.T, y @ y.T
    plain = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert similarity.cka(x, y, debiased=True) == pytest.approx(plain, abs=1e-8)
    noise = [similarity.cka(rng.normal(size=(20, 100)), rng.normal(size=(20, 100)), debiased=True) for _ in range(30)]
    assert abs(np.mean(noise)) < 0.03 and similarity.cka(rng.normal(size=(20, 100)), rng.normal(size=(20, 100))) > 0.5


def test_procrustes_is_that_of_scipy():
    from scipy.spatial import procrustes

    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(10, 4)), rng.normal(size=(10, 4))
    assert similarity.procrustes(x, y) == pytest.approx(1 - procrustes(x, y)[2], abs=1e-8)
    assert similarity.procrustes(x, np.c_[y, np.zeros(10)]) == pytest.approx(similarity.procrustes(x, y), abs=1e-8)
    turned = x @ similarity.rotation(x, y)
    assert similarity.explained(turned, y) == pytest.approx(similarity.procrustes(x, y), abs=1e-8)


def test_a_known_rotation_is_found():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30, 6))
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    np.testing.assert_allclose(similarity.rotation(x, 2.5 * x @ turn + 4), 2.5 * turn, atol=1e-8)
    np.testing.assert_allclose(similarity.linear(x, x @ turn), turn, atol=1e-3)
    assert similarity.rsa(x, 2.5 * x @ turn) == pytest.approx(1)


def test_partial_determination_is_what_is_lost_without_the_factor():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(8, 30, 3))
    x[..., 1] += x[..., 0]
    y = x @ rng.normal(size=(3, 5)) + 2 * rng.normal(size=(8, 30, 5))
    grain = ("episode", "trial")
    factors = xr.Dataset({name: (grain, x[..., k]) for k, name in enumerate("abc")})
    found = partial_determination(xr.DataArray(y, dims=(*grain, "unit")), factors)

    def left(which):
        design = np.c_[np.ones(240), x.reshape(240, 3)[:, which]]
        flat = y.reshape(240, 5)
        return ((flat - design @ np.linalg.lstsq(design, flat, rcond=None)[0]) ** 2).sum(0)

    whole = left([0, 1, 2])
    for k in range(3):
        without = left([each for each in range(3) if each != k])
        np.testing.assert_allclose(found.cpd[0, k], (without - whole) / without, atol=1e-8)
    assert (found.chance < 0.02).all()
    with pytest.raises(InputError, match="a factor does not vary"):
        partial_determination(xr.DataArray(y, dims=(*grain, "unit")), factors.assign(a=0 * factors.a))


def recorded(noise, seed=0, n_episodes=20, n_trials=40, n_units=30, mixing=None):
    """A population of four latents and neurons that are a mixture of it with noise; types by two binary factors."""
    rng = np.random.default_rng(seed)
    grain = ("episode", "trial")
    factors = xr.Dataset({name: (grain, rng.integers(0, 2, (n_episodes, n_trials))) for name in ("a", "b", "c")})
    code = trial_types(factors)
    prototypes = rng.normal(size=(8, 6))
    x = prototypes[code.values]
    mixing = rng.normal(size=(6, n_units)) if mixing is None else mixing
    y = x @ mixing + noise * rng.normal(size=(n_episodes, n_trials, mixing.shape[1]))
    signal = (prototypes - prototypes.mean(0)) @ mixing
    dims = (*grain, "unit")
    return xr.DataArray(x, dims=dims), xr.DataArray(y, dims=dims), code, (signal**2).sum(1).mean() / mixing.shape[1]


def test_a_noise_ceiling_is_found_and_a_linear_mixture_reaches_it():
    noise = 8.0
    x, y, code, signal = recorded(noise)
    found = align({"agent": x}, y, code, n_splits=10, n_shuffles=10).isel(step=0, agent_step=0, population=0)
    per_half = 20 * 40 / 8 / 2
    expected = signal / (signal + noise**2 / per_half * 7 / 8)
    assert 0.7 < expected < 0.98
    assert float(found.ceiling.sel(measure="linear")) == pytest.approx(expected, abs=0.05)
    assert float(found.alignment.sel(measure="linear")) == pytest.approx(expected, abs=0.12)
    assert (found.p_value <= 2 / 11).all() and (found.shuffled.sel(measure="linear") < 0.3)


def test_a_rotation_is_told_from_another_mixture_by_procrustes_alone():
    rng = np.random.default_rng(5)
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    stretched = turn * np.array([9, 3, 1, 0.3, 0.1, 0.05])
    for mixing, near in ((2 * turn, True), (stretched, False)):
        x, y, code, _ = recorded(0.01, mixing=mixing)
        found = align({"agent": x}, y, code, n_splits=4, n_shuffles=0).isel(step=0, agent_step=0, population=0)
        assert float(found.alignment.sel(measure="linear")) > 0.99
        assert (float(found.alignment.sel(measure="procrustes")) > 0.99) == near
        assert (float(found.alignment.sel(measure="cka")) > 0.99) == near


def animal(tmp_path, n_episodes=12, n_trials=40):
    """A learner's trials on a bandit, with neurons that carry choice, outcome and value at two times."""
    rng = np.random.default_rng(6)
    learner = agents.LearningModelAgent(models.RescorlaWagner(0.4, 6.0))
    task = tasks.RestlessBandit(n_trials=n_trials)
    trials = rollout.play(task, learner, n_episodes, torch.Generator().manual_seed(0))
    trials = trials[["choice", "reward"]].drop_vars("step", errors="ignore")
    choice, outcome = trials.choice.values, trials.reward.values
    before = np.stack([choice, np.ones_like(choice)], -1)
    after = np.stack([choice, outcome], -1)
    y = np.stack([before, after], 2) @ rng.normal(size=(2, 10)) + 0.5 * rng.normal(size=(n_episodes, n_trials, 2, 10))
    trials["activity"] = (("episode", "trial", "step", "unit"), y)
    trials = trials.assign_coords(step=["-0.5 to 0 s", "0 to 0.5 s"], area=("unit", ["a"] * 5 + ["b"] * 5))
    dataset.save_run(trials, tmp_path / "animal")
    pretrained.unpack("restless", tmp_path / "run")
    return tmp_path / "run", tmp_path / "animal"


@pytest.mark.slow
def test_the_command_tells_saves_and_draws(tmp_path):
    run, data = animal(tmp_path)
    kinds = ("--type", "choice", "--type", "outcome", "--type", "last outcome")
    code, out, err = neurometa("beside", run, data, *kinds, "--splits", 4, "--shuffles", 4, "--folds", 3, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    rows = {(row["area"], row["step"]): row for row in told["rows"]}
    assert len(rows) == 3 * 2 and Path(told["figure"]).read_bytes().startswith(b"\x89PNG")
    before, after = rows["all", "-0.5 to 0 s"], rows["all", "0 to 0.5 s"]
    assert after["accuracy"]["outcome"] > 0.9 > 0.75 > before["accuracy"]["outcome"]
    assert after["cpd"]["outcome"] > 10 * before["cpd"]["outcome"]
    linear = after["alignment"]["linear"]
    assert linear["agent"] > 0.5 and linear["learner"] > 0.5 and after["shuffled"] < linear["agent"]
    saved = dataset.read(run / "beside.nc")
    assert saved.agent_step.values[-1] == "after outcome" and set(saved.population.values) == {
        "agent",
        "untrained",
        "learner",
    }
    code, out, _ = neurometa("beside", run, data, *kinds, "--splits", 2, "--shuffles", 0, "--folds", 3)
    assert code == 0 and "8 types by choice, outcome, last outcome" in out


def test_what_cannot_be_set_beside_is_refused_in_a_sentence(tmp_path):
    run, data = animal(tmp_path)
    trials = dataset.open_run(data)
    clamped = {"agent": runs.clamp(run, trials[["choice", "reward"]])}
    code = trial_types(xr.Dataset({"choice": trials.choice}))
    wrong = [
        (lambda: neural.beside(trials.drop_vars("activity"), clamped), "hold no 'activity'; import it with"),
        (lambda: neural.beside(trials.assign_coords(step=["0", "0"]), clamped), r"called \['0', '0'\]; each must have"),
        (
            lambda: neural.beside(trials, clamped, n_folds=13),
            "n_folds is 13; it must lie between 3 and .* there are 12",
        ),
        (lambda: neural.beside(trials, clamped, types=("mood",)), r"no types of trials by \['mood'\]"),
        (lambda: neural.beside(trials, clamped, types=("choice",)), "holds 2 types of trials; 4 are needed"),
        (
            lambda: align({"agent": states(clamped["agent"]).isel(trial=slice(5))}, trials.activity, code),
            "trials, the types",
        ),
        (lambda: align({}, trials.activity.isel(episode=[0]), code.isel(episode=[0])), "There are 1 episodes"),
    ]
    for call, told in wrong:
        with pytest.raises(InputError, match=told):
            call()
    exit_code, _, err = neurometa("beside", run, data, "--splits", 0)
    assert exit_code == 2 and "--splits is 0" in err


@pytest.mark.slow
@pytest.mark.skipif(not BARTOLO.exists(), reason="the neurons, shared/datasets/bartolo2020_monkey_pfc, are not here")
def test_monkeys_neurons_are_decoded_as_by_another_program():
    reference = json.loads((BARTOLO / "reference_decode_5fold.json").read_text())["V20161017"]
    rows = pd.read_csv(BARTOLO / "V20161017_trials.csv.gz")
    counts = np.load(BARTOLO / "V20161017.npz")["X"]
    activity = xr.DataArray(counts.transpose(1, 2, 0)[:1950], dims=("episode", "step", "unit")).astype(float)
    for name in ("chosen_loc", "reward"):
        read = neural.decode(activity, xr.DataArray(rows[name].values[:1950].astype(str), dims="episode"), pool=())
        np.testing.assert_allclose(read.accuracy, reference[name], atol=0.06)
