"""The option before every command that imports what a user has written."""

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from neurometa.cli.process import TYPED

MODULES = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import a module of your own first, e.g. one that registers environments; repeatable.",
        show_default=False,
    ),
]


def named_first(words: Sequence[str]) -> list[str]:
    """Return the modules that a command line asks for before its command, which may be of one of them."""
    found, left = [], list(words)
    while len(left) > 1 and left[0].partition("=")[0] == "--import":
        _, equals, name = left.pop(0).partition("=")
        found.append(name if equals else left.pop(0))
    return found


def asked_for() -> list[str]:
    """Return the modules that the command which is running was told to import, for processes that it starts."""
    return named_first(shlex.split(TYPED.get())[1:])
