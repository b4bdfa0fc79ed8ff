"""A lab's long table, one row per trial, becomes a dataset that keeps the contract; and a dataset becomes a table.

The table says more than its numbers do: which column is which, whether choices count from
0 or from 1, what stands for a missed trial. Whatever is read into it is told in a report,
and what could be read in two ways is refused with the sentence that settles it.
"""

from neurometa.tables.frame import to_frame, write_table
from neurometa.tables.nwb import read_activity
from neurometa.tables.nwb_writing import write_nwb
from neurometa.tables.report import Report
from neurometa.tables.signals import read_signals
from neurometa.tables.trials import read_trials

__all__ = [
    "Report",
    "read_activity",
    "read_signals",
    "read_trials",
    "to_frame",
    "write_nwb",
    "write_table",
]
