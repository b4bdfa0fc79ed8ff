"""Small recurrent networks that are fitted to choices: one for each subject and fold, all in one call.

After Ji-An, Benna & Mattar (2025): gated recurrent units, so few that their state can be drawn. The input of a step is
the option chosen, and that times what it paid; the policy of a trial is read from the state before it.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting.held_out import play
from neurometa.neural.exported import of_choices
from neurometa.training import choice_kernels as kernels

FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-8  # of Adam
FRESH = 1e-5  # nats per trial that count as better
NOBODY = "all"
NAMES = ("enter", "paid", "own", "recurrent", "bias", "head", "start")  # of weights, in the order of the kernels


@dataclasses.dataclass(frozen=True)
class ChoiceNetwork:
    """Settings of networks of gated recurrent units that predict choices.

    Parameters
    ----------
    n_units : int
        Gated recurrent units.
    n_embedding : int
        0: each subject has its own network. Else one network is shared by all subjects, each of whom has so many
        numbers that are fitted too and enter every gate.
    step_size : float
        Of Adam, in log odds; it falls to a tenth over `n_steps`.
    n_steps : int
        Steps at most, each over all training sessions of the network.
    patience : int
        Steps without a better log-likelihood on the inner fold after which it stops.
    l1 : float
        Penalty on the sum of absolute recurrent weights, in nats per trial.
    n_starts : int
        Networks begun at different weights, of which that with the best inner fold is kept.
    seed : int
        Fixes the weights that they begin with.

    Raises
    ------
    InputError
        A setting is outside its range.
    """

    n_units: int = 2
    n_embedding: int = 0
    step_size: float = 0.03
    n_steps: int = 1200
    patience: int = 200
    l1: float = 1e-5
    n_starts: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in {"n_units": 1, "n_embedding": 0, "n_steps": 1, "patience": 1, "n_starts": 1}.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if self.step_size <= 0 or self.l1 < 0:
            raise InputError(f"step_size is {self.step_size} and l1 {self.l1}; above 0 and at least 0 are allowed.")


class Fitted(NamedTuple):
    """What networks predicted of the sessions that they had not seen, and the networks.

    Attributes
    ----------
    prob : DataArray
        Probability of each option before each trial, in [0, 1], over ``episode``, ``trial`` and ``arm``.
    networks : Dataset
        Weights over ``subject`` and ``fold``, which `neurometa.neural.cells` reads; ``converged``: whether training
        ended because the inner fold was predicted no better, and not at the last step; ``n_steps`` that were kept.
    """

    prob: xr.DataArray
    networks: xr.Dataset


def fit_networks(
    settings: ChoiceNetwork, held: xr.Dataset, *, progress: Callable[[int, int], None] | None = None
) -> Fitted:
    """Fit networks to the choices of all folds but one, and let them predict that.

    The fold after the one that is held out is the inner one: it is not trained on, and says when to stop and which of
    the starts to keep.

    Parameters
    ----------
    settings : ChoiceNetwork
        Size and training.
    held : Dataset
        What `neurometa.fitting.folds.split` returned.
    progress : callable, optional
        Is told how many networks are fitted, and of how many.

    Raises
    ------
    InputError
        There are fewer than three folds, or whole subjects are held out of networks that need to know each.
    """
    n_folds = held.attrs["n_folds"]
    if n_folds < 3:
        raise InputError("n_folds is 2; a network needs 3: to train on, to say when to stop, and to predict.")
    if settings.n_embedding and held.attrs["unseen"]:
        raise InputError("A network with an embedding of each subject cannot predict one that it has not seen.")
    packed = _pack(held)
    alone = not settings.n_embedding and not held.attrs["unseen"]
    groups = [packed.subject == who for who in range(len(packed.names))] if alone else [packed.subject >= 0]
    log_p = np.full((*held.choice.shape, held.choice.attrs["n_options"]), np.nan)
    found: list[list[_Network]] = []
    for i, group in enumerate(groups):
        found.append([])
        for fold in range(n_folds):
            network = _best_of_starts(settings, packed, group, fold, n_folds)
            _predict(network, packed, np.flatnonzero(group & (packed.fold == fold)), log_p)
            found[-1].append(network)
            if progress is not None:
                progress(i * n_folds + fold + 1, len(groups) * n_folds)
    prob = xr.DataArray(np.exp(log_p), dims=("episode", "trial", "arm"))
    return Fitted(prob, _described(settings, found, packed.names if alone else [NOBODY], packed.names))


def play_networks(
    networks: xr.Dataset, held: xr.Dataset, reward_prob: xr.DataArray, rng: np.random.Generator
) -> xr.Dataset:
    """Let the networks of each fold generate choices in the sessions that they have not seen.

    Parameters
    ----------
    networks : Dataset
        Of `fit_networks`.
    held : Dataset
        What they were fitted to.
    reward_prob : DataArray
        In [0, 1], over ``episode``, ``trial`` and ``arm``, arms paying 1 or 0.
    rng : Generator
        Makes the choices and rewards.

    Returns
    -------
    Dataset
        ``choice`` and ``reward`` over ``episode`` and ``trial``.
    """
    known = networks.member if "member" in networks else networks.subject
    labels = held.subject.values.astype(str)
    alone = known.values.tolist() == [NOBODY]
    pairs = [(NOBODY if alone else str(who), int(fold)) for who, fold in zip(labels, held.fold.values, strict=True)]
    n_options = reward_prob.sizes["arm"]
    acting = [(of_choices(networks, *pair), [pair == each for each in pairs]) for pair in dict.fromkeys(pairs)]
    state = np.zeros((len(pairs), networks.sizes["unit"]))
    for network, own in acting:
        state[own] = network.start

    def policy(t: int, choice: np.ndarray, reward: np.ndarray) -> np.ndarray:
        prob = np.empty((len(pairs), n_options))
        if t:
            chosen = np.eye(n_options)[choice[:, t - 1]]
            given = np.concatenate([chosen, chosen * reward[:, t - 1, None]], 1)
        for network, own in acting:
            if t:
                state[own] = network.cell.step(state[own], given[own])
            prob[own] = np.exp(network.log_policy(state[own]))
        return prob

    return play(policy, reward_prob, rng)


class _Packed(NamedTuple):
    """Choices of each session, missed trials taken out: (sequence, trial), and where each stood."""

    choice: np.ndarray
    reward: np.ndarray
    length: np.ndarray
    place: np.ndarray
    subject: np.ndarray
    fold: np.ndarray
    names: list[str]
    n_options: int


class _Network(NamedTuple):
    """Weights by name, how training ended, and the mean log-likelihood of the inner fold."""

    weights: dict[str, np.ndarray]
    converged: bool
    n_steps: int
    inner: float


def _pack(held: xr.Dataset) -> _Packed:
    made = dataset.played(held).values
    order = np.argsort(~made, axis=1, kind="stable")
    choice = np.take_along_axis(np.where(made, held.choice.values, 0), order, 1).astype(np.int64)
    reward = np.take_along_axis(np.where(made, held.reward.values, 0.0), order, 1).astype(np.float32)
    spread = float(np.abs(reward).max(initial=0.0))
    names, subject = np.unique(held.subject.values.astype(str), return_inverse=True)
    return _Packed(
        choice,
        reward / np.float32(spread if spread > 1 else 1.0),
        made.sum(1),
        order,
        subject,
        held.fold.values,
        names.tolist(),
        held.choice.attrs["n_options"],
    )


class _Batch:
    """The sequences of one network, the longest of each part first, and room for what passes through it."""

    def __init__(self, packed: _Packed, rows: np.ndarray, n_units: int, who: np.ndarray) -> None:
        self.rows = rows[np.argsort(-packed.length[rows], kind="stable")]
        length = packed.length[self.rows]
        n_trials, n = int(length.max(initial=0)), len(self.rows)
        self.choice = np.ascontiguousarray(packed.choice[self.rows, :n_trials].T)
        self.reward = np.ascontiguousarray(packed.reward[self.rows, :n_trials].T)
        n_active = (length[:, None] > np.arange(n_trials)).sum(0)
        self.length = length
        self.sequences = (self.choice, self.reward, who[self.rows], n_active)
        shapes = ((n_trials + 1, n_units, n), (n_trials, 3 * n_units, n), (n_trials, n_units, n))
        self.log_p = np.empty((n_trials, packed.n_options, n), np.float32)
        self.filled = (*(np.empty(shape, np.float32) for shape in shapes), self.log_p)
        self.room = tuple(np.empty((k * n_units, n), np.float32) for k in (1, 3, 1))
        self.each = np.empty(n)

    def forward(self, weights: dict[str, np.ndarray]) -> float:
        """Mean log-likelihood of a choice, in nats."""
        kernels.forward(self.sequences, _arrays(weights), self.filled)
        kernels.log_likelihood(self.choice, self.sequences[3], self.log_p, self.each)
        return float(self.each.sum() / max(1, self.length.sum()))

    def gradient(self, weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Gradient of the mean log-likelihood by each of the weights, after `forward`."""
        given = _arrays(weights)
        found = {name: np.zeros(each.shape) for name, each in zip(NAMES, given, strict=True)}
        kernels.backward(self.sequences, given, self.filled, self.room, tuple(found.values()))
        own = found.pop("own")
        if "embedding" in weights:
            found["embedding"], found["embed"] = own @ weights["embed"], own.T @ weights["embedding"]
        return {name: each / max(1, self.length.sum()) for name, each in found.items()}


