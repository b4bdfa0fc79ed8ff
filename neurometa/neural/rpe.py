"""Prediction errors of an agent's own value output, at named events, and what of two reference learners is in them."""

import json
from typing import Any, Literal

import numpy as np
import xarray as xr

from neurometa import settings
from neurometa.behaviour import reference_rpes
from neurometa.dataset import require
from neurometa.errors import InputError
from neurometa.neural.shared_variance import Shares, shares

OUTCOME = "outcome"  # what follows the last step of a trial
REFERENCES = ("model-based", "model-free")
EVENTS = ("second_stage", OUTCOME)
Terminal = Literal["zero", "missing"]


def rpe(run: xr.Dataset, discount: float | None = None, *, terminal: Terminal = "zero") -> xr.DataArray:
    r"""Reward prediction errors of an agent's value output, labelled by the event that each one answers.

    .. math:: \delta_t = r_t + \gamma V_{t+1} - V_t

    with the network's own V, over all steps of an episode in turn, also from the last step of one trial to the first of
    the next. V of a step is put out once that step is seen, so that :math:`\delta_t` comes about at the step after t:
    that of the step ``choice`` answers the onset of ``second_stage``, and it is found under that event. What follows
    the last step of a trial is called ``outcome``: the reward of that step, and the next trial (or ``next_`` and the
    first step's name, where the trial has a step of the name ``outcome``).

    Parameters
    ----------
    run : Dataset
        ``value`` and ``step_reward`` over ``trial``, ``step`` and any other dims; ``valid`` where trials are padded.
    discount : float, optional
        Gamma, in [0, 1]. By default that of the training, from the run's attrs; of a schedule, its last value.
    terminal : {"zero", "missing"}
        After the last step of an episode V is 0, as in training, or that prediction error is NaN. An agent that cannot
        tell when an episode ends errs there by all it expected of the future, which is no event of the task.

    Returns
    -------
    DataArray
        In units of reward, over ``trial``, ``event`` and the other dims; the coordinate ``step`` says whose value is
        subtracted. NaN on padding.

    Raises
    ------
    InputError
        A variable is absent, or the discount is neither stated nor known, or outside [0, 1].

    References
    ----------
    Wang et al. 2018, simulations 3 and 4.
    """
    require(run, value=("trial", "step"), step_reward=("trial", "step"))
    if terminal not in ("zero", "missing"):
        raise InputError(f"terminal is {terminal!r}; it must be 'zero' or 'missing'.")
    discount = training_discount(run) if discount is None else discount
    if not 0 <= discount <= 1:
        raise InputError(f"discount is {discount}; it must lie between 0 and 1.")
    played = xr.ones_like(run.value, dtype=bool)
    if "valid" in run:
        played = played & run.valid.astype(bool)
    value, reward = (run[name].astype(float).where(played) for name in ("value", "step_reward"))
    steps = [str(step) for step in run.step.values] if "step" in run.coords else []
    if len(steps) < run.sizes["step"]:
        raise InputError("The steps of the run have no names; give them as the coordinate 'step'.")
    following = _next_step(value)
    if terminal == "zero":
        following = following.where(_next_step(played.astype(float)) == 1, 0.0)
    found = (reward + discount * following - value).rename("rpe")
    last = OUTCOME if OUTCOME not in steps else f"next_{steps[0]}"
    found = found.rename(step="event").assign_coords(event=np.array([*steps[1:], last], dtype=object))
    found = found.assign_coords(step=("event", np.array(steps, dtype=object)))
    found.attrs = {
        "long_name": "reward prediction error",
        "units": "reward",
        "discount": discount,
        "terminal": terminal,
    }
    return found


def _next_step(x: xr.DataArray) -> xr.DataArray:
    """Take each step's successor, across trials; NaN after the last."""
    rest, wrapped = x.isel(step=slice(1, None)), x.isel(step=[0]).shift(trial=-1)
    return xr.concat([rest, wrapped], "step").transpose(*x.dims).assign_coords(step=x.step)


