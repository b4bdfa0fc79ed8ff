"""Learning models at play: choices made by the equations that are fitted to choices."""

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting import observer, two_step_world
from neurometa.fitting.choice_rule import log_policy
from neurometa.fitting.latents import aligned, check_options, parameters_of
from neurometa.models import Equations, Model, Observer, TwoStepModel


def simulate(
    model: Equations,
    reward_prob: xr.DataArray,
    rng: np.random.Generator,
    *,
    magnitude: xr.DataArray | None = None,
) -> xr.Dataset:
    """Let a model choose among arms that pay 1 with given probabilities and else 0.

    A two-step model plays a two-step world instead, whose transitions are common with its own
    ``p_common`` (.7 for a model without), and whose first-stage options change sides at random.

    Parameters
    ----------
    model : Model, Observer or TwoStepModel
        With its parameters: numbers, or DataArrays over any dims but ``trial`` and ``arm``.
    reward_prob : DataArray
        In [0, 1], over ``trial``, ``arm`` and any other dims; for a two-step model over
        ``trial``, ``state`` and, if there is a second choice, ``option``.
    rng : Generator
        Makes the choices and rewards.
    magnitude : DataArray, optional
        What each arm shows and pays when it pays, > 0, over the dims of `reward_prob` or some of them; for
        `models.Behrens`, whose two arms must have probabilities that sum to 1.

    Returns
    -------
    Dataset
        ``choice``, ``reward`` and ``reward_prob``, over ``trial`` and the other dims of
        `reward_prob` and of the parameters; for a two-step model ``choice``, ``common``,
        ``second_state``, ``second_choice`` (if there is one), ``left_option``, ``reward`` and
        ``state_reward_prob``.

    Raises
    ------
    InputError
        `reward_prob` has no dim ``trial`` or ``arm``, leaves [0, 1], or has another number of
        arms than the model.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> from neurometa.models import RescorlaWagner
    >>> simulate(RescorlaWagner(0.3, 5.0), example(n_episodes=3).reward_prob, np.random.default_rng(0)).choice.dims
    ('episode', 'trial')
    """
    parameters = parameters_of(model)
    if magnitude is not None and not isinstance(model, Observer):
        raise InputError(f"{type(model).__name__} is shown no magnitudes; leave magnitude out.")
    if isinstance(model, TwoStepModel):
        return two_step_world.simulate(model, parameters, reward_prob, rng)
    assert isinstance(model, Model | Observer)
    missing = {"trial", "arm"} - set(reward_prob.dims)
    if missing:
        raise InputError(f"reward_prob spans {reward_prob.dims}; it must span 'trial' and 'arm'.")
    if not ((reward_prob >= 0) & (reward_prob <= 1)).all():
        raise InputError("reward_prob must lie between 0 and 1 everywhere.")
    n_options = reward_prob.sizes["arm"]
    check_options(type(model), n_options)
    if isinstance(model, Observer):
        return observer.simulate(model, parameters, reward_prob, magnitude, rng)
    like = xr.broadcast(reward_prob, *parameters)[0]
    prob = like.transpose("trial", ..., "arm")
    dims = [dim for dim in prob.dims if dim not in ("trial", "arm")]
    acting = aligned(model, parameters, dims)
    features, choices, rewards = acting.begin(np.zeros(prob.shape[1:])), [], []
    for now in prob.values:
        share = np.exp(log_policy(acting, acting.logits(features))).cumsum(-1)
        choice = (rng.random((*share.shape[:-1], 1)) > share[..., :-1]).sum(-1)
        chosen = np.eye(n_options)[choice]
        reward = (rng.random(choice.shape) < (chosen * now).sum(-1)).astype(float)
        features = acting.update(features, chosen, reward[..., None])
        choices.append(choice)
        rewards.append(reward)
    grain = ("trial", *dims)
    shape = prob.shape[:-1]
    made = xr.Dataset(
        {
            "choice": (grain, np.reshape(choices, shape).astype(np.int8), {"n_options": n_options}),
            "reward": (grain, np.reshape(rewards, shape)),
            "reward_prob": prob,
        },
        coords=like.coords,
        attrs={"agent": type(model).__name__},
    )
    return dataset.describe(made.transpose(*dims, "trial", "arm"))
