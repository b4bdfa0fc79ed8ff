import csv
import io
import json
import string
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from shell import neurometa

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.tables import formulas, read_trials, to_frame, write_table

WORDS = st.text(string.ascii_letters + string.digits + ' ",;\t\nüÄ☃-/', max_size=5)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.just("")


def logged(n_episodes=3, n_trials=4):
    """A run with something over every dim that a run can have, and its last episode one trial shorter."""
    rng, grain = np.random.default_rng(0), ("episode", "trial")
    size = (n_episodes, n_trials)
    valid = np.ones(size, bool)
    valid[-1, -1] = False
    run = xr.Dataset(
        {
            "choice": (grain, np.where(valid, rng.integers(0, 3, size), -1).astype(np.int8), {"n_options": 3}),
            "reward": (grain, np.where(valid, rng.random(size), np.nan)),
            "valid": (grain, valid),
            "reward_prob": ((*grain, "arm"), rng.random((*size, 3))),
            "value": ((*grain, "step"), rng.random((*size, 2)).astype(np.float32)),
            "hidden": ((*grain, "step", "unit"), rng.random((*size, 2, 5)).astype(np.float32)),
            "difficulty": ("episode", rng.random(n_episodes)),
        },
        {"step": ["fixation", "choice"], "seed": 7},
        {"seed": 7, "task": "made up", "created": "2026-01-02T03:04:05+00:00"},
    )
    return dataset.describe(run)


# The table


def test_each_row_is_a_trial_that_was_played_and_each_column_one_number_of_it():
    run = logged()
    frame = to_frame(run)
    played = [(e, t) for e in range(3) for t in range(4) if run.valid[e, t]]
    assert len(frame) == len(played) == 11
    for row, (e, t) in zip(frame.to_dict("records"), played, strict=True):
        here = run.isel(episode=e, trial=t)
        expected = {"episode": e, "trial": t, "choice": here.choice, "n_options": 3, "reward": here.reward}
        expected |= {f"reward_prob_{arm}": here.reward_prob[arm] for arm in range(3)}
        for step in ("fixation", "choice"):
            expected[f"value_{step}"] = here.value.sel(step=step)
            expected |= {f"hidden_{step}_{unit}": here.hidden.sel(step=step)[unit] for unit in range(5)}
        expected["difficulty"] = here.difficulty
        assert row == {name: float(value) for name, value in expected.items()}


def test_the_order_of_dims_changes_nothing_and_further_ones_name_the_rows():
    run = logged()
    pd.testing.assert_frame_equal(to_frame(run.transpose()), to_frame(run))
    other = run.assign(reward=run.reward + 1).assign_attrs(seed=8)
    frame = to_frame(dataset.concat([run.drop_vars("seed"), other.drop_vars("seed")]))
    assert frame[["agent", "seed"]].drop_duplicates().values.tolist() == [[0, 7], [1, 8]] and len(frame) == 22
    np.testing.assert_array_equal(frame.reward[frame.seed == 8], to_frame(run).reward + 1)
    trials, report = read_trials(frame)
    assert report.columns["subject"] == "agent" and trials.sizes["episode"] == 6


def test_the_only_step_is_not_named():
    frame = to_frame(logged().isel(step=[1]))
    assert {"value", "hidden_0", "hidden_4"} <= set(frame) and not [name for name in frame if "_choice" in name]


def test_trials_that_make_no_table_are_refused_in_a_sentence(tmp_path):
    run = logged()
    with pytest.raises(InputError, match="no variable 'reward'"):
        to_frame(run.drop_vars("reward"))
    with pytest.raises(InputError, match="'reward' spans \\['step'\\], which 'choice' does not"):
        to_frame(run.assign(reward=run.value))
    with pytest.raises(InputError, match="would be called 'reward_prob_0'"):
        to_frame(run.assign(reward_prob_0=run.reward))
    with pytest.raises(InputError, match=r"trials.xlsx ends in .xlsx; a table ends in .csv, .tsv, .parquet"):
        write_table(run, tmp_path / "trials.xlsx")


# There and back


