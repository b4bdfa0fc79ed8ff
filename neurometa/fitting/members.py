"""Members of groups, ready to be fitted: their choices cell by cell, and how the best group is searched for."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from threadpoolctl import threadpool_limits

from neurometa import dataset
from neurometa.errors import InputError
from neurometa.fitting.from_starts import Column, columns_of
from neurometa.fitting.importance import Progress, drawn_group
from neurometa.fitting.latents import playable
from neurometa.fitting.marginal import Group, Nodes
from neurometa.fitting.multistart import Slope
from neurometa.fitting.quadrature import N_NODES, grid_group
from neurometa.fitting.scanned import columns
from neurometa.fitting.transforms import Link, links
from neurometa.models import Equations, Model

PLAYED = (  # what a fit and a simulation read
    *("choice", "reward", "second_state", "second_choice", "left_option", "valid"),
    *("n_options", "reward_prob", *dataset.BEYOND_PROBABILITY),
)


class Members(NamedTuple):
    """The choices of groups, cell by cell of the dims that are left, and how the best group is searched for.

    Attributes
    ----------
    dims, sizes : list
        Those that are left, apart from the group's.
    n_scored : int array (cell, member)
        Trials that count.
    chance : float array (cell, member)
        Log-likelihood of choices at random, in nats.
    absent : tuple of str
        Parameters that such trials do not have.
    search : callable
        From a cell, the places of its members with choices, links, held parameters and random numbers to the nodes,
        the best group, and whether it is settled. It may be given whom to tell of its progress.
    """

    dims: list[str]
    sizes: list[int]
    n_scored: np.ndarray
    chance: np.ndarray
    absent: tuple[str, ...]
    search: Callable[..., tuple[Nodes, Group, bool]]


def on_grids(model: type[Model], trials: xr.Dataset, group: str, pool: Sequence[str]) -> Members:
    """Members whose likelihood is known on grids."""
    played = playable(model, trials)[0]
    dims = [str(dim) for dim in played.choice.dims if dim not in ("trial", group, *pool)]
    sizes, n_members = [played.sizes[dim] for dim in dims], played.sizes[group]
    every = columns(model, played, [*dims, group], pool)

    def search(
        cell: int,
        some: np.ndarray,
        linked: dict,
        held: dict,
        rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> tuple:
        return grid_group(model, every.take(cell * n_members + some), linked, held)

    n_scored, chance = every.n_scored.reshape(-1, n_members), every.chance.reshape(-1, n_members)
    return Members(dims, sizes, n_scored, chance, (), search)


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

    def search(
        cell: int,
        some: np.ndarray,
        linked: dict,
        held: dict,
        rng: np.random.Generator,
        progress: Progress | None = None,
    ) -> tuple:
        own = [columns[place[cell, i]] for i in some]
        scores = [_score(column, model, linked, held) for column in own]
        slopes = [_slope(column, column.slope, model, linked, held) for column in own if column.slope is not None]
        return drawn_group(scores, linked, rng, slopes or None, progress)

    chance = np.array([column.chance for column in columns]).reshape(-1)[place]
    return Members(dims, sizes, n_scored, chance, absent, search)


class Searched(NamedTuple):
    """A group found: the nodes of its members with choices (`some`), the best group, and links of what is free."""

    nodes: Nodes
    best: Group
    linked: dict[str, Link]
    some: np.ndarray


def search_group(
    model: type[Equations],
    trials: xr.Dataset,
    group: str,
    pool: Sequence[str],
    lower: Mapping[str, float],
    upper: Mapping[str, float],
    seed: int,
) -> Searched:
    """Search for the best group of one set of members, on grids or at draws as the model allows.

    Raises
    ------
    InputError
        As `neurometa.fitting.hierarchical.fit_group`.
    """
    if issubclass(model, Model) and 0 < len(links(model, lower, upper)) <= max(N_NODES):
        members = on_grids(model, trials, group, pool)
    else:
        members = at_draws(model, trials, group, pool, lower, upper)
    linked, held = free_and_held(model, lower, upper, members.absent)
    some = np.flatnonzero(members.n_scored[0] > 0)
    if some.size < 2:
        raise InputError(
            f"{some.size} of the {members.n_scored.shape[1]} members along {group!r} made a choice; two are needed."
        )
    with threadpool_limits(1):
        nodes, best, _ = members.search(0, some, linked, held, np.random.default_rng([seed, 0]))
    return Searched(nodes, best, linked, some)


def free_and_held(
    model: type[Equations], lower: Mapping[str, float], upper: Mapping[str, float], absent: tuple[str, ...]
) -> tuple[dict[str, Link], dict[str, float]]:
    """Links of the parameters that a group shares, and the values of those that are held.

    Raises
    ------
    InputError
        Nothing is free.
    """
    linked = links(model, lower, upper, absent)
    if not linked:
        raise InputError(
            f"Every parameter of {model.__name__} is held, so that a group has nothing to share; free one."
        )
    held = {
        name: float(np.clip(1.0, lower[name], upper[name])) if name in absent else lower[name]
        for name in model.parameters()
        if name not in linked
    }
    return linked, held


def by_member(
    model: type[Equations], trials: xr.Dataset, group: str, pool: Sequence[str], *, name: str = "group"
) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Give `group` a dim of its own, if it is a coordinate of another dim such as ``episode``.

    Returns
    -------
    trials : Dataset
        What a fit reads, and coordinates that are the same all over a member, such as its scores. Members with fewer
        entries along the other dim are padded, with ``valid`` False.
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
        raise InputError(
            f"{name} names {group!r}; allowed are a dim or a coordinate of one: {sorted({*known, *told})}."
        )
    dim = str(labels.dims[0])
    if labels.isnull().any():
        raise InputError(f"The coordinate {group!r} is missing for some of {dim!r}; drop these or say whose they are.")
    code, members = pd.factorize(labels.values)
    size = np.bincount(code).max()
    index = np.full((len(members), size), -1)
    for member in range(len(members)):
        own = np.flatnonzero(code == member)
        index[member, : len(own)] = own
    kept = trials.reset_coords([each for each in ("n_options",) if each in trials.coords])
    kept = kept[[each for each in PLAYED if each in kept]]
    kept.choice.attrs = kept.choice.attrs | {"n_options": dataset.n_options(trials)}
    kept = kept.drop_vars([name for name, each in kept.coords.items() if dim in each.dims])
    at = xr.DataArray(index, dims=(group, dim))
    present = at >= 0
    moved = kept.assign(valid=dataset.valid(kept)).isel({dim: at.clip(min=0)})
    moved["valid"] = moved.valid & present
    shared = {
        str(name): (group, each.values[index[:, 0]], each.attrs)
        for name, each in trials.coords.items()
        if each.dims == (dim,) and name not in (dim, group) and _constant(each.values, code)
    }
    return moved.assign_coords({group: members, **shared}), tuple(dict.fromkeys([*pool, dim]))


def _constant(values: np.ndarray, code: np.ndarray) -> bool:
    """Whether values are the same all over each member; missing ones equal each other."""
    table = pd.DataFrame({"member": code, "value": pd.factorize(values, use_na_sentinel=False)[0]})
    return bool((table.groupby("member").value.nunique() == 1).all())


def _score(column: Column, model: type[Equations], linked: Mapping[str, Link], held: Mapping[str, float]) -> Any:
    """Log-likelihood of a column at points without bounds."""
    names = list(linked)

    def score(points: np.ndarray) -> np.ndarray:
        full = np.empty((len(points), len(model.parameters())))
        for k, name in enumerate(model.parameters()):
            full[:, k] = linked[name].natural(points[:, names.index(name)]) if name in linked else held[name]
        return column.score(full)

    return score


def _slope(
    column: Column, slope: Slope, model: type[Equations], linked: Mapping[str, Link], held: Mapping[str, float]
) -> Slope:
    """Log-likelihood of a column at one point without bounds, and its gradient."""
    names, links = list(linked), list(linked.values())
    place = [model.parameters().index(name) for name in names]
    point = np.array([held.get(name, 0.0) for name in model.parameters()])

    def climbed(z: np.ndarray) -> tuple[float, np.ndarray]:
        own = [link.natural(float(x), math.exp) for link, x in zip(links, z, strict=True)]
        point[place] = own
        value, gradient = slope(point)
        return value, gradient[place] * [link.rate(x) for link, x in zip(links, own, strict=True)]

    return climbed
