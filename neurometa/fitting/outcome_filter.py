"""Exact inference on a grid of a reward probability r, its volatility v, and the rate k at which that changes."""

from typing import NamedTuple

import numpy as np
from scipy import special

from neurometa.errors import InputError

CELLS = 1 << 20  # of beliefs held at once: 8 MB
N_BINS = 30  # of Behrens' learner in each of r, v and k
LOG_SPREAD = (-np.log(10_000), -np.log(2))  # v: the Beta density has weights of 10,000 to 2 in all
LOG_RATE = (np.log(5e-4), np.log(20))  # k: SD of a step of v, from none to anywhere


class World(NamedTuple):
    """How arm 0 pays and how the world moves from trial to trial; arm 1 pays where arm 0 would not.

    Attributes
    ----------
    pays : float array (v, r)
        Probability that arm 0 pays.
    of_volatility : float array (k, v, next v)
        Probability of the next volatility.
    of_prob : float array (v, r, next r)
        Probability of the next r.
    volatility_first : bool
        Whether r moves by the next v, not by the one that there was.
    """

    pays: np.ndarray
    of_volatility: np.ndarray
    of_prob: np.ndarray
    volatility_first: bool

    def move(self, belief: np.ndarray) -> np.ndarray:
        """Belief (k, v, r, episode) a trial later."""
        for volatility in (self.volatility_first, not self.volatility_first):
            n_k, n_v, n_r, n_episodes = belief.shape
            if volatility:
                moved = self.of_volatility.swapaxes(1, 2) @ belief.reshape(n_k, n_v, -1)
                belief = moved.reshape(belief.shape)
            else:
                moved = self.of_prob.swapaxes(1, 2) @ belief.transpose(1, 2, 0, 3).reshape(n_v, n_r, -1)
                belief = moved.reshape(n_v, n_r, n_k, n_episodes).transpose(2, 0, 1, 3)
        return belief


def expectations(first_paid: np.ndarray, world: World, wanted: list[np.ndarray]) -> list[np.ndarray]:
    """Posterior means before each trial, from a uniform belief on.

    Parameters
    ----------
    first_paid : float array (..., trial)
        1 where arm 0 paid or arm 1 did not, 0 where it was the other way, NaN where nothing was seen: the world
        moves on then.
    world : World
        What is known of it.
    wanted : list of float array (v, r)
        Functions of the hidden state.

    Returns
    -------
    list of float array (..., trial)
        The mean of each.

    Raises
    ------
    InputError
        An outcome has probability 0 under every state of the world.
    """
    n_trials = first_paid.shape[-1]
    flat = first_paid.reshape(-1, n_trials)
    shape = (len(world.of_volatility), *world.pays.shape)
    width = max(1, CELLS // int(np.prod(shape)))
    found = np.empty((len(wanted), *flat.shape))
    for start in range(0, len(flat), width):
        some = flat[start : start + width]
        belief = np.full((*shape, len(some)), 1 / np.prod(shape))
        for trial in range(n_trials):
            marginal = belief.sum(0)
            for mean, each in zip(found, wanted, strict=True):
                mean[start : start + width, trial] = np.tensordot(each, marginal, 2)
            outcome, pays = some[:, trial], world.pays[..., None]
            after = belief * np.where(np.isnan(outcome), 1.0, np.where(outcome > 0, pays, 1 - pays))
            total = after.sum((0, 1, 2))
            if not (total > 0).all():
                raise InputError(
                    f"An outcome of trial {trial} (from 0) is impossible under 'prob'; give less certain ones."
                )
            belief = world.move(after / total)
    return [each.reshape(first_paid.shape) for each in found]


def behrens_world(n_bins: int = N_BINS) -> tuple[World, np.ndarray, np.ndarray]:
    r"""World of Behrens et al. (2007): r walks by a Beta density, and the logarithm of its spread walks too.

    .. math::

        r_{t+1} \sim \mathrm{Beta}(r_t / V, (1 - r_t) / V),\ V = \exp v_{t+1}, \qquad
        v_{t+1} \sim N(v_t, K),\ K = \exp k \text{ its SD}

    Each next r has the mean r_t; its probability in a bin is that between the bin's edges. Bins of r are equal
    parts of [0, 1], those of v and k equal parts of `LOG_SPREAD` and `LOG_RATE`; all stand for their middles.

    Returns
    -------
    World, float array (r,), float array (v,)
        The world, and the middles of the bins of r and v.
    """
    edges, middles = {}, {}
    for name, (low, high) in {"r": (0.0, 1.0), "v": LOG_SPREAD, "k": LOG_RATE}.items():
        edges[name] = np.linspace(low, high, n_bins + 1)
        middles[name] = (edges[name][1:] + edges[name][:-1]) / 2
    r, v, k = middles.values()
    weight = np.exp(-v)[:, None, None]
    below = special.betainc(r[:, None] * weight, (1 - r[:, None]) * weight, edges["r"])
    of_prob = np.diff(below, axis=-1)
    steps = np.diff(special.ndtr((edges["v"] - v[:, None]) / np.exp(k)[:, None, None]), axis=-1)
    of_volatility = steps / steps.sum(-1, keepdims=True)  # v stays within its bounds
    return World(np.broadcast_to(r, (n_bins, n_bins)), of_volatility, of_prob, True), r, v
