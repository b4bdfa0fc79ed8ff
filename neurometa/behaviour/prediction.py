"""Which model predicts choices that no model has seen, and by how much: the ladder of held-out likelihoods."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.behaviour.held_out_history import of_history
from neurometa.behaviour.performance import mean_interval
from neurometa.behaviour.switching import switch_curve
from neurometa.errors import InputError, nearest
from neurometa.fitting import held_out
from neurometa.fitting.folds import split
from neurometa.models import (
    TWO_STEP_MODELS,
    ChoiceKernel,
    CompareToThreshold,
    Equations,
    Forgetting,
    ForgettingChoiceKernel,
    KalmanFilter,
    LatentState,
    PearceHall,
    RescorlaWagner,
    RescorlaWagnerChoiceKernel,
    SingleValue,
    TwoLearningRates,
)

Predictor = Callable[[xr.Dataset], held_out.Predicted]  # from what `split` returned

LEARNERS: Mapping[str, type[Equations]] = {
    "rescorla-wagner": RescorlaWagner,
    "rescorla-wagner-start": RescorlaWagner.starting("fitted"),
    "two-learning-rates": TwoLearningRates,
    "single-value": SingleValue,
    "pearce-hall": PearceHall,
    "forgetting": Forgetting,
    "choice-kernel": ChoiceKernel,
    "rescorla-wagner-choice-kernel": RescorlaWagnerChoiceKernel,
    "forgetting-choice-kernel": ForgettingChoiceKernel,
    "compare-to-threshold": CompareToThreshold,
    "latent-state": LatentState,
    "kalman-filter": KalmanFilter,
    **{kind.__name__: kind for kind in TWO_STEP_MODELS},
}
SLOW = ("latent-state", "kalman-filter")  # climbed without a compiled loop: minutes where a subject has many trials
OTHERS: Mapping[str, Predictor] = {"bias": held_out.of_bias, "history": of_history}
KNOWN = [*OTHERS, *LEARNERS]
N_PLAYS = 5  # times that each model plays all sessions, for its generated curve
OWN = "own policy"  # of the agent that made the choices
CLASSICAL, NETWORK, OPTIMUM, CEILING = "classical", "network", "optimum", "ceiling"


def predict(
    trials: xr.Dataset,
    models: Sequence[str] | None = None,
    *,
    n_folds: int = 5,
    cluster: str = "episode",
    unseen: str | None = None,
    beside: Mapping[str, Predictor] | None = None,
    optimum: Mapping[str, Predictor] | None = None,
    level: float = 0.95,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Predict each session's choices by models fitted to the others, and set the models side by side.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` over ``trial`` and ``episode``, with ``subject`` over ``episode`` where there are
        several.
    models : sequence of str, optional
        Names of `LEARNERS`, and ``bias`` and ``history``; by default all that the trials allow, but for the `SLOW`.
    n_folds, cluster, unseen
        As of `neurometa.fitting.folds.split`.
    beside : mapping of str to callable, optional
        Other predictors by name, such as networks: from what `split` returned to `held_out.Predicted`.
    optimum : mapping of str to callable, optional
        What is best to do in an agent's task, likewise, as of `held_out.of_policy`.
    level : float
        Coverage of the intervals, in (0, 1).
    seed : int
        Fixes the choices that are generated.
    progress : callable, optional
        Is told the name of each model before it is fitted.

    Returns
    -------
    Dataset
        - ``nats`` over ``model`` and ``subject``: minus the mean log-likelihood of a held-out choice;
        - ``mean_nats`` over ``model``: their mean over subjects, and ``trial_nats``: over all trials;
        - ``p_choice``: exp(-``trial_nats``), the geometric mean probability of a choice;
        - ``difference``, ``lower`` and ``upper`` over ``model``: nats more than the best classical model's, paired
          by subject, or by session where there is one subject (the attribute ``unit`` says which), with Student's
          interval;
        - ``log_likelihood`` (nats, summed) and ``n_trials``; ``p_switch`` over ``model``, ``outcome`` and
          ``run_length``, that of ``observed`` being of the choices themselves, the others' one step ahead;
        - ``p_switch_generated`` likewise, of choices that each model generates by itself in the same worlds, where
          the trials hold ``reward_prob`` of every arm and rewards of 0 and 1 (the attribute ``generated`` says why
          not); NaN for what cannot play; ``earned``, reward per trial that these choices are worth, ``observed``
          being of the choices themselves, and ``earned_difference`` from those with its interval ``earned_lower`` and
          ``earned_upper``, paired by episode, as all play the same worlds; the last three only where worlds are known;
        - the coordinates ``kind`` (classical, network, optimum, or ceiling: the agent's own policy where it was
          logged) and ``learner`` (name of the class). Attributes: ``best`` (the best classical model), ``verdict``,
          ``left_out`` (models that the trials do not allow, and why).

    Raises
    ------
    InputError
        As `split`; there is no such model, or none that the trials allow.
    """
    for name in models or ():
        if name not in KNOWN:
            raise InputError(f"There is no model {name!r}.{nearest(name, KNOWN)} There are: {', '.join(KNOWN)}.")
    held = split(trials, n_folds, cluster=cluster, unseen=unseen)
    chosen, left_out = _chosen(models, held)
    kinds = dict.fromkeys(chosen, CLASSICAL) | dict.fromkeys(beside or {}, NETWORK)
    kinds |= dict.fromkeys(optimum or {}, OPTIMUM)
    own = held_out.own_policy(trials)
    everyone: dict[str, Predictor] = {**chosen, **(beside or {}), **(optimum or {})}
    if own is not None:
        everyone[OWN], kinds[OWN] = (lambda held: held_out.Predicted(own)), CEILING
    world, why_not = _world(trials, held)
    scored, curves = {}, {"observed": switch_curve(held)}
    anew = {"observed": curves["observed"].assign(worth=_worth(world, world, held.sizes["episode"]))}
    for name, predictor in everyone.items():
        if progress is not None:
            progress(name)
        prob, play = predictor(held)
        scored[name] = held_out.scores(prob, held)
        curves[name] = switch_curve(held, prob)
        anew[name] = _generated(play, world, seed) if play and world is not None else 0 * anew["observed"] + np.nan
    index = xr.DataArray(np.array(list(scored), dtype=object), dims="model", name="model")
    found = _compared(xr.concat(list(scored.values()), index), [kinds[name] for name in scored], level)
    names = xr.DataArray(np.array(list(curves), dtype=object), dims="switcher", name="switcher")
    learner = [LEARNERS[name].__name__ if name in LEARNERS else "" for name in scored]
    learner = [
        f"{text}, start fitted" if name.endswith("-start") else text for name, text in zip(scored, learner, strict=True)
    ]
    found = found.assign_coords(learner=("model", np.array(learner, dtype=object)))
    found = found.assign(p_switch=xr.concat(list(curves.values()), names).p_switch, n_switch=curves["observed"].n)
    generated = xr.concat(list(anew.values()), names)
    found = found.assign(p_switch_generated=generated.p_switch, earned=generated.worth.mean("episode"))
    if world is not None:
        more = generated.worth - generated.worth.sel(switcher="observed", drop=True)
        gap = mean_interval(more, "episode", level=level)
        found = found.assign(earned_difference=gap["mean"], earned_lower=gap.lower, earned_upper=gap.upper)
    about = {"n_folds": n_folds, "cluster": cluster, "unseen": unseen or "none", "level": level}
    told = "; ".join(f"{name}: {why}" for name, why in left_out.items())
    return found.assign_attrs(about, left_out=told, verdict=verdict(found), generated=why_not or f"{N_PLAYS} times")


