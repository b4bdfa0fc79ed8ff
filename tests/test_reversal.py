"""The reversal task: the paper's worlds, values that a perfect critic has, and what is inferred from the other cue."""

import itertools

import numpy as np
import pytest
import torch
import xarray as xr

from neurometa import agents, baselines, behaviour, dataset, exact, neural, rollout, runs
from neurometa.agents import LSTM
from neurometa.errors import InputError
from neurometa.experiments import EXPERIMENTS
from neurometa.tasks import Reversal
from neurometa.training import a2c
from tests import test_tasks as laws
from tests.shell import neurometa

LAWS = [
    laws.test_a_seed_fixes_the_data,
    laws.test_episodes_of_a_batch_are_independent,
    laws.test_a_step_is_a_pure_function,
    laws.test_every_task_makes_its_tensors_where_the_random_numbers_are,
    laws.test_the_test_of_a_task_is_a_task_of_the_same_size,
]


class Always(agents.Agent):
    """Take the same four actions in every trial."""

    def __init__(self, *plan):
        super().__init__()
        self.plan = plan

    def begin(self, n_episodes):
        return {"time": torch.zeros(n_episodes, dtype=torch.int64)}

    def forward(self, observation, action, reward, state):
        taken = torch.tensor(self.plan)[state["time"] % 4]
        logits = torch.where(torch.arange(3) == taken[:, None], 0.0, -torch.inf)
        return agents.Output(logits, torch.zeros_like(reward), {"time": state["time"] + 1}, {})


def at_cue(trials):
    """Prediction errors of a critic with a discount of .9 at the onset of the cue."""
    return neural.rpe(trials, 0.9).sel(event="cue", drop=True)


def play(task, agent, n_episodes=500, seed=0, log=()):
    played = rollout.unroll(task, agent, n_episodes, torch.Generator().manual_seed(seed), log=log)
    return rollout.to_dataset(task, played, observation=True)


@pytest.mark.parametrize("task", [Reversal(7), Reversal(7, block_length=3)], ids=["hazard", "blocks"])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_task_keeps_the_laws_of_all_tasks(law, task):
    law(task)


def test_roles_change_with_the_stated_hazard_and_cues_are_drawn_evenly():
    trials = play(Reversal(20), agents.ReversalObserver(), 1000)
    dataset.check(trials)
    assert dict(trials.sizes) | {"step": 4} == dict(trials.sizes)
    changed = np.diff(trials.rewarded_cue.values, axis=1) != 0
    assert changed.mean() == pytest.approx(0.1, abs=4 * 0.3 / changed.size**0.5)
    assert (trials["reversed"].values[:, 1:] == changed).all()
    assert not trials["reversed"].values[:, 0].any()
    assert trials.cue.values.mean() == pytest.approx(0.5, abs=4 * 0.5 / 20000**0.5)
    assert trials.rewarded_cue.values[:, 0].mean() == pytest.approx(0.5, abs=4 * 0.5 / 1000**0.5)
    assert (trials.reward == (trials.cue == trials.rewarded_cue)).all()
    assert (trials.choice == trials.cue).all()
    assert not trials.step_reward.sel(step=["fixation", "cue", "response"]).any()


def test_in_the_published_form_roles_change_at_the_start_of_half_the_blocks_and_nowhere_else():
    trials = play(Reversal(20, block_length=5), agents.ReversalObserver(), 1000)
    share = trials["reversed"].mean("episode").values.reshape(4, 5)
    assert not share[:, 1:].any()
    assert share[0, 0] == 0
    assert share[1:, 0].mean() == pytest.approx(0.5, abs=4 * 0.5 / 3000**0.5)


def test_an_observation_names_the_place_and_the_cue_and_no_more():
    trials = play(Reversal(10), agents.RandomChoice(3), 50)
    assert (trials.observation.sum("feature") == 1).all()
    seen, cue = trials.observation.argmax("feature"), trials.cue
    for step, place in {"fixation": 0 * cue, "cue": 1 + cue, "response": 3 + cue, "outcome": 5 + 0 * cue}.items():
        assert (seen.sel(step=step) == place).all()


