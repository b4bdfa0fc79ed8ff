"""Trials as an analysis of sequences sees them: episodes in groups, with what cannot count taken out."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError


class Sessions(NamedTuple):
    """Episodes, each a sequence of trials, and which of them belong together.

    Attributes
    ----------
    choice, reward : array (other, member, trial)
        -1 and 0 where a trial was missed or is padding. A member is one episode (of one
        entry of every pooled dim), or the part of it between two gaps in its trial numbers, so
        that nothing is paired across a gap; `other` flattens the dims that pass through.
    common : bool array (other, member, trial) or None
        False where missed.
    n_played : int array (other, member)
        Trials of the member's whole episode that are not padding.
    start : int array (member,)
        How many trials of its episode lie before it.
    group, cluster : int array (member,)
        The group that a member belongs to, and the cluster that is drawn with it.
    n_groups : int
        Groups of members.
    dims : tuple of str
        Names of the dims that pass through, then of the groups if there are several kinds.
    sizes : tuple of int
        Their sizes.
    coords : Dataset
        Coordinates over these dims.
    """

    choice: np.ndarray
    reward: np.ndarray
    common: np.ndarray | None
    n_played: np.ndarray
    start: np.ndarray
    group: np.ndarray
    cluster: np.ndarray
    n_groups: int
    dims: tuple[str, ...]
    sizes: tuple[int, ...]
    coords: xr.Dataset

    def wrap(self, values: np.ndarray) -> np.ndarray:
        """Give values (other, group, ...) the sizes of `dims`."""
        return values.reshape((*self.sizes, *values.shape[2:]))

    def finish(self, result: xr.Dataset) -> xr.Dataset:
        """Give a result over `dims` the coordinates of its trials."""
        clash = [name for name in self.coords.coords if name in result.variables]
        return result.assign_coords(self.coords.drop_vars(clash).coords)


def arrange(
    trials: xr.Dataset,
    *,
    by: str | None,
    pool: Sequence[str] = (),
    cluster: str = "episode",
    transitions: bool = False,
) -> Sessions:
    """Check trials and sort their episodes into groups.

    Parameters
    ----------
    trials : Dataset
        ``choice`` of two options and ``reward`` over ``trial`` and any other dims; ``common`` if
        `transitions`. A trial counts as missed where ``choice``, or the ``second_choice`` of a
        task that asks for one, is -1; ``valid`` marks padding.
    by : str or None
        ``"episode"``, a coordinate over ``episode``, or a dim that passes through anyway.
    pool : sequence of str
        Dims beside ``episode`` whose members are taken together.
    cluster : str
        ``"episode"``, a pooled dim, or a coordinate over ``episode``.
    transitions : bool
        Whether ``common`` is needed.

    Raises
    ------
    InputError
        The trials break the contract, or an argument names no dim or coordinate.
    """
    kept = _kept(trials, transitions)
    if "episode" not in kept.dims:
        kept = kept.expand_dims("episode")
    dims = [str(dim) for dim in kept.choice.dims]
    for name, each in [("pool", dim) for dim in pool] + [("by", by), ("cluster", cluster)]:
        if each is None or (each in dims and each != "trial"):
            continue
        if name == "pool" or each not in kept.coords or kept[each].dims != ("episode",):
            known = [str(c) for c in kept.coords if kept[c].dims == ("episode",)]
            raise InputError(
                f"{name} is {each!r}; it must be one of "
                f"{sorted({*dims} - {'trial'} | {*known} - {'trial'})}, the dims "
                "of the trials and the coordinates of their episodes."
            )
    pooled = ["episode", *(dim for dim in dict.fromkeys(pool) if dim != "episode")]
    others = [dim for dim in dims if dim != "trial" and dim not in pooled]
    if by in pooled and by != "episode":
        raise InputError(f"by is {by!r}, a dim that is pooled; it can be one or the other.")
    kept = kept.transpose(*others, *pooled, "trial")
    shape = [kept.sizes[dim] for dim in others]
    n_members = int(np.prod([kept.sizes[dim] for dim in pooled]))
    flat = (int(np.prod(shape)), n_members, kept.sizes["trial"])
    coords = kept.coords.to_dataset().drop_dims([dim for dim in kept.dims if dim not in others], errors="ignore")
    group, labels, n_groups = np.zeros(n_members, np.int64), None, 1
    if by is not None and by not in others:
        group, labels = _labels(kept, by, pooled)
        n_groups = len(labels)
    if labels is not None and by is not None:
        others, shape = [*others, by], [*shape, n_groups]
        if by == "episode":
            alone = kept.coords.to_dataset().drop_dims([dim for dim in kept.dims if dim != "episode"], errors="ignore")
            coords = coords.assign_coords(alone.coords)
        else:
            coords = coords.assign_coords({by: (by, labels)})
    whole = Sessions(
        choice=kept.choice.values.reshape(flat),
        reward=kept.reward.values.reshape(flat),
        common=kept.common.values.reshape(flat) if transitions else None,
        n_played=kept.played.values.reshape(flat).sum(-1),
        start=np.zeros(n_members, np.int64),
        group=group,
        cluster=_labels(kept, cluster, pooled)[0],
        n_groups=n_groups,
        dims=tuple(others),
        sizes=tuple(shape),
        coords=coords,
    )
    return _cut(whole, ~kept.follows.values.reshape(flat).all(0))


def _cut(whole: Sessions, jump: np.ndarray) -> Sessions:
    """Make a member of each run of trials without a gap; `jump` (member, trial) marks where a run begins."""
    if not jump[:, 1:].any():
        return whole
    member, start = np.nonzero(jump)
    stop = np.append(start[1:], 0)
    stop[np.append(member[1:] != member[:-1], True)] = jump.shape[1]
    at = start[:, None] + np.arange((stop - start).max())
    inside = at < stop[:, None]
    at = np.minimum(at, jump.shape[1] - 1)

    def runs(each: np.ndarray, fill: int) -> np.ndarray:
        return np.where(inside, each[:, member[:, None], at], np.array(fill, each.dtype))

    return whole._replace(
        choice=runs(whole.choice, -1),
        reward=runs(whole.reward, 0),
        common=None if whole.common is None else runs(whole.common, False),
        n_played=whole.n_played[:, member],
        start=start,
        group=whole.group[member],
        cluster=whole.cluster[member],
    )


def _labels(kept: xr.Dataset, name: str, pooled: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Number of the label of every member, and the labels in order of appearance."""
    dim = name if name in kept.dims else "episode"
    each = np.arange(kept.sizes[name]) if name in kept.dims else kept[name].values
    shape = [kept.sizes[d] if d == dim else 1 for d in pooled]
    full = np.broadcast_to(each.reshape(shape), [kept.sizes[d] for d in pooled]).ravel()
    _, first, index = np.unique(full, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[index], full[first[order]]


def _kept(trials: xr.Dataset, transitions: bool) -> xr.Dataset:
    """``choice``, ``reward``, ``played``, ``follows`` and perhaps ``common``, all over the same dims."""
    dataset.require(trials, choice=("trial",), reward=("trial",))
    dataset.check(trials[["choice"]])
    options = dataset.n_options(trials)
    if options != 2:
        raise InputError(f"'choice' has {options} options; this analysis is of choices between 2.")
    choice = trials.choice.astype(np.int64).where(dataset.played(trials), -1)
    if "second_choice" in trials:  # without one the trial had no outcome
        choice = choice.where(trials.second_choice >= 0, -1)
    common = common_of(trials, choice) if transitions else None
    reward = trials.reward.astype(float)
    given = {"choice": choice, "reward": reward, "played": dataset.valid(trials), "follows": dataset.follows(trials)}
    whole = xr.Dataset(
        {name: each.drop_attrs() for name, each in given.items()} | ({"common": common} if transitions else {})
    )
    spread = dict(zip(whole.data_vars, xr.broadcast(*whole.data_vars.values()), strict=True))
    whole = whole.assign(spread)
    made = whole.choice >= 0
    wrong = made & ~np.isfinite(whole.reward)
    if wrong.any():
        raise InputError(
            "'reward' is not finite somewhere where a choice was made; give it a number there, or choice -1."
        )
    return whole.assign(reward=whole.reward.where(made, 0.0))


def rewarded_or_not(sessions: Sessions, purpose: str) -> Sessions:
    """Return sessions whose rewards are 1 (rewarded) and 0 (unrewarded).

    Where just two values occur, one above 0 and one not, such as -1 and 1, which is which is plain; a warning says it.

    Raises
    ------
    InputError
        Rewards are coded otherwise; the message says how to mend it.
    """
    seen = np.unique(sessions.reward[sessions.choice >= 0])
    if np.isin(seen, (0.0, 1.0)).all():
        return sessions
    if len(seen) == 2 and seen[0] <= 0 < seen[1]:
        warnings.warn(
            f"'reward' is {seen[0]:g} or {seen[1]:g}: {seen[1]:g} counts as rewarded, {seen[0]:g} as unrewarded. "
            "To say so yourself, recode it, e.g. trials['reward'] = (trials.reward > 0) * 1.0.",
            stacklevel=3,
        )
        return sessions._replace(reward=(sessions.reward > 0).astype(float))
    if set(seen) <= {-1.0, 0.0, 1.0}:
        shown = ", ".join(f"{x:g}" for x in seen)
        raise InputError(
            f"'reward' is {shown}, where {purpose} needs 1 (rewarded) or 0 (unrewarded); recode it, e.g. "
            "trials['reward'] = (trials.reward > 0) * 1.0, or neurometa import --reward-coding=-1=0,1=1."
        )
    other = seen[~np.isin(seen, (0.0, 1.0))][0]
    raise InputError(
        f"'reward' is {other:g} somewhere, where {purpose} needs 1 (rewarded) or 0 (unrewarded); say what counts as "
        "rewarded, e.g. trials['reward'] = (trials.reward > 0) * 1.0."
    )


def common_of(trials: xr.Dataset, choice: xr.DataArray) -> xr.DataArray:
    """``common`` as bool, False where no choice was made.

    Raises
    ------
    InputError
        It is absent, or coded otherwise; the message says how to mend it.
    """
    if "common" not in trials:
        hint = (
            "derive it with behaviour.common_transition(trials)"
            if "second_state" in trials
            else "add it, true where the first-stage choice led to its common second-stage state"
        )
        raise InputError(f"The trials have no variable 'common', which says what transition each made; {hint}.")
    dataset.require(trials, common=("trial",))
    if trials.common.dtype == bool:
        return (trials.common & (choice >= 0)).drop_attrs()
    if trials.common.dtype.kind not in "iuf":
        raise InputError(f"'common' is {trials.common.dtype}; it must be true (common) or false (rare).")
    common, made = xr.broadcast(trials.common.drop_attrs(), choice >= 0)
    _refuse_codes("common", common, made, "1 (common) or 0 (rare)", "trials['common'] = trials.common == 1")
    return (common == 1) & made


def common_transition(trials: xr.Dataset, *, leads_to: Sequence[int] = (0, 1)) -> xr.DataArray:
    """Say of each trial of a two-step task whether its transition was the common one.

    Parameters
    ----------
    trials : Dataset
        ``choice`` (first stage, 0 or 1, -1 where missed) and ``second_state`` (0 or 1) over
        ``trial`` and any other dims.
    leads_to : sequence of int
        The second-stage state that each option commonly leads to; ``(1, 0)`` where option 0
        commonly leads to state 1.

    Returns
    -------
    DataArray
        ``common``, bool, over the dims of the two; False where no choice was made.

    Raises
    ------
    InputError
        A variable is absent, or its states are not coded 0 and 1.

    Examples
    --------
    >>> trials = xr.Dataset({"choice": ("trial", [0, 1, 1]), "second_state": ("trial", [0, 0, 1])})
    >>> common_transition(trials).values
    array([ True, False,  True])
    """
    dataset.require(trials, choice=("trial",), second_state=("trial",))
    if sorted(leads_to) != [0, 1]:
        raise InputError(f"leads_to is {leads_to!r}; it must be (0, 1) or (1, 0).")
    state, choice = xr.broadcast(trials.second_state.drop_attrs(), trials.choice.drop_attrs())
    made = dataset.played(trials).broadcast_like(choice).transpose(*choice.dims)
    _refuse_codes("second_state", state, made, "0 or 1", "trials['second_state'] = trials.second_state - 1")
    reached = xr.where(choice == 0, leads_to[0], leads_to[1])
    return ((state == reached) & made).rename("common").assign_attrs(long_name="transition was the common one")


def _refuse_codes(name: str, x: xr.DataArray, made: xr.DataArray, allowed: str, mend: str) -> None:
    seen = x.values[made.values]
    codes = np.unique(seen[np.isfinite(seen)])
    if np.isfinite(seen).all() and np.isin(codes, (0, 1)).all():
        return
    if not np.isfinite(seen).all():
        raise InputError(f"{name!r} is empty somewhere where a choice was made; it must be {allowed} there.")
    shown = ", ".join(f"{code:g}" for code in codes[:4])
    how = f"; it looks coded 1 and 2: recode it, e.g. {mend}" if set(codes) <= {1, 2} else ""
    raise InputError(f"{name!r} is {shown} where a choice was made; it must be {allowed}{how}.")
