"""Steps in an order that works, side by side where they are of different folders."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from joblib.externals.loky import get_reusable_executor

from neurometa.errors import InputError
from neurometa.reproduction.plan import Step

IDLE = 60  # seconds after which a process that has nothing to do ends
Execute = Callable[[str], str]  # runs a command; returns why it failed, or nothing


def run(
    steps: Sequence[Step],
    execute: Execute,
    *,
    n_jobs: int = 1,
    progress: Callable[[Step], None] | None = None,
) -> dict[Step, str]:
    """Run steps, each after those that make what it needs and none beside another of its folder.

    Parameters
    ----------
    steps : sequence of Step
        As `plan` makes them.
    execute : callable
        Runs one command, in another process if there are several; returns why it failed, or nothing.
    n_jobs : int
        Processes.
    progress : callable, optional
        Called with each step that is over.

    Returns
    -------
    dict
        Of each step that did not end well, why; what needs it is left out and told, too.

    Raises
    ------
    InputError
        A process died.
    """
    left, failed = list(steps), dict[Step, str]()
    running: dict[Future[str], Step] = {}
    workers = get_reusable_executor(n_jobs, timeout=IDLE, initializer=_one_thread) if n_jobs > 1 else _Here()
    try:
        while left or running:
            for step in _ready(left, list(running.values()))[: n_jobs - len(running)]:
                left.remove(step)
                running[workers.submit(execute, step.command)] = step
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                step = running.pop(future)
                lost = _lost(step, future.result(), left)
                left = [one for one in left if one not in lost]
                failed |= lost
                if progress is not None:
                    progress(step)
    except BrokenProcessPool as broken:
        raise InputError("A process died; is there memory for fewer --jobs only? Give the command again.") from broken
    except BaseException:
        if not isinstance(workers, _Here):
            workers.shutdown(wait=False, kill_workers=True)
        raise
    return failed


class _Here(Executor):
    """Runs a step in this process, at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def _one_thread() -> None:
    """Steps run side by side, so each may have one core."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(1)


def _ready(left: Sequence[Step], running: Sequence[Step]) -> list[Step]:
    """Steps that need nothing that is still to be made, at most one for each folder, the longest first."""
    to_make = {step.makes for step in (*left, *running)}
    busy = {step.makes.parent for step in running}
    found: list[Step] = []
    for step in sorted(left, key=lambda step: -step.seconds):
        if step.makes.parent not in busy and not to_make & set(step.needs):
            busy.add(step.makes.parent)
            found.append(step)
    return found


def _lost(step: Step, why: str, left: Sequence[Step]) -> dict[Step, str]:
    """The step, if it failed, and all that cannot be made without it."""
    if not why:
        return {}
    failed, lost = {step: why}, {step.makes}
    for one in left:  # in an order in which needs come first
        if lost & set(one.needs):
            failed[one] = f"It needs {step.makes}, which could not be made."
            lost.add(one.makes)
    return failed
