"""Estimates of single members compared in their own units: Welch's t, permutations, rank correlation, least squares."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import special

from neurometa.behaviour.group_design import Design

FEWEST = 3  # members with an estimate, below which nothing is said of a parameter


def effects(
    effect: np.ndarray,
    se: np.ndarray,
    df: np.ndarray,
    size: np.ndarray,
    size_se: np.ndarray,
    terms: Sequence[str],
    level: float,
) -> xr.Dataset:
    """Label effects (parameter, term), and add intervals, tests and corrected sizes.

    A size g in SDs is shrunk by 1 - 3 / (4 df - 1) (Hedges 1981); its error is that of the effect and of the SD,
    g / sqrt(2 df), together.
    """
    grain = ("parameter", "term")
    reach = special.stdtrit(df, (1 + level) / 2) * se
    small = 1 - 3 / (4 * df - 1)
    size = size * small
    size_reach = special.ndtri((1 + level) / 2) * np.hypot(size_se * small, size / np.sqrt(2 * df))
    statistic = effect / se
    found = {
        "effect": effect,
        "effect_se": se,
        "df": df,
        "statistic": statistic,
        "p_value": 2 * special.stdtr(df, -np.abs(statistic)),
        "effect_size": size,
    }
    result = xr.Dataset({name: (grain, x) for name, x in found.items()})
    result["effect_interval"] = (("bound", *grain), np.stack([effect - reach, effect + reach]))
    result["effect_size_interval"] = (("bound", *grain), np.stack([size - size_reach, size + size_reach]))
    return result.assign_coords(term=np.array(terms, dtype=object), bound=np.array(["lower", "upper"], dtype=object))


def two_stage(
    fitted: xr.Dataset,
    parameters: Sequence[str],
    group: str,
    design: Design,
    level: float,
    n_permutations: int,
    seed: int,
) -> xr.Dataset:
    """Compare the estimates of members by a design; see `neurometa.behaviour.compare_groups`."""
    bounds = {
        name: (fitted[name].attrs.get("lowest", 0.0), fitted[name].attrs.get("highest", 1.0)) for name in parameters
    }
    free = [name for name, (low, high) in bounds.items() if low < high]
    rng = np.random.default_rng(seed)
    one = {"groups": _groups, "score": _score, "formula": _formula}[design.kind]
    rows = []
    for name in free:
        value, error = (fitted[x].transpose(group).values.astype(float) for x in (name, f"{name}_se"))
        rows.append(one(value, error, design, level, n_permutations, rng))
    result = xr.concat(rows, "parameter", data_vars="all")
    if design.kind == "groups":
        result["n_members"] = ("level", np.bincount(design.code))
    result["estimate"] = (("parameter", group), np.stack([fitted[name].transpose(group).values for name in free]))
    result = result.assign_coords(parameter=np.array(free, dtype=object))
    return result.assign_coords({group: fitted[group].values}) if group in fitted.coords else result


def _groups(
    value: np.ndarray, error: np.ndarray, design: Design, level: float, n_permutations: int, rng: np.random.Generator
) -> xr.Dataset:
    each = [value[(design.code == i) & np.isfinite(value)] for i in range(len(design.labels))]
    n = np.array([len(x) for x in each])
    mean = np.array([x.mean() if len(x) else np.nan for x in each])
    spread = np.array([x.var(ddof=1) if len(x) > 1 else np.nan for x in each])
    with np.errstate(invalid="ignore", divide="ignore"):
        part = spread / n
        effect, se = mean[1:] - mean[0], np.sqrt(part[1:] + part[0])
        df = (part[1:] + part[0]) ** 2 / (part[1:] ** 2 / (n[1:] - 1) + part[0] ** 2 / (n[0] - 1))
        sd = np.sqrt(((n[1:] - 1) * spread[1:] + (n[0] - 1) * spread[0]) / (n[1:] + n[0] - 2))
        size, size_se = effect / sd, np.sqrt(1 / n[1:] + 1 / n[0])
        result = effects(effect[None], se[None], df[None], size[None], size_se[None], design.terms, level)
        reach = special.stdtrit(np.maximum(n - 1, 1), (1 + level) / 2) * np.sqrt(part)
    permuted = [_permuted_welch(each[0], x, n_permutations, rng) for x in each[1:]]
    result["permutation_p_value"] = (("parameter", "term"), np.array([permuted]))
    result["group_mean"] = (("parameter", "level"), mean[None])
    result["group_mean_interval"] = (("bound", "parameter", "level"), np.stack([mean - reach, mean + reach])[:, None])
    result["n"] = ("parameter", [n.sum()])
    if len(each) > 2:
        from statsmodels.stats.oneway import anova_oneway

        enough = all(len(x) > 1 and x.var() > 0 for x in each)
        p = float(anova_oneway(each, use_var="unequal").pvalue) if enough else np.nan
        result["overall_p_value"] = ("parameter", [p])
    return result.assign_coords(level=np.array(design.labels, dtype=object))


def _permuted_welch(a: np.ndarray, b: np.ndarray, n_permutations: int, rng: np.random.Generator) -> float:
    """Share of permuted labels, the observed ones among them, with a Welch's t at least as large (Janssen 1997)."""
    if min(len(a), len(b)) < 2 or not n_permutations:
        return np.nan
    both, n = np.concatenate([a, b]), len(a)
    shuffled = rng.permuted(np.tile(both, (n_permutations, 1)), axis=1)

    def t(x: np.ndarray) -> np.ndarray:
        one, other = x[:, :n], x[:, n:]
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.sqrt(one.var(1, ddof=1) / n + other.var(1, ddof=1) / (x.shape[1] - n))
            return np.nan_to_num(np.abs(one.mean(1) - other.mean(1)) / error, nan=0.0, posinf=np.inf)

    return float((1 + (t(shuffled) >= t(both[None]) - 1e-12).sum()) / (1 + n_permutations))


