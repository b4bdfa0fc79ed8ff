import contextlib
import csv
import dataclasses
import gzip
import io
import json
import math
import re
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.tables import read_trials

DATA = Path(__file__).parents[2] / "shared" / "datasets"
HEADER = "mouse,session,trial,choice,reward\n"
GOOD = HEADER + "a,1,1,0,1\na,1,2,1,0\na,2,1,1,1\nb,1,1,0,0\n"
ROLES = ("subject", "session", "trial", "choice", "reward")


@pytest.fixture
def write(tmp_path):
    def file(text, name="trials.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return file


def refusal(table, **options):
    """The one sentence that a table is refused with."""
    with pytest.raises(InputError) as refused:
        read_trials(table, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def by_session(trials):
    """Trials of each (subject, session) as a list of (choice, reward)."""
    played = trials.valid if "valid" in trials else xr.ones_like(trials.choice, dtype=bool)
    return {
        (str(trials.subject[e].item()), str(trials.session[e].item())): [
            (int(c), float(r)) for c, r, v in zip(trials.choice[e], trials.reward[e], played[e], strict=True) if v
        ]
        for e in range(trials.sizes["episode"])
    }


# Files and frames that are as they should be


def test_a_table_becomes_a_dataset_that_keeps_the_contract_and_survives_a_file(write, tmp_path):
    trials, report = read_trials(write(GOOD))
    dataset.check(trials)
    xr.testing.assert_identical(
        trials[["choice", "reward", "valid"]].drop_vars(["subject", "session"]).drop_attrs(),
        xr.Dataset(
            {
                "choice": (("episode", "trial"), np.array([[0, 1], [1, -1], [0, -1]], dtype=np.int8)),
                "reward": (("episode", "trial"), [[1.0, 0.0], [1.0, np.nan], [0.0, np.nan]]),
                "valid": (("episode", "trial"), [[True, True], [True, False], [True, False]]),
            }
        ),
    )
    assert trials.subject.values.tolist() == ["a", "a", "b"] and trials.session.values.tolist() == ["1", "2", "1"]
    assert trials.choice.n_options == 2 and trials.choice.options == ["0", "1"]
    assert (report.n_subjects, report.n_episodes, report.n_trials, report.n_missed, report.n_padded) == (2, 3, 4, 0, 2)
    dataset.save_run(trials, tmp_path / "run")
    opened = dataset.open_run(tmp_path / "run")
    xr.testing.assert_equal(opened, trials)
    assert json.loads(opened.report) == dataclasses.asdict(report)


def test_shuffled_rows_of_a_run_come_back_as_the_run():
    run = dataset.example(n_episodes=6, seed=3)
    rows = run[["choice", "reward", "drift_sd"]].to_dataframe().reset_index().sample(frac=1, random_state=0)
    trials, report = read_trials(rows)
    trials = trials.isel(episode=np.argsort(trials.session.values.astype(int)))
    for name in ("choice", "reward", "drift_sd"):
        np.testing.assert_array_equal(trials[name], run[name])
    assert trials.sizes == {"episode": 6, "trial": 150} and "valid" not in trials
    assert any("6 episodes, out of order" in told for told in report.recoded)


def test_a_named_index_counts_as_columns():
    run = dataset.example(n_episodes=2)
    trials, _ = read_trials(run[["choice", "reward"]].to_dataframe())
    np.testing.assert_array_equal(trials.choice, run.choice)


@pytest.mark.parametrize("separator", [",", "\t", ";"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("zipped", [False, True])
def test_separators_line_ends_and_compression_change_nothing(write, separator, ending, zipped):
    raw = ("\ufeff" + GOOD.replace(",", separator).replace("\n", ending)).encode()
    expected, _ = read_trials(write(GOOD))
    trials, _ = read_trials(write(gzip.compress(raw) if zipped else raw, "other.txt"))
    xr.testing.assert_equal(trials, expected)


def test_a_frame_is_not_changed():
    frame = pd.read_csv(io.StringIO(GOOD))
    before = frame.copy(deep=True)
    trials, _ = read_trials(frame)
    trials["reward"][:] = 7
    pd.testing.assert_frame_equal(frame, before)


def test_columns_can_be_named_and_a_role_can_be_denied(write):
    table = write("id,block,t,key,win,payoff\nx,1,1,0,1,3\nx,1,2,1,0,4\n")
    trials, report = read_trials(table, choice="key", reward="payoff", episode="")
    assert trials.reward.values.tolist() == [[3, 4]]
    assert report.columns == {"subject": "id", "trial": "t", "choice": "key", "reward": "payoff"}
    assert report.guessed == ["subject", "trial"]
    assert trials.block.dims == ("episode",) and trials.session.item() == "1"


def test_a_table_of_choices_and_rewards_alone_is_one_episode_in_the_order_of_its_rows(write):
    trials, report = read_trials(write("Response,Outcome\n1,0.5\n0,0.25\n1,1\n"))
    assert trials.choice.values.tolist() == [[1, 0, 1]] and trials.reward.values.tolist() == [[0.5, 0.25, 1]]
    assert report.columns == {"choice": "Response", "reward": "Outcome"} and "in the order of the rows" in str(report)


@pytest.mark.parametrize(
    ("entries", "coding", "choice", "options", "told"),
    [
        ("0 1 -1", None, [0, 1, -1], ["0", "1"], "-1 (1) read as missed"),
        ("1 2 2", None, [0, 1, 1], ["1", "2"], "1 -> 0, 2 -> 1"),
        ("1.0 3.0 2.0", None, [0, 2, 1], ["1", "2", "3"], "1 -> 0"),
        ("R L NA", None, [1, 0, -1], ["L", "R"], "L -> 0, R -> 1"),
        ("True FALSE true", None, [1, 0, 1], None, None),
        ("left missed right", None, [0, -1, 1], ["left", "right"], "missed (1) read as missed"),
        ("-1 1 0", {-1: 0, 1: 1, 0: "missed"}, [0, 1, -1], ["-1", "1"], "0 (1) read as missed"),
        ("R L none", {"R": 0, "L": 1}, [0, 1, -1], ["R", "L"], "R -> 0, L -> 1"),
        ("7 9 7", {"7.0": 0, "9": 1}, [0, 1, 0], ["7", "9"], "7 -> 0, 9 -> 1"),
    ],
)
def test_choices_are_coded_as_the_report_says(write, entries, coding, choice, options, told):
    table = write("choice,reward\n" + "".join(f"{entry},1\n" for entry in entries.split()))
    if options is None:
        assert "differ only in case" in refusal(table)
        return
    trials, report = read_trials(table, choice_coding=coding)
    assert trials.choice.values.tolist() == [choice] and trials.choice.options == options
    assert told in " ".join(report.recoded)


def test_a_missed_trial_may_lack_a_reward_and_then_has_none():
    frame = pd.DataFrame({"choice": [0, None, 1], "reward": [1.0, None, 0.0]})
    trials, report = read_trials(frame)
    assert trials.choice.values.tolist() == [[0, -1, 1]] and trials.reward.values.tolist() == [[1, 0, 0]]
    assert report.n_missed == 1 and any("1 missed trials, became 0" in told for told in report.recoded)


def test_rewards_outside_0_and_1_are_kept_with_a_warning_or_coded(write):
    table = write("choice,outcome\n0,1\n1,-1\n")
    trials, report = read_trials(table)
    assert trials.reward.values.tolist() == [[1, -1]] and any("reward_coding" in told for told in report.warnings)
    trials, report = read_trials(table, reward_coding={-1: 0, 1: 1})
    assert trials.reward.values.tolist() == [[1, 0]] and not report.warnings and "-1 -> 0" in report.recoded[0]
    _, report = read_trials(write("choice,outcome\n0,25\n1,-10\n"))
    assert any("from -10 to 25" in told for told in report.warnings)


def test_odd_tables_are_read_with_a_warning(write):
    _, report = read_trials(write("choice,reward\n-1,1\n-1,0\n1,1\n0,1\n"))
    assert any("-1 makes 50% of the choices" in told for told in report.warnings)
    assert any("1 missed trials carry a reward" in told for told in report.warnings)
    _, report = read_trials(write("choice,gain,loss\n0,1,0\n2,0,-1\n"), reward="gain")
    assert any("'loss' is not counted" in told for told in report.warnings)
    assert any("never chosen: 1." in told for told in report.warnings)


def test_gaps_and_single_and_all_missed_episodes_are_kept_and_counted(write):
    rows = "a,1,5,0,1\na,1,9,1,0\na,2,1,-1,\na,2,2,-1,\nb,1,1,1,1\n"
    trials, report = read_trials(write(HEADER + rows))
    assert trials.trial_number.values.tolist()[0] == [5, 9] and trials.trial_number.values.tolist()[1] == [1, 2]
    assert np.isnan(trials.trial_number.values[2, 1])
    assert (report.n_gaps, report.n_all_missed, report.shortest, report.longest) == (3, 1, 1, 2)
    trials, report = read_trials(write("choice,reward\n-1,\n,\n-1,0\n"))
    assert (trials.choice == -1).all() and trials.sizes["trial"] == 3 and report.mean_reward is None
    dataset.check(trials)


def test_rows_with_nothing_in_them_are_dropped_where_the_table_says_which_trial_a_row_is(write):
    expected, _ = read_trials(write(GOOD))
    trials, report = read_trials(write(GOOD.replace("a,2", ",,,,\n\na,2") + ",,,,\n, ,,,\n"))
    xr.testing.assert_equal(trials, expected)
    assert report.dropped == {"empty rows": 4} and report.n_rows == 4


def test_further_columns_keep_their_kind_and_constant_ones_describe_the_episode(write, tmp_path):
    table = write(
        "mouse,session,choice,reward,rt,genotype,tag,lit,value,side/ear,session_id\n"
        "m,1,0,1,0.5,wt,007,TRUE,3,ä,x\nm,1,1,0,,wt,008,False,4,,x\nm,2,1,1,1.5,ko,009,true,5,b,y\n"
    )
    trials, report = read_trials(table, episode="session")
    assert trials.genotype.dims == ("episode",) and trials.genotype.values.tolist() == ["wt", "ko"]
    np.testing.assert_array_equal(trials.rt, [[0.5, np.nan], [1.5, np.nan]])
    assert trials.tag.values.tolist() == [["007", "008"], ["009", ""]] and trials.lit.dtype == bool
    assert trials.value_in_table.values[0].tolist() == [3, 4] and trials.side_ear.values[0].tolist() == ["ä", ""]
    assert trials.side_ear.long_name == "side/ear" and report.kept["genotype"] == "episode"
    dataset.save_run(trials, tmp_path / "run")
    xr.testing.assert_equal(dataset.open_run(tmp_path / "run"), trials)
    assert read_trials(table, episode="session", keep=[])[1].kept == {}
    assert read_trials(table, episode="session", keep=["rt"])[1].kept == {"rt": "episode, trial"}


def test_the_report_fits_60_columns_and_is_plain_json(write):
    long_names = "m" * 30 + ",choice,reward,a_long_name_of_a_column,another_long_name_of_a_column\n"
    _, report = read_trials(write(long_names + "x,1,-1,2,3\nx,2,1,3,4\n"))
    assert max(map(len, str(report).splitlines())) <= 60
    assert json.loads(json.dumps(dataclasses.asdict(report))) == dataclasses.asdict(report)
    for told in ("choice (guessed)", "no column; one subject", "1 -> 0, 2 -> 1", "Warning: rewards are -1 and 1"):
        assert told in re.sub(r"\s+", " ", str(report))


# Tables that are refused, and the sentence that says so


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("", {}, ["trials.csv is empty"]),
        ("\n\n", {}, ["trials.csv is empty"]),
        (HEADER, {}, ["no rows", "'choice'"]),
        (HEADER + ",,,,\n", {}, ["no rows", "'choice'"]),
        (b"choice,reward\n0,\xff\n", {}, ["not UTF-8", "line 2"]),
        (b"PK\x03\x04\x00\x00", {}, ["not UTF-8", ".csv"]),
        (b"\x1f\x8bbroken", {}, ["cannot be read"]),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], {}, ["cannot be read"]),
        ("choice,reward\n0,1\n1\n", {}, ["line 3", "1 cells", "header has 2"]),
        ("choice,reward\n1,0,1\n2,0,1\n", {}, ["line 2", "row.names = FALSE"]),
        ('choice,reward\n0,1\n"0,1\n', {}, ["line 3", "cannot be read"]),
        ("choice,reward,reward\n0,1,1\n", {}, ["more than one column 'reward'"]),
        (GOOD, {"choice": "choise"}, ["'choise'", "Did you mean 'choice'?", "'mouse'"]),
        (GOOD, {"keep": ["reaction"]}, ["'reaction' to keep"]),
        ("choice,response,reward\n0,1,1\n", {}, ["choice: ['choice', 'response']", "choice='choice'"]),
        ("choice,id,mouse,reward\n0,1,1,1\n", {}, ["subject: ['id', 'mouse']"]),
        ("choice,gain\n0,1\n", {}, ["known as reward", "'gain'"]),
        (GOOD + "b,1,2,x,1\n", {}, ["line 6", "'choice'", "'x' is not a number"]),
        (GOOD + "b,1,2,1.5,1\n", {}, ["line 6", "'choice'", "'1.5'", "whole number"]),
        (GOOD + "b,1,2,-2,1\n", {}, ["line 6", "'-2'"]),
        (GOOD + "b,1,2,2,1\n", {"n_options": 2}, ["line 6", "'choice'", "'2'", "0 ... 1"]),
        ("choice,reward\n1,1\n3,1\n", {"n_options": 2}, ["line 3", "'3'", "1 ... 2"]),
        ("choice,reward\nL,1\nR,1\nX,0\n", {"n_options": 2}, ["line 4", "'X'", "2 different"]),
        ("choice,reward\nL,1\nM,1\n", {"choice_coding": {"L": 0, "R": 1}}, ["line 3", "'M'", "['L', 'R']"]),
        ("choice,reward\n1,1\n-1,1\n1,0\n", {}, ["'choice'", "from 0 or from 1", "{1: 0, 2: 1}"]),
        ("choice,reward\n10,1\n20,1\n", {}, ["from 0 or from 1", "{10: 0, 20: 1}"]),
        ("choice,reward\n1,1\n2,1\n", {"n_options": 3}, ["from 0 or from 1"]),
        ("choice,reward\n0,1\n900,1\n", {}, ["line 3", "'900'", "0 ... 126"]),
        (GOOD, {"choice_coding": {0: 0, 1: 2}, "n_options": 2}, ["'1' as 2", "0 ... 1"]),
        (GOOD, {"choice_coding": {1: 0, "1": 1}}, ["same entry"]),
        (GOOD, {"n_options": 1}, ["n_options is 1"]),
        (GOOD + "b,1,2,1,one\n", {}, ["line 6", "'reward'", "'one'"]),
        (GOOD + "b,1,2,1,\n", {}, ["line 6", "'reward'", "drop those rows"]),
        (GOOD + "b,1,2,1,nan\n", {}, ["line 6", "'reward'", "mark the choice as missed"]),
        (GOOD + "b,1,2,1,inf\n", {}, ["line 6", "'inf' is not a finite number"]),
        (GOOD + "b,1,2,1,0.5\n", {"reward_coding": {0: 0, 1: 1}}, ["line 6", "'0.5' is not in reward_coding"]),
        ("choice;reward\n0;0,5\n", {}, ["line 2", "'0,5'", "decimal point"]),
        (GOOD + "b,1,two,1,0\n", {}, ["line 6", "'trial'", "'two'"]),
        (GOOD + ",1,2,1,0\n", {}, ["line 6", "'mouse'", "empty"]),
        (GOOD + "\n\nb,,2,1,0\n", {}, ["line 8", "'session'", "empty"]),
        (GOOD + "a,1,2,1,0\n", {}, ["lines 3 and 6", "trial 2 of session 1 of mouse a", "twice"]),
        ('mouse,choice,reward\n"a\nb",0,1\n"a\nb",0,x\n', {}, ["line 4", "'x'"]),
    ],
)
def test_bad_tables_are_refused_by_line_and_column(write, text, options, named):
    sentence = refusal(write(text), **options)
    assert all(name in sentence for name in named), sentence


