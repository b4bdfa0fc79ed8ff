"""A table is asked what its entries could be otherwise: what is wrong is refused, what may be wrong is warned of."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import softmax
from shell import neurometa

from neurometa import behaviour, models
from neurometa.errors import InputError
from neurometa.tables import read_activity, read_trials, to_frame

LAB = Path(__file__).parent / "data" / "lab_tables"  # CC0, simulated; the values are of independent programs
ROW = (0.6034, 3.9027, -30.4365)
OTHER = (0.5295, 3.9467, -32.522)


def refusal(table, **options):
    with pytest.raises(InputError) as refused:
        read_trials(table, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def fitted(trials, episode=0):
    found = behaviour.fit(models.RescorlaWagner, trials).isel(episode=episode)
    return [float(found[name]) for name in ("learning_rate", "inverse_temperature", "log_likelihood")]


# The lab's tables, row by row


@pytest.mark.parametrize(
    ("name", "options", "n_options", "n_missed", "values"),
    [
        ("zero_is_missed.csv", {"choice_coding": {0: "missed", 1: 0, 2: 1}}, 2, 11, ROW),
        ("word_noresp.csv", {}, 2, 11, ROW),
        ("ninetynine.csv", {}, 2, 11, ROW),
        ("three_minus1.csv", {"choice_coding": {-1: 0, 0: 1, 1: 2}}, 3, 0, (0.2134, 3.1504, -115.359)),
        ("pynwb_id.csv", {}, 2, 0, OTHER),
        ("block_in_session.csv", {}, 2, 0, OTHER),
        ("outcome_words.csv", {"reward_coding": {"lose": 0, "win": 1}}, 2, 0, OTHER),
        ("shuffled_rows.nwb", {}, 2, 0, (0.2713, 4.7713, -17.0503)),
    ],
)
def test_tables_of_labs_are_read_to_the_right_fits(name, options, n_options, n_missed, values):
    if name.endswith(".nwb"):
        pytest.importorskip("pynwb")
    trials, report = read_trials(LAB / name, **options)
    assert (report.n_episodes, trials.choice.n_options, report.n_missed) == (1, n_options, n_missed)
    np.testing.assert_allclose(fitted(trials), values, rtol=2e-4)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("zero_is_missed.csv", "--choice-coding 0=missed,1=0,2=1"),
        ("three_minus1.csv", "--choice-coding=-1=0,0=1,1=2"),
        ("two_rows_per_trial.csv", "--where step=stage2"),
        ("jspsych_mixed.csv", "--where task=bandit"),
        ("outcome_words.csv", "--reward-coding lose=0,win=1"),
        ("repeated_header.csv", "line 62: it repeats the header"),
        ("daw_zero_missed.csv", "--reward COLUMN"),
    ],
)
def test_tables_of_labs_that_could_be_read_wrongly_get_the_line_to_type(name, said):
    assert said in refusal(LAB / name)


def test_each_session_has_its_own_arms():
    trials, report = read_trials(LAB / "arms_change.csv")
    assert trials.n_options.values.tolist() == [2, 3] and trials.choice.attrs["n_options"] == 3
    assert any("options by session from 'n_arms'" in told for told in report.recoded)
    two = trials.isel(episode=[0])
    two.choice.attrs["n_options"] = 2
    np.testing.assert_allclose(fitted(two.drop_vars("n_options")), (0.1145, 6.0982, -40.8526), rtol=1e-3)
    np.testing.assert_allclose(fitted(trials, 1), (0.3015, 3.6562, -85.8886), rtol=1e-3)
    again, _ = read_trials(to_frame(trials))
    xr.testing.assert_equal(again.n_options, trials.n_options)
    np.testing.assert_array_equal(again.choice, trials.choice)
    whole, _ = read_trials(LAB / "arms_change.csv", n_options=3)
    assert "n_options" not in whole.coords
    without = pd.read_csv(LAB / "arms_change.csv").drop(columns="n_arms")
    guessed, report = read_trials(without)
    assert guessed.n_options.values.tolist() == [2, 3] and any("--options 3" in told for told in report.warnings)


def test_a_transition_that_is_rare_as_a_rule_is_not_taken_for_common():
    _, report = read_trials(LAB / "transition_rare1.csv")
    assert "common" not in report.columns and "--common-coding 0=common,1=rare" in report.warnings[0]
    assert "only 30% of 1,200" in refusal(LAB / "transition_rare1.csv", common="transition")
    trials, _ = read_trials(LAB / "transition_rare1.csv", common_coding={0: "common", 1: "rare"})
    assert behaviour.stay_probability(trials, n_bootstrap=10).interaction.item() == pytest.approx(0.0948, abs=5e-5)


def test_second_stages_are_read_however_they_are_coded():
    right, _ = read_trials(LAB / "daw_right.csv")
    for name in ("second_words.csv", "transition_CR.csv"):
        trials, _ = read_trials(LAB / name)
        for role in ("choice", "common", "second_state", "second_choice", "reward"):
            np.testing.assert_array_equal(trials[role], right[role])
    found = behaviour.fit(models.Hybrid, right, n_starts=6)
    assert found.log_likelihood.sum().item() == pytest.approx(-1310.11, abs=0.01)
    np.testing.assert_allclose(found.model_based_weight, [0.584, 0.199, 0.581, 0.630, 0.741, 0.795], atol=6e-4)
    zero, report = read_trials(
        LAB / "daw_zero_missed.csv", second_choice="choice2", second_state="state", reward="money"
    )
    assert report.n_missed == 30 and "'state' says nothing on just these rows" in " ".join(report.recoded)
    assert set(np.unique(zero.second_state)) == set(np.unique(zero.second_choice)) == {-1, 0, 1}


def test_rows_that_are_no_trials_are_kept_out_by_where():
    trials, report = read_trials(LAB / "jspsych_mixed.csv", where={"task": "bandit"})
    assert (report.n_trials, report.n_missed, report.n_gaps) == (120, 2, 0)
    assert report.dropped == {"rows, as task is not bandit": 242}
    stay = behaviour.stay_probability(trials.assign(common=xr.ones_like(trials.choice, dtype=bool)), n_bootstrap=10)
    won, lost = stay.stay_probability.isel(previous_transition=0).values
    assert (round(float(won), 3), round(float(lost), 3)) == (0.949, 0.514)
    both, _ = read_trials(LAB / "jspsych_mixed.csv", where={"task": ["bandit"], "trial_type": "html-keyboard-response"})
    np.testing.assert_array_equal(both.choice, trials.choice)
    assert "Did you mean 'bandit'" in refusal(LAB / "jspsych_mixed.csv", where={"task": "bandits"})
    assert "no column 'tusk' for where" in refusal(LAB / "jspsych_mixed.csv", where={"tusk": 1})


def test_a_spreadsheets_own_line_and_decimal_commas_are_read_and_told():
    names = {"subject": "Versuchsperson", "trial": "Durchgang", "choice": "Wahl", "reward": "Belohnung"}
    trials, report = read_trials(LAB / "excel_sep_line.csv", **names)
    assert report.n_trials == 120 and trials.reward.max() <= 1
    assert "'sep=;'" in report.recoded[0] and "decimal commas of 'Belohnung'" in report.recoded[1]
    assert "(--choice COLUMN)" in refusal(LAB / "excel_sep_line.csv")


def test_spikes_in_milliseconds_are_warned_of_and_scaled():
    pytest.importorskip("pynwb")
    path = LAB / "spikes_in_ms.nwb"
    trials, _ = read_trials(path)
    cut = {"align": "go_cue_time", "window": (0, 1)}
    with pytest.warns(UserWarning, match=r"1,000 times as long.*--time-scale 0.001"):
        asis = read_activity(path, trials, **cut)
    assert (asis == 0).all()
    rates = read_activity(path, trials, **cut, time_scale=1e-3)
    np.testing.assert_allclose(rates.mean(("episode", "trial", "step")), [6.23, 4.05, 5.85, 4.20], atol=0.005)
    relative = trials.assign(go_cue_time=trials.go_cue_time - trials.start_time)
    with pytest.raises(InputError, match="counts from the start of its trial"):
        read_activity(path, relative, **cut, time_scale=1e-3)
    later = trials.assign(go_cue_time=trials.go_cue_time + 1e4, start_time=trials.start_time + 1e4)
    with pytest.warns(UserWarning, match="do not meet"):
        read_activity(path, later, **cut, time_scale=1e-3)
    with pytest.raises(InputError, match="time_scale is 0"):
        read_activity(path, trials, time_scale=0)


# Others of each kind, made up


def learner(seed, probs=(0.8, 0.2), n=120, slope=4.0):
    rng = np.random.default_rng(seed)
    value, choice, reward = np.full(len(probs), 0.5), np.empty(n, int), np.empty(n, int)
    for t in range(n):
        now = probs if t < n // 2 else probs[::-1]
        choice[t] = rng.choice(len(probs), p=softmax(slope * value))
        reward[t] = rng.random() < now[choice[t]]
        value[choice[t]] += 0.4 * (reward[t] - value[choice[t]])
    return choice, reward, rng.random(n) < 0.08


def table(choice, reward, names, missed=None, code=None, **further):
    missed = np.zeros(len(choice), bool) if missed is None else missed
    entries = [code if lost else names[k] for k, lost in zip(choice, missed, strict=True)]
    return pd.DataFrame(
        {
            "subject": "s1",
            "trial": np.arange(1, len(choice) + 1),
            "choice": pd.Series(entries, dtype=object),
            "reward": np.where(missed, 0, reward),
            **further,
        }
    )


CODES = [9, 99, 999, -9, -99, 88, -1, "", "NaN", "None", "no_response", "No-Response", "nr", "slow", "too slow"]
CODES += ["TOO_SLOW", "timed out", "TimeOut", "nogo", "no-go", "omission", "invalid", "Aborted", "n/a", "[]", "late"]


@pytest.mark.parametrize("names", [(1, 2), (0, 1), ("left", "right"), (1, 2, 3), ("f", "j")])
def test_codes_and_words_for_a_miss_are_read_as_missed(names):
    for seed, code in enumerate(CODES):
        choice, reward, missed = learner(seed, (0.8, 0.2, 0.4)[: len(names)])
        trials, report = read_trials(table(choice, reward, names, missed, code))
        np.testing.assert_array_equal(trials.choice.values[0], np.where(missed, -1, choice), err_msg=repr(code))
        assert trials.choice.n_options == len(names) and "read as missed" in " ".join(report.recoded)


@pytest.mark.parametrize(("code", "names"), [(0, (1, 2)), ("XX", (1, 2)), ("XX", ("left", "right"))])
def test_a_code_that_may_be_an_option_is_asked_for_and_the_line_is_right(code, names):
    choice, reward, missed = learner(3)
    made = table(choice, reward, names, missed, code)
    try:
        told = " ".join(read_trials(made)[1].warnings)
    except InputError as refused:
        told = str(refused)
    coding = {code: "missed", names[0]: 0, names[1]: 1}
    shell = [f"{code}=missed", f"{names[0]}=0,{names[1]}=1"]
    assert "--choice-coding" in told and all(part in told for part in shell), told
    trials, _ = read_trials(made, choice_coding=coding)
    np.testing.assert_array_equal(trials.choice.values[0], np.where(missed, -1, choice))


def test_a_miss_that_another_column_confirms_is_read_as_such():
    choice, reward, missed = learner(4)
    rt = np.where(missed, np.nan, 0.5 + 0.001 * np.arange(120))
    trials, report = read_trials(table(choice, reward, (1, 2), missed, 0, rt=rt))
    assert report.n_missed == missed.sum() and any("'rt'" in told for told in report.recoded)
    trials, report = read_trials(table(choice, reward, (-1, 1), missed, 0, rt=rt))
    np.testing.assert_array_equal(trials.choice.values[0], np.where(missed, -1, choice))


def test_minus_one_whose_rewards_vary_is_an_option_and_told():
    choice, reward, _ = learner(5)
    trials, report = read_trials(table(choice, reward, (-1, 1)))
    np.testing.assert_array_equal(trials.choice.values[0], choice)
    assert report.n_missed == 0 and "-1=missed" in report.warnings[0]
    choice, reward, missed = learner(6)
    assert "-1 and 1 vary" in refusal(table(choice, reward, (-1, 1), missed, 0))


def test_a_word_for_a_miss_that_is_paid_may_be_an_option():
    choice, reward, _ = learner(7)
    assert "its rewards vary" in refusal(table(choice, reward, ("go", "nogo")))
    trials, _ = read_trials(table(choice, reward, ("go", "nogo")), choice_coding={"go": 0, "nogo": 1})
    assert trials.choice.n_options == 2


@pytest.mark.parametrize("names", [(0, 1, 2), (1, 2, 3), ("a", "b", "c"), (0, 1), (-1, 1)])
def test_options_that_are_all_paid_raise_no_doubt(names):
    for seed in range(8):
        choice, reward, _ = learner(seed, (0.8, 0.3, 0.4)[: len(names)], slope=2.0)
        trials, report = read_trials(table(choice, reward, names))
        np.testing.assert_array_equal(trials.choice.values[0], choice)
        assert names == (-1, 1) or not report.warnings


def test_gaps_between_codes_are_refused_or_told():
    choice, reward, _ = learner(8)
    assert "of which most were never chosen" in refusal(table(choice, reward, (1, 7)))
    trials, report = read_trials(table(choice, reward, (1, 3)))
    assert trials.choice.n_options == 3 and "--choice-coding 1=0,3=1" in report.warnings[0]


def planner(seed, n=400):
    """First choices, where they led, second choices and rewards, with transitions of .7."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 2, n), rng.integers(0, 2, n)
    common = rng.random(n) < 0.7
    state = np.where(common, first, 1 - first)
    return pd.DataFrame(
        {"choice": first, "state2": state, "choice2": second, "reward": rng.integers(0, 2, n), "transition": common * 1}
    )


