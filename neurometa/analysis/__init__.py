"""Every analysis, once: its command, its file, how it is worked out and how it is drawn.

The command line, `results`, reports, the trained agents in the box and the documentation read this list; who adds an
analysis adds a record to it. Nothing heavy is imported before an analysis is worked out or drawn.
"""

from neurometa.analysis.activity import BELIEF, DECODE, DYNAMICS, ENCODE, REVERSALS, RPE
from neurometa.analysis.adaptation import ADAPTATION
from neurometa.analysis.choices import (
    BLOCKS,
    EXPLORATION,
    FIT_RW,
    HISTORY,
    LEARNING_SET,
    MATCHING,
    PREDICT,
    REGRET,
    RISK,
    STAY,
)
from neurometa.analysis.mazes import GOAL_VALUE, LATENCY, PLACES
from neurometa.analysis.record import Analysis, Drawing
from neurometa.analysis.recordings import BESIDE, PHOTOMETRY

ANALYSES = (
    STAY,
    RPE,
    MATCHING,
    HISTORY,
    BLOCKS,
    REVERSALS,
    LEARNING_SET,
    ADAPTATION,
    RISK,
    EXPLORATION,
    FIT_RW,
    PREDICT,
    REGRET,
    DECODE,
    ENCODE,
    DYNAMICS,
    PHOTOMETRY,
    BESIDE,
    BELIEF,
    LATENCY,
    GOAL_VALUE,
    PLACES,
)

__all__ = ["ANALYSES", "REGRET", "Analysis", "Drawing", "of_file"]


def of_file(file: str) -> Analysis | None:
    """Return the analysis whose answer a file of a run folder is, e.g. ``"stay.nc"`` or ``"lesion-reset_stay.nc"``."""
    for one in ANALYSES:
        if file == one.file or file.endswith(f"_{one.file}"):
            return one
    return None
