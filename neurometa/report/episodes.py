"""A few episodes, trial by trial, as numbers that a page can draw: choices, rewards, what was hidden and expected."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import softmax

from neurometa import behaviour, dataset, models
from neurometa.errors import InputError
from neurometa.neural import principal_components, rpe
from neurometa.report.source import Source

MOST = 5  # episodes
ROOM = 300_000  # characters that all of them may take, about
LONGEST = 5000  # trials of one that are kept
PLACES = ("lowest", "lower quartile", "median", "upper quartile", "highest")  # by reward
GRAIN = ("trial", "step", "arm", "state", "option", "unit", "feature")
HIDDEN_WORLD = (  # variables that a task keeps to itself, and the dim whose entries are lines
    ("reward_prob", "arm"),
    ("state_reward_prob", "state"),
    ("expected_reward", "arm"),
    ("magnitude", "arm"),
    ("risky_prob", ""),
)
BELIEFS = ("posterior_prob", "posterior_better", "posterior_cue")
MARKS = {"rare": "rare transition", "volatile": "volatile", "reversed": "roles reversed", "forced": "forced choice"}
CHOICE_STEPS = ("choice", "response")


def of_source(source: Source) -> dict[str, Any] | None:
    """Return the data of the scrubber, plain and ready for JSON; None where there is no choice to show.

    Parameters
    ----------
    source : Source
        Its hidden state is read for the episodes shown and no others.

    Returns
    -------
    dict
        ``episodes`` (each with ``label``, ``n``, ``choice``, ``reward``, ``marks``, ``panels`` and perhaps ``second``
        (stage) and ``hidden``),
        ``options`` (their names), ``about`` (a sentence on which episodes these are) and ``notes``.
    """
    trials = source.trials
    if trials is None or not {"choice", "reward"} <= set(trials.data_vars):
        return None
    places = _places(trials)
    if not places:
        return None
    notes: list[str] = []
    fitted = _fitted(source, notes)
    with dataset.opened(source.path) as (_, whole):
        kept: list[dict[str, Any]] = []
        states: list[np.ndarray | None] = []
        for place, rank in places:
            one = _one(whole, trials, place)
            told, state = _episode(one, *_held(fitted, one, place, notes))
            told["label"] = _label(trials, place)
            told["rank"] = rank
            kept.append(told)
            states.append(state)
    _add_hidden(kept, states)
    by = "reward" + (" per trial" if "valid" in trials else "")
    n_all = int(np.prod([trials.choice.sizes[dim] for dim in _others(trials)]))
    about = f"All {n_all:,} episodes, by {by}" if n_all > 1 else "The one episode"
    if len(kept) < n_all:
        *most, last = [rank for _, rank in places]
        which = f"{', '.join(most)} and {last}" if most else last
        about = f"{len(kept)} of {n_all:,} episodes: {'those' if most else 'that'} with the {which} {by}"
    if any(one["cut"] for one in kept):
        notes.append(f"Of a longer episode only the first {max(one['n'] for one in kept):,} trials are in this page.")
    return {"episodes": kept, "options": _options(trials), "about": about, "notes": notes}


def _others(trials: xr.Dataset) -> list[str]:
    return [str(dim) for dim in trials.choice.dims if dim != "trial"]


def _places(trials: xr.Dataset) -> list[tuple[dict[str, int], str]]:
    """Positions of the episodes shown: from the one of least reward to the one of most."""
    others = _others(trials)
    earned = trials.reward.where(dataset.valid(trials)).mean("trial")
    earned = xr.broadcast(earned, trials.choice.isel(trial=0, drop=True))[0].transpose(*others)
    flat = np.atleast_1d(earned.values).ravel()
    order = [int(i) for i in np.argsort(flat, kind="stable") if np.isfinite(flat[i])]
    if not order:
        return []
    most = MOST if len(order) >= MOST else len(order)
    size = min(int(dataset.valid(trials).sum("trial").max()), LONGEST)
    per_trial = 60 + 1.4 * trials.sizes.get("unit", 0)  # characters, about
    most = int(np.clip(ROOM // max(size * per_trial, 1), 1, most))
    chosen = np.unique(np.linspace(0, len(order) - 1, most).round().astype(int))
    ranks = {5: PLACES, 4: ("lowest", "lower third", "upper third", "highest"), 3: PLACES[::2], 2: PLACES[::4]}
    names = ranks.get(len(chosen), ("lowest",))
    shape = tuple(earned.sizes[dim] for dim in others)
    return [
        ({dim: int(i) for dim, i in zip(others, np.unravel_index(order[at], shape), strict=True)}, name)
        for at, name in zip(chosen, names, strict=True)
    ]


def _at(data: xr.Dataset, place: dict[str, int]) -> xr.Dataset:
    return data.isel({dim: i for dim, i in place.items() if dim in data.dims})


def _one(whole: xr.Dataset, trials: xr.Dataset, place: dict[str, int]) -> xr.Dataset:
    """One episode without its padding, in memory."""
    played = _at(dataset.valid(trials).to_dataset(name="played"), place).played
    last = min(int(np.flatnonzero(played.values).max(initial=-1)) + 1, LONGEST)
    one = _at(whole, place).isel(trial=slice(0, last))
    kept = [name for name in one.data_vars if name not in ("cell", "observation")]
    one = one[kept].load()
    one["played"] = played.isel(trial=slice(0, last))
    one.attrs["cut"] = bool(played.values.sum() > last)
    return one


def _label(trials: xr.Dataset, place: dict[str, int]) -> str:
    """What an episode is called: by its subject and session, or by its position."""
    told = []
    at = trials.isel(place)
    for name in ("subject", "seed", "session", "episode"):
        if name in at.coords and at[name].ndim == 0:
            value = str(at[name].values)
            if value:
                told.append(f"{name} {value}")
    known = " ".join(told)
    if "session" not in known and "episode" not in known and "episode" in place:
        told.append(f"episode {place['episode']}")
    elif not told:
        told = [f"{dim} {i}" for dim, i in place.items()] or ["the one episode"]
    return ", ".join(told)


def _options(trials: xr.Dataset) -> list[str]:
    stated = trials.choice.attrs.get("options")
    n = dataset.n_options(trials)
    named = [str(each) for each in np.atleast_1d(stated)] if stated is not None else []
    return [f"option {name}" for name in named] if len(named) == n else [f"arm {i}" for i in range(n)]


def _fitted(source: Source, notes: list[str]) -> tuple[Any, xr.Dataset] | None:
    """Return a learning model and its fits, where no agent's own value and policy are there to be shown."""
    name = next((name for name in ("fit_rw.nc", *source.files()) if name in source.files()), "")
    with dataset.opened(source.path) as (_, whole):
        if "value" in whole or not name.startswith("fit_"):
            return None
    try:
        fitted = source.result(name)
    except InputError as error:
        notes.append(str(error))
        return None
    kind = getattr(models, str(fitted.attrs.get("model", "")), None)
    if kind is None or not set(kind.parameters()) <= set(fitted.data_vars) or "window" in fitted.dims:
        return None
    return kind, fitted[list(kind.parameters())]


