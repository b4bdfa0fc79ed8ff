"""What the commands that fit have in common: where values start, and notes for the person at the shell."""

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from neurometa.cli.printing import say
from neurometa.errors import InputError, nearest

FEWEST = 6  # fits of which a median has an interval of 95 %


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
    """Print what an analysis warns of as a line on stderr, once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        yield
    for text in dict.fromkeys(str(each.message) for each in caught):
        typer.echo(f"Note: {text}", err=True)


def estimated(fitted: Any) -> tuple[str, ...]:
    """Names of the parameters, that of the start among them if it was fitted."""
    return tuple(str(name) for name in fitted.data_vars if f"{name}_se" in fitted)


def tell_few(n: int, how: str) -> None:
    """Say of a few fits why the median has no interval."""
    if 0 < n < FEWEST:
        say(f"A median has an interval of 95 % from {FEWEST} fits on, here are {n}; {how}.")


def model_of(name: str, kinds: Sequence[Any]) -> Any:
    """The model of a name as typed, or of a file of one's own, as ``my_model.py:MyModel``.

    Raises
    ------
    InputError
        There is none, or what the file says is no model.
    """
    if ".py:" in name:
        return _own_model(name)
    known = {re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in kinds}
    if name not in known:
        hint = "one of your own is given as my_model.py:MyModel"
        raise InputError(
            f"There is no model {name!r}.{nearest(name, list(known))} There are: {', '.join(known)}; {hint}."
        )
    return known[name]


def _own_model(name: str) -> Any:
    """Run a person's own file, and return the class that they named."""
    from neurometa.models import Model, check_model

    path, _, wanted = name.rpartition(":")
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}; --model takes FILE.py:CLASS.")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}.") from error
    kinds = {
        key: x for key, x in vars(module).items() if isinstance(x, type) and issubclass(x, Model) and x is not Model
    }
    if wanted not in kinds:
        own = [key for key, x in kinds.items() if x.__module__ == module.__name__]
        raise InputError(f"{path} has no model {wanted!r}.{nearest(wanted, own)} It has: {', '.join(own) or 'none'}.")
    return check_model(kinds[wanted])


def file_name(name: str) -> str:
    """The part of a result's name that says of which model it is."""
    short = re.sub(r"(?<!^)(?=[A-Z])", "_", name.rpartition(":")[2]).lower() if ".py:" in name else name
    return short.replace("-", "_")