def test_several_files_are_read_as_one_table_and_an_error_names_its_file(write):
    one, two = write("choice,reward\n0,1\n1,0\n1,1\n", "a.csv"), write("choice,reward\n1,0\n0,1\n", "b.csv")
    trials, report = read_trials([one, two])
    assert trials.session.values.tolist() == ["a.csv", "b.csv"] and report.guessed == ["episode", "choice", "reward"]
    assert by_session(trials) == {("1", "a.csv"): [(0, 1), (1, 0), (1, 1)], ("1", "b.csv"): [(1, 0), (0, 1)]}
    assert "2 tables, line 3 of b.csv, column 'reward': 'x'" in refusal(
        [one, write("choice,reward\n1,0\n0,x\n", "b.csv")]
    )
    assert "only one of them has ['rt']" in refusal([one, write("choice,reward,rt\n1,0,2\n", "c.csv")])
    same = [write(f"session,choice,reward\n1,{k},1\n", f"{k}.csv") for k in range(2)]
    assert "Session 1 of subject 1 stands in 0.csv and in 1.csv" in refusal(same)
    assert read_trials(same, episode="file")[1].n_episodes == 2


def test_paths_that_hold_no_table_are_named(tmp_path):
    assert "There is no file" in refusal(tmp_path / "absent.csv")
    assert "is a folder" in refusal(tmp_path)
    assert "it must be the path" in refusal([1, 2])


