"""The command that predicts choices no model has seen: predict. It needs torch for networks alone."""

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.fits import noted
from neurometa.cli.options import JSON, Trials
from neurometa.cli.printing import bar, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa predict runs/mice --ladder"
LADDER = ("gru-1", "gru-2", "gru-3", "gru-4", "gru-shared")
BEST = ("Bayes-optimal", "ideal observer")  # baselines that nothing can beat
SHARED_UNITS, EMBEDDING = 4, 4  # of gru-shared


def predict(
    trials: Trials,
    models: Annotated[
        list[str] | None,
        typer.Option(help="forgetting, history, gru-2, ...; may be given again.", show_default="all classical ones"),
    ] = None,
    ladder: Annotated[bool, typer.Option("--ladder", help="Also networks: gru-1 to gru-4, and gru-shared.")] = False,
    folds: Annotated[int, typer.Option(help="Parts of the cross-validation over sessions.")] = 5,
    cluster: Annotated[
        str, typer.Option(help="Coordinate whose equal values are one session, where sessions were cut in blocks.")
    ] = "episode",
    unseen: Annotated[
        str | None, typer.Option(help="subject: hold out whole subjects.", show_default="sessions")
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes the first weights of networks, and generated choices.")] = 0,
    as_json: JSON = False,
) -> None:
    """Predict choices that no model has seen.

    Each model is fitted to all folds but one and scored on that, in nats per trial, with paired differences from the
    best classical model. Writes predict.nc, and predict_NETWORK.nc with the weights of each network.
    """
    from neurometa import behaviour, dataset

    data = dataset.open_run(trials)
    asked = list(models or []) + [name for name in LADDER if ladder and name not in (models or [])]
    networks = {name: _settings(name, seed) for name in asked if name.startswith("gru-")}
    classical: list[str] | None = [name for name in asked if name not in networks]
    if models is None or not classical:
        classical = None
    if "gru-shared" not in (models or []) and ("subject" not in data.coords or unseen is not None):
        networks.pop("gru-shared", None)  # nobody to tell apart, or nobody who is known
    found_networks: dict[str, Any] = {}
    with bar("Predicting", 0, "", quiet=as_json) as show, noted():
        count = iter(range(10_000))
        found = behaviour.predict(
            data,
            classical,
            n_folds=folds,
            cluster=cluster,
            unseen=unseen,
            seed=seed,
            beside={name: partial(_predict, settings, name, found_networks) for name, settings in networks.items()},
            optimum=_optimum(data, quiet=as_json) if ladder else None,
            progress=lambda name: show(next(count), name),
        )
    stuck = {name: int((~each.converged).sum()) for name, each in found_networks.items()}
    found = found.assign_attrs(not_converged="; ".join(f"{name}: {n}" for name, n in stuck.items() if n))
    file = save_beside(found, data, trials, "predict.nc")
    for name, each in found_networks.items():
        save_beside(each, data, trials, f"predict_{name.replace('-', '_')}.nc")
    _tell(found, file, {name: (stuck[name], each.converged.size) for name, each in found_networks.items()}, as_json)


def _optimum(trials: Any, *, quiet: bool) -> dict[str, Any]:
    """What is best to do in the task of an agent, given its own choices and rewards, where that is known."""
    from neurometa import dataset

    if not dataset.task_settings(trials):
        return {}  # those of a table
    from neurometa import rollout, settings
    from neurometa.cli.baselines import planned
    from neurometa.fitting import held_out
    from neurometa.tasks import Task

    told = json.loads(trials.attrs["task"])
    task = settings.from_json([Task], told, "the trials: task")  # type: ignore[type-abstract]
    try:
        name, best = next(iter(planned(task, quiet=quiet).items()))
    except InputError:
        return {}  # there are no baselines for such a task
    if name not in BEST:
        return {}
    prob = held_out.own_policy(rollout.clamp(best, trials, task))

    return {name: partial(held_out.of_policy, prob, play=partial(_play, best))} if prob is not None else {}


def _play(agent: Any, reward_prob: Any, rng: Any) -> Any:
    """Let an agent play worlds of arms."""
    import torch

    from neurometa import rollout
    from neurometa.tasks import RecordedBandit

    worlds = torch.tensor(reward_prob.values, dtype=torch.float32)
    task = RecordedBandit(worlds.shape[1], worlds)
    seeded = torch.Generator().manual_seed(int(rng.integers(2**31)))
    return rollout.play(task, agent, len(worlds), seeded)[["choice", "reward"]]


def _settings(name: str, seed: int) -> Any:
    from neurometa.training.choices import ChoiceNetwork

    if name == "gru-shared":
        return ChoiceNetwork(SHARED_UNITS, EMBEDDING, seed=seed)
    size = name.removeprefix("gru-")
    if not size.isdigit() or not 1 <= int(size) <= 64:
        raise InputError(f"There is no network {name!r}; there are gru-1 to gru-64 and gru-shared.")
    return ChoiceNetwork(int(size), seed=seed)


def _predict(settings: Any, name: str, kept: dict[str, Any], held: Any) -> Any:
    """Predict by networks, and keep them."""
    from neurometa.fitting.held_out import Predicted
    from neurometa.training.choices import fit_networks, play_networks

    prob, kept[name] = fit_networks(settings, held)
    return Predicted(prob, partial(play_networks, kept[name], held))


def _tell(found: Any, file: Path, networks: dict[str, tuple[int, int]], as_json: bool) -> None:
    names = ("mean_nats", "trial_nats", "p_choice", "difference", "lower", "upper")
    record: dict[str, Any] = {}
    for name in found.model.values:
        here = found.sel(model=name)
        record[str(name)] = {"kind": str(here.kind.item())} | {key: float(here[key]) for key in names}
    about = {key: found.attrs[key] for key in ("best", "unit", "n_units", "n_trials", "n_folds", "unseen", "verdict")}
    about["not_converged"] = {name: n for name, (n, _) in networks.items()}
    if as_json:
        say_json({"file": str(file), "models": record, "left_out": found.attrs["left_out"], **about})
        return
    rows = []
    for name, row in sorted(record.items(), key=lambda pair: pair[1]["mean_nats"]):
        gap = ["best", ""]
        if name != about["best"]:
            gap = [f"{row['difference']:+.4f}", f"{(row['upper'] - row['lower']) / 2:.4f}"]
        rows.append([name, f"{row['mean_nats']:.4f}", f"{row['trial_nats']:.4f}", f"{row['p_choice']:.3f}", *gap])
    unit = about["unit"]
    heads = ["model", "nats", "trials", "p", "gap", "± 95 %"]
    units = f"{about['n_units']} {unit}{'s' if about['n_units'] != 1 else ''}"
    title = f"{about['n_trials']} held-out choices, {units}, {about['n_folds']} folds"
    table(heads, rows, title)
    say(f"nats: per trial, mean of {unit}s; trials: over all trials, p the geometric mean probability of a choice;")
    say(f"gap: nats more than the best classical model's, paired by {unit}, with its 95 % interval.")
    say(about["verdict"])
    for name, (n, total) in networks.items():
        if n:
            say(f"Of {name} {n} of {total} networks had not converged at their last step; they count as they are.")
    if found.attrs["left_out"]:
        say(f"Left out: {found.attrs['left_out']}.")
    say(f"Everything is in {file}.")
