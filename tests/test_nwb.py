import datetime
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shell import neurometa
from test_export import logged

from neurometa import dataset, neural
from neurometa.errors import InputError
from neurometa.tables import read_activity, read_trials, to_frame, write_nwb

pynwb = pytest.importorskip("pynwb", reason="needs the extra nwb")

SPIKES = {3: [0.05, 0.1, 0.15, 2.05, 9.0], 8: [0.0, 0.5, 2.5, 5.2, 5.2, 5.2]}  # by unit, in s
STARTS = np.array([0.0, 2.0, 5.0])


def recorded(path, **options):
    """A session as a lab would store it: three trials, two units, a TimeSeries at 10 Hz and one with timestamps."""
    from pynwb.file import Subject

    file = pynwb.NWBFile(
        "a session",
        "id",
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        session_id="s7",
        subject=Subject(subject_id="m1"),
    )
    columns = {"side": ["L", "R", ""], "reward": [1.0, 0.0, np.nan], "odour": [[1, 2], [3, 4], [5, 6]]}
    for name in columns:
        file.add_trial_column(name, name)
    file.add_trial_column("licks", "times of licks", index=True)
    for k, start in enumerate(STARTS):
        cells = {name: column[k] for name, column in columns.items()}
        file.add_trial(start_time=start, stop_time=start + 1, licks=[0.1] * k, **cells)
    for unit, spikes in SPIKES.items():
        file.add_unit(spike_times=spikes, id=unit, **({"obs_intervals": [[0.0, 4.0]]} if options.get("partly") else {}))
    ramp = np.arange(60.0).reshape(-1, 1) * [1, 2]
    file.add_acquisition(
        pynwb.TimeSeries(name="ramp", data=ramp, rate=10.0, starting_time=0.0, unit="V", conversion=0.5, offset=1.0)
    )
    module = file.create_processing_module("ophys", "d")
    module.add(pynwb.TimeSeries(name="dff", data=[1.0, 3.0, 5.0], timestamps=[0.2, 0.4, 2.2], unit="a.u."))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


@pytest.fixture
def session(tmp_path):
    return recorded(tmp_path / "lab.nwb")


# In


def test_the_trials_of_a_session_are_read_with_its_subject_and_name(session):
    trials, report = read_trials(session, choice="side")
    dataset.check(trials)
    assert trials.subject.item() == "m1" and trials.session.item() == "s7"
    assert trials.choice.values.tolist() == [[0, 1, -1]] and trials.choice.options == ["L", "R"]
    assert trials.start_time.values.tolist() == [STARTS.tolist()] and trials.odour_1.values.tolist() == [[2, 4, 6]]
    assert report.dropped == {"column 'licks', whose cells are lists or references": 1} and report.n_missed == 1


def test_spikes_are_counted_by_trial_and_bin_as_one_counts_them_by_hand(session):
    trials, _ = read_trials(session, choice="side")
    rates = read_activity(session, trials, n_bins=2)
    assert rates.dims == ("episode", "trial", "step", "unit") and rates.dtype == np.float32
    assert rates.unit.values.tolist() == [3, 8] and rates.step.values.tolist() == ["part 1 of 2", "part 2 of 2"]
    for trial, start in enumerate(STARTS):
        for step in range(2):
            a, b = start + step / 2, start + (step + 1) / 2
            assert rates.step_time[0, trial, step] == (a + b) / 2
            for k, spikes in enumerate(SPIKES.values()):
                assert rates[0, trial, step, k] == sum(a <= spike < b for spike in spikes) / 0.5
    around = read_activity(session, trials, align="start_time", window=(-0.5, 0.5), n_bins=2)
    assert around.step.values.tolist() == ["-0.5 to 0 s", "0 to 0.5 s"]
    np.testing.assert_array_equal(around[:, :, 1], rates[:, :, 0])


def test_a_unit_has_no_rate_where_it_was_not_observed(tmp_path):
    path = recorded(tmp_path / "partly.nwb", partly=True)
    trials, _ = read_trials(path, choice="side")
    np.testing.assert_array_equal(read_activity(path, trials).isnull().all("unit").values, [[[False], [False], [True]]])


