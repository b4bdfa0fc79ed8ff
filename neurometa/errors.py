"""The one exception that means: the input was wrong, and the message says how to mend it."""


class InputError(ValueError):
    """Bad input, told in one sentence: what came, where, and what is allowed.

    The command line prints the sentence and exits with code 2; any other exception is a
    bug in neurometa and keeps its traceback.
    """


def nearest(name: str, allowed: list[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest allowed name, or an empty string."""
    import difflib

    close = difflib.get_close_matches(name, allowed, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
