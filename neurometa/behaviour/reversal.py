"""What is expected of a cue after a reversal: experienced, or inferred from the outcome of the other cue."""

import numpy as np
import xarray as xr

from neurometa.dataset import follows, played, require, valid
from neurometa.errors import InputError

CONDITIONS = ("before discovery", "experienced", "inferred")
ROLES = ("old", "new")
SIGN = {"before discovery": 1.0, "experienced": -1.0, "inferred": -1.0}  # of old minus new


def reversal_conditions(trials: xr.Dataset) -> xr.Dataset:
    """Name the trials around each reversal by what can be known of their cue.

    The first trial after a reversal is ``before discovery``: its cue is shown before any outcome
    has told of the new roles. The second is ``experienced`` where its cue is that of the first, whose new
    outcome has been seen, and ``inferred`` where it is the other one, which has not been seen since.
    It is left out where the roles changed again, or where the first was not answered as its cue
    dictates, so that it had no outcome.

    Parameters
    ----------
    trials : Dataset
        ``cue``, ``rewarded_cue`` and ``reversed`` over ``trial``; any other dims, e.g. ``episode``,
        across which nothing is paired. With ``choice``, a trial is answered if it equals
        ``cue``; without it all are. Where ``valid`` is False a trial is not used.

    Returns
    -------
    Dataset
        ``condition`` (``""`` elsewhere) and ``role``, over ``trial`` and the other dims: ``old`` if the cue was
        rewarded before the reversal, ``new`` if it is rewarded since, ``""`` elsewhere.

    Raises
    ------
    InputError
        A variable is absent, or a cue is neither 0 nor 1.

    References
    ----------
    Wang et al. 2018, simulation 3 and Fig 4; Bromberg-Martin et al. 2010.
    """
    require(trials, cue=("trial",), rewarded_cue=("trial",), reversed=("trial",))
    for name in ("cue", "rewarded_cue"):
        if odd := sorted(set(np.unique(trials[name].values).tolist()) - {0, 1}):
            raise InputError(f"{name!r} holds {odd[0]}; the two cues are 0 and 1.")
    cue, reverses = trials.cue, trials["reversed"].astype(bool)
    shown = valid(trials, "reversed")
    answered = ((trials.choice == cue) & played(trials)) if "choice" in trials else xr.ones_like(reverses)
    first = reverses & shown
    discovered = (first & answered).shift(trial=1, fill_value=False) & follows(trials)
    second = discovered & ~reverses & shown
    same = cue == cue.shift(trial=1, fill_value=-1)
    condition = xr.where(first, CONDITIONS[0], xr.where(second & same, CONDITIONS[1], ""))
    condition = xr.where(second & ~same, CONDITIONS[2], condition)
    # in the trials named the roles are those since the reversal, so that the cue now rewarded is the new one
    role = xr.where(condition == "", "", xr.where(cue == trials.rewarded_cue, "new", "old"))
    return xr.Dataset({"condition": condition.astype(object), "role": role.astype(object)})


