"""The option before every command that imports what a user has written."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from neurometa.errors import InputError

MODULES = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import a module of your own first, e.g. one that registers environments; repeatable.",
        show_default=False,
    ),
]


def import_all(modules: Sequence[str] | None = None) -> None:
    """Import modules by name, from where Python looks for them or else from the folder one stands in.

    Raises
    ------
    InputError
        There is no such module, or it raises while it is imported.
    """
    sys.path.append(os.getcwd())
    try:
        for name in modules or ():
            try:
                importlib.import_module(name)
            except Exception as error:  # whatever its author's code may raise
                told = f"{type(error).__name__}: {' '.join(str(error).split())}"
                raise InputError(f"--import is {name}, which could not be imported ({told}).") from error
    finally:
        sys.path.remove(os.getcwd())


def named_first(words: Sequence[str]) -> list[str]:
    """Return the modules that a command line asks for before its command, which may be of one of them."""
    found, left = [], list(words)
    while len(left) > 1 and left[0].partition("=")[0] == "--import":
        _, equals, name = left.pop(0).partition("=")
        found.append(name if equals else left.pop(0))
    return found