@pytest.mark.parametrize(
    ("column", "entries", "role"),
    [
        ("state2", (2, 3), "second_state"),
        ("state2", (1, 2), "second_state"),
        ("state2", ("pink", "blue"), "second_state"),
        ("choice2", (1, 2), "second_choice"),
        ("choice2", ("l", "r"), "second_choice"),
        ("transition", ("R", "C"), "common"),
        ("transition", ("rare", "common"), "common"),
        ("transition", (2, 1), "common"),
        ("transition", (1, 2), "common"),
        ("transition", ("False", "True"), "common"),
        ("transition", ("B", "A"), "common"),
    ],
)
def test_codings_of_the_second_stage_are_read_as_they_are_meant(column, entries, role):
    rows = planner(1)
    coded = rows.assign(**{column: [entries[k] for k in rows[column]]})
    trials, report = read_trials(coded)
    expected = rows[column].to_numpy()
    if entries == ("pink", "blue"):
        expected = 1 - expected  # in sorted order
    np.testing.assert_array_equal(trials[role].values[0].astype(int), expected)
    assert not report.warnings


@pytest.mark.parametrize("start", [0, 1])
def test_four_second_choices_also_say_the_state(start):
    rows = planner(2)
    four = rows.assign(choice2=start + 2 * rows.state2 + rows.choice2)
    for frame in (four, four.drop(columns="state2")):
        trials, _ = read_trials(frame)
        np.testing.assert_array_equal(trials.second_state.values[0], rows.state2)
        np.testing.assert_array_equal(trials.second_choice.values[0], rows.choice2)


