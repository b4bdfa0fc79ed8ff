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
