"""What a signal is explained by: columns of its table, or what a learner fitted to the choices held in mind."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurometa.errors import InputError, nearest
from neurometa.fitting import fit, latents
from neurometa.models import Model, RescorlaWagner
from neurometa.tables import read_trials

ROW = "row_of_signal"
LEARNED = {
    "rpe": "reward prediction error",
    "value": "value of the chosen arm",
    "reward": "reward",
}


def signal_trials(signals: xr.Dataset, **columns: str) -> xr.Dataset:
    """Return the trials that stand beside a signal, as `neurometa.tables.read_trials` reads them.

    Parameters
    ----------
    signals : Dataset
        As of `neurometa.tables.read_signals`, with columns of choice and reward; ``event_time`` orders trials that have
        no numbers.
    **columns : str
        Columns of the table by their roles, e.g. ``choice="side"``; others are guessed.

    Returns
    -------
    Dataset
        Trials with `ROW`, the place of each in `signals`, for `by_row`.

    Raises
    ------
    InputError
        There is no choice or reward, or another column cannot be read.
    """
    names = [str(name) for name in signals.variables if signals[name].dims == ("trial",) and name != ROW]
    frame = pd.DataFrame({name: signals[name].values for name in names})
    frame[ROW] = np.arange(len(frame))
    if "trial_number" not in frame and "event_time" in frame:
        owners = [name for name in ("subject", "session") if name in frame]
        ordered = frame.sort_values("event_time", kind="stable")
        groups = ordered.groupby(owners, sort=False) if owners else ordered.groupby(lambda _: 0)
        frame["trial_number"] = groups.cumcount().reindex(frame.index) + 1
    told: dict[str, Any] = {"trial": "trial_number"} if "trial_number" in frame else {}
    try:
        trials, _ = read_trials(frame, keep=[ROW], **(told | columns))
    except InputError as error:
        raise InputError(f"To know what was learned on each trial, choices and rewards are needed. {error}") from error
    if ROW in trials.coords:  # of one trial per episode
        trials = trials.reset_coords(ROW)
        trials[ROW] = trials[ROW].broadcast_like(trials.choice)
    return trials


def by_row(found: xr.DataArray, trials: xr.Dataset, signals: xr.Dataset) -> xr.DataArray:
    """Put what is known of each trial beside its row of the signal, (trial,); NaN where there is none."""
    row = trials[ROW].transpose("episode", "trial").values.astype(float)
    values = found.transpose("episode", "trial").values.astype(float)
    there = np.isfinite(row)
    placed = np.full(signals.sizes["trial"], np.nan)
    placed[row[there].astype(int)] = values[there]
    return xr.DataArray(placed, dims="trial", attrs=found.attrs)


def signal_regressors(
    signals: xr.Dataset,
    on: Sequence[str],
    *,
    model: type[Model] = RescorlaWagner,
    learned: Mapping[str, xr.DataArray] | None = None,
    columns: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """Gather regressors of a signal by name.

    Parameters
    ----------
    signals : Dataset
        As of `neurometa.tables.read_signals`.
    on : sequence of str
        Columns of numbers; or ``rpe``, ``value`` (of what was chosen) and ``reward``, where there is no such column:
        those of `model`, fitted to the choices of each subject by maximum likelihood.
    model : Model class
        The learner.
    learned : mapping of str to DataArray, optional
        Over ``episode`` and ``trial`` of `signal_trials`: used instead of the learner's, such as ``rpe`` of an agent
        that was clamped to these trials.
    columns : mapping, optional
        Of the table, by role: ``{"choice": "side"}``.

    Returns
    -------
    Dataset
        One variable over ``trial`` for each name. The attrs hold the model and its fitted parameters, if there is one.

    Raises
    ------
    InputError
        A name is neither, a column is text, or choices and rewards cannot be read.
    """
    here = [str(name) for name in signals.data_vars if signals[name].dims == ("trial",)]
    if not on:
        raise InputError(f"There is nothing to explain the signal by; name columns of {here}, or rpe, value or reward.")
    if odd := [name for name in on if name not in here and name not in LEARNED]:
        allowed = [*here, *(name for name in LEARNED if name not in here)]
        raise InputError(
            f"There is no column {odd[0]!r} to explain the signal by; allowed are {allowed}.{nearest(odd[0], allowed)}"
        )
    for name in on:
        if name in here and signals[name].dtype.kind not in "biuf":
            raise InputError(f"The column {name!r} holds text; code it as a number, e.g. 0 and 1.")
    told, about = dict(learned or {}), {}
    wanted = [name for name in on if name not in here]
    if wanted:
        trials = signal_trials(signals, **(columns or {}))
        if set(wanted) - told.keys() - {"reward"}:
            told, about = _of_learner(model, trials) | told, {"model": model.__name__}
        told.setdefault("reward", trials.reward.where(trials.choice >= 0))
        found = {name: by_row(told[name], trials, signals).assign_attrs(long_name=LEARNED[name]) for name in wanted}
    result = {name: signals[name] if name in here else found[name] for name in on}
    return xr.Dataset(result).reset_coords(drop=True).assign_attrs(about)


def _of_learner(model: type[Model], trials: xr.Dataset) -> dict[str, xr.DataArray]:
    """Prediction errors and values of a learner with the parameters that each subject's choices have."""
    per = "subject" if "subject" in trials.coords and trials.subject.dims == ("episode",) else None
    fitted: Any = fit(model, trials, per=per)[list(model.parameters())]
    if per is not None:
        fitted = fitted.sel(subject=trials.subject).reset_coords(drop=True)
    held = latents(model.of(fitted), trials)
    if "rpe" not in held:
        raise InputError(f"{model.__name__} expects no rewards, so that it has neither prediction errors nor values.")
    chosen = held.arm_value.isel(arm=trials.choice.clip(min=0)).where(trials.choice >= 0)
    return {"rpe": held.rpe, "value": chosen}
