"""The command that explains a signal around an event: photometry. It needs no torch, unless an agent is asked."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import number, say, say_json, table
from neurometa.cli.saving import save_beside
from neurometa.errors import InputError

EXAMPLE = "neurometa photometry dopamine.csv --event lick --window -1,3 --on rpe --by mouse"


def photometry(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="TABLE...", help="CSV, TSV, Parquet (long or wide) or NWB files.", show_default=False),
    ],
    on: Annotated[
        list[str],
        typer.Option(help="rpe, value, reward, or a column; may be given again.", show_default=False),
    ],
    event: Annotated[
        str | None,
        typer.Option(help="Column of marks or times, or COLUMN=ENTRY, to cut around.", show_default="cut already"),
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="FROM,TO", help="Seconds around --event: -1,3.", show_default="all")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", "--group", help="Column of the animals, between which effects are random.")
    ] = "subject",
    random: Annotated[
        str, typer.Option(help="Which effects are random: slopes (all), intercept, or columns between commas.")
    ] = "slopes",
    signal: Annotated[
        str | None,
        typer.Option(help="Column, or first part of numbered columns; of NWB a series.", show_default="guessed"),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Samples per second; of wide tables to be said.", show_default="as recorded")
    ] = None,
    start: Annotated[float, typer.Option(help="Time of the first sample of a wide table's rows (s).")] = 0.0,
    baseline: Annotated[
        str | None, typer.Option(metavar="FROM,TO", help="Interval whose mean is subtracted.", show_default="none")
    ] = None,
    choice: Annotated[
        str | None, typer.Option(help="Column of the choice, for rpe and value.", show_default="guessed")
    ] = None,
    reward: Annotated[str | None, typer.Option(help="Column of the reward, likewise.", show_default="guessed")] = None,
    model: Annotated[str, typer.Option(help="Learner that is fitted to the choices.")] = "rescorla-wagner",
    agent: Annotated[
        Path | None,
        typer.Option(
            help="Run folder of an agent, whose rpe or value on the same trials is taken.", show_default="none"
        ),
    ] = None,
    ml: Annotated[
        bool, typer.Option("--ml", help="Plain maximum likelihood, to compare AIC between regressors.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Fixes the draws for the joint bands.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of the result.", show_default="beside the table")] = None,
    as_json: JSON = False,
) -> None:
    """Explain a signal around an event by a mixed model.

    At every time a linear mixed model with random effects by animal; smoothed coefficients with pointwise and joint
    bands. Writes photometry.nc and photometry.png.
    """
    from neurometa import neural, tables
    from neurometa.neural.regressors import signal_regressors

    if agent is not None and model != "rescorla-wagner":
        raise InputError("--agent and --model exclude each other: regressors are of an agent or of a learner.")
    signals = tables.read_signals(
        list(data) if len(data) > 1 else data[0],
        signal=signal,
        event=event,
        window=_pair("--window", window),
        rate=rate,
        start=start,
        subject=None if by == "subject" else by,
        baseline=_pair("--baseline", baseline),
    )
    columns = {name: column for name, column in (("choice", choice), ("reward", reward)) if column is not None}
    learned = _of_agent(agent, signals, columns) if agent is not None else None
    regressors = signal_regressors(signals, on, model=_model(model), learned=learned, columns=columns)
    effects = random if random in ("slopes", "intercept") else random.split(",")
    found = neural.functional_mixed_model(signals.signal, regressors, random=effects, restricted=not ml, seed=seed)
    kept = ("rate", "n_outside", "n_missing")
    found = found.assign_attrs({name: signals.attrs[name] for name in kept} | regressors.attrs)
    if agent is not None:
        found.attrs["agent"] = str(agent)
    file = save_beside(found, signals, _place(data[0], out), "photometry.nc")
    picture = _draw(found, file.with_suffix(".png"))
    _tell(found, file, picture, as_json=as_json)


def _pair(option: str, text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        first, second = map(float, text.split(","))
    except ValueError as error:
        raise InputError(f"{option} is {text!r}; give two numbers in seconds, e.g. -1,3.") from error
    return first, second


def _model(name: str) -> Any:
    from neurometa import models
    from neurometa.cli.fits import model_of

    kinds = (*models.MODELS, *models.FITTED_FROM_STARTS)
    return model_of(name, [kind for kind in kinds if issubclass(kind, models.Model)])


def _of_agent(run: Path, signals: Any, columns: dict[str, str]) -> dict[str, Any]:
    """Prediction errors and values of an agent that was given these trials."""
    from neurometa import neural, runs
    from neurometa.neural.regressors import signal_trials

    clamped = runs.clamp(run, signal_trials(signals, **columns), log=())
    rpe = neural.rpe(clamped, terminal="missing").isel(event=-1, drop=True)  # at the outcome
    return {"rpe": rpe, "value": clamped.value.sel(step=clamped.attrs["choice_step"], drop=True)}


def _place(data: Path, out: Path | None) -> Path:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        return out
    return data.with_name(data.name.partition(".")[0] + ".nc")


def _draw(found: Any, path: Path) -> Path:
    import matplotlib.pyplot as plt

    from neurometa import plotting
    from neurometa.share import folder
    from neurometa.storage import replacing

    names = [str(name) for name in found.regressor.values]
    with plt.style.context(folder("figures") / "paper.mplstyle"):
        fig, axes = plt.subplots(1, len(names), figsize=(2.6 * len(names), 2.1), squeeze=False, layout="constrained")
        for ax, name in zip(axes[0], names, strict=True):
            plotting.coefficient_bands(ax, found, name)
        fig.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        with replacing(path) as temporary:
            fig.savefig(temporary, format="png", dpi=200)
        plt.close(fig)
    return path


def _tell(found: Any, file: Path, picture: Path, *, as_json: bool) -> None:
    import numpy as np

    rows = []
    for name in map(str, found.regressor.values):
        one = found.sel(regressor=name)
        peak = one.isel(time=int(np.abs(one.coef.values).argmax()))
        within = one.time.values[one.significant.values]
        row: dict[str, Any] = {"regressor": name, "peak": float(peak.coef), "peak_time": float(peak.time)}
        row |= {"lower": float(peak.joint_lower), "upper": float(peak.joint_upper), "freedom": float(one.freedom)}
        row |= {"significant_share": float(one.significant.mean()), "joint_factor": float(one.joint_factor)}
        row |= {"first": float(within[0]) if len(within) else None, "last": float(within[-1]) if len(within) else None}
        rows.append(row)
    n_times = found.sizes["time"]
    told = {"file": str(file), "figure": str(picture), "regressors": rows, "n_times": n_times}
    told |= {name: int(found[name]) for name in ("n", "n_subjects", "n_left_out")}
    told |= {"aic": float(found.aic.mean()), "bic": float(found.bic.mean())}
    told |= {"n_singular": int(found.singular.sum()), "n_unconverged": int((~found.converged).sum())}
    told |= {name: found.attrs[name] for name in ("n_outside", "n_missing", "rate")}
    if as_json:
        say_json(
            told | {name: found.attrs[name] for name in ("restricted", "seed", "model", "agent") if name in found.attrs}
        )
        return
    cells = [
        [
            row["regressor"],
            number(row["peak"]),
            f"{row['peak_time']:.2f}",
            f"[{number(row['lower'])}, {number(row['upper'])}]",
            f"{row['significant_share']:.0%}",
            number(row["freedom"], 2),
        ]
        for row in rows
    ]
    units = found.time.attrs.get("units", "s")
    table(["effect of", "largest", f"at ({units})", "joint 95 %", "of the time beyond 0", "df"], cells)
    say(f"{told['n']} trials of {told['n_subjects']} animals at {n_times} times.")
    kind = "restricted" if found.attrs["restricted"] else "plain"
    say(f"Mean AIC {told['aic']:.3f}, BIC {told['bic']:.3f} ({kind} likelihood).")
    if told["n_outside"] or told["n_missing"] or told["n_left_out"]:
        say(
            f"Left out: {told['n_outside']} events outside the recording, {told['n_missing']} with samples missing, "
            f"{told['n_left_out']} without a regressor."
        )
    if told["n_singular"]:
        say(f"Singular at {told['n_singular']} times: some variance between animals is 0 there, or a correlation ±1.")
    if told["n_unconverged"]:
        say(f"The search did not converge at {told['n_unconverged']} times.")
    say(f"Everything is in {file}; the figure is {picture}.")
