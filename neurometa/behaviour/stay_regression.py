"""Staying as a regression on the last outcome, the last transition and their product, pooled or by subject.

Outcome and transition are +1 (rewarded, common) or -1, so that a weight is half the difference
that it makes in log odds; the product is +1 where a planner stays.
"""

import numpy as np
import xarray as xr
from scipy import optimize, special
from scipy.special import expit

from neurometa.behaviour import logistic
from neurometa.behaviour.sessions import Sessions, arrange, rewarded_or_not
from neurometa.behaviour.stay import by_cluster, count
from neurometa.errors import InputError

REGRESSORS = ("intercept", "outcome", "transition", "outcome x transition")
CELLS = np.array([[1.0, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])  # of CR, RR, CU, RU
UNPAIRED = "no two neighbouring trials had choices"
ALWAYS = "the choice was always repeated, or never"
MOST_SD = 10.0  # of subjects, in log odds


def stay_regression(
    trials: xr.Dataset,
    *,
    by: str | None = None,
    cluster: str = "episode",
    penalty: str | None = None,
    ridge: float = 1.0,
) -> xr.Dataset:
    r"""Logistic regression of staying on outcome, transition and their product, with errors robust to clusters.

    .. math:: \operatorname{logit} P(\text{stay}) = b_0 + b_1 o + b_2 t + b_3\, o t, \qquad o, t = \pm 1

    Trials of one episode are alike for reasons that the regression does not know; the errors are the
    sandwich over clusters with the factor G / (G - 1) · (N - 1) / (N - 4), for G clusters and N pairs.

    Parameters
    ----------
    trials : Dataset
        As for `stay_probability`.
    by : str, optional
        A coordinate over ``episode``, e.g. ``subject``, each of whose labels is fitted by itself.
    cluster : str
        ``episode``, a coordinate of the episodes, or another dim, which is then pooled too.
    penalty : {None, "ridge", "firth"}
        For cells in which every choice, or none, stays (separation); as for `history_regression`.
    ridge : float
        Strength of the ridge on all but the intercept, > 0.

    Returns
    -------
    Dataset
        Over the other dims (and `by`): ``coef``, ``se`` and ``p_value`` (Wald, two-sided) over
        ``regressor``; ``log_likelihood`` (nats), ``n_trials`` (pairs), ``n_clusters``, ``robust`` (False
        below two clusters, where the errors are those of independent trials), ``converged``, ``separated``
        and ``reason`` (why there is no maximum without a penalty; empty where there is one).

    Raises
    ------
    InputError
        As `stay_probability`.
    """
    if penalty not in (None, "ridge", "firth"):
        raise InputError(f"penalty is {penalty!r}; it must be None, 'ridge' or 'firth'.")
    if not (np.isfinite(ridge) and ridge > 0):
        raise InputError(f"ridge is {ridge}; it must be above 0.")
    pool = (cluster,) if cluster in trials.dims and cluster != "episode" else ()
    sessions = arrange(trials, by=by, pool=pool, cluster=cluster, transitions=True)
    sessions = rewarded_or_not(sessions, "a stay regression")
    n_pairs, n_stays = (by_cluster(each, sessions) for each in count(sessions))
    parts = [_robust(pairs, stays, penalty, ridge) for pairs, stays in zip(n_pairs, n_stays, strict=True)]
    found = {name: np.stack([part[name] for part in parts], 1) for name in parts[0]}
    found["p_value"] = 2 * special.ndtr(-np.abs(found["coef"]) / found["se"])
    result = _over_regressors(found, sessions)
    result.attrs = {"cluster": cluster, "penalty": penalty or "none"} | ({"ridge": ridge} if penalty == "ridge" else {})
    return sessions.finish(result)


def _robust(pairs: np.ndarray, stays: np.ndarray, penalty: str | None, ridge: float) -> dict[str, np.ndarray]:
    """Fit one group of clusters, counts (other, cluster, outcome, transition)."""
    pairs, stays = (each.reshape(*each.shape[:2], 4) for each in (pairs, stays))
    n, g = pairs.sum(1), (pairs.sum(-1) > 0).sum(1)
    x = np.broadcast_to(np.tile(CELLS, (2, 1)), (len(n), 8, 4))
    y = np.broadcast_to(np.repeat([1.0, 0.0], 4), (len(n), 8))
    weight = np.concatenate([stays.sum(1), n - stays.sum(1)], -1).astype(float)
    fits = logistic.fit(x, y, weight, penalty=penalty, ridge=np.array([0.0, ridge, ridge, ridge]))
    chance = expit(fits.coef @ CELLS.T)
    score = (stays - pairs * chance[:, None]) @ CELLS
    total, robust = n.sum(-1), g > 1
    factor = g / np.maximum(g - 1, 1) * (total - 1) / np.maximum(total - 4, 1)
    sandwich = fits.covariance @ (score.swapaxes(1, 2) @ score) @ fits.covariance * factor[:, None, None]
    variance = np.einsum("gkk->gk", np.where(robust[:, None, None], sandwich, fits.covariance))
    told = {logistic.UNCHOSEN: UNPAIRED, logistic.ONE_OPTION: ALWAYS}
    return {
        "coef": fits.coef,
        "se": np.sqrt(np.maximum(variance, 0)),
        "log_likelihood": fits.log_likelihood,
        "n_trials": total,
        "n_clusters": g,
        "robust": robust,
        "converged": fits.converged,
        "separated": fits.separated,
        "reason": np.array([told.get(each, each) for each in fits.reason], dtype=object),
    }


def stay_mixed(trials: xr.Dataset, *, group: str = "subject") -> xr.Dataset:
    r"""Logistic regression of staying in which every subject has its own weights, drawn around those of the group.

    The weights of subject s are normal around the group's, independently of each other:
    :math:`b_{sk} \sim N(\mu_k, \sigma_k^2)`. The group's :math:`\mu` and :math:`\sigma` maximise the likelihood
    with the subjects integrated out by Laplace's approximation, as ``glmer(stay ~ o * t + (o * t || subject))`` in
    R's lme4 does (Daw et al. 2011 do likewise).

    Parameters
    ----------
    trials : Dataset
        As for `stay_probability`.
    group : str
        What tells subjects apart: a coordinate over ``episode``, or a dim such as ``agent``.

    Returns
    -------
    Dataset
        Over the other dims: ``coef`` (the group's), ``se`` (from the curvature of the approximate
        likelihood, those SDs held that came out 0), ``p_value`` (Wald, two-sided) and ``subject_sd`` (of the
        subjects' weights, in [0, 10]) over ``regressor``; ``log_likelihood`` (nats, approximate),
        ``n_trials`` (pairs), ``n_subjects``, ``converged`` and ``reason``. NaN, with the reason, below
        two subjects, or where no maximum is found.

    Raises
    ------
    InputError
        As `stay_probability`.
    """
    pool = (group,) if group in trials.dims and group != "episode" else ()
    sessions = arrange(trials, by=None, pool=pool, cluster=group, transitions=True)
    sessions = rewarded_or_not(sessions, "a stay regression")
    (pairs,), (stays,) = (by_cluster(each, sessions) for each in count(sessions))
    parts = [_mixed(n.reshape(-1, 4), k.reshape(-1, 4)) for n, k in zip(pairs, stays, strict=True)]
    found = {name: np.stack([part[name] for part in parts])[:, None] for name in parts[0]}
    found["p_value"] = 2 * special.ndtr(-np.abs(found["coef"]) / found["se"])
    result = _over_regressors(found, sessions)
    result.attrs = {"group": group, "method": "maximum likelihood, Laplace's approximation, independent random effects"}
    return sessions.finish(result)


def _mixed(pairs: np.ndarray, stays: np.ndarray) -> dict[str, np.ndarray]:
    """Fit the subjects of one group, counts (subject, cell)."""
    some = pairs.sum(1) > 0
    pairs, stays = pairs[some].astype(float), stays[some].astype(float)
    found: dict[str, np.ndarray] = {name: np.full(4, np.nan) for name in ("coef", "se", "subject_sd")}
    found |= {
        "log_likelihood": np.array(np.nan),
        "n_trials": np.array(int(pairs.sum())),
        "n_subjects": np.array(len(pairs)),
    }
    found |= {"converged": np.array(False), "reason": np.array("fewer than two subjects have pairs of trials", object)}
    if len(pairs) < 2:
        return found
    guess = np.log((stays.sum(0) + 0.5) / (pairs.sum(0) - stays.sum(0) + 0.5)) @ CELLS / 4
    bounds = [(None, None)] * 4 + [(0.0, MOST_SD)] * 4

    def loss(at: np.ndarray) -> float:
        return -_laplace(at[:4], at[4:], pairs, stays)

    best = optimize.minimize(
        loss, np.concatenate([guess, np.full(4, 0.5)]), bounds=bounds, method="L-BFGS-B", tol=1e-11
    )
    free = np.concatenate([np.ones(4, bool), (best.x[4:] > 1e-3) & (best.x[4:] < MOST_SD)])
    curvature = _curvature(loss, best.x, np.flatnonzero(free))
    sound = bool(np.isfinite(curvature).all() and np.linalg.eigvalsh(curvature)[0] > 0)
    found["coef"], found["subject_sd"] = best.x[:4], best.x[4:]
    found["log_likelihood"], found["converged"] = np.array(-best.fun), np.array(sound and (best.x[4:] < MOST_SD).all())
    found["reason"] = np.array("" if found["converged"] else "the likelihood has no maximum within the bounds", object)
    if not found["converged"]:
        found["coef"], found["subject_sd"] = np.full(4, np.nan), np.full(4, np.nan)
        return found
    found["se"] = np.sqrt(np.diag(np.linalg.inv(curvature)))[:4]
    return found


def _laplace(mean: np.ndarray, sd: np.ndarray, pairs: np.ndarray, stays: np.ndarray) -> float:
    """Log-likelihood with every subject's four weights integrated out around their most probable values."""
    x, deviate = CELLS * sd, np.zeros((len(pairs), 4))  # weights are mean + sd * deviate

    def joint(deviate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log_odds = deviate @ x.T + CELLS @ mean
        value = (stays * log_odds - pairs * np.logaddexp(0, log_odds)).sum(1) - 0.5 * (deviate**2).sum(1)
        return value, log_odds

    value, log_odds = joint(deviate)
    for _ in range(100):
        chance = expit(log_odds)
        hessian = np.einsum("sc,ck,cl->skl", pairs * chance * (1 - chance), x, x) + np.eye(4)
        move = np.linalg.solve(hessian, ((stays - pairs * chance) @ x - deviate)[..., None])[..., 0]
        scale = np.ones((len(pairs), 1))
        for _ in range(30):
            new_value, new_log_odds = joint(deviate + scale * move)
            worse = new_value < value - 1e-10 * (1 + np.abs(value))
            if not worse.any():
                break
            scale[worse] /= 2
        deviate, value, log_odds = deviate + scale * move, new_value, new_log_odds
        if np.abs(move).max() < 1e-9:
            break
    chance = expit(log_odds)
    hessian = np.einsum("sc,ck,cl->skl", pairs * chance * (1 - chance), x, x) + np.eye(4)
    return float((value - 0.5 * np.linalg.slogdet(hessian)[1]).sum())


def _curvature(loss, at: np.ndarray, free: np.ndarray, step: float = 1e-3) -> np.ndarray:
    """Second differences of a function by the free parameters."""
    n = len(free)
    found, here = np.empty((n, n)), loss(at)
    for i in range(n):
        for j in range(i + 1):
            move = [np.zeros_like(at), np.zeros_like(at)]
            move[0][free[i]] = move[1][free[j]] = step
            if i == j:
                found[i, i] = (loss(at + move[0]) - 2 * here + loss(at - move[0])) / step**2
                continue
            corners = [s * t * loss(at + s * move[0] + t * move[1]) for s in (1, -1) for t in (1, -1)]
            found[i, j] = found[j, i] = sum(corners) / (4 * step**2)
    return found


LABELS = {
    "coef": "weight",
    "se": "standard error of the weight",
    "p_value": "p of the weight",
    "subject_sd": "SD of the weight over subjects",
    "log_likelihood": "log-likelihood",
    "n_trials": "pairs of trials",
    "n_clusters": "clusters",
    "n_subjects": "subjects",
    "robust": "errors are robust to clusters",
    "converged": "there is one best set of weights",
    "separated": "some cell always stays, or never",
    "reason": "why there is no maximum",
}


def _over_regressors(found: dict[str, np.ndarray], sessions: Sessions) -> xr.Dataset:
    result = xr.Dataset(coords={"regressor": np.array(REGRESSORS, dtype=object)})
    for name, values in found.items():
        over = ("regressor",) if values.ndim == 3 else ()
        units = {"units": "nats"} if name == "log_likelihood" else {}
        units = {"units": "log odds"} if name in ("coef", "se", "subject_sd") else units
        result[name] = ((*sessions.dims, *over), sessions.wrap(values), {"long_name": LABELS[name]} | units)
    return result
