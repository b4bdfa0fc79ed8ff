"""Which model do members of a group use, when not all need use the same: random-effects comparison."""

import numpy as np
import xarray as xr
from scipy import integrate, special

from neurometa.errors import InputError

MANY = 10_000  # iterations; some tens are the rule
STILL = 1e-10  # of a count of members


def compare_models(log_evidence: xr.DataArray, dim: str = "subject", *, model: str = "model") -> xr.Dataset:
    r"""Compare models whose frequency in the population is unknown (Stephan et al. 2009; Rigoux et al. 2014).

    Frequencies :math:`r` have a flat Dirichlet prior, each member draws its model from them, and the
    posterior of both is found by variational Bayes:

    .. math:: u_{nk} = \exp\left(\ln p(y_n \mid k) + \psi(\alpha_k) - \psi(\textstyle\sum_j \alpha_j)\right),\quad
              \alpha_k = 1 + \sum_n u_{nk} / \sum_j u_{nj}

    Parameters
    ----------
    log_evidence : DataArray
        Log evidence in nats of each model for each member, e.g. ``log_evidence`` of hierarchical fits
        put together with `xarray.concat`, or minus half the BIC. Minus infinity says that the member cannot have
        used the model. Members at which any is NaN, or no model is possible, are left out.
    dim : str
        The dim of the members.
    model : str
        The dim of the models.

    Returns
    -------
    Dataset
        Over `model` and any other dims: ``frequency``, its posterior mean, and ``frequency_interval``
        over ``bound`` (95 %); ``exceedance``, the probability that it is the most frequent one; and
        ``protected_exceedance``, which allows for the chance that all are equally frequent. Over the other
        dims: ``omnibus_risk``, the posterior probability of just that, and ``n`` members. Over
        `dim`: ``responsibility``, the probability that the member used the model.

    Raises
    ------
    InputError
        A dim is absent, there are fewer than two models, or no member has all evidences.

    Examples
    --------
    >>> one = xr.DataArray([[0.0, -5.0]] * 12, dims=("subject", "model"))
    >>> round(float(compare_models(one).protected_exceedance[0]), 2)
    1.0
    """
    for name in (dim, model):
        if name not in log_evidence.dims:
            raise InputError(f"The log evidences span {log_evidence.dims}; they must span {name!r}, too.")
    if log_evidence.sizes[model] < 2:
        raise InputError(f"There is 1 model along {model!r}; a comparison needs two at least.")
    others = [each for each in log_evidence.dims if each not in (dim, model)]
    arranged = log_evidence.transpose(*others, dim, model)
    flat = arranged.values.reshape(-1, *arranged.shape[-2:])
    if np.isposinf(flat).any():
        raise InputError("A log evidence is infinite; it must be finite, or NaN where there is none.")
    rows = []
    for one in flat:
        known = ~np.isnan(one).any(1) & np.isfinite(one).any(1)
        if not known.any():
            raise InputError(f"No member along {dim!r} has a log evidence of every model.")
        rows.append(_compare(one, known))
    shape = [log_evidence.sizes[each] for each in others]
    whole = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    whole = {name: each.reshape((*shape, *each.shape[1:])) for name, each in whole.items()}
    grain = {"omnibus_risk": [], "n": [], "responsibility": [dim, model], "frequency_interval": [model, "bound"]}
    result = xr.Dataset(
        {name: ([*others, *grain.get(name, [model])], each) for name, each in whole.items()},
        coords={**log_evidence.coords, "bound": np.array(["lower", "upper"], dtype=object)},
    )
    told = {
        "frequency": "frequency of the model",
        "frequency_interval": "95 % interval of the frequency of the model",
        "exceedance": "probability of being most frequent",
        "protected_exceedance": "protected probability of being most frequent",
        "omnibus_risk": "probability that all models are equally frequent",
        "responsibility": "probability that the member used the model",
        "n": "members",
    }
    for name, text in told.items():
        result[name].attrs = {"long_name": text}
    return result


def _compare(log_evidence: np.ndarray, known: np.ndarray) -> dict[str, np.ndarray]:
    """Compare from log evidences (member, model)."""
    n_models, evidence = log_evidence.shape[1], log_evidence[known]
    evidence = evidence - evidence.max(1, keepdims=True)
    count = 1 + np.full(n_models, len(evidence) / n_models)
    for _ in range(MANY):
        share = special.softmax(evidence + special.psi(count), axis=1)
        last, count = count, 1 + share.sum(0)
        if np.abs(count - last).max() < STILL:
            break
    differ, alike = _free_energy(evidence, share, count), special.logsumexp(evidence - np.log(n_models), axis=1).sum()
    risk = special.expit(alike - differ)
    exceeds = exceedance(count)
    rest = count.sum() - count
    responsibility = np.full(log_evidence.shape, np.nan)
    responsibility[known] = share
    return {
        "frequency": count / count.sum(),
        "frequency_interval": np.stack([special.betaincinv(count, rest, end) for end in (0.025, 0.975)], axis=-1),
        "exceedance": exceeds,
        "protected_exceedance": (1 - risk) * exceeds + risk / n_models,
        "omnibus_risk": np.array(risk),
        "n": np.array(len(evidence)),
        "responsibility": responsibility,
    }


def _free_energy(evidence: np.ndarray, share: np.ndarray, count: np.ndarray) -> float:
    """Lower bound on the log evidence of unequal frequencies, in nats (Rigoux et al. 2014, appendix)."""
    n_models = len(count)
    log_frequency = special.psi(count) - special.psi(count.sum())
    possible = np.where(share > 0, evidence, 0.0)  # minus infinity has no share
    joint = special.gammaln(n_models) + (share * (possible + log_frequency)).sum()
    of_frequencies = special.gammaln(count).sum() - special.gammaln(count.sum()) - ((count - 1) * log_frequency).sum()
    return float(joint + of_frequencies + special.entr(share).sum())


def exceedance(count: np.ndarray) -> np.ndarray:
    """Probability that each share of a Dirichlet distribution is the largest (model,).

    By one integral: shares are gamma variables over their sum, so that one is the largest where all
    other gamma variables lie below it.

    Parameters
    ----------
    count : float array (model,)
        Parameters of the distribution, > 0.
    """
    found = []
    for k, own in enumerate(count):
        others = np.delete(count, k)
        low, high = special.gammaincinv(own, 1e-14), special.gammainccinv(own, 1e-14)

        def density(x: float, own: float = own, others: np.ndarray = others) -> float:
            largest = np.exp((own - 1) * np.log(x) - x - special.gammaln(own))
            return float(largest * special.gammainc(others, x).prod())

        found.append(integrate.quad(density, low, high, limit=500, points=[own], epsabs=1e-12)[0])
    return np.array(found) / np.sum(found)
