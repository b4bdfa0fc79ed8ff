"""Two-step tasks: the paper's worlds in each form, observers that cannot be beaten, and what they come to exactly."""

import itertools

import numpy as np
import pytest
import torch

from neurometa import agents, baselines, dataset, exact, rollout, runs
from neurometa.agents import LSTM
from neurometa.agents.two_step import _look
from neurometa.behaviour import mean_interval, regret
from neurometa.errors import InputError
from neurometa.experiments import EXPERIMENTS
from neurometa.tasks import DawTwoStep, Fixation, TwoStep
from neurometa.training import a2c
from tests.shell import neurometa

FORMS = ("choice", "stages", "fixation")
EVERY_FORM = pytest.mark.parametrize("form", FORMS)
W16 = {"n_trials": 10, "p_common": 0.75, "p_reversal": 0.0}
OUTCOMES, TRANSITIONS = ["rewarded", "unrewarded"], ["common", "rare"]


class Always(agents.Agent):
    """Take the same action at each kind of step, whatever happens."""

    def __init__(self, n_actions, *plan):
        super().__init__()
        self.n_actions, self.plan = n_actions, plan

    def begin(self, n_episodes):
        return {"time": torch.zeros(n_episodes, dtype=torch.int64)}

    def forward(self, observation, action, reward, state):
        taken = torch.tensor(self.plan)[state["time"] % len(self.plan)]
        logits = torch.where(torch.arange(self.n_actions) == taken[:, None], 0.0, -torch.inf)
        return agents.Output(logits, torch.zeros_like(reward), {"time": state["time"] + 1}, {})


def two_step(*world, form):
    """The task in a form: with one step, with two, or with a fixation before these."""
    return Fixation(TwoStep(*world, form="stages")) if form == "fixation" else TwoStep(*world, form=form)


def keeping(form, agent):
    """The agent, who keeps to the fixation where there is one."""
    return agents.Fixating(agent) if form == "fixation" else agent


def play(task, agent, n_episodes=500, seed=0, log=()):
    played = rollout.unroll(task, agent, n_episodes, torch.Generator().manual_seed(seed), log=log)
    return rollout.to_dataset(task, played, observation=True)


def stays(trials):
    """Share of choices repeated, (outcome, transition), and how many pairs there were."""
    choice = trials.choice.values
    again, rewarded, common = choice[:, 1:] == choice[:, :-1], trials.reward.values[:, :-1] > 0, trials.common.values
    cells = [[again[(rewarded == won) & (common[:, :-1] == usual)] for usual in (True, False)] for won in (True, False)]
    return np.array([[x.mean() for x in row] for row in cells]), np.array([[len(x) for x in row] for row in cells])


def by_histories(n_trials, p_common, p_reversal, p_reward):
    """Reward by trial and stay probabilities of the ideal agent: every history of a few trials, one by one."""
    earned, stayed, occurred = np.zeros(n_trials), np.zeros((2, 2)), np.zeros((2, 2))
    paths = [(1.0, 0.5, None)]  # probability, belief, and the last trial's (choice, outcome, transition)
    for trial in range(n_trials):
        after = []
        for p, b, last in paths:
            worth0 = b * p_reward + (1 - b) * (1 - p_reward)
            for choice in (0, 1):
                p_choice = 0.5 if abs(b - 0.5) < 1e-9 else float((b > 0.5) == (choice == 0))
                if last is not None:
                    occurred[last[1:]] += p * p_choice
                    stayed[last[1:]] += p * p_choice * (choice == last[0])
                for rare, win in itertools.product((0, 1), (1, 0)):
                    state = choice ^ rare
                    p_win = worth0 if state == 0 else 1 - worth0
                    path = p * p_choice * (p_common, 1 - p_common)[rare] * (p_win if win else 1 - p_win)
                    earned[trial] += path * win
                    told = p_reward if (state == 0) == (win == 1) else 1 - p_reward
                    post = told * b / (told * b + (1 - told) * (1 - b))
                    after.append((path, post * (1 - p_reversal) + (1 - post) * p_reversal, (choice, 1 - win, rare)))
        merged = {}
        for p, b, last in after:
            if p:
                key = (round(b, 9), last)
                merged[key] = (merged.get(key, (0, b))[0] + p, b)
        paths = [(p, b, last) for (_, last), (p, b) in merged.items()]
    return earned, stayed / occurred


