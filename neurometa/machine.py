"""The machine that a run is made on: its devices, and what a file says of it."""

import contextlib
import functools
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurometa._version import __version__
from neurometa.errors import InputError


def check_device(device: str) -> None:
    """Raise unless tensors can be put on `device`."""
    if device not in ("cpu", "cuda"):
        raise InputError(f"device is {device!r}; allowed are 'cpu' and 'cuda'.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device is 'cuda', but torch sees no CUDA device here; use device='cpu'.")


def provenance(device: str) -> dict[str, Any]:
    """Return what made a file: versions, commit, machine, time."""
    return {
        "neurometa": __version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": device,
        "threads": torch.get_num_threads(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@functools.cache
def _commit() -> str:
    """Commit of the source this runs from, or an empty string outside a checkout; asked once, as it is loaded once."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        ask = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--match="]
        return subprocess.run(ask, capture_output=True, text=True, timeout=5).stdout.strip()
    return ""