def training_discount(run: xr.Dataset) -> float:
    """Return the discount that a run's agent was trained with; of a schedule, its last value.

    Raises
    ------
    InputError
        The run does not say: it is not of one trained agent.
    """
    text = str(run.attrs.get("config", ""))
    config = settings.modern(json.loads(text)) if text[:1] == "{" else {}
    try:
        found: Any = settings.find(config, settings.locate(config, "discount"))
        found = found["end"] if isinstance(found, dict) else found
    except (InputError, KeyError):
        raise InputError(
            "The run's attrs hold no 'config' with a discount, so it must be stated: discount=0.9, "
            "at the shell --discount 0.9."
        ) from None
    return float(found)


def rpe_beside_references(
    trials: xr.Dataset, discount: float | None = None, *, learning_rate: float = 0.4
) -> xr.Dataset:
    """Prediction errors of an agent on a two-step task, those of reference learners on its own trials, and shares.

    Parameters
    ----------
    trials : Dataset
        A run of a two-step task whose trials have a step for each event: what `rpe` and
        `neurometa.behaviour.reference_rpes` need.
    discount : float, optional
        Gamma, of the agent and of both references; by default that of the training.
    learning_rate : float
        Of the model-free learner, in [0, 1].

    Returns
    -------
    Dataset
        ``rpe`` over ``event`` (NaN in the references where they have none), ``model_based`` and ``model_free``, and
        all of `compare_rpes`; ``r_squared_each`` over ``episode`` and ``reference`` (model-based, model-free), of each
        episode by itself, such as a person's; the settings are in the attrs.

    Raises
    ------
    InputError
        As `rpe`, `neurometa.behaviour.reference_rpes` and `compare_rpes`.
    """
    agent = rpe(trials, discount)
    references = reference_rpes(trials, agent.attrs["discount"], learning_rate=learning_rate)
    found = compare_rpes(agent, references)
    whole = references.reindex(event=agent.event.values).merge(found.reindex(event=agent.event.values))
    both = xr.concat([references.model_based, references.model_free], "reference")
    each = _each(agent, both.sel(event=list(EVENTS))).assign_coords(reference=["model-based", "model-free"])
    whole = whole.assign(r_squared_each=each.reindex(reference=whole.reference))
    return whole.assign(rpe=agent.drop_vars("step")).assign_attrs(
        references.attrs | {"terminal": agent.attrs["terminal"]}
    )


def _each(agent: xr.DataArray, references: xr.DataArray) -> xr.DataArray:
    """Squared correlation with each reference within each episode, both events pooled, without the last outcome."""
    own = agent.sel(event=list(EVENTS)).reset_coords(drop=True)
    references = references.reset_coords(drop=True)
    played = (own.notnull() | references.notnull().any("reference")).any("event")
    trial = xr.DataArray(np.arange(own.sizes["trial"]), dims="trial")
    own = own.where((trial < trial.where(played).max("trial")) | (own.event != OUTCOME))
    dims = ["trial", "event"]
    return xr.corr(own, references, dims) ** 2


