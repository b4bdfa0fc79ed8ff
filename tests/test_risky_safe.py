"""A safe arm against a risky one: the task, its exact optimum, who plays it, and what a perturbation does."""

import itertools
from functools import cache

import numpy as np
import pytest
import torch
import xarray as xr
from shell import neurometa
from test_tasks import evenly

from neurometa import agents, dataset, exact, rollout
from neurometa.baselines import baselines, exact_regret
from neurometa.behaviour import mean_interval, regret, risk_preference
from neurometa.errors import InputError
from neurometa.tasks import Fixation, RiskySafe
from neurometa.tasks.risky_safe import PERTURBATIONS, perturbation

FORMS = pytest.mark.parametrize("fixation", [True, False])
FIXATED = Fixation(RiskySafe())


def keeping(fixation, agent):
    """The agent, who keeps to the fixation where there is one."""
    return agents.Fixating(agent) if fixation else agent


class Puppet(agents.Agent):
    """Does what is shown to `does`, a function of (step number, observation), and has an error to perturb."""

    def __init__(self, does, n_actions=3):
        super().__init__()
        self.does, self.n_actions, self.seen = does, n_actions, []

    def begin(self, n_episodes):
        return {"time": torch.zeros(n_episodes), "perturbation": torch.zeros(n_episodes)}

    def forward(self, observation, action, reward, state):
        self.seen.append((observation, action, reward, state["perturbation"]))
        logits = torch.eye(self.n_actions)[self.does(int(state["time"][0]), observation)].log()
        after = {"time": state["time"] + 1, "perturbation": torch.zeros_like(reward)}
        return agents.Output(logits, reward, after, {})


def play(task, agent, n_episodes=2000, seed=0, **how):
    return rollout.play(task, agent, n_episodes, torch.Generator().manual_seed(seed), **how)


def percent(trials, control=None):
    """Percentage of risky free choices where risk pays with .5 and with .125."""
    found = 100 * risk_preference(trials, control)["mean"]
    return [float(found.sel(risky_prob=prob, method="nearest")) for prob in (0.5, 0.125)]


# The exact optimum


def test_the_posterior_after_five_forced_pulls_is_the_published_one():
    assert exact.risky_safe.posterior(5, np.arange(6)) == pytest.approx(
        [0.057, 0.299, 0.749, 0.954, 0.993, 0.999], abs=5e-4
    )


def test_the_bayes_optimal_policy_does_and_earns_what_was_computed_for_the_paper():
    policy, value = exact.risky_safe.bayes_optimal()
    found = {prob: exact.risky_safe.evaluate(policy, prob) for prob in (0.5, 0.125)}
    share = [float(100 * found[prob].risky.mean()) for prob in found]
    assert share == pytest.approx([93.6, 14.7], abs=0.1)
    reward = [float(found[prob].reward.sum()) for prob in found]
    assert reward == pytest.approx([38.7, 18.5], abs=0.05)
    assert np.mean(reward) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(("n_free", "n_before"), [(1, 0), (4, 1), (6, 5)])
def test_the_plan_is_worth_what_a_search_over_every_history_finds(n_free, n_before):
    @cache
    def best(history, left):
        if not left:
            return 0.0
        low, high = (np.prod([p if won else 1 - p for won in history]) for p in (0.125, 0.5))
        p = (0.125 * low + 0.5 * high) / (low + high)
        risk = p * (4 + best((*history, 1), left - 1)) + (1 - p) * best((*history, 0), left - 1)
        return max(1 + best(history, left - 1), risk)

    every = itertools.product((0, 1), repeat=n_before)
    chance = {h: np.mean([np.prod([p if won else 1 - p for won in h]) for p in (0.125, 0.5)]) for h in every}
    expected = sum(prob * best(history, n_free) for history, prob in chance.items())
    assert exact.risky_safe.bayes_optimal(n_free, n_before)[1] == pytest.approx(expected, abs=1e-12)


@FORMS
def test_the_ideal_observer_plays_the_plan(fixation):
    task = FIXATED if fixation else RiskySafe()
    trials = play(task, keeping(fixation, agents.RiskySafeObserver()), 3000)
    assert (trials.step_reward >= 0).all()
    policy, _ = exact.risky_safe.bayes_optimal()
    free = trials.isel(trial=slice(10, None))
    for prob in (0.5, 0.125):
        curve = exact.risky_safe.evaluate(policy, prob).risky.values
        here = free.risky.where(free.risky_prob == prob).mean("episode").values
        assert np.abs(here - curve).max() < 4.5 * (0.25 / 1400) ** 0.5


@FORMS
def test_baselines_lose_what_they_must_in_expectation(fixation):
    task = FIXATED if fixation else RiskySafe()
    expected = exact_regret(task)
    assert expected["random"] == pytest.approx(7.5)
    assert expected["Bayes-optimal"] == pytest.approx(30 - (38.718 + 18.528) / 2, abs=1e-3)
    for name, learner in baselines(task).items():
        if name in expected:
            found = mean_interval(regret(play(task, learner, 1500)).sum("trial"), level=0.9999)
            assert found["lower"] < expected[name] < found["upper"], name