def test_a_time_series_is_averaged_in_its_own_unit_and_empty_bins_are_nan(session):
    trials, _ = read_trials(session, choice="side")
    ramp = read_activity(session, trials, "ramp")
    mean = np.array([np.arange(10 * start, 10 * start + 10).mean() for start in STARTS])
    np.testing.assert_allclose(ramp[0, :, 0], np.stack([mean, 2 * mean], -1) * 0.5 + 1)
    assert ramp.units == "V"
    dff = read_activity(session, trials, "dff", align="start_time", window=(0, 0.5))
    np.testing.assert_array_equal(dff[0, :, 0, 0], [2, 5, np.nan])


def test_activity_that_cannot_be_binned_is_refused_in_a_sentence(session, tmp_path):
    trials, _ = read_trials(session, choice="side")
    wrong = [
        (
            ("rampe",),
            {},
            r"has no TimeSeries or units 'rampe'; it has \['dff', 'ramp', 'units'\]. Did you mean 'ramp'\?",
        ),
        ((), {"align": "start_time"}, "there is no window around it"),
        ((), {"window": (1, -1)}, "the first the smaller"),
        ((), {"align": "side", "window": (0, 1)}, "no variable 'side'"),
        ((), {"n_bins": 0}, "n_bins is 0"),
    ]
    for names, options, told in wrong:
        with pytest.raises(InputError, match=told):
            read_activity(session, trials, *names, **options)
    with pytest.raises(InputError, match="no variable 'start_time'"):
        read_activity(session, trials.drop_vars("start_time"))
    dataset.save_run(trials, tmp_path / "run")
    with pytest.raises(InputError, match="is a dataset already, not a table"):
        read_trials(tmp_path / "run" / "behaviour.nc")
    (tmp_path / "half.nwb").write_bytes(session.read_bytes()[:4000])
    with pytest.raises(InputError, match=r"half.nwb cannot be read as NWB: [^\n]+$"):
        read_trials(tmp_path / "half.nwb")


def test_a_session_is_imported_with_its_activity_at_the_shell(session, tmp_path):
    options = ("--choice", "side", "--activity", "units", "--window", "-0.5,0.5", "--bins", "4")
    code, out, err = neurometa("import", session, "--out", tmp_path / "run", *options)
    assert (code, err) == (0, "") and "Activity: 2 units of units (spikes/s), 4 bins per trial." in out
    trials = dataset.open_run(tmp_path / "run")
    assert neural.hidden_state(trials, "activity", step="0 to 0.25 s").dims == ("episode", "trial", "unit")
    code, _, err = neurometa("import", session, "--out", tmp_path / "other", "--bins", "4")
    assert code == 2 and "say which with --activity" in err
    other = write_nwb(
        read_trials(session, choice="side")[0].assign_coords(session=("episode", ["s8"])), tmp_path / "o.nwb"
    )
    code, _, err = neurometa("import", session, other, "--out", tmp_path / "other", *options)
    assert code == 2 and "import one at a time" in err
    code, _, err = neurometa("import", other, other, "--out", tmp_path / "other")
    assert code == 2 and "Session s8 of subject m1 stands in" not in err and "twice" in err


# Out


def test_a_written_run_validates_and_reads_again_with_pynwb_alone(tmp_path):
    run = logged()
    path = write_nwb(run, tmp_path / "run.nwb")
    assert pynwb.validate(path=str(path)) == []
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        table, epochs = file.trials.to_dataframe(), file.epochs.to_dataframe()
        frame = to_frame(run.drop_vars(["value", "hidden"]))
        pd.testing.assert_frame_equal(table[list(frame)].reset_index(drop=True), frame, check_dtype=False)
        hidden = file.processing["steps"]["hidden"]
        played = run.valid.values
        np.testing.assert_array_equal(hidden.data[:], run.hidden.values[played].reshape(-1, 5))
        for k, (start, stop) in enumerate(table[["start_time", "stop_time"]].to_numpy()):
            inside = (hidden.timestamps[:] >= start) & (hidden.timestamps[:] <= stop)
            assert np.flatnonzero(inside).tolist() == [2 * k, 2 * k + 1]
        assert epochs.episode.tolist() == [0, 1, 2]
        assert (epochs.stop_time[:-1].to_numpy() < epochs.start_time[1:].to_numpy()).all()
        assert file.subject.species == "in silico" and file.subject.subject_id == "agent-7"
        assert file.session_start_time == datetime.datetime.fromisoformat(run.created)
        assert json.loads(file.notes)["task"] == "made up" and "Times are not real" in file.session_description


