"""The command line: each command opens a run, calls one public function, and saves what it returned.

Nothing heavy is imported before a command needs it, so that help is instant.
"""

import importlib
import inspect
import os
import re
import sys

import typer

from neurometa.cli.process import Interrupted
from neurometa.errors import InputError

INTERRUPTED = 130  # what typer makes of Ctrl-C

COMMANDS = {  # by what one wants to do
    "Make runs": ("list", "train", "sweep", "rollout", "baselines"),
    "Bring data": ("import", "export"),
    "Fit": ("fit-rw", "fit", "groups"),
    "Ask of behaviour": ("stay", "history", "matching", "blocks", "learning-set", "risk", "regret"),
    "Ask of activity": ("decode", "encode", "rpe", "reversals"),
    "Show and share": ("show", "figure", "report", "compare"),
}

app = typer.Typer(
    help="Train meta-RL agents, log what they do and hold in mind, and analyse both like an animal's.",
    epilog="Begin with: neurometa train restless --out runs/restless",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def add(name: str, heading: str) -> None:
    """Add a command under a heading: the command fit-rw is the function fit_rw of the file fit_rw.py.

    Where Python has the name to itself (import, list), that of file and function ends in ``_``.
    """
    word = name.replace("-", "_") + "_" * (name in ("import", "list"))
    module = importlib.import_module(f"neurometa.cli.{word}")
    command = getattr(module, word)
    told = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.getdoc(command) or "")  # the terminal wraps it
    app.command(name, help=told, epilog=f"Example: {module.EXAMPLE}", rich_help_panel=heading)(command)


for _heading, _names in COMMANDS.items():
    for _name in _names:
        add(_name, _heading)


def main() -> None:
    """Run a command; bad input ends in one sentence and exit code 2, an interrupt in code 1."""
    try:
        app(prog_name="neurometa")
    except InputError as error:
        if os.environ.get("NEUROMETA_DEBUG"):
            raise
        print(f"neurometa: {error}", file=sys.stderr)
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