@st.composite
def tables(draw):
    """A lab's table as text: sessions of differing length, missed trials, further columns of every kind."""
    coding = draw(st.sampled_from([("0", "1"), ("1", "2", "3"), ("0", "2"), ("left", "right"), ("1", "2")]))
    names = st.text(string.ascii_letters + string.digits, min_size=1, max_size=3)
    sessions = draw(st.lists(st.tuples(names, names), min_size=1, max_size=3, unique=True))
    counted, first, rows = draw(st.booleans()), list(coding), []
    further = {
        "rt": NUMBERS,
        "cue": st.integers(-3, 3).map(str),
        "lit": st.sampled_from(["TRUE", "false"]),
        "note": WORDS,
        "genotype/line": st.just("wt"),
        "tag": st.sampled_from(["007", "x"]),
    }
    further = {name: further[name] for name in draw(st.sets(st.sampled_from(sorted(further))))}
    for who in sessions:
        numbers = draw(st.lists(st.integers(0, 30), min_size=len(first) or 1, max_size=5, unique=True))
        for k, trial in enumerate(sorted(numbers)):
            choice = first.pop() if first else draw(st.sampled_from([*coding, ""]))
            reward = draw(st.sampled_from(["0", "1", "0.25", "-0.1", "1e-300"])) if choice else ""
            rows.append((*who, str(k if counted else trial), choice, reward, *map(draw, further.values())))
    return pd.DataFrame(rows, columns=["mouse", "session", "trial", "choice", "reward", *further])


def kept(trials):
    """What a table says of trials: everything but labels and attributes."""
    return trials.drop_attrs().assign_coords(n_options=dataset.n_options(trials))


@settings(max_examples=25, deadline=None)
@given(tables())
def test_a_table_read_written_and_read_again_is_the_same(table):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lab.csv"
        table.to_csv(path, index=False)
        trials, report = read_trials(path)
        again, told = read_trials(to_frame(trials))
        xr.testing.assert_identical(kept(again), kept(trials))
        assert (told.n_trials, told.n_missed, told.n_episodes) == (report.n_trials, report.n_missed, report.n_episodes)
        for suffix in (".csv", ".tsv", ".parquet") if "pyarrow" in sys.modules else (".csv", ".tsv"):
            again, _ = read_trials(write_table(trials, Path(folder) / f"ours{suffix}"))
            xr.testing.assert_equal(kept(again), kept(trials))


