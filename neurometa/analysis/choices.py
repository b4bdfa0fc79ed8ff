"""Analyses of what was chosen and earned."""

from typing import TYPE_CHECKING

from neurometa.analysis.record import BEHAVIOUR, FIT, Analysis, Drawing

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def _stay(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.stay_probability(trials)


def _draw_stay(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.stay_bars(ax, found)
    plotting.stay_scale([ax])
    ax.legend(title="last transition", loc="center left", bbox_to_anchor=(1, 0.5))
    cells = {"previous_outcome", "previous_transition"}
    others = [str(dim) for dim in found.stay_probability.dims if dim not in cells]
    bars = f"standard errors over {others[0]}s" if others else "95 % bootstrap intervals"
    told = f"{int(found.n_trials.sum()):,} trials; {bars}. Dotted: chance."
    return told + _told_regression(found)


def _told_regression(found: "xr.Dataset") -> str:
    """Weights of the regression of staying, where it was made: with their errors, or means over those kept apart."""
    if "regression_coef" not in found:
        return ""
    coef = found.regression_coef
    others = [dim for dim in coef.dims if dim != "regressor"]
    n = coef.notnull().sum(others)
    mean = coef.mean(others) if others else coef
    error = coef.std(others, ddof=1) / n**0.5 if others else found.regression_se
    told = [
        f"{name} {float(mean.sel(regressor=name)):+.2f} ± {float(error.sel(regressor=name)):.2f}"
        for name in map(str, found.regressor.values)
        if name != "intercept"
    ]
    over = f", means over {int(n.min())} of them" if others else ""
    return f" Regression of staying (log odds, ± standard error{over}): {', '.join(told)}."


STAY = Analysis(
    name="stay",
    file="stay.nc",
    heading=BEHAVIOUR,
    asks="Stay probabilities by the last outcome and transition.",
    compute=_stay,
    drawing=Drawing("Stay probabilities", _draw_stay, "stay_probability", None, legend_beside=True),
    suits="common",
)


def _exploration(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.exploration(trials)


def _draw_exploration(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    ax.bar(found.pulls, found.p_left, width=0.9, color=plotting.COLOURS[0])
    ax.set(xlabel="pulls of an arm before it is left", ylabel="share of arms", xlim=(0, float(found.pulls[-1]) + 1))
    lower, upper = found.agreement_interval.values.tolist()
    told = f"{int(found.n_left):,} arms that were left for good in {found.attrs['n_episodes']:,} episodes. "
    told += (
        f"Of the choices {float(found.agreement_mean):.1%} ({lower:.1%} to {upper:.1%}) are those of Gittins indices"
    )
    if "kl_mean" in found:
        told += f"; divergence from these {float(found.kl_mean):.3f} nats a choice"
    return f"{told}. {float(found.n_tried_total_mean):.1f} arms are tried in an episode."


EXPLORATION = Analysis(
    name="exploration",
    file="exploration.nc",
    heading=BEHAVIOUR,
    asks="How arms are tried and left for good, beside Gittins indices.",
    compute=_exploration,
    drawing=Drawing("Arms left for good", _draw_exploration, "p_left", ("pulls",)),
    seconds=5.0,
)


def _history(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    if "common" in trials:
        return behaviour.history_regression(trials, "miller", n_lags=5, penalty="ridge")
    return behaviour.history_regression(trials, "lau-glimcher", n_lags=15, burn_in=1 / 3)


def _draw_history(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.history_kernels(ax, found)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    n, how = int(found.n_trials.sum()), found.attrs.get("encoding", "")
    penalty = found.attrs.get("penalty", "none")
    told = f"Logistic regression of choices on the past ({how}), {n:,} trials; two standard errors"
    return told + (f", penalty: {penalty}." if penalty != "none" else ".")


HISTORY = Analysis(
    name="history",
    file="history.nc",
    heading=BEHAVIOUR,
    asks="Regress choices on past choices and outcomes.",
    compute=_history,
    drawing=Drawing("What the past weighs", _draw_history, "coef", None, legend_beside=True),
    suits="base_prob",
)


def _matching(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.matching(trials)


def _draw_matching(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.matching_points(ax, found)
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return f"A point per episode, of {found.sizes['episode']:,}."


MATCHING = Analysis(
    name="matching",
    file="matching.nc",
    heading=BEHAVIOUR,
    asks="Regress choice ratios on reward ratios: the matching law.",
    compute=_matching,
    drawing=Drawing("Matching", _draw_matching, "slope", ("group",)),
    suits="base_prob",
)


def _blocks(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.block_learning_rate(trials)


def _draw_blocks(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.rates_by_block(ax, found.learning_rate, label="", colour=plotting.COLOURS[0])
    return f"One fit per kind of block, pooled over {int(found.n_episodes.max()):,} episodes."


BLOCKS = Analysis(
    name="blocks",
    file="blocks.nc",
    heading=BEHAVIOUR,
    asks="Fit the learning rates of stable and volatile blocks.",
    compute=_blocks,
    drawing=Drawing("Learning rate by block", _draw_blocks, "learning_rate", ("block",)),
    suits="magnitude",
    seconds=8.0,
)


def _learning_set(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.learning_set_curve(trials)


def _draw_learning_set(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.learning_set_curves(ax, found.expand_dims(stage=["this run"]), "stage")
    n = int(found.n.max())
    return f"Share of right choices by trial of a problem, {n:,} problems; 95 % intervals. Grey: a guess."


LEARNING_SET = Analysis(
    name="learning-set",
    file="learning_set.nc",
    heading=BEHAVIOUR,
    asks="Count right choices by trial of a problem.",
    compute=_learning_set,
    drawing=Drawing("Learning to learn", _draw_learning_set, "accuracy", ("trial",)),
    suits="side",
)


def _risk(trials: "xr.Dataset", disturbed: "dict[str, xr.Dataset]") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.risk_under_perturbations(trials, disturbed)


def _draw_risk(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    names = {"control": "control"} | {str(x): "perturbed" for x in found.perturbation.values if str(x) != "control"}
    shown = [name for name in names if name in found.perturbation.values][:2]
    during = found.sel(perturbation=shown).rename(perturbation="during").assign_coords(during=[names[x] for x in shown])
    plotting.risk_by_probability(ax, during.reindex(during=["control", "perturbed"]))
    if len(shown) == 1:
        ax.legend(*[each[:1] for each in ax.get_legend_handles_labels()])
    told = f"; perturbed: {shown[1]}" if len(shown) > 1 else ""
    return f"Share of free choices that took the risk, {int(found.n.sum('risky_prob').max()):,} episodes; 95 %{told}."


RISK = Analysis(
    name="risk",
    file="risk.nc",
    heading=BEHAVIOUR,
    asks="Share of risky choices, in control and when perturbed.",
    compute=_risk,
    drawing=Drawing("Risky choices", _draw_risk, "mean", ("perturbation", "risky_prob")),
    suits="risky_prob",
    beside="perturbation-*.nc",
)


def _draw_regret(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.regret_curves(ax, found.regret)
    known = [str(name) for name in found.learner.values if str(name) != "random"]
    if len(known) < found.sizes["learner"]:  # chance leaves the axes, so that the rest can be told apart
        ax.set_ylim(0, 1.4 * float(found.regret.sel(learner=known).sum("trial").mean("episode").max()))
    n = found.regret.sizes.get("episode", 1)
    return f"Expected reward given up against the best arm, beside baselines on the same {n:,} episodes; 95 % bands."


def _predict(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour

    return behaviour.predict(trials)


def _draw_predict(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    plotting.held_out_differences(ax, found)
    box = ax.get_position()
    ax.set_position((box.x0 + 0.3, box.y0, box.width - 0.3, box.height))  # room for names
    n, unit = int(found.attrs["n_units"]), found.attrs["unit"]
    stuck = found.attrs.get("not_converged", "")
    told = f"{int(found.attrs['n_trials']):,} held-out choices, {found.attrs['n_folds']} folds; paired over {n} {unit}s"
    return f"{told}, 95 % intervals. {found.attrs['verdict']}" + (f" Not converged: {stuck}." if stuck else "")


def _draw_switches(ax: "Axes", found: "xr.Dataset") -> str:
    from neurometa import plotting

    ranked = found.sortby("mean_nats")
    shown = [str(ranked.model.values[ranked.kind.values == kind][0]) for kind in sorted({*ranked.kind.values})]
    shown = [name for name in shown if ranked.kind.sel(model=name) in ("classical", "network")]
    alone = bool(found.p_switch_generated.sel(switcher=shown).notnull().any("run_length").all())
    plotting.switch_curves(ax, found.p_switch_generated if alone else found.p_switch, shown)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    how = (
        "of choices that models generate by themselves in the same worlds" if alone else "one step ahead of each choice"
    )
    why = "" if alone else f"; generated curves are {found.attrs['generated']}"
    told = "How often another option is chosen, by how many in a row it ends; dashed: after a reward. Points: observed"
    return f"{told}; lines {how}, held out{why}."


PREDICT = Analysis(
    name="predict",
    file="predict.nc",
    heading=FIT,
    asks="Predict choices that no model has seen.",
    compute=_predict,
    drawing=Drawing("Held-out choices", _draw_predict, "difference", ("model",)),
    also=(Drawing("When choices change", _draw_switches, "p_switch", None, legend_beside=True),),
    seconds=60.0,
)


REGRET = Analysis(
    name="regret",
    file="regret.nc",
    heading=BEHAVIOUR,
    asks="Set an agent's regret beside every baseline's.",
    compute="Baselines play the agent's episodes, which takes the half of neurometa that acts.",
    drawing=Drawing("Regret", _draw_regret, "regret", ("learner", "episode", "trial")),
    suits="reward_prob",
)


def _fit_rw(trials: "xr.Dataset") -> "xr.Dataset":
    from neurometa import behaviour, models

    fitted = behaviour.fit(models.RescorlaWagner, trials)
    if "drift_sd" not in trials:
        return fitted
    return fitted.merge(behaviour.follow_volatility(fitted, trials)).assign_attrs(fitted.attrs)


FIT_RW = Analysis(
    name="fit-rw",
    file="fit_rw.nc",
    heading=FIT,
    asks="Fit a Rescorla-Wagner learner to the choices of each episode.",
    compute=_fit_rw,
    drawing="Every fit has a table of its own, and the figures beside it.",
    suits="reward_prob",
)
