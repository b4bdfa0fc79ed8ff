"""Trials that cannot be analysed as they are: one sentence that says what to do, or NaN with its reason."""

import numpy as np
import pytest
import xarray as xr
from shell import neurometa

from neurometa import dataset
from neurometa.behaviour import (
    coding_factors,
    drifting_rewards,
    fit,
    history_regression,
    simulate,
    stay_probability,
    stay_regression,
)
from neurometa.errors import InputError
from neurometa.models import Hybrid, LatentState, ModelBased, RescorlaWagner
from neurometa.neural import decode, encode, hidden_state

SHAPE = ("episode", "trial")


@pytest.fixture(scope="module")
def trials():
    """Four episodes of 40 two-step trials, with activity of five units at one step."""
    learner = Hybrid(5.0, 3.5, 0.6, 0.4, 0.6, 0.5, 0.15)
    made = simulate(learner, drifting_rewards(4, 40, np.random.default_rng(0)), np.random.default_rng(1))
    activity = np.random.default_rng(2).normal(size=(4, 40, 1, 5)).astype("float32")
    made["hidden"] = ((*SHAPE, "step", "unit"), activity)
    return made.assign_coords(step=np.array(["choice"], dtype=object))


def one_option(t):
    return t.assign(choice=xr.where(t.episode == 0, 1, t.choice, keep_attrs=False).astype("int8"))


def missed(t):
    return t.assign(choice=xr.full_like(t.choice, -1))


def without(*names):
    return lambda t: t.drop_vars(list(names))


def recoded(name, change):
    return lambda t: t.assign({name: change(t[name].astype(int)).assign_attrs(t[name].attrs)})


def one_more(x):
    return x + 1


def signed(x):
    return 2 * x - 1


def turned(x):
    return x * xr.DataArray(np.resize([1, -1], x.sizes["trial"]), dims="trial")


SAID = {  # what is wrong: the trials, what is asked of them, what the sentence says
    "transitions missing": (without("common"), stay_probability, "'common'.*derive it with behaviour.common_trans"),
    "states missing too": (without("common", "second_state"), stay_regression, "no variable 'common'.*add it, true"),
    "states missing": (without("second_state"), lambda t: fit(Hybrid, t), "no variable 'second_state'"),
    "transitions 1/2": (recoded("common", one_more), stay_probability, "'common' is 1, 2 .*coded 1 and 2: recode it"),
    "states 1/2": (recoded("second_state", one_more), lambda t: fit(Hybrid, t), "coded 1/2; code it 0/1"),
    "choices 1/2": (recoded("choice", one_more), dataset.check, "'choice' is 2 .* it looks coded 1 to 2: subtract 1"),
    "rewards -1/0/1, stay": (recoded("reward", turned), stay_probability, "'reward' is -1, 0, 1, .*recode it"),
    "rewards -1/1, fit": (recoded("reward", signed), lambda t: fit(Hybrid, t), "recode -1/1 as 0/1"),
    "rewards -1/1, belief": (recoded("reward", signed), lambda t: fit(LatentState, t), "'reward' is -1 somewhere"),
    "rewards -1/0/1, history": (
        recoded("reward", turned),
        lambda t: history_regression(t, "miller"),
        "'reward' is -1, 0, 1, where the encoding 'miller' needs 1",
    ),
    "fewer trials than lags": (
        lambda t: t.isel(trial=slice(4)),
        history_regression,
        "n_lags is 5, and an episode has 4 trials; allowed are 1 ... 3",
    ),
    "fewer episodes than folds": (
        lambda t: t,
        lambda t: decode(hidden_state(t), t.reward, n_folds=5),
        "There are 4 values of 'episode' for 5 folds; play more, or ask for fewer folds",
    ),
    "no such factor": (
        lambda t: t,
        lambda t: coding_factors(t, ["value"]),
        "nothing for the factor 'value'; there are last-action, last-reward, action-x-reward, next-action, choice",
    ),
    "no activity logged": (without("hidden"), hidden_state, "log it with: neurometa rollout RUN"),
}


