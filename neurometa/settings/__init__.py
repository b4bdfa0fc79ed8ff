"""Frozen settings as files hold them and as a shell writes them, and those of older versions as today's.

`records` goes between settings and JSON; `places` finds a field by a short name; `older` is the one table of renamings.
"""

from neurometa.settings.older import modern
from neurometa.settings.places import differences, find, locate
from neurometa.settings.records import from_json, name_of, replace, to_json

__all__ = ["differences", "find", "from_json", "locate", "modern", "name_of", "replace", "to_json"]
