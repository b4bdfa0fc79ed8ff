"""How well choices are predicted that no model has seen: each fold by what was fitted to the others."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import xarray as xr
from scipy import optimize

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting.fit import fit
from neurometa.fitting.folds import train
from neurometa.fitting.latents import latents, playable
from neurometa.fitting.simulation import simulate
from neurometa.models import Equations, Softmax

N_STARTS = 4  # of the models that are climbed: many sessions leave few hills
LEAST = 1e-12  # of a probability, so that one sure prediction that fails costs 28 nats and not all

Play = Callable[[xr.DataArray, np.random.Generator], xr.Dataset]


class Predicted(NamedTuple):
    """What was fitted to the other folds makes of each fold.

    Attributes
    ----------
    prob : DataArray
        Probability of each option before each trial, in [0, 1], over ``episode``, ``trial`` and ``arm``.
    play : callable or None
        From reward probabilities (``episode``, ``trial``, ``arm``) and a generator to ``choice`` and ``reward`` that it
        generates itself; None where it cannot.
    """

    prob: xr.DataArray
    play: Play | None = None


def of_model(model: type[Equations], held: xr.Dataset) -> Predicted:
    """Predict each fold by a learning model fitted to the others.

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
    Predicted
        Its learners play where the model is one of arms.

    Raises
    ------
    InputError
        The model does not allow such trials, or the other folds do not tell its parameters.
    """
    bare = held.drop_vars(["cluster", "fold"])
    found, learners = [], []
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
        learners.append((out, kind))
    order = np.argsort(np.concatenate([out for out, _ in learners]))
    prob = xr.concat(found, "episode").isel(episode=order).transpose("episode", "trial", "arm")
    return Predicted(prob, partial(_play, learners) if issubclass(model, Softmax) else None)


def _play(
    learners: list[tuple[np.ndarray, Equations]], reward_prob: xr.DataArray, rng: np.random.Generator
) -> xr.Dataset:
    """Let the learner of each fold play its episodes."""
    played = [simulate(kind, reward_prob.isel(episode=rows), rng)[["choice", "reward"]] for rows, kind in learners]
    order = np.argsort(np.concatenate([rows for rows, _ in learners]))
    return xr.concat(played, "episode").isel(episode=order)


def _told(fitted: xr.Dataset, model: type[Equations]) -> xr.Dataset:
    """The fit with a number for each parameter: where the choices leave one open, any does, so the middle is taken."""
    filled = {
        name: fitted[name].fillna(sum(model.bounds[name]) / 2 if name in model.bounds else 0.5)
        for name in model.parameters()
        if name in fitted
    }
    return fitted.assign(filled)


def of_bias(held: xr.Dataset) -> Predicted:
    """Predict each option by its count in the other folds plus one half; otherwise as `of_model`."""
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
    return Predicted(xr.DataArray(prob, dims=("episode", "trial", "arm")), partial(_play_bias, prob[:, 0]))


def of_policy(prob: xr.DataArray, held: xr.Dataset, play: Play | None = None) -> Predicted:
    """Predict by a policy that is known, but for lapses: trials on which any option is taken.

    How often they come is fitted to the other folds, of each subject by itself unless whole subjects are held out.

    Parameters
    ----------
    prob : DataArray
        What the policy would do, probabilities in [0, 1] over ``episode``, ``trial`` and ``arm``.
    held : Dataset
        What `folds.split` returned.
    play : callable, optional
        The policy's own play, which has no lapses.
    """
    made, n_options = dataset.played(held).values, prob.sizes["arm"]
    values = prob.transpose("episode", "trial", "arm").values
    chosen = np.take_along_axis(values, np.maximum(held.choice.values, 0)[..., None], -1)[..., 0]
    rate = np.empty(len(values))
    for row in range(len(values)):
        others = held.fold.values != held.fold.values[row]
        if not held.attrs["unseen"]:
            others &= held.subject.values == held.subject.values[row]
        rate[row] = _lapses(chosen[others][made[others]], n_options)
    lapsing = (1 - rate)[:, None, None] * values + (rate / n_options)[:, None, None]
    return Predicted(xr.DataArray(lapsing, dims=("episode", "trial", "arm")), play)


def _lapses(chosen: np.ndarray, n_options: int) -> float:
    """The most likely share of lapses, from the probability of what was chosen without any."""
    slope = 1 / n_options - chosen  # the likelihood is concave in the rate

    def steepness(rate: float) -> float:
        return float((slope / (chosen + rate * slope)).sum())

    low, high = 1e-6, 1 - 1e-9
    if not len(chosen) or steepness(low) <= 0:
        return low
    return high if steepness(high) >= 0 else float(optimize.brentq(steepness, low, high, xtol=1e-9))


def _play_bias(prob: np.ndarray, reward_prob: xr.DataArray, rng: np.random.Generator) -> xr.Dataset:
    """Choose with the same probabilities (episode, arm) on every trial."""

    def policy(t: int, choice: np.ndarray, reward: np.ndarray) -> np.ndarray:
        return prob

    return play(policy, reward_prob, rng)


def play(
    policy: Callable[[int, np.ndarray, np.ndarray], np.ndarray], reward_prob: xr.DataArray, rng: np.random.Generator
) -> xr.Dataset:
    """Generate choices among arms that pay 1 with given probabilities and else 0.

    Parameters
    ----------
    policy : callable
        From the trial (from 0), all ``choice`` and all ``reward`` (episode, trial), of which only those before it are
        there yet, to the probability of each option (episode, arm).
    reward_prob : DataArray
        In [0, 1], over ``episode``, ``trial`` and ``arm``.
    rng : Generator
        Makes the choices and rewards.

    Returns
    -------
    Dataset
        ``choice`` and ``reward`` over ``episode`` and ``trial``.
    """
    pays = reward_prob.transpose("episode", "trial", "arm").values
    choice, reward = np.zeros(pays.shape[:2], np.int8), np.zeros(pays.shape[:2])
    for t in range(pays.shape[1]):
        share = policy(t, choice, reward).cumsum(-1)
        choice[:, t] = (rng.random((len(pays), 1)) > share[:, :-1]).sum(-1)
        reward[:, t] = rng.random(len(pays)) < pays[np.arange(len(pays)), t, choice[:, t]]
    grain = ("episode", "trial")
    return xr.Dataset({"choice": (grain, choice, {"n_options": pays.shape[-1]}), "reward": (grain, reward)})


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
