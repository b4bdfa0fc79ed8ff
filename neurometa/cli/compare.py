"""The command that sets runs beside the papers, claim by claim: compare. It needs no torch."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import say, say_json
from neurometa.cli.verdicts import page_of, print_verdicts

EXAMPLE = "neurometa compare w16_fig4c --runs runs"


def compare(
    which: Annotated[
        str | None, typer.Argument(metavar="[PAPER|RECORD|CLAIM]", help="E.g. w16, w18_fig1d.", show_default="all")
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Run folder, or a folder of them.", show_default="runs, if it is there")
    ] = None,
    page: Annotated[Path | None, typer.Option("--html", help="Write the table as one page as well.")] = None,
    as_json: JSON = False,
) -> None:
    """Set published claims beside what the runs show.

    Of each: published, ours, verdict. A claim is reproduced if its bounds hold in every agent (of eight or
    more, in seven eighths), or in their mean where it is of a mean; runs of one experiment that differ in
    nothing but the seed are pooled. The interval is over what stands below it.
    """
    from neurometa.compare import compare as set_beside
    from neurometa.storage import write_text

    found = set_beside(which, runs)
    if page is not None:
        write_text(page, page_of(found))
    if as_json:
        say_json({"claims": [dataclasses.asdict(one) for one in found]})
        return
    print_verdicts(found)
    if needed := dict.fromkeys(one.note.split(" (")[0] for one in found if one.note.startswith("Needs: neurometa")):
        first = next(iter(needed)).removeprefix("Needs: ").split(" Left out")[0]
        say(f"Next: {first if len(found) > 1 else found[0].note.removeprefix('Needs: ')}")
    if any(one.verdict == "not run" for one in found):
        say(f"All that is missing, one after another: neurometa reproduce{f' {which}' if which else ''}")
    if len(found) == 1:
        say(f"{found[0].statement} ({found[0].paper}, {found[0].where}).\n{found[0].note}".rstrip())
    else:
        say("Why, claim by claim: neurometa compare CLAIM, --json or --html FILE.")