def test_an_unreadable_transition_costs_its_trial_and_not_the_column():
    rows = planner(3).astype(object)
    rows.loc[7, "transition"], rows.loc[9, "state2"] = "?", ""
    trials, report = read_trials(rows)
    assert (trials.second_choice.values[0, [7, 9]] == -1).all() and trials.second_choice.values[0, 8] >= 0
    assert (trials.choice >= 0).all() and "2 transitions cannot be read" in report.warnings[0]
    short, _ = read_trials(rows.drop(columns="choice2"), second_choice="")
    assert (short.choice.values[0, [7, 9]] == -1).all() and report.n_missed == 0
    whole, _ = read_trials(planner(3).drop([7, 9]).assign(trial=lambda frame: frame.index))
    stays = [behaviour.stay_probability(each, n_bootstrap=10) for each in (trials, short, whole)]
    assert stays[0].equals(stays[1]) and stays[0].n_trials.equals(stays[2].n_trials)


def test_transitions_that_contradict_choice_and_state_are_told():
    rows = planner(4)
    shuffled = rows.assign(transition=rows.transition.sample(frac=1, random_state=0).to_numpy())
    assert "contradicts the choices" in " ".join(read_trials(shuffled)[1].warnings)
    equal, report = read_trials(rows.assign(transition=rows.state2))
    assert "common" not in equal and "same as the second-stage state" in report.warnings[0]
    assert "same as the second-stage state" in refusal(rows.assign(transition=rows.state2), common="transition")
    flipped, report = read_trials(rows.assign(transition=1 - rows.transition))
    assert "common" not in flipped and "--common-coding" in report.warnings[0]


