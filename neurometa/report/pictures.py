"""The figures of a report: what training earned, what the trials show, and what each analysis beside them found."""

import base64
import dataclasses
import functools
import io
import json
import re
from collections.abc import Callable

import numpy as np
import xarray as xr
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurometa import behaviour, dataset, plotting
from neurometa.dataset import require
from neurometa.errors import InputError
from neurometa.plotting import COLOURS
from neurometa.report.source import Source
from neurometa.share import folder
from neurometa.storage import read_line

SIZE = (3.5, 2.35)  # inches
MARGINS = (0.52, 0.12, 0.42, 0.1)  # inches left, right, below and above the axes
BESIDE = (0.52, 1.25, 0.42, 0.1)  # with room for a legend at the right
SHOWN = 4000  # points of a scatter
DARK = (  # what is black or grey on white, on a dark page
    "<style>@media (prefers-color-scheme: dark) {"
    '[id^="text"] { fill: #e8e6e3 }'
    '[style*="fill: #000000"] { fill: #e8e6e3 !important } [style*="stroke: #000000"] { stroke: #e8e6e3 !important }'
    '[style*="fill: #ffffff"] { fill: #1b1d21 !important }'
    '[style*="stroke: #b3b3b3"], [style*="stroke: #bfbfbf"], [style*="stroke: #cccccc"] { stroke: #5c5f66 !important }'
    '[style*="fill: #ededed"], [style*="fill: #e5e5e5"], [style*="fill: #e6e6e6"] { fill: #33363c !important }'
    'image { filter: brightness(1.5) } [style*="fill: #595959"] { fill: #a9acb3 !important }'
    '[style*="fill: #0072b2"] { fill: #4ea8de !important }'
    '[style*="stroke: #0072b2"] { stroke: #4ea8de !important }'
    "}</style>"
)


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


@dataclasses.dataclass(frozen=True)
class Drawer:
    """How a result is drawn: under which title, and the dims that its chief variable may span (any if None)."""

    title: str
    draw: Callable[[Axes, xr.Dataset], str]
    variable: str
    dims: tuple[str, ...] | None
    margins: tuple[float, float, float, float] = MARGINS


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
    text = re.sub(r"\n\s*", "\n", text).replace("<defs>", f"{DARK}<defs>", 1)
    url = "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
    return Picture(title, caption, url, round(size[0] * 96), round(size[1] * 96))


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
        ax.set(xlabel="environment steps (millions)", ylabel="reward per trial", xlim=(0, None))
        line = f"; blue: mean of {over} around each" if over > 1 else ""
        return f"Mean reward per trial in the episodes of each of {len(rows):,} updates (grey{line})."

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
    for name in (name for name in DRAWN if name in there):
        try:
            pictures.append(_result(DRAWN[name], source.result(name)))
        except InputError as error:
            notes.append(f"{name} is not drawn: {error}")
    if left := [name for name in there if name not in DRAWN and not name.startswith("fit_")]:
        notes.append(f"Beside them in the folder, without a figure here: {', '.join(left)}.")
    return pictures, notes


def _result(how: Drawer, found: xr.Dataset) -> Picture:
    require(found, **{how.variable: how.dims or ()})
    if how.dims is not None and (more := [str(dim) for dim in found[how.variable].dims if dim not in how.dims]):
        raise InputError(f"It is kept apart by {', '.join(more)}, for which this page has no figure.")
    return drawn(how.title, lambda ax: how.draw(ax, found), margins=how.margins)


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


def _regret(ax: Axes, found: xr.Dataset) -> str:
    plotting.regret_curves(ax, found.regret)
    known = [str(name) for name in found.learner.values if str(name) != "random"]
    if len(known) < found.sizes["learner"]:  # chance leaves the axes, so that the rest can be told apart
        ax.set_ylim(0, 1.4 * float(found.regret.sel(learner=known).sum("trial").mean("episode").max()))
    n = found.regret.sizes.get("episode", 1)
    return f"Expected reward given up against the best arm, beside baselines on the same {n:,} episodes; 95 % bands."


def _volatility(ax: Axes, found: xr.Dataset) -> str:
    ranges = json.loads(found.attrs["config"])["task"]["volatility_ranges"]
    plotting.rate_by_volatility(ax, found, (ranges[0][1], ranges[-1][0]))
    r_squared, n = float(found.r_squared), int(found.n)
    return (
        f"A point per episode ({n:,}) and their regression, R² = {r_squared:.2f}. Grey: volatilities never trained on."
    )


def _stay(ax: Axes, found: xr.Dataset) -> str:
    plotting.stay_bars(ax, found)
    plotting.stay_scale([ax])
    ax.legend(title="last transition", loc="center left", bbox_to_anchor=(1, 0.5))
    cells = {"previous_outcome", "previous_transition"}
    others = [str(dim) for dim in found.stay_probability.dims if dim not in cells]
    bars = f"standard errors over {others[0]}s" if others else "95 % bootstrap intervals"
    return f"{int(found.n_trials.sum()):,} trials; {bars}. Dotted: chance."


