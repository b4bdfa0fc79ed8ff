"""The command line: each command opens a run, calls one public function, and saves what it returned.

Nothing heavy is imported before a command needs it, so that help is instant.
"""

import functools
import importlib.util
import inspect
import os
import re
import shlex
import sys
from collections.abc import Callable
from typing import Any

import typer

from neurometa import analysis
from neurometa.analysis.record import ACTIVITY, BEHAVIOUR, FIT
from neurometa.cli import plain, process
from neurometa.cli.modules import MODULES, named_first
from neurometa.cli.process import Interrupted
from neurometa.errors import InputError
from neurometa.modules import import_all

INTERRUPTED = 130  # what typer makes of Ctrl-C

COMMANDS = {  # by what one wants to do; analyses join by their records
    "Make runs": ("list", "train", "sweep", "rollout", "baselines"),
    "Bring data": ("import", "export", "clamp"),
    FIT: ("fit", "groups", "models"),
    BEHAVIOUR: (),
    ACTIVITY: (),
    "Show and share": ("show", "figure", "report", "compare", "reproduce"),
}


HELP = "Train meta-RL agents, log what they do and hold in mind, and analyse both like an animal's."


def make_app() -> typer.Typer:
    """Make the command line from the files of this folder and the records of `neurometa.analysis`."""
    made = typer.Typer(
        epilog="Begin with: neurometa train restless --out runs/restless",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback(help=HELP)(_before)
    for heading, names in COMMANDS.items():
        asked = {one.name: one for one in analysis.ANALYSES if one.heading == heading}
        for name in (*asked, *names):
            command, example = _find(name, asked.get(name))
            told = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(command) or "")  # the terminal wraps it
            made.command(name, help=told, epilog=f"Example: {example}", rich_help_panel=heading)(_remembered(command))
    return made


def _before(modules: MODULES = None) -> None:
    """Do what every command needs before it runs."""
    import_all(modules or ())


def _find(name: str, one: analysis.Analysis | None) -> tuple[Callable[..., None], str]:
    """Return a command and its example: fit-rw is the function fit_rw of fit_rw.py; without a file, of its record.

    Where Python has the name to itself (import, list), that of file and function ends in ``_``.
    """
    word = name.replace("-", "_") + "_" * (name in ("import", "list"))
    if one is not None and importlib.util.find_spec(f"neurometa.cli.{word}") is None:
        return plain.command_of(one), f"neurometa {name} runs/mine"
    module = importlib.import_module(f"neurometa.cli.{word}")
    return getattr(module, word), module.EXAMPLE


def _remembered(command: Callable[..., None]) -> Callable[..., None]:
    """Let what a command saves say what it was given."""

    @functools.wraps(command)
    def call(**given: Any) -> None:
        with process.called(given):
            command(**given)

    return call


app = make_app()


@functools.cache
def _commands(app: typer.Typer) -> Callable[..., Any]:
    """All commands of an application, ready to be called; made once for many calls."""
    return typer.main.get_command(app)


def _as_typed(message: str, typed: list[str]) -> str:
    """The library's sentence on an argument, with options for arguments: the one that was typed, and what to type."""
    name, verb, rest = message.partition(" is ")
    option = "--" + name.removeprefix("n_").replace("_", "-")
    given = any(word == option or word.startswith(f"{option}=") for word in typed)
    message = f"{option}{verb}{rest}" if given else message
    return re.sub(r"\b(backend|device)='(\w+)'", r"--\1 \2", message)


def main() -> None:
    """Run a command; bad input ends in one sentence and exit code 2, an interrupt in code 1."""
    process.TYPED.set(shlex.join(["neurometa", *sys.argv[1:]]))
    try:
        if names := named_first(sys.argv[1:]):
            import_all(names)
        (make_app() if names else _commands(app))(prog_name="neurometa")
    except InputError as error:
        if os.environ.get("NEUROMETA_DEBUG"):
            raise
        print(f"neurometa: {_as_typed(str(error), sys.argv[1:])}", file=sys.stderr)
        raise SystemExit(2) from None
    except Interrupted as interrupted:
        print(f"neurometa: interrupted. {interrupted}", file=sys.stderr)
        raise SystemExit(1) from None
    except SystemExit as ended:
        if ended.code != INTERRUPTED:
            raise
        print("neurometa: interrupted.", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:  # the reader, e.g. head, had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