def test_a_second_choice_that_is_not_read_is_never_left_out_in_silence():
    rows = planner(5).assign(choice2=np.arange(400) % 5)
    trials, report = read_trials(rows)
    assert "second_choice" not in trials and "second_choice" not in report.columns
    trials, _ = read_trials(planner(5), second_choice="")
    with pytest.warns(UserWarning, match="first-stage choices alone; 'choice2'"):
        behaviour.fit(models.ModelFree, trials, n_starts=1)


def test_sessions_of_unequal_length_and_empty_second_choices_are_fitted():
    rows = pd.concat([planner(6).assign(subject="a"), planner(7, n=250).assign(subject="b")])
    trials, _ = read_trials(rows)
    by_hand = trials.assign(second_choice=trials.second_choice.astype(float).where(trials.second_choice >= 0))
    by_hand["second_choice"][0, 5] = np.nan
    trials["second_choice"][0, 5] = -1
    one, other = (behaviour.fit(models.ModelFree, each, n_starts=2) for each in (trials, by_hand))
    xr.testing.assert_equal(one, other)
    assert one.n_trials.values.tolist() == [2 * 399, 2 * 250] or one.n_trials.values.tolist() == [399, 250]


def test_a_subject_or_session_that_is_the_number_of_the_row_is_none():
    choice, reward, _ = learner(9)
    made = table(choice, reward, (0, 1)).drop(columns="trial")
    for name, role in (("subject", "subject"), ("id", "subject"), ("session", "episode"), ("block", "episode")):
        frame = made.drop(columns="subject").assign(**{name: np.arange(120)})
        trials, report = read_trials(frame)
        assert trials.sizes["episode"] == 1 and "tells every one of the 120 rows apart" in report.warnings[0]
        assert "no trial would follow another" in refusal(frame, **{role: name})
    _, report = read_trials(made.assign(id=np.arange(120)))
    assert report.columns["subject"] == "subject"


def test_blocks_are_sessions_only_if_trials_count_anew_in_them():
    choice, reward, _ = learner(10)
    on = table(choice, reward, (0, 1)).assign(block=np.repeat([1, 2, 3], 40))
    assert read_trials(on)[1].n_episodes == 1 and read_trials(on, episode="block")[1].n_episodes == 3
    anew = on.assign(trial=np.tile(np.arange(40), 3))
    assert read_trials(anew)[1].n_episodes == 3
    sessions = on.assign(session=1)
    assert read_trials(sessions)[1].columns["episode"] == "session"
    assert "several columns" in refusal(anew.assign(session=np.repeat([1, 1, 2], 40)))