def test_rows_of_a_frame_are_named_from_0():
    frame = pd.DataFrame({"choice": [0, 1, 1], "reward": ["1", "0", "lots"]}, index=[7, 7, 7])
    assert "row 2, column 'reward': 'lots'" in refusal(frame)
    assert "no rows" in refusal(frame.iloc[:0]) and "no rows" in refusal(pd.DataFrame())


# The same, for tables that nobody thought of


def as_entry(cell):
    """What a cell says, as a file can hold it: stripped, nothing invisible, whole numbers without a point."""
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell).strip()
    for unseen in "\u00ad\u200b\u200e\u200f\u2060\ufeff":
        text = text.replace(unseen, "")
    text = unicodedata.normalize("NFC", text).strip()
    return text.replace("\ud800", "\\ud800").replace("\0", "\\0")


def number(text):
    return float(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) else None


def slowly(rows):
    """Read rows (subject, session, trial, choice, reward) one by one; None where they must be refused."""
    absent = {"", ".", "<na>", "na", "n/a", "nan", "nat", "none", "null"}
    words = {"-1", "miss", "missed", "missing", "omission", "omitted", "no choice", "no response", "timeout"}
    rows = [[as_entry(cell) for cell in row] for row in rows]
    labels = []
    for *_, choice, _ in rows:
        label = str(int(number(choice))) if number(choice) is not None and number(choice) % 1 == 0 else choice
        labels.append(None if label.lower() in absent | words else label)
    made = {label for label in labels if label is not None}
    if all(number(label) is not None for label in made):
        if any(number(label) % 1 or not 0 <= number(label) <= 127 for label in made):
            return None
        codes = {int(number(label)) for label in made}
        start = 0 if 0 in codes or not codes else 1
        if (start and (1 not in codes or max(codes) < 2)) or (not start and 127 in codes):
            return None
        if codes and max(codes) > 2 and max(codes) - start + 1 > 2 * len(codes):
            return None  # 100 beside 0 and 1 is no option of 101
        option = {label: int(number(label)) - start for label in made}
    elif any(number(label) is not None for label in made) or len({label.casefold() for label in made}) < len(made):
        return None
    else:
        option = {label: k for k, label in enumerate(sorted(made))}
    paid = [row[4] for row in rows]
    if all(entry.lower() in absent | {"true", "false"} for entry in paid):
        paid = [{"true": "1", "false": "0"}.get(entry.lower(), entry) for entry in paid]
    sessions = {}
    for (subject, session, trial, _, _), label, entry in zip(rows, labels, paid, strict=True):
        reward = 0.0 if entry.lower() in absent and label is None else number(entry)
        if not subject or not session or reward is None or abs(reward) > 1e100:
            return None
        if number(trial) is None or math.isinf(number(trial)):
            return None
        trials = sessions.setdefault((subject, session), {})
        if number(trial) in trials:
            return None
        trials[number(trial)] = (-1 if label is None else option[label], reward)
    return {who: [trials[t] for t in sorted(trials)] for who, trials in sessions.items()}


