"""Recurrent networks as maps of their state, with exact derivatives: gated recurrent units, LSTMs, learning models.

Everything here is plain arrays, so that a network can be looked at without what trained it.
"""

import abc
import dataclasses

import numpy as np
from scipy.special import expit

from neurometa.models import Model

EDGE = 1e-6  # by which a hidden unit may be beyond 1, for rounding


class Cell(abc.ABC):
    """A state that moves under an input."""

    @property
    @abc.abstractmethod
    def n_states(self) -> int:
        """Numbers in the state."""

    @property
    @abc.abstractmethod
    def n_inputs(self) -> int:
        """Numbers in an input."""

    @abc.abstractmethod
    def step(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the next state (..., state) under inputs (..., input)."""

    @abc.abstractmethod
    def jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative of the next state by the state (..., next, state)."""

    @abc.abstractmethod
    def input_jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative of the next state by the input (..., next, input)."""

    def reachable(self, state: np.ndarray) -> np.ndarray:
        """Say of states (..., state) whether they can be come to: hidden units do not leave [-1, 1]."""
        return np.ones(state.shape[:-1], bool)


@dataclasses.dataclass(frozen=True)
class GRU(Cell):
    """Gated recurrent units (Cho et al. 2014), by torch's equations and order of gates: reset, update, candidate.

    Parameters
    ----------
    weight_ih : array (3 unit, input)
    weight_hh : array (3 unit, unit)
    bias_ih, bias_hh : array (3 unit,)
    """

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias_ih: np.ndarray
    bias_hh: np.ndarray

    @property
    def n_states(self) -> int:
        """Units."""
        return self.weight_hh.shape[1]

    @property
    def n_inputs(self) -> int:
        """Numbers in an input."""
        return self.weight_ih.shape[1]

    def step(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the next state."""
        _, update, candidate, _ = self._gates(state, given)
        return candidate + update * (state - candidate)

    def jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative by the state."""
        reset, update, candidate, inner = self._gates(state, given)
        by_reset, by_update, by_candidate = np.split(self.weight_hh, 3)
        d_inner = _rows(reset, by_candidate) + _rows(inner * reset * (1 - reset), by_reset)
        direct = _rows((1 - update) * (1 - candidate**2), d_inner)
        return (
            direct
            + _rows((state - candidate) * update * (1 - update), by_update)
            + _rows(update, np.eye(len(update.T)))
        )

    def input_jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative by the input."""
        reset, update, candidate, inner = self._gates(state, given)
        by_reset, by_update, by_candidate = np.split(self.weight_ih, 3)
        within = by_candidate + _rows(inner * reset * (1 - reset), by_reset)
        direct = _rows((1 - update) * (1 - candidate**2), within)
        return direct + _rows((state - candidate) * update * (1 - update), by_update)

    def reachable(self, state: np.ndarray) -> np.ndarray:
        """Say of states whether they lie within [-1, 1]."""
        return (np.abs(state) <= 1 + EDGE).all(-1)

    def _gates(self, state: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, ...]:
        """Reset, update, candidate, and the candidate's recurrent part."""
        enter = np.split(given @ self.weight_ih.T + self.bias_ih, 3, -1)
        carried = np.split(state @ self.weight_hh.T + self.bias_hh, 3, -1)
        reset, update = expit(enter[0] + carried[0]), expit(enter[1] + carried[1])
        return reset, update, np.tanh(enter[2] + reset * carried[2]), carried[2]


@dataclasses.dataclass(frozen=True)
class LSTM(Cell):
    """Long short-term memory, by torch's equations and order of gates: input, forget, candidate, output.

    The state is the hidden one, then the cell's.

    Parameters
    ----------
    weight_ih : array (4 unit, input)
    weight_hh : array (4 unit, unit)
    bias_ih, bias_hh : array (4 unit,)
    """

    weight_ih: np.ndarray
    weight_hh: np.ndarray
    bias_ih: np.ndarray
    bias_hh: np.ndarray

    @property
    def n_states(self) -> int:
        """Twice the units."""
        return 2 * self.weight_hh.shape[1]

    @property
    def n_inputs(self) -> int:
        """Numbers in an input."""
        return self.weight_ih.shape[1]

    def step(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the next state."""
        *_, release, after = self._gates(state, given)
        return np.concatenate([release * np.tanh(after), after], -1)

    def jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative by the state."""
        by_hidden, by_cell = self._derivatives(state, given, self.weight_hh)
        return np.concatenate([by_hidden, by_cell], -1)

    def input_jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative by the input."""
        return self._derivatives(state, given, self.weight_ih)[0]

    def reachable(self, state: np.ndarray) -> np.ndarray:
        """Say of states whether hidden units lie within [-1, 1]."""
        return (np.abs(np.split(state, 2, -1)[0]) <= 1 + EDGE).all(-1)

    def _derivatives(self, state: np.ndarray, given: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By what enters the gates through `weight`, and by the cell's state."""
        enter, keep, candidate, release, after = self._gates(state, given)
        old = np.split(state, 2, -1)[1]
        by_enter, by_keep, by_candidate, by_release = np.split(weight, 4)
        d_after = _rows(candidate * enter * (1 - enter), by_enter) + _rows(old * keep * (1 - keep), by_keep)
        d_after = d_after + _rows(enter * (1 - candidate**2), by_candidate)
        squashed = np.tanh(after)
        bend = release * (1 - squashed**2)
        d_hidden = _rows(squashed * release * (1 - release), by_release) + _rows(bend, d_after)
        one = np.eye(keep.shape[-1])
        by_cell = np.concatenate([_rows(bend * keep, one), _rows(keep, one)], -2)
        return np.concatenate([d_hidden, d_after], -2), by_cell

    def _gates(self, state: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, ...]:
        """Input, forget, candidate, output, and the cell's next state."""
        hidden, old = np.split(state, 2, -1)
        total = given @ self.weight_ih.T + self.bias_ih + hidden @ self.weight_hh.T + self.bias_hh
        enter, keep, candidate, release = np.split(total, 4, -1)
        enter, keep, candidate, release = expit(enter), expit(keep), np.tanh(candidate), expit(release)
        return enter, keep, candidate, release, keep * old + enter * candidate


@dataclasses.dataclass(frozen=True)
class Learner(Cell):
    """A learning model as a recurrent map: its state holds each feature of each arm, features first.

    An input is the choice, one-hot, and that times the reward. Derivatives are central differences, which are exact
    for rules that are linear in the state, as delta rules are.

    Parameters
    ----------
    model : Model
        With its parameters as numbers.
    n_options : int
        Arms.
    """

    model: Model
    n_options: int = 2

    @property
    def n_states(self) -> int:
        """Features times arms."""
        return len(self.model.start) * self.n_options

    @property
    def n_inputs(self) -> int:
        """Twice the arms."""
        return 2 * self.n_options

    def step(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the features after a trial."""
        state, given = np.broadcast_arrays(state, given) if state.shape == given.shape else (state, given)
        features = tuple(np.split(state, len(self.model.start), -1))
        chosen, paid = np.split(given, 2, -1)
        learned = self.model.update(features, chosen, paid.sum(-1, keepdims=True))
        return np.concatenate([np.broadcast_to(each, features[0].shape) for each in learned], -1)

    def jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative by the state."""
        return _differences(
            lambda x: self.step(x, np.broadcast_to(given[..., None, :], (*x.shape[:-1], self.n_inputs))), state
        )

    def input_jacobian(self, state: np.ndarray, given: np.ndarray) -> np.ndarray:
        """Return the derivative by the input."""
        return _differences(
            lambda x: self.step(np.broadcast_to(state[..., None, :], (*x.shape[:-1], self.n_states)), x), given
        )


def _rows(scale: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Rows of a matrix times numbers (..., row)."""
    return scale[..., None] * matrix


def _differences(function: object, at: np.ndarray, step: float = 1e-3) -> np.ndarray:
    moves = step * np.eye(at.shape[-1])
    ends = [function(at[..., None, :] + sign * moves) for sign in (1, -1)]  # type: ignore[operator]
    return np.swapaxes((ends[0] - ends[1]) / (2 * step), -1, -2)
