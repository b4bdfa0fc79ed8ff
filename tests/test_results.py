"""Which runs count as agents of one kind, and which results are of the trials that a run holds now."""

import json

import numpy as np
import pytest
import xarray as xr

from neurometa import dataset, results
from neurometa.errors import InputError

WITH_REWARD = ["observation", "action", "reward", "time"]


def make_run(path, experiment="independent", *, seed=0, trained=True, trials=True, **config):
    """A run folder with three episodes in it."""
    path.mkdir(parents=True)
    settings = {"inputs": WITH_REWARD, "seed": seed} | config
    (path / "config.json").write_text(json.dumps({"experiment": experiment, "config": settings}))
    if trained:
        (path / "agent.safetensors").write_bytes(b"")
    if trials:
        dataset.save_run(dataset.example(n_episodes=3, seed=seed).assign_attrs(created="now", seed=seed), path)
    return path


def make_sweep(path, ranks, *, top, collected=True):
    """A sweep whose rows have these ranks; each row has settings of its own."""
    for row in range(len(ranks)):
        make_run(path / f"{row:03d}", step_size=row / 100)
    told = {"experiment": "independent", "config": {"inputs": WITH_REWARD, "seed": 0}}
    (path / "draws.json").write_text(json.dumps(told))
    if collected:
        names = [f"{row:03d}" for row in range(len(ranks))]
        rows = xr.Dataset({"run": ("row", names), "rank": ("row", list(ranks))})
        dataset.save_run(rows.assign_attrs(experiment="independent", top=top), path / "sweep.nc")
    return path


def names(runs):
    return [run.path.name for run in runs]


def test_runs_are_found_at_any_depth_and_a_run_given_twice_once(tmp_path):
    for name in ("a", "b/c"):
        make_run(tmp_path / name)
    found = results.find_runs(tmp_path, tmp_path / "a")
    assert sorted(names(found)) == ["a", "c"]
    assert names(results.find_runs(tmp_path / "b" / "c")) == ["c"]


def test_seeds_of_the_same_settings_are_pooled_and_the_rest_is_named(tmp_path):
    for seed in range(3):
        make_run(tmp_path / f"seed-{seed}", seed=seed)
    for name, about in {
        "again": {"seed": 2},
        "wide": {"seed": 4, "n_units": 96},
        "early": {"seed": 5, "trained": False},
        "blind": {"seed": 6, "inputs": ["action"]},
        "elsewhere": {"seed": 7, "experiment": "restless"},
    }.items():
        make_run(tmp_path / name, **about)
    found = results.find_runs(tmp_path)
    pooled, left_out = results.pool(found, "independent", base=tmp_path)
    assert [run.seed for run in pooled] == [0, 1, 2]
    assert results.about_agents(pooled) == "3 agents (training seeds 0, 1, 2)"
    assert all(name in left_out for name in ("wide", "early"))
    assert not any(name in left_out for name in ("blind", "elsewhere"))
    assert names(results.pool(found, "independent", ablated=True, base=tmp_path)[0]) == ["blind"]


def test_of_a_sweep_the_best_are_pooled_though_their_settings_differ(tmp_path):
    make_sweep(tmp_path / "sweep", [4, 1, 0, 3, 2], top=3)
    found = results.find_runs(tmp_path)
    assert names(found) == ["001", "004", "003"]
    pooled, left_out = results.pool(found, "independent", base=tmp_path)
    assert (names(pooled), left_out) == (["001", "004", "003"], "")
    assert results.about_agents(pooled) == "best 3 agents of a sweep"


def test_of_a_sweep_and_seeds_the_larger_group_counts(tmp_path):
    make_sweep(tmp_path / "sweep", [1, 2, 3], top=2)
    make_run(tmp_path / "alone")
    pooled, left_out = results.pool(results.find_runs(tmp_path), "independent", base=tmp_path)
    assert names(pooled) == ["000", "001"] and str(tmp_path / "alone") in left_out
    for seed in (1, 2):
        make_run(tmp_path / f"seed-{seed}", seed=seed)
    pooled, left_out = results.pool(results.find_runs(tmp_path), "independent", base=tmp_path)
    assert sorted(names(pooled)) == ["alone", "seed-1", "seed-2"] and str(tmp_path / "sweep" / "000") in left_out


def test_agents_trained_with_a_setting_are_told_from_the_others(tmp_path):
    for seed in range(3):
        make_run(tmp_path / f"seed-{seed}", seed=seed, recurrent=True)
    make_run(tmp_path / "cut", seed=3, recurrent=False)
    found = results.find_runs(tmp_path)
    assert names(results.pool(found, "independent", config={"recurrent": False}, base=tmp_path)[0]) == ["cut"]
    assert len(results.pool(found, "independent", config={"recurrent": True}, base=tmp_path)[0]) == 3
    command = f"neurometa train independent --set n_units=6 --out {tmp_path / 'independent-n_units-6'}"
    with pytest.raises(results.MissingError, match="no run of independent with n_units=6") as missing:
        results.pool(found, "independent", config={"n_units": 6}, base=tmp_path)
    assert missing.value.needs == command


