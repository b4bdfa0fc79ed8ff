"""Every task keeps one contract, and draws from the distribution that its paper describes."""

import copy

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurometa import dataset, memory, rollout
from neurometa.agents import LSTM, RandomChoice
from neurometa.dataset import Variable
from neurometa.errors import InputError
from neurometa.rollout import to_dataset, unroll
from neurometa.tasks import (
    DawTwoStep,
    DependentBandit,
    Fixation,
    Foraging,
    Harlow,
    HarlowPixels,
    HarlowScreen,
    IndependentBandit,
    InformativeBandit,
    RecordedBandit,
    RestlessBandit,
    Reversal,
    RiskySafe,
    ScarceBandit,
    TabularMDP,
    TwoStep,
    Volatility,
)
from neurometa.tasks.base import declared
from neurometa.training import a2c

RECORDING = torch.rand((2000, 7, 3), generator=torch.Generator().manual_seed(0))
TASKS = [
    IndependentBandit(n_trials=7),
    IndependentBandit(n_trials=7, n_arms=5),
    ScarceBandit(n_trials=7),
    DependentBandit(n_trials=7),
    DependentBandit(n_trials=7, n_arms=4, difficulty="hard"),
    InformativeBandit(n_trials=7),
    RestlessBandit(n_trials=7),
    RestlessBandit(n_trials=7, drift="variance"),
    RecordedBandit(7, RECORDING),
    TwoStep(7),
    TwoStep(7, form="stages"),
    DawTwoStep(7),
    Foraging(n_trials=7),
    Volatility(n_trials=7),
    Volatility(n_trials=7, order="either"),
    RiskySafe(7, n_forced=4),
    TabularMDP(7, n_states=4, n_actions=3, horizon=2),
]
WRAPPED = [Fixation(task) for task in TASKS if not isinstance(task, DawTwoStep | TabularMDP)]

EVERY_TASK = pytest.mark.parametrize(
    "task", [*TASKS, *WRAPPED], ids=lambda task: type(getattr(task, "task", task)).__name__
)
TRAINING, TESTING = ((0.0, 1 / 15), (2 / 15, 3 / 15)), ((0.0, 3 / 15),)


class Deaf(IndependentBandit):
    """A task that takes no trial without a response."""

    def step(self, state, action, step, rng):
        return state["reward_prob"].gather(1, action[:, None])[:, 0], state


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def play(task, n_episodes=5, seed=0):
    return to_dataset(task, unroll(task, RandomChoice(task.n_actions), n_episodes, generator(seed)))


def latents(task, n_episodes, seed=0):
    """What the world hid, by name: arrays (episode, trial, ...)."""
    played = play(task, n_episodes, seed)
    return {name: played[name].values for name in task.latents}


def worth(trials):
    """What the chosen arm, or the state and option it led to, was expected to pay, (episode, trial)."""
    if "mean_reward" in trials:
        return trials.mean_reward.isel(state=trials.visited_state, option=trials.action).sum("step")
    if "state_reward_prob" in trials:
        reached = trials.state_reward_prob.isel(state=trials.second_state)
        return reached.isel(option=trials.second_choice) if "option" in reached.dims else reached
    arms = trials["reward_prob" if "reward_prob" in trials else "expected_reward"]
    if "magnitude" in trials:
        arms = arms * trials.magnitude
    return arms.isel(arm=trials.choice)


def uniform_over(ranges):
    """Distribution function of the uniform distribution on a union of ranges."""
    length = sum(high - low for low, high in ranges)
    return lambda x: sum(np.clip(x - low, 0, high - low) for low, high in ranges) / length


def follows(sample, cdf="uniform"):
    """Whether a sample passes for one of the distribution: false in 1 of 10,000 that are."""
    return stats.kstest(np.asarray(sample, float).ravel(), cdf).pvalue > 1e-4


def evenly(counts):
    """Whether counts pass for those of a fair die."""
    return stats.chisquare(counts).pvalue > 1e-4


