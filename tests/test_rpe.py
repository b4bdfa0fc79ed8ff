"""Prediction errors stand under the event that caused them, and are a planner's or a model-free learner's."""

import itertools
import json

import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr
from shell import neurometa

from neurometa import dataset
from neurometa.behaviour import reference_rpes
from neurometa.errors import InputError
from neurometa.neural import compare_rpes, rpe, training_discount

GRAIN = ("episode", "trial")
STEPS = ["fixation", "choice", "second_stage"]
HAZARD, P_COMMON, P_REWARD = 0.025, 0.8, 0.9


def ideal(n_episodes, n_trials=100, seed=0):
    """Trials of an agent that infers the better state exactly and takes the better action."""
    rng = np.random.default_rng(seed)
    better, belief = rng.integers(0, 2, n_episodes), np.full(n_episodes, 0.5)
    kept = []
    for _ in range(n_trials):
        better = np.where(rng.random(n_episodes) < HAZARD, 1 - better, better)
        choice = np.where(belief == 0.5, rng.integers(0, 2, n_episodes), belief < 0.5).astype(int)
        state = np.where(rng.random(n_episodes) < P_COMMON, choice, 1 - choice)
        reward = (rng.random(n_episodes) < np.where(state == better, P_REWARD, 1 - P_REWARD)).astype(float)
        kept.append((choice, state, reward, belief))
        likelihood = np.where((state == 0) == (reward > 0), P_REWARD, 1 - P_REWARD)
        after = likelihood * belief / (likelihood * belief + (1 - likelihood) * (1 - belief))
        belief = after * (1 - HAZARD) + (1 - after) * HAZARD
    choice, state, reward, belief = (np.stack(x, 1) for x in zip(*kept, strict=True))
    return xr.Dataset(
        {
            "choice": (GRAIN, choice.astype(np.int8), {"n_options": 2}),
            "second_state": (GRAIN, state.astype(np.int8)),
            "reward": (GRAIN, reward),
            "common": (GRAIN, choice == state),
            "belief": (GRAIN, belief),
        }
    )


def with_values(trials, discount):
    """Give an ideal agent's trials the values of all its future, by value iteration over the belief."""
    grid, v = np.linspace(0, 1, 1001), np.zeros(1001)

    def after(likelihood):
        posterior = likelihood * grid / (likelihood * grid + (1 - likelihood) * (1 - grid))
        return posterior * (1 - HAZARD) + (1 - posterior) * HAZARD

    up, down, win = after(P_REWARD), after(1 - P_REWARD), grid * P_REWARD + (1 - grid) * (1 - P_REWARD)
    for _ in range(400):
        better, worse = np.interp(up, grid, v), np.interp(down, grid, v)
        states = (
            win * (1 + discount * better) + (1 - win) * discount * worse,
            (1 - win) * (1 + discount * worse) + win * discount * better,
        )
        mixed = [P_COMMON * states[i] + (1 - P_COMMON) * states[1 - i] for i in (0, 1)]
        v = discount * np.maximum(*mixed)
    belief, state = trials.belief.values, trials.second_state.values
    second = np.where(state == 0, np.interp(belief, grid, states[0]), np.interp(belief, grid, states[1]))
    value = np.stack([np.interp(belief, grid, v), second], -1)
    grain = (*GRAIN, "step")
    return trials.assign(
        value=(grain, value),
        step_reward=(grain, np.stack([0 * trials.reward.values, trials.reward.values], -1)),
    ).assign_coords(step=STEPS[1:])


def run(*, n_episodes=3, n_trials=4, steps=STEPS, seed=0):
    rng = np.random.default_rng(seed)
    grain, sizes = (*GRAIN, "step"), (n_episodes, n_trials, len(steps))
    made = {"value": (grain, rng.standard_normal(sizes)), "step_reward": (grain, rng.standard_normal(sizes))}
    return xr.Dataset(made, {"step": steps})


def test_a_prediction_error_is_reward_and_next_value_less_value_across_trials_and_stands_under_the_event_it_answers():
    trials = run()
    found = rpe(trials, 0.7)
    assert found.event.values.tolist() == ["choice", "second_stage", "outcome"]
    assert found.step.values.tolist() == STEPS
    for episode in range(3):
        value, reward = trials.value[episode].values.ravel(), trials.step_reward[episode].values.ravel()
        for t in range(12):
            expected = reward[t] + 0.7 * (value[t + 1] if t < 11 else 0) - value[t]
            assert found[episode].values.ravel()[t] == pytest.approx(expected)


