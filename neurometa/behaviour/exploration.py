"""How arms that keep still are tried and left, and how far that is from Gittins indices on the same histories."""

import numpy as np
import xarray as xr
from scipy.special import log_softmax, logsumexp

from neurometa import exact
from neurometa.behaviour.performance import mean_interval
from neurometa.dataset import n_options, played, require
from neurometa.errors import InputError

TIED = 1e-6  # indices as near as this are alike: tables are right to 1e-4, and their cells of alike arms the same
LONG_DISCOUNT = 0.995  # of the index in episodes longer than tables of all trials left go
MOST_PULLS = 50  # of an arm before it is left; more are counted with these


def exploration(trials: xr.Dataset, *, discount: float | None = None) -> xr.Dataset:
    r"""Ask how many arms are tried, after how many pulls they are left for good, and what an index would have done.

    Before each choice the wins and losses that the agent has seen of each arm give the Gittins index of a uniform
    prior. The agent agrees where it takes an arm :math:`a` of the highest index. Its divergence is that from the
    nearest policy that does so, :math:`-\log \sum_{a \in A^*} \pi(a)`, :math:`A^*` being the arms of highest index.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` (0 or 1) over ``episode`` and ``trial``; with ``logits`` the divergence is worked out,
        with ``reward_prob`` whether the best arm is left. Trials that were missed, or not valid, change nothing.
    discount : float, optional
        Of the index, in (0, 1), at most .999; by default that of all trials left, and of .995 where they are more than
        a table goes to.

    Returns
    -------
    Dataset
        Over ``trial``: ``n_tried``, arms tried by then, and ``agreement``, share of choices of an arm of the highest
        index, means over episodes; ``kl`` (nats), if there are logits. Over ``pulls``: ``p_left``, the share of arms
        that are left for good after so many pulls, of all that are (the last value: as many or more); an arm that is
        chosen last in an episode is not left, and ``n_left`` are. Means over episodes and their 95 % intervals
        (``_mean``, ``_interval``) of ``n_tried_total``, arms tried in an episode, ``agreement``, ``kl`` and
        ``best_left``, the share of episodes in which the best arm was tried and left for good. A divergence is infinite
        where the agent never does what an index would.

    Raises
    ------
    InputError
        A variable or dim is missing, a reward is neither 0 nor 1, or `discount` is outside its range.

    References
    ----------
    Gittins 1979, J R Stat Soc B 41; Duan et al. 2016, section 3.1.
    """
    require(trials, choice=("episode", "trial"), reward=("trial",))
    odd = [dim for dim in trials.choice.dims if dim not in ("episode", "trial")]
    if odd:
        raise InputError(f"'choice' spans {trials.choice.dims}; ask of one {odd[0]} at a time.")
    made = played(trials).transpose("episode", "trial")
    reward = trials.reward.isel(step=0, drop=True) if trials.reward.sizes.get("step") == 1 else trials.reward
    paid = reward.transpose("episode", "trial").values
    if not (np.isin(paid, (0, 1)) | ~made.values).all():
        raise InputError("A reward of a choice is neither 0 nor 1; indices are of arms that win or lose.")
    choice = np.where(made, trials.choice.transpose("episode", "trial"), -1)
    logits = _logits(trials)
    found = _followed(choice, paid, n_options(trials), _table(trials.sizes["trial"], discount), logits)
    by_trial = {name: xr.DataArray(x, dims=("episode", "trial")).where(made) for name, x in found.items()}
    last, pulls = _last_pull(choice, n_options(trials))
    left = (pulls > 0) & (last < last.max(1, keepdims=True))
    counted = np.bincount(np.minimum(pulls[left], MOST_PULLS), minlength=MOST_PULLS + 1)[1:]
    result = xr.Dataset({name: x.mean("episode") for name, x in by_trial.items()})
    result["p_left"] = ("pulls", counted / max(1, counted.sum()))
    result = result.assign_coords(pulls=np.arange(1, MOST_PULLS + 1))
    each = {name: x.mean("trial") for name, x in by_trial.items() if name != "n_tried"}
    each["n_tried_total"] = xr.DataArray((pulls > 0).sum(1), dims="episode")
    if "reward_prob" in trials:
        require(trials, reward_prob=("arm",))
        prob = trials.reward_prob.isel(trial=0) if "trial" in trials.reward_prob.dims else trials.reward_prob
        best = prob.transpose("episode", "arm").values.argmax(1)
        each["best_left"] = xr.DataArray(left[np.arange(len(left)), best].astype(float), dims="episode")
    for name, x in each.items():
        finite = x.where(bool((x < np.inf).all()))  # a policy that never does what an index would has no interval
        about = mean_interval(finite, share=name in ("agreement", "best_left"))
        result[f"{name}_mean"] = x.mean()
        result[f"{name}_interval"] = xr.concat([about.lower, about.upper], "bound")
    result["n_left"] = counted.sum()
    result = result.assign_coords(bound=["lower", "upper"])
    for name, told in LABELS.items():
        if name in result:
            result[name].attrs = told
    return result.assign_attrs(n_episodes=len(choice), index="all trials left" if discount is None else str(discount))


