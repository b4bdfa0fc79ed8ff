"""A stand-in for a command, in a module that another process imports at once."""

import json
import time
from pathlib import Path


def write(command):
    """Wait, and write down when it ran; some fail."""
    _, place, name = command.split()
    start = time.monotonic()
    time.sleep(0.1 if "long" in name else 0.01)
    (Path(place) / name).write_text(json.dumps([start, time.monotonic()]))
    return "It is raining." if "bad" in name else ""
