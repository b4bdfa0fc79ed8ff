"""The command that looks at a network as a dynamical system: dynamics. It needs no torch."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import number, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa dynamics runs/restless"


def dynamics(
    run: Annotated[
        Path, typer.Argument(help="Run folder with behaviour.nc, of an agent or of animals; or untrained.nc in one.")
    ],
    of: Annotated[
        str | None,
        typer.Option(help="Network that neurometa predict fitted to the choices, e.g. gru-2.", show_default="agent"),
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Whose network, and trials.", show_default="the first")] = None,
    fold: Annotated[int, typer.Option(help="The fold that the network has not seen.")] = 0,
    starts: Annotated[int, typer.Option(help="States from which points are looked for.")] = 200,
    lags: Annotated[int, typer.Option(help="Trials back of the saliency.")] = 10,
    seed: Annotated[int, typer.Option(help="Fixes which states.")] = 0,
    as_json: JSON = False,
) -> None:
    """Find where a state would stay, and what outcomes do to it.

    Fixed and slow points under every input, their eigenvalues and time constants, the plane of most variance, the
    effective learning rate at each state, and the saliency of past trials. Writes dynamics.nc.
    """
    from neurometa import dataset, neural

    trials = dataset.open_run(run)
    if of is None:
        exported = _agent_of(run, trials)
    else:
        folder, prefix = (run, "") if run.is_dir() else (run.parent, f"{run.stem}_")
        file = folder / f"{prefix}predict_{of.replace('-', '_')}.nc"
        if not file.exists():
            raise InputError(f"There is no {file}; make it with: neurometa predict {run} --models {of}")
        weights = dataset.read(file)
        exported = neural.of_choices(weights, subject, fold)
        if "subject" in trials.coords:
            known = weights.member if "member" in weights else weights.subject
            who = str(known.values[0]) if subject is None else subject
            own = trials.subject.astype(str) == who
            trials = trials.isel(episode=own.values) if own.any() else trials
    found = neural.dynamics(exported, trials, n_starts=starts, n_lags=lags, seed=seed)
    file = save_beside(found.assign_attrs(of=of or "agent"), trials, run, "dynamics.nc")
    _tell(found, file, as_json=as_json)


def _agent_of(run: Path, trials: Any) -> Any:
    """The network that played: of a run folder, or of a file in one, as it was before training if that is what it says.

    A lesion or a perturbation is not the network's own.
    """
    from neurometa import neural

    folder = run if run.is_dir() else run.parent
    if not run.is_dir() and ("agent" not in trials.attrs or not (folder / "config.json").exists()):
        raise InputError(f"{run} is a file of trials, which has no agent; give --of, e.g. gru-2.")
    if done := [name for name in ("lesion", "perturbation") if name in trials.attrs]:
        raise InputError(f"The trials of {run} have a {done[0]}, which is no part of the network; give the run folder.")
    if not str(trials.attrs.get("agent", "")).endswith(", untrained"):
        return neural.of_run(folder)
    from neurometa import runs, settings

    config = runs.open_config(folder)
    tensors = {name: each.detach().numpy() for name, each in runs.build(config).state_dict().items()}
    return neural.of_weights(settings.to_json(config), tensors, str(run))


def _tell(found: Any, file: Path, *, as_json: bool) -> None:
    names = ("input", "kind", "stable", "readout", "time_constant", "n_starts")
    points = [{name: found[name].values[i].item() if hasattr(found[name].values[i], "item") else found[name].values[i]
               for name in names} for i in range(found.sizes["point"])]  # fmt: skip
    lost = {str(name): int(found.n_lost.sel(given=name)) for name in found.given.values}
    record: dict[str, Any] = {"file": str(file), "points": points, "lost": lost}
    record["variance_explained"] = [float(x) for x in found.variance_explained]
    if "learning_rate" in found:
        record["learning_rate"] = {"mean": float(found.learning_rate.mean()), "sd": float(found.learning_rate.std())}
        record["reward_saliency"] = [float(x) for x in found.reward_saliency]
        record["choice_saliency"] = [float(x) for x in found.choice_saliency]
    if as_json:
        say_json(record)
        return
    rows = [
        [
            row["input"],
            f"{row['kind']}, {'stable' if row['stable'] else 'unstable'}",
            number(row["readout"]),
            number(row["time_constant"]),
            str(row["n_starts"]),
        ]
        for row in points
    ]
    name = str(found.readout.attrs["long_name"])
    table(["input", "point", name, "time constant (trials)", "starts"], rows, "Where the state stays")
    if sum(lost.values()):
        say(f"Starts that ended at no fixed or slow point: {sum(lost.values())}, which are counted and left out.")
    if "learning_rate" in found:
        mean, spread = record["learning_rate"]["mean"], record["learning_rate"]["sd"]
        say(
            f"Effective learning rate {number(mean)} (SD over trials {number(spread)}); of a delta rule it is constant."
        )
        back = ", ".join(number(x, 2) for x in record["reward_saliency"][:5])
        say(f"Saliency of rewards 1, 2, ... trials back: {back} nats.")
    say(f"Everything is in {file}.")
