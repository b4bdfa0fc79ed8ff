"""How far an agent's states and an animal's neurons agree by type of trial, cross-validated, beside a noise ceiling."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.neural import similarity

MEASURES = ("linear", "procrustes", "cka", "rsa")
GRAIN = ("episode", "trial")
ENOUGH = 4  # types of trials that both halves must hold


def trial_types(factors: xr.Dataset) -> xr.DataArray:
    """Number the combinations of factors that occur, -1 where one is missing.

    Parameters
    ----------
    factors : Dataset
        Variables over ``episode`` and ``trial`` of few values each, NaN where there is none.

    Returns
    -------
    DataArray
        int over ``episode`` and ``trial``; the attribute ``types`` names them in order.
    """
    stacked = np.stack([factors[name].transpose(*GRAIN).values.astype(float) for name in factors], -1)
    known = np.isfinite(stacked).all(-1)
    kinds, which = np.unique(stacked[known], axis=0, return_inverse=True)
    found = np.full(known.shape, -1)
    found[known] = which.ravel()
    names = [", ".join(f"{name} {x:g}" for name, x in zip(factors, kind, strict=True)) for kind in kinds]
    return xr.DataArray(found, dims=GRAIN, attrs={"types": names})


def align(
    populations: Mapping[str, xr.DataArray],
    animal: xr.DataArray,
    types: xr.DataArray,
    *,
    n_splits: int = 20,
    n_shuffles: int = 20,
    seed: int = 0,
) -> xr.Dataset:
    """Set populations, such as an agent's units, beside an animal's neurons by type of trial.

    Episodes (sessions or blocks) are halved at random, again and again. In each half activity is averaged by type of
    trial. A linear (ridge) map and a rotation are fitted from population to neurons in one half and scored in the
    other; kernels (CKA, without bias) and distances (RSA) of the population in one half are compared with the neurons'
    in the other. What is at best to be reached follows from the agreement of the neurons' two halves.

    Parameters
    ----------
    populations : mapping of str to DataArray
        Each over ``episode``, ``trial``, ``unit`` and perhaps ``agent_step``.
    animal : DataArray
        Over ``episode``, ``trial``, ``unit`` and perhaps ``step``: time around an event.
    types : DataArray
        As of `trial_types`.
    n_splits : int
        Halvings.
    n_shuffles : int
        How often whole episodes of the populations, with their types, are exchanged against the neurons'.
    seed : int
        Fixes halvings and shuffles.

    Returns
    -------
    Dataset
        ``alignment`` over ``measure``, ``population``, ``agent_step`` and ``step``: share of the neurons' variance over
        types that is explained (``linear``, ``procrustes``; below 0 where worse than nothing), and similarity (``cka``,
        ``rsa``), means over splits and directions, with ``lower`` and ``upper``, the 2.5th and 97.5th percentiles over
        splits; ``ceiling`` (``measure``, ``step``); ``shuffled`` and ``p_value`` = (1 + shuffles at least as large) /
        (1 + shuffles); ``n_types`` used, at least, and ``n_trials``.

    Raises
    ------
    InputError
        Sizes differ, there are fewer than four episodes, or fewer than four types in every half.
    """
    _check(populations, animal, types, n_splits)
    rng = np.random.default_rng(seed)
    code = types.transpose(*GRAIN).values
    neurons, steps = _stack(animal, "step")
    sources = {name: _stack(x, "agent_step") for name, x in populations.items()}
    n_episodes = len(code)
    halves = [np.isin(np.arange(n_episodes), rng.permutation(n_episodes)[: n_episodes // 2]) for _ in range(n_splits)]
    orders = [rng.permutation(n_episodes) for _ in range(n_shuffles)]
    alone = {name: [_sums(x, code) for x in own] for name, (own, _) in sources.items()}
    beside = [_sums(y, code) for y in neurons]
    counts = _counts(code)
    mixed = [[_sums(y[order], code) for y in neurons] for order in orders]
    found: dict[str, list[np.ndarray]] = {"score": [], "ceiling": [], "shuffled": []}
    used = []
    for half in halves:
        kept = (counts[half].sum(0) > 0) & (counts[~half].sum(0) > 0)
        if kept.sum() < ENOUGH:
            raise InputError(f"A half of the episodes holds {int(kept.sum())} types of trials; {ENOUGH} are needed.")
        used.append(int(kept.sum()))
        sides = [_averages(beside, counts, side, kept) for side in (half, ~half)]
        found["ceiling"].append(np.array([_ceilings(a, b) for a, b in zip(*sides, strict=True)]))
        own = {name: [_averages(each, counts, side, kept) for side in (half, ~half)] for name, each in alone.items()}
        found["score"].append(_all_scores(own, sides))
    for other in mixed:
        half = halves[0]
        kept = (counts[half].sum(0) > 0) & (counts[~half].sum(0) > 0)
        sides = [_averages(other, counts, side, kept) for side in (half, ~half)]
        own = {name: [_averages(each, counts, side, kept) for side in (half, ~half)] for name, each in alone.items()}
        found["shuffled"].append(_all_scores(own, sides))
    arrays = {name: np.array(each) for name, each in found.items()}
    agent_steps = next(iter(sources.values()))[1]
    return _labelled(arrays, list(sources), agent_steps, steps, used, int((code >= 0).sum()), seed)


def _check(populations: Mapping[str, xr.DataArray], animal: xr.DataArray, types: xr.DataArray, n_splits: int) -> None:
    if n_splits < 1:
        raise InputError(f"n_splits is {n_splits}; it must be at least 1.")
    for name, each in {**populations, "animal": animal}.items():
        if missing := [dim for dim in (*GRAIN, "unit") if dim not in each.dims]:
            raise InputError(f"The activity of {name!r} spans {each.dims}; it must also span {missing}.")
        sizes = tuple(each.sizes[dim] for dim in GRAIN)
        if sizes != tuple(types.sizes[dim] for dim in GRAIN):
            raise InputError(f"The activity of {name!r} is of {sizes} episodes and trials, the types of {types.shape}.")
    if types.sizes["episode"] < 4:
        raise InputError(
            f"There are {types.sizes['episode']} episodes; halves are of whole episodes, so that there must be "
            "four or more (sessions, or the blocks of one)."
        )


def _stack(activity: xr.DataArray, dim: str) -> tuple[list[np.ndarray], list[str]]:
    if dim not in activity.dims:
        activity = activity.expand_dims({dim: ["all"]})
    parts = [activity.isel({dim: k}).transpose(*GRAIN, "unit").values.astype(float) for k in range(activity.sizes[dim])]
    return parts, [str(each) for each in activity[dim].values]


def _counts(code: np.ndarray) -> np.ndarray:
    """Trials of each type, (episode, type)."""
    return np.stack([(code == each).sum(1) for each in range(code.max() + 1)], 1).astype(float)


def _sums(x: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Activity summed by type, (episode, type, unit); a trial without activity counts as of the episode's mean."""
    there = np.isfinite(x).all(-1)
    usual = np.nanmean(np.where(there[..., None], x, np.nan), axis=(0, 1))
    x = np.where(there[..., None], x, usual)
    picked = (code[..., None] == np.arange(code.max() + 1)).astype(float)
    return np.einsum("etk,etu->eku", picked, x, optimize=True)