def _world(trials: xr.Dataset, held: xr.Dataset) -> tuple[xr.Dataset | None, str]:
    """``reward_prob``, ``valid`` and ``choice`` of the trials that were played, in turn; or why it is not known."""
    if "reward_prob" not in trials or not {"trial", "arm"} <= set(trials.reward_prob.dims):
        return None, "not known: the trials hold no reward_prob of every arm"
    for name, why in dataset.BEYOND_PROBABILITY.items():
        if name in trials:
            return None, f"not known: {why}"
    made = dataset.played(held).transpose("episode", "trial").values
    if not np.isin(held.reward.broadcast_like(held.choice).transpose("episode", "trial").values[made], (0, 1)).all():
        return None, "not known: rewards are not 0 and 1"
    pays = trials.reward_prob if "episode" in trials.reward_prob.dims else trials.reward_prob.expand_dims(episode=1)
    pays = pays.transpose("episode", "trial", "arm").values
    order = np.argsort(~made, axis=1, kind="stable")  # as networks and curves see them: missed trials taken out
    pays = np.where(np.isfinite(pays), pays, 0.0)
    packed = np.take_along_axis(np.broadcast_to(pays, (*made.shape, pays.shape[-1])), order[..., None], 1)
    valid = np.take_along_axis(made, order, 1)
    grain = ("episode", "trial")
    choice = np.take_along_axis(held.choice.transpose(*grain).values, order, 1)
    world = {"reward_prob": ((*grain, "arm"), packed), "valid": (grain, valid), "choice": (grain, choice)}
    return xr.Dataset(world), ""