# The task


@FORMS
def test_forced_pulls_come_in_pairs_and_what_is_forced_is_shown(fixation):
    task = FIXATED if fixation else RiskySafe()
    obedient = keeping(fixation, agents.RiskyLearner(inverse_temperature=0.0))
    trials = rollout.to_dataset(
        task, rollout.unroll(task, obedient, 3000, torch.Generator().manual_seed(0)), observation=True
    )
    assert trials.forced.values.sum(1) == pytest.approx(10)
    assert trials.forced.isel(trial=slice(10)).all()
    pairs = trials.choice.values[:, :10].reshape(-1, 5, 2)
    assert (pairs.sum(-1) == 1).all()  # one of each arm
    assert evenly(np.bincount(np.packbits(pairs[..., 0], axis=1).ravel() >> 3, minlength=32))  # in every order alike
    shown = trials.observation.sel(step="choice").values[..., -3:]
    assert (shown.sum(-1) == 1).all()
    assert (shown[..., 0] == ~trials.forced.values).all()
    assert (shown[:, :10, 1:].argmax(-1) == trials.choice.values[:, :10]).all()
    if fixation:
        assert (trials.observation.sel(step="fixation").values == [1, 0, 0, 0]).all()


def test_the_arms_pay_what_the_paper_says():
    trials = play(RiskySafe(), agents.RiskyLearner(inverse_temperature=0.0), 1500)
    assert set(np.unique(trials.reward.where(~trials.risky).values[~trials.risky.values])) == {1}
    assert set(np.unique(trials.reward.values[trials.risky.values])) == {0, 4}
    for prob in (0.125, 0.5):
        won = (trials.reward == 4).where(trials.risky & (trials.risky_prob == prob))
        assert abs(float(won.mean()) - prob) < 4.5 * 0.5 / float(won.notnull().sum()) ** 0.5
    world = 2 * (trials.risky_prob == 0.5) + trials.risky_arm
    assert evenly(np.bincount(world.values[:, 0], minlength=4))


@pytest.mark.parametrize(("does", "wrong"), [(lambda t, seen: 2, "choice"), (lambda t, seen: t % 2, "fixation")])
def test_an_invalid_response_costs_one_and_is_no_choice(does, wrong):
    task = Fixation(RiskySafe(4, n_forced=0))
    trials = play(task, Puppet(lambda t, seen: torch.full((len(seen),), does(t, seen))), 20)
    assert (trials.step_reward.sel(step=wrong) == -1).all()
    assert (trials.choice == -1).all() == (wrong == "choice")
    assert (trials.step_reward.drop_sel(step=wrong) >= 0).all()


def test_the_arm_that_is_not_forced_pays_nothing_and_costs_one():
    task = RiskySafe(10, n_forced=10)
    trials = play(task, Puppet(lambda t, seen: 2 - seen.argmax(-1), 2), 200)
    assert (trials.reward == -1).all()
    assert (trials.expected_reward.isel(arm=trials.choice) == -1).all()


# Perturbations


@pytest.mark.parametrize("name", PERTURBATIONS)
@pytest.mark.parametrize("forced", [True, False])
def test_a_perturbation_reaches_the_next_step_after_its_event_and_no_other(name, forced):
    task, puppet = FIXATED, Puppet(lambda t, seen: torch.where(seen[:, 0] > 0, 2, (seen[:, 3] > 0).long()))
    trials = play(task, puppet, 300, perturb=perturbation(name, forced=forced))
    added = torch.stack([seen[3] for seen in puppet.seen]).T.numpy()  # (episode, step)
    assert not added[:, 1::2].any()  # at a choice nothing is known of it
    on = trials.isel(trial=slice(-1))
    expected = {
        "control": 0 * on.reward,
        "block-risky-reward": -4 * (on.risky & (on.reward == 4)),
        "block-safe-reward": -1 * (~on.risky & (on.reward == 1)),
        "block-risky-loss": on.risky & (on.reward == 0),
    }[name]
    expected = expected.values * (forced | ~on.forced.values)
    assert (added[:, 2::2] == expected).all()
    assert expected.any() == (name != "control")


def test_the_control_perturbation_changes_nothing():
    task, learner = FIXATED, agents.Fixating(agents.RiskyLearner())
    xr.testing.assert_identical(play(task, learner, 50), play(task, learner, 50, perturb=perturbation("control")))


