r"""Learning rates that come and go within an episode: a delta rule scored on a few trials of many episodes.

The model knows that two arms pay with V and 1 - V and sees what each would pay (Wang et al.
2018, simulation 2; Behrens et al. 2007):

.. math::

    V \leftarrow V + \alpha (x - V), \qquad
    P(\text{arm 0}) = \frac{1}{1 + \exp(-\beta (V m_0 - (1 - V) m_1))}

x is 1 where arm 0 paid or arm 1 did not. V is 0.5 before the first trial and evolves from
there, whichever trials score; ``magnitude`` m is 1 where the trials have none.
"""

import numpy as np
import xarray as xr

from neurometa.dataset import n_options, played, require, valid
from neurometa.errors import InputError
from neurometa.fitting.sliding import maximum

ORDERS = {False: "stable-first", True: "volatile-first"}  # by `volatile` on the first trial
BLOCKS = ("Stable 1", "Volatile 1", "Volatile 2", "Stable 2")


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
        lambda *x: maximum(scores, *x),
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
