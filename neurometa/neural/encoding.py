"""What single units code: each factor's own part in their activity, beside all other factors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.neural import partial

CORRECTIONS = ("bonferroni", "fdr", "none")


def encode(
    activity: xr.DataArray,
    factors: xr.Dataset,
    *,
    sample: Sequence[str] = ("episode", "trial"),
    dim: str = "episode",
    correction: str = "bonferroni",
    significance: float = 0.05,
    n_permutations: int = 0,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Ask of each unit how far it follows each factor when all the other factors are held fixed.

    Choice, reward and value hang together, so that a unit which codes one seems to code all. Partial correlations and a
    regression on all factors at once give each its own part (Wang et al. 2018, simulations 1 and 2).

    Parameters
    ----------
    activity : DataArray
        Hidden state, firing rates or counts over ``unit``, the dims of `sample` and any others. A sample that is NaN
        in some unit is left out.
    factors : Dataset
        One variable per factor, as of `neurometa.behaviour.coding_factors`: numbers or bools over dims of `sample` and
        any others. A sample that is NaN in one of them is left out.
    sample : sequence of str
        Dims whose values are samples: ``("episode", "trial")`` pools all trials, ``("trial",)`` asks within every
        episode, ``("episode",)`` across episodes at every trial. All other dims pass through.
    dim : str
        What is independent, and permuted as a whole: ``episode``, a session, a subject. Where `sample` holds it and
        another dim, standard errors allow for any dependence within it; else samples count as independent.
    correction : {"bonferroni", "fdr", "none"}
        Of ``p_value`` over units, for each factor: Bonferroni's, or the false discovery rate of Benjamini and Hochberg.
    significance : float
        Of significance, in (0, 1).
    n_permutations : int
        How many times the activity of whole episodes is permuted against the factors, if `dim` is in `sample`. (They
        are ranked once, before.)
    seed : int
        Fixes the permutations.
    progress : callable, optional
        Called with the number of regressions done and their total.

    Returns
    -------
    Dataset
        Over ``factor``, ``unit`` and the dims that pass through:

        - ``spearman`` and ``pearson``: partial correlations in [-1, 1], of ranks and of the numbers themselves;
        - ``coef`` and ``se`` of the regression on all factors and an intercept (activity per unit of the factor), its
          two-sided ``p_value`` (Student's t), ``p_corrected``, and ``significant``: below `significance`;
        - with permutations ``spearman_chance`` and ``pearson_chance``, the means of the absolute correlations, and
          ``spearman_p_value`` and ``pearson_p_value`` = (1 + permutations at least as large) / (1 + permutations);
        - ``share``: of the units that can be tested, those significant; ``spearman_mean``, ``pearson_mean``: absolute
          correlations, mean over units;
        - ``n`` samples, from ``n_episodes`` if `dim` is in `sample`; ``n_left_out``; ``n_constant_units`` that do not
          vary; over ``unit`` its ``note``: why it is NaN, or "".

    Raises
    ------
    InputError
        A dim or the factors are missing, sizes or labels disagree, or an option is outside its range.

    References
    ----------
    Liang and Zeger 1986, Biometrika 73 (standard errors). Benjamini and Hochberg 1995, J R Stat Soc B 57.
    """
    sample = tuple(sample)
    activity, together = _checked(activity, factors, sample, dim, correction, significance, n_permutations)
    names = [str(name) for name in factors.data_vars]
    apart = [str(each) for each in (*activity.dims, *together.dims) if each not in (*sample, "unit", "factor")]
    apart = list(dict.fromkeys(apart))
    clustered = dim in sample and len(sample) > 1
    within = tuple(each for each in sample if each != dim) if clustered else ()
    order = (dim, *within) if clustered else sample
    like = together.isel(factor=0, drop=True)
    activity = activity.broadcast_like(like.isel({name: 0 for name in like.dims if name not in sample}, drop=True))
    activity, together = activity.transpose(..., *order, "unit"), together.transpose(..., *order, "factor")
    sizes = {**dict(activity.sizes), **dict(together.sizes)}
    rng = np.random.default_rng(seed)
    n_first = sizes[order[0]]
    orders = [rng.permutation(n_first) for _ in range(n_permutations)]
    places = list(np.ndindex(*(sizes[name] for name in apart)))
    found = []
    for done, index in enumerate(places):
        where = dict(zip(apart, index, strict=True))
        y = activity.isel({name: i for name, i in where.items() if name in activity.dims}).values
        x = together.isel({name: i for name, i in where.items() if name in together.dims}).values
        y, x = y.reshape(n_first, -1, y.shape[-1]).astype(float), x.reshape(n_first, -1, x.shape[-1])
        found.append(_one(y, x, orders, clustered=clustered))
        if progress is not None:
            progress(done + 1, len(places))
    result = _labelled(found, names, apart, sizes, activity, together)
    result = _corrected(result, correction, significance)
    if dim not in sample:
        result = result.drop_vars("n_episodes")
    about = {"sample": ", ".join(sample), "independent": dim, "correction": correction, "level": significance}
    about |= {"permutations": n_permutations, "seed": seed}
    about |= {"activity": "" if activity.name is None else str(activity.name)}
    return result.assign_attrs(about | {f"factors_{name}": value for name, value in factors.attrs.items()})


