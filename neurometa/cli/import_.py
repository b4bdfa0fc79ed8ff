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
    second_choice: Annotated[
        str | None, typer.Option(help="Column of the second-stage choice.", show_default="guessed")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE[,VALUE]", help="Keep only such rows, e.g. task=bandit; may be given again."),
    ] = None,
    choice_coding: Annotated[
        str | None,
        typer.Option(metavar="ENTRY=OPTION,...", help="What entries stand for: L=0,R=1,=missed (the last: empty)."),
    ] = None,
    reward_coding: Annotated[
        str | None, typer.Option(metavar="ENTRY=REWARD,...", help="What rewards stand for: -1=0,1=1 or win=1,loss=0.")
    ] = None,
    common_coding: Annotated[
        str | None, typer.Option(metavar="ENTRY=common,...", help="What transitions stand for: C=common,R=rare.")
    ] = None,
    second_state_coding: Annotated[
        str | None, typer.Option(metavar="ENTRY=STATE,...", help="What second-stage states stand for: 2=0,3=1.")
    ] = None,
    second_choice_coding: Annotated[
        str | None, typer.Option(metavar="ENTRY=OPTION,...", help="What second choices stand for: left=0,right=1.")
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
    time_scale: Annotated[
        float, typer.Option(help="Seconds in one unit of the recording's times: .001 for milliseconds.")
    ] = 1.0,
    replace: Annotated[bool, typer.Option("--replace", help="Write over trials that --out holds already.")] = False,
    as_json: JSON = False,
) -> None:
    """Turn a lab's table into a dataset that every analysis takes.

    Columns that are not named are guessed by common names; what was guessed, recoded, dropped or missing is
    reported. Name a column "" to say that the table has none.
    """
    import dataclasses
    import warnings

    from neurometa import dataset
    from neurometa.storage import only_writer
    from neurometa.tables import read_activity, read_trials
    from neurometa.tables.report import wrapped

    if activity is None and (window is not None or bins != 1 or align != "start_time" or time_scale != 1):
        raise InputError(
            "--window, --align, --bins and --time-scale are of activity; say which with --activity, e.g. units."
        )
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
        second_choice=second_choice,
        choice_coding=_coding("--choice-coding", choice_coding),
        reward_coding=_numbers("--reward-coding", reward_coding),
        common_coding=_coding("--common-coding", common_coding),
        second_state_coding=_coding("--second-state-coding", second_state_coding),
        second_choice_coding=_coding("--second-choice-coding", second_choice_coding),
        n_options=options,
        where=_where(where),
    )
    odd: list[str] = []
    if activity is not None:
        around = _window(window)
        event = align if around or align != "start_time" else None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trials["activity"] = read_activity(
                file[0], trials, activity, align=event, window=around, n_bins=bins, time_scale=time_scale
            )
        odd = [str(each.message) for each in caught]
    with only_writer(out):
        written = dataset.save_run(trials.assign_attrs(made_by()), out)
    if as_json:
        told = dataclasses.asdict(report)
        say_json({"file": str(written), "report": told | {"warnings": told["warnings"] + odd}})
        return
    say(str(report))
    for warning in odd:
        say(wrapped(f"Warning: {warning}"))
    if activity is not None:
        found = trials.activity
        say(f"Activity: {found.sizes['unit']:,} units of {activity} ({found.units}), {bins} bins per trial.")
    say(f"The trials are in {written}.")
    two_step = "second_state" in trials and dataset.n_options(trials) == 2
    say(f"Next: neurometa fit {out} --model hybrid" if two_step else f"Next: neurometa fit-rw {out}")


def _where(conditions: list[str] | None) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    for text in conditions or []:
        column, equals, values = text.partition("=")
        if not equals or not column.strip():
            raise InputError(f"--where is {text!r}; write COLUMN=VALUE, or several values between commas.")
        found.setdefault(column.strip(), []).extend(value.strip() for value in values.split(","))
    return found or None


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
