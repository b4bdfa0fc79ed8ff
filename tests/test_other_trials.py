"""Rewards of other trials than those they stand beside, and trials of other kinds, are told where tables show it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from neurometa import behaviour, models
from neurometa.errors import InputError
from neurometa.tables import read_trials


def table(seed, n_options=2, n_sessions=4, n=150):
    """Choices of a learner whose best option moves, in several sessions."""
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(n_sessions):
        value, prob = np.full(n_options, 0.5), np.linspace(0.8, 0.2, n_options)
        for trial in range(n):
            prob = np.roll(prob, int(rng.random() < 0.04))
            choice = rng.choice(n_options, p=softmax(5 * value))
            reward = float(rng.random() < prob[choice])
            value[choice] += 0.5 * (reward - value[choice])
            rows.append((session, trial, choice, reward))
    return pd.DataFrame(rows, columns=["session", "trial", "choice", "reward"])


def warned(frame, **options):
    return " ".join(read_trials(frame, **options)[1].warnings)


def by_session(frame, change):
    return frame.assign(reward=frame.groupby("session").reward.transform(change))


@pytest.mark.parametrize("n_options", [2, 4])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: x.shift(1).fillna(0), "stood a row too late"),
        (lambda x: x.rolling(3, min_periods=1).mean(), "as averages over several trials do"),
        (lambda x: x.rolling(5, min_periods=1, center=True).mean().round(2), "as averages over several trials do"),
        (lambda x: x.expanding().mean(), "as averages over several trials do"),
        (lambda x: x.ewm(alpha=0.2).mean().round(3), "as averages over several trials do"),
        (lambda x: x.mean(), "differs between sessions and never within one"),
    ],
)
def test_rewards_of_other_trials_are_told(change, told, n_options):
    frame = table(1, n_options)
    assert told in warned(by_session(frame, change)) and not warned(frame)


def test_rewards_of_their_own_trials_raise_no_doubt():
    rng = np.random.default_rng(2)
    frame = table(2)
    drawn = frame.assign(choice=rng.integers(0, 2, len(frame)))
    kept = drawn.assign(choice=np.where(rng.random(len(frame)) < 0.9, frame.session % 2, drawn.choice))
    walk = 50 + 3 * rng.standard_normal((len(frame), 2)).cumsum(0) + 4 * rng.standard_normal((len(frame), 2))
    drifting = frame.assign(reward=walk[np.arange(len(frame)), frame.choice].round())
    for each in (drawn, kept, drifting):
        told = warned(each)
        assert "too late" not in told and "averages" not in told


def test_rewards_in_litres_are_told_by_reading_and_by_every_fit():
    frame = table(6)
    trials, report = read_trials(frame.assign(reward=0.003 * frame.reward))
    assert "rewards run from 0 to 0.003" in " ".join(report.warnings)
    with pytest.warns(UserWarning, match=r"highest reward is 0\.003, and values begin at 0\.5: rescale"):
        behaviour.fit(models.RescorlaWagner, trials)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        behaviour.fit(models.RescorlaWagner, trials, start=0.0)


def test_rewards_that_a_shift_left_empty_are_refused_with_the_cure():
    for by, how in ((1, "too late, move the column up"), (-1, "too early, move the column down")):
        with pytest.raises(InputError, match=how):
            read_trials(by_session(table(3), lambda x, by=by: x.shift(by)))


def test_trials_of_other_kinds_are_told_with_the_line_that_leaves_them_out():
    frame = table(4)
    some = (frame.trial < 30).to_numpy()
    for name, entries, line in (
        ("phase", np.where(some, "training", "test"), "--where phase=test"),
        ("probe", some.astype(int), "--where probe=0"),
        ("is_probe_trial", some, "--where is_probe_trial=False"),
        ("trial_type", np.where(some, "probe", "standard"), "--where trial_type=standard"),
        ("auto_water", some.astype(int), "--where auto_water=0"),
    ):
        assert line in warned(frame.assign(**{name: entries})), name
    unpaid = frame.assign(phase=np.where(some, "transfer", "learning"), reward=frame.reward.where(~some, 0))
    assert "the reward is 0 on all 120 rows where 'phase' is transfer" in warned(unpaid)
    assert not warned(unpaid, where={"phase": "learning"})
    assert not warned(frame.assign(phase=np.where(some, "early", "late")))


def test_choices_without_a_response_time_are_told_where_they_are_all_the_same():
    frame, rng = table(5), np.random.default_rng(5)
    lost = rng.random(len(frame)) < 0.05
    time = np.where(lost, np.nan, rng.uniform(0.3, 1, len(frame)))
    missed = frame.assign(choice=frame.choice.where(~lost, 0), reward=frame.reward.where(~lost, 0))
    assert "'rt' is empty on" in warned(missed.assign(rt=time))
    assert "'reaction_time' is empty, 0 or less on" in warned(missed.assign(reaction_time=np.nan_to_num(time)))
    assert not warned(frame.assign(rt=time))