LABELS = {
    "n_tried": {"long_name": "arms tried so far"},
    "agreement": {"long_name": "share of choices of an arm of the highest index"},
    "kl": {"long_name": "divergence from the nearest policy of the index", "units": "nats"},
    "p_left": {"long_name": "share of arms left for good after so many pulls"},
}


def _table(n_trials: int, discount: float | None) -> np.ndarray:
    """Indices by trials left, wins and losses; with a discount one for all."""
    if discount is None and n_trials <= exact.gittins.LONGEST:
        return exact.gittins.finite_horizon(n_trials)
    return exact.gittins.discounted(n_trials, LONG_DISCOUNT if discount is None else discount)[None]


def _logits(trials: xr.Dataset) -> np.ndarray | None:
    """Policies before the softmax, (episode, trial, option), of trials of one step; None where there are none."""
    if "logits" not in trials or trials.logits.sizes.get("step", 1) > 1:
        return None
    logits = trials.logits.isel(step=0, drop=True) if "step" in trials.logits.dims else trials.logits
    return logits.transpose("episode", "trial", "option").values


def _followed(
    choice: np.ndarray, reward: np.ndarray, n_arms: int, table: np.ndarray, logits: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Arms tried, agreement and divergence of each trial, (episode, trial)."""
    n_episodes, n_trials = choice.shape
    who = np.arange(n_episodes)
    wins, losses = (np.zeros((n_episodes, n_arms), np.int64) for _ in range(2))
    names = ("n_tried", "agreement", *(["kl"] if logits is not None else []))
    found = {name: np.zeros(choice.shape) for name in names}
    for t in range(n_trials):
        left = (n_trials - 1 - (wins + losses).sum(1, keepdims=True)) % len(table)
        index = table[left, wins, losses]
        best = index >= index.max(1, keepdims=True) - TIED
        taken, made = choice[:, t], choice[:, t] >= 0
        found["agreement"][:, t] = best[who, taken]
        if logits is not None:
            log_policy = log_softmax(logits[:, t].astype(float), -1)
            found["kl"][:, t] = np.maximum(0, -logsumexp(np.where(best, log_policy, -np.inf), -1))
        won = reward[:, t] > 0
        np.add.at(wins, (who[made & won], taken[made & won]), 1)
        np.add.at(losses, (who[made & ~won], taken[made & ~won]), 1)
        found["n_tried"][:, t] = (wins + losses > 0).sum(1)
    return found


def _last_pull(choice: np.ndarray, n_arms: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each episode and arm the last trial on which it was chosen (-1: never), and how often it was."""
    last, pulls = np.full((len(choice), n_arms), -1), np.zeros((len(choice), n_arms), np.int64)
    for t in range(choice.shape[1]):
        made = np.flatnonzero(choice[:, t] >= 0)
        last[made, choice[made, t]] = t
        pulls[made, choice[made, t]] += 1
    return last, pulls