@EVERY_FORM
def test_the_worlds_are_those_of_the_paper(form):
    trials = play(two_step(form=form), keeping(form, agents.TwoStepObserver(inverse_temperature=0.0)), 400)
    better, second, common = trials.better_state.values, trials.second_state.values, trials.common.values
    swaps = (better[:, 1:] != better[:, :-1]).mean()
    assert swaps == pytest.approx(0.025, abs=4 * (0.025 / 39600) ** 0.5)
    assert common.mean() == pytest.approx(0.8, abs=4 * 0.4 / 4e4**0.5)
    assert (second == np.where(common, trials.choice, 1 - trials.choice)).all()
    prob = trials.state_reward_prob.values
    assert (prob.argmax(-1) == better).all()
    assert np.allclose(np.sort(prob), [0.1, 0.9])
    won = trials.reward.values[second == better].mean(), trials.reward.values[second != better].mean()
    assert won == pytest.approx((0.9, 0.1), abs=4 * 0.3 / 2e4**0.5)
    first = trials.expected_reward.isel(arm=0).values
    assert np.allclose(first, 0.8 * prob[..., 0] + 0.2 * prob[..., 1])


def test_nothing_swaps_in_the_first_papers_task():
    trials = play(TwoStep(**W16, form="stages"), agents.RandomChoice(2))
    assert (trials.better_state == trials.better_state.isel(trial=0)).all()
    assert dict(trials.sizes)["step"] * dict(trials.sizes)["trial"] == 20
    assert trials.better_state.isel(trial=0).values.mean() == pytest.approx(0.5, abs=0.1)


@EVERY_FORM
def test_an_observation_names_the_place_and_no_more(form):
    trials = play(two_step(20, form=form), keeping(form, agents.TwoStepObserver()), 50)
    seen, state = trials.observation, np.eye(2)[trials.second_state.values]
    if form == "choice":
        assert not seen.isel(trial=0).any()
        assert (seen.values[:, 1:, 0] == state[:, :-1]).all()
        return
    n_asked = len(trials.step) - 1
    for i in range(n_asked):
        assert (seen.values[:, :, i] == np.eye(n_asked + 2)[i]).all()
    assert (seen.values[:, :, -1, :-2] == 0).all()
    assert (seen.values[:, :, -1, -2:] == state).all()


def test_what_is_done_at_the_second_stage_changes_nothing():
    a, b = (play(TwoStep(form="stages"), Always(2, 0, second)) for second in (0, 1))
    assert all(a[name].equals(b[name]) for name in ("reward", "common", "second_state", "better_state", "choice"))


@pytest.mark.parametrize(
    ("plan", "costs"),
    [((2, 0, 1), 0), ((0, 0, 1), 1), ((1, 1, 0), 1), ((2, 2, 0), 1), ((2, 0, 2), 1), ((2, 2, 2), 2), ((1, 2, 2), 3)],
)
def test_an_invalid_response_costs_one_and_the_centre_is_no_choice(plan, costs):
    trials = play(two_step(30, form="fixation"), Always(3, *plan), 100)
    dataset.check(trials)
    assert dataset.n_options(trials) == 2
    won = trials.step_reward.where(trials.step_reward > 0, 0).sum("step")
    assert (trials.reward == won - costs).all()
    assert set(np.unique(won)) == ({0, 1} if 2 not in plan[1:] else {0})
    assert (trials.choice == (-1 if plan[1] == 2 else plan[1])).all()
    assert ((trials.second_state == -1) == (plan[1] == 2)).all()
    if plan[1] == 2:
        assert not trials.common.any()
        assert regret(trials).isnull().all()


@pytest.mark.parametrize("world", [(0.75, 0.0, 0.9), (0.8, 0.025, 0.9), (0.9, 0.3, 0.7), (0.6, 0.1, 0.95)])
def test_the_ideal_agent_earns_and_repeats_what_every_history_adds_up_to(world):
    earned, stayed = by_histories(7, *world)
    assert exact.two_step.ideal_reward(7, *world).values == pytest.approx(earned, abs=1e-6)
    assert exact.two_step.ideal_stay(7, *world).values == pytest.approx(stayed, abs=2e-3)


def test_the_ideal_rewards_of_the_first_paper_come_out():
    found = exact.two_step.ideal_reward(**W16)
    assert found.values.round(3).tolist() == [0.5, 0.66, 0.66, 0.689, 0.689, 0.697, 0.697, 0.699, 0.699, 0.7]
    assert float(found.sum()) == pytest.approx(6.688, abs=5e-4)
    stay = exact.two_step.ideal_stay(**W16)
    assert stay.values.ravel() == pytest.approx([1, 0.51, 0.51, 1], abs=0.002)