def _arrays(weights: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """What the kernels read, with what each subject's embedding gives to each gate (subject, 3 unit)."""
    if "embedding" in weights:
        own = np.ascontiguousarray(weights["embedding"] @ weights["embed"].T)
    else:
        own = np.zeros((1, len(weights["enter"])), np.float32)
    return tuple(own if name == "own" else weights[name] for name in NAMES)


def _best_of_starts(settings: ChoiceNetwork, packed: _Packed, group: np.ndarray, fold: int, n_folds: int) -> _Network:
    inner = (fold + 1) % n_folds
    who = packed.subject if settings.n_embedding else np.zeros_like(packed.subject)
    parts = [group & (packed.fold != fold) & (packed.fold != inner), group & (packed.fold == inner)]
    train, validate = (_Batch(packed, np.flatnonzero(part), settings.n_units, who) for part in parts)
    found = []
    for start in range(settings.n_starts):
        rng = np.random.default_rng([settings.seed, settings.n_units, start])
        weights = _begin(settings, packed.n_options, len(packed.names), rng)
        found.append(_train(settings, weights, train, validate))
    return max(found, key=lambda each: each.inner)


def _begin(settings: ChoiceNetwork, n_options: int, n_subjects: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights to begin with, uniform within 1 / sqrt(units), as torch draws them."""
    n, reach = settings.n_units, 1 / np.sqrt(settings.n_units)

    def drawn(*shape: int) -> np.ndarray:
        return rng.uniform(-reach, reach, shape).astype(np.float32)

    weights = {"enter": drawn(3 * n, n_options), "paid": drawn(3 * n, n_options), "recurrent": drawn(3 * n, n)}
    weights |= {"bias": drawn(n), "head": drawn(n_options, n + 1), "start": np.zeros(n, np.float32)}
    if settings.n_embedding:
        small = 0.1 * rng.normal(size=(n_subjects, settings.n_embedding))
        weights |= {"embedding": small.astype(np.float32), "embed": drawn(3 * n, settings.n_embedding)}
    return weights


def _train(settings: ChoiceNetwork, weights: dict[str, np.ndarray], train: _Batch, validate: _Batch) -> _Network:
    """Climb by Adam until the inner fold has not been predicted better for a while."""
    mean, square = ({name: np.zeros(each.shape) for name, each in weights.items()} for _ in range(2))
    best, kept, top = validate.forward(weights), 0, {name: each.copy() for name, each in weights.items()}
    marked, step = best, 0
    for step in range(1, settings.n_steps + 1):
        train.forward(weights)
        gradient = train.gradient(weights)
        gradient["recurrent"] -= settings.l1 * np.sign(weights["recurrent"])
        size = settings.step_size * 0.1 ** (step / settings.n_steps)
        for name, slope in gradient.items():
            mean[name] += (1 - FIRST) * (slope - mean[name])
            square[name] += (1 - SECOND) * (slope**2 - square[name])
            change = mean[name] / (1 - FIRST**step) / (np.sqrt(square[name] / (1 - SECOND**step)) + EPSILON)
            weights[name] += (size * change).astype(np.float32)
        if step % 5 == 0 or step == settings.n_steps:
            now = validate.forward(weights)
            if now > best:
                best, top = now, {name: each.copy() for name, each in weights.items()}
            if now > marked + FRESH:
                marked, kept = now, step
            if step - kept >= settings.patience:
                return _Network(top, True, step, best)
    return _Network(top, False, step, best)


def _predict(network: _Network, packed: _Packed, rows: np.ndarray, log_p: np.ndarray) -> None:
    """Fill in the log-probabilities of the choices of sessions, each where its trial stood."""
    if not len(rows):
        return
    who = packed.subject if "embedding" in network.weights else np.zeros_like(packed.subject)
    batch = _Batch(packed, rows, len(network.weights["start"]), who)
    batch.forward(network.weights)
    for s, row in enumerate(batch.rows):
        n = packed.length[row]
        log_p[row, packed.place[row, :n]] = batch.log_p[:n, :, s]


def _described(settings: ChoiceNetwork, found: list[list[_Network]], own: list[str], subjects: list[str]) -> xr.Dataset:
    """Weights and how training ended, labelled."""
    dims = {
        "enter": ("gate", "option"), "paid": ("gate", "option"), "recurrent": ("gate", "unit"), "bias": ("unit",),
        "head": ("option", "unit_and_bias"), "start": ("unit",), "embedding": ("member", "factor"),
        "embed": ("gate", "factor"),
    }  # fmt: skip
    result = xr.Dataset(coords={"subject": np.array(own, dtype=object), "fold": np.arange(len(found[0]))})
    for name in found[0][0].weights:
        values = np.array([[network.weights[name] for network in row] for row in found])
        result[name] = (("subject", "fold", *dims[name]), values.astype(float))
    if settings.n_embedding:
        result = result.assign_coords(member=np.array(subjects, dtype=object))
    for name in ("converged", "n_steps", "inner"):
        result[name] = (("subject", "fold"), [[getattr(network, name) for network in row] for row in found])
    result.inner.attrs = {"long_name": "mean log-likelihood of the inner fold", "units": "nats"}
    told = {name: value for name, value in dataclasses.asdict(settings).items()}
    return result.assign_attrs(kind="gru", **told)
