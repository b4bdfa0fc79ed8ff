"""Members of groups, ready to be fitted: their choices cell by cell, and how the best group is searched for."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting.from_starts import Column, columns_of
from neurometa.fitting.importance import drawn_group
from neurometa.fitting.latents import playable
from neurometa.fitting.likelihood import Choices
from neurometa.fitting.marginal import Group, Nodes
from neurometa.fitting.quadrature import grid_group
from neurometa.fitting.transforms import Link
from neurometa.models import Equations, Model

PLAYED = (  # what a fit and a simulation read
    *("choice", "reward", "second_state", "second_choice", "left_option", "valid"),
    *("reward_prob", *dataset.BEYOND_PROBABILITY),
)


class Members(NamedTuple):
    """The choices of groups, cell by cell of the dims that are left, and how the best group is searched for.

    Attributes
    ----------
    dims, sizes : list
        Those that are left, apart from the group's.
    n_scored : int array (cell, member)
        Trials that count.
    absent : tuple of str
        Parameters that such trials do not have.
    search : callable
        From a cell, the places of its members with choices, links, held parameters and random numbers to the nodes,
        the best group, and whether it is settled.
    """

    dims: list[str]
    sizes: list[int]
    n_scored: np.ndarray
    absent: tuple[str, ...]
    search: Callable[..., tuple[Nodes, Group, bool]]


def on_grids(model: type[Model], trials: xr.Dataset, group: str, pool: Sequence[str]) -> Members:
    """Members whose likelihood is known on grids."""
    played = playable(model, trials)[0]
    dims = [str(dim) for dim in played.choice.dims if dim not in ("trial", group, *pool)]
    sizes, n_members = [played.sizes[dim] for dim in dims], played.sizes[group]
    arrays = [played[name].transpose("trial", *dims, group, *pool).values for name in ("choice", "reward")]
    choice, reward = (each.reshape(len(each), math.prod(sizes), n_members, -1) for each in arrays)

    def search(cell: int, some: np.ndarray, linked: dict, held: dict, rng: np.random.Generator) -> tuple:
        one = Choices(choice[:, cell][:, some], reward[:, cell][:, some], played.choice.attrs["n_options"])
        return grid_group(model, one, linked, held)

    return Members(dims, sizes, (choice >= 0).sum((0, 3)), (), search)


def at_draws(
    model: type[Equations],
    trials: xr.Dataset,
    group: str,
    pool: Sequence[str],
    lower: Mapping[str, float],
    upper: Mapping[str, float],
) -> Members:
    """Members whose likelihood is known at weighted draws."""
    columns, like, absent = columns_of(model, trials, pool, lower, upper)
    dims = [str(dim) for dim in like.dims if dim != group]
    sizes, n_members = [like.sizes[dim] for dim in dims], like.sizes[group]
    place = like.copy(data=np.arange(like.size).reshape(like.shape)).transpose(*dims, group).values
    place = place.reshape(math.prod(sizes), n_members)
    n_scored = np.array([column.n_trials for column in columns]).reshape(-1)[place]

    def search(cell: int, some: np.ndarray, linked: dict, held: dict, rng: np.random.Generator) -> tuple:
        return drawn_group([_score(columns[place[cell, i]], model, linked, held) for i in some], linked, rng)

    return Members(dims, sizes, n_scored, absent, search)


def by_member(
    model: type[Equations], trials: xr.Dataset, group: str, pool: Sequence[str]
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Give `group` a dim of its own, if it is a coordinate of another dim such as ``episode``.

    Returns
    -------
    trials : Dataset
        What a fit reads. Members with fewer entries along the other dim are padded, with ``valid`` False.
    pool : tuple of str
        As given, and that other dim.

    Raises
    ------
    InputError
        There is no such dim or coordinate, or it does not tell the members apart.
    """
    dataset.require(trials, choice=("trial",))
    if group in trials.choice.dims and group != "trial":
        return trials, tuple(pool)
    known = [str(dim) for dim in trials.choice.dims if dim != "trial"]
    labels = trials.coords.get(group)
    if labels is None or labels.ndim != 1 or labels.dims[0] not in known:
        told = [str(name) for name, each in trials.coords.items() if each.ndim == 1 and each.dims[0] in known]
        raise InputError(f"group names {group!r}; allowed are a dim or a coordinate of one: {sorted({*known, *told})}.")
    dim = str(labels.dims[0])
    if labels.isnull().any():
        raise InputError(f"The coordinate {group!r} is missing for some of {dim!r}; drop these or say whose they are.")
    code, members = pd.factorize(labels.values)
    size = np.bincount(code).max()
    index = np.full((len(members), size), -1)
    for member in range(len(members)):
        own = np.flatnonzero(code == member)
        index[member, : len(own)] = own
    kept = trials[[name for name in PLAYED if name in trials]]
    kept.choice.attrs = kept.choice.attrs | {"n_options": dataset.n_options(trials)}
    kept = kept.drop_vars([name for name, each in kept.coords.items() if dim in each.dims])
    at = xr.DataArray(index, dims=(group, dim))
    present = at >= 0
    moved = kept.assign(valid=dataset.valid(kept)).isel({dim: at.clip(min=0)})
    moved["valid"] = moved.valid & present
    return moved.assign_coords({group: members}), tuple(dict.fromkeys([*pool, dim]))


def _score(column: Column, model: type[Equations], linked: Mapping[str, Link], held: Mapping[str, float]) -> Any:
    """Log-likelihood of a column at points without bounds."""
    names = list(linked)

    def score(points: np.ndarray) -> np.ndarray:
        full = np.empty((len(points), len(model.parameters())))
        for k, name in enumerate(model.parameters()):
            full[:, k] = linked[name].natural(points[:, names.index(name)]) if name in linked else held[name]
        return column.score(full)

    return score
