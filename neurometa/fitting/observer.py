"""Choices between two arms whose probabilities sum to 1, by an observer who infers them from what was paid."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import log_softmax

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting.outcome_filter import behrens_world, expectations
from neurometa.models import Observer

CLOSE = 1e-5  # of a magnitude: rewards may have been stored in single precision


def informed(played: xr.Dataset, magnitude: xr.DataArray | None) -> xr.Dataset:
    """Add to choices and rewards what the observer knew before each trial.

    Parameters
    ----------
    played : Dataset
        ``choice`` (-1 where nothing was seen) and ``reward``.
    magnitude : DataArray or None
        What each arm showed, over ``trial`` and ``arm``; None where none was shown.

    Returns
    -------
    Dataset
        Also ``prob`` and ``magnitude`` over ``arm``, and ``log_volatility``.

    Raises
    ------
    InputError
        A reward is neither 0 nor what the chosen arm showed (1 if none did), or magnitudes are not positive.
    """
    made = played.choice >= 0
    if magnitude is None:
        shown = xr.ones_like(played.reward).expand_dims(arm=2, axis=-1)
    else:
        dataset.require(magnitude.to_dataset(name="magnitude"), magnitude=("trial", "arm"))
        spread = xr.broadcast(magnitude.astype(float), made)[0]
        shown = spread.reset_coords(drop=True).drop_vars("arm", errors="ignore").transpose(..., "arm")
        if not (shown.where(made, 1.0) > 0).all():
            raise InputError("'magnitude' is not above 0 somewhere where a choice was made; it is what an arm pays.")
    paid = played.reward > 0
    chosen = shown.isel(arm=played.choice.clip(min=0))
    wrong = made & (np.abs(played.reward - chosen * paid) > CLOSE * chosen)
    if wrong.any():
        first = tuple(index[0] for index in np.nonzero(wrong.values))
        reward, own = (float(each.transpose(*wrong.dims).values[first]) for each in (played.reward, chosen))
        hint = "; recode -1/1 as 0/1" if reward == -1 else ""
        said = "it must be 0 or 1" if magnitude is None else f"it must be 0 or {own:g}, what the chosen arm showed"
        raise InputError(f"'reward' is {reward:g} somewhere; {said}{hint}.")
    first_paid = ((played.choice == 0) == paid).astype(float).where(made)
    prob, log_volatility = _infer(first_paid)
    both = xr.concat([prob, 1 - prob], dim="arm").transpose(..., "arm")
    known = shown.where(made | np.isfinite(shown), 1.0)
    return played.assign(prob=both, magnitude=known, log_volatility=log_volatility)


def _infer(first_paid: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Posterior means of r and v before each trial, over the dims of the outcomes."""
    world, r, v = behrens_world()
    last = first_paid.transpose(..., "trial")
    wanted = [np.broadcast_to(r, world.pays.shape), np.broadcast_to(v[:, None], world.pays.shape)]
    prob, log_volatility = (last.copy(data=each) for each in expectations(last.values, world, wanted))
    return prob.transpose(*first_paid.dims), log_volatility.transpose(*first_paid.dims)


def replay(
    model: Observer, parameters: Sequence[xr.DataArray], played: xr.Dataset
) -> tuple[xr.DataArray, dict[str, xr.DataArray], xr.DataArray]:
    """Log-probability of both arms before each trial, what was inferred, and what each arm should pay."""
    given = dict(zip(model.parameters(), parameters, strict=True))
    features = model.weigh(played.prob, played.magnitude, *(given[name] for name in model.rates()))
    logits = type(model)(*parameters).logits(features).transpose(..., "arm")
    log_prob = logits.copy(data=log_softmax(logits.values, axis=-1))
    inferred = {"arm_prob": played.prob, "log_volatility": played.log_volatility}
    spread = {name: each.broadcast_like(log_prob.isel(arm=0)) for name, each in inferred.items()}
    return log_prob, spread, (played.prob * played.magnitude).broadcast_like(log_prob)


def simulate(
    model: Observer,
    parameters: Sequence[xr.DataArray],
    reward_prob: xr.DataArray,
    magnitude: xr.DataArray | None,
    rng: np.random.Generator,
) -> xr.Dataset:
    """Let an observer choose; as told by `neurometa.behaviour.simulate`."""
    if not np.allclose(reward_prob.sum("arm"), 1):
        raise InputError(
            f"reward_prob does not sum to 1 over 'arm' everywhere, as {type(model).__name__} takes for granted."
        )
    extra = [] if magnitude is None else [magnitude.astype(float)]
    if extra and not (set(extra[0].dims) <= set(reward_prob.dims) and (extra[0] > 0).all()):
        raise InputError("magnitude must be above 0 everywhere, over dims of reward_prob.")
    like = xr.broadcast(reward_prob, *parameters, *extra)[0]
    prob = like.transpose("trial", ..., "arm")
    dims: list[Any] = [dim for dim in prob.dims if dim not in ("trial", "arm")]
    grain = ("trial", *dims)
    shown = xr.DataArray(1.0) if magnitude is None else magnitude.astype(float)
    shown = shown.broadcast_like(prob).transpose(*grain, "arm")
    first_pays = rng.random(prob.shape[:-1]) < prob.values[..., 0]
    outcome = xr.DataArray(first_pays.astype(float), dims=grain)
    bare = xr.Dataset({"prob": _infer(outcome)[0]}).assign(
        magnitude=shown.drop_vars(list(shown.coords)), log_volatility=xr.zeros_like(outcome)
    )
    bare = bare.assign(prob=xr.concat([bare.prob, 1 - bare.prob], dim="arm"))
    log_prob = replay(model, [each.drop_vars(list(each.coords)) for each in parameters], bare)[0]
    first = np.exp(log_prob.isel(arm=0).transpose(*grain).values)
    choice = (rng.random(first.shape) >= first).astype(np.int8)
    paid = first_pays == (choice == 0)
    reward = np.where(choice == 0, shown.values[..., 0], shown.values[..., 1]) * paid
    made = xr.Dataset(
        {"choice": (grain, choice, {"n_options": 2}), "reward": (grain, reward), "reward_prob": prob},
        coords=like.coords,
        attrs={"agent": type(model).__name__},
    )
    made = made if magnitude is None else made.assign(magnitude=shown)
    return dataset.describe(made.transpose(*dims, "trial", "arm"))