def test_the_ideal_rewards_and_stay_probabilities_of_the_second_paper_come_out():
    assert float(exact.two_step.ideal_reward().sum()) == pytest.approx(70.5855, abs=1e-4)
    stay = exact.two_step.ideal_stay()
    assert (stay.previous_outcome.values.tolist(), stay.previous_transition.values.tolist()) == (OUTCOMES, TRANSITIONS)
    assert stay.values.ravel() == pytest.approx([1, 0.6636, 0.6636, 1], abs=3e-4)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"n_trials": 0}, "n_trials is 0; it must be at least 1"),
        ({"p_common": 0.3}, "p_common is 0.3; it must lie between 0.5 and 1"),
        ({"p_reversal": 0.6}, "p_reversal is 0.6; it must lie between 0 and 0.5"),
        ({"p_reward": 1.0}, "p_reward is 1.0; it must lie between 0.5 and 1, without them"),
    ],
)
def test_what_has_no_exact_answer_is_told(settings, told):
    with pytest.raises(InputError, match=told):
        exact.two_step.ideal_reward(**settings)
    with pytest.raises(InputError):
        exact.two_step.ideal_stay(**settings)


@EVERY_FORM
@pytest.mark.parametrize("world", [(100, 0.8, 0.025), (10, 0.75, 0.0)])
def test_the_observer_earns_and_repeats_what_the_ideal_agent_must(form, world):
    trials = play(two_step(*world, form=form), keeping(form, agents.TwoStepObserver(*world[1:])), 40000 // world[0])
    earned = mean_interval(trials.reward.sum("trial").astype(float), level=0.9999)
    assert earned.lower < exact.two_step.ideal_reward(*world).sum() < earned.upper
    share, n = stays(trials)
    ideal = exact.two_step.ideal_stay(*world).values
    assert (np.abs(share - ideal) <= 5 * (ideal * (1 - ideal) / n).clip(0) ** 0.5 + 1e-9).all()


def test_the_observer_holds_the_same_belief_in_every_form():
    def beliefs(form):
        task, agent = two_step(60, form=form), keeping(form, agents.TwoStepObserver())
        steps, at = task.steps, task.n_features
        memory, rng = agent.begin(40), np.random.default_rng(0)
        action, paid, reached, found = torch.zeros(40, task.n_actions), torch.zeros(40), torch.full((40,), -1), []
        for _ in range(60):
            first, next_state, win = (torch.from_numpy(rng.integers(0, 2, 40)) for _ in range(3))
            for step in steps:
                state = {"second_state": next_state if step == "second_stage" else reached, "common": reached > 0}
                seen = task.observe(state, step)
                assert seen.shape == (40, at)
                output = agent(seen, action, paid, memory)
                memory = output.state
                if step == "choice":
                    found.append((output.record["posterior_better"], output.value))
                paid = win.float() if step == steps[-1] else torch.zeros(40)
                action = torch.eye(task.n_actions)[first]
            reached = next_state
        return torch.stack([torch.stack(x) for x in found])

    one, two, three = (beliefs(form) for form in FORMS)
    assert one.numpy() == pytest.approx(two.numpy())
    assert one.numpy() == pytest.approx(three.numpy())
    assert one[:, 0].std() > 0.2


@pytest.mark.parametrize("form", ["stages", "fixation"])
def test_the_observers_value_is_the_reward_that_comes(form):
    observer = keeping(form, agents.TwoStepObserver())
    trials = play(two_step(50, form=form), observer, 800, log=("posterior_better",))
    for step in trials.step.values:
        value, reward = trials.value.sel(step=step).values.ravel(), trials.reward.values.ravel()
        part = np.searchsorted(np.quantile(value, np.arange(0.1, 1, 0.1)), value)
        for here in (part == i for i in np.unique(part)):
            assert reward[here].mean() == pytest.approx(value[here].mean(), abs=4.5 * 0.5 / here.sum() ** 0.5)
    belief, first_is_better = trials.posterior_better.sel(step="choice").values, trials.better_state.values == 0
    assert set(trials.posterior_better.dims) == {"episode", "trial", "step"}
    for low in np.arange(0, 1, 0.2):
        here = (belief >= low) & (belief < low + 0.2)
        error = first_is_better[here].mean() - belief[here].mean()
        assert abs(error) < 8 * 0.5 / here.sum() ** 0.5  # wide, for trials of an episode go together


@EVERY_FORM
def test_an_agent_without_a_model_earns_less_and_repeats_what_was_rewarded_whatever_the_transition(form):
    trials = play(two_step(form=form), keeping(form, agents.ModelFreeTwoStep()), 300)
    earned = mean_interval(trials.reward.sum("trial").astype(float), level=0.9999)
    assert earned.upper > 61  # by simulations apart from ours, TD(1) with this rate and slope earns 61 to 63
    assert earned.lower < 63
    (win_common, win_rare), (loss_common, loss_rare) = stays(trials)[0]
    assert win_common + win_rare - loss_common - loss_rare > 0.3
    soft = play(two_step(form=form), keeping(form, agents.TwoStepObserver(inverse_temperature=10.0)), 300)
    assert earned.upper < soft.reward.sum("trial").mean()
    assert regret(soft).sum("trial").mean() > 74 - exact.two_step.ideal_reward().sum()


@EVERY_FORM
def test_the_model_free_agent_moves_the_value_of_what_it_chose_towards_the_reward(form):
    task, agent = two_step(40, form=form), keeping(form, agents.ModelFreeTwoStep(0.3, 5.0))
    trials = play(task, agent, 30)
    values = np.full((30, 2), 0.5)
    for trial in range(40):
        logits = trials.logits.isel(trial=trial).sel(step="choice").values[:, :2]
        assert logits == pytest.approx(5 * values, abs=1e-5)
        chosen = trials.choice.values[:, trial]
        here = np.arange(30), chosen
        values[here] += 0.3 * (trials.reward.values[:, trial] - values[here])


def test_daws_rewards_drift_between_their_walls():
    trials = play(DawTwoStep(), agents.RandomChoice(2), 300)
    prob = trials.state_reward_prob.transpose("episode", "trial", "state", "option").values
    assert prob.shape == (300, 201, 2, 2)
    assert ((prob >= 0.25) & (prob <= 0.75)).all()
    inside = np.abs(prob[:, :-1] - 0.5) < 0.1
    steps = np.diff(prob, axis=1)[inside]
    assert steps.mean() == pytest.approx(0, abs=4 * 0.025 / len(steps) ** 0.5)
    assert steps.std() == pytest.approx(0.025, rel=4 / (2 * len(steps)) ** 0.5)
    r = np.corrcoef(np.diff(prob, axis=1).reshape(-1, 4).T)[np.triu_indices(4, 1)]
    assert np.abs(r).max() < 4 / 60000**0.5
    assert prob[:, -1].mean() == pytest.approx(0.5, abs=4 * 0.15 / 1200**0.5)  # the walls keep it uniform
    assert prob[:, -1].std() == pytest.approx(0.5 / 12**0.5, abs=0.01)
    assert (trials.second_choice == trials.action.sel(step="second_stage")).all()
    assert not trials.step_reward.sel(step="choice").any()


def test_daws_observer_expects_what_comes_and_does_better_than_chance():
    trials = play(DawTwoStep(), agents.DawObserver(), 200)
    for step in ("choice", "second_stage"):
        value, reward = trials.value.sel(step=step).values.ravel(), trials.reward.values.ravel()
        part = np.searchsorted(np.quantile(value, np.arange(0.1, 1, 0.1)), value)
        for here in (part == i for i in np.unique(part)):
            assert reward[here].mean() == pytest.approx(value[here].mean(), abs=6 * 0.5 / here.sum() ** 0.5)
    earned = mean_interval(trials.reward.sum("trial").astype(float), level=0.9999)
    assert earned.lower > 106 > 100.5


def test_daws_observer_of_rewards_that_keep_still_counts_wins():
    task = DawTwoStep(30, p_common=1.0, drift_sd=0.0, low=0.0, high=1.0)
    trials = play(task, agents.DawObserver(1.0, 0.0, 0.0, 1.0, n_bins=400), 20)
    wins, pulls = np.zeros((20, 2, 2)), np.zeros((20, 2, 2))
    for trial in range(30):
        now = trials.isel(trial=trial)
        mean = (wins + 1) / (pulls + 2)  # of a Beta posterior
        here = np.arange(20), now.second_state.values, now.second_choice.values
        assert now.value.sel(step="second_stage").values == pytest.approx(mean[here], abs=1e-3)
        assert now.value.sel(step="choice").values == pytest.approx(mean.max((1, 2)), abs=1e-3)
        wins[here] += now.reward.values
        pulls[here] += 1


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: agents.TwoStepObserver(p_common=0.2), "p_common is 0.2; it must lie between 0.5 and 1"),
        (lambda: agents.TwoStepObserver(inverse_temperature=-1.0), "inverse_temperature is -1.0; it must be 0 or more"),
        (lambda: agents.ModelFreeTwoStep(1.5), "learning_rate is 1.5; it must lie between 0 and 1"),
        (lambda: agents.ModelFreeTwoStep(0.5, float("inf")), "inverse_temperature is inf"),
        (lambda: agents.DawObserver(0.3), "p_common is 0.3"),
        (lambda: agents.DawObserver(low=0.8), "drift_sd, low and high are 0.025, 0.8 and 0.75"),
        (lambda: agents.DawObserver(n_bins=1), "n_bins is 1; it must be at least 2"),
        (lambda: _look(torch.zeros(2, 0)), "An observation has 0 features; those of a two-step task have 2 or 3"),
    ],
)
def test_a_bad_setting_of_an_agent_is_told_in_one_sentence(make, told):
    with pytest.raises(InputError, match=told):
        make()