def test_a_session_keeps_its_own_clock_and_comes_back_equal(session, tmp_path):
    trials, _ = read_trials(session, choice="side")
    trials["activity"] = read_activity(session, trials, n_bins=2)
    path = write_nwb(trials, tmp_path / "again.nwb")
    assert pynwb.validate(path=str(path)) == []
    again, _ = read_trials(path)
    xr.testing.assert_equal(again, trials.drop_vars(["activity", "step", "unit", "step_time"]))
    series = read_activity(path, again, "activity", n_bins=2)
    np.testing.assert_array_equal(series, trials.activity)


def test_pynapple_opens_a_written_run(tmp_path):
    nap = pytest.importorskip("pynapple", reason="needs pynapple, of the extra dev")
    run = logged()
    opened = nap.NWBFile(str(write_nwb(run, tmp_path / "run.nwb")))
    trials, hidden = opened["trials"], opened["hidden"]
    assert isinstance(trials, nap.IntervalSet) and isinstance(hidden, nap.TsdFrame)
    frame = to_frame(run)
    np.testing.assert_array_equal(trials["choice"], frame.choice)
    np.testing.assert_array_equal(trials["reward_prob_2"], frame.reward_prob_2)
    second = hidden.restrict(trials[1])
    np.testing.assert_array_equal(second.values, run.hidden[0, 1].values)
    opened.close()


def test_a_run_that_no_file_can_hold_is_refused_in_a_sentence(tmp_path):
    run = logged()
    two = run.assign_coords(subject=("episode", ["a", "b", "b"]))
    with pytest.raises(InputError, match=r"2 subjects, .* trials.sel\(episode=trials.subject == 'a'\)"):
        write_nwb(two, tmp_path / "x.nwb")
    agents = dataset.concat([run.drop_vars("seed"), run.drop_vars("seed").assign_attrs(seed=8)])
    with pytest.raises(InputError, match=r"2 values of 'agent', .* trials.isel\(agent=0\)"):
        write_nwb(agents, tmp_path / "x.nwb")
    with pytest.raises(InputError, match=r"ends in .h5; an NWB file ends in .nwb"):
        write_nwb(run, tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


def test_sessions_of_animals_are_exported_a_file_each(tmp_path):
    table = "mouse,session,choice,reward\nm/1,a,0,1\nm/1,a,1,0\nm/1,b,1,1\nm2,a,0,0\n"
    (tmp_path / "lab.csv").write_text(table)
    assert neurometa("import", tmp_path / "lab.csv", "--out", tmp_path / "run")[0] == 0
    code, out, err = neurometa("export", tmp_path / "run", "--nwb")
    assert (code, err) == (0, "") and "Wrote 3 files" in out
    files = sorted(path.name for path in (tmp_path / "run" / "nwb").iterdir())
    assert files == ["sub-m-1_ses-a.nwb", "sub-m-1_ses-b.nwb", "sub-m2_ses-a.nwb"]
    one, _ = read_trials(tmp_path / "run" / "nwb" / "sub-m-1_ses-a.nwb")
    assert one.subject.item() == "m/1" and one.choice.values.tolist() == [[0, 1]]
    code, _, err = neurometa("export", tmp_path / "run", "--nwb", "--out", tmp_path / "one.nwb")
    assert code == 2 and "of 3 sessions, a file each; let --out be a folder" in err
