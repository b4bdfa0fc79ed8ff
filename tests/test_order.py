"""Do sessions run into each other? Times, dates, labels and copies are asked before a table is believed."""

import numpy as np
import pandas as pd
import pytest
from test_doubts import learner, planner, refusal, table

from neurometa.tables import read_trials

CLOCK = np.cumsum(np.random.default_rng(0).uniform(3, 6, 120))


def sessions(n=3):
    """A table of some sessions, parted by nothing but their order."""
    frames = [table(*learner(k)[:2], ("left", "right")).drop(columns=["subject", "trial"]) for k in range(n)]
    return pd.concat(frames, ignore_index=True)


def warned(frame, **options):
    return " ".join(read_trials(frame, **options)[1].warnings)


@pytest.mark.parametrize(
    ("name", "entries", "line"),
    [
        ("day", np.repeat([1, 2, 3], 120), "--episode day"),
        ("test_date", np.repeat(["2024-05-01", "2024-05-02", "2024-05-07"], 120), "--episode test_date"),
        ("run", np.repeat(["a", "b", "c"], 120), "--episode run"),
        ("time_s", np.tile(CLOCK, 3), "--episode COLUMN"),
        ("onset", np.tile(np.arange(120) * 4.0, 3), "--episode COLUMN"),
    ],
)
def test_sessions_that_would_run_into_each_other_are_warned_of_with_the_line(name, entries, line):
    frame = sessions().assign(**{name: entries})
    assert line in warned(frame)
    apart = frame.assign(session=np.repeat([1, 2, 3], 120))
    assert not warned(apart) and read_trials(apart)[1].n_episodes == 3
    numbered = frame.assign(trial=np.arange(360))
    assert ("--episode" in warned(numbered)) == (name in ("day", "test_date"))  # a day is more than a block


def test_a_session_that_stops_and_comes_again_may_be_another_subjects():
    frame = sessions(4).assign(session=np.tile(np.repeat([1, 2], 120), 2))
    assert "--subject COLUMN" in warned(frame)
    assert not warned(frame.assign(mouse=np.repeat(["a", "b"], 240)))


def test_rows_that_are_not_in_the_order_of_their_clock_are_warned_of_and_the_line_sorts_them():
    frame = sessions(1).assign(timestamp=pd.Timestamp("2024-01-01") + pd.to_timedelta(CLOCK, unit="s"))
    mixed = frame.sample(frac=1, random_state=0)
    assert "--trial timestamp" in warned(mixed)
    trials, _ = read_trials(mixed, trial="timestamp")
    np.testing.assert_array_equal(trials.choice, read_trials(frame)[0].choice)
    trials, report = read_trials(mixed.rename(columns={"timestamp": "start_time"}))  # which says what it is
    np.testing.assert_array_equal(trials.choice, read_trials(frame)[0].choice)
    assert "sorted by start_time" in report.recoded[-1]
    latencies = np.random.default_rng(1).gamma(2, 0.3, 120)
    assert not warned(sessions(1).assign(response_time=latencies, time=latencies))


def test_a_session_that_is_there_twice_is_told_whatever_it_is_called():
    frame = sessions(2).assign(session=np.repeat([1, 2], 120), mouse="a")
    copied = pd.concat([frame, frame[frame.session == 1].assign(mouse="b")])
    assert "session 1 of b has the same choices and rewards as session 1 of a, all 120" in warned(copied)


@pytest.mark.parametrize("other", ["M01", "M-1", "M_1", "m1"])
def test_labels_that_differ_in_how_a_number_is_written_are_warned_of(other):
    frame = sessions(2).assign(mouse=np.repeat(["M1", other], 120))
    assert "are read as two" in warned(frame)
    assert not warned(frame.assign(mouse=np.repeat(["Cre+", "Cre-"], 120), genotype="D1-"))


def test_what_looks_alike_is_alike_and_initials_are_asked_about():
    choice, reward, _ = learner(3)
    frame = table(choice, reward, ("fr\u00fch", "sp\u00e4t"))
    odd = frame.choice.where(np.arange(120) % 7 != 0, frame.choice.str.normalize("NFD") + "\u200b")
    np.testing.assert_array_equal(read_trials(frame.assign(choice=odd))[0].choice[0], choice)
    short = table(choice, reward, ("left", "right"))
    short["choice"] = short.choice.where(np.arange(120) % 2 == 0, short.choice.str[0])
    assert "--choice-coding left=0,right=1,l=0,r=1" in warned(short)


