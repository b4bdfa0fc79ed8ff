"""What can be read from activity by a line: cross-validated by episode, against permuted episodes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa.dataset import require
from neurometa.errors import InputError
from neurometa.neural.held_out import Samples
from neurometa.neural.scoring import LEVEL, decoder, measures


def hidden_state(trials: xr.Dataset, name: str = "hidden", *, step: str | None = None) -> xr.DataArray:
    """Take a run's logged activity at one step of each trial.

    Parameters
    ----------
    trials : Dataset
        A run.
    name : str
        ``"hidden"``, ``"cell"`` or another variable over ``trial`` and ``unit``; or what an agent believes, such as
        ``"latent_mean"`` over ``latent`` or ``"predicted_reward"`` over ``query``, whose numbers are then its units.
    step : str, optional
        Which step; needed only where trials have several.

    Returns
    -------
    DataArray
        Over ``trial``, ``unit`` and the other dims but ``step``.

    Raises
    ------
    InputError
        The activity was not logged, or there are several steps and none or an unknown one is named.
    """
    if name not in trials:
        raise InputError(
            f"The trials hold no {name!r}, so that nothing can be read from it; log it with: neurometa rollout RUN "
            "(in a notebook, rollout.play(..., log=('hidden', 'cell')))."
        )
    activity = trials[name]
    if believed := [dim for dim in ("latent", "query") if dim in activity.dims]:
        activity = activity.rename({believed[0]: "unit"})
    require(activity.to_dataset(name=name), **{name: ("trial", "unit")})
    if "step" not in activity.dims:
        return activity
    steps = [str(each) for each in activity.step.values] if "step" in activity.coords else []
    if activity.sizes["step"] == 1 and step is None:
        return activity.isel(step=0, drop=True)
    if step not in steps:
        raise InputError(f"step is {step!r}; the trials have the steps {steps}, one of which must be named.")
    return activity.sel(step=step, drop=True)


def decode(
    activity: xr.DataArray,
    target: xr.DataArray,
    *,
    dim: str = "episode",
    n_folds: int = 5,
    pool: Sequence[str] | None = None,
    generalise: str | None = None,
    n_permutations: int = 0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Read a variable from activity by ridge or logistic regression, on episodes that it was not fitted to.

    Neighbouring trials are alike, so that a readout which is tested on trials of an episode it has seen can know the
    episode instead of the variable. Folds are therefore blocks of whole episodes, penalties are chosen between the
    blocks of the training set, and chance is what permuted whole episodes give.

    Parameters
    ----------
    activity : DataArray
        Hidden state, firing rates or counts over `dim`, ``unit`` and any other dims. A sample that is NaN or infinite
        in some unit is left out.
    target : DataArray
        Numbers are read by ridge regression, bools and strings by logistic regression (``astype(str)`` makes
        categories of numbers). It spans `dim`; other dims may be absent, or additional to the activity's. NaN, and
        None or "" among strings, is left out: mask missed trials with ``target.where(trials.choice >= 0)``.
    dim : str
        What is held out as a whole: ``episode``, a session, a subject. Folds are contiguous.
    n_folds : int
        How many, at least 3.
    pool : sequence of str, optional
        Dims whose values are further samples for one decoder. By default ``trial``, unless that is `dim` or
        `generalise`. Every value of any other dim (with ``pool=()``, of ``trial`` too) has its own.
    generalise : str, optional
        A dim of time, such as ``trial``, ``step`` or the time bins of a recording: the decoder of each of its values is
        also tested on all the others, in the same folds, over a new dim (``test_trial``, ``test_step``, ...).
    n_permutations : int
        How many times the targets of whole episodes are permuted against the activity. The cost of each is that of
        fitting anew, which is small for numbers.
    seed : int
        Fixes the permutations.
    progress : callable, optional
        Called with the number of decoders done and their total.

    Returns
    -------
    Dataset
        Over the dims that are neither `dim`, ``unit`` nor pooled (and ``test_...``):

        - numbers: ``r_squared`` on all held-out episodes, at most 1 (0: no better than each fold's own mean), with
          ``lower`` and ``upper``; ``correlation`` of target and prediction within folds, averaged over them;
        - categories: ``accuracy`` with ``lower`` and ``upper``; ``balanced_accuracy``, the mean over classes; for two
          classes ``auc``, within folds, averaged over them;
        - ``r_squared_fold`` or ``accuracy_fold``, and ``penalty`` (per sample), over ``fold`` too;
        - ``null`` over ``permutation``, its mean ``chance``, and ``p_value`` = (1 + permutations at least as good) /
          (1 + permutations), if there are any;
        - ``n`` samples from ``n_episodes`` and ``n_left_out``; ``n_constant_units``, which no decoder uses;
        - ``note``: why an estimate is NaN, or "";
        - ``fold_of`` each value of `dim`; held-out ``prediction``, or ``probability`` over ``class``, in the shape of
          the target, unless `generalise`.

        Intervals are 95 %, by the delta method for a ratio of sums over episodes (Student's t, of an accuracy in
        log-odds, so that it stays in [0, 1]); they hold the fitted decoders fixed.

    Raises
    ------
    InputError
        A dim is missing, sizes or labels disagree, there are fewer than 3 folds or fewer episodes than folds, or
        units are NaN on every sample (the message names them).

    References
    ----------
    Ojala and Garriga 2010, J Mach Learn Res 11, test 1 (permutation). Cochran 1977, Sampling Techniques, chapter 6
    (ratio).
    """
    pool = tuple(pool if pool is not None else () if "trial" in (generalise, dim) else ("trial",))
    activity, target = _checked(activity, target, dim, n_folds, pool, generalise)
    pool = tuple(name for name in pool if name in activity.dims)
    classes = None if target.dtype.kind in "iuf" else _classes(target)
    apart = [str(name) for name in (*activity.dims, *target.dims) if name not in (dim, "unit", *pool)]
    apart = sorted(dict.fromkeys(apart), key=lambda name: name == generalise)  # last: its tests are gathered once
    activity, target = activity.transpose(..., dim, *pool, "unit"), _coded(target, classes)
    target = target.broadcast_like(activity.isel(unit=0, drop=True)).transpose(*apart, dim, *pool)
    fold = np.repeat(np.arange(n_folds), [len(part) for part in np.array_split(np.arange(target.sizes[dim]), n_folds)])
    rng = np.random.default_rng(seed)
    orders = np.array([np.arange(len(fold)), *(rng.permutation(len(fold)) for _ in range(n_permutations))])

    def samples(where: dict[str, int]) -> Samples:
        x = activity.isel({name: i for name, i in where.items() if name in activity.dims}).values
        return Samples.of(x.reshape(len(fold), -1, x.shape[-1]), target.isel(where).values.reshape(len(fold), -1))

    times = range(target.sizes[generalise]) if generalise else ()
    places = [dict(zip(apart, i, strict=True)) for i in np.ndindex(*(target.sizes[name] for name in apart))]
    found, tests, tests_of = [], [], None
    for done, where in enumerate(places):
        train, others = samples(where), {name: i for name, i in where.items() if name != generalise}
        if generalise and others != tests_of:
            tests, tests_of = [samples(where | {str(generalise): time}) for time in times], others
        found.append(decoder(train, tests if generalise else [train], fold, orders, classes))
        if progress is not None:
            progress(done + 1, len(places))
    result = _labelled(found, target, apart, (dim, *pool), classes, generalise=generalise)
    result["fold_of"] = xr.DataArray(fold, dims=dim, attrs={"long_name": "fold that it is held out in"})
    attrs = {"held_out": dim, "pooled": ", ".join(pool), "folds": n_folds, "permutations": n_permutations, "seed": seed}
    return result.assign_attrs(attrs, level=LEVEL, target=_name(target), activity=_name(activity))


