"""The command that makes all that claims are decided on, and decides them: reproduce."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import bar, say, say_json
from neurometa.cli.process import Interrupted, execute
from neurometa.cli.verdicts import page_of, print_verdicts
from neurometa.errors import InputError

EXAMPLE = "neurometa reproduce w18 --pretrained --jobs 2"
BOX, TRAINED = Path("runs/reproduced"), Path("runs/trained")  # where agents of the box, and trained ones, play
SEED = 3  # of evaluation: 12345 was used while settings were tuned, 1 is that of the numbers in the documentation


def reproduce(
    which: Annotated[
        str | None, typer.Argument(metavar="[PAPER|RECORD|CLAIM]", help="E.g. w16, w18_fig1d.", show_default="all")
    ] = None,
    pretrained: Annotated[bool, typer.Option("--pretrained", help="Take the agents that come along.")] = False,
    runs: Annotated[
        Path | None, typer.Option(help="Take the trained agents of this folder, and leave results there.")
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="Train agents of every kind that is asked for.")] = False,
    seeds: Annotated[
        int | None, typer.Option(help="Agents of a kind.", show_default="8, or as many as there are")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Steps at once.", show_default="cores")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for runs and page.", show_default="runs/reproduced or runs/trained")
    ] = None,
    episodes: Annotated[int, typer.Option(help="Test episodes of each agent, if no claim asks for more.")] = 1000,
    seed: Annotated[int, typer.Option(help="Fixes the test episodes.")] = SEED,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands, and run none.")] = False,
    as_json: JSON = False,
) -> None:
    """Make what published claims are decided on, and decide them.

    What is missing is worked out from the claims: agents (those that come along, unless you say otherwise), test
    episodes, controls, analyses, figures. Each step is a command that you could give yourself (--dry-run prints them).
    Killed and given again, it goes on. It ends with the verdicts and one HTML page, claims.html.

    Test episodes are of evaluation seed 3, by which no setting was tuned (12345 was) and no number of the
    documentation was made (1 was).
    """
    from joblib import cpu_count

    from neurometa import reproduction

    if sum((pretrained, runs is not None, train)) > 1:
        raise InputError("--pretrained, --runs and --train exclude each other; each says where agents come from.")
    if runs is not None and out is not None:
        raise InputError("--out is for --pretrained and --train; with --runs all stays in that folder.")
    for name, value in (("--seeds", seeds), ("--jobs", jobs), ("--episodes", episodes)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; it must be at least 1.")
    place = runs or out or (TRAINED if train else BOX)
    claims, figures = reproduction.asked(which)
    if runs is not None:
        source = reproduction.of_runs(runs, seeds)
    else:
        source = (reproduction.to_train if train else reproduction.of_the_box)(place, seeds)
    there = reproduction.survey(place)
    plan = reproduction.plan(claims, figures, source, there, place, n_episodes=episodes, seed=seed)
    if dry_run:
        _print_plan(plan, as_json=as_json)
        return
    again = " ".join(["neurometa reproduce", *_typed(which, train, runs, seeds, out)])
    failed = _run(plan, jobs or cpu_count(), again, quiet=as_json)
    _tell(which, place, plan, failed, as_json=as_json)
    if failed:
        step, why = next(iter(failed.items()))
        raise InputError(f"{len(failed)} of {len(plan.steps)} steps failed. The first: {step.command}: {why}")


def _typed(which: str | None, train: bool, runs: Path | None, seeds: int | None, out: Path | None) -> list[str]:
    """The options by which the command goes on where it was."""
    given = {"--runs": runs, "--seeds": seeds, "--out": out}
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return [*([which] if which else []), *(["--train"] if train else []), *options]


def _print_plan(plan: Any, *, as_json: bool) -> None:
    if as_json:
        say_json({"commands": [step.command for step in plan.steps], "undecided": dict(plan.undecided)})
        return
    for step in plan.steps:
        say(step.command)


def _run(plan: Any, n_jobs: int, again: str, *, quiet: bool) -> Mapping[Any, str]:
    """Run the steps, with a bar of the work that is done."""
    from neurometa import reproduction

    done = 0.0
    with bar("reproducing", round(sum(step.seconds for step in plan.steps)), "", quiet=quiet) as show:

        def progress(step: Any) -> None:
            nonlocal done
            done += step.seconds
            show(round(done), step.makes.name)

        try:
            return reproduction.run(plan.steps, execute, n_jobs=n_jobs, progress=progress)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(f"Go on with: {again}") from interrupt


def _tell(which: str | None, place: Path, plan: Any, failed: Mapping[Any, str], *, as_json: bool) -> None:
    """Print the verdicts, with why some could not be reached, and write the page."""
    from neurometa.compare import compare
    from neurometa.storage import write_text

    whys = {claim: _why(reason, claim) for claim, reason in plan.undecided.items()}
    found = compare(which, place if place.is_dir() else None)
    found = [dataclasses.replace(one, note=whys.get(one.claim, one.note)) for one in found]
    notes = [f"{step.command} failed: {why}" for step, why in failed.items()]
    notes += [f"The figure {name} is not drawn: {why}" for name, why in plan.undrawn.items()]
    page = place / "claims.html"
    write_text(page, page_of(found, sorted(place.glob("w1*-fig*.png")), notes))
    if as_json:
        told = {"page": str(page), "failed": {step.command: why for step, why in failed.items()}}
        say_json(told | {"claims": [dataclasses.asdict(one) for one in found]})
        return
    print_verdicts(found)
    reasons: dict[str, list[str]] = {}
    for claim, why in plan.undecided.items():
        reasons.setdefault(why, []).append(claim)
    for why, names in reasons.items():
        say(f"Not decided: {', '.join(names)}. {_why(why, names[0])}")
    say(f"{'; '.join([*notes, ''])}Verdicts and figures are in {page}.")


def _why(reason: str, claim: str) -> str:
    """Say which command would decide a claim, where one that trains would."""
    return reason.replace("--train trains", f"neurometa reproduce {claim} --train trains")
