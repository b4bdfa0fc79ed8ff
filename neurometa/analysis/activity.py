"""Analyses of what an agent holds in mind: its hidden state, its values and their errors."""

from typing import TYPE_CHECKING

from neurometa.analysis.record import ACTIVITY, Analysis, Drawing

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

SHOWN = 4000  # points of a scatter


def _decode(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour, neural

    return neural.decode(neural.hidden_state(trials), behaviour.targets(trials))


def _draw_decode(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    places = range(found.sizes["target"])
    reach = [found.r_squared - found.lower, found.upper - found.r_squared]
    ax.errorbar(found.r_squared, places, xerr=reach, fmt="o", color=plotting.COLOURS[0], label="this run")
    for network in found.network.values if "beside_r_squared" in found else ():
        ax.plot(found.beside_r_squared.sel(network=network), places, "x", label=str(network))
    ax.set_yticks(places, [str(target) for target in found.target.values])
    ax.set(xlabel="R² on episodes held out", ylim=(len(places) - 0.5, -0.5))
    return (
        f"Ridge regression, {found.attrs['folds']} folds of {int(found.n_episodes.max()):,} episodes; 95 % intervals."
    )


DECODE = Analysis(
    name="decode",
    file="decode.nc",
    heading=ACTIVITY,
    asks="Read from activity what an ideal learner would remember.",
    compute=_decode,
    drawing=Drawing("What can be read from activity", _draw_decode, "r_squared", ("target",)),
    reads_activity=True,
    seconds=8.0,
)


def _encode(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour, neural
    from neurometa.behaviour.factors import SETS

    factors = behaviour.coding_factors(trials, SETS["history"], skip=1 / 3)
    return neural.encode(neural.hidden_state(trials), factors)


def _draw_encode(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.unit_coding(ax, found.spearman, chance=found.get("spearman_chance"))
    names = [str(name).replace(" ", "\n") for name in found.factor.values]
    ax.set_xticks(range(len(names)), names, fontsize=5.5)
    return f"Partial rank correlation of each of {found.sizes['unit']} units with each factor; bars: their means."


ENCODE = Analysis(
    name="encode",
    file="encode.nc",
    heading=ACTIVITY,
    asks="Ask of every unit which factors it codes.",
    compute=_encode,
    drawing=Drawing("What units code", _draw_encode, "spearman", ("factor", "unit")),
    reads_activity=True,
    seconds=12.0,
)


def _rpe(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import neural

    return neural.rpe_beside_references(trials)


def _draw_rpe(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    last = found.rpe.isel(trial=slice(0, -1))
    shown = min(found.sizes["episode"], max(1, SHOWN // (last.sizes["trial"] * last.sizes["event"])))
    some = {"episode": slice(0, shown)}
    r_squared = float(found.r_squared.sel(reference="model-based"))
    planner = found.model_based.isel(trial=slice(0, -1)).isel(some)
    plotting.rpe_scatter(ax, last.isel(some), planner, r_squared=r_squared)
    ax.set_xlabel("prediction error of a planner (reward)")
    ax.set_ylabel("of the agent (reward)")
    ax.legend(loc="lower right", markerscale=2)
    return f"Points: {shown} episodes; r² of all {int(found.n_episodes):,}."


RPE = Analysis(
    name="rpe",
    file="rpe.nc",
    heading=ACTIVITY,
    asks="Ask if prediction errors are a planner's or model-free.",
    compute=_rpe,
    drawing=Drawing("Prediction errors beside a planner's", _draw_rpe, "r_squared", ("reference",)),
    suits="common",
)


def _reversals(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour, neural

    rpe = neural.rpe(trials)
    found = behaviour.reversal_contrasts(rpe.sel(event="cue", drop=True), trials)
    return found.assign_attrs(discount=rpe.attrs["discount"])


def _draw_reversals(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    reach = 1.96 * found.se
    shown = found[["mean"]].assign(lower=found["mean"] - reach, upper=found["mean"] + reach)
    shown["mean"].attrs = {"long_name": "response to the cue", "units": "reward"} | found["mean"].attrs
    plotting.cue_responses(ax, shown)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return f"Mean prediction errors at a cue around {int(found.n.max()):,} reversals at most; 95 % intervals."


REVERSALS = Analysis(
    name="reversals",
    file="reversals.nc",
    heading=ACTIVITY,
    asks="Compare inferred with experienced value around reversals.",
    compute=_reversals,
    drawing=Drawing("Responses to cues", _draw_reversals, "mean", ("condition", "role"), legend_beside=True),
    suits="rewarded_cue",
)


def _belief(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import neural

    return neural.belief(trials)


def _draw_belief(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    per_trial = found.sizes["step"]
    lived = range(found.belief_update.size)
    ax.plot(lived, found.belief_update.values.ravel(), color=plotting.COLOURS[0])
    for start in range(per_trial, len(lived), per_trial):
        ax.axvline(start, color="0.85", lw=0.6, zorder=0)
    ax.set(xlabel="steps before", ylabel="belief update (nats)")
    told = f"KL divergence of each belief from the one before, mean over {int(found.n.max()):,} episodes."
    if "total_variation" not in found:
        return told
    far = found.total_variation.weighted(found.n_unknown).mean()
    return f"{told} Total variation from the exact posterior while the goal is unknown: {float(far):.3f} on average."


BELIEF = Analysis(
    name="belief",
    file="belief.nc",
    heading=ACTIVITY,
    asks="Follow a belief: its updates, and how far it is from Bayes.",
    compute=_belief,
    drawing=Drawing("Belief updates", _draw_belief, "belief_update", ("trial", "step")),
    suits="latent_mean",
)