@EVERY_TASK
def test_every_task_keeps_the_data_contract(task):
    run = play(task)
    dataset.check(run)
    assert dict(run.sizes)["episode"] == 5
    assert run.sizes["trial"] == task.n_trials == 7
    assert list(run.step.values) == list(task.steps)
    assert run.reward.dims == ("episode", "trial") and run.action.dims == ("episode", "trial", "step")
    if task.choice_step is not None:
        assert run.choice.dims == ("episode", "trial") and run.choice.dtype == np.int8
        assert dataset.n_options(run) == task.n_options
    assert run.action.dtype == np.int8
    assert {run[name].dtype for name in ("reward", "step_reward", "value", "logits")} == {np.dtype(np.float32)}
    for name, latent in declared(task).items():
        assert run[name].dims == (latent.dims if "episode" in latent.dims else ("episode", "trial", *latent.dims))
        assert (run[name].attrs["long_name"], run[name].attrs.get("units", "")) == (latent.long_name, latent.units)
    assert run.sizes["option"] == task.n_actions
    assert all(run[name].attrs["long_name"] for name in run.data_vars)


@pytest.mark.parametrize("task", WRAPPED, ids=lambda task: type(task.task).__name__)
def test_a_fixation_asks_for_the_centre_there_and_only_there_and_changes_nothing_else(task):
    rng, bare = generator(), task.task
    state = task.begin(40, rng)
    for step in task.steps:
        action = torch.arange(40) % task.n_actions
        centre = action == bare.n_actions
        before = rng.get_state()
        paid, after = task.step(state, action, step, rng)
        if step == "fixation":
            assert (paid == torch.where(centre, 0.0, -1.0)).all()
            assert all(after[name] is x for name, x in state.items())
        else:
            rng.set_state(before)
            earned, own = bare.step(state, torch.where(centre, -1, action), step, rng)
            assert (paid == torch.where(centre, -1.0, earned)).all()
            assert all(own[name].equal(x) for name, x in after.items())
            assert not earned[centre].clamp(min=0).any(), "without a response nothing is paid"
        seen = task.observe(after, step)
        assert (seen[:, 0] == (step == "fixation")).all() and seen.shape == (40, task.n_features)
        state = after


def test_a_task_says_what_its_latents_are_called_and_in_which_units():
    latents = {"heat": Variable(("arm",), "heat of the arm", "K"), "reward_prob": ("arm",), "drift_rate": ()}
    task = type("Stove", (IndependentBandit,), {"latents": latents})(7)
    found = declared(task)
    assert found["heat"] == (("arm",), "heat of the arm", "K")
    assert found["reward_prob"] == (("arm",), "reward probability", "")
    assert found["drift_rate"] == ((), "drift rate", "")
    prob = torch.rand(7, 3, 2)
    played = {"action": torch.zeros(7, 1, 3), "reward": torch.zeros(7, 1, 3), "heat": prob}
    run = to_dataset(task, played)
    assert run.heat.attrs == {"long_name": "heat of the arm", "units": "K"}
    assert run.heat.dims == ("episode", "trial", "arm")


@EVERY_TASK
def test_a_seed_fixes_the_data(task):
    xr.testing.assert_identical(play(task, seed=3), play(task, seed=3))
    assert not play(task, 50, seed=3).equals(play(task, 50, seed=4))


@EVERY_TASK
def test_episodes_of_a_batch_are_independent(task):
    trials = play(task, n_episodes=2000)
    hidden = trials[next(iter(task.latents))].isel(trial=-1, missing_dims="ignore")
    for x in (
        hidden.isel({dim: 0 for dim in hidden.dims[1:]}),
        trials.action.isel(trial=0, step=-1),
        trials.reward.isel(trial=0),
    ):
        r = np.corrcoef(x.values[0::2], x.values[1::2])[0, 1]
        assert abs(r) < 4 / 1000**0.5


