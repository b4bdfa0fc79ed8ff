"""Who is compared with whom: what is known of each member, and the columns that follow from it."""

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from neurometa.errors import InputError, nearest

MOST_GROUPS = 12  # of one column of words; more are names, not groups


class Design(NamedTuple):
    """The columns of a comparison.

    Attributes
    ----------
    kind : {"groups", "score", "formula"}
        One grouping, one column of numbers, or several.
    terms : tuple of str
        Names of what is estimated, without the intercept, e.g. ``"KO - WT"``.
    matrix : float array (member, 1 + term)
        The intercept, then the terms; a score is centred.
    labels : tuple of str
        The groups, the reference first; none of the other kinds.
    code : int array (member,)
        Place of each member's group among them.
    score : float array (member,)
        The numbers of a score.
    """

    kind: str
    terms: tuple[str, ...]
    matrix: np.ndarray
    labels: tuple[str, ...] = ()
    code: np.ndarray = np.zeros(0, int)
    score: np.ndarray = np.zeros(0)


def known(trials: xr.Dataset, members: np.ndarray, group: str, by: str) -> pd.DataFrame:
    """Return of each member the coordinates that `by` names, (member, coordinate).

    Raises
    ------
    InputError
        `by` names none, or one that changes within a member.
    """
    named = trials.coords[group] if group in trials.coords else xr.DataArray(members, dims=group)
    (dim,) = named.dims
    there = {str(name): x for name, x in trials.coords.items() if x.dims == (dim,) and name not in (group, dim)}
    wanted = [by] if by in there else [name for name in there if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", by)]
    if not wanted:
        raise InputError(
            f"by is {by!r}, which names nothing that is known of the members.{nearest(by, list(there))} "
            f"Known are: {_listed(there)}."
        )
    frame = pd.DataFrame({name: there[name].values for name in wanted})
    for name, column in frame.items():
        for member, values in column.groupby(named.values, sort=False):
            if len(different := values.unique()) > 1:
                raise InputError(
                    f"{name!r} changes within {group} {member}: {_listed(different[:4])}. What members are compared "
                    "by must be one and the same in all their sessions."
                )
    return frame.groupby(named.values, sort=False).first().reindex(members)


def design_of(by: str, frame: pd.DataFrame, reference: str = "") -> Design:
    """Turn what is known of the members (all of it, none missing) into columns.

    Raises
    ------
    InputError
        A group has fewer than two members or there is one alone, a score is constant, a formula cannot be read, or
        there are no more members than columns.
    """
    if by not in frame:
        if reference:
            raise InputError(
                f"reference is {reference!r}, but by is a formula; write C(NAME, Treatment({reference!r}))."
            )
        return _formula(by, frame)
    column = frame[by]
    if column.dtype.kind in "iuf" and not set(column.unique()) <= {0, 1}:
        if reference:
            raise InputError(f"reference is {reference!r}, but {by!r} holds numbers, which are a score without groups.")
        return _score(by, column.to_numpy(float))
    return _groups(by, column.map(_name).to_numpy(str), reference)


def _groups(by: str, name: np.ndarray, reference: str) -> Design:
    labels, code, count = np.unique(name, return_inverse=True, return_counts=True)
    if not 1 < len(labels) <= MOST_GROUPS or len(labels) == len(name):
        raise InputError(
            f"{by!r} makes {len(labels)} group{'s' if len(labels) != 1 else ''} of {len(name)} members; groups are "
            f"2 to {MOST_GROUPS}, of two members at least."
        )
    if count.min() < 2:
        raise InputError(
            f"Of {by!r} the group {str(labels[count.argmin()])!r} has one member; each needs two at least. "
            "Leave it out, or join it to another."
        )
    if reference and reference not in labels:
        raise InputError(
            f"reference is {reference!r}, which is no group of {by!r}.{nearest(reference, list(labels))} "
            f"Groups are: {_listed(labels)}."
        )
    first = list(labels).index(reference) if reference else 0
    order = [first, *(i for i in range(len(labels)) if i != first)]
    place = np.argsort(order)[code]
    labels = labels[order]
    matrix = np.column_stack([np.ones(len(name)), *(place == i for i in range(1, len(labels)))]).astype(float)
    terms = tuple(f"{label} - {labels[0]}" for label in labels[1:])
    return Design("groups", terms, matrix, tuple(map(str, labels)), place)


def _score(by: str, score: np.ndarray) -> Design:
    if np.ptp(score) == 0:
        raise InputError(f"{by!r} is {score[0]:g} for every member, so that nothing can follow it.")
    if len(score) < 4:
        raise InputError(f"{len(score)} members have a {by!r}; a slope and its error need four at least.")
    return Design("score", (by,), np.column_stack([np.ones(len(score)), score - score.mean()]), score=score)


def _formula(by: str, frame: pd.DataFrame) -> Design:
    from statsmodels.formula.api import ols  # a second to load, of which other analyses have no need

    try:
        model = ols(f"_estimate ~ {by}", frame.assign(_estimate=0.0))
    except Exception as error:  # whatever the parser of formulas, or a function that a formula names, raises
        told = str(error).strip().splitlines()
        raise InputError(
            f"by is {by!r}, which is no formula of what is known of the members, e.g. 'genotype * sex' "
            f"({told[0] if told else type(error).__name__})."
        ) from error
    matrix, names = np.asarray(model.exog, float), list(model.exog_names)
    if "Intercept" not in names:
        raise InputError(f"by is {by!r}, without an intercept; leave out the '- 1' or '+ 0'.")
    n_members, n_columns = matrix.shape
    if np.linalg.matrix_rank(matrix) < n_columns:
        raise InputError(
            f"by is {by!r}, whose {n_columns} terms cannot be told apart in {n_members} members: {_listed(names)}. "
            "Leave out a factor or an interaction."
        )
    if n_members < n_columns + 2:
        raise InputError(
            f"by is {by!r}, which has {n_columns} terms; {n_members} members are too few for their errors."
        )
    order = [names.index("Intercept"), *(i for i, name in enumerate(names) if name != "Intercept")]
    return Design("formula", tuple(name.replace("T.", "") for name in names if name != "Intercept"), matrix[:, order])


def _name(x: Any) -> str:
    return str(int(x)) if isinstance(x, float) and x.is_integer() else str(x)


def _listed(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"
