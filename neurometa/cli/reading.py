"""Commands that read trials, an agent's or a lab's: import, fit-rw, figure. None of them needs torch."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.fit_options import Start, estimated, noted, start_of
from neurometa.cli.grouping import Group, Hierarchical, fit_group
from neurometa.cli.printing import JSON, bar, interval, number, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError, nearest

Trials = Annotated[Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)]


def reading(app: typer.Typer) -> None:
    """Add the commands that read trials."""
    example = "Example: neurometa import trials.csv --subject id --choice side --choice-coding L=0,R=1 --out runs/mice"
    app.command("import", epilog=example)(import_table)
    app.command(
        "fit-rw",
        epilog="Example: neurometa fit-rw runs/mice --hierarchical",
    )(fit_rw)
    app.command("figure", epilog="Example: neurometa figure w16-fig4 --run runs/restless")(figure)


def import_table(
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
    """Turn a lab's long table into a dataset that every analysis takes.

    Columns that are not named are guessed by common names; what was guessed, recoded, dropped or
    missing is reported. Name a column "" to say that the table has none.
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
        written = dataset.save_run(trials, out)
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


def fit_rw(
    trials: Trials,
    model: Annotated[
        str, typer.Option(help="rescorla-wagner, single-value, two-learning-rates, forgetting, choice-kernel, ...")
    ] = "rescorla-wagner",
    intervals: Annotated[bool, typer.Option("--intervals", help="Add 95 % profile-likelihood intervals.")] = False,
    pool: Annotated[list[str] | None, typer.Option(help="Dim to pool over, e.g. episode; may be given again.")] = None,
    window: Annotated[
        int | None, typer.Option(help="Fit a sliding window of so many trials.", show_default="all")
    ] = None,
    start: Start = None,
    hierarchical: Hierarchical = False,
    group: Group = None,
    as_json: JSON = False,
) -> None:
    """Fit a Rescorla-Wagner learner to the choices of each episode, by exact maximum likelihood.

    Writes fit_rw.nc: parameters with standard errors, log-likelihood, what sits on a bound; and,
    where the trials carry the drift of their world, the regression of the learning rate on it. With
    --hierarchical, fit_rw_hierarchical.nc: the group's means and SDs, and each member's estimate.
    """
    from neurometa import behaviour, dataset

    kind = _model(model)
    data = dataset.open_run(trials)
    if hierarchical or group is not None:
        if window is not None or intervals:
            raise InputError("--hierarchical fits whole episodes, with intervals; leave out --window and --intervals.")
        fit_group(kind, data, trials, "fit_rw_hierarchical.nc", group=group, pool=pool, start=start, as_json=as_json)
        return
    with noted():
        fitted = behaviour.fit(
            kind, data, pool=tuple(pool or ()), window=window, start=start_of(start), intervals=intervals
        )
    follows = kind.rates()[:1] == ("learning_rate",) and "drift_sd" in data and not pool and not window
    if follows:
        fitted = fitted.merge(behaviour.follow_volatility(fitted, data))
    file = save_beside(fitted, data, trials, "fit_rw.nc")
    _tell_fit(kind, fitted, file, as_json=as_json)


def _model(name: str) -> Any:
    from neurometa import models

    kinds = {re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in models.MODELS}
    if name not in kinds:
        raise InputError(f"There is no model {name!r}.{nearest(name, list(kinds))} There are: {', '.join(kinds)}.")
    return kinds[name]


def _tell_fit(kind: Any, fitted: Any, file: Path, *, as_json: bool) -> None:
    from neurometa import behaviour

    medians = {name: behaviour.median_interval(fitted[name]) for name in estimated(fitted)}
    n, failed = int(fitted.converged.size), int((~fitted.converged).sum())
    record: dict[str, Any] = {"file": str(file), "model": kind.__name__, "fits": n, "failed": failed}
    record["at_bound"] = int(fitted.at_bound.sum())
    for name, found in medians.items():
        record[name] = {key: float(found[key]) for key in ("median", "lower", "upper")}
    if "r_squared" in fitted:
        told = {key: float(fitted[key]) for key in ("slope", "r_squared", "p_value", "n")}
        by_band = {key: fitted[key].to_series().to_dict() for key in ("band_mean", "difference_p_value")}
        record["volatility"] = told | by_band
    if as_json:
        say_json(record)
        return
    rows = [
        [name, number(x["median"]), interval(x["lower"], x["upper"])] for name, x in record.items() if name in medians
    ]
    table(["parameter", "median", "95 % interval"], rows, f"{kind.__name__}, {n} fits")
    say(f"On a bound: {record['at_bound']} of {n}.")
    if failed:
        say(f"Without an estimate: {failed} (no choice to score, or choices that say nothing of a parameter).")
    if "volatility" in record:
        told = record["volatility"]
        line = f"R² {told['r_squared']:.3f}, slope {number(told['slope'])}, p {told['p_value']:.1g}"
        say(f"Learning rate on volatility: {line}.")
        means = ", ".join(f"{band} {mean:.3f}" for band, mean in told["band_mean"].items())
        steps = ", ".join(f"{step} p {p:.1g}" for step, p in told["difference_p_value"].items())
        say(f"Its mean by band of volatility: {means} ({steps}).")
    say(f"Everything is in {file}.")


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
    """Draw a figure of a paper from saved results, as PDF and PNG.

    Runs are pooled as seeds, or as the best of a sweep. Without a run of your own:
    neurometa figure w16-fig2 --pretrained, which keeps what they play in runs/pretrained.
    """
    from neurometa import plotting
    from neurometa.results import MissingError

    if pretrained:
        runs = _play_pretrained(plotting.load_figure(name).NEEDS, run, agents, episodes, quiet=as_json)
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
    needs: dict[str, list[str]], run: list[Path] | None, agents: int, episodes: int, *, quiet: bool
) -> list[Path]:
    """Run folders of the agents that come along, with all that is needed in them."""
    from neurometa import pretrained  # torch, which drawing alone does not load

    if run is not None and len(run) > 1:
        raise InputError("--pretrained keeps its runs in one folder; give --run once, or not at all.")
    place = run[0] if run else Path("runs") / "pretrained"
    done: list[str] = []
    n_files = sum(len(files) * len(pretrained.seeds(name)[:agents]) for name, files in needs.items())
    with bar("playing", n_files, "files", quiet=quiet) as show:

        def tick(file: str) -> None:
            done.append(file)
            show(len(done), Path(file).name)

        return pretrained.prepare(needs, place, n_agents=agents, n_episodes=episodes, progress=tick)