@EVERY_TASK
def test_a_step_is_a_pure_function(task):
    rng = generator()
    state = task.begin(6, rng)
    for _ in range(2):  # the first step may differ from later ones
        before, luck = copy.deepcopy(state), rng.get_state()
        paid, after = task.step(state, torch.arange(6) % task.n_actions, task.steps[0], rng)
        again, same = task.step(state, torch.arange(6) % task.n_actions, task.steps[0], rng.set_state(luck))
        assert paid.equal(again)
        assert all(state[name].equal(before[name]) and after[name].equal(same[name]) for name in state)
        state = after


@EVERY_TASK
def test_every_task_makes_its_tensors_where_the_random_numbers_are(task):
    with torch.device("meta"):  # where a tensor lands that is not told where to be
        rng = torch.Generator("cpu").manual_seed(0)
        state = task.begin(4, rng)
        paid, after = task.step(state, torch.zeros(4, dtype=torch.int64, device="cpu"), task.steps[0], rng)
        seen = task.observe(after, task.steps[0])
    assert {x.device.type for x in (paid, seen, *state.values(), *after.values())} == {"cpu"}
    assert seen.shape == (4, *task.observation_shape) and seen[0].numel() == task.n_features
    assert seen.dtype == (torch.float32 if len(task.observation_shape) == 1 else torch.uint8)
    assert paid.dtype == torch.float32


@pytest.mark.parametrize(
    "task", [*TASKS, RestlessBandit(7, volatility_ranges=((0.2, 0.3),))], ids=lambda task: type(task).__name__
)
def test_a_latent_is_the_value_that_produced_the_reward(task):
    trials = play(task, n_episodes=2000)
    expected = worth(trials).values.ravel()
    surplus = trials.reward.values.ravel() - expected
    part = np.searchsorted(np.quantile(expected, np.arange(0.1, 1, 0.1)), expected)
    for here in (surplus[part == i] for i in np.unique(part)):
        assert abs(here.mean()) <= 4.5 * here.std() / len(here) ** 0.5 + 1e-6


@pytest.mark.parametrize("task", [*TASKS[:5], *TASKS[6:13]], ids=lambda task: type(task).__name__)
def test_a_bandit_pays_one_or_nothing(task):
    assert set(np.unique(play(task, 50).reward)) == {0, 1}


@pytest.mark.parametrize("task", TASKS[:6], ids=lambda task: type(task).__name__)
def test_what_is_drawn_for_an_episode_lasts_for_it(task):
    assert all((x == x[:, :1]).all() for x in latents(task, 50).values())


def test_arms_of_the_independent_bandit_are_independent_and_uniform():
    prob = latents(IndependentBandit(1, n_arms=4), 4000)["reward_prob"][:, 0]
    assert all(follows(arm) for arm in prob.T)
    assert np.abs(np.corrcoef(prob.T)[np.triu_indices(4, 1)]).max() < 4 / 4000**0.5
    np.testing.assert_allclose(latents(ScarceBandit(1, n_arms=4), 4000)["reward_prob"][:, 0], 0.2 * prob)


@pytest.mark.parametrize(("difficulty", "p"), [("easy", 0.9), ("medium", 0.75), ("hard", 0.6)])
def test_arms_of_the_dependent_bandit_pay_with_p_and_one_minus_p(difficulty, p):
    prob = latents(DependentBandit(1, difficulty=difficulty), 4000)["reward_prob"][:, 0]
    assert np.sort(prob, 1) == pytest.approx(np.tile([1 - p, p], (4000, 1)))
    assert evenly(np.bincount(prob.argmax(1), minlength=2))


def test_the_uniform_dependent_bandit_draws_p_uniformly():
    prob = latents(DependentBandit(1), 4000)["reward_prob"][:, 0]
    assert prob.sum(1) == pytest.approx(1)
    assert all(follows(arm) for arm in prob.T)