def test_nothing_follows_the_last_step_and_whether_that_is_an_error_is_stated():
    trials = run()
    zero, missing = rpe(trials, 0.7), rpe(trials, 0.7, terminal="missing")
    assert np.argwhere(missing.isnull().values).tolist() == [[episode, 3, 2] for episode in range(3)]
    xr.testing.assert_equal(zero.where(missing.notnull()), missing)
    assert zero.attrs["terminal"] == "zero"


def test_an_episode_ends_where_its_padding_begins():
    trials = run()
    short = trials.isel(trial=slice(3))
    padded = trials.assign(valid=(GRAIN, np.tile([True, True, True, False], (3, 1))))
    found = rpe(padded, 0.7)
    assert found.isel(trial=3).isnull().all()
    xr.testing.assert_allclose(found.isel(trial=slice(3)), rpe(short, 0.7))


def test_further_dims_pass_through_in_any_order():
    trials = xr.concat([run(seed=0), run(seed=1)], "agent")
    expected = rpe(run(seed=1), 0.7)
    found = rpe(trials.transpose("step", "trial", "agent", "episode"), 0.7).isel(agent=1)
    xr.testing.assert_allclose(found.transpose(*expected.dims), expected)


def test_a_trial_that_has_an_outcome_step_calls_what_follows_it_by_the_next_trial():
    found = rpe(run(steps=["fixation", "cue", "response", "outcome"]), 0.9)
    assert found.event.values.tolist() == ["cue", "response", "outcome", "next_fixation"]
    assert rpe(run(steps=["choice"]), 0.9).event.values.tolist() == ["outcome"]


@pytest.mark.parametrize(
    ("discount", "known"), [(0.3, 0.3), ({"type": "Linear", "start": 0.9, "end": 0.5, "over": 1.0}, 0.5)]
)
def test_the_discount_is_that_of_the_training_and_of_a_schedule_its_last(discount, known):
    trials = run().assign_attrs(config=json.dumps({"type": "Config", "discount": discount}))
    assert training_discount(trials) == known
    xr.testing.assert_identical(rpe(trials), rpe(trials, known))