def _generated(play: held_out.Play, world: xr.Dataset, seed: int) -> xr.Dataset:
    """The curve of choices that a model makes by itself, and what they are worth."""
    rng = np.random.default_rng(seed)
    every = xr.concat([play(world.reward_prob, rng) for _ in range(N_PLAYS)], "play").assign(valid=world.valid)
    return switch_curve(every).assign(worth=_worth(every, world, world.sizes["episode"]))


def _worth(trials: xr.Dataset | None, world: xr.Dataset | None, n_episodes: int) -> xr.DataArray:
    """Mean probability of reward of what was chosen in each episode; NaN where it is not known."""
    if trials is None or world is None:
        return xr.DataArray(np.full(n_episodes, np.nan), dims="episode")
    worth = world.reward_prob.isel(arm=trials.choice.clip(min=0)).where(world.valid).mean("trial")
    return worth.mean("play") if "play" in worth.dims else worth


def _chosen(models: Sequence[str] | None, held: xr.Dataset) -> tuple[dict[str, Predictor], dict[str, str]]:
    """Predictors by name, and why others are left out."""
    found: dict[str, Predictor] = {}
    left_out: dict[str, str] = {}
    for name in KNOWN if models is None else dict.fromkeys(models):
        if name in LEARNERS:
            why = held_out.allows(LEARNERS[name], held)
            why = why or ("it takes minutes; name it in models" if models is None and name in SLOW else "")
            predictor: Predictor = partial(held_out.of_model, LEARNERS[name])
        else:
            n_options = held.choice.attrs["n_options"]
            few = "it needs 3 folds" if held.attrs["n_folds"] < 3 else ""
            why = (f"the choices have {n_options} options" if n_options != 2 else few) if name == "history" else ""
            predictor = OTHERS[name]
        if why:
            left_out[name] = why
        else:
            found[name] = predictor
    if not found:
        raise InputError(f"No model allows these trials: {'; '.join(f'{n}: {why}' for n, why in left_out.items())}.")
    return found, left_out


