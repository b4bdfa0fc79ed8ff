"""The figures of the papers, by name."""

import importlib.util
import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from neurometa.errors import InputError, nearest
from neurometa.share import folder
from neurometa.storage import replacing

WIDTH = 125  # letters that fit below a figure of 7 inches


def foot(fig: Figure, text: str) -> None:
    """Write in small letters below a figure what it was drawn from."""
    text = "\n".join(textwrap.wrap(text, WIDTH))
    fig.supxlabel(text, fontsize=6.3, color="0.35", x=0.99, ha="right")


def load_figure(name: str) -> ModuleType:
    """Import the script of a figure by its name, e.g. ``w16-fig4``.

    Raises
    ------
    InputError
        There is no figure of that name; the nearest is named.
    """
    place = folder("figures")
    scripts = {path.stem.replace("_", "-"): path for path in sorted(place.glob("*.py"))}
    if name not in scripts:
        raise InputError(
            f"There is no figure {name!r}.{nearest(name, list(scripts))} There are: {', '.join(scripts) or 'none'}."
        )
    spec = importlib.util.spec_from_file_location(f"neurometa_figure_{scripts[name].stem}", scripts[name])
    if spec is None or spec.loader is None:
        raise InputError(f"{scripts[name]} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save_figure(name: str, runs: Sequence[Path], out: Path) -> list[Path]:
    """Draw a figure from the results in run folders, and write it as PDF and PNG, and a table as CSV too.

    The script of a figure has a function ``draw`` of run folders; that of a table also ``table``, which gives what it
    draws as a `pandas.DataFrame`.

    Parameters
    ----------
    name : str
        E.g. ``w16-fig4``.
    runs : sequence of Path
        Run folders; more than one for several seeds.
    out : Path
        Folder for the files.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        No such figure, or a result is missing; the message says which command makes it.
    """
    script = load_figure(name)
    written = []
    with plt.style.context(folder("figures") / "paper.mplstyle"):
        places = [Path(run) for run in runs]
        fig = script.draw(places)
        for suffix in (".pdf", ".png"):
            path = Path(out) / f"{name}{suffix}"
            with replacing(path) as temporary:
                fig.savefig(temporary, format=suffix[1:])
            fig.set_layout_engine("none")  # what was laid out for the first stays for the second
            written.append(path)
        plt.close(fig)
    if hasattr(script, "table"):
        path = Path(out) / f"{name}.csv"
        with replacing(path) as temporary:
            script.table(places).to_csv(temporary, index=False)
        written.append(path)
    return written
