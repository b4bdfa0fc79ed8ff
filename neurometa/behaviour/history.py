"""What past choices and outcomes weigh in the next choice: regressions on several trials back."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import special

from neurometa.behaviour import logistic
from neurometa.behaviour.encodings import ENCODINGS, INDICES, TERMS, encode
from neurometa.behaviour.sessions import Sessions, arrange, rewarded_or_not
from neurometa.errors import InputError, nearest

PENALTIES = (None, "ridge", "firth")


def history_regression(
    trials: xr.Dataset,
    encoding: str = "lau-glimcher",
    *,
    n_lags: int = 5,
    by: str | None = None,
    pool: str | Sequence[str] = "episode",
    penalty: str | None = None,
    ridge: float = 1.0,
    burn_in: float = 0.0,
) -> xr.Dataset:
    r"""Regress choices on the choices and outcomes of several trials before, by logistic regression.

    .. math:: \operatorname{logit} P(c_t = 1) = b + \sum_{i=1}^{n} \sum_k w_{k,i}\, x_{k,t-i}

    Each regressor :math:`x_k` is signed by the choice, so that a positive weight speaks for repeating it. Lags
    count choices: a missed trial is taken out, and the choice before it is at lag 1 of the one after. A choice
    is predicted if its episode has `n_lags` choices before it; no lag reaches into another episode, nor across a
    gap in the numbers of the trials.

    Where the regressors separate the choices, as they do those of a deterministic agent, the
    likelihood has no maximum. The result is then NaN and says so, unless a penalty is given.

    Parameters
    ----------
    trials : Dataset
        ``choice`` (0 or 1, -1 where missed) and ``reward`` over ``trial``, perhaps ``episode``, and any
        other dims; ``common`` for the encoding ``miller``. All but ``lau-glimcher`` ask for rewards of 0 and 1.
    encoding : str
        A name of ``ENCODINGS``: ``lau-glimcher`` (Lau & Glimcher 2005), ``miller`` (two-step; Miller et al. 2017),
        ``bari``, ``hattori``, ``hattori-2019``, ``su``, ``miller-2021``.
    n_lags : int
        How many choices back.
    by : str, optional
        A coordinate over ``episode``, e.g. ``subject``, each of whose labels has its own weights.
    pool : str or sequence of str
        Dims whose members share the weights; ``()`` fits every episode by itself.
    penalty : {None, "ridge", "firth"}
        ``ridge`` takes ``ridge / 2`` times the sum of squared weights (not of the bias) off the
        log-likelihood; ``firth`` is Jeffreys' prior (Firth 1993).
    ridge : float
        Strength of the ridge, > 0; 1 is a normal prior of SD 1 on each weight.
    burn_in : float
        Share of the trials of each episode, from its beginning, that are not predicted, in [0, 1);
        1/3 in Wang et al. 2018, simulation 1.

    Returns
    -------
    Dataset
        Over the dims that are left (and `by`):

        - ``coef``, ``se`` and ``p_value`` (Wald, two-sided) over ``regressor`` and ``lag`` (from 1),
          in log odds per unit; ``bias``, ``bias_se`` and ``bias_p_value``. Under a penalty the
          errors are from the curvature of the penalised likelihood (of the likelihood for Firth's);
        - ``log_likelihood`` (nats, summed, without the penalty) and ``n_trials`` (predicted);
        - ``converged``; ``separated``: whether there is no maximum without a penalty because of
          separation; ``reason``: why there is none, empty where there is;
        - for ``miller``, ``planning`` and ``model_free``: sums over lags of CR - CU - RR + RU and CR - CU + RR - RU
          (C common, R rare, then R rewarded, U unrewarded), each with ``_se``.

    Raises
    ------
    InputError
        A variable is absent or coded otherwise, there are fewer trials than lags, or an argument
        is wrong.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> history_regression(example(), n_lags=3).coef.sizes
    Frozen({'regressor': 2, 'lag': 3})
    """
    if encoding not in ENCODINGS:
        close = nearest(encoding, list(ENCODINGS))
        raise InputError(f"There is no encoding {encoding!r}.{close} There are: {', '.join(ENCODINGS)}.")
    if penalty not in PENALTIES:
        raise InputError(f"penalty is {penalty!r}; it must be None, 'ridge' or 'firth'.")
    if not (np.isfinite(ridge) and ridge > 0):
        raise InputError(f"ridge is {ridge}; it must be above 0.")
    if not 0 <= burn_in < 1:
        raise InputError(f"burn_in is {burn_in}; it is a share of the trials, from 0 to below 1.")
    transitions = any("common" in TERMS[name] for name in ENCODINGS[encoding])
    pool = (pool,) if isinstance(pool, str) else tuple(pool)
    alone = "episode" in trials.dims and "episode" not in pool
    if alone and by not in (None, "episode"):
        raise InputError(f"by is {by!r}, but pool leaves each episode by itself; pool over 'episode' too.")
    sessions = arrange(trials, by="episode" if alone else by, pool=pool, transitions=transitions)
    n_trials = sessions.choice.shape[-1]
    whole = "the longest run without a gap" if sessions.start.any() else "an episode"
    if isinstance(n_lags, bool) or not 1 <= n_lags < n_trials:
        raise InputError(
            f"n_lags is {n_lags}, and {whole} has {n_trials} trials; allowed are 1 ... {n_trials - 1}, as each "
            "predicted choice needs so many before it."
        )
    if encoding != "lau-glimcher":
        sessions = rewarded_or_not(sessions, f"the encoding {encoding!r}")
    fits, n_predicted, names = _fit(sessions, encoding, n_lags, burn_in, penalty, ridge)
    return _describe(sessions, fits, n_predicted, names, encoding, n_lags, penalty, ridge, burn_in)


def _fit(
    sessions: Sessions, encoding: str, n_lags: int, burn_in: float, penalty: str | None, ridge: float
) -> tuple[logistic.Fits, np.ndarray, tuple[str, ...]]:
    """Fit every group; groups of like length share an array."""
    designs, names = _designs(sessions, encoding, n_lags, burn_in)
    k = 1 + len(names) * n_lags
    strength = np.full(k, ridge)
    strength[0] = 0.0
    length = np.array([len(y) for _, y in designs])
    order, at, parts = np.argsort(length, kind="stable"), 0, []
    while at < len(order):
        longest = max(1.25 * length[order[at]], 64)  # so that little of an array is padding
        end = at + max(1, int((length[order[at:]] <= longest).sum()))
        end = min(end, at + max(1, int(logistic.CELLS / (k * longest))))
        these = order[at:end]
        width = max(1, length[these].max())
        x, y, weight = (np.zeros((len(these), width, *more)) for more in ((k,), (), ()))
        for i, group in enumerate(these):
            n = length[group]
            x[i, :n], y[i, :n] = designs[group]
            weight[i, :n] = 1.0
        parts.append(logistic.fit(x, y, weight, penalty=penalty, ridge=strength))
        at = end
    back = np.argsort(order)
    return logistic.Fits(*(np.concatenate(each)[back] for each in zip(*parts, strict=True))), length, names


def _designs(
    sessions: Sessions, encoding: str, n_lags: int, burn_in: float
) -> tuple[list[tuple[np.ndarray, np.ndarray]], tuple[str, ...]]:
    """Regressors (choice, 1 + regressor × lag) and choices of each (other, group)."""
    n_others = len(sessions.choice)
    made = sessions.choice >= 0
    order = np.argsort(~made, axis=-1, kind="stable")  # the choices first, in order: lags count them alone

    def choices_only(each: np.ndarray) -> np.ndarray:
        return np.take_along_axis(each, order, -1)

    common = None if sessions.common is None else choices_only(sessions.common)
    choice = np.maximum(choices_only(sessions.choice), 0)
    single, names = encode(encoding, choice, choices_only(sessions.reward), common)
    lagged = np.lib.stride_tricks.sliding_window_view(single, n_lags, axis=2)[:, :, :-1, :, ::-1]
    late = order + sessions.start[:, None] >= burn_in * sessions.n_played[..., None] - 1e-9
    scored = (choices_only(made) & late)[..., n_lags:]
    lagged, choice = lagged.reshape(*lagged.shape[:3], -1), choice[..., n_lags:]
    designs = []
    for other in range(n_others):
        for group in range(sessions.n_groups):
            members = sessions.group == group
            rows = scored[other, members]
            x = lagged[other, members][rows]
            designs.append((np.hstack([np.ones((len(x), 1)), x]), choice[other, members][rows].astype(float)))
    return designs, names


def _describe(
    sessions: Sessions,
    fits: logistic.Fits,
    n_predicted: np.ndarray,
    names: tuple[str, ...],
    encoding: str,
    n_lags: int,
    penalty: str | None,
    ridge: float,
    burn_in: float,
) -> xr.Dataset:
    se = np.sqrt(np.einsum("gkk->gk", fits.covariance))
    p_value = 2 * special.ndtr(-np.abs(fits.coef) / se)
    grain, kernel = sessions.dims, (*sessions.dims, "regressor", "lag")
    result = xr.Dataset(coords={"regressor": np.array(names, dtype=object), "lag": np.arange(1, n_lags + 1)})

    def add(name: str, values: np.ndarray, label: str, units: str = "") -> None:
        shape, over = (len(values), 1), grain
        if values.ndim == 2:
            values, over = values.reshape(*shape, len(names), n_lags), kernel
        else:
            values = values.reshape(shape)
        result[name] = (over, sessions.wrap(values), {"long_name": label} | ({"units": units} if units else {}))

    for name, values in {"": fits.coef, "se": se, "p_value": p_value}.items():
        label = {"": "weight", "se": "standard error of the weight", "p_value": "p of the weight"}[name]
        units = "" if name == "p_value" else "log odds"
        add(name or "coef", values[:, 1:], label, units)
        add("_".join(filter(None, ("bias", name))), values[:, 0], label.replace("weight", "bias"), units)
    add("log_likelihood", fits.log_likelihood, "log-likelihood", "nats")
    add("n_trials", n_predicted, "predicted choices")
    add("converged", fits.converged, "there is one best set of weights")
    add("separated", fits.separated, "the regressors separate the choices")
    add("reason", fits.reason, "why there is no maximum without a penalty")
    if encoding == "miller":
        for name, signs in INDICES.items():
            sums = np.concatenate([[0], np.repeat(signs, n_lags)])
            add(name, fits.coef @ sums, f"{name.replace('_', '-')} index", "log odds")
            variance = np.einsum("gkl,k,l->g", fits.covariance, sums, sums)
            add(f"{name}_se", np.sqrt(np.maximum(variance, 0)), "standard error of the index", "log odds")
    result.attrs = {"encoding": encoding, "n_lags": n_lags, "penalty": penalty or "none", "burn_in": burn_in}
    if penalty == "ridge":
        result.attrs["ridge"] = ridge
    return sessions.finish(result)
