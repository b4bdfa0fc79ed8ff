"""Property tests draw the same examples each time, and wait as long as a busy machine needs."""

from hypothesis import settings

settings.register_profile("neurometa", deadline=None, derandomize=True)
settings.load_profile("neurometa")
