"""An agent beside an animal: what both code, and how far their states agree trial type by trial type."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa.dataset import n_options, played, require
from neurometa.errors import InputError
from neurometa.fitting import fit, latents
from neurometa.models import Hybrid, LatentState, Model, RescorlaWagner
from neurometa.neural import partial
from neurometa.neural.alignment import GRAIN, align, trial_types
from neurometa.neural.decoding import decode

AFTER = "after outcome"  # the first step of the next trial, at which an agent is told of the outcome
TYPES = ("choice", "outcome", "last outcome", "value")
LEARNER = "learner"


def learned(trials: xr.Dataset) -> xr.Dataset:
    """Fit a model-free and a model-based learner to choices, all episodes together, and say what they held in mind.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` over ``episode`` and ``trial``; with ``second_state`` the learner is the hybrid of a
        two-step task, else Rescorla-Wagner's and, for two arms that pay 0 or 1, one that infers which is the better.

    Returns
    -------
    Dataset
        Over ``episode`` and ``trial``: ``model_free_value`` and (perhaps) ``model_based_value`` of what was chosen,
        and ``rpe`` at the outcome; ``arm_value`` over ``arm`` too.
    """
    made = played(trials)
    chosen = trials.choice.clip(min=0)
    if "second_state" in trials:
        held = _in_mind(Hybrid, trials)
        values = {f"{name}_value": held[f"{name}_value"] for name in ("model_free", "model_based")}
        found = {name: x.isel(option=chosen).where(made) for name, x in values.items()}
        arms = held.model_free_value.rename(option="arm")
        return xr.Dataset(found | {"rpe": held.outcome_rpe.where(made), "arm_value": arms}).reset_coords(drop=True)
    held = _in_mind(RescorlaWagner, trials)
    found = {"model_free_value": held.arm_value.isel(arm=chosen).where(made), "rpe": held.rpe}
    found["arm_value"] = held.arm_value
    binary = set(np.unique(trials.reward.values[made.transpose(*trials.reward.dims).values])) <= {0, 1}
    if n_options(trials) == 2 and binary:
        inferred = _in_mind(LatentState, trials)
        found["model_based_value"] = inferred.arm_value.isel(arm=chosen).where(made)
    return xr.Dataset(found).reset_coords(drop=True)


def _in_mind(model: type[Model] | type[Hybrid], trials: xr.Dataset) -> xr.Dataset:
    """What a learner held in mind, with the parameters that explain the choices best."""
    fitted: Any = fit(model, trials, pool="episode")
    return latents(model.of(fitted), trials)


def factors_of(trials: xr.Dataset, held: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return two sets of factors for an encoding: values, choice and outcome; and prediction errors with the choice.

    An error is the outcome minus a value, so that the three have no parts of their own in one regression.
    """
    made = played(trials)
    choice = trials.choice.where(made).astype(float)
    outcome = trials.reward.where(made).astype(float)
    values = {name: held[name] for name in ("model_free_value", "model_based_value") if name in held}
    sets = {
        "values": xr.Dataset({"choice": choice, "outcome": outcome} | values),
        "errors": xr.Dataset({"choice": choice, "rpe": held.rpe}),
    }
    return {name: each.reset_coords(drop=True) for name, each in sets.items()}


def partial_determination(
    activity: xr.DataArray, factors: xr.Dataset, *, n_shuffles: int = 10, seed: int = 0
) -> xr.Dataset:
    """Coefficient of partial determination of each factor for each unit at each step: one encoding for all.

    The share of what the other factors leave unexplained that this one explains (squared partial correlation).

    Parameters
    ----------
    activity : DataArray
        Over ``episode``, ``trial``, ``unit`` and perhaps ``step``.
    factors : Dataset
        Numbers over ``episode`` and ``trial``. Trials with NaN are left out.
    n_shuffles : int
        How often whole episodes of the activity are exchanged, for chance.
    seed : int
        Fixes the shuffles.

    Returns
    -------
    Dataset
        ``cpd`` in [0, 1] over ``step``, ``factor`` and ``unit``, NaN for a unit that does not vary; ``chance``
        (``step``, ``factor``), its mean over units and shuffles; ``n`` trials (``step``).

    Raises
    ------
    InputError
        A factor is constant, or follows from the others.
    """
    if "step" not in activity.dims:
        activity = activity.expand_dims(step=["all"])
    x = np.stack([factors[name].transpose(*GRAIN).values.astype(float) for name in factors], -1)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(x)) for _ in range(n_shuffles)]
    found, chance, counted = [], [], []
    for k in range(activity.sizes["step"]):
        y = activity.isel(step=k).transpose(*GRAIN, "unit").values.astype(float)
        used = np.isfinite(x).all(-1) & np.isfinite(y).all(-1)
        why = partial.why_not(x[used], None)
        if why:
            raise InputError(
                f"There is no encoding at step {activity.step.values[k]!r}, as {why}: {', '.join(map(str, factors))}."
            )
        found.append(_squared(y[used], x[used]))
        null = []
        for order in orders:
            both = np.isfinite(x).all(-1) & np.isfinite(y[order]).all(-1)
            null.append(np.nanmean(_squared(y[order][both], x[both]), 1))
        chance.append(np.mean(null, 0) if null else np.full(len(factors), np.nan))
        counted.append(int(used.sum()))
    names = [str(name) for name in factors]
    coords = {"step": activity.step.values, "factor": np.array(names, dtype=object)}
    coords |= {name: activity[name] for name in ("unit", "area") if name in activity.coords}
    return xr.Dataset(
        {
            "cpd": (("step", "factor", "unit"), found, {"long_name": "coefficient of partial determination"}),
            "chance": (("step", "factor"), chance),
            "n": ("step", counted),
        },
        coords=coords,
    )


def _squared(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    varies = np.ptp(y, axis=0) > 0
    found = np.full((x.shape[1], y.shape[1]), np.nan)
    found[:, varies] = partial.correlation(y[:, varies], x) ** 2
    return found


def states(clamped: xr.Dataset, name: str = "hidden") -> xr.DataArray:
    """Return an agent's activity at each step of its trials, and at the first of the next, when it knows the outcome.

    Returns
    -------
    DataArray
        Over ``episode``, ``trial``, ``agent_step`` and ``unit``; the last of ``agent_step`` is `AFTER`, NaN on the last
        trial of an episode.
    """
    require(clamped, **{name: (*GRAIN, "step", "unit")})
    now = clamped[name].reset_coords(drop=True).rename(step="agent_step")
    after = now.isel(agent_step=[0]).shift(trial=-1)
    valid = played(clamped).shift(trial=-1, fill_value=False) | (clamped.trial < clamped.sizes["trial"] - 1)
    after = after.where(valid).assign_coords(agent_step=[AFTER])
    return xr.concat([now.astype(float), after], "agent_step").transpose(*GRAIN, "agent_step", "unit")


def _learner_states(trials: xr.Dataset, held: xr.Dataset, steps: Sequence[str]) -> xr.DataArray:
    """What the learner held in mind, as a population: values before, and after them choice, outcome and error."""
    made = played(trials)
    now = held.arm_value.rename(arm="unit").transpose(*GRAIN, "unit").drop_vars("unit", errors="ignore")
    more = [trials.choice.where(made), trials.reward.where(made), held.rpe]
    told = xr.concat([each.reset_coords(drop=True).astype(float) for each in more], "unit").transpose(*GRAIN, "unit")
    after = xr.concat([now.shift(trial=-1), told], "unit")
    before = xr.concat([now, xr.zeros_like(told)], "unit").where(made)
    each = [after if step == AFTER else before for step in steps]
    return xr.concat(each, "agent_step").assign_coords(agent_step=list(steps)).transpose(*GRAIN, "agent_step", "unit")


def types_of(trials: xr.Dataset, held: xr.Dataset, names: Sequence[str] = TYPES) -> xr.DataArray:
    """Number types of trials by choice, outcome, last outcome, last choice and value (below or above its median)."""
    made = played(trials)
    choice, outcome = trials.choice.where(made).astype(float), trials.reward.where(made).astype(float)
    value = held.model_free_value
    known = {
        "choice": choice,
        "outcome": outcome,
        "last choice": choice.shift(trial=1),
        "last outcome": outcome.shift(trial=1),
        "value": (value > value.median()).astype(float).where(value.notnull()),
    }
    if odd := [name for name in names if name not in known]:
        raise InputError(f"There are no types of trials by {odd}; allowed are {list(known)}.")
    return trial_types(xr.Dataset({name: known[name].reset_coords(drop=True) for name in names}))


def beside(
    trials: xr.Dataset,
    clamped: Mapping[str, xr.Dataset],
    *,
    activity: str = "activity",
    types: Sequence[str] = TYPES,
    n_splits: int = 20,
    n_shuffles: int = 20,
    n_folds: int = 5,
    seed: int = 0,
) -> xr.Dataset:
    """Set agents, which were clamped to an animal's trials, beside the animal's recorded activity.

    Parameters
    ----------
    trials : Dataset
        The animal's, with activity over ``episode`` (sessions, or blocks), ``trial``, ``unit`` and perhaps ``step``;
        where units have a coordinate ``area``, each area is asked by itself, too.
    clamped : mapping of str to Dataset
        As of `neurometa.rollout.clamp`, with ``hidden``, e.g. ``agent`` and ``untrained``. The first is encoded.
    activity : str
        The recorded variable.
    types : sequence of str
        What tells trials apart for the alignment, as of `types_of`.
    n_splits, n_shuffles, seed
        As of `align`.
    n_folds : int
        Of the decoding, blocks of episodes.

    Returns
    -------
    Dataset
        Over ``area`` all of `align`, whose populations are the agents and a fitted ``learner``; ``cpd`` of the neurons
        and ``agent_cpd`` of the first agent's units, means over units with standard errors ``cpd_se`` and chance, over
        ``area``, ``step`` or ``agent_step`` and ``factor``; ``accuracy`` of decoding ``target`` (choice, outcome) from
        the neurons, over ``area`` and ``step``, by logistic regression on held-out blocks, with ``accuracy_lower`` and
        ``accuracy_upper``.

    Raises
    ------
    InputError
        The trials hold no such activity, or as of `align` and `decode`.
    """
    if activity not in trials:
        raise InputError(
            f"The animal's trials hold no {activity!r}; import it with: neurometa import FILE.nwb --activity units "
            "--align TIME --window -0.5,1 --bins 6."
        )
    require(trials, **{activity: (*GRAIN, "unit")})
    if "step" in trials[activity].coords and not trials[activity].indexes["step"].is_unique:
        labels = [str(each) for each in trials.step.values]
        raise InputError(f"The steps of {activity!r} are called {labels}; each must have a name of its own.")
    if not 3 <= n_folds <= trials.sizes["episode"]:
        raise InputError(
            f"n_folds is {n_folds}; it must lie between 3 and the number of episodes (sessions, or the blocks of one), "
            f"of which there are {trials.sizes['episode']}."
        )
    recorded, held = trials[activity], learned(trials)
    populations = {name: states(each) for name, each in clamped.items()}
    first = next(iter(populations.values()))
    populations[LEARNER] = _learner_states(trials, held, [str(each) for each in first.agent_step.values])
    code = types_of(trials, held, types)
    sets = factors_of(trials, held)
    found = []
    for area, part in _areas(recorded).items():
        own = align(populations, part, code, n_splits=n_splits, n_shuffles=n_shuffles, seed=seed)
        own = own.merge(_encoded(part, sets, seed)).merge(_decoded(trials, part, n_folds))
        found.append(own.assign(n_units=part.sizes["unit"]).expand_dims(area=[area]))
    result = xr.concat(found, "area", combine_attrs="override")
    by_agent = _encoded(first.rename(agent_step="step"), sets, seed)
    names = {"step": "agent_step"} | {name: f"agent_{name}" for name in by_agent.data_vars}
    result = result.merge(by_agent.rename(names))
    return result.assign_attrs(types=", ".join(types), activity=activity, n_folds=n_folds)


def _areas(recorded: xr.DataArray) -> dict[str, xr.DataArray]:
    every = {"all": recorded.drop_vars("area", errors="ignore")}
    if "area" not in recorded.coords or recorded.area.dims != ("unit",):
        return every
    named = recorded.area.values.astype(str)
    each = {area: recorded.isel(unit=named == area).drop_vars("area") for area in np.unique(named).tolist()}
    return each if len(each) == 1 else each | every


def _encoded(activity: xr.DataArray, sets: dict[str, xr.Dataset], seed: int) -> xr.Dataset:
    """Means over units of both encodings, the errors beside the values."""
    values, errors = (partial_determination(activity, each, seed=seed) for each in sets.values())
    parts = [each.drop_vars(["n", "area"], errors="ignore") for each in (values, errors.sel(factor=["rpe"]))]
    both = xr.concat(parts, "factor")
    n = both.cpd.notnull().sum("unit")
    return xr.Dataset(
        {"cpd": both.cpd.mean("unit"), "cpd_se": both.cpd.std("unit", ddof=1) / n**0.5, "cpd_chance": both.chance}
    ).drop_vars("unit", errors="ignore")


def _decoded(trials: xr.Dataset, part: xr.DataArray, n_folds: int) -> xr.Dataset:
    """Choice and outcome, from all units, time by time."""
    made = played(trials)
    steps = part if "step" in part.dims else part.expand_dims(step=["all"])
    found = []
    for name, target in (("choice", trials.choice), ("outcome", trials.reward)):
        labels = xr.where(made, target.astype(int).astype(str), "").reset_coords(drop=True)
        read = decode(steps.reset_coords(drop=True), labels, n_folds=n_folds)
        kept = {"accuracy": "accuracy", "lower": "accuracy_lower", "upper": "accuracy_upper"}
        found.append(read[list(kept)].rename(kept).assign_coords(target=name))
    return xr.concat(found, "target")
