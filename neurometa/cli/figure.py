"""The command that draws a figure of a paper: figure. It needs no torch."""

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import bar, say, say_json
from neurometa.errors import InputError

EXAMPLE = "neurometa figure w16-fig4 --run runs/restless"


def figure(
    name: Annotated[str, typer.Argument(help="Name of a figure, e.g. w16-fig4.", show_default=False)],
    run: Annotated[
        list[Path] | None,
        typer.Option(help="Run folder, sweep or folder of them; may be given again.", show_default="runs"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files.", show_default="the first run")] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Let the trained agents that come with neurometa play what is needed.")
    ] = False,
    episodes: Annotated[int, typer.Option(help="Test episodes that they play.")] = 2000,
    agents: Annotated[int, typer.Option(help="How many of each experiment play; as many as there are, at most.")] = 1,
    as_json: JSON = False,
) -> None:
    """Draw a figure of a paper from saved results.

    As PDF and PNG, and a table as CSV too. Runs are pooled as seeds, or as the best of a sweep. Without
    a run of your own: neurometa figure w16-fig2 --pretrained, which keeps what they play in
    runs/pretrained.
    """
    from neurometa import plotting
    from neurometa.results import MissingError

    if pretrained:
        runs = _play_pretrained(plotting.load_figure(name), run, agents, episodes, quiet=as_json)
    else:
        runs = run or [Path("runs")]
    place = out or (runs[0].parent if pretrained else runs[0])
    try:
        written = plotting.save_figure(name, runs, place)
    except MissingError as missing:
        raise InputError(
            f"{missing} (with trained agents that come along: neurometa figure {name} --pretrained)"
        ) from missing
    if as_json:
        say_json({"files": [str(path) for path in written]})
        return
    for path in written:
        say(f"Drew {path}")


def _play_pretrained(
    script: ModuleType, run: list[Path] | None, agents: int, episodes: int, *, quiet: bool
) -> list[Path]:
    """Run folders of the agents that come along, with all that is needed in them."""
    from neurometa import pretrained  # torch, which drawing alone does not load

    if run is not None and len(run) > 1:
        raise InputError("--pretrained keeps its runs in one folder; give --run once, or not at all.")
    place = run[0] if run else Path("runs") / "pretrained"
    done: list[str] = []
    needs, activity = script.NEEDS, getattr(script, "ACTIVITY", False)
    n_files = sum(len(files) * len(pretrained.seeds(name)[:agents]) for name, files in needs.items())
    with bar("playing", n_files, "files", quiet=quiet) as show:

        def tick(file: str) -> None:
            done.append(file)
            show(len(done), Path(file).name)

        how: dict[str, Any] = {"n_agents": agents, "n_episodes": episodes, "activity": activity}
        return pretrained.prepare(needs, place, progress=tick, **how)
