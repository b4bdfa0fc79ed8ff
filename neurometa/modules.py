"""Modules of a user's own, imported by name before what needs them, e.g. those that register environments."""

import importlib
import os
import sys
from collections.abc import Iterable

from neurometa.errors import InputError


def import_all(names: Iterable[str]) -> None:
    """Import modules from where Python looks for them, or else from the folder that the process stands in.

    Raises
    ------
    InputError
        There is no such module, or it raises while it is imported.
    """
    sys.path.append(os.getcwd())
    try:
        for name in names:
            try:
                importlib.import_module(name)
            except Exception as error:  # whatever its author's code may raise
                told = f"{type(error).__name__}: {' '.join(str(error).split())}"
                raise InputError(f"The module {name} could not be imported ({told}).") from error
    finally:
        sys.path.remove(os.getcwd())