def _name(x: xr.DataArray) -> str:
    return "" if x.name is None else str(x.name)


def _checked(
    activity: xr.DataArray, target: xr.DataArray, dim: str, n_folds: int, pool: tuple[str, ...], generalise: str | None
) -> tuple[xr.DataArray, xr.DataArray]:
    """Activity and target with the labels they share, or one sentence on what is wrong with them."""
    for name, x, needed in (("activity", activity, (dim, "unit")), ("target", target, (dim,))):
        if missing := tuple(each for each in needed if each not in x.dims):
            raise InputError(f"The {name} spans {x.dims}; it must also span {missing}.")
    if "unit" in target.dims:
        raise InputError("The target spans 'unit'; rename that dim, for a decoder reads from all units together.")
    if n_folds < 3:
        raise InputError(f"n_folds is {n_folds}; it must be at least 3: penalties are chosen between training folds.")
    if activity.sizes[dim] < n_folds:
        raise InputError(
            f"There are {activity.sizes[dim]} values of {dim!r} for {n_folds} folds; play more, or ask for fewer folds."
        )
    if generalise and (generalise not in activity.dims or generalise in (*pool, dim, "unit")):
        raise InputError(
            f"generalise is {generalise!r}; it must be a dim of the activity that is neither pooled nor held out."
        )
    if activity.dtype.kind not in "biuf":
        raise InputError(f"The activity is {activity.dtype}; it must be numbers.")
    for shared in set(activity.dims) & set(target.dims):
        if activity.sizes[shared] != target.sizes[shared]:
            sizes = activity.sizes[shared], target.sizes[shared]
            raise InputError(f"The activity has {sizes[0]} values of {shared!r} and the target {sizes[1]}.")
    _check_units(activity)
    try:
        activity, target = xr.align(activity, target, join="exact", copy=False)
    except ValueError as error:
        raise InputError(f"The labels of activity and target differ: {error}") from error
    return activity.reset_coords(drop=True), target.reset_coords(drop=True)