def _held(
    fitted: tuple[Any, xr.Dataset] | None, one: xr.Dataset, place: dict[str, int], notes: list[str]
) -> tuple[xr.Dataset | None, str]:
    """What the model held in mind in one episode, and its name."""
    if fitted is None:
        return None, ""
    kind, fits = fitted
    try:
        return behaviour.latents(kind.of(_at(fits, place)), one.drop_vars("played")), kind.__name__
    except InputError as error:
        if str(error) not in notes:
            notes.append(str(error))
        return None, ""


def _episode(one: xr.Dataset, held: xr.Dataset | None, model: str) -> tuple[dict[str, Any], np.ndarray | None]:
    choice = np.where(one.played.values, one.choice.values, -1).astype(int)
    told: dict[str, Any] = {
        "n": one.sizes["trial"],
        "cut": one.attrs["cut"],
        "choice": choice.tolist(),
        "reward": numbers(one.reward.values),
        "marks": list(_marks(one)),
        **_second(one),
        "panels": [panel for panel in _panels(one, held, model) if panel["series"]],
    }
    step = _choice_step(one)
    if "hidden" not in one or "unit" not in one.hidden.dims:
        return told, None
    hidden = one.hidden.isel(step=step) if "step" in one.hidden.dims else one.hidden
    told["step"] = _step_name(one, step)
    state = hidden.transpose("trial", "unit").values.astype(float)
    return told, state if np.isfinite(state).all() else None


