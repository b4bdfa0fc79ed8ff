"""What a published setting is."""

import dataclasses

from neurometa.training import Training


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A named setting.

    Parameters
    ----------
    config : Training
        All that fixes the run, seed 0; of any algorithm.
    source : str
        Paper and section.
    about : str
        The question, in a line.
    cpu_minutes : float
        Typical time on one core.
    """

    config: Training
    source: str
    about: str
    cpu_minutes: float