def assert_read_as_slowly(table, rows):
    expected = slowly(rows)
    if expected is None:
        refusal(table)
        return
    trials, report = read_trials(table)
    dataset.check(trials)
    assert by_session(trials) == expected
    assert report.n_trials == sum(map(len, expected.values())) and report.n_episodes == len(expected)
    assert report.n_missed == sum(choice < 0 for session in expected.values() for choice, _ in session)
    with tempfile.TemporaryDirectory() as run:
        dataset.save_run(trials, run)
        xr.testing.assert_equal(dataset.open_run(run), trials)


def file_of(rows, folder):
    path = Path(folder) / "trials.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([ROLES, *rows])
    return path


FINITE = st.floats(-1e100, 1e100)
CODED = st.sampled_from([("0", "1"), ("1", "2", "3"), ("L", "R"), ("0.0", "1.0", "2.0"), ("links", "rechts", "ü")])


@st.composite
def well_formed(draw):
    """Rows in any order, with every option chosen at least once."""
    options, absent = draw(CODED), draw(st.sampled_from(["", "-1", "NaN", "NA", "missed"]))
    names = st.text(st.characters(categories=["L", "N"], max_codepoint=0x17F), min_size=1, max_size=4)
    sessions = draw(st.lists(st.tuples(names, names), min_size=1, max_size=4, unique=True))
    rows, first = [], list(options)
    for who in sessions:
        for trial in draw(st.lists(st.integers(0, 50), min_size=len(first) or 1, max_size=8, unique=True)):
            choice = first.pop() if first else draw(st.sampled_from([*options, absent]))
            rows.append((*who, str(trial), choice, repr(draw(FINITE)) if choice != absent else ""))
    return draw(st.permutations(rows))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(well_formed())
