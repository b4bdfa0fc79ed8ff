"""Is a choice repeated? By what the last trial paid, and by whether its transition was the common one.

A model-free learner repeats what paid. One that knows the transitions also leaves what paid
after a rare transition, and repeats what failed after one (Daw et al. 2011; Wang et al. 2016, experiment 5; 2018,
simulation 4).
"""

import numpy as np
import xarray as xr

from neurometa.behaviour.sessions import Sessions, arrange, rewarded_or_not
from neurometa.errors import InputError

OUTCOMES = ("rewarded", "unrewarded")
TRANSITIONS = ("common", "rare")
CONTRASTS = {  # over outcome and transition
    "interaction": np.array([[0.5, -0.5], [-0.5, 0.5]]),
    "main_effect": np.array([[0.5, 0.5], [-0.5, -0.5]]),
}
DRAWS_AT_ONCE = 2_000_000  # weights of clusters held in memory


def stay_probability(
    trials: xr.Dataset,
    *,
    by: str | None = None,
    cluster: str = "episode",
    level: float = 0.95,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    r"""Probability of repeating the last choice, by its outcome and transition, with bootstrap intervals.

    With CR the probability after a common transition and reward, RU after a rare one and no
    reward, and so on, planning shows in the interaction, and repeating what paid in the main effect:

    .. math:: \tfrac12 (CR + RU - RR - CU), \qquad \tfrac12 (CR + RR - CU - RU).

    Two trials are a pair if they are neighbours in one episode and a choice was made on both: a
    missed trial drops the pairs on either side of it, as in Kool et al. 2016, and no pair reaches
    across a gap in the numbers of the trials.

    Parameters
    ----------
    trials : Dataset
        ``choice`` (of the first stage, 0 or 1, -1 where missed), ``reward`` (0 or 1; or two other values, one
        above 0 and one not, which is told by a warning) and
        ``common`` (bool) over ``trial``, perhaps ``episode``, and any other dims; without ``episode``
        they are one. A ``second_choice`` of -1 marks a trial as missed.
    by : str, optional
        A coordinate over ``episode``, e.g. ``subject``, each of whose labels is taken by itself; by
        default all episodes are pooled, in each of the other dims.
    cluster : str
        What is drawn with replacement for the intervals, whole: ``episode``, a coordinate of the
        episodes such as ``subject``, or another dim such as ``agent``, which is then pooled
        too.
    level : float
        Level of the percentile intervals, in (0, 1).
    n_bootstrap : int
        Bootstrap samples.
    seed : int
        Fixes them.

    Returns
    -------
    Dataset
        Over the other dims (and `by`), ``previous_outcome`` (rewarded, unrewarded) and
        ``previous_transition`` (common, rare): ``stay_probability`` in [0, 1], ``n_trials``
        (pairs), ``n_clusters`` (that have any) and ``interval`` over ``bound``. Without the last two dims:
        ``interaction`` and ``main_effect`` in [-1, 1], and ``interaction_interval`` and
        ``main_effect_interval`` over ``bound``. NaN where there is no pair; an interval is NaN
        below two clusters, and leaves draws without any pair out. ``reason`` says why a
        contrast is NaN; it is empty where it is not.

    Raises
    ------
    InputError
        A variable is absent, ``reward`` or ``common`` is coded otherwise (the message says how
        to mend it), or an argument is wrong.

    Examples
    --------
    >>> trials = xr.Dataset(
    ...     {
    ...         "choice": ("trial", [0, 0, 1, 1, 0]),
    ...         "reward": ("trial", [1, 0, 1, 0, 1]),
    ...         "common": ("trial", [True] * 5),
    ...     }
    ... )
    >>> stay = stay_probability(trials).stay_probability
    >>> stay.sel(previous_outcome="rewarded", previous_transition="common").item()
    1.0
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1, e.g. 0.95.")
    if isinstance(n_bootstrap, bool) or n_bootstrap < 1:
        raise InputError(f"n_bootstrap is {n_bootstrap}; it must be 1 or more.")
    pool = (cluster,) if cluster in trials.dims and cluster != "episode" else ()
    sessions = arrange(trials, by=by, pool=pool, cluster=cluster, transitions=True)
    sessions = rewarded_or_not(sessions, "a stay probability")
    n_pairs, n_stays = (by_cluster(each, sessions) for each in count(sessions))
    rng = np.random.default_rng(seed)
    shape = (*n_pairs[0].shape[:1], sessions.n_groups)
    found: dict[str, np.ndarray] = {
        "stay_probability": np.full((*shape, 2, 2), np.nan),
        "interval": np.full((2, *shape, 2, 2), np.nan),
        "n_trials": np.zeros((*shape, 2, 2), np.int64),
        "n_clusters": np.zeros((*shape, 2, 2), np.int64),
    }
    found |= {name: np.full(shape, np.nan) for name in CONTRASTS}
    found |= {f"{name}_interval": np.full((2, *shape), np.nan) for name in CONTRASTS}
    tails = [(1 - level) / 2, (1 + level) / 2]
    for group, (pairs, stays) in enumerate(zip(n_pairs, n_stays, strict=True)):
        found["n_trials"][:, group] = pairs.sum(1)
        found["n_clusters"][:, group] = (pairs > 0).sum(1)
        whole = _ratio(stays.sum(1), pairs.sum(1))
        drawn = _bootstrap(pairs, stays, n_bootstrap, rng)
        few = found["n_clusters"][:, group] < 2
        found["stay_probability"][:, group] = whole
        found["interval"][:, :, group] = np.where(few, np.nan, _quantile(drawn, tails))
        for name, weights in CONTRASTS.items():
            found[name][:, group] = (whole * weights).sum((-1, -2))
            ends = _quantile((drawn * weights).sum((-1, -2)), tails)
            found[f"{name}_interval"][:, :, group] = np.where(few.any((-1, -2)), np.nan, ends)
    return _describe(found, sessions, level, cluster, n_bootstrap, seed)


def count(sessions: Sessions) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbouring trials, and those that stay (other, member, previous outcome, previous transition)."""
    assert sessions.common is not None
    before, after = sessions.choice[..., :-1], sessions.choice[..., 1:]
    pair, stays = (before >= 0) & (after >= 0), before == after
    paid, common = sessions.reward[..., :-1] > 0, sessions.common[..., :-1]
    kinds = [[pair & p & c for c in (common, ~common)] for p in (paid, ~paid)]
    n_pairs = np.array([[kind.sum(-1) for kind in row] for row in kinds])
    n_stays = np.array([[(kind & stays).sum(-1) for kind in row] for row in kinds])
    return tuple(np.moveaxis(each, (0, 1), (-2, -1)) for each in (n_pairs, n_stays))  # type: ignore[return-value]


def by_cluster(counts: np.ndarray, sessions: Sessions) -> list[np.ndarray]:
    """Of each group the counts of its clusters, (other, cluster, outcome, transition)."""
    found = []
    for group in range(sessions.n_groups):
        members = sessions.group == group
        clusters, index = np.unique(sessions.cluster[members], return_inverse=True)
        summed = np.zeros((len(clusters), len(counts), 2, 2), np.int64)
        np.add.at(summed, index, counts[:, members].swapaxes(0, 1))
        found.append(summed.swapaxes(0, 1))
    return found


def _ratio(stays: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return np.where(pairs > 0, stays / np.maximum(pairs, 1), np.nan)


def _bootstrap(pairs: np.ndarray, stays: np.ndarray, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray:
    """Stay probabilities of samples of whole clusters, (draw, other, outcome, transition)."""
    n_others, n = pairs.shape[:2]
    if n < 2:
        return np.full((1, n_others, 2, 2), np.nan)
    flat = [each.transpose(1, 0, 2, 3).reshape(n, -1).astype(float) for each in (stays, pairs)]
    drawn, step = [], max(1, DRAWS_AT_ONCE // n)
    for start in range(0, n_bootstrap, step):
        weight = rng.multinomial(n, np.full(n, 1 / n), size=min(step, n_bootstrap - start)).astype(float)
        drawn.append(_ratio(*(weight @ each for each in flat)))
    return np.concatenate(drawn).reshape(n_bootstrap, n_others, 2, 2)


def _quantile(drawn: np.ndarray, tails: list[float]) -> np.ndarray:
    """Quantiles over the first axis without the NaN; NaN where there is nothing else."""
    empty = np.isnan(drawn).all(0)
    return np.where(empty, np.nan, np.nanquantile(np.where(empty, 0.0, drawn), tails, axis=0))


def _describe(
    found: dict[str, np.ndarray], sessions: Sessions, level: float, cluster: str, n_bootstrap: int, seed: int
) -> xr.Dataset:
    cells = ("previous_outcome", "previous_transition")
    result = xr.Dataset(
        coords={
            "previous_outcome": np.array(OUTCOMES, dtype=object),
            "previous_transition": np.array(TRANSITIONS, dtype=object),
            "bound": np.array(["lower", "upper"], dtype=object),
        }
    )
    for name, values in found.items():
        over = () if name.removesuffix("_interval") in CONTRASTS else cells
        if name.endswith("interval"):
            ends = [sessions.wrap(end) for end in values]
            result[name] = (("bound", *sessions.dims, *over), np.array(ends))
            result[name] = result[name].transpose(*sessions.dims, *over, "bound")
        else:
            result[name] = ((*sessions.dims, *over), sessions.wrap(values))
    result["reason"] = _reason(result.n_trials)
    labels = {
        "stay_probability": "stay probability",
        "interval": f"{level:.0%} interval of the stay probability",
        "n_trials": "pairs of trials",
        "n_clusters": f"clusters ({cluster}) with such pairs",
        "interaction": "outcome × transition, on staying",
        "main_effect": "outcome, on staying",
        "reason": "why there is no contrast",
    }
    for name, label in labels.items():
        result[name].attrs["long_name"] = label
    result.attrs = {"level": level, "cluster": cluster, "n_bootstrap": n_bootstrap, "seed": seed}
    return sessions.finish(result)


def _reason(n_trials: xr.DataArray) -> xr.DataArray:
    total = n_trials.sum(("previous_outcome", "previous_transition"))
    kinds = [(o, t) for o in OUTCOMES for t in TRANSITIONS]

    def say(n: np.ndarray, counts: np.ndarray) -> str:
        if n == 0:
            return "no two neighbouring trials had choices"
        empty = [f"{t} {o}" for (o, t), k in zip(kinds, counts.ravel(), strict=True) if k == 0]
        return f"no trial before a choice was {' or '.join(empty)}" if empty else ""

    return xr.apply_ufunc(
        say,
        total,
        n_trials,
        input_core_dims=[[], ["previous_outcome", "previous_transition"]],
        vectorize=True,
        output_dtypes=[object],
    )
