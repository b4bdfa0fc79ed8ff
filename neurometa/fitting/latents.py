"""A learning model played through trials: what it expected, how well it predicts choices."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting import observer, two_step
from neurometa.fitting.choice_rule import log_policy
from neurometa.models import Equations, Model, Observer, Softmax, TwoStepModel

LABELS = {
    "arm_prob": "posterior mean of the arm's reward probability",
    "belief": "belief that the arm is the better one",
    "choice_prob": "choice probability",
    "doubt": "belief that the arm is the worse one",
    "kernel": "choice kernel of the arm",
    "log_volatility": "posterior mean of the volatility's logarithm",
    "novelty": "associability of the arm that its errors added",
    "relative_uncertainty": "posterior SD of arm 0 minus that of arm 1",
    "total_uncertainty": "posterior SD of the difference between the arms",
    "trace": "share of its initial associability that the arm still has",
    "value_sd": "posterior SD of the arm's mean reward",
}
IN_REWARD = ("relative_uncertainty", "total_uncertainty", "value_sd")


def log_likelihood(model: Equations, trials: xr.Dataset) -> xr.DataArray:
    """Log-probability of the choices under a model with given parameters.

    Parameters
    ----------
    model : Model, Observer or TwoStepModel
        With its parameters: numbers, or DataArrays over any dims but ``trial`` and ``arm``,
        e.g. ``RescorlaWagner.of(fitted)``.
    trials : Dataset
        As for `fit`.

    Returns
    -------
    DataArray
        In nats, summed over ``trial``, <= 0, over the other dims of the trials and of the
        parameters. A missed trial adds nothing; NaN where a parameter is NaN.

    Raises
    ------
    InputError
        The trials break the contract, or the model does not allow them.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> from neurometa.models import RescorlaWagner
    >>> round(log_likelihood(RescorlaWagner(0.3, 0.0), example(n_episodes=1)).item() / 150, 6)
    -0.693147
    """
    parameters = parameters_of(model)
    if isinstance(model, TwoStepModel):
        return with_coords(two_step.log_likelihood(model, parameters, trials).to_dataset(), trials).log_likelihood
    assert isinstance(model, Model | Observer)
    played, _ = playable(type(model), trials)
    log_prob = _replay(model, parameters, played)[0]
    chosen = log_prob.isel(arm=played.choice.clip(min=0)).where(played.choice >= 0, 0.0)
    total = chosen.sum("trial", skipna=False).rename("log_likelihood")
    return total.assign_attrs(long_name="log-likelihood", units="nats")


def latents(model: Equations, trials: xr.Dataset) -> xr.Dataset:
    """Return what a model held in mind on every trial: regressors for neurons, dopamine and pupils.

    Parameters
    ----------
    model : Model, Observer or TwoStepModel
        With its parameters: numbers, or DataArrays over any dims but ``trial`` and ``arm``,
        e.g. ``RescorlaWagner.of(fitted)``.
    trials : Dataset
        As for `fit`.

    Returns
    -------
    Dataset
        Over ``trial`` and the other dims: each feature of the model (``arm_value`` in units
        of reward, ``kernel``, ``belief``) and ``choice_prob`` in [0, 1], before the trial and also
        over ``arm``; and, for a model that expects rewards, ``arm_value`` and ``rpe``, the reward
        minus the value of the chosen arm, NaN on missed trials. All NaN on padding or where a
        parameter is NaN. For a two-step model instead ``model_free_value``, ``model_based_value``
        and ``choice_prob`` over ``option``, ``second_value`` over ``state`` (and ``option``),
        ``second_choice_prob``; and the errors ``second_stage_rpe`` (model-free: the value of what
        was chosen there minus that of the first choice), ``model_based_rpe`` (the same against the
        model-based value of the first choice) and ``outcome_rpe``.

        For Kalman filters ``value_sd``, the posterior SD of each arm, and for that of two arms
        ``relative_uncertainty`` and ``total_uncertainty`` over ``trial``, in units of reward.

        For `models.Behrens` also ``arm_prob``, the posterior mean of each arm's probability, and
        ``log_volatility``, that of v.

    Raises
    ------
    InputError
        The trials break the contract, or the model does not allow them.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> from neurometa.models import RescorlaWagner
    >>> latents(RescorlaWagner(0.3, 5.0), example(n_episodes=3)).rpe.dims
    ('episode', 'trial')
    """
    parameters = parameters_of(model)
    if isinstance(model, TwoStepModel):
        return with_coords(two_step.latents(model, parameters, trials), trials)
    assert isinstance(model, Model | Observer)
    played, shown = playable(type(model), trials)
    log_prob, features, expected = _replay(model, parameters, played)
    result = xr.Dataset(features | {"choice_prob": np.exp(log_prob)})
    if expected is not None:
        # `value` is what an agent predicts at a step
        result = result.drop_vars("value", errors="ignore").assign(arm_value=expected)
        chosen = result.arm_value.isel(arm=played.choice.clip(min=0))
        result["rpe"] = (played.reward - chosen).where(played.choice >= 0)
        result.rpe.attrs = {"long_name": "reward prediction error", "units": "reward"}
        result.arm_value.attrs = {"long_name": "value of the arm", "units": "reward"}
    for name, text in LABELS.items():
        if name in result:
            result[name].attrs = {"long_name": text} | ({"units": "reward"} if name in IN_REWARD else {})
    result = result.where(shown) if shown is not None else result
    order = [*(dim for dim in result.dims if dim not in ("trial", "arm")), "trial", "arm"]
    return with_coords(result.transpose(*order), trials).assign_attrs(model=type(model).__name__)


def playable(model: type[Softmax], trials: xr.Dataset) -> tuple[xr.Dataset, xr.DataArray | None]:
    """Check trials, and return ``choice`` and ``reward`` alone, with nothing chosen where nothing can be learned.

    Returns
    -------
    Dataset
        ``choice`` (-1 also on padding; its attribute ``n_options`` says how many arms) and
        ``reward`` (0 where no choice was made); for an observer also what it infers.
    DataArray or None
        Which trials are no padding, where the trials say so.
    """
    dataset.require(trials, choice=("trial",), reward=("trial",))
    choice, reward = trials.choice, trials.reward
    if choice.dtype.kind == "u":
        choice = choice.astype(np.int64)  # to hold -1
    shown = dataset.valid(trials) if "valid" in trials else None
    if shown is not None:
        choice = choice.where(dataset.played(trials), -1)
    kept = xr.Dataset({"choice": choice, "reward": reward})
    kept.choice.attrs = trials.choice.attrs
    if "n_options" not in kept.choice.attrs and "arm" in trials.sizes:
        kept.choice.attrs = {"n_options": trials.sizes["arm"]}
    dataset.check(kept)
    n_options = dataset.n_options(kept)
    check_options(model, n_options)
    made, reward = xr.broadcast(kept.choice >= 0, kept.reward.astype(float))
    if issubclass(model, Model) and model.rewards is not None:
        wrong = made & ~reward.isin(model.rewards)
        if wrong.any():
            found = float(reward.values[wrong.values][0])
            raise InputError(f"'reward' is {found:g} somewhere; {model.__name__} allows only {model.rewards}.")
    kept = xr.Dataset({"choice": xr.broadcast(kept.choice, made)[0], "reward": reward.where(made, 0.0)})
    kept.choice.attrs = {"n_options": n_options}
    if "n_options" in trials:
        kept["arms"] = _arms(trials.n_options, kept.choice, n_options)
    return observer.informed(kept, trials.get("magnitude")) if issubclass(model, Observer) else kept, shown


def _arms(told: xr.DataArray, choice: xr.DataArray, n_options: int) -> xr.DataArray:
    """How many of the arms each session has, as its ``n_options`` says, over dims of the choices.

    Raises
    ------
    InputError
        It is no number of arms, or an arm was chosen that was not there.
    """
    if not set(told.dims) <= set(choice.dims) - {"trial"} or told.dtype.kind not in "iu":
        raise InputError(
            f"'n_options' is {told.dtype} over {told.dims}; it must be whole numbers, one for each session."
        )
    if not ((told >= 2) & (told <= n_options)).all():
        raise InputError(
            f"'n_options' goes from {int(told.min())} to {int(told.max())}; allowed are 2 ... {n_options}."
        )
    if (choice >= told).any():
        raise InputError("'choice' is an option somewhere that 'n_options' says the session did not have.")
    return told.reset_coords(drop=True).astype(np.int64)


def check_pool(choice: xr.DataArray, pool: str | Sequence[str]) -> tuple[str, ...]:
    """Dims to pool over, all of which the choices must have."""
    pool = (pool,) if isinstance(pool, str) else tuple(pool)
    allowed = [str(dim) for dim in choice.dims if dim != "trial"]
    for dim in pool:
        if dim not in allowed:
            raise InputError(f"pool names the dim {dim!r}; the choices can be pooled over {allowed}.")
    return pool


def with_coords(result: xr.Dataset, trials: xr.Dataset) -> xr.Dataset:
    """Give a result the coordinates of its trials, save those that bear the name of one of its variables."""
    coords = trials.coords.to_dataset()
    coords = coords.drop_dims([dim for dim in coords.dims if dim not in result.dims])
    return result.assign_coords(coords.drop_vars([name for name in coords.coords if name in result.data_vars]).coords)


def check_options(model: type[Softmax], n_options: int) -> None:
    """Raise unless the equations allow so many arms, and begin with a value for each of them.

    Raises
    ------
    InputError
        They do not.
    """
    if model.n_options not in (None, n_options):
        raise InputError(f"The trials have {n_options} options; {model.__name__} is a model of {model.n_options}.")
    given = len(model.start[0]) if issubclass(model, Model) and isinstance(model.start[0], tuple) else n_options
    if given != n_options:
        raise InputError(f"start gives {given} values, but there are {n_options} options; give one for each, or one.")


def _replay(
    model: Model | Observer, parameters: Sequence[xr.DataArray], played: xr.Dataset
) -> tuple[xr.DataArray, dict[str, xr.DataArray], xr.DataArray | None]:
    """Log-probability of every arm before each trial, the features it came from, and what each arm should pay."""
    if isinstance(model, Observer):
        return observer.replay(model, parameters, played)
    choice, reward = xr.broadcast(played.choice, played.reward, *parameters)[:2]
    choice, reward = choice.transpose("trial", ...), reward.transpose("trial", ...)
    dims = choice.dims[1:]
    acting = aligned(model, parameters, dims)
    n_options = played.choice.attrs["n_options"]
    features, seen = acting.begin(np.zeros((*choice.shape[1:], n_options))), []
    for chose, earned in zip(choice.values, reward.values, strict=True):
        seen.append(features)
        made = (chose >= 0)[..., None]
        learned = acting.update(features, (chose[..., None] == np.arange(n_options)).astype(float), earned[..., None])
        features = tuple(np.where(made, new, old) for new, old in zip(learned, features, strict=True))
    stacked = [np.reshape([each[k] for each in seen], (*choice.shape, n_options)) for k in range(len(features))]
    logits = np.broadcast_to(acting.logits(tuple(stacked)), stacked[0].shape)
    if "arms" in played:
        arms = played.arms.broadcast_like(choice.isel(trial=0)).transpose(*dims).values
        logits = np.where(np.arange(n_options) < arms[..., None], logits, -np.inf)
    coords = choice.coords
    grain = (*choice.dims, "arm")
    named = {
        name: xr.DataArray(each, coords, grain[: each.ndim]) for name, each in acting.latents(tuple(stacked)).items()
    }
    expected = acting.expected(tuple(stacked))
    promised = None if expected is None else xr.DataArray(expected, coords, grain)
    return xr.DataArray(log_policy(model, logits), coords, grain), named, promised


def parameters_of(model: Equations) -> list[xr.DataArray]:
    """Return the parameters of a model as arrays, in order.

    Raises
    ------
    InputError
        It is no model with parameters, or one of them changes over trials or arms.
    """
    if not isinstance(model, Softmax | TwoStepModel):
        raise InputError(f"model is {model!r}; give a model with its parameters, e.g. RescorlaWagner(0.3, 5.0).")
    parameters = [xr.DataArray(getattr(model, name)) for name in model.parameters()]
    for name, each in zip(model.parameters(), parameters, strict=True):
        if {"trial", "arm"} & set(each.dims):
            raise InputError(f"{name} spans {each.dims}; a parameter must not change over 'trial' or 'arm'.")
    return parameters


def aligned(model: Model, parameters: Sequence[xr.DataArray], dims: Sequence[Any]) -> Model:
    """Return the model with every parameter an array over `dims` and an axis for the arms."""
    values = []
    for each in parameters:
        missing = [dim for dim in dims if dim not in each.dims]
        values.append(each.expand_dims(missing).transpose(*dims).values[..., None])
    return dataclasses.replace(model, **dict(zip(model.parameters(), values, strict=True)))
