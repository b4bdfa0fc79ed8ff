"""Sizes that no machine holds, refused before anything is allocated."""

import contextlib
import functools
import os
from pathlib import Path

from neurometa.errors import InputError

MEMINFO = Path("/proc/meminfo")  # of Linux
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container, bytes
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def check_memory(what: str, n_bytes: int, lower: str = "") -> None:
    """Raise unless as much memory is free on this machine as something needs.

    Parameters
    ----------
    what : str
        The sizes and what needs the memory, e.g. ``"n_units is 1000000: the network"``.
    n_bytes : int
        What it needs at least.
    lower : str
        Settings that would lower it, to be named in the message.

    Raises
    ------
    InputError
        The machine, or the container that this runs in, has less, or less that is free; the message says how much.
    """
    has, free = machine_memory(), free_memory()
    if n_bytes > free:
        there = f"has {in_words(has)}" if n_bytes > has else f"has {in_words(free)} free of its {in_words(has)}"
        raise InputError(
            f"{what} needs at least {in_words(n_bytes)} of memory, and this machine {there}"
            f"{f'; lower {lower}' if lower else ''}."
        )


def free_memory() -> int:
    """Bytes of memory that programs can still get, where the machine tells, else all it has."""
    with contextlib.suppress(OSError, ValueError):
        told = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        return min(machine_memory(), 1024 * int(told.get("MemAvailable", "").split()[0]))
    return machine_memory()


@functools.cache
def machine_memory() -> int:
    """Bytes of memory that the machine has, or the container that this runs in may use."""
    there = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            there.append(int(Path(limit).read_text()))
    return min(there)


def in_words(n_bytes: int) -> str:
    """Return a number of bytes in the largest unit of which there is one, e.g. ``"3 GiB"``."""
    power = min((n_bytes.bit_length() - 1) // 10, len(UNITS) - 1) if n_bytes else 0
    count = n_bytes >> (10 * power)
    return f"{count:,} {UNITS[power]}" if count < 10**6 else f"a million {UNITS[power]}"