def _check_units(activity: xr.DataArray) -> None:
    """Raise where units are missing on every sample, so that no sample has them all."""
    missing = xr.DataArray(~np.isfinite(activity))
    samples = [each for each in activity.dims if each != "unit"]
    some = ~missing.all("unit")  # the others are padding
    dead = np.flatnonzero((missing | ~some).all(samples).values)
    if some.any() and dead.size:
        names = activity.unit.values[dead].tolist() if "unit" in activity.coords else dead.tolist()
        first = ", ".join(map(str, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        raise InputError(
            f"Units that are NaN on every sample leave no sample to decode from: {first}. Drop them: "
            f"activity.drop_isel(unit={dead.tolist()[:10]}{' + ...' if len(names) > 10 else ''})"
        )


def _classes(target: xr.DataArray) -> list[Any]:
    values = target.values.ravel()
    return sorted({each for each in values.tolist() if not _absent(each)})


def _absent(label: Any) -> bool:
    return label is None or label == "" or label != label


def _coded(target: xr.DataArray, classes: list[Any] | None) -> xr.DataArray:
    """Numbers as floats, categories as their place among the classes; NaN where there is none."""
    if classes is None:
        return target.astype(float)
    place = {each: float(i) for i, each in enumerate(classes)}
    coded = [place.get(each, np.nan) for each in target.values.ravel().tolist()]
    return target.copy(data=np.array(coded).reshape(target.shape))


LONG_NAMES = {
    "r_squared": "R² on held-out episodes",
    "r_squared_fold": "R² on the held-out fold",
    "correlation": "correlation with the target, held out",
    "accuracy": "accuracy on held-out episodes",
    "accuracy_fold": "accuracy on the held-out fold",
    "balanced_accuracy": "accuracy, mean over classes",
    "auc": "area under the ROC curve",
    "lower": "lower end of the 95 % interval",
    "upper": "upper end of the 95 % interval",
    "chance": "mean over permuted episodes",
    "null": "score with permuted episodes",
    "p_value": "p against permuted episodes",
    "penalty": "ridge penalty per sample",
    "n": "samples",
    "n_episodes": "episodes with samples",
    "n_left_out": "samples left out, as activity or target is missing",
    "n_constant_units": "units that do not vary",
    "note": "why there is no estimate",
}


def _labelled(
    found: list[list[dict[str, Any]]],
    target: xr.DataArray,
    apart: list[str],
    sampled: tuple[str, ...],
    classes: list[Any] | None,
    *,
    generalise: str | None,
) -> xr.Dataset:
    """Give everything its dims; `found` is one list of tests per place."""
    places = tuple(target.sizes[name] for name in apart)
    dims, shape = list(apart), places
    if generalise:
        dims, shape = [*apart, f"test_{generalise}"], (*places, target.sizes[generalise])
    coords = {name: target.indexes[name] for name in target.dims if name in target.indexes}
    if generalise and generalise in coords:
        coords[f"test_{generalise}"] = coords[generalise].rename(f"test_{generalise}")
    result = xr.Dataset(coords=coords)
    extra = {"penalty": ["fold"], f"{measures(classes)[0]}_fold": ["fold"], "null": ["permutation"]}
    for name, long_name in LONG_NAMES.items():
        if name not in found[0][0]:
            continue
        values = np.array([[test[name] for test in each] for each in found], dtype=object if name == "note" else None)
        own = extra.get(name, [])
        result[name] = ([*dims, *own], values.reshape((*shape, *values.shape[2:])), {"long_name": long_name})
    if not generalise:
        values = np.array([each[0]["prediction"] for each in found])
        last = ["class"] if classes is not None else []
        sizes = tuple(target.sizes[name] for name in sampled)
        values = values.reshape((*places, *sizes, *values.shape[3:]))
        name, long_name = ("probability", "probability of the class, held out") if last else ("prediction", "held out")
        result[name] = ([*apart, *sampled, *last], values, {"long_name": long_name})
        if last:
            result = result.assign_coords(
                {"class": np.array(classes, dtype=object if classes and isinstance(classes[0], str) else None)}
            )
    if not result.sizes["permutation"]:
        result = result.drop_vars(["null", "chance", "p_value"])
    return result
