"""The file of a run or a result: netCDF that is whole, sealed, and says which contract it keeps."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import xarray as xr

from neurometa.contract import describe
from neurometa.errors import InputError
from neurometa.storage import UNTOUCHED, replacing, seal, tampered

CONTRACT = 1  # raised when a stored variable changes its name, dims or meaning
CONTRACT_IN_TIME = 2  # of runs whose trials last as long as they take, which an older neurometa cannot read
BEHAVIOUR = "behaviour.nc"  # the file of a run folder that holds its trials


def save_run(trials: xr.Dataset, path: str | os.PathLike) -> Path:
    """Write a dataset as one file, whole or not at all.

    Parameters
    ----------
    trials : Dataset
        Anything that keeps the contract, or a result of an analysis.
    path : path
        A run folder, in which the file becomes ``behaviour.nc``, or a file ending in ``.nc``.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        The folder cannot be written, the disk is full, or netCDF has no form for a value
        (None, a dict, mixed text and numbers); an older file is then untouched.
    """
    path = Path(path)
    file = path if path.suffix == ".nc" else path / BEHAVIOUR
    trials = describe(trials).assign_attrs(contract=CONTRACT_IN_TIME if "time" in trials.dims else CONTRACT)
    trials.attrs.pop("complete", None)
    with replacing(file) as temporary:
        import netCDF4

        try:
            trials.to_netcdf(temporary, engine="netcdf4")
            with netCDF4.Dataset(temporary, "a") as written:  # last, so that a part of a file never has it
                written.complete = 1
            seal(temporary)
        except RuntimeError as error:  # what netCDF raises when the disk is full
            raise InputError(f"Could not write {file} ({error}): is the disk full? {UNTOUCHED}") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"Could not write {file}, as netCDF cannot hold this: {error}. {UNTOUCHED}") from error
    return file


def read(path: str | os.PathLike, *, without: Sequence[str] = ()) -> xr.Dataset:
    """Read a file written by `save_run` without asking what it holds, e.g. a result.

    Parameters
    ----------
    path : path
        A run folder or a ``.nc`` file.
    without : sequence of str
        Variables to leave on disk where they are there, e.g. `results.ACTIVITY`, which is most of a rollout.

    Raises
    ------
    InputError
        The file is absent, damaged, half-written or of another contract.
    """
    with opened(path, without=without) as (file, trials):
        try:
            return trials.load()
        except (OSError, RuntimeError, ValueError) as error:
            raise InputError(f"{file} is damaged or not netCDF ({error}); write it anew.") from error


@contextlib.contextmanager
def opened(path: str | os.PathLike, *, without: Sequence[str] = ()) -> Iterator[tuple[Path, xr.Dataset]]:
    """Yield a file and its dataset, of which nothing is read before it is asked for.

    Parameters
    ----------
    path, without
        As for `read`.

    Raises
    ------
    InputError
        As `read`, save that a damage further inside is only met when that part is read.
    """
    path = Path(path)
    file = path / BEHAVIOUR if path.is_dir() else path
    if not path.exists():
        raise InputError(f"There is no run or file {path}.")
    if not file.exists():
        raise InputError(f"{path} holds no {BEHAVIOUR}; make it with: neurometa rollout {path}")
    if file.suffix != ".nc":
        raise InputError(f"{file} is not a .nc file; turn a table into one with: neurometa import {file} --out FOLDER")
    try:
        if tampered(file):
            raise InputError(f"{file} is damaged: its bytes are not those that were written; write it anew.")
        trials = xr.open_dataset(file, engine="netcdf4", drop_variables=list(without))
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"You may not read {file}; ask its owner.") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{file} is damaged or not netCDF ({error}); write it anew.") from error
    with trials:
        if not trials.attrs.pop("complete", 0):
            raise InputError(f"{file} is not whole (it lacks the mark that is written last); write it anew.")
        if trials.attrs.get("contract") not in (CONTRACT, CONTRACT_IN_TIME):
            raise InputError(
                f"{file} keeps contract {trials.attrs.get('contract')}, this neurometa reads contracts {CONTRACT} and "
                f"{CONTRACT_IN_TIME}; "
                "write it anew, or install the version that made it."
            )
        yield file, trials