def test_labels_that_differ_in_case_or_blanks_are_told():
    choice, reward, _ = learner(11)
    frame = table(choice, reward, (0, 1)).assign(subject=["M1"] * 60 + ["m 1"] * 60)
    _, report = read_trials(frame)
    assert report.n_subjects == 2 and "differ only in case or blanks" in report.warnings[0]


def test_times_decide_the_order_of_trials_and_sessions_that_run_together_are_refused():
    choice, reward, _ = learner(12)
    frame = table(choice, reward, (0, 1)).assign(start_time=3.0 * np.arange(120))
    mixed = frame.sample(frac=1, random_state=1)
    for rows in (mixed.drop(columns="trial"), mixed.assign(trial=np.arange(120))):
        trials, report = read_trials(rows)
        np.testing.assert_array_equal(trials.choice.values[0], choice)
        assert trials.start_time.values[0, 1] == 3.0 and "start_time" in " ".join(report.recoded)
    two = frame.drop(columns="trial").assign(start_time=3.0 * (np.arange(120) % 60))
    assert "several" not in refusal(two.assign(start_time=two.start_time + 0.01 * (np.arange(120) // 60)))
    _, report = read_trials(frame.assign(start_time=0.0))
    assert report.columns["trial"] == "trial"


def test_rows_that_take_turns_or_hold_no_trial_are_found():
    choice, reward, _ = learner(13)
    frame = table(choice, reward, (0, 1))
    half = pd.concat([frame.assign(phase="choice"), frame.assign(phase="feedback", choice=None, reward=None)])
    half = half.sort_values(["trial", "phase"], kind="stable")
    assert "--where phase=feedback" in refusal(half) or "--where phase=choice" in refusal(half)
    trials, _ = read_trials(half, where={"phase": "choice"})
    np.testing.assert_array_equal(trials.choice.values[0], choice)
    filler = pd.DataFrame({"subject": "s1", "trial": range(200, 400), "choice": None, "reward": None, "task": "survey"})
    mixed = pd.concat([frame.assign(task="bandit"), filler])
    assert "--where task=bandit" in " ".join(read_trials(mixed)[1].warnings)
    few = pd.concat([frame.assign(task="bandit"), filler.head(4)])
    assert "--where task=bandit" in " ".join(read_trials(few)[1].warnings)


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda text: text.replace(",", " "), "parted by blanks"),
        (
            lambda text: "\n".join("".join(f"{cell:>9}" for cell in line.split(",")) for line in text.split("\n")),
            "blanks",
        ),
        (lambda text: "sep=;\n" + text.replace(",", ";"), "sep=;"),
        (lambda text: "sep=|\n" + text.replace(",", "|"), "sep=|"),
        (lambda text: "\ufeff\ufeff" + text, ""),
        (lambda text: "ï»¿" + text, ""),
        (lambda text: text.encode("utf-16"), "UTF-16"),
        (lambda text: text.replace(",", "|"), ""),
    ],
)
def test_dialects_are_read_and_told(tmp_path, write, told):
    choice, reward, _ = learner(14)
    frame = table(choice, reward, ("left", "right"))
    written = write(frame.to_csv(index=False).rstrip("\n"))
    path = tmp_path / "trials.txt"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    trials, report = read_trials(path)
    np.testing.assert_array_equal(trials.choice.values[0], choice)
    assert told in " ".join(report.recoded)


def test_a_header_that_is_missing_or_comes_twice_is_said(tmp_path):
    choice, reward, _ = learner(15)
    frame = table(choice, reward, (0, 1))
    path = tmp_path / "trials.csv"
    for head in (frame, table(choice, reward, ("left", "right"))):
        head.to_csv(path, index=False, header=False)
        assert "has no header" in refusal(path)
    path.write_text(frame.to_csv(index=False) + "\ufeff" + frame.to_csv(index=False))
    assert "line 122: it repeats the header" in refusal(path)


# More ways to write the same, found by trying them


@pytest.mark.parametrize(("names", "code"), [((1, 2), 3), ((0, 1), 2), ((1, 2, 3), 4)])
def test_a_miss_that_is_coded_as_the_next_option_is_warned_of_with_the_line(names, code):
    choice, reward, missed = learner(20, (0.8, 0.2, 0.4)[: len(names)])
    frame = table(choice, reward, names, missed, code)
    _, report = read_trials(frame)
    assert f"choice {code} is rare" in report.warnings[0] and f"{code}=missed" in report.warnings[0]
    coded = {name: k for k, name in enumerate(names)} | {code: "missed"}
    np.testing.assert_array_equal(read_trials(frame, choice_coding=coded)[0].choice[0], np.where(missed, -1, choice))