def test_disturbed_agents_stand_for_none_but_themselves_and_older_runs_count_as_undisturbed(tmp_path):
    make_run(tmp_path / "old", seed=0)
    make_run(tmp_path / "new", seed=1, recurrent=True, rpe_gain=1.0, rpe_delay=0, rpe_noise=0.0)
    for seed in range(3):
        make_run(tmp_path / f"noisy-{seed}", seed=seed, rpe_noise=1.0)
        make_run(tmp_path / f"cut-{seed}", seed=seed, recurrent=False)
    found = results.find_runs(tmp_path)
    assert names(results.pool(found, "independent", base=tmp_path)[0]) == ["old", "new"]
    noisy, _ = results.pool(found, "independent", config={"rpe_noise": 1.0}, base=tmp_path)
    assert names(noisy) == ["noisy-0", "noisy-1", "noisy-2"]


def test_an_unfinished_sweep_gives_no_agent_and_is_named(tmp_path):
    sweep = make_sweep(tmp_path / "sweep", [0, 0], top=1, collected=False)
    with pytest.raises(results.MissingError, match=f"neurometa sweep independent --out {sweep}"):
        results.pool(results.find_runs(tmp_path), "independent", base=tmp_path)
    make_run(tmp_path / "alone")
    pooled, left_out = results.pool(results.find_runs(tmp_path), "independent", base=tmp_path)
    assert names(pooled) == ["alone"] and str(sweep) in left_out


def test_what_is_absent_is_told_with_the_command_that_makes_it(tmp_path):
    run = make_run(tmp_path / "a", trials=False)
    for file, command in {
        "behaviour.nc": f"neurometa rollout {run}",
        "regret.nc": f"neurometa regret {run}",
        "fit_rw.nc": f"neurometa fit-rw {run}",
        "on-dependent-easy.nc": f"neurometa rollout {run} --on dependent-easy",
        "learning_set.nc": f"neurometa learning-set {run}",
        "lesion-reset.nc": f"neurometa rollout {run} --lesion reset",
        "untrained.nc": f"neurometa rollout {run} --untrained",
        "perturbation-block-safe-reward.nc": f"neurometa rollout {run} --perturbation block-safe-reward",
        "lesion-reset_rpe.nc": f"neurometa rollout {run} --lesion reset",  # the trials come first
    }.items():
        with pytest.raises(results.MissingError, match=f"holds no {file}; make it with: {command}") as missing:
            results.read_result(run, file)
        assert missing.value.needs == command
    with pytest.raises(results.MissingError, match=f"neurometa train restless --out {tmp_path / 'restless'}"):
        results.pool(results.find_runs(tmp_path), "restless", base=tmp_path)
    with pytest.raises(results.MissingError, match="no folder"):
        results.find_runs(tmp_path / "absent")


def test_a_result_of_an_earlier_rollout_is_refused_and_trials_elsewhere_stand_alone(tmp_path):
    run = make_run(tmp_path / "a")
    result = xr.Dataset({"regret": ("trial", [0.1, 0.2])}, attrs={"created": "before"})
    dataset.save_run(result, run / "regret.nc")
    dataset.save_run(result, run / "on-restless.nc")
    with pytest.raises(results.MissingError, match=rf"earlier rollout; make it anew with: neurometa regret {run}"):
        results.read_result(run, "regret.nc")
    assert results.read_result(run, "on-restless.nc").regret.sizes == {"trial": 2}


def test_a_result_of_other_trials_goes_with_them_and_not_with_those_of_the_run(tmp_path):
    run = make_run(tmp_path / "a")
    trials = dataset.example(n_episodes=3).assign_attrs(created="later", seed=0)
    dataset.save_run(trials, run / "lesion-reset.nc")
    command = f"neurometa rpe {run / 'lesion-reset.nc'} --discount 0.9"
    with pytest.raises(results.MissingError, match=r"holds no lesion-reset_rpe\.nc") as missing:
        results.read_result(run, "lesion-reset_rpe.nc", options="--discount 0.9")
    assert missing.value.needs == command
    result = xr.Dataset({"r_squared": 0.1}, attrs={"created": "later"})
    dataset.save_run(result, run / "lesion-reset_rpe.nc")
    dataset.save_run(result, run / "rpe.nc")
    assert results.read_result(run, "lesion-reset_rpe.nc").r_squared == 0.1
    with pytest.raises(results.MissingError, match=r"rpe\.nc is of an earlier rollout"):
        results.read_result(run, "rpe.nc")


def test_agents_stand_side_by_side_without_what_was_left_out(tmp_path):
    for seed in range(2):
        make_run(tmp_path / f"seed-{seed}", seed=seed)
    pooled, _ = results.pool(results.find_runs(tmp_path), "independent", base=tmp_path)
    together = results.read_pooled(pooled, "behaviour.nc", without=["drift_sd", "hidden"])
    assert together.choice.dims == ("agent", "episode", "trial")
    assert np.array_equal(together.seed, [0, 1]) and "drift_sd" not in together


def test_a_damaged_config_or_sweep_is_refused_by_its_name(tmp_path):
    make_sweep(tmp_path / "sweep", [1], top=1)
    (tmp_path / "sweep" / "sweep.nc").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"sweep\.nc is damaged"):
        results.find_runs(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"experiment": "restless"}')
    with pytest.raises(InputError, match=r"config\.json is damaged"):
        results.find_runs(tmp_path / "run")