@pytest.mark.parametrize(
    ("plan", "cost"), [((2, 2, 0, 0), 0), ((0, 2, 0, 2), 1), ((2, 1, 1, 1), 1), ((1, 0, 0, 0), 2), ((2, 2, 2, 0), 0)]
)
def test_an_invalid_response_costs_one_and_a_wrong_one_leaves_nothing_to_be_paid(plan, cost):
    trials = play(Reversal(30), Always(*plan), 100)
    dataset.check(trials)
    answered = trials.cue == plan[2]
    won = answered & (trials.cue == trials.rewarded_cue)
    assert (trials.reward == won - cost - (~answered).astype(int)).all()
    assert (trials.choice == (-1 if plan[2] == 2 else plan[2])).all()
    worth = trials.expected_reward.isel(arm=trials.choice.where(trials.choice >= 0, 0))
    assert plan[2] == 2 or (trials.reward == worth - cost).all()


def critic(cues, paid, seen, step, discount, hazard):
    """Discounted reward that follows, averaged over every world of so many trials that agrees with what was seen."""
    n = len(cues)
    total = weight = 0.0
    for roles, world in itertools.product(itertools.product((0, 1), repeat=n), repeat=2):
        p = 0.5 * np.prod([hazard[t] if roles[t] != roles[t - 1] else 1 - hazard[t] for t in range(1, n)])
        outcomes = [int(a == b) for a, b in zip(roles, world, strict=True)]
        now = seen + (step > 0)  # cues that have been seen, and `seen` outcomes
        if list(world[:now]) != list(cues[:now]) or outcomes[:seen] != list(paid[:seen]):
            continue
        weight += p
        total += p * sum(discount ** (4 * (t - seen) + 3 - step) * outcomes[t] for t in range(seen, n))
    return total / weight


@pytest.mark.parametrize("discount", [0.9, 1.0])
@pytest.mark.parametrize("block_length", [None, 2])
def test_the_observers_values_are_the_discounted_rewards_that_all_worlds_come_to(discount, block_length):
    task = Reversal(4, 0.15, block_length, 0.4)
    agent = agents.ReversalObserver(0.15, block_length=block_length, p_switch=0.4, discount=discount, n_trials=4)
    trials = play(task, agent, 12, log=("posterior_cue",))
    hazard = [0.15] * 4 if block_length is None else [0.4, 0.0, 0.4, 0.0]
    for episode in range(12):
        cues, paid = (trials[name].values[episode].astype(int).tolist() for name in ("cue", "reward"))
        for trial, step in itertools.product(range(4), range(4)):
            expected = critic(cues, paid, trial, step, discount, hazard)
            assert trials.value.values[episode, trial, step] == pytest.approx(expected, abs=1e-5)
    belief = trials.posterior_cue.sel(step="cue")
    assert np.allclose(belief.values[:, 0], 0.5)


@pytest.mark.parametrize(
    ("task", "agent", "expected"),
    [
        (Reversal(20), agents.ReversalObserver(), (0.729 * 0.8,) * 3),  # belief .9, hence +-.29
        (Reversal(20), agents.ReversalObserver(n_trials=20), (0.729 * 0.8,) * 3),
        (Reversal(20, block_length=5), agents.ReversalObserver(), (0.729 * 0.8,) * 3),
        (Reversal(20, block_length=5), agents.ReversalObserver(block_length=5), (0.0, 0.729, 0.729)),  # +-.36
    ],
)
def test_the_ideal_contrasts_of_the_paper_come_out(task, agent, expected):
    trials = play(task, agent, 300)
    found = behaviour.reversal_contrasts(at_cue(trials), trials, n_bootstrap=50)
    assert found.contrast.values == pytest.approx(expected, abs=1e-4)
    assert float(found.ratio) == pytest.approx(1, abs=1e-4)
    assert (found.se < 1e-4).all()
    halves = found.sel(condition="inferred")["mean"]
    assert float(halves.sel(role="new")) == pytest.approx(-float(halves.sel(role="old")), abs=1e-4)


