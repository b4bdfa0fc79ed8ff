"""Groups of rows: one after another, on the cores of one machine, or on a Dask cluster."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from neurometa.errors import InputError, nearest
from neurometa.storage import only_writer
from neurometa.sweep.collecting import unfinished
from neurometa.sweep.rows import SCORE, train_rows
from neurometa.sweep.table import open_table, row_config, row_folder
from neurometa.training import a2c, curve

BACKENDS = ("serial", "loky", "dask")
SECONDS_TO_ANSWER = 6
MOST_DEATHS = 3  # workers lost in a row without a row being done


def train(
    folder: Path,
    *,
    backend: str = "loky",
    n_jobs: int | None = None,
    scheduler: str = "",
    modules: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> None:
    """Train every row of a sweep that is not done.

    Rows whose shapes agree, which is most sweeps, are trained side by side: at small batches each core trains up to
    32 in hardly more time than one, each to the bits in which it would end alone. A worker that dies costs the rows
    that it was training a few seconds: they go on from their checkpoints in another worker.

    Parameters
    ----------
    folder : Path
        The sweep; the workers must see it by this path.
    backend : {"serial", "loky", "dask"}
        One after another; in processes of this machine; in Dask workers.
    n_jobs : int, optional
        Processes of this machine; by default one per core.
    scheduler : str
        Address of a Dask scheduler, e.g. ``"tcp://10.0.0.1:8786"``; by default Dask workers of this machine.
    modules : sequence of str
        Modules that each worker imports first, by name, e.g. those that register environments.
    progress : callable, optional
        Called with the number of each row that is done.

    Raises
    ------
    InputError
        No such backend, Dask is not installed, the scheduler does not answer, another process is training this
        sweep, a row cannot be written, or workers keep dying.
    """
    if backend not in BACKENDS:
        raise InputError(
            f"backend is {backend!r}; allowed are {', '.join(BACKENDS)}.{nearest(backend, list(BACKENDS))}"
        )
    if n_jobs is not None and n_jobs < 1:
        raise InputError(f"n_jobs is {n_jobs}; it must be at least 1.")
    if scheduler and backend != "dask":
        raise InputError("scheduler is the address of a Dask scheduler; give backend='dask' with it.")
    folder, deaths = Path(folder).absolute(), 0
    if not unfinished(folder):
        return
    n_jobs = 1 if backend == "serial" else n_jobs or cpu_count()
    with only_writer(folder), _workers(backend, n_jobs, scheduler) as parallel:
        while left := unfinished(folder):
            try:
                groups = _groups(folder, left, n_jobs)
                for rows in parallel(delayed(train_rows)(folder, group, tuple(modules)) for group in groups):
                    deaths = 0
                    for row in rows:
                        if progress is not None:
                            progress(row)
            except _deaths(backend) as error:
                deaths += 1
                if deaths == MOST_DEATHS:
                    raise InputError(
                        f"Workers died {deaths} times and no row was done; is there memory for fewer n_jobs only? "
                        f"{len(unfinished(folder))} rows are left."
                    ) from error


def updates_done(folder: Path) -> tuple[int, int]:
    """Updates that the rows of a sweep have behind them, and how many there are in all; cheap enough to ask often."""
    table, done, whole = open_table(folder), 0, 0
    for row in range(len(table["rows"])):
        run, n_updates = row_folder(folder, row), row_config(table, row).n_updates
        done += n_updates if (run / SCORE).exists() else min(curve.last_update(run), n_updates)
        whole += n_updates
    return done, whole


def _groups(folder: Path, rows: list[int], n_jobs: int) -> list[list[int]]:
    """Sort rows into groups that are trained together, at least one per job."""
    table = open_table(folder)
    groups = a2c.companies([row_config(table, row) for row in rows], at_least=n_jobs)
    return [[rows[i] for i in group] for group in groups]


@contextlib.contextmanager
def _workers(backend: str, n_jobs: int, scheduler: str) -> Iterator[Parallel]:
    if backend != "dask":
        how = {"serial": "sequential", "loky": "loky"}[backend]
        with parallel_config(how, n_jobs=n_jobs):
            yield _parallel()
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError('The backend dask needs Dask: pip install "neurometa[cluster]"') from error
    if scheduler and not re.fullmatch(r"[a-z]+://.+:\d+", scheduler):
        raise InputError(f"scheduler is {scheduler!r}; it must be an address such as tcp://10.0.0.1:8786.")
    if scheduler and not _answers(scheduler):
        raise InputError(
            f"No Dask scheduler answers at {scheduler!r} within {SECONDS_TO_ANSWER} s; start one with "
            "'dask scheduler', or train on this machine with backend='loky'."
        )
    with contextlib.ExitStack() as open_:
        if not scheduler:
            local = LocalCluster(n_workers=n_jobs, threads_per_worker=1, dashboard_address=None)
            scheduler = open_.enter_context(local).scheduler_address
        open_.enter_context(Client(scheduler))
        open_.enter_context(parallel_config("dask"))
        yield _parallel()


def _answers(scheduler: str) -> bool:
    """Ask from a process of its own whether a Dask scheduler answers.

    What listens at an address need not be Dask, and a client that waits for the handshake of something else cannot
    be called off.
    """
    ask = "import sys, distributed; distributed.Client(sys.argv[1], timeout=float(sys.argv[2])).close()"
    command = [sys.executable, "-c", ask, scheduler, str(SECONDS_TO_ANSWER)]
    try:
        return not subprocess.run(command, capture_output=True, timeout=SECONDS_TO_ANSWER).returncode
    except subprocess.TimeoutExpired:
        return False


def _parallel() -> Parallel:
    return Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")


def _deaths(backend: str) -> tuple[type[Exception], ...]:
    """What is raised when a worker has died; Dask does so once a row has lost several."""
    if backend != "dask":
        return (TerminatedWorkerError,)
    from distributed.scheduler import KilledWorker

    return (KilledWorker,)
