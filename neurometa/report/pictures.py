"""The figures of a report: what training earned, what the trials show, and what each analysis beside them found."""

import base64
import dataclasses
import functools
import io
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurometa import analysis, behaviour, dataset, plotting
from neurometa.analysis import Drawing
from neurometa.dataset import require
from neurometa.errors import InputError
from neurometa.plotting import COLOURS
from neurometa.report.source import Source
from neurometa.share import folder
from neurometa.storage import read_line

SIZE = (3.5, 2.35)  # inches
MARGINS = (0.52, 0.12, 0.42, 0.1)  # inches left, right, below and above the axes
BESIDE = (0.52, 1.25, 0.42, 0.1)  # with room for a legend at the right
NIGHT = {  # what each colour of a figure becomes on a dark page: ink and paper change places, greys and blue keep apart
    "#000000": "#e8e6e3",
    "#ffffff": "#1b1d21",
    COLOURS[0].lower(): "#4ea8de",
    "#595959": "#a9acb3",
    **dict.fromkeys(("#b3b3b3", "#bfbfbf", "#cccccc"), "#5c5f66"),
    **dict.fromkeys(("#e5e5e5", "#e6e6e6", "#ededed"), "#33363c"),
}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure as a page shows it.

    Parameters
    ----------
    title, caption : str
        What it shows; of how many, and what lines and bars mean.
    url : str
        ``data:image/svg+xml;base64,...``
    width, height : int
        In pixels of 1/96 inch.
    """

    title: str
    caption: str
    url: str
    width: int
    height: int


def drawn(
    title: str,
    draw: Callable[[Axes], str],
    size: tuple[float, float] = SIZE,
    margins: tuple[float, float, float, float] = MARGINS,
) -> Picture:
    """Draw on axes in the style of the papers' figures; what `draw` returns is the caption.

    The margins are given, since a layout that is worked out takes as long as the drawing itself.
    """
    about = {"svg.hashsalt": title, "savefig.transparent": True, "savefig.dpi": 200}
    with style.context([folder("figures") / "paper.mplstyle", about]):
        fig = Figure(figsize=size)
        (left, right, below, above), (width, height) = margins, size
        ax = fig.add_axes((left / width, below / height, 1 - (left + right) / width, 1 - (below + above) / height))
        caption = draw(ax)
        if ax.get_legend_handles_labels()[0] and ax.get_legend() is None:
            ax.legend(loc="best")
        file = io.StringIO()
        fig.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"\n\s*", "\n", text).replace("<defs>", f"{_at_night()}<defs>", 1)
    url = "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
    return Picture(title, caption, url, round(size[0] * 96), round(size[1] * 96))


def _at_night() -> str:
    """The style by which a browser shows a figure on a dark page, element by element, as matplotlib writes colours."""
    rules = [
        f'[style*="{part}: {day}"] {{ {part}: {night} !important }}'
        for day, night in NIGHT.items()
        for part in ("fill", "stroke")
    ]
    rules = [f'[id^="text"] {{ fill: {NIGHT["#000000"]} }}', *rules, "image { filter: brightness(1.5) }"]
    return f"<style>@media (prefers-color-scheme: dark) {{{' '.join(rules)}}}</style>"


def learning_curve(source: Source) -> tuple[Picture | None, str]:
    """Return the reward of training against environment steps, and what else is to be said of it."""
    path = source.path / "curve.jsonl"
    if not source.path.is_dir() or not path.exists():
        return None, "" if source.run is None else "There is no curve.jsonl in the folder, so no learning curve."
    rows, damaged = [], []
    for i, line in enumerate(path.read_text().splitlines(), 1):
        try:
            row = read_line(line)
            rows.append((float(row["steps"]), float(row["reward"])))
        except (ValueError, KeyError, TypeError):
            damaged.append(i)
    if len(rows) < 2:
        return (
            None,
            f"{path.name} holds {len(rows)} update{'s' if len(rows) != 1 else ''}: too few for a learning curve.",
        )
    steps, reward = np.array(rows).T
    over = max(1, len(rows) // 50)

    def draw(ax: Axes) -> str:
        ax.plot(steps / 1e6, reward, color="#b3b3b3", lw=0.5, rasterized=len(rows) > 500)
        if over > 1:
            smooth = np.convolve(reward, np.ones(over) / over, mode="valid")
            middle = (over - 1) // 2
            ax.plot(steps[middle : middle + len(smooth)] / 1e6, smooth, color=COLOURS[0], lw=1.5)
        per = "step" if source.trials is not None and "time" in source.trials.dims else "trial"
        ax.set(xlabel="environment steps (millions)", ylabel=f"reward per {per}", xlim=(0, None))
        line = f"; blue: mean of {over} around each" if over > 1 else ""
        return f"Mean reward per {per} in the episodes of each of {len(rows):,} updates (grey{line})."

    note = (
        f"Left out of {path.name}, being cut short or damaged: line {', '.join(map(str, damaged))}." if damaged else ""
    )
    return drawn("Learning curve", draw, (7.0, 2.2)), note


def of_behaviour(source: Source) -> tuple[list[Picture], list[str]]:
    """Return what the trials and the analyses beside them show, and what could not be drawn and why."""
    pictures, notes = [], []
    if (trials := source.trials) is not None and "reward" in trials:
        pictures.append(drawn("Reward by trial", functools.partial(_reward, trials=trials)))
    there = source.files()
    pictures += films(source.folder if source.path.is_dir() else None)
    for one in (one for one in analysis.ANALYSES if one.file in there):
        if isinstance(one.drawing, str):
            notes += [] if one.file.startswith("fit_") else [f"{one.file} is not drawn. {one.drawing}"]
            continue
        try:
            found = source.result(one.file)
            pictures += [_result(how, found) for how in (one.drawing, *one.also)]
        except InputError as error:
            notes.append(f"{one.file} is not drawn: {error}")
    return pictures, notes


def films(place: Path | None) -> list[Picture]:
    """Return the films that `neurometa rollout --film` left in a run folder, as they are."""
    found = []
    for i, path in enumerate(sorted(place.glob("film-*.gif")) if place else []):
        film = path.read_bytes()
        width, height = struct.unpack("<HH", film[6:10])  # of the GIF's own head
        url = "data:image/gif;base64," + base64.b64encode(film).decode()
        told = "What the agent saw, step by step; below it the value so far and the hidden state (red: above 0)."
        found.append(Picture(f"Film of episode {i + 1}", told, url, width, height))
    return found


def _result(how: Drawing, found: xr.Dataset) -> Picture:
    require(found, **{how.variable: how.dims or ()})
    if how.dims is not None and (more := [str(dim) for dim in found[how.variable].dims if dim not in how.dims]):
        raise InputError(f"It is kept apart by {', '.join(more)}, for which this page has no figure.")
    return drawn(how.title, lambda ax: how.draw(ax, found), margins=BESIDE if how.legend_beside else MARGINS)


def of_fit(fitted: xr.Dataset, parameters: list[str]) -> list[Picture]:
    """Return how fitted parameters are spread, where there are enough fits to ask."""
    pictures = []
    several = [
        name for name in parameters if len(np.unique(fitted[name].values[np.isfinite(fitted[name].values)])) >= 10
    ]
    by = "subject" if "subject" in fitted.coords and fitted.subject.ndim == 1 else ""
    if by and len(np.unique(fitted.subject.values.astype(str))) == fitted.subject.size:
        by = ""  # one fit each
    for name in several:

        def draw(ax: Axes, name: str = name) -> str:
            plotting.estimates(ax, fitted[name], by=by)
            n = int(np.isfinite(fitted[name].values).sum())
            return f"{n:,} fits" + (
                f", a column per {by}; orange: median." if ax.get_xlabel().startswith("subj") else "."
            )

        pictures.append(drawn(str(fitted[name].attrs.get("long_name", name)).capitalize(), draw, (3.5, 1.9)))
    return pictures


def _reward(ax: Axes, trials: xr.Dataset) -> str:
    reward = trials.reward.astype(float).where(dataset.valid(trials, "reward"))
    others = [dim for dim in reward.dims if dim != "trial"]
    if not others:
        reward, others = reward.expand_dims("episode"), ["episode"]
    reward = reward.stack(each=others, create_index=False)
    n = reward.notnull().sum("each")
    enough = n.values >= max(1, reward.sizes["each"] // 2)
    reward = reward.isel(trial=slice(0, int(np.flatnonzero(enough).max()) + 1))
    over = 1 if reward.sizes["trial"] < 60 else 10 if reward.sizes["trial"] < 400 else 25
    if over > 1:
        reward = reward.rolling(trial=over, center=True, min_periods=over).mean()
    mean = behaviour.mean_interval(reward, "each")
    trial = np.arange(1, reward.sizes["trial"] + 1)
    ax.plot(trial, mean["mean"], color=COLOURS[0], lw=1.4)
    ax.fill_between(trial, mean.lower, mean.upper, color=COLOURS[0], alpha=0.2, lw=0)
    ax.set(xlabel="trial", ylabel="reward", xlim=(1, len(trial)))
    size = reward.sizes["each"]
    told = f"Mean over {size:,} episode{'s' if size > 1 else ''}" + (" and its 95 % band" if size > 1 else "")
    if over > 1:
        told += f", in windows of {over} trials"
    return told + (", as far as half of them go on." if not enough.all() else ".")


def _volatility(ax: Axes, found: xr.Dataset) -> str:
    ranges = json.loads(found.attrs["config"])["task"]["volatility_ranges"]
    plotting.rate_by_volatility(ax, found, (ranges[0][1], ranges[-1][0]))
    r_squared, n = float(found.r_squared), int(found.n)
    return (
        f"A point per episode ({n:,}) and their regression, R² = {r_squared:.2f}. Grey: volatilities never trained on."
    )


def volatility(fitted: xr.Dataset) -> Picture | None:
    """Draw fitted learning rates against the volatility of their episodes, where the fits were regressed on it."""
    if "r_squared" not in fitted or "volatility_ranges" not in str(fitted.attrs.get("config", "")):
        return None
    return drawn("Learning rate by volatility", lambda ax: _volatility(ax, fitted), margins=(0.52, 0.12, 0.42, 0.24))
