"""May numba keep a compiled loop that calls functions of other files? It looks at the loop's own file alone."""

import hashlib
import inspect
from collections.abc import Callable


def digest(*functions: Callable) -> str:
    """Return a short digest of the source of functions."""
    return hashlib.sha256("".join(inspect.getsource(each) for each in functions).encode()).hexdigest()[:12]


def unchanged(known: str, *functions: Callable) -> bool:
    """Whether functions read as they did when a compiled loop was last written, by a digest that its file holds.

    The machine code that numba keeps is compiled anew when the loop's file changes, but not when a function of another
    file does that it calls. So the loop is kept only while these are the ones it was written for; after a change it is
    compiled every time, until the new digest is written into its file.
    """
    try:
        return digest(*functions) == known
    except OSError:  # there is no source to read, and numba would keep nothing either
        return False
