"""The process that runs a command: what was typed, its threads, and how it is interrupted."""

import contextlib
import dataclasses
import io
import shlex
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from neurometa.errors import InputError


class Interrupted(Exception):
    """Ctrl-C, and how to go on; typer would end at a KeyboardInterrupt without a word."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A command that is running: as it was typed, and what it was given, defaults included."""

    typed: str
    given: dict[str, Any]


TYPED: ContextVar[str] = ContextVar("typed", default="")
CALL: ContextVar[Call | None] = ContextVar("call", default=None)


@contextlib.contextmanager
def called(given: dict[str, Any]) -> Iterator[None]:
    """Remember, while a command runs, what it was given, so that what it saves can say what made it."""
    before = CALL.set(Call(TYPED.get(), given))
    try:
        yield
    finally:
        CALL.reset(before)


def execute(command: str) -> str:
    """Run a command as if it had been typed, without its words; return why it failed, or nothing."""
    from neurometa import cli

    out = io.StringIO()
    TYPED.set(command)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            cli.app(shlex.split(command)[1:], standalone_mode=False)
    except InputError as error:
        return str(error)
    except Exception as error:  # one step that fails must not take the others with it
        return f"{type(error).__name__}: {error}"
    return ""


def one_thread() -> None:
    """Small networks are fastest on one thread; a second core trains a second run."""
    import torch

    torch.set_num_threads(1)
