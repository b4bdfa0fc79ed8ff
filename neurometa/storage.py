"""Files that are either the old whole one or the new whole one, and one writer per run."""

import contextlib
import fcntl
import hashlib
import json
import mmap
import os
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from neurometa.errors import InputError

SEAL = b"\nneurometa sha256"  # before the digest, at the end of a sealed file
DIGEST, CHECK = "sha256", "crc32"  # last entry of a record and of a row: of all before it
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


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, whole or not at all, with the digest of its values as its last entry."""
    write_text(path, json.dumps({**record, DIGEST: _digest_of(record)}, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a record, and make sure that its values are those that `write_json` was given.

    A record without digest, of an older version or another program, is taken as it is.

    Raises
    ------
    InputError
        The file cannot be read, is no JSON object, or holds other values than were written.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Could not read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}).") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is damaged: it is no JSON object.")
    name, digest = next(reversed(found.items()), ("", None))
    if name == DIGEST or (isinstance(digest, str) and len(digest) == 64):  # also where the name of the entry is hit
        del found[name]
        if (name, digest) != (DIGEST, _digest_of(found)):
            raise InputError(
                f"{path} is damaged: its values are not those that were written (if you changed them yourself, "
                f"remove its last entry, {DIGEST!r})."
            )
    return found


def _digest_of(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()


def as_line(row: Mapping[str, float]) -> str:
    """Numbers as a line of JSON that ends with a check of them."""
    text = json.dumps(row)
    return f'{text[:-1]}, "{CHECK}": "{_check(text)}"}}\n'


def read_line(line: str) -> dict[str, float]:
    """Read a line made by `as_line`, or one without a check.

    Raises
    ------
    ValueError
        It is no JSON object, or holds other numbers than were written.
    """
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("not an object")
    name, check = next(reversed(row.items()), ("", None))
    if name == CHECK or isinstance(check, str):  # all else is numbers
        del row[name]
        if (name, check) != (CHECK, _check_of(row)):
            raise ValueError("its check does not fit its numbers")
    return row


def read_lines(path: Path, n_whole: int | None = None) -> list[dict[str, float]]:
    """Read a file of such lines; a last one that was cut short by a kill is left out.

    Parameters
    ----------
    path : Path
        The file.
    n_whole : int, optional
        How many lines it must have.

    Raises
    ------
    InputError
        A line is damaged, or there are fewer or more than `n_whole`.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is damaged ({error}).") from error
    if "}" not in lines[-1]:  # empty, or cut short
        lines.pop()
    rows = []
    for i, line in enumerate(lines, 1):
        try:
            rows.append(read_line(line))
        except ValueError as error:
            raise InputError(f"{path} is damaged in line {i} ({error}).") from error
    if n_whole is not None and len(rows) != n_whole:
        raise InputError(f"{path} is damaged: it holds {len(rows)} lines, and {n_whole} were written.")
    return rows


def _check_of(row: Mapping[str, float]) -> str:
    return _check(json.dumps(row))


def _check(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


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
            raise InputError(f"Another process is writing {run}; wait for it, or choose another folder.") from error
        except OSError as error:  # e.g. Lustre mounted without flock
            raise InputError(f"{run} cannot be locked ({error.strerror}); choose a folder elsewhere.") from error
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