def test_lines_to_type_name_every_code_and_never_lose_an_option():
    choice, reward, _ = learner(31, (0.8, 0.2, 0.4))
    assert "--choice-coding 37=0,38=1,39=2" in refusal(table(choice, reward, (37, 38, 39)))
    (one, paid, _), (two, also, _) = learner(32), learner(33)
    both = pd.concat([table(one, paid, ("L", "R")), table(two, also, (1, 2)).assign(trial=range(200, 320))])
    assert "--choice-coding 1=0,2=1,L=0,R=1" in refusal(both)
    told = read_trials(table(one, paid, ("correct", "incorrect")))[1].warnings
    assert "say how a choice fared" in told[0]
    signs = table(one, paid, (0, 1))
    assert "-=0,+=1" in refusal(signs.assign(reward=np.where(signs.reward, "+", "-")))
    minus = read_trials(signs.assign(reward=np.where(signs.reward, "1", "\u22121")))[0]
    np.testing.assert_array_equal(minus.reward.values[0], np.where(paid, 1, -1))
    _, report = read_trials(signs.drop(columns="subject").assign(id=np.repeat(["20991399", "20991400"], 60)))
    assert report.n_subjects == 2  # eight digits that are no dates


@pytest.mark.parametrize("word", ["-", "#N/A", "missed", "#VALUE!", "no response"])
def test_words_for_none_among_the_rewards_of_missed_trials_are_empty_cells(word):
    choice, reward, missed = learner(21)
    frame = table(choice, reward, ("left", "right"), missed, "")
    paid = frame.reward.astype(object)
    trials, report = read_trials(frame.assign(reward=paid.where(~missed, word)))
    np.testing.assert_array_equal(trials.reward.values[0], np.where(missed, 0, reward))
    assert "read as empty" in " ".join(report.recoded)
    paid[np.flatnonzero(~missed)[3]] = word
    assert "not a finite number" in refusal(frame.assign(reward=paid))


@pytest.mark.parametrize(
    ("write", "line"),
    [
        ({0: "0%", 1: "100%"}, "--reward-coding 0%=0,100%=1"),
        ({0: "0", 1: "$0.10"}, "'0=0,$0.10=0.1'"),
        ({0: "no", 1: "3 ul"}, "no=0,3 ul=3"),
        ({0: "0", 1: "1,250"}, "commas part thousands or decimals"),
        ({0: "0", 1: "0,5"}, "decimal=','"),
        ({0: "0", 1: "juice"}, "juice=1,0=0"),
    ],
)
def test_rewards_with_units_and_separators_get_what_they_are_worth(write, line):
    choice, reward, _ = learner(22)
    frame = table(choice, reward, (0, 1))
    assert line in refusal(frame.assign(reward=frame.reward.map(write)))


def test_a_reward_that_stands_for_none_and_a_running_total_are_told():
    choice, reward, _ = learner(23)
    frame = table(choice, reward, (0, 1))
    frame.loc[7, "reward"] = -999
    assert "the reward -999 (1 of 120) is far from all others" in " ".join(read_trials(frame)[1].warnings)
    total = table(choice, reward.cumsum(), (0, 1))
    assert "as a running total does" in " ".join(read_trials(total)[1].warnings)
    points = table(choice, 5 * reward, (0, 1))
    assert "running total" not in " ".join(read_trials(points)[1].warnings)


def test_sessions_with_other_names_for_the_same_options_are_refused_with_the_line():
    (one, paid, _), (two, also, _) = learner(24), learner(25)
    frames = [table(one, paid, ("left", "right")), table(two, also, ("L", "R"))]
    both = pd.concat([frame.assign(session=k) for k, frame in enumerate(frames)])
    told = refusal(both)
    assert "none among all 4" in told and "left=0,right=1,L=0,R=1" in told and "--options 4" in told
    trials, _ = read_trials(both, choice_coding={"left": 0, "right": 1, "L": 0, "R": 1})
    np.testing.assert_array_equal(trials.choice, [one, two])
    shifted = [table(one, paid, (1, 2)), table(two, also, (0, 1))]
    shifted = pd.concat([frame.assign(session=k) for k, frame in enumerate(shifted)])
    assert "import these sessions apart" in refusal(shifted)
    assert read_trials(shifted, n_options=3)[0].choice.n_options == 3


def test_dates_are_sessions_and_numbers_that_count_anew_name_the_column_that_tells():
    choice, reward, _ = learner(26)
    days = np.repeat(["2024-01-03", "2024-01-04"], 60)
    frame = table(choice, reward, (0, 1)).assign(trial=np.tile(np.arange(60), 2))
    _, report = read_trials(frame.drop(columns="subject").assign(id=days))
    assert (report.n_subjects, report.n_episodes) == (1, 2) and "holds dates" in report.recoded[0]
    assert read_trials(frame.assign(subject=days), subject="subject", episode="")[1].n_subjects == 2
    assert "type episode='day' (--episode day)" in refusal(frame.assign(day=days))
    nested = frame.assign(session=np.repeat([1, 2], 60), trial=np.tile(np.arange(30), 4), rn=np.tile([1, 2], 60) * 0)
    nested["part"] = np.tile(np.repeat([1, 2], 30), 2)
    assert "'part' tells them apart within 'session'" in refusal(nested)


