"""Many settings of one experiment: a table of random draws, a run folder for each row, and which came out best.

`begin` writes the table, `train` trains the rows that are not done, on one machine or a cluster, `slurm_script`
leaves that to a queue, and `collect` puts the finished rows side by side.
"""

from neurometa.sweep.collecting import SWEEP, best, collect, finished, unfinished
from neurometa.sweep.rows import train_row, train_rows
from neurometa.sweep.running import BACKENDS, train, updates_done
from neurometa.sweep.slurm import slurm_script
from neurometa.sweep.table import DEFAULT_DRAWS, TABLE, Draw, begin, make_table, open_table, row_folder

__all__ = [
    "BACKENDS",
    "DEFAULT_DRAWS",
    "SWEEP",
    "TABLE",
    "Draw",
    "begin",
    "best",
    "collect",
    "finished",
    "make_table",
    "open_table",
    "row_folder",
    "slurm_script",
    "train",
    "train_row",
    "train_rows",
    "unfinished",
    "updates_done",
]
