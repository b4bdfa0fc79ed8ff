"""Where to begin to fit `models.LatentState`: its rates are scanned in log-odds, with the best slope at each.

The likelihood is concave in the slope. Log-odds of the belief move by those of the better arm's probability on every
trial, and are capped by those of the hazard rate, so that both matter in log-odds, however small the hazard is.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from neurometa.fitting.multistart import BEYOND, peaks
from neurometa.models import LatentState

MOVES = np.linspace(0, 1, 28) ** 2  # of the way between the bounds of the better arm's probability, in log-odds
CAPS = np.concatenate([30 * np.linspace(0, 1, 61) ** 1.5, np.geomspace(32, BEYOND, 16)])  # minus the hazard's log-odds
FIRST = np.array([0.1, 0.5, 0.9])  # of the way between the bounds of a first belief
RATES = ("hazard_rate", "better_prob")


class Sequence(NamedTuple):
    """Trials that were played, of all members one after another (trial,): `fresh` at the first one of each."""

    fresh: np.ndarray
    chosen: np.ndarray
    reward: np.ndarray


def sequence(choice: np.ndarray, reward: np.ndarray) -> Sequence:
    """Join the trials of members (member, trial); missed ones, at which `choice` is -1, neither score nor teach."""
    played = choice >= 0
    fresh = played & (played.cumsum(1) == 1)
    return Sequence(fresh[played], choice[played].astype(float), reward[played].astype(float))


def score(model: type[LatentState], trials: Sequence, points: np.ndarray) -> np.ndarray:
    """Log-likelihood (point,) at the model's parameters (point, parameter), in nats."""
    from neurometa.fitting import latent_state_kernel  # loads numba, of which other fits have no need

    return latent_state_kernel.value(_with_first(model, points), *trials)


def starts(model: type[LatentState], trials: Sequence, lower: np.ndarray, upper: np.ndarray, most: int) -> np.ndarray:
    """Nodes of the scan that no neighbour tops (point, parameter), the most probable first, at most so many."""
    from neurometa.fitting import latent_state_kernel

    low, high = (np.clip(special.logit(bound[:2]), -BEYOND, BEYOND) for bound in (lower, upper))
    caps = np.unique(np.clip(-CAPS, low[0], high[0]))
    moves = np.unique(low[1] + (high[1] - low[1]) * MOVES)
    rates = special.expit(np.stack(np.meshgrid(caps, moves, indexing="ij"), -1)).reshape(-1, 2)
    rates = np.clip(rates, lower[:2], upper[:2])
    middle = np.full(len(rates), np.clip(3.0, lower[2], upper[2]))
    firsts = np.unique(lower[3:] + (upper[3:] - lower[3:]) * FIRST[:, None], axis=0)  # of a first belief that is fitted
    found, value = [], []
    for first in firsts:
        points = np.column_stack([rates, middle, np.tile(first, (len(rates), 1))])
        points[:, 2], reached = latent_state_kernel.scan(_with_first(model, points), lower[2], upper[2], *trials)
        top = peaks(reached.reshape(len(caps), len(moves)))[:most]
        found.append(points[top])
        value.append(reached[top])
    order = np.argsort(-np.concatenate(value), kind="stable")[:most]
    return np.concatenate(found)[order]


def _with_first(model: type[LatentState], points: np.ndarray) -> np.ndarray:
    """Hazard rate, better probability, slope and the first belief that option 1 is the better one (point, 4)."""
    rates = [points[:, model.parameters().index(name)] for name in model.rates()]
    first = np.broadcast_to(model.first(np.ones(len(points)), *rates)[0], len(points))
    return np.column_stack([points[:, :3], first])
