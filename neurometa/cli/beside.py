"""The command that sets an agent beside an animal's neurons: beside."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON, Run
from neurometa.cli.printing import number, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

SHORT = {
    "choice": "% choice",
    "outcome": "% outcome",
    "model_free_value": "% free",
    "model_based_value": "% based",
    "rpe": "% rpe",
}
EXAMPLE = "neurometa beside runs/two-step runs/monkey --type choice --type outcome"


def beside(
    run: Run,
    data: Annotated[
        Path, typer.Argument(help="Run folder or .nc file of an animal's trials with activity.", show_default=False)
    ],
    activity: Annotated[str, typer.Option(help="The recorded variable, over unit.")] = "activity",
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            help="What tells types of trials apart: choice, outcome, 'last choice', 'last outcome', value.",
            show_default="all but 'last choice'",
        ),
    ] = None,
    splits: Annotated[int, typer.Option(help="Random halvings of the episodes.")] = 20,
    shuffles: Annotated[int, typer.Option(help="Exchanges of whole episodes, for chance and p.")] = 20,
    folds: Annotated[int, typer.Option(help="Blocks of episodes of the decoding; at least 3.")] = 5,
    seed: Annotated[int, typer.Option(help="Fixes halvings and shuffles.")] = 0,
    as_json: JSON = False,
) -> None:
    """Set an agent's states beside an animal's neurons.

    The agent is given the animal's own choices and rewards. Encoding, decoding and alignment by type of trial, by area
    and time, with noise ceilings, beside an untrained network, a fitted learner and shuffled episodes. Writes beside.nc
    and beside.png into RUN.
    """
    from neurometa import dataset, neural, runs
    from neurometa.neural.beside import TYPES

    if splits < 1 or shuffles < 0:
        raise InputError(f"--splits is {splits} and --shuffles {shuffles}; they must be at least 1 and 0.")
    trials = dataset.open_run(data)
    clamped = {
        name: runs.clamp(run, trials, log=("hidden",), untrained=untrained)
        for name, untrained in (("agent", False), ("untrained", True))
    }
    if "hidden" not in clamped["agent"]:
        raise InputError(f"The agent of {run} has no hidden state to set beside neurons.")
    found = neural.beside(
        trials,
        clamped,
        activity=activity,
        types=tuple(kind or TYPES),
        n_splits=splits,
        n_shuffles=shuffles,
        n_folds=folds,
        seed=seed,
    )
    found = found.assign_attrs(data=str(data))
    file = save_beside(found, clamped["agent"], run, "beside.nc")
    picture = _draw(found, file.with_suffix(".png"))
    _tell(found, file, picture, as_json=as_json)


def _draw(found: Any, path: Path) -> Path:
    import matplotlib.pyplot as plt

    from neurometa import plotting
    from neurometa.share import folder
    from neurometa.storage import replacing

    with plt.style.context(folder("figures") / "paper.mplstyle"):
        fig, axes = plt.subplots(1, 3, figsize=(10.5, 2.6), layout="constrained")
        plotting.determination(axes[0], found)
        plotting.alignments(axes[1], found, "linear")
        plotting.alignments(axes[2], found, "cka")
        for ax in (axes[0], axes[2]):
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        with replacing(path) as temporary:
            fig.savefig(temporary, format="png", dpi=200)
        plt.close(fig)
    return path


def _tell(found: Any, file: Path, picture: Path, *, as_json: bool) -> None:
    rows = []
    for area in map(str, found.area.values):
        for step in map(str, found.step.values):
            here = found.sel(area=area, step=step)
            row: dict[str, Any] = {"area": area, "step": step, "n_units": int(here.n_units)}
            row["cpd"] = {str(name): float(here.cpd.sel(factor=name)) for name in here.factor.values}
            row["accuracy"] = {str(name): float(here.accuracy.sel(target=name)) for name in here.target.values}
            row["ceiling"] = {str(name): float(here.ceiling.sel(measure=name)) for name in here.measure.values}
            best = here.alignment.max("agent_step")
            row["alignment"] = {
                str(which): {str(who): float(best.sel(measure=which, population=who)) for who in best.population.values}
                for which in best.measure.values
            }
            if "shuffled" in here:
                shuffled = here.shuffled.sel(measure="linear", population=here.population[0]).max("agent_step")
                row["shuffled"] = float(shuffled)
            rows.append(row)
    told = {"file": str(file), "figure": str(picture), "n_trials": int(found.n_trials[0])}
    told |= {"n_types": int(found.n_types.min()), "rows": rows}
    if as_json:
        say_json(
            told | {name: found.attrs[name] for name in ("types", "n_splits", "n_shuffles", "n_folds", "seed", "data")}
        )
        return
    populations = [str(each) for each in found.population.values]
    for title, columns, cells in (_decoded(rows), _aligned(rows, populations)):
        table(
            ["area, time", *columns],
            [[f"{row['area']}, {row['step']}", *own] for row, own in zip(rows, cells, strict=True)],
            title,
        )
    attrs = found.attrs
    say(f"{told['n_trials']} trials, {told['n_types']} types by {attrs['types']}.")
    n = attrs["n_splits"]
    say(
        f"Explained: the best of an agent's steps, mean of {n} halvings; the ceiling is what the neurons' halves share."
    )
    say(f"Everything is in {file}; the figure is {picture}.")


def _decoded(rows: list[dict[str, Any]]) -> tuple[str, list[str], list[list[str]]]:
    """What the neurons tell: accuracies, and coefficients of partial determination in per cent."""
    names = list(rows[0]["cpd"])
    cells = [
        [number(row["accuracy"][name], 3) for name in ("choice", "outcome")]
        + [number(100 * row["cpd"][name], 2) for name in names]
        for row in rows
    ]
    short = [SHORT.get(name, name) for name in names]
    return "Neurons: accuracy on held-out blocks; partial determination (%)", ["choice", "outcome", *short], cells


def _aligned(rows: list[dict[str, Any]], populations: list[str]) -> tuple[str, list[str], list[list[str]]]:
    """Share of the neurons' variance over types that each population explains, and CKA of the first."""
    cells = [
        [
            *(f"{row['alignment']['linear'][name]:.2f}" for name in populations),
            f"{row['shuffled']:.2f}" if "shuffled" in row else "-",
            f"{row['ceiling']['linear']:.2f}",
            f"{row['alignment']['cka'][populations[0]]:.2f}",
            f"{row['ceiling']['cka']:.2f}",
        ]
        for row in rows
    ]
    title = f"Variance over types explained in the other half; CKA of the {populations[0]}"
    return title, [*populations, "shuffled", "ceiling", "CKA", "of"], cells