def test_a_learner_of_cue_values_expects_the_old_of_the_cue_it_has_not_seen():
    trials = play(Reversal(20), agents.CueLearner(), 300)
    found = behaviour.reversal_contrasts(at_cue(trials), trials, n_bootstrap=200)
    contrast = found.contrast.to_series()
    assert contrast["before discovery"] > 0.3
    assert contrast["experienced"] > 0.3
    assert float(found.contrast_upper.sel(condition="inferred")) < -0.3
    assert float(found.ratio_upper) < -0.5


@pytest.mark.parametrize(("learning_rate", "p_reversal"), [(0.8, 0.1), (0.3, 0.2)])
def test_the_contrasts_of_a_learner_of_cue_values_are_the_exact_ones(learning_rate, p_reversal):
    task = Reversal(20, p_reversal=p_reversal)
    trials = play(task, agents.CueLearner(learning_rate), 1500)
    found = behaviour.reversal_contrasts(at_cue(trials), trials, n_bootstrap=100, level=0.999)
    expected = exact.reversal.cue_learner(20, p_reversal, learning_rate=learning_rate)
    assert (found.contrast_lower <= expected + 1e-6).all() and (expected <= found.contrast_upper + 1e-6).all()
    assert (abs(found.contrast - expected) < 0.03).all()


def test_the_cue_learner_moves_the_cue_shown_towards_its_outcome():
    trials = play(Reversal(40), agents.CueLearner(0.3, n_trials=1), 30)
    worth = np.full((30, 2), 0.5)
    for trial in range(40):
        now = trials.isel(trial=trial)
        here = np.arange(30), now.cue.values
        assert now.value.sel(step="outcome").values == pytest.approx(worth[here], abs=1e-5)
        assert now.value.sel(step="cue").values == pytest.approx(0.81 * worth[here], abs=1e-5)
        assert now.value.sel(step="fixation").values == pytest.approx(0.729 / 2, abs=1e-5)
        worth[here] += 0.3 * (now.reward.values - worth[here])


def labels(cue, rewarded, reverses, answered):
    """Condition and role of the trials of one chain, one by one."""
    found = [("", "")] * len(cue)
    for t in range(len(cue)):
        if reverses[t]:
            found[t] = ("before discovery", "old" if cue[t] != rewarded[t] else "new")
        elif t and reverses[t - 1] and answered[t - 1]:
            role = "new" if cue[t] == rewarded[t] else "old"
            found[t] = ("experienced" if cue[t] == cue[t - 1] else "inferred", role)
    return found


def random_run(n_agents=3, n_episodes=40, n_trials=30, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n_agents, n_episodes, n_trials)
    dims = ("agent", "episode", "trial")
    reverses = rng.random(shape) < 0.2
    reverses[..., 0] = False
    rewarded = (rng.integers(0, 2, shape[:2])[..., None] + reverses.cumsum(-1)) % 2
    cue = rng.integers(0, 2, shape)
    choice = np.where(rng.random(shape) < 0.8, cue, rng.integers(-1, 2, shape))
    variables = {"cue": cue, "rewarded_cue": rewarded, "reversed": reverses, "choice": choice}
    return xr.Dataset({name: (dims, x) for name, x in variables.items()}), xr.DataArray(
        rng.normal(size=shape), dims=dims
    )


def test_trials_are_named_as_one_by_one_and_never_across_chains():
    trials, _ = random_run()
    found = behaviour.reversal_conditions(trials.transpose("trial", "agent", "episode"))
    for agent, episode in itertools.product(range(3), range(40)):
        here = trials.isel(agent=agent, episode=episode)
        chain = labels(
            *(here[name].values for name in ("cue", "rewarded_cue", "reversed")), (here.choice == here.cue).values
        )
        named = found.isel(agent=agent, episode=episode)
        assert list(zip(named.condition.values, named.role.values, strict=True)) == chain
    assert set(np.unique(found.condition.values.astype(str))) == {"", "before discovery", "experienced", "inferred"}


