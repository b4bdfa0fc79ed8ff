"""What the commands that fit have in common: where values start, and notes for the person at the shell."""

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import typer

from neurometa.errors import InputError


def start_of(text: str | None) -> Any:
    """Read --start.

    Raises
    ------
    InputError
        It is neither numbers nor the word.
    """
    if text is None or text == "fitted":
        return text
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"--start is {text!r}; give a number, one for each arm, as .15,.85, or fitted.") from error
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Print what a fit warns of as a line on stderr, once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    for text in dict.fromkeys(str(each.message) for each in caught):
        typer.echo(f"Note: {text}", err=True)


def estimated(fitted: Any) -> tuple[str, ...]:
    """Names of the parameters, that of the start among them if it was fitted."""
    return tuple(str(name) for name in fitted.data_vars if f"{name}_se" in fitted)