def test_one_of_many_dependent_arms_differs_and_each_equally_often():
    prob = latents(DependentBandit(1, n_arms=5, difficulty="easy"), 4000)["reward_prob"][:, 0]
    assert np.sort(prob, 1) == pytest.approx(np.tile([0.1, 0.1, 0.1, 0.1, 0.9], (4000, 1)))
    assert evenly(np.bincount(prob.argmax(1), minlength=5))


def test_the_informative_bandit_pays_exactly_what_the_paper_says():
    trials = play(InformativeBandit(), n_episodes=4000)
    target = trials.target.values[:, 0]
    table = np.ones((4000, 11), np.float32)
    table[np.arange(4000), target] = 5
    table[:, 10] = (target + 1) / 10
    assert (trials.expected_reward.values == table[:, None]).all()
    assert (trials.reward == worth(trials)).all()
    assert evenly(np.bincount(target, minlength=10))
    assert set(np.unique(trials.reward)) == {np.float32(level) for level in InformativeBandit.reward_levels}


@pytest.mark.parametrize("drift", ["sd", "variance"])
def test_steps_of_the_restless_walk_are_normal_with_the_stated_spread(drift):
    ranges = ((0.02, 0.1),) if drift == "sd" else ((0.0004, 0.01),)
    found = latents(RestlessBandit(60, drift, ranges), 1000)
    p, drift_sd = found["reward_prob"][..., 0], found["drift_sd"][:, 0]
    assert follows(drift_sd if drift == "sd" else drift_sd**2, uniform_over(ranges))
    away = np.abs(p[:, :-1] - 0.5) < 0.05  # at least 4.5 SD from both walls
    assert follows((np.diff(p, axis=1) / drift_sd[:, None])[away], stats.norm.cdf)


@pytest.mark.parametrize("nu", [0.05, 0.2, 3.0])
def test_the_walls_of_the_restless_walk_reflect(nu):
    p = latents(RestlessBandit(60, volatility_ranges=((nu - 0.01, nu),)), 4000)["reward_prob"][..., 0]
    assert ((p >= 0) & (p <= 1)).all()
    assert follows(p[:, 0])  # only a reflected walk keeps the uniform distribution it starts from,
    assert follows(p[:, -1])
    assert np.abs(np.diff(p, axis=1)).max() < 6 * nu  # and leaves a wall on the side it came from


def test_the_restless_walk_starts_anywhere():
    prob = RestlessBandit().begin(4000, generator())["reward_prob"]
    assert follows(prob[:, 0])
    assert prob.sum(1).numpy() == pytest.approx(1)


@pytest.mark.parametrize("drift", ["sd", "variance"])
def test_volatility_is_uniform_and_the_middle_band_is_kept_for_the_test(drift):
    task = RestlessBandit(1, drift)
    for kind, ranges in ((task, TRAINING), (task.for_test(), TESTING)):
        drift_sd = latents(kind, 8000)["drift_sd"][:, 0]
        nu = drift_sd if drift == "sd" else drift_sd**2
        assert follows(nu, uniform_over(ranges))
        unseen = (nu > 1 / 15 + 1e-6) & (nu < 2 / 15 - 1e-6)
        assert unseen.any() == (ranges == TESTING)


@EVERY_TASK
def test_the_test_of_a_task_is_a_task_of_the_same_size(task):
    tested = task.for_test()
    assert (tested.n_trials, tested.n_actions, tested.n_features) == (task.n_trials, task.n_actions, task.n_features)
    held_out = (RestlessBandit, Foraging, Volatility, HarlowPixels, HarlowScreen)
    assert tested == task or isinstance(getattr(task, "task", task), held_out)


HUGE = st.integers(10**11, 10**14) | st.just(10**40)


