"""How well choices are predicted that no model has seen: each fold by what was fitted to the others."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting.fit import fit
from neurometa.fitting.folds import train
from neurometa.fitting.latents import latents, playable
from neurometa.models import Equations, Softmax

N_STARTS = 4  # of the models that are climbed: many sessions leave few hills
LEAST = 1e-12  # of a probability, so that one sure prediction that fails costs 28 nats and not all


def of_model(model: type[Equations], held: xr.Dataset) -> xr.DataArray:
    """Probability of each option before each trial, by a learning model fitted to the other folds.

    Each subject has parameters of its own, shared by all its sessions; where whole subjects are held out, all others
    share theirs. Values start anew in each episode.

    Parameters
    ----------
    model : Equations class
        E.g. ``models.Forgetting``.
    held : Dataset
        What `folds.split` returned.

    Returns
    -------
    DataArray
        In [0, 1], over ``episode``, ``trial`` and ``arm``.

    Raises
    ------
    InputError
        The model does not allow such trials, or the other folds do not tell its parameters.
    """
    bare = held.drop_vars(["cluster", "fold"])
    found = []
    for fold in np.unique(held.fold):
        apart = train(held, fold).drop_vars(["cluster", "fold"])
        per, pool = (None, "episode") if held.attrs["unseen"] else ("subject", ())
        fitted = fit(model, apart, per=per, pool=pool, n_starts=N_STARTS)
        out = np.flatnonzero(held.fold == fold)
        test = bare.isel(episode=out)
        if "subject" in fitted.dims:
            fitted = fitted.sel(subject=xr.DataArray(test.subject.values, dims="episode"))
        fitted = fitted.drop_vars(list(fitted.coords))
        kind = model.of(cast(Mapping[str, Any], _told(fitted, model)))
        prob = latents(kind, test.drop_vars("subject")).choice_prob
        found.append(prob.rename(option="arm") if "option" in prob.dims else prob)
    order = np.argsort(np.concatenate([np.flatnonzero(held.fold == fold) for fold in np.unique(held.fold)]))
    return xr.concat(found, "episode").isel(episode=order).transpose("episode", "trial", "arm")


def _told(fitted: xr.Dataset, model: type[Equations]) -> xr.Dataset:
    """The fit with a number for each parameter: where the choices leave one open, any does, so the middle is taken."""
    filled = {
        name: fitted[name].fillna(sum(model.bounds[name]) / 2 if name in model.bounds else 0.5)
        for name in model.parameters()
        if name in fitted
    }
    return fitted.assign(filled)


def of_bias(held: xr.Dataset) -> xr.DataArray:
    """Probability of each option by its count in the other folds plus one half; otherwise as `of_model`."""
    made, choice = dataset.played(held).values, held.choice.values
    arms = np.arange(held.choice.attrs["n_options"])
    count = ((choice[..., None] == arms) & made[..., None]).sum(1)
    prob = np.empty((*choice.shape, len(arms)))
    for row in range(len(choice)):
        others = held.fold.values != held.fold.values[row]
        if not held.attrs["unseen"]:
            others &= held.subject.values == held.subject.values[row]
        total = count[others].sum(0) + 0.5
        prob[row] = total / total.sum()
    return xr.DataArray(prob, dims=("episode", "trial", "arm"))


def own_policy(trials: xr.Dataset) -> xr.DataArray | None:
    """Probability of each option by the agent that made the choices; None where it was not logged, or of several steps.

    No model can predict its choices better on average: this is the ceiling.
    """
    if "logits" not in trials or "choice_step" not in trials.attrs:
        return None
    step = trials.attrs["choice_step"]
    logits = trials.logits.sel(step=step) if "step" in trials.logits.dims else trials.logits
    n_options = dataset.n_options(trials)
    if logits.sizes["option"] != n_options:
        return None
    odds = xr.apply_ufunc(np.exp, logits - logits.max("option"))
    prob = (odds / odds.sum("option")).rename(option="arm")
    prob = prob if "episode" in prob.dims else prob.expand_dims("episode")
    return prob.drop_vars(list(prob.coords)).transpose("episode", "trial", "arm")


def scores(prob: xr.DataArray, held: xr.Dataset) -> xr.Dataset:
    """Log-likelihood of the choices of each session at given probabilities.

    Parameters
    ----------
    prob : DataArray
        In [0, 1], over ``episode``, ``trial`` and ``arm``, and perhaps ``model``.
    held : Dataset
        What `folds.split` returned.

    Returns
    -------
    Dataset
        ``log_likelihood`` (nats, summed over trials) and ``n_trials``, over ``episode`` and what else `prob` spans.

    Raises
    ------
    InputError
        A choice that was made has no probability.
    """
    made = dataset.played(held).drop_vars(["subject", "cluster", "fold"], errors="ignore")
    chosen = prob.isel(arm=held.choice.drop_vars(["subject", "cluster", "fold"]).clip(min=0))
    if bool((chosen.isnull() & made).any()):
        raise InputError("A choice that was made has no probability under a model; its parameters were not found.")
    total = xr.apply_ufunc(np.log, chosen.clip(min=LEAST)).where(made, 0.0).sum("trial")
    found = xr.Dataset({"log_likelihood": total, "n_trials": made.sum("trial")})
    found.log_likelihood.attrs = {"long_name": "log-likelihood of held-out choices", "units": "nats"}
    found.n_trials.attrs = {"long_name": "held-out choices"}
    return found.assign_coords({name: held[name] for name in ("subject", "cluster", "fold")})


def allows(model: type[Equations], held: xr.Dataset) -> str:
    """Why a model is not for such trials, empty if it is."""
    two_step = "second_state" in held
    if not issubclass(model, Softmax):
        return "" if two_step else "it is of a two-step task"
    if two_step:
        return "the trials are of a two-step task"
    try:
        playable(model, held.drop_vars(["subject", "cluster", "fold"]))
    except InputError as error:
        return str(error)
    return ""
