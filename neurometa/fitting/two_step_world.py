"""Two-step worlds for learners to act in: drifting rewards, and choices made by the models' own equations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.models import TwoStepModel, two_step


def drifting_rewards(
    n_episodes: int,
    n_trials: int,
    rng: np.random.Generator,
    *,
    drift_sd: float = 0.025,
    low: float = 0.25,
    high: float = 0.75,
) -> xr.DataArray:
    """Reward probabilities of Daw's task: each of four second-stage options walks on its own (Daw et al. 2011).

    Parameters
    ----------
    n_episodes, n_trials : int
        Size.
    rng : Generator
        Draws the walks.
    drift_sd : float
        SD of the Gaussian step, in 1/trial.
    low, high : float
        Where the walks are reflected; the first values are uniform between them.

    Returns
    -------
    DataArray
        In [low, high], over ``episode``, ``trial``, ``state`` and ``option``.

    Raises
    ------
    InputError
        The limits are not 0 <= low < high <= 1.
    """
    if not 0 <= low < high <= 1:
        raise InputError(f"low and high are {low} and {high}; they must satisfy 0 <= low < high <= 1.")
    width = high - low
    walk = rng.uniform(0, width, (n_episodes, 1, 2, 2)) + np.concatenate(
        [np.zeros((n_episodes, 1, 2, 2)), rng.normal(0, drift_sd, (n_episodes, n_trials - 1, 2, 2)).cumsum(1)], axis=1
    )
    folded = np.abs((walk + width) % (2 * width) - width)  # reflection at both ends
    return xr.DataArray(low + folded, dims=("episode", "trial", "state", "option"), name="state_reward_prob")


def simulate(
    model: TwoStepModel, parameters: Sequence[xr.DataArray], reward_prob: xr.DataArray, rng: np.random.Generator
) -> xr.Dataset:
    """Let a two-step learner choose; as told by `neurometa.behaviour.simulate`."""
    missing = {"trial", "state"} - set(reward_prob.dims)
    if missing or reward_prob.sizes["state"] != 2 or reward_prob.sizes.get("option", 2) != 2:
        raise InputError(
            f"reward_prob spans {dict(reward_prob.sizes)}; a two-step world needs 'trial' and 2 of 'state'."
        )
    if not ((reward_prob >= 0) & (reward_prob <= 1)).all():
        raise InputError("reward_prob must lie between 0 and 1 everywhere.")
    branched = "option" in reward_prob.dims
    whole = xr.broadcast(reward_prob, *parameters)[0]
    inner = ["state", *(["option"] if branched else [])]
    prob = whole.transpose("trial", ..., *inner)
    dims: list[Any] = [dim for dim in prob.dims if dim not in ("trial", *inner)]
    shape = prob.shape[1 : 1 + len(dims)]
    values = [each.expand_dims([d for d in dims if d not in each.dims]).transpose(*dims).values for each in parameters]
    slope_1, slope_2, rate_1, rate_2, eligibility, weight, stickiness, response, p_common = type(model)(
        *values
    ).general()
    state, two = tuple(np.full(shape, x) for x in two_step.START), float(branched)
    made: dict[str, list] = {}
    for now in prob.values:
        luck = rng.random((5, *shape))
        left = (luck[0] < 0.5).astype(float)
        planned = two_step.plan(state, two, p_common)
        logit = two_step.first_logit(state, planned, left, slope_1, weight, stickiness, response)
        choice = (luck[1] < 1 / (1 + np.exp(-logit))).astype(float)
        common = luck[2] < p_common
        at = np.where(common, choice, 1 - choice)
        second = np.zeros(shape)
        if branched:
            second = (luck[3] < 1 / (1 + np.exp(-two_step.second_logit(state, at, slope_2)))).astype(float)
        if branched:
            here = np.where((at > 0)[..., None], now[..., 1, :], now[..., 0, :])
            pays = np.where(second > 0, here[..., 1], here[..., 0])
        else:
            pays = np.where(at > 0, now[..., 1], now[..., 0])
        reward = (luck[4] < pays).astype(float)
        onset, outcome = two_step.errors(state, choice, at, second, reward)
        state = two_step.learn(state, choice, at, second, left, onset, outcome, rate_1, rate_2, eligibility)
        trial = {"choice": choice, "common": common, "second_state": at, "left_option": left, "reward": reward}
        for name, each in (trial | ({"second_choice": second} if branched else {})).items():
            made.setdefault(name, []).append(each)
    grain = ("trial", *dims)
    kinds = {"common": bool, "reward": float}
    trials = xr.Dataset(
        {name: (grain, np.array(each).astype(kinds.get(name, np.int8))) for name, each in made.items()},
        attrs={"agent": type(model).__name__},
    ).assign(state_reward_prob=prob)
    trials.choice.attrs = {"n_options": 2}
    return dataset.describe(trials.transpose(*dims, "trial", *inner))
