"""The learning curve on disk: one line of JSON per update, readable while training goes on."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from neurometa.errors import InputError
from neurometa.settings import modern
from neurometa.storage import as_line, read_json, read_lines, write_text
from neurometa.training.checkpoint import CHECKPOINT, WEIGHTS

CURVE = "curve.jsonl"

Row = dict[str, float]


@contextlib.contextmanager
def writer(run: Path | None, done: int) -> Iterator[Callable[[Row], None]]:
    """Yield a function that appends a row; rows beyond `done` updates are played again and go first.

    Each row is flushed, so that a killed training loses at most the row being written. Where
    tensorboard is installed the numbers stream there too, into the folder ``tensorboard``.
    """
    if run is None:
        yield lambda row: None
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
        with open(path, "a") as file, _tensorboard(run, int(kept[-1]["steps"]) if kept else 0) as board:

            def write(row: Row) -> None:
                file.write(as_line(row))
                file.flush()
                board(row)

            yield write
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