def test_well_formed_tables_import_to_exactly_the_same_numbers(rows):
    assert slowly(rows) is not None
    with tempfile.TemporaryDirectory() as folder:
        assert_read_as_slowly(file_of(rows, folder), rows)
    assert_read_as_slowly(pd.DataFrame(rows, columns=ROLES), rows)


MESSY = 120  # examples of each kind
COMMON = {"subject": "aab", "session": "112", "trial": "12345678", "choice": "011", "reward": "010"}
TEXTS = ["", " ", "-1", "1.5", "1,5", "NaN", "na", "None", "missed", "L", "l", "1e2", "01", "1.0", "+1", "inf", "true"]
TEXTS += ["１", "٣", "0x1", "1_0", '"', "a\nb", ";", "-0", "1e999", "é", "e\u0301", "\u2028", "127", "128", "9" * 5000]
CELLS = [None, math.nan, True, 1, 0, 2, 1.0, 0.5, "1", "L", pd.NA, [1], math.inf, -1, 2**70, 1e300, "\ud800", "\0"]


@st.composite
def messy(draw, odd):
    """Rows that are mostly plain, with some odd cells."""
    rows = []
    for trial in range(draw(st.integers(1, 7))):
        row = [draw(st.sampled_from(COMMON[role])) for role in ROLES]
        row[2] = str(trial)
        rows.append(row)
    for _ in range(draw(st.integers(0, 3))):
        rows[draw(st.integers(0, len(rows) - 1))][draw(st.integers(0, 4))] = draw(odd)
    return rows


