"""The command line: each command opens a run, calls one public function, and saves what it returned.

Nothing heavy is imported before a command needs it, so that help is instant.
"""

import os
import sys

import typer

from neurometa.cli.comparing import comparing
from neurometa.cli.decoding import decoding
from neurometa.cli.encoding import encoding
from neurometa.cli.erring import erring
from neurometa.cli.exporting import exporting
from neurometa.cli.fitting import fitting
from neurometa.cli.histories import histories
from neurometa.cli.learning_set import learning_set
from neurometa.cli.matching import matching
from neurometa.cli.playing import playing
from neurometa.cli.reading import reading
from neurometa.cli.reporting import reporting
from neurometa.cli.reversals import reversals
from neurometa.cli.risking import risking
from neurometa.cli.showing import showing
from neurometa.cli.sweeping import sweeping
from neurometa.cli.writing import Interrupted, writing
from neurometa.errors import InputError

INTERRUPTED = 130  # what typer makes of Ctrl-C

app = typer.Typer(
    help="Train meta-RL agents, log what they do and hold in mind, and analyse both like an animal's.",
    epilog="Begin with: neurometa train restless --out runs/restless",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
writing(app)
playing(app)
sweeping(app)
reading(app)
fitting(app)
exporting(app)
showing(app)
reporting(app)
decoding(app)
matching(app)
histories(app)
learning_set(app)
reversals(app)
encoding(app)
erring(app)
comparing(app)
risking(app)


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
