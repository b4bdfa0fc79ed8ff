"""The command that reads a lab's table: import. It needs no torch."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import say, say_json
from neurometa.cli.saving import made_by
from neurometa.errors import InputError

EXAMPLE = "neurometa import trials.csv --subject id --choice side --choice-coding L=0,R=1 --out runs/mice"


def import_(
    file: Annotated[
        list[Path],
        typer.Argument(
            help="CSV, TSV, Parquet or NWB, one row per trial; several are put together.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to make, e.g. runs/mice.", show_default=False)],
    subject: Annotated[str | None, typer.Option(help="Column of the subject.", show_default="guessed")] = None,
    episode: Annotated[str | None, typer.Option(help="Column of the session.", show_default="guessed")] = None,
    trial: Annotated[str | None, typer.Option(help="Column of the trial number.", show_default="guessed")] = None,
    choice: Annotated[str | None, typer.Option(help="Column of the choice.", show_default="guessed")] = None,
    reward: Annotated[str | None, typer.Option(help="Column of the reward.", show_default="guessed")] = None,
    common: Annotated[str | None, typer.Option(help="Column of the transition.", show_default="guessed")] = None,
    second_state: Annotated[
        str | None, typer.Option(help="Column of the second-stage state.", show_default="guessed")
    ] = None,
    choice_coding: Annotated[
        str | None,
        typer.Option(metavar="ENTRY=OPTION,...", help="What entries stand for: L=0,R=1,=missed (the last: empty)."),
    ] = None,
    reward_coding: Annotated[
        str | None, typer.Option(metavar="ENTRY=REWARD,...", help="What rewards stand for: -1=0,1=1 or win=1,loss=0.")
    ] = None,
    options: Annotated[int | None, typer.Option(help="Options a choice had.", show_default="as occur")] = None,
    activity: Annotated[
        str | None, typer.Option(help="Of NWB: units, or a TimeSeries, binned by trial.", show_default="none")
    ] = None,
    align: Annotated[str, typer.Option(help="Column of the time that --window is counted from.")] = "start_time",
    window: Annotated[
        str | None,
        typer.Option(metavar="FROM,TO", help="Seconds around --align: -0.5,1.", show_default="the whole trial"),
    ] = None,
    bins: Annotated[int, typer.Option(help="Equal parts of the window or trial, each a step.")] = 1,
    replace: Annotated[bool, typer.Option("--replace", help="Write over trials that --out holds already.")] = False,
    as_json: JSON = False,
) -> None:
    """Turn a lab's table into a dataset that every analysis takes.

    Columns that are not named are guessed by common names; what was guessed, recoded, dropped or missing is
    reported. Name a column "" to say that the table has none.
    """
    import dataclasses

    from neurometa import dataset
    from neurometa.storage import only_writer
    from neurometa.tables import read_activity, read_trials

    if activity is None and (window is not None or bins != 1 or align != "start_time"):
        raise InputError("--window, --align and --bins cut up activity; say which with --activity, e.g. units.")
    if activity is not None and len(file) > 1:
        raise InputError("--activity is of one file, as units differ between files; import one at a time.")
    if (out / dataset.BEHAVIOUR).exists() and not replace:
        raise InputError(f"{out} holds trials already; write over them with --replace, or choose another --out.")
    trials, report = read_trials(
        file,
        subject=subject,
        episode=episode,
        trial=trial,
        choice=choice,
        reward=reward,
        common=common,
        second_state=second_state,
        choice_coding=_coding("--choice-coding", choice_coding),
        reward_coding=_numbers("--reward-coding", reward_coding),
        n_options=options,
    )
    if activity is not None:
        around = _window(window)
        event = align if around or align != "start_time" else None
        trials["activity"] = read_activity(file[0], trials, activity, align=event, window=around, n_bins=bins)
    with only_writer(out):
        written = dataset.save_run(trials.assign_attrs(made_by()), out)
    if as_json:
        say_json({"file": str(written), "report": dataclasses.asdict(report)})
        return
    say(str(report))
    if activity is not None:
        found = trials.activity
        say(f"Activity: {found.sizes['unit']:,} units of {activity} ({found.units}), {bins} bins per trial.")
    say(f"The trials are in {written}.")
    say(f"Next: neurometa fit-rw {out}")


def _coding(option: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    pairs = [part.rpartition("=") for part in text.split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise InputError(f"{option} is {text!r}; write ENTRY=VALUE pairs between commas, e.g. L=0,R=1.")
    return {entry.strip(): _whole(value.strip()) for entry, _, value in pairs}


def _whole(text: str) -> Any:
    return int(text) if re.fullmatch("-?[0-9]+", text) else text


def _numbers(option: str, text: str | None) -> dict[str, float] | None:
    coded = _coding(option, text)
    if coded is None:
        return None
    try:
        return {entry: float(value) for entry, value in coded.items()}
    except ValueError as error:
        raise InputError(f"{option} is {text!r}; what follows = must be numbers, e.g. -1=0,1=1.") from error


def _window(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        before, after = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"--window is {text!r}; give two numbers in seconds, e.g. -0.5,1.") from error
    return before, after
