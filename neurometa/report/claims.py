"""The published claims that a run speaks to, and what becomes of them."""

import math
from typing import Any

from neurometa import compare
from neurometa.report.source import Source
from neurometa.report.words import interval, number

DECIDED = ("reproduced", "not reproduced")
MARKS = {"reproduced": "✓", "not reproduced": "✗"}


def rows(source: Source) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return the claims that were decided, and those that were not with what they need.

    Both are empty of trials that no trained agent of an experiment made, and of a single file.
    """
    if source.run is None or not source.path.is_dir() or not source.run.trained:
        return [], []
    found = compare.of_run(source.run)
    decided = [
        {
            "claim": one.claim,
            "statement": one.statement,
            "where": f"{one.paper}, {one.where}",
            "published": number(one.published),
            "criterion": one.criterion.replace("-", "−"),
            "ours": number(one.ours),
            "interval": interval(one.lower, one.upper) if math.isfinite(one.lower) else "",
            "n": one.over or "–",
            "verdict": one.verdict,
            "mark": MARKS[one.verdict],
            "note": one.note,
        }
        for one in found
        if one.verdict in DECIDED
    ]
    return decided, [(one.statement, one.note) for one in found if one.verdict not in DECIDED]