def test_means_contrasts_and_ratio_are_those_of_the_named_trials():
    trials, x = random_run()
    x = x.where(x < 2)  # some are missing
    named = behaviour.reversal_conditions(trials)
    found = behaviour.reversal_contrasts(x.transpose("trial", ...), trials, n_bootstrap=400)
    assert set(found["mean"].dims) == {"condition", "role", "agent"}
    for condition, role, agent in itertools.product(found.condition.values, found.role.values, range(3)):
        here = ((named.condition == condition) & (named.role == role)).isel(agent=agent)
        values = x.isel(agent=agent).values[here.values]
        values = values[np.isfinite(values)]
        cell = found.sel(condition=condition, role=role).isel(agent=agent)
        assert float(cell["mean"]) == pytest.approx(values.mean())
        assert int(cell.n) == len(values)
        assert float(cell.se) == pytest.approx(
            values.std(ddof=1) / len(values) ** 0.5, rel=0.35
        )  # all independent here
    gap = found["mean"].sel(role="old") - found["mean"].sel(role="new")
    assert np.allclose(found.contrast, [[1], [-1], [-1]] * gap.transpose("condition", "agent").values)
    share = found.contrast.sel(condition="inferred") / found.contrast.sel(condition="experienced")
    assert np.allclose(found.ratio, share)
    assert (found.contrast_lower < found.contrast).all()
    assert (found.contrast < found.contrast_upper).all()


def test_intervals_over_agents_rest_on_the_means_of_agents():
    trials, x = random_run(n_agents=8)
    x = x + xr.DataArray(np.arange(8.0), dims="agent")  # agents differ by far more than trials do
    over = behaviour.reversal_contrasts(x, trials, cluster="agent")
    each = behaviour.reversal_contrasts(x, trials, n_bootstrap=2)["mean"]
    assert np.allclose(over["mean"], each.mean("agent").transpose(*over["mean"].dims))
    assert np.allclose(over.se, each.std("agent").transpose(*over.se.dims) / 8**0.5, rtol=0.1)
    assert over.attrs["n_clusters"] == 8


