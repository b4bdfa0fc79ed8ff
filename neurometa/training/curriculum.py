"""A task that grows harder while an agent trains, as a value."""

import dataclasses
import itertools

from neurometa.errors import InputError, nearest
from neurometa.tasks import Task


@dataclasses.dataclass(frozen=True)
class Curriculum:
    """Other values of one setting of the task in the first parts of training; from then on it is the task's own.

    Parameters
    ----------
    setting : str
        Name of a setting of the task that is a number, e.g. ``"turn"``.
    stages : tuple of (until, value)
        Until which fraction of the updates, rising, in (0, 1], the setting has which value.
    beside : Curriculum, optional
        Of another setting.

    Raises
    ------
    InputError
        There are no stages, or their ends do not rise within (0, 1].

    Examples
    --------
    >>> Curriculum("turn", ((0.5, 16.0), (0.75, 8.0)))
    Curriculum(setting='turn', stages=((0.5, 16.0), (0.75, 8.0)), beside=None)
    """

    setting: str
    stages: tuple[tuple[float, float], ...]
    beside: "Curriculum | None" = None

    def __post_init__(self) -> None:
        ends = [0.0, *(until for until, _ in self.stages)]
        if len(ends) == 1 or ends[-1] > 1 or any(b <= a for a, b in itertools.pairwise(ends)):
            raise InputError(
                f"stages is {self.stages}; there is one at least, and the fractions of training until which they last "
                "rise from above 0 to at most 1."
            )

    @property
    def ends(self) -> list[float]:
        """Fractions of the updates until which stages of any setting last."""
        return [until for until, _ in self.stages] + (self.beside.ends if self.beside else [])

    def at(self, task: Task, share: float) -> Task:
        """Return the task as it is when a fraction of the updates, in [0, 1), is done.

        Raises
        ------
        InputError
            The task has no such setting, or not with such a value.
        """
        task = self.beside.at(task, share) if self.beside else task
        names = [field.name for field in dataclasses.fields(task) if field.init]
        if self.setting not in names:
            raise InputError(
                f"setting is {self.setting!r}, which {type(task).__name__} does not have."
                f"{nearest(self.setting, names)} It has: {', '.join(names)}."
            )
        for until, value in self.stages:
            if share < until:
                return dataclasses.replace(task, **{self.setting: type(getattr(task, self.setting))(value)})
        return task
