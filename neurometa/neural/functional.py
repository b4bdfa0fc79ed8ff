"""Signals explained at every time around an event by a mixed model: functional linear mixed models."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.neural import bands, mixed, smoothing

INTERCEPT = "intercept"
N_DRAWS = 5_000  # curves drawn for the width of a joint band


def functional_mixed_model(
    signal: xr.DataArray,
    regressors: xr.Dataset,
    *,
    group: str = "subject",
    random: str | Sequence[str] = "slopes",
    restricted: bool = True,
    level: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    """Explain a signal at every time by regressors whose effects differ between animals.

    At each time a linear mixed model is fitted by restricted maximum likelihood; its coefficients are smoothed over
    time by penalised splines; bands follow from their covariance between times (functional linear mixed model: Cui et
    al. 2022; Loewinger et al. 2025).

    Parameters
    ----------
    signal : DataArray
        Over ``time`` (s, ascending) and dims of trials, e.g. ``trial``, as of `neurometa.tables.read_signals`. A trial
        with NaN is left out.
    regressors : Dataset
        One variable per regressor, numbers or bools over dims of the trials; an intercept is added. A trial with NaN in
        one of them is left out.
    group : str
        Coordinate or variable of the trials that says which animal each is of: effects are random between them.
    random : {"slopes", "intercept"} or sequence of str
        Which effects differ between animals: all, the intercept alone, or those named, and the intercept.
    restricted : bool
        Whether the likelihood is restricted. AIC and BIC of different regressors can be compared only where it is not.
    level : float
        Coverage of the bands, in (0, 1).
    seed : int
        Fixes the draws from which the width of the joint bands follows.

    Returns
    -------
    Dataset
        Over ``regressor`` and ``time``, in units of the signal per unit of the regressor:

        - ``coef``, smoothed, with its pointwise band ``lower``, ``upper`` and its joint band ``joint_lower``,
          ``joint_upper``, which holds the whole curve with probability `level`; ``coef_raw``, ``se`` before smoothing;
        - ``joint_factor`` (``regressor``): how many times as wide as the pointwise band the joint one is;
        - ``freedom`` (``regressor``) of the t of the bands: the median over time of Satterthwaite's approximation;
        - ``significant``: the joint band excludes 0.

        Over ``time``: ``aic`` and ``bic`` (of all parameters, those of the covariance among them), ``log_likelihood``,
        ``residual_sd``, ``singular`` (some variance of random effects is 0, or some correlation ±1: their model is more
        than the trials bear at that time) and ``converged``. ``random_sd`` (``random``, ``time``): spread between
        animals; ``random_effect`` (`group`, ``random``, ``time``): what each animal adds to ``coef_raw``. The numbers
        ``n`` of trials, ``n_subjects`` and ``n_left_out``.

    Raises
    ------
    InputError
        A dim or variable is missing, a regressor is constant or follows from others, or there are fewer than two
        animals.

    References
    ----------
    Cui, Leroux, Smirnova and Crainiceanu 2022, J Comput Graph Stat 31. Loewinger, Cui, Lovinger and Pereira 2025,
    eLife 13:RP95802. Our bands allow for dependence of the residuals over time, and use t where those use the normal.
    """
    if not 0 < level < 1:
        raise InputError(f"level is {level}; it must lie between 0 and 1.")
    y, x, member, names, labels, n_left_out = _samples(signal, regressors, group)
    which = _random(random, names)
    _check_rank(x, names)
    places = np.array([names.index(name) for name in which])
    of = mixed.products(y, x, member, places)
    fitted = mixed.fit(of, restricted=restricted)
    cov = bands.coefficient_covariance(of, fitted)
    rng = np.random.default_rng(seed)
    found = [_curve(fitted, cov[k], k, level, rng) for k in range(len(names))]
    over = ("regressor", "time")
    n_parameters = len(names) + len(which) * (len(which) + 1) // 2 + 1
    spread = np.sqrt(np.diagonal(fitted.random_cov, axis1=1, axis2=2)).T
    result = xr.Dataset(
        {name: (over, np.array([one[name] for one in found]), {"long_name": text}) for name, text in CURVES.items()}
        | {name: ("regressor", [one[name] for one in found], {"long_name": text}) for name, text in NUMBERS.items()}
        | {
            "log_likelihood": ("time", -fitted.deviance / 2, {"units": "nats"}),
            "aic": ("time", fitted.deviance + 2 * n_parameters, {"long_name": "AIC"}),
            "bic": ("time", fitted.deviance + np.log(len(y)) * n_parameters, {"long_name": "BIC"}),
            "residual_sd": ("time", np.sqrt(fitted.residual_variance), {"long_name": "SD of the residuals"}),
            "singular": ("time", fitted.singular, {"long_name": "covariance of random effects without full rank"}),
            "converged": ("time", fitted.converged, {"long_name": "search that ended"}),
            "random_sd": (("random", "time"), spread, {"long_name": "SD between animals"}),
            "random_effect": ((group, "random", "time"), fitted.random_effect.transpose(1, 2, 0)),
            "n": len(y),
            "n_subjects": len(labels),
            "n_left_out": n_left_out,
        },
        coords={"regressor": names, "random": which, "time": signal.time.values, group: labels},
    )
    units = signal.attrs.get("units", "")
    for name in (*CURVES, "random_effect", "random_sd", "residual_sd"):
        if name != "significant":
            result[name].attrs["units"] = units
    result.time.attrs = {"long_name": "time", "units": "s"} | signal.time.attrs
    about = {"group": group, "restricted": int(restricted), "level": level, "seed": seed}
    return result.assign_attrs(about | {"signal": str(signal.attrs.get("long_name", "signal"))})


CURVES = {
    "coef": "coefficient, smoothed",
    "lower": "lower end of the pointwise band",
    "upper": "upper end of the pointwise band",
    "joint_lower": "lower end of the joint band",
    "joint_upper": "upper end of the joint band",
    "coef_raw": "coefficient",
    "se": "standard error",
    "significant": "joint band excludes 0",
}
NUMBERS = {
    "joint_factor": "width of the joint band over that of the pointwise one",
    "freedom": "degrees of freedom",
    "smoother_freedom": "degrees of freedom of the smoother",
}


def _curve(fitted: mixed.Mixed, cov: np.ndarray, k: int, level: float, rng: np.random.Generator) -> dict[str, object]:
    """One coefficient over time with its bands."""
    from scipy import special

    raw = fitted.coef[:, k]
    smooth, of_smoother = smoothing.smoother(raw)
    coef, cov = smooth @ raw, smooth @ cov @ smooth.T
    freedom = float(np.median(fitted.freedom[:, k]))
    reach = special.stdtrit(freedom, (1 + level) / 2) * np.sqrt(np.diagonal(cov))
    factor = bands.joint_quantile(cov, freedom, level, N_DRAWS, rng)
    return {
        "coef": coef,
        "lower": coef - reach,
        "upper": coef + reach,
        "joint_lower": coef - factor * reach,
        "joint_upper": coef + factor * reach,
        "coef_raw": raw,
        "se": np.sqrt(fitted.coef_cov[:, k, k]),
        "significant": np.abs(coef) > factor * reach,
        "joint_factor": factor,
        "freedom": freedom,
        "smoother_freedom": of_smoother,
    }


def _samples(
    signal: xr.DataArray, regressors: xr.Dataset, group: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], np.ndarray, int]:
    """Complete trials: signal (sample, time), regressors (sample, regressor), animal (sample,), names and labels."""
    if "time" not in signal.dims:
        raise InputError(f"The signal spans {signal.dims}; it must also span 'time'.")
    dims = [dim for dim in signal.dims if dim != "time"]
    if not dims:
        raise InputError("The signal spans 'time' alone; it must also span trials, e.g. 'trial'.")
    if group not in signal.coords and group not in regressors:
        raise InputError(f"The trials do not say which animal each is of: there is no {group!r}.")
    owner = signal[group] if group in signal.coords else regressors[group]
    given = regressors.drop_vars(group, errors="ignore")
    if not given.data_vars:
        raise InputError("There is no regressor to explain the signal by.")
    for name, each in given.data_vars.items():
        if each.dtype.kind not in "biuf":
            raise InputError(f"The regressor {name!r} is {each.dtype}; it must be numbers or bools.")
        if odd := [dim for dim in each.dims if dim not in dims]:
            raise InputError(
                f"The regressor {name!r} spans {each.dims}; it must span dims of the trials {dims}, not {odd}."
            )
    like = signal.isel(time=0, drop=True).reset_coords(drop=True)
    columns = [each.reset_coords(drop=True).broadcast_like(like).transpose(*dims).values for each in given.values()]
    x = np.stack([np.ones(like.size), *(column.ravel().astype(float) for column in columns)], 1)
    y = signal.transpose(*dims, "time").values.reshape(like.size, -1).astype(float)
    who = owner.reset_coords(drop=True).broadcast_like(like).transpose(*dims).values.ravel()
    named = np.array([label is not None and label == label and label != "" for label in who.tolist()])
    used = np.isfinite(y).all(1) & np.isfinite(x).all(1) & named
    if not used.any():
        raise InputError("No trial has the signal at all times, every regressor and an animal.")
    labels, member = np.unique(who[used], return_inverse=True)
    if len(labels) < 2:
        raise InputError(
            f"All {used.sum()} trials are of one {group}, {labels[0]}: how effects differ between animals cannot be "
            f"estimated; give two or more, or a group such as the session."
        )
    return y[used], x[used], member, [INTERCEPT, *map(str, given.data_vars)], labels, int((~used).sum())


def _random(random: str | Sequence[str], names: list[str]) -> list[str]:
    if isinstance(random, str) and random in ("slopes", "intercept"):
        return names if random == "slopes" else [INTERCEPT]
    wanted = [random] if isinstance(random, str) else list(random)
    if odd := [name for name in wanted if name not in names]:
        raise InputError(f"random names {odd}; allowed are 'slopes', 'intercept', or regressors among {names[1:]}.")
    return [name for name in names if name in wanted or name == INTERCEPT]


def _check_rank(x: np.ndarray, names: list[str]) -> None:
    """Raise where a regressor is constant, or follows from those before it."""
    for k, name in enumerate(names[1:], 1):
        if np.ptp(x[:, k]) == 0:
            raise InputError(
                f"The regressor {name!r} is {x[0, k]:g} on all {len(x)} trials: it explains nothing; leave it out."
            )
        before = x[:, :k]
        left = x[:, k] - before @ np.linalg.lstsq(before, x[:, k], rcond=None)[0]
        if (left**2).sum() < 1e-12 * ((x[:, k] - x[:, k].mean()) ** 2).sum():
            raise InputError(
                f"The regressor {name!r} follows from {names[1:k]}, so that their effects cannot be told apart."
            )
    if len(x) <= len(names) + 1:
        raise InputError(f"There are {len(x)} trials for {len(names)} coefficients; there must be more.")
