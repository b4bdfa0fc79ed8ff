"""Two-step trials: checked at the door, and what a learner of the two-step family held in mind on each."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.models import TwoStepModel, two_step

CODED = ("choice", "second_state", "second_choice", "left_option")
RESPONSE = "response_stickiness"


def playable(model: type[TwoStepModel], trials: xr.Dataset, *, sided: bool) -> xr.Dataset:
    """Check two-step trials, and return them coded for the equations.

    Parameters
    ----------
    model : TwoStepModel class
        What is to be fitted or replayed.
    trials : Dataset
        ``choice``, ``second_state``, ``reward`` over ``trial``, and ``second_choice``,
        ``left_option`` and ``valid`` if there are any.
    sided : bool
        Whether ``left_option`` must be there, for a response stickiness that is not 0.

    Returns
    -------
    Dataset
        ``choice``, ``second_state``, ``second_choice`` and ``left_option`` (0 or 1, 0 where not
        played or absent), ``reward`` and ``played``, over the same dims; the attribute
        ``branched`` says whether there is a second choice.

    Raises
    ------
    InputError
        A variable is absent or coded otherwise.
    """
    dataset.require(trials, choice=("trial",), second_state=("trial",), reward=("trial",))
    branched = "second_choice" in trials
    if sided and "left_option" not in trials:
        raise InputError(
            f"The trials have no variable 'left_option' (which first-stage option was on the left, 0 or 1), without "
            f"which {RESPONSE} is the same as stickiness; hold it with bounds={{{RESPONSE!r}: (0, 0)}}."
        )
    present = [name for name in CODED if name in trials]
    dataset.require(trials, **{name: ("trial",) for name in present})
    trials = trials.assign({name: _whole(trials[name]) for name in present})
    for name in present:
        _check_binary(trials[name], name)
    played = dataset.played(trials)
    if branched:
        played = played & (trials.second_choice >= 0)
    for name in present:
        absent = played & (trials[name] < 0)
        if absent.any():
            raise InputError(f"{name!r} is -1 on {int(absent.sum())} trials at which a choice was made.")
    reward = trials.reward.astype(float)
    wrong = played & ~((reward >= 0) & (reward <= 1))
    if wrong.any():
        found = float(xr.broadcast(reward, wrong)[0].values[xr.broadcast(reward, wrong)[1].values][0])
        hint = "; recode -1/1 as 0/1" if found == -1 else ""
        raise InputError(f"'reward' is {found:g} somewhere; {model.__name__} takes rewards from 0 to 1{hint}.")
    coded = xr.Dataset({name: trials[name].where(played, 0) for name in present})
    for name in CODED:
        if name not in coded:
            coded[name] = xr.zeros_like(coded.choice)
    coded = coded.assign(reward=reward.where(played, 0.0), played=played)
    coded = xr.Dataset(dict(zip(coded.data_vars, xr.broadcast(*coded.data_vars.values()), strict=True)))
    return coded.reset_coords(drop=True).assign_attrs(branched=branched)


def replay(model: TwoStepModel, parameters: Sequence[xr.DataArray], played: xr.Dataset) -> dict[str, np.ndarray]:
    """Play the general learner through trials with given parameters.

    Returns
    -------
    dict of str to float array (trial, ...)
        ``first`` and ``planned`` (..., option), ``second`` (..., state, option), ``first_logit``,
        ``second_logit``, ``onset``, ``outcome`` and ``planned_onset``: before the trial, or its errors.
    """
    names = ("choice", "second_state", "second_choice", "left_option", "reward", "played")
    arrays = [each.transpose("trial", ...) for each in xr.broadcast(*(played[name] for name in names), *parameters)]
    *inputs, made = (each.values for each in arrays[: len(names)])
    values = [each.isel(trial=0, missing_dims="ignore").values for each in arrays[len(names) :]]
    general = type(model)(*values).general()
    slope_1, slope_2, rate_1, rate_2, eligibility, weight, stickiness, response, p_common = general
    two = float(played.attrs["branched"])
    state = tuple(np.full(made.shape[1:], x) for x in two_step.START)
    seen: dict[str, list] = {}
    for choice, at, second, left, reward, was in zip(*(each.astype(float) for each in inputs), made, strict=True):
        planned = two_step.plan(state, two, p_common)
        onset, outcome = two_step.errors(state, choice, at, second, reward)
        now = {
            "first": np.stack(state[:2], -1),
            "planned": np.stack(np.broadcast_arrays(*planned), -1),
            "second": np.reshape(np.stack(state[2:6], -1), (*made.shape[1:], 2, 2)),
            "first_logit": two_step.first_logit(state, planned, left, slope_1, weight, stickiness, response),
            "second_logit": two_step.second_logit(state, at, slope_2),
            "onset": onset,
            "outcome": outcome,
            "planned_onset": onset + np.where(choice > 0, state[1] - planned[1], state[0] - planned[0]),
        }
        for name, each in now.items():
            seen.setdefault(name, []).append(each)
        learned = two_step.learn(state, choice, at, second, left, onset, outcome, rate_1, rate_2, eligibility)
        state = tuple(np.where(was, new, old) for new, old in zip(learned, state, strict=True))
    return {name: np.array(each) for name, each in seen.items()}


def log_likelihood(model: TwoStepModel, parameters: Sequence[xr.DataArray], trials: xr.Dataset) -> xr.DataArray:
    """Log-probability of both stages' choices, in nats, summed over ``trial``."""
    played = playable(type(model), trials, sided=_sided(model))
    seen = replay(model, parameters, played)
    like = _grain(parameters, played)
    choice, second, made = (
        each.transpose(*like.dims).values
        for each in xr.broadcast(played.choice, played.second_choice, played.played, *parameters)[:3]
    )
    total = -np.logaddexp(0, np.where(choice > 0, -1, 1) * seen["first_logit"])
    if played.attrs["branched"]:
        total = total - np.logaddexp(0, np.where(second > 0, -1, 1) * seen["second_logit"])
    summed = like.copy(data=np.where(made, total, 0.0)).sum("trial", skipna=False).rename("log_likelihood")
    return summed.assign_attrs(long_name="log-likelihood", units="nats")


