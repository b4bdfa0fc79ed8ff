"""The learning curve on disk: one line of JSON per update, readable while training goes on."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from neurometa.errors import InputError
from neurometa.settings import modern
from neurometa.storage import as_line, read_json, read_line, read_lines, write_text
from neurometa.training.checkpoint import CHECKPOINT, WEIGHTS

CURVE = "curve.jsonl"
LONGEST_ROWS = 2000  # bytes at the end of a curve that hold a whole row for certain
SECONDS_UNSEEN = 0.1  # to write each row by itself would cost a tenth of the time

Row = dict[str, float]


class Writer:
    """Appends rows to a curve; they are on disk, for others to read, within a tenth of a second, or at `flush`."""

    def __init__(self, file: IO[str] | None, board: Callable[[Row], None]) -> None:
        self._file, self._board, self._flushed = file, board, time.monotonic()

    def write(self, row: Row) -> None:
        """Append a row."""
        if self._file is None:
            return
        self._file.write(as_line(row))
        self._board(row)
        if time.monotonic() - self._flushed > SECONDS_UNSEEN:
            self.flush()

    def flush(self) -> None:
        """Put what was written where a kill cannot reach it, as is needed before a checkpoint says that it is there."""
        if self._file is not None:
            self._file.flush()
            self._flushed = time.monotonic()


@contextlib.contextmanager
def writer(run: Path | None, done: int, *, board: bool = True) -> Iterator[Writer]:
    """Yield what appends rows; rows beyond `done` updates are played again and go first.

    Where tensorboard is installed the numbers stream there too, into the folder ``tensorboard``, unless `board` is off.
    """
    if run is None:
        yield Writer(None, lambda row: None)
        return
    path = run / CURVE
    kept = [row for row in read_lines(path) if row["update"] <= done] if path.exists() else []
    if [row["update"] for row in kept] != list(range(1, done + 1)):
        raise InputError(
            f"{path} lacks updates that {CHECKPOINT} has behind it ({len(kept)} of {done} are there); "
            f"remove {run / CHECKPOINT} to start anew."
        )
    write_text(path, "".join(map(as_line, kept)))
    try:
        begun = int(kept[-1]["steps"]) if kept else 0
        streaming = _tensorboard(run, begun) if board else contextlib.nullcontext(lambda row: None)
        with open(path, "a") as file, streaming as tell:
            curve = Writer(file, tell)
            yield curve
            curve.flush()
            os.fsync(file.fileno())  # before there are weights, which say that the curve is whole
    except OSError as error:
        raise InputError(f"Could not write {path}: {error.strerror}. Free some space, then resume.") from error


def read(run: Path) -> list[Row]:
    """Read a run's learning curve; a last line cut short by a kill is left out.

    Raises
    ------
    InputError
        There is no curve, a line is damaged, or lines of a finished training are missing.
    """
    path = Path(run) / CURVE
    if not path.exists():
        raise InputError(f"{run} holds no {CURVE}.")
    finished = (path.parent / WEIGHTS).exists() and (path.parent / "config.json").exists()
    if not finished:
        return read_lines(path)
    config = modern(read_json(path.parent / "config.json")["config"])
    return read_lines(path, config["n_updates"])


def last_update(run: Path) -> int:
    """Number of the last update whose row is whole, 0 if there is none, without reading the others."""
    try:
        with open(Path(run) / CURVE, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_ROWS))
            lines = file.read().decode().split("\n")
        return int(read_line(lines[-2])["update"])
    except (OSError, IndexError, ValueError, KeyError):
        return 0


@contextlib.contextmanager
def _tensorboard(run: Path, steps: int) -> Iterator[Callable[[Row], None]]:
    """Stream rows to TensorBoard, and hide what it was told of later environment steps before."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        yield lambda row: None
        return
    # Ctrl-C amid a writing can leave the writer's thread asleep until it flushes, by default for two minutes
    with SummaryWriter(str(run / "tensorboard"), purge_step=steps + 1, flush_secs=1) as board:

        def write(row: Row) -> None:
            for name, x in row.items():
                if name not in ("update", "steps"):
                    board.add_scalar(name, x, int(row["steps"]))

        yield write