def compare_rpes(agent: xr.DataArray, references: xr.Dataset, *, dim: str = "episode", seed: int = 0) -> xr.Dataset:
    """Ask how much of an agent's prediction errors a planner and a model-free learner explain, also beyond the other.

    The two references err alike on most trials, as both follow reward. What speaks for one of them is therefore what it
    explains once the other has been regressed out of it (Wang et al. 2018, Fig 5f, g).

    Parameters
    ----------
    agent : DataArray
        Prediction errors over ``trial``, `dim` and ``event`` (of them ``second_stage`` and ``outcome`` are used), as of
        `rpe`; any other dims. The last outcome of each episode is left out: there the agent lacks the value of a next
        trial, or errs by it.
    references : Dataset
        ``model_based`` and ``model_free`` over the same dims, as of `neurometa.behaviour.reference_rpes`.
    dim : str
        What is independent: ``episode``, or ``subject``.
    seed : int
        Fixes the bootstrap of the intervals.

    Returns
    -------
    Dataset
        Over the dims of the agent that are neither ``trial``, ``event`` nor `dim`, with both events pooled:

        - ``r_squared``, in [0, 1], over ``reference``: squared correlation of the agent with ``model-based``,
          ``model-free``, ``model-free residual`` (what is left of it after regression on the model-based one) and
          ``model-based residual``, with ``lower`` and ``upper``;
        - ``r_squared_between`` the two references;
        - ``coef``, ``se`` and ``p_value`` over ``regressor`` (intercept, model-based, model-free) of the regression of
          the agent on both; standard errors allow for any dependence within `dim`, p is of Student's t;
        - ``n`` prediction errors of ``n_episodes``, and ``n_left_out``, which are missing or follow an episode's end;
        - ``note``: why an estimate is NaN, or "".

        The same with the ending ``_event`` over ``event`` for the second stage and the outcome apart. Intervals are
        95 %, percentiles of 1,000 bootstrap samples of `dim`.

    Raises
    ------
    InputError
        A variable or dim is missing, an event is missing (trials of one step have no second stage), or sizes differ.
    """
    require(references, model_based=("trial", "event"), model_free=("trial", "event"))
    for needed in ("trial", "event", dim):
        if needed not in agent.dims:
            raise InputError(f"The agent's prediction errors span {agent.dims}; they must also span {needed!r}.")
    known = [str(event) for event in agent.event.values]
    if missing := [event for event in EVENTS if event not in known]:
        raise InputError(
            f"The prediction errors are of the events {known}, without {missing}; the comparison needs trials with the "
            "steps 'choice' and 'second_stage', which a two-step task in one step does not have."
        )
    agent = agent.sel(event=list(EVENTS)).reset_coords(drop=True)
    references = references[["model_based", "model_free"]].sel(event=list(EVENTS)).reset_coords(drop=True)
    try:
        agent, model_based, model_free = xr.align(agent, references.model_based, references.model_free, join="exact")
    except ValueError as error:
        raise InputError(f"Agent and references are not of the same trials: {error}") from error
    played = agent.notnull() | model_based.notnull()
    trial = xr.DataArray(np.arange(agent.sizes["trial"]), dims="trial")
    last = trial.where(played.any("event")).max("trial")
    kept = agent.where((trial < last) | (agent.event != OUTCOME))
    sampled = (dim, "trial", "event")
    together = xr.broadcast(kept, model_based, model_free)
    apart = [str(name) for name in kept.dims if name not in sampled]
    x = np.stack([each.transpose(*apart, *sampled).values for each in together], -1)
    rng = np.random.default_rng(seed)
    places = list(np.ndindex(*x.shape[: len(apart)]))
    found = []
    for place in places:
        both = x[place].reshape(x.shape[-4], -1, 3)
        found.append([shares(both, rng), *(shares(x[place][:, :, event], rng) for event in range(len(EVENTS)))])
    shape = x.shape[: len(apart)]
    return _labelled(found, shape, apart, {name: kept.indexes[name] for name in apart if name in kept.indexes})


def _labelled(
    found: list[list[Shares]], shape: tuple[int, ...], apart: list[str], coords: dict[str, Any]
) -> xr.Dataset:
    first, second = REFERENCES
    over = {
        "reference": np.array([first, second, f"{second} residual", f"{first} residual"], dtype=object),
        "regressor": np.array(["intercept", first, second], dtype=object),
        "event": np.array(EVENTS, dtype=object),
    }
    result = xr.Dataset(coords=coords | over)
    for name, (own, long_name) in SHOWN.items():
        values = np.array([[getattr(each, name) for each in place] for place in found])
        values = values.astype(object) if name == "note" else values
        values = values.reshape((*shape, *values.shape[1:]))
        values = np.moveaxis(values, len(shape), 0)
        about = {"long_name": long_name}
        result[name] = ([*apart, *own], values[0], about)
        result[f"{name}_event"] = (["event", *apart, *own], values[1:], about)
    return result.assign_attrs(level=0.95)


SHOWN = {  # dims of their own, and the label on an axis
    "r_squared": (["reference"], "share of the agent's variance"),
    "lower": (["reference"], "lower end of the 95 % interval"),
    "upper": (["reference"], "upper end of the 95 % interval"),
    "r_squared_between": ([], "variance that the references share"),
    "coef": (["regressor"], "regression coefficient"),
    "se": (["regressor"], "standard error, by episode"),
    "p_value": (["regressor"], "p, two-sided"),
    "n": ([], "prediction errors"),
    "n_episodes": ([], "episodes"),
    "n_left_out": ([], "prediction errors left out"),
    "note": ([], "why there is no estimate"),
}