def _history(ax: Axes, found: xr.Dataset) -> str:
    plotting.history_kernels(ax, found)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    how = found.attrs.get("encoding", "")
    told = (
        f"Logistic regression of choices on the past ({how}), {int(found.n_trials.sum()):,} trials; two standard errors"
    )
    return told + (f", penalty: {found.attrs['penalty']}." if found.attrs.get("penalty", "none") != "none" else ".")


def _matching(ax: Axes, found: xr.Dataset) -> str:
    plotting.matching_points(ax, found)
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return f"A point per episode, of {found.sizes['episode']:,}."


def _blocks(ax: Axes, found: xr.Dataset) -> str:
    plotting.rates_by_block(ax, found.learning_rate, label="", colour=COLOURS[0])
    return f"One fit per kind of block, pooled over {int(found.n_episodes.max()):,} episodes."


def _learning_set(ax: Axes, found: xr.Dataset) -> str:
    plotting.learning_set_curves(ax, found.expand_dims(stage=["this run"]), "stage")
    return (
        f"Share of right choices by trial of a problem, {int(found.n.max()):,} problems; 95 % intervals. Grey: a guess."
    )


def _risk(ax: Axes, found: xr.Dataset) -> str:
    names = {"control": "control"} | {str(x): "perturbed" for x in found.perturbation.values if str(x) != "control"}
    shown = [name for name in names if name in found.perturbation.values][:2]
    during = found.sel(perturbation=shown).rename(perturbation="during").assign_coords(during=[names[x] for x in shown])
    plotting.risk_by_probability(ax, during.reindex(during=["control", "perturbed"]))
    if len(shown) == 1:
        ax.legend(*[each[:1] for each in ax.get_legend_handles_labels()])
    told = f"; perturbed: {shown[1]}" if len(shown) > 1 else ""
    return f"Share of free choices that took the risk, {int(found.n.sum('risky_prob').max()):,} episodes; 95 %{told}."


def _reversals(ax: Axes, found: xr.Dataset) -> str:
    reach = 1.96 * found.se
    shown = xr.Dataset({"mean": found["mean"], "lower": found["mean"] - reach, "upper": found["mean"] + reach})
    shown["mean"].attrs = {"long_name": "response to the cue", "units": "reward"} | found["mean"].attrs
    plotting.cue_responses(ax, shown)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return f"Mean prediction errors at a cue around {int(found.n.max()):,} reversals at most; 95 % intervals."


def _encode(ax: Axes, found: xr.Dataset) -> str:
    plotting.unit_coding(ax, found.spearman, chance=found.get("spearman_chance"))
    names = [str(name).replace(" ", "\n") for name in found.factor.values]
    ax.set_xticks(range(len(names)), names, fontsize=5.5)
    return f"Partial rank correlation of each of {found.sizes['unit']} units with each factor; bars: their means."


def _rpe(ax: Axes, found: xr.Dataset) -> str:
    last = found.rpe.isel(trial=slice(0, -1))
    each = max(1, SHOWN // (last.sizes["trial"] * last.sizes["event"]))
    some = {"episode": slice(0, each)}
    r_squared = float(found.r_squared.sel(reference="model-based"))
    plotting.rpe_scatter(
        ax, last.isel(some), found.model_based.isel(trial=slice(0, -1)).isel(some), r_squared=r_squared
    )
    ax.set_xlabel("prediction error of a planner (reward)")
    ax.set_ylabel("of the agent (reward)")
    ax.legend(loc="lower right", markerscale=2)
    shown = min(each, found.sizes["episode"])
    return f"Points: {shown} episodes; r² of all {int(found.n_episodes):,}."


DRAWN = {
    "regret.nc": Drawer("Regret", _regret, "regret", ("learner", "episode", "trial")),
    "stay.nc": Drawer("Stay probabilities", _stay, "stay_probability", None, BESIDE),
    "history.nc": Drawer("What the past weighs", _history, "coef", None, BESIDE),
    "matching.nc": Drawer("Matching", _matching, "slope", ("group",)),
    "blocks.nc": Drawer("Learning rate by block", _blocks, "learning_rate", ("block",)),
    "reversals.nc": Drawer("Responses to cues", _reversals, "mean", ("condition", "role"), BESIDE),
    "learning_set.nc": Drawer("Learning to learn", _learning_set, "accuracy", ("trial",)),
    "risk.nc": Drawer("Risky choices", _risk, "mean", ("perturbation", "risky_prob")),
    "rpe.nc": Drawer("Prediction errors beside a planner's", _rpe, "r_squared", ("reference",)),
    "encode.nc": Drawer("What units code", _encode, "spearman", ("factor", "unit")),
}


def volatility(fitted: xr.Dataset) -> Picture | None:
    """Draw fitted learning rates against the volatility of their episodes, where the fits were regressed on it."""
    if "r_squared" not in fitted or "volatility_ranges" not in str(fitted.attrs.get("config", "")):
        return None
    return drawn("Learning rate by volatility", lambda ax: _volatility(ax, fitted), margins=(0.52, 0.12, 0.42, 0.24))