FORMULAS = st.from_regex(r"'{0,2}[=+\-@\t\r\n＝＠][a-z0-9!|'\"(), .\r]{0,6}", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(st.lists(FORMULAS | NUMBERS | WORDS, min_size=3, max_size=3), st.sampled_from(["=x", "-1+1", "@a", "'+b", "-2"]))
def test_no_text_of_a_table_is_a_formula_and_read_again_it_is_what_it_was(notes, header):
    text = formulas.marked(pd.DataFrame({header: notes, "number": [-1.5, 0.25, -3]})).to_csv(index=False)
    rows = list(csv.reader(io.StringIO(text)))
    for cell in (cell for row in rows for cell in row):
        assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠")) or np.isfinite(float(cell)), cell
    assert [row[1] for row in rows[1:]] == ["-1.5", "0.25", "-3.0"]
    again = formulas.plain(pd.read_csv(io.StringIO(text), header=None, dtype=str, na_filter=False))
    assert again[0].tolist() == [header, *(note.replace("\r\n", "\n").replace("\r", "\n") for note in notes)]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_subject_that_is_a_formula_is_exported_as_text_and_imported_again(tmp_path, suffix):
    evil = ["=cmd|' /C calc'!A0", "@SUM(1)", "-1+1", "'=x"]
    frame = pd.DataFrame({"subject": np.repeat(evil, 2), "choice": [0, 1] * 4, "reward": [-1.5, 1] * 4})
    trials, _ = read_trials(frame)
    path = write_table(trials, tmp_path / f"ours{suffix}")
    written = path.read_text()
    assert all(f"'{name}" in written for name in evil) and "-1.5" in written and "'-1.5" not in written
    again, _ = read_trials(path)
    xr.testing.assert_equal(kept(again), kept(trials))


def test_options_that_were_never_chosen_are_there_again():
    frame = pd.DataFrame({"choice": [1, 2, 1], "reward": [1.0, 0.0, 1.0]})
    trials, _ = read_trials(frame, choice_coding={0: 0, 1: 1, 2: 2, 3: 3})
    assert trials.choice.values.tolist() == [[1, 2, 1]]
    again, report = read_trials(to_frame(trials))
    assert again.choice.values.tolist() == [[1, 2, 1]] and again.choice.n_options == 4
    assert "choices read as counted from 0, of 4, as the column n_options says." in report.recoded
    theirs, _ = read_trials(frame.assign(n_options=2))  # a lab's own column, and options that count from 1
    assert theirs.choice.values.tolist() == [[0, 1, 0]] and theirs.choice.n_options == 2
    varying, report = read_trials(frame.assign(n_options=[2, 3, 2]))  # says nothing of the table
    assert varying.choice.values.tolist() == [[0, 1, 0]] and report.kept["n_options"] == "episode, trial"


def test_an_exported_agent_is_read_as_it_was_although_its_columns_have_other_common_names_too():
    run = logged().drop_vars(["hidden", "difficulty"]).assign(action=logged().value, outcome=logged().reward)
    trials, report = read_trials(to_frame(run))
    assert report.columns == {"episode": "episode", "trial": "trial", "choice": "choice", "reward": "reward"}
    for name in ("choice", "reward", "valid"):
        np.testing.assert_array_equal(trials[name], run[name])


# Parquet


def test_parquet_is_read_as_the_same_frame_is(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra parquet")
    frame = pd.DataFrame(
        {"mouse": ["a", "a", "b"], "choice": ["L", None, "R"], "reward": [1, 0, 1], "lit": [True, False, True]}
    )
    frame["choice"] = frame.choice.astype("category")
    frame.to_parquet(tmp_path / "lab.parquet")
    expected, _ = read_trials(frame)
    trials, report = read_trials(tmp_path / "lab.parquet")
    xr.testing.assert_equal(trials, expected)
    assert report.source.endswith("lab.parquet") and trials.task == "table: lab.parquet"
    frame.assign(reward=["1", "lots", "0"]).to_parquet(tmp_path / "bad.parquet")
    with pytest.raises(InputError, match=r"bad.parquet, row 1, column 'reward': 'lots' is not a finite number"):
        read_trials(tmp_path / "bad.parquet")
    whole = (tmp_path / "lab.parquet").read_bytes()
    (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half.parquet cannot be read as Parquet: [^\n]+$"):
        read_trials(tmp_path / "half.parquet")


# At the shell


@pytest.fixture
def run(tmp_path):
    dataset.save_run(logged(), tmp_path / "run")
    return tmp_path / "run"


def test_export_writes_beside_the_run_and_import_reads_it(run, tmp_path):
    code, out, err = neurometa("export", run, "--csv")
    assert (code, err) == (0, "") and "Left out" in out and "hidden; add them with --units" in out
    assert out.splitlines()[-1] == f"Wrote {run / 'trials.csv'}"
    assert "hidden_choice_0" not in pd.read_csv(run / "trials.csv")
    code, out, _ = neurometa("import", run / "trials.csv", "--out", tmp_path / "again")
    assert code == 0
    again, before = dataset.open_run(tmp_path / "again"), logged()
    np.testing.assert_array_equal(again.reward, before.reward)
    assert neurometa("export", run, "--csv")[2].endswith("--replace, or choose another --out.\n")
    code, out, _ = neurometa("export", run, "--csv", "--units", "--out", tmp_path / "new" / "x.tsv", "--json")
    assert json.loads(out) == {"files": [str(tmp_path / "new" / "x.tsv")], "left_out": []}
    assert "hidden_choice_4" in pd.read_csv(tmp_path / "new" / "x.tsv", sep="\t")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "Say which one to write: --csv, --parquet or --nwb."),
        (["--csv", "--nwb"], "Say which one to write: --csv, --parquet or --nwb."),
        (["--csv", "--out", "x.parquet"], "--out is x.parquet; its name must end in .csv."),
        (["--nwb", "--out", "x.csv"], "--out is x.csv; its name must end in .nwb."),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(run, options, told):
    code, out, err = neurometa("export", run, *options)
    assert (code, out, err) == (2, "", f"neurometa: {told}\n")


def test_words_can_be_recoded_at_the_shell(tmp_path):
    (tmp_path / "lab.csv").write_text("side,result\nL,win\n,loss\nR,loss\n")
    coded = ("--choice", "side", "--choice-coding", "R=0,L=1,=missed")
    paid = ("--reward", "result", "--reward-coding", "win=1,loss=0")
    code, _, err = neurometa("import", tmp_path / "lab.csv", *coded, *paid, "--out", tmp_path / "run")
    assert (code, err) == (0, "")
    trials = dataset.open_run(tmp_path / "run")
    assert trials.choice.values.tolist() == [[1, -1, 0]] and trials.reward.values.tolist() == [[1, 0, 0]]


def test_read_trials_stands_at_the_top_of_the_package():
    import neurometa as package

    assert package.read_trials is read_trials and "read_trials" in dir(package)
