"""The best learning rate and inverse temperature of trials that score, of a delta rule on one value of two arms.

Which trials score may differ from target to target, while all learn from the first trial on: one pass through the
trials scans a grid for all targets at once, which is then refined around each target's best point. The equations are
those of `neurometa.behaviour.volatility`.
"""

from typing import NamedTuple

import numpy as np

ANGLES = np.linspace(0, 1, 41)  # a rate is (1 - cos(pi * angle)) / 2, so that the grid is finest near 0 and 1
LOG_TEMPERATURES = np.linspace(np.log(0.1), np.log(300), 25)  # of the inverse temperature, per unit of reward
OFFSETS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])  # of the finer grids, in spacings of the one before
N_FINER = 4


class _Play(NamedTuple):
    """Arrays (trial, episode): 1 for arm 0, -1 for arm 1, 0 for none; x of the equations; both magnitudes."""

    sign: np.ndarray
    outcome: np.ndarray
    magnitude0: np.ndarray
    magnitude1: np.ndarray

    def learn(self, prob: np.ndarray, rate: np.ndarray, trial: int) -> np.ndarray:
        """V after a trial, (..., episode); a missed one teaches nothing."""
        return prob + rate * np.abs(self.sign[trial]) * (self.outcome[trial] - prob)

    def advantage(self, prob: np.ndarray, trial: int) -> np.ndarray:
        """What the choice made was worth more than the other, (..., episode); 0 where none was made."""
        return self.sign[trial] * (prob * self.magnitude0[trial] - (1 - prob) * self.magnitude1[trial])


def maximum(
    scores: np.ndarray,
    choice: np.ndarray,
    reward: np.ndarray,
    magnitude0: np.ndarray | float = 1.0,
    magnitude1: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Most likely parameters of targets, each of which scores some trials of all episodes.

    Parameters
    ----------
    scores : bool array (target, trial)
        Which trials score.
    choice, reward : array (trial, episode)
        0 or 1, -1 where none was made; an arm paid where its reward is above 0.
    magnitude0, magnitude1 : float or float array (trial, episode)
        What each arm pays, in units of reward.

    Returns
    -------
    float array (7, target)
        Learning rate, inverse temperature, log-likelihood (nats), the standard errors of both parameters, how many
        trials scored, and whether a parameter is on its bound. NaN where nothing scored.
    """
    sign = np.where(choice < 0, 0.0, 1.0 - 2.0 * choice)
    outcome = ((choice == 0) == (reward > 0)).astype(float)
    m0, m1 = (np.broadcast_to(m, sign.shape).astype(float) for m in (magnitude0, magnitude1))
    play = _Play(sign, outcome, m0, m1)
    coarse = scores.astype(float) @ _scan(play)  # (target, angle x temperature)
    at = np.stack(np.unravel_index(coarse.argmax(1), (len(ANGLES), len(LOG_TEMPERATURES))))
    place = np.stack([ANGLES[at[0]], LOG_TEMPERATURES[at[1]]])  # (2, target)
    step = np.array([ANGLES[1], LOG_TEMPERATURES[1] - LOG_TEMPERATURES[0]])[:, None]
    low, high = (np.array([[ANGLES[i]], [LOG_TEMPERATURES[i]]]) for i in (0, -1))
    targets = np.arange(place.shape[1])
    for finer in range(N_FINER):
        tried = [np.clip(place[i, :, None] + step[i] * OFFSETS, low[i], high[i]) for i in range(2)]
        value = _score(play, scores, *tried)  # (target, angle, temperature)
        best = np.unravel_index(value.reshape(len(targets), -1).argmax(1), value.shape[1:])
        place = np.stack([tried[i][targets, best[i]] for i in range(2)])
        if finer < N_FINER - 1:
            step = step / 2
    at_bound = ((place <= low) | (place >= high)).any(0)
    tried = [place[i, :, None] + step[i] * OFFSETS[1:4] for i in range(2)]
    moved, curvature = _parabola(_score(play, scores, *tried), step / 2)
    inside = ~at_bound & np.isfinite(moved).all(0)
    place = np.where(inside, place + np.clip(moved, -step, step), place)
    top = _score(play, scores, *(each[:, None] for each in place))[:, 0, 0]
    n = (scores.astype(float) @ (play.sign != 0).sum(1)).astype(float)
    variance = np.where(inside, curvature, np.nan)
    rate, temperature = (1 - np.cos(np.pi * place[0])) / 2, np.exp(place[1])
    slope = np.pi * np.sin(np.pi * place[0]) / 2  # of the rate by its angle
    found = np.stack([rate, temperature, top, slope * variance[0] ** 0.5, temperature * variance[1] ** 0.5])
    return np.concatenate([np.where(n > 0, found, np.nan), [n, at_bound & (n > 0)]])


def _scan(play: _Play) -> np.ndarray:
    """Log-likelihood of every trial, summed over episodes, over the whole grid, (trial, angle x temperature)."""
    rate = ((1 - np.cos(np.pi * ANGLES)) / 2)[:, None].astype(np.float32)
    temperature = np.exp(LOG_TEMPERATURES)[:, None, None].astype(np.float32)
    prob = np.full((len(ANGLES), play.sign.shape[1]), 0.5, np.float32)
    found = np.empty((len(play.sign), len(ANGLES), len(LOG_TEMPERATURES)))
    for trial in range(len(play.sign)):
        gain = temperature * play.advantage(prob, trial).astype(np.float32)
        found[trial] = -_softplus(-gain).sum(-1).T + np.log(2) * (play.sign[trial] == 0).sum()
        prob = play.learn(prob, rate, trial).astype(np.float32)
    return found.reshape(len(found), -1)


def _score(play: _Play, scores: np.ndarray, angle: np.ndarray, log_temperature: np.ndarray) -> np.ndarray:
    """Log-likelihood of each target at parameters of its own, (target, angle, temperature)."""
    rate = ((1 - np.cos(np.pi * angle)) / 2)[..., None]  # (target, angle, 1)
    temperature = np.exp(log_temperature)
    value = np.zeros((*angle.shape, log_temperature.shape[1]))
    prob = np.full((*angle.shape, play.sign.shape[1]), 0.5)
    for trial in range(len(play.sign)):
        now = np.flatnonzero(scores[:, trial])
        gain = temperature[now, None, :, None] * play.advantage(prob[now], trial)[:, :, None]
        value[now] += np.log(2) * (play.sign[trial] == 0).sum() - _softplus(-gain).sum(-1)
        prob = play.learn(prob, rate, trial)
    return value


def _softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _parabola(value: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Top of the parabola through 3 x 3 values, (2, target), from their middle; and the variances it implies."""
    first = (value[:, 2, 1] - value[:, 0, 1]) / 2, (value[:, 1, 2] - value[:, 1, 0]) / 2
    middle = value[:, 1, 1]
    aa, bb = value[:, 2, 1] - 2 * middle + value[:, 0, 1], value[:, 1, 2] - 2 * middle + value[:, 1, 0]
    ab = (value[:, 2, 2] - value[:, 2, 0] - value[:, 0, 2] + value[:, 0, 0]) / 4
    determinant = aa * bb - ab**2
    peaked = (aa < 0) & (determinant > 0)
    over = np.where(peaked, determinant, np.nan)
    moved = np.stack([ab * first[1] - bb * first[0], ab * first[0] - aa * first[1]]) / over
    return moved * step, np.stack([-bb, -aa]) / over * step**2
