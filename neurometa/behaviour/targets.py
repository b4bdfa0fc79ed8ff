"""What a decoder may be asked to read, by name: an ideal learner's statistics, or a variable of the run."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import xarray as xr

from neurometa.behaviour import processes
from neurometa.behaviour.posterior_volatility import posterior_volatility
from neurometa.behaviour.sufficient import World, counts, log_odds, posterior_mean
from neurometa.dataset import n_options, played, require, task_settings, valid
from neurometa.errors import InputError, nearest

STATISTICS = ("posterior-mean", "wins-losses", "log-odds")
OF_PROCESSES = ("posterior-rewards", "visits", "transitions")
BEST = "best-action-"  # of a Markov decision process, before the number of a state
CATEGORIES = ("choice", "target", "action")  # integers that stand for options


def targets(trials: xr.Dataset, names: Sequence[str] = ()) -> xr.DataArray:
    """Gather variables side by side, as targets of `neurometa.neural.decode`.

    Parameters
    ----------
    trials : Dataset
        A run over ``episode`` and ``trial``.
    names : sequence of str
        ``"posterior-mean"`` of each arm, ``"wins-losses"`` of each arm and ``"log-odds"`` of arm 0, all before the
        choice of the trial, as the logged state is; for the prior of the run's own task. ``"posterior-volatility"``,
        likewise before the choice, of `posterior_volatility` with its defaults. By default the first three, of more
        than two arms the first two.

        Of a tabular Markov decision process before each trial, by default the first: ``"posterior-rewards"`` and
        ``"visits"`` of each state and action, ``"transitions"`` from each to each state, and the category
        ``"best-action-S"``, which a plan by the posterior mean would take in state S at the first step of a trial.

        Or variables of the run
        without ``step``, e.g. ``"reward-prob"``, with ``_`` or ``-``; one of the categories ``choice`` and
        ``target``, or one that is bool or text, stands alone.

    Returns
    -------
    DataArray
        Over ``target`` (labels such as "wins of arm 0"), ``episode``, ``trial`` and any other dims. Numbers, NaN on
        trials that were missed or not valid; or strings, "" there.

    Raises
    ------
    InputError
        There is no such variable, it has a dim that cannot be told apart by ``arm``, categories come with others, or
        the task is not one whose statistics are counts.
    """
    of_process = any(name in OF_PROCESSES or name.startswith(BEST) for name in names)
    if of_process or ("visited_state" in trials and not names):
        return _of_process(trials, names or OF_PROCESSES[:1])
    more_arms = "choice" in trials and n_options(trials) > 2
    names = names or STATISTICS[: 2 if more_arms else 3]
    without = "choice" not in trials and not set(names) & {*STATISTICS, "posterior-volatility"}
    like = "reward" if without else "choice"  # of tasks without a choice step any trial counts that is no padding
    require(trials, **{like: ("episode", "trial")})
    made = valid(trials, "reward") if without else played(trials)
    if any(_category(trials, name) for name in names):
        if len(names) > 1:
            raise InputError(f"The targets are {list(names)}; a category is read on its own.")
        variable = _variable(trials, names[0]).broadcast_like(trials[like])
        text = variable.astype(str).astype(object).where(made, "")
        return text.expand_dims(target=np.array([names[0]], dtype=object))
    parts: dict[str, xr.DataArray] = {}
    for name in names:
        parts |= _parts(trials, name, like)
    together = xr.concat([part.astype(float) for part in parts.values()], "target", join="exact", coords="minimal")
    return together.assign_coords(target=np.array(list(parts), dtype=object)).where(made).rename("target")


def _of_process(trials: xr.Dataset, names: Sequence[str]) -> xr.DataArray:
    """Targets of a Markov decision process, before each trial."""
    counted = processes.process_counts(trials)
    if any(name.startswith(BEST) for name in names):
        if len(names) > 1:
            raise InputError(f"The targets are {list(names)}; a category is read on its own.")
        state = names[0].removeprefix(BEST)
        if not state.isdecimal():
            raise InputError(f"There is no target {names[0]!r}; write the number of a state, as in {BEST}0.")
        best = processes.best_action(counted, trials.sizes["step"], int(state))
        return best.expand_dims(target=np.array([f"best action in state {state}"], dtype=object))
    known = {
        "posterior-rewards": processes.posterior_rewards(counted),
        "visits": counted.visits,
        "transitions": counted.transitions,
    }
    parts = {}
    for name in names:
        if name not in known:
            raise InputError(f"There is no target {name!r} beside {', '.join(OF_PROCESSES)}; read it on its own.")
        dims = [dim for dim in ("state", "option", "next_state") if dim in known[name].dims]
        for place in np.ndindex(*(known[name].sizes[dim] for dim in dims)):
            one = known[name].isel(dict(zip(dims, place, strict=True)), drop=True)
            where = f"state {place[0]}, action {place[1]}" + (f", to state {place[2]}" if len(place) > 2 else "")
            parts[f"{name.replace('-', ' ')}, {where}"] = one
    together = xr.concat([part.astype(float) for part in parts.values()], "target")
    return together.assign_coords(target=np.array(list(parts), dtype=object)).rename("target")


class Prior(TypedDict):
    """Arguments of `posterior_mean` and `log_odds`."""

    world: World
    prob: float | None


def world(trials: xr.Dataset) -> Prior:
    """Say which prior the run's own task has, as arguments of `posterior_mean` and `log_odds`.

    Raises
    ------
    InputError
        The run does not name its task, or the task's arms do not keep their probabilities.
    """
    text, task = trials.attrs.get("task", ""), task_settings(trials)
    kind = task.get("type")
    if kind == "tasks.IndependentBandit":
        return {"world": "independent", "prob": None}
    if kind == "tasks.DependentBandit" and task.get("n_arms", 2) == 2:
        if task.get("difficulty") == "uniform":
            return {"world": "anticorrelated", "prob": None}
        require(trials, reward_prob=("arm",))
        return {"world": "anticorrelated", "prob": round(float(trials.reward_prob.max()), 6)}
    raise InputError(
        f"The task of the run is {kind or text or 'not named'}; posterior means and log odds are known for independent "
        "arms and for two anti-correlated ones. In a notebook, behaviour.posterior_mean takes the prior; or name a "
        "variable of the run."
    )


def _parts(trials: xr.Dataset, name: str, like: str) -> dict[str, xr.DataArray]:
    if name == "posterior-mean":
        return _by_arm("posterior mean", posterior_mean(trials, **world(trials)))
    if name == "wins-losses":
        counted = counts(trials)
        return _by_arm("wins", counted.wins) | _by_arm("losses", counted.losses)
    if name == "log-odds":
        return {"log odds": log_odds(trials, **world(trials))}
    if name == "posterior-volatility":
        return {"posterior volatility": posterior_volatility(trials)}
    return _by_arm(name.replace("_", " ").replace("-", " "), _variable(trials, name).broadcast_like(trials[like]))


def _by_arm(name: str, x: xr.DataArray) -> dict[str, xr.DataArray]:
    if "arm" not in x.dims:
        return {name: x.reset_coords(drop=True)}
    return {f"{name} of arm {arm}": x.isel(arm=arm, drop=True).reset_coords(drop=True) for arm in range(x.sizes["arm"])}


def _variable(trials: xr.Dataset, name: str) -> xr.DataArray:
    known = name if name in trials else name.replace("-", "_")
    if known not in trials:
        allowed = [*STATISTICS, "posterior-volatility", *OF_PROCESSES, *map(str, trials.variables)]
        raise InputError(f"There is no target {name!r}; there are {', '.join(allowed)}.{nearest(name, allowed)}")
    variable = trials[known]
    if "step" in variable.dims and variable.sizes["step"] == 1:
        variable = variable.isel(step=0, drop=True)
    if odd := [dim for dim in variable.dims if dim in ("step", "unit", "latent", "query", "option", "feature")]:
        raise InputError(f"{name!r} spans {variable.dims}; a target has no {odd[0]!r}. Select a value in a notebook.")
    if "episode" not in variable.dims:
        raise InputError(f"{name!r} spans {variable.dims}; a target must span 'episode'.")
    return variable


def _category(trials: xr.Dataset, name: str) -> bool:
    known = name.replace("-", "_")
    return known in trials.variables and (known in CATEGORIES or trials[known].dtype.kind not in "iuf")