@settings(max_examples=MESSY, deadline=None)
@given(messy(st.sampled_from(TEXTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=3)))
def test_messy_files_are_read_as_a_slow_reader_reads_them_or_refused(rows):
    with tempfile.TemporaryDirectory() as folder:
        assert_read_as_slowly(file_of(rows, folder), rows)


@settings(max_examples=MESSY, deadline=None)
@given(messy(st.sampled_from(CELLS)), st.booleans())
def test_messy_frames_are_read_as_a_slow_reader_reads_them_or_refused(rows, inferred):
    frame = pd.DataFrame(rows, columns=ROLES, dtype=object)
    if inferred:
        with contextlib.suppress(UnicodeEncodeError):  # of a surrogate, by pandas where pyarrow is installed
            frame = frame.infer_objects()
    assert_read_as_slowly(frame, rows)


@settings(max_examples=MESSY, deadline=None)
@given(st.binary(max_size=60) | st.text(",;\t\n\"'01choicewadmu .-", max_size=60).map(str.encode))
def test_any_file_at_all_is_read_or_refused_in_a_sentence(raw):
    with tempfile.TemporaryDirectory() as folder:
        for head in (b"", b"choice,reward\n", b"\xef\xbb\xbfchoice\treward\tx\n", b"\x1f\x8b"):
            path = Path(folder) / "trials.csv"
            path.write_bytes(head + raw)
            try:
                trials, _ = read_trials(path)
            except InputError:
                continue
            dataset.check(trials)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=4, unique=True), st.data())