def _compared(scored: xr.Dataset, kinds: list[str], level: float) -> xr.Dataset:
    """Nats per trial of each subject, and their paired differences from the best classical model."""
    n_trials = scored.n_trials.isel(model=0, drop=True)
    nats = -scored.log_likelihood.groupby("subject").sum() / n_trials.groupby("subject").sum()
    total, n = scored.log_likelihood.sum("episode"), int(n_trials.sum())
    several = nats.sizes["subject"] > 1
    if several:
        each = nats.rename(subject="unit")
    else:
        each = (-scored.log_likelihood.groupby("cluster").sum() / n_trials.groupby("cluster").sum()).rename(
            cluster="unit"
        )
    classical = [i for i, kind in enumerate(kinds) if kind == CLASSICAL]
    best = classical[int(each.isel(model=classical).mean("unit").values.argmin())]
    apart = mean_interval(each - each.isel(model=best, drop=True), "unit", level=level)
    found = xr.Dataset(
        {
            "nats": nats,
            "mean_nats": each.mean("unit"),
            "trial_nats": -total / n,
            "p_choice": np.exp(total / n),
            "difference": apart["mean"],
            "lower": apart.lower,
            "upper": apart.upper,
            "log_likelihood": total,
            "by_unit": each,
        }
    ).drop_vars("unit", errors="ignore")
    for name, text in {"nats": "held out", "mean_nats": "held out, mean", "difference": "more than the best"}.items():
        found[name].attrs = {"long_name": text, "units": "nats/trial"}
    best_name = str(found.model.values[best])
    about = {"best": best_name, "unit": "subject" if several else "session", "n_units": each.sizes["unit"]}
    return found.assign_coords(kind=("model", np.array(kinds, dtype=object))).assign_attrs(about, n_trials=n)


def verdict(found: xr.Dataset) -> str:
    """Say in words what the numbers of `predict` give: the best models, and how many units a network needs.

    Parameters
    ----------
    found : Dataset
        As `predict` returns it.
    """
    best, unit, n = found.attrs["best"], found.attrs["unit"], found.attrs["n_units"]
    text = f"Of the classical models {best} predicts best ({float(found.mean_nats.sel(model=best)):.4f} nats per trial)"
    networks = [str(name) for name in found.model.values[found.kind.values == NETWORK]]
    if networks:
        top = min(networks, key=lambda name: float(found.mean_nats.sel(model=name)))
        here = found.sel(model=top)
        gap = f"{float(here.difference):+.4f} [{float(here.lower):+.4f}, {float(here.upper):+.4f}], {n} {unit}s"
        how = "better" if here.upper < 0 else "worse" if here.lower > 0 else "neither better nor worse"
        text += f"; of the networks {top} does, {how} than {best} ({gap})"
        text += f". A state of {_enough(found, networks)} is enough" if _enough(found, networks) else ""
    for name in found.model.values[found.kind.values == OPTIMUM]:
        text += f". The {name} player of the task, but for lapses, scores {float(found.mean_nats.sel(model=name)):.4f}"
        worth = found.earned.sel(switcher=name)
        if np.isfinite(worth):
            told = [f"{who} {float(found.earned.sel(switcher=who)):.3f}" for who in (networks and [top]) or [best]]
            own = float(found.earned.sel(switcher="observed"))
            text += f"; by itself it earns {float(worth):.3f} a trial, {told[0]}, and the agent {own:.3f}"
    if OWN in found.model.values:
        text += f". The agent's own policy, which nothing can beat, scores {float(found.mean_nats.sel(model=OWN)):.4f}"
        rest = found.mean_nats.isel(model=np.flatnonzero(~np.isin(found.kind.values, (CEILING, OPTIMUM))))
        text += f": {float(rest.min() - found.mean_nats.sel(model=OWN)):.4f} are left"
    return text + "."


def _enough(found: xr.Dataset, networks: list[str]) -> str:
    """The smallest ``gru-N`` that is not predicted worse than by the best of them, paired; empty below two of them."""
    sized = sorted((name for name in networks if name.removeprefix("gru-").isdigit()), key=lambda x: int(x[4:]))
    if len(sized) < 2:
        return ""
    top = min(sized, key=lambda name: float(found.mean_nats.sel(model=name)))
    for name in sized:
        apart = mean_interval(found.by_unit.sel(model=name) - found.by_unit.sel(model=top), "unit")
        if name == top or not float(apart.lower) > 0:
            n = int(name[4:])
            return f"{n} unit{'s' if n > 1 else ''}"
    return ""
