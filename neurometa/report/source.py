"""What a report is made from: the trials, lightly read, and the results and settings that lie beside them."""

import dataclasses
from pathlib import Path
from typing import Any

import xarray as xr

from neurometa import analysis, dataset, results
from neurometa.errors import InputError
from neurometa.results import MissingError, Run
from neurometa.storage import read_json


@dataclasses.dataclass(frozen=True)
class Source:
    """A run folder, or a file of trials with the results beside it.

    Parameters
    ----------
    path : Path
        What was named: a run folder or a ``.nc`` file.
    trials : Dataset or None
        Its trials without `results.ACTIVITY`; None of an agent that has not played.
    run : Run or None
        What ``config.json`` says; None of trials that no agent of ours played.
    about : dict
        All of ``config.json``.
    """

    path: Path
    trials: xr.Dataset | None
    run: Run | None
    about: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the results are."""
        return self.path if self.path.is_dir() else self.path.parent

    @property
    def name(self) -> str:
        """What to call it: the experiment, or the name of the folder or file."""
        return (self.run.experiment if self.run else "") or self.path.resolve().stem

    @property
    def page(self) -> Path:
        """Where its report goes: in the folder, or beside the file under its name."""
        return self.path / "report.html" if self.path.is_dir() else self.path.with_name(f"{self.path.stem}_report.html")

    def files(self) -> list[str]:
        """Return the results that are of its trials, as they are called in a run folder, e.g. ``"fit_rw.nc"``."""
        prefix, known = "" if self.path.is_dir() else f"{self.path.stem}_", {one.file for one in analysis.ANALYSES}
        found = [path.name.removeprefix(prefix) for path in sorted(self.folder.glob(f"{prefix}*.nc"))]
        return [name for name in found if name != dataset.BEHAVIOUR and (name in known or _is_of_any_name(name))]

    def result(self, name: str) -> xr.Dataset:
        """Read a result of `files`.

        Raises
        ------
        MissingError
            It is of an earlier rollout.
        InputError
            It is damaged.
        """
        if self.path.is_dir() and not _is_of_any_name(name):
            return results.read_result(self.path, name)
        path = self.folder / (name if self.path.is_dir() else f"{self.path.stem}_{name}")
        found = dataset.read(path)
        if self.trials is not None and found.attrs.get("created") != self.trials.attrs.get("created"):
            raise MissingError(f"{path} is of an earlier rollout; make it anew.", "a result of these trials")
        return found


def _is_of_any_name(name: str) -> bool:
    """Whether a file is a fit or a comparison of groups, of which there may be several, each with a name of its own."""
    return name.startswith(("fit_", "groups_")) and name.endswith(".nc")


def find(path: Path) -> Source:
    """Open what a report is to be of.

    Parameters
    ----------
    path : Path
        A run folder, trained or imported, or a ``.nc`` file that keeps the contract.

    Raises
    ------
    InputError
        There is no such run, it holds neither settings nor trials, or a file is damaged or breaks the contract.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no run or file {path}.")
    if path.is_dir() and (path / results.DRAWS).exists():
        raise InputError(f"{path} is a sweep; a report is of one run: name the folder of a row, e.g. {path / '000'}.")
    config = path / "config.json" if path.is_dir() else path.with_name("config.json")
    run, about = None, {}
    if config.exists():
        (run,) = [one for one in results.find_runs(config.parent) if one.path.resolve() == config.parent.resolve()]
        about = read_json(config)
    trials = None
    if not path.is_dir() or (path / dataset.BEHAVIOUR).exists():
        trials = dataset.read(path, without=results.ACTIVITY)
        try:
            dataset.check(trials)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    elif run is None:
        made = "neurometa train restless --out" if not any(path.iterdir()) else "neurometa import TABLE --out"
        raise InputError(
            f"{path} holds neither {dataset.BEHAVIOUR} nor config.json to report of; begin with: {made} {path}"
        )
    return Source(path, trials, run, about)
