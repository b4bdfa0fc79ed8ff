"""What an analysis is: a question, its command, the file of the answer, and how that is worked out and drawn."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from neurometa.errors import InputError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

BEHAVIOUR, ACTIVITY, FIT = "Ask of behaviour", "Ask of activity", "Fit"  # headings of help


@dataclasses.dataclass(frozen=True)
class Drawing:
    """How a result is drawn.

    Parameters
    ----------
    title : str
        Of the figure.
    draw : callable
        Draws the result on axes, and returns the caption: of how many, and what lines and bars mean.
    variable : str
        The chief variable; a result without it is not drawn.
    dims : tuple of str, optional
        Dims that it may span; any, if None.
    legend_beside : bool
        Whether a legend stands at the right of the axes.
    """

    title: str
    draw: "Callable[[Axes, xr.Dataset], str]"
    variable: str
    dims: tuple[str, ...] | None
    legend_beside: bool = False


@dataclasses.dataclass(frozen=True)
class Analysis:
    """One question that is asked of trials. All that is to be known of it stands here and nowhere else.

    Parameters
    ----------
    name : str
        The command, e.g. ``"learning-set"``. If ``neurometa/cli`` has a file of that name (``learning_set.py``), it
        is the command and may have options; if not, the command is made from this record.
    file : str
        Where the answer is saved, in the run folder, e.g. ``"learning_set.nc"``.
    heading : str
        Below which the command stands in help: `BEHAVIOUR`, `ACTIVITY` or `FIT`.
    asks : str
        The question in one sentence of at most 62 letters; the help of a command that is made from this record.
    compute : callable or str
        Turns trials into the answer, with the settings of the papers; a string says why only the command can.
        It imports what it needs when it is called.
    drawing : Drawing or str
        How a report draws the answer; a string says why it does not.
    also : tuple of Drawing
        Further figures of the same answer.
    suits : str
        Variable of trials that the question is made for, e.g. ``"common"``; any trials, if empty.
    beside : str
        Other trials of the run that are set beside, as a pattern of file names, e.g. ``"perturbation-*.nc"``:
        `compute` is given them, too, by what stands in place of the ``*``.
    reads_activity : bool
        Whether it reads the hidden state, which trials hold only where it was logged.
    seconds : float
        About how long it takes for a thousand episodes on one core.
    """

    name: str
    file: str
    heading: str
    asks: str
    compute: "Callable[..., xr.Dataset] | str"
    drawing: Drawing | str
    also: tuple[Drawing, ...] = ()
    suits: str = ""
    beside: str = ""
    reads_activity: bool = False
    seconds: float = 1.0

    def answer(self, trials: "xr.Dataset", folder: Path) -> "xr.Dataset":
        """Work the answer out from trials, and from those that lie beside them in the run folder where it takes some.

        Raises
        ------
        InputError
            Only the command works it out.
        """
        from neurometa import dataset

        if isinstance(self.compute, str):
            raise InputError(f"{self.file} is made by the command: neurometa {self.name} {folder}. {self.compute}")
        if not self.beside:
            return self.compute(trials)
        start, _, end = self.beside.partition("*")
        files = sorted(folder.glob(self.beside)) if folder.is_dir() else []
        others = {file.name.removeprefix(start).removesuffix(end): dataset.open_run(file) for file in files}
        return self.compute(trials, others)
