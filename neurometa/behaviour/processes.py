"""What an ideal learner of tabular Markov decision processes must remember, and what it concludes.

All is before a trial, which is what the state that an agent logs at its first step can hold.
"""

import numpy as np
import xarray as xr

from neurometa import exact
from neurometa.dataset import require
from neurometa.errors import InputError

MEAN, PRECISION, CONCENTRATION = 1.0, 1.0, 1.0  # of the prior: how `tasks.TabularMDP` draws its processes
LEFT_OUT = ""  # where several actions tie


def process_counts(trials: xr.Dataset) -> xr.Dataset:
    """Count what was seen of a process before each trial.

    Parameters
    ----------
    trials : Dataset
        A run of `tasks.TabularMDP`: ``visited_state``, ``action`` (-1 for none) and ``step_reward`` over ``episode``,
        ``trial`` and ``step``; and ``mean_reward`` over ``state`` and ``option``, of which the sizes alone are read.

    Returns
    -------
    Dataset
        Over ``episode``, ``trial``, ``state`` and ``option``: ``visits``, how often the action was taken in the state;
        ``earned``, the sum of what it paid; and over ``next_state`` too ``transitions``, which misses the last step of
        a trial, whose next state is never seen.

    Raises
    ------
    InputError
        A variable is missing.
    """
    every = ("episode", "trial", "step")
    require(trials, visited_state=every, action=every, step_reward=every, mean_reward=("state", "option"))
    n_states, n_actions = trials.sizes["state"], trials.sizes["option"]
    seen, taken, paid = (trials[x].transpose(*every).values for x in ("visited_state", "action", "step_reward"))
    made = taken >= 0
    here = (seen[..., None] == np.arange(n_states)) & made[..., None]
    pair = (here[..., None] & (taken[..., None, None] == np.arange(n_actions))).astype(np.float32)
    after = (seen[:, :, 1:, None] == np.arange(n_states)).astype(np.float32)
    of_trial = {
        "visits": (pair.sum(2), ("state", "option")),
        "earned": (np.einsum("etksa,etk->etsa", pair, np.where(made, paid, 0)), ("state", "option")),
        "transitions": (
            np.einsum("etksa,etkn->etsan", pair[:, :, :-1], after),
            ("state", "option", "next_state"),
        ),
    }
    found = {}
    for name, (x, dims) in of_trial.items():
        before = np.cumsum(x, 1) - x
        found[name] = xr.DataArray(before, dims=("episode", "trial", *dims))
    return xr.Dataset(found)


def posterior_rewards(counted: xr.Dataset) -> xr.DataArray:
    """Posterior mean of what each action pays in each state, (..., state, option), from `process_counts`.

    Of a mean reward N(1, 1) and payments with unit noise: (1 + sum of payments) / (1 + payments).
    """
    return (PRECISION * MEAN + counted.earned) / (PRECISION + counted.visits)


def best_action(counted: xr.Dataset, horizon: int, state: int = 0) -> xr.DataArray:
    """Action that is best by the posterior mean of the process, if a trial of `horizon` steps began in a state.

    Parameters
    ----------
    counted : Dataset
        As of `process_counts`.
    horizon : int
        Steps of a trial.
    state : int
        From which the plan is made.

    Returns
    -------
    DataArray (..., episode, trial), object
        ``"0"``, ``"1"``, ...; ``""`` where several actions tie, as all do before the first trial.

    Raises
    ------
    InputError
        There is no such state.
    """
    if not 0 <= state < counted.sizes["state"]:
        raise InputError(f"state is {state}; there are 0 to {counted.sizes['state'] - 1}.")
    reward = posterior_rewards(counted).transpose("episode", "trial", "state", "option")
    known = CONCENTRATION + counted.transitions.transpose("episode", "trial", "state", "option", "next_state")
    prob = known / known.sum("next_state")
    n_states, n_actions = reward.shape[-2:]
    flat = prob.values.reshape(-1, n_states, n_actions, n_states), reward.values.reshape(-1, n_states, n_actions)
    worth = exact.mdp.plan(*flat, horizon)[:, 0, state]
    best = worth >= worth.max(-1, keepdims=True) - 1e-5
    name = np.where(best.sum(-1) == 1, best.argmax(-1).astype(str), LEFT_OUT).astype(object)
    return xr.DataArray(name.reshape(reward.shape[:2]), dims=("episode", "trial"))