def _averages(sums: list[np.ndarray], counts: np.ndarray, side: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    n = counts[side].sum(0)[kept, None]
    return [each[side].sum(0)[kept] / n for each in sums]


def _all_scores(own: dict[str, list[list[np.ndarray]]], sides: list[list[np.ndarray]]) -> np.ndarray:
    """(measure, population, agent step, step), means over both directions."""
    found = [
        [
            [np.mean([_scores(*x, *y), _scores(*x[::-1], *y[::-1])], 0) for y in zip(*sides, strict=True)]
            for x in zip(*halves, strict=True)
        ]
        for halves in own.values()
    ]
    return np.moveaxis(np.array(found), -1, 0)


def _scores(x: np.ndarray, x_test: np.ndarray, y: np.ndarray, y_test: np.ndarray) -> list[float]:
    """One direction: fitted on one half, scored on the other."""
    if not np.ptp(x, axis=0).any() or not np.ptp(x_test, axis=0).any():
        return [np.nan] * len(MEASURES)
    x_test = x_test - x_test.mean(0)
    return [
        similarity.explained(x_test @ similarity.linear(x, y), y_test),
        similarity.explained(x_test @ similarity.rotation(x, y), y_test),
        similarity.cka(x, y_test, debiased=True),
        similarity.rsa(x, y_test),
    ]


def _ceilings(y: np.ndarray, y_test: np.ndarray) -> list[float]:
    """What a population without noise of its own would reach: from the agreement of the neurons' halves."""
    one, other = y - y.mean(0), y_test - y_test.mean(0)
    shared = float(2 * (one * other).sum() / ((one**2).sum() + (other**2).sum()))
    kernel, ranks = similarity.cka(y, y_test, debiased=True), similarity.rsa(y, y_test)
    return [shared, shared, float(np.sqrt(max(kernel, 0))), float(np.sqrt(max(ranks, 0)))]


def _labelled(
    found: dict[str, np.ndarray],
    names: list[str],
    agent_steps: list[str],
    steps: list[str],
    used: list[int],
    n_trials: int,
    seed: int,
) -> xr.Dataset:
    over = ("measure", "population", "agent_step", "step")
    score = found["score"]
    result = xr.Dataset(
        {
            "alignment": (over, score.mean(0), {"long_name": "alignment by type of trial"}),
            "lower": (over, np.percentile(score, 2.5, axis=0)),
            "upper": (over, np.percentile(score, 97.5, axis=0)),
            "ceiling": (("step", "measure"), found["ceiling"].mean(0), {"long_name": "noise ceiling"}),
            "n_types": min(used),
            "n_trials": n_trials,
        },
        coords={
            "measure": list(MEASURES),
            "population": np.array(names, dtype=object),
            "agent_step": np.array(agent_steps, dtype=object),
            "step": np.array(steps, dtype=object),
        },
    )
    if len(found["shuffled"]):
        null = found["shuffled"]
        result["shuffled"] = (over, null.mean(0), {"long_name": "with whole episodes exchanged"})
        result["p_value"] = (over, (1 + (null >= score.mean(0)).sum(0)) / (1 + len(null)))
    return result.assign_attrs(n_splits=len(score), n_shuffles=len(found["shuffled"]), seed=seed)
