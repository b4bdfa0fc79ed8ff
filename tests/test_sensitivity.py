"""Derivatives that a model's own equations carry along: beside differences; from arrays and from a compiled loop."""

import numpy as np
import pytest

from neurometa.fitting import compiled, sensitivity
from neurometa.fitting.jets import Jet
from neurometa.fitting.likelihood import Choices, gaps, score
from neurometa.models import MODELS, Behrens, LatentState, PearceHall, RescorlaWagner, SingleValue

KINDS = (*MODELS, PearceHall, LatentState, RescorlaWagner.starting("fitted"), SingleValue.starting("fitted"))


def some_choices(n_options, n_columns=6, n_trials=25, seed=0):
    rng = np.random.default_rng(seed)
    arms = rng.integers(2, n_options + 1, (n_columns, 1))
    choice = (rng.random((n_trials, n_columns, 1)) * arms).astype(int)
    choice[rng.random(choice.shape) < 0.1] = -1
    reward = rng.integers(0, 2, choice.shape).astype(float) * (choice >= 0)
    return Choices(choice, reward, n_options, arms=None if n_options == 2 else arms)


def some_places(kind, n_points, seed=1):
    rng = np.random.default_rng(seed)
    return np.array(
        [
            rng.uniform(0.1, 0.9, n_points) if name in kind.rates() else rng.uniform(1, 5, n_points)
            for name in (*kind.rates(), *kind.weights)
        ]
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind.parameters()))
@pytest.mark.parametrize("n_options", [2, 3])
def test_gradient_and_hessian_are_those_of_differences_of_the_likelihood(kind, n_options):
    if kind.n_options not in (None, n_options):
        pytest.skip("a model of two arms")
    choices, place, n_rates = some_choices(n_options), some_places(kind, 6), len(kind.rates())
    surface = sensitivity.Surface(kind, choices, np.ones(n_rates, bool))
    surface.loop = None
    column = np.arange(6)
    value, gradient, hessian = surface.at(place, column)
    np.testing.assert_allclose(value, score(gaps(kind, choices, place[:n_rates, None]), place[n_rates:])[0], atol=1e-10)
    for k in range(len(place)):
        step = np.zeros((len(place), 1))
        step[k] = 1e-5
        up, down = surface.at(place + step, column), surface.at(place - step, column)
        np.testing.assert_allclose(gradient[k], (up[0] - down[0]) / 2e-5, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(hessian[k], (up[1] - down[1]) / 2e-5, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("kind", [RescorlaWagner, SingleValue])
def test_a_compiled_loop_and_arrays_agree_to_rounding(kind, monkeypatch):
    monkeypatch.setattr(compiled, "ENOUGH", 0)
    monkeypatch.setattr(compiled, "FEW", 0)
    for n_options in (2, 3) if kind.n_options is None else (2,):
        choices, place, column = some_choices(n_options), some_places(kind, 12), np.arange(12) % 6
        windowed = choices._replace(first=np.full(6, 4), stop=np.full(6, 15))
        for each in (choices, windowed):
            loop = sensitivity.Surface(kind, each, np.ones(1, bool))
            arrays = sensitivity.Surface(kind, each, np.ones(1, bool))
            arrays.quick = True
            for mine, other in zip(loop.at(place, column), arrays.at(place, column), strict=True):
                np.testing.assert_allclose(mine, other, atol=1e-11)
            assert loop.loop is not None and arrays.loop is None


@pytest.mark.parametrize("kind", [*KINDS, Behrens], ids=lambda kind: "-".join(kind.parameters()))
def test_every_model_that_comes_along_can_be_written_down_as_a_loop(kind):
    source, _ = compiled._written(kind, (True,) * len(kind.rates()))
    compile(source, "<loop>", "exec")


@pytest.mark.slow  # three compilations
def test_damaged_machine_code_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiled, "_compiled", {})
    monkeypatch.setattr(compiled, "ENOUGH", 0)
    monkeypatch.setattr(compiled, "FEW", 0)
    choices, place = some_choices(2), some_places(SingleValue, 6)

    def found():
        return sensitivity.Surface(SingleValue, choices, np.ones(1, bool)).at(place, np.arange(6))[0]

    first = found()
    for file in tmp_path.rglob("*.nbc"):
        file.write_bytes(b"damaged")
    monkeypatch.setattr(compiled, "_compiled", {})
    np.testing.assert_array_equal(found(), first)


def test_jets_follow_the_chain_rule():
    x, y = Jet.parameter(np.array([0.7]), 0), Jet.parameter(np.array([1.3]), 1)
    made = abs(-(x * y) / (1 - x) ** 2) + 2.0**x - y**0.5 * (x < y)

    def f(a, b):
        return abs(-(a * b) / (1 - a) ** 2) + 2.0**a - b**0.5

    h = 1e-4
    assert made.value[0] == pytest.approx(f(0.7, 1.3))
    assert made.slope[0][0] == pytest.approx((f(0.7 + h, 1.3) - f(0.7 - h, 1.3)) / 2 / h, rel=1e-5)
    assert made.bend[0, 0][0] == pytest.approx((f(0.7 + h, 1.3) - 2 * f(0.7, 1.3) + f(0.7 - h, 1.3)) / h**2, rel=1e-4)
    across = f(0.7 + h, 1.3 + h) - f(0.7 + h, 1.3 - h) - f(0.7 - h, 1.3 + h) + f(0.7 - h, 1.3 - h)
    assert made.bend[0, 1][0] == pytest.approx(across / 4 / h**2, rel=1e-4)
