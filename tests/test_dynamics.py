"""Networks as dynamical systems: exact derivatives, fixed points that are known, and what outcomes do."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from shell import neurometa

from neurometa import behaviour, dataset, models, neural, report
from neurometa.agents.restless import WalkFilter
from neurometa.criteria import measures
from neurometa.errors import InputError
from neurometa.fitting import folds
from neurometa.neural.cells import GRU, LSTM, Learner
from neurometa.neural.exported import Exported, read_tensors
from neurometa.report import pictures
from neurometa.share import folder
from neurometa.training import choices

RESTLESS, REVERSAL = (folder("data/agents") / name / "0" for name in ("restless", "reversal"))


def drawn(kind, n_units=3, n_inputs=2, seed=0):
    rng, gates = np.random.default_rng(seed), {GRU: 3, LSTM: 4}[kind]
    shapes = ((gates * n_units, n_inputs), (gates * n_units, n_units), (gates * n_units,), (gates * n_units,))
    return kind(*(rng.normal(size=shape) for shape in shapes))


CELLS = {"gru": drawn(GRU), "lstm": drawn(LSTM), "learner": Learner(models.PearceHall(0.5, 0.3, 0.7, 4.0))}


@pytest.mark.parametrize("name", CELLS)
def test_jacobians_are_those_of_finite_differences(name):
    cell, rng = CELLS[name], np.random.default_rng(1)
    state, given = rng.normal(size=(4, cell.n_states)), rng.normal(size=(4, cell.n_inputs))
    if name == "learner":  # |error| has a kink at 0
        state = rng.uniform(0.1, 0.8, (4, cell.n_states))
        given = np.array([[1.0, 0, 1, 0]] * 4)
    for found, at, move in (
        (cell.jacobian(state, given), state, lambda x: cell.step(x, given)),
        (cell.input_jacobian(state, given), given, lambda x: cell.step(state, x)),
    ):
        for k in range(at.shape[1]):
            step = 1e-5 * np.eye(at.shape[1])[k]
            expected = (move(at + step) - move(at - step)) / 2e-5
            np.testing.assert_allclose(found[..., k], expected, atol=1e-7)


@pytest.mark.parametrize(("kind", "made"), [(GRU, torch.nn.GRUCell), (LSTM, torch.nn.LSTMCell)])
def test_cells_step_as_those_of_torch(kind, made):
    other = made(2, 3).double()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell = kind(*(getattr(other, name).detach().numpy() for name in names))
    given, state = torch.randn(5, 2).double(), torch.randn(5, cell.n_states).double()
    before = tuple(state.split(3, -1)) if kind is LSTM else state
    after = other(given, before)
    expected = torch.cat(after, -1) if kind is LSTM else after
    np.testing.assert_allclose(cell.step(state.numpy(), given.numpy()), expected.detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("rate", [0.1, 0.35, 0.9])
def test_a_rescorla_wagner_learner_has_the_eigenvalue_one_minus_its_rate_and_stays_at_what_is_paid(rate):
    network = neural.of_learner(models.SingleValue(rate, 4.0))
    starts = np.stack([x := np.random.default_rng(0).random(6), 1 - x], 1)
    found = neural.fixed_points(network, starts)
    for name, end in {"choice 0, rewarded": [1, 0], "choice 0, unrewarded": [0, 1]}.items():
        one = found.isel(point=np.flatnonzero(found.input == name))
        assert one.sizes["point"] == 1 and one.kind.item() == "fixed"
        np.testing.assert_allclose(one.state[0], end, atol=1e-9)
        np.testing.assert_allclose(one.eigenvalue_real[0], [1 - rate] * 2, atol=1e-9)
        assert one.time_constant.item() == pytest.approx(-1 / np.log(1 - rate))
    free = neural.fixed_points(neural.of_learner(models.RescorlaWagner(rate, 4.0)), np.full((1, 2), 0.5))
    first = free.isel(point=0)
    np.testing.assert_allclose(first.eigenvalue_real, [1, 1 - rate], atol=1e-9)  # the arm not chosen keeps its value
    np.testing.assert_allclose(first.state, [0, 0.5], atol=1e-9)


def flip_flop():
    """Three units, each of which holds the last pulse that it was given: h = (h + tanh(4 h + 8 u)) / 2."""
    n = np.eye(3)
    cell = GRU(
        np.concatenate([0 * n, 0 * n, 8 * n]),
        np.concatenate([0 * n, 0 * n, 4 * n]),
        np.concatenate([np.full(3, 50.0), np.zeros(6)]),
        np.zeros(9),
    )
    return Exported(cell, np.eye(3)[:2], np.zeros(2), np.zeros(3), {"nothing": np.zeros((1, 3))})


def test_a_flip_flop_of_three_bits_has_its_eight_corners():
    network = flip_flop()
    found = neural.fixed_points(network, np.random.default_rng(0).uniform(-1.1, 1.1, (1500, 3)))
    corner = found.isel(point=np.flatnonzero(found.stable & (found.kind == "fixed")))
    assert {tuple(np.sign(x)) for x in corner.state.values} == {
        (a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)
    }
    assert corner.sizes["point"] == 8
    np.testing.assert_allclose(np.abs(corner.state), 0.99932, atol=1e-4)
    assert found.sizes["point"] == 27  # with the saddles between them, and the top in the middle
    assert int(found.n_starts.sum() + found.n_lost.sum()) == 1500
    pulse = network.trial(corner.state.values, np.array([[1.0, 0, 0]] * 9))
    assert (pulse[:, 0] > 0.9).all()


def test_points_that_no_unit_can_come_to_are_not_told():
    n = np.eye(1)  # a unit that keeps what it has, so that every state is fixed
    cell = GRU(np.zeros((3, 1)), np.concatenate([0 * n, 0 * n, n]), np.array([0.0, 50.0, 0.0]), np.zeros(3))
    network = Exported(cell, np.ones((2, 1)), np.zeros(2), np.zeros(1), {"nothing": np.zeros((1, 1))})
    found = neural.fixed_points(network, np.array([[-3.0], [0.5], [2.0]]))
    assert found.state.values.tolist() == [[0.5]] and found.n_lost.values.tolist() == [2]


def simulated(model=None, n_episodes=6, n_trials=60):
    rng = np.random.default_rng(0)
    prob = xr.DataArray(rng.random((n_episodes, n_trials, 2)), dims=("episode", "trial", "arm"))
    return behaviour.simulate(model or models.RescorlaWagner(0.3, 4.0), prob, rng)


@pytest.mark.parametrize("model", [models.RescorlaWagner(0.3, 4.0), models.SingleValue(0.15, 2.0)], ids=repr)
def test_the_effective_learning_rate_of_a_learner_is_its_learning_rate_in_every_state(model):
    trials = simulated(model)
    found = neural.effective_learning_rate(neural.of_learner(model), trials)
    np.testing.assert_allclose(found.learning_rate, model.learning_rate, atol=1e-9)
    prob = behaviour.latents(model, trials).choice_prob
    expected = np.log(prob.isel(arm=1) / prob.isel(arm=0))
    np.testing.assert_allclose(found.log_odds, expected, atol=1e-9)


def test_saliency_of_a_learner_with_one_value_falls_by_one_minus_its_rate():
    found = neural.saliency(neural.of_learner(models.SingleValue(0.3, 4.0)), simulated(), n_lags=5)
    np.testing.assert_allclose(found.reward, 2 * 4.0 * 0.3 * 0.7 ** np.arange(5), atol=1e-9)
    assert (found.n > 0).all()


def test_a_network_fitted_to_choices_is_replayed_as_it_predicted(tmp_path):

    trials = simulated(n_episodes=6).assign_coords(subject=("episode", list("ababab")))
    held = folds.split(trials, 3)
    for settings in (
        choices.ChoiceNetwork(2, n_steps=30, n_starts=1),
        choices.ChoiceNetwork(2, 2, n_steps=30, n_starts=1),
    ):
        fitted = choices.fit_networks(settings, held)
        for who in "ab":
            network = neural.of_choices(fitted.networks, who, fold=1)
            own = trials.isel(episode=((held.fold == 1) & (held.subject == who)).values).drop_vars("subject")
            log_p = network.log_policy(neural.replay(network, own).values)
            expected = fitted.prob.isel(episode=((held.fold == 1) & (held.subject == who)).values)
            np.testing.assert_allclose(np.exp(log_p), expected, atol=1e-5)


def test_a_trained_agent_is_exported_to_what_it_does():
    from neurometa import runs

    agent, network = runs.load_agent(RESTLESS), neural.of_run(RESTLESS)
    steps = network.inputs["choice 1, rewarded"]
    state = agent.begin(1)
    state["time"] += 75  # half of the episode
    out = agent(torch.zeros(1, 0), torch.tensor([[0.0, 1.0]]), torch.ones(1), state)
    after = network.trial(network.start[None], steps)
    np.testing.assert_allclose(after[0, :48], out.record["hidden"][0].detach(), atol=1e-5)
    np.testing.assert_allclose(network.log_odds(after)[0], (out.logits[0, 1] - out.logits[0, 0]).item(), atol=1e-4)


def reversal_states(network, n=12):
    """Where chains of trials of either role lead."""
    rng, states = np.random.default_rng(0), []
    for role in range(2):
        state = np.broadcast_to(network.start, (n, len(network.start))).copy()
        for _ in range(8):
            cue = rng.integers(0, 2)
            state = network.trial(state, network.inputs[f"cue {cue}, {'rewarded' if cue == role else 'unrewarded'}"])
            states.append(state[:2])
    return np.concatenate(states)


def test_the_attractors_of_the_reversal_agent_follow_the_role_of_the_cues():
    network = neural.of_run(REVERSAL)
    found = neural.fixed_points(network, reversal_states(network))
    for name, role in {
        "cue 0, rewarded": 0,
        "cue 1, unrewarded": 0,
        "cue 1, rewarded": 1,
        "cue 0, unrewarded": 1,
    }.items():
        ends = found.isel(point=np.flatnonzero((found.input == name) & found.stable & (found.kind == "fixed")))
        assert ends.sizes["point"] >= 1, name
        assert (np.sign(ends.readout) == 2 * role - 1).all(), name


def test_the_volatility_of_a_walk_is_that_of_the_ideal_observers_filter():
    trials = dataset.example(n_episodes=3).isel(trial=slice(60))
    found = behaviour.walk_volatility(trials)
    observer = WalkFilter([(k + 0.5) * 0.02 for k in range(10)])
    belief, expected = observer.begin(3), []
    for t in range(60):
        expected.append((belief.sum(2) @ observer.volatility).numpy())
        action = torch.eye(2)[trials.choice.values[:, t].astype(int)]
        belief = observer.update(belief, action, torch.tensor(trials.reward.values[:, t]).float())
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=1e-6)
    told = behaviour.walk_volatility(trials.assign(choice=trials.choice * 0 - 1), volatility=[0.02, 0.1])
    np.testing.assert_allclose(told, 0.06)  # nothing seen
    with pytest.raises(InputError, match="all above 0"):
        behaviour.walk_volatility(trials, volatility=[0.0])


def test_measures_of_the_effective_learning_rate_are_those_worked_out_by_hand():
    trials = dataset.example(n_episodes=4)
    believed = behaviour.walk_volatility(trials)
    odds = xr.DataArray(np.random.default_rng(0).normal(size=believed.shape), dims=("episode", "trial"))
    result = xr.Dataset({"learning_rate": 2 * believed + 0.3, "log_odds": odds})
    window = [21, 150]

    def played():
        return trials

    np.testing.assert_allclose(measures.rate_with_volatility(result, trials=window, played=played), 1)
    hidden = result.assign(learning_rate=believed - 5 * odds**3)
    assert (measures.rate_with_volatility(hidden, trials=window, played=played) < 0.5).all()
    partial = measures.rate_with_volatility(hidden, trials=window, played=played, given="log_odds")
    np.testing.assert_allclose(partial, 1, atol=1e-6)
    drift = result.assign(learning_rate=xr.zeros_like(believed) - trials.drift_sd.values)
    assert float(measures.rate_with_drift(drift, trials=window, played=played)) == pytest.approx(-1)
    points = xr.Dataset(
        {
            "input": ("point", np.array(["a", "a", "b"], dtype=object)),
            "stable": ("point", [True, False, True]),
            "readout": ("point", [1.0, 9.0, 3.0]),
        }
    )
    assert float(measures.attractor(points, inputs=["a", "b"])) == 2


def test_files_that_are_no_network_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="holds no trained agent"):
        neural.of_run(tmp_path)
    (tmp_path / "bad.safetensors").write_bytes(b"12345678{")
    with pytest.raises(InputError, match="is damaged or no safetensors file"):
        read_tensors(tmp_path / "bad.safetensors")
    with pytest.raises(InputError, match="states has 3 numbers each; the network's state has 2"):
        neural.fixed_points(neural.of_learner(models.RescorlaWagner(0.3, 4.0)), np.zeros((1, 3)))


def test_an_agent_whose_observations_do_not_fit_is_refused():
    with pytest.raises(InputError, match="do not fit here"):
        neural.of_run(folder("data/agents") / "volatility" / "0")
    network = neural.of_run(REVERSAL)
    with pytest.raises(InputError, match="no outcome moves a choice"):
        neural.effective_learning_rate(network, simulated())
    with pytest.raises(InputError, match="'reward' is neither 0 nor 1"):
        trials = simulated()
        neural.replay(neural.of_learner(models.RescorlaWagner(0.3, 4.0)), trials.assign(reward=trials.reward * 2))


def test_the_command_looks_at_an_agent_and_at_a_network_fitted_to_its_choices(tmp_path):
    run = tmp_path / "restless"
    run.mkdir()
    for name in ("agent.safetensors", "config.json"):
        (run / name).write_bytes((RESTLESS / name).read_bytes())
    dataset.save_run(simulated(models.SingleValue(0.3, 4.0), 6).assign_attrs(created="now"), run)
    code, out, err = neurometa("dynamics", run, "--starts", 3, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert {row["input"] for row in told["points"]} <= {f"choice {k}, {x}rewarded" for k in (0, 1) for x in ("", "un")}
    stable = [row for row in told["points"] if row["stable"] and row["input"] == "choice 1, rewarded"]
    assert stable and all(row["readout"] > 0 for row in stable)
    assert told["reward_saliency"][0] > told["reward_saliency"][4] > 0
    assert neurometa("dynamics", run, "--starts", 3)[0] == 0
    dataset.save_run(dataset.open_run(run).assign_attrs(agent="Recurrent, untrained"), run / "untrained.nc")
    code, out, _ = neurometa("dynamics", run / "untrained.nc", "--starts", 3, "--json")
    before = json.loads(out)
    assert code == 0 and before["file"].endswith("untrained_dynamics.nc")
    assert max(abs(row["readout"]) for row in before["points"]) < 0.1 * max(abs(row["readout"]) for row in stable)
    dataset.save_run(dataset.open_run(run).assign_attrs(lesion="reset"), run / "lesion-reset.nc")
    code, _, err = neurometa("dynamics", run / "lesion-reset.nc")
    assert code == 2 and "have a lesion, which is no part of the network" in err
    drawn, notes = pictures.of_behaviour(report.find(run))
    assert "The network as a dynamical system" in {each.title for each in drawn} and not notes

    settings = choices.ChoiceNetwork(1, n_steps=30, n_starts=1)
    networks = choices.fit_networks(settings, folds.split(dataset.open_run(run), 3)).networks
    dataset.save_run(networks, run / "predict_gru_1.nc")
    assert neurometa("dynamics", run, "--of", "gru-1", "--starts", 3)[0] == 0
    code, _, err = neurometa("dynamics", run, "--of", "gru-2")
    assert code == 2 and "make it with: neurometa predict" in err
    code, _, err = neurometa("dynamics", run, "--of", "gru-1", "--subject", "nobody")
    assert code == 2 and "There is no network of 'nobody' and fold 0; there are all" in err
    code, _, err = neurometa("dynamics", run, "--starts", 0)
    assert code == 2 and "--starts is 0; it must be 1 or more" in err
