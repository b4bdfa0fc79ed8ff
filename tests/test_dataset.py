"""The contract: what keeps it comes back from disk unchanged, what breaks it is refused in a sentence."""

import re

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from neurometa import dataset
from neurometa.dataset import (
    CONTRACT,
    CONTRACT_IN_TIME,
    VARIABLES,
    check,
    concat,
    describe,
    example,
    n_options,
    open_run,
    read,
    require,
    save_run,
)
from neurometa.errors import InputError


def refusal(call, *args) -> str:
    with pytest.raises(InputError) as raised:
        call(*args)
    return str(raised.value)


def full_run() -> xr.Dataset:
    """A run with every variable of the contract, coordinates of every kind, and a dim of one."""
    sizes = {"episode": 3, "trial": 5, "step": 1, "arm": 2, "state": 2, "option": 2, "unit": 4, "feature": 2}
    sizes |= {"axis": 2, "row": 3, "column": 3}
    rng = np.random.default_rng(0)
    run = xr.Dataset(attrs={"task": "bandit", "config": '{"n_units": 48}', "seed": 3, "contract": CONTRACT})
    for name, variable in VARIABLES.items():
        dims = ("episode", *variable.dims)
        if "time" in dims:
            continue  # of runs whose trials last as long as they take: see test_timed.py
        run[name] = dims, rng.random([sizes[dim] for dim in dims], dtype=np.float32)
    run["choice"] = ("episode", "trial"), rng.integers(-1, 2, (3, 5), dtype=np.int8)
    run["action"] = run.choice.expand_dims(step=1, axis=-1)
    run["valid"] = ("episode", "trial"), rng.random((3, 5)) < 0.5
    return describe(run.assign_coords(step=["choice"], episode=[10, 20, 30], band=("episode", ["low", "high", "low"])))


# Round trip


@pytest.mark.parametrize(
    "trials", [example(n_episodes=3), full_run(), concat([full_run()])], ids=["small", "full", "agent"]
)
def test_a_run_comes_back_from_disk_as_it_was_saved(tmp_path, trials):
    assert save_run(trials, tmp_path / "runs" / "restless") == tmp_path / "runs" / "restless" / "behaviour.nc"
    back = open_run(tmp_path / "runs" / "restless")
    xr.testing.assert_identical(back, trials)
    assert dict(back.dtypes) == dict(trials.dtypes)


def test_a_run_saved_again_after_reading_is_the_same_run(tmp_path):
    save_run(full_run(), tmp_path / "first")
    save_run(open_run(tmp_path / "first"), tmp_path / "second")
    xr.testing.assert_identical(open_run(tmp_path / "second"), full_run())


def test_a_path_ending_in_nc_is_the_file_itself(tmp_path):
    trials = example(n_episodes=2)
    assert save_run(trials, tmp_path / "mice.nc") == tmp_path / "mice.nc"
    xr.testing.assert_identical(open_run(str(tmp_path / "mice.nc")), trials)


def test_saving_and_describing_leave_the_dataset_they_were_given_alone(tmp_path):
    trials = xr.Dataset({"choice": ("trial", [0, 1]), "reward": ("trial", [1.0, 0.0])})
    before = trials.copy(deep=True)
    save_run(trials, tmp_path)
    describe(trials)
    xr.testing.assert_identical(trials, before)


def test_labels_and_units_are_filled_in_where_there_are_none():
    trials = xr.Dataset(
        {"reward": ("trial", [1.0, 0.0]), "value": (("trial", "step"), np.ones((2, 1)), {"units": "ml"})}
    )
    described = describe(trials)
    assert described.reward.attrs == {"long_name": "reward", "units": "reward"}
    assert described.value.attrs == {"long_name": "value predicted by the agent", "units": "ml"}


def test_a_result_that_is_no_run_is_read_too(tmp_path):
    fitted = xr.Dataset({"learning_rate": ("episode", [0.1, np.nan])}, attrs={"contract": CONTRACT})
    save_run(fitted, tmp_path / "fit_rw.nc")
    xr.testing.assert_identical(read(tmp_path / "fit_rw.nc"), fitted)


def test_an_opened_run_no_longer_needs_its_file(tmp_path):
    file = save_run(example(n_episodes=2), tmp_path)
    trials = open_run(tmp_path)
    file.write_bytes(b"")
    xr.testing.assert_identical(trials, example(n_episodes=2))


# Files that are refused


def test_a_missing_run_is_named(tmp_path):
    assert refusal(open_run, tmp_path / "nothing") == f"There is no run or file {tmp_path}/nothing."


def test_a_run_without_trials_says_how_to_make_them(tmp_path):
    assert refusal(open_run, tmp_path).endswith(f"holds no behaviour.nc; make it with: neurometa rollout {tmp_path}")


def test_a_table_is_sent_to_the_importer(tmp_path):
    (tmp_path / "mice.csv").write_text("choice,reward\n0,1\n")
    assert f"neurometa import {tmp_path}/mice.csv" in refusal(open_run, tmp_path / "mice.csv")