@pytest.mark.parametrize(
    "make",
    [
        *(lambda n, kind=kind: kind(n) for kind in (IndependentBandit, InformativeBandit, RestlessBandit, TwoStep)),
        *(lambda n, kind=kind: kind(n) for kind in (DawTwoStep, Foraging, Volatility, RiskySafe, Harlow, Reversal)),
        lambda n: IndependentBandit(5, n_arms=n),
        lambda n: DependentBandit(5, n_arms=n),
        lambda n: Harlow(n_stimulus_features=n),
        TabularMDP,
    ],
)
@settings(max_examples=3, deadline=None)
@given(n=HUGE)
def test_a_size_that_no_machine_holds_is_told_before_anything_is_allocated(make, n):
    with pytest.raises(InputError, match=f"is {n}.*: a single episode needs at least .* of memory, and this machine"):
        make(n)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: a2c.build(a2c.Config(Foraging(), LSTM(10**12))),
            "n_units is 1000000000000: the network",
        ),
        (lambda: rollout.play(Foraging(), RandomChoice(), 10**12, generator()), "n_episodes is 1000000000000: what is"),
        (lambda: unroll(Foraging(), RandomChoice(), 10**12, generator()), "A batch of 1000000000000 episodes needs at"),
        (
            lambda: a2c.train(a2c.Config(Foraging(), batch_size=10**12)),
            "A batch of 1000000000000 episodes",
        ),
    ],
)
def test_a_network_or_a_batch_that_no_machine_holds_is_told_before_anything_is_allocated(make, told):
    with pytest.raises(InputError, match=told):
        make()


