"""How far a policy is from a reference on the same histories, e.g. from the Bayes-optimal one."""

from typing import Literal

import numpy as np
import xarray as xr
from scipy.special import rel_entr, softmax

from neurometa import exact
from neurometa.behaviour.performance import mean_interval
from neurometa.behaviour.sufficient import counts
from neurometa.dataset import n_options, played, require
from neurometa.errors import InputError


def policy_divergence(
    trials: xr.Dataset,
    policy: exact.bandit.Policy,
    *,
    step: str | None = None,
    ties: Literal["any", "half"] = "any",
) -> xr.Dataset:
    """Compare an agent's policy with a reference policy on the agent's own histories, trial by trial.

    Two agents may earn the same and still decide differently; this asks before each choice what the reference would
    have done with the counts of wins and losses that the agent has seen.

    Parameters
    ----------
    trials : Dataset
        ``choice``, ``reward`` and ``logits`` (..., ``option``) of two arms over ``episode``, ``trial`` and any other
        dims. On a missed or not valid trial there is no divergence, and nothing is counted.
    policy : list of ndarray
        A table of `neurometa.exact`: ``bayes_optimal(independent(), n)[0]``; for anti-correlated arms
        ``greedy(anticorrelated(), n)``, the majority rule.
    step : str, optional
        The step of the choice; needed only where trials have several.
    ties : {"any", "half"}
        A cell of exactly 1/2 in an optimal policy says that both arms are worth the same, so that every mixture of
        them is optimal: with "any" the divergence there is that to the nearest optimal policy, 0. With "half"
        the 1/2 is meant, as in `neurometa.exact.bandit.thompson`.

    Returns
    -------
    Dataset
        Over ``trial`` and the other dims: ``total_variation``, half the sum of absolute differences, in [0, 1], and
        ``kl``, of the agent's policy from the reference (reference's log ratio under the reference), in nats, >= 0
        and infinite where the agent never does what the reference may; ``tie``. NaN where no choice was made.
        Their means over the trials of each episode, averaged over ``episode``: ``total_variation_mean`` and
        ``kl_mean`` with ``_lower`` and ``_upper``, the 95 % interval over episodes (Student's t), and
        ``n_episodes``.

    Raises
    ------
    InputError
        There are not two arms, the logits or a dim are missing, the step is not named, or the policy has another
        shape or too few trials.
    """
    require(trials, choice=("episode", "trial"), reward=("trial",), logits=("trial", "option"))
    if ties not in ("any", "half"):
        raise InputError(f"ties is {ties!r}; it must be 'any' or 'half'.")
    if n_options(trials) != 2 or trials.sizes["option"] != 2:
        raise InputError(f"There are {n_options(trials)} arms; a policy table is for two.")
    logits = _at_step(trials.logits, step).transpose(..., "option")
    made = played(trials)
    counted = counts(trials)
    agent = logits.isel(option=0, drop=True).copy(data=softmax(logits.values.astype(float), -1)[..., 0])
    reference = _looked_up(policy, counted)
    tie = (reference == 0.5) & (ties == "any")
    divergence = xr.apply_ufunc(lambda p, q: rel_entr(q, p) + rel_entr(1 - q, 1 - p), agent, reference)
    found = xr.Dataset(
        {
            "total_variation": abs(agent - reference).where(~tie, 0.0).where(made),
            "kl": divergence.where(~tie, 0.0).where(made),
            "tie": tie,
        }
    )
    found.total_variation.attrs = {"long_name": "total variation from the reference policy"}
    found.kl.attrs = {"long_name": "divergence from the reference policy", "units": "nats"}
    for name in ("total_variation", "kl"):
        mean = found[name].mean("trial")
        finite = (mean.isnull() | (mean < np.inf)).all("episode")
        about = mean_interval(mean.where(finite))
        found[f"{name}_mean"] = mean.mean("episode").assign_attrs(found[name].attrs)
        found[f"{name}_lower"], found[f"{name}_upper"] = about.lower, about.upper
    found["n_episodes"] = found.total_variation.notnull().any("trial").sum("episode")
    return found.assign_attrs(level=0.95, ties=ties)


def _at_step(logits: xr.DataArray, step: str | None) -> xr.DataArray:
    if "step" not in logits.dims:
        return logits
    if logits.sizes["step"] == 1 and step is None:
        return logits.isel(step=0, drop=True)
    known = [str(each) for each in logits.step.values] if "step" in logits.coords else []
    if step not in known:
        raise InputError(f"step is {step!r}; name the step of the choice, one of {known}.")
    return logits.sel(step=step, drop=True)


def _looked_up(policy: exact.bandit.Policy, counted: xr.Dataset) -> xr.DataArray:
    """Probability of arm 0 in the policy's cell of each history."""
    pulls = counted.wins + counted.losses
    before = pulls.sum("arm")
    longest = int(before.max()) + 1
    if len(policy) < longest:
        raise InputError(f"The policy has {len(policy)} trials, but {longest} were played; plan for the whole episode.")
    for trial, table in enumerate(policy):
        exact.bandit.check_shape(trial, table)
    n, (wins0, wins1) = pulls.isel(arm=0).values, (counted.wins.isel(arm=arm).values for arm in (0, 1))
    reference, now = np.empty(before.shape), before.values
    for trial in range(longest):
        here = now == trial
        reference[here] = policy[trial][n[here], wins0[here], wins1[here]]
    return before.drop_vars("arm", errors="ignore").copy(data=reference)