def test_observers_work_where_they_are_moved_to():
    two_step, model_free = agents.Fixating(agents.TwoStepObserver()), agents.Fixating(agents.ModelFreeTwoStep())
    for agent, n_features in ((two_step, 4), (agents.DawObserver(), 3), (model_free, 4)):
        agent.to("meta")
        n_actions = 3 if n_features == 4 else 2
        seen, before, paid = (torch.zeros(5, *shape, device="meta") for shape in ((n_features,), (n_actions,), ()))
        answered = agent(seen, before, paid, agent.begin(5))
        assert {x.device.type for x in (answered.logits, answered.value, *answered.state.values())} == {"meta"}
        assert answered.logits.shape == (5, n_actions)


@EVERY_FORM
def test_baselines_come_to_their_exact_regret(form):
    task = two_step(form=form)
    learners = baselines.baselines(task)
    mean = mean_interval(baselines.play(task, learners, n_episodes=200).regret.sum("trial").astype(float), level=0.9999)
    expected = baselines.exact_regret(task)
    assert expected["Bayes-optimal"] == pytest.approx(74 - 70.5855, abs=1e-3)
    assert expected["random"] == pytest.approx(24)
    for name, value in expected.items():
        here = mean.sel(learner=name)
        assert here.lower < value < here.upper
    order = mean["mean"].sel(learner=["Bayes-optimal", "softmax Bayes", "model-free", "random"])
    assert (np.diff(order) > 0).all()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "two-step"
    runs.train(a2c.Config(two_step(8, form="fixation"), LSTM(4), n_updates=2, batch_size=4), folder)
    return folder