# Rows, rewards and transitions, of the same kinds


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ({"is_practice": np.arange(120) < 10}, "--where is_practice=False"),
        ({"phase": np.where(np.arange(120) < 10, "habituation", "main")}, "--where phase=main"),
        ({"outlier": (np.arange(120) % 9 == 0) * 1}, "--where outlier=0"),
        ({"catch_trial": (np.arange(120) % 9 == 0) * 1}, "--where catch_trial=0"),
        ({"free_choice": (np.arange(120) % 4 > 0) * 1}, "whose choices are read as free"),
        ({"trial_type": np.where(np.arange(120) % 4 > 0, "free", "forced")}, "whose choices are read as free"),
    ],
)
def test_trials_that_the_table_sets_apart_are_told(column, said):
    choice, reward, _ = learner(4)
    assert said in warned(table(choice, reward, (0, 1), **column))


def test_a_row_for_each_option_is_refused_with_lines_that_read_it():
    choice, reward, _ = learner(5)
    frame = table(choice, reward, (0, 1)).drop(columns="choice")
    both = pd.concat([frame.assign(option=k, chosen=(choice == k) * 1) for k in (0, 1)]).sort_values(
        ["trial", "option"]
    )
    assert "--where chosen=1" in refusal(both) and "--choice option" in refusal(both)
    trials, report = read_trials(both, where={"chosen": 1}, choice="option")
    np.testing.assert_array_equal(trials.choice[0], choice)
    assert not report.warnings


def test_balances_and_probabilities_are_no_rewards():
    choice, reward, _ = learner(6)
    frame = table(choice, reward, (0, 1))
    assert "running total" in warned(frame.assign(reward=1000 + np.cumsum(np.where(reward, 30, -20))))
    assert "--reward COLUMN" in warned(frame.assign(reward=np.where(choice, 0.8, 0.2)))


@pytest.mark.parametrize(("none", "paid"), [("", "1"), ("none", "juice"), ("nothing", "water")])
def test_a_reward_that_is_empty_where_nothing_was_paid_gets_its_line(none, paid):
    choice, reward, _ = learner(7)
    frame = table(choice, reward, (0, 1)).assign(reward=np.where(reward, paid, none))
    assert f"--reward-coding {none}=0,{paid}=1" in refusal(frame)
    trials, _ = read_trials(frame, reward_coding={none: 0, paid: 1})
    np.testing.assert_array_equal(trials.reward[0], reward)


@pytest.mark.parametrize("words", [("U", "C"), ("selten", "oft"), ("30%", "70%"), (0.3, 0.7), ("low", "high")])
def test_transitions_in_any_two_words_are_read_where_states_tell_and_asked_about_where_not(words):
    rows = planner(1)
    coded = rows.assign(transition=[words[k] for k in rows.transition])
    np.testing.assert_array_equal(read_trials(coded)[0].common[0], rows.transition)
    assert "--common-coding" in warned(coded[["choice", "transition", "reward"]])


def test_a_code_for_no_second_choice_is_known_by_the_first():
    rows, missed = planner(2), np.arange(400) % 23 == 0
    coded = pd.DataFrame({name: (rows[name] + 1).where(~missed, 99) for name in ("choice", "state2", "choice2")})
    trials, _ = read_trials(coded.assign(reward=rows.reward.where(~missed, 0)))
    np.testing.assert_array_equal(trials.second_choice[0], rows.choice2.where(~missed, -1))


def test_an_option_that_is_often_chosen_and_never_paid_may_be_a_miss():
    choice, reward, _ = learner(8)
    missed = np.random.default_rng(0).random(120) < 0.3
    assert "2=missed" in warned(table(choice, reward, (0, 1), missed, 2))
    assert "99=missed,-1=0,1=1" in refusal(table(choice, reward, (-1, 1), missed & (np.arange(120) % 3 == 0), 99))