def test_any_further_column_survives_a_file(names, data):
    columns = {"choice": [0, 1, 1], "reward": [0.5, 1.0, 0.0], "mouse": ["a", "a", "b"]}
    for name in names:
        cells = st.sampled_from([*CELLS, pd.Timestamp("2020-01-01"), 1 + 2j, "x"])
        columns.setdefault(name, data.draw(st.lists(cells, min_size=3, max_size=3)))
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()}).infer_objects()
    try:
        trials, _ = read_trials(frame, choice="choice", reward="reward", subject="mouse", episode="", trial="")
    except InputError as refused:
        assert "more than one column" in str(refused)
        return
    with tempfile.TemporaryDirectory() as run:
        dataset.save_run(trials, run)
        xr.testing.assert_equal(dataset.open_run(run), trials)


# Real data: the counts and rates in the README beside each set


def published(name, **options):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs {path}")
    trials, report = read_trials(path, **options)
    dataset.check(trials)
    return trials, report


REAL = [
    ("neufeld_mouse_2abt/trials.csv.gz", {}, 14, 423, 215_811, 0),
    ("hou2020_mouse_foraging/trials.csv.gz", {}, 15, 401, 228_804, 16_249),
    ("hbayesdm_examples/bandit2arm_exampleData.txt", {"reward_coding": {-1: 0, 1: 1}}, 20, 20, 2_000, 0),
    ("hbayesdm_examples/prl_exampleData.txt", {"reward_coding": {-1: 0, 1: 1}}, 20, 20, 2_000, 0),
    ("hbayesdm_examples/bandit4arm_exampleData.txt", {"reward": "gain"}, 10, 10, 2_000, 0),
    ("hbayesdm_examples/bandit4arm2_exampleData.txt", {}, 10, 10, 3_000, 0),
    ("hbayesdm_examples/igt_exampleData.txt", {"reward": "gain"}, 4, 4, 400, 0),
    ("hbayesdm_examples/pst_exampleData.txt", {}, 5, 5, 1_020, 0),
    ("hbayesdm_examples/prl_multipleB_exampleData.txt", {}, 3, 9, 1_800, 0),
    ("hbayesdm_examples/ts_exampleData.txt", {"choice": "level1_choice"}, 11, 11, 2_190, 0),
    ("kool2016_twostep/daw_trials.csv.gz", {"choice": "choice1"}, 206, 206, 206 * 125, 722),
    ("kool2016_twostep/novel_trials.csv.gz", {"choice": "choice1", "reward": "points"}, 199, 199, 199 * 125, 1_018),
    (
        "bartolo2020_monkey_pfc/V20161017_trials.csv.gz",
        {"choice": "chosen_loc", "episode": "", "trial": "correct_trial_n"},
        1,
        1,
        1_956,
        0,
    ),
]