@pytest.mark.parametrize(
    ("name", "percentages"),
    [
        ("control", (74, 32)),
        ("block-risky-reward", (21, 21)),
        ("block-safe-reward", (90, 63)),
        ("block-risky-loss", (88, 61)),
    ],
)
def test_the_learner_of_values_shifts_as_was_computed_for_the_paper(name, percentages):
    """The reference perturbs forced trials too."""
    trials = play(RiskySafe(), agents.RiskyLearner(), 2500, perturb=perturbation(name, forced=True))
    assert percent(trials) == pytest.approx(percentages, abs=2.5)


def test_an_agent_without_prediction_errors_cannot_be_perturbed():
    with pytest.raises(InputError, match="RiskySafeObserver is not told of rewards by prediction errors"):
        play(RiskySafe(), agents.RiskySafeObserver(), 5, perturb=perturbation("control"))
    with pytest.raises(InputError, match=r"no perturbation 'block-safe'; allowed are .* Did you mean"):
        perturbation("block-safe")


# How often the risk is taken


def test_risk_preference_is_a_mean_over_episodes_of_their_free_choices():
    trials = play(RiskySafe(8, n_forced=2), agents.RiskyLearner(), 40)
    trials["choice"] = trials.choice.where(trials.trial != 5, -1)
    found = risk_preference(trials)
    for prob in (0.125, 0.5):
        shares = []
        for e in range(40):
            if trials.risky_prob.values[e, 0] == prob:
                shares.append(np.mean([trials.risky.values[e, t] for t in (2, 3, 4, 6, 7)]))
        here = found.sel(risky_prob=prob)
        assert float(here["mean"]) == pytest.approx(np.mean(shares))
        assert int(here.n) == len(shares)
        assert float(here.se) == pytest.approx(np.std(shares, ddof=1) / len(shares) ** 0.5)


def test_risk_preference_is_paired_with_control_and_lets_other_dims_pass():
    task, learner = RiskySafe(), agents.RiskyLearner()
    control = play(task, learner, 400)
    blocked = play(task, learner, 400, perturb=perturbation("block-risky-reward"))
    both = xr.concat([control, blocked], "agent").transpose("trial", ...)
    found = risk_preference(both, control)
    assert found["mean"].sizes == {"risky_prob": 2, "agent": 2}
    assert not found["mean"].isel(agent=0).any()
    apart = found.isel(agent=1)
    unpaired = risk_preference(blocked)["mean"] - risk_preference(control)["mean"]
    assert apart["mean"].values == pytest.approx(unpaired.values)
    assert (apart.upper < 0).sel(risky_prob=0.5)
    with pytest.raises(InputError, match="control played other episodes"):
        risk_preference(control, play(task, learner, 400, seed=5))
    with pytest.raises(InputError, match="No choice is free"):
        risk_preference(control.isel(trial=slice(10)))
    with pytest.raises(InputError, match="no variable 'risky'"):
        risk_preference(control.drop_vars("risky"))


def test_risk_at_the_shell_goes_from_training_to_perturbed_choices(tmp_path):
    run = tmp_path / "small"
    small = [part for x in ("n_updates=3", "batch_size=8", "n_units=4") for part in ("--set", x)]
    assert neurometa("train", "risky-safe", "--out", run, *small)[0] == 0
    for how in ([], ["--perturbation", "block-safe-reward"], ["--lesion", "silence"]):
        code, _, err = neurometa("rollout", run, "--episodes", 200, *how)
        assert (code, err) == (0, "")
    for file in ("behaviour.nc", "perturbation-block-safe-reward.nc", "lesion-silence.nc"):
        trials = dataset.open_run(run / file)
        assert trials.rpe_input.dims == ("episode", "trial", "step")
        done = {name: trials.attrs[name] for name in ("perturbation", "lesion") if name in trials.attrs}
        assert "-".join(*done.items()) + ".nc" == file if done else file == "behaviour.nc"
    assert neurometa("risk", run / "behaviour.nc")[0] == 0
    code, out, err = neurometa("risk", run)
    assert (code, err) == (0, "")
    assert "block-safe-reward" in out
    found = dataset.read(run / "risk.nc")
    assert found.change_mean.sel(perturbation="block-safe-reward").notnull().all()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--perturbation", "block-safe"], "no perturbation 'block-safe'"),
        (["--lesion", "cut"], "no lesion 'cut'; allowed are"),
        (["--lesion", "reset", "--perturbation", "control"], "--perturbation and --lesion exclude each other"),
        (["--perturbation", "control"], "RestlessBandit has no perturbation 'control': its prediction errors"),
    ],
)
def test_a_mistake_in_what_is_done_to_an_agent_is_told_in_one_line(tmp_path, args, told):
    run = tmp_path / "small"
    experiment = "restless" if told.startswith("Restless") else "risky-safe"
    small = [part for x in ("n_updates=1", "batch_size=2", "n_units=2") for part in ("--set", x)]
    assert neurometa("train", experiment, "--out", run, *small)[0] == 0
    code, _, err = neurometa("rollout", run, "--episodes", 2, *args)
    assert code == 2
    assert told in err
    assert err.count("\n") == 1
