"""A model's own equations, with their derivatives, compiled into one loop over trials.

Numba compiles the text that `neurometa.fitting.written` makes of them. The source is left in the cache folder, where
numba keeps its machine code too, so that a model is compiled once on a machine.
"""

import functools
import hashlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from neurometa.errors import InputError
from neurometa.fitting.jets import Jet
from neurometa.fitting.written import Pattern, Writer, jet_of, parts_of
from neurometa.models import Model, Softmax
from neurometa.storage import replacing

SHORT, FEW = 200, 10_000  # trials, choices: a model of two parameters needs less time for them than numba to load
ENOUGH = 2_000  # trials that arrays went through, in all fits of a process: about as long as compiling a loop takes
AT_ONCE = 1_000  # points that go through a trial as quickly as one does
FASTER = {"contract", "reassoc", "nsz", "arcp"}  # what leaves infinities and NaN as they are


class Loop(NamedTuple):
    """A compiled loop, `run`, and which derivatives each feature has in it."""

    run: Callable
    free: tuple[bool, ...]
    pattern: Pattern

    def begin(self, model: type[Softmax], parameters: np.ndarray, n_options: int) -> np.ndarray:
        """All that the features consist of before the first trial (point, arm, part)."""
        n_points, n_rates = parameters.shape[1], len(self.free)
        rates = [Jet(x[:, None], {k: 1.0}) if self.free[k] else x[:, None] for k, x in enumerate(parameters[:n_rates])]
        first = model.first(np.arange(n_options), *rates) if issubclass(model, Model) else ()
        parts = [
            part
            for each, pattern in zip(map(jet_of, first), self.pattern, strict=True)
            for part in parts_of(each, pattern)
        ]
        begin = np.zeros((n_points, n_options, max(1, len(parts))))
        for k, part in enumerate(parts):
            begin[..., k] = part
        return begin


def quick(model: type[Softmax], choice: np.ndarray) -> bool:
    """Whether arrays have explained so few choices (trial, ...) before numba is loaded, if it is not yet."""
    few = len(choice) <= SHORT and choice.size <= FEW and len(model.parameters()) <= 2
    return few and "numba" not in sys.modules


def loop_of(
    model: type[Softmax], free: Sequence[bool], n_trials: int, n_points: int, *, fills: bool = False
) -> Loop | None:
    """Return the compiled loop of a model, or None where arrays do as well or equations cannot be written down.

    A loop that was never compiled on this machine takes a second or two. It is compiled as soon as arrays have taken
    as long: one fit of many choices, and many fits of few, are then quick.

    Parameters
    ----------
    model : Model or Observer class
        Whose equations.
    free : sequence of bool
        By which rates to take derivatives.
    n_trials, n_points : int
        How many trials it is now to go through, with how many sets of parameters and members.
    fills : bool
        Whether it fills in the gaps of `neurometa.fitting.likelihood`, without derivatives.
    """
    free = tuple(map(bool, free))
    written = _written(cast(Any, model), free, fills=fills)
    if written is None:
        return None
    source, pattern = written
    _asked[source] = _asked.get(source, 0) + n_trials * (1 + n_points // AT_ONCE)
    wanted = source in _compiled or _asked[source] > ENOUGH or _is_kept(source)
    return Loop(_compile(source, fills=fills), free, pattern) if wanted else None


@functools.cache
def _written(model: type[Softmax], free: tuple[bool, ...], *, fills: bool = False) -> tuple[str, Pattern] | None:
    """The loop as text; None where the equations do more than arithmetic."""
    try:
        writer = Writer(model, free)
        return writer.filler() if fills else writer.source(), writer.pattern
    except (TypeError, ValueError, AttributeError):
        return None


def _path(source: str) -> Path:
    """Where a source is left."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "neurometa" / "loops"
    return folder / f"{hashlib.sha256(source.encode()).hexdigest()[:16]}.py"


_compiled: dict[str, Callable] = {}
_asked: dict[str, int] = {}  # trials that each source was to go through so far


def _is_kept(source: str) -> bool:
    """Whether machine code of a source is in the cache."""
    path = _path(source)
    return any(path.parent.glob(f"__pycache__/{path.stem}.*.nbi"))


def _compile(source: str, *, fills: bool = False) -> Callable:
    """Compile a loop, and keep the machine code beside its source if that can be written."""
    if source in _compiled:
        return _compiled[source]
    import numba  # a quarter of a second to load

    path = _path(source)
    kept = _left(path, source)
    space: dict[str, Any] = {"math": math, "np": np, "__name__": __name__}
    exec(compile(source, str(path) if kept else "<loop>", "exec"), space)  # what was written above, not the file
    whole, real = numba.int64, numba.float64
    told = (whole[:, :, ::1], real[:, :, ::1], real[:, :, :, :, ::1], whole[:, ::1], whole[::1], whole[::1], whole[::1])
    wanted = (real[:, :, :, :, ::1],) if fills else (real[::1], real[:, ::1], real[:, :, ::1])
    signature = numba.void(*told, real[:, :, ::1], real[:, ::1], *wanted)
    for cache in (True, False) if kept else (False,):
        try:
            made = numba.njit(signature, error_model="numpy", nogil=True, cache=cache, fastmath=FASTER)(space["loop"])
            break
        except Exception:  # what lies in a cache may be damaged, in any way
            if not cache:
                raise
    return _compiled.setdefault(source, made)


def _left(path: Path, source: str) -> bool:
    """Whether the source is in its file, which numba asks for to keep machine code."""
    try:
        if not path.exists() or path.read_text() != source:
            with replacing(path) as temporary:
                temporary.write_text(source)
    except (OSError, InputError):
        return False
    return True
