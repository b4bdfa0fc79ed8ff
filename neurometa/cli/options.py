"""What several commands take, under one name and with one sentence of help."""

from pathlib import Path
from typing import Annotated

import typer

JSON = Annotated[bool, typer.Option("--json", help="Print one JSON object instead, for machines.")]
Trials = Annotated[Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)]
Run = Annotated[Path, typer.Argument(help="Run folder, e.g. runs/restless.", show_default=False)]
Device = Annotated[str, typer.Option(help="Where to compute: cpu or cuda.")]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a setting; may be given again.")
]
By = Annotated[
    str | None,
    typer.Option(help="Coordinate or dim to keep apart, e.g. subject, agent or episode.", show_default="all pooled"),
]
Penalty = Annotated[
    str | None,
    typer.Option(
        help="ridge or firth, where choices are separated; else such weights are left out.", show_default="none"
    ),
]
Hierarchical = Annotated[
    bool,
    typer.Option("--hierarchical", help="Fit all as members of a group whose mean and SD are estimated, too."),
]
Group = Annotated[
    str | None,
    typer.Option(
        help="Dim or coordinate of the members, with --hierarchical; dims that are left are pooled, but for agent.",
        show_default="subject, else episode",
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        help="What arms are worth before the first trial: a number, one for each arm (.15,.85), or fitted.",
        show_default=".5, or 0 if rewards are points",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a fit of the same model that was made with other options.")
]
Per = Annotated[
    str | None,
    typer.Option(
        help="One parameter set for each of these, e.g. subject, over all its sessions.", show_default="each episode"
    ),
]