def reversal_contrasts(
    x: xr.DataArray,
    trials: xr.Dataset,
    *,
    cluster: str = "episode",
    level: float = 0.95,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    r"""Average a variable by what could be known of the cue, and set inferred beside experienced value.

    A contrast is old minus new before discovery, and new minus old after it, so that each is
    positive for an agent that follows the roles. The ratio is the inferred contrast divided by
    the experienced one: 1 for full inference, below 0 for an agent that goes on to expect the old of
    a cue it has not seen since.

    Parameters
    ----------
    x : DataArray
        What is averaged, over ``trial``, ``episode`` and any dims of `trials`, e.g. the prediction errors at the cue,
        ``neural.rpe(run).sel(event="cue", drop=True)``. NaN is left out.
    trials : Dataset
        As of `reversal_conditions`.
    cluster : str
        What is independent, and is drawn anew in the bootstrap: ``"episode"``, or ``"agent"`` or ``"subject"``, whose
        own means then count alike.
    level : float
        Coverage of the intervals, in (0, 1).
    n_bootstrap : int
        Bootstrap samples.
    seed : int
        Fixes them.

    Returns
    -------
    Dataset
        ``mean``, ``se`` and ``n`` (trials) over ``condition`` and ``role``; ``contrast`` over
        ``condition``, and ``ratio``, each with ``_lower`` and ``_upper`` (percentiles of the bootstrap,
        of which ``se`` is the SD); over the dims that are neither ``trial``, ``episode`` nor `cluster`.
        NaN where a condition never occurs.

    Raises
    ------
    InputError
        A dim is absent, or a setting is outside its range.

    References
    ----------
    Wang et al. 2018, Fig 4b.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    if n_bootstrap < 2:
        raise InputError(f"n_bootstrap is {n_bootstrap}; it must be at least 2.")
    if missing := [dim for dim in dict.fromkeys(("trial", cluster)) if dim not in x.dims]:
        raise InputError(f"What is to be averaged spans {x.dims}; it must also span {missing[0]!r}.")
    named = reversal_conditions(trials)
    within = [dim for dim in ("trial", "episode") if dim in x.dims and dim != cluster]
    sums, counts = [], []
    for condition in CONDITIONS:
        here = [(named.condition == condition) & (named.role == role) & x.notnull() for role in ROLES]
        sums.append(xr.concat([x.where(cell, 0.0).sum(within) for cell in here], "role"))
        counts.append(xr.concat([cell.sum(within) for cell in here], "role"))
    total, n = (xr.concat(parts, "condition").astype(float) for parts in (sums, counts))
    if cluster != "episode":  # every agent or animal counts alike, however many trials it has
        total, each = (total / n.where(n > 0)).fillna(0.0), (n > 0).astype(float)
    else:
        each = n
    rng = np.random.default_rng(seed)
    size = x.sizes[cluster]
    drawn = xr.DataArray(rng.multinomial(size, np.full(size, 1 / size), n_bootstrap), dims=("sample", cluster))
    mean = _named(_ratio(total.sum(cluster), each.sum(cluster)))
    sampled = _named(_ratio(xr.dot(drawn, total, dim=cluster), xr.dot(drawn, each, dim=cluster)))
    found = xr.Dataset({"mean": mean, "se": sampled.std("sample", ddof=1), "n": _named(n.sum(cluster)).astype(int)})
    tails = ((1 - level) / 2, (1 + level) / 2)
    for name, measure in {"contrast": _contrast, "ratio": _inferred_share}.items():
        found[name] = measure(mean)
        ends = _percentiles(measure(sampled), tails)
        found[f"{name}_lower"], found[f"{name}_upper"] = ends.isel(bound=0), ends.isel(bound=1)
    units = {"units": x.attrs["units"]} if "units" in x.attrs else {}
    for name in ("mean", "se", "contrast", "contrast_lower", "contrast_upper"):
        found[name].attrs.update(units)
    return found.assign_attrs(level=level, n_bootstrap=n_bootstrap, cluster=cluster, n_clusters=size)


def _named(x: xr.DataArray) -> xr.DataArray:
    return x.assign_coords(condition=np.array(CONDITIONS, object), role=np.array(ROLES, object))


def _ratio(total: xr.DataArray, n: xr.DataArray) -> xr.DataArray:
    return total / n.where(n > 0)


def _percentiles(sampled: xr.DataArray, tails: tuple[float, float]) -> xr.DataArray:
    """Percentiles over the samples in which the condition occurs; NaN where it never does."""
    known = sampled.notnull().any("sample")
    found = sampled.where(known, 0.0).quantile(tails, "sample", skipna=True)
    return found.drop_vars("quantile").rename(quantile="bound").where(known)


def _contrast(mean: xr.DataArray) -> xr.DataArray:
    sign = xr.DataArray(list(SIGN.values()), dims="condition", coords={"condition": np.array(CONDITIONS, object)})
    return sign * (mean.sel(role="old", drop=True) - mean.sel(role="new", drop=True))


def _inferred_share(mean: xr.DataArray) -> xr.DataArray:
    contrast = _contrast(mean)
    return contrast.sel(condition="inferred", drop=True) / contrast.sel(condition="experienced", drop=True)
