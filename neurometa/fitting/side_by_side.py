"""Fits of several models to the same trials side by side: information criteria, held-out trials, who used which."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurometa.errors import InputError
from neurometa.fitting.comparison import aic, bic
from neurometa.fitting.group_comparison import compare_models

TOLD = {  # what is said of each fit, in the order of a table
    "n_fits": "fits, or members of groups",
    "n_trials": "scored trials",
    "n_parameters": "free parameters of each fit, or of each group",
    "log_likelihood": "log-likelihood, summed over fits",
    "aic": "Akaike information criterion, summed over fits",
    "bic": "Bayesian information criterion, summed over fits",
    "log_marginal_likelihood": "log marginal likelihood, summed over groups",
    "integrated_bic": "integrated BIC, summed over groups",
    "held_out_log_likelihood": "log-likelihood of held-out trials, summed over fits",
    "exceedance": "probability that most members use this model",
    "protected_exceedance": "the same, allowing for the chance that all are equally frequent",
}


def compare_fits(fits: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Set fits of the same trials side by side, whatever models and ways of fitting they are of.

    Parameters
    ----------
    fits : mapping of str to Dataset
        What `neurometa.behaviour.fit` returned, by any names.

    Returns
    -------
    Dataset
        Over ``fit``: ``model`` and ``method``; ``n_fits``, ``n_trials`` and ``n_parameters``; ``log_likelihood``,
        ``aic`` and ``bic`` (nats, summed over fits), or for hierarchical ones ``log_marginal_likelihood`` and
        ``integrated_bic`` (nats, summed over groups); ``held_out_log_likelihood`` (nats) where a fit has a variable
        of that name; and ``exceedance`` and ``protected_exceedance`` (`compare_models`) among fits of one kind and
        the same members, by log evidence if hierarchical, else by minus half the BIC. NaN where there is no such
        number.

    Raises
    ------
    InputError
        There is no fit, one is of sliding windows or is no fit at all, or two are of different trials.

    Examples
    --------
    >>> from neurometa import behaviour, dataset, models
    >>> trials = dataset.example(n_episodes=20)
    >>> kinds = {"plain": models.RescorlaWagner, "two rates": models.TwoLearningRates}
    >>> sorted(compare_fits({name: behaviour.fit(kind, trials) for name, kind in kinds.items()}).model.values)
    ['RescorlaWagner', 'TwoLearningRates']
    """
    if not fits:
        raise InputError("There is no fit to compare; fit a model first.")
    for name, fitted in fits.items():
        _check(name, fitted)
    _check_same_trials(fits)
    rows = {name: _row(fitted) for name, fitted in fits.items()}
    for names in _comparable(fits):
        evidence = [_evidence(fits[name]).reset_coords(drop=True) for name in names]
        found = compare_models(xr.concat(evidence, "model").stack(member=evidence[0].dims), "member")
        for k, name in enumerate(names):
            for kind in ("exceedance", "protected_exceedance"):
                rows[name][kind] = float(found[kind][k])
    result = xr.Dataset(
        {
            "model": ("fit", np.array([fitted.attrs["model"] for fitted in fits.values()], dtype=object)),
            "method": ("fit", np.array([method_of(fitted) for fitted in fits.values()], dtype=object)),
            **{kind: ("fit", [row.get(kind, np.nan) for row in rows.values()]) for kind in TOLD},
        },
        coords={"fit": np.array(list(fits), dtype=object)},
    )
    for kind, text in TOLD.items():
        nats = {} if kind.startswith("n_") or "exceedance" in kind else {"units": "nats"}
        result[kind].attrs = {"long_name": text, **nats}
    return result


def method_of(fitted: xr.Dataset) -> str:
    """How a fit was made: ``"ml"``, ``"map"`` or ``"group"``."""
    if "log_marginal_likelihood" in fitted:
        return "group"
    return "map" if fitted.attrs.get("method") == "MAP" else "ml"


def _check(name: str, fitted: xr.Dataset) -> None:
    if not {"model", "n_parameters"} <= fitted.attrs.keys() or "n_trials" not in fitted:
        raise InputError(f"{name} is no fit of a model: it has no 'n_trials', or does not say its 'model'.")
    if "window" in fitted.attrs or "trial" in fitted.n_trials.dims:
        raise InputError(f"{name} is of sliding windows, each of other trials; leave it out.")


def _check_same_trials(fits: Mapping[str, xr.Dataset]) -> None:
    """Raise unless all fits score the same trials of the same file."""
    (first, one), *others = fits.items()
    for name, other in others:
        made, made_other = one.attrs.get("created"), other.attrs.get("created")
        if made is not None and made_other is not None and made != made_other:
            raise InputError(f"{first} and {name} are of different trials: these were made at {made} and {made_other}.")
        n, m = one.n_trials, other.n_trials
        if set(n.dims) == set(m.dims) and n.sizes == m.sizes:
            same = bool((n.values == m.transpose(*n.dims).values).all())
        else:
            same = int(n.sum()) == int(m.sum())
        if not same:
            raise InputError(
                f"{first} and {name} are of different trials: they score {int(n.sum())} and {int(m.sum())}. Fit both "
                "to the same ones."
            )


def _row(fitted: xr.Dataset) -> dict[str, float]:
    n_fits = int((fitted.n_trials > 0).sum())
    row = {"n_fits": n_fits, "n_trials": int(fitted.n_trials.sum()), "n_parameters": int(fitted.attrs["n_parameters"])}
    if method_of(fitted) == "group":
        kinds = {kind: fitted[kind] for kind in ("log_marginal_likelihood", "integrated_bic")}
    else:
        kinds = {"log_likelihood": fitted.log_likelihood, "aic": aic(fitted), "bic": bic(fitted)}
    if "held_out_log_likelihood" in fitted:
        kinds["held_out_log_likelihood"] = fitted.held_out_log_likelihood
    return row | {kind: float(each.sum(min_count=1)) for kind, each in kinds.items()}


def _comparable(fits: Mapping[str, xr.Dataset]) -> list[list[str]]:
    """Names of the fits among which members can be said to use one or another, two at least."""
    found: dict[tuple, list[str]] = {}
    for name, fitted in fits.items():
        evidence = _evidence(fitted)
        if evidence.size > 1 and evidence.notnull().any():
            found.setdefault((method_of(fitted), evidence.dims, evidence.shape), []).append(name)
    return [names for names in found.values() if len(names) > 1]


def _evidence(fitted: xr.Dataset) -> xr.DataArray:
    """Log evidence of each fit or member, in nats, or what stands for it."""
    found = fitted.log_evidence if method_of(fitted) == "group" else -bic(fitted) / 2
    return found.transpose(*sorted(map(str, found.dims)))