def test_rows_that_are_there_twice_are_refused_or_told():
    choice, reward, _ = learner(27)
    frame = table(choice, reward, (0, 1))
    assert "to the last cell; delete the rows" in refusal(pd.concat([frame, frame.iloc[50:60]]))
    bare = frame.drop(columns="trial")
    told = read_trials(pd.concat([bare, bare]))[1].warnings
    assert "the second half of the 240 rows repeats the first" in " ".join(told)
    timed = bare.assign(rt=0.3 + 0.001 * np.arange(120))
    told = read_trials(pd.concat([timed, timed.iloc[50:60]]))[1].warnings
    assert "10 of 130 rows are copies" in " ".join(told)
    assert not read_trials(timed)[1].warnings and not read_trials(bare)[1].warnings


def test_trials_that_a_table_sets_apart_are_told_with_the_line_that_leaves_them_out():
    choice, reward, _ = learner(28)
    frame, some = table(choice, reward, (0, 1)), np.arange(120) % 5 == 0
    for name, entries, told in (
        ("phase", np.where(some, "Practice", "main"), "--where phase=main"),
        ("valid", np.where(some, 0, 1), "--where valid=1"),
        ("excluded", np.where(some, "TRUE", "FALSE"), "--where excluded=FALSE"),
        ("forced", np.where(some, 1, 0), "whose choices are read as free"),
    ):
        warned = " ".join(read_trials(frame.assign(**{name: entries}))[1].warnings)
        assert told in warned and "24 rows" in warned, name
    assert not read_trials(frame, where=None)[1].warnings
    assert not read_trials(frame.assign(valid=np.where(some, 0, 1)), where={"valid": 1})[1].warnings
    groups = frame.assign(genotype=np.where(some, "ko", "KO"))
    assert "'genotype' has 'ko' (24 rows) and 'KO'" in " ".join(read_trials(groups)[1].warnings)


def test_a_second_choice_without_a_state_is_told_and_four_numbers_in_a_row_say_it():
    rows = planner(6)
    state, second = rows.state2.map({2: 0, 3: 1}) if set(rows.state2) == {2, 3} else rows.state2, rows.choice2
    low, high = min(set(state)), min(set(second))
    bare = rows.drop(columns=["state2", "transition"], errors="ignore")
    trials, _ = read_trials(bare.assign(choice2=3 + 2 * (state - low) + (second - high)))
    np.testing.assert_array_equal(trials.second_state.values[0], state - low)
    np.testing.assert_array_equal(trials.second_choice.values[0], second - high)
    assert "no column says in which state" in " ".join(read_trials(bare)[1].warnings)


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (lambda text: "# rig 3\n# day 2\n" + text, "2 lines of notes"),
        (
            lambda text: "\n".join(
                f"|{row.replace(',', '|')}|" for row in text.replace("\n", "\n--,--,--,--\n", 1).split("\n")
            ),
            "the line of dashes",
        ),
    ],
)
def test_notes_and_dashes_are_left_out_and_told(tmp_path, write, told):
    choice, reward, _ = learner(29)
    path = tmp_path / "trials.txt"
    path.write_text(write(table(choice, reward, ("left", "right")).to_csv(index=False).rstrip("\n")))
    trials, report = read_trials(path)
    np.testing.assert_array_equal(trials.choice.values[0], choice)
    assert told in " ".join(report.recoded)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda frame: "My experiment, 2024\n\n" + frame.to_csv(index=False), "stands above the header"),
        (lambda frame: "My experiment\n" + frame.to_csv(index=False), "'My experiment' stands above the header"),
        (lambda frame: frame.to_html(), "is HTML or XML"),
        (lambda frame: frame.to_json(orient="records"), "pandas.read_json"),
        (lambda frame: frame.assign(trial=[f"{k:,}" for k in 900 + frame.trial]).to_csv(index=False), "without commas"),
        (
            lambda frame: frame.assign(trial=[f"{k:,}".replace(",", ".") for k in 900 + frame.trial]).to_csv(
                index=False
            ),
            "points part thousands",
        ),
    ],
)
def test_what_is_no_table_and_numbers_in_thousands_are_refused_with_the_cure(tmp_path, write, said):
    choice, reward, _ = learner(30)
    path = tmp_path / "trials.csv"
    path.write_text(write(table(choice, reward, (0, 1))))
    assert said in refusal(path)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("loss", "win"), "--reward-coding loss=0,win=1"),
        (("unrewarded", "rewarded"), "--reward-coding unrewarded=0,rewarded=1"),
        (("incorrect", "correct"), "--reward-coding incorrect=0,correct=1"),
        (("B", "A"), "--reward-coding A=0,B=1"),
    ],
)
def test_words_for_outcomes_get_the_coding_to_type(words, line):
    choice, reward, _ = learner(16)
    frame = table(choice, reward, (0, 1)).assign(reward=[words[r] for r in reward])
    found = refusal(frame)
    assert all(part in found for part in line.replace("--reward-coding ", "").split(",")), found


