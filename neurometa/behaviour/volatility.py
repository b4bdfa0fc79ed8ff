r"""Learning rates that come and go within an episode: a delta rule scored on a few trials of many episodes.

The model knows that two arms pay with V and 1 - V and sees what each would pay (Wang et al.
2018, simulation 2; Behrens et al. 2007):

.. math::

    V \leftarrow V + \alpha (x - V), \qquad
    P(\text{arm 0}) = \frac{1}{1 + \exp(-\beta (V m_0 - (1 - V) m_1))}

x is 1 where arm 0 paid or arm 1 did not. V is 0.5 before the first trial and evolves from
there, whichever trials score; ``magnitude`` m is 1 where the trials have none.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from neurometa.dataset import n_options, played, require, valid
from neurometa.errors import InputError

ANGLES = np.linspace(0, 1, 41)  # a rate is (1 - cos(pi * angle)) / 2, so that the grid is finest near 0 and 1
LOG_TEMPERATURES = np.linspace(np.log(0.1), np.log(300), 25)  # of the inverse temperature, per unit of reward
OFFSETS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])  # of the finer grids, in spacings of the one before
N_FINER = 4
ORDERS = {False: "stable-first", True: "volatile-first"}  # by `volatile` on the first trial
BLOCKS = ("Stable 1", "Volatile 1", "Volatile 2", "Stable 2")


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


def sliding_learning_rate(trials: xr.Dataset, *, window: int = 10, by: xr.DataArray | None = None) -> xr.Dataset:
    """Fit the learning rate of every few consecutive trials, pooled over episodes that share a course.

    Values evolve from the first trial of an episode; only the trials of the window score
    (Wang et al. 2018, Methods of simulation 2).

    Parameters
    ----------
    trials : Dataset
        ``choice`` between two options and ``reward`` over ``episode`` and ``trial``;
        ``magnitude`` (episode, trial, arm) if arms pay what they show. Without it rewards must be 0 or 1.
    window : int
        Trials that score, at least 1.
    by : DataArray
        Label of each ``episode``; those of one label are pooled. By default all are.

    Returns
    -------
    Dataset
        Over ``group`` (the labels; ``"all"`` by default), ``window`` (its first trial) and
        the other dims: ``learning_rate`` in [0, 1], ``inverse_temperature`` per unit of
        reward, their standard errors ``learning_rate_se`` and ``inverse_temperature_se`` (from the curvature of
        the likelihood; NaN on a bound), ``log_likelihood`` in nats, ``n_trials`` that
        scored, ``n_episodes``, and whether an estimate is ``at_bound``. NaN where nothing scored.

    Raises
    ------
    InputError
        A variable is absent, there are not two options, rewards are others than 0 and 1 and come
        without magnitudes, the window does not fit, or `by` labels other episodes.
    """
    _check(trials, window)
    label = xr.DataArray(np.full(trials.sizes["episode"], "all", dtype=object), dims="episode") if by is None else by
    if label.dims != ("episode",) or label.sizes["episode"] != trials.sizes["episode"]:
        raise InputError(f"by is {dict(label.sizes)}; it must label the {trials.sizes['episode']} episodes.")
    n_trials = trials.sizes["trial"]
    first = np.arange(n_trials - window + 1)
    scores = (np.arange(n_trials) >= first[:, None]) & (np.arange(n_trials) < first[:, None] + window)
    names = np.unique(label.values)
    fits = [_fit(trials.isel(episode=np.flatnonzero(label.values == name)), scores, "window") for name in names]
    result = xr.concat(fits, "group").assign_coords(group=names.astype(object), window=first)
    result.window.attrs = {"long_name": f"first of {window} trials"}
    return result.assign_attrs(window=window)


def block_learning_rate(trials: xr.Dataset, *, window: int = 10) -> xr.Dataset:
    """Fit the learning rate of the stable and the volatile half of an episode, whichever came first.

    Parameters
    ----------
    trials : Dataset
        As for `sliding_learning_rate`, with ``volatile`` over ``episode`` and ``trial``: in
        every episode one stable and one volatile block, at the same trials.
    window : int
        Trials of the sliding windows.

    Returns
    -------
    Dataset
        Over ``block`` (``"Stable 1"``, ``"Volatile 1"``: first in their episode; ``"Volatile 2"``,
        ``"Stable 2"``: second) the variables of `sliding_learning_rate`, all trials of the block scoring,
        and ``window_mean``, the mean rate of the windows that lie in the block. Over ``order``:
        ``ratio`` of the volatile to the stable rate. Over ``order`` and ``window``:
        ``sliding_rate`` and ``sliding_rate_se``. NaN for an order that no episode has.

    Raises
    ------
    InputError
        As `sliding_learning_rate`; or the episodes do not have these blocks.
    """
    _check(trials, window)
    require(trials, volatile=("episode", "trial"))
    volatile = trials.volatile.transpose("episode", "trial", ...).astype(bool)
    if volatile.ndim > 2:
        raise InputError(f"'volatile' spans {volatile.dims}; it must span 'episode' and 'trial' alone.")
    course = volatile.values
    changes = (course[:, 1:] != course[:, :-1]).sum(1)
    if (changes != 1).any():
        odd = int(np.flatnonzero(changes != 1)[0])
        raise InputError(
            f"'volatile' changes {changes[odd]} times in episode {odd}; blocks need one stable and one volatile "
            "half, as of: neurometa rollout with a test order."
        )
    n_trials = course.shape[1]
    first = np.arange(n_trials - window + 1)
    windows = (np.arange(n_trials) >= first[:, None]) & (np.arange(n_trials) < first[:, None] + window)
    blocks, slid = {}, {}
    shown = valid(trials).transpose("trial", ...).values.reshape(n_trials, -1).any(1)  # else padding in every episode
    for starts_volatile, order in ORDERS.items():
        members = np.flatnonzero(course[:, 0] == starts_volatile)
        if not len(members):
            continue
        now = course[members]
        if (now != now[0]).any():
            raise InputError(f"'volatile' does not change at the same trial in all {order} episodes.")
        halves = np.stack([now[0] == starts_volatile, now[0] != starts_volatile])
        names = ("Volatile 1", "Stable 2") if starts_volatile else ("Stable 1", "Volatile 2")
        fitted = _fit(trials.isel(episode=members), np.concatenate([halves, windows]), "target")
        slid[order] = fitted.isel(target=slice(2, None)).rename(target="window")
        for i, name in enumerate(names):
            inside = [bool((halves[i] & shown | ~each).all()) for each in windows]
            mean = slid[order].learning_rate.isel(window=np.flatnonzero(inside)).mean("window")
            blocks[name] = fitted.isel(target=i).assign(window_mean=mean)
    result = _side_by_side(blocks, "block").reindex(block=list(BLOCKS))
    rate = {name: result.learning_rate.sel(block=name, drop=True) for name in BLOCKS}
    ratio = {
        "stable-first": rate["Volatile 2"] / rate["Stable 1"],
        "volatile-first": rate["Volatile 1"] / rate["Stable 2"],
    }
    result["ratio"] = _side_by_side(ratio, "order").assign_attrs(long_name="volatile / stable learning rate")
    together = _side_by_side(slid, "order").reindex(order=list(ORDERS.values())).assign_coords(window=first)
    result["sliding_rate"] = together.learning_rate
    result["sliding_rate_se"] = together.learning_rate_se
    result.window.attrs = {"long_name": f"first of {window} trials"}
    return result.assign_attrs(window=window)


def _side_by_side(parts: dict, dim: str) -> xr.Dataset:
    return xr.concat(list(parts.values()), dim).assign_coords({dim: np.array(list(parts), dtype=object)})


def _check(trials: xr.Dataset, window: int) -> None:
    require(trials, choice=("episode", "trial"), reward=("episode", "trial"))
    if n_options(trials) != 2:
        raise InputError(f"'choice' has {n_options(trials)} options; these learning rates are of 2.")
    if not 1 <= window <= trials.sizes["trial"]:
        raise InputError(f"window is {window}; it must be 1 to {trials.sizes['trial']}, the trials of an episode.")
    if "magnitude" in trials:
        require(trials, magnitude=("episode", "trial", "arm"))
        return
    odd = trials.reward.where(played(trials) & (trials.reward != 0) & (trials.reward != 1))
    if odd.notnull().any():
        example = odd.values[np.isfinite(odd.values)][0]
        raise InputError(f"'reward' is {example:g}, where only 0 and 1 are meant; give 'magnitude' or recode it.")


def _fit(trials: xr.Dataset, scores: np.ndarray, dim: str) -> xr.Dataset:
    """Fit every target of `scores` (target, trial) to pooled episodes, for each entry of the other dims."""
    taken = [trials.choice.where(played(trials), -1), trials.reward]
    core = [["trial", "episode"]] * 2
    if "magnitude" in trials:
        taken += [trials.magnitude.isel(arm=i, drop=True) for i in range(2)]
        core += [["trial", "episode"]] * 2
    names = ("learning_rate", "inverse_temperature", "log_likelihood", "learning_rate_se", "inverse_temperature_se")
    found = xr.apply_ufunc(
        lambda *x: _maximum(_play(*x), scores),
        *taken,
        input_core_dims=core,
        output_core_dims=[["variable", dim]],
        vectorize=True,
    )
    result = found.assign_coords(variable=[*names, "n_trials", "at_bound"]).to_dataset("variable")
    result["at_bound"] = result.at_bound > 0
    result["n_trials"] = result.n_trials.astype(int)
    result["n_episodes"] = xr.full_like(result.n_trials, trials.sizes["episode"])
    result.learning_rate.attrs = {"long_name": "learning rate"}
    result.inverse_temperature.attrs = {"long_name": "inverse temperature", "units": "1/reward"}
    result.log_likelihood.attrs = {"long_name": "log-likelihood", "units": "nats"}
    return result


def _play(
    choice: np.ndarray, reward: np.ndarray, magnitude0: np.ndarray | float = 1.0, magnitude1: np.ndarray | float = 1.0
) -> _Play:
    sign = np.where(choice < 0, 0.0, 1.0 - 2.0 * choice)
    outcome = ((choice == 0) == (reward > 0)).astype(float)
    m0, m1 = (np.broadcast_to(m, sign.shape).astype(float) for m in (magnitude0, magnitude1))
    return _Play(sign, outcome, m0, m1)


def _maximum(play: _Play, scores: np.ndarray) -> np.ndarray:
    """Most likely parameters of every target, their log-likelihood and errors, n and bound, (variable, target)."""
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
