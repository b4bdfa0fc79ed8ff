"""Where an agent is in a maze, and where it takes the goal to be, read from its activity."""

import xarray as xr

from neurometa.dataset import require
from neurometa.errors import InputError
from neurometa.neural.decoding import decode

PLACES = ("x", "y", "goal x, before", "goal y, before", "goal x, after", "goal y, after")


def places(
    trials: xr.Dataset,
    *,
    name: str = "hidden",
    every: int = 5,
    n_folds: int = 5,
    n_permutations: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Read place and goal from activity, on episodes that the readout was not fitted to.

    Parameters
    ----------
    trials : Dataset
        A run in a maze: ``position`` and ``trial_index`` over ``episode`` and ``time``, ``goal`` over ``trial``, and
        the activity, which was logged over ``time``, too.
    name : str
        ``"hidden"``, ``"cell"`` or another variable over ``time`` and ``unit``.
    every : int
        One step in so many is read: neighbouring steps are alike.
    n_folds, n_permutations, seed
        As of `decode`.

    Returns
    -------
    Dataset
        As of `decode`, over ``target``: ``x`` and ``y`` of the place, and of the goal before its first visit and after
        it, when only memory tells it where it is out of view.

    Raises
    ------
    InputError
        The activity was not logged or is not over time, a variable is absent, or `every` is below 1.
    """
    if every < 1:
        raise InputError(f"every is {every}; it must be at least 1.")
    if name not in trials:
        raise InputError(f"The trials hold no {name!r}; log it with: neurometa rollout RUN")
    grain = ("episode", "time")
    require(trials, **{name: (*grain, "unit")}, position=(*grain, "axis"), goal=("episode", "trial", "axis"))
    some = trials.isel(time=slice(None, None, every))
    activity = some[name]
    index = some.trial_index.astype(int)
    goal = some.goal.isel(trial=index)
    x, y = 0, 1
    before, after = index == 0, (index > 0) & ~some.goal_seen
    targets = [
        *(some.position.isel(axis=axis) for axis in (x, y)),
        *(goal.isel(axis=axis).where(before & ~some.goal_seen) for axis in (x, y)),
        *(goal.isel(axis=axis).where(after) for axis in (x, y)),
    ]
    target = xr.concat(targets, xr.DataArray(list(PLACES), dims="target", name="target")).astype(float)
    target = target.where(some.valid_time)
    found = decode(activity, target, pool=("time",), n_folds=n_folds, n_permutations=n_permutations, seed=seed)
    return found.drop_vars(["prediction"], errors="ignore").assign_attrs(activity=name, every=every, folds=n_folds)
