"""How fast reward comes up to the optimum within an episode, by the environment steps that were lived."""

import numpy as np
import xarray as xr

from neurometa.behaviour.performance import mean_interval
from neurometa.dataset import BEYOND_PROBABILITY, require, task_settings, valid
from neurometa.errors import InputError
from neurometa.exact import gridworld, half_circle, point_navigation


def adaptation(trials: xr.Dataset) -> xr.Dataset:
    r"""Reward of each trial of an episode, and what it gives up against who knows the world.

    Trials count from the first of the episode, whatever an agent does with them: those from which it learns by a
    gradient step are charged as those in which it remembers or infers. The area over the reward,

    .. math:: \sum_t (r^*_t - r_t),

    is what not knowing the world costs an agent in an episode; :math:`r^*` is the optimum of `known_world`.

    Parameters
    ----------
    trials : Dataset
        ``reward`` over ``episode`` and ``trial``, and what `known_world` needs.

    Returns
    -------
    Dataset
        Over ``trial``: ``reward`` with ``reward_interval`` over ``bound`` (Student's t over episodes), ``optimum``, and
        ``steps_lived``, the environment steps at the end of the trial. ``area`` with ``area_interval``, in units of
        reward per episode, and ``n`` episodes.

    Raises
    ------
    InputError
        A variable is absent, or nothing says what is optimal.
    """
    require(trials, reward=("episode", "trial"))
    lived = valid(trials, "reward")  # padding pays nothing and gives nothing up
    reward, optimum = trials.reward.where(lived), known_world(trials).where(lived)
    by_trial = mean_interval(reward)
    area = mean_interval((optimum - reward).sum("trial"))
    n_steps = trials.sizes.get("step", 1)
    found = xr.Dataset({"reward": by_trial["mean"], "reward_interval": _interval(by_trial)})
    found["optimum"] = optimum.mean("episode")
    found["steps_lived"] = ("trial", n_steps * np.arange(1, trials.sizes["trial"] + 1))
    found["area"], found["area_interval"] = area["mean"], _interval(area)
    found["n"] = trials.sizes["episode"]
    for name, label in LABELS.items():
        found[name].attrs = {"long_name": label}
    return found.assign_attrs(level=by_trial.attrs["level"])


MDP = ("transition_prob", "mean_reward")
LABELS = {
    "reward": "reward of the trial",
    "optimum": "reward of who knows the world",
    "steps_lived": "environment steps lived",
    "area": "reward given up in an episode",
}


def known_world(trials: xr.Dataset) -> xr.DataArray:
    """Reward expected of each trial by who knows the episode's world and acts best in it.

    Parameters
    ----------
    trials : Dataset
        ``reward_prob`` over ``arm``, of which the best pays; or of `tasks.Gridworld` its ``goal_cell``; of
        `tasks.PointNavigation` its ``goal_place``, where the optimum is `exact.point_navigation.straight_walk`; of
        `tasks.HalfCircle` its ``goal_angle``, where it is `exact.half_circle.straight_run`; of
        `tasks.TabularMDP` its ``transition_prob`` and ``mean_reward``, by `exact.mdp.oracle_reward`.

    Returns
    -------
    DataArray
        Over ``episode``, and ``trial`` where it changes.

    Raises
    ------
    InputError
        Nothing says what is optimal.
    """
    if "goal_angle" in trials:
        radius = task_settings(trials).get("radius", half_circle.RADIUS)
        angle = trials.goal_angle.isel(trial=0, drop=True) if "trial" in trials.goal_angle.dims else trials.goal_angle
        return xr.DataArray(half_circle.straight_run(angle.values, radius), dims=angle.dims)
    if "goal_place" in trials:
        require(trials, goal_place=("episode", "axis"))
        return xr.apply_ufunc(point_navigation.straight_walk, trials.goal_place, input_core_dims=[["axis"]])
    if set(MDP) <= set(trials.data_vars):
        from neurometa.exact import mdp  # which compiles

        prob, mean = (trials[name].transpose("episode", "state", "option", ...) for name in MDP)
        return xr.DataArray(mdp.oracle_reward(prob.values, mean.values, trials.sizes["step"]), dims="episode")
    if "goal_cell" in trials:
        goal = trials.goal_cell.isel(trial=0, drop=True) if "trial" in trials.goal_cell.dims else trials.goal_cell
        away = gridworld.DISTANCE[goal.values.astype(int)]
        worth = gridworld.GOAL_REWARD * (gridworld.HORIZON - away + 1) + gridworld.STEP_REWARD * (away - 1)
        return xr.DataArray(worth.astype(float), dims=goal.dims)
    if "reward_prob" in trials and not set(BEYOND_PROBABILITY) & set(trials.data_vars):
        return trials.reward_prob.max("arm")
    raise InputError(
        "Nothing says what is optimal in these trials; adaptation is of bandits with 'reward_prob', of "
        "tasks.Gridworld, tasks.HalfCircle, tasks.TabularMDP and tasks.PointNavigation."
    )


def _interval(mean: xr.Dataset) -> xr.DataArray:
    return xr.concat([mean.lower, mean.upper], xr.Variable("bound", ["lower", "upper"]))
