"""Wang, Kurth-Nelson et al. 2018, Fig 5: trained by reward alone, a network plans, and errs as a planner does."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neurometa import dataset, exact, plotting, reference, results
from neurometa.behaviour.encodings import ENCODINGS, INDICES
from neurometa.errors import InputError

TWO_STEP = "two-step"
NEEDS = {TWO_STEP: ["behaviour.nc", "stay.nc", "history.nc", "rpe.nc"]}
MILLER = "--encoding miller --lags 5 --penalty ridge"
KINDS = ENCODINGS["miller"]
IDEAL = "ideal observer\n(exact)"
N_SHOWN = 30  # episodes of one network in f and g, as in the paper


def draw(runs: list[Path]) -> Figure:
    found = results.find_runs(*runs)
    agents, _ = results.pool(found, TWO_STEP, base=runs[0])
    trials = results.read_result(agents[0].path, "behaviour.nc", without=results.ACTIVITY)
    task = json.loads(trials.attrs["task"])
    fig = plt.figure(figsize=(7.0, 8.0), layout="constrained")
    parts = fig.subfigures(4, 1, height_ratios=(1.0, 1.05, 1.15, 1.35))
    world = {name: task[name] for name in ("p_common", "p_reward", "p_reversal")}
    patterns(parts[0], world)
    stays(parts[1], agents, exact.two_step.ideal_stay(trials.sizes["trial"], **world))
    history = kernels(parts[2], agents)
    errors(parts[3], agents)
    n, shown = trials.sizes["episode"], min(N_SHOWN, trials.sizes["episode"])
    several = "points in c are agents, error bars the standard error (c) and twice that (e) over agents"
    one = "error bars: 95 % (c), two standard errors (e)"
    plotting.foot(
        fig,
        f"Ours: {results.about_agents(agents)}, {n:,} test episodes each; {several if len(agents) > 1 else one}. "
        f"Weights and indices in e with a {history.attrs['penalty']} penalty. f, g: {shown} episodes of training seed "
        f"{agents[0].seed}; r² of all its episodes. Rats: Miller et al. 2017, standard error. Agents, published: the "
        f"range of 8 seeds",
    )
    return fig


def patterns(fig: Figure, world: dict[str, float]) -> None:
    panels = fig.subplot_mosaic("afp", width_ratios=(1.7, 1, 1))
    plotting.two_step_sketch(panels["a"], **world)
    panels["a"].set_title("a  A trial")
    published = reference.load("w18_fig5c")
    for panel, kind in (("f", "model-free"), ("p", "model-based")):
        plotting.stay_bars(panels[panel], published[["stay_probability"]].sel(who=f"canonical {kind}", drop=True))
        panels[panel].set_title(f"{'b  Canonical: ' if panel == 'f' else ''}{kind}")
    plotting.stay_scale([panels["f"], panels["p"]])
    panels["p"].legend(title="last transition", loc="center left", bbox_to_anchor=(1, 0.5))


def stays(fig: Figure, agents: list[results.Run], ideal: xr.DataArray) -> None:
    panels = fig.subplots(1, 3)
    published = reference.load("w18_fig5c")
    rats, before = (published.sel(who=who, drop=True) for who in ("rats", "agent (published)"))
    sem = rats.mean_plus_sem - rats.stay_probability
    ours = _alone(results.read_pooled(agents, "stay.nc"))
    drawn = {
        "c  Rats": _with_bounds(rats, rats.stay_probability - sem, rats.mean_plus_sem),
        "Agents, published": _with_bounds(before, before.lowest, before.highest),
        "Agents, ours": ours,
    }
    for ax, (title, stay) in zip(panels, drawn.items(), strict=True):
        plotting.stay_bars(ax, stay)
        ax.set_title(title)
    plotting.stay_levels(panels[-1], ideal, label=IDEAL)
    plotting.stay_scale(panels)
    handles, labels = panels[-1].get_legend_handles_labels()
    told = dict(zip(labels, handles, strict=True))
    panels[-1].legend([told[IDEAL]], [IDEAL], loc="center left", bbox_to_anchor=(1, 0.5))


def kernels(fig: Figure, agents: list[results.Run]) -> xr.Dataset:
    panels = fig.subplots(1, 4)
    ours = dataset.concat([_history(run.path) for run in agents])
    table = reference.load("w18_fig5de").weight
    drawn = {
        "d  Rats": _published_history(table.sel(who="rats", drop=True)),
        "e  Agents, published": _published_history(table.sel(who="agent (published)", drop=True)),
        "Agents, ours": _alone(ours),
        "Softmax Bayes (lags 1, 2)": _published_history(
            table.sel(who="ideal observer with softmax (computed)", drop=True)
        ),
    }
    for ax, (title, history) in zip(panels, drawn.items(), strict=True):
        plotting.history_kernels(ax, history.sel(regressor=list(KINDS)))
        ax.set(xlim=(0.6, 5.4), xticks=range(1, 6), title=title, ylabel="")
        planning, model_free = (float(history[name].mean()) for name in ("planning", "model_free"))
        if np.isfinite(planning):
            told = f"planning {planning:.1f}\nmodel-free {model_free:.1f}".replace(" -", " −")
            ax.text(0.97, 0.97, told, transform=ax.transAxes, ha="right", va="top", fontsize=6.3)
    panels[0].set_ylabel("weight (log odds)")
    ends = np.array([ax.get_ylim() for ax in panels[1:]])
    for ax in panels[1:]:
        ax.set_ylim(ends[:, 0].min(), ends[:, 1].max())
    fig.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return ours


def errors(fig: Figure, agents: list[results.Run]) -> None:
    panels = fig.subplots(1, 2, sharey=True)
    one = results.read_result(agents[0].path, "rpe.nc")
    names = ("r_squared", "r_squared_event")
    shares = dataset.concat([results.read_result(run.path, "rpe.nc")[list(names)] for run in agents])
    published = reference.load("w18_fig5fg").published
    ends = (one.event == "outcome") & (one.trial == one.sizes["trial"] - 1)  # its trial lacks a next one
    planned, free = one.model_based.where(~ends), one.model_free.where(~ends)
    slope = xr.cov(planned, free) / planned.var(ddof=1)
    left = (free - free.mean() - slope * (planned - planned.mean())).assign_attrs(
        long_name="model-free prediction error without its model-based part"
    )
    shown = {"f": (planned.assign_attrs(one.model_based.attrs), "model-based", "w18-5f-model-based")}
    shown["g"] = (left, "model-free residual", "w18-5g-model-free")
    for ax, (panel, (against, name, claim)) in zip(panels, shown.items(), strict=True):
        some = {"episode": slice(N_SHOWN)}
        plotting.rpe_scatter(ax, one.rpe.where(~ends).isel(some), against.isel(some))
        ax.set_xlabel(f"{against.attrs['long_name']} (reward)")
        ax.set_title(f"{panel}  The agent's prediction error and the {name.replace('model-free residual', 'residual')}")
        rows = [f"published r² = {_small(float(published.sel(claim=claim)))}"]
        r_squared = shares.r_squared.sel(reference=name)
        rows.append(f"ours r² = {_small(float(r_squared[0]))}")
        if len(agents) > 1:
            rows.append(f"of {len(agents)} agents: {_small(float(r_squared.min()))} … {_small(float(r_squared.max()))}")
        for event in map(str, one.event.values):
            apart = shares.r_squared_event.sel(reference=name, event=event)
            rows.append(f"{event.replace('_', ' ')} alone: {_small(float(apart[0]))}")
        ax.text(0.02, 0.98, "\n".join(rows), transform=ax.transAxes, va="top", fontsize=6.3)
    panels[0].set_ylabel("agent's reward prediction error (reward)")
    panels[1].set_ylabel("")
    top = float(abs(one.rpe).max())
    panels[1].set_ylim(-1.1 * top, 2.1 * top)  # room for what is written above the points
    panels[0].legend(loc="lower right", markerscale=3)


def _small(x: float) -> str:
    return f"{x:.3g}" if x >= 0.005 else f"{x:.1e}"


def _alone(x: xr.Dataset) -> xr.Dataset:
    """One agent as itself, with its own intervals."""
    return x.isel(agent=0) if x.sizes["agent"] == 1 else x


def _with_bounds(stay: xr.Dataset, lower: xr.DataArray, upper: xr.DataArray) -> xr.Dataset:
    return stay[["stay_probability"]].assign(interval=xr.concat([lower, upper], "bound"))


def _history(run: Path) -> xr.Dataset:
    found = results.read_result(run, "history.nc", options=MILLER)
    if found.attrs["encoding"] != "miller":
        command = results.command_for(run, "history.nc", MILLER)
        raise InputError(
            f"{run / 'history.nc'} is of the encoding {found.attrs['encoding']!r}; make it with: {command}"
        )
    return found


def _published_history(weight: xr.DataArray) -> xr.Dataset:
    """Published weights in the form of `behaviour.history_regression`, without errors."""
    kinds = [name.split() for name in KINDS]
    each = [weight.sel(previous_transition=t, previous_outcome=o, drop=True) for t, o in kinds]
    coef = xr.concat(each, "regressor").assign_coords(regressor=list(KINDS))
    found = xr.Dataset({"coef": coef, "se": xr.full_like(coef, np.nan)})
    for index, signs in INDICES.items():
        found[index] = (coef * xr.DataArray(list(signs), dims="regressor")).sum(skipna=False)
    return found


if __name__ == "__main__":
    plotting.save_figure("w18-fig5", [Path("runs")], Path(__file__).parent)