def _second(one: xr.Dataset) -> dict[str, Any]:
    """Which state the second stage of a two-step trial was in, and what was chosen there."""
    if "second_state" not in one or one.second_state.dims != ("trial",):
        return {}
    state = np.where(one.played.values & one.second_state.notnull().values, one.second_state.fillna(-1).values, -1)
    if state.max() < 0:
        return {}
    told = {"states": [f"state {i}" for i in range(int(state.max()) + 1)], "state": state.astype(int).tolist()}
    if "second_choice" in one and one.second_choice.dims == ("trial",):
        told["choice"] = np.where(state >= 0, one.second_choice.fillna(-1).values, -1).astype(int).tolist()
    return {"second": told}


def _marks(one: xr.Dataset) -> Iterator[dict[str, Any]]:
    for name, label in MARKS.items():
        x = ~one.common.astype(bool) if name == "rare" and "common" in one else one.get(name)
        if x is not None and x.dims == ("trial",) and (x.astype(bool) & one.played).any():
            yield {"name": label, "at": np.flatnonzero(x.values.astype(bool) & one.played.values).tolist()}


def _panels(one: xr.Dataset, held: xr.Dataset | None, model: str) -> Iterator[dict[str, Any]]:
    yield from _world(one)
    step = _choice_step(one)
    if "value" in one:
        lines = [
            _series(f"at {_step_name(one, i)}" if one.sizes["step"] > 1 else "", one.value.isel(step=i), colour=i)
            for i in range(one.sizes["step"])
        ]
        yield _panel("Value predicted by the agent", "reward", "line", lines)
        yield _errors(one)
    if "logits" in one:
        policy = softmax(one.logits.isel(step=step).transpose("trial", "option").values.astype(float), axis=1)
        options = _options(one)
        names = [options[i] if i < len(options) else f"action {i}" for i in range(policy.shape[1])]
        shares = [{"name": name, "colour": i, "x": numbers(policy[:, i])} for i, name in enumerate(names)]
        yield _panel(f"Policy{_when(one, step)}", "probability", "share", shares, (0, 1))
    if held is not None:
        by = f", fitted {model}"
        for name, title, unit in (
            ("arm_value", "Value", "reward"),
            ("model_free_value", "Model-free value", "reward"),
            ("model_based_value", "Model-based value", "reward"),
        ):
            if name in held:
                yield _panel(title + by, unit, "line", list(_lines(held[name], _options(one))))
        errors = [
            _series("" if name == "rpe" else name.removesuffix("_rpe").replace("_", " "), held[name], colour=i)
            for i, name in enumerate(("rpe", "second_stage_rpe", "outcome_rpe"))
            if name in held and held[name].dims == ("trial",)
        ]
        yield _panel("Reward prediction error" + by, "reward", "stem", errors)
        if "choice_prob" in held:
            yield _panel(
                "Choice probability" + by, "probability", "share", list(_lines(held.choice_prob, _options(one))), (0, 1)
            )


def _world(one: xr.Dataset) -> Iterator[dict[str, Any]]:
    """What the task hid from the agent, and what an ideal observer believed of it."""
    for name, over in HIDDEN_WORLD:
        if name not in one or set(one[name].dims) != ({"trial", over} - {""}):
            continue
        if name == "expected_reward" and "reward_prob" in one:
            continue
        about = dataset.VARIABLES[name]
        unit = "probability" if name.endswith("prob") else str(one[name].attrs.get("units", about.units))
        title = about.long_name[:1].upper() + about.long_name[1:]
        scale = (0, 1) if name.endswith("prob") else None
        yield _panel(title, unit, "step", list(_lines(one[name], _options(one))), scale)
    for name in BELIEFS:
        if name in one:
            x = one[name].isel(step=-1) if "step" in one[name].dims else one[name]
            title = dataset.VARIABLES[name].long_name
            yield _panel(title[:1].upper() + title[1:], "probability", "line", [_series("", x)], (0, 1))


