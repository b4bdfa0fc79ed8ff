"""The command that makes a page to mail: report. It needs no torch."""

from pathlib import Path
from typing import Annotated

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import say, say_json

EXAMPLE = "neurometa report runs/restless --open"


def report(
    run: Annotated[Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)],
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="report.html in the run folder")
    ] = None,
    as_json: JSON = False,
) -> None:
    """Make one HTML page of a run or an animal, to mail.

    It needs no network. What was run, the learning curve, figures, fitted parameters as tables, the claims
    it speaks to, and a few episodes trial by trial. What is not in the run folder is not shown.
    """
    from neurometa.report import write_report

    written = write_report(run, out)
    size = written.stat().st_size
    if as_json:
        say_json({"file": str(written), "bytes": size})
    else:
        say(f"{written}: {size / 1e3:,.0f} kB, one file that needs no network.")
    if show:
        import webbrowser

        webbrowser.open(written.resolve().as_uri())
