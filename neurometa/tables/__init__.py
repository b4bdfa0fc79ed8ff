"""A lab's long table, one row per trial, becomes a dataset that keeps the contract.

The table says more than its numbers do: which column is which, whether choices count from
0 or from 1, what stands for a missed trial. Whatever is read into it is told in a report,
and what could be read in two ways is refused with the sentence that settles it.
"""

from neurometa.tables.report import Report
from neurometa.tables.trials import read_trials

__all__ = ["Report", "read_trials"]
