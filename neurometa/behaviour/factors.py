"""What happened on the trial before, and the variables that units are asked to code."""

from collections.abc import Sequence

import xarray as xr

from neurometa.dataset import VARIABLES, follows, n_options, played, require, valid
from neurometa.errors import InputError, nearest

SETS = {  # of Wang et al. 2018: simulation 1, section "unit coding", and simulation 2, "volatility units"
    "history": ("last-action", "last-reward", "action-x-reward", "value"),
    "volatility": ("volatile", "last-reward", "next-action", "reward-prob"),
}


def previous_trial(trials: xr.Dataset) -> xr.Dataset:
    """Choice and reward of the trial before, which is what a state at fixation can hold of it.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` over ``trial`` and any other dims; ``valid`` where trials are padded.

    Returns
    -------
    Dataset
        Floats over the dims of the trials: ``previous_choice``, ``previous_reward`` and, for two options,
        ``previous_product``, the reward with the sign of the choice (arm 0: -, arm 1: +). NaN on the first trial of
        each episode, after a trial that was missed or a gap in the numbers of the trials, and on padding.

    Raises
    ------
    InputError
        A variable is absent.

    Examples
    --------
    >>> from neurometa.dataset import example
    >>> previous_trial(example(n_episodes=2)).previous_choice.isel(trial=0).values
    array([nan, nan])
    """
    require(trials, choice=("trial",), reward=("trial",))
    made, right_after = played(trials), follows(trials)
    choice = trials.choice.astype(float).where(made).shift(trial=1).where(right_after)
    reward = trials.reward.astype(float).where(made).shift(trial=1).where(right_after)
    found = xr.Dataset({"previous_choice": choice, "previous_reward": reward})
    found.previous_choice.attrs = {"long_name": "choice of the trial before"}
    found.previous_reward.attrs = {"long_name": "reward of the trial before", "units": "reward"}
    if n_options(trials) == 2:
        found["previous_product"] = (2 * choice - 1) * reward
        found.previous_product.attrs = {"long_name": "reward of the trial before, signed by choice", "units": "reward"}
    return found.where(valid(trials))


def coding_factors(trials: xr.Dataset, names: Sequence[str] = SETS["history"], *, skip: float = 0.0) -> xr.Dataset:
    """Gather the variables that `neurometa.neural.encode` sets beside each other, as numbers.

    Parameters
    ----------
    trials : Dataset
        A run over ``trial`` and other dims, or an animal's trials.
    names : sequence of str
        ``"last-action"`` (+1: arm 1, -1: arm 0), ``"last-reward"``, ``"action-x-reward"`` (the last reward with the
        sign of its action), ``"value"`` (reward probability of arm 0, before the choice), ``"next-action"`` (of the
        trial itself), ``"reward-prob"`` of arm 0; or a variable of the trials without ``step``, with ``_`` or ``-``.
        `SETS` has those of Wang et al. 2018.
    skip : float
        Share of each episode's trials that is left out at its start, in [0, 1); 1/3 leaves the last two thirds.

    Returns
    -------
    Dataset
        One variable per name (with spaces, e.g. ``"last action"``), NaN where it is not known and on skipped trials.

    Raises
    ------
    InputError
        There is no such variable, it is no number per trial, a name is given twice, or the signs of actions are asked
        for where there are not two options.
    """
    require(trials, choice=("trial",))
    if not 0 <= skip < 1:
        raise InputError(f"skip is {skip}; it must be at least 0 and below 1.")
    if not names or len(set(names)) < len(names):
        raise InputError(f"The factors are {list(names)}; name each once, and one at least.")
    shown = valid(trials)
    kept = shown & (shown.cumsum("trial") > skip * shown.sum("trial"))
    found = {}
    for name in names:
        factor = _factor(trials, name)
        found[name.replace("_", " ").replace("-", " ")] = factor.where(kept).reset_coords(drop=True)
    return xr.Dataset(found).assign_attrs(skip=skip)


def _factor(trials: xr.Dataset, name: str) -> xr.DataArray:
    if name in ("last-action", "action-x-reward", "next-action") and n_options(trials) != 2:
        raise InputError(f"{name!r} has a sign for two options, and these trials have {n_options(trials)}.")
    if name == "next-action":
        return (2.0 * trials.choice - 1).where(played(trials))
    if name in ("last-action", "last-reward", "action-x-reward"):
        before = previous_trial(trials)
        if name == "last-action":
            return 2 * before.previous_choice - 1
        return before.previous_reward if name == "last-reward" else before.previous_product
    known = "reward_prob" if name in ("value", "reward-prob") else name if name in trials else name.replace("-", "_")
    if known not in trials.variables:
        named = dict.fromkeys(each for names in SETS.values() for each in names if each != name)
        needs = {each: "reward_prob" if each in ("value", "reward-prob") else each for each in named}
        there = [each for each, needed in needs.items() if needed in trials or needed not in VARIABLES]
        allowed = [*dict.fromkeys([*there, *map(str, trials.data_vars)])]
        hint = nearest(name, allowed)
        raise InputError(f"The trials hold nothing for the factor {name!r}; there are {', '.join(allowed)}.{hint}")
    variable = trials[known]
    if known == "reward_prob" and "arm" in variable.dims:
        variable = variable.isel(arm=0, drop=True)
    if odd := [dim for dim in variable.dims if dim in ("step", "unit", "option", "feature", "arm", "state")]:
        raise InputError(f"{name!r} spans {variable.dims}; a factor has no {odd[0]!r}. Select a value in a notebook.")
    if variable.dtype.kind not in "biuf":
        raise InputError(f"{name!r} is {variable.dtype}; a factor must be numbers.")
    number = variable.astype(float)
    return number.where(number >= 0) if known == "choice" else number.broadcast_like(trials.choice)