@pytest.mark.parametrize("kept", [0, 1, 100, 5_000, 0.5, 0.9, -100, -1])
def test_a_truncated_file_is_refused_wherever_it_was_cut(tmp_path, kept):
    file = save_run(example(n_episodes=10), tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    assert re.fullmatch(rf"{file} is damaged(: | or not netCDF ).*; write it anew\.", refusal(open_run, file))


def test_no_flipped_bit_passes_unseen(tmp_path):
    file, rng = save_run(example(n_episodes=2), tmp_path), np.random.default_rng(0)
    whole, trials = file.read_bytes(), open_run(tmp_path)
    for place in rng.integers(len(whole), size=300):
        bits = bytearray(whole)
        bits[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bits)
        try:
            read = open_run(file)
        except InputError as error:
            assert str(error).startswith(f"{file} is damaged") and str(error).endswith("; write it anew.")
        else:  # only a flip in the seal itself leaves the data as they were
            assert place >= len(whole) - 50
            xr.testing.assert_identical(read, trials)


def test_a_run_changed_by_another_program_is_read_as_that_left_it(tmp_path):
    file = save_run(example(n_episodes=2), tmp_path)
    with netCDF4.Dataset(file, "a") as written:
        written.animal = "rat 7"
    assert open_run(file).attrs["animal"] == "rat 7"
    changed = xr.load_dataset(file).assign_attrs(animal="rat 8")
    changed.to_netcdf(file)
    assert open_run(file).attrs["animal"] == "rat 8"


def test_a_file_that_was_never_finished_is_refused(tmp_path):
    file = save_run(example(n_episodes=2), tmp_path)
    with netCDF4.Dataset(file, "a") as written:
        del written.complete
    assert refusal(open_run, file) == f"{file} is not whole (it lacks the mark that is written last); write it anew."


@pytest.mark.parametrize("other", [CONTRACT - 1, CONTRACT_IN_TIME + 1, "one"])
def test_another_version_of_the_contract_is_refused(tmp_path, other):
    file = save_run(example(n_episodes=2), tmp_path)
    with netCDF4.Dataset(file, "a") as written:
        written.contract = other
    assert (
        f"{file} keeps contract {other}, this neurometa reads contracts {CONTRACT} and {CONTRACT_IN_TIME}"
        in refusal(open_run, file)
    )


def test_a_broken_run_is_refused_with_the_name_of_its_folder(tmp_path):
    trials = example(n_episodes=2)
    save_run(trials.assign(choice=trials.choice + 1), tmp_path)
    assert refusal(open_run, tmp_path).startswith(f"{tmp_path}: 'choice' is 2 at episode ")


@pytest.mark.parametrize("value", [None, True, {"n_units": 48}], ids=repr)
def test_an_attribute_that_netcdf_cannot_hold_is_told_and_the_old_run_kept(tmp_path, value):
    trials = example(n_episodes=2)
    save_run(trials, tmp_path)
    told = refusal(save_run, example(n_episodes=3).assign_attrs(config=value), tmp_path)
    assert f"Could not write {tmp_path}/behaviour.nc, as netCDF cannot hold this" in told and "config" in told
    xr.testing.assert_identical(open_run(tmp_path), trials)


# Trials that are refused


@pytest.mark.parametrize("name", full_run().data_vars)
def test_every_variable_must_span_its_dims(name):
    run = full_run()[[name]]
    check(run)
    for dim in VARIABLES[name].dims:
        told = refusal(check, run.rename({dim: "elsewhere"}))
        assert told.startswith(f"{name!r} spans (") and told.endswith(f"must also span ('{dim}',).")


def test_a_missing_variable_is_named_beside_those_present():
    told = refusal(lambda: require(example(n_episodes=1), common=("trial",)))
    assert told == ("The trials have no variable 'common'; they hold ['choice', 'drift_sd', 'reward', 'reward_prob'].")


def test_choices_that_are_no_integers_are_refused():
    trials = example(n_episodes=1)
    for kind in (float, bool, str):
        assert "'choice' is " in refusal(check, trials.assign(choice=trials.choice.astype(kind)))


@given(st.integers(0, 2), st.integers(0, 149), st.sampled_from([-2, 2, 100]), st.permutations(["episode", "trial"]))
def test_a_choice_outside_the_arms_is_refused_with_its_place(episode, trial, choice, order):
    trials = example(n_episodes=3)
    trials.choice[episode, trial] = choice
    told = refusal(check, trials.assign_coords(episode=[7, 8, 9]).transpose(*order, ...))
    place = {"episode": f"episode {episode + 7}", "trial": f"trial {trial}"}
    assert told == (
        f"'choice' is {choice} at {', '.join(place[dim] for dim in order)}; "
        "allowed are 0 ... 1, or -1 where none was made."
    )


@pytest.mark.parametrize("reward", [np.nan, np.inf, -np.inf])
def test_a_played_trial_has_a_finite_reward_and_a_missed_one_need_not(reward):
    trials = example(n_episodes=2)
    trials.reward[1, 4] = reward
    assert refusal(check, trials) == (
        f"'reward' is {reward} at episode 1, trial 4, where a choice was made; it must be finite."
    )
    trials.choice[1, 4] = -1
    check(trials)


def test_rewards_that_are_text_are_refused():
    trials = example(n_episodes=2)
    for kind in (str, object):
        assert refusal(check, trials.assign(reward=trials.reward.astype(kind))).endswith("it must be numbers.")


@given(st.permutations(["subject", "session", "episode", "trial"]))
def test_extra_dims_pass_in_any_order_and_do_not_hide_a_fault(order):
    trials = example(n_episodes=2).isel(trial=slice(5)).expand_dims(subject=["a", "b"], session=3).copy(deep=True)
    check(trials.transpose(*order, ...))
    trials.choice.loc[{"subject": "b", "session": 1, "episode": 0, "trial": 4}] = 5
    told = refusal(check, trials.transpose(*order, ...))
    assert told.startswith("'choice' is 5 at ")
    assert all(place in told for place in ("subject b", "session 1", "episode 0", "trial 4"))


@pytest.mark.parametrize("n_trials", [0, 1, 7])
def test_episodes_that_were_all_missed_or_empty_keep_the_contract(n_trials):
    check(xr.Dataset({"choice": ("trial", np.full(n_trials, -1)), "reward": ("trial", np.full(n_trials, np.nan))}))


def test_the_number_of_options_is_stated_or_the_arms_or_what_was_chosen():
    chosen = xr.Dataset({"choice": ("trial", [0, 2, -1])})
    assert n_options(chosen) == 3
    assert n_options(chosen.assign(reward_prob=(("trial", "arm"), np.ones((3, 5))))) == 5
    chosen.choice.attrs["n_options"] = 4
    assert n_options(chosen) == 4
    assert n_options(xr.Dataset({"choice": ("trial", [0, 0])})) == 2


# Several runs, and the example


def test_runs_side_by_side_are_the_runs_themselves():
    runs = [example(n_episodes=2, seed=seed) for seed in (5, 3, 4)]
    together = concat(runs)
    assert together.seed.dims == ("agent",) and list(together.seed.values) == [5, 3, 4]
    assert together.choice.dtype == np.int8 and together.choice.attrs == runs[0].choice.attrs
    check(together)
    for i, run in enumerate(runs):
        xr.testing.assert_equal(together.isel(agent=i).drop_vars("seed"), run)


def test_runs_that_do_not_match_are_not_put_together():
    run = example(n_episodes=2)
    assert refusal(concat, []) == "There is no run to put together."
    assert "differ in size" in refusal(concat, [run, example(n_episodes=3)])
    assert "differ in size or coordinates" in refusal(
        concat, [run.assign_coords(episode=at) for at in ([0, 1], [1, 2])]
    )
    assert "['reward_prob']" in refusal(concat, [run, run.drop_vars("reward_prob")])
    assert "Run 1 of 0 ... 1 has no 'seed'" in refusal(concat, [run, run.drop_attrs()])


def test_a_seed_fixes_the_example():
    xr.testing.assert_identical(example(n_episodes=3, seed=1), example(n_episodes=3, seed=1))
    assert not example(n_episodes=3, seed=1).choice.equals(example(n_episodes=3, seed=2).choice)


def test_the_example_keeps_the_contract_and_its_own_description():
    trials = example(n_episodes=400)
    check(trials)
    assert trials.sizes == {"episode": 400, "trial": 150, "arm": 2}
    np.testing.assert_allclose(trials.reward_prob.sum("arm"), 1)
    assert trials.reward_prob.min() >= 0 and trials.reward_prob.max() <= 1
    paid = trials.reward_prob.isel(arm=trials.choice.astype(int))
    assert abs(float((trials.reward - paid).mean())) < 4 * 0.5 / np.sqrt(trials.reward.size)  # four standard errors
    steps = trials.reward_prob.diff("trial").std(["trial", "arm"])
    assert xr.corr(steps, trials.drift_sd.isel(trial=0)) > 0.9


def test_an_unknown_example_is_refused():
    assert refusal(example, "maze") == "There is no example 'maze'; allowed is 'restless'."


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ('{"type": "TwoStep", "n_trials": 9, "form": "fixation"}', {"type": "tasks.TwoStep", "form": "stages"}),
        ('{"type": "tasks.Fixation", "task": {"type": "tasks.TwoStep", "n_trials": 9}}', {"type": "tasks.TwoStep"}),
        ('{"type": "tasks.TwoStep", "n_trials": 9}', {"type": "tasks.TwoStep"}),
    ],
)
def test_the_settings_of_a_runs_task_are_found_within_a_fixation_and_in_older_files(task, expected):
    assert dataset.task_settings(xr.Dataset(attrs={"task": task})).items() >= (expected | {"n_trials": 9}).items()
    assert dataset.task_settings(xr.Dataset(attrs={"task": "table: mice.csv"})) == {}
