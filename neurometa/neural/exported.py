"""Trained networks as numpy arrays: read from run folders, and from what was fitted to choices."""

import dataclasses
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import log_softmax

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.exact.reversal import N_FEATURES
from neurometa.models import Model
from neurometa.neural.cells import GRU, LSTM, Cell, Learner
from neurometa.settings import modern
from neurometa.storage import read_json

MIDDLE = 0.5  # of the episode, where a network that is told the time is looked at


@dataclasses.dataclass(frozen=True)
class Exported:
    """A network, the policy that is read from its state, and what it is given in a trial.

    Parameters
    ----------
    cell : Cell
        Its equations and weights.
    head : array (option, state)
        From the state to the log odds of each option.
    bias : array (option,)
        Of the policy.
    start : array (state,)
        State before the first input.
    inputs : mapping of str to array (step, input)
        What it is given in a trial of each kind, step by step, e.g. of ``"choice 0, rewarded"``.
    value : array (state + 1,), optional
        From the state to the value that a critic expects, its bias last.
    cues : array (2, input), optional
        What a network is given when one of two cues appears, whose choices these dictate.
    """

    cell: Cell
    head: np.ndarray
    bias: np.ndarray
    start: np.ndarray
    inputs: Mapping[str, np.ndarray]
    value: np.ndarray | None = None
    cues: np.ndarray | None = None

    @property
    def reads(self) -> tuple[str, str]:
        """What `readout` is, and its units."""
        if self.cues is None:
            return "log odds of option 1", "nats"
        return "value expected of cue 1 minus that of cue 0", "reward"

    def readout(self, state: np.ndarray) -> np.ndarray:
        """Return what the network would do or expect at a state: log odds, or where cues dictate it, their values."""
        if self.cues is None or self.value is None:
            return self.log_odds(state)
        after = [self.trial(state, cue[None]) @ self.value[:-1] + self.value[-1] for cue in self.cues]
        return after[1] - after[0]

    def trial(self, state: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the state (..., state) after the steps (step, input) of a trial."""
        for given in steps:
            state = self.cell.step(state, np.broadcast_to(given, (*state.shape[:-1], len(given))))
        return state

    def trial_jacobian(self, state: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return the derivative (..., next, state) of the state after a trial by that before it."""
        whole = None
        for given in steps:
            given = np.broadcast_to(given, (*state.shape[:-1], len(given)))
            here = self.cell.jacobian(state, given)
            whole = here if whole is None else here @ whole
            state = self.cell.step(state, given)
        assert whole is not None
        return whole

    def log_odds(self, state: np.ndarray) -> np.ndarray:
        """Return the log odds of option 1 against option 0 at a state."""
        both = state @ self.head.T + self.bias
        return both[..., 1] - both[..., 0]

    def log_policy(self, state: np.ndarray) -> np.ndarray:
        """Return the log-probability of each option (..., option) at a state."""
        return log_softmax(state @ self.head.T + self.bias, axis=-1)


def choice_inputs(n_options: int) -> dict[str, np.ndarray]:
    """What a network that is fitted to choices is given: the option chosen, one-hot, and that times the reward."""
    one = np.eye(n_options)
    return {
        f"choice {k}, {name}": np.concatenate([one[k], paid * one[k]])[None]
        for k in range(n_options)
        for name, paid in (("unrewarded", 0.0), ("rewarded", 1.0))
    }


def of_choices(networks: xr.Dataset, subject: str | None = None, fold: int = 0) -> Exported:
    """Take one of the networks that `neurometa predict` fitted to choices.

    Parameters
    ----------
    networks : Dataset
        A file ``predict_gru_N.nc``.
    subject : str, optional
        Whose; by default the first.
    fold : int
        The fold that it did not see.

    Raises
    ------
    InputError
        This is no such file, or there is no such subject or fold.
    """
    dataset.require(networks, enter=("subject", "fold"), recurrent=("subject", "fold", "unit"))
    own = [str(each) for each in networks.subject.values]
    shared = "embedding" in networks
    known = [str(each) for each in networks.member.values] if shared else own
    who = known[0] if subject is None else subject
    if who not in known or fold not in networks.fold:
        raise InputError(f"There is no network of {who!r} and fold {fold}; there are {', '.join(known[:8])} and folds "
                         f"0 ... {networks.sizes['fold'] - 1}.")  # fmt: skip
    one = networks.sel(fold=fold).isel(subject=0 if shared else own.index(who))
    n = one.sizes["unit"]
    bias = one.enter.values[:, 0] * 0.0
    if shared:
        bias = one.embed.values @ one.embedding.values[known.index(who)]
    inner = np.concatenate([np.zeros(2 * n), one.bias.values])
    weight = np.concatenate([one.enter.values, one.paid.values], 1)
    cell = GRU(weight, one.recurrent.values, bias, inner)
    head = one["head"].values
    return Exported(cell, head[:, :-1], head[:, -1], one["start"].values, choice_inputs(len(head)))


def of_learner(model: Model, n_options: int = 2) -> Exported:
    """A learning model with given parameters as a network, e.g. ``models.RescorlaWagner(.3, 5.)``."""
    cell = Learner(model, n_options)
    weights = [getattr(model, name) for name in model.weights] + [0.0] * (len(model.start) - len(model.weights))
    head = np.concatenate([weight * np.eye(n_options) for weight in weights], 1)
    start = np.concatenate([np.ravel(each) for each in model.begin(np.zeros(n_options))])
    return Exported(cell, head, np.zeros(n_options), start, choice_inputs(n_options))


def of_run(run: Path) -> Exported:
    """Read the trained agent of a run folder, of a bandit or of the reversal task.

    Raises
    ------
    InputError
        There is no trained network, it is of another kind than one layer of LSTM units or gated recurrent units, or its
        task shows observations that this does not know.
    """
    run = Path(run)
    if not (run / "agent.safetensors").exists():
        raise InputError(f"{run} holds no trained agent (agent.safetensors); train one, or give --of gru-2.")
    config = read_json(run / "config.json")["config"]
    return of_weights(config, read_tensors(run / "agent.safetensors"), str(run))


def of_weights(config: dict[str, Any], tensors: Mapping[str, np.ndarray], where: str) -> Exported:
    """Read an agent of a bandit or of the reversal task, such as one before training.

    Parameters
    ----------
    config : dict
        The settings of its run, as ``config.json`` holds them.
    tensors : mapping of str to array
        Its weights.
    where : str
        What a message calls it.

    Raises
    ------
    InputError
        As `of_run`.
    """
    config = modern(config)
    network, task = config["network"], config["task"]
    kind = str(network["type"]).rpartition(".")[2].lower()
    if kind not in ("lstm", "gru") or "core.weight_ih" not in tensors or network.get("n_layers", 1) != 1:
        raise InputError(f"{where} holds a network of another kind; dynamics reads one layer of LSTM or GRU units.")
    cell = {"lstm": LSTM, "gru": GRU}[kind](
        *(tensors[f"core.{name}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    )
    n_units, n_actions = tensors["head.weight"].shape[1], len(tensors["head.bias"]) - 1
    n_options = min(n_actions, 2) if str(task["type"]).endswith("Reversal") else n_actions
    head = np.zeros((n_options, cell.n_states))
    head[:, :n_units] = tensors["head.weight"][:n_options]
    value = np.zeros(cell.n_states + 1)
    value[:n_units], value[-1] = tensors["head.weight"][-1], tensors["head.bias"][-1]
    inputs = _inputs(task, network, n_actions, cell.n_inputs)
    cues = np.stack([inputs[f"cue {k}, rewarded"][0] for k in range(2)]) if "cue 0, rewarded" in inputs else None
    return Exported(cell, head, tensors["head.bias"][:n_options], tensors["start"].ravel(), inputs, value, cues)


def _inputs(task: dict[str, Any], network: dict[str, Any], n_actions: int, n_inputs: int) -> dict[str, np.ndarray]:
    """What the agent is given in a trial of each kind: the last action and reward with each observation."""
    told = network["inputs"]

    def step(observation: np.ndarray, action: int, reward: float) -> np.ndarray:
        parts = {"observation": observation, "action": np.eye(n_actions)[action], "reward": [reward], "time": [MIDDLE]}
        return np.concatenate([parts[name] for name in told])

    if str(task["type"]).endswith("Reversal"):
        seen, found = np.eye(N_FEATURES), {}
        for cue in range(2):
            for name, paid in (("unrewarded", 0.0), ("rewarded", 1.0)):
                # the outcome of a trial comes in with the fixation of the next, so that a trial ends there
                steps = [step(seen[1 + cue], 2, 0.0), step(seen[3 + cue], 2, 0.0), step(seen[5], cue, 0.0)]
                found[f"cue {cue}, {name}"] = np.stack([*steps, step(seen[0], 2, paid)])
        return found
    none = np.zeros(0)
    plain = {
        f"choice {k}, {name}": step(none, k, paid)[None]
        for k in range(n_actions)
        for name, paid in (("unrewarded", 0.0), ("rewarded", 1.0))
    }
    if next(iter(plain.values())).shape[1] != n_inputs:
        raise InputError(
            f"The agent of {task['type']} is shown observations that are no part of choices and rewards, so that they "
            "do not fit here; dynamics reads agents of bandits and of the reversal task, and networks of choices."
        )
    return plain


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file of float32 numbers as arrays.

    Raises
    ------
    InputError
        It is damaged or holds other numbers.
    """
    whole = Path(path).read_bytes()
    try:
        (length,) = struct.unpack("<Q", whole[:8])
        header = json.loads(whole[8 : 8 + length])
        header.pop("__metadata__", None)
        found = {}
        for name, about in header.items():
            first, last = about["data_offsets"]
            numbers = np.frombuffer(
                whole[8 + length + first : 8 + length + last], {"F32": "<f4", "F64": "<f8"}[about["dtype"]]
            )
            found[name] = numbers.reshape(about["shape"]).astype(float)
        return found
    except (struct.error, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is damaged or no safetensors file of floats ({error}).") from error
