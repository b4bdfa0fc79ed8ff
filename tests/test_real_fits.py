"""Trials of animals and people, from the table to the fit, beside what others fitted to them."""

import numpy as np
import pandas as pd
import pytest
from test_tables import DATA, REAL, published

from neurometa.behaviour import fit
from neurometa.models import KoolHybrid, RescorlaWagner, TwoLearningRates

PAID = {-1: 0, 1: 1}  # hBayesDM starts values at 0 between -1 and 1; ours start at 0.5, and weigh twice as much


@pytest.mark.parametrize(("name", "options"), [each[:2] for each in REAL])
def test_every_set_can_be_fitted_and_no_fit_is_worse_than_chance(name, options):
    trials, _ = published(name, **options)
    trials = trials.isel(episode=slice(0, 3))
    if trials.reward.max() > 1:  # points: to where values start, between 0 and 1
        trials["reward"] = (trials.reward - trials.reward.min()) / (trials.reward.max() - trials.reward.min())
    fitted = fit(RescorlaWagner, trials)
    assert (fitted.n_trials == (trials.choice >= 0).sum("trial")).all()
    assert (fitted.log_likelihood >= -fitted.n_trials * np.log(trials.choice.n_options) - 1e-9).all()


@pytest.mark.parametrize(
    ("table", "model", "posterior", "cap"),
    [("bandit2arm", RescorlaWagner, "bandit2arm_delta", 5), ("prl", TwoLearningRates, "prl_rp", 10)],
)
def test_fits_explain_choices_no_worse_than_the_posterior_of_hbayesdm_does(table, model, posterior, cap):
    trials, _ = published(f"hbayesdm_examples/{table}_exampleData.txt", reward_coding=PAID)
    reference = pd.read_csv(DATA / "hbayesdm_examples" / f"reference_posterior_{posterior}.csv")
    assert trials.subject.values.tolist() == reference.subjID.astype(str).tolist()
    fitted = fit(model, trials, bounds={"inverse_temperature": (0, 2 * cap)})
    excess = fitted.log_likelihood.values - reference.log_lik_mean
    assert (excess >= -1e-3).all() and excess.median() < 3  # a mean over the posterior, a little below its maximum


@pytest.mark.slow
def test_two_step_fits_explain_choices_no_worse_than_the_posterior_of_hbayesdm_does():
    trials, _ = published("hbayesdm_examples/ts_exampleData.txt", choice="level1_choice")
    second = trials.level2_choice.fillna(1).astype(int) - 1  # 0 and 1 are the options of state 0, 2 and 3 of state 1
    trials = trials.assign(second_state=second // 2, second_choice=second % 2)
    reference = pd.read_csv(DATA / "hbayesdm_examples" / "reference_posterior_ts_par4.csv")
    held = {"eligibility": (1, 1), "response_stickiness": (0, 0), "stickiness": (-10, 10)}
    fitted = fit(KoolHybrid, trials, bounds=held)
    assert (fitted.log_likelihood.values >= reference.log_lik_mean - 1e-3).all()


def test_every_mouse_session_reaches_the_reference_fit():
    trials, _ = published("neufeld_mouse_2abt/trials.csv.gz")
    reference = pd.read_csv(DATA / "neufeld_mouse_2abt" / "reference_rw_per_session.csv")
    reference = reference.set_index(["mouse", "session"]).loc[
        list(zip(trials.subject.values, trials.session.values, strict=True))
    ]
    fitted = fit(RescorlaWagner, trials, bounds={"inverse_temperature": (0, 20)})
    assert (fitted.n_trials == reference.n.to_numpy()).all()
    excess = fitted.log_likelihood - reference.loglik.to_numpy()
    assert float(excess.min()) >= -1e-3 and float(excess.max()) < 0.05