def _checked(
    activity: xr.DataArray,
    factors: xr.Dataset,
    sample: tuple[str, ...],
    dim: str,
    correction: str,
    significance: float,
    n_permutations: int,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Activity and factors (..., factor) with the labels they share, or one sentence on what is wrong with them."""
    if not sample:
        raise InputError("sample names no dim; it must name those whose values are samples, e.g. 'episode', 'trial'.")
    if missing := [each for each in (*sample, "unit") if each not in activity.dims]:
        raise InputError(f"The activity spans {activity.dims}; it must also span {tuple(missing)}.")
    if activity.dtype.kind not in "biuf":
        raise InputError(f"The activity is {activity.dtype}; it must be numbers.")
    if not len(factors.data_vars):
        raise InputError("There is no factor to set beside the activity.")
    for name, factor in factors.data_vars.items():
        if factor.dtype.kind not in "biuf":
            raise InputError(f"The factor {name!r} is {factor.dtype}; it must be numbers or bools.")
        if "unit" in factor.dims:
            raise InputError(f"The factor {name!r} spans 'unit'; rename that dim, for every unit has the same factors.")
        for shared in set(factor.dims) & set(activity.dims):
            if factor.sizes[shared] != activity.sizes[shared]:
                count = activity.sizes[shared], factor.sizes[shared]
                raise InputError(
                    f"The activity has {count[0]} values of {shared!r} and the factor {name!r} {count[1]}."
                )
    if correction not in CORRECTIONS:
        raise InputError(f"correction is {correction!r}; allowed are {', '.join(CORRECTIONS)}.")
    if not 0 < significance < 1:
        raise InputError(f"significance is {significance}; it must lie between 0 and 1.")
    if n_permutations < 0:
        raise InputError(f"n_permutations is {n_permutations}; it must be 0 or more.")
    if n_permutations and dim not in sample:
        raise InputError(f"Permutations exchange values of {dim!r}, which is not among the samples {sample}.")
    together = factors.astype(float).to_dataarray("factor")
    if missing := [each for each in sample if each not in together.dims]:
        raise InputError(f"The factors span {tuple(factors.dims)}; together they must also span {tuple(missing)}.")
    try:
        activity, together = xr.align(activity, together, join="exact", copy=False, exclude=("factor", "unit"))
    except ValueError as error:
        raise InputError(f"The labels of activity and factors differ: {error}") from error
    return activity.reset_coords(drop=True), together.reset_coords(drop=True)


def _one(y: np.ndarray, x: np.ndarray, orders: list[np.ndarray], *, clustered: bool) -> dict[str, Any]:
    """Everything about one set of samples: y (cluster, sample, unit), x (cluster, sample, factor)."""
    complete, given = np.isfinite(y).all(-1), np.isfinite(x).all(-1)
    used = complete & given
    n_factors, n_units = x.shape[-1], y.shape[-1]
    own, factor = y[used], x[used]
    cluster = np.broadcast_to(np.arange(len(y))[:, None], used.shape)[used]
    nothing = np.full((n_factors, n_units), np.nan)
    told: dict[str, Any] = dict.fromkeys(MEASURES, nothing)
    told |= {"n": int(used.sum()), "n_episodes": int(used.any(1).sum()), "n_left_out": int((~used).sum())}
    varies = np.ptp(own, axis=0) > 0 if len(own) else np.ones(n_units, bool)
    why = partial.why_not(factor, cluster if clustered else None)
    note = np.where(varies, "", "the unit does not vary").astype(object) if not why else np.full(n_units, why, object)
    told |= {"note": note, "n_constant_units": int((~varies).sum())}
    if why:
        return told
    ranked = partial.ranks(own), partial.ranks(factor)
    fitted = partial.regression(own, factor, cluster if clustered else None)
    true = {"spearman": partial.correlation(*ranked), "pearson": partial.correlation(own, factor)}
    told |= {name: np.where(varies, value, np.nan) for name, value in (fitted._asdict() | true).items()}
    null: dict[str, list[np.ndarray]] = {"spearman": [], "pearson": []}
    of_ranks = _ranks(y, complete), _ranks(x, given)
    for order in orders:
        both = complete[order] & given
        for name, (activity, beside) in (("pearson", (y, x)), ("spearman", of_ranks)):
            permuted, fixed = activity[order][both], beside[both]
            can = not partial.why_not(fixed, None)
            null[name].append(np.abs(partial.correlation(permuted, fixed)) if can else nothing)
    for name, each in null.items():
        if each:
            drawn = np.array(each)
            finite = np.isfinite(drawn)
            larger = (finite & (drawn >= np.abs(told[name]))).sum(0)
            p_value, mean = (1 + larger) / (1 + finite.sum(0)), np.where(finite, drawn, 0).sum(0)
            told[f"{name}_p_value"] = np.where(np.isfinite(told[name]), p_value, np.nan)
            told[f"{name}_chance"] = np.where(np.isfinite(told[name]), mean / np.maximum(finite.sum(0), 1), np.nan)
    return told


def _ranks(x: np.ndarray, there: np.ndarray) -> np.ndarray:
    ranked = np.zeros_like(x)
    ranked[there] = partial.ranks(x[there])
    return ranked


MEASURES = {
    "spearman": "partial rank correlation",
    "pearson": "partial correlation",
    "coef": "regression coefficient",
    "se": "standard error",
    "p_value": "p, two-sided",
    "spearman_chance": "absolute partial rank correlation, permuted episodes",
    "pearson_chance": "absolute partial correlation, permuted episodes",
    "spearman_p_value": "p against permuted episodes",
    "pearson_p_value": "p against permuted episodes",
}
COUNTS = {
    "n": "samples",
    "n_episodes": "episodes with samples",
    "n_left_out": "samples left out, as activity or a factor is missing",
    "n_constant_units": "units that do not vary",
}


def _labelled(
    found: list[dict[str, Any]],
    names: list[str],
    apart: list[str],
    sizes: dict[Any, int],
    activity: xr.DataArray,
    together: xr.DataArray,
) -> xr.Dataset:
    shape = tuple(sizes[name] for name in apart)
    coords: dict[str, Any] = {"factor": np.array(names, dtype=object)}
    for name in (*apart, "unit"):
        indexes = activity.indexes if name in activity.indexes else together.indexes
        if name in indexes:
            coords[name] = indexes[name]
    result = xr.Dataset(coords=coords)
    for name, long_name in MEASURES.items():
        values = np.array([each[name] for each in found])
        permuted = name.split("_", 1)[0] in ("spearman", "pearson") and "_" in name
        if permuted and not np.isfinite(values).any():
            continue
        values = values.reshape((*shape, *values.shape[1:]))
        result[name] = ([*apart, "factor", "unit"], values, {"long_name": long_name})
    note = np.array([each["note"] for each in found], dtype=object)
    result["note"] = (
        [*apart, "unit"],
        note.reshape((*shape, note.shape[-1])),
        {"long_name": "why there is no estimate"},
    )
    for name, long_name in COUNTS.items():
        counted = np.array([each[name] for each in found]).reshape(shape)
        result[name] = (apart, counted, {"long_name": long_name})
    return result


def _corrected(result: xr.Dataset, correction: str, significance: float) -> xr.Dataset:
    """Add p-values corrected over units, and what follows from them."""

    def over_units(p_value: np.ndarray) -> np.ndarray:
        corrected, tested = np.full(p_value.shape, np.nan), np.isfinite(p_value)
        if not tested.any():
            return corrected
        if correction == "bonferroni":
            corrected[tested] = np.minimum(p_value[tested] * tested.sum(), 1.0)
        else:
            from scipy.stats import false_discovery_control

            corrected[tested] = false_discovery_control(p_value[tested]) if correction == "fdr" else p_value[tested]
        return corrected

    p = xr.apply_ufunc(
        over_units, result.p_value, input_core_dims=[["unit"]], output_core_dims=[["unit"]], vectorize=True
    )
    result["p_corrected"] = p.transpose(*result.p_value.dims).assign_attrs(long_name=f"p, {correction} over units")
    result["significant"] = (result.p_corrected < significance).assign_attrs(long_name="significant after correction")
    tested = result.p_value.notnull().sum("unit")
    result["share"] = result.significant.sum("unit") / tested.where(tested > 0)
    result["share"].attrs = {"long_name": "share of units that code it"}
    for name in ("spearman", "pearson"):
        result[f"{name}_mean"] = abs(result[name]).mean("unit")
        result[f"{name}_mean"].attrs = {"long_name": f"absolute {MEASURES[name]}, mean over units"}
    return result
