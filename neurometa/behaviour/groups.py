"""Fitted parameters between groups of animals or people, or along a score: what differs, by how much, how surely."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from scipy import special

from neurometa.behaviour.group_design import Design, design_of, known
from neurometa.behaviour.group_tests import effects, two_stage
from neurometa.errors import InputError
from neurometa.fitting.fit import check_bounds, fit
from neurometa.fitting.group_regression import Regression, regress
from neurometa.fitting.marginal import Group, evidence
from neurometa.fitting.members import by_member, search_group
from neurometa.models import Equations

HOW = ("hierarchical", "two-stage")
UNBOUNDED = {"logit": "log-odds", "log": "log", "identity": ""}  # how a parameter is written without bounds


def compare_groups(
    model: type[Equations],
    trials: xr.Dataset,
    by: str,
    *,
    group: str = "subject",
    how: str = "hierarchical",
    reference: str = "",
    bounds: Mapping[str, tuple[float, float]] | None = None,
    level: float = 0.95,
    n_permutations: int = 9999,
    seed: int = 0,
) -> xr.Dataset:
    r"""Ask whether fitted parameters differ between groups, or follow a score.

    Hierarchical: all members are fitted at once, and the mean of each parameter without bounds (log-odds of a rate,
    logarithm of a slope) follows the groups or scores, so that each member counts by what its choices say:

    .. math:: z_i \sim N(x_i b, \sigma^2), \qquad \text{choices}_i \sim p(\cdot \mid z_i)

    Two-stage: each member is fitted by itself, and the maximum-likelihood estimates are compared in their own units.
    That is simple and robust, but the noise of the estimates hides a part of what there is.

    Parameters
    ----------
    model : Model, Observer or TwoStepModel class
        What is fitted, e.g. ``models.RescorlaWagner``.
    trials : Dataset
        As for `fit`, with coordinates that say what is known of the members.
    by : str
        A coordinate that is one and the same in all sessions of a member: words or truth values (also 0 and 1) make
        groups, other numbers are a score. Or a formula of several, as statsmodels takes it: ``"genotype * sex"``.
    group : str
        The dim or coordinate of the members, whose sessions share one set of parameters.
    how : {"hierarchical", "two-stage"}
        See above.
    reference : str
        The group that the others are compared with; by default the first by name.
    bounds : mapping of str to (float, float), optional
        As for `fit`.
    level : float
        Of the intervals, in (0, 1).
    n_permutations : int
        Of the two-stage test, for one grouping or score.
    seed : int
        Fixes permutations, and the draws of models with many parameters.

    Returns
    -------
    Dataset
        Over ``parameter`` and ``term`` (``"KO - WT"``; a score, per unit of it; or the terms of a formula):

        - ``effect`` with ``effect_se``, ``effect_interval`` over ``bound``, ``df``, ``statistic`` (Student's t) and
          ``p_value`` (two-sided): without bounds if hierarchical, where the coordinate ``link`` of ``parameter`` says
          how it is written; else in the parameter's own units, between groups by Welch's t, of scores and formulas
          by least squares with errors for unequal spread (HC3);
        - ``effect_size`` with ``effect_size_interval``: between groups the effect in SDs of members within groups
          (Hedges' g), of other terms that of one SD of the term, in SDs of members about their means;
        - if two-stage and `by` is no formula, ``permutation_p_value``.

        Over ``parameter``: ``n`` members, and, of three or more groups, ``overall_p_value`` (any difference). If
        two-stage, of a score also ``rank_correlation`` (Spearman) with ``rank_p_value``, and ``reliability``: the
        share of the estimates' variance that is not their error. The correlation with the true parameters is larger
        than that with the estimates, by about one over its root.

        Over ``parameter`` and ``level``, of groups: ``group_mean`` in the parameter's own units (the median if
        hierarchical) with ``group_mean_interval``; over ``level`` ``n_members``. Over ``parameter`` and `group`:
        ``estimate`` of each member (the posterior mean if hierarchical). What `by` names is a coordinate.

    Raises
    ------
    InputError
        `by` names nothing known or changes within a member, a group has fewer than two members, there are too
        few members for the terms, an argument is wrong, or `fit` refuses the trials.

    References
    ----------
    Huys et al. 2011 (hierarchical estimation); Welch 1947; Hedges 1981; Long & Ervin 2000 (HC3).

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> from neurometa.models import RescorlaWagner
    >>> trials = example(n_episodes=8).assign_coords(drug=("episode", ["yes", "no"] * 4))
    >>> compare_groups(RescorlaWagner, trials, "drug", group="episode", how="two-stage").term.values.tolist()
    ['yes - no']
    """
    if how not in HOW:
        raise InputError(f"how is {how!r}; allowed are 'hierarchical' and 'two-stage'.")
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    if n_permutations < 0:
        raise InputError(f"n_permutations is {n_permutations}; it must be 0 or more.")
    members, _ = by_member(model, trials, group, ())
    members = members.transpose(group, ...)
    pool = tuple(str(dim) for dim in members.choice.dims if dim not in ("trial", group))
    frame = known(
        trials, members[group].values if group in members.coords else np.arange(members.sizes[group]), group, by
    )
    told = ~frame.isnull().any(axis=1).to_numpy()
    design, members = design_of(by, frame[told], reference), members.isel({group: np.flatnonzero(told)})
    if how == "two-stage":
        fitted = fit(model, members, pool=pool, bounds=bounds)
        found = two_stage(fitted, list(model.parameters()), group, design, level, n_permutations, seed)
    else:
        found = _hierarchical(model, members, group, pool, dict(bounds or {}), design, level, seed)
    found = found.assign_coords({name: (group, column.to_numpy()) for name, column in frame[told].items()})
    attrs = {"model": model.__name__, "by": by, "group": group, "how": how, "level": level, "seed": seed}
    return _describe(found).assign_attrs(attrs | {"n_left_out": int((~told).sum()), "kind": design.kind})


def _hierarchical(
    model: type[Equations],
    members: xr.Dataset,
    group: str,
    pool: tuple[str, ...],
    bounds: dict[str, tuple[float, float]],
    design: Design,
    level: float,
    seed: int,
) -> xr.Dataset:
    lower, upper = check_bounds(model, bounds)
    searched = search_group(model, members, group, pool, lower, upper, seed)
    if len(searched.some) < members.sizes[group]:
        idle = members[group].values[np.setdiff1d(np.arange(members.sizes[group]), searched.some)]
        raise InputError(f"{group} {idle[0]} made no choice that counts; leave it out.")
    limits = np.array([link.limits for link in searched.linked.values()])
    found = regress(searched.nodes, design.matrix, searched.best, limits)
    df = len(design.matrix) - design.matrix.shape[1]
    result = _effects(found, design, df, level)
    share = evidence(searched.nodes, Group(found.coef @ design.matrix.T, found.sd))[1]
    links = list(searched.linked.values())
    estimate = [(link.natural(z) * share).sum(0) for link, z in zip(links, searched.nodes.z, strict=True)]
    result["estimate"] = (("parameter", group), np.array(estimate))
    result["n"] = ("parameter", np.full(len(links), len(design.matrix)))
    result["log_marginal_likelihood"] = found.log_marginal_likelihood
    result = result.assign_coords(
        parameter=np.array(list(searched.linked), dtype=object),
        link=("parameter", np.array([UNBOUNDED[link.kind] for link in links], dtype=object)),
    )
    if design.kind == "groups":
        rows = np.column_stack([np.ones(len(design.labels)), np.eye(len(design.labels))[:, 1:]])
        mean = found.coef @ rows.T  # (parameter, level)
        reach = special.stdtrit(df, (1 + level) / 2) * np.sqrt(np.einsum("gi,pij,gj->pg", rows, found.covariance, rows))
        ends = [
            np.stack([link.natural(x) for link, x in zip(links, z, strict=True)]) for z in (mean - reach, mean + reach)
        ]
        result["group_mean"] = (
            ("parameter", "level"),
            np.stack([link.natural(x) for link, x in zip(links, mean, strict=True)]),
        )
        result["group_mean_interval"] = (("bound", "parameter", "level"), np.stack(ends))
        result["n_members"] = ("level", np.bincount(design.code))
        result = result.assign_coords(level=np.array(design.labels, dtype=object))
        if len(design.labels) > 2:
            b, cov = found.coef[:, 1:], found.covariance[:, 1:, 1:]
            f = np.einsum("pi,pij,pj->p", b, np.linalg.inv(cov), b) / len(design.terms)
            result["overall_p_value"] = ("parameter", special.fdtrc(len(design.terms), df, f))
    return result.assign_coords({group: members[group].values} if group in members.coords else {})


def _effects(found: Regression, design: Design, df: int, level: float) -> xr.Dataset:
    """Effects of the terms with their errors, and their sizes in SDs of members."""
    effect = found.coef[:, 1:]
    se = np.sqrt(np.einsum("pii->pi", found.covariance)[:, 1:])
    unit = 1.0 if design.kind == "groups" else design.matrix[:, 1:].std(0, ddof=1)
    return effects(
        effect,
        se,
        np.full(effect.shape, float(df)),
        effect * unit / found.sd[:, None],
        se * unit / found.sd[:, None],
        design.terms,
        level,
    )


def _describe(found: xr.Dataset) -> xr.Dataset:
    texts = {
        "effect": "effect",
        "effect_se": "standard error of the effect",
        "effect_interval": "interval of the effect",
        "effect_size": "effect in SDs of members",
        "p_value": "p (two-sided)",
        "estimate": "estimate of the member",
        "group_mean": "mean of the group",
        "n": "members with an estimate",
    }
    for name, text in texts.items():
        if name in found:
            found[name].attrs = {"long_name": text}
    return found
