"""Which trials count: padding and its form change neither the dims of a result nor a number of it."""

import inspect
import itertools

import numpy as np
import pytest
import xarray as xr

from neurometa import behaviour, dataset, exact, models, neural
from neurometa.errors import InputError

N_EPISODES, N_TRIALS, N_PADDED = 8, 24, 7
STEPS = ["fixation", "choice", "second_stage"]
GRAIN = ("episode", "trial")
STEPPED = (*GRAIN, "step")
SUBJECT = np.arange(N_EPISODES) // 2
GENOTYPE = np.array(["wild", "mutant"])[SUBJECT % 2]
FORMS = [*itertools.permutations(GRAIN), *itertools.permutations(STEPPED)]


def trials_of_everything():
    """Trials that every measure can read: two arms, two stages, cues, sides, risk, volatility and a network's log."""
    rng = np.random.default_rng(0)
    n = N_TRIALS + N_PADDED
    shape, each = (N_EPISODES, n), (N_EPISODES, 1)
    choice = rng.integers(2, size=shape).astype(np.int8)
    choice[:, :N_TRIALS][rng.random((N_EPISODES, N_TRIALS)) < 0.1] = -1
    state = np.where(choice < 0, -1, rng.integers(2, size=shape)).astype(np.int8)
    prob = rng.uniform(0.1, 0.9, shape)
    volatile = (np.arange(n) >= N_TRIALS // 2) ^ (np.arange(N_EPISODES) % 2 == 1)[:, None]
    return xr.Dataset(
        {
            "choice": (GRAIN, choice, {"n_options": 2}),
            "reward": (GRAIN, rng.integers(2, size=shape).astype(float)),
            "reward_prob": ((*GRAIN, "arm"), np.stack([prob, 1 - prob], -1)),
            "second_state": (GRAIN, state),
            "common": (GRAIN, (choice == state) & (choice >= 0)),
            "cue": (GRAIN, rng.integers(2, size=shape)),
            "rewarded_cue": (GRAIN, rng.integers(2, size=shape)),
            "reversed": (GRAIN, rng.random(shape) < 0.3),
            "side": (GRAIN, rng.integers(2, size=shape)),
            "risky": (GRAIN, choice == 1),
            "risky_prob": (GRAIN, np.repeat(rng.choice([0.2, 0.8], each), n, 1)),
            "forced": (GRAIN, rng.random(shape) < 0.2),
            "volatile": (GRAIN, volatile),
            "drift_sd": (GRAIN, np.repeat(rng.uniform(0, 0.2, each), n, 1)),
            "logits": ((*STEPPED, "option"), rng.normal(size=(*shape, 3, 2))),
            "value": (STEPPED, rng.normal(size=(*shape, 3))),
            "step_reward": (STEPPED, rng.integers(2, size=(*shape, 3)).astype(float)),
            "hidden": ((*STEPPED, "unit"), rng.normal(size=(*shape, 3, 4))),
        },
        coords={"step": STEPS, "subject": ("episode", SUBJECT), "genotype": ("episode", GENOTYPE)},
        attrs={"choice_step": "choice"},
    )


PADDED = trials_of_everything()
ALONE = PADDED.isel(trial=slice(N_TRIALS))
LEFT_OUT = ("n_left_out", "n_left_out_event")  # of samples, padding among them
LEARNER = models.RescorlaWagner(0.3, 3.0)
POLICY = exact.bandit.ucb(N_TRIALS + N_PADDED)


def decoded(trials):
    target = behaviour.targets(trials, ("reward-prob",))
    return neural.decode(neural.hidden_state(trials, step="choice"), target, n_folds=3)


def encoded(trials):
    factors = behaviour.coding_factors(trials, ("last-action", "last-reward"), skip=0.2)
    return neural.encode(neural.hidden_state(trials, step="choice"), factors).drop_attrs()


def predictive(trials):
    """How well a fit predicts; but not its curve over an episode, whose bins are shares of its length."""
    trials = trials.drop_vars("reward_prob")
    fitted = behaviour.fit(models.RescorlaWagner, trials)
    found = behaviour.posterior_predictive(
        models.RescorlaWagner, fitted, trials, np.random.default_rng(0), n_draws=2, n_bins=1
    )
    return found[["observed"]]


def predicted(trials):
    trials = trials[[name for name in ("choice", "reward", "valid") if name in trials]]
    return behaviour.predict(trials, ["bias", "rescorla-wagner"], n_folds=2)


def volatility_followed(trials):
    return behaviour.follow_volatility(behaviour.fit(models.RescorlaWagner, trials), trials)


MEASURES = {  # the public functions that take trials
    "adaptation": behaviour.adaptation,
    "block_learning_rate": behaviour.block_learning_rate,
    "compare_groups": lambda trials: behaviour.compare_groups(
        models.RescorlaWagner, trials, "genotype", how="two-stage", n_permutations=19
    ),
    "coding_factors": behaviour.coding_factors,
    "common_transition": behaviour.common_transition,
    "counts": behaviour.counts,
    "exploration": lambda trials: behaviour.exploration(trials, discount=0.9),
    "fit": lambda trials: behaviour.fit(models.RescorlaWagner, trials),
    "follow_volatility": volatility_followed,
    "history_regression": lambda trials: behaviour.history_regression(trials, n_lags=2, penalty="ridge"),
    "known_world": behaviour.known_world,
    "latents": lambda trials: behaviour.latents(LEARNER, trials),
    "learning_set_curve": behaviour.learning_set_curve,
    "log_likelihood": lambda trials: behaviour.log_likelihood(LEARNER, trials),
    "log_odds": behaviour.log_odds,
    "matching": behaviour.matching,
    "policy_divergence": lambda trials: behaviour.policy_divergence(trials, POLICY, step="choice"),
    "posterior_mean": behaviour.posterior_mean,
    "posterior_predictive": predictive,
    "posterior_volatility": behaviour.posterior_volatility,
    "predict": predicted,
    "previous_trial": behaviour.previous_trial,
    "reference_rpes": lambda trials: behaviour.reference_rpes(trials.drop_vars("common")),
    "regret": behaviour.regret,
    "reversal_conditions": behaviour.reversal_conditions,
    "reversal_contrasts": lambda run: behaviour.reversal_contrasts(run.value.isel(step=0), run, n_bootstrap=20),
    "risk_preference": behaviour.risk_preference,
    "risk_under_perturbations": lambda trials: behaviour.risk_under_perturbations(trials, {"none": trials}),
    "sliding_learning_rate": behaviour.sliding_learning_rate,
    "stay_mixed": behaviour.stay_mixed,
    "stay_probability": lambda trials: behaviour.stay_probability(trials, n_bootstrap=20),
    "stay_regression": behaviour.stay_regression,
    "switch_curve": behaviour.switch_curve,
    "targets": lambda trials: behaviour.targets(trials, ("reward-prob",)),
    "walk_volatility": behaviour.walk_volatility,
    "win_stay_lose_shift": behaviour.win_stay_lose_shift,
    "decode": decoded,
    "encode": encoded,
    "hidden_state": lambda trials: neural.hidden_state(trials, step="choice"),
    "rpe": lambda run: neural.rpe(run, 0.9, terminal="missing"),
    "rpe_beside_references": lambda run: neural.rpe_beside_references(run.drop_vars("common"), 0.9),
}
ELSEWHERE = {
    "sample_group": "it reads trials by the function that fit does",
    "training_discount": "it reads attrs alone",
    **dict.fromkeys(
        ("belief", "belief_update", "total_variation"), "they read beliefs over a gridworld, which has no padding"
    ),
    **dict.fromkeys(("beside", "learned"), "they read recorded activity: see test_beside.py"),
    **dict.fromkeys(("dynamics", "effective_learning_rate", "replay", "saliency"), "they read a network, too"),
    "of_run": "it reads a network alone",
    **dict.fromkeys(("latencies", "places", "value_before_goal"), "they read trials that last as long as they take"),
}


def padding(dims):
    """``valid`` over `dims`; over steps, those after the choice end early on every third trial."""
    first = xr.DataArray(np.arange(N_TRIALS + N_PADDED) < N_TRIALS, dims="trial")
    told = first & xr.DataArray(np.ones(N_EPISODES, bool), dims="episode")
    if "step" in dims:
        late = xr.DataArray([False, False, True], dims="step", coords={"step": STEPS})
        third = xr.DataArray(np.arange(N_TRIALS + N_PADDED) % 3 == 0, dims="trial")
        told = told & ~(late & third)
    return told.transpose(*dims)


def as_dataset(found):
    return found.to_dataset(name="found") if isinstance(found, xr.DataArray) else found


def test_every_public_function_that_takes_trials_is_among_these():
    public = {name: getattr(module, name) for module in (behaviour, neural) for name in module.__all__}
    take = {
        name for name, each in public.items() if {"trials", "run", "control"} & {*inspect.signature(each).parameters}
    }
    assert take == (MEASURES.keys() & public.keys() | ELSEWHERE.keys()) - {"decode", "encode"}


CASES = [
    (name, dims)
    for name in MEASURES
    for dims in (("trial", "episode"), ("step", "trial", "episode"))
    if "step" not in dims or name not in ("rpe", "rpe_beside_references")  # a step not played has no prediction error
]


@pytest.mark.parametrize(("name", "dims"), CASES)
def test_padding_and_its_form_change_neither_dims_nor_numbers(name, dims):
    alone = as_dataset(MEASURES[name](ALONE))
    padded = as_dataset(MEASURES[name](PADDED.assign(valid=padding(dims))))
    assert {each: alone[each].dims for each in alone} == {each: padded[each].dims for each in padded}
    longer = {dim for dim in padded.sizes if padded.sizes[dim] > alone.sizes[dim]}
    assert longer <= {"trial", "window"}
    cut = padded.isel({dim: slice(alone.sizes[dim]) for dim in longer})
    cut, alone = (each.drop_vars(LEFT_OUT, errors="ignore").drop_attrs() for each in (cut, alone))
    xr.testing.assert_allclose(cut, alone, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dims", FORMS, ids=" ".join)
def test_a_trial_counts_where_its_choice_was_made_and_played(dims):
    trials = PADDED.assign(valid=padding(dims))
    shown, counted = dataset.valid(trials), dataset.played(trials)
    assert shown.dims == counted.dims == GRAIN and shown.dtype == counted.dtype == bool
    assert (shown == (np.arange(N_TRIALS + N_PADDED) < N_TRIALS)).all()
    assert (counted == (shown & (trials.choice >= 0))).all()


def test_the_step_of_the_choice_decides_where_the_trials_name_it():
    trials = ALONE.assign(valid=xr.DataArray([True, False, True], dims="step") & (ALONE.choice > -2))
    assert not dataset.played(trials).any() and dataset.valid(trials).all()
    unnamed = trials.assign_attrs(choice_step="response")
    assert (dataset.played(unnamed) == (trials.choice >= 0)).all()


@pytest.mark.parametrize("name", ["counts", "matching", "regret", "fit", "stay_probability", "reversal_conditions"])
def test_a_mark_of_padding_that_is_no_bool_is_refused(name):
    with pytest.raises(InputError, match="'valid' is float64; it must be true where a trial was played"):
        MEASURES[name](PADDED.assign(valid=padding(GRAIN).astype(float)))