@pytest.mark.parametrize(("name", "options", "n_subjects", "n_episodes", "n_trials", "n_missed"), REAL)
def test_real_tables_import_with_one_line_of_mapping(name, options, n_subjects, n_episodes, n_trials, n_missed):
    trials, report = published(name, **options)
    found = (report.n_subjects, report.n_episodes, report.n_trials, report.n_missed)
    assert found == (n_subjects, n_episodes, n_trials, n_missed)
    assert int((trials.choice >= 0).sum()) == n_trials - n_missed
    assert trials.choice.n_options == (4 if re.search("4arm|igt|novel", name) else 2)


def test_mice_are_paid_at_the_high_port_as_programmed():
    trials, _ = published("neufeld_mouse_2abt/trials.csv.gz")
    for condition, high, low in (("90-10", 0.9, 0.1), ("80-20", 0.8, 0.2), ("70-30", 0.7, 0.3)):
        some = trials.sel(episode=trials.condition == condition)
        at_high = some.choice == some.high_port_right
        assert some.reward.where(at_high).mean() == pytest.approx(high, abs=0.01)
        assert some.reward.where(~at_high & some.valid).mean() == pytest.approx(low, abs=0.01)


def test_humans_stay_in_the_two_step_task_as_published():
    trials, _ = published("kool2016_twostep/daw_trials.csv.gz", choice="choice1")
    trials = trials.sel(episode=trials.included == 1)
    choice = trials.choice.where(trials.missed == 0)
    common, win = trials.common.where(trials.missed == 0).shift(trial=1), trials.reward.shift(trial=1)
    stay = (choice == choice.shift(trial=1)).where(choice.notnull() & choice.shift(trial=1).notnull())
    cells = [((1, 1), 0.7463), ((0, 1), 0.7005), ((1, 0), 0.6282), ((0, 0), 0.6842)]
    for (was_common, won), expected in cells:
        mean = stay.where((common == was_common) & (win == won)).mean("trial").mean("episode")
        assert float(mean) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("session", "first", "last"), [("V20161017", 0.7063, 0.8083), ("W20160122", 0.6958, 0.8208)])
def test_monkeys_find_the_best_option_within_a_block_as_published(session, first, last):
    name = f"bartolo2020_monkey_pfc/{session}_trials.csv.gz"
    trials, report = published(name, choice="chosen_loc", episode="block_order")
    assert report.n_episodes == 25 and report.columns["trial"] == "trial_in_block"
    best = trials.best_chosen.sel(episode=trials.block_completed == 1)
    assert float(best[:, :20].mean()) == pytest.approx(first, abs=1e-4)
    assert float(best[:, 60:80].mean()) == pytest.approx(last, abs=1e-4)
    assert "occurs twice" in refusal(DATA / name, choice="chosen_loc")  # by block_id, one of which was begun twice


def test_rewards_that_are_not_in_the_table_can_be_put_beside_it():
    path = DATA / "fontanesi2019_rl" / "trials.csv.gz"
    if not path.exists():
        pytest.skip(f"needs {path}")
    table = pd.read_csv(path)
    trials, report = read_trials(
        table.assign(points=table.f_cor.where(table.accuracy == 1, table.f_inc)), choice="accuracy"
    )
    assert (report.n_subjects, report.n_episodes, report.n_trials) == (27, 81, len(table))
    assert report.n_padded == 27 * 3 * 80 - len(table) and report.n_gaps == 0
    assert float(trials.reward.sum()) == table.f_cor[table.accuracy == 1].sum() + table.f_inc[table.accuracy == 0].sum()
