"""Curves that learners come to in expectation, without sampling: what agents are drawn and judged beside."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import xarray as xr

from neurometa import exact
from neurometa.errors import InputError


def regret(
    policy: str, prior: str | float, n_trials: int = 100, *, bonus: float | None = None, discount: float | None = None
) -> xr.DataArray:
    """Compute the expected cumulative regret of a policy on two arms, without sampling.

    Parameters
    ----------
    policy : {"optimal", "thompson", "ucb", "gittins"}
        The Bayes-optimal policy of the prior, or a heuristic with a uniform prior on each arm.
    prior : {"independent", "uniform"} or float
        How the arms are drawn: D_i or D_u of Wang et al. 2016, or anti-correlated ones that pay with this
        probability or 1 minus it, e.g. .75 for D_m.
    n_trials : int
        Trials in an episode; 100 take about a second.
    bonus : float, optional
        Of UCB, by default 1; see `exact.bandit.ucb`.
    discount : float, optional
        Of the Gittins index, by default that of a finite horizon; see `exact.bandit.gittins_index`.

    Returns
    -------
    DataArray
        ``regret`` over ``trial``, in units of reward, summed up to and including each trial.

    Raises
    ------
    InputError
        There is no such policy or prior.
    """
    return _regret(policy, prior, n_trials, bonus, discount).copy()


@lru_cache(maxsize=64)
def _regret(
    policy: str, prior: str | float, n_trials: int, bonus: float | None, discount: float | None
) -> xr.DataArray:
    if isinstance(prior, str) and prior not in ("independent", "uniform"):
        raise InputError(f"The prior is {prior!r}; allowed are 'independent', 'uniform' and a probability.")
    known = (
        exact.bandit.independent()
        if prior == "independent"
        else exact.bandit.anticorrelated(None if isinstance(prior, str) else prior)
    )
    policies: dict[str, Callable[[], exact.bandit.Policy]] = {
        "optimal": lambda: exact.bandit.bayes_optimal(known, n_trials)[0],
        "thompson": lambda: exact.bandit.thompson(n_trials),
        "ucb": lambda: exact.bandit.ucb(n_trials, bonus=1.0 if bonus is None else bonus),
        "gittins": lambda: exact.bandit.gittins_index(n_trials, discount=discount),
    }
    if policy not in policies:
        raise InputError(f"There is no exact policy {policy!r}; allowed are {', '.join(policies)}.")
    return exact.bandit.evaluate(policies[policy](), known)


def baselines(prior: str | float, n_trials: int = 100) -> xr.DataArray:
    """Compute the regret of those that agents are set beside in Wang et al. 2016, Fig 2, and 2018, Fig 1d.

    Parameters
    ----------
    prior, n_trials
        As for `regret`.

    Returns
    -------
    DataArray
        ``regret`` over ``learner`` (Bayes-optimal under the prior, Gittins index of a finite horizon, Thompson,
        UCB in the form of pymaBandits) and ``trial``, in units of reward, summed up to and including each trial.
    """
    asked = {"Bayes-optimal": "optimal", "Gittins": "gittins", "Thompson": "thompson", "UCB": "ucb"}
    curves = [regret(policy, prior, n_trials, bonus=0.5**0.5) for policy in asked.values()]
    return xr.concat(curves, "learner").assign_coords(learner=list(asked))


def two_step(version: str, n_trials: int) -> xr.DataArray:
    """Compute what the ideal observer earns in a two-step task, without sampling.

    Parameters
    ----------
    version : {"w16", "w18"}
        That of Wang et al. 2016, experiment 5, or of Wang et al. 2018, simulation 4.
    n_trials : int
        Trials in an episode.

    Returns
    -------
    DataArray
        Expected reward over ``trial``, summed up to and including each.

    Raises
    ------
    InputError
        There is no such version.
    """
    worlds = {"w16": (0.75, 0.0), "w18": (0.8, 0.025)}  # probability of a common transition, and of a swap
    if version not in worlds:
        raise InputError(f"version is {version!r}; allowed are {', '.join(worlds)}.")
    return exact.two_step.ideal_reward(n_trials, *worlds[version]).cumsum("trial")


def informative(n_trials: int = 5) -> xr.Dataset:
    """Work out what others do in the informative bandit, trial by trial (Wang et al. 2016, experiment 3).

    The Bayes-optimal policy asks arm 11 and then takes the target; Thompson sampling with the true prior tries
    one possible target after another until it is found; UCB has tried every arm but once by trial 11.

    Parameters
    ----------
    n_trials : int
        Trials in an episode, 2 to 10.

    Returns
    -------
    Dataset
        ``share`` of choices over ``learner``, ``kind`` (the informative arm, the target, another) and ``trial``,
        in [0, 1]; expected ``reward`` over ``learner`` and ``trial``.

    Raises
    ------
    InputError
        The number of trials is another.
    """
    if not 2 <= n_trials <= 10:
        raise InputError(f"n_trials is {n_trials}; it must lie between 2 and 10.")
    trial = np.arange(n_trials)
    asked, found, once = (trial == 0).astype(float), (trial + 1) / 10, np.full(n_trials, 1 / 11)
    shares = {
        "Bayes-optimal": (asked, 1 - asked, 0 * asked),
        "Thompson": (0 * asked, found, 1 - found),
        "UCB": (once, once, 1 - 2 * once),
    }
    share = xr.DataArray(
        np.array(list(shares.values())),
        coords={"learner": list(shares), "kind": ["informative", "target", "other"]},
        dims=("learner", "kind", "trial"),
    )
    pays = xr.DataArray([0.55, 5.0, 1.0], dims="kind", coords={"kind": share.kind})
    return xr.Dataset({"share": share, "reward": (share * pays).sum("kind").assign_attrs(units="reward")})
