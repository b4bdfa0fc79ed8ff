"""How the belief of an agent that infers its task changes, and how far it is from the exact posterior."""

import numpy as np
import xarray as xr

from neurometa import exact
from neurometa.dataset import require, task_settings
from neurometa.errors import InputError

GOALS = {"far": "FAR", "near": "NEAR"}


def belief(trials: xr.Dataset) -> xr.Dataset:
    """Mean belief updates by step of a lifetime, and in the gridworld the mean distance from the exact posterior.

    Parameters
    ----------
    trials : Dataset
        Of an agent with a belief: `latent_mean` and `latent_logvar` over ``episode``, ``trial``, ``step``, ``latent``.

    Returns
    -------
    Dataset
        Over ``trial`` and ``step``: ``belief_update`` (nats), its standard error ``belief_update_se`` and ``n``; where
        `total_variation` can be worked out, ``total_variation``, its standard error ``total_variation_se``,
        ``never_updating`` and ``n_unknown``, the episodes whose goal was unknown.

    Raises
    ------
    InputError
        There is no belief, or no episodes.
    """
    update = belief_update(trials)
    if "episode" not in update.dims:
        raise InputError(f"The belief spans {update.dims}; it must also span ('episode',).")
    parts: dict = {"belief_update": update}
    if {"predicted_reward", "goal_cell", "reached_cell"} <= trials.data_vars.keys():
        parts |= {str(name): x for name, x in total_variation(trials).items()}
    found = {}
    for name, x in parts.items():
        n = x.notnull().sum("episode")
        found[name] = x.mean("episode").assign_attrs(x.attrs)
        if name != "never_updating":
            found[f"{name}_se"] = (x.std("episode", ddof=1) / np.sqrt(n)).where(n > 1)
        if name != "total_variation":
            found[{"belief_update": "n"}.get(name, "n_unknown")] = n
    return xr.Dataset(found)


def belief_update(trials: xr.Dataset) -> xr.DataArray:
    r"""Bayesian surprise: how far each belief is from the one before (Itti & Baldi 2009).

    .. math:: KL(q_t \,\|\, q_{t-1}) = \tfrac12 \sum_d \Big[ \log\frac{v_{t-1}}{v_t}
              + \frac{v_t + (\mu_t - \mu_{t-1})^2}{v_{t-1}} - 1 \Big]

    The belief of a step is the one before its action, so that an update answers the outcome of the step before.

    Parameters
    ----------
    trials : Dataset
        ``latent_mean`` and ``latent_logvar`` over ``trial``, ``step``, ``latent`` and any other dims.

    Returns
    -------
    DataArray
        In nats, over ``trial``, ``step`` and the other dims; NaN at the first step of an episode.

    Raises
    ------
    InputError
        There is no belief.
    """
    dims = ("trial", "step", "latent")
    require(trials, latent_mean=dims, latent_logvar=dims)
    mean, logvar = (_in_a_row(trials[name].astype(float)) for name in ("latent_mean", "latent_logvar"))
    before = mean.shift(time=1), logvar.shift(time=1)
    off = (np.exp(logvar) + (mean - before[0]) ** 2) / np.exp(before[1])
    update = 0.5 * (before[1] - logvar + off - 1).sum("latent", skipna=False)
    return _by_step(update, trials).rename("belief_update").assign_attrs(long_name="belief update", units="nats")


def total_variation(trials: xr.Dataset) -> xr.Dataset:
    """Distance of the belief over goals of a gridworld from the exact posterior, while the goal is unknown.

    The rewards that the belief predicts for the cells that may be the goal, normalised to sum to 1, are set beside the
    exact posterior of what has happened (`exact.gridworld.posterior`): half the sum of absolute differences.

    Parameters
    ----------
    trials : Dataset
        ``predicted_reward`` over ``query`` (the cells), ``reached_cell`` and ``step_reward``, all over ``episode``,
        ``trial`` and ``step``.

    Returns
    -------
    Dataset
        ``total_variation`` and, of a belief that stays uniform, ``never_updating``, in [0, 1], over ``episode``,
        ``trial`` and ``step``, before each step; NaN once a single goal is possible.

    Raises
    ------
    InputError
        A variable is absent, or the queries are no cells of the gridworld.
    """
    dims = ("episode", "trial", "step")
    require(trials, predicted_reward=(*dims, "query"), reached_cell=dims, step_reward=dims)
    if trials.sizes["query"] != exact.gridworld.N_CELLS:
        raise InputError(
            f"predicted_reward has {trials.sizes['query']} queries; the gridworld has {exact.gridworld.N_CELLS} cells."
        )
    goals = getattr(exact.gridworld, GOALS[task_settings(trials).get("goals", "far")])
    cell, reward, told = (
        _in_a_row(trials[name]).transpose("episode", "time", ...).values
        for name in ("reached_cell", "step_reward", "predicted_reward")
    )
    prior = np.isin(np.arange(exact.gridworld.N_CELLS), goals) / len(goals)
    after = exact.gridworld.posterior(cell, reward, goals)
    posterior = np.concatenate([np.broadcast_to(prior, (len(after), 1, prior.size)), after[:, :-1]], 1)
    told = np.where(prior > 0, told.astype(float), 0.0)
    told /= told.sum(-1, keepdims=True)
    unknown = xr.DataArray(posterior.max(-1) < 1, dims=("episode", "time"))
    found = {}
    for name, guess in (("total_variation", told), ("never_updating", prior)):
        far = xr.DataArray(0.5 * np.abs(guess - posterior).sum(-1), dims=("episode", "time"))
        about = {"long_name": "total variation from the exact posterior"}
        found[name] = _by_step(far.where(unknown), trials).assign_attrs(about)
    return xr.Dataset(found)


def _in_a_row(x: xr.DataArray) -> xr.DataArray:
    """All steps of an episode one after another, over ``time``."""
    plain = x.drop_vars([name for name in ("trial", "step") if name in x.coords])
    return plain.stack(time=("trial", "step"), create_index=False)


def _by_step(x: xr.DataArray, trials: xr.Dataset) -> xr.DataArray:
    """What `_in_a_row` put in a row, over ``trial`` and ``step`` again."""
    shape = [trials.sizes["trial"], trials.sizes["step"]]
    rest = [dim for dim in x.dims if dim != "time"]
    values = x.transpose(*rest, "time").values
    coords = {name: trials[name] for name in ("trial", "step", *rest) if name in trials.indexes}
    return xr.DataArray(values.reshape(*values.shape[:-1], *shape), coords, (*rest, "trial", "step"))
