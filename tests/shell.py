"""The command line as a test calls it: in this process, since a new one takes two seconds to load torch."""

import contextlib
import io
import sys

from neurometa import cli


def neurometa(*args):
    """Exit code, stdout and stderr of a command."""
    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["neurometa", *map(str, args)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            cli.main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.argv = before
    return code, out.getvalue(), err.getvalue()