def _errors(one: xr.Dataset) -> dict[str, Any]:
    try:
        found = rpe(one.drop_vars("played"))
    except InputError:  # the discount is unknown, or steps have no names
        return _panel("", "", "stem", [])
    events = [str(event) for event in found.event.values]
    lines = [
        _series(event.replace("_", " ") if len(events) > 1 else "", found.isel(event=i), colour=i)
        for i, event in enumerate(events)
    ]
    at = f" at {events[0].replace('_', ' ')}" if len(events) == 1 else ""
    return _panel(f"Reward prediction error{at}", f"reward, discount {found.attrs['discount']:g}", "stem", lines)


def _lines(x: xr.DataArray, options: list[str]) -> Iterator[dict[str, Any]]:
    """One series for each entry of the dims beside ``trial``; arms are called what the choices are called."""
    others = [str(dim) for dim in x.dims if dim != "trial"]
    for i, place in enumerate(np.ndindex(*(x.sizes[dim] for dim in others))):
        at = dict(zip(others, place, strict=True))
        told = [options[k] if dim in ("arm", "option") and k < len(options) else f"{dim} {k}" for dim, k in at.items()]
        yield _series(", ".join(told), x.isel(at), colour=i)


def _series(name: str, x: xr.DataArray, *, colour: int = 0) -> dict[str, Any]:
    return {"name": name, "colour": colour, "x": numbers(x.values)}


def _panel(
    title: str, unit: str, kind: str, series: list[dict[str, Any]], scale: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Describe a panel: what is drawn ("line", "step", "stem", "share"), on which scale (that of the data if None)."""
    series = [one for one in series if any(x is not None for x in one["x"])]
    known = [x for one in series for x in one["x"] if x is not None]
    with_zero = [0.0] if kind == "stem" else []
    low, high = scale or (min([*with_zero, *known], default=0.0), max([*with_zero, *known], default=0.0))
    if unit == "probability" and "probability" in title.lower():
        unit = ""
    return {"title": title, "unit": unit, "kind": kind, "low": low, "high": high, "series": series}


def _choice_step(one: xr.Dataset) -> int:
    """Position of the step at which the choice is made."""
    steps = [str(step) for step in one.step.values] if "step" in one.coords else []
    return next((steps.index(name) for name in CHOICE_STEPS if name in steps), one.sizes.get("step", 1) - 1)


def _step_name(one: xr.Dataset, step: int) -> str:
    return str(one.step.values[step]).replace("_", " ") if "step" in one.coords else f"step {step}"


def _when(one: xr.Dataset, step: int) -> str:
    return f" at {_step_name(one, step)}" if one.sizes.get("step", 1) > 1 else ""


def _add_hidden(kept: list[dict[str, Any]], states: list[np.ndarray | None]) -> None:
    """Add each episode's activity in 8 bits, its units in the order of what they add to the first component."""
    shown = [i for i, state in enumerate(states) if state is not None]
    if not shown:
        return
    together = xr.DataArray(np.concatenate([states[i] for i in shown]), dims=("trial", "unit"))
    n_units = together.sizes["unit"]
    order, scores, explained = np.arange(n_units), None, []
    if n_units > 1 and float(together.var("trial").sum()) > 0:
        found = principal_components(together, n_components=2)
        order = np.argsort(-found.loading.values[0], kind="stable")
        scores, explained = found.score.transpose("component", "trial").values, found.variance_explained.values
    reach = float(abs(together).max()) or 1.0
    start = 0
    for i in shown:
        state = states[i]
        assert state is not None
        levels = np.round((state[:, order].T / reach + 1) * 127.5).astype(np.uint8)  # 0 to 255: -reach to reach
        hidden: dict[str, Any] = {
            "units": n_units,
            "reach": float(f"{reach:.3g}"),
            "levels": base64.b64encode(levels.tobytes()).decode(),
        }
        if scores is not None:
            own = scores[:, start : start + len(state)]
            hidden["score"] = [numbers(own[k]) for k in range(2)]
            hidden["explained"] = numbers(explained)
            hidden["span"] = [numbers([float(scores[k].min()), float(scores[k].max())]) for k in range(2)]
        start += len(state)
        kept[i]["hidden"] = hidden


def numbers(x: Any) -> list[float | None]:
    """Round to three digits, enough to draw; None where there is no number."""
    return [None if not np.isfinite(each) else float(f"{each:.3g}") for each in np.asarray(x, dtype=float).tolist()]