def test_memory_is_told_in_the_largest_unit_that_fits():
    told = [memory.in_words(n) for n in (0, 1, 1023, 1024, 3 * 2**30 + 1, 2**60, 10**400)]
    assert told == ["0 bytes", "1 bytes", "1,023 bytes", "1 KiB", "3 GiB", "1 EiB", "a million EiB"]
    memory.check_memory("half of what is free", memory.free_memory() // 2)
    with pytest.raises(InputError, match="all of it and more needs at least"):
        memory.check_memory("all of it and more", memory.machine_memory() + 1)


def test_what_fits_the_machine_but_not_what_is_free_of_it_is_refused(tmp_path, monkeypatch):
    told = tmp_path / "meminfo"
    told.write_text("MemTotal:  8388608 kB\nMemAvailable:  2048 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", told)
    memory.check_memory("2 MiB", 2 * 2**20)
    with pytest.raises(
        InputError, match=r"3 MiB of memory, and this machine has 2 MiB free of its .*; lower batch_size"
    ):
        memory.check_memory("It", 3 * 2**20, "batch_size")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")  # as on a Mac
    memory.check_memory("all of it", memory.machine_memory())


def test_a_recorded_bandit_pays_with_the_recorded_probabilities():
    task = RecordedBandit(7, RECORDING)
    assert latents(task, 20)["reward_prob"] == pytest.approx(RECORDING[:20].numpy())
    worlds = (RECORDING[:20] > 0.5).float()
    trials = play(RecordedBandit(7, worlds), 20)
    assert (trials.reward == worth(trials)).all()


def test_a_recorded_bandit_can_be_shorter_than_its_recording():
    assert latents(RecordedBandit(3, RECORDING), 20)["reward_prob"] == pytest.approx(RECORDING[:20, :3].numpy())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ScarceBandit(highest_prob=0.0), "highest_prob is 0.0; it must be above 0 and at most 1"),
        (lambda: IndependentBandit(0), "n_trials is 0; it must be at least 1"),
        (lambda: IndependentBandit(5, n_arms=1), "n_arms is 1; there is nothing to choose below 2"),
        (lambda: DependentBandit(5, n_arms=-2), "n_arms is -2"),
        (lambda: DependentBandit(difficulty="esay"), r"difficulty is 'esay'; allowed are .* Did you mean 'easy'\?"),
        (lambda: InformativeBandit(-1), "n_trials is -1"),
        (lambda: RestlessBandit(0), "n_trials is 0"),
        (lambda: RestlessBandit(drift="walk"), "drift is 'walk'; allowed are 'sd' and 'variance'"),
        (lambda: RestlessBandit(volatility_ranges=()), "volatility_ranges is empty; give at least one"),
        (
            lambda: RestlessBandit(volatility_ranges=((0.2, 0.1),)),
            r"volatility_ranges holds \(0.2, 0.1\); each must be",
        ),
        (lambda: RestlessBandit(test_volatility_ranges=((-0.1, 0.1),)), r"test_volatility_ranges holds \(-0.1, 0.1\)"),
        (lambda: RestlessBandit(volatility_ranges=((0.1, float("inf")),)), r"volatility_ranges holds \(0.1, inf\)"),
        (lambda: RestlessBandit(volatility_ranges=((0, 0.2), (0.1, 0.3))), r"volatility_ranges .* overlap"),
        (lambda: RiskySafe(0, n_forced=0), "n_trials is 0"),
        (
            lambda: RiskySafe(n_forced=3),
            "n_forced is 3; forced trials come in pairs, so it must be even, and from 0 to",
        ),
        (lambda: RiskySafe(4, n_forced=6), "n_forced is 6"),
        (lambda: TwoStep(0), "n_trials is 0"),
        (lambda: TwoStep(form="stage"), r"form is 'stage'; allowed are .* Did you mean 'stages'\?"),
        (lambda: TwoStep(p_common=0.2), "p_common is 0.2; it must lie between 0.5 and 1"),
        (lambda: TwoStep(p_reversal=-0.1), "p_reversal is -0.1; it must lie between 0 and 1"),
        (lambda: DawTwoStep(p_common=1.2), "p_common is 1.2"),
        (lambda: DawTwoStep(drift_sd=-1.0), "drift_sd is -1.0; it must be 0 or more, and finite"),
        (lambda: DawTwoStep(low=0.8), "low and high are 0.8 and 0.75; they must be 0 <= low < high <= 1"),
        (lambda: TabularMDP(0), "n_trials is 0; it must be at least 1"),
        (lambda: TabularMDP(n_states=0), "n_states is 0; it must be at least 1"),
        (lambda: TabularMDP(n_actions=1), "n_actions is 1; it must be at least 2"),
        (lambda: TabularMDP(horizon=0), "horizon is 0; it must be at least 1"),
        (lambda: Foraging(0), "n_trials is 0"),
        (lambda: Foraging(base_prob_ranges=((0.4, 0.6),)), r"base_prob_ranges holds .* low < high <= 0.5"),
        (lambda: Foraging(test_base_prob_ranges=((0, 0.2), (0.1, 0.3))), "test_base_prob_ranges .* overlap"),
        (lambda: Volatility(-1), "n_trials is -1"),
        (lambda: Volatility(order="stable"), r"order is 'stable'; allowed are .* Did you mean 'stable-first'\?"),
        (lambda: Fixation(Harlow()), "Harlow has a fixation of its own; give it as it is"),
        (lambda: Fixation(Reversal()), "Reversal has a fixation of its own"),
        (lambda: Fixation(Fixation(TwoStep())), "Fixation has a fixation of its own"),
        (lambda: Fixation(TabularMDP()), "TabularMDP logs a latent over 'option', to which a fixation would add one"),
        (lambda: Fixation(DawTwoStep()), "DawTwoStep logs a latent over 'option', to which a fixation would add one"),
        (lambda: Fixation(Deaf(5)), r"Deaf cannot be played without a response, .* an action of -1 \(RuntimeError: "),
        (lambda: RecordedBandit(8, RECORDING), "n_trials is 8; the recording has 7"),
        (lambda: RecordedBandit(0, RECORDING), "n_trials is 0"),
        (lambda: RecordedBandit(7, RECORDING[0]), r"recording is \(7, 3\); it must be \(episode, trial, arm\)"),
        (lambda: play(RecordedBandit(7, RECORDING), 2001), "n_episodes is 2001; the recording has 2000"),
    ],
)
def test_a_bad_setting_is_told_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told) as caught:
        make()
    assert "\n" not in str(caught.value)