# A dataset of one's own, at the door of the fit


def own(choice, reward):
    return xr.Dataset({"choice": ("trial", np.asarray(choice)), "reward": ("trial", np.asarray(reward, float))})


def test_a_dataset_of_ones_own_is_asked_as_a_table_is():
    choice, reward, missed = learner(17)
    with pytest.raises(InputError, match="as if options were counted from 1"):
        behaviour.fit(models.RescorlaWagner, own(choice + 1, reward))
    with pytest.raises(InputError, match="most of them never chosen"):
        behaviour.fit(models.RescorlaWagner, own(np.where(missed, 99, choice), np.where(missed, 0, reward)))
    with pytest.raises(InputError, match="as if 0 were a missed trial"):
        behaviour.fit(models.RescorlaWagner, own(np.where(missed, 0, choice + 1), np.where(missed, 0, reward)))
    with pytest.raises(InputError, match="as if these were the two options"):
        behaviour.fit(models.RescorlaWagner, own(2 * choice - 1, reward))
    with pytest.raises(InputError, match="two options, 0 being a missed trial"):
        behaviour.fit(models.RescorlaWagner, own(np.where(missed, 0, 2 * choice - 1), np.where(missed, 0, reward)))
    three, paid, _ = learner(17, (0.8, 0.2, 0.4))
    with pytest.raises(InputError, match=r"three options, write trials\['choice'\] = trials.choice \+ 1"):
        behaviour.fit(models.RescorlaWagner, own(three - 1, paid))
    with pytest.warns(UserWarning, match="stands for a missed trial, write -1"):
        behaviour.fit(models.RescorlaWagner, own(np.where(missed, 2, choice), np.where(missed, 0, reward)))
    with pytest.warns(UserWarning, match=r"in the order in which they stand.*sortby\('trial'\)"):
        behaviour.fit(models.RescorlaWagner, own(choice, reward).assign_coords(trial=np.arange(len(choice))[::-1]))
    right = own(np.where(missed, -1, choice), np.where(missed, 0, reward))
    said = own(choice + 1, reward)
    said.choice.attrs["n_options"] = 3
    for trials in (right, said):
        assert np.isfinite(behaviour.fit(models.RescorlaWagner, trials).log_likelihood)


def test_reading_a_text_of_several_kinds_of_doubt_never_fails_otherwise_than_in_a_sentence():
    """Every mix of odd codes is read or refused, and never by another exception."""
    rng = np.random.default_rng(0)
    pool = [0, 1, 2, 3, -1, 9, 99, "left", "right", "nogo", "slow", "", "?", "1.5", "None", "-"]
    for _ in range(150):
        some = [pool[k] for k in rng.choice(len(pool), size=rng.integers(1, 6), replace=False)]
        n = int(rng.integers(5, 60))
        rows = pd.DataFrame({"choice": [str(some[k]) for k in rng.integers(0, len(some), n)]})
        rows["reward"] = rng.integers(0, 2, n) * rng.integers(0, 2)
        text = io.StringIO(rows.to_csv(index=False))
        try:
            trials, report = read_trials(pd.read_csv(text, dtype=str, keep_default_na=False))
        except InputError as refused:
            assert "\n" not in str(refused)
            continue
        assert trials.choice.max() < trials.choice.n_options and report.n_trials == n


def test_the_shell_takes_where_and_names_the_fit_of_two_stages(tmp_path):
    code, out, _ = neurometa(
        "import", LAB / "jspsych_mixed.csv", "--where", "task=bandit,survey", "--out", tmp_path / "a"
    )
    assert code == 2
    code, out, _ = neurometa("import", LAB / "jspsych_mixed.csv", "--where", "task=bandit", "--out", tmp_path / "a")
    assert code == 0 and "Dropped: 242 rows, as task is not bandit." in out and "Next: neurometa fit-rw" in out
    line = ["--second-choice", "choice2", "--second-state", "state", "--reward", "money"]
    code, out, _ = neurometa("import", LAB / "daw_zero_missed.csv", *line, "--out", tmp_path / "b")
    assert code == 0 and f"Next: neurometa fit {tmp_path / 'b'} --model hybrid" in out
    code, _, err = neurometa("import", LAB / "zero_is_missed.csv", "--where", "choice", "--out", tmp_path / "c")
    assert code == 2 and "--where is 'choice'; write COLUMN=VALUE" in err
