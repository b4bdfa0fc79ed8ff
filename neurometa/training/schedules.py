"""Settings that change while an agent trains, as values."""

import dataclasses

from neurometa.errors import InputError


@dataclasses.dataclass(frozen=True)
class Linear:
    """A straight line from `start` to `end` over the first part of training, constant after it.

    On the command line it is written ``start:end`` or ``start:end:over``.

    Parameters
    ----------
    start, end : float
        First and last value.
    over : float
        Fraction of the updates that the change takes, in (0, 1].
    """

    start: float
    end: float
    over: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.over <= 1:
            raise InputError(f"A schedule's 'over' is {self.over}; it must be above 0 and at most 1.")


Scheduled = float | Linear


def at(setting: Scheduled, progress: float) -> float:
    """Return the value of a setting when the fraction `progress` of the updates, in [0, 1], is done."""
    if not isinstance(setting, Linear):
        return setting
    return setting.start + (setting.end - setting.start) * min(progress / setting.over, 1.0)
