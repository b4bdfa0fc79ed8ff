"""The command that compares fitted parameters between groups, or along a score: groups. It needs no torch."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from neurometa.cli.fits import model_of
from neurometa.cli.options import JSON, Trials
from neurometa.cli.printing import interval, number, say, say_json, table
from neurometa.cli.saving import save_beside

EXAMPLE = "neurometa groups runs/mice --by genotype --reference WT"


def groups(
    trials: Trials,
    by: Annotated[
        str,
        typer.Option(help="Column of groups or of a score, or a formula: 'genotype * sex'.", show_default=False),
    ],
    model: Annotated[str, typer.Option(help="rescorla-wagner, hybrid, ..., FILE.py:CLASS: any that fit takes.")] = (
        "rescorla-wagner"
    ),
    group: Annotated[
        str, typer.Option(help="Column of the members; all sessions of one share its parameters.")
    ] = "subject",
    two_stage: Annotated[
        bool,
        typer.Option("--two-stage", help="Fit each member alone, then test: Welch, permutation, rank correlation."),
    ] = False,
    reference: Annotated[
        str, typer.Option(help="Group that others are compared with.", show_default="first by name")
    ] = "",
    level: Annotated[float, typer.Option(help="Of the intervals.")] = 0.95,
    permutations: Annotated[int, typer.Option(help="Of the two-stage test.")] = 9999,
    seed: Annotated[int, typer.Option(help="Fixes permutations and draws.")] = 0,
    as_json: JSON = False,
) -> None:
    """Compare fitted parameters between groups, or along a score.

    All members are fitted at once, the group's mean following the groups; or, with --two-stage, each alone.
    Writes groups_BY.nc: effects with intervals and sizes, the mean of each group, and each member's estimate.
    """
    from neurometa import behaviour, dataset, models

    data = dataset.open_run(trials)
    found = behaviour.compare_groups(
        model_of(model, (*models.MODELS, *models.FITTED_FROM_STARTS, *models.OBSERVERS)),
        data,
        by,
        group=group,
        how="two-stage" if two_stage else "hierarchical",
        reference=reference,
        level=level,
        n_permutations=permutations,
        seed=seed,
    )
    name = re.sub(r"\W+", "_", by).strip("_")
    file = save_beside(found, data, trials, f"groups_{name}.nc")
    if as_json:
        say_json({"file": str(file)} | _record(found))
    else:
        _tell(found, file)


def _record(found: Any) -> dict[str, Any]:
    told = ("effect", "effect_se", "df", "statistic", "p_value", "permutation_p_value", "effect_size")
    effects: dict[str, Any] = {}
    for parameter in map(str, found.parameter.values):
        for term in map(str, found.term.values):
            here = found.sel(parameter=parameter, term=term)
            one = {name: float(here[name]) for name in told if name in here}
            one |= {name: here[name].values.tolist() for name in ("effect_interval", "effect_size_interval")}
            effects.setdefault(parameter, {})[term] = one
    record = {**{key: found.attrs[key] for key in ("model", "by", "group", "how", "level", "n_left_out")}}
    record["effects"] = effects
    of_parameter = ("n", "overall_p_value", "rank_correlation", "rank_p_value", "reliability")
    record["parameters"] = {
        str(name): {key: float(found[key].sel(parameter=name)) for key in of_parameter if key in found}
        for name in found.parameter.values
    }
    if "level" in found.dims:
        record["groups"] = {
            str(one): {
                "n_members": int(found.n_members.sel(level=one)),
                **{
                    str(name): {
                        "mean": float(found.group_mean.sel(level=one, parameter=name)),
                        "interval": found.group_mean_interval.sel(level=one, parameter=name).values.tolist(),
                    }
                    for name in found.parameter.values
                },
            }
            for one in found.level.values
        }
    return record


def _tell(found: Any, file: Path) -> None:
    told, percent = found.attrs, f"{100 * found.attrs['level']:g} % interval"
    if told["kind"] == "groups":
        kind = "mean" if told["how"] == "two-stage" else "median"
        rows = [
            [
                str(parameter),
                f"{one} (n = {int(found.n_members.sel(level=one))})",
                number(float(found.group_mean.sel(parameter=parameter, level=one))),
                interval(*found.group_mean_interval.sel(parameter=parameter, level=one).values.tolist()),
            ]
            for parameter in found.parameter.values
            for one in found.level.values
        ]
        table(["parameter", told["by"], kind, percent], rows, f"{told['model']}, {found.sizes[told['group']]} members")
    how = "all members at once" if told["how"] == "hierarchical" else "each member alone"
    pairs = [(parameter, term) for parameter in found.parameter.values for term in found.term.values]
    effects = {(parameter, term): _effect(found.sel(parameter=parameter, term=term)) for parameter, term in pairs}
    names = {parameter: _linked(found.sel(parameter=parameter)) for parameter in found.parameter.values}
    heads, terms = ["effect", percent, "p", "in SDs"], list(found.term.values)
    if len(terms) == 1:
        cells = [[name, *effects[parameter, terms[0]]] for parameter, name in names.items()]
        table(["parameter", *heads], cells, f"Effect of {terms[0]}, {how}")
    else:
        for parameter, name in names.items():
            cells = [[_short(term), *effects[parameter, term]] for term in terms]
            table(["effect of", *heads], cells, f"Effects on {name}, {how}")
    for parameter in map(str, found.parameter.values):
        if "rank_correlation" in found:
            here = found.sel(parameter=parameter)
            line = f"{parameter}: Spearman {float(here.rank_correlation):.2f}, p {float(here.rank_p_value):.2g}"
            root = float(here.reliability) ** 0.5
            weak = f"about {root:.2f} of itself" if root >= 0.2 else "nearly nothing, whatever it is"
            say(f"{line}. The error of the estimates weakens the correlation with the true values to {weak}.")
        if "overall_p_value" in found:
            overall = float(found.overall_p_value.sel(parameter=parameter))
            say(f"{parameter}: any difference between groups, p {overall:.2g}.")
    if told["n_left_out"]:
        say(f"Left out, nothing being known of them: {told['n_left_out']} members.")
    say(f"Everything is in {file}.")


def _linked(here: Any) -> str:
    """Name of a parameter as its effects are measured, e.g. log-odds learning_rate."""
    link = str(here.link.item()) if "link" in here.coords else ""
    return f"{link} {here.parameter.item()}".strip()


def _short(term: str) -> str:
    """A term of a formula without how its groups are coded: genotype[WT] of C(genotype, Treatment('KO'))[WT]."""
    return re.sub(r"C\(\s*([\w.]+).*?\)\[", r"\1[", term)


def _effect(here: Any) -> list[str]:
    """The effect of one term on one parameter, its interval, p and size."""
    p = "permutation_p_value" if "permutation_p_value" in here else "p_value"
    bounds = interval(*here.effect_interval.values.tolist())
    return [number(float(here.effect)), bounds, f"{float(here[p]):.2g}", f"{float(here.effect_size):.2f}"]
