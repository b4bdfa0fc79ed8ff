"""Property tests draw the same examples each time, and wait as long as a busy machine needs; caches are their own."""

import os
from pathlib import Path

from hypothesis import settings

settings.register_profile("neurometa", deadline=None, derandomize=True)
settings.load_profile("neurometa")

# Gittins tables, compiled loops and fonts are made once for all processes of all runs, apart from those of the user.
os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parents[1] / ".pytest_cache" / "caches")

# No test cuts the power: what a killed process has written its successors see, also where no disk was waited for.
os.fsync = lambda handle: None

collect_ignore = ["data"]  # scripts that made the reference tables: no tests