@pytest.mark.parametrize("what", SAID)
def test_one_sentence_says_what_to_do(trials, what):
    change, ask, message = SAID[what]
    with pytest.raises(InputError, match=message) as caught:
        ask(change(trials))
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("what", "command"),
    [
        ("transitions missing", ("stay",)),
        ("states 1/2", ("fit", "--model", "hybrid")),
        ("rewards -1/0/1, history", ("history", "--encoding", "miller")),
        ("choices 1/2", ("history",)),
        ("fewer trials than lags", ("history",)),
        ("fewer episodes than folds", ("decode", "--folds", "5", "--target", "reward")),
        ("no activity logged", ("decode",)),
        ("no activity logged", ("encode",)),
    ],
    ids=lambda x: x if isinstance(x, str) else x[0],
)
def test_the_shell_says_the_same_without_a_traceback(trials, what, command, tmp_path):
    change, _, message = SAID[what]
    dataset.save_run(change(trials), tmp_path)
    code, out, err = neurometa(command[0], tmp_path, *command[1:])
    assert code == 2 and "Traceback" not in err and not out
    with pytest.raises(InputError, match=message):
        raise InputError(" ".join(err.split()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [(one_option, "only one first-stage option was ever chosen"), (missed, "no trial was played")],
    ids=["one option", "all missed"],
)
def test_a_two_step_fit_is_nan_with_a_reason(trials, change, reason):
    fitted = fit(ModelBased, change(trials), n_starts=2).isel(episode=0)
    assert fitted.reason.item() == reason and not fitted.converged
    assert np.isnan([fitted[name] for name in ModelBased.parameters()]).all()


def test_a_bandit_fit_of_missed_trials_is_nan_and_of_one_option_is_on_a_bound_or_nan(trials):
    bandit = trials[["choice", "reward"]]
    nothing = fit(RescorlaWagner, missed(bandit))
    assert nothing.log_likelihood.isnull().all() and (nothing.n_trials == 0).all() and not nothing.converged.any()
    assert (nothing.reason == "no trial was scored").all()
    one = fit(RescorlaWagner, one_option(bandit)).isel(episode=0)
    assert one.at_bound or not one.converged
    assert one.reason.str.startswith("only one option was ever chosen")


@pytest.mark.parametrize(
    ("change", "reason"),
    [(one_option, "only one option was ever chosen"), (missed, "no choice has as many before it|no choice")],
    ids=["one option", "all missed"],
)
def test_regressions_on_the_past_are_nan_with_a_reason(trials, change, reason):
    found = history_regression(change(trials), n_lags=2, pool=()).isel(episode=0)
    assert found.coef.isnull().all() and not found.converged
    assert found.reason.str.contains(reason).item(), found.reason.item()


@pytest.mark.parametrize("change", [one_option, missed], ids=["one option", "all missed"])
def test_stay_probabilities_that_cannot_be_are_nan_with_a_reason(trials, change):
    found = stay_regression(change(trials), by="episode").isel(episode=0)
    assert found.coef.isnull().all() and found.reason.item()
    kept = stay_probability(change(trials), by="episode", n_bootstrap=10).isel(episode=0)
    pairs = kept.n_trials > 0
    assert (kept.stay_probability.notnull() == pairs).all()
    assert kept.reason.item() if not pairs.all() else kept.interaction.notnull()


def test_a_unit_that_never_varies_is_nan_with_a_note_and_the_others_are_not(trials):
    silent = trials.hidden.where(trials.unit != 2, 1.0)
    found = encode(hidden_state(trials.assign(hidden=silent)), coding_factors(trials, ["last-action", "last-reward"]))
    assert found.coef.isel(unit=2).isnull().all() and found.note.isel(unit=2).item()
    assert found.coef.drop_isel(unit=2).notnull().all()


def test_a_readout_of_activity_that_never_varies_is_nan_with_a_note_or_at_chance(trials):
    silent = xr.full_like(trials.hidden, 1.0)
    found = decode(hidden_state(trials.assign(hidden=silent)), trials.reward.astype(float), n_folds=4)
    assert (found.r_squared.isnull().all() and found.note.item()) or (found.r_squared <= 0.05).all()


def test_a_target_of_missed_trials_leaves_a_readout_nothing_and_it_says_so(trials):
    found = decode(hidden_state(trials), xr.full_like(trials.reward, np.nan), n_folds=4)
    assert found.r_squared.isnull().all() and found.note.item()
