"""When a choice is changed: by whether the last one paid, and how often in a row it had been made."""

import numpy as np
import xarray as xr

from neurometa import dataset
from neurometa.errors import InputError

LONGEST = 8  # choices in a row from which on they are counted together


def switch_curve(trials: xr.Dataset, prob: xr.DataArray | None = None, *, longest: int = LONGEST) -> xr.Dataset:
    """Probability of another choice than the last, by what that paid and how many in a row it ended.

    Parameters
    ----------
    trials : Dataset
        ``choice`` and ``reward`` over ``trial`` and any other dims. Missed trials are taken out: the choice before one
        is the last of the choice after it.
    prob : DataArray, optional
        Probability of each option before each trial, over ``arm`` and the dims of the choices. The choices that are
        counted are then made by it, each after the history that was observed.
    longest : int
        Runs of so many choices and more are counted together.

    Returns
    -------
    Dataset
        ``p_switch`` in [0, 1] and ``n`` (trials), over ``outcome`` (unrewarded, rewarded: a reward above 0) and
        ``run_length`` (from 1). NaN where there is no trial.

    Raises
    ------
    InputError
        A variable is absent, or `longest` is below 1.
    """
    if isinstance(longest, bool) or longest < 1:
        raise InputError(f"longest is {longest}; it must be 1 or more.")
    dataset.require(trials, choice=("trial",), reward=("trial",))
    made = dataset.played(trials).transpose(..., "trial")
    dims = made.dims
    reward = trials.reward.broadcast_like(made).transpose(*dims).values
    order = np.argsort(~made.values, axis=-1, kind="stable")
    choice, reward, packed = (
        np.take_along_axis(each, order, -1) for each in (trials.choice.transpose(*dims).values, reward, made.values)
    )
    length = np.ones(choice.shape, int)
    for t in range(1, choice.shape[-1]):
        length[..., t] = np.where(choice[..., t] == choice[..., t - 1], length[..., t - 1] + 1, 1)
    if prob is None:
        switch = (choice[..., 1:] != choice[..., :-1]).astype(float)
    else:
        each = np.take_along_axis(prob.transpose(*dims, "arm").values, order[..., None], -2)[..., 1:, :]
        switch = 1 - np.take_along_axis(each, np.maximum(choice[..., :-1, None], 0), -1)[..., 0]
    pair, before = packed[..., 1:], np.minimum(length, longest)[..., :-1]
    won = reward[..., :-1] > 0
    total, n = np.zeros((2, 2, longest))
    for k in range(longest):
        for outcome in range(2):
            these = pair & (before == k + 1) & (won == bool(outcome))
            total[outcome, k], n[outcome, k] = switch[these].sum(), these.sum()
    found = xr.Dataset(
        {
            "p_switch": (("outcome", "run_length"), total / np.where(n > 0, n, np.nan)),
            "n": (("outcome", "run_length"), n.astype(int)),
        },
        coords={"outcome": np.array(["unrewarded", "rewarded"], dtype=object), "run_length": np.arange(1, longest + 1)},
    )
    found.p_switch.attrs = {"long_name": "probability of another choice"}
    found.run_length.attrs = {"long_name": f"choices in a row ({longest}: or more)"}
    return found