def _score(
    value: np.ndarray, error: np.ndarray, design: Design, level: float, n_permutations: int, rng: np.random.Generator
) -> xr.Dataset:
    from scipy import stats  # half a second to load

    result = _formula(value, error, design, level, n_permutations, rng)
    fine = np.isfinite(value)
    x, y = design.score[fine], value[fine]
    rho = p = permuted = np.nan
    if fine.sum() >= FEWEST and np.ptp(x) > 0 and np.ptp(y) > 0:
        rho, p = map(float, stats.spearmanr(x, y))
        if n_permutations:
            ranks = [(stats.rankdata(z) - (len(z) + 1) / 2) for z in (x, y)]
            shuffled = rng.permuted(np.tile(ranks[1], (n_permutations, 1)), axis=1)
            least = abs(ranks[0] @ ranks[1]) * (1 - 1e-12)
            permuted = float((1 + (np.abs(shuffled @ ranks[0]) >= least).sum()) / (1 + n_permutations))
    known, reliability = fine & np.isfinite(error), np.nan
    if known.sum() >= FEWEST and np.ptp(value[known]) > 0:
        middle = (
            np.subtract(*np.quantile(value[known], [0.75, 0.25])) / 1.349
        )  # an SD that a wild estimate leaves alone
        reliability = float(np.clip(1 - np.median(error[known]) ** 2 / max(middle**2, 1e-12), 0, 1))
    result["permutation_p_value"] = (("parameter", "term"), [[permuted]])
    for name, number in (("rank_correlation", rho), ("rank_p_value", p), ("reliability", reliability)):
        result[name] = ("parameter", [number])
    return result


def _formula(
    value: np.ndarray, error: np.ndarray, design: Design, level: float, n_permutations: int, rng: np.random.Generator
) -> xr.Dataset:
    from statsmodels.regression.linear_model import OLS

    fine = np.isfinite(value)
    matrix, n_terms = design.matrix[fine], len(design.terms)
    df = int(fine.sum()) - n_terms - 1
    found = [np.full(n_terms, np.nan) for _ in range(4)]
    if df > 0 and np.linalg.matrix_rank(matrix) == n_terms + 1:
        fitted = OLS(value[fine], matrix).fit(cov_type="HC3", use_t=True)
        unit = matrix[:, 1:].std(0, ddof=1) / np.sqrt(fitted.scale)
        found = [fitted.params[1:], fitted.bse[1:], fitted.params[1:] * unit, fitted.bse[1:] * unit]
    effect, se, size, size_se = (x[None] for x in found)
    result = effects(effect, se, np.full(effect.shape, float(max(df, 1))), size, size_se, design.terms, level)
    result["n"] = ("parameter", [fine.sum()])
    return result
