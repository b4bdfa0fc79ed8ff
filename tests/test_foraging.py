"""Baited arms: the task, what can be earned at most, who forages how, and the matching law."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats
from shell import neurometa

from neurometa import baselines, exact
from neurometa.agents import ForagingObserver, KnownForaging, RandomChoice
from neurometa.agents.base import Agent, Output, greedy
from neurometa.behaviour import matching, regret
from neurometa.dataset import save_run
from neurometa.errors import InputError
from neurometa.rollout import play
from neurometa.tasks import Fixation, Foraging, RestlessBandit, Volatility


class Script(Agent):
    """Takes the given actions (time, episode), whatever happens."""

    def __init__(self, actions, n_actions=2):
        super().__init__()
        self.actions, self.n_actions = torch.as_tensor(actions), n_actions

    def begin(self, n_episodes):
        return {"now": torch.zeros(n_episodes, dtype=torch.int64)}

    def forward(self, observation, action, reward, state):
        here = self.actions[state["now"], torch.arange(len(reward))]
        logits = greedy(torch.nn.functional.one_hot(here, self.n_actions).float())
        return Output(logits, torch.zeros(len(reward)), {"now": state["now"] + 1}, {})


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def worth(trials):
    """Probability with which each choice paid, (episode, trial)."""
    return trials.reward_prob.isel(arm=trials.choice)


def test_an_arm_grows_richer_for_as_long_as_it_is_left():
    actions = torch.randint(2, (30, 200), generator=generator(1))
    trials = play(Foraging(30), Script(actions), 200, generator())
    assert (trials.choice.values == actions.T.numpy()).all()
    for episode, arm in itertools.product(range(0, 200, 10), range(2)):
        left = 0
        for trial in range(30):
            base = trials.base_prob.values[episode, trial, arm]
            now = trials.reward_prob.values[episode, trial, arm]
            assert now == pytest.approx(1 - (1 - base) ** (left + 1), abs=1e-6)
            left = 0 if actions[trial, episode] == arm else left + 1


def test_a_reward_waits_until_it_is_collected():
    # the same law, from the story that it stands for: an arm is baited with p0 on every trial, and keeps its bait
    rng, base, n = np.random.default_rng(0), 0.15, 40_000
    baited, paid = np.zeros(n, bool), []
    for _ in range(6):
        baited |= rng.random(n) < base
        paid.append(baited.mean())
    actions = torch.ones(6, 1, dtype=torch.int64)
    trials = play(Foraging(6, base_prob_ranges=((base - 1e-6, base),)), Script(actions), 1, generator())
    assert trials.reward_prob.values[0, :, 0] == pytest.approx(paid, abs=4 * 0.5 / n**0.5)


def test_base_probabilities_sum_to_a_half_and_the_held_out_ones_come_at_test_only():
    for task, in_training in ((Foraging(1), True), (Foraging(1).for_test(), False)):
        base = play(task, RandomChoice(), 4000, generator()).base_prob.values[:, 0]
        assert base.sum(1) == pytest.approx(0.5)
        assert ((base >= 0) & (base <= 0.5)).all()
        unseen = ((base > 0.1 + 1e-6) & (base < 0.2 - 1e-6)) | ((base > 0.3 + 1e-6) & (base < 0.4 - 1e-6))
        assert unseen.any() != in_training
        if not in_training:
            assert stats.kstest(base[:, 0], stats.uniform(0, 0.5).cdf).pvalue > 1e-4
            assert unseen.mean() == pytest.approx(0.4, abs=0.04)


def test_with_a_fixation_a_wrong_response_costs_one_and_chooses_nothing():
    actions = torch.tensor([[2, 0], [0, 1], [2, 2], [2, 1], [2, 2], [1, 0]])  # (time, episode)
    trials = play(Fixation(Foraging(3)), Script(actions, 3), 2, generator())
    assert trials.choice.values.tolist() == [[0, -1, 1], [1, 1, 0]]
    assert trials.step_reward.sel(step="fixation").values.tolist() == [[0, 0, 0], [-1, 0, 0]]
    assert trials.step_reward.sel(step="choice").values[0, 1] == -1
    base = trials.base_prob.values[0, 0]
    assert trials.reward_prob.values[0, 2] == pytest.approx(1 - (1 - base) ** np.array([2, 3]))  # both waited
    assert Fixation(Foraging()).observe(Foraging().begin(2, generator()), "choice").tolist() == [[0, 1], [0, 1]]


# Verified twice below; section 8 of the project's list of oracles has .453 and .442 for .4 and .3.
OPTIMUM = {0.5: 0.5, 0.4: 0.4517, 0.35: 0.4389, 0.3: 0.4350, 0.25: 0.4375}


@pytest.mark.parametrize(("base_prob", "reward"), OPTIMUM.items())
def test_what_foraging_can_earn_is_found_by_cycles_and_by_dynamic_programming(base_prob, reward):
    assert exact.foraging.optimum(base_prob) == pytest.approx(reward, abs=5e-5)
    # any policy at all: average-reward value iteration over (arm chosen last, neglect of the other)
    most, p = 400, np.array([base_prob, 0.5 - base_prob])
    held = 1 - (1 - p[:, None]) ** np.arange(1, most + 2)
    value = np.zeros((2, most + 1))
    for _ in range(6000):
        longer = np.pad(np.append(value[:, 2:], value[:, -1:], 1), ((0, 0), (1, 0)))  # neglect n becomes n + 1
        new = 0.5 * value + 0.5 * np.maximum(held[:, :1] + longer, held[::-1] + value[::-1, 1:2])
        rise, value = (new - value)[:, 1:] / 0.5, new - new[0, 1]  # half steps, since the best policy is periodic
    assert rise.max() - rise.min() < 1e-6
    gain = rise.mean()
    assert gain == pytest.approx(exact.foraging.optimum(base_prob), abs=1e-6)


@pytest.mark.parametrize("base_prob", [0.05, 0.25, 0.32, 0.41, 0.5])
def test_the_most_an_episode_can_earn_is_that_of_its_best_sequence(base_prob):
    best = 0.0
    for actions in itertools.product(range(2), repeat=10):
        neglected, earned = [0, 0], 0.0
        for action in actions:
            earned += 1 - (1 - (base_prob, 0.5 - base_prob)[action]) ** (neglected[action] + 1)
            neglected = [0 if arm == action else n + 1 for arm, n in enumerate(neglected)]
        best = max(best, earned)
    assert exact.foraging.episode_optimum(base_prob, 10) == pytest.approx(best / 10, abs=1e-12)


def test_a_long_episode_earns_as_much_as_an_endless_one():
    for base_prob in (0.25, 0.3, 0.4, 0.47):
        assert exact.foraging.episode_optimum(base_prob, 3000) == pytest.approx(
            exact.foraging.optimum(base_prob), abs=1e-3
        )
    assert exact.foraging.mean_optimum(((0.0, 0.5),), 75) == pytest.approx(0.4517, abs=2e-4)


def test_who_is_told_the_base_probabilities_earns_what_is_computed_and_nobody_more():
    task = Foraging(120).for_test()
    base = task.begin(60, generator())["base_prob"]
    known = play(task, KnownForaging(base), 60, generator())
    rich = [exact.foraging.optimum(min(float(p), 0.5)) for p in base.amax(-1)]
    assert worth(known).isel(trial=slice(20, None)).mean().item() == pytest.approx(np.mean(rich), abs=3e-3)
    observer = play(task, ForagingObserver(), 60, generator())
    most = [exact.foraging.episode_optimum(float(p), 120) for p in base[:, 0].clamp(0, 0.5)]
    assert (worth(known).mean("trial") <= np.array(most) + 1e-6).all()
    assert (worth(observer).mean("trial") <= np.array(most) + 1e-6).all()


def test_the_observer_is_bayes_on_every_history():
    actions = torch.randint(2, (12, 30), generator=generator(1))
    task, observer = Foraging(12).for_test(), ForagingObserver(n_bins=40)
    trials = play(task, Script(actions), 30, generator(2))
    base = np.stack([(np.arange(40) + 0.5) / 80, 0.5 - (np.arange(40) + 0.5) / 80])
    state = observer.begin(30)
    previous, paid = torch.zeros(30, 2), torch.zeros(30)
    for trial in range(12):
        answer = observer(previous[:, :0], previous, paid, state)
        for episode in range(0, 30, 5):
            belief, left = np.ones(40), np.zeros(2)
            for past in range(trial):
                arm, won = int(actions[past, episode]), trials.reward.values[episode, past]
                held = 1 - (1 - base[arm]) ** (left[arm] + 1)
                belief *= held if won else 1 - held
                left = np.where(np.arange(2) == arm, 0, left + 1)
            expected = (1 - (1 - base) ** (left[:, None] + 1)) @ belief / belief.sum()
            assert answer.record["posterior_prob"][episode].item() == pytest.approx(expected[0], abs=1e-4)
            if abs(expected[0] - expected[1]) > 1e-3:
                assert answer.logits[episode].argmax() == expected.argmax()
        state = answer.state
        previous = torch.nn.functional.one_hot(actions[trial], 2).float()
        paid = torch.tensor(trials.reward.values[:, trial])


def test_the_observer_forages_as_the_reference():
    trials = play(Foraging().for_test(), ForagingObserver(), 1500, generator(5))
    reward = trials.reward.mean("trial")
    assert abs(reward.mean() - 0.443) < 4 * (2 * reward.var() / 1500) ** 0.5  # theirs and ours
    assert (trials.choice.diff("trial") != 0).mean().item() == pytest.approx(0.55, abs=0.02)
    found = matching(trials).sel(group="all")
    assert found.slope.item() == pytest.approx(0.84, abs=4 * found.slope_se.item())
    assert found.r_squared.item() == pytest.approx(0.91, abs=0.02)


def scripted(choice, reward, **more):
    grain = ("episode", "trial")
    return xr.Dataset({"choice": (grain, np.asarray(choice)), "reward": (grain, np.asarray(reward, float))} | more)


def test_the_matching_line_is_that_of_a_slow_count():
    rng = np.random.default_rng(0)
    choice, reward = rng.integers(-1, 2, (60, 31)), rng.choice([-1.0, 0.0, 1.0], (60, 31))
    x, y, dropped = [], [], 0
    for chosen, paid in zip(choice, reward, strict=True):
        n, earned = [0, 0], [0.0, 0.0]
        for trial in range(11, 31):  # the last two thirds of 31
            if chosen[trial] >= 0:
                n[chosen[trial]] += 1
                earned[chosen[trial]] += max(paid[trial], 0)
        if min(n) == 0 or min(earned) == 0:
            dropped += 1
        else:
            y.append(np.log2(n[1] / n[0]))
            x.append(np.log2(earned[1] / earned[0]))
    found, line = matching(scripted(choice, reward)).sel(group="all"), stats.linregress(x, y)
    assert (found.n.item(), found.n_dropped.item()) == (len(x), dropped) and dropped > 0
    assert found.slope.item() == pytest.approx(line.slope)
    assert found.slope_se.item() == pytest.approx(line.stderr)
    assert found.intercept.item() == pytest.approx(line.intercept)
    assert found.r_squared.item() == pytest.approx(line.rvalue**2)


def test_who_matches_has_slope_one_and_any_bias_is_the_intercept():
    ratio = np.array([1, 2, 4, 8, 16])
    n_trials = 3 * 17 * 8
    choice = np.zeros((5, n_trials), int)
    reward = np.zeros((5, n_trials))
    for episode, k in enumerate(ratio):  # arm 1 is chosen 2 k times as often and pays k times as much in all
        late = slice(n_trials // 3, None)
        pattern = np.arange(2 * n_trials // 3) % (2 * k + 1)
        choice[episode, late] = pattern > 0
        reward[episode, late] = (pattern == 0) | ((pattern > 0) & (pattern <= k))
    found = matching(scripted(choice, reward)).sel(group="all")
    assert found.slope.item() == pytest.approx(1, abs=0.02)
    assert found.intercept.item() == pytest.approx(1, abs=0.04)


def test_padding_and_other_dims_make_no_difference():
    trials = play(Foraging(30), ForagingObserver(), 50, generator())
    short = matching(trials)
    padded = trials[["choice", "reward", "base_prob"]].pad(trial=(0, 9), constant_values=-1)
    padded["valid"] = xr.DataArray(np.arange(39) < 30, dims="trial").broadcast_like(padded.choice)
    xr.testing.assert_allclose(matching(padded)[["slope", "n"]], short[["slope", "n"]])
    both = matching(xr.concat([trials, trials], "agent").transpose("trial", "agent", ...))
    assert set(both.slope.dims) == {"group", "agent"}
    np.testing.assert_allclose(both.slope.isel(agent=1), short.slope)
    assert int(short.n.sel(group="held-out")) == 0 and int(short.n_dropped.sel(group="held-out")) == 0


def test_regret_is_refused_where_the_best_choice_is_not_the_likeliest_to_pay():
    for task, name in ((Foraging(5), "base_prob"), (Volatility(5), "magnitude")):
        with pytest.raises(InputError, match=f"The trials hold '{name}': .* regret is not defined") as caught:
            regret(play(task, RandomChoice(), 3, generator()))
        assert "\n" not in str(caught.value)


def test_baselines_of_foraging_are_set_side_by_side_by_reward():
    task = Foraging(75)
    found = baselines.play(task.for_test(), baselines.baselines(task), n_episodes=300)
    reward = found.reward.sum("trial").mean("episode") / 75
    assert list(found.learner.values) == ["Bayes filter, myopic", "random"]
    assert reward.values == pytest.approx([0.441, 0.367], abs=0.012)


def test_baselines_of_foraging_with_a_fixation_take_the_centre_there_and_earn_the_same():
    task = Fixation(Foraging(75))
    found = baselines.play(task.for_test(), baselines.baselines(task), n_episodes=300)
    reward = found.reward.sum("trial").mean("episode") / 75
    assert reward.values == pytest.approx([0.441, 0.367], abs=0.012)


def test_the_command_writes_the_line_and_its_points(tmp_path):
    save_run(play(Foraging(30).for_test(), ForagingObserver(), 60, generator()), tmp_path)
    code, out, err = neurometa("matching", tmp_path)
    assert code == 0, err
    assert "held-out" in out and (tmp_path / "matching.nc").exists()
    save_run(play(RestlessBandit(9), RandomChoice(), 4, generator()).drop_vars("reward"), tmp_path)
    code, _, err = neurometa("matching", tmp_path)
    assert code == 2 and "no variable 'reward'" in err


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ForagingObserver(()), "base_prob_ranges is"),
        (lambda: ForagingObserver(((0.2, 0.7),)), "base_prob_ranges is"),
        (lambda: ForagingObserver(n_bins=0), "n_bins is 0"),
        (lambda: KnownForaging(torch.zeros(3)), r"base_prob is \(3,\)"),
        (lambda: KnownForaging(torch.zeros(3, 2)), "must sum to 0.5"),
        (lambda: KnownForaging(torch.full((3, 2), 0.25)).begin(4), "given for 3 episodes, but 4"),
        (lambda: exact.foraging.optimum(0.2), "base_prob is 0.2"),
        (lambda: exact.foraging.cycle_reward(0.3, 0), "run_length is 0"),
        (lambda: exact.foraging.episode_optimum(0.6, 3), "base_prob is 0.6"),
        (lambda: exact.foraging.episode_optimum(0.3, 0), "n_trials is 0"),
        (lambda: matching(scripted([[2, 0, 1]], [[0, 0, 1]])), "'choice' has 3 options"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told):
        make()
