"""The command that hands trials to other programs: export. It needs no torch."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.options import JSON
from neurometa.cli.printing import bar, say, say_json
from neurometa.errors import InputError

EXAMPLE = "neurometa export runs/mice --csv --out mice.csv"
WIDE = ("unit", "feature")  # dims with dozens of entries, each of which would be a column


def export(
    trials: Annotated[
        Path, typer.Argument(help="Run folder, or a .nc file that keeps the contract.", show_default=False)
    ],
    csv: Annotated[bool, typer.Option("--csv", help="A text table, one row per trial.")] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="The same as Parquet (extra parquet).")] = False,
    nwb: Annotated[bool, typer.Option("--nwb", help="Neurodata Without Borders (extra nwb).")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; for --nwb of several sessions a folder.", show_default="beside the trials"),
    ] = None,
    units: Annotated[
        bool, typer.Option("--units", help="Tables also hold hidden state and observations, a column per unit.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Write over what is there.")] = False,
    as_json: JSON = False,
) -> None:
    """Write trials as a table, or as NWB, for other programs.

    A table has a row for each trial that was played; what has several values per trial has a column
    for each, e.g. reward_prob_0. NWB files hold an agent's whole run, or one session of an animal.
    """
    from neurometa import dataset

    chosen = [suffix for suffix, asked in ((".csv", csv), (".parquet", parquet), (".nwb", nwb)) if asked]
    if len(chosen) != 1:
        raise InputError("Say which one to write: --csv, --parquet or --nwb.")
    data = dataset.open_run(trials)
    beside = trials / "trials.nc" if trials.is_dir() else trials
    left: list[str] = []
    if nwb:
        written = _export_nwb(data, beside, out, replace=replace, quiet=as_json)
    else:
        written, left = _export_table(data, out or beside.with_suffix(chosen[0]), chosen[0], units, replace)
    if as_json:
        say_json({"files": [str(file) for file in written], "left_out": left})
        return
    if left:
        say(f"Left out, as they would be a column per unit: {', '.join(left)}; add them with --units.")
    if len(written) > 1:
        say(f"Wrote {len(written):,} files to {written[0].parent}, one for each session.")
    else:
        say(f"Wrote {written[0]}")


def _export_table(data: Any, file: Path, suffix: str, units: bool, replace: bool) -> tuple[list[Path], list[str]]:
    from neurometa import tables

    if file.suffix != suffix and (suffix, file.suffix) != (".csv", ".tsv"):
        raise InputError(f"--out is {file}; its name must end in {suffix}.")
    _refuse_there([file], replace)
    left = [str(name) for name, x in data.data_vars.items() if set(x.dims) & set(WIDE)] if not units else []
    return [tables.write_table(data.drop_vars(left), file)], left


def _export_nwb(data: Any, beside: Path, out: Path | None, *, replace: bool, quiet: bool) -> list[Path]:
    """One file of an agent, or of an animal's only session; else a folder with one file for each session."""
    from neurometa import tables

    if "subject" not in data.coords or "episode" not in data.dims or data.sizes["episode"] == 1:
        files = {out or beside.with_suffix(".nwb"): data}
        if next(iter(files)).suffix != ".nwb":
            raise InputError(f"--out is {out}; its name must end in .nwb.")
    else:
        folder = out or beside.with_name("nwb")
        if folder.suffix == ".nwb":
            raise InputError(
                f"The trials are of {data.sizes['episode']:,} sessions, a file each; let --out be a folder."
            )
        files = {}
        for episode in range(data.sizes["episode"]):
            one = data.isel(episode=[episode])
            session = one.session.item() if "session" in one.coords else episode
            file = folder / f"sub-{_safe(one.subject.item())}_ses-{_safe(session)}.nwb"
            if file in files:
                raise InputError(f"Two sessions would both be written to {file}; rename a subject or a session.")
            files[file] = one
    _refuse_there(list(files), replace)
    with bar("writing", len(files), "files", quiet=quiet) as show:
        for done, (file, one) in enumerate(files.items(), 1):
            tables.write_nwb(one, file)
            show(done, file.name)
    return list(files)


def _safe(name: Any) -> str:
    """A subject's or session's name as a file name can hold it."""
    return re.sub(r"[^\w.-]+", "-", str(name)).strip(".-") or "unnamed"


def _refuse_there(files: list[Path], replace: bool) -> None:
    there = next((file for file in files if file.exists()), None)
    if there is not None and not replace:
        raise InputError(f"{there} is there already; write over it with --replace, or choose another --out.")