def test_a_discount_that_is_not_known_must_be_stated():
    for call, message in (
        (lambda: rpe(run()), "must be stated"),
        (lambda: rpe(run(), 1.5), "discount is 1.5"),
        (lambda: rpe(run(), 0.9, terminal="none"), "terminal is 'none'"),
        (lambda: rpe(dataset.example(n_episodes=2), 0.9), "no variable 'value'"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_the_belief_is_that_of_every_path_of_the_better_state():
    trials = ideal(5, 6)
    found = reference_rpes(trials).belief
    for episode in range(5):
        state, reward = trials.second_state[episode].values, trials.reward[episode].values
        for t in range(6):
            weight = np.zeros(2)
            for path in itertools.product((0, 1), repeat=t + 1):  # the better state on trials 0 ... t
                p = 0.5
                for now, before in itertools.pairwise(path[::-1]):
                    p *= HAZARD if now != before else 1 - HAZARD
                for i in range(t):
                    pays = P_REWARD if path[i] == state[i] else 1 - P_REWARD
                    p *= pays if reward[i] else 1 - pays
                weight[path[t]] += p
            assert found[episode, t] == pytest.approx(weight[0] / weight.sum())


def test_the_references_are_those_of_a_slow_planner_and_a_slow_sarsa():
    trials, discount, rate = ideal(3, 20), 0.6, 0.25
    found = reference_rpes(trials, discount, learning_rate=rate)
    for episode in range(3):
        q, v = {0: 0.5 * discount, 1: 0.5 * discount}, {0: 0.5, 1: 0.5}
        for t in range(20):
            a, s = int(trials.choice[episode, t]), int(trials.second_state[episode, t])
            r, b = float(trials.reward[episode, t]), float(trials.belief[episode, t])
            worth = [b * 0.9 + (1 - b) * 0.1, b * 0.1 + (1 - b) * 0.9]
            planned = discount * (0.8 * worth[a] + 0.2 * worth[1 - a])
            here = found.isel(episode=episode, trial=t)
            np.testing.assert_allclose(here.model_based, [discount * worth[s] - planned, r - worth[s]])
            np.testing.assert_allclose(here.model_free, [discount * v[s] - q[a], r - v[s]])
            q[a] += rate * (discount * v[s] - q[a])
            v[s] += rate * (r - v[s])


def test_in_an_ideal_agent_both_references_share_as_much_as_is_published():
    references = reference_rpes(ideal(1000, seed=3))
    found = compare_rpes(references.model_based, references)
    assert found.r_squared.sel(reference="model-free") == pytest.approx(0.73, abs=0.01)
    assert found.r_squared_between == found.r_squared.sel(reference="model-free")
    by_event = found.r_squared_event.sel(reference="model-free")
    assert by_event.sel(event="second_stage") == pytest.approx(0.62, abs=0.01)
    assert by_event.sel(event="outcome") == pytest.approx(0.82, abs=0.01)
    assert found.r_squared.sel(reference="model-free residual") == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("discount", [0.3, 0.9])
def test_an_agent_that_plans_errs_as_the_planner_does_and_nothing_of_the_other_is_left(discount):
    trials = with_values(ideal(300, seed=1), discount)
    found = compare_rpes(rpe(trials, discount), reference_rpes(trials, discount))
    r_squared = found.r_squared.to_series()
    assert r_squared["model-based"] > 0.99
    assert r_squared["model-free residual"] < 0.002
    assert found.coef.sel(regressor="model-based") == pytest.approx(1, abs=0.1)
    assert found.coef.sel(regressor="model-free") == pytest.approx(0, abs=0.02)
    assert (found.r_squared_event.sel(reference="model-based") > 0.98).all()


def test_what_the_end_of_an_episode_adds_is_left_out_however_it_is_coded():
    trials = with_values(ideal(100), 0.9)
    references = reference_rpes(trials, 0.9)
    zero = compare_rpes(rpe(trials, 0.9), references)
    xr.testing.assert_identical(zero, compare_rpes(rpe(trials, 0.9, terminal="missing"), references))
    assert (zero.n, zero.n_episodes, zero.n_left_out) == (100 * 199, 100, 100)
    kept_in = np.corrcoef(rpe(trials, 0.9).values.ravel(), references.model_based.values.ravel())[0, 1] ** 2
    assert kept_in < 0.8 < float(zero.r_squared.sel(reference="model-based"))


def test_a_model_free_agent_is_told_from_a_planner():
    references = reference_rpes(ideal(200, seed=2))
    found = compare_rpes(references.model_free, references).r_squared.to_series()
    assert found["model-free"] == pytest.approx(1)
    assert found["model-based residual"] == pytest.approx(0, abs=1e-9)
    assert found["model-free residual"] > 0.2


def noisy(n_episodes=40, seed=0):
    references = reference_rpes(ideal(n_episodes, 30, seed=seed))
    rng = np.random.default_rng(seed + 1)
    shared = rng.standard_normal((n_episodes, 1, 1))  # errors of an episode hang together
    noise = xr.DataArray(0.3 * (shared + rng.standard_normal((n_episodes, 30, 2))), dims=(*GRAIN, "event"))
    return 0.2 + 0.7 * references.model_based + 0.4 * references.model_free + noise, references


def test_coefficients_errors_and_shares_are_those_of_statsmodels():
    agent, references = noisy()
    found = compare_rpes(agent, references)
    keep = np.ones((40, 30, 2), bool)
    keep[:, -1, 1] = False
    y, mb, mf = (
        x.transpose(*GRAIN, "event").values[keep] for x in (agent, references.model_based, references.model_free)
    )
    cluster = np.nonzero(keep)[0]
    fit = sm.OLS(y, sm.add_constant(np.stack([mb, mf], 1))).fit(
        cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True
    )
    np.testing.assert_allclose(found.coef, fit.params)
    np.testing.assert_allclose(found.se, fit.bse)
    np.testing.assert_allclose(found.p_value, fit.pvalues, atol=1e-12)
    left = [sm.OLS(x, sm.add_constant(other)).fit().resid for x, other in ((mf, mb), (mb, mf))]
    expected = [np.corrcoef(y, x)[0, 1] ** 2 for x in (mb, mf, *left)]
    np.testing.assert_allclose(found.r_squared, expected)
    assert (found.lower < found.r_squared).all()
    assert (found.r_squared < found.upper).all()


def test_intervals_hold_the_share_of_the_population_about_as_often_as_they_say():
    agent, references = noisy(2400, seed=11)
    both = (x.isel(trial=slice(29)).transpose(*GRAIN, "event").values.ravel() for x in (agent, references.model_based))
    true, held, shares, widths = np.corrcoef(*both)[0, 1] ** 2, [], [], []
    for first in range(0, 2400, 40):
        some = compare_rpes(*(x.isel(episode=slice(first, first + 40)) for x in (agent, references)))
        one = some.sel(reference="model-based")
        held.append(float(one.lower) < true < float(one.upper))
        shares.append(float(one.r_squared))
        widths.append(float(one.upper - one.lower))
    assert 0.85 <= np.mean(held) <= 1
    assert np.mean(widths) == pytest.approx(3.92 * np.std(shares, ddof=1), rel=0.3), "nor wider than shares spread"


def test_agents_and_subjects_pass_through():
    agent, references = noisy()
    other = agent.copy(data=agent[::-1])
    found = compare_rpes(xr.concat([agent, other], "agent").transpose("event", "agent", ...), references)
    assert found.coef.dims == ("agent", "regressor")
    assert found.coef_event.dims == ("event", "agent", "regressor")
    np.testing.assert_allclose(found.isel(agent=0).r_squared, compare_rpes(agent, references).r_squared)
    assert (found.r_squared.isel(agent=1) < 0.1).all()


def test_a_missed_trial_teaches_nothing_but_time_passes():
    trials = ideal(4, 10)
    missed = trials.copy(deep=True)
    missed.choice[:, 3] = -1
    found = reference_rpes(missed)
    assert found.model_based.isel(trial=3).isnull().all()
    assert found.model_free.isel(trial=3).isnull().all()
    before = found.belief[:, 3]
    np.testing.assert_allclose(found.belief[:, 4], before * (1 - HAZARD) + (1 - before) * HAZARD)
    assert found.model_based.isel(trial=4).notnull().all()


def test_a_penalised_response_is_no_outcome():
    trials = with_values(ideal(4, 10), 0.9)
    trials["step_reward"][:, 2, 1] = -1
    assert reference_rpes(trials).model_free.isel(trial=2).isnull().all()


def test_the_world_is_that_of_the_runs_own_task():
    task = json.dumps({"type": "TwoStep", "p_common": 0.75, "p_reversal": 0.0, "p_reward": 0.9})
    trials = ideal(3, 5).assign_attrs(task=task)
    xr.testing.assert_identical(
        reference_rpes(trials), reference_rpes(ideal(3, 5), p_common=0.75, p_reversal=0.0, p_reward=0.9)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_vars("second_state"), "no variable 'second_state'"),
        (lambda t: t.assign(second_state=t.second_state + 1), r"'second_state' is coded \[1, 2\]; it must be 0 or 1"),
        (lambda t: t.assign(choice=t.choice + 1), r"'choice' is coded \[1, 2\]"),
        (lambda t: t.assign(reward=2 * t.reward - 1), r"rewards are \[-1.0, 1.0\]; they must be 0 and 1"),
        (lambda t: t.assign(reward=t.reward / 2), r"rewards are \[0.0, 0.5\]"),
        (lambda t: t.assign(second_state=1 - t.second_state), "exchange the labels"),
    ],
)
def test_other_codings_are_named(change, message):
    with pytest.raises(InputError, match=message):
        reference_rpes(change(ideal(10, 10)))