def test_a_run_can_be_played_and_shown_and_regret_says_what_to_use_instead(run):
    code, out, err = neurometa("rollout", run, "--episodes", 20)
    assert (code, "regret" in out) == (0, False), err
    trials = dataset.open_run(run)
    assert {"common", "second_state", "better_state", "state_reward_prob", "hidden"} <= set(trials.data_vars)
    assert neurometa("show", run)[0] == 0
    code, out, err = neurometa("regret", run)
    assert (code, out) == (2, "")
    assert "TwoStep pays by the state reached" in err
    assert f"neurometa baselines {run}" in err
    assert neurometa("baselines", run, "--episodes", 5)[0] == 0


def test_a_run_of_daws_task_says_that_it_has_no_regret(tmp_path):
    runs.train(a2c.Config(DawTwoStep(5), LSTM(4), n_updates=2, batch_size=4), tmp_path)
    assert neurometa("rollout", tmp_path, "--episodes", 5)[0] == 0
    assert "no choice of DawTwoStep has a regret" in neurometa("regret", tmp_path)[2]
    assert "There are no baselines for DawTwoStep" in neurometa("baselines", tmp_path)[2]


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name.startswith("two-step")])
def test_every_two_step_experiment_trains(name, tmp_path):
    code, _, err = neurometa("train", name, "--out", tmp_path / name, "--set", "n_updates=2", "--set", "batch_size=2")
    assert code == 0, err


def test_the_first_papers_experiment_is_its_task():
    task = EXPERIMENTS["two-step-w16"].config.task
    assert task == TwoStep(10, 0.75, 0.0, 0.9, "stages")
    assert EXPERIMENTS["two-step"].config.task == TwoStep(form="stages")
