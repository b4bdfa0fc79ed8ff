"""Settings that change while an agent trains, as values."""

import dataclasses
import math
from typing import ClassVar

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

    FORM: ClassVar = "start:end or start:end:over"  # as it is written at the shell

    @classmethod
    def of(cls, text: str) -> "Linear":
        """Read ``start:end`` or ``start:end:over``.

        Raises
        ------
        TypeError, ValueError
            It is written otherwise, or a part is no number or outside its range.
        """
        return cls(*(float(part) for part in text.split(":")))

    def __post_init__(self) -> None:
        if not 0 < self.over <= 1:
            raise InputError(f"A schedule's 'over' is {self.over}; it must be above 0 and at most 1.")


Scheduled = float | Linear


def at(setting: Scheduled, progress: float) -> float:
    """Return the value of a setting when the fraction `progress` of the updates, in [0, 1], is done."""
    if not isinstance(setting, Linear):
        return setting
    return setting.start + (setting.end - setting.start) * min(progress / setting.over, 1.0)


def check_range(name: str, setting: Scheduled, top: float = math.inf) -> None:
    """Raise unless every value of a setting lies in [0, `top`] and is finite."""
    for value in (setting.start, setting.end) if isinstance(setting, Linear) else (setting,):
        if not (0 <= value <= top and math.isfinite(value)):
            raise InputError(
                f"{name} is {value}; it must be at least 0 and {f'at most {top}' if top == 1 else 'finite'}."
            )