def test_a_comparison_says_what_it_lacks():
    agent, references = noisy(3)
    with pytest.raises(InputError, match="a two-step task in one step does not have"):
        compare_rpes(rpe(run(steps=["choice"]), 0.9), references)
    with pytest.raises(InputError, match="not of the same trials"):
        compare_rpes(agent.isel(trial=slice(20)), references)
    with pytest.raises(InputError, match="must also span 'subject'"):
        compare_rpes(agent, references, dim="subject")
    assert "do not vary" in compare_rpes(0 * agent, references).note.item()
    one = compare_rpes(agent.isel(episode=[0]), references.isel(episode=[0]))
    assert "fewer than two episodes" in one.note.item()
    assert one.r_squared.isnull().all()


@pytest.fixture
def folder(tmp_path):
    trials = with_values(ideal(40), 0.9)
    attrs = {"config": json.dumps({"type": "Config", "discount": 0.9}), "seed": 0}
    dataset.save_run(trials.drop_vars("belief").assign_attrs(attrs), tmp_path / "run")
    return tmp_path / "run"


def test_the_command_saves_and_tells_the_comparison(folder):
    exit_code, out, err = neurometa("rpe", folder, "--json")
    assert (exit_code, err) == (0, "")
    told = json.loads(out)
    assert told["both events"]["r_squared"]["model-based"] > 0.9
    assert told["discount"] == 0.9
    saved = dataset.read(folder / "rpe.nc")
    assert saved.r_squared.sel(reference="model-based") == told["both events"]["r_squared"]["model-based"]
    np.testing.assert_allclose(saved.rpe, rpe(dataset.open_run(folder)))
    exit_code, out, err = neurometa("rpe", folder, "--discount", 0.5)
    assert (exit_code, err) == (0, "")
    assert "model-free residual" in out


def test_the_command_says_what_is_wrong(folder):
    trials = dataset.open_run(folder)
    dataset.save_run(trials.isel(step=[1]), folder)
    exit_code, out, err = neurometa("rpe", folder)
    assert (exit_code, out) == (2, "")
    assert "one step does not have" in err
    assert err.count("\n") == 1