def test_a_bootstrap_interval_holds_the_true_contrast_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for i in range(40):
        trials, x = random_run(1, 40, 30, seed=i)
        effect = 0.5 * (behaviour.reversal_conditions(trials).role == "new")
        x = x + effect + xr.DataArray(rng.normal(size=40), dims="episode")
        found = (
            behaviour.reversal_contrasts(x, trials, n_bootstrap=200, seed=i).sel(condition="experienced").isel(agent=0)
        )
        held += float(found.contrast_lower) < 0.5 < float(found.contrast_upper)
    assert held >= 33  # of 40, where 38 are expected


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda t, x: behaviour.reversal_conditions(t.drop_vars("cue")), "no variable 'cue'"),
        (
            lambda t, x: behaviour.reversal_conditions(t.assign(cue=t.cue + 1)),
            "'cue' holds 2; the two cues are 0 and 1",
        ),
        (lambda t, x: behaviour.reversal_contrasts(x.isel(trial=0), t), "it must also span 'trial'"),
        (lambda t, x: behaviour.reversal_contrasts(x, t, cluster="subject"), "it must also span 'subject'"),
        (lambda t, x: behaviour.reversal_contrasts(x, t, level=95), "level is 95; it must lie between 0 and 1"),
        (lambda t, x: behaviour.reversal_contrasts(x, t, n_bootstrap=1), "n_bootstrap is 1"),
        (lambda t, x: at_cue(t), "no variable 'value'"),
        (lambda t, x: agents.ReversalObserver(1.2), "p_reversal is 1.2; it must lie between 0 and 1"),
        (lambda t, x: agents.ReversalObserver(discount=1.0), "below 1 where n_trials is None"),
        (lambda t, x: agents.ReversalObserver(block_length=0), "block_length is 0"),
        (lambda t, x: agents.CueLearner(-0.1), "learning_rate is -0.1"),
        (lambda t, x: play(Reversal(2), agents.HarlowObserver(), 2), "An observation has 6 features"),
        (lambda t, x: Reversal(p_reversal=2.0), "p_reversal is 2.0; it must lie between 0 and 1"),
        (lambda t, x: Reversal(block_length=0), "block_length is 0; it must be at least 1, or null"),
        (lambda t, x: Reversal(0), "n_trials is 0"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(call, told):
    with pytest.raises(InputError, match=told) as caught:
        call(*random_run(1, 4, 6))
    assert "\n" not in str(caught.value)


def test_where_nothing_reverses_there_is_no_estimate():
    trials = play(Reversal(6, p_reversal=0.0), agents.ReversalObserver(0.0), 20)
    found = behaviour.reversal_contrasts(at_cue(trials), trials, n_bootstrap=10)
    assert found["mean"].isnull().all() and found.ratio.isnull()
    assert (found.n == 0).all()


def test_agents_work_where_they_are_moved_to():
    for agent in (agents.ReversalObserver(block_length=5, n_trials=9), agents.CueLearner()):
        agent.to("meta")
        seen, before, paid = (torch.zeros(5, *shape, device="meta") for shape in ((6,), (3,), ()))
        answered = agent(seen, before, paid, agent.begin(5))
        assert {x.device.type for x in (answered.logits, answered.value, *answered.state.values())} == {"meta"}


@pytest.mark.parametrize("block_length", [None, 5])
def test_baselines_answer_rightly_but_for_chance(block_length):
    task = Reversal(20, block_length=block_length)
    regret = baselines.play(task, baselines.baselines(task), n_episodes=200).regret.sum("trial").mean("episode")
    assert regret.sel(learner=["ideal observer", "cue learner"]).values == pytest.approx(0)
    # one action in three is the wrong side, which costs 1 and the 1/2 to be won
    assert float(regret.sel(learner="random")) == pytest.approx(20 / 3 * 1.5, rel=0.1)
    assert baselines.exact_regret(task) == {"ideal observer": 0.0, "cue learner": 0.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "reversal"
    runs.train(a2c.Config(Reversal(12), LSTM(4), n_updates=2, batch_size=4), folder)
    assert neurometa("rollout", folder, "--episodes", 60)[0] == 0
    return folder


def test_the_command_prints_and_keeps_what_the_function_returns(run):
    code, out, err = neurometa("reversals", run)
    assert code == 0, err
    assert "inferred" in out
    kept, trials = dataset.read(run / "reversals.nc"), dataset.open_run(run)
    expected = behaviour.reversal_contrasts(at_cue(trials), trials)
    assert kept["mean"].values == pytest.approx(expected["mean"].values, nan_ok=True)
    assert (kept.attrs["discount"], kept.attrs["created"]) == (0.9, trials.attrs["created"])
    assert "contrast" in neurometa("reversals", run, "--discount", 0.5, "--json")[1]


def test_the_command_refuses_trials_without_a_critic_or_a_discount(run, tmp_path):
    trials = dataset.open_run(run)
    for odd, told in ((trials.drop_vars("value"), "no variable 'value'"), (trials.drop_attrs(), "--discount 0.9")):
        dataset.save_run(odd, tmp_path / "odd.nc")
        code, out, err = neurometa("reversals", tmp_path / "odd.nc")
        assert (code, out) == (2, "")
        assert told in err


@pytest.mark.parametrize("name", ["reversal", "reversal-w18"])
def test_every_reversal_experiment_trains_without_a_clock(name, tmp_path):
    assert "time" not in EXPERIMENTS[name].config.network.inputs
    code, _, err = neurometa("train", name, "--out", tmp_path / name, "--set", "n_updates=2", "--set", "batch_size=2")
    assert code == 0, err