def latents(model: TwoStepModel, parameters: Sequence[xr.DataArray], trials: xr.Dataset) -> xr.Dataset:
    """Values before each trial and its prediction errors; as told by `neurometa.behaviour.latents`."""
    played = playable(type(model), trials, sided=_sided(model))
    seen, like = replay(model, parameters, played), _grain(parameters, played)

    def labelled(name: str, text: str, units: str = "reward", extra: tuple[str, ...] = ()) -> xr.DataArray:
        attrs = {"long_name": text} | ({"units": units} if units else {})
        return xr.DataArray(seen[name], dims=(*like.dims, *extra), attrs=attrs)

    for stage in ("first", "second"):
        right = 1 / (1 + np.exp(-seen[f"{stage}_logit"]))
        seen[f"{stage}_prob"] = np.stack([1 - right, right], -1)
    result = xr.Dataset(
        {
            "model_free_value": labelled("first", "model-free value of the first choice", extra=("option",)),
            "model_based_value": labelled("planned", "model-based value of the first choice", extra=("option",)),
            "second_value": labelled("second", "value of the second choice", extra=("state", "option")),
            "choice_prob": labelled("first_prob", "first choice's probability", "", ("option",)),
        }
    )
    if played.attrs["branched"]:
        result["second_choice_prob"] = labelled("second_prob", "second choice's probability", "", ("option",))
    else:
        result["second_value"] = result.second_value.isel(option=0)
    made = played.played
    for name, source, text in (
        ("second_stage_rpe", "onset", "model-free prediction error at the second stage"),
        ("model_based_rpe", "planned_onset", "model-based prediction error at the second stage"),
        ("outcome_rpe", "outcome", "prediction error at the outcome"),
    ):
        found = labelled(source, text)
        result[name] = found.where(made).assign_attrs(found.attrs)
    if "valid" in trials:
        result = result.where(dataset.valid(trials))
    order = [*(dim for dim in like.dims if dim != "trial"), "trial", "state", "option"]
    return result.transpose(*order).assign_attrs(model=type(model).__name__)


def _grain(parameters: Sequence[xr.DataArray], played: xr.Dataset) -> xr.DataArray:
    """An array over the dims of trials and parameters, trial first, as `replay` has them."""
    return xr.broadcast(played.reward, *parameters)[0].transpose("trial", ...).astype(float)


def _sided(model: TwoStepModel) -> bool:
    response = model.general()[7]
    return bool(np.any(np.asarray(response) != 0))


def _whole(variable: xr.DataArray) -> xr.DataArray:
    """Whole numbers that padding or empty cells have made floats, as integers again, -1 where they are empty."""
    if variable.dtype.kind != "f":
        return variable
    filled = variable.fillna(-1)
    return filled.astype(np.int64) if bool((filled == np.round(filled)).all()) else variable


def _check_binary(variable: xr.DataArray, name: str) -> None:
    if variable.dtype.kind not in "iub":
        raise InputError(f"{name!r} is {variable.dtype}; it must be integers, 0 or 1, or -1 where there was none.")
    found = sorted({int(x) for x in np.unique(variable.values)} - {-1})
    if found in ([1, 2], [2]):
        raise InputError(f"{name!r} is coded 1/2; code it 0/1, with -1 where there was none.")
    if set(found) - {0, 1}:
        raise InputError(f"{name!r} holds {found[:6]}; allowed are 0 and 1, and -1 where there was none.")
