"""Files that are either the old whole one or the new whole one, and one writer per run."""

import contextlib
import fcntl
import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from neurometa.errors import InputError

SEAL = b"\nneurometa sha256"  # before the digest, at the end of a sealed file
UNTOUCHED = "What was there before is untouched."


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it into place once it is whole.

    A reader, or a process killed at any moment, finds the old file or the new one, never
    a part of either.

    Parameters
    ----------
    path : Path
        The file to write; its folder is made if it is absent.

    Raises
    ------
    InputError
        The folder cannot be written or the disk is full; `path` is then untouched.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp makes private files; a lab shares its runs
        temporary = Path(name)
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        with contextlib.suppress(OSError):  # some network file systems cannot sync a folder; the file is in place
            _sync(path.parent)
    except OSError as error:
        raise InputError(f"Could not write {path}: {error.strerror or error}. {UNTOUCHED}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as a whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text)


def seal(path: Path) -> None:
    """Append the digest of a file's bytes to it; netCDF and HDF5 do not read beyond their own end."""
    digest = _digest(path, path.stat().st_size)
    with open(path, "ab") as file:
        file.write(SEAL + digest)


def tampered(path: Path) -> bool:
    """Whether a sealed file holds other bytes than were sealed; a file of another program has no seal, and is not."""
    size = path.stat().st_size - len(SEAL) - hashlib.sha256().digest_size
    if size <= 0:
        return False
    with open(path, "rb") as file:
        file.seek(size)
        tail = file.read()
    return SEAL[:10] in tail and tail != SEAL + _digest(path, size)  # also where the end of the seal was cut off


def _digest(path: Path, size: int) -> bytes:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
        return hashlib.sha256(content).digest()


@contextlib.contextmanager
def only_writer(run: Path) -> Iterator[None]:
    """Hold the run directory's lock, which a killed process gives back by itself.

    Raises
    ------
    InputError
        Another process is writing this run, or the folder cannot be written.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = open(run / ".lock", "w")  # noqa: SIM115 - closed below, whatever happens
    except OSError as error:
        raise InputError(f"Could not write to the run folder {run}: {error.strerror or error}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"Another process is writing {run}; wait for it, or choose another --out.") from error
        except OSError as error:  # e.g. Lustre mounted without flock
            raise InputError(f"{run} cannot be locked ({error.strerror}); choose an --out elsewhere.") from error
        for left in run.glob(".*.part"):  # by a process that was killed while writing
            left.unlink(missing_ok=True)
        yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
